"""A small table of clips with images, for tests that train networks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ethnicmer_lib.clips.table import LABELS

SUBJECTS = ("s0", "s1", "s2", "s3")


def clips(per_subject: int = 3) -> pd.DataFrame:
    """Four subjects, two of either group and database; within 'SAMM' both groups."""
    subject = np.repeat(SUBJECTS, per_subject)
    n = len(subject)
    return pd.DataFrame(
        {
            "clip_id": [f"{s}/c{i}" for i, s in enumerate(subject)],
            "subject": subject,
            "database": np.where(np.isin(subject, ["s0"]), "CASME II", "SAMM"),
            "label": [LABELS[i % 3] for i in range(n)],
            "group": np.where(np.isin(subject, ["s1", "s3"]), "B", "A"),
        }
    )


def images(seed: int = 0, n: int = 12, size: int = 28) -> np.ndarray:
    """Noise (n, 3, size, size) float32 in [0, 1]."""
    return np.random.default_rng(seed).random((n, 3, size, size)).astype(np.float32)


def folds(table: pd.DataFrame) -> list[tuple[np.ndarray, np.ndarray]]:
    """Leave one subject out."""
    subjects = table["subject"].to_numpy()
    return [(np.flatnonzero(subjects != s), np.flatnonzero(subjects == s)) for s in SUBJECTS]


def tiny_backbone():
    """A network of milliseconds, with the stages that activation maps look at."""
    from collections import OrderedDict

    from torch import nn

    stages = {"conv1": nn.Conv2d(3, 4, 3, stride=2), "bn1": nn.BatchNorm2d(4), "layer2": nn.MaxPool2d(2)}
    stages |= {
        "layer3": nn.ReLU(),
        "layer4": nn.MaxPool2d(2),
        "pool": nn.AdaptiveAvgPool2d(1),
        "flat": nn.Flatten(),
    }
    return nn.Sequential(OrderedDict(stages)), 4
