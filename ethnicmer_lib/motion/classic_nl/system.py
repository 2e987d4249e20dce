"""The linear system of one warping step, on the pixels and on ever coarser grids.

Unknown are the increments (du, dv) of every pixel.  The data term couples du with dv of one pixel, the spatial
term each of the two with its four neighbours, so the matrix is kept as seven planes of shape (H, W):

    0 1 2   what the data term puts on the diagonal: du du, du dv, dv dv
    3 4     pull between the du of a pixel and of its right and lower neighbour
    5 6     the same for dv

The matrix itself is the data term plus, on the diagonal, the sum of a pixel's four pulls, and minus each pull
beside the diagonal.
"""

from __future__ import annotations

import numpy as np
from numba import njit

LAMBDA = 3.0  #: weight of the spatial term
EXPONENT, EPSILON = 0.45, 1e-6  #: generalised Charbonnier penalty (x^2 + EPSILON)^EXPONENT

_COARSE_PULL = 0.8  # share of the summed pulls that a coarse grid keeps, see `coarser`


@njit(cache=True, nogil=True, fastmath=True)
def assemble(derivatives, u, v, robust):
    """The system whose solution minimises the energy with its penalties replaced by parabolas at the current flow.

    The energy is sum rho(I_t + I_x du + I_y dv) + LAMBDA sum rho(differences of u + du, and of v + dv, to the
    right and lower neighbours); rho is the generalised Charbonnier penalty, or a square where not ``robust``
    (Sun et al. 2010, Eq. 1, linearised as in Bruhn et al. 2005).

    Parameters
    ----------
    derivatives : (3, H, W) float64: I_x, I_y (grey levels per px) and I_t (grey levels).
    u, v : (H, W) float64, px.

    Returns
    -------
    planes : (7, H, W) float32, the matrix.
    right : (2, H, W) float32, the right side.
    """
    height, width = u.shape
    planes = np.zeros((7, height, width), np.float32)
    right = np.zeros((2, height, width), np.float32)
    for i in range(height):
        for j in range(width):
            x, y, t = derivatives[0, i, j], derivatives[1, i, j], derivatives[2, i, j]
            w = _weight(t, robust)
            planes[0, i, j] = w * x * x
            planes[1, i, j] = w * x * y
            planes[2, i, j] = w * y * y
            right[0, i, j] -= w * x * t
            right[1, i, j] -= w * y * t
            for k in range(2):
                f = u if k == 0 else v
                if j + 1 < width:
                    d = f[i, j + 1] - f[i, j]
                    w = LAMBDA * _weight(d, robust)
                    planes[3 + 2 * k, i, j] = w
                    right[k, i, j] += w * d
                    right[k, i, j + 1] -= w * d
                if i + 1 < height:
                    d = f[i + 1, j] - f[i, j]
                    w = LAMBDA * _weight(d, robust)
                    planes[4 + 2 * k, i, j] = w
                    right[k, i, j] += w * d
                    right[k, i + 1, j] -= w * d
    return planes, right


@njit(cache=True, nogil=True, fastmath=True)
def _weight(x, robust):
    """rho'(x) / x, up to a factor that both terms share."""
    return 2 * EXPONENT * (x * x + EPSILON) ** (EXPONENT - 1) if robust else 1.0


@njit(cache=True, nogil=True, fastmath=True)
def coarser(planes):
    """The system on blocks of 2 x 2 px, (7, ceil(H / 2), ceil(W / 2)).

    Data terms add up.  So do the pulls across the border of a block, times 0.8: the centres of two blocks are
    twice as far apart as those of two pixels, which calls for one half where the flow is smooth, and for one where
    it breaks (on such grids: Braess 1995).
    """
    _, height, width = planes.shape
    out = np.zeros((7, (height + 1) // 2, (width + 1) // 2), np.float32)
    share = np.float32(_COARSE_PULL)
    for i in range(height):
        for j in range(width):
            a, b = i // 2, j // 2
            for k in range(3):
                out[k, a, b] += planes[k, i, j]
            for k in range(2):
                if j % 2 == 1:
                    out[3 + 2 * k, a, b] += share * planes[3 + 2 * k, i, j]
                if i % 2 == 1:
                    out[4 + 2 * k, a, b] += share * planes[4 + 2 * k, i, j]
    return out


@njit(cache=True, nogil=True, fastmath=True)
def diagonal(planes):
    """(6, H, W) float32: the 2 x 2 diagonal block of every pixel (du du, du dv, dv dv) and its inverse."""
    _, height, width = planes.shape
    out = np.empty((6, height, width), np.float32)
    for i in range(height):
        for j in range(width):
            for k in range(2):
                pulls = planes[3 + 2 * k, i, j] + planes[4 + 2 * k, i, j]
                if j > 0:
                    pulls += planes[3 + 2 * k, i, j - 1]
                if i > 0:
                    pulls += planes[4 + 2 * k, i - 1, j]
                out[2 * k, i, j] = planes[2 * k, i, j] + pulls
            out[1, i, j] = planes[1, i, j]
            scale = 1 / (out[0, i, j] * out[2, i, j] - out[1, i, j] * out[1, i, j])
            out[3, i, j] = scale * out[2, i, j]
            out[4, i, j] = -scale * out[1, i, j]
            out[5, i, j] = scale * out[0, i, j]
    return out


@njit(cache=True, nogil=True)
def split(planes):
    """(n, H, W) planes as a chessboard: (2, n, H + 2, ceil(W / 2) + 2), first the pixels with even row + column.

    The pixels of one colour lie side by side, so that a sweep over one colour reads and writes rows without gaps.
    A rim of zeros stands for the missing neighbours.
    """
    n, height, width = planes.shape
    out = np.zeros((2, n, height + 2, (width + 1) // 2 + 2), planes.dtype)
    for k in range(n):
        for i in range(height):
            for j in range(width):
                out[(i + j) % 2, k, i + 1, j // 2 + 1] = planes[k, i, j]
    return out


@njit(cache=True, nogil=True)
def join(board, width):
    """The (n, H, W) planes of a chessboard, see `split`."""
    _, n, height, _ = board.shape
    out = np.empty((n, height - 2, width), board.dtype)
    for k in range(n):
        for i in range(height - 2):
            for j in range(width):
                out[k, i, j] = board[(i + j) % 2, k, i + 1, j // 2 + 1]
    return out
