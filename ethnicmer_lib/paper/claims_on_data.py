"""Claims on who is in the data, on labels and on Action Units: one measurement for every such sentence of the paper."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np

from ethnicmer_lib.clips.facs import read_code
from ethnicmer_lib.clips.labels import RACE_CODES, annotations, released_clips
from ethnicmer_lib.paper import facs_claims
from ethnicmer_lib.paper.claim_evidence import (
    DESCRIBED,
    NOT_HERE,
    OURS,
    RELEASED,
    Evidence,
    Measure,
    Measured,
    exactly,
    finding,
    untested,
)
from ethnicmer_lib.paper.findings import Finding, judge_effect
from ethnicmer_lib.paper.numbers import paper_results, paper_tables
from ethnicmer_lib.stats.bootstrap import bootstrap_mean


def subjects_add_up(e: Evidence, says: str) -> list[Measured]:
    table = paper_tables()["subjects"]
    total, named = sum(row["subjects"] for row in table["rows"]), table["total"]["value"]
    return exactly(
        e, says, f"The rows add up to {total}; the text says {named}.", total == named, "Printed numbers."
    )


def clips_add_up(e: Evidence, says: str) -> list[Measured]:
    by_ethnicity, by_emotion = (
        sum(row["clips"] for row in paper_tables()[name]["rows"]) for name in ("clips", "emotions")
    )
    return exactly(
        e,
        says,
        f"Table II holds {by_ethnicity} clips, Table III {by_emotion}.",
        by_ethnicity == by_emotion,
        "Sums of the printed numbers.",
    )


def five_categories(e: Evidence, says: str) -> list[Measured]:
    found = sorted(set(annotations()["race_code"].map(dict(RACE_CODES))))
    return exactly(
        e, says, f"The released table has {len(found)}: {', '.join(found)}.", len(found) == 5, "Counted."
    )


def gender_and_age(e: Evidence, says: str) -> list[Measured]:
    table = annotations()
    complete = int(((table["gender"] != "") & (table["age_bin"] != "")).sum())
    return exactly(
        e,
        says,
        f"{complete} of {len(table)} clips of the released table have both.",
        complete == len(table),
        "Counted.",
    )


def screening_corrects(e: Evidence, says: str) -> list[Measured]:
    table = annotations()
    raw = table[table["raw_race_code"] != ""]
    first = (
        raw[raw["raw_race_code"] != "Error"].drop_duplicates("subject").set_index("subject")["raw_race_code"]
    )
    changed = raw[raw["race_code"] != raw["subject"].map(first)]
    verdict = "not supported" if changed.empty else "reproduced"
    answer = (
        f"Of {raw['subject'].nunique()} subjects with raw codes in the release, "
        f"{changed['subject'].nunique()} have another code than that of their first annotated clip; the final table "
        "has one code a subject where clips disagree."
    )
    rule = "reproduced if a final code differs from the annotator's for the subject's first clip, else not supported."
    return [Measured(RELEASED, e.labels_source, finding(says, answer, verdict, rule))]


def others_by_hand(e: Evidence, says: str) -> list[Measured]:
    table = annotations()
    by_rule = np.where(table["race_code"].astype(int) >= 2, "Asian", "Non-Asian")
    equal = bool((by_rule == table["mapped_label"]).all())
    subjects = table.loc[table["race_code"] == "4", "subject"].nunique()
    return [
        Measured(
            RELEASED,
            e.labels_source,
            finding(
                says,
                f"'A code of 2 or more is Asian' gives the mapped label of all {len(table)} clips, those of the "
                f"{subjects} subjects in Others among them."
                if equal
                else "The rule on codes does not give every label.",
                "not supported" if equal else "reproduced",
                "not supported if one rule on the code gives every mapped label: the release then holds no trace of a "
                "decision by hand, which does not exclude that there was one.",
            ),
        )
    ]


def mapping_balances(e: Evidence, says: str) -> list[Measured]:
    clips = released_clips()
    e_share = bootstrap_mean((clips["group"] == "Asian").to_numpy(float), clips["subject"])
    balanced = e_share.low <= 0.5 <= e_share.high
    return [
        Measured(
            OURS,
            e.labels_source,
            Finding(
                "claims",
                says,
                f"Asian: {e_share.value:.0%} of {len(clips)} clips.",
                *e_share,
                "not supported" if balanced else "contradicted",
                "contradicted if the whole interval of the share is on one side of one half.",
            ),
        )
    ]


def others_left_out(e: Evidence, says: str) -> list[Measured]:
    kept, table = released_clips(), annotations()
    others = int((table["mapped_emotion"] == "Other").sum())
    return exactly(
        e,
        says,
        f"{others} of {len(table)} clips are Others; {len(kept)} are kept.",
        others + len(kept) == len(table),
        "Counted.",
    )


def single_emotions(e: Evidence, says: str) -> list[Measured]:
    table = annotations()
    many = table.assign(emotion=table["emotion"].str.lower()).groupby("mapped_emotion")["emotion"].nunique()
    holds = many["Positive"] == many["Surprise"] == 1 < many["Negative"]
    return exactly(
        e,
        says,
        f"Emotions: Positive {many['Positive']}, Surprise {many['Surprise']}, Negative {many['Negative']}.",
        holds,
        "Counted in the released table.",
    )


def duration(e: Evidence, says: str) -> list[Measured]:
    return untested(
        says,
        "Onset and offset of the real clips stand in the licensed coding files, not in the released table.",
    )


def sixteen_subjects(e: Evidence, says: str) -> list[Measured]:
    clips = released_clips()
    found = clips.loc[clips["group"] == "Non-Asian", "subject"].nunique()
    named = paper_results()["protocol"]["prima_facie_subjects"]
    verdict = "reproduced" if found == named else "not reproduced"
    answer = (
        f"{found} Non-Asian subjects have kept clips, which Table I prints too (15 + 2)."
        if found == _printed_non_asian()
        else f"{found} Non-Asian subjects have kept clips."
    )
    return [
        Measured(
            OURS,
            e.labels_source,
            finding(says, answer, verdict, "Counted in the released table.", float(found)),
        )
    ]


def _printed_non_asian() -> int:
    return sum(row["subjects"] for row in paper_tables()["subjects"]["rows"] if row["group"] == "Non-Asian")


def units_positive(e: Evidence, says: str) -> list[Measured]:
    return _named(e, says, "Positive", (6, 12))


def units_surprise(e: Evidence, says: str) -> list[Measured]:
    return _named(e, says, "Surprise", (1, 2, 5, 26))


def _named(e: Evidence, says: str, label: str, units: tuple[int, ...]) -> list[Measured]:
    clips = released_clips()
    clips = clips[clips["label"] == label]
    codes = [read_code(re.sub(r"\bor\b", "+", text)) for text in clips["action_units"]]
    hits = np.array([any(unit in code for unit in units) for code in codes], dtype=float)
    share = bootstrap_mean(hits, clips["subject"])
    names = " or ".join(f"AU{unit}" for unit in units)
    finding = Finding(
        "claims",
        says,
        f"{names} is in the FACS code of {hits.sum():.0f} of {len(hits)} clips.",
        *share,
        judge_effect(share.low - 0.5, share.high - 0.5, 1),
        "reproduced if more than half of the clips name one of them, with the whole interval over subjects.",
    )
    return [Measured(OURS, e.labels_source, finding)]


def _unit(key: str) -> Callable[[Evidence, str], list[Measured]]:
    place = [claim.key for claim in facs_claims.CLAIMS].index(key)

    def measure(e: Evidence, says: str) -> list[Measured]:
        return [Measured(OURS, e.labels_source, e.audit.findings()[2 + place])]

    return measure


def au12_universal(e: Evidence, says: str) -> list[Measured]:
    claim = facs_claims.UnitClaim("au12_both", 12, False, "Positive", "Asian")
    seen = facs_claims.shown(claim)
    return [
        Measured(
            OURS,
            e.labels_source,
            finding(
                says,
                f"FACS codes of Positive with AU12: {seen} (Fisher p = {seen.p:.3f}).",
                "not supported" if seen.p > 0.05 else "contradicted",
                "contradicted if the shares differ (p of 0.05 or less); equal shares would take more subjects to "
                "show, so without a difference it is not supported.",
            ),
        )
    ]


def universality(e: Evidence, says: str) -> list[Measured]:
    v, rule = e.tables.association, e.tables.database_rule
    return [
        Measured(
            DESCRIBED,
            e.labels_source,
            Finding(
                "claims",
                says,
                f"Cramér's V of group and database {v}; the database alone tells the group of {rule.value:.0%} of "
                "the clips.",
                *v,
                NOT_HERE,
                "With two laboratories that recorded different groups, a difference between groups cannot be told from "
                "one between laboratories.",
            ),
        )
    ]


#: Key of a claim in ``data/claims.yml`` -> its measurement.
MEASURES: Mapping[str, Measure] = {
    function.__name__: function
    for function in (
        subjects_add_up,
        clips_add_up,
        five_categories,
        gender_and_age,
        screening_corrects,
        others_by_hand,
        mapping_balances,
        others_left_out,
        single_emotions,
        duration,
        sixteen_subjects,
        units_positive,
        units_surprise,
        au12_universal,
        universality,
    )
} | {
    "one_sided_smile": _unit("au12"),
    "au26_surprise": _unit("au26"),
    "au1_surprise": _unit("au1"),
    "au2_surprise": _unit("au2"),
    "au5_surprise": _unit("au5"),
}
