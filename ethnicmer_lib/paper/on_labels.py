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


def label_claims() -> dict[str, Any]:
    """Every claim that needs no clips: key -> value and words."""
    found = {key: (None, {}) for key, rule in rules_of("claims").items() if rule["rule"] == "open"}
    found |= (
        _counts() | _ethnicity() | _screening() | _emotions() | _table_iv() | _draw() | _table_v() | _units()
    )
    found |= {"averages_iv": _averages("table_iv"), "averages_v": _averages("table_v"), **_read()}
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
    """What Table IV's own labels say: the balance of its draw, and its classes."""
    drawn, paper = released.draw(released.kept_clips()), printed("table_iv")
    shares = {name: float((rows["label"] == "Negative").mean()) for name, rows in drawn.items()}
    words = {"shares": _shares(shares)}
    merged = " and ".join(label for label, two in BINARY.items() if two != "Negative")
    classes = [column for column in paper if column != "macro"]
    return {
        "released_shares": (max(shares.values()) - min(shares.values()), words),
        "balanced_labels": (max(abs(share - 0.5) for share in shares.values()), words),
        "smaller_classes": _whether("Positive" in classes, classes=" and ".join(classes), merged=merged),
    }


def _draw() -> dict[str, Any]:
    """Who and what was drawn for Table IV: subjects, their databases, and whose clips."""
    drawn = released.draw(released.kept_clips())
    drawn = {
        name: rows.assign(database=rows["clip_id"].str.partition("/")[0]) for name, rows in drawn.items()
    }
    mixed, people = drawn["Mixed"], read_yaml("results")["protocol"]["prima_facie_subjects"]
    subjects = {name: rows["subject"].nunique() for name, rows in drawn.items()}
    of_mixed = mixed.groupby("group")["subject"].nunique().to_dict()
    shares = {name: float((rows["database"] == CASME2).mean()) for name, rows in drawn.items()}
    databases = {name: rows["database"].nunique() for name, rows in drawn.items()}
    mono = pd.concat([rows for name, rows in drawn.items() if name != "Mixed"])
    asian, most = int((mixed["group"] == GROUPS[0]).sum()), mixed["subject"].value_counts().max()
    half = {"asian": asian, "clips": len(mixed), "most": most}
    return {
        "domain_shift": (
            max(shares.values()) - min(shares.values()),
            {"database": CASME2, "shares": _shares(shares)},
        ),
        "drawn_association": (cramers_v(mono, "database", "group"), {}),
        "sixteen_drawn": _every(subjects, people),
        "mixed_subjects": _every(of_mixed, people // 2),
        "mixed_clips": (asian / len(mixed) - 0.5, half),
        "cde_iv": _every(databases, 2),
    }


def _shares(of: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in of.items())


def _every(counts: dict[str, int], said: int) -> tuple[None, dict[str, Any]]:
    """Whether all counts are the one that is said."""
    listed = ", ".join(f"{name} {count}" for name, count in counts.items())
    return _whether(set(counts.values()) == {said}, listed=listed, printed=said)


def _table_v() -> dict[str, Any]:
    """What the printed rows of Table V say by themselves: the size of the gain, and how far rows are apart."""
    paper, named = printed("table_v"), read_yaml("results")["named"]["gain"]
    gain = paper.loc["dual_motion", "macro"] - paper.loc["resnet18", "macro"]
    supports = released_clips()["label"].value_counts()
    right = {arm: clips_right(row, supports) for arm, row in paper.iterrows()}
    apart = -np.diff(sorted((least for least, _ in right.values()), reverse=True))
    fewest = next(n for n in range(1, 99) if 2 * 0.5**n <= 0.05)  # all clips that differ speak for one row
    said = ", ".join(
        f"{arm} {least}" if least == most else f"{arm} {least} to {most}"
        for arm, (least, most) in right.items()
    )
    words = {"listed": said, "clips": supports.sum(), "fewest": fewest, "holds": apart.min() >= fewest}
    return {
        "gain_points": (gain, {"paper": named, "relative": gain / paper.loc["resnet18", "macro"]}),
        "rows_order": (right["tinyvit"][0] - right["dual_motion"][0], words),
    }


def clips_right(row: pd.Series, supports: pd.Series) -> tuple[int, int]:
    """Fewest and most clips that are right in a confusion matrix that gives the printed F1 (4 decimals) of every class.

    F1 = 2 · right / (support + predicted), in integers. ``row`` and ``supports``, clips per class, are by class.
    """
    total = int(supports.sum())
    fits = [
        [
            (right, said)
            for right in range(clips + 1)
            for said in range(right, total - clips + right + 1)
            if round(2 * right / (clips + said), 4) == row[label]
        ]
        for label, clips in supports.items()
    ]
    found = [
        sum(right for right, _ in one) for one in product(*fits) if sum(said for _, said in one) == total
    ]
    return min(found), max(found)


def _read() -> dict[str, Any]:
    """What was read in the release, of ``release.yml``; an entry of the protocol holds if it is the printed one."""
    protocol = read_yaml("results")["protocol"]
    return {
        key: (
            None,
            {
                "holds": row.get("value") == protocol.get(row.get("of")),
                **row,
                "fact": row["fact"].format_map(row),
            },
        )
        for key, row in read_yaml("release")["claims"].items()
    }


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
    words = {
        "coded": len(lettered),
        "clips": len(clips),
        "listed": " and ".join(lettered["database"].unique()),
    }
    first, second = GROUPS
    return {
        **units_named(),
        "intensity": (None, words),
        "au12_universal": (
            group_difference(smile, ["has"], "label")["difference"][0],
            {"seen": in_words(smile), "first": first, "second": second},
        ),
    }
