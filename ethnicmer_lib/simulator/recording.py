"""Recording: the camera, sensor and file format with which a database was made, and how far two databases differ."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields

import cv2
import numpy as np

from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.errors import StudyError

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, the weights of a JPEG's luminance


@dataclass(frozen=True)
class Recording:
    """How a database was recorded.

    Attributes
    ----------
    width, height : of a frame, px
    eye_line, chin_line : where the centres of the eyes and the chin lie, share of the height from the top
    gray : frames have one channel
    contrast : of the picture about mid grey, 1 is as rendered
    gain : light, 1 is as rendered
    blur : standard deviation of the lens, px
    noise : standard deviation of the sensor's noise, grey levels of 255
    quality : of the JPEG files, 1..100
    """

    width: int = 280
    height: int = 340
    eye_line: float = 0.385
    chin_line: float = 0.95
    gray: bool = False
    contrast: float = 1.0
    gain: float = 1.0
    blur: float = 0.55
    noise: float = 2.0
    quality: int = 95


#: How the cropped frames of the two databases look (Yan et al. 2014; Davison et al. 2016): CASME II in colour,
#: about 280 x 340; SAMM gray, cropped tighter (the brows near the upper border), richer in contrast, and reduced
#: from a sensor of higher resolution, so sharper and with less noise.  The numbers are judged by eye.
LOOKS = {
    CASME2: Recording(),
    SAMM: Recording(300, 320, 0.27, 0.955, True, contrast=1.15, gain=1.05, blur=0.45, noise=1.0, quality=97),
}
COMMON = LOOKS[CASME2]  #: what both are recorded with where they do not differ
_FRAMING = ("width", "height", "eye_line", "chin_line")


def recording(database: str, shift: float, without: Collection[str] = ()) -> Recording:
    """How ``database`` is recorded when the databases differ by ``shift``.

    At 0 by the common camera, in colour; at 1 as the real one looks; in between numbers are interpolated, and
    gray is from 0.5 on.  Of ``SimulatorSettings.without``, 'framing' frames both with the common camera, and
    'noise' leaves out the sensor's noise.

    Raises
    ------
    StudyError
        For an unknown database or a shift outside 0..1.
    """
    if database not in LOOKS:
        raise StudyError(f"database {database!r} has no recording; known are {', '.join(LOOKS)}")
    if not 0 <= shift <= 1:
        raise StudyError(f"database_shift {shift!r}: must be a number from 0 to 1")
    values = {}
    for field in fields(Recording):
        common, look = getattr(COMMON, field.name), getattr(LOOKS[database], field.name)
        if common == look or isinstance(common, bool):
            values[field.name] = look if shift >= 0.5 else common
        else:
            between = (1 - shift) * common + shift * look
            values[field.name] = round(between) if isinstance(common, int) else between
    if "framing" in without:
        values |= {name: getattr(COMMON, name) for name in _FRAMING}
    if "noise" in without:
        values["noise"] = 0.0
    return Recording(**values)


def sensor(image: np.ndarray, rng: np.random.Generator, recorded: Recording) -> np.ndarray:
    """What the sensor delivers of a rendered frame: uint8 with noise, (H, W, 3) RGB or (H, W) where gray.

    ``image`` is (H, W, 3) float32 in 0..1 with display gamma; ``rng`` is the frame's own.
    """
    if recorded.gray:
        image = image @ _LUMA
    image = 0.5 + np.float32(recorded.contrast) * (image - 0.5)
    noisy = image * 255 + np.float32(recorded.noise) * rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def encode(frame: np.ndarray, recorded: Recording) -> bytes:
    """A frame, uint8 (H, W, 3) RGB or (H, W), as the bytes of a JPEG file.

    Raises
    ------
    StudyError
        If this OpenCV cannot write JPEG.
    """
    bgr = frame if frame.ndim == 2 else np.ascontiguousarray(frame[..., ::-1])
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, recorded.quality])
    if not done:
        raise StudyError("OpenCV could not encode a frame as JPEG; reinstall opencv-contrib-python-headless")
    return data.tobytes()
