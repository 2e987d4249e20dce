"""Clips counted beside the paper's Tables I to III, and how far group, database and label go together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ethnicmer_lib.clips import labels
from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.paper.numbers import paper_tables
from ethnicmer_lib.stats import Estimate, cramers_v
from ethnicmer_lib.stats.association import counts_by_subject
from ethnicmer_lib.stats.intervals import effective_subjects, interval, subject_weights

TOTAL = "total"
#: The simulator gives its groups the design of these; bookkeeping for the counts, nothing else.
DESIGN_OF = {"A": "Asian", "B": "Non-Asian"}
#: Fewest subjects in each of two equal groups for which a permutation test of subjects can reach
#: p < .05: 2 / C(8, 4) = .029, against 2 / C(6, 3) = .10 for three.
FEWEST_SUBJECTS = 4


def count_tables(clips: pd.DataFrame, simulated: bool = False) -> dict[str, pd.DataFrame]:
    """Tables I (subjects by ethnic label), II (clips by ethnic label) and III (clips by emotion label).

    Parameters
    ----------
    clips : a clips table.
    simulated : whether its groups A and B stand beside the groups that they were designed after.

    Returns
    -------
    'table_i', 'table_ii', 'table_iii' -> one row per label and a last row 'total': ``ours``, ``paper`` (<NA> where the
    paper has no such row), ``equal``.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> em.count_tables(em.released_clips())["table_iii"].loc["Surprise"].to_dict()
    {'ours': 40, 'paper': 40, 'equal': True}
    """
    people, emotions = paper_tables(), paper_tables()["emotions"]["rows"]
    by, name = ("group", "group") if simulated else ("ethnicity", "ethnicity")
    back = {design: group for group, design in DESIGN_OF.items()}
    printed = {}
    for table in ("subjects", "clips"):
        rows = pd.DataFrame(people[table]["rows"])
        rows["group"] = rows["group"].map(back)
        printed[table] = rows.groupby(name, sort=False)[table].sum()
    total = {"subjects": people["subjects"]["total"]["value"], "clips": int(printed["clips"].sum())}
    subjects = clips.groupby(by)["subject"].nunique()
    return {
        "table_i": _beside(subjects, printed["subjects"], clips["subject"].nunique(), total["subjects"]),
        "table_ii": _beside(clips.groupby(by).size(), printed["clips"], len(clips), total["clips"]),
        "table_iii": _beside(
            clips.groupby("label").size(),
            pd.Series({row["label"]: row["clips"] for row in emotions}),
            len(clips),
            sum(row["clips"] for row in emotions),
        ),
    }


def _beside(ours: pd.Series, paper: pd.Series, all_ours: int, all_paper: int) -> pd.DataFrame:
    rows = [*paper.index, *(name for name in ours.index if name not in paper.index)]
    table = pd.DataFrame({"ours": ours.reindex(rows, fill_value=0), "paper": paper.reindex(rows)}, index=rows)
    table.loc[TOTAL] = [all_ours, all_paper]
    table = table.astype("Int64")
    return table.assign(equal=(table["ours"] == table["paper"]).astype("boolean"))


def group_rules(clips: pd.DataFrame, seed: int = 0, resamples: int = 2000) -> tuple[Estimate, Estimate]:
    """Share of clips whose group the database's, and all clips', more frequent group gives right.

    Both rules are read off the whole table and stay fixed in the resamples of subjects.
    """
    counts = counts_by_subject(clips, "database", "group")
    total = counts.sum(0)
    of_database = counts[:, np.arange(len(total)), total.argmax(1)].sum(1)
    of_all = counts[:, :, total.sum(0).argmax()].sum(1)
    size = counts.sum((1, 2))
    weights = subject_weights(len(size), resamples, np.random.default_rng([seed, 2]))
    return tuple(
        interval(hit.sum() / size.sum(), weights @ hit / (weights @ size), subjects=effective_subjects(size))
        for hit in (of_database, of_all)
    )


def cells(clips: pd.DataFrame) -> pd.DataFrame:
    """Clips and subjects of every database, group and label, with zeros; ``both``: whether it holds both groups."""
    keys = ["database", "group", "label"]
    levels = [sorted(clips["database"].unique()), sorted(clips["group"].unique()), list(LABELS)]
    found = clips.groupby(keys).agg(clips=("clip_id", "size"), subjects=("subject", "nunique"))
    found = found.reindex(pd.MultiIndex.from_product(levels, names=keys), fill_value=0).reset_index()
    return found.assign(both=found["database"].map(clips.groupby("database")["group"].nunique().gt(1)))


def dataset_claims(seed: int = 0) -> dict[str, Any]:
    """What the claims about the real label table are judged by, by key; on the released labels, so that every reader
    has the same."""
    clips, mappings = labels.released_clips(), mapping_counts()
    least = cells(clips).query("both").sort_values("subjects", kind="stable").iloc[0]
    rule, majority = (one.value for one in group_rules(clips, seed))
    v = mappings.groupby("mapping", sort=False)["association"].first()
    among = {
        "as_paper": v["paper"],
        "least": v.idxmin(),
        "most": v.idxmax(),
        "most_value": v.max(),
        "n": len(v),
    }
    smallest = least[["clips", "label", "subjects", "group", "database"]].to_dict()
    smallest |= {"fewest": FEWEST_SUBJECTS, "holds": bool(least["subjects"] >= FEWEST_SUBJECTS)}
    return {
        **count_tables(clips),
        "database_association": (
            cramers_v(clips, "database", "group", seed),
            {"database_rule": rule, "majority_rule": majority},
        ),
        "group_cells": (int(least["clips"]), smallest),
        "mappings": (float(v.min()), among),
    }


def loaded_counts(clips: pd.DataFrame, simulated: bool, note: str) -> tuple[int, dict[str, Any]]:
    """How many rows of Tables I to III the loaded clips give, for :func:`judging.judge`; ``note``: how to read it."""
    found = count_tables(clips, simulated)
    people = found["table_i"]["equal"] & found["table_ii"]["equal"]
    rows = pd.concat([people[found["table_ii"]["paper"].notna()], found["table_iii"]["equal"]])
    equal = int(rows.sum())
    words = {"subjects": clips["subject"].nunique(), "equal": equal, "rows": len(rows), "note": note}
    return len(clips), words | {"holds": equal == len(rows)}


def screening_claim(screened: pd.DataFrame) -> tuple[int, dict[str, Any]]:
    """Whether a written rule gives the released labels of subjects; ``screened`` as of ``annotate.beside_released``."""
    majority, first = (int((screened[name] == screened["released"]).sum()) for name in ("code", "first"))
    conflicts = screened[screened["conflict"]]
    moved = int((screened["group"] != screened["group_released"]).sum())
    words = {"subjects": len(screened), "first_clip": first, "conflicts": len(conflicts), "moved": moved}
    words |= {"listed": ", ".join(conflicts["subject"]), "holds": max(majority, first) == len(screened)}
    return majority, words


def mismatches() -> pd.DataFrame:
    """Every count of Tables I to III beside the released labels: the kept clips, and all 415.

    Returns
    -------
    DataFrame with the columns table, row, paper, kept, everyone, equal (bool), explanation. ``everyone`` also
    counts the clips labelled 'Others', which the study leaves out; <NA> for Table III, which has no such row.
    The explanation is made of the counts.
    """
    kept, everyone = labels.released_clips(), labels.released_groups()
    of_all = {
        "Table I": everyone.groupby("ethnicity")["subject"].nunique(),
        "Table II": everyone.groupby("ethnicity").size(),
        "Table III": pd.Series(dtype="Int64"),
    }
    all_of = {"Table I": everyone["subject"].nunique(), "Table II": len(everyone)}
    parts = []
    for name, table in zip(of_all, count_tables(kept).values(), strict=True):
        there = of_all[name].reindex(table.index).astype("Int64")
        there[TOTAL] = all_of.get(name, pd.NA)
        parts.append(table.rename(columns={"ours": "kept"}).assign(table=name, everyone=there))
    table = pd.concat(parts).rename_axis("row").reset_index().astype({"equal": bool})
    gone = everyone[~everyone["subject"].isin(kept["subject"])].drop_duplicates("subject")
    table["explanation"] = [_explain(row, gone, len(kept)) for row in table.itertuples()]
    return table[["table", "row", "paper", "kept", "everyone", "equal", "explanation"]]


def _explain(row: Any, gone: pd.DataFrame, kept: int) -> str:
    """Why a printed count differs; ``gone``: the subjects of whom no clip is kept."""
    if row.equal:
        return ""
    said = f"Printed is {_than(row.paper - row.kept)} the kept clips give"
    if row.everyone is not pd.NA and row.paper == row.everyone:
        said += ", as many as all clips give"
    elif row.everyone is not pd.NA:
        said += f" and {_than(row.paper - row.everyone)} all clips give"
    if row.table == "Table II":
        total = sum(entry["clips"] for entry in paper_tables()["emotions"]["rows"])
        return f"{said}. Table III prints {total} clips in all." if total == kept else f"{said}."
    names = sorted(gone.loc[(gone["ethnicity"] == row.row) | (row.row == TOTAL), "subject"])
    have = "has" if len(names) == 1 else "have"
    only = (
        f" {' and '.join(names)} {have} only clips labelled Others, which the study leaves out."
        if names
        else ""
    )
    return f"{said}.{only}"


def _than(difference: int) -> str:
    return f"{abs(difference)} {'more' if difference > 0 else 'fewer'} than"


def mapping_counts() -> pd.DataFrame:
    """The released labels under every mapping of ethnic labels to groups.

    Returns
    -------
    DataFrame with one row a mapping and group: mapping, meaning, group, database, clips, subjects (of that
    group in that database), left_out (clips that the mapping leaves out), association (Cramér's V of database
    and group over the clips that stay).
    """
    complete = len(labels.released_clips())
    keys = {"group": labels.GROUPS, "database": [labels.CASME2, labels.SAMM]}
    parts = []
    for mapping, meaning in labels.ETHNIC_MAPPINGS.items():
        clips = labels.released_clips(mapping)
        v = cramers_v(clips, "database", "group", resamples=1)
        found = clips.groupby(list(keys)).agg(clips=("clip_id", "size"), subjects=("subject", "nunique"))
        found = found.reindex(
            pd.MultiIndex.from_product(keys.values(), names=keys), fill_value=0
        ).reset_index()
        found.insert(0, "mapping", mapping)
        found.insert(1, "meaning", meaning)
        left_out, association = complete - len(clips), np.nan if v is None else v.value
        parts.append(found.assign(left_out=left_out, association=association))
    return pd.concat(parts, ignore_index=True)


def associations(clips: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Cramér's V of every pair of database, group and label, over all clips and within each database.

    Returns
    -------
    DataFrame with the columns first, second, scope ('all' or a database), clips, association, low, high
    (subject-bootstrap 95 % interval); pairs of which one has a single value in the scope are left out.
    """
    scopes = {"all": clips} | dict(iter(clips.groupby("database")))
    rows = []
    for first, second in (("database", "group"), ("database", "label"), ("group", "label")):
        for scope, part in scopes.items():
            if part[first].nunique() < 2 or part[second].nunique() < 2:
                continue
            estimate = cramers_v(part, first, second, seed)
            found = {"first": first, "second": second, "scope": scope, "clips": len(part)}
            rows.append(found | {"association": estimate.value, "low": estimate.low, "high": estimate.high})
    names = ["first", "second", "scope", "clips", "association", "low", "high"]
    return pd.DataFrame(rows, columns=names)


def composition(clips: pd.DataFrame) -> pd.DataFrame:
    """Clips (subjects) by database and group, one column a label, with the share of clips that have action units."""
    found = cells(clips).query("clips > 0")
    found = found.assign(cell=found["clips"].astype(str) + " (" + found["subjects"].astype(str) + ")")
    wide = found.pivot(index=["database", "group"], columns="label", values="cell").reindex(
        columns=list(LABELS)
    )
    by = clips.groupby(["database", "group"])
    wide["all"] = by.size().astype(str) + " (" + by["subject"].nunique().astype(str) + ")"
    wide["with action units"] = by["action_units"].agg(lambda units: f"{(units != '').mean():.0%}")
    return wide.fillna("0 (0)").rename_axis(columns=None)


def card(seed: int = 0) -> dict[str, str]:
    """The numbers of the data card about the released label table, by the name that its text gives them."""
    table, kept = labels.annotations(), labels.released_clips()
    per_subject = kept.groupby("subject").size().sort_values(ascending=False)
    half = (
        int((per_subject.cumsum() < per_subject.sum() / 2).sum()) + 1
    )  # subjects with half of the clips together
    votes = labels.clip_codes()
    least = cells(kept).query("clips > 0").sort_values("clips", kind="stable").iloc[0]
    negative = sorted(name for name, label in labels.EMOTION_LABEL.items() if label == "Negative")
    return {
        "n_released": str(len(table)),
        "n_released_subjects": str(table["subject"].nunique()),
        "n_kept": str(len(kept)),
        "n_kept_subjects": str(kept["subject"].nunique()),
        "n_others": str(len(table) - len(kept)),
        "least_most": f"{per_subject.min()} to {per_subject.max()}, median {per_subject.median():g}",
        "half": str(half),
        "negative_emotions": ", ".join(negative[:-1]) + " and " + negative[-1],
        "rarest": "{clips} {label} of {subjects} subject(s) of group {group} in {database}".format(**least),
        "n_subjects_votes": str(len(votes)),
        "n_conflicts": str(len(labels.conflicting_subjects())),
        "v": str(cramers_v(kept, "database", "group", seed)),
    }
