"""The claims ledger as a page shows it: every claim with its verdict, filtered by verdict, place and words."""

from __future__ import annotations

import html
import json

from IPython.display import HTML

from ethnicmer_lib.paper.findings import VERDICTS, Finding
from ethnicmer_lib.paper.ledger import Entry, Ledger
from ethnicmer_lib.show.tables import badge
from ethnicmer_lib.store.provenance import Provenance

#: Shows and hides rows; without it the whole ledger is there.
_SCRIPT = """
(() => {
  const ledger = document.currentScript.closest('.ledger');
  const rows = [...ledger.querySelectorAll('.finding')];
  const [verdict, place, words] = ['verdict', 'place', 'words'].map(n => ledger.querySelector(`[name=${n}]`));
  const count = ledger.querySelector('.ledger-count');
  const show = () => {
    const text = words.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const fits = (!verdict.value || row.dataset.verdict === verdict.value)
        && (!place.value || row.dataset.place === place.value)
        && (!text || row.textContent.toLowerCase().includes(text));
      row.hidden = !fits;
      shown += fits;
    }
    count.textContent = `${shown} of ${rows.length} claims`;
  };
  for (const field of [verdict, place, words]) field.addEventListener('input', show);
  ledger.querySelector('form').hidden = false;
  ledger.querySelector('form').addEventListener('submit', event => event.preventDefault());
  show();
})();
"""


def ledger(found: Ledger) -> HTML:
    """All entries, each unfolding to its answers, with fields that filter them; and the same as JSON, folded."""
    places = list(dict.fromkeys(entry.place for entry in found.entries))
    form = (
        "<form class='ledger-filter' hidden>"
        + _field("Verdict", _options("verdict", VERDICTS))
        + _field("Place", _options("place", places))
        + _field("Words", "<input name='words' type='search'>")
        + "<output class='ledger-count'></output></form>"
    )
    rows = "".join(_row(entry) for entry in found.entries)
    records = json.loads(found.table().to_json(orient="records"))
    text = html.escape(json.dumps(records, indent=1, ensure_ascii=False))
    return HTML(
        f"<div class='findings ledger'>{form}{rows}<script>{_SCRIPT}</script></div>"
        f"<details class='provenance'><summary>The ledger as JSON</summary><pre>{text}</pre></details>"
    )


def _field(title: str, field: str) -> str:
    return f"<label>{title} {field}</label>"


def _options(name: str, values: tuple[str, ...] | list[str]) -> str:
    options = "".join(f"<option>{html.escape(value)}</option>" for value in values)
    return f"<select name='{name}'><option value=''>all</option>{options}</select>"


def _row(entry: Entry) -> str:
    printed = ""
    if entry.printed is not None:
        printed = f"printed {entry.printed:g}" if entry.printed >= 1 else f"printed {entry.printed:.4f}"
    return (
        f"<details class='finding' id='{entry.key}' data-verdict='{html.escape(entry.verdict)}' "
        f"data-place='{html.escape(entry.place)}'><summary><span class='question'>{html.escape(entry.where)}: "
        f"{html.escape(entry.says)}</span><span class='estimate'>{printed}</span>"
        f"<span class='verdict {entry.verdict.replace(' ', '-')}'>{entry.verdict}</span></summary>"
        + "".join(map(_answer, entry.answers))
        + f"<p class='note'>More in <a href='{entry.page}.html'>{entry.page.replace('_', ' ')}</a>.</p></details>"
    )


def _answer(one: Finding) -> str:
    mark = badge(Provenance(one.source, one.simulated, ""))
    return (
        f"<p><strong>{html.escape(one.mode)}</strong>, {html.escape(one.source)}{mark}: {html.escape(one.answer)} "
        f"<em>{html.escape(one.verdict)}</em></p><p class='note'>{html.escape(one.reason)}</p>"
    )
