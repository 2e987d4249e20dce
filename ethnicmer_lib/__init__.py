"""An executable, falsifiable reproduction of 'Is Micro-expression Ethnic Leaning?' (Khor et al., ICMEW 2025).

``import ethnicmer_lib as em`` gives the public names of the rooms; each is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

#: Room, or a module of it -> its public names.  A room may offer more: ``from ethnicmer_lib.clips import ...``.
PUBLIC = {
    room: tuple(names.split())
    for room, names in {
        "sources": "open_clips",
        "clips": "MOMENTS LABELS MAPPINGS label_emotions released_clips",
        "annotate": "annotate_clips released_codes screen Rules",
        "motion": "optical_flow optical_strain flow_image motion_images apex_images",
        "design": "subject_folds draw_scenarios binary_labels features classifier repeat_scenarios majority_rule "
        "forest_baseline",
        "networks": "Recipe Switches build_network train_and_predict trained grad_cam activation_maps measure_maps "
        "MEASURES group_accuracy",
        "stats": "Estimate scores difference group_difference mean_over_draws holm cramers_v",
        "paper": "RELEASED count_tables printed judge",
        "store": "recording",
        "publish.chapters": "parameters",
        "publish.saved": "save_findings all_findings",
        "publish.library": "library",
    }.items()
}
#: Parts of the library, from below.
ROOMS = (
    *("store", "stats", "clips", "simulator", "sources", "annotate", "motion", "design", "networks"),
    *("paper", "show", "evidence", "publish"),
)
_ROOM_OF = {name: room for room, names in PUBLIC.items() for name in names}
__all__ = ["__version__", "show", *_ROOM_OF]


def __getattr__(name: str) -> Any:
    if name in ROOMS:
        return import_module(f"{__name__}.{name}")
    if name in _ROOM_OF:
        return getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *ROOMS, *_ROOM_OF})
