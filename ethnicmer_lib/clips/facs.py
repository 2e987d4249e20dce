"""Action Units of a clip, drawn from the FACS codes that coders gave the real clips of its emotion.

The codes carry the ambiguity of real data with them: which Action Units an emotion shows and how often, which of
them move on one side, and the clips whose Action Units contradict their label, because the label also
rests on what the subject reported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Literal

from ethnicmer_lib.clips import labels
from ethnicmer_lib.errors import StudyError

#: Action Units of the upper and lower face that a code is read for: those that the simulated head can show.
SHOWN = frozenset({1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 16, 17, 18, 20, 23, 24, 25, 26, 43})
BLINK = 43  #: the Action Unit of the lids; the protocol moves them in every clip, codes do not count
Side = Literal["", "L", "R"]
Code = Mapping[int, Side]  # {AU: '' for both sides, or the side that moves}

#: The prototypes of the emotions (EMFACS; Friesen and Ekman 1983, as summarised by Ekman, Friesen and Hager 2002):
#: what a simulator without the real codes would draw.  Repression and 'others' have no prototype.
PROTOTYPES: Mapping[str, Code] = {
    "happiness": {6: "", 12: ""},
    "surprise": {1: "", 2: "", 5: "", 26: ""},
    "disgust": {9: "", 15: "", 16: ""},
    "anger": {4: "", 5: "", 7: "", 23: ""},
    "contempt": {12: "R", 14: "R"},
    "sadness": {1: "", 4: "", 15: ""},
    "fear": {1: "", 2: "", 4: "", 5: "", 7: "", 20: "", 26: ""},
    "repression": {17: "", 24: ""},
    "others": {4: ""},
}

_UNIT = re.compile(r"([LR]?)[ABT]?(\d+)")


def read_code(text: str) -> dict[int, Side]:
    """{AU: side} of a coder's text such as '4+L10', 'R14A or 17A', 'A/L12', 'ref(7B)+43'.

    Of alternatives ('or') the first counts; intensity letters, 'ref' and free text are left out, and so are
    Action Units that the head does not have, and lids (AU 43).  An empty result: nothing that can be shown.
    """
    code: dict[int, Side] = {}
    for part in re.sub(r"\bref\b|[()\s]|A/", "", text).split("+"):
        found = _UNIT.match(part)
        if found and int(found[2]) in SHOWN and int(found[2]) != BLINK:
            code[int(found[2])] = found[1]
    return code


@cache
def deck(emotion: str, database: str | None = None) -> tuple[Code, ...]:
    """The codes of the real clips of an emotion, of one database or of both (None).

    Where a database does not know the emotion (CASME II has no anger, SAMM no repression), the codes of its
    clips with the same label stand in. StudyError for an emotion without a code in the released table.
    """
    clips = labels.coded_clips()
    clips["code"] = clips["action_units"].map(read_code)
    clips = clips[clips["code"].astype(bool) & (clips["database"].eq(database) | (database is None))]
    of_emotion = clips["emotion"].replace("other", "others") == ("others" if emotion == "other" else emotion)
    if not of_emotion.any():
        of_emotion = clips["label"] == labels.EMOTION_LABEL.get(emotion)
    if not of_emotion.any():
        raise StudyError(f"emotion {emotion!r} has no code in the released label table (database {database})")
    return tuple(clips.loc[of_emotion, "code"])
