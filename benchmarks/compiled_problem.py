"""The likelihood that `compiled_engines.py` gives to every engine, and numpy's way to it on a grid.

log L = sum_i log sum_m D a Pr(w_i | m) - sum_m D a (1 - exp(-H_m)), with H = sum_j E_j g_j and
log Pr(w | m) = -H_m + sum_j w_j log(exp(g_j) - 1): hazard half-normal g_j = lambda0_j exp(-d^2 / 2 sigma_j^2), daily
detection or not (Borchers and Efford 2008). log(exp(g) - 1) = log g + correction, and log g is quadratic in m.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import gammaln

from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Evaluate = Callable[[Floats], tuple[float, Floats]]

DROPPED = 45.0  # a history is left out of a block where it is exp(-45) of its value near its detections
SMALL = 0.3  # below it the series of the correction are exact to 1e-16

# log((e^x - 1) / x) = x/2 + sum c_k x^2k, from Bernoulli's numbers; its derivative by log x = x/2 + sum 2k c_k x^2k
SERIES = (1 / 24, -1 / 2880, 1 / 181440, -1 / 9676800, 1 / 479001600)


@dataclass(frozen=True)
class Problem:
    """n animals, J cameras, a grid of nx by ny points. `counts` (n, J), `effort` (J,) days, positions in metres."""

    x_m: Floats
    y_m: Floats
    effort: Floats
    counts: csr_array
    grid_x_m: Floats
    grid_y_m: Floats
    tiles: Ints
    log_cell: float
    constant: float


def problem_of(history: CaptureHistory, mask: Mask, tile: int) -> Problem:
    """Occasions summed away; the mask as a grid cut into tiles (first x, last x, first y, last y)."""
    if not np.isin(history.effort, (0.0, 1.0)).all():
        raise SystemExit("this comparison needs efforts of 0 and 1")
    animals = {who: i for i, who in enumerate(history.individuals["individual"])}
    places = {where: j for j, where in enumerate(history.detectors["detector"])}
    counts = np.zeros((len(animals), len(places)))
    for who, where, count in history.captures.select("individual", "detector", "count").iter_rows():
        counts[animals[who], places[where]] += count
    x, y = (history.detectors[c].to_numpy().astype(float) for c in ("x_m", "y_m"))
    grid_x, grid_y = np.unique(mask.x_m), np.unique(mask.y_m)
    return Problem(
        x - x.mean(),
        y - y.mean(),
        history.effort.sum(axis=1),
        csr_array(counts),
        grid_x - x.mean(),
        grid_y - y.mean(),
        np.array([[a, b, c, d] for a, b in _pieces(len(grid_x), tile) for c, d in _pieces(len(grid_y), tile)]),
        float(np.log(mask.cell_area_km2 / 100.0)),
        _constant(counts, history.effort.sum(axis=1)),
    )


def _pieces(size: int, tile: int) -> list[tuple[int, int]]:
    return [(start, min(start + tile, size)) for start in range(0, size, tile)]


def _constant(counts: Floats, effort: Floats) -> float:
    """What `fit` (and secr) add: binomial coefficients, less log f! for f animals of one history."""
    choose = gammaln(effort + 1) - gammaln(counts + 1) - gammaln(effort - counts + 1)
    _, same = np.unique(counts, axis=0, return_counts=True)
    return float(choose.sum() - gammaln(same + 1).sum())


@dataclass(frozen=True)
class Point:
    """The problem at one parameter vector; all that costs cameras + animals, not points.

    `along_x` (J, nx), `along_y` (J, ny): the two factors of the intensity; `x2`, `y2` squared distances over sigma^2;
    `quadratic` (n, 4): log Pr(w | s) without hazard and correction is a + b x + c y - d (x^2 + y^2);
    `above` (n,): bound of the correction.
    """

    log_density: float
    half: Floats
    x2: Floats
    y2: Floats
    along_x: Floats
    along_y: Floats
    quadratic: Floats
    above: Floats


def point_of(p: Problem, beta: Floats) -> Point:
    """Every camera has an intensity and scale of its own from here on, as in a fit with covariates."""
    log_g0, log_sigma = (np.full(len(p.x_m), value) for value in beta[1:])
    half = 0.5 * np.exp(-2.0 * log_sigma)
    x2 = 2.0 * half[:, None] * (p.grid_x_m - p.x_m[:, None]) ** 2
    y2 = 2.0 * half[:, None] * (p.grid_y_m - p.y_m[:, None]) ** 2
    g0 = np.exp(log_g0)
    constant = log_g0 - half * (p.x_m**2 + p.y_m**2)
    terms = np.column_stack([constant, 2.0 * half * p.x_m, 2.0 * half * p.y_m, half])
    return Point(
        log_density=beta[0] + p.log_cell,
        half=half,
        x2=x2,
        y2=y2,
        along_x=g0[:, None] * np.exp(-0.5 * x2),
        along_y=np.exp(-0.5 * y2),
        quadratic=np.asarray(p.counts @ terms),
        above=np.asarray(p.counts @ g0),  # the correction is between 0 and g
    )


def expected(at: Point, hazard: Floats) -> float:
    """Animals expected to be detected."""
    return float(np.exp(at.log_density)) * float(-np.expm1(-hazard).sum())


def missed(at: Point, hazard: Floats) -> Floats:
    """Animals expected and not detected at each point."""
    return np.asarray(np.exp(at.log_density - hazard))


def near_detections(p: Problem, at: Point, hazard: Floats) -> Floats:
    """Log Pr, less the correction, of each history at the point nearest to the mean of its detections, (n,)."""
    a, b, c, d = at.quadratic.T
    column = _nearest(p.grid_x_m, b / (2.0 * d))
    row = _nearest(p.grid_y_m, c / (2.0 * d))
    x, y = p.grid_x_m[column], p.grid_y_m[row]
    return np.asarray(a + b * x + c * y - d * (x * x + y * y) - hazard[column, row])


def _nearest(grid: Floats, places: Floats) -> Ints:
    cell = grid[1] - grid[0]
    return np.asarray(np.clip(np.rint((places - grid[0]) / cell), 0, len(grid) - 1), dtype=np.int64)


@dataclass(frozen=True)
class Sums:
    """All that the integral leaves behind. `log_integral` (n,); `expected`: animals detected.

    `by_hazard` (J, 2): sum over points of (animals there + animals missed) dH/dlog g0 and dH/dlog sigma;
    `by_correction` (J, 2): the same of the correction; `moments` (n, 4): means of 1, x, y, -(x^2 + y^2) of centres.
    """

    log_integral: Floats
    expected: float
    by_hazard: Floats
    by_correction: Floats
    moments: Floats


def assemble(p: Problem, at: Point, sums: Sums) -> tuple[float, Floats]:
    """Log-likelihood and gradient by log D, log lambda0, log sigma."""
    mass, mean_x, mean_y, minus_r2 = np.asarray(p.counts.T @ sums.moments).T
    r2 = mass * (p.x_m**2 + p.y_m**2) - 2.0 * (p.x_m * mean_x + p.y_m * mean_y) - minus_r2
    by_camera = np.column_stack([mass, 2.0 * at.half * r2]) + sums.by_correction - sums.by_hazard
    value = float(sums.log_integral.sum()) - sums.expected + p.constant
    return value, np.array([p.counts.shape[0] - sums.expected, *by_camera.sum(axis=0)])


def hazard_product(p: Problem, at: Point) -> Floats:
    """H (nx, ny) of the whole mask as one matrix product."""
    return np.asarray((p.effort[:, None] * at.along_x).T @ at.along_y)


def hazard_products(p: Problem, at: Point, raster: Floats) -> Floats:
    """sum_m raster_m dH_m/dlog g0_j and /dlog sigma_j as matrix products, shape (J, 2); `raster` (nx, ny)."""
    x = p.effort[:, None] * at.along_x
    by_y, by_y2 = raster @ at.along_y.T, raster @ (at.along_y * at.y2).T
    by_g0 = np.einsum("jx,xj->j", x, by_y)
    return np.column_stack([by_g0, np.einsum("jx,xj->j", x * at.x2, by_y) + np.einsum("jx,xj->j", x, by_y2)])


def numpy_grid(p: Problem) -> Evaluate:
    """The likelihood in numpy: products of the two factors, sparse counts, animals skipped where they are not."""

    def evaluate(beta: Floats) -> tuple[float, Floats]:
        at = point_of(p, beta)
        hazard = hazard_product(p, at)
        near = near_detections(p, at, hazard)
        tiles = list(_tiles(p, at, hazard, near))
        total = np.zeros(p.counts.shape[0])
        for tile in tiles:
            total[tile.alive] += tile.weights.sum(axis=1)
        at_point, by_correction, moments = _own(p, at, tiles, 1.0 / total)
        by_hazard = hazard_products(p, at, at_point + missed(at, hazard))
        integral = np.log(total) + near + at.log_density
        return assemble(p, at, Sums(integral, expected(at, hazard), by_hazard, by_correction, moments))

    return evaluate


@dataclass(frozen=True)
class Tile:
    """A block of the grid with the animals alive in it; `slope` and `counts` for their cameras only."""

    place: tuple[slice, slice]
    alive: Ints
    cameras: Ints
    counts: csr_array
    slope: Floats
    basis: Floats
    weights: Floats


def _tiles(p: Problem, at: Point, hazard: Floats, near: Floats) -> Iterator[Tile]:
    a, b, c, d = at.quadratic.T
    for x0, x1, y0, y1 in p.tiles:
        x, y = p.grid_x_m[x0:x1], p.grid_y_m[y0:y1]
        top_x, top_y = np.clip(b / (2 * d), x[0], x[-1]), np.clip(c / (2 * d), y[0], y[-1])
        bound = a + b * top_x + c * top_y - d * (top_x**2 + top_y**2) + at.above
        alive = np.flatnonzero(bound > near - DROPPED)
        if not len(alive):
            continue
        place = slice(x0, x1), slice(y0, y1)
        counts, cameras = _columns(p.counts[alive])
        intensity = at.along_x[cameras][:, place[0], None] * at.along_y[cameras][:, None, place[1]]
        log_part, slope = correction(intensity.reshape(len(cameras), -1))
        xx, yy = np.repeat(x, len(y)), np.tile(y, len(x))
        basis = np.stack([np.ones_like(xx), xx, yy, -(xx * xx + yy * yy)])
        weights = at.quadratic[alive] @ basis
        weights += counts @ log_part
        weights -= hazard[place].ravel()
        weights -= near[alive][:, None]
        yield Tile(place, alive, cameras, counts, slope, basis, np.exp(weights, out=weights))


def _columns(counts: csr_array) -> tuple[csr_array, Ints]:
    """The same counts with only the columns that hold one, and which those are."""
    cameras, column = np.unique(counts.indices.astype(np.int64), return_inverse=True)
    shape = counts.shape[0], len(cameras)
    return csr_array((counts.data, column.astype(np.int32), counts.indptr), shape=shape), cameras


def correction(x: Floats) -> tuple[Floats, Floats]:
    """log((e^x - 1) / x) and its derivative by log x."""
    if x.max() > SMALL:
        ratio = -np.expm1(-x) / x
        return np.log(ratio) + x, 1.0 / ratio - 1.0
    square = x * x
    value, slope = square * SERIES[4], square * (10 * SERIES[4])
    for k in (3, 2, 1, 0):
        value += SERIES[k]
        value *= square
        slope += 2 * (k + 1) * SERIES[k]
        slope *= square
    half = 0.5 * x
    value += half
    slope += half
    return value, slope


def _own(p: Problem, at: Point, tiles: list[Tile], scale: Floats) -> tuple[Floats, Floats, Floats]:
    """Detected animals at each point (nx, ny); `by_correction` and `moments` of `Sums`."""
    at_point, by_camera = np.zeros((len(p.grid_x_m), len(p.grid_y_m))), np.zeros((len(p.x_m), 2))
    moments = np.zeros((p.counts.shape[0], 4))
    for t in tiles:
        weights = t.weights * scale[t.alive][:, None]
        xs, ys = t.place
        at_point[t.place] = weights.sum(axis=0).reshape(xs.stop - xs.start, -1)
        moments[t.alive] += weights @ t.basis.T
        seen = (t.counts.T @ weights * t.slope).reshape(len(t.cameras), xs.stop - xs.start, -1)
        by_x, by_y = seen.sum(axis=2), seen.sum(axis=1)
        by_camera[t.cameras, 0] += by_x.sum(axis=1)
        by_camera[t.cameras, 1] += (by_x * at.x2[t.cameras, xs]).sum(axis=1)
        by_camera[t.cameras, 1] += (by_y * at.y2[t.cameras, ys]).sum(axis=1)
    return at_point, by_camera, moments
