"""Motion images and apex images of a whole cohort, computed once and kept in the run store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ethnicmer_lib.clips.table import Cohort
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.motion.flow import optical_flow
from ethnicmer_lib.motion.image import flow_image, published_image
from ethnicmer_lib.motion.micro.average import windows
from ethnicmer_lib.store.old_runs import Run

_PART = 64  # clips between two files: what an interruption can cost


class MotionSettings(Protocol):
    """What ``MotionParameters`` has and motion depends on.

    The parameters themselves are not imported: this module's code is part of every key below, and a new help
    text of a parameter is no reason to compute a cohort again.
    """

    @property
    def flow_method(self) -> str: ...
    @property
    def normalisation(self) -> str: ...


def motion_images(
    cohort: Cohort, parameters: MotionSettings, size: int, progress: bool = False
) -> np.ndarray:
    """The optical flow image of every clip (Eq. 7), in the order of ``cohort.clips``.

    Flow and strain are computed at the frames' own resolution, scaled there, and only then resized to a square
    (sides are stretched apart where the frame is no square): averaged over areas when shrinking, linear when
    growing.  A cohort without frames gives its ready-made flow, see :func:`image.published_image`; flow method
    and normalisation do not apply to it.

    Parameters
    ----------
    parameters : ``flow_method`` and ``normalisation`` count.
    size : side of the images, px.

    Returns
    -------
    (n, 3, size, size) float32, read-only and mapped from disk; u, v in px of the frame and strain in px per px,
    or scaled, by ``normalisation``.

    Raises
    ------
    StudyError
        With the clip, when a frame is missing or unfit for flow.
    """
    if not cohort.has_frames:
        return _images(
            "motion",
            cohort,
            {"published": True, "size": size},
            lambda clip_id: published_image(cohort.flow(clip_id)),
            size,
            progress,
        )

    def image(clip_id: str) -> np.ndarray:
        return flow_image(clip_flow(cohort, clip_id, parameters.flow_method), parameters.normalisation)

    identity = {
        "flow_method": parameters.flow_method,
        "normalisation": parameters.normalisation,
        "size": size,
    }
    return _images("motion", cohort, identity, image, size, progress)


def clip_flow(cohort: Cohort, clip_id: str, method: str) -> np.ndarray:
    """Optical flow of a clip, (H, W, 2) float32 px: from two frames, or for 'micro' from their neighbours, too.

    How far neighbours reach, :func:`average.windows` says; a cohort of onset, apex and offset frames alone
    has none.

    Raises
    ------
    StudyError
        When a frame is missing or unfit for flow.
    """
    row = cohort.row(clip_id)
    if method != "micro" or pd.isna(row["onset"]) or pd.isna(row["apex"]):
        return optical_flow(cohort.frames(clip_id, "onset"), cohort.frames(clip_id, "apex"), method)
    offset = None if pd.isna(row["offset"]) else int(row["offset"])
    around = windows(int(row["onset"]), int(row["apex"]), offset)
    moments = zip(("onset", "apex"), around, strict=True)
    return optical_flow(*(cohort.neighbours(clip_id, moment, *window) for moment, window in moments), method)


def apex_images(cohort: Cohort, size: int, progress: bool = False) -> np.ndarray:
    """The apex frame of every clip, in the order of ``cohort.clips``.

    Parameters
    ----------
    size : side of the images, px; resized as in :func:`motion_images`.

    Returns
    -------
    (n, 3, size, size) float32 in [0, 1], RGB, gray repeated; read-only and mapped from disk.

    Raises
    ------
    StudyError
        When the cohort has no frames, or, with the clip, when its apex frame is missing.
    """
    if not cohort.has_frames:
        raise StudyError(
            f"{cohort.provenance.source}: there are no apex frames in it; use data='simulated' or 'licensed' for "
            "what needs faces, or leave out the variants dual_rgb and tinyvit"
        )

    def image(clip_id: str) -> np.ndarray:
        frame = cohort.frames(clip_id, "apex")
        rgb = np.repeat(frame[..., None], 3, axis=2) if frame.ndim == 2 else frame
        return np.moveaxis(rgb.astype(np.float32) / 255, 2, 0)

    return _images("apex", cohort, {"size": size}, image, size, progress)


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """(3, H, W) to (3, size, size) float32: INTER_AREA when no side grows, else INTER_LINEAR."""
    interpolation = cv2.INTER_AREA if size <= min(image.shape[1:]) else cv2.INTER_LINEAR
    pixels = np.ascontiguousarray(np.moveaxis(image, 0, 2), dtype=np.float32)
    return np.moveaxis(cv2.resize(pixels, (size, size), interpolation=interpolation), 2, 0)


def _images(
    step: str,
    cohort: Cohort,
    parameters: dict[str, Any],
    image: Callable[[str], np.ndarray],
    size: int,
    progress: bool,
) -> np.ndarray:
    """All clips' images through the run store, written in parts so that an interrupted computation resumes."""
    run = Run.open(
        step,
        module="ethnicmer_lib.motion.extract",
        cohort=cohort.provenance.fingerprint,
        parameters=parameters,
    )
    clip_ids = cohort.clips["clip_id"].tolist()

    def one(clip_id: str) -> np.ndarray:
        try:
            return resize(image(clip_id), size)
        except StudyError as error:
            raise error if clip_id in str(error) else StudyError(f"clip {clip_id}: {error}") from error

    def compute() -> np.ndarray:
        starts = range(0, len(clip_ids), _PART)
        names = [f"part{start:05d}" for start in starts]
        with (
            tqdm(total=len(clip_ids), desc=f"{step} images, {size} px", disable=not progress) as bar,
            _pool() as each,
        ):
            parts = []
            for name, start in zip(names, starts, strict=True):
                chunk = clip_ids[start : start + _PART]
                found = run.array(name, lambda chunk=chunk: _stack(each(one, chunk), bar))
                bar.update(start + len(chunk) - bar.n)  # a part that was there already
                parts.append(found)
        return _joined(parts, run.path / "part-all.npy")

    images = run.array("images", compute)
    for part in run.path.glob("part*.npy"):
        part.unlink(missing_ok=True)
    return images


def _joined(parts: list[np.ndarray], path: Path) -> np.ndarray:
    """The parts one after the other, on disk: a cohort of large images need not fit into memory."""
    shape = (sum(map(len, parts)), *parts[0].shape[1:])
    whole = np.lib.format.open_memmap(path, mode="w+", dtype=parts[0].dtype, shape=shape)
    at = 0
    for part in parts:
        whole[at : at + len(part)] = part
        at += len(part)
    return whole


def _stack(images: Iterator[np.ndarray], bar: tqdm) -> np.ndarray:
    collected = []
    for image in images:
        collected.append(image)
        bar.update()
    return np.stack(collected)


@contextmanager
def _pool() -> Iterator[Callable[..., Iterator[np.ndarray]]]:
    """A map over threads, one clip each.

    OpenCV, BLAS and compiled code let go of the interpreter, so that threads are as fast as processes here; the
    libraries are held to one thread a call.
    """
    before = cv2.getNumThreads()
    pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1))
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)
        cv2.setNumThreads(before)
