"""From what the databases wrote down to the labels that are compared: emotions, ethnic codes, groups."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from ethnicmer_lib.clips.table import DROPPED, MOMENTS, Decision
from ethnicmer_lib.errors import StudyError, check_name

CASME2, SAMM = "CASME II", "SAMM"

#: Estimated emotion -> label (Table III).  None: the clip is left out, as the paper leaves out "Others".
EMOTION_LABEL: dict[str, str | None] = {
    "happiness": "Positive",
    **dict.fromkeys(("anger", "contempt", "disgust", "fear", "repression", "sadness"), "Negative"),
    "surprise": "Surprise",
    "others": None,  # CASME II
    "other": None,  # SAMM
}
#: Label -> class of the prima facie study (Section IV-A).
BINARY = {"Negative": "Negative", "Positive": "Non-negative", "Surprise": "Non-negative"}

#: Code in the released label table -> ethnic label (Table I).
RACE_CODES = {"0": "White", "1": "Black", "2": "Asian", "3": "Indian", "4": "Others"}
GROUPS = ("Asian", "Non-Asian")

#: Name of a mapping -> what it does with the released labels.
ETHNIC_MAPPINGS = {
    "paper": "Asian: Asian, Indian and Others (the release's rule: code 2 or higher). As in Tables I and II.",
    "others_non_asian": "Others are Non-Asian; Asian: Asian and Indian, as the paper's text describes the groups.",
    "asian_only": "Asian: the label Asian alone; Indian and Others are Non-Asian.",
    "drop_others": "Subjects with the label Others are left out.",
    "drop_conflicting": "Subjects whose clips were given different labels before screening are left out.",
    "flip_tie": "One subject whose clips tie between two labels gets the other one of the two.",
}
#: Group of a clip that a mapping leaves out.
LEFT_OUT = ""

#: The released label table, as it ships.
ANNOTATIONS = Path(__file__).with_name("annotations.csv")
#: Columns of a table of group labels, one row a clip.
GROUP_COLUMNS = ("database", "subject", "clip", "ethnicity", "group")
CLIP_KEY = ["database", "subject", "clip"]


def label_emotions(emotions: pd.Series) -> pd.Series:
    """Label of every estimated emotion, any case, by Table III; None where the clip is left out.

    StudyError for an emotion that Table III does not map.

    Examples
    --------
    >>> em.label_emotions(pd.Series(["Happiness", "others", "Disgust"])).tolist()
    ['Positive', None, 'Negative']
    """
    names = emotions.str.strip().str.lower()
    for place, name in emotions[~names.isin(list(EMOTION_LABEL))].items():
        raise StudyError(
            f"emotion {name!r} of {place} is none of {', '.join(EMOTION_LABEL)}; correct it, or write 'others' to "
            "leave the clip out"
        )
    return pd.Series([EMOTION_LABEL[name] for name in names], index=emotions.index, dtype=object)


def binary_labels(labels: pd.Series) -> pd.Series:
    """'Negative' or 'Non-negative' for each label, same index (Section IV-A); StudyError for any other.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> em.binary_labels(pd.Series(["Negative", "Surprise"])).tolist()
    ['Negative', 'Non-negative']
    """
    unknown = labels[~labels.isin(list(BINARY))]
    if len(unknown):
        raise StudyError(f"label {unknown.iloc[0]!r} at row {unknown.index[0]} is none of {tuple(BINARY)}")
    return labels.map(BINARY)


def database_name(value: str, source: str) -> str:
    """'CASME II' or 'SAMM' for any spelling of them; StudyError otherwise."""
    key = re.sub(r"[\s_-]", "", str(value)).lower().replace("casmeii", "casme2")
    found = {"casme2": CASME2, "samm": SAMM}.get(key)
    if found is None:
        raise StudyError(f"{source}: database {value!r} is none of {[CASME2, SAMM]}")
    return found


def subject_name(database: str, value: object, source: str) -> str:
    """The subject as the database itself writes it: 'sub01' in CASME II, '006' in SAMM.

    Spreadsheets turn both into integers (1, 6); CASME II's coding file holds integers to begin with. StudyError when
    ``value`` is not a subject number.
    """
    match = re.fullmatch(r"(?:sub)?(\d{1,3})(?:\.0)?", str(value).strip(), flags=re.IGNORECASE)
    if match is None:
        raise StudyError(f"{source}: subject {value!r} is not a subject of {database}; write its number")
    return f"sub{int(match[1]):02d}" if database == CASME2 else f"{int(match[1]):03d}"


def annotations() -> pd.DataFrame:
    """The released label table: 415 clips in the release's row order, every column text (subject '006').

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> em.clips.released_table()["emotion"].str.lower().value_counts().head(2).to_dict()
    {'others': 99, 'disgust': 73}
    """
    return pd.read_csv(ANNOTATIONS, dtype=str, keep_default_na=False)


def coded_clips(mapping: str = "paper") -> pd.DataFrame:
    """The released table as a clips table without frame numbers, all 415 clips, also those that are left out.

    The label of a clip whose emotion is not kept is None; the group of one that the mapping leaves out is
    :data:`LEFT_OUT`. StudyError for an unknown mapping.
    """
    released = annotations()
    codes, group = map_codes(released["subject"], released["race_code"], mapping)
    clips = pd.DataFrame(
        {
            "database": released["dataset"].map({"CASME2": CASME2, "SAMM": SAMM}),
            "subject": released["subject"],
            "clip": released["filename"],
            "ethnicity": codes.map(RACE_CODES),
            "group": group,
            "emotion": released["emotion"].str.lower(),
            "label": released["emotion"].str.lower().map(EMOTION_LABEL),
            "action_units": released["action_units"],
        }
    )
    clips.insert(0, "clip_id", clip_ids(clips))
    return clips.assign(**{moment: pd.array([pd.NA] * len(clips), dtype="Int64") for moment in MOMENTS})


def released_clips(mapping: str = "paper") -> pd.DataFrame:
    """The released table as a clips table without frame numbers: the clips whose emotion is kept (290).

    ``mapping`` is one of :data:`ETHNIC_MAPPINGS`; clips that it leaves out are not in the table.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> em.released_clips().groupby("group")["subject"].nunique().to_dict()
    {'Asian': 36, 'Non-Asian': 17}
    """
    clips = coded_clips(mapping)
    return clips[clips["label"].notna() & clips["group"].ne(LEFT_OUT)].reset_index(drop=True)


def drop_left_out(clips: pd.DataFrame, mapping: str) -> tuple[pd.DataFrame, list[Decision]]:
    """The clips that a mapping leaves in, and the others as decisions, as far as their emotion is kept."""
    out = clips["group"] == LEFT_OUT
    gone = clips[out & clips["label"].notna()].itertuples()
    log = [Decision(row.clip_id, "clip", row.ethnicity, DROPPED, f"mapping={mapping!r}") for row in gone]
    return clips[~out].reset_index(drop=True), log


def map_codes(subjects: pd.Series, codes: pd.Series, mapping: str) -> tuple[pd.Series, pd.Series]:
    """(codes, groups) of clips under a mapping: the codes change only where the mapping gives another label.

    Given are the subject and the screened code ('0' to '4', see :data:`RACE_CODES`) of each clip, and one of
    :data:`ETHNIC_MAPPINGS`; StudyError for any other.
    """
    check_name("mapping", mapping, ETHNIC_MAPPINGS)
    asian = {"others_non_asian": {"2", "3"}, "asian_only": {"2"}}.get(mapping, {"2", "3", "4"})
    if mapping == "flip_tie":
        one, other = clip_codes()["018"].unique()
        codes = codes.where(subjects != "018", codes.map({one: other, other: one}))
    group = codes.isin(asian).map({True: GROUPS[0], False: GROUPS[1]})
    if mapping == "drop_others":
        group = group.mask(codes == "4", LEFT_OUT)
    if mapping == "drop_conflicting":
        group = group.mask(subjects.isin(conflicting_subjects()), LEFT_OUT)
    return codes, group


def clip_codes() -> dict[str, pd.Series]:
    """Subject -> the codes its clips were given before screening, without failed clips; SAMM's subjects only.

    The release holds no per-clip codes of CASME II.
    """
    released = annotations()
    given = released[released["raw_race_code"].isin(list(RACE_CODES))]
    return dict(iter(given.groupby("subject")["raw_race_code"]))


def conflicting_subjects() -> list[str]:
    """The subjects whose clips were given more than one code before screening."""
    return [subject for subject, codes in clip_codes().items() if len(set(codes)) > 1]


def clip_ids(clips: pd.DataFrame) -> pd.Series:
    """The unique key '<database>/<subject>/<clip>' of each row."""
    return clips["database"] + "/" + clips["subject"] + "/" + clips["clip"]
