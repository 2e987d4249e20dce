"""What is compared: variants of Table V and arms of its controls, which switches each has, and with which others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any

import yaml

from ethnicmer_lib.errors import check_name
from ethnicmer_lib.networks.switches import AS_DESCRIBED, Switches

VARIANTS = ("resnet18", "dual_motion", "dual_rgb", "tinyvit", "tinyvit_21m")
RGB_VARIANTS = VARIANTS[2:]  #: their ethnic backbone sees the apex frame instead of the motion


@dataclass(frozen=True)
class Arm:
    """One way to get predictions."""

    name: str
    variant: str  #: the network, or 'majority' or 'forest'
    references: Sequence[str] = ()  #: arms that its macro F1 is compared with, where they are there
    changes: Mapping[str, Any] = field(default_factory=dict)  #: switches that differ from the chapter's

    def switches(self, base: Switches = AS_DESCRIBED) -> Switches:
        """Its switches, where ``base`` are those of the chapter."""
        return replace(base, **self.changes)


_ROWS = yaml.safe_load(resources.files(__package__).joinpath("arms.yml").read_text(encoding="utf-8"))
#: All arms by name, in the order of ``arms.yml``.
ARMS = {name: Arm(name, **{"variant": name} | row) for name, row in _ROWS.items()}


def networks(names: Sequence[str]) -> list[Arm]:
    """The arms of these names; StudyError for one that is unknown, or for which no network is trained."""
    known = {name: arm for name, arm in ARMS.items() if arm.variant in VARIANTS}
    for name in names:
        check_name("arm", name, known)
    return [known[name] for name in names]


def left_out(names: Sequence[str], faces: Any, switches: Switches = AS_DESCRIBED) -> dict[str, str]:
    """Arms that cannot be trained, and why: without frames (``faces`` None) there is no branch that sees them."""
    seeing = [arm for arm in networks(names) if arm.variant in RGB_VARIANTS]
    if faces is None:
        return {arm.name: "these clips have no RGB frames, which its ethnic branch needs" for arm in seeing}
    why = "shared_backbone: its branches see different images and cannot share a backbone"
    return {arm.name: why for arm in seeing if arm.switches(switches).shared_backbone}


def compared(arms: Iterable[str]) -> list[tuple[str, str]]:
    """(arm, reference) of every comparison that ``arms.yml`` asks for among these arms."""
    there = set(arms)
    pairs = [(name, reference) for name, arm in ARMS.items() for reference in arm.references]
    return [pair for pair in pairs if there.issuperset(pair)]
