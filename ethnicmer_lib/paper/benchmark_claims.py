"""Verdicts on what Section IV-B says of Table V, from a benchmark's tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ethnicmer_lib.networks.switches import AS_DESCRIBED
from ethnicmer_lib.paper.findings import Finding, judge_effect, judge_number, simulated_reason
from ethnicmer_lib.paper.numbers import paper_results
from ethnicmer_lib.publish.old_parameters import TrainingParameters
from ethnicmer_lib.stats.bootstrap import MACRO, Estimate

if TYPE_CHECKING:
    from ethnicmer_lib.networks.benchmark import BenchmarkResult

PLAIN = "resnet18"
#: a, b, sign of a - b in macro F1 that the paper claims, question.
CLAIMS = (
    ("dual_motion", PLAIN, 1, "Does an ethnic context learnt from motion improve macro F1 (Section IV-B)?"),
    ("dual_rgb", PLAIN, -1, "Does an ethnic context from an RGB ResNet-18 lower macro F1 (Section IV-B)?"),
    ("tinyvit", PLAIN, 1, "Does an ethnic context from an RGB TinyViT improve macro F1 (Section IV-B)?"),
    ("tinyvit", "dual_motion", 1, "Is an RGB TinyViT a better ethnic context than motion (Section IV-B)?"),
)


def verdicts(result: BenchmarkResult) -> list[Finding]:
    """All verdicts: comparisons of rows, what the ethnic branches learn, and the printed macro F1."""
    return [*_claims(result), *_groups(result), *_cells(result)]


def departures(p: TrainingParameters) -> list[str]:
    """Where settings and switches leave the paper's protocol, as 'name=value (paper: value)'."""
    protocol = paper_results()["protocol"]
    described = {name: protocol[name] for name in ("folds", "epochs", "learning_rate", "batch_size", "gamma")}
    described |= {name: value for name, value in vars(AS_DESCRIBED).items() if hasattr(p, name)}
    return [
        f"{name}={getattr(p, name)} (paper: {value})"
        for name, value in described.items()
        if getattr(p, name) != value
    ]


def _finding(
    result: BenchmarkResult, question: str, answer: str, estimate: Estimate, verdict: str, rule: str
) -> Finding:
    p = result.parameters
    changed = departures(p)
    protocol = (
        f"departs from the paper's protocol: {', '.join(changed)}" if changed else "the paper's protocol"
    )
    clips = result.table["clips"].max()
    reason = (
        f"{rule}; {protocol}; {clips} clips, {p.n_seeds} seed(s), weights={p.weights}, {p.image_size} px."
    )
    if result.provenance.simulated:
        verdict = "cannot be tested here"
        reason = f"{simulated_reason(p.texture_cue)} For real data the rule is: {reason}"
    return Finding("benchmark", question, answer, *estimate, verdict, reason)


def _unavailable(result: BenchmarkResult, question: str, variants: Sequence[str]) -> Finding | None:
    """The finding of a claim about a variant that this cohort cannot train, or None."""
    reasons = [result.left_out[variant] for variant in variants if variant in result.left_out]
    if not reasons:
        return None
    return Finding(
        "benchmark", question, "Not trained.", None, None, None, "cannot be tested here", f"{reasons[0]}."
    )


def _claims(result: BenchmarkResult) -> list[Finding]:
    """The comparisons that Section IV-B draws from Table V."""
    compared = result.paired.set_index(["a", "b"])["paper"]
    out = []
    for a, b, direction, question in CLAIMS:
        if missing := _unavailable(result, question, (a, b)):
            out.append(missing)
        elif (a, b) in compared.index:
            e = result.difference(a, b)
            side, other = ("above", "below") if direction > 0 else ("below", "above")
            rule = (
                f"reproduced if the whole subject-bootstrap interval of the paired difference is {side} zero, "
                f"contradicted if {other}, else not supported"
            )
            answer = f"{a} minus {b}: macro F1 {e} (paper {compared[(a, b)]:+.4f})."
            out.append(_finding(result, question, answer, e, judge_effect(e.low, e.high, direction), rule))
    return out


def _groups(result: BenchmarkResult) -> list[Finding]:
    """Whether an ethnic branch learns more about the group than which database a clip is from."""
    out = []
    for row in result.groups.itertuples():
        e = Estimate(row.difference, row.difference_low, row.difference_high)
        out.append(
            _finding(
                result,
                f"Does the ethnic branch of {row.variant} tell the groups apart better than the database does?",
                f"Accuracy for the group {row.accuracy:.3f} [{row.accuracy_low:.3f}, {row.accuracy_high:.3f}]; "
                f"the database alone {row.database_rule:.3f}; difference {e}.",
                e,
                "reproduced" if e.low > 0 else "not supported",
                "the ethnic context counts as learnt only if the interval of the difference is above zero",
            )
        )
    return out


def _cells(result: BenchmarkResult) -> list[Finding]:
    """The printed macro F1 of every row of Table V; judged only under the paper's protocol."""
    out = []
    rows = result.table.set_index("variant")
    for variant in result.parameters.variants:
        printed = paper_results()["table_v"]["rows"][variant][-1]
        question = f"Is the macro F1 of {variant} the printed {printed:.4f} (Table V)?"
        if missing := _unavailable(result, question, (variant,)):
            out.append(missing)
            continue
        row = rows.loc[variant]
        e = Estimate(*(float(row[key]) for key in (MACRO, f"{MACRO}_low", f"{MACRO}_high")))
        verdict = judge_number(printed, e.low, e.high)
        rule = "reproduced if the printed number is inside our subject-bootstrap interval"
        if departures(result.parameters):
            verdict = "cannot be tested here"
            rule += ", judged only under the paper's protocol"
        out.append(_finding(result, question, f"macro F1 {e}.", e, verdict, rule))
    return out
