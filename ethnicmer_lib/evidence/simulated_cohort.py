"""The simulated clips for the reader: pictures, what moved in them, and codes beside the real ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ethnicmer_lib.clips import labels
from ethnicmer_lib.clips.table import LABELS, Clips
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence import coded_units
from ethnicmer_lib.evidence.endpoint_error import inside
from ethnicmer_lib.evidence.simulated_faces import action_unit_sheet, displacements, neutral_faces
from ethnicmer_lib.motion.strain import optical_strain
from ethnicmer_lib.paper.counted import count_tables
from ethnicmer_lib.simulator.protocol import FRAMES_PER_SECOND, plan_cohort
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.simulator.timing import state_at
from ethnicmer_lib.simulator.truth import true_action_units, truth
from ethnicmer_lib.store import Run, kept

#: The example clip of a label: this share of the label's clips moves no further.  Large enough to see, no outlier.
EXAMPLE_QUANTILE = 0.9
_AROUND = 12  # frames before onset and after offset in the profile of a clip
_CODE = ("simulator", "evidence")


def pictures(settings: SimulatorSettings, n_faces: int, progress: bool = True) -> dict[str, np.ndarray]:
    """Neutral ``faces`` of subjects (n, H, W, 3) uint8; one face in every Action Unit, ``sheet``, and its ``arrows``.

    StudyError for more faces than the cohort has subjects.
    """
    plan = plan_cohort(settings)
    if n_faces > len(plan):
        raise StudyError(f"n_faces={n_faces}: the cohort has {len(plan)} subjects; ask for at most as many")
    run = Run.open("simulated_faces", code=_CODE, inputs={"settings": settings, "n_faces": n_faces})
    shown = [plan[i] for i in np.linspace(0, len(plan) - 1, n_faces).round().astype(int)]
    return {
        "faces": run.kept("faces", lambda: neutral_faces(shown, settings.texture_cue, progress)),
        "sheet": run.kept("sheet", lambda: action_unit_sheet(plan[0], settings.texture_cue)),
        "arrows": run.kept("arrows", lambda: displacements(plan[0])),
    }


@kept(*_CODE)
def amplitudes(clips: Clips) -> pd.DataFrame:
    """One row per clip and Action Unit: clip_id, database, label, action_unit, left_px, right_px (peak from onset to
    apex, head movement apart)."""
    rows = [
        (clip.clip_id, clip.database, clip.label, unit, *sides)
        for clip in clips.table.itertuples()
        for unit, sides in true_action_units(clips, clip.clip_id).items()
    ]
    return pd.DataFrame(rows, columns=["clip_id", "database", "label", "action_unit", "left_px", "right_px"])


def peaks(moved: pd.DataFrame) -> pd.DataFrame:
    """One row per clip: clip_id, label, database and ``peak_px``, how far its most moved Action Unit goes."""
    moved = moved.assign(peak_px=moved[["left_px", "right_px"]].max(axis=1))
    return moved.groupby(["clip_id", "label", "database"], as_index=False)["peak_px"].max()


def typical(moved: pd.DataFrame) -> list[str]:
    """One clip a label, the databases in turn, by how far its most moved Action Unit goes (``EXAMPLE_QUANTILE``)."""
    found, chosen = peaks(moved), []
    for turn, label in enumerate(LABELS):
        same = found[found["label"] == label]
        databases = sorted(same["database"].unique())
        same = same[same["database"] == databases[turn % 2 % len(databases)]].sort_values("peak_px")
        chosen.append(str(same["clip_id"].iloc[round(EXAMPLE_QUANTILE * (len(same) - 1))]))
    return chosen


def example(clips: Clips, clip_id: str) -> tuple[str, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A clip as it lies on the disk, with its truth: label, database and Action Units in words; onset and apex frame,
    uint8; true flow (H, W, 2), px, 0 in the background, and its strain (H, W), 0 near the outline of the head."""
    row, known = clips.row(clip_id), truth(clips, clip_id)
    # At the outline of the head the flow jumps to the background's zero, which is no strain of the skin.
    strain = np.where(inside(known.mask > 0), optical_strain(known.flow), 0)
    title = f"{row['label']}\n{row['database']}\nAU {row['action_units']}"
    onset, apex = (clips.frames(clip_id, moment) for moment in ("onset", "apex"))
    return title, onset, apex, known.flow, strain


def profile(settings: SimulatorSettings, clip_id: str) -> pd.DataFrame:
    """What a clip shows frame by frame: ms since onset, expression (share), lids (share of a blink), shift (px, of the
    head since onset), moment ('onset', 'apex', 'offset' or '')."""
    clip = next(clip for one in plan_cohort(settings) for clip in one.clips if clip.clip_id == clip_id)
    moments = {clip.onset: "onset", clip.apex: "apex", clip.offset: "offset"}
    first = np.array(clip.poses[0][3:])
    rows = []
    for frame in range(clip.onset - _AROUND, clip.offset + _AROUND + 1):
        state = state_at(clip, frame)
        shift = float(np.hypot(*(np.array(state.pose[3:]) - first)))
        ms = (frame - clip.onset) * 1000 / FRAMES_PER_SECOND
        rows.append((ms, state.expression, state.blink, shift, moments.get(frame, "")))
    return pd.DataFrame(rows, columns=["ms", "expression", "lids", "shift", "moment"])


def code_shares(clips: Clips, settings: SimulatorSettings, seed: int = 0) -> dict[str, Any]:
    """How often clips show each Action Unit, beside the released FACS codes of the real clips.

    ``frequencies`` as of ``coded_units.frequencies``; ``difference``, the mean absolute difference of simulated and
    coded shares; ``without_strays`` and ``textbook``, that of clips without stray Action Units, and of such with the
    textbook's instead of the codes; ``chance``, that between two resamples of the real subjects (95 % range).
    """
    real = labels.released_clips()
    tables = {
        "difference": clips.table,
        "without_strays": _clips_without(settings, "strays"),
        "textbook": _clips_without(settings, "strays", "codes"),
    }
    found = {name: coded_units.frequencies(table, real) for name, table in tables.items()}
    apart = {name: float((one["simulated"] - one["coded"]).abs().mean()) for name, one in found.items()}
    return {"frequencies": found["difference"], "chance": coded_units.yardstick(real, seed), **apart}


def _clips_without(settings: SimulatorSettings, *components: str) -> pd.DataFrame:
    """Subject, label and code of every clip that the same cohort would plan without some components."""
    rows = [
        (clip.subject, labels.EMOTION_LABEL[clip.emotion], clip.action_unit_text)
        for subject in plan_cohort(replace(settings, without=components))
        for clip in subject.clips
    ]
    return pd.DataFrame(rows, columns=["subject", "label", "action_units"])


def on_request(settings: SimulatorSettings) -> dict[str, Any]:
    """Settings that make a cohort small or other than the plain one, and so no match for the paper's counts."""
    plain, names = SimulatorSettings(), ("size", "label_noise", "action_unit_effect", "database_shift")
    return {
        name: getattr(settings, name) for name in names if getattr(settings, name) != getattr(plain, name)
    }


def simulator_claims(clips: Clips, shares: dict[str, Any]) -> dict[str, tuple[float, dict[str, Any]]]:
    """What the chapter's findings are judged by, by key; ``shares`` as of :func:`code_shares`."""
    found = count_tables(clips.table, simulated=True)
    rows, people = found["table_iii"].iloc[:-1], found["table_i"].iloc[-1]
    listed = ", ".join(f"{name} {row.ours} (printed {row.paper})" for name, row in rows.iterrows())
    counted = {"listed": listed, "subjects": int(people["ours"]), "subjects_paper": int(people["paper"])}
    table, chance = shares["frequencies"], shares["chance"]
    most = table.loc[(table["simulated"] - table["coded"]).abs().idxmax()]
    units = {"pairs": len(table), "chance": chance, "unit": most["action_unit"], "label": most["label"]}
    units |= {name: most[name] for name in ("simulated", "coded")}
    units["without_strays"] = shares["without_strays"]
    return {
        "simulated_counts": (float(len(clips)), counted | {"holds": bool(rows["equal"].all())}),
        "simulated_units": (shares["difference"], units | {"holds": shares["difference"] <= chance.high}),
    }
