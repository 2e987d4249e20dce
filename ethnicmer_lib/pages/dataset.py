"""The dataset page: sample frames, the mosaic of subjects, Tables I-III, the confounding of group and database."""

from __future__ import annotations

from typing import Any

import pandas as pd
from IPython.display import HTML

from ethnicmer_lib import figures, notebook
from ethnicmer_lib.cohort.clips import LABELS, Cohort, Provenance
from ethnicmer_lib.counts import Tables
from ethnicmer_lib.dataset import DatasetResult

RELEASED = Provenance("released label table of the real databases", False, "")


def values(result: DatasetResult, cohort: Cohort) -> dict[str, Any]:
    """Figures and texts of the page."""
    clips, source = result.clips, result.provenance
    released = result.released
    return {
        "cohort_sentence": (
            f"This page was computed on {source.source}: {len(clips)} clips of "
            f"{clips['subject'].nunique()} subjects."
        ),
        "mosaic": figures.subjects_mosaic(clips, source),
        "database_share": f"{released.database_rule.value:.1%}",
        "cramers_v": str(released.association),
        "within_samm": _within(released),
        "count_note": result.note,
        **_film(clips, cohort),
    }


def _within(released: Tables) -> str:
    cells = [
        f"{row.clips} {row.label} clip{'s' * (row.clips != 1)} of {row.subjects} subject{'s' * (row.subjects != 1)}"
        f" ({row.group})"
        for row in released.within.itertuples()
        if row.label != "Negative"
    ]
    return ", ".join(cells)


def _film(clips: pd.DataFrame, cohort: Cohort) -> dict[str, Any]:
    """Frames of one clip per label; of a licensed cohort none, since its faces stay where they are."""
    if not cohort.provenance.simulated:
        note = "The frames of a licensed database are not shown: its licence does not allow that in general."
        return {"filmstrip": figures.message(note, cohort.provenance), "filmstrip_note": note}
    rows = []
    for label in LABELS:
        clip = clips[clips["label"] == label].iloc[0]
        frames = (cohort.frames(clip["clip_id"], moment) for moment in ("onset", "apex"))
        rows.append((f"{label}\n{clip['database']}, AU {clip['action_units']}", *frames))
    return {
        "filmstrip": figures.filmstrip(rows, cohort.provenance),
        "filmstrip_note": "These people do not exist: they are rendered from a head model and facial action units.",
    }


_COUNTS = {
    "ethnicity": "ethnic label",
    "group": "group",
    "subjects": "subjects",
    "subjects_paper": "paper",
    "clips": "clips",
    "clips_paper": "paper",
    "equal": "equal",
}


def counts(tables: Tables, source: Provenance) -> HTML:
    """Tables I to III of one set of clips beside the paper's."""
    first = _marked(tables.ethnicity)
    second = _marked(tables.emotions)
    people = notebook.table(
        first, "Tables I and II: subjects and clips per ethnic label.", source, columns=_COUNTS
    )
    emotions = notebook.table(
        second,
        "Table III: clips per emotion label.",
        source,
        columns={
            "label": "label",
            "emotions": "emotions",
            "clips": "clips",
            "clips_paper": "paper",
            "equal": "equal",
        },
    )
    return HTML(people.data + emotions.data)


def _marked(table: pd.DataFrame) -> pd.DataFrame:
    marks = table["matches"].map({True: "yes", False: "no"})
    return table.assign(equal=marks.astype(object).where(table["matches"].notna(), "–"))


def confounding(tables: Tables, source: Provenance) -> HTML:
    """Clips and subjects by database, group and label."""
    wide = tables.crosstab.assign(
        cell=[f"{row.clips} ({row.subjects})" for row in tables.crosstab.itertuples()]
    ).pivot_table(index=["database", "group"], columns="label", values="cell", aggfunc="first")
    return notebook.table(
        wide[list(LABELS)].reset_index(), "Clips (subjects) by database, group and label.", source
    )
