"""Group trace: can a classifier tell the simulated groups apart, from the frames or from the motion?"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import fft
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.preprocessing import StandardScaler

from ethnicmer_lib.clips import labels
from ethnicmer_lib.evidence.realism import SIDE, face_box, framed, vectors
from ethnicmer_lib.motion.flow import optical_flow
from ethnicmer_lib.simulator.protocol import ClipPlan
from ethnicmer_lib.simulator.scene import Scene, measure
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.store import kept

TILE, RINGS, ANGLES = 48, 8, 12  #: px a side of the tiles for texture; rings and directions of their spectrum
COMPONENTS, FOLDS = 30, 5
INPUTS = ("colour", "texture", "motion")


class Trace(NamedTuple):
    """How well groups are told apart.

    ``auc`` is the area under the ROC curve over subjects (0.5 by chance), each scored when left out of the training;
    ``p`` the share of permutations of the groups over subjects that do as well, the observed one included.
    """

    auc: float
    p: float


def clip_inputs(scene: Scene, clip: ClipPlan) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the classifiers see of a clip, in the order of ``INPUTS``.

    The face of the onset frame in colour, (28, 28, 3) float32 in 0..1; the directions in its texture, see
    :func:`directions`; the motion image from onset to apex, (28, 28, 3) uint8.
    """
    onset, apex = (scene.recorded_frame(clip, number) for number in (clip.onset, clip.apex))
    box = face_box(scene.recorded, (0.5, 0.5, 0.5))
    left, top, width, height = (max(round(value), 0) for value in box)
    face = onset[top : top + height, left : left + width]
    colour = cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    gray = face if face.ndim == 2 else cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    return colour, directions(gray), framed(optical_flow(onset, apex), box)


def directions(face: np.ndarray) -> np.ndarray:
    """How strong texture of each fineness is in each direction, (RINGS * ANGLES,) float32, 0 on average.

    The logarithm of the power spectrum of small tiles, averaged over tiles, so that the place and phase of a
    texture do not matter, and taken relative to its mean over all directions.  ``face`` is (H, W) uint8.
    """
    light = np.log(face.astype(np.float32) + 8)
    window = np.outer(np.hanning(TILE), np.hanning(TILE))
    power = []
    for y in range(0, face.shape[0] - TILE + 1, TILE // 4):
        for x in range(0, face.shape[1] - TILE + 1, TILE // 4):
            tile = light[y : y + TILE, x : x + TILE]
            tile = tile - cv2.GaussianBlur(tile, (0, 0), TILE / 4)
            power.append(np.log(np.abs(fft.fftshift(fft.fft2(tile * window))) ** 2 + 1e-6))
    rings = np.tensordot(_sectors(), np.mean(power, 0), 2).reshape(RINGS, ANGLES)
    return (rings - rings.mean(1, keepdims=True)).ravel().astype(np.float32)


@cache
def _sectors() -> np.ndarray:
    """Weights (RINGS * ANGLES, TILE, TILE) that average a spectrum over overlapping sectors of rings."""
    y, x = np.mgrid[:TILE, :TILE] - TILE // 2
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    step = np.pi / ANGLES
    weights = []
    for ring in range(2, 2 + RINGS):
        for turn in step * np.arange(ANGLES):
            off = np.abs(np.angle(np.exp(2j * (angle - turn)))) / 2
            weights.append((np.abs(radius - ring) < 1) & (off < step))
    return np.stack([weight / weight.sum() for weight in weights])


def moves_by_group(clip: ClipPlan) -> bool:
    """Whether the Action Unit effect concerns the clip: Positive and Surprise (the paper's Figs 3-4)."""
    return labels.EMOTION_LABEL[clip.emotion] in ("Positive", "Surprise")


def trace(
    features: np.ndarray, subjects: ArrayLike, groups: ArrayLike, *, n: int = 199, seed: int = 0
) -> Trace:
    """Tell two groups apart with ridge regression on principal components; whole subjects are left out.

    ``features`` (clips, d); ``subjects`` and ``groups`` (clips,), a subject has one group; ``n`` permutations.
    """
    subjects, groups = np.asarray(subjects), np.asarray(groups)
    names, first = np.unique(subjects, return_index=True)
    at = np.searchsorted(names, subjects)
    truth = groups[first] == np.unique(groups)[-1]
    scaled = StandardScaler().fit_transform(features)
    reduced = PCA(min(COMPONENTS, len(scaled) // 2, scaled.shape[1]), random_state=0).fit_transform(scaled)
    reduced /= reduced.std(0)
    folds = list(GroupKFold(min(FOLDS, len(names))).split(reduced, groups=subjects))
    rng = np.random.default_rng(seed)

    def auc(of_subject: np.ndarray) -> float:
        model, y = RidgeClassifier(alpha=10.0), of_subject[at]
        score = cross_val_predict(model, reduced, y, cv=folds, method="decision_function")
        return float(roc_auc_score(of_subject, np.bincount(at, score) / np.bincount(at)))

    observed = auc(truth)
    as_good = sum(auc(rng.permutation(truth)) >= observed for _ in range(n))
    return Trace(observed, (1 + as_good) / (1 + n))


def conditions(n_seeds: int = 20) -> list[tuple[str, float, SimulatorSettings]]:
    """(knob, strength, cohort): every knob at 0 with many seeds, then each group knob alone, stronger and stronger."""
    plain = SimulatorSettings(database_shift=0.0, confounding=0.0)
    found = [("none", 0.0, replace(plain, seed=seed)) for seed in range(n_seeds)]
    turned = product(("texture_cue", "action_unit_effect"), (0.25, 0.5, 1.0), range(2))
    return found + [
        (knob, strength, replace(plain, seed=seed, **{knob: strength})) for knob, strength, seed in turned
    ]


def compare(progress: bool = False) -> pd.DataFrame:
    """Traces in all cohorts, kept cohort by cohort: input (of ``INPUTS``), auc, p, knob, strength, seed."""
    tables = [
        _traces(settings, progress).assign(knob=knob, strength=strength, seed=settings.seed)
        for knob, strength, settings in conditions()
    ]
    return pd.concat(tables, ignore_index=True)


@kept("simulator", "motion", "evidence")
def _traces(settings: SimulatorSettings, progress: bool) -> pd.DataFrame:
    clips, found = measure(settings, clip_inputs, chosen=moves_by_group, progress=progress)
    colour, texture, motion = (np.stack(values) for values in zip(*found, strict=True))
    features = {"colour": colour.reshape(len(colour), -1), "texture": texture, "motion": vectors(motion)}
    rows = [(name, *trace(features[name], clips["subject"], clips["group"])) for name in INPUTS]
    return pd.DataFrame(rows, columns=["input", "auc", "p"])
