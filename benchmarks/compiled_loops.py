"""The loops of `compiled_engines.py` for numba: written out point by point, nothing kept between the two passes.

Without numba this module still imports, and nobody calls it.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from benchmarks.compiled_problem import (
    DROPPED,
    SERIES,
    SMALL,
    Evaluate,
    Floats,
    Ints,
    Problem,
    Sums,
    assemble,
    expected,
    hazard_product,
    hazard_products,
    missed,
    near_detections,
    point_of,
)
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Function = TypeVar("Function", bound=Callable[..., Any])

LOG_NEGLIGIBLE = float(np.log(1e-18))  # a camera is left out of a tile where E g is below
REORDERED = {"reassoc", "contract", "nsz"}  # what vector instructions need; infinities and NaN keep their meaning
numba: Any = importlib.import_module("numba") if importlib.util.find_spec("numba") else None
prange: Any = numba.prange if numba else range


def compiled(function: Function) -> Function:
    """`function` compiled by numba where it is installed."""
    made: Function = numba.njit(cache=True, fastmath=REORDERED)(function) if numba else function
    return made


def compiled_in_threads(function: Function) -> Function:
    """The same with `prange` over threads."""
    made: Function = numba.njit(parallel=True, cache=True, fastmath=REORDERED)(function) if numba else function
    return made


class Scene(NamedTuple):
    """What the loops read. `tiles`, grid `x_m`, `y_m`; `cameras` (J, 5): x, y, log g0, 1 / 2 sigma^2, effort.

    `along_x`, `along_y`: the factors of the intensity; `along_x` is (J, 0) where an exponential a point is wanted;
    `x2`, `y2`: see `Point`; `first`, `camera`, `detections`: sparse counts;
    `animals` (n, 6): quadratic, log Pr near the detections, bound of the correction.
    """

    tiles: Ints
    x_m: Floats
    y_m: Floats
    cameras: Floats
    along_x: Floats
    along_y: Floats
    x2: Floats
    y2: Floats
    first: Int32s
    camera: Int32s
    detections: Floats
    animals: Floats


@compiled
def _intensity(s: Scene, box: Ints, j: int, out: Floats) -> None:
    """Intensity of camera j in a tile."""
    width = box[3] - box[2]
    by_product = s.along_x.shape[1] > 0
    for a in range(box[0], box[1]):
        row = out[(a - box[0]) * width : (a - box[0] + 1) * width]
        if by_product:
            for b in range(width):
                row[b] = s.along_x[j, a] * s.along_y[j, box[2] + b]
        else:
            dx2 = (s.x_m[a] - s.cameras[j, 0]) ** 2
            for b in range(width):
                row[b] = np.exp(s.cameras[j, 2] - s.cameras[j, 3] * (dx2 + (s.y_m[box[2] + b] - s.cameras[j, 1]) ** 2))


@compiled
def _correct(x: Floats, value: Floats, slope: Floats) -> None:
    """`correction` of one row."""
    c1, c2, c3, c4, c5 = SERIES
    if x.max() > SMALL:
        for q in range(len(x)):
            ratio = -np.expm1(-x[q]) / x[q]
            value[q] = np.log(ratio) + x[q]
            slope[q] = 1.0 / ratio - 1.0
        return
    for q in range(len(x)):
        s = x[q] * x[q]
        value[q] = 0.5 * x[q] + s * (c1 + s * (c2 + s * (c3 + s * (c4 + s * c5))))
        slope[q] = 0.5 * x[q] + s * (2 * c1 + s * (4 * c2 + s * (6 * c3 + s * (8 * c4 + s * 10 * c5))))


@compiled
def _alive(s: Scene, box: Ints, i: int) -> bool:
    """Whether the centre of animal i may be in a tile: its quadratic's maximum there is not negligible."""
    a, b, c, d, near, above = s.animals[i]
    x = min(max(b / (2.0 * d), s.x_m[box[0]]), s.x_m[box[1] - 1])
    y = min(max(c / (2.0 * d), s.y_m[box[2]]), s.y_m[box[3] - 1])
    return bool(a + b * x + c * y - d * (x * x + y * y) + above > near - DROPPED)


@compiled
def _base(s: Scene, box: Ints, i: int, hazard: Floats, out: Floats) -> None:
    """Log Pr of animal i, less the correction, over its value near the detections."""
    a, b, c, d, near, _ = s.animals[i]
    width = box[3] - box[2]
    for k in range(box[0], box[1]):
        start = a - near + (b - d * s.x_m[k]) * s.x_m[k]
        row = out[(k - box[0]) * width : (k - box[0] + 1) * width]
        for m in range(width):
            y = s.y_m[box[2] + m]
            row[m] = start + (c - d * y) * y - hazard[k, box[2] + m]


@compiled
def _add(target: Floats, weight: float, row: Floats) -> None:
    for q in range(len(target)):
        target[q] += weight * row[q]


@compiled
def _exponentiate(v: Floats, scale: float) -> None:
    for q in range(len(v)):
        v[q] = scale * np.exp(v[q]) if v[q] > -DROPPED else 0.0


@compiled
def _moments(s: Scene, box: Ints, weights: Floats, raster: Floats, out: Floats) -> None:
    """Weights of one animal added to the raster, and their sums times 1, x, y, -(x^2 + y^2) to `out`."""
    width = box[3] - box[2]
    for a in range(box[0], box[1]):
        x = s.x_m[a]
        row = weights[(a - box[0]) * width : (a - box[0] + 1) * width]
        m0, m1, m2 = 0.0, 0.0, 0.0
        for b in range(width):
            y = s.y_m[box[2] + b]
            raster[a, box[2] + b] += row[b]
            m0 += row[b]
            m1 += row[b] * y
            m2 += row[b] * y * y
        out[0] += m0
        out[1] += m0 * x
        out[2] += m1
        out[3] -= m0 * x * x + m2


@compiled
def _seen(s: Scene, box: Ints, j: int, terms: Floats, slope: Floats) -> tuple[float, float]:
    """Sums over a tile of terms x slope, and of that times d^2 / sigma^2 from camera j."""
    width = box[3] - box[2]
    by_g0, by_sigma = 0.0, 0.0
    for a in range(box[0], box[1]):
        start = (a - box[0]) * width
        s0, s1 = 0.0, 0.0
        for b in range(width):
            part = terms[start + b] * slope[start + b]
            s0 += part
            s1 += part * s.y2[j, box[2] + b]
        by_g0 += s0
        by_sigma += s1 + s0 * s.x2[j, a]
    return by_g0, by_sigma


@compiled_in_threads
def _animals(s: Scene, hazard: Floats, scale: Floats, chunks: int) -> tuple[Floats, Floats, Floats]:
    """First pass (`scale` empty): sums of weights in moments[..., 0]. Second: moments, by camera, raster.

    Shapes (chunks, n, 4), (chunks, J, 2), (nx, ny); one thread a chunk.
    """
    n, J, points = len(s.animals), len(s.cameras), _largest(s.tiles)
    moments, by_camera, raster = np.zeros((chunks, n, 4)), np.zeros((chunks, J, 2)), np.zeros_like(hazard)
    for chunk in prange(chunks):
        log_part, slope = np.empty((J, points)), np.empty((J, points))
        g, buffer, known = np.empty(points), np.empty(points), np.full(J, -1)
        for t in range(chunk, len(s.tiles), chunks):
            box = s.tiles[t]
            size = (box[1] - box[0]) * (box[3] - box[2])
            weights = buffer[:size]
            for i in range(n):
                if not _alive(s, box, i):
                    continue
                _base(s, box, i, hazard, weights)
                for c in range(s.first[i], s.first[i + 1]):
                    j = s.camera[c]
                    if known[j] != t:
                        known[j] = t
                        _intensity(s, box, j, g[:size])
                        _correct(g[:size], log_part[j], slope[j])
                    _add(weights, s.detections[c], log_part[j])
                if not len(scale):
                    _exponentiate(weights, 1.0)
                    moments[chunk, i, 0] += weights.sum()
                    continue
                _exponentiate(weights, scale[i])
                _moments(s, box, weights, raster, moments[chunk, i])
                for c in range(s.first[i], s.first[i + 1]):
                    j = s.camera[c]
                    s0, s1 = _seen(s, box, j, weights, slope[j])
                    by_camera[chunk, j, 0] += s.detections[c] * s0
                    by_camera[chunk, j, 1] += s.detections[c] * s1
    return moments, by_camera, raster


@compiled
def _largest(tiles: Ints) -> int:
    """Points of the first tile, which none exceeds."""
    return int((tiles[0, 1] - tiles[0, 0]) * (tiles[0, 3] - tiles[0, 2]))


@compiled
def _reaches(s: Scene, box: Ints, j: int) -> bool:
    """Whether E g of camera j may exceed 1e-18 in a tile."""
    x, y, log_g0, half, effort = s.cameras[j]
    dx = max(s.x_m[box[0]] - x, x - s.x_m[box[1] - 1], 0.0)
    dy = max(s.y_m[box[2]] - y, y - s.y_m[box[3] - 1], 0.0)
    return bool(np.log(effort) + log_g0 - half * (dx * dx + dy * dy) > LOG_NEGLIGIBLE)


@compiled_in_threads
def _hazard(s: Scene, raster: Floats, chunks: int) -> tuple[Floats, Floats]:
    """H (nx, ny) and zeros if `raster` is empty, else zeros and the sums of `hazard_products`, (chunks, J, 2)."""
    total, by_camera = np.zeros((len(s.x_m), len(s.y_m))), np.zeros((chunks, len(s.cameras), 2))
    for chunk in prange(chunks):
        buffer = np.empty(_largest(s.tiles))
        for t in range(chunk, len(s.tiles), chunks):
            box = s.tiles[t]
            shape = (box[1] - box[0], box[3] - box[2])
            g = buffer[: shape[0] * shape[1]]
            here = raster[box[0] : box[1], box[2] : box[3]].copy().ravel()
            for j in range(len(s.cameras)):
                if not _reaches(s, box, j):
                    continue
                _intensity(s, box, j, g)
                if not len(raster):
                    total[box[0] : box[1], box[2] : box[3]] += s.cameras[j, 4] * g.reshape(shape)
                else:
                    s0, s1 = _seen(s, box, j, g, here)
                    by_camera[chunk, j, 0] += s.cameras[j, 4] * s0
                    by_camera[chunk, j, 1] += s.cameras[j, 4] * s1
    return total, by_camera


def numba_loops(p: Problem, *, products: bool, threads: int) -> Evaluate:
    """The likelihood in compiled loops; `products`: with the factors of a half-normal on a grid."""
    numba.set_num_threads(threads)
    empty, no_raster = np.empty(0), np.empty((0, 0))

    def evaluate(beta: Floats) -> tuple[float, Floats]:
        at = point_of(p, beta)
        ones = np.ones(len(p.x_m))
        cameras = np.column_stack([p.x_m, p.y_m, beta[1] * ones, at.half, p.effort])
        scene = Scene(
            tiles=p.tiles,
            x_m=p.grid_x_m,
            y_m=p.grid_y_m,
            cameras=cameras,
            along_x=at.along_x if products else np.empty((len(ones), 0)),
            along_y=at.along_y,
            x2=at.x2,
            y2=at.y2,
            first=p.counts.indptr,
            camera=p.counts.indices,
            detections=p.counts.data,
            animals=np.empty((0, 6)),
        )
        hazard = hazard_product(p, at) if products else _hazard(scene, no_raster, threads)[0]
        near = near_detections(p, at, hazard)
        scene = scene._replace(animals=np.column_stack([at.quadratic, near, at.above]))
        total = _animals(scene, hazard, empty, threads)[0][..., 0].sum(axis=0)
        moments, by_correction, at_point = _animals(scene, hazard, 1.0 / total, threads)
        raster = at_point + missed(at, hazard)
        by_hazard = hazard_products(p, at, raster) if products else _hazard(scene, raster, threads)[1].sum(axis=0)
        integral = np.log(total) + near + at.log_density
        own = by_correction.sum(axis=0), moments.sum(axis=0)
        return assemble(p, at, Sums(integral, expected(at, hazard), by_hazard, *own))

    return evaluate
