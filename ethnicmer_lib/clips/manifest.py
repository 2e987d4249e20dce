"""Any database by a manifest: a table with one row a clip, whose columns and emotions the reader names."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from ethnicmer_lib.clips.check import add_missing
from ethnicmer_lib.clips.coding import HEADERS, coded, header, table_cells
from ethnicmer_lib.clips.databases import frame_folders
from ethnicmer_lib.clips.entries import Column, Manifest
from ethnicmer_lib.clips.folders import FrameFolders, flow_image, is_inside, same_name
from ethnicmer_lib.clips.labels import CASME2, EMOTION_LABEL, database_name, subject_name
from ethnicmer_lib.clips.problems import Problem
from ethnicmer_lib.clips.reading import Copy, face_detector, settle, two_groups
from ethnicmer_lib.clips.settling import Settled, one_row_each
from ethnicmer_lib.clips.table import LABELS, MOMENTS, Decision, Moment
from ethnicmer_lib.errors import StudyError

COLUMNS: tuple[Column, ...] = Column.__args__
EVERYONE = "everyone"  #: group of all clips where the table has no column of groups
_NOTHING = ("nan", "<na>", "null")  #: what programs write into a cell that is empty
_UNSEEN = re.compile(r"[/\\\x00-\x1f\x7f]")
_OUT = re.compile(r"[\\\x00-\x1f\x7f]|^[/~]|^\w:|(^|/)\.\.(/|$)")


def read_manifest(source: Manifest) -> Copy:
    """Walk through a manifest and its pictures; what is wrong is collected, and only a lack of folders is refused.

    A column is its header, or a template such as '{Subject}-{Onset}' of headers and of columns before it; ``path`` is
    that of a clip's folder or flow image. The policies settle what they settle in licensed copies.
    """
    if (source.frames is None) == (source.flow is None):
        raise StudyError(
            "a manifest needs source.frames or source.flow, the folder of its pictures, and not both"
        )
    copy, table, folder = Copy(), source.table, source.frames or source.flow
    moments = MOMENTS if source.frames else ()
    wrong = partial(Problem, database="manifest")
    if not folder.is_dir():
        copy.problems.append(wrong("no_folder", file=folder))
    cells = _cells(copy, source, moments)
    if cells.empty or copy.problems:
        copy.problems += [] if copy.problems else [wrong("no_kept_clip", file=table)]
        return copy
    known = EMOTION_LABEL | {label.lower(): label for label in LABELS}
    known |= {name.strip().lower(): label for name, label in source.emotions.items()}
    found: list[Problem] = []
    clips = coded(cells, cells["subject"][cells["subject"] != ""], table, found, known, moments)
    found += _name_problems(clips, table)
    once = one_row_each(clips, source.policies.double_rows)
    clips, copy.decisions = once.clips, [*copy.decisions, *once.decisions]
    if source.frames:
        copy.detector = face_detector(source.policies, source.face_model)
    copy.images = None if source.frames else {}
    names, what = " + ".join(clips["database"].unique()), "frames" if source.frames else "flow images"
    copy.title, copy.others = f"{names}, {what} of a manifest", True
    copy.problems += [one for one in found if one.database not in set(clips["database"])]
    for name, part in clips.groupby("database", sort=False):
        own = [one for one in found if one.database == name]
        _add(copy, str(name), part.reset_index(drop=True), own, source, folder)
    shapes = Counter(image.shape for image in (copy.images or {}).values())
    for name, part in copy.clips.items() if len(shapes) > 1 else ():
        (size, _), *_ = shapes.most_common()
        seen = {one: copy.images[one].shape for one in part["clip_id"] if one in copy.images}
        uneven = [(one, f"{shape} uint8, not {size}") for one, shape in seen.items() if shape != size]
        uneven = [Problem("wrong_flow_image", name, one, folder, value) for one, value in uneven]
        add_missing(copy, name, uneven, source.policies)
    return copy


def _cells(copy: Copy, source: Manifest, moments: Sequence[Moment]) -> pd.DataFrame:
    """The columns of all clips as text, empty where the table has none; what is wrong is added to ``copy``."""
    table, columns = source.table, source.columns
    wrong = partial(Problem, database="manifest", file=table)
    if not os.path.isfile(table):
        copy.problems.append(wrong("no_manifest"))
        return pd.DataFrame()
    needed = {"subject", "clip", "emotion", *moments}
    known = {"subject", *(header(one) for given in columns.values() for one in _headers(given))}
    body, top, problems = table_cells(table, "manifest", lambda names: not known.isdisjoint(names))
    copy.problems += problems
    if problems:
        return pd.DataFrame()
    body = body.mask(body.apply(lambda column: column.str.lower().isin(_NOTHING)), "")
    cells, lacking = pd.DataFrame(index=body.index), []
    for name in COLUMNS:
        given = columns.get(name, "")
        if "{" in given:
            try:
                cells[name] = _filled(given, body, cells)
            except StudyError as error:
                lacking.append(f"{name}: {error}")
            continue
        spellings = {header(given)} if given else {name, *(one for one, of in HEADERS.items() if of == name)}
        places = np.flatnonzero(body.columns.isin(list(spellings)))
        if len(places) == 1:
            cells[name] = body.iloc[:, places[0]]
        elif len(places) or given or name in needed:
            lacking.append(f"{name} ({given or 'no column named'}: {len(places)} times)")
    if "database" not in cells:
        cells["database"] = source.database
    if cells["database"].eq("").any():
        lacking.append(f"database, empty in row {cells.index[cells['database'] == ''][0] + 1}")
    chosen = pd.Series(True, body.index)
    for name, values in source.rows.items():
        wanted = [values] if isinstance(values, str) else list(values)
        if (column := header(name)) not in body.columns or not isinstance(body[column], pd.Series):
            lacking.append(f"rows: no column {name!r}, or two")
        else:
            chosen &= body[column].isin(wanted)
    if lacking:
        value = f"{'; '.join(lacking)}; there: {', '.join(filter(None, body.columns))}"
        copy.problems.append(wrong("wrong_manifest", file=f"{table} row {top + 1}", value=value))
    if not chosen.all():
        counts = str(len(body)), str(chosen.sum())
        copy.decisions.append(Decision("manifest", "rows", *counts, f"rows={source.rows}"))
    if not lacking and len(cells):
        named = [_named(*pair) for pair in zip(cells["database"], cells["subject"], strict=True)]
        cells[["database", "subject"]] = pd.DataFrame(named, cells.index, dtype=str)
    for name in COLUMNS:
        if name not in cells:
            cells[name] = cells.get({"group": "ethnicity", "ethnicity": "group"}.get(name), "")
    if cells["group"].eq("").all():  # of all clips one
        cells[["group", "ethnicity"]] = EVERYONE
    return cells[chosen]


def _headers(given: str) -> list[str]:
    return re.findall(r"\{([^{}:]*)[^{}]*\}", given) if "{" in given else [given]


def _filled(template: str, body: pd.DataFrame, cells: pd.DataFrame) -> pd.Series:
    """A template filled row by row; StudyError for a name that is neither a header nor a column before it."""
    filled = pd.Series("", body.index)
    for number, part in enumerate(re.split(r"\{([^{}]*)\}", template)):
        if number % 2 == 0:
            filled = filled + part
            continue
        name, _, width = part.partition(":")
        column = body.get(header(name), cells.get(name))
        if not isinstance(column, pd.Series):
            raise StudyError(f"{name!r} of {template!r} is not one column")
        try:
            filled = filled + [format(cell, width) for cell in column]
        except ValueError as error:
            raise StudyError(f"{part!r} of {template!r}: {error}") from None
    return filled


def _named(database: str, subject: str) -> tuple[str, str]:
    """Both as the paper's databases write them; those of others as the table does."""
    with suppress(StudyError):
        database = database_name(database, "")
        subject = subject_name(database, subject, "")
    return database, subject


def _name_problems(clips: pd.DataFrame, table: Path) -> Iterator[Problem]:
    """Names that no folder can have, and subjects of two databases with one name."""
    for row in clips.itertuples():
        for name in ("database", "subject", "clip"):
            if _UNSEEN.search(getattr(row, name)) or getattr(row, name) in (".", ".."):
                value = f"{name} {getattr(row, name)!r}"
                yield Problem("bad_name", row.database, row.clip_id, f"{table} row {row.row}", value)
    for subject, found in clips.groupby("subject")["database"].unique().items():
        if len(found) > 1:
            yield Problem("same_subject", found[0], "", table, f"{subject}: {', '.join(found)}")


def _add(
    copy: Copy, name: str, clips: pd.DataFrame, wrong: list[Problem], source: Manifest, folder: Path
) -> None:
    """Add the clips of one database with their pictures."""
    flow, policies = copy.images is not None, source.policies
    if clips["action_units"].eq("").all():  # a database without them is not asked for them clip by clip
        wrong = [one for one in wrong if one.code != "no_action_units"]
    clips["group"] = clips["group"].replace("", pd.NA)
    problem = partial(Problem, database=name, file=source.table)
    without = clips[clips["group"].isna() & clips["kept"]]
    wrong += [problem("no_group_label", clip=row.clip_id, value=row.clip) for row in without.itertuples()]
    wrong += two_groups(clips.dropna(subset="group"), name, source.table)
    same = [clips["subject"].map(same_name), clips["clip"].map(same_name)]
    exact = [os.path.isdir(folder / row.subject / row.clip) for row in clips.itertuples()]
    if listed := flow or clips["path"].ne("").any() or all(exact):
        default = clips["subject"] + ("_" if flow else "/") + clips["clip"] + (".png" if flow else "")
        clips["path"] = clips["path"].mask(clips["path"] == "", default)
        out = [bool(_OUT.search(path)) or not is_inside(folder, folder / path) for path in clips["path"]]
        wrong += [problem("outside", clip=row.clip_id, value=row.path) for row in clips[out].itertuples()]
        clips.loc[out, "path"] = "(a path that leaves its folder)"
        same = [clips["path"].where(~pd.Series(out), clips["clip_id"]).map(os.path.normpath)]
    same += [] if flow else [clips[moment] for moment in MOMENTS]
    twice = clips[pd.concat(same, axis=1).duplicated(keep=False)]
    wrong += [
        problem("same_frames", clip=row.clip_id, value=row.path, kept=row.kept) for row in twice.itertuples()
    ]
    if flow:
        copy.problems += wrong
        copy.coding[name], copy.clips[name] = source.table, clips
        add_missing(copy, name, list(_read_flow(copy, clips, folder)), policies)
        return
    if listed:
        paths = {(row.subject, row.clip): Path(row.path) for row in clips.itertuples()}
        there = FrameFolders(name, folder, paths, folder)
    else:
        there, log = frame_folders(
            name, folder, Settled(clips), policies.casme2_frames if name == CASME2 else "any"
        )
        there = replace(there, fence=folder) if isinstance(there, FrameFolders) else there
        copy.decisions += log
    settle(copy, name, Settled(clips, tuple(wrong)), source.table, policies, there)


def _read_flow(copy: Copy, clips: pd.DataFrame, folder: Path) -> Iterator[Problem]:
    """Read the flow images of clips into a copy."""
    for row in clips.itertuples():
        path = folder / row.path
        near = path.with_name(f"{path.stem} {path.suffix}")  # as the published ones are called
        path = near if near.is_file() and not path.is_file() and is_inside(folder, near) else path
        image = flow_image(path) if path.is_file() else None
        if isinstance(image, np.ndarray):
            copy.images[row.clip_id] = image
        else:
            kind = "wrong_flow_image" if image else "no_flow_image"
            yield Problem(kind, row.database, row.clip_id, path, image or "", row.kept)
