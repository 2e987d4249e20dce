"""Realism: how well a classifier trained on simulated clips alone recognises the published flow of the real ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.clips.published import FlowClips
from ethnicmer_lib.motion.flow import optical_flow
from ethnicmer_lib.motion.strain import optical_strain
from ethnicmer_lib.simulator.protocol import ClipPlan, plan_cohort
from ethnicmer_lib.simulator.recording import Recording
from ethnicmer_lib.simulator.scene import Scene, measure
from ethnicmer_lib.simulator.settings import COMPONENTS, SimulatorSettings
from ethnicmer_lib.store import kept

SIDE = 28  #: px of the published features
CODE = ("simulator", "motion", "evidence")
FRAMINGS = 4  #: crops of each simulated clip

# How the published features frame the face is not documented, and differs between the databases.  Every simulated
# clip is therefore cropped several times at random, within limits wide enough for any crop of a face; nothing is
# fitted to the real features.  Shares of the distance from the eye line to the chin.
ABOVE_EYES, HEIGHT, WIDTH = (0.15, 0.54), (1.24, 1.68), (0.95, 1.39)

CLASSIFIERS = ("forest", "logistic")
ROW = ["clip_id", "database", "subject", "label"]  #: columns of predictions before the predicted label


def classifier(name: str):
    """A plain classifier of scikit-learn for feature vectors: 'forest' or 'logistic' (on 60 principal components)."""
    if name == "forest":
        return RandomForestClassifier(
            300, min_samples_leaf=3, class_weight="balanced_subsample", random_state=0
        )
    model = LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000)
    return make_pipeline(PCA(60, random_state=0), StandardScaler(), model)


def framed(flow: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """Flow inside a box as the published features show it: (28, 28, 3) uint8, channels u, v, strain.

    ``flow`` is (H, W, 2) px, ``box`` left, top, width, height in px; what lies beyond the frame repeats its border.
    """
    left, top, width, height = box
    n = 4 * SIDE  # sampled finer than the result, then averaged
    x = (left + (np.arange(n) + 0.5) * width / n - 0.5).astype(np.float32)
    y = (top + (np.arange(n) + 0.5) * height / n - 0.5).astype(np.float32)
    values = np.dstack([flow, optical_strain(flow)])
    shown = cv2.remap(values, *np.meshgrid(x, y), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    small = cv2.resize(shown, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    low, high = small.min((0, 1)), small.max((0, 1))
    return np.rint(255 * (small - low) / np.maximum(high - low, 1e-9)).astype(np.uint8)


def face_box(recorded: Recording, shares: Sequence[float]) -> tuple[float, float, float, float]:
    """A crop, centred left to right, of ``shares``: space above the eyes, height, width, in eye-to-chin distances.

    ``shares`` within 0..1 are places between the limits ``ABOVE_EYES``, ``HEIGHT`` and ``WIDTH``.
    """
    unit = (recorded.chin_line - recorded.eye_line) * recorded.height
    limits = zip((ABOVE_EYES, HEIGHT, WIDTH), shares, strict=True)
    above, height, width = (unit * (low + share * (high - low)) for (low, high), share in limits)
    return (recorded.width - width) / 2, recorded.eye_line * recorded.height - above, width, height


def clip_features(scene: Scene, clip: ClipPlan) -> np.ndarray:
    """The clip's features, (FRAMINGS + 2, 28, 28, 3) uint8: framed at random, in the middle, uncropped."""
    onset, apex = (scene.recorded_frame(clip, number) for number in (clip.onset, clip.apex))
    flow = optical_flow(onset, apex, "dis")
    rng = np.random.default_rng([*clip.stream, 11])
    boxes = [face_box(scene.recorded, rng.random(3)) for _ in range(FRAMINGS)]
    boxes += [face_box(scene.recorded, (0.5, 0.5, 0.5)), (0, 0, scene.recorded.width, scene.recorded.height)]
    return np.stack([framed(flow, box) for box in boxes])


def vectors(images: np.ndarray) -> np.ndarray:
    """Feature vectors of images (n, 28, 28, 3) uint8: (n, 2352) float32.

    The publishers stretched every channel to its own range, so its zero and scale are lost: u and v are taken
    from their median, and every channel over its root mean square.
    """
    values = images.astype(np.float32) / 255
    values[..., :2] -= np.median(values[..., :2], axis=(1, 2), keepdims=True)
    size = np.sqrt((values**2).mean(axis=(1, 2), keepdims=True))
    return (values / np.maximum(size, 1e-3)).reshape(len(values), -1)


def transfer(
    clips: pd.DataFrame, features: np.ndarray, real: FlowClips, name: str, whole_frame: bool = False
) -> pd.DataFrame:
    """Predictions for the real clips of a classifier that has seen simulated clips only.

    ``clips`` and ``features`` (n, FRAMINGS + 2, 28, 28, 3) are of :func:`clip_features`; ``whole_frame`` trains on the
    uncropped frames instead of the random framings.  A row a real clip: clip_id, database, subject, label, predicted.
    """
    chosen = features[:, -1:] if whole_frame else features[:, :FRAMINGS]
    truth = np.repeat(clips["label"].to_numpy(str), chosen.shape[1])
    model = classifier(name)
    if name == "forest":
        model.set_params(n_jobs=-1)
    model.fit(vectors(chosen.reshape(-1, SIDE, SIDE, 3)), truth)
    return _table(real, model.predict(vectors(real_images(real))))


def real_images(real: FlowClips) -> np.ndarray:
    """The published features, (n, 28, 28, 3) uint8."""
    return np.stack([np.rint(255 * real.flow(clip)).astype(np.uint8) for clip in real.table["clip_id"]])


def left_out(table: pd.DataFrame, images: np.ndarray, name: str) -> pd.DataFrame:
    """Predictions of the same classifier for clips of one kind, one subject left out at a time (LOSO).

    ``table`` has clip_id, database, subject, label; ``images`` is (n, 28, 28, 3) uint8.
    """
    truth, subjects = (table[column].to_numpy(str) for column in ("label", "subject"))
    folds = {"groups": subjects, "cv": LeaveOneGroupOut(), "n_jobs": -1}
    return table.assign(predicted=cross_val_predict(classifier(name), vectors(images), truth, **folds))


def _table(real: FlowClips, predicted: np.ndarray | str) -> pd.DataFrame:
    table = real.table[ROW].reset_index(drop=True)
    table["subject"] = table["database"] + "/" + table["subject"]
    return table.assign(predicted=predicted)


def conditions() -> dict[str, SimulatorSettings]:
    """The cohorts that are compared, by name.

    'all' has every component of realism, 'again' too, with other faces and another draw.  'codes of CASME II' and
    'codes of SAMM' take Action Units from the codes of one database alone, so that nothing about the other's clips is
    known; 'without ...' leaves a component out.  The ablation trains on every second clip of each subject; 'half' is
    what it is compared with, the same clips of 'all'.
    """
    base = SimulatorSettings()
    named = {"all": base, "again": replace(base, seed=base.seed + 1)}
    named |= {f"codes of {name}": replace(base, codes=name) for name in (CASME2, SAMM)}
    return named | {f"without {name}": replace(base, without=(name,)) for name in COMPONENTS}


def compare(real: FlowClips, progress: bool = False) -> pd.DataFrame:
    """All predictions of the realism study, kept cohort by cohort: clip_id, database, subject, label, predicted,
    condition, classifier, framing."""
    tables = [_predict(name, settings, real, progress) for name, settings in conditions().items()]
    return pd.concat([*tables, _within(real)], ignore_index=True)


@kept(*CODE)
def _within(real: FlowClips) -> pd.DataFrame:
    table, images = _table(real, ""), real_images(real)
    tables = [_condition("real", left_out(table, images, name), name, "as published") for name in CLASSIFIERS]
    return pd.concat(tables, ignore_index=True)


@kept(*CODE)
def _predict(condition: str, settings: SimulatorSettings, real: FlowClips, progress: bool) -> pd.DataFrame:
    chosen = _every_second if condition.startswith("without") else None
    clips, found = measure(settings, clip_features, chosen=chosen, progress=progress)
    features = np.stack(found)
    tables = []
    for name in CLASSIFIERS:
        tables.append(_condition(condition, transfer(clips, features, real, name), name, "random"))
        if condition == "all":
            half = [_every_second(clip) for subject in plan_cohort(settings) for clip in subject.clips]
            for part, rows in (("all", slice(None)), ("half", half)):
                whole = transfer(clips[rows], features[rows], real, name, whole_frame=True)
                tables.append(_condition(part, whole, name, "whole frame"))
            table = transfer(clips[half], features[half], real, name)
            tables.append(_condition("half", table, name, "random"))
        if condition in ("all", "again"):
            within = left_out(clips[ROW], features[:, FRAMINGS], name)
            tables.append(_condition(f"{condition}, within", within, name, "middle"))
    return pd.concat(tables, ignore_index=True)


def _every_second(clip: ClipPlan) -> bool:
    return clip.stream[-1] % 2 == 0  # the clip's number within its subject


def _condition(condition: str, table: pd.DataFrame, name: str, framing: str) -> pd.DataFrame:
    return table.assign(condition=condition, classifier=name, framing=framing)
