"""axe-core in the browser: what of WCAG 2.2, level A and AA, the page that is open breaks."""

from __future__ import annotations

import json
from importlib import resources

from selenium import webdriver

#: Levels A and AA, as axe-core names what came with each version of WCAG.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

_SOURCE = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
# Contrast takes most of the time. Texts of one colour and size on the same grounds have one contrast: three of each
# look, in case that one is under something else, stand for all.
_ONE_OF_EACH_LOOK = "axe.configure({rules: [{id: 'color-contrast', selector: '[data-look]'}]});"
_MARK_LOOKS = """
const seen = new Map(), grounds = new Map([[null, '']]);
function ground(one) {
  if (!grounds.has(one)) {
    const {backgroundColor, backgroundImage, opacity, position} = getComputedStyle(one);
    const own = `${backgroundColor} ${backgroundImage} ${opacity} ${position};`;
    const above = ground(one.parentElement);
    grounds.set(one, own === 'rgba(0, 0, 0, 0) none 1 static;' ? above : above + own);
  }
  return grounds.get(one);
}
for (const one of document.body.querySelectorAll('*')) {
  const {color, fontSize, fontWeight, textShadow} = getComputedStyle(one);
  const text = [...one.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim());
  const look = [color, fontSize, fontWeight, textShadow, ground(one)].join();
  const shown = (text || one.matches('input, select, button')) && one.checkVisibility();
  const times = seen.get(look) || 0;
  one.toggleAttribute('data-look', shown && times < 3);
  if (shown) seen.set(look, times + 1);
}
"""
_RUN = f"""
const done = arguments[0];
{_MARK_LOOKS}
axe.run({{runOnly: {json.dumps(RULES)}, resultTypes: ['violations'], preload: false}}).then(
  result => done(result.violations.flatMap(rule => rule.nodes.map(
    node => `${{rule.id}}: ${{node.html.slice(0, 120)}} (${{node.target}}): ${{node.failureSummary}}`))),
  error => done([String(error)]));
"""


def install(driver: webdriver.Chrome) -> None:
    """Have axe-core in every page that is opened from now on, before anything of the page itself."""
    source = {"source": f"{_SOURCE};{_ONE_OF_EACH_LOOK}"}
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", source)


def violations(driver: webdriver.Chrome) -> list[str]:
    """Every place where the open page breaks a rule: the rule, the element, and what would mend it."""
    return driver.execute_async_script(_RUN)
