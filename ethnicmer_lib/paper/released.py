"""Table IV as released: which clip's flow every test clip was really given, and the rule on labels that follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

from ethnicmer_lib.clips.labels import annotations, binary_labels, clip_ids, released_groups
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.paper.numbers import CELLS, printed
from ethnicmer_lib.stats.confusions import class_f1
from ethnicmer_lib.store.identity import digest
from ethnicmer_lib.store.kept import kept
from ethnicmer_lib.store.provenance import Provenance

#: The released label table as a source: what every reader has.
RELEASED = Provenance("CASME II + SAMM, released label table", False, digest(annotations().to_dict("list")))

SEED = 42  #: the release's seed of the draw of subjects
#: The release's calls of ``choice``, in its order: group, subjects.
_CALLS = (("Asian", 16), ("Non-Asian", 16), ("Non-Asian", 8), ("Asian", 8))
#: Scenario -> which calls it is made of, in the order its rows are put together.
_PARTS = {"Asian only": (0,), "Non-Asian only": (1,), "Mixed": (2, 3)}
SCENARIOS = tuple(_PARTS)
NOISE_WIDTH = 512  #: numbers per clip of the noise that stands in for features: as many as ResNet-18 gives
#: Classifiers that the noise goes through: the release's, and the one that the paper describes.
CLASSIFIERS: Mapping[str, Callable[[], Any]] = {
    "SVC(C=100)": lambda: SVC(C=100),
    "random forest": lambda: RandomForestClassifier(100, random_state=0),
}


def kept_clips() -> pd.DataFrame:
    """The kept clips in the release's row order: clip_id, subject, group, label ('Negative', 'Non-negative')."""
    table, groups = annotations(), released_groups()
    clips = groups.assign(clip_id=clip_ids(groups), emotion=table["mapped_emotion"])
    clips = clips[clips["emotion"] != "Other"].reset_index(drop=True)
    return clips[["clip_id", "subject", "group"]].assign(label=binary_labels(clips["emotion"]))


def draw(clips: pd.DataFrame, seed: int = SEED) -> dict[str, pd.DataFrame]:
    """The rows of the three scenarios as the release draws them.

    numpy's legacy generator (that of ``numpy.random.seed``) picks subjects from their order of first
    appearance; Mixed holds the Non-Asian rows first.

    Returns
    -------
    Scenario -> its rows of ``clips``, in the order that the release gives them.
    """
    return {name: clips.iloc[rows].reset_index(drop=True) for name, rows in _draws(clips)(seed).items()}


def _draws(clips: pd.DataFrame) -> Callable[[int], dict[str, np.ndarray]]:
    """The draw as a function of the seed: scenario -> row numbers of ``clips``."""
    codes, names = pd.factorize(clips["subject"])
    pools = {group: pd.unique(codes[(clips["group"] == group).to_numpy()]) for group, _ in _CALLS}

    def rows(seed: int) -> dict[str, np.ndarray]:
        rng = np.random.RandomState(seed)
        called = []
        for group, size in _CALLS:
            chosen = np.zeros(len(names), dtype=bool)
            chosen[rng.choice(pools[group], size, replace=False)] = True
            called.append(np.flatnonzero(chosen[codes]))
        return {name: np.concatenate([called[call] for call in calls]) for name, calls in _PARTS.items()}

    return rows


def twins(subjects: np.ndarray) -> np.ndarray:
    """For every row of a scenario, the row of the training clip that was given the same flow.

    Training and test set are put together separately, and either takes the first rows of the flow array:
    the j-th test clip and the j-th training clip both get row j.

    Parameters
    ----------
    subjects : (n,) subject of every row; each is held out once.

    Returns
    -------
    (n,) int64 row numbers; never of the same subject.

    Raises
    ------
    StudyError
        When a subject has more clips than all others together: its last clips have no twin.
    """
    subjects = np.asarray(subjects)
    out = np.empty(len(subjects), dtype=np.int64)
    for subject in pd.unique(subjects):
        test, train = np.flatnonzero(subjects == subject), np.flatnonzero(subjects != subject)
        if len(test) > len(train):
            raise StudyError(
                f"subject {subject} has {len(test)} clips and all others {len(train)}; the rule needs as many "
                "training clips as test clips, so draw other subjects"
            )
        out[test] = train[: len(test)]
    return out


def by_labels(scenario: pd.DataFrame) -> pd.DataFrame:
    """The two-line rule: a clip is predicted to be what its twin in the training set is.

    Parameters
    ----------
    scenario : rows as :func:`draw` gives them.

    Returns
    -------
    The same rows with ``given`` (the clip whose flow was used: row j of the release's 415 for the j-th test
    clip), ``twin`` (the training clip with the same flow) and ``predicted`` (that twin's label).
    """
    twin = twins(scenario["subject"].to_numpy())
    position = scenario.groupby("subject").cumcount().to_numpy()
    all_clips = clip_ids(released_groups()).to_numpy()
    return scenario.assign(
        given=all_clips[position],
        twin=scenario["clip_id"].to_numpy()[twin],
        predicted=scenario["label"].to_numpy()[twin],
    )


def by_noise(scenario: pd.DataFrame, classifier: Callable[[], Any], seed: int = 0) -> pd.DataFrame:
    """The same protocol with a real classifier on features that are pure noise, indexed as released.

    Parameters
    ----------
    scenario : rows as :func:`draw` gives them.
    classifier : makes an untrained classifier.
    seed : of the noise.

    Returns
    -------
    The same rows with ``predicted``.
    """
    noise = np.random.default_rng(seed).standard_normal((len(annotations()), NOISE_WIDTH))
    subjects, labels = scenario["subject"].to_numpy(), scenario["label"].to_numpy().astype(str)
    predicted = np.empty(len(labels), dtype=object)
    for subject in pd.unique(subjects):
        test = subjects == subject
        model = classifier()
        model.fit(noise[: (~test).sum()], labels[~test])
        predicted[test] = model.predict(noise[: test.sum()])
    return scenario.assign(predicted=predicted)


def score(predictions: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """F1 of either class and macro F1 of the pooled predictions: one row per scenario, columns as printed."""
    rows = {name: _f1(t["label"].to_numpy(), t["predicted"].to_numpy()) for name, t in predictions.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(CELLS["table_iv"])).rename_axis("arm")


def from_labels(seed: int = SEED) -> pd.DataFrame:
    """Table IV by the rule on labels alone, in the shape of ``printed("table_iv")``."""
    return score({name: by_labels(rows) for name, rows in draw(kept_clips(), seed).items()})


@kept("paper/released", "clips/labels")
def from_noise() -> pd.DataFrame:
    """Table IV from pure noise, indexed as released: one row per classifier and scenario, kept."""
    drawn = draw(kept_clips())
    tables = {
        name: score({scenario: by_noise(rows, make) for scenario, rows in drawn.items()})
        for name, make in CLASSIFIERS.items()
    }
    return pd.concat(tables, names=["classifier"]).reset_index()


def equal_from_noise() -> list[str]:
    """The classifiers through which noise gives every printed cell to the four decimals."""
    paper, noise = printed("table_iv"), from_noise().set_index(["classifier", "arm"])
    return [
        name for name in CLASSIFIERS if (noise.loc[name].loc[paper.index].round(4) == paper).all(axis=None)
    ]


@kept("paper/released", "clips/labels")
def lottery(seeds: int) -> pd.DataFrame:
    """What the rule gives for other draws of subjects, kept.

    Parameters
    ----------
    seeds : how many; 0, 1, 2 and so on.

    Returns
    -------
    One row per seed: macro F1 per scenario, and ``below`` (bool), whether Mixed is below both others.
    """
    clips = kept_clips()
    rows_of, subjects, labels = _draws(clips), clips["subject"].to_numpy(), clips["label"].to_numpy()
    out = []
    for seed in range(seeds):
        macro = {
            name: _f1(labels[rows], labels[rows][twins(subjects[rows])])[-1]
            for name, rows in rows_of(seed).items()
        }
        out.append({"seed": seed, **macro, "below": macro["Mixed"] < min(macro[n] for n in SCENARIOS[:2])})
    return pd.DataFrame(out)


def _f1(label: np.ndarray, predicted: np.ndarray) -> list[float]:
    names = CELLS["table_iv"][:-1]
    truth = np.array([label == name for name in names], dtype=float)
    said = np.array([predicted == name for name in names], dtype=float)
    f1 = np.nan_to_num(class_f1(truth @ said.T))
    return [*f1.tolist(), float(f1.mean())]
