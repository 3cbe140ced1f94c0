"""Where do the stations stand, if a surface was published? Surfaces are positions.

With half-normal detection a mask point x meets the hazard h(x) = sum_j w_j exp(-d_j(x)^2 / 2 sigma^2) of all stations j
(Borchers & Efford 2008, Biometrics 64:377-385), w_j their effort times the chance of detection at no distance. That is
linear in the w of all places where stations might be, and w is never negative: non-negative least squares (Lawson &
Hanson 1974, Solving least squares problems) finds the places. A surface of where one animal's centre is holds the
same hazard, bent by a square of the distance to where it was caught.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely
from scipy.optimize import least_squares, nnls
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from shapely.geometry.base import BaseGeometry

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding
from sharedrange.sharing.attack.stations import guessed
from sharedrange.sharing.attack.types import HIT_M, Attack, Floats, Positions, judged

NAME = "surface"
Kind = Literal["hazard", "detection", "centre", "density"]

_MERGED = 1.5  # candidates: weights nearer than this to a peak belong to its station
_STEPS = 10_000  # of the solver at most, a multiple of what it needs
_FITS = 0.01  # of the surface's norm that a sigma may leave unexplained
_FARTHEST = 0.95
_FAR = 1.0  # sigmas that a rough guess may be moved
_TRIES = 100


@dataclass(frozen=True, slots=True)
class Surface:
    """A surface as published on a mask of M points.

    `x_m`, `y_m`, `values`: shape (M,), metres and what was published; `spacing_m` of the mask. `kind`:
    ``hazard`` (summed over occasions), ``detection`` (the chance to be met at all), ``centre`` (how likely one animal's
    activity centre is there, given its captures), or ``density`` (of all animals, those included that were never met).
    """

    x_m: Floats
    y_m: Floats
    values: Floats
    spacing_m: float
    kind: Kind = "hazard"

    def area(self) -> BaseGeometry:
        """The cells of the mask as one area."""
        half = self.spacing_m / 2
        cells = shapely.box(self.x_m - half, self.y_m - half, self.x_m + half, self.y_m + half)
        return shapely.union_all(cells)


def recover_from_surface(
    surface: Surface, truth: Positions, sigmas_m: Sequence[float], *, candidate_m: float = 1000.0
) -> Attack:
    """How many stations an attacker finds within 1 km from a surface, against as many points at random on the mask.

    `sigmas_m`: what the attacker takes for sigma, which is published with any density; of several, the largest that
    fits the surface. `candidate_m`: spacing of the places that it tries. It knows how many stations there are. A true
    station, in metres as the mask is, counts as found where any guess is near.
    Raises InputError for values that do not fit the mask.
    """
    _check(surface)
    names = sorted(truth.of)
    true_m = truth.at(names)
    k = len(names)
    places_m, weights, sigma_m = _inverted(surface, sigmas_m, candidate_m)
    rough_m, peaks, belief = _peaks(places_m, weights, k, candidate_m)
    sharp_m = _sharpened(surface, rough_m, peaks, sigma_m)
    chance = 1 - (1 - guessed(true_m, [surface.area()] * k)) ** k if k else np.zeros(0)
    expected = np.full(k, belief)
    tries = [judged(NAME, _found(true_m, guesses_m), chance, expected) for guesses_m in (rough_m, sharp_m)]
    return max(tries, key=lambda attack: attack.success)


def _check(surface: Surface) -> None:
    shape, values = surface.x_m.shape, np.asarray(surface.values)
    if values.shape != shape or not np.all(np.isfinite(values)) or np.any(values < 0):
        raise InputError([Finding("attack-surface-values", {"points": len(surface.x_m), "given": values.size})])


def _inverted(surface: Surface, sigmas_m: Sequence[float], candidate_m: float) -> tuple[Floats, Floats, float]:
    """Places of candidates, shape (C, 2), their weights, shape (C,), and the sigma that was taken.

    A wide hump is a sum of narrow ones, so that any sigma below the true one fits as well: of those that fit, the
    largest is taken; if none does, the one that fits best.
    """
    told = _told(surface)
    places = _candidates(surface, candidate_m)
    squared = cdist(told.points_m, places, "sqeuclidean")
    fits = [(*_fitted(squared, sigma_m, told), sigma_m) for sigma_m in sigmas_m]
    good = _FITS * float(np.linalg.norm(told.target))
    weights, _, taken_m = min(fits, key=lambda fit: (0.0, -fit[2]) if fit[1] <= good else (fit[1], 0.0))
    return places, weights, taken_m


@dataclass(frozen=True, slots=True)
class _Told:
    """What a surface tells that is linear in the stations' weights.

    `points_m`: the P points with a value, shape (P, 2); `target`: the hazard there up to what `bent` adds, shape (P,);
    `bent`: columns that are free to be added, shape (P, b).
    """

    points_m: Floats
    target: Floats
    bent: Floats


def _candidates(surface: Surface, candidate_m: float) -> Floats:
    """A raster of places that stations may be at: the box of the mask."""
    x_m = np.arange(surface.x_m.min(), surface.x_m.max() + candidate_m, candidate_m)
    y_m = np.arange(surface.y_m.min(), surface.y_m.max() + candidate_m, candidate_m)
    across, along = np.meshgrid(x_m, y_m)
    return np.column_stack([across.ravel(), along.ravel()])


def _told(surface: Surface) -> _Told:
    """The hazard of all stations at the points of a surface, as far as its kind tells it."""
    points = np.column_stack([surface.x_m, surface.y_m])
    values = np.asarray(surface.values, dtype=float)
    nothing = np.zeros((len(points), 0))
    if surface.kind == "hazard":
        return _Told(points, values, nothing)
    if surface.kind == "detection":
        return _Told(points, -np.log(np.maximum(1 - values, np.finfo(float).eps)), nothing)
    told = values > 0  # rounded to nothing elsewhere
    points, values = points[told], values[told]
    if surface.kind == "density":
        return _Told(points, np.maximum(np.log(_far_off(points, values) / values), 0.0), nothing[told])
    return _Told(points, np.log(values.max(initial=1.0) / values), _bends(points))


def _far_off(points: Floats, values: Floats) -> float:
    """The density where no station reaches: of the farthest twentieth of the points."""
    distance_m = np.hypot(*(points - points.mean(axis=0)).T)
    return float(np.median(values[distance_m >= np.quantile(distance_m, _FARTHEST)]))


def _bends(points: Floats) -> Floats:
    """What captures add to the log of the surface of a centre: a constant, slopes of either sign, a square. (P, 6)."""
    scaled = (points - points.mean(axis=0)) / max(float(np.ptp(points)), 1.0)
    one, square = np.ones(len(points)), (scaled**2).sum(axis=1)
    return np.column_stack([one, -one, scaled, -scaled, square])


def _fitted(squared: Floats, sigma_m: float, told: _Told) -> tuple[Floats, float]:
    """Weights of the candidates for one sigma, and what is left unexplained."""
    columns = np.column_stack([np.exp(-squared / (2 * sigma_m**2)), told.bent])
    weights, residual = nnls(columns, told.target, maxiter=_STEPS)
    return weights[: squared.shape[1]], float(residual)


def _peaks(places_m: Floats, weights: Floats, k: int, candidate_m: float) -> tuple[Floats, Floats, float]:
    """The k places with the most weight about them, shape (k, 2) or fewer, their weights, and their share of all."""
    heavy_m, left = places_m[weights > 0], weights[weights > 0]
    near = cdist(heavy_m, heavy_m) <= _MERGED * candidate_m
    total = float(left.sum())
    peaks: list[Floats] = []
    held: list[float] = []
    while len(peaks) < k and left.any():
        here = near[int((near @ left).argmax())] & (left > 0)
        peaks.append(np.average(heavy_m[here], axis=0, weights=left[here]))
        held.append(float(left[here].sum()))
        left = np.where(here, 0.0, left)
    return np.array(peaks).reshape(-1, 2), np.array(held), sum(held) / total if total > 0 else 0.0


def _sharpened(surface: Surface, rough_m: Floats, weights: Floats, sigma_m: float) -> Floats:
    """Guesses moved to where the stations' own hazards fit the surface best, off the raster of candidates; (k, 2)."""
    if not len(rough_m):
        return rough_m
    told = _told(surface)
    k, scale, bends = len(rough_m), float(np.abs(told.target).max()), told.bent.shape[1]

    def unexplained(free: Floats) -> Floats:
        at_m = rough_m + sigma_m * free[: 2 * k].reshape(k, 2)
        hazard = np.exp(-cdist(told.points_m, at_m, "sqeuclidean") / (2 * sigma_m**2)) @ free[2 * k : 3 * k]
        return np.asarray(hazard + told.bent @ free[3 * k :] - told.target / scale)

    start = np.concatenate([np.zeros(2 * k), weights / scale, np.zeros(bends)])
    lowest = np.concatenate([np.full(2 * k, -_FAR), np.zeros(k), np.full(bends, -np.inf)])
    highest = np.concatenate([np.full(2 * k, _FAR), np.full(k + bends, np.inf)])
    found = least_squares(unexplained, np.clip(start, lowest, highest), bounds=(lowest, highest), max_nfev=_TRIES)
    return np.asarray(rough_m + sigma_m * found.x[: 2 * k].reshape(k, 2))


def _found(true_m: Floats, guesses_m: Floats) -> Floats:
    """1 for each true point that has a guess within 1 km, else 0; shape (n,)."""
    if not len(guesses_m) or not len(true_m):
        return np.zeros(len(true_m))
    distance_m, _ = cKDTree(guesses_m).query(true_m)
    return np.asarray(distance_m <= HIT_M, dtype=float)
