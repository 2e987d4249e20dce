"""Claims on motion, on Tables IV and V and on activation maps: one measurement for every such sentence of the paper."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ethnicmer_lib.clips.labels import BINARY
from ethnicmer_lib.design.prima_facie import BALANCE
from ethnicmer_lib.design.table_iv import DESCRIBED as DESCRIBED_ARM
from ethnicmer_lib.paper import released as as_released
from ethnicmer_lib.paper.claim_evidence import (
    DESCRIBED,
    FRAMES,
    NOT_HERE,
    OURS,
    RELEASED,
    Evidence,
    Measure,
    Measured,
    exactly,
    finding,
    untested,
)
from ethnicmer_lib.paper.findings import Finding, judge_effect
from ethnicmer_lib.paper.numbers import paper_results


def _of_chapter(e: Evidence, chapter: str, number: int, question: str) -> list[Measured]:
    """A finding of one of this copy's chapters, on this copy's cohort."""
    if chapter not in e.chapters:
        return untested(question, f"{FRAMES}; with them, or simulated, the chapter {chapter} measures it.")
    result = e.chapters[chapter]
    return [Measured(DESCRIBED, result.provenance.source, result.findings()[number])]


def strain_order(e: Evidence, says: str) -> list[Measured]:
    return _of_chapter(e, "motion", 1, says)


def tiny_motions(e: Evidence, says: str) -> list[Measured]:
    return _of_chapter(e, "motion", 0, says)


def from_flow(e: Evidence, says: str) -> list[Measured]:
    return [Measured(RELEASED, e.labels_source, e.audit.findings()[0])]


def random_forest(e: Evidence, says: str) -> list[Measured]:
    equal = [n for n, t in e.audit.by_noise.items() if (t.round(4) == e.audit.printed).all(axis=None)]
    return [
        Measured(
            RELEASED,
            e.labels_source,
            finding(
                says,
                f"From noise, {' and '.join(equal)} give the same printed cells.",
                NOT_HERE,
                "The release calls SVC(C=100); as it indexes the flow, both classifiers give the same cells, so the "
                "table cannot tell which one made it.",
            ),
        )
    ]


def mixed_drop(e: Evidence, says: str) -> list[Measured]:
    return [Measured(DESCRIBED, e.flow_source, e.audit.findings()[1]), *from_flow(e, says)]


def mono_consistent(e: Evidence, says: str) -> list[Measured]:
    return [Measured(DESCRIBED, e.flow_source, _scenario_findings(e)[2])]


def same_distribution(e: Evidence, says: str) -> list[Measured]:
    shares = _released_shares()
    gap = max(shares.values()) - min(shares.values())
    words = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    released = finding(
        says,
        f"Negative clips in the released draw: {words}.",
        "contradicted" if gap >= BALANCE else "reproduced",
        f"contradicted if the shares of Negative differ by {BALANCE} or more.",
        gap,
    )
    return [
        Measured(RELEASED, e.labels_source, released),
        Measured(DESCRIBED, e.flow_source, _scenario_findings(e)[3]),
    ]


def balanced_labels(e: Evidence, says: str) -> list[Measured]:
    drawn = as_released.draw(as_released.kept_clips())
    always = as_released.cells({name: rows.assign(predicted="Negative") for name, rows in drawn.items()})
    rule, printed = float(always.loc["Mixed", "macro"]), float(e.audit.printed.loc["Mixed", "macro"])
    return [
        Measured(
            RELEASED,
            e.labels_source,
            finding(
                says,
                f"In Mixed, always answering Negative scores a macro F1 of {rule:.4f}; the table prints {printed:.4f}.",
                "contradicted" if rule >= printed else "reproduced",
                "contradicted if the class balance alone scores as much as the printed result.",
                rule,
            ),
        )
    ]


def smaller_classes(e: Evidence, says: str) -> list[Measured]:
    columns = paper_results()["table_iv"]["columns"]
    shown = float(e.audit.printed.loc["Mixed", "Non-negative"])
    merged = " and ".join(label for label, binary in BINARY.items() if binary != "Negative")
    return exactly(
        e,
        says,
        f"Table IV has the classes {' and '.join(columns[:2])}; {merged} are one class in it, whose printed F1 is "
        f"{shown:.4f}.",
        shown == 0 and "Positive" in columns,
        "The labels of Table IV are binary, so no score of single smaller classes can be read off it.",
    )


def averages_iv(e: Evidence, says: str) -> list[Measured]:
    return _averages(e, says, "table_iv")


def averages_v(e: Evidence, says: str) -> list[Measured]:
    return _averages(e, says, "table_v")


def _averages(e: Evidence, says: str, name: str) -> list[Measured]:
    rows = paper_results()[name]["rows"].values()
    # Inputs are rounded to 4 decimals, so their mean is known to half a unit, and so is the printed one.
    off = max(abs(np.mean(row[:-1]) - row[-1]) for row in rows)
    return exactly(
        e,
        says,
        f"The largest departure over {len(rows)} rows is {off:.5f}.",
        off <= 1e-4 + 1e-9,
        "reproduced if every average is the mean of its row to the printed precision.",
    )


def baseline_significant(e: Evidence, says: str) -> list[Measured]:
    worse = e.recorded.benchmark.difference("majority", "resnet18")
    forest = e.recorded.benchmark.difference("forest", "resnet18")
    finding = Finding(
        "claims",
        says,
        f"Always answering the larger class minus ResNet-18: macro F1 {worse}. A plain random forest on the same "
        f"images minus ResNet-18: {forest}.",
        *worse,
        judge_effect(worse.low, worse.high, -1),
        "reproduced if the larger class scores below ResNet-18 with its whole interval.",
    )
    return [Measured(DESCRIBED, e.flow_source, finding)]


def motion_context(e: Evidence, says: str) -> list[Measured]:
    return [Measured(DESCRIBED, e.flow_source, _about(e, "dual_motion minus resnet18"))]


def context_is_ethnic(e: Evidence, says: str) -> list[Measured]:
    # The sharper control comes first and decides: a second branch may help without knowing the right group.
    wanted = ("taught wrong groups", "not taught the group")
    findings = e.audit.controls.findings()
    chosen = [found for words in wanted for found in findings if words in found.question]
    return [Measured(OURS, e.flow_source, found) for found in chosen]


def rgb_resnet(e: Evidence, says: str) -> list[Measured]:
    return _frames(e, says, "dual_rgb", "resnet18")


def rgb_tinyvit(e: Evidence, says: str) -> list[Measured]:
    return _frames(e, says, "tinyvit", "dual_motion")


def rgb_barely(e: Evidence, says: str) -> list[Measured]:
    return _branch(e, says, "dual_rgb")


def local_texture(e: Evidence, says: str) -> list[Measured]:
    return _branch(e, says, "tinyvit")


def _frames(e: Evidence, says: str, a: str, b: str) -> list[Measured]:
    """A comparison of Table V that needs faces: this copy's chapter has it where it has frames."""
    found = [f for f in e.chapters["benchmark"].findings() if f.answer.startswith(f"{a} minus {b}")]
    source = e.chapters["benchmark"].provenance.source
    return [Measured(DESCRIBED, source, f) for f in found] or untested(says, f"{FRAMES}.")


def _branch(e: Evidence, says: str, variant: str) -> list[Measured]:
    found = [f for f in e.chapters["benchmark"].findings() if f"branch of {variant}" in f.question]
    source = e.chapters["benchmark"].provenance.source
    return [Measured(DESCRIBED, source, f) for f in found] or untested(says, f"{FRAMES}.")


def _about(e: Evidence, words: str) -> Finding:
    return next(f for f in e.recorded.benchmark.findings() if f.answer.startswith(words))


def map_size(e: Evidence, says: str) -> list[Measured]:
    return _map(e, says, "Positive", "area")


def map_sides(e: Evidence, says: str) -> list[Measured]:
    return _map(e, says, "Positive", "asymmetry")


def map_height(e: Evidence, says: str) -> list[Measured]:
    return _map(e, says, "Surprise", "lower_share")


def _map(e: Evidence, says: str, label: str, measure: str) -> list[Measured]:
    from ethnicmer_lib.networks.activation import CLAIMS

    keys = [(claim.label, claim.measure) for claim in CLAIMS]
    return _of_chapter(e, "activation_maps", keys.index((label, measure)), says)


def _released_shares() -> dict[str, float]:
    drawn = as_released.draw(as_released.kept_clips())
    return {name: float((rows["label"] == "Negative").mean()) for name, rows in drawn.items()}


def _scenario_findings(e: Evidence) -> list[Finding]:
    return e.audit.recorded.arms[DESCRIBED_ARM].findings()


#: Key of a claim in ``data/claims.yml`` -> its measurement.
MEASURES: Mapping[str, Measure] = {
    function.__name__: function
    for function in (
        strain_order,
        tiny_motions,
        from_flow,
        random_forest,
        mixed_drop,
        mono_consistent,
        same_distribution,
        balanced_labels,
        smaller_classes,
        averages_iv,
        averages_v,
        baseline_significant,
        motion_context,
        context_is_ethnic,
        rgb_resnet,
        rgb_tinyvit,
        rgb_barely,
        local_texture,
        map_size,
        map_sides,
        map_height,
    )
}
