"""The dataset page: sample frames, the mosaic of subjects, Tables I-III, the confounding of group and database."""

from __future__ import annotations

from typing import Any

import pandas as pd
from IPython.display import HTML

from ethnicmer_lib.clips import labels
from ethnicmer_lib.clips.table import LABELS, Cohort, Provenance
from ethnicmer_lib.paper.counts import Tables
from ethnicmer_lib.paper.dataset import DatasetResult
from ethnicmer_lib.show import tables as notebook
from ethnicmer_lib.show.figures import dataset as figures_dataset
from ethnicmer_lib.show.figures import style as figures

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
        "shares": figures_dataset.clips_mosaic(clips, source),
        "mapping_bars": figures_dataset.mapping_bars(result.mappings, RELEASED),
        "decisions_note": _decisions(result),
        **_screened(result),
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


def _decisions(result: DatasetResult) -> str:
    """What the loader decided, in one sentence."""
    if result.decisions.empty:
        return "Nothing was decided when these clips were read: no value was doubtful."
    rules = result.decisions["rule"].value_counts()
    listed = ", ".join(f"{rule} ({count})" for rule, count in rules.items())
    return f"Decisions taken when these clips were read: {listed}."


def _screened(result: DatasetResult) -> dict[str, str]:
    table = result.screened
    conflicts, failed = table[table["conflict"]], table[table["failed"] > 0]
    moved = table[table["group"] != table["group_released"]]
    return {
        "n_screened": str(len(table)),
        "n_conflicts": str(len(conflicts)),
        "n_ties": str(int(table["tie"].sum())),
        "failed_sentence": ", ".join(
            f"{row.subject} ({row.failed} of {row.clips} clips)" for row in failed.itertuples()
        ),
        "n_as_first": str(int((table["first"] == table["released"]).sum())),
        "n_as_majority": str(int((table["code"] == table["released"]).sum())),
        "moved_sentence": ", ".join(moved["subject"]) or "nobody",
        "n_changes": str(len(result.screening.log)),
    }


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


def mismatches(result: DatasetResult) -> HTML:
    """Every printed count that the kept clips do not give, with what they and all clips give."""
    table = result.mismatches[~result.mismatches["equal"]]
    equal = int(result.mismatches["equal"].sum())
    return notebook.table(
        table,
        f"Counts of Tables I to III that differ; the other {equal} are equal.",
        RELEASED,
        columns={
            "table": "table",
            "row": "row",
            "paper": "paper",
            "kept": "kept clips",
            "everyone": "all clips",
            "explanation": "what is known",
        },
    )


def associations(table: pd.DataFrame, source: Provenance) -> HTML:
    """Cramér's V of every pair of database, group and label."""
    shown = table.assign(
        pair=table["first"] + " and " + table["second"],
        value=[notebook.with_interval(row.association, row.low, row.high, 2) for row in table.itertuples()],
    )
    return notebook.table(
        shown,
        "Cramér's V, 95 % interval over subjects.",
        source,
        columns={"pair": "of", "scope": "clips of", "clips": "clips", "value": "V"},
    )


def mappings(result: DatasetResult) -> HTML:
    """Clips and subjects per group under every mapping."""
    table = result.mappings
    rows = []
    for mapping, part in table.groupby("mapping", sort=False):
        of_group = part.groupby("group")[["clips", "subjects"]].sum()
        cells = {
            name: f"{of_group.loc[name, 'clips']} ({of_group.loc[name, 'subjects']})"
            for name in labels.GROUPS
        }
        out = int(part["left_out"].iloc[0])
        rows.append({"mapping": mapping, **cells, "out": out, "meaning": part["meaning"].iloc[0]})
    columns = {"mapping": "ethnic_mapping", **{name: name for name in labels.GROUPS}}
    return notebook.table(
        pd.DataFrame(rows),
        "Clips (subjects) per group under each mapping of the released ethnic labels.",
        RELEASED,
        columns=columns | {"out": "clips left out", "meaning": "meaning"},
    )


def screening(result: DatasetResult) -> HTML:
    """The subjects whose clips disagree, tie or failed: votes, majority, first clip and the released code."""
    table = result.screened
    shown = table[table["flagged"] | (table["failed"] > 0)].copy()
    names = dict(labels.RACE_CODES)
    for column in ("code", "first", "released"):
        shown[column] = shown[column].map(names).fillna("none")
    shown["votes"] = [_votes(votes, names) for votes in shown["votes"]]
    shown["mark"] = [
        "tie" if row.tie else "conflict" if row.conflict else f"{row.failed} failed"
        for row in shown.itertuples()
    ]
    return notebook.table(
        shown,
        "Subjects whose clips do not agree, or failed.",
        RELEASED,
        columns={
            "subject": "subject",
            "votes": "labels of its clips",
            "mark": "flag",
            "first": "first clip",
            "code": "majority",
            "released": "as released",
        },
    )


def _votes(votes: str, names: dict[str, str]) -> str:
    pairs = (vote.split(" x ") for vote in votes.split(", "))
    return ", ".join(f"{names[code]} {count}" for code, count in pairs)


def decisions(result: DatasetResult) -> HTML:
    """What was decided about the loaded cohort, value by value."""
    if result.decisions.empty:
        return HTML("")
    return notebook.table(
        result.decisions,
        "Decisions of the loader.",
        result.provenance,
        columns={"clip": "clip", "what": "what", "old": "from", "new": "to", "rule": "by"},
    )
