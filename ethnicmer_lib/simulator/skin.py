"""Skin: tone, mottling, pores, moles, freckles and lips; one law for every subject, nothing from an origin."""

from __future__ import annotations

import numpy as np

from ethnicmer_lib.simulator.canvas import LEFT, TEXELS, TOP, Band, X, Y, blob, noise, smoothstep

#: Linear reflectance (RGB) of skin with the least and the most melanin; subjects lie evenly between, in the logarithm.
LIGHT, DEEP = np.array([0.56, 0.365, 0.28]), np.array([0.108, 0.060, 0.034])

_MOTTLING = (
    Band(0.035, 0.004, 0.03, falloff=1),  # blotches
    Band(0.035, 0.02, 0.10, falloff=0.6),
    Band(0.030, 0.06, 0.25),  # pores
    Band(0.028, 0.05, 0.22, falloff=-1, direction=1.0, spread=0.8),  # relief, lit from above
)
_FLUSH = Band(0.05, 0.003, 0.02, falloff=1)
_FRECKLES = Band(1.0, 0.02, 0.09)
_LIP_FOLDS = (Band(0.07, 0.05, 0.25, direction=0), Band(0.05, 0.01, 0.05, falloff=0.5))


def skin_tone(rng: np.random.Generator) -> tuple[float, np.ndarray]:
    """Melanin in 0..1, uniform, and the linear reflectance (3,) of the skin: melanin, some undertone, some flush."""
    melanin = rng.uniform()
    undertone, flush = rng.normal(size=2)
    colour = np.exp((1 - melanin) * np.log(LIGHT) + melanin * np.log(DEEP))
    return melanin, colour * np.exp(
        0.06 * undertone * np.array([0, 0.2, -1]) + 0.02 * flush * np.array([0.3, -0.6, -0.5])
    )


def paint_skin(
    rng: np.random.Generator, melanin: float, colour: np.ndarray, texture: np.ndarray | None
) -> np.ndarray:
    """Bare skin, (HEIGHT, WIDTH, 3) float32 linear RGB; ``texture`` is added to its log luminance."""
    luminance = _luminance(rng)
    if texture is not None:
        luminance += texture
    redness = noise(rng, _FLUSH)
    redness += (
        0.16 * blob(0.42, 6.98, 0.16, 0.16)
        + 0.14 * blob(0, 6.93, 0.08, 0.10)
        + 0.05 * blob(0, 6.2, 0.2, 0.12)
    )
    redness *= 1 - 0.6 * melanin
    weights = np.array([0.25, -0.55, -0.45], np.float32)
    return np.exp(luminance[..., None] + redness[..., None] * weights) * colour.astype(np.float32)


def paint_lips(rng: np.random.Generator, melanin: float, colour: np.ndarray) -> np.ndarray:
    """The colour that lips would have anywhere, (HEIGHT, WIDTH, 3) float32 linear RGB."""
    pink = 1 - 0.45 * melanin
    base = colour * np.exp(pink * np.log([0.88, 0.55, 0.60]) + 0.08 * rng.normal())
    return np.exp(noise(rng, *_LIP_FOLDS))[..., None] * base.astype(np.float32)


def _luminance(rng: np.random.Generator) -> np.ndarray:
    """Log luminance of the skin: mottling, pores, shadowed eyes, moles, freckles."""
    luminance = noise(rng, *_MOTTLING)
    luminance -= (0.08 + 0.06 * rng.random()) * blob(0.30, 7.10, 0.13, 0.05) + 0.05 * blob(
        0.12, 7.25, 0.05, 0.06
    )
    for _ in range(rng.integers(3, 14)):
        x, y, size, depth = (
            rng.uniform(*r) for r in ((-0.65, 0.65), (6.2, 7.95), (0.004, 0.011), (0.12, 0.4))
        )
        reach = int(4 * size * TEXELS) + 1
        row, column = int((TOP - y) * TEXELS), int((x - LEFT) * TEXELS)
        rows, columns = slice(row - reach, row + reach), slice(column - reach, column + reach)
        squared = (Y[rows] - y) ** 2 + (X[:, columns] - x) ** 2
        luminance[rows, columns] += np.log1p(-depth * np.exp(-squared / (2 * size**2)))
    freckled, freckles = rng.random() < 0.5, noise(rng, _FRECKLES)
    if freckled:
        where = smoothstep(1.9, 2.6, freckles) * (blob(0.3, 7.0, 0.25, 0.14) + 0.7 * blob(0, 7.05, 0.1, 0.1))
        luminance += np.log1p(-0.22 * np.clip(where, 0, 1))
    return luminance
