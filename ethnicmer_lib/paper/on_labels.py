"""Claims that the released labels and the printed tables decide: what they say, as keywords for ``judge``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ethnicmer_lib.clips.labels import BINARY, RACE_CODES, annotations, released_clips
from ethnicmer_lib.paper import released
from ethnicmer_lib.paper.counted import group_rules
from ethnicmer_lib.paper.facs import UnitClaim, shown, units_named
from ethnicmer_lib.paper.judging import cells
from ethnicmer_lib.paper.numbers import claims_file, paper_results, paper_tables, printed
from ethnicmer_lib.stats.association import cramers_v
from ethnicmer_lib.stats.means import bootstrap_mean


def label_claims(noise: list[str] | None = None) -> dict[str, Any]:
    """Every claim that needs no clips: key -> value and words.

    Parameters
    ----------
    noise : classifiers through which pure noise gives the printed Table IV; by default it is computed, in seconds.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> sorted(em.paper.label_claims(noise=[]))[:2]
    ['au12_universal', 'averages_iv']
    """
    found = _counts() | _sums() | _annotation() | _emotions() | _table_iv(noise) | _averages() | _units()
    return {key: (value, {"says": _said(key), **words}) for key, (value, words) in found.items()}


def _said(key: str) -> str:
    return next(
        (row["says"] for row in claims_file()["claims"] if key in (row["key"], *row.get("answers", ()))), ""
    )


def _counts() -> dict[str, Any]:
    """Tables I to III cell by cell, and how many subjects there are."""
    clips = released_clips()
    people = clips.groupby("ethnicity").agg(subjects=("subject", "nunique"), clips=("clip_id", "size"))
    emotions = clips.groupby("label").agg(clips=("clip_id", "size"))
    total = {"arm": "All subjects", "what": "subjects", "paper": paper_tables()["subjects"]["total"]["value"]}
    found = {"subjects_total": (clips["subject"].nunique(), total)}
    for table, counted in (("table_i", people), ("table_ii", people), ("table_iii", emotions)):
        found |= cells(table, counted)
    return found


def _sums() -> dict[str, Any]:
    people, by_ethnicity, by_emotion = (
        int(printed(f"table_{n}").to_numpy().sum()) for n in ("i", "ii", "iii")
    )
    named = paper_tables()["subjects"]["total"]["value"]
    printed_sums = {
        "by_ethnicity": by_ethnicity,
        "by_emotion": by_emotion,
        "holds": by_ethnicity == by_emotion,
    }
    return {
        "subjects_add_up": (None, {"total": people, "named": named, "holds": people == named}),
        "clips_add_up": (None, printed_sums),
    }


def _annotation() -> dict[str, Any]:
    """Who was given which label, how, and what two groups make of it."""
    table, clips = annotations(), released_clips()
    ethnic = sorted(set(table["race_code"].map(dict(RACE_CODES))))
    complete = int(((table["gender"] != "") & (table["age_bin"] != "")).sum())
    raw = table[table["raw_race_code"] != ""]
    first = (
        raw[raw["raw_race_code"] != "Error"].drop_duplicates("subject").set_index("subject")["raw_race_code"]
    )
    changed = raw[raw["race_code"] != raw["subject"].map(first)]
    by_rule = np.where(table["race_code"].astype(int) >= 2, "Asian", "Non-Asian") == table["mapped_label"]
    equal = f"all {len(table)}" if by_rule.all() else f"{by_rule.sum()} of {len(table)}"
    share = bootstrap_mean((clips["group"] == "Asian").to_numpy(float), clips["subject"])
    other = clips.loc[clips["group"] == "Non-Asian", "subject"].nunique()
    rows = [row["subjects"] for row in paper_tables()["subjects"]["rows"] if row["group"] == "Non-Asian"]
    named = paper_results()["protocol"]["prima_facie_subjects"]
    return {
        "five_categories": (None, {"n": len(ethnic), "listed": ", ".join(ethnic), "holds": len(ethnic) == 5}),
        "gender_and_age": (
            None,
            {"complete": complete, "clips": len(table), "holds": complete == len(table)},
        ),
        "screening_corrects": (
            None,
            {
                "subjects": raw["subject"].nunique(),
                "changed": changed["subject"].nunique(),
                "holds": len(changed) > 0,
            },
        ),
        "others_by_hand": (
            None,
            {
                "equal": equal,
                "subjects": table.loc[table["race_code"] == "4", "subject"].nunique(),
                "holds": not by_rule.all(),
            },
        ),
        "mapping_balances": (share, {"clips": len(clips), "holds": share.low <= 0.5 <= share.high}),
        "sixteen_subjects": (other, {"printed": " + ".join(map(str, rows)), "holds": other == named}),
        "universality": (
            cramers_v(clips, "database", "group"),
            {"database_rule": group_rules(clips)[0].value},
        ),
    }


def _emotions() -> dict[str, Any]:
    table, kept = annotations(), len(released_clips())
    others = int((table["mapped_emotion"] == "Other").sum())
    many = table.assign(emotion=table["emotion"].str.lower()).groupby("mapped_emotion")["emotion"].nunique()
    counted = {label.lower(): int(many[label]) for label in ("Positive", "Surprise", "Negative")}
    single = counted["positive"] == counted["surprise"] == 1 < counted["negative"]
    return {
        "others_left_out": (
            None, {"others": others, "clips": len(table), "kept": kept, "holds": others + kept == len(table)}
        ),
        "single_emotions": (None, counted | {"holds": single}),
    }  # fmt: skip


def _table_iv(noise: list[str] | None) -> dict[str, Any]:
    """What Table IV's own labels say: its draw, its balance, and what noise gives."""
    drawn, paper = released.draw(released.kept_clips()), printed("table_iv")
    shares = {name: float((rows["label"] == "Negative").mean()) for name, rows in drawn.items()}
    always = released.score({name: rows.assign(predicted="Negative") for name, rows in drawn.items()})
    rule, merged = (
        float(always.loc["Mixed", "macro"]),
        [label for label, two in BINARY.items() if two != "Negative"],
    )
    noise = released.equal_from_noise() if noise is None else noise
    columns = [column for column in paper if column != "macro"]
    return {
        "released_shares": (
            max(shares.values()) - min(shares.values()),
            {"shares": ", ".join(f"{name} {share:.0%}" for name, share in shares.items())},
        ),
        "balanced_labels": (rule, {"holds": rule < paper.loc["Mixed", "macro"]}),
        "smaller_classes": (
            None,
            {
                "classes": " and ".join(columns),
                "merged": " and ".join(merged),
                "holds": "Positive" in columns,
            },
        ),
        "random_forest": (None, {"equal": " and ".join(noise)}),
    }


def _averages() -> dict[str, Any]:
    """How far the printed averages are from the means of their rows."""
    found = {}
    for key, table in (("averages_iv", "table_iv"), ("averages_v", "table_v")):
        paper = printed(table)
        # Inputs are rounded to 4 decimals, so their mean is known to half a unit, and so is the printed one.
        off = float((paper.drop(columns="macro").mean(axis=1) - paper["macro"]).abs().max())
        found[key] = (None, {"rows": len(paper), "off": off, "holds": off <= 1e-4 + 1e-9})
    return found


def _units() -> dict[str, Any]:
    seen = shown(UnitClaim(12, False, "Positive", "Asian"), released_clips())
    return {
        "units_positive": units_named("Positive", (6, 12)),
        "units_surprise": units_named("Surprise", (1, 2, 5, 26)),
        "au12_universal": (None, {"seen": seen, "p": seen.p, "holds": seen.p > 0.05}),
    }
