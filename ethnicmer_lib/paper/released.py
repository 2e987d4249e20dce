"""Table IV as released: which clip's flow every test clip was really given, and the rule on labels that follows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

from ethnicmer_lib.clips.labels import annotations, binary_labels, coded_clips, released_clips
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.paper.numbers import CELLS, printed
from ethnicmer_lib.stats.scoring import MACRO, scores
from ethnicmer_lib.store.identity import digest
from ethnicmer_lib.store.provenance import Provenance
from ethnicmer_lib.store.runs import kept

#: The released label table as a source: what every reader has.
RELEASED = Provenance("CASME II + SAMM, released label table", False, digest(annotations().to_dict("list")))

SEED = 42  #: the release's seed of the draw of subjects
#: Scenario -> the release's calls of ``choice``, in its order: group, subjects.
_CALLS = {
    "Asian only": [("Asian", 16)],
    "Non-Asian only": [("Non-Asian", 16)],
    "Mixed": [("Non-Asian", 8), ("Asian", 8)],
}
SCENARIOS = tuple(_CALLS)
NOISE_WIDTH = 512  #: numbers per clip of the noise that stands in for features: as many as ResNet-18 gives
#: Classifiers that the noise goes through: the release's, and the one that the paper describes.
CLASSIFIERS = {"SVC(C=100)": SVC(C=100), "random forest": RandomForestClassifier(100, random_state=0)}


def kept_clips() -> pd.DataFrame:
    """The kept clips in the release's row order: clip_id, subject, group, label ('Negative', 'Non-negative')."""
    clips = released_clips()
    return clips[["clip_id", "subject", "group"]].assign(label=binary_labels(clips["label"]))


def draw(clips: pd.DataFrame, seed: int = SEED) -> dict[str, pd.DataFrame]:
    """Scenario -> its rows of ``clips``, in the order that the release gives them.

    numpy's legacy generator (that of ``numpy.random.seed``) picks subjects from their order of first appearance; Mixed
    holds the Non-Asian rows first.
    """
    rng = np.random.RandomState(seed)
    of = clips.drop_duplicates("subject").groupby("group")["subject"]
    pools = {group: subjects.to_numpy() for group, subjects in of}
    return {
        name: pd.concat(
            [clips[clips["subject"].isin(rng.choice(pools[group], n, replace=False))] for group, n in calls],
            ignore_index=True,
        )
        for name, calls in _CALLS.items()
    }


def twins(subjects: np.ndarray) -> np.ndarray:
    """For every row of a scenario, the row (int64) of the training clip that was given the same flow.

    Training and test set are put together separately, and either takes the first rows of the flow array: the j-th test
    clip and the j-th training clip both get row j. ``subjects``, (n,), names the subject of every row; each is held out
    once. StudyError when a subject has more clips than all others together: its last clips have no twin.
    """
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

    Returns the rows of ``scenario``, as :func:`draw` gives them, with ``given`` (the clip whose flow was used: row j of
    the release's 415 for the j-th test clip), ``twin`` (the training clip with the same flow) and ``predicted`` (that
    twin's label).
    """
    twin = twins(scenario["subject"].to_numpy())
    given = coded_clips()["clip_id"].to_numpy()[scenario.groupby("subject").cumcount()]
    clip, label = (scenario[name].to_numpy()[twin] for name in ("clip_id", "label"))
    return scenario.assign(given=given, twin=clip, predicted=label)


def score(predictions: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """F1 of either class and macro F1 of the pooled predictions: one row per scenario, columns as printed."""
    arms = pd.concat(predictions, names=["arm"]).reset_index("arm")
    return scores(arms, labels=CELLS["table_iv"][:-1])[list(CELLS["table_iv"])]


def from_labels(seed: int = SEED) -> pd.DataFrame:
    """Table IV by the rule on labels alone, in the shape of ``printed("table_iv")``."""
    return score({name: by_labels(rows) for name, rows in draw(kept_clips(), seed).items()})


@kept("paper/released", "clips/labels")
def from_noise() -> pd.DataFrame:
    """Table IV from pure noise, indexed as released: one row per classifier and scenario, kept."""
    noise = np.random.default_rng(0).standard_normal((len(annotations()), NOISE_WIDTH))
    tables = {}
    for name, classifier in CLASSIFIERS.items():
        drawn = draw(kept_clips())
        for rows in drawn.values():
            for subject in rows["subject"].unique():
                test = rows["subject"] == subject
                model = clone(classifier).fit(noise[: (~test).sum()], rows.loc[~test, "label"])
                rows.loc[test, "predicted"] = model.predict(noise[: test.sum()])
        tables[name] = score(drawn)
    return pd.concat(tables, names=["classifier"]).reset_index()


def equal_from_noise() -> list[str]:
    """The classifiers through which noise gives every printed cell to the four decimals."""
    paper, noise = printed("table_iv"), from_noise().set_index(["classifier", "arm"])
    return [
        name for name in CLASSIFIERS if (noise.loc[name].loc[paper.index].round(4) == paper).all(axis=None)
    ]


@kept("paper/released", "clips/labels")
def lottery(seeds: int) -> pd.DataFrame:
    """What the rule gives for the draws of seeds 0, 1, 2 and so on, kept.

    One row per seed: macro F1 per scenario, and ``below`` (bool), whether Mixed is below both others.
    """
    clips, drawn = kept_clips(), {}
    for seed in range(seeds):
        for name, rows in draw(clips, seed).items():
            given = rows["label"].to_numpy()[twins(rows["subject"].to_numpy())]
            drawn[seed, name] = rows.assign(predicted=given)
    predictions = pd.concat(drawn, names=["seed", "arm"]).reset_index(["seed", "arm"])
    table = (
        scores(predictions, ["seed", "arm"])[MACRO].unstack("arm")[list(SCENARIOS)].rename_axis(columns=None)
    )
    return table.assign(below=table["Mixed"] < table.drop(columns="Mixed").min(axis=1)).reset_index()
