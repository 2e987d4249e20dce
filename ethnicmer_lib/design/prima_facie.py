"""Prima facie: is recognition worse when both groups are mixed?  Table IV with many draws and intervals."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ethnicmer_lib.clips.table import Provenance
from ethnicmer_lib.design import scenario_scores as scenarios
from ethnicmer_lib.design.scenarios import MIXED
from ethnicmer_lib.paper.findings import Finding, judge_effect, judge_equal, judge_number, simulated_reason
from ethnicmer_lib.publish.old_parameters import PrimaFacie
from ethnicmer_lib.stats.bootstrap import Estimate
from ethnicmer_lib.store import old_runs as runs

FLOW_SIZE = 28  #: side of the flow image that a forest sees directly, in px: that of the published features
EQUIVALENCE = 0.05  #: two mono-ethnic scores 'remain consistent' when they differ by less than this macro F1
BALANCE = 0.10  #: class shares are 'almost consistent' when they differ by less than this
#: One draw of subjects shows how that draw turned out; verdicts on scenarios need at least this many.
MIN_DRAWS = 5
NOISE_WIDTH = 512  #: numbers per clip of noise features: as many as ResNet-18 gives
_METHODS = {"resnet18": "ResNet-18 features", "flow": "flow image", "noise": "noise instead of features"}
#: What a verdict on the paper's claims needs; any other value is a control or an audit switch.
_DESCRIBED = {"classifier": "forest", "control": "as_described", "flow_rows": "own"}


@dataclass(frozen=True)
class PrimaFacieResult:
    """What the chapter shows.

    Attributes
    ----------
    parameters : PrimaFacie
    provenance : Provenance of the cohort.
    groups : the two group names, in alphabetical order.
    predictions : one row per draw, scenario and clip, as :func:`scenario_controls.predictions`.
    draws : one row per draw and scenario: subjects, clips, share_negative, F1 of either class, macro, the
        majority rule's macro F1 (``majority``).
    table : one row per scenario: median over draws, the middle 95 % of draws (``_low``, ``_high``) for
        every score, and the paper's printed cell (``_paper``).
    first_draw : scenario and score -> the first draw's score with its subject-bootstrap interval.
    differences : one row per comparison of macro F1: mean over draws with the interval over subjects and
        draws, the middle 95 % of single draws, draws below zero, sign-test p, and the paper's difference.
    runs : the runs that hold the predictions.
    """

    parameters: PrimaFacie
    provenance: Provenance
    groups: tuple[str, str]
    predictions: pd.DataFrame
    draws: pd.DataFrame
    table: pd.DataFrame
    first_draw: pd.DataFrame
    differences: pd.DataFrame
    runs: list[runs.Run]

    def difference(self, comparison: str) -> Estimate:
        """The mean difference called ``comparison`` with its interval over subjects and draws."""
        return Estimate(*self.differences.set_index("comparison").loc[comparison, ["value", "low", "high"]])

    def findings(self) -> list[Finding]:
        """Verdicts on what Section IV-A says of Table IV; the rules are in each finding's reason."""
        return _findings(self)


def score(
    p: PrimaFacie, provenance: Provenance, predictions: pd.DataFrame, used: list[runs.Run]
) -> PrimaFacieResult:
    """Everything that follows from the predictions alone."""
    first, second = sorted(predictions["group"].unique())
    present = set(predictions["scenario"])
    names = [name for name in (f"{first} only", f"{second} only", MIXED) if name in present]
    draws = scenarios.draw_scores(predictions, names)
    return PrimaFacieResult(
        parameters=p,
        provenance=provenance,
        groups=(first, second),
        predictions=predictions,
        draws=draws,
        table=scenarios.scenario_table(draws, names),
        first_draw=scenarios.first_draw_scores(predictions, names, p.seed),
        differences=scenarios.differences(predictions, draws, names, p.seed),
        runs=used,
    )


def _findings(result: PrimaFacieResult) -> list[Finding]:
    p, table = result.parameters, result.differences.set_index("comparison")
    first, second = result.groups
    classifier = f"forest of {p.n_trees} trees" if p.classifier == "forest" else "SVC(C=100)"
    setting = f"{p.n_draws} draws of {p.n_subjects} subjects per scenario, {_METHODS[p.features]}, {classifier}, LOSO"
    departures = [
        f"{key}={getattr(p, key)}" for key, described in _DESCRIBED.items() if getattr(p, key) != described
    ]
    if p.features == "noise":
        departures.append("features=noise")
    span = "interval from resampling subjects and draws"

    def finding(name: str, question: str, answer: str, verdict: str, rule: str) -> Finding:
        row = table.loc[name]
        reason = f"{rule}; {setting}."
        if p.n_draws < MIN_DRAWS:
            verdict = "cannot be tested here"
            reason = f"Needs {MIN_DRAWS} draws or more; with those: {reason}"
        if departures:
            verdict = "cannot be tested here"
            reason = (
                f"Not the design that the paper describes: {', '.join(departures)}. Without them: {reason}"
            )
        if result.provenance.simulated:
            verdict = "cannot be tested here"
            reason = f"{simulated_reason(p.texture_cue)} For real data the rule is: {reason}"
        numbers = (float(row[key]) for key in ("value", "low", "high"))
        return Finding("prima_facie", question, answer, *numbers, verdict, reason)

    e = {name: result.difference(name) for name in table.index}
    drop, minority, gap = (
        e[name] for name in ("mixed minus mono", "mixed, Non-negative F1", "largest gap of Negative shares")
    )
    row = table.loc["mixed minus mono"]
    shares = ", ".join(f"{r.scenario} {r.share_negative:.0%}" for r in result.table.itertuples())
    printed = table["paper"]
    mono = "mono: second minus first group"
    consistency = [
        finding(
            mono,
            "Does performance remain consistent across the mono-ethnic groups (Section IV-A)?",
            f"{second} only minus {first} only: macro F1 {e[mono]} (paper {printed[mono]:+.3f}).",
            judge_equal(e[mono].low, e[mono].high, EQUIVALENCE),
            f"reproduced if the whole {span} is within ±{EQUIVALENCE}, contradicted if outside, "
            "else not supported",
        )
        for mono in (mono,)
        if mono in e
    ]
    return [
        finding(
            "mixed minus mono",
            f"Is recognition worse when {first} and {second} subjects are mixed (Table IV)?",
            f"Mixed minus the mean of the mono scenarios: macro F1 {drop} (paper {row['paper']:+.3f}); "
            f"below zero in {row['draws_below_zero']:.0f} of {row['draws']:.0f} draws (two-sided sign test "
            f"p = {row['sign_p']:.2f}, for redrawing these subjects only).",
            judge_effect(drop.low, drop.high, -1),
            f"reproduced if the whole {span} is below zero, contradicted if above, else not supported",
        ),
        finding(
            "mixed, Non-negative F1",
            "Does the F1 of Non-negative fall to the printed value when groups are mixed (Table IV)?",
            f"F1 of Non-negative in Mixed: {minority} (paper {printed['mixed, Non-negative F1']:.4f}).",
            judge_number(printed["mixed, Non-negative F1"], minority.low, minority.high),
            f"reproduced if the printed value is inside the {span}",
        ),
        *consistency,
        finding(
            "largest gap of Negative shares",
            "Is the class distribution almost consistent between the scenarios (Section IV-A)?",
            f"Largest difference of the share of Negative between scenarios: {gap} "
            f"(median shares: {shares}).",
            judge_equal(gap.low, gap.high, BALANCE),
            f"reproduced if the middle 95 % of draws is below {BALANCE}, contradicted if above, "
            "else not supported",
        ),
    ]
