"""The built site in a browser with the network cut: it loads, fits, and can be read in either theme."""

from __future__ import annotations

import re

import pytest
from browser import browser, errors, requests, served

from ethnicmer_lib.publish import chapters

pytestmark = [pytest.mark.browser, pytest.mark.book]


@pytest.mark.parametrize("width", [1366, 390])
def test_pages_open_with_the_network_cut_and_ask_nobody(built, ethnicmer, width):
    with served(ethnicmer.workspace / "html") as address, browser(width) as driver:
        for name in [page.name for page in chapters.PAGES] + ["rerun", "cluster", "references"]:
            driver.get(f"{address}/book/{name}.html")
            driver.set_script_timeout(20)
            driver.execute_async_script(
                "const done = arguments[0];"
                "(window.MathJax && MathJax.startup ? MathJax.startup.promise : Promise.resolve()).then(() => done())"
            )
            asked = requests(driver)
            assert asked
            assert all(url.startswith(address) for url in asked), (name, asked)
            assert not errors(driver), name
            wider = driver.execute_script(
                "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert wider <= 1, f"{name} scrolls sideways by {wider} px at {width} px"
            if name == "motion":
                assert driver.find_elements("css selector", "mjx-container"), "the equations are not typeset"
            pictures = driver.find_elements("css selector", "article img, main img")
            assert all(picture.get_attribute("alt") for picture in pictures), name
            loaded = driver.execute_script(
                "return [...document.images].filter(i => i.complete && i.naturalWidth === 0).map(i => i.src)"
            )
            assert not loaded, f"{name}: pictures that did not load: {loaded}"


def test_light_and_dark_are_both_readable(built, ethnicmer):
    script = (
        "const e = document.querySelector('main p'); const s = getComputedStyle(e);"
        "return [s.color, getComputedStyle(document.body).backgroundColor]"
    )
    with served(ethnicmer.workspace / "html") as address, browser() as driver:
        seen = {}
        for theme in ("light", "dark"):
            driver.get(f"{address}/book/intro.html")
            driver.execute_script(f"document.documentElement.dataset.theme = '{theme}'")
            seen[theme] = [_luminance(colour) for colour in driver.execute_script(script)]
        for theme, (text, paper) in seen.items():
            high, low = max(text, paper), min(text, paper)
            assert (high + 0.05) / (low + 0.05) > 4.5, theme  # WCAG AA
        assert seen["light"][1] > 0.8 > 0.2 > seen["dark"][1]


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2) of 'rgb(r, g, b)'."""
    parts = [int(float(value)) / 255 for value in re.findall(r"[\d.]+", colour)[:3]]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
