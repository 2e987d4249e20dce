"""Solving the linear system of a warping step: conjugate gradients, preconditioned by a multigrid cycle.

All arrays here are chessboards, see `system.split`: the unknowns (2, 2, H + 2, ceil(W / 2) + 2) of colour,
component (du, dv), row and column, and the matrix with ten planes in place of the components: the diagonal block
of a pixel and its inverse (0 to 5, see `system.diagonal`), its pulls (6 to 9: du right, du lower, dv right, dv
lower).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.motion.classic_nl.system import assemble, coarser, diagonal, join, split

TOLERANCE = 1e-7  #: px: root mean square of the estimated error at which to stop
MOST = 400  #: iterations

_SMALLEST = 4  # px: a grid this narrow is the coarsest
_COARSEST_SWEEPS = 8


def increments(
    derivatives: np.ndarray, u: np.ndarray, v: np.ndarray, robust: bool, tolerance: float = TOLERANCE
) -> np.ndarray:
    """(2, H, W) float32 px: the (du, dv) that solve the system of `system.assemble`, whose parameters see."""
    planes, right = assemble(derivatives, u, v, robust)
    return join(solve(hierarchy(planes), split(right), tolerance), u.shape[1])


def hierarchy(planes: np.ndarray) -> list[np.ndarray]:
    """The matrix as chessboards on ever coarser grids, finest first, until a side is at most 4 px."""
    grids = []
    while True:
        grids.append(split(np.concatenate([diagonal(planes), planes[3:]])))
        if min(planes.shape[1:]) <= _SMALLEST:
            return grids
        planes = coarser(planes)


def solve(grids: list[np.ndarray], right: np.ndarray, tolerance: float) -> np.ndarray:
    """x with grids[0] x = right.

    One multigrid cycle on the residual estimates the error of x; the iteration stops where that is small enough,
    and takes it off as well.

    Raises
    ------
    StudyError
        Where the error is still larger after ``MOST`` iterations; 20 to 70 are usual.
    """
    rooms = [(np.zeros_like(right), right.copy())]
    for grid in grids[1:]:
        shape = (2, 2, *grid.shape[2:])
        rooms.append((np.zeros(shape, np.float32), np.zeros(shape, np.float32)))
    estimate, residual = rooms[0]
    x, direction, product = (np.zeros_like(right) for _ in range(3))
    goal = tolerance**2 * right.size
    previous = 0.0
    for _ in range(MOST):
        cycle(grids, rooms, 0)
        square, current = _sums(estimate, residual)
        if square <= goal:
            break
        _add(direction, estimate, current / previous if previous else 0.0)
        multiply(grids[0], direction, product)
        step = current / _sums(direction, product)[1]
        _step(x, residual, direction, product, step)
        previous = current
    else:
        raise StudyError(
            f"the linear system of the flow is off by {np.sqrt(square / right.size):.1e} px after {MOST} "
            f"iterations (goal {tolerance:.0e} px); look at the clip's frames, or take another flow_method"
        )
    x += estimate
    return x


def cycle(grids: list[np.ndarray], rooms: list[tuple[np.ndarray, np.ndarray]], level: int) -> None:
    """One V cycle from zero, as many sweeps down as up in the reverse order: linear, symmetric and positive.

    Reads the right side from ``rooms[level][1]`` and leaves the result in ``rooms[level][0]``.
    """
    grid, (x, right) = grids[level], rooms[level]
    start(grid, x, right)
    relax(grid, x, right, 1)
    if level + 1 < len(grids):
        restrict(grid, x, right, rooms[level + 1][1])
        cycle(grids, rooms, level + 1)
        prolong(x, rooms[level + 1][0])
    else:
        for _ in range(_COARSEST_SWEEPS):
            relax(grid, x, right, 0)
            relax(grid, x, right, 1)
            relax(grid, x, right, 1)
            relax(grid, x, right, 0)
    relax(grid, x, right, 1)
    relax(grid, x, right, 0)


@njit(cache=True, nogil=True, fastmath=True)
def _pulled(m, x, colour, component, i, out):
    """What the neighbours of the pixels of one colour in row ``i`` (rim counted) pull at du or dv.

    Loops over whole rows with few arrays each: that is what the compiler vectorises.
    """
    shift = (i - 1 + colour) % 2
    other = x[1 - colour, component]
    mine, theirs = m[colour, 6 + 2 * component], m[1 - colour, 6 + 2 * component]
    a, xa = mine[i, 1:], other[i, 1 + shift :]
    b, xb = theirs[i, shift:], other[i, shift:]
    for q in range(out.size):
        out[q] = a[q] * xa[q] + b[q] * xb[q]
    mine, theirs = m[colour, 7 + 2 * component], m[1 - colour, 7 + 2 * component]
    a, xa = mine[i, 1:], other[i + 1, 1:]
    b, xb = theirs[i - 1, 1:], other[i - 1, 1:]
    for q in range(out.size):
        out[q] += a[q] * xa[q] + b[q] * xb[q]


@njit(cache=True, nogil=True, fastmath=True)
def _block(m, plane, colour, i, p, q, component, out):
    """out = one row of the 2 x 2 blocks that start at ``plane``, times (p, q)."""
    a, b = m[colour, plane + component, i, 1:], m[colour, plane + component + 1, i, 1:]
    for k in range(p.size):
        out[k] = a[k] * p[k] + b[k] * q[k]


@njit(cache=True, nogil=True, fastmath=True)
def start(m, x, right):
    """Solve the block of every even pixel, with 0 in all others."""
    for i in range(1, x.shape[2] - 1):
        p, q = right[0, 0, i, 1:-1], right[0, 1, i, 1:-1]
        for k in range(2):
            _block(m, 3, 0, i, p, q, k, x[0, k, i, 1:-1])


@njit(cache=True, nogil=True, fastmath=True)
def relax(m, x, right, colour):
    """Solve the block of every pixel of one colour: half a red-black Gauss-Seidel sweep."""
    sums = np.empty((2, x.shape[3] - 2), np.float32)
    for i in range(1, x.shape[2] - 1):
        for k in range(2):
            _pulled(m, x, colour, k, i, sums[k])
            b, total = right[colour, k, i, 1:], sums[k]
            for q in range(total.size):
                total[q] += b[q]
        for k in range(2):
            _block(m, 3, colour, i, sums[0], sums[1], k, x[colour, k, i, 1:-1])


@njit(cache=True, nogil=True, fastmath=True)
def multiply(m, x, out):
    """out = matrix x."""
    sums = np.empty(x.shape[3] - 2, np.float32)
    for colour in range(2):
        for i in range(1, x.shape[2] - 1):
            p, q = x[colour, 0, i, 1:-1], x[colour, 1, i, 1:-1]
            for k in range(2):
                row = out[colour, k, i, 1:-1]
                _block(m, 0, colour, i, p, q, k, row)
                _pulled(m, x, colour, k, i, sums)
                for n in range(row.size):
                    row[n] -= sums[n]


@njit(cache=True, nogil=True, fastmath=True)
def restrict(m, x, right, out):
    """right - matrix x, added up over blocks of 2 x 2 px.

    Right after a sweep over the odd pixels only the even ones have a residual.
    """
    columns = x.shape[3] - 2
    sums, row, blocks = (
        np.empty(columns, np.float32),
        np.empty(columns, np.float32),
        np.empty(columns, np.float32),
    )
    for a in range(out.shape[2] - 2):
        for k in range(2):
            blocks[:] = 0
            for i in range(2 * a + 1, min(2 * a + 3, x.shape[2] - 1)):
                _block(m, 0, 0, i, x[0, 0, i, 1:-1], x[0, 1, i, 1:-1], k, row)
                _pulled(m, x, 0, k, i, sums)
                b = right[0, k, i, 1:]
                for n in range(columns):
                    blocks[n] += b[n] - row[n] + sums[n]
            for parity in range(2):
                target = out[(a + parity) % 2, k, a + 1, 1:]
                for n in range((columns - parity + 1) // 2):
                    target[n] = blocks[2 * n + parity]


@njit(cache=True, nogil=True, fastmath=True)
def prolong(x, coarse):
    """Add to every pixel the value of its block of 2 x 2 px."""
    columns = x.shape[3] - 2
    blocks = np.empty(columns, np.float32)
    for a in range(coarse.shape[2] - 2):
        for k in range(2):
            for parity in range(2):
                source = coarse[(a + parity) % 2, k, a + 1, 1:]
                for n in range((columns - parity + 1) // 2):
                    blocks[2 * n + parity] = source[n]
            for i in range(2 * a + 1, min(2 * a + 3, x.shape[2] - 1)):
                for colour in range(2):
                    row = x[colour, k, i, 1:-1]
                    for n in range(columns):
                        row[n] += blocks[n]


@njit(cache=True, nogil=True, fastmath=True)
def _sums(a, b):
    """a . a and a . b."""
    square, product = 0.0, 0.0
    a, b = a.reshape(-1), b.reshape(-1)
    for k in range(a.size):
        square += a[k] * a[k]
        product += a[k] * b[k]
    return square, product


@njit(cache=True, nogil=True, fastmath=True)
def _add(direction, estimate, share):
    """direction = estimate + share direction."""
    a, b, c = direction.reshape(-1), estimate.reshape(-1), np.float32(share)
    for k in range(a.size):
        a[k] = b[k] + c * a[k]


@njit(cache=True, nogil=True, fastmath=True)
def _step(x, residual, direction, product, length):
    """x += length direction, residual -= length product."""
    a, b, c = x.reshape(-1), direction.reshape(-1), np.float32(length)
    for k in range(a.size):
        a[k] += c * b[k]
    a, b = residual.reshape(-1), product.reshape(-1)
    for k in range(a.size):
        a[k] -= c * b[k]
