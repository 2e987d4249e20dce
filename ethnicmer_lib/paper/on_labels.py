"""Claims that the released labels and the printed tables decide: what they say, as keywords for ``judge``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ethnicmer_lib.clips.labels import BINARY, RACE_CODES, annotations, released_clips
from ethnicmer_lib.paper import released
from ethnicmer_lib.paper.counted import group_rules
from ethnicmer_lib.paper.facs import in_words, shown, units_named
from ethnicmer_lib.paper.judging import cells
from ethnicmer_lib.paper.numbers import printed, read_yaml
from ethnicmer_lib.stats.association import cramers_v
from ethnicmer_lib.stats.means import bootstrap_mean


def label_claims() -> dict[str, Any]:
    """Every claim that needs no clips: key -> value and words."""
    found = _counts() | _ethnicity() | _screening() | _emotions() | _table_iv() | _units()
    found |= {"averages_iv": _averages("table_iv"), "averages_v": _averages("table_v")}
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
    share = bootstrap_mean((clips["group"] == "Asian").to_numpy(float), clips["subject"])
    other = clips.loc[clips["group"] == "Non-Asian", "subject"].nunique()
    rows = read_yaml("counts")["table_i"]["rows"]
    named = " + ".join(str(row["subjects"]) for row in rows if row["group"] == "Non-Asian")
    sixteen = other == read_yaml("results")["protocol"]["prima_facie_subjects"]
    return {
        "five_categories": _whether(len(ethnic) == 5, n=len(ethnic), listed=", ".join(ethnic)),
        "others_by_hand": _whether(not by_rule.all(), equal=equal, subjects=by_hand),
        "mapping_balances": (share, {"clips": len(clips), "holds": share.low <= 0.5 <= share.high}),
        "sixteen_subjects": (other, {"printed": named, "holds": sixteen}),
        "universality": (cramers_v(clips, "database", "group"), {"database_rule": group_rules(clips)[0]}),
    }


def _screening() -> dict[str, Any]:
    """What else was written down, and whether screening changed it."""
    table = annotations()
    complete = int(((table["gender"] != "") & (table["age_bin"] != "")).sum())
    raw = table[table["raw_race_code"] != ""]
    first = raw[raw["raw_race_code"] != "Error"].groupby("subject")["raw_race_code"].first()
    changed = raw.loc[raw["race_code"] != raw["subject"].map(first), "subject"].nunique()
    return {
        "gender_and_age": _whether(complete == len(table), complete=complete, clips=len(table)),
        "screening_corrects": _whether(changed > 0, subjects=raw["subject"].nunique(), changed=changed),
    }


def _emotions() -> dict[str, Any]:
    table, kept = annotations(), len(released_clips())
    others = int((table["mapped_emotion"] == "Other").sum())
    many = table["emotion"].str.lower().groupby(table["mapped_emotion"]).nunique()
    counted = {label.lower(): int(many[label]) for label in ("Positive", "Surprise", "Negative")}
    single = counted["positive"] == counted["surprise"] == 1 < counted["negative"]
    return {
        "others_left_out": _whether(others + kept == len(table), others=others, clips=len(table), kept=kept),
        "single_emotions": _whether(single, **counted),
    }


def _table_iv() -> dict[str, Any]:
    """What Table IV's own labels say: its draw and its balance."""
    drawn, paper = released.draw(released.kept_clips()), printed("table_iv")
    shares = {name: float((rows["label"] == "Negative").mean()) for name, rows in drawn.items()}
    listed = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    always = released.score({"Mixed": drawn["Mixed"].assign(predicted="Negative")})
    rule = float(always.loc["Mixed", "macro"])
    merged = " and ".join(label for label, two in BINARY.items() if two != "Negative")
    classes = [column for column in paper if column != "macro"]
    return {
        "released_shares": (max(shares.values()) - min(shares.values()), {"shares": listed}),
        "balanced_labels": (rule, {"holds": rule < paper.loc["Mixed", "macro"]}),
        "smaller_classes": _whether("Positive" in classes, classes=" and ".join(classes), merged=merged),
    }


def _averages(table: str) -> tuple[None, dict[str, Any]]:
    """How far the printed averages of a table are from the means of their rows."""
    paper = printed(table)
    # Inputs are rounded to 4 decimals, so their mean is known to half a unit, and so is the printed one.
    off = float((paper.drop(columns="macro").mean(axis=1) - paper["macro"]).abs().max())
    return _whether(off <= 1e-4 + 1e-9, rows=len(paper), off=off)


def _units() -> dict[str, Any]:
    seen, p = in_words(shown(released_clips(), 12, False, "Positive"))
    return {
        "units_positive": units_named("Positive", (6, 12)),
        "units_surprise": units_named("Surprise", (1, 2, 5, 26)),
        "au12_universal": _whether(p > 0.05, seen=seen, p=p),
    }
