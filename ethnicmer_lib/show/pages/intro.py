"""The landing page: what was asked, what was found on the real data, how sure we are, and what this copy holds."""

from __future__ import annotations

import html
from collections import Counter
from typing import Any

from IPython.display import HTML

from ethnicmer_lib.clips.table import Provenance
from ethnicmer_lib.paper.counts import released_tables
from ethnicmer_lib.paper.findings import Finding
from ethnicmer_lib.publish.recorded import Recorded
from ethnicmer_lib.show import tables as notebook


def values(found: list[Finding], source: Provenance, real: Recorded) -> dict[str, Any]:
    """Texts of the page."""
    released = released_tables()
    rows = real.benchmark.table.set_index("variant")
    forest = rows.loc["forest"]
    verdicts = Counter(one.verdict for one in found)
    counted = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    return {
        "headline": _headline(real),
        "confound": (
            f"What limits any answer: group and database nearly coincide (Cramér's V {released.association}; the "
            f"database alone tells the group of {released.database_rule.value:.0%} of the clips), so a difference "
            "between groups may be one between laboratories; and there are "
            f"{int(released.ethnicity['subjects'].iloc[-1])} subjects in all."
        ),
        "recorded_clips": int(forest["clips"]),
        "this_copy": (
            f"This copy was computed on {source.source}. "
            + (
                "A simulated cohort cannot say anything about people; it checks the methods, because its truth "
                "is known. "
                if source.simulated
                else ""
            )
            + f"Of its {len(found)} findings: {counted}."
        ),
    }


def _headline(real: Recorded) -> str:
    mixed = real.prima_facie.differences.set_index("comparison").loc["mixed minus mono"]
    draws = real.prima_facie.parameters.n_draws
    rows = real.benchmark.table.set_index("variant")
    forest = rows.loc["forest"]
    best = max(row["macro_paper"] for _, row in rows.iterrows() if row["macro_paper"] == row["macro_paper"])
    ends = (mixed["low"], mixed["high"])
    relation = (
        "worse than"
        if ends[1] < 0
        else "better than"
        if ends[0] > 0
        else "neither measurably worse nor better than"
    )
    random = " of random weights" if real.prima_facie.parameters.weights == "none" else ""
    compared = real.benchmark.difference("dual_motion", "resnet18")
    context = {1: "raises", -1: "lowers", 0: "does not measurably change"}[compared.side]
    return (
        f"On the published flow features of the real clips, a random forest on ResNet-18 features{random} recognises "
        f"emotions in mixed groups {relation} within groups: mixed minus mono macro F1 is {mixed['value']:+.3f} "
        f"[{ends[0]:+.3f}, {ends[1]:+.3f}] over {draws} draws of subjects. A second branch that learns the group "
        f"{context} macro F1 ({compared}). A plain random forest on the same motion, with no network and no ethnic "
        f"context, reaches a macro F1 of {forest['macro']:.2f} [{forest['macro_low']:.2f}, "
        f"{forest['macro_high']:.2f}]; the best of the paper's rows without frames is {best:.2f}."
    )


def recorded_findings(real: Recorded) -> HTML:
    """The findings of the recorded run on real data."""
    caption = f"Findings on real data, recorded {real.made['time'][:10]}."
    listed = notebook.findings(real.findings(), real.provenance, caption, folded=True)
    return HTML(f"{listed.data}<p class='note'>Recorded by <code>{html.escape(real.command)}</code></p>")


def copy_findings(found: list[Finding], source: Provenance) -> HTML:
    """All findings of this copy, folded twice: there are many."""
    listed = notebook.findings(found, source, "Findings of this copy.", folded=True)
    return HTML(
        f"<details class='all-findings'><summary>All {len(found)} findings</summary>{listed.data}</details>"
    )
