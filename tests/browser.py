"""A headless Chromium that reports every request it makes, for looking at built pages."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

# A browser looks for updates and accounts by itself; these keep it to the page.
_QUIET = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--mute-audio",
    "--disable-dev-shm-usage",
]


def programs() -> tuple[str, str]:
    """Paths of Chromium and its driver; skips loudly where they are missing, fails where they are required."""
    found = (shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver"))
    if not all(found):
        reason = "no chromium and chromedriver on the PATH (Debian: apt install chromium chromium-driver)"
        if os.environ.get("ETHNICMER_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on a free local port; yields its address."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def browser(width: int = 1366, height: int = 900) -> Iterator[webdriver.Chrome]:
    """A Chromium window of the given size, without any network but this machine's."""
    chromium, driver_path = programs()
    options = Options()
    options.binary_location = chromium
    for flag in _QUIET:
        options.add_argument(flag)
    # Every other host resolves to nothing: the network is cut.
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(driver_path))
    try:
        resize(driver, width, height)
        yield driver
    finally:
        driver.quit()


def resize(driver: webdriver.Chrome, width: int, height: int = 900) -> None:
    """Give the page another size; one below 600 px is a phone's."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def requests(driver: webdriver.Chrome) -> list[str]:
    """Addresses requested since the last call, data and blob addresses aside."""
    found = []
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            found.append(message["params"]["request"]["url"])
    return [url for url in found if not url.startswith(("data:", "blob:"))]


def errors(driver: webdriver.Chrome) -> list[str]:
    """Severe messages of the page's console since the last call."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
