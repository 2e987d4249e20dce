"""The canonical frame on which subjects are painted, and band-passed noise on it.

The frame is a front view of the unmorphed head (x, y in dm): paint sticks to the surface and follows identity and
Action Units.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from scipy import fft

#: Texels per dm, left edge x, top edge y, width and height in texels.
TEXELS, LEFT, TOP, WIDTH, HEIGHT = 400, -1.0, 8.55, 800, 1120
X = np.linspace(LEFT, LEFT + (WIDTH - 1) / TEXELS, WIDTH, dtype=np.float32)[None, :]
Y = np.linspace(TOP, TOP - (HEIGHT - 1) / TEXELS, HEIGHT, dtype=np.float32)[:, None]

_COARSE = 0.1  # cycles per texel: noise below this is drawn at half the resolution


@dataclass(frozen=True)
class Band:
    """A band of a noise spectrum.

    Attributes
    ----------
    amplitude : standard deviation of this band's share
    low, high : pass band, cycles per texel
    falloff : amplitude falls with frequency to this power
    direction, spread : direction and angular width of the spectrum in radians; None for isotropic noise
    """

    amplitude: float
    low: float
    high: float
    falloff: float = 0.0
    direction: float | None = None
    spread: float = 0.35


def noise(rng: np.random.Generator, *bands: Band, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    """The sum of independent Gaussian noises, one a band, ``shape`` float32; drawn in a single transform."""
    step = 2 if max(band.high for band in bands) <= _COARSE else 1
    size = (shape[0] // step, shape[1] // step)
    gain = np.sqrt(sum(_power(band, size, step) for band in bands))
    parts = rng.standard_normal((*gain.shape, 2), dtype=np.float32)
    field = fft.irfft2(parts.view(np.complex64)[..., 0] * gain, s=size)
    return field if step == 1 else cv2.resize(field, shape[::-1], interpolation=cv2.INTER_CUBIC)


@lru_cache(maxsize=48)
def _power(band: Band, size: tuple[int, int], step: int) -> np.ndarray:
    """Power of a band's spectrum (rows, columns // 2 + 1), float32, scaled for ``fft.irfft2``."""
    fy = fft.fftfreq(size[0])[:, None].astype(np.float32) / step
    fx = fft.rfftfreq(size[1])[None].astype(np.float32) / step
    frequency = np.hypot(fx, fy) + np.float32(1e-9)
    power = np.exp(-2 * (band.low / frequency) ** 4 - 2 * (frequency / band.high) ** 2)
    power *= frequency ** (-2 * band.falloff)
    if band.direction is not None:
        turn = np.arctan2(fy, fx) - band.direction
        turn -= np.pi * np.rint(turn / np.pi)
        power *= np.exp(-2 * (turn / band.spread) ** 2)
    total = 2 * power.sum(dtype=np.float64) - power[:, 0].sum(dtype=np.float64)
    # Both parts of a coefficient have unit variance; irfft2 divides by the number of texels.
    return (power * (band.amplitude * size[0] * size[1]) ** 2 / (2 * total)).astype(np.float32)


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 below ``low``, 1 above ``high``, smooth between (``low`` > ``high`` reverses)."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def blob(cx: float, cy: float, sx: float, sy: float) -> np.ndarray:
    """A Gaussian spot on both halves of the face, (HEIGHT, WIDTH) float32."""
    across = np.exp(-((np.abs(X) - cx) ** 2) / (2 * sx * sx))
    return across * np.exp(-((Y - cy) ** 2) / (2 * sy * sy))
