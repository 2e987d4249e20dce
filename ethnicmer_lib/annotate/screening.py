"""Screen an annotator's codes: one code a subject by a vote over its clips, with rules, corrections and a log."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from ethnicmer_lib.clips import label_tables, labels
from ethnicmer_lib.errors import StudyError

FAILED = ("", "Error")  #: the code of a clip in which the annotator saw no face
CORRECTION_COLUMNS = ("database", "subject", "code", "reason", "author")
SUBJECT = ["database", "subject"]
LOG_COLUMNS = ["database", "subject", "clip", "old", "new", "rule", "reason", "author"]


@dataclass(frozen=True)
class Rules:
    """How a subject's clips become one code; clips without one do not vote.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> em.Rules(vote="first").tie
    'first'
    """

    #: 'majority', the most frequent code; 'first', the code of the first clip that has one.
    vote: Literal["majority", "first"] = "majority"
    #: Of equally frequent codes 'first' takes the one that occurs first; 'none' gives none.
    tie: Literal["first", "none"] = "first"
    #: A subject whose clips have different codes is kept ('flag') or gets no code ('none').
    conflict: Literal["flag", "none"] = "flag"


@dataclass(frozen=True, eq=False)
class Screening:
    """The outcome of :func:`screen`."""

    #: One row a subject: database, subject, clips, failed, votes ('0 x 2, 4 x 1', most frequent first), share (of the
    #: votes for the code), conflict, tie, flagged (bool), code ('' where none), rule.
    subjects: pd.DataFrame
    #: Every clip whose code the screening changed or ignored, every subject that was left without a code, and every
    #: correction, in this order: :data:`LOG_COLUMNS`, text.
    log: pd.DataFrame


def released_codes() -> pd.DataFrame:
    """The annotator's codes of SAMM's clips in the released label table; of CASME II it holds none.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> em.released_codes().columns.tolist()
    ['database', 'subject', 'clip', 'code']
    """
    released = labels.annotations().rename(columns={"filename": "clip", "raw_race_code": "code"})
    released["database"] = [labels.database_name(name, "annotations.csv") for name in released["dataset"]]
    return released.loc[released["code"] != "", [*labels.CLIP_KEY, "code"]].reset_index(drop=True)


def screen(
    codes: pd.DataFrame, rules: Rules | None = None, corrections: pd.DataFrame | None = None
) -> Screening:
    """One code a subject, every decision logged.

    Parameters
    ----------
    codes : database, subject, clip, code, one row a clip; the order of a subject's clips counts for 'first'. The codes
        may be ethnic codes, or those of gender or age; '' or 'Error' where the annotator failed.
    rules : how votes are counted; default: majority, conflicts flagged.
    corrections : from :func:`read_corrections`; they have the last word. StudyError for a subject that has no clip.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> screened = em.screen(em.released_codes(), em.Rules(vote="majority", conflict="flag"))
    >>> int(screened.subjects["conflict"].sum())
    6
    """
    rules = rules or Rules()
    of_subject = codes.groupby(SUBJECT, sort=False)["code"]
    subjects = pd.DataFrame(
        [dict(zip(SUBJECT, key, strict=True)) | _vote(part, rules) for key, part in of_subject]
    )
    clips = codes.merge(subjects[[*SUBJECT, "code", "rule"]], on=SUBJECT, suffixes=("", "_new"))
    clips = clips[(clips["code_new"] != "") & (clips["code"] != clips["code_new"])]
    changed = clips.rename(columns={"code": "old", "code_new": "new"})
    changed["rule"] = changed["rule"].mask(changed["old"].isin(FAILED), "a failed clip does not vote")
    refused = subjects[subjects["code"] == ""].rename(columns={"voted": "old", "code": "new"}).assign(clip="")
    logs = [changed, refused]
    subjects = subjects.drop(columns="voted")
    if corrections is not None:
        subjects, corrected = _corrected(subjects, corrections)
        logs.append(corrected)
    log = pd.concat(logs, ignore_index=True).reindex(columns=LOG_COLUMNS)
    return Screening(subjects, log.astype(object).fillna("").astype("str"))


def _vote(codes: pd.Series, rules: Rules) -> dict[str, Any]:
    """What the clips of one subject say; ``voted`` is the code before rules refuse it."""
    given = codes[~codes.isin(FAILED)]
    votes = given.groupby(given, sort=False).size().sort_values(ascending=False, kind="stable")
    conflict = len(votes) > 1
    tie = conflict and bool(votes.iloc[0] == votes.iloc[1])
    voted = "" if given.empty else str(given.iloc[0] if rules.vote == "first" else votes.index[0])
    refusals = {
        "no clip has a code": not voted,
        "conflict=none": conflict and rules.conflict == "none",
        "tie=none": tie and rules.vote == "majority" and rules.tie == "none",
    }
    refused = next((rule for rule, applies in refusals.items() if applies), None)
    return {
        "clips": len(codes),
        "failed": len(codes) - len(given),
        "votes": ", ".join(f"{name} x {count}" for name, count in votes.items()),
        "share": votes[voted] / len(given) if voted else 0.0,
        "conflict": conflict,
        "tie": tie,
        "flagged": conflict or refused is not None,
        "code": "" if refused else voted,
        "rule": refused or f"vote={rules.vote}",
        "voted": voted,
    }


def _corrected(subjects: pd.DataFrame, corrections: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The subjects with their corrected codes, and what was corrected."""
    found = corrections.merge(subjects[[*SUBJECT, "code"]], on=SUBJECT, how="left", suffixes=("", "_old"))
    stray = found[found["code_old"].isna()]
    if len(stray):
        raise StudyError(
            f"correction of subject {'/'.join(stray[SUBJECT].iloc[0])}: no clip of this subject has been annotated; "
            "correct the subject, or delete the line"
        )
    log = found.rename(columns={"code_old": "old", "code": "new"}).assign(clip="", rule="correction")
    new = subjects[SUBJECT].merge(corrections, on=SUBJECT, how="left")
    rule = ("correction by " + new["author"]).fillna(subjects["rule"])
    return subjects.assign(code=new["code"].fillna(subjects["code"]), rule=rule), log


def read_corrections(path: Path) -> pd.DataFrame:
    """Read a reader's corrections: a CSV with the columns :data:`CORRECTION_COLUMNS`, one row a subject.

    StudyError for no such file, a missing column, an empty cell (a correction needs a reason and an author), an unknown
    code, database or subject, a subject given twice.
    """
    table = label_tables.read_csv(path, CORRECTION_COLUMNS, "corrections", "subject")
    unknown = table[~table["code"].isin(list(labels.RACE_CODES))]
    if len(unknown):
        codes = ", ".join(f"{code} {name}" for code, name in labels.RACE_CODES.items())
        row = unknown.iloc[0]
        raise StudyError(
            f"{path} line {row.name + 2} (subject {row['subject']}): code {row['code']!r} is none of {codes}"
        )
    table = label_tables.named(table, path)
    twice = table[table.duplicated(SUBJECT)]
    if len(twice):
        raise StudyError(f"{path}: subject {twice['subject'].iloc[0]} is corrected twice; keep one line")
    return table


def groups_table(codes: pd.DataFrame, screening: Screening) -> pd.DataFrame:
    """Groups as the paper makes them, ``labels.GROUP_COLUMNS``: the clips in ``codes`` whose subject has a code."""
    clips = codes[labels.CLIP_KEY].merge(screening.subjects[[*SUBJECT, "code"]], on=SUBJECT)
    clips = clips[clips["code"] != ""].reset_index(drop=True)
    code, group = labels.map_codes(clips["subject"], clips["code"], "paper")
    return clips[labels.CLIP_KEY].assign(ethnicity=code.map(dict(labels.RACE_CODES)), group=group)


def beside_released(screening: Screening) -> pd.DataFrame:
    """Subjects beside their code in the released table: the columns of ``screening.subjects``, ``first`` (the code of
    the first clip that has one), ``released``, and the groups of both codes, ``group`` and ``group_released``."""
    table = screening.subjects.copy()
    released = labels.annotations().drop_duplicates("subject").set_index("subject")["race_code"]
    table["released"] = table["subject"].map(released)
    first = screen(released_codes(), Rules(vote="first")).subjects.set_index("subject")["code"]
    table["first"] = table["subject"].map(first)
    for name, column in (("group", "code"), ("group_released", "released")):
        group = labels.map_codes(table["subject"], table[column], "paper")[1]
        table[name] = group.where(table[column] != "", "none")
    return table
