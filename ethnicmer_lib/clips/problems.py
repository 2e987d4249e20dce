"""What can be wrong with a copy of the databases: every kind of problem, whether it stops the study, and its fix."""

from __future__ import annotations

from typing import NamedTuple

from ethnicmer_lib.clips.policies import Policies


class Kind(NamedTuple):
    """One kind of problem: what was found, what a person can do, whether the study cannot run before, and the policy
    that may settle it."""

    meaning: str
    fix: str
    stops: bool = True
    policy: str = ""


def _warning(meaning: str, fix: str, policy: str = "") -> Kind:
    return Kind(meaning, fix, False, policy)


_OTHERS = "label the clip 'others' to leave it out"
_PLACE = "name the folder of your copy with --casme2 or --samm"
_COPY = "copy it there again, or choose missing_frames='drop'"
#: Code -> kind of problem, in the order of a report.
KINDS = {
    # The folders as given
    "no_folder": Kind("this is not a folder", _PLACE),
    "not_simulated": Kind(
        "no simulated cohort as it was written", "write it again, and give both its folders"
    ),
    "foreign_file": Kind(
        "not written by the simulator", "move it out, or undo a changed name: all there is shown as simulated"
    ),
    "changed_file": Kind("not as the simulator wrote it", "delete it and have the cohort written again"),
    # The coding file
    "no_coding_file": Kind("no coding file", f"copy the database's spreadsheet there, or {_PLACE}"),
    "several_coding_files": Kind(
        "several coding files",
        "keep one, or choose coding_file: 'newest' where each name has another date, or part of one name",
    ),
    "coding_unreadable": Kind("the coding file cannot be read as .xlsx", "save it again as .xlsx"),
    "no_header": Kind("no header row with Subject and Filename", "restore it; is this the coding file?"),
    "wrong_columns": Kind("the header must name each of these once", "correct the header"),
    "no_kept_clip": Kind("no clip with an emotion that Table III keeps", "is this the coding file?"),
    # Its rows
    "unnamed_row": Kind("a row without subject number or Filename", "correct it, or delete the row"),
    "unknown_emotion": Kind("an emotion that Table III does not map", f"correct the cell, or {_OTHERS}"),
    "wrong_frame": Kind("a frame that is no number", "correct it, or leave it empty"),
    "no_onset": Kind("no onset frame", f"write its number, or {_OTHERS}"),
    "no_apex": _warning("no apex frame", "write its number, or choose missing_apex", "missing_apex"),
    "no_offset": _warning("no offset frame", "write its number; policies of the apex need it"),
    "apex_outside": _warning(
        "the apex is not between onset and offset", "correct it, or choose a policy apex", "apex"
    ),
    "apex_is_onset": _warning("apex and onset are the same frame: no motion", "correct one of them"),
    "onset_after_offset": _warning("the onset is after the offset", "correct one of them"),
    "unsettled": Kind("a policy of the apex needs the offset frame", "write its number, or choose 'drop'"),
    "double_row": Kind(
        "given in two rows", "delete one, or choose double_rows='first' or 'last'", policy="double_rows"
    ),
    "no_action_units": _warning("no action units", "fill them in; chapters about them skip the clip"),
    # The group labels
    "labels_unreadable": Kind("the group labels cannot be used", "give usable ones with --annotations"),
    "no_group_label": Kind("a kept clip without group label", "correct its name, or see --annotations"),
    "two_groups": Kind("a subject with labels of two groups", "give all clips of a subject one group"),
    "group_count": _warning("not two groups", "chapters that compare groups stop; give both databases"),
    "emotion_differs": _warning("not the emotion of the released labels", "use the official coding file"),
    "clip_not_coded": _warning("a labelled clip is not in the coding file", "restore its row"),
    # The frames
    "no_frame_folder": Kind("no folder of frames", "unpack the frames there, or see casme2_frames"),
    "double_folder": Kind("two folders for one subject or clip", "merge them, or move one away"),
    "odd_folder_name": _warning("a folder is spelled oddly (it is used all the same)", "rename it"),
    "double_frame": Kind("two files of the same frame number", "keep one"),
    "renumbered": Kind("frames numbered from 1, not as they are coded", "copy the clip as distributed"),
    "no_frames": Kind("no frame of a clip", _COPY, policy="missing_frames"),
    "no_onset_file": Kind("the onset frame's file is missing", _COPY, policy="missing_frames"),
    "no_apex_file": Kind(
        "the apex frame's file is missing",
        f"correct the apex or choose a policy apex, {_COPY}",
        policy="missing_frames",
    ),
    "no_offset_file": _warning("the offset frame's file is missing or damaged", "copy it there again"),
    "truncated_file": Kind("a JPEG that stops before the end of the picture", _COPY, policy="missing_frames"),
    "not_an_image": Kind("not a readable image", _COPY, policy="missing_frames"),
    "sizes_differ": Kind("frames of one clip differ in size", "copy the clip again"),
    "small_frame": Kind("frames too small for optical flow", "use the frames as distributed"),
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
        kind = KINDS[self.code]
        settled = kind.policy and getattr(policies, kind.policy) not in ("as_is", "refuse")
        return self.kept and kind.stops and not settled

    def settled_by(self, policies: Policies) -> str:
        """The policy that settles it, 'name=value'; '' where none does."""
        policy = KINDS[self.code].policy
        return f"{policy}={getattr(policies, policy)!r}" if policy and not self.stops(policies) else ""
