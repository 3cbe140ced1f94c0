"""The way back through the blocks: from the weight of each history at each point to derivatives by the field.

Where log k is quadratic in the activity centre, everything that a row gives to the derivatives is in four moments,
sums over points of its derivative by log g times 1, x, y and x^2 + y^2: one product of matrices a block.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sharedrange.population.scr.blocks import BlockTerms, Hazards, Integrand, Met
from sharedrange.population.scr.fields import FieldGradient
from sharedrange.population.scr.session import Block

Floats = NDArray[np.float64]


class Derivatives:
    """Sums of derivatives over the blocks of one class; `log_density` (M,) is where they begin."""

    def __init__(self, integrand: Integrand, log_density: Floats) -> None:
        self._integrand, self._session = integrand, integrand.session
        rows = len(self._session.rows.kernel)
        distance = integrand.field.distance
        self._g0, self._sigma, self._shape = np.zeros(rows), np.zeros(rows), np.zeros(rows)
        self._distance = np.zeros(0 if distance is None else len(distance.slopes))
        self._density = log_density
        self._centres = np.zeros((integrand.caught.counts.shape[0], 4))

    def add(self, terms: BlockTerms, weights: Floats, missed: Floats) -> None:
        """Add what one block gives.

        `weights` (alive, points): of each history at each point; `missed` (points,): derivative of the rest of the
        log-likelihood by -log of the chance of not being detected.
        """
        h, points, present = terms.hazards, terms.block.points, weights.sum(axis=0)
        self._density[points] += present
        if terms.learned is None and terms.totals is None:
            if h.quadratic is not None:
                self._add_moments(h, self._exposed(h, terms.block, missed - present))
                self._add_columns(terms, weights)
            else:
                by_log = self._session.seen.exposure[h.rows][:, None] * (missed - present)
                by_log *= h.slope
                self._add_points(terms, weights, by_log)
            return
        by_log = self._by_hazard(terms, weights, missed - present)
        by_log *= h.slope
        if h.quadratic is not None:
            self._add_moments(h, by_log @ terms.block.basis.T)
            self._add_columns(terms, weights)
        else:
            self._add_points(terms, weights, by_log)

    def add_exposure(self, hazards: Hazards, block: Block, at_point: Floats) -> None:
        """Add the derivatives of sum over points of `at_point` x H, H the hazard of an animal never caught."""
        if hazards.quadratic is not None:
            self._add_moments(hazards, self._exposed(hazards, block, at_point))
            return
        by_log = self._session.seen.exposure[hazards.rows][:, None] * at_point
        by_log *= hazards.slope
        self._add_fall(hazards, block, by_log)

    def total(self) -> FieldGradient:
        """The derivatives, those of the paraboloids included."""
        rows = self._session.rows
        if self._integrand.paraboloids is not None:
            self._add_centres()
        size = len(rows.kernel_detector)
        sigma, shape = (np.bincount(rows.kernel, of, size).astype(float) for of in (self._sigma, self._shape))
        return FieldGradient(self._g0, sigma, self._density, shape, self._distance)

    def _exposed(self, h: Hazards, block: Block, at_point: Floats) -> Floats:
        """Moments (rows, 4) of what an animal that was never caught gives."""
        return self._session.seen.exposure[h.rows][:, None] * (h.slope @ (block.basis * at_point).T)

    def _by_hazard(self, terms: BlockTerms, weights: Floats, at_point: Floats) -> Floats:
        """Derivatives by the hazard of each row (rows, points): exposure and what else animals met, in one product."""
        effort, by_total = [self._session.seen.exposure[terms.hazards.rows][None]], [at_point[None]]
        if terms.learned is not None:
            effort.append(terms.learned.effort)
            by_total.append(-_summed(weights, terms.learned))
        if terms.totals is not None and terms.totals.slope is not None:
            effort.append(terms.totals.effort)
            by_total.append((terms.totals.of.T @ weights) * terms.totals.slope)
        return np.asarray(np.concatenate(effort).T @ np.concatenate(by_total))

    def _add_moments(self, h: Hazards, moments: Floats) -> None:
        """Add the moments (rows, 4) of derivatives by log g; log k = quadratic . basis is proportional to sigma^-2."""
        if h.quadratic is None:
            return
        self._g0[h.rows] += moments[:, 0]
        self._sigma[h.rows] -= 2.0 * np.einsum("rb,rb->r", h.by_row(h.quadratic), moments)

    def _add_columns(self, terms: BlockTerms, weights: Floats) -> None:
        """Add what detections give: the correction of each column, and the moments of each history's centre."""
        columns, h = terms.columns, terms.hazards
        self._centres[terms.alive] += weights @ self._session.mask_basis[:, terms.block.points].T
        if columns is None or terms.column_slope is None:
            return
        by_log = columns.counts.T @ weights
        by_log *= terms.column_slope
        moments = np.zeros((len(h.rows), 4))
        np.add.at(moments, columns.row, by_log @ terms.block.basis.T)
        self._add_moments(h, moments)

    def _add_points(self, terms: BlockTerms, weights: Floats, by_log: Floats) -> None:
        """Add derivatives by log g (rows, points) and what detections give, for a kernel that is not quadratic."""
        columns = terms.columns
        if columns is not None and len(columns.index):
            by_column = columns.counts.T @ weights
            if terms.column_slope is not None:
                by_column *= 1.0 + terms.column_slope
            _add_rows(by_log, columns.row, by_column)
        self._add_fall(terms.hazards, terms.block, by_log)

    def _add_fall(self, h: Hazards, block: Block, by_log: Floats) -> None:
        """Add derivatives by log g (rows, points) of rows whose fall is known at every point."""
        if h.fall is None:
            return
        falls = h.fall if h.kernel_row is None else h.fall.rows(h.kernel_row)
        self._g0[h.rows] += by_log.sum(axis=1)
        self._sigma[h.rows] += np.einsum("jm,jm->j", by_log, falls.by_log_sigma)
        if falls.by_log_shape is not None:
            self._shape[h.rows] += np.einsum("jm,jm->j", by_log, falls.by_log_shape)
        distance = self._integrand.field.distance
        if distance is not None and len(distance.slopes):
            where = self._session.rows.detector[h.rows]
            self._distance += distance.pull_back(by_log, falls, where, block.points)

    def _add_centres(self) -> None:
        """Add the derivatives of the paraboloids: detections, and their mean squared distance over sigma^2."""
        s = self._session
        per_column = self._integrand.caught.counts.T @ self._centres
        row = s.seen.column_row
        x, y = s.x_m[s.column_detector], s.y_m[s.column_detector]
        mass, mean_x, mean_y, minus_r2 = per_column.T
        distance2 = mass * (x * x + y * y) - 2.0 * (x * mean_x + y * mean_y) - minus_r2
        distance2 *= np.exp(-2.0 * self._integrand.field.log_sigma[s.rows.kernel[row]])
        self._g0 += np.bincount(row, mass, len(self._g0))
        self._sigma += np.bincount(row, distance2, len(self._sigma))


def _summed(weights: Floats, met: Met) -> Floats:
    """Weights (alive, points) summed over the histories of each kind, (kinds, points)."""
    kinds = len(met.effort)
    if kinds == len(weights):
        return weights[np.argsort(met.of)]
    return np.asarray((met.of == np.arange(kinds)[:, None]).astype(float) @ weights)


def _add_rows(target: Floats, rows: NDArray[np.int64], values: Floats) -> None:
    """target[rows] += values, rows ascending and possibly repeated (several efforts in one row)."""
    first = np.flatnonzero(np.r_[True, np.diff(rows) > 0])
    target[rows[first]] += values if len(first) == len(rows) else np.add.reduceat(values, first, axis=0)
