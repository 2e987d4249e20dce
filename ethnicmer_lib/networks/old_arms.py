"""The arms of Table V's controls: which variant, which switches, compared with which arm, to ask what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any

from ethnicmer_lib.networks.switches import AS_DESCRIBED, AS_RELEASED, Switches

_RELEASED = {
    name: value for name, value in asdict(AS_RELEASED).items() if value != getattr(AS_DESCRIBED, name)
}


@dataclass(frozen=True)
class Arm:
    """One way to get a row of predictions.

    Attributes
    ----------
    name : key in tables.
    title : how the page calls it.
    variant : row of Table V, or 'majority' or 'forest'.
    changes : switches that differ from the chapter's parameters.
    references : arms that its macro F1 is compared with, where they were run.
    asks : what the comparison with the first of them answers.
    """

    name: str
    title: str
    variant: str
    references: tuple[str, ...]
    asks: str
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def network(self) -> bool:
        """Whether a network is trained for it."""
        return self.variant not in ("majority", "forest")

    def switches(self, base: Switches = AS_DESCRIBED) -> Switches:
        """Its switches, where ``base`` are those of the chapter."""
        return replace(base, **self.changes)


ARMS = (
    Arm("plain", "plain ResNet-18", "resnet18", (), "What does motion alone give?"),
    Arm(
        "dual",
        "dual ResNet-18, as described",
        "dual_motion",
        ("plain",),
        "Does a second branch that is taught the group help?",
    ),
    Arm(
        "no_ethnic_loss",
        "dual, ethnic branch not taught",
        "dual_motion",
        ("dual", "plain"),
        "Is it the ethnic label, or the second backbone?",
        {"ethnic_loss": False},
    ),
    Arm(
        "shuffled",
        "dual, groups shuffled between subjects",
        "dual_motion",
        ("dual", "plain"),
        "Must the ethnic label be the right one?",
        {"context": "shuffled"},
    ),
    Arm(
        "database",
        "dual, taught the database",
        "dual_motion",
        ("dual", "plain"),
        "Does the laboratory serve as well as the group?",
        {"context": "database"},
    ),
    Arm(
        "shared",
        "dual, one backbone for both branches",
        "dual_motion",
        ("dual",),
        "What does the shared backbone of the release change?",
        {"shared_backbone": True},
    ),
    Arm(
        "batch_norm",
        "dual, tested in training mode",
        "dual_motion",
        ("dual",),
        "What does batch norm over the held-out subject's own clips change?",
        {"test_batch_norm": "batch"},
    ),
    Arm(
        "saved_after",
        "dual, saved after the test pass",
        "dual_motion",
        ("dual",),
        "What do running statistics that have seen the held-out subject change?",
        {"weights_saved": "after_test"},
    ),
    Arm(
        "imagenet",
        "dual, flow standardised as a photograph",
        "dual_motion",
        ("dual",),
        "What does ImageNet's mean and standard deviation on the flow change?",
        {"standardise": "imagenet"},
    ),
    Arm(
        "plain_released",
        "ResNet-18, as released",
        "resnet18",
        ("plain",),
        "What do the released test mode and scaling change without an ethnic branch?",
        _RELEASED,
    ),
    Arm(
        "dual_released",
        "dual ResNet-18, as released",
        "dual_motion",
        ("plain_released", "dual"),
        "Does the second branch help in the released code?",
        _RELEASED,
    ),
    Arm(
        "tinyvit",
        "ResNet-18 and TinyViT, as described",
        "tinyvit",
        ("plain",),
        "Does a second branch that is taught the group from the frame help?",
    ),
    Arm(
        "tinyvit_batch_norm",
        "ResNet-18 and TinyViT, tested in training mode",
        "tinyvit",
        ("tinyvit",),
        "What does the released test mode change with a TinyViT?",
        {"test_batch_norm": "batch"},
    ),
    Arm(
        "forest",
        "random forest on the same flow images",
        "forest",
        ("plain", "dual"),
        "Does it take a network?",
    ),
    Arm(
        "majority",
        "always the larger class",
        "majority",
        ("plain",),
        "Is anything learnt at all?",
    ),
)
BY_NAME: Mapping[str, Arm] = MappingProxyType({arm.name: arm for arm in ARMS})
