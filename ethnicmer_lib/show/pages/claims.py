"""The ledger page: every claim with its verdict, filterable by verdict, place and words."""

from __future__ import annotations

import html
import json
from typing import Any

from IPython.display import HTML

from ethnicmer_lib.clips.table import Provenance
from ethnicmer_lib.paper.claim_evidence import Measured
from ethnicmer_lib.paper.findings import VERDICTS
from ethnicmer_lib.paper.ledger import Entry, Ledger
from ethnicmer_lib.publish import old_chapters as study
from ethnicmer_lib.show import tables as notebook

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
_PLACES = ("Table I", "Table II", "Table III", "Table IV", "Table V", "Sentences and figures")


def values(ledger: Ledger) -> dict[str, Any]:
    """Texts of the page."""
    counts = ledger.counts()
    released = [
        entry for entry in ledger.entries if entry.claim.where == "Table IV" and entry.claim.value is not None
    ]
    return {
        "n_claims": len(ledger.entries),
        "n_cells": sum(entry.claim.value is not None for entry in ledger.entries),
        "verdict_counts": ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS),
        "table_iv_released": sum(
            any(m.mode == "as released" and m.finding.verdict == "reproduced" for m in entry.measured)
            for entry in released
        ),
    }


def ledger(found: Ledger) -> HTML:
    """All entries, each unfolding to its answers, with fields that filter them."""
    options = "".join(f"<option>{html.escape(name)}</option>" for name in VERDICTS)
    places = "".join(f"<option>{html.escape(name)}</option>" for name in _PLACES)
    form = (
        "<form class='ledger-filter' hidden><label>Verdict <select name='verdict'><option value=''>all</option>"
        f"{options}</select></label><label>Place <select name='place'><option value=''>all</option>{places}</select>"
        "</label><label>Words <input name='words' type='search'></label><output class='ledger-count'></output></form>"
    )
    rows = "".join(_row(entry) for entry in found.entries)
    return HTML(f"<div class='findings ledger'>{form}{rows}<script>{_SCRIPT}</script></div>")


def download(found: Ledger) -> HTML:
    """The ledger as JSON, inside the page, for those who want to compute with it."""
    rows = json.loads(found.table().to_json(orient="records"))
    text = html.escape(json.dumps(rows, indent=1, ensure_ascii=False))
    return HTML(
        f"<details class='provenance'><summary>The ledger as JSON</summary><pre>{text}</pre></details>"
    )


def _mark(one: Measured) -> str:
    """The mark of an answer that was measured on a simulated cohort."""
    return notebook.badge(Provenance(one.source, one.source.startswith("simulated"), ""))


def _place(entry: Entry) -> str:
    where = entry.claim.where if entry.claim.value is not None else ""
    if entry.claim.key == "subjects_total":
        return "Table I"
    return where if where in _PLACES else "Sentences and figures"


def _row(entry: Entry) -> str:
    claim, kind = entry.claim, entry.verdict.replace(" ", "-")
    page = claim.page.replace("-", "_")
    printed = ""
    if claim.value is not None:
        printed = f"printed {claim.value:g}" if claim.value >= 1 else f"printed {claim.value:.4f}"
    answers = "".join(
        f"<p><strong>{html.escape(one.mode)}</strong>, {html.escape(one.source)}{_mark(one)}: "
        f"{html.escape(one.finding.answer)} "
        f"<em>{html.escape(one.finding.verdict)}</em></p><p class='note'>{html.escape(one.finding.reason)}</p>"
        for one in entry.measured
    )
    return (
        f"<details class='finding' id='{claim.key.lower().replace(' ', '-')}' "
        f"data-verdict='{html.escape(entry.verdict)}' "
        f"data-place='{html.escape(_place(entry))}'><summary><span class='question'>{html.escape(claim.where)}: "
        f"{html.escape(claim.says)}</span><span class='estimate'>{printed}</span>"
        f"<span class='verdict {kind}'>{entry.verdict}</span></summary>{answers}"
        f"<p class='note'>More in <a href='{page}.html'>{html.escape(study.chapter(page).title)}</a>.</p></details>"
    )
