"""The report of a data check: what was found, what is wrong grouped by kind, what to do, and the exit code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from ethnicmer_lib.clips.policies import Policies
from ethnicmer_lib.clips.problems import KINDS, Problem

FINE, WARNINGS, UNUSABLE = 0, 1, 2


@dataclass(frozen=True)
class Report:
    """What a check found.

    Attributes
    ----------
    found : lines that say what was found, in words.
    problems : everything that is wrong, in the order of the coding files.
    policies : under which the problems were judged.
    fingerprint : 16 hex digits that change with any coded cell, group label, file name or file size.
    """

    found: tuple[str, ...]
    problems: tuple[Problem, ...]
    policies: Policies
    fingerprint: str

    @property
    def exit_code(self) -> int:
        """0: nothing to say; 1: the study runs, with what is listed; 2: it cannot run before that is mended."""
        if any(problem.stops(self.policies) for problem in self.problems):
            return UNUSABLE
        return WARNINGS if self.problems else FINE

    def table(self) -> pd.DataFrame:
        """One row a problem: kind, database, clip, file, value, stops (bool), settled_by, fix."""
        rows = [
            {
                "kind": one.code,
                "database": one.database,
                "clip": one.clip,
                "file": one.file,
                "value": one.value,
                "stops": one.stops(self.policies),
                "settled_by": one.settled_by(self.policies),
                "fix": KINDS[one.code].fix,
            }
            for one in self.problems
        ]
        names = ["kind", "database", "clip", "file", "value", "stops", "settled_by", "fix"]
        return pd.DataFrame(rows, columns=names)

    def text(self, most: int | None = None) -> str:
        """The report for a person, grouped by kind, what stops the study first.

        Parameters
        ----------
        most : how many problems of a kind are listed; None lists all.
        """
        lines = ["Found", *(f"  {line}" for line in self.found), ""]
        stopping = [one for one in self.problems if one.stops(self.policies)]
        others = [one for one in self.problems if not one.stops(self.policies)]
        for title, problems in (("To mend before the study can run", stopping), ("To know", others)):
            if problems:
                lines += [f"{title} ({len(problems)})", *self._grouped(problems, most), ""]
        lines.append(
            {
                FINE: "Nothing is missing and nothing is odd: the study can run.",
                WARNINGS: "The study can run; what is listed above is settled as said there.",
                UNUSABLE: "The study cannot run on these folders yet.",
            }[self.exit_code]
        )
        lines.append(f"Fingerprint {self.fingerprint}")
        return "\n".join(lines)

    def _grouped(self, problems: list[Problem], most: int | None) -> Iterable[str]:
        for code, kind in KINDS.items():
            same = [one for one in problems if one.code == code]
            if not same:
                continue
            yield f"  {code}: {kind.meaning} ({len(same)})"
            yield f"    what to do: {kind.fix}"
            if rule := same[0].settled_by(self.policies):
                yield f"    as things are: {rule}"
            for one in same[:most]:
                parts = [one.clip or one.database, one.file, one.value]
                yield "    - " + " | ".join(part for part in parts if part)
            if most is not None and len(same) > most:
                yield f"    - and {len(same) - most} more"
