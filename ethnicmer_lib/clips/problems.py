"""What can be wrong with a copy of the databases: every kind of problem, whether it stops the study, and its fix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from ethnicmer_lib.clips.policies import Policies
from ethnicmer_lib.errors import StudyError


@dataclass(frozen=True)
class Kind:
    """One kind of problem.

    Attributes
    ----------
    meaning : what was found, in words.
    fix : what a person can do about it.
    stops : whether the study cannot run before it is mended.
    policy : name of the field of ``Policies`` that may settle it; '' where there is none.
    unsettled : choices of ``policy`` under which it stops the study; under all others it is settled.
    """

    meaning: str
    fix: str
    stops: bool = True
    policy: str = ""
    unsettled: tuple[str, ...] = ()


def _policy(meaning: str, fix: str, policy: str, *unsettled: str) -> Kind:
    return Kind(meaning, fix, stops=bool(unsettled), policy=policy, unsettled=unsettled)


def _warning(meaning: str, fix: str) -> Kind:
    return Kind(meaning, fix, stops=False)


#: Code -> kind of problem, in the order of a report.
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        # The folders as given
        "no_folder": Kind("the folder does not exist", "give the folder of your copy"),
        "mixed_simulated": Kind(
            "the two folders are not of one cohort: one is simulated, or they are two simulated ones",
            "give both folders from the same cohort",
        ),
        "marker_unreadable": Kind(
            "the marker or the seal of a simulated cohort cannot be read", "write the simulated cohort again"
        ),
        "foreign_file": Kind(
            "a file among simulated clips that the simulator did not write",
            "move it away; frames of real people belong in folders of their own",
        ),
        "changed_file": Kind(
            "a file of a simulated cohort that is not as the simulator wrote it",
            "delete it and have the cohort written again",
        ),
        # The coding file
        "no_coding_file": Kind("no coding file", "copy the database's spreadsheet into the folder"),
        "several_coding_files": _policy(
            "several versions of the coding file",
            "keep one there, or say which with coding_file='newest' or a part of its name",
            "coding_file",
            "only",
        ),
        "coding_unreadable": Kind("the coding file is no readable .xlsx", "save it again as .xlsx"),
        "no_header": Kind(
            "no header row with Subject and Filename",
            "check that this is the coding file; restore its header",
        ),
        "missing_column": Kind("a column is missing from the header", "restore the column's name"),
        "double_column": Kind("a column's name is given twice", "rename or delete the one not to be used"),
        "no_kept_clip": Kind(
            "no clip with an emotion that Table III keeps", "check that this is the coding file"
        ),
        # Its rows
        "wrong_subject": Kind("a subject that is no number", "write the subject's number"),
        "no_filename": Kind("a row without Filename", "fill it in or delete the row"),
        "foreign_clip": Kind(
            "a clip's name begins with another subject's number", "correct the subject or the name"
        ),
        "unknown_emotion": Kind(
            "an emotion that Table III does not map",
            "correct the cell, or write 'others' to leave the clip out",
        ),
        "wrong_frame": Kind("a frame that is no number", "correct it, or leave it empty"),
        "no_onset": Kind("no onset frame", "write its number, or label the clip 'others' to leave it out"),
        "no_offset": _warning("no offset frame", "write its number; policies of the apex need it"),
        "no_apex": _policy(
            "no apex frame", "write its number, or choose missing_apex", "missing_apex", "as_is"
        ),
        "apex_outside": _policy(
            "the apex is not between onset and offset", "correct it, or choose another policy apex", "apex"
        ),
        "apex_is_onset": _warning("apex and onset are the same frame: no motion", "correct one of them"),
        "onset_after_offset": _warning("the onset is after the offset", "correct one of them"),
        "double_row": _policy(
            "the same row twice", "delete one, or choose double_rows='first'", "double_rows", "refuse"
        ),
        "conflicting_rows": _policy(
            "two different rows for one clip",
            "delete the wrong one, or choose double_rows='first' or 'last'",
            "double_rows",
            "refuse",
        ),
        "stray_spaces": _warning(
            "spaces around a name or an emotion (they are cut off)", "delete the spaces"
        ),
        "no_action_units": _warning(
            "no action units", "fill them in; chapters about action units skip the clip"
        ),
        # The group labels
        "labels_unreadable": Kind("the group labels cannot be used", "see the message"),
        "no_group_label": Kind(
            "a kept clip without group label", "correct the clip's name, or give labels with --annotations"
        ),
        "two_groups": Kind("a subject with labels of two groups", "give all clips of a subject one group"),
        "emotion_differs": _warning(
            "another emotion than in the released label table", "use the coding file of the official release"
        ),
        "clip_not_coded": _warning(
            "a clip of the label table is not in the coding file",
            "use the newest coding file, or restore the row",
        ),
        # The frames
        "no_frame_folder": Kind("no folder of frames", "unpack the frames there"),
        "folder_too_deep": Kind("the frames lie one folder too deep", "move the subjects' folders up by one"),
        "double_folder": Kind("two folders for one subject or clip", "merge them, or move one away"),
        "odd_folder_name": _warning(
            "a folder is not spelled as the database spells it (it is used all the same)", "rename it"
        ),
        "no_clip_folder": _policy(
            "no folder for a clip",
            "copy it there, or missing_frames='drop'",
            "missing_frames",
            "as_is",
            "nearest",
        ),
        "empty_clip_folder": _policy(
            "a clip's folder without frames",
            "copy them there, or missing_frames='drop'",
            "missing_frames",
            "as_is",
            "nearest",
        ),
        "uncoded_folder": _warning(
            "a folder of frames that the coding file does not name",
            "nothing: it is not used; or restore the row",
        ),
        "double_frame": Kind("two files of the same frame number", "keep one"),
        "no_onset_file": _policy(
            "the onset frame's file is missing",
            "copy it there, or choose missing_frames",
            "missing_frames",
            "as_is",
        ),
        "no_apex_file": _policy(
            "the apex frame's file is missing",
            "copy it there, or choose missing_frames",
            "missing_frames",
            "as_is",
        ),
        "no_offset_file": _warning("the offset frame's file is missing or damaged", "copy it there again"),
        "frame_gap": _warning("frames are missing between onset and offset", "copy the clip again"),
        "empty_file": _policy(
            "an empty file", "copy it again, or choose missing_frames", "missing_frames", "as_is"
        ),
        "truncated_file": _policy(
            "a JPEG that stops early", "copy it again, or choose missing_frames", "missing_frames", "as_is"
        ),
        "not_an_image": _policy(
            "a file that is no image", "copy it again, or choose missing_frames", "missing_frames", "as_is"
        ),
        "sizes_differ": _policy(
            "frames of one clip differ in size",
            "copy the clip again, or choose frame_sizes",
            "frame_sizes",
            "refuse",
        ),
        "colour_differs": _warning("a clip mixes gray and colour frames", "copy the clip again"),
        "small_frame": Kind("frames too small for optical flow", "use the frames as distributed"),
        "stray_image": _warning(
            "an image whose name carries no frame number (it is not used)", "delete or rename it"
        ),
    }
)


class Problem(NamedTuple):
    """One problem that was found.

    ``message`` is one line that names clip, file, value and fix: what a loader says when it stops there.
    ``kept`` is False where it concerns a clip that the study leaves out, so that it never stops the study.
    """

    code: str
    database: str
    message: str
    clip: str = ""
    file: str = ""
    value: str = ""
    kept: bool = True

    def stops(self, policies: Policies) -> bool:
        """Whether the study cannot run with this problem under these policies."""
        kind = KINDS[self.code]
        if not kind.policy:
            return kind.stops and self.kept
        return self.kept and getattr(policies, kind.policy) in kind.unsettled

    def settled_by(self, policies: Policies) -> str:
        """The policy that settles it, 'name=value'; '' where none does."""
        name = KINDS[self.code].policy
        return f"{name}={getattr(policies, name)!r}" if name and not self.stops(policies) else ""


def refuse(found: list[Problem], policies: Policies) -> None:
    """StudyError of the first problem that stops the study under these policies."""
    for problem in found:
        if problem.stops(policies):
            raise StudyError(problem.message)
