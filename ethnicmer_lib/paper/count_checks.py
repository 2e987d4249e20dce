"""Why counts differ: Tables I and II beside kept and all clips, groups under each mapping, pairwise association."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ethnicmer_lib.clips import labels
from ethnicmer_lib.paper.counts import TOTAL
from ethnicmer_lib.paper.numbers import paper_tables
from ethnicmer_lib.stats.association import cramers_v


def mismatches() -> pd.DataFrame:
    """Every count of Tables I to III beside the released labels: the kept clips, and all 415.

    Returns
    -------
    DataFrame with the columns table, row, paper, kept, everyone, equal (bool), explanation. ``everyone`` also
    counts the clips labelled 'Others', which the study leaves out; <NA> for Table III, which has no such row.
    The explanation is made of the counts.
    """
    kept, everyone = labels.released_clips(), labels.released_groups()
    paper = paper_tables()
    rows = []
    lost = sorted(set(everyone["subject"]) - set(kept["subject"]))
    ethnicity = everyone.drop_duplicates("subject").set_index("subject")["ethnicity"]
    for entry in paper["subjects"]["rows"]:
        name = entry["ethnicity"]
        ours, there = (
            frame.loc[frame["ethnicity"] == name, "subject"].nunique() for frame in (kept, everyone)
        )
        gone = [subject for subject in lost if ethnicity[subject] == name]
        rows.append(("Table I", name, entry["subjects"], ours, there, _subjects_note(gone)))
    total = paper["subjects"]["total"]["value"]
    rows.append(
        (
            "Table I",
            TOTAL,
            total,
            kept["subject"].nunique(),
            everyone["subject"].nunique(),
            _subjects_note(lost),
        )
    )
    printed = sum(entry["clips"] for entry in paper["emotions"]["rows"])
    agrees = f"Table III prints {printed} clips in all." if printed == len(kept) else ""
    for entry in paper["clips"]["rows"]:
        ours, there = (int((frame["ethnicity"] == entry["ethnicity"]).sum()) for frame in (kept, everyone))
        rows.append(("Table II", entry["ethnicity"], entry["clips"], ours, there, agrees))
    total = sum(entry["clips"] for entry in paper["clips"]["rows"])
    rows.append(("Table II", TOTAL, total, len(kept), len(everyone), agrees))
    for entry in paper["emotions"]["rows"]:
        ours = int((kept["label"] == entry["label"]).sum())
        rows.append(("Table III", entry["label"], entry["clips"], ours, pd.NA, ""))
    rows.append(("Table III", TOTAL, printed, len(kept), pd.NA, ""))
    table = pd.DataFrame(rows, columns=["table", "row", "paper", "kept", "everyone", "note"])
    table = table.astype(dict.fromkeys(("paper", "kept", "everyone"), "Int64"))
    table["equal"] = (table["paper"] == table["kept"]).astype(bool)
    table["explanation"] = [_explain(row) for row in table.itertuples()]
    return table.drop(columns="note")


def _subjects_note(gone: list[str]) -> str:
    if not gone:
        return ""
    one = len(gone) == 1
    return f"{' and '.join(gone)} {'has' if one else 'have'} only clips labelled Others, which the study leaves out."


def _explain(row) -> str:
    if row.equal:
        return ""
    parts = [f"Printed is {_than(row.paper - row.kept)} the kept clips give"]
    if row.everyone is not pd.NA:
        parts[0] += (
            ", as many as all clips give"
            if row.paper == row.everyone
            else f" and {_than(row.paper - row.everyone)}"
        )
        parts[0] += "" if row.paper == row.everyone else " all clips give"
    return " ".join([parts[0] + ".", row.note]).strip()


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
    rows = []
    for mapping, meaning in labels.ETHNIC_MAPPINGS.items():
        clips = labels.released_clips(mapping)
        v = cramers_v(clips, "database", "group", resamples=1)
        counted = clips.groupby(["group", "database"]).agg(
            clips=("clip_id", "size"), subjects=("subject", "nunique")
        )
        index = pd.MultiIndex.from_product(
            [labels.GROUPS, [labels.CASME2, labels.SAMM]], names=["group", "database"]
        )
        for (group, database), count in counted.reindex(index, fill_value=0).iterrows():
            rows.append(
                {
                    "mapping": mapping,
                    "meaning": meaning,
                    "group": group,
                    "database": database,
                    "clips": int(count["clips"]),
                    "subjects": int(count["subjects"]),
                    "left_out": complete - len(clips),
                    "association": np.nan if v is None else v.value,
                }
            )
    return pd.DataFrame(rows)


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
