"""The claims ledger as a page shows it: every claim with its verdict, filtered by verdict, place and words."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable

import pandas as pd
from IPython.display import HTML

from ethnicmer_lib.show.tables import badge, summary
from ethnicmer_lib.store.provenance import Provenance

#: Shows and hides rows; without it the whole ledger is there.
_SCRIPT = """
(() => {
  const ledger = document.currentScript.closest('.ledger'), form = ledger.querySelector('form');
  const rows = [...ledger.querySelectorAll('.finding')];
  const show = () => {
    const {verdict, place, words} = Object.fromEntries(new FormData(form));
    for (const row of rows)
      row.hidden = (verdict && row.dataset.verdict !== verdict) || (place && row.dataset.place !== place)
        || !row.textContent.toLowerCase().includes(words.trim().toLowerCase());
    form.querySelector('output').textContent = `${rows.filter(row => !row.hidden).length} of ${rows.length} claims`;
  };
  form.addEventListener('input', show);
  form.addEventListener('submit', event => event.preventDefault());
  form.hidden = false;
  show();
})();
"""


def ledger(found: pd.DataFrame) -> HTML:
    """All claims by place, each unfolding to its answers, with fields that filter them; and the same as files.

    ``found`` is a table of ``paper.claims_ledger``.
    """
    form = (
        "<form class='ledger-filter' hidden>"
        + _field("Verdict", "verdict", found["verdict"].cat.categories)
        + _field("Place", "place", found["place"].unique())
        + "<label>Words <input name='words' type='search'></label>"
        + "<output class='ledger-count'></output></form>"
    )
    rows = "".join(
        f"<section><h2>{html.escape(place)}</h2>"
        + "".join(_claim(answers) for _, answers in claims.groupby("key", sort=False))
        + "</section>"
        for place, claims in found.groupby("place", sort=False)
    )
    files = {"csv": found.to_csv(index=False), "json": found.to_json(orient="records", indent=1)}
    links = " ".join(_download(name, text) for name, text in files.items())
    return HTML(
        f"<div class='findings ledger'>{form}{rows}<script>{_SCRIPT}</script></div><p>The ledger as a file: {links}</p>"
    )


def _download(kind: str, text: str) -> str:
    """A link to a file that is in the page itself."""
    data = base64.b64encode(text.encode()).decode()
    return f"<a download='claims.{kind}' href='data:text/{kind};base64,{data}'>{kind.upper()}</a>"


def _field(title: str, name: str, values: Iterable[str]) -> str:
    options = "".join(f"<option>{html.escape(value)}</option>" for value in values)
    return f"<label>{title} <select name='{name}'><option value=''>all</option>{options}</select></label>"


def _claim(answers: pd.DataFrame) -> str:
    claim = answers[answers["decides"]].iloc[0]
    numbers = [] if pd.isna(claim["printed"]) else [f"printed {_short(claim['printed'])}"]
    if pd.notna(claim["value"]) and not claim["simulated"]:  # the paper's number is of people
        numbers.append(f"found {_short(claim['value'])}")
    return (
        f"<details class='finding' id='{claim['key']}' data-verdict='{html.escape(claim['verdict'])}' "
        f"data-place='{html.escape(claim['place'])}'>"
        + summary(f"{claim['where']}: {claim['says']}", ", ".join(numbers), claim["verdict"])
        + "".join(_answer(one) for one in answers.itertuples())
        + f"<p class='note'>More in <a href='{claim['page']}.html'>{claim['page'].replace('_', ' ')}</a>.</p></details>"
    )


def _short(value: float) -> str:
    """A score or a difference to the four digits that the paper prints, a count as it is."""
    return f"{value:g}" if abs(value) >= 1 or not value else f"{value:.4f}"


def _answer(one: tuple) -> str:
    mark = badge(Provenance(one.source, one.simulated, ""))
    return (
        f"<p><strong>{html.escape(one.mode)}</strong>, {html.escape(one.source)}{mark}: {html.escape(one.answer)} "
        f"<em>{html.escape(one.verdict)}</em></p><p class='note'>{html.escape(one.reason)}</p>"
    )
