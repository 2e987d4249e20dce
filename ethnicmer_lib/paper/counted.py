"""Clips counted beside the paper's Tables I to III, and how far group, database and label go together."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ethnicmer_lib.clips import labels
from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.paper.numbers import read_yaml
from ethnicmer_lib.stats import cramers_v

#: The simulator gives its groups the design of these; bookkeeping for the counts, nothing else.
_DESIGNED_AFTER = {"Asian": "A", "Non-Asian": "B"}
#: Fewest subjects in each of two equal groups for which a permutation test of subjects can reach p < .05:
#: 2 / C(8, 4) = .029, against 2 / C(6, 3) = .10 for three.
FEWEST_SUBJECTS = 4
_CELL = ["database", "group"]


def count_tables(
    clips: pd.DataFrame, simulated: bool = False, others: bool = False
) -> dict[str, pd.DataFrame]:
    """Tables I (subjects by ethnic label), II (clips by ethnic label) and III (clips by emotion label).

    Groups A and B of ``simulated`` clips stand beside the groups that they were designed after; of ``others`` than the
    paper's clips the printed numbers are left out. Returns 'table_i',
    'table_ii', 'table_iii' -> one row per label and a last row 'total': ``ours``, ``paper`` (<NA> where the paper has
    no such row), ``equal``.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> em.count_tables(em.released_clips())["table_iii"].loc["Surprise"].to_dict()
    {'ours': 40, 'paper': 40, 'equal': True}
    """
    found = {}
    for table, printed in read_yaml("counts").items():
        by, count, rows = printed["by"], printed["count"], pd.DataFrame(printed["rows"])
        if simulated and by == "ethnicity":
            rows, by = rows.assign(group=rows["group"].map(_DESIGNED_AFTER)), "group"
        counted = "subject" if count == "subjects" else "clip_id"
        paper, ours = rows.groupby(by, sort=False)[count].sum(), clips.groupby(by)[counted].nunique()
        beside = pd.DataFrame(index=paper.index.union(ours.index, sort=False).rename(None))
        beside["ours"], beside["paper"] = ours.reindex(beside.index, fill_value=0), paper
        beside.loc["total"] = [clips[counted].nunique(), printed.get("named", paper.sum())]
        if others:
            beside = beside.loc[beside["ours"] > 0, ["ours"]].assign(paper=pd.NA)
        beside = beside.astype("Int64")
        found[table] = beside.assign(equal=(beside["ours"] == beside["paper"]).astype("boolean"))
    return found


def group_rules(clips: pd.DataFrame) -> tuple[float, float]:
    """Share of clips whose group the database's, and all clips', more frequent group gives right."""
    counts = pd.crosstab(clips["database"], clips["group"])
    return counts.max(axis=1).sum() / len(clips), counts.sum().max() / len(clips)


def cells(clips: pd.DataFrame) -> pd.DataFrame:
    """Clips and subjects of every database, group and label, with zeros; ``both``: whether it holds both groups."""
    keys = [*_CELL, "label"]
    levels = [sorted(clips["database"].unique()), sorted(clips["group"].unique()), list(LABELS)]
    found = clips.groupby(keys).agg(clips=("clip_id", "size"), subjects=("subject", "nunique"))
    found = found.reindex(pd.MultiIndex.from_product(levels, names=keys), fill_value=0).reset_index()
    return found.assign(both=found["database"].map(clips.groupby("database")["group"].nunique().gt(1)))


def dataset_claims(seed: int = 0) -> dict[str, Any]:
    """What the claims about the real label table are judged by, by key; on the released labels, so that every reader
    has the same."""
    clips = labels.released_clips()
    least = cells(clips).query("both").sort_values("subjects", kind="stable").iloc[0]
    enough = {"fewest": FEWEST_SUBJECTS, "holds": least["subjects"] >= FEWEST_SUBJECTS}
    rules = dict(zip(("database_rule", "majority_rule"), group_rules(clips), strict=True))
    v = mapping_counts().groupby("mapping", sort=False)["association"].first()
    among = {"as_paper": v["paper"], "least": v.idxmin(), "most": v.idxmax(), "most_value": v.max()}
    return {
        **{name: beside_paper(table) for name, table in count_tables(clips).items()},
        "database_association": (cramers_v(clips, "database", "group", seed), rules),
        "group_cells": (int(least["clips"]), least.to_dict() | enough),
        "mappings": (float(v.min()), among | {"n": len(v)}),
    }


def beside_paper(table: pd.DataFrame) -> tuple[int, dict[str, Any]]:
    """The total of one of :func:`count_tables`, and what differs from the printed one, for ``judge``."""
    total, rows = table.loc["total"], table.drop(index="total")
    differs = [f"{row.Index} {row.ours} (printed {row.paper})" for row in rows[~rows["equal"]].itertuples()]
    said = f"different: {', '.join(differs)}" if differs else "every row is equal"
    return total["ours"], {**total, "different": said, "holds": not differs and total["equal"]}


def loaded_counts(
    clips: pd.DataFrame, simulated: bool, note: str, others: bool = False
) -> str | tuple[int, dict[str, Any]]:
    """How many rows of Tables I to III the loaded clips give, for ``judge``; ``note``: how to read it."""
    if others:
        return note
    found = count_tables(clips, simulated)
    people = found["table_i"]["equal"] & found["table_ii"]["equal"]
    rows = pd.concat([people[found["table_ii"]["paper"].notna()], found["table_iii"]["equal"]])
    words = {"subjects": clips["subject"].nunique(), "rows": len(rows), "note": note}
    return len(clips), words | {"equal": int(rows.sum()), "holds": bool(rows.all())}


def screening_claim(screened: pd.DataFrame) -> tuple[int, dict[str, Any]]:
    """Whether a written rule gives the released labels of subjects; ``screened`` as of ``annotate.beside_released``."""
    majority, first = (int((screened[name] == screened["released"]).sum()) for name in ("code", "first"))
    conflicts, ties = int(screened["conflict"].sum()), int(screened["tie"].sum())
    moved = int((screened["group"] != screened["group_released"]).sum())
    words = {"subjects": len(screened), "first_clip": first, "conflicts": conflicts, "moved": moved}
    return majority, words | {
        "listed": f"{ties} of them a tie",
        "holds": max(majority, first) == len(screened),
    }


def mismatches() -> pd.DataFrame:
    """The counts of Tables I to III that are not those of the released labels: table, row, paper, kept, everyone.

    ``everyone`` also counts the clips labelled 'Others', which the study leaves out.
    """
    kept, everyone = (
        pd.concat(count_tables(clips), names=["table", "row"])
        for clips in (labels.released_clips(), labels.coded_clips())
    )
    table = kept.rename(columns={"ours": "kept"}).assign(everyone=everyone["ours"])
    table = table[~table["equal"]].drop(columns="equal").reset_index()
    return table.assign(table="Table " + table["table"].str.removeprefix("table_").str.upper())


def mapping_counts() -> pd.DataFrame:
    """The released labels under every mapping of ethnic labels to groups, a row per mapping, group and database.

    Columns mapping, group, database, clips, left_out (clips that the mapping leaves out), association (Cramér's V of
    database and group over the clips that stay).
    """
    complete, parts = len(labels.released_clips()), []
    for mapping in labels.ETHNIC_MAPPINGS:
        clips = labels.released_clips(mapping)
        counts = pd.crosstab(clips["group"], clips["database"])
        counts = counts.melt(ignore_index=False, value_name="clips").reset_index()
        v = cramers_v(clips, "database", "group", resamples=1).value
        parts.append(counts.assign(mapping=mapping, left_out=complete - len(clips), association=v))
    return pd.concat(parts, ignore_index=True)


def associations(clips: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Cramér's V of every pair of database, group and label, over all clips and within each database.

    Columns ``of`` (the pair), ``clips of`` ('all' or a database), ``clips``, ``V`` (an Estimate); pairs of which one
    has a single value there are left out.
    """
    rows = [
        {
            "of": f"{first} and {second}",
            "clips of": scope,
            "clips": len(part),
            "V": cramers_v(part, first, second, seed),
        }
        for first, second in (("database", "group"), ("database", "label"), ("group", "label"))
        for scope, part in {"all": clips, **dict(iter(clips.groupby("database")))}.items()
    ]
    return pd.DataFrame(rows).dropna(subset="V", ignore_index=True)


def composition(clips: pd.DataFrame) -> pd.DataFrame:
    """Clips (subjects) by database and group, one column a label, with the share of clips that have action units."""
    wide = _counted(clips.groupby([*_CELL, "label"])).unstack().reindex(columns=list(LABELS)).fillna("0 (0)")
    by = clips.groupby(_CELL)
    coded = by["action_units"].agg(lambda units: f"{(units != '').mean():.0%}")
    return wide.rename_axis(columns=None).assign(all=_counted(by), **{"with action units": coded})


def _counted(by: Any) -> pd.Series:
    """Clips (subjects) of every group of a ``groupby``."""
    return by.size().astype(str) + " (" + by["subject"].nunique().astype(str) + ")"


def card(seed: int = 0) -> dict[str, Any]:
    """The numbers of the data card about the released label table, by the name that its text gives them."""
    table, kept = labels.annotations(), labels.released_clips()
    per_subject = kept.groupby("subject").size().sort_values(ascending=False)
    half = 1 + (per_subject.cumsum() < len(kept) / 2).sum()  # subjects with half of the clips together
    least = cells(kept).query("clips > 0").sort_values("clips", kind="stable").iloc[0]
    return {
        "n_released": len(table),
        "n_released_subjects": table["subject"].nunique(),
        "n_kept": len(kept),
        "n_kept_subjects": kept["subject"].nunique(),
        "n_others": len(table) - len(kept),
        "least_most": f"{per_subject.min()} to {per_subject.max()}, median {per_subject.median():g}",
        "half": half,
        "rarest": "{clips} {label} of {subjects} subject(s) of group {group} in {database}".format(**least),
        "n_subjects_votes": len(labels.clip_codes()),
        "n_conflicts": len(labels.conflicting_subjects()),
        "v": cramers_v(kept, "database", "group", seed),
    }
