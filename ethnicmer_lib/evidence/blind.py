"""The blind exercise: measured cohorts with secret settings, and the key that marks what was concluded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence.tracked import MEASURES, tracked_cohort
from ethnicmer_lib.simulator.settings import SimulatorSettings

NAMES = ("north", "east", "south", "west")  #: of the cohorts
ANSWERS = ("yes", "no", "cannot tell")
BOOK = "an open book"  #: the word of the cohorts on the course's page
NOISE = 0.3  #: px, of the measurement


def settings(word: str) -> dict[str, SimulatorSettings]:
    """What the cohorts of a word were made with: every pair of an effect or none with groups that coincide with the
    database or do not, in an order that the word decides."""
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big"))
    cases = [(effect, tied) for effect in (0.0, 1.0) for tied in (0.0, 1.0)]
    order, seeds = rng.permutation(len(cases)), rng.choice(2**31, len(cases), replace=False)
    plain = SimulatorSettings(repeats=2)
    return {
        name: replace(plain, seed=int(seed), action_unit_effect=cases[i][0], confounding=cases[i][1])
        for name, i, seed in zip(NAMES, order, seeds, strict=True)
    }


def cohorts(word: str) -> dict[str, pd.DataFrame]:
    """The cohorts as a student gets them: clip, subject, database, group, label and displacements in px."""
    return {name: cohort(one) for name, one in settings(word).items()}


def cohort(made_with: SimulatorSettings) -> pd.DataFrame:
    """One such table, of any settings."""
    found = tracked_cohort(made_with, NOISE, NOISE)
    return pd.concat([found.table, pd.DataFrame(found.x, columns=list(MEASURES))], axis=1)


def key(word: str) -> pd.DataFrame:
    """Whether the groups of each cohort move differently by plan ('yes', 'no'), and are tied to the databases."""
    made = settings(word)
    rows = [
        ("yes" if one.action_unit_effect else "no", bool(one.confounding), one.seed) for one in made.values()
    ]
    return pd.DataFrame(rows, index=pd.Index(made, name="cohort"), columns=["effect", "confounded", "seed"])


def mark(answers: Mapping[str, str], word: str) -> pd.DataFrame:
    """Answers beside the truth, with points: 1 for a right answer, 0 for 'cannot tell', -1 for a wrong one.

    StudyError for an unknown cohort or answer.
    """
    truth = key(word)
    for name, answer in answers.items():
        if name not in truth.index or answer not in ANSWERS:
            raise StudyError(
                f"{name}: {answer!r}; cohorts are {', '.join(NAMES)}, answers {', '.join(ANSWERS)}"
            )
    found = truth[["effect", "confounded"]].assign(answer=pd.Series(dict(answers), dtype=object)).dropna()
    points = np.where(found["answer"] == found["effect"], 1, -1)
    return found.assign(points=np.where(found["answer"] == "cannot tell", 0, points))


def opened(folder: Path = Path()) -> dict[str, pd.DataFrame]:
    """The blind cohorts that lie in a folder as ``blind-<name>.csv``; without any of them those of the book's word.

    StudyError where some are missing: those of the book are others.
    """
    found = {name: folder / f"blind-{name}.csv" for name in NAMES}
    missing = [path.name for path in found.values() if not path.is_file()]
    if len(missing) == len(found):
        return cohorts(BOOK)
    if missing:
        raise StudyError(f"{', '.join(missing)} missing in {folder.resolve()}; ask for the file again")
    return {name: pd.read_csv(path) for name, path in found.items()}


def word_of(folder: Path = Path()) -> str:
    """The word that ``blind-key.txt`` of a folder holds; without that file the book's."""
    key_file = folder / "blind-key.txt"
    if not key_file.is_file():
        return BOOK
    return key_file.read_text(encoding="utf-8").partition("\n")[0].removeprefix("word: ")
