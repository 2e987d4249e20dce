"""The built site in a browser with the network cut: every page opens, fits, keeps to WCAG 2.2, and leads on."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import axe
import numpy as np
import pytest
from browser import browser, errors, requests, resize, served
from bs4 import BeautifulSoup
from checkout import ROOT
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

pytestmark = [pytest.mark.browser, pytest.mark.book]

#: How a page is looked at, in this order: width in px, theme.
MODES = {"phone": (390, "light"), "desktop": (1366, "light"), "dark": (1366, "dark")}
#: Bytes of a page with its own pictures; theme and MathJax are loaded once for all pages.
HEAVIEST = 2_000_000
PICTURE = "book/_static/story.png"  #: of README and of links to the site

_TYPESET = """
const done = arguments[0];
(window.MathJax && MathJax.startup ? MathJax.startup.promise : Promise.resolve()).then(() => done());
"""
# What a reader may unfold is part of the page; and colours on their way are those of no theme.
_UNFOLD = """
const still = '* { transition: none !important; animation: none !important; }';
document.head.insertAdjacentHTML('beforeend', `<style>${still}</style>`);
document.querySelectorAll('details').forEach(one => one.open = true);
"""
_WIDER = "const page = document.documentElement; return page.scrollWidth - page.clientWidth"
# What the smallest type of a figure, of 9 pt, has of px; a figure's own size is at 110 px an inch.
_TYPE = """
return [...document.querySelectorAll('article img')].map(one =>
  [one.alt, 9 / 72 * 110 * one.width / parseFloat(one.style.width)]).filter(([_, px]) => !(px > 8.95));
"""
_COARSE = """
return [...document.querySelectorAll('article img')].filter(one => one.naturalWidth < 2 * one.width - 2)
  .map(one => one.alt);
"""
_PAPER = "return getComputedStyle(document.body).backgroundColor"
_PICTURES = """
return [...document.images].filter(one => !one.alt && one.closest('main') || one.complete && !one.naturalWidth)
  .map(one => one.src);
"""


@pytest.fixture
def site(built, ethnicmer) -> Path:
    """The folder that would be published."""
    return ethnicmer.workspace / "html"


def pages(site: Path) -> list[str]:
    """Every page of the site; the first only sends on to the landing page, and the theme's parts are no pages."""
    found = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    return [page for page in found if page != "index.html" and not page.startswith("_static/")]


def looked_at(driver: webdriver.Chrome) -> Iterator[str]:
    """What is wrong with the open page in any mode."""
    for mode, (width, theme) in MODES.items():
        resize(driver, width)
        driver.execute_script(f"document.documentElement.dataset.theme = '{theme}'")
        if (wider := driver.execute_script(_WIDER)) > 1:
            yield f"{mode}: scrolls sideways by {wider} px"
        yield from (f"{mode}: type of {px} px in {one}" for one, px in driver.execute_script(_TYPE))
        yield from (f"{mode}: shows {one} coarsely" for one in driver.execute_script(_COARSE))
        paper = [int(part) for part in re.findall(r"\d+", driver.execute_script(_PAPER))]
        if (sum(paper[:3]) < 3 * 128) is not (theme == "dark"):
            yield f"{mode}: the paper is {paper}"
        yield from (f"{mode}: {one}" for one in axe.violations(driver))


def test_every_page_is_accessible_and_asks_nobody_in_light_in_dark_and_on_a_phone(site):
    wrong = []
    with served(site) as address, browser(MODES["phone"][0]) as driver:
        driver.set_script_timeout(300)
        axe.install(driver)
        for page in pages(site):
            resize(driver, MODES["phone"][0])
            driver.get(f"{address}/{page}")
            driver.execute_async_script(_TYPESET)
            asked = requests(driver)
            assert f"{address}/{page}" in asked
            found = [f"asks {url}" for url in asked if not url.startswith(address)]
            found += [f"shows no {url} or says nothing of it" for url in driver.execute_script(_PICTURES)]
            if page == "book/motion.html" and not driver.find_elements(By.CSS_SELECTOR, "mjx-container"):
                found.append("the equations are not typeset")
            driver.execute_script(_UNFOLD)
            found += [*looked_at(driver), *errors(driver)]
            wrong += [f"{page}: {one}" for one in found]
    assert not wrong, "\n".join(wrong)


def test_what_is_planted_is_found(tmp_path):
    pale = "<p>Dark.</p>" * 4 + "<p style='color: #999'>Pale.</p><p style='opacity: 0.4'>Thin.</p>"
    page = f"<html lang=en><title>A</title><main>{pale}<img src='data:,'><button></button></main></html>"
    (tmp_path / "page.html").write_text(page)
    with served(tmp_path) as address, browser() as driver:
        axe.install(driver)
        driver.get(f"{address}/page.html")
        found = [one.partition(":")[0] for one in axe.violations(driver)]
    assert sorted(found) == ["button-name", "color-contrast", "color-contrast", "image-alt"]


def test_links_and_their_places_are_there_and_pages_are_light(site):
    read = {
        path: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for path in map(site.joinpath, [*pages(site), "index.html"])
    }
    places = {path: {one["id"] for one in soup.find_all(id=True)} for path, soup in read.items()}
    seen = 0
    for path, soup in read.items():
        weight = path.stat().st_size
        for one in soup.find_all(["a", "img", "script", "link"]):
            address, place = urldefrag(one.get("href") or one.get("src") or "")
            if urlsplit(address).scheme:
                continue
            seen += 1
            target = (
                Path(os.path.normpath(path.parent / unquote(urlsplit(address).path))) if address else path
            )
            assert target.is_file(), (path, str(one))
            assert not place or target not in places or unquote(place) in places[target], (path, str(one))
            weight += target.stat().st_size if one.name == "img" and "_images" in target.parts else 0
        assert weight < HEAVIEST, f"{path.name} weighs {weight} bytes"
    assert seen > 1000


def test_the_picture_of_the_readme_is_the_figure_of_the_landing_page(site):
    soup = BeautifulSoup((site / "book" / "intro.html").read_text(encoding="utf-8"), "html.parser")
    here = site / "book" / soup.select_one("#fig-story img")["src"]
    drawn, kept = (np.asarray(Image.open(path).convert("L"), int) for path in (here, ROOT / PICTURE))
    assert f"]({PICTURE})" in (ROOT / "README.md").read_text()
    assert drawn.shape == kept.shape, "run `make picture`"
    assert (abs(drawn - kept) > 64).mean() < 1e-4, (
        "run `make picture`: a thousandth moves more pixels than that"
    )


@pytest.mark.parametrize(
    ("link", "place", "said"),
    [
        ("the verdict on Table IV", "article .admonition ~ * .verdict", []),
        ("the confound", "section:has(> #{place})", ["Cramér’s V", "two laboratories"]),
        ("another ethnic mapping", "section:has(> #{place})", ["-p source.mapping="]),
        ("the four variants", "dt#{place} + dd", ["resnet18", "dual_motion", "dual_rgb", "tinyvit"]),
        ("what SIMULATED means", "dt#{place} + dd", ["simulator", "nothing about people"]),
    ],
)
def test_a_reader_finds_what_the_study_is_about_in_one_click_on_its_name(site, link, place, said):
    with served(site) as address, browser() as driver:
        driver.implicitly_wait(60)  # the first page sends on to the landing page, and that to the link's
        driver.get(f"{address}/index.html")
        driver.find_element(By.CSS_SELECTOR, "article").find_element(By.PARTIAL_LINK_TEXT, link).click()
        WebDriverWait(driver, 60).until(lambda one: "/intro.html" not in one.current_url)
        here = urlsplit(driver.current_url)
        (target, *_) = driver.find_elements(By.CSS_SELECTOR, place.replace("{place}", here.fragment))
        top = driver.execute_script("return arguments[0].getBoundingClientRect().top", target)
        assert -1 <= top < 900, "not on the screen"
        assert target.text
        assert [words for words in said if words not in target.text] == []
