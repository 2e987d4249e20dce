"""Table IV under every control and switch: one study of the scenarios per arm, recorded, and scored side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ethnicmer_lib.clips.table import Provenance
from ethnicmer_lib.design import prima_facie
from ethnicmer_lib.design.prima_facie import PrimaFacieResult
from ethnicmer_lib.design.scenarios import MIXED
from ethnicmer_lib.publish.old_parameters import PrimaFacie
from ethnicmer_lib.stats.bootstrap import Estimate

NAME = "table_iv"
#: Arm -> how the page calls it, and which parameters of the prima facie chapter it changes.
ARMS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "forest": ("random forest on the flow image", {}),
    "svc": ("SVC(C=100) on the flow image", {"classifier": "svc"}),
    "forest, ResNet-18": ("random forest on ResNet-18 features", {"features": "resnet18"}),
    "svc, ResNet-18": ("SVC(C=100) on ResNet-18 features", {"features": "resnet18", "classifier": "svc"}),
    "forest, noise": ("random forest on noise", {"features": "noise"}),
    "svc, noise": ("SVC(C=100) on noise", {"features": "noise", "classifier": "svc"}),
    "forest, released rows": ("random forest, rows as released", {"flow_rows": "released"}),
    "svc, released rows": (
        "SVC(C=100), rows as released",
        {"flow_rows": "released", "classifier": "svc"},
    ),
    **{
        f"{classifier}, {control}": (f"{title}, {words}", {"classifier": classifier, "control": control})
        for classifier, title in (("forest", "random forest"), ("svc", "SVC(C=100)"))
        for control, words in (
            ("one_database", "within one database"),
            ("two_databases", "same two databases in both"),
            ("balanced", "balanced classes"),
            ("without_largest", "without the largest subject"),
        )
    },
}
TESTED = ("as_described", "one_database")  #: controls with a permutation test
DESCRIBED = "forest, ResNet-18"  #: the arm that is what the paper describes


class PermutationTest(NamedTuple):
    observed: float
    worse: float
    different: float
    low: float
    high: float
    permutations: int


@dataclass(frozen=True, eq=False)
class TableIV:
    """All arms and permutation tests of one cohort.

    Attributes
    ----------
    arms : arm -> the study of that arm, scored.
    permutations : control -> its permutation test.
    provenance : of the cohort.
    command, made : what made the recording, and its environment; '' and {} when computed here.
    """

    arms: dict[str, PrimaFacieResult]
    permutations: dict[str, PermutationTest]
    provenance: Provenance
    command: str = ""
    made: Mapping[str, Any] = field(default_factory=dict)

    def table(self) -> pd.DataFrame:
        """One row per arm: title, draws, median macro F1 per scenario and of the larger class, the difference.

        Columns ``value``, ``low``, ``high`` are the mean over draws of Mixed minus the mono scenarios, with its
        interval over subjects and draws; ``below`` is the share of draws where Mixed is below every mono scenario.
        """
        return pd.DataFrame([_row(name, study) for name, study in self.arms.items()])

    def difference(self, arm: str, reference: str) -> Estimate:
        """Mean change of the difference "mixed minus mono" from one arm to another, draw by draw.

        The interval is over draws alone (normal, from the paired draws): subjects are the same on both sides.
        """
        both = [_per_draw(self.arms[name]) for name in (arm, reference)]
        draws = min(len(values) for values in both)
        change = both[0][:draws] - both[1][:draws]
        half = 1.96 * change.std(ddof=1) / np.sqrt(draws)
        return Estimate(float(change.mean()), float(change.mean() - half), float(change.mean() + half))


def load(only: Sequence[str] | None = None) -> TableIV:
    """The recorded arms in their shape of before, until the pages that show them have moved."""
    from ethnicmer_lib.design.studies import STUDIES
    from ethnicmer_lib.store import recording

    found = recording(NAME)
    rows = found.predictions.rename(columns={"arm": "scenario", "study": "arm"})
    if only is not None:
        rows = rows[rows["arm"].isin(only)].reset_index(drop=True)
    arms = {}
    for name, part in rows.groupby("arm", sort=False):
        p = PrimaFacie.check(
            {key: value for key, value in STUDIES[name]._asdict().items() if key != "title"}
            | {"data": "flow", "image_size": 56, "n_draws": part["draw"].nunique()}
        )
        arms[name] = prima_facie.score(
            p, found.provenance, part.drop(columns="arm").reset_index(drop=True), []
        )
    tests = {
        row.pop("control"): PermutationTest(**row, different=np.nan)
        for row in found.table("permutations").to_dict("records")
    }
    return TableIV(arms, tests, found.provenance, found.command, dict(found.made) | {"seconds": 4195})


def _per_draw(study: PrimaFacieResult) -> np.ndarray:
    """(draws,) macro F1 of Mixed minus the mean of the mono scenarios."""
    wide = study.draws.pivot_table(index="draw", columns="scenario", values="macro")
    return (wide[MIXED] - wide.drop(columns=MIXED).mean(axis=1)).to_numpy()


def _row(name: str, study: PrimaFacieResult) -> dict[str, Any]:
    wide = study.draws.pivot_table(index="draw", columns="scenario", values="macro")
    rule = study.draws.pivot_table(index="draw", columns="scenario", values="majority")
    mono = wide.drop(columns=MIXED)
    gap = study.difference("mixed minus mono")
    return {
        "arm": name,
        "title": ARMS[name][0],
        "draws": len(wide),
        **{f"median {scenario}": float(wide[scenario].median()) for scenario in wide},
        "majority Mixed": float(rule[MIXED].median()),
        **gap._asdict(),
        "below": float((wide[MIXED] < mono.min(axis=1)).mean()),
    }
