"""The integral over activity centres, and its exact gradient, for one session and one class of animals.

For animals of class c (one class, or one a sex) the thinned Poisson process of Borchers and Efford (2008) gives

    log L = sum_i log sum_c I_ic - sum_c Lambda_c,
    I_ic = sum_m a D_c(m) Pr(w_i | m, c),   Lambda_c = sum_m a D_c(m) (1 - exp(-H_c(m))),   H = sum_j E_j h_j.

Everything runs block by block over the mask. Two things are skipped where they are zero in double precision,
with a bound rather than a guess:

* a detector is left out of a block when E_j g_j is below 1e-18 in the whole block: all of them together move
  H and log Pr by less than 1e-18 J;
* a history is left out of a block when the quadratic part of log Pr, which bounds log Pr from above, is
  everywhere 60 below log Pr at one point near its detections: the points dropped are less than M exp(-60) of I_i.

Only sums over blocks are kept, so memory does not grow with animals x points.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharedrange.population.scr.detection import Detection, correction
from sharedrange.population.scr.session import Block, Session

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LOG_NEGLIGIBLE = float(np.log(1e-18))
_LOG_DROPPED = 60.0
_BOUNDS_AT_ONCE = 256
_KEPT_VALUES = 25_000_000  # 200 MB of doubles: below this, blocks are kept between the two passes


@dataclass(frozen=True, slots=True)
class Field:
    """What one class of animals meets in one session.

    `log_g0`, `log_sigma` (J,): intensity at distance 0 and spatial scale (metres) at each detector;
    `log_density` (M,): log of expected activity centres per mask cell, class share included (block order).
    """

    log_g0: Floats
    log_sigma: Floats
    log_density: Floats


@dataclass(frozen=True, slots=True)
class FieldGradient:
    """Derivatives by the three parts of a Field, shapes (J,), (J,), (M,)."""

    log_g0: Floats
    log_sigma: Floats
    log_density: Floats


@dataclass(frozen=True, slots=True)
class Hazards:
    """Detection within one block by the detectors that reach it (`near`: their indices).

    Shape (near, points): `intensity` g, `hazard` h, `slope` dh/dlog g, and `distance2` d^2/sigma^2, which is also
    dlog g/dlog sigma. `cumulative`: H at each point.
    """

    near: Ints
    intensity: Floats
    hazard: Floats
    slope: Floats
    distance2: Floats
    cumulative: Floats


@dataclass(frozen=True, slots=True)
class BlockTerms:
    """One block of one class: the hazards, the histories that matter there, and their scaled weights.

    `weights` (alive, points) are exp(log Pr + log density - `top`); `columns` are those of near detectors,
    `column_row` their rows in the hazards, `column_slope` the derivative of the correction by log g.
    """

    block: Block
    hazards: Hazards
    alive: Ints
    top: Floats
    weights: Floats
    columns: Ints
    column_row: Ints
    column_slope: Floats


@dataclass(frozen=True, slots=True)
class ClassTerms:
    """First pass over one class: log I_i (u,), Lambda, exp(-H) at every mask point (M,), and blocks if kept."""

    log_integral: Floats
    expected_detected: float
    undetected: Floats
    kept: tuple[BlockTerms, ...] | None


class ClassLikelihood:
    """The likelihood of one class in one session at one point of the parameter space.

    `members` (u,): whether a history can belong to the class.
    """

    def __init__(self, session: Session, detection: Detection, field: Field, members: NDArray[np.bool_]) -> None:
        self.session = session
        self.detection = detection
        self.field = field
        self._rows = np.flatnonzero(members)
        self._counts = session.counts[self._rows]
        self._quadratic = _quadratic(session, self._counts, field)
        self._floor = self._lower_bounds() - _LOG_DROPPED
        self.terms = self._integrate()

    def hazards(self, block: Block) -> Hazards:
        """Detection in one block by the detectors that reach it."""
        s, f = self.session, self.field
        with np.errstate(divide="ignore"):
            reach = np.log(s.total_effort) + f.log_g0 - block.nearest_m2 / (2.0 * np.exp(2.0 * f.log_sigma))
        near = np.flatnonzero(reach > _LOG_NEGLIGIBLE)
        distance2 = _squared_distance(s, near, block.points)
        distance2 *= np.exp(-2.0 * f.log_sigma[near])[:, None]
        intensity = np.exp(f.log_g0[near][:, None] - 0.5 * distance2)
        hazard, slope = self.detection.hazard(intensity)
        return Hazards(near, intensity, hazard, slope, distance2, s.total_effort[near] @ hazard)

    def _lower_bounds(self) -> Floats:
        """Log-likelihood plus log density of each history at the mask point nearest to the mean of its detections."""
        s = self.session
        if not len(self._rows):
            return np.empty(0)
        point = s.central_point[self._rows]
        bound = np.empty(len(point))
        order = np.argsort(point, kind="stable")
        for start in range(0, len(order), _BOUNDS_AT_ONCE):
            some = order[start : start + _BOUNDS_AT_ONCE]
            places, column = np.unique(point[some], return_inverse=True)
            scattered = Block(places, np.zeros(len(s.x_m)))
            joint, *_ = self._log_joint(scattered, self.hazards(scattered), some)
            bound[some] = joint[np.arange(len(some)), column.ravel()]
        return bound

    def _log_joint(self, block: Block, hazards: Hazards, alive: Ints) -> tuple[Floats, Ints, Ints, Floats]:
        """Joint log Pr(w | m) + log density, shape (alive, points), and what the correction's gradient needs."""
        s = self.session
        value = self._quadratic[alive] @ s.mask_basis[:, block.points]
        value += self.field.log_density[block.points] - hazards.cumulative
        if self.detection.counts_poisson:
            none = np.empty(0, dtype=np.int64)
            return value, none, none, np.empty((0, value.shape[1]))
        columns, row = _columns_of(s, hazards.near)
        effort = s.column_effort[columns]
        log_part, slope = correction(hazards.intensity[row], hazards.hazard[row], hazards.slope[row], effort)
        value += self._counts[np.ix_(alive, columns)] @ log_part
        return value, columns, row, slope

    def _alive(self, block: Block) -> Ints:
        """Histories whose activity centre may be in the block."""
        bound = (self._quadratic @ self.session.mask_basis[:, block.points]).max(axis=1)
        bound += self.field.log_density[block.points].max() + self._slack()
        return np.flatnonzero(bound > self._floor)

    def _slack(self) -> Floats | float:
        """How far log Pr may rise above its quadratic part: log(h/g) a detection, 0 where h = g."""
        if self.detection.function == "HHN" or self.detection.counts_poisson:
            return 0.0
        g = np.exp(self.field.log_g0[self.session.column_detector])
        hazard, _ = self.detection.hazard(g)
        return np.asarray(self._counts @ np.log(hazard / g))

    def _block_terms(self, block: Block) -> BlockTerms:
        hazards = self.hazards(block)
        alive = self._alive(block)
        value, columns, row, slope = self._log_joint(block, hazards, alive)
        top = value.max(axis=1, initial=-np.inf)
        np.exp(value - top[:, None], out=value)
        return BlockTerms(block, hazards, alive, top, value, columns, row, slope)

    def _integrate(self) -> ClassTerms:
        s = self.session
        integral = np.full(len(self._rows), -np.inf)
        undetected = np.empty(len(s.mask_x_m))
        keep = 3 * len(s.x_m) * len(s.mask_x_m) <= _KEPT_VALUES
        kept: list[BlockTerms] = []
        for block in s.blocks:
            terms = self._block_terms(block)
            undetected[block.points] = np.exp(-terms.hazards.cumulative)
            part = terms.top + np.log(terms.weights.sum(axis=1))
            integral[terms.alive] = np.logaddexp(integral[terms.alive], part)
            if keep:
                kept.append(terms)
        detected = float(np.exp(self.field.log_density) @ (1.0 - undetected))
        everyone = np.full(len(s.frequency), -np.inf)
        everyone[self._rows] = integral
        return ClassTerms(everyone, detected, undetected, tuple(kept) if keep else None)

    def _posterior(self, share: Floats) -> Iterator[tuple[BlockTerms, Floats]]:
        """Each block with the posterior weight of every alive history at every point, times `share` (u,)."""
        blocks = self.terms.kept or (self._block_terms(block) for block in self.session.blocks)
        integral = self.terms.log_integral[self._rows]
        mine = share[self._rows]
        for terms in blocks:
            scale = np.exp(terms.top - integral[terms.alive]) * mine[terms.alive]
            yield terms, terms.weights * scale[:, None]

    def gradient(self, share: Floats) -> FieldGradient:
        """Derivatives of sum_i share_i log I_i - Lambda; `share` (u,) is frequency times class probability."""
        s, f = self.session, self.field
        by_g0, by_sigma = np.zeros(len(s.x_m)), np.zeros(len(s.x_m))
        by_density = -np.exp(f.log_density) * (1.0 - self.terms.undetected)
        moments = np.zeros((len(self._rows), 4))
        for terms, weights in self._posterior(share):
            points, near = terms.block.points, terms.hazards.near
            at_point = weights.sum(axis=0)
            by_density[points] += at_point
            moments[terms.alive] += weights @ s.mask_basis[:, points].T
            missed = np.exp(f.log_density[points]) * self.terms.undetected[points]
            by_intensity = -s.total_effort[near][:, None] * terms.hazards.slope * (at_point + missed)
            if len(terms.columns):
                seen = self._counts[np.ix_(terms.alive, terms.columns)].T @ weights
                _add_rows(by_intensity, terms.column_row, seen * terms.column_slope)
            by_g0[near] += by_intensity.sum(axis=1)
            by_sigma[near] += np.einsum("jm,jm->j", by_intensity, terms.hazards.distance2)
        seen_g0, seen_sigma = self._quadratic_gradient(moments)
        return FieldGradient(by_g0 + seen_g0, by_sigma + seen_sigma, by_density)

    def _quadratic_gradient(self, moments: Floats) -> tuple[Floats, Floats]:
        """Derivatives of the quadratic part: detections, and their mean squared distance over sigma^2."""
        s = self.session
        per_column = self._counts.T @ moments
        where = s.column_detector
        x, y = s.x_m[where], s.y_m[where]
        mass, mean_x, mean_y, minus_r2 = per_column.T
        distance2 = mass * (x * x + y * y) - 2.0 * (x * mean_x + y * mean_y) - minus_r2
        distance2 *= np.exp(-2.0 * self.field.log_sigma[where])
        size = len(s.x_m)
        seen = np.bincount(where, mass, size), np.bincount(where, distance2, size)
        return seen[0].astype(float), seen[1].astype(float)

    def posterior_sums(self, share: Floats, features: Floats) -> Floats:
        """sum_m W_im share_i features_m for features of shape (M, F) (block order): shape (u, F)."""
        total = np.zeros((len(self.session.frequency), features.shape[1]))
        for terms, weights in self._posterior(share):
            total[self._rows[terms.alive]] += weights @ features[terms.block.points]
        return total

    def undetected_gradient(self, region: Floats) -> tuple[float, FieldGradient]:
        """Expected animals not detected, sum_m region_m a D exp(-H), and its derivatives; `region` (M,)."""
        s = self.session
        missed = np.exp(self.field.log_density) * self.terms.undetected * region
        by_g0, by_sigma = np.zeros(len(s.x_m)), np.zeros(len(s.x_m))
        for block in s.blocks:
            hazards = self.hazards(block)
            part = -s.total_effort[hazards.near][:, None] * hazards.slope * missed[block.points]
            by_g0[hazards.near] += part.sum(axis=1)
            by_sigma[hazards.near] += np.einsum("jm,jm->j", part, hazards.distance2)
        return float(missed.sum()), FieldGradient(by_g0, by_sigma, missed)


def _quadratic(session: Session, counts: Floats, field: Field) -> Floats:
    """Coefficients on `Session.mask_basis` of sum over detections of log(g e), shape (histories, 4)."""
    where = session.column_detector
    x, y = session.x_m[where], session.y_m[where]
    half = 0.5 * np.exp(-2.0 * field.log_sigma[where])
    constant = field.log_g0[where] + np.log(session.column_effort) - half * (x * x + y * y)
    return counts @ np.column_stack([constant, 2.0 * half * x, 2.0 * half * y, half])


def _squared_distance(session: Session, detectors: Ints, points: slice | Ints) -> Floats:
    dx = session.mask_x_m[points] - session.x_m[detectors][:, None]
    dy = session.mask_y_m[points] - session.y_m[detectors][:, None]
    dx *= dx
    dy *= dy
    dx += dy
    return dx


def _columns_of(session: Session, near: Ints) -> tuple[Ints, Ints]:
    """Columns whose detector is among `near` (sorted), and the row of that detector in `near`."""
    row_of_detector = np.full(len(session.x_m), -1, dtype=np.int64)
    row_of_detector[near] = np.arange(len(near))
    row = row_of_detector[session.column_detector]
    columns = np.flatnonzero(row >= 0)
    return columns, row[columns]


def _add_rows(target: Floats, rows: Ints, values: Floats) -> None:
    """target[rows] += values, rows ascending and possibly repeated (several efforts at one detector)."""
    if not len(rows):
        return
    first = np.flatnonzero(np.r_[True, np.diff(rows) > 0])
    target[rows[first]] += values if len(first) == len(rows) else np.add.reduceat(values, first, axis=0)
