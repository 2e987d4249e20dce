"""Optical flow images and apex images of all clips, computed once and kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ethnicmer_lib.clips.table import Clips
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.motion.flow import METHODS, optical_flow
from ethnicmer_lib.motion.image import flow_image, published_image
from ethnicmer_lib.motion.micro.average import windows
from ethnicmer_lib.store import Run

#: Sides of images, in px, that chapters and evidence share: one pass over the clips gives them all.
SIZES = (28, 56, 112)
#: Methods of two frames, and the one that is given their neighbours in time, too.
CLIP_METHODS = (*METHODS, "micro_neighbours")
_PART = 64  # clips between two files: what an interruption can cost


def motion_images(
    clips: Clips,
    method: str = "micro",
    scaling: str = "robust",
    size: int = 56,
    progress: bool = True,
) -> np.ndarray:
    """The optical flow image of every clip (Eq. 7), in the order of the table.

    Flow and strain are computed at the frames' own resolution, scaled there, and only then resized to a square
    (sides are stretched apart where the frame is no square): averaged over areas when shrinking, linear when
    growing.  Clips without frames give their ready-made flow, see :func:`image.published_image`; method and scaling
    do not apply to it.

    Parameters
    ----------
    method : see :func:`flow.optical_flow`, or 'micro_neighbours', see :func:`clip_flow`.
    scaling : see :func:`image.flow_image`.
    size : side of the images, px.

    Returns
    -------
    (n, 3, size, size) float32, read-only and mapped from disk; u, v in px of the frame and strain in px per px,
    or scaled.

    Raises
    ------
    StudyError
        With the clip, when a frame is missing or unfit for flow; for an unknown method or scaling.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> clips = em.open_clips("tiny", progress=False)
    >>> em.motion_images(clips, method="dis", size=28, progress=False).shape
    (52, 3, 28, 28)
    """
    if not clips.has_frames:
        inputs = {"clips": clips, "published": True}
        return _images(
            "motion", clips, inputs, lambda name: published_image(clips.flow(name)), size, progress
        )

    def image(clip_id: str) -> np.ndarray:
        return flow_image(clip_flow(clips, clip_id, method), scaling)

    return _images(
        "motion", clips, {"clips": clips, "method": method, "scaling": scaling}, image, size, progress
    )


def clip_flow(clips: Clips, clip_id: str, method: str = "micro") -> np.ndarray:
    """Optical flow of a clip from onset to apex, (H, W, 2) float32 px.

    Parameters
    ----------
    method : of two frames, see :func:`flow.optical_flow`; or 'micro_neighbours': micro on the means of the frames
        around onset and apex, as far as :func:`micro.average.windows` says and the source holds any.

    Raises
    ------
    StudyError
        When a frame is missing or unfit for flow; for an unknown method.
    """
    if method not in CLIP_METHODS:
        raise StudyError(f"flow_method={method!r} is unknown; allowed: {', '.join(CLIP_METHODS)}")
    row = clips.row(clip_id)
    if method in METHODS or pd.isna(row["onset"]) or pd.isna(row["apex"]):
        pair = (clips.frames(clip_id, moment) for moment in ("onset", "apex"))
        return optical_flow(*pair, method.removesuffix("_neighbours"))
    offset = None if pd.isna(row["offset"]) else int(row["offset"])
    around = windows(int(row["onset"]), int(row["apex"]), offset)
    moments = zip(("onset", "apex"), around, strict=True)
    return optical_flow(*(clips.neighbours(clip_id, moment, *window) for moment, window in moments), "micro")


def apex_images(clips: Clips, size: int = 56, progress: bool = True) -> np.ndarray:
    """The apex frame of every clip, in the order of the table.

    Parameters
    ----------
    size : side of the images, px; resized as in :func:`motion_images`.

    Returns
    -------
    (n, 3, size, size) float32 in [0, 1], RGB, gray repeated; read-only and mapped from disk.

    Raises
    ------
    StudyError
        When the clips have no frames, or, with the clip, when its apex frame is missing.

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

    return _images("apex", clips, {"clips": clips}, image, size, progress)


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """(3, H, W) to (3, size, size) float32: INTER_AREA when no side grows, else INTER_LINEAR."""
    interpolation = cv2.INTER_AREA if size <= min(image.shape[1:]) else cv2.INTER_LINEAR
    pixels = np.ascontiguousarray(np.moveaxis(image, 0, 2), dtype=np.float32)
    return np.moveaxis(cv2.resize(pixels, (size, size), interpolation=interpolation), 2, 0)


def _images(
    step: str,
    clips: Clips,
    inputs: dict[str, Any],
    image: Callable[[str], np.ndarray],
    size: int,
    progress: bool,
) -> np.ndarray:
    """All clips' images, in parts so that an interrupted computation resumes; one pass gives every shared size."""
    run = Run.open(step, code=("motion",), inputs=inputs, provenance=clips.provenance)
    clip_ids = clips.table["clip_id"].tolist()
    sizes = SIZES if size in SIZES else (size,)

    def one(clip_id: str) -> list[np.ndarray]:
        try:
            found = image(clip_id)
        except StudyError as error:
            raise error if clip_id in str(error) else StudyError(f"clip {clip_id}: {error}") from error
        return [resize(found, side) for side in sizes]

    def whole(place: int) -> np.ndarray:
        with (
            tqdm(total=len(clip_ids), desc=f"{step} images", disable=not progress) as bar,
            pool() as each,
        ):
            parts = []
            for start in range(0, len(clip_ids), _PART):
                chunk = clip_ids[start : start + _PART]
                kept = _part(run, sizes, start, lambda chunk=chunk: each(one, chunk), bar)
                parts.append(kept[place])
                bar.update(start + len(chunk) - bar.n)  # a part that was there already
        return _joined(parts, run.path / f"px{sizes[place]}-part-all.npy")

    images = {side: run.array(f"px{side}", lambda i=i: whole(i)) for i, side in enumerate(sizes)}
    run.drop("px*-part*")
    return images[size]


def _part(
    run: Run, sizes: Sequence[int], start: int, images: Callable[[], Iterator[list[np.ndarray]]], bar: tqdm
) -> list[np.ndarray]:
    """The images of some clips, an array and a file for each size; computed where a file is missing."""
    made: list[list[np.ndarray]] = []

    def stack(place: int) -> np.ndarray:
        if not made:
            for one in images():
                made.append(one)
                bar.update()
        return np.stack([one[place] for one in made])

    return [
        run.array(f"px{side}-part{start:05d}", lambda place=place: stack(place))
        for place, side in enumerate(sizes)
    ]


def _joined(parts: Sequence[np.ndarray], path: Path) -> np.ndarray:
    """The parts one after the other, on disk: large images of many clips need not fit into memory."""
    shape = (sum(map(len, parts)), *parts[0].shape[1:])
    whole = np.lib.format.open_memmap(path, mode="w+", dtype=parts[0].dtype, shape=shape)
    at = 0
    for part in parts:
        whole[at : at + len(part)] = part
        at += len(part)
    return whole


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
