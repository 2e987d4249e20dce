"""Do activation maps differ between the groups, and within one, as Figs 3-4 say? Families of tests, and claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ethnicmer_lib.networks.maps import MEASURES, TILT
from ethnicmer_lib.stats import Estimate, group_difference, holm, mean_against_zero

#: Key of a claim in ``paper/claims.yml`` -> label and measure of Figs 3-4.
CLAIMS = {
    "map_sides": ("Positive", "corner_sides"),
    "map_size": ("Positive", "area"),
    "map_height": ("Surprise", "height"),
}
#: Key of a claim on one group's Surprise (Fig. 4) -> which of :data:`PAIRS` it is of.
WITHIN = {"map_lower": 0, "map_upper": 1}
#: First minus second, as Section IV-C compares them.  Of simulated groups B is made like the paper's Non-Asian one:
#: whatever is planted is planted in it.
PAIRS = (("Non-Asian", "Asian"), ("B", "A"))


def first_and_second(table: pd.DataFrame) -> tuple[str, str]:
    """The two groups of ``table`` in the order of the paper's claims, by name; others than it knows as they sort."""
    found = tuple(sorted(table["group"].unique()))
    return next((pair for pair in PAIRS if set(pair) == set(found)), found)


def map_differences(measured: Mapping[str, pd.DataFrame], seed: int = 0) -> pd.DataFrame:
    """First group minus second in every measure of every table of :func:`measure_maps`: one family of tests.

    Measure by measure, so that a clip that lacks one counts for the others.  Columns: ``of``, the name of the table,
    label, measure, ``difference`` (an :class:`Estimate` over subjects, and over runs where a table has a ``seed``),
    ``p``, and ``p_holm`` over all rows.
    """
    rows = []
    for name, table in measured.items():
        first, _ = first_and_second(table)
        for measure in MEASURES:
            one = group_difference(table, [measure], by="label", seed=seed).assign(of=name)
            if first != min(table["group"]):
                one["difference"] = one["difference"].map(negative)
            rows.append(one)
    columns = ["of", "label", "measure", "difference", "p", "p_holm"]
    return holm(pd.concat(rows, ignore_index=True))[columns]


def tilts(measured: Mapping[str, pd.DataFrame], seed: int = 0) -> pd.DataFrame:
    """Is Surprise higher in the face than evenly spread, or lower, within each group?  One family of tests a table.

    :data:`TILT` of every table of :func:`measure_maps`, in the clips of the label Surprise.  A row for every group and
    table (``of``): clips, subjects, ``tilt`` (an :class:`Estimate` over subjects, and runs where there are), ``p``, and
    ``p_holm`` over the groups of its table; NaN where a group has fewer than two subjects.
    """
    families = []
    for name, table in measured.items():
        rows = []
        surprise = table[table["label"] == "Surprise"].dropna(subset=[TILT])
        for group in first_and_second(table):
            part = surprise[surprise["group"] == group]
            people = part["subject"].nunique()
            of_two = people > 1
            found, p = (
                mean_against_zero(part, TILT, seed=seed) if of_two else (Estimate(*[np.nan] * 3), np.nan)
            )
            about = {"group": group, "of": name, "clips": part["clip_id"].nunique(), "subjects": people}
            rows.append(about | {TILT: found, "p": p})
        families.append(holm(pd.DataFrame(rows)))
    return pd.concat(families, ignore_index=True)


def within_claims(measured: pd.DataFrame, tested: pd.DataFrame, of: str = "maps") -> dict[str, Any]:
    """What each claim of :data:`WITHIN` is judged by: maps, and all of :func:`tilts`, whose rows of ``of`` count."""
    rows = tested[tested["of"] == of].set_index("group")
    family, others = int(rows["p"].count()), tested[tested["of"] != of]
    claims: dict[str, Any] = {}
    for key, number in WITHIN.items():
        group = first_and_second(measured)[number]
        row = rows.loc[group]
        if np.isnan(row["p"]):
            claims[key] = f"The cohort has Surprise maps of fewer than two subjects in {group}"
            continue
        beside = [f"{one['of']} {one[TILT]}" for _, one in others[others["group"] == group].iterrows()]
        words = {name: row[name] for name in ("clips", "subjects", "p_holm")}
        words |= {"group": group, "family": family, "seeds": runs_of(measured), "beside": ", ".join(beside)}
        claims[key] = (row[TILT], words)
    return claims


def beside(tested: pd.DataFrame) -> pd.DataFrame:
    """:func:`map_differences`, a row for every label and measure, and the tables side by side: difference, p_holm."""
    wide = tested.set_index(["label", "measure", "of"])[["difference", "p_holm"]].unstack("of")
    names = [(column, of) for of in tested["of"].unique() for column in ("difference", "p_holm")]
    return wide[names].set_axis(
        [of if column == "difference" else f"{of}, adjusted p" for column, of in names], axis=1
    )


def negative(one: Estimate) -> Estimate:
    """The same difference the other way round."""
    return Estimate(-one.value, -one.high, -one.low)


def by_group(measured: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Mean of every column of ``names`` by label and group, with the numbers of clips and subjects."""
    cells = measured.groupby(["label", "group"])
    counts = cells.agg(clips=("clip_id", "nunique"), subjects=("subject", "nunique"))
    return counts.join(cells[names].mean())


def runs_of(measured: pd.DataFrame) -> int:
    """How many training runs a table of maps is of."""
    return measured["seed"].nunique() if "seed" in measured else 1


def map_claims(
    measured: pd.DataFrame, tested: pd.DataFrame, of: str = "maps"
) -> tuple[dict[str, str], dict[str, Any]]:
    """The names of the two groups, first and second, and what each claim on Figs 3-4 is judged by.

    ``measured`` are the maps as of :func:`measure_maps`, ``tested`` the whole family as of :func:`map_differences`, of
    which the rows of 'maps' are judged.
    """
    first, second = first_and_second(measured)
    rows, family = tested[tested["of"] == of].set_index(["label", "measure"]), int(tested["p"].count())
    groups = {"first": first, "second": second}
    claims: dict[str, Any] = {}
    for key, (label, measure) in CLAIMS.items():
        if (label, measure) not in rows.index or np.isnan(rows["p"][label, measure]):
            claims[key] = f"The cohort has {label} maps of fewer than two subjects in {first} or in {second}"
            continue
        part = measured[measured["label"] == label].assign(run=lambda table: table.get("seed", 0))
        mean = part.groupby(["run", "group"])[measure].mean().groupby("group").mean()
        words = {f"mean_{name}": mean[group] for name, group in groups.items()}
        words |= {"p_holm": rows["p_holm"][label, measure], "family": family, "seeds": runs_of(measured)}
        words |= {"meaning": MEASURES[measure].split(",")[0]}
        claims[key] = (rows["difference"][label, measure], words)
    return groups, claims
