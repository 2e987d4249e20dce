"""A table of clips and their frames or flow, from any source; emotions, groups, FACS codes."""

from ethnicmer_lib.clips.labels import ETHNIC_MAPPINGS as MAPPINGS
from ethnicmer_lib.clips.labels import RACE_CODES, label_emotions, released_clips
from ethnicmer_lib.clips.labels import annotations as released_table
from ethnicmer_lib.clips.table import LABELS, MOMENTS, Clips

__all__ = [
    "LABELS",
    "MAPPINGS",
    "MOMENTS",
    "RACE_CODES",
    "Clips",
    "label_emotions",
    "released_clips",
    "released_table",
]
