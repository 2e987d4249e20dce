"""A cohort without files, whose motion images carry as much of the label as a test asks for."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ethnicmer_lib.clips.table import COLUMNS, Clips, Provenance
from ethnicmer_lib.store import digest

EMOTIONS = {"Negative": "disgust", "Positive": "happiness", "Surprise": "surprise"}


class FakeClips(Clips):
    """``subjects`` per group, ``per_subject`` clips each; group B shows the opposite motion where ``opposed``."""

    def __init__(
        self,
        subjects: int = 8,
        per_subject: int = 4,
        simulated: bool = False,
        frames: bool = False,
        groups: tuple[str, str] = ("Asian", "Non-Asian"),
        signal: float = 2.0,
        opposed: bool = False,
        seed: int = 0,
    ):
        rng = np.random.default_rng(seed)
        rows = []
        for g, group in enumerate(groups):
            for s in range(subjects):
                for c in range(per_subject):
                    label = ("Negative", "Positive", "Negative", "Surprise")[(c + s) % 4]
                    rows.append(
                        {
                            "database": "CASME II" if g == 0 and s % 2 else "SAMM",
                            "subject": f"{'ab'[g]}{s:02d}",
                            "clip": f"clip{c}",
                            "emotion": EMOTIONS[label],
                            "label": label,
                            "ethnicity": group,
                            "group": group,
                            "action_units": "",
                        }
                    )
        clips = pd.DataFrame(rows)
        clips["clip_id"] = clips["database"] + "/" + clips["subject"] + "/" + clips["clip"]
        clips[["onset", "apex", "offset"]] = 1
        self.has_frames = frames
        side = np.where(clips["label"] == "Negative", -1.0, 1.0)
        if opposed:
            side = np.where(clips["group"] == groups[1], -side, side)
        self.images = rng.normal(size=(len(clips), 3, 4, 4)).astype(np.float32)
        self.images[:, 0] += (signal * side)[:, None, None]
        fingerprint = digest([subjects, per_subject, simulated, frames, groups, signal, opposed, seed])
        super().__init__(clips[list(COLUMNS)], Provenance("fake clips", simulated, fingerprint))

    def frames(self, clip_id, moment):
        raise AssertionError("a fake cohort has no frame to look at")

    def flow(self, clip_id):
        image = np.moveaxis(self.images[self._row[clip_id]], 0, 2)
        return np.clip((image + 4) / 8, 0, 1).repeat(7, 0).repeat(7, 1).astype(np.float32)
