"""The data card: the numbers of a datasheet for the loaded cohort and for the released labels."""

from __future__ import annotations

from typing import Any

import pandas as pd
from IPython.display import HTML

from ethnicmer_lib.clips import labels
from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.paper.dataset import DatasetResult
from ethnicmer_lib.show import tables as notebook
from ethnicmer_lib.show.pages.dataset import RELEASED


def values(result: DatasetResult) -> dict[str, Any]:
    """Texts of the page."""
    clips, released = result.clips, labels.annotations()
    kept = labels.released_clips()
    per_subject = kept.groupby("subject").size()
    emotions = sorted(name for name, label in labels.EMOTION_LABEL.items() if label == "Negative")
    screened = result.screened
    return {
        "cohort_line": (
            f"{result.provenance.source}: {len(clips)} clips of {clips['subject'].nunique()} subjects, groups "
            f"{' and '.join(sorted(clips['group'].unique()))}, fingerprint {result.provenance.fingerprint}"
        ),
        "cohort_kind": (
            "It is simulated: no person is shown, the emotions and action units are what the simulator was told, and "
            "the groups are abstract."
            if result.provenance.simulated
            else "It is of real people; the rest of this page applies to it."
        ),
        "n_released": str(len(released)),
        "n_released_subjects": str(released["subject"].nunique()),
        "n_kept": str(len(kept)),
        "n_kept_subjects": str(kept["subject"].nunique()),
        "n_others": str(len(released) - len(kept)),
        "least_most": f"{per_subject.min()} to {per_subject.max()}, median {per_subject.median():g}",
        "half": str(_half(per_subject)),
        "negative_emotions": ", ".join(emotions[:-1]) + " and " + emotions[-1],
        "rarest": _rarest(kept),
        "n_subjects_votes": str(len(screened)),
        "n_conflicts": str(int(screened["conflict"].sum())),
        "v": str(result.released.association),
    }


def _half(per_subject: pd.Series) -> int:
    """The fewest subjects who together have at least half of the clips."""
    running = per_subject.sort_values(ascending=False).cumsum()
    return int((running < per_subject.sum() / 2).sum()) + 1


def _rarest(kept: pd.DataFrame) -> str:
    """The smallest cell of database, group and label that is not empty, in words."""
    counted = kept.groupby(["database", "group", "label"]).agg(
        clips=("clip_id", "size"), subjects=("subject", "nunique")
    )
    database, group, label = counted["clips"].idxmin()
    n_clips, n_subjects = (int(value) for value in counted.loc[(database, group, label)])
    return (
        f"{n_clips} {label} clip{'s' * (n_clips != 1)} of {n_subjects} {group} subject{'s' * (n_subjects != 1)} in "
        f"{database}"
    )


def composition(clips: pd.DataFrame, result: DatasetResult, *, loaded: bool) -> HTML:
    """Clips (subjects) by database and group, one column a label, and action-unit and frame coverage."""
    rows = []
    for (database, group), part in clips.groupby(["database", "group"]):
        row: dict[str, Any] = {"database": database, "group": group}
        row |= {
            label: f"{(part['label'] == label).sum()} ({part.loc[part['label'] == label, 'subject'].nunique()})"
            for label in LABELS
        }
        row["all"] = f"{len(part)} ({part['subject'].nunique()})"
        row["coded"] = f"{(part['action_units'] != '').mean():.0%}"
        rows.append(row)
    return notebook.table(
        pd.DataFrame(rows),
        "Clips (subjects).",
        result.provenance if loaded else RELEASED,
        columns={
            "database": "database",
            "group": "group",
            **{label: label for label in LABELS},
            "all": "all",
            "coded": "with action units",
        },
    )
