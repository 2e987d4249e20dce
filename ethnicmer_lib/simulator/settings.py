"""The experimenter's knobs: everything a simulated cohort depends on."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from ethnicmer_lib.errors import StudyError

MAX_REPEATS = 30  #: subjects of SAMM have three digits

#: What makes the cohort like real recordings, and can be left out: name -> what is left without it.
COMPONENTS = {
    "codes": "every clip shows the textbook Action Units of its emotion, instead of what coders saw",
    "strays": "no Action Unit joins in that the codes do not name",
    "sides": "every movement is the same on both sides",
    "subjects": "all subjects are equally expressive, all clips equally strong",
    "lids": "lids move only with Action Units",
    "head": "the head keeps still",
    "light": "the light is steady",
    "noise": "no sensor noise",
    "wrinkles": "skin does not fold where it moves",
    "framing": "both databases frame the face alike",
}


@dataclass(frozen=True)
class SimulatorSettings:
    """What a simulated cohort depends on.

    Attributes
    ----------
    size : 'full', the subjects and clips of the paper's Tables I-III, or 'tiny', 12 subjects to try things.
    seed : of everything random in the cohort.
    texture_cue : strength (0..1) of the abstract texture that marks the group; the only thing that shows group
        in a frame.  0: no frame depends on the group.
    action_unit_effect : share (0..1) of clips in which the groups move as the paper's Figs 3-4 describe them: a
        smaller, one-sided AU12 in Positive clips of group B; AU26 in Surprise clips of B, AU1+2+5 in those of A.
        0: no movement depends on the group.
    database_shift : how far (0..1) the two databases differ in framing, colour, contrast, noise and Action Unit
        mix.  0: both are recorded and expressed alike; 1 (default): as the real ones do.
    label_noise : share (0..1) of clips whose emotion is written down wrongly.
    confounding : how nearly group and database coincide.  0: both databases hold the same share of each group;
        1 (default): as in the real study, where CASME II holds one group only.
    others : add the clips that the paper leaves out ('Others'; 125 of 415).
    repeats : the whole roster this many times over, with other faces; for scale.
    codes : whose FACS codes the Action Units are drawn from; 'both' (default) draws a clip's from its own database
        in so far as ``database_shift`` says so.
    without : components of realism to leave out, for the ablation, as a list: [light, noise].
    """

    size: Literal["full", "tiny"] = "full"
    seed: int = 2025
    texture_cue: float = 0.0
    action_unit_effect: float = 0.0
    database_shift: float = 1.0
    label_noise: float = 0.0
    confounding: float = 1.0
    others: bool = False
    repeats: int = 1
    codes: Literal["both", "CASME II", "SAMM"] = "both"
    without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.size not in ("full", "tiny"):
            raise StudyError(f"simulated cohort of size {self.size!r}: allowed are 'full' and 'tiny'")
        if not isinstance(self.seed, int) or self.seed < 0:
            raise StudyError(f"simulator seed {self.seed!r}: must be a whole number from 0")
        if not isinstance(self.repeats, int) or not 1 <= self.repeats <= MAX_REPEATS:
            raise StudyError(f"repeats {self.repeats!r}: must be a whole number from 1 to {MAX_REPEATS}")
        if not isinstance(self.others, bool):
            raise StudyError(f"others {self.others!r}: must be True or False")
        if self.codes not in ("both", "CASME II", "SAMM"):
            raise StudyError(f"codes {self.codes!r}: allowed are 'both', 'CASME II' and 'SAMM'")
        unknown = [name for name in self.without if name not in COMPONENTS]
        if unknown:
            raise StudyError(f"without {unknown}: allowed are {', '.join(COMPONENTS)}")
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, float) and not 0 <= value <= 1:
                raise StudyError(f"{field.name} {value!r}: must be a number from 0 to 1")
