"""A pool of simulated subjects, every clip rendered with the paper's group effect and without; studies drawn from it.

What a clip shows does not depend on its subject's group unless the effect is planted, and the effect draws from a
stream of its own.  So a clip has at most three versions, and whatever groups a cohort has, and in whatever share of its
clips the effect is planted, every clip of it is one of these, to the last bit (:func:`as_rendered`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ethnicmer_lib.clips.labels import EMOTION_LABEL, SAMM
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence.comparison import SIDE, clip_image
from ethnicmer_lib.simulator.protocol import ClipPlan, facs_text, group_effect, plan_cohort
from ethnicmer_lib.simulator.roster import roster
from ethnicmer_lib.simulator.scene import Scene, measure
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.store import kept

# Nothing here reads networks: the processes that render would import torch.
NONE = "none"  #: the version of a clip that no group asks for
VERSIONS = (NONE, "A", "B")  #: and those that the planted effect gives a subject of either group
METHOD = "dis"  #: of optical flow: a pool has thousands of clips, and 'micro' would take three times as long
ABOUT = ["clip_id", "subject", "database", "label"]  #: of a clip, whatever its version
Cells = Mapping[tuple[str, str], int]  #: (database, group) -> how many subjects a study has of it


@kept("simulator", "motion", "evidence")
def rendered(settings: SimulatorSettings, method: str = METHOD, progress: bool = True) -> pd.DataFrame:
    """Every version of every clip of a cohort whose groups nothing shows, as of :func:`versions`."""
    return versions(settings, method, progress=progress)


def versions(
    settings: SimulatorSettings,
    method: str | None = METHOD,
    chosen: Callable[[ClipPlan], bool] | None = None,
    jobs: int | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Every version of the chosen clips (None: of all), rendered, and its motion computed; None for no motion.

    A row per clip and version that differs: clip_id, database, subject, emotion, label, version (of :data:`VERSIONS`),
    ``chance``, action_units, and ``image``, the bytes of the flow image (3, 28, 28) float32.  A cohort with
    ``action_unit_effect`` above ``chance`` has the effect planted in the clip.  StudyError for settings that plant
    a group difference already.
    """
    if settings.action_unit_effect or settings.texture_cue:
        raise StudyError(f"{settings}: a pool is of clips that show no group; leave both group knobs at 0")
    table, found = measure(settings, _Versions(settings, method), chosen=chosen, jobs=jobs, progress=progress)
    clips = table.drop(columns="group").to_dict("records")
    return pd.DataFrame([clip | one for clip, made in zip(clips, found, strict=True) for one in made])


class _Versions:
    """What is kept of a clip; a class, so that processes can be sent it with its settings."""

    def __init__(self, settings: SimulatorSettings, method: str | None):
        self.planted, self.method = replace(settings, action_unit_effect=1.0), method

    def __call__(self, scene: Scene, clip: ClipPlan) -> list[dict[str, Any]]:
        found, number, k = [], clip.stream[1], clip.stream[3]
        chance = np.random.default_rng([self.planted.seed, number, 4, k]).random()
        for version in VERSIONS:
            units = dict(clip.action_units)
            if version != NONE:
                group_effect(units, self.planted, (number, k), version, EMOTION_LABEL[clip.felt])
                if units == clip.action_units:
                    continue
            text, image = facs_text(units, intensity=clip.database == SAMM), b""
            if self.method:
                one = Scene(scene.settings, scene.subject)  # a scene remembers a clip's units by its name
                image = clip_image(one, replace(clip, action_units=units), self.method, False)[0].tobytes()
            found.append({"version": version, "chance": chance, "action_units": text, "image": image})
        return found


def pooled(made: pd.DataFrame) -> pd.DataFrame:
    """One row per clip of :func:`versions`: ABOUT, emotion, ``chance``, and the rows of each version.

    The columns 'none', 'A' and 'B' are row numbers of ``made``: the same where the effect changes nothing.
    """
    numbered = made.reset_index(drop=True).rename_axis("row").reset_index()
    rows = numbered.pivot(index="clip_id", columns="version", values="row").reindex(columns=VERSIONS)
    rows = rows.apply(lambda column: column.fillna(rows[NONE])).astype(int)
    clips = numbered.drop_duplicates("clip_id")[[*ABOUT, "emotion", "chance"]]
    return clips.merge(rows, on="clip_id").reset_index(drop=True)


def real_cells(confounding: float = 1.0, subjects: int | None = None) -> dict[tuple[str, str], int]:
    """Subjects of the real study by database and group, groups traded as ``SimulatorSettings.confounding`` says.

    With ``subjects`` as many in all, in the same shares (largest remainders).
    """
    found = Counter(
        (entry.database, entry.group) for entry in roster(SimulatorSettings(confounding=confounding))
    )
    if subjects is None:
        return dict(found)
    exact = {cell: subjects * n / found.total() for cell, n in sorted(found.items())}
    cells = {cell: int(n) for cell, n in exact.items()}
    for cell in sorted(exact, key=lambda cell: cells[cell] - exact[cell])[: subjects - sum(cells.values())]:
        cells[cell] += 1
    return cells


def draw_study(
    clips: pd.DataFrame,
    cells: Cells,
    strength: float = 0.0,
    seed: int = 0,
    study: int = 0,
    negative: float = 0.0,
) -> pd.DataFrame:
    """One study: subjects of the pool, each with all its clips, a group, and a version of every clip.

    ``clips`` is as of :func:`pooled`, ``cells`` as of :func:`real_cells`, ``strength`` the share (0..1) of the clips in
    which the effect is planted.  With ``negative`` clips are left out by chance, Negative ones or others, until that
    share (0..1) of each group's is Negative.  Subjects, groups, what is planted and what is left out draw from streams
    of their own: studies of one number that differ in strength have the same subjects and groups, and a clip that is
    planted stays so as strength grows.  A row per clip: ABOUT, ``group``, ``planted``, and ``row``, that of the version
    in the pool.
    StudyError where the pool has too few subjects of a database.
    """
    rng, group = np.random.default_rng([seed, study, 0]), {}
    who = clips[["subject", "database"]].drop_duplicates()
    for database, part in who.groupby("database"):
        wanted = {cell: n for cell, n in sorted(cells.items()) if cell[0] == database}
        if sum(wanted.values()) > len(part):
            raise StudyError(
                f"the study needs {sum(wanted.values())} subjects of {database} and the pool has {len(part)}; ask for "
                "fewer, or record a pool with more repeats"
            )
        order = iter(rng.permutation(part["subject"].to_numpy()))
        group |= {next(order): name for (_, name), n in wanted.items() for _ in range(n)}
    chance = np.random.default_rng([seed, study, 1]).random(len(clips))
    drawn = clips.assign(chance=chance, group=clips["subject"].map(group))
    if negative:
        drawn["group"] = drawn["group"].where(
            _balanced(drawn, negative, np.random.default_rng([seed, study, 2]))
        )
    return _versions(drawn, strength)


def _balanced(drawn: pd.DataFrame, negative: float, rng: np.random.Generator) -> np.ndarray:
    """Which clips stay, so that a share of each group's is Negative and as few as can be are left out."""
    turn, is_negative = rng.permutation(len(drawn)), (drawn["label"] == "Negative").to_numpy()
    stays = np.zeros(len(drawn), dtype=bool)
    for group in drawn["group"].dropna().unique():
        sides = [np.flatnonzero((drawn["group"] == group) & (is_negative == side)) for side in (True, False)]
        clips = min(len(sides[0]) / negative, len(sides[1]) / (1 - negative))
        for rows, share in zip(sides, (negative, 1 - negative), strict=True):
            stays[rows[np.argsort(turn[rows])[: round(clips * share)]]] = True
    return stays


def as_rendered(clips: pd.DataFrame, settings: SimulatorSettings) -> pd.DataFrame:
    """The cohort that the simulator makes with ``settings``, as a study of :func:`draw_study`; nothing is rendered.

    ``clips`` must be those of one cohort with the same seed, size and database shift; the confounding and the strength
    of the effect are those of ``settings``.
    """
    group = {f"{one.database}/{one.subject}": one.group for one in plan_cohort(settings)}
    return _versions(clips.assign(group=clips["subject"].map(group)), settings.action_unit_effect)


def _versions(clips: pd.DataFrame, strength: float) -> pd.DataFrame:
    study = clips[clips["group"].notna()].reset_index(drop=True)
    planted = study["chance"] < strength
    row = np.select([~planted, study["group"] == "A"], [study[NONE], study["A"]], study["B"])
    return study[[*ABOUT, "group"]].assign(planted=planted, row=row)


def images(made: pd.DataFrame) -> np.ndarray:
    """The flow images of :func:`versions`, (n, 3, SIDE, SIDE) float32."""
    return np.frombuffer(b"".join(made["image"]), np.float32).reshape(-1, 3, SIDE, SIDE)
