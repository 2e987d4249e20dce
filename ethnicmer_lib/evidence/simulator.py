"""Evidence about the simulator, recorded: how real its motion is, and whether anything tells its groups apart."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.clips.table import LABELS, Clips
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence import group_trace, realism
from ethnicmer_lib.simulator.settings import COMPONENTS
from ethnicmer_lib.stats import MACRO, Estimate, difference, scores
from ethnicmer_lib.store import record, recording

NAME = "simulator"
#: Knob -> the input in which it is meant to leave its trace.
MEANT = {"texture_cue": "texture", "action_unit_effect": "motion"}
LEVEL = 0.05  #: p below it: the groups are told apart


class Evidence:
    """The recorded predictions and traces, scored by the code that loads them; StudyError when a file is missing, or
    not what was recorded.

    ``realism`` as of :func:`realism.compare`, ``traces`` as of :func:`group_trace.compare`; ``real`` is the provenance
    of the real clips; ``command`` and ``made`` say what made the recording, and where.
    """

    level = LEVEL

    def __init__(self) -> None:
        found = recording(NAME)
        self.realism, self.traces = found.table("realism"), found.table("traces")
        self.real, self.command, self.made = found.provenance, found.command, found.parts["realism"]["made"]

    @staticmethod
    def macro(table: pd.DataFrame) -> Estimate:
        """Macro F1 of predictions with its interval over subjects."""
        return scores(table, by=None, interval=True, labels=LABELS)[MACRO].iloc[0]

    @staticmethod
    def paired(a: pd.DataFrame, b: pd.DataFrame) -> Estimate:
        """Difference in macro F1 of two tables of predictions of the same clips."""
        both = pd.concat([a.assign(arm="a"), b.assign(arm="b")])
        return difference(both, [("a", "b")], labels=LABELS)["difference"].iloc[0]

    def predictions(self, condition: str, classifier: str, framing: str | None = None) -> pd.DataFrame:
        """The predictions of one condition and classifier; StudyError where there are none."""
        rows = self.realism.query("condition == @condition and classifier == @classifier")
        if framing is not None:
            rows = rows[rows["framing"] == framing]
        if len(set(rows["framing"])) != 1:
            raise StudyError(f"no single recorded prediction of {condition!r}, {classifier!r}, {framing!r}")
        return rows.reset_index(drop=True)

    def chosen(self, database: str) -> tuple[str, str]:
        """(classifier, framing) with the highest macro F1 on the real clips of ``database``."""
        rows = self.realism.query("condition == 'all' and database == @database")
        options = rows.groupby(["classifier", "framing"], sort=False)
        return max(options, key=lambda option: self.macro(option[1]).value)[0]

    def crossed(self, *, strict: bool = False) -> pd.DataFrame:
        """Predictions for each database with the options chosen on the other one.

        With ``strict`` the training cohort knows the codes of the other database only, too.
        """
        tables = []
        for tested, other in ((CASME2, SAMM), (SAMM, CASME2)):
            classifier, framing = self.chosen(other)
            of = (f"codes of {other}", classifier) if strict else ("all", classifier, framing)
            found = self.predictions(*of)
            tables.append(found[found["database"] == tested])
        return pd.concat(tables, ignore_index=True)

    def transfer_table(self) -> pd.DataFrame:
        """One row a way of training and testing: name, value, low, high, the F1 of each label, of each database."""
        majority = self.predictions("real", "logistic")
        most = majority["label"].mode()[0]
        tables = {
            "majority class": majority.assign(predicted=most),
            "simulated clips, codes of the other database": self.crossed(strict=True),
            "simulated clips, chosen on the other database": self.crossed(),
            "simulated clips, forest": self.predictions("all", "forest", "random"),
            "simulated clips, logistic": self.predictions("all", "logistic", "random"),
            "simulated clips drawn anew, logistic": self.predictions("again", "logistic", "random"),
            "real clips of other subjects, forest": self.predictions("real", "forest"),
            "real clips of other subjects, logistic": self.predictions("real", "logistic"),
        }
        return pd.DataFrame([{"trained on": name, **self._scores(table)} for name, table in tables.items()])

    def _scores(self, table: pd.DataFrame) -> dict[str, Estimate]:
        found = scores(table, by=None, interval=True, labels=LABELS).iloc[0]
        of_databases = {name: self.macro(table[table["database"] == name]) for name in (CASME2, SAMM)}
        return {"macro": found[MACRO]} | {label: found[label] for label in LABELS} | of_databases

    def ablation_table(self, classifier: str) -> pd.DataFrame:
        """What leaving out each component changes: name, value, low, high of the difference in macro F1, and score."""
        everything = self.predictions("half", classifier, "random")
        tables = {f"without {name}": self.predictions(f"without {name}", classifier) for name in COMPONENTS}
        tables["without random crops"] = self.predictions("half", classifier, "whole frame")
        rows = [
            {"name": name, **self.paired(table, everything)._asdict(), "score": self.macro(table).value}
            for name, table in tables.items()
        ]
        return pd.DataFrame(rows)

    def difficulty_table(self) -> pd.DataFrame:
        """LOSO macro F1 within the simulated cohort and within the real clips, by classifier."""
        rows = []
        for name in realism.CLASSIFIERS:
            real = self.macro(self.predictions("real", name))
            for cohort in ("all", "again"):
                ours = self.macro(self.predictions(f"{cohort}, within", name))
                rows.append((name, cohort, ours, real, ours.value - real.value))
        return pd.DataFrame(rows, columns=["classifier", "cohort", "simulated", "real", "difference"])

    def told_apart(self, kind: str, knob: str = "none", strength: float = 0.0) -> tuple[int, int]:
        """(cohorts in which the groups are told apart from ``kind`` of input at ``LEVEL``, cohorts)."""
        rows = self.traces.query("input == @kind and knob == @knob and strength == @strength")
        return int((rows["p"] < self.level).sum()), len(rows)

    def knobs(self) -> dict[str, str]:
        """Where the two knobs leave a trace, in words: ``turned``, in how many cohorts of each strength, and
        ``growing``, the inputs whose mean area grows with every step of the knob that is meant for them."""
        turned, growing = [], []
        for knob, kind in MEANT.items():
            rows = self.traces.query("input == @kind and knob == @knob and strength > 0")
            areas = rows.groupby("strength")["auc"].mean()
            hits = ["{} of {} at {:g}".format(*self.told_apart(kind, knob, one), one) for one in areas.index]
            turned.append(f"{', '.join(hits)} from {kind} ({knob})")
            plain = self.traces.query("input == @kind and knob == 'none'")["auc"].mean()
            growing += [kind] * bool((areas.diff().fillna(areas.iloc[0] - plain) > 0).all())
        return {"turned": _and(turned), "growing": _and(growing)}


def _and(parts: list[str]) -> str:
    return " and ".join(parts) or "neither"


def record_simulator(clips: Clips, command: str) -> Path:
    """Compute the evidence, or take it from the run store, and write it to ``results/simulator/``.

    ``clips`` are the published flow features of the real clips.
    """
    parts = {"traces": group_trace.compare(True), "realism": realism.compare(clips, True)}
    return record(NAME, parts, clips.provenance, command, {})
