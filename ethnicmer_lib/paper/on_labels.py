"""Claims that the released labels and the printed tables decide: what they say, as keywords for ``judge``."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from ethnicmer_lib.clips.labels import (
    BINARY,
    CASME2,
    GROUPS,
    RACE_CODES,
    annotations,
    clip_codes,
    conflicting_subjects,
    released_clips,
)
from ethnicmer_lib.paper import released
from ethnicmer_lib.paper.counted import group_rules
from ethnicmer_lib.paper.facs import coded, in_words, units_named
from ethnicmer_lib.paper.judging import cells, rules_of
from ethnicmer_lib.paper.numbers import printed, read_yaml
from ethnicmer_lib.stats.association import cramers_v
from ethnicmer_lib.stats.means import group_difference

#: Of whom a scenario's share is given.
_SHARES = {"label": "Negative", "database": CASME2}


def label_claims() -> dict[str, Any]:
    """Every claim that needs no clips: key -> value and words."""
    found = {key: (None, {}) for key, rule in rules_of("claims").items() if rule["rule"] == "open"}
    found |= _counts() | _ethnicity() | _screening() | _emotions() | _table_iv() | _table_v() | _units()
    found |= {"averages_iv": _averages("table_iv"), "averages_v": _averages("table_v"), **read_in_release()}
    found["random_forest"] = (None, {"equal": " and ".join(released.equal_from_noise())})
    claims = read_yaml("claims")["claims"]
    says = {key: row["says"] for row in claims for key in (row["key"], *row.get("answers", ()))}
    return {key: (value, {"says": says.get(key, ""), **words}) for key, (value, words) in found.items()}


def _whether(holds: bool, **words: Any) -> tuple[None, dict[str, Any]]:
    """What holds or not, in words alone."""
    return None, {**words, "holds": bool(holds)}


def _counts() -> dict[str, Any]:
    """Tables I to III cell by cell, how many subjects there are, and whether the printed counts add up."""
    clips, named = released_clips(), read_yaml("counts")["table_i"]["named"]
    words = {"arm": "All subjects", "what": "subjects", "paper": named}
    people = clips.groupby("ethnicity").agg(subjects=("subject", "nunique"), clips=("clip_id", "size"))
    emotions = clips.groupby("label").agg(clips=("clip_id", "size"))
    total, people_sum, emotion_sum = (int(printed(f"table_{n}").sum().item()) for n in ("i", "ii", "iii"))
    return {
        "subjects_total": (clips["subject"].nunique(), words),
        **cells("table_i", people),
        **cells("table_ii", people),
        **cells("table_iii", emotions),
        "subjects_add_up": _whether(total == named, total=total, named=named),
        "clips_add_up": _whether(people_sum == emotion_sum, by_ethnicity=people_sum, by_emotion=emotion_sum),
    }


def _ethnicity() -> dict[str, Any]:
    """Which labels there are, and what two groups make of them."""
    table, clips = annotations(), released_clips()
    ethnic = sorted(set(table["race_code"].map(dict(RACE_CODES))))
    by_rule = np.where(table["race_code"].astype(int) >= 2, "Asian", "Non-Asian") == table["mapped_label"]
    equal = f"all {len(table)}" if by_rule.all() else f"{by_rule.sum()} of {len(table)}"
    by_hand = table.loc[table["race_code"] == "4", "subject"].nunique()
    five, two = (clips[of].value_counts() for of in ("ethnicity", "group"))
    labels, groups = five.max() / five.min(), two.max() / two.min()
    other = clips.loc[clips["group"] == "Non-Asian", "subject"].nunique()
    rows = read_yaml("counts")["table_i"]["rows"]
    named = " + ".join(str(row["subjects"]) for row in rows if row["group"] == "Non-Asian")
    results = read_yaml("results")
    sixteen = other == results["protocol"]["prima_facie_subjects"]
    text, listed = results["named"]["asian"], [row["ethnicity"] for row in rows if row["group"] == "Asian"]
    includes = {"named": ", ".join(text), "listed": ", ".join(listed)}
    return {
        "five_categories": _whether(len(ethnic) == 5, n=len(ethnic), listed=", ".join(ethnic)),
        "others_by_hand": _whether(not by_rule.all(), equal=equal, subjects=by_hand),
        "asian_includes": _whether(set(text) == set(listed), **includes),
        "mapping_balances": (groups, {"five": labels, "n": len(five), "holds": groups < labels}),
        "sixteen_subjects": (other, {"printed": named, "holds": sixteen}),
        "universality": (cramers_v(clips, "database", "group"), {"database_rule": group_rules(clips)[0]}),
    }


def _screening() -> dict[str, Any]:
    """What else was written down, and whether screening changed it."""
    table = annotations()
    complete = int(((table["gender"] != "") & (table["age_bin"] != "")).sum())
    given, final = clip_codes(), table.groupby("subject")["race_code"].first()
    changed = sum(final[subject] not in set(codes) for subject, codes in given.items())
    words = {"subjects": len(given), "changed": changed, "conflicts": len(conflicting_subjects())}
    return {
        "gender_and_age": _whether(complete == len(table), complete=complete, clips=len(table)),
        "screening_corrects": _whether(changed > 0, **words),
    }


def _emotions() -> dict[str, Any]:
    table, clips = annotations(), released_clips()
    kept, fold = len(clips), rules_of("claims")["imbalance_iii"]["fold"]
    three, two = (of.value_counts() for of in (clips["label"], clips["label"].map(BINARY)))
    ratios = three.max() / three.min(), two.max() / two.min()
    imbalance = {"largest": three.max(), "smallest": three.min(), "holds": ratios[0] >= fold}
    others = int((table["mapped_emotion"] == "Other").sum())
    many = table["emotion"].str.lower().groupby(table["mapped_emotion"]).nunique()
    counted = {label.lower(): int(many[label]) for label in ("Positive", "Surprise", "Negative")}
    single = counted["positive"] == counted["surprise"] == 1 < counted["negative"]
    return {
        "others_left_out": _whether(others + kept == len(table), others=others, clips=len(table), kept=kept),
        "single_emotions": _whether(single, **counted),
        "imbalance_iii": (ratios[0], imbalance),
        "binary_balances": (ratios[1], {"three": ratios[0], "holds": ratios[1] < ratios[0]}),
    }


def _table_iv() -> dict[str, Any]:
    """Who and what was drawn for Table IV: subjects, their databases, labels and clips; and the classes that it has."""
    drawn = pd.concat(released.draw(released.kept_clips()), names=["arm"]).reset_index("arm")
    drawn["database"] = drawn["clip_id"].str.partition("/")[0]
    by, mixed = drawn.groupby("arm", sort=False), drawn[drawn["arm"] == "Mixed"]
    people = read_yaml("results")["protocol"]["prima_facie_subjects"]
    negative, first = (
        drawn[of].eq(one).groupby(drawn["arm"], sort=False).mean() for of, one in _SHARES.items()
    )
    words = {"shares": _shares(negative)}
    merged = " and ".join(label for label, two in BINARY.items() if two != "Negative")
    classes = [column for column in printed("table_iv") if column != "macro"]
    asian = int(mixed["group"].eq(GROUPS[0]).sum())
    half = {"asian": asian, "clips": len(mixed), "most": mixed["subject"].value_counts().max()}
    return {
        "released_shares": (np.ptp(negative), words),
        "balanced_labels": ((negative - 0.5).abs().max(), words),
        "domain_shift": (np.ptp(first), {"shares": _shares(first), "database": _SHARES["database"]}),
        "drawn_association": (cramers_v(drawn[drawn["arm"] != "Mixed"], "database", "group"), {}),
        "sixteen_drawn": _every(by["subject"].nunique(), people),
        "mixed_subjects": _every(mixed.groupby("group")["subject"].nunique(), people // 2),
        "mixed_clips": (asian / len(mixed) - 0.5, half),
        "cde_iv": _every(by["database"].nunique(), 2),
        "smaller_classes": _whether("Positive" in classes, classes=" and ".join(classes), merged=merged),
    }


def _shares(of: pd.Series) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in of.items())


def _every(counts: pd.Series, said: int) -> tuple[None, dict[str, Any]]:
    """Whether all counts are the one that is said."""
    listed = ", ".join(f"{name} {count}" for name, count in counts.items())
    return _whether(counts.eq(said).all(), listed=listed, printed=said)


def _table_v() -> dict[str, Any]:
    """What the printed rows of Table V say by themselves: the size of the gain, and how far rows are apart."""
    paper, named = printed("table_v"), read_yaml("results")["named"]["gain"]
    gain, plain = (
        paper.loc["dual_motion", "macro"] - paper.loc["resnet18", "macro"],
        paper.loc["resnet18", "macro"],
    )
    supports = released_clips()["label"].value_counts()
    right = {arm: clips_right(row, supports) for arm, row in paper.iterrows()}
    apart = np.diff(sorted(ways[0] for ways in right.values()))
    fewest = next(n for n in range(1, 99) if 2 * 0.5**n <= 0.05)  # all clips that differ speak for one row
    listed = ", ".join(f"{arm} {' or '.join(map(str, ways))}" for arm, ways in right.items())
    words = {"listed": listed, "clips": supports.sum(), "fewest": fewest, "holds": apart.min() >= fewest}
    return {
        "gain_points": (gain, {"paper": named, "relative": gain / plain}),
        "rows_order": (right["tinyvit"][0] - right["dual_motion"][0], words),
    }


def clips_right(row: pd.Series, supports: pd.Series) -> list[int]:
    """How many clips can be right in a confusion matrix that gives the printed F1 (4 decimals) of every class.

    F1 = 2 · right / (support + predicted), in integers. ``row`` and ``supports``, clips per class, are by class.
    """
    fits = [
        [
            (right, said)
            for right, said in product(range(clips + 1), range(supports.sum() + 1))
            if right <= said and round(2 * right / (clips + said), 4) == row[label]
        ]
        for label, clips in supports.items()
    ]
    totals = (np.sum(one, axis=0) for one in product(*fits))
    return sorted({int(right) for right, said in totals if said == supports.sum()})


def read_in_release() -> dict[str, Any]:
    """What was read in the release, of ``release.yml``; an entry of the protocol holds if it is the printed one."""
    protocol, found = read_yaml("results")["protocol"], {}
    for key, row in read_yaml("release")["claims"].items():
        holds = row["holds"] if "holds" in row else row["value"] == protocol[row["of"]]
        found[key] = _whether(holds, fact=row["fact"].format_map(row), file=row["file"])
    return found


def _averages(table: str) -> tuple[None, dict[str, Any]]:
    """How far the printed averages of a table are from the means of their rows."""
    paper = printed(table)
    # Inputs are rounded to 4 decimals, so their mean is known to half a unit, and so is the printed one.
    off = float((paper.drop(columns="macro").mean(axis=1) - paper["macro"]).abs().max())
    return _whether(off <= 1e-4 + 1e-9, rows=len(paper), off=off)


def _units() -> dict[str, Any]:
    """What the FACS codes say without a test of groups."""
    clips, smile = released_clips(), coded(released_clips(), 12, False, "Positive")
    lettered = clips[clips["action_units"].str.contains(r"\d[A-E]")]
    asian = lettered.loc[lettered["group"] == GROUPS[0], "label"]
    words = {
        "coded": len(lettered),
        "clips": len(clips),
        "listed": " and ".join(lettered["database"].unique()),
    }
    words |= {label.lower(): int((asian == label).sum()) for label in ("Positive", "Surprise")}
    difference = group_difference(smile, ["has"], "label")["difference"][0]
    same = {"seen": in_words(smile), "first": GROUPS[0], "second": GROUPS[1]}
    return {**units_named(), "intensity": (None, words), "au12_universal": (difference, same)}
