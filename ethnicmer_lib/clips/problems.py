"""What can be wrong with a copy of the databases: every kind of problem, whether it stops the study, and its fix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ethnicmer_lib.clips.policies import Policies
from ethnicmer_lib.errors import StudyError


class Kind(NamedTuple):
    """One kind of problem: what was found, what a person can do, and whether the study cannot run before."""

    meaning: str
    fix: str
    stops: bool = True


def _warning(meaning: str, fix: str) -> Kind:
    return Kind(meaning, fix, stops=False)


_OTHERS = "label the clip 'others' to leave it out"
_PLACE = "name the folder of your copy with --casme2 or --samm"
_COPY = "copy it again, or choose missing_frames"
#: Code -> kind of problem, in the order of a report.
KINDS = {
    # The folders as given
    "no_folder": Kind("this is not a folder", _PLACE),
    "mixed_simulated": Kind("the two folders do not belong together", "give both from the same cohort"),
    "marker_unreadable": Kind("this is no simulated cohort as it was written", "write it again"),
    "foreign_file": Kind(
        "not written by the simulator", "move it out: all that lies there is shown as simulated"
    ),
    "changed_file": Kind("not as the simulator wrote it", "delete it and have the cohort written again"),
    # The coding file
    "no_coding_file": Kind("no coding file", f"copy the database's spreadsheet there, or {_PLACE}"),
    "several_coding_files": Kind(
        "several coding files", "keep one, or choose coding_file: 'newest' or part of a name"
    ),
    "coding_unreadable": Kind("the coding file cannot be read as .xlsx", "save it again as .xlsx"),
    "no_header": Kind("no header row with Subject and Filename", "restore it; is this the coding file?"),
    "missing_column": Kind("the header lacks columns", "restore their names"),
    "double_column": Kind("a column's name is given twice", "rename or delete the one not to be used"),
    "no_kept_clip": Kind("no clip with an emotion that Table III keeps", "is this the coding file?"),
    # Its rows
    "wrong_subject": Kind("a subject that is no number", "write the subject's number"),
    "no_filename": Kind("a row without Filename", "fill it in or delete the row"),
    "foreign_clip": Kind("a name that begins with another subject", "correct the subject or the name"),
    "unknown_emotion": Kind("an emotion that Table III does not map", f"correct the cell, or {_OTHERS}"),
    "wrong_frame": Kind("a frame that is no number", "correct it, or leave it empty"),
    "no_onset": Kind("no onset frame", f"write its number, or {_OTHERS}"),
    "no_apex": Kind("no apex frame", "write its number, or choose missing_apex"),
    "no_offset": _warning("no offset frame", "write its number; policies of the apex need it"),
    "apex_outside": _warning(
        "the apex is not between onset and offset", "correct it, or choose a policy apex"
    ),
    "apex_is_onset": _warning("apex and onset are the same frame: no motion", "correct one of them"),
    "onset_after_offset": _warning("the onset is after the offset", "correct one of them"),
    "double_row": Kind("given in two rows", "delete one, or choose double_rows='first' or 'last'"),
    "stray_spaces": _warning("spaces around a name or an emotion (they are cut off)", "delete the spaces"),
    "no_action_units": _warning("no action units", "fill them in; chapters about them skip the clip"),
    # The group labels
    "labels_unreadable": Kind("the group labels cannot be used", "give usable ones with --annotations"),
    "no_group_label": Kind("a kept clip without group label", "correct its name, or see --annotations"),
    "two_groups": Kind("a subject with labels of two groups", "give all clips of a subject one group"),
    "emotion_differs": _warning("not the emotion of the released labels", "use the official coding file"),
    "clip_not_coded": _warning("a labelled clip is not in the coding file", "restore its row"),
    # The frames
    "no_frame_folder": Kind("no folder of frames", "unpack the frames there, or see casme2_frames"),
    "folder_too_deep": Kind("the frames lie one folder too deep", "move the subjects' folders up by one"),
    "double_folder": Kind("two folders for one subject or clip", "merge them, or move one away"),
    "odd_folder_name": _warning("a folder is spelled oddly (it is used all the same)", "rename it"),
    "no_clip_folder": Kind("no folder for a clip", "copy it there, or choose missing_frames='drop'"),
    "empty_clip_folder": Kind("no frame in a clip's folder", "copy them, or choose missing_frames='drop'"),
    "uncoded_folder": _warning(
        "a folder that the coding file does not name", "nothing to do: it is not used"
    ),
    "double_frame": Kind("two files of the same frame number", "keep one"),
    "no_onset_file": Kind("the onset frame's file is missing", _COPY),
    "no_apex_file": Kind("the apex frame's file is missing", _COPY),
    "no_offset_file": _warning("the offset frame's file is missing or damaged", "copy it there again"),
    "frame_gap": _warning("frames are missing between onset and offset", "copy the clip again"),
    "empty_file": Kind("an empty file", _COPY),
    "truncated_file": Kind("a JPEG that stops before the end of the picture", _COPY),
    "not_an_image": Kind("a file that is no image", _COPY),
    "sizes_differ": Kind("frames of one clip differ in size", "copy the clip again"),
    "colour_differs": _warning("a clip mixes gray and colour frames", "copy the clip again"),
    "small_frame": Kind("frames too small for optical flow", "use the frames as distributed"),
    "stray_image": _warning("an image without frame number (it is not used)", "delete or rename it"),
}
#: Code -> the policy that may settle such a problem, and its choices under which it stops the study all the same.
SETTLED = {
    "several_coding_files": ("coding_file", ("only",)),
    "no_apex": ("missing_apex", ("as_is",)),
    "apex_outside": ("apex", ()),
    "double_row": ("double_rows", ("refuse",)),
    **dict.fromkeys(("no_clip_folder", "empty_clip_folder"), ("missing_frames", ("as_is", "nearest"))),
    **dict.fromkeys(("no_onset_file", "no_apex_file"), ("missing_frames", ("as_is",))),
    **dict.fromkeys(("empty_file", "truncated_file", "not_an_image"), ("missing_frames", ("as_is",))),
}


class Problem(NamedTuple):
    """One problem that was found; ``kept`` is False where it concerns a clip that the study leaves out."""

    code: str
    database: str
    clip: str = ""
    file: object = ""
    value: str = ""
    kept: bool = True

    @property
    def message(self) -> str:
        """One line that names clip, value, file and fix: what a loader says when it stops there."""
        where = f"clip {self.clip}" if self.clip else self.database
        parts = [f"{where}: {KINDS[self.code].meaning}", *([self.value] if self.value else [])]
        return f"{': '.join(parts)}{f' ({self.file})' if self.file else ''}; {KINDS[self.code].fix}"

    def stops(self, policies: Policies) -> bool:
        """Whether the study cannot run with this problem under these policies."""
        if self.code not in SETTLED:
            return self.kept and KINDS[self.code].stops
        policy, unsettled = SETTLED[self.code]
        return self.kept and getattr(policies, policy) in unsettled

    def settled_by(self, policies: Policies) -> str:
        """The policy that settles it, 'name=value'; '' where none does."""
        if self.code not in SETTLED or self.stops(policies):
            return ""
        policy, _ = SETTLED[self.code]
        return f"{policy}={getattr(policies, policy)!r}"


@contextmanager
def noted(
    problems: list[Problem], code: str, database: str, file: object = "", clip: str = ""
) -> Iterator[None]:
    """A StudyError of the block becomes a problem, what it says its value."""
    try:
        yield
    except StudyError as error:
        problems.append(Problem(code, database, clip, file, str(error)))
