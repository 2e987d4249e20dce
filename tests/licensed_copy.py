"""Tiny folders in the layouts of CASME II and SAMM, written fresh for a test that may damage them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import openpyxl
import pytest

from ethnicmer_lib.clips.check import UNUSABLE, check
from ethnicmer_lib.clips.licensed import open_licensed
from ethnicmer_lib.clips.policies import Policies
from ethnicmer_lib.errors import StudyError

CASME2_HEADER = ["Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame", None]
CASME2_HEADER += ["Action Units", "Estimated Emotion"]
SAMM_HEADER = [
    "Subject",
    "Filename",
    "Inducement Code",
    "Onset Frame",
    "Apex Frame",
    "Offset Frame",
    "Duration",
]
SAMM_HEADER += ["Micro", "Action Units", "Estimated Emotion", "Objective Classes", "Notes"]
# Subject as the spreadsheet holds it, clip, onset, apex, offset, action units, emotion.
CASME2_ROWS = [
    (1, "EP02_01f", 46, 59, 86, 12, "happiness"),
    (1, "EP19_05f", 111, "/", 241, "4", "disgust"),
    (2, "EP01_11f", 46, 91, 151, "4+L10", "repression"),
    (2, "EP03_02", 1, 2, 3, "14", "others"),
]
SAMM_ROWS = [
    (6, "006_1_2", 5562, 5588, 5632, "4", "Anger"),
    ("006", "006_3_5", 99, -1, 120, "1+2", "Surprise"),
    (7, "007_6_1", 100001, 100010, 100020, "R12", "Happiness"),
    (7, "007_7_2", 1, 2, 3, "24", "Other"),
]


# One stage, one weak classifier: a bright square in the middle of a dark window.
CASCADE = """<?xml version="1.0"?>
<opencv_storage><cascade type_id="opencv-cascade-classifier">
<stageType>BOOST</stageType><featureType>HAAR</featureType><height>20</height><width>20</width>
<stageParams><maxWeakCount>1</maxWeakCount></stageParams>
<featureParams><maxCatCount>0</maxCatCount></featureParams><stageNum>1</stageNum>
<stages><_><maxWeakCount>1</maxWeakCount><stageThreshold>0.5</stageThreshold><weakClassifiers><_>
<internalNodes>0 -1 0 1.5</internalNodes><leafValues>0. 1.</leafValues></_></weakClassifiers></_></stages>
<features><_><rects><_>0 0 20 20 -1.</_><_>5 5 10 10 4.</_></rects><tilted>0</tilted></_></features>
</cascade></opencv_storage>
"""


@dataclass
class Study:
    """A pair of folders; change ``casme2_rows`` or ``samm_rows`` before ``write``."""

    root: Path
    casme2_rows: list[tuple] = field(default_factory=lambda: list(CASME2_ROWS))
    samm_rows: list[tuple] = field(default_factory=lambda: list(SAMM_ROWS))
    frames: str = "Cropped"

    @property
    def casme2(self) -> Path:
        return self.root / "CASME2"

    @property
    def samm(self) -> Path:
        return self.root / "SAMM"

    def write(self) -> Study:
        self.write_coding()
        name = {"Cropped": "reg_img{}.jpg", "CASME2_RAW_selected": "img{}.jpg"}[self.frames]
        for s, c, *frames, _, _ in self.casme2_rows:
            folder = self.casme2 / self.frames / f"sub{int(s):02d}" / c
            for frame in frames:
                if isinstance(frame, int):
                    picture(folder / name.format(frame), frame, colour=True)
        for s, c, *frames, _, _ in self.samm_rows:
            subject, width = f"{int(s):03d}", 1 if c == "006_3_5" else 5  # some clips of SAMM are not padded
            for frame in frames:
                if frame > 0:
                    picture(self.samm / subject / c / f"{subject}_{frame:0{width}d}.jpg", frame, colour=False)
        return self

    def write_coding(self) -> None:
        """The two spreadsheets, with CASME II's unnamed columns and SAMM's thirteen lines above the header."""
        self.casme2.mkdir(parents=True, exist_ok=True)
        self.samm.mkdir(parents=True, exist_ok=True)
        rows = [[s, c, None, on, ap, off, None, au, emo] for s, c, on, ap, off, au, emo in self.casme2_rows]
        save(self.casme2 / "CASME2-coding-20140508.xlsx", [CASME2_HEADER, *rows])
        notes = [[f"line {i}"] for i in range(13)]
        rows = [
            [s, c, "a", on, ap, off, 9, "Micro", *rest, 1, None]
            for s, c, on, ap, off, *rest in self.samm_rows
        ]
        save(self.samm / "SAMM_Micro_FACS_Codes_v2.xlsx", [*notes, SAMM_HEADER, *rows])

    def write_groups(self, path: Path, names: tuple[str, str] = ("B", "A")) -> Path:
        """Group labels: the first name for CASME II, the second for SAMM; subjects as bare integers."""
        lines = ["database,subject,clip,ethnicity,group,gender,age"]
        for database, rows, name in zip(
            ("CASME2", "SAMM"), (self.casme2_rows, self.samm_rows), names, strict=True
        ):
            lines += [f"{database},{int(s)},{c},{name},{name},," for s, c, *_ in rows]
        path.write_text("\n".join(lines) + "\n")
        return path

    def mark_simulated(self, fingerprint: str = "0123456789abcdef") -> Study:
        marker = {"settings": {"size": "tiny", "seed": 7}, "fingerprint": fingerprint, "library": "0"}
        (self.root / "SIMULATED.json").write_text(json.dumps(marker))
        self.write_groups(self.root / "groups.csv")
        return self.seal()

    def seal(self) -> Study:
        seal(self.root)
        return self


def seal(root: Path) -> None:
    """Seal all that is there, as if the simulator had written it."""
    names = ("SIMULATED.json", "SIMULATED.sha256")
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and path.name not in names]
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(root)}\n" for path in files]
    (root / names[1]).write_text("".join(lines))


def save(path: Path, rows: list[list]) -> None:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)


def picture(path: Path, value: int, colour: bool) -> None:
    """A picture, 48 x 40 (h x w); a coloured one is red, so that a swap of channels shows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((48, 40), value % 200, np.uint8)
    if colour:
        image = np.dstack([np.zeros_like(image), np.zeros_like(image), np.full_like(image, 250)])
    assert cv2.imwrite(str(path), image)


def squares(*places: tuple[int, int], size=(120, 160), side=30) -> np.ndarray:
    """A dark frame with bright squares, which the cascade of :data:`CASCADE` takes for faces."""
    frame = np.full(size, 10, np.uint8)
    for x, y in places:
        frame[y : y + side, x : x + side] = 200
    return frame


def refused(copy: Study, *words: str, **policies: object) -> None:
    """Check and study refuse the copy, each with these words; the study in one line."""
    chosen = Policies(**policies)
    report = check(copy.casme2, copy.samm, policies=chosen)
    assert report.exit_code == UNUSABLE
    with pytest.raises(StudyError) as stopped:
        open_licensed(copy.casme2, copy.samm, policies=chosen)
    for word in words:
        assert word in report.text()
        assert word in str(stopped.value)
    assert "\n" not in str(stopped.value)
