"""Verdicts on Section IV-B from the controls: is it the ethnic context that helps?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethnicmer_lib.networks.old_arms import BY_NAME
from ethnicmer_lib.networks.probes import WITHIN
from ethnicmer_lib.paper.benchmark_claims import departures
from ethnicmer_lib.paper.findings import Finding, judge_effect, simulated_reason
from ethnicmer_lib.stats.bootstrap import Estimate

if TYPE_CHECKING:
    from ethnicmer_lib.networks.controls import ControlsResult

#: arm, reference, sign of arm - reference in macro F1 that the paper's explanation asks for, question.
CLAIMS = (
    ("dual", "plain", 1, "Under the controls' folds, does a branch that is taught the group raise macro F1?"),
    ("no_ethnic_loss", "dual", -1, "Does macro F1 fall when the second branch is not taught the group?"),
    ("shuffled", "dual", -1, "Does macro F1 fall when the second branch is taught wrong groups?"),
    ("database", "dual", -1, "Is the group a better context than the database?"),
    ("dual_released", "plain_released", 1, "Does the second branch raise macro F1 in the released code?"),
)
CHANCE = 0.5  #: balanced accuracy of two classes


def verdicts(result: ControlsResult) -> list[Finding]:
    """One finding per comparison that the paper's explanation decides, and one on what the branch has learnt."""
    compared = set(zip(result.differences["arm"], result.differences["reference"], strict=True))
    out = [_comparison(result, *claim) for claim in CLAIMS if claim[:2] in compared]
    asked = result.learnt
    if ((asked["arm"] == "dual") & (asked["reader"] == "ethnic") & (asked["where"] == WITHIN)).any():
        out.append(_branch(result))
    return out


def _comparison(result: ControlsResult, arm: str, reference: str, direction: int, question: str) -> Finding:
    e = result.difference(arm, reference)
    side, other = ("above", "below") if direction > 0 else ("below", "above")
    answer = f"{BY_NAME[arm].title} minus {BY_NAME[reference].title}: macro F1 {e}."
    rule = (
        f"reproduced if the whole subject-bootstrap interval of the paired difference is {side} zero, contradicted "
        f"if {other}, else not supported"
    )
    return _finding(result, question, answer, e, judge_effect(e.low, e.high, direction), rule)


def _branch(result: ControlsResult) -> Finding:
    e = result.has_learnt("dual", "ethnic", "group", WITHIN)
    databases = _with_two_groups(result)
    return _finding(
        result,
        f"Within {databases}, do the features of the ethnic branch tell the groups apart?",
        f"A linear probe reaches a balanced accuracy of {e}; chance is {CHANCE:g}.",
        e,
        "reproduced" if e.low > CHANCE else "contradicted" if e.high < CHANCE else "not supported",
        "the ethnic context counts as learnt only if the interval within a database is above chance",
    )


def _with_two_groups(result: ControlsResult) -> str:
    groups = result.predictions.groupby("database")["group"].nunique()
    return " and ".join(sorted(groups.index[groups > 1]))


def _finding(
    result: ControlsResult, question: str, answer: str, estimate: Estimate, verdict: str, rule: str
) -> Finding:
    p = result.parameters
    changed = departures(p)
    protocol = (
        f"departs from the paper's protocol: {', '.join(changed)}" if changed else "the paper's protocol"
    )
    reason = (
        f"{rule}; {protocol}; {result.table['clips'].max()} clips, {p.n_seeds} seed(s), weights={p.weights}, "
        f"{p.image_size} px."
    )
    if result.provenance.simulated:
        verdict = "cannot be tested here"
        reason = f"{simulated_reason(p.texture_cue)} For real data the rule is: {reason}"
    return Finding("benchmark", question, answer, *estimate, verdict, reason)
