"""Screen an annotator's codes: one code a subject by a vote over its clips, with rules, corrections and a log."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import pandas as pd

from ethnicmer_lib.clips import label_tables, labels
from ethnicmer_lib.errors import StudyError

#: Columns of a table of codes, one row a clip. ``code`` is '' or 'Error' where the annotator failed.
CODE_COLUMNS = ("database", "subject", "clip", "code")
FAILED = frozenset({"", "Error"})
CORRECTION_COLUMNS = ("database", "subject", "code", "reason", "author")
SUBJECT = ["database", "subject"]


@dataclass(frozen=True)
class Rules:
    """How a subject's clips become one code.

    Attributes
    ----------
    vote : 'majority', the most frequent code; 'first', the code of the first clip that has one.
    tie : of equally frequent codes 'first' takes the one that occurs first; 'none' gives none.
    conflict : a subject whose clips have different codes is kept ('flag') or gets no code ('none').
    failed : clips without a code do not vote ('skip'), or leave their subject without one ('none').
    least : smallest share of the votes that a majority needs, 0..1; below it there is no code.

    A subject without a code is left out of :func:`groups_table` unless a correction gives it one.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> em.Rules(vote="first").tie
    'first'
    """

    vote: Literal["majority", "first"] = "majority"
    tie: Literal["first", "none"] = "first"
    conflict: Literal["flag", "none"] = "flag"
    failed: Literal["skip", "none"] = "skip"
    least: float = 0.0


class Change(NamedTuple):
    """One row of the log: a clip or subject, what happened to its code, by which rule, why and by whom."""

    database: str
    subject: str
    clip: str
    old: str
    new: str
    rule: str
    reason: str = ""
    author: str = ""


@dataclass(frozen=True, eq=False)
class Screening:
    """The outcome of :func:`screen`.

    Attributes
    ----------
    subjects : one row a subject: database, subject, clips, failed, votes ('0 x 2, 4 x 1', most frequent first),
        share (of the votes for the code), conflict, tie, flagged (bool), code ('' where none), rule.
    log : every clip whose code the screening changed or ignored, and every subject that was left without a
        code or corrected: the fields of :class:`Change`.
    """

    subjects: pd.DataFrame
    log: pd.DataFrame


def released_codes() -> pd.DataFrame:
    """The annotator's codes of SAMM's clips in the released label table; of CASME II it holds none.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> em.released_codes().columns.tolist()
    ['database', 'subject', 'clip', 'code']
    """
    released = labels.annotations()
    released = released[released["raw_race_code"] != ""]
    return pd.DataFrame(
        {
            "database": [labels.database_name(name, "annotations.csv") for name in released["dataset"]],
            "subject": released["subject"],
            "clip": released["filename"],
            "code": released["raw_race_code"],
        }
    ).reset_index(drop=True)


def codes_of(records: pd.DataFrame, column: str = "race_code") -> pd.DataFrame:
    """An annotator's records (``annotation_records``) as a table of codes; '' where no face was found.

    Parameters
    ----------
    column : 'race_code', or 'gender' or 'age' to screen those.
    """
    code = records[column].astype(str).mask(records["failed"].astype(bool), "")
    return records[labels.CLIP_KEY].assign(code=code)


def screen(
    codes: pd.DataFrame, rules: Rules | None = None, corrections: pd.DataFrame | None = None
) -> Screening:
    """One code a subject, every decision logged.

    Parameters
    ----------
    codes : columns :data:`CODE_COLUMNS`, text; the order of a subject's clips counts for 'first'. The codes may
        be ethnic codes, or those of gender or age.
    rules : how votes are counted; default: majority, conflicts flagged.
    corrections : from :func:`read_corrections`; they have the last word.

    Raises
    ------
    StudyError
        A missing column, a clip twice, or a correction of a subject that has no clip.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> screened = em.screen(em.released_codes(), em.Rules(vote="majority", conflict="flag"))
    >>> int(screened.subjects["conflict"].sum())
    6
    """
    rules = rules or Rules()
    missing = [name for name in CODE_COLUMNS if name not in codes]
    if missing:
        raise StudyError(f"table of codes lacks the columns {missing}; needed: {', '.join(CODE_COLUMNS)}")
    if not 0 <= rules.least <= 1:
        raise StudyError(f"least={rules.least} is no share of votes; give a number from 0 to 1")
    twice = codes[codes.duplicated(labels.CLIP_KEY)]
    if len(twice):
        raise StudyError(f"clip {labels.clip_ids(twice).iloc[0]} has two codes; keep one row of it")
    log: list[Change] = []
    rows = [
        _subject(database, subject, clips, rules, log)
        for (database, subject), clips in codes.groupby(SUBJECT, sort=False)
    ]
    subjects = pd.DataFrame(rows)
    if corrections is not None:
        _correct(subjects, corrections, log)
    return Screening(subjects, pd.DataFrame(log, columns=list(Change._fields), dtype=str))


def _subject(database: str, subject: str, clips: pd.DataFrame, rules: Rules, log: list[Change]) -> dict:
    """One subject's row; clips that do not have the subject's code go to the log."""
    given = [code for code in clips["code"] if code not in FAILED]
    failed = len(clips) - len(given)
    votes = Counter(given).most_common()  # equal ones in the order of first occurrence
    tie = len(votes) > 1 and votes[0][1] == votes[1][1]
    conflict = len(votes) > 1
    code = (given[0] if rules.vote == "first" else votes[0][0]) if votes else ""
    share = dict(votes).get(code, 0) / len(given) if given else 0.0
    rule = f"vote={rules.vote}"
    refusals = {
        "no clip has a code": not votes,
        "failed=none": failed and rules.failed == "none",
        "conflict=none": conflict and rules.conflict == "none",
        "tie=none": tie and rules.vote == "majority" and rules.tie == "none",
        f"least={rules.least:g}": rules.vote == "majority" and share < rules.least,
    }
    refused = [name for name, applies in refusals.items() if applies]
    if refused:
        rule = refused[0]
        log.append(Change(database, subject, "", code, "", rule))
        code = ""
    if code:
        for clip, old in zip(clips["clip"], clips["code"], strict=True):
            if old != code:
                name = "failed=skip" if old in FAILED else rule
                log.append(Change(database, subject, clip, old, code, name))
    return {
        "database": database,
        "subject": subject,
        "clips": len(clips),
        "failed": failed,
        "votes": ", ".join(f"{name} x {count}" for name, count in votes),
        "share": share,
        "conflict": conflict,
        "tie": tie,
        "flagged": bool(conflict or refused),
        "code": code,
        "rule": rule,
    }


def _correct(subjects: pd.DataFrame, corrections: pd.DataFrame, log: list[Change]) -> None:
    place = {key: i for i, key in enumerate(zip(subjects["database"], subjects["subject"], strict=True))}
    for row in corrections.itertuples(index=False):
        if (row.database, row.subject) not in place:
            raise StudyError(
                f"correction of subject {row.database}/{row.subject}: no clip of this subject has been annotated; "
                "correct the subject, or delete the line"
            )
        i = place[row.database, row.subject]
        old = subjects.loc[i, "code"]
        subjects.loc[i, ["code", "rule"]] = [row.code, f"correction by {row.author}"]
        log.append(Change(row.database, row.subject, "", old, row.code, "correction", row.reason, row.author))


def read_corrections(path: Path) -> pd.DataFrame:
    """Read a reader's corrections: a CSV with the columns :data:`CORRECTION_COLUMNS`, one row a subject.

    Raises
    ------
    StudyError
        No such file, a missing column, an empty cell (a correction needs a reason and an author), an unknown
        code, database or subject, a subject given twice.
    """
    table = label_tables.read_csv(path, CORRECTION_COLUMNS, "corrections", "subject")
    for line, row in enumerate(table.itertuples(index=False), start=2):
        if row.code not in labels.RACE_CODES:
            codes = ", ".join(f"{code} {name}" for code, name in labels.RACE_CODES.items())
            raise StudyError(
                f"{path} line {line} (subject {row.subject}): code {row.code!r} is none of {codes}"
            )
    table = label_tables.named(table, path)
    twice = table[table.duplicated(SUBJECT)]
    if len(twice):
        raise StudyError(f"{path}: subject {twice['subject'].iloc[0]} is corrected twice; keep one line")
    return table


def groups_table(codes: pd.DataFrame, screening: Screening, mapping: str = "paper") -> pd.DataFrame:
    """Group labels of every clip for ``--annotations``: columns ``labels.GROUP_COLUMNS``.

    Parameters
    ----------
    codes : the clips that were screened.
    mapping : one of ``labels.ETHNIC_MAPPINGS`` that looks at codes alone ('paper', 'others_non_asian',
        'asian_only', 'drop_others'). Clips of subjects without a code, or left out by it, are not in the table.

    Raises
    ------
    StudyError
        For a mapping of named subjects, which belong to the released labels.
    """
    if mapping in ("drop_conflicting", "flip_018"):
        raise StudyError(
            f"mapping={mapping!r} is about subjects of the released labels; screen with conflict='none' or with "
            "a correction instead"
        )
    found = screening.subjects.set_index(SUBJECT)["code"]
    code = pd.Series(list(found.reindex(pd.MultiIndex.from_frame(codes[SUBJECT]))), index=codes.index)
    after, group = labels.map_codes(codes["subject"], code, mapping)
    table = codes[labels.CLIP_KEY].assign(ethnicity=after.map(dict(labels.RACE_CODES)), group=group)
    return table[code.ne("") & group.ne(labels.LEFT_OUT)].reset_index(drop=True)


def beside_released(screening: Screening) -> pd.DataFrame:
    """Subjects beside their code in the released table.

    Returns
    -------
    DataFrame with one row a subject of ``screening``: the columns of ``subjects``, ``first`` (the code of its
    first clip that has one), ``released``, and the groups of both codes, ``group`` and ``group_released``.
    """
    table = screening.subjects.copy()
    released = labels.annotations().drop_duplicates("subject").set_index("subject")["race_code"]
    table["released"] = table["subject"].map(released)
    first = screen(released_codes(), Rules(vote="first")).subjects.set_index("subject")["code"]
    table["first"] = table["subject"].map(first)
    for name, column in (("group", "code"), ("group_released", "released")):
        table[name] = labels.map_codes(table["subject"], table[column], "paper")[1].where(
            table[column] != "", "none"
        )
    return table
