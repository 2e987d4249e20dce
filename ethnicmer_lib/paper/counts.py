"""Counts of clips beside the paper's Tables I-III, and how far database, group and label go together."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ethnicmer_lib.clips.labels import released_clips
from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.paper.numbers import paper_tables
from ethnicmer_lib.stats.association import counts_by_subject, cramers_v
from ethnicmer_lib.stats.intervals import Estimate, effective_subjects, interval, subject_weights

TOTAL = "total"
N_RESAMPLES = 2000
#: The simulator gives its groups the design of these; bookkeeping for the counts, nothing else.
DESIGN_OF = {"A": "Asian", "B": "Non-Asian"}


@dataclass(frozen=True, eq=False)
class Tables:
    """Counts of one set of clips and what they imply.

    Attributes
    ----------
    ethnicity : Tables I and II. Columns ethnicity, group, subjects, subjects_paper, clips, clips_paper,
        matches (both counts equal the paper's; <NA> where the paper has no such row); last row: the total.
    emotions : Table III. Columns label, emotions, clips, clips_paper, matches; last row: the total.
    crosstab : every database x group x label, with zeros: columns database, group, label, clips, subjects.
    within : the rows of ``crosstab`` of databases that hold both groups, which is all that can tell a
        difference of groups from one of databases.
    association : Cramér's V of database and group over clips, subject-bootstrap 95 % interval; None where
        there is one database or one group.
    database_rule : share of clips whose group follows from the database alone (its more frequent group).
    majority_rule : the same for the rule that ignores the database: the larger group's share.
    label_association : Cramér's V of group and label, over all and inside each database with both groups:
        columns scope, clips, association, low, high.
    """

    ethnicity: pd.DataFrame
    emotions: pd.DataFrame
    crosstab: pd.DataFrame
    within: pd.DataFrame
    association: Estimate | None
    database_rule: Estimate
    majority_rule: Estimate
    label_association: pd.DataFrame


def released_tables(seed: int = 0) -> Tables:
    """The tables of the 290 kept clips in the released label table, which ships with the library."""
    return tables(released_clips(), seed=seed)


def tables(clips: pd.DataFrame, *, simulated: bool = False, seed: int = 0) -> Tables:
    """All counts of a clips table; ``simulated``: groups A and B stand beside what they were designed after.

    Raises
    ------
    StudyError
        With fewer than two subjects.
    """
    crosstab = _crosstab(clips)
    groups = clips.groupby("database")["group"].nunique()
    both = list(groups.index[groups > 1])
    within = crosstab[crosstab["database"].isin(both)].reset_index(drop=True)
    rule, majority = _rules(clips, seed)
    scopes = {"all": clips} | {name: clips[clips["database"] == name] for name in both}
    return Tables(
        ethnicity=_ethnicity_table(clips, simulated),
        emotions=_emotions_table(clips),
        crosstab=crosstab,
        within=within,
        association=cramers_v(clips, "database", "group", seed),
        database_rule=rule,
        majority_rule=majority,
        label_association=_label_association(scopes, seed),
    )


def _rules(clips: pd.DataFrame, seed: int) -> tuple[Estimate, Estimate]:
    """Share of clips whose group the database's, and the whole cohort's, more frequent group gives right.

    Both rules are read off the whole table and stay fixed in the resamples of subjects.
    """
    counts = counts_by_subject(clips, "database", "group")
    total = counts.sum(0)
    of_database = counts[:, np.arange(len(total)), total.argmax(1)].sum(1)
    of_all = counts[:, :, total.sum(0).argmax()].sum(1)
    size = counts.sum((1, 2))
    weights = subject_weights(len(size), N_RESAMPLES, np.random.default_rng([seed, 2]))
    shares = (
        interval(hit.sum() / size.sum(), weights @ hit / (weights @ size), subjects=effective_subjects(size))
        for hit in (of_database, of_all)
    )
    return tuple(shares)


def _crosstab(clips: pd.DataFrame) -> pd.DataFrame:
    keys = ["database", "group", "label"]
    levels = [sorted(clips["database"].unique()), sorted(clips["group"].unique()), list(LABELS)]
    counted = clips.groupby(keys).agg(clips=("clip_id", "size"), subjects=("subject", "nunique"))
    return counted.reindex(pd.MultiIndex.from_product(levels, names=keys), fill_value=0).reset_index()


def _label_association(scopes: dict[str, pd.DataFrame], seed: int) -> pd.DataFrame:
    found = []
    for scope, clips in scopes.items():
        estimate = cramers_v(clips, "group", "label", seed)
        value, low, high = (np.nan,) * 3 if estimate is None else estimate
        found.append({"scope": scope, "clips": len(clips), "association": value, "low": low, "high": high})
    return pd.DataFrame(found)


def _ethnicity_table(clips: pd.DataFrame, simulated: bool) -> pd.DataFrame:
    keys = ["ethnicity", "group"]
    printed = paper_tables()
    table_1, table_2 = (pd.DataFrame(printed[name]["rows"]) for name in ("subjects", "clips"))
    paper = table_1.merge(table_2, on=["printed", *keys]).drop(columns="printed")
    if simulated:
        back = {design: group for group, design in DESIGN_OF.items()}
        paper["group"] = paper["ethnicity"] = paper["group"].map(back)
        paper = paper.groupby(keys, as_index=False).sum()
    ours = clips.groupby(keys, as_index=False).agg(subjects=("subject", "nunique"), clips=("clip_id", "size"))
    table = paper.merge(ours, on=keys, how="outer", suffixes=("_paper", ""))
    order = {pair: place for place, pair in enumerate(paper[keys].itertuples(index=False, name=None))}
    place = [order.get(pair, len(order)) for pair in table[keys].itertuples(index=False, name=None)]
    table = table.iloc[np.argsort(place, kind="stable")]
    table[["subjects", "clips"]] = table[["subjects", "clips"]].fillna(0)
    total = {"ethnicity": TOTAL, "group": "", "subjects": clips["subject"].nunique(), "clips": len(clips)}
    total |= {"subjects_paper": printed["subjects"]["total"]["value"], "clips_paper": paper["clips"].sum()}
    return _compared(table, total, ["subjects", "clips"], keys)


def _emotions_table(clips: pd.DataFrame) -> pd.DataFrame:
    rows = paper_tables()["emotions"]["rows"]
    count = clips["label"].value_counts()
    table = pd.DataFrame(
        {
            "label": [row["label"] for row in rows],
            "emotions": [", ".join(row["emotions"]) for row in rows],
            "clips": [int(count.get(row["label"], 0)) for row in rows],
            "clips_paper": [row["clips"] for row in rows],
        }
    )
    total = {"label": TOTAL, "emotions": "", "clips": len(clips), "clips_paper": table["clips_paper"].sum()}
    return _compared(table, total, ["clips"], ["label", "emotions"])


def _compared(table: pd.DataFrame, total: dict, counts: Sequence[str], keys: list[str]) -> pd.DataFrame:
    """Add the total row and the column ``matches``; whole numbers, <NA> where the paper has none."""
    table = pd.concat([table, pd.DataFrame([total])], ignore_index=True)
    columns = [column for count in counts for column in (count, f"{count}_paper")]
    table = table[keys + columns].astype(dict.fromkeys(columns, "Int64"))
    equal = [table[count] == table[f"{count}_paper"] for count in counts]
    table["matches"] = functools.reduce(operator.and_, equal).astype("boolean")
    return table
