"""Optical flow of every clip, and its flow image and apex image at any size; computed once and kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ethnicmer_lib.clips.table import Clips
from ethnicmer_lib.errors import StudyError, check_name
from ethnicmer_lib.motion.flow import METHODS, optical_flow
from ethnicmer_lib.motion.image import SCALINGS, flow_image, published_image
from ethnicmer_lib.motion.micro.average import windows
from ethnicmer_lib.store import Run

#: Methods of two frames, and the one that is given their neighbours in time, too.
CLIP_METHODS = (*METHODS, "micro_neighbours")


def motion_images(
    clips: Clips,
    method: str = "micro",
    scaling: str = "robust",
    size: int = 56,
    progress: bool = True,
) -> np.ndarray:
    """The optical flow image of every clip (Eq. 7), in the order of the table.

    (n, 3, size, size) float32, read-only and mapped from disk; u, v in px of the frame and strain in px per px, or
    scaled, see :func:`clip_flow` and :func:`image.flow_image`.  Flow and strain are computed and scaled at the frames'
    own resolution and only then resized to a square.  Clips without frames give their ready-made flow, see
    :func:`image.published_image`; method and scaling do not apply to it.  StudyError, with the clip, when a frame is
    missing or unfit for flow.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> clips = em.open_clips("tiny", progress=False)
    >>> em.motion_images(clips, method="dis", size=28, progress=False).shape
    (52, 3, 28, 28)
    """
    check_name("flow_method", method, CLIP_METHODS)
    check_name("scaling", scaling, SCALINGS)
    if not clips.has_frames:
        return _images("published", clips, {}, lambda one: published_image(clips.flow(one)), size, progress)
    flow, how = kept_flow(clips, method), {"method": method, "scaling": scaling}
    return _images("motion", clips, how, lambda one: flow_image(flow(one), scaling), size, progress)


def kept_flow(clips: Clips, method: str = "micro") -> Callable[[str], np.ndarray]:
    """:func:`clip_flow` of any clip by its ``clip_id``: computed once, whoever asks, and kept clip by clip.

    Scaling and size of images come after it, so that another of them costs no flow.  Errors name the clip.
    """
    inputs = {"clips": clips, "method": method}
    run = Run.open("flow", code=("motion",), inputs=inputs, provenance=clips.provenance)
    rows = {clip_id: f"clip{row:05d}" for row, clip_id in enumerate(clips.table["clip_id"])}
    return lambda clip_id: run.kept(rows[clip_id], lambda: clip_flow(clips, clip_id, method), timed=False)


def clip_flow(clips: Clips, clip_id: str, method: str = "micro") -> np.ndarray:
    """Optical flow of a clip from onset to apex, (H, W, 2) float32 px, see :func:`flow.optical_flow`.

    ``method`` may also be 'micro_neighbours': micro on the means of the frames around onset and apex, as far as
    :func:`micro.average.windows` says and the source holds any.
    """
    check_name("flow_method", method, CLIP_METHODS)
    row = clips.row(clip_id)
    if method in METHODS or pd.isna(row["onset"]) or pd.isna(row["apex"]):
        pair = (clips.frames(clip_id, moment) for moment in ("onset", "apex"))
        return optical_flow(*pair, method.removesuffix("_neighbours"))
    offset = None if pd.isna(row["offset"]) else int(row["offset"])
    around = windows(int(row["onset"]), int(row["apex"]), offset)
    moments = zip(("onset", "apex"), around, strict=True)
    return optical_flow(*(clips.neighbours(clip_id, moment, *window) for moment, window in moments), "micro")


def apex_images(clips: Clips, size: int = 56, progress: bool = True) -> np.ndarray:
    """The apex frame of every clip, in the order of the table, resized as in :func:`motion_images`.

    (n, 3, size, size) float32 in [0, 1], RGB, gray repeated; read-only and mapped from disk.  StudyError when the
    clips have no frames, or, with the clip, when its apex frame is missing.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> clips = em.open_clips("tiny", progress=False)
    >>> em.apex_images(clips, size=28, progress=False).shape == (len(clips), 3, 28, 28)
    True
    """
    if not clips.has_frames:
        raise StudyError(
            f"{clips.provenance.source}: there are no apex frames in it; use a simulated or licensed source for what "
            "needs faces, or leave out the variants dual_rgb and tinyvit"
        )

    def image(clip_id: str) -> np.ndarray:
        frame = clips.frames(clip_id, "apex")
        rgb = np.repeat(frame[..., None], 3, axis=2) if frame.ndim == 2 else frame
        return np.moveaxis(rgb.astype(np.float32) / 255, 2, 0)

    return _images("apex", clips, {}, image, size, progress)


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """(3, H, W) to (3, size, size) float32: averaged over areas when no side grows, else linear."""
    interpolation = cv2.INTER_AREA if size <= min(image.shape[1:]) else cv2.INTER_LINEAR
    pixels = np.ascontiguousarray(np.moveaxis(image, 0, 2), dtype=np.float32)
    return np.moveaxis(cv2.resize(pixels, (size, size), interpolation=interpolation), 2, 0)


def _images(
    step: str,
    clips: Clips,
    how: dict[str, Any],
    image: Callable[[str], np.ndarray],
    size: int,
    progress: bool,
) -> np.ndarray:
    """All clips' images, resized."""
    run = Run.open(step, code=("motion",), inputs={"clips": clips, **how}, provenance=clips.provenance)

    def resized(clip_id: str) -> np.ndarray:
        try:
            return resize(image(clip_id), size)
        except StudyError as error:
            raise error if clip_id in str(error) else StudyError(f"clip {clip_id}: {error}") from error

    def whole() -> np.ndarray:
        with pool() as each:
            found = each(resized, clips.table["clip_id"])
            return np.stack([*tqdm(found, f"{step} images", len(clips), disable=not progress)])

    return run.kept(f"px{size}", whole)


@contextmanager
def pool() -> Iterator[Callable[..., Iterator[Any]]]:
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
