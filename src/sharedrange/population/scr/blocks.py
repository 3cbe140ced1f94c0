"""One block of mask points: how detection falls on it, what each history says there, and the way back.

`Integrand` holds what one class of animals meets in one session at one point of the parameter space. `hazards` and
`terms` go forward, from parameters to log Pr(w_i | m); `by_intensity` and `add` go back, from the weight that each
history has at each point to derivatives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from sharedrange.population.scr.detection import Detection, Fall, fall, log_excess, log_fall_at_most
from sharedrange.population.scr.distance import Distances, Ways
from sharedrange.population.scr.session import Block, Session, distance2_to_box

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LOG_NEGLIGIBLE = float(np.log(1e-18))
_LOG_DROPPED = 60.0
_BOUNDS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Field:
    """What one class of animals meets in one session.

    `log_g0` (R,): log intensity at distance 0 of each row; `log_sigma` (G,): log of the spatial scale (metres) of
    each kernel, `log_shape` (G,) that of the hazard rate's z; `log_density` (M,): log of expected activity centres
    per mask cell, class share included (block order). `distance`: None is Euclidean.
    """

    log_g0: Floats
    log_sigma: Floats
    log_density: Floats
    log_shape: Floats | None = None
    distance: Distances | Ways | None = None


@dataclass(frozen=True, slots=True)
class FieldGradient:
    """Derivatives by the parts of a Field: shapes (R,), (G,), (M,), (G,), and by the distance's parameters (P,)."""

    log_g0: Floats
    log_sigma: Floats
    log_density: Floats
    log_shape: Floats
    distance: Floats


@dataclass(frozen=True, slots=True)
class Hazards:
    """Detection within one block by the rows that matter there (`rows`: their indices).

    `kernels`: indices of their kernels, `kernel_row` (rows,) the kernel of each row among these (None: row by
    row); `fall` (kernels, points). Shape (rows, points): `hazard` h, `slope` dh/dlog g.
    `cumulative`: H at each point, of an animal that was never caught.
    """

    rows: Ints
    kernels: Ints
    kernel_row: Ints | None
    fall: Fall
    hazard: Floats
    slope: Floats
    cumulative: Floats


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns that alive histories have and whose row is among the hazards'.

    `counts` (alive, columns); `row`: place of each column's row among the hazards'; `slope`: of the correction,
    (columns, points), None where there is no correction.
    """

    counts: csr_array
    row: Ints
    slope: Floats | None


@dataclass(frozen=True, slots=True)
class BlockTerms:
    """One block of one class: the hazards, the histories that matter there, and their scaled weights.

    `weights` (alive, points) are exp(log Pr + log density - `top`); `totals`: indices of the totals that the
    alive histories have, and the slope c'(H_k) of each, (totals, points).
    """

    block: Block
    hazards: Hazards
    alive: Ints
    top: Floats
    weights: Floats
    columns: Columns
    totals: tuple[Ints, Floats] | None


class Integrand:
    """log Pr(w_i | m) + log density of one class, block by block. `members`: indices of its histories."""

    def __init__(self, session: Session, detection: Detection, field: Field, members: Ints) -> None:
        self.session, self.detection, self.field = session, detection, field
        seen = session.seen
        self._counts = seen.counts if len(members) == len(seen.counts) else seen.counts[members]
        self._sparse = csr_array(self._counts)
        self._extra = None if seen.extra is None else seen.extra[members]
        self._total_counts = None if seen.totals is None else seen.totals.counts[members]
        self._members = members
        self._one_to_one = len(session.rows.kernel) == len(session.rows.kernel_detector)
        self.quadratic = detection.half_normal and field.distance is None
        with np.errstate(divide="ignore"):
            self._log_reach = np.log(seen.reach) + field.log_g0
        if self.quadratic:
            self._paraboloid = _quadratic(session, self._counts, field)
            self._peak, self._centre, self._steepness = _peaks(self._paraboloid)
        else:
            self._log_effort = self._counts @ np.log(seen.column_effort)
        self._floor = self._lower_bounds() - _LOG_DROPPED

    # --- forward ---

    def hazards(self, block: Block, needed: Ints | None = None) -> Hazards:
        """Detection in one block by the rows that reach it, and by rows `needed` however far."""
        s, f = self.session, self.field
        reaches = self._log_reach + self._fall_at_most(block)[s.rows.kernel] > _LOG_NEGLIGIBLE
        if needed is not None:
            reaches[needed] = True
        rows = np.flatnonzero(reaches)
        kernels, kernel_row = (rows, None) if self._one_to_one else _unique_sorted(s.rows.kernel[rows])
        falls = self._fall(block, kernels)
        intensity = np.exp(falls.value)
        if kernel_row is not None:
            intensity = intensity[kernel_row]
        intensity *= np.exp(f.log_g0[rows])[:, None]
        hazard, slope = self.detection.hazard(intensity)
        return Hazards(rows, kernels, kernel_row, falls, hazard, slope, s.seen.exposure[rows] @ hazard)

    def _nearest_m2(self, block: Block) -> Floats:
        """Squared distance from each kernel's detector to the block, at most; shape (G,)."""
        where = self.session.rows.kernel_detector
        if self.field.distance is None:
            return block.nearest_m2[where]
        return np.asarray(self.field.distance.nearest_m(block.points)[where] ** 2)

    def _fall_at_most(self, block: Block) -> Floats:
        f = self.field
        return log_fall_at_most(self.detection.function, self._nearest_m2(block), f.log_sigma, f.log_shape)

    def _fall(self, block: Block, kernels: Ints) -> Fall:
        f, function = self.field, self.detection.function
        shape = None if f.log_shape is None else f.log_shape[kernels]
        if f.distance is not None:
            where = self.session.rows.kernel_detector[kernels]
            return f.distance.fall(function, where, block.points, f.log_sigma[kernels], shape)
        scaled2 = self._squared_distance(block, kernels)
        scaled2 *= np.exp(-2.0 * f.log_sigma[kernels])[:, None]
        return fall(function, scaled2, shape)

    def _squared_distance(self, block: Block, kernels: Ints) -> Floats:
        s, where = self.session, self.session.rows.kernel_detector[kernels]
        dx = s.mask_x_m[block.points] - s.x_m[where][:, None]
        dy = s.mask_y_m[block.points] - s.y_m[where][:, None]
        dx *= dx
        dy *= dy
        dx += dy
        return dx

    def _lower_bounds(self) -> Floats:
        """Log-likelihood plus log density of each history at the mask point nearest to the mean of its detections."""
        s = self.session
        if not len(self._members):
            return np.empty(0)
        point = s.central_point[self._members]
        bound = np.empty(len(point))
        order = np.argsort(point, kind="stable")
        for start in range(0, len(order), _BOUNDS_AT_ONCE):
            some = order[start : start + _BOUNDS_AT_ONCE]
            places, column = np.unique(point[some], return_inverse=True)
            scattered = Block(places, np.zeros(len(s.x_m)))
            joint = self._log_joint(scattered, self.hazards(scattered, self._rows_of(some)), some)[0]
            bound[some] = joint[np.arange(len(some)), column.ravel()]
        return bound

    def _rows_of(self, histories: Ints) -> Ints | None:
        """Rows that the histories were detected in: all of them matter, unless a paraboloid holds them."""
        if self.quadratic:
            return None
        return np.asarray(np.unique(self.session.seen.column_row[np.unique(self._sparse[histories].indices)]))

    def _log_joint(
        self, block: Block, hazards: Hazards, alive: Ints
    ) -> tuple[Floats, Columns, tuple[Ints, Floats] | None]:
        """Joint log Pr(w | m) + log density, shape (alive, points), and what the gradient needs."""
        index, columns = self._columns(hazards.rows, alive)
        value = self._log_detections(block, hazards, alive, index, columns)
        value += self.field.log_density[block.points] - hazards.cumulative
        if self._extra is not None:
            value -= self._extra[np.ix_(alive, hazards.rows)] @ hazards.hazard
        columns = self._corrected(value, hazards, index, columns)
        return value, columns, self._add_totals(value, hazards, alive)

    def _log_detections(self, block: Block, hazards: Hazards, alive: Ints, index: Ints, columns: Columns) -> Floats:
        """Sum over detections of log(g e), shape (alive, points)."""
        if self.quadratic:
            return np.asarray(self._paraboloid[alive] @ self.session.mask_basis[:, block.points])
        row = columns.row
        kernel = row if hazards.kernel_row is None else hazards.kernel_row[row]
        log_ge = hazards.fall.value[kernel] + self.field.log_g0[hazards.rows[row]][:, None]
        log_ge += np.log(self.session.seen.column_effort[index])[:, None]
        return np.asarray(columns.counts @ log_ge)

    def _columns(self, rows: Ints, alive: Ints) -> tuple[Ints, Columns]:
        """Columns that alive histories have in `rows` (sorted): their indices, and what is known of them."""
        counts = self._sparse if len(alive) == self._sparse.shape[0] else self._sparse[alive]
        place_of_row = np.full(len(self.session.rows.kernel), -1, dtype=np.int64)
        place_of_row[rows] = np.arange(len(rows))
        place = place_of_row[self.session.seen.column_row]
        seen = np.zeros(len(place), dtype=bool)
        seen[counts.indices] = True
        columns = np.flatnonzero(seen & (place >= 0))
        position = np.zeros(len(place), dtype=np.int64)
        position[columns] = np.arange(len(columns))
        data = counts.data * (place[counts.indices] >= 0)
        shape = (len(alive), len(columns))
        if not len(columns):
            return columns, Columns(csr_array(shape), columns, None)
        return columns, Columns(csr_array((data, position[counts.indices], counts.indptr), shape), place[columns], None)

    def _corrected(self, value: Floats, hazards: Hazards, index: Ints, columns: Columns) -> Columns:
        """Add to `value` what detections add to log(g e); the columns with the slope of that."""
        if not self.detection.corrects_columns or not len(index):
            return columns
        hazard = hazards.hazard[columns.row]
        slope = hazard if hazards.slope is hazards.hazard else hazards.slope[columns.row]
        correction, slope = self.detection.correction(hazard, slope, self.session.seen.column_effort[index])
        value += columns.counts @ correction
        return Columns(columns.counts, columns.row, slope)

    def _add_totals(self, value: Floats, hazards: Hazards, alive: Ints) -> tuple[Ints, Floats] | None:
        """Add c(H_k) of the occasions on which competing detectors caught the alive histories."""
        totals = self.session.seen.totals
        if totals is None or self._total_counts is None:
            return None
        used = np.flatnonzero(self._total_counts[alive].any(axis=0))
        excess, slope = log_excess(totals.effort[np.ix_(used, hazards.rows)] @ hazards.hazard)
        value += self._total_counts[np.ix_(alive, used)] @ excess
        return used, slope

    def _alive(self, block: Block) -> Ints:
        """Histories whose activity centre may be in the block."""
        bound = self._at_most(block) + self.field.log_density[block.points].max() + self._slack()
        return np.flatnonzero(bound > self._floor)

    def _at_most(self, block: Block) -> Floats:
        """Upper bound in the block of the sum over detections of log(g e), shape (histories,)."""
        if self.quadratic:
            away2 = distance2_to_box(self._centre[0], self._centre[1], block.box)
            return np.asarray(self._peak - self._steepness * away2)
        rows = self.session.rows
        log_g = self._fall_at_most(block)[rows.kernel] + self.field.log_g0
        return np.asarray(self._sparse @ log_g[self.session.seen.column_row] + self._log_effort)

    def _slack(self) -> Floats | float:
        """How far log h may rise above log g: log(h/g) a detection, 0 where h = g."""
        if self.detection.by_hazard:
            return 0.0
        g = np.exp(self.field.log_g0[self.session.seen.column_row])
        hazard, _ = self.detection.hazard(g)
        return np.asarray(self._counts @ np.log(hazard / g))

    def terms(self, block: Block) -> BlockTerms:
        """The block's hazards and the weights of the histories that matter there."""
        alive = self._alive(block)
        hazards = self.hazards(block, self._rows_of(alive))
        value, columns, totals = self._log_joint(block, hazards, alive)
        top = value.max(axis=1, initial=-np.inf)
        np.exp(value - top[:, None], out=value)
        return BlockTerms(block, hazards, alive, top, value, columns, totals)

    # --- back ---

    def no_gradient(self) -> FieldGradient:
        """Derivatives to add to: zero."""
        rows, kernels = len(self.session.rows.kernel), len(self.session.rows.kernel_detector)
        parameters = 0 if self.field.distance is None else len(self.field.distance.slopes)
        points = len(self.session.mask_x_m)
        return FieldGradient(*(np.zeros(n) for n in (rows, kernels, points, kernels, parameters)))

    def add(self, sums: FieldGradient, terms: BlockTerms, weights: Floats, missed: Floats) -> None:
        """Add what one block gives to the derivatives, without the paraboloids' share.

        `weights` (alive, points): of each history at each point; `missed` (points,): derivative of the rest of the
        log-likelihood by -log of the chance of not being detected.
        """
        self.add_exposure(sums, terms.hazards, terms.block, missed - weights.sum(axis=0))
        rows, by_row = self._by_detections(terms, weights)
        if len(rows):
            self._add_rows(sums, terms.hazards, terms.block, rows, by_row)

    def add_exposure(self, sums: FieldGradient, hazards: Hazards, block: Block, at_point: Floats) -> None:
        """Add the derivatives of sum over points of `at_point` x H, H the hazard of an animal never caught."""
        h, exposure = hazards, self.session.seen.exposure[hazards.rows]
        sums.log_g0[h.rows] += exposure * (h.slope @ at_point)
        falls = h.fall
        if h.kernel_row is None and falls.by_log_shape is None and self.field.distance is None:
            sums.log_sigma[h.rows] += exposure * np.einsum("jm,jm,m->j", h.slope, falls.by_log_sigma, at_point)
            return
        by_row = h.slope * at_point
        by_row *= exposure[:, None]
        by_kernel = by_row if h.kernel_row is None else _summed_rows(by_row, h.kernel_row)
        self._add_kernels(sums, h, block, np.arange(len(h.kernels)), by_kernel)

    def _by_detections(self, terms: BlockTerms, weights: Floats) -> tuple[Ints, Floats]:
        """Places of rows whose hazard matters beyond the exposure, and derivatives by their log g (rows, points)."""
        h, columns = terms.hazards, terms.columns
        if self._extra is None and terms.totals is None and self.quadratic:
            if columns.slope is None:
                return columns.row[:0], np.empty((0, 0))
            by_row = columns.counts.T @ weights
            by_row *= columns.slope
            first = np.flatnonzero(np.r_[True, np.diff(columns.row) > 0])
            if len(first) < len(columns.row):
                by_row = np.add.reduceat(by_row, first, axis=0)
            return columns.row[first], by_row
        total = self._by_hazard(terms, weights)
        total *= h.slope
        slope = self._slope_of_columns(columns)
        if slope is not None:
            _add_rows(total, columns.row, (columns.counts.T @ weights) * slope)
        return np.arange(len(h.rows)), total

    def _slope_of_columns(self, columns: Columns) -> Floats | float | None:
        """Derivative by log g of what one detection adds, without the paraboloid's share."""
        if self.quadratic:
            return columns.slope
        return 1.0 if columns.slope is None else 1.0 + columns.slope

    def _by_hazard(self, terms: BlockTerms, weights: Floats) -> Floats:
        """Derivatives by the hazard of each row, of what animals met beyond the exposure, (rows, points)."""
        h, totals = terms.hazards, self.session.seen.totals
        by_hazard = np.zeros_like(h.hazard)
        if self._extra is not None:
            by_hazard -= self._extra[np.ix_(terms.alive, h.rows)].T @ weights
        if terms.totals is not None and totals is not None and self._total_counts is not None:
            used, slope = terms.totals
            caught = self._total_counts[np.ix_(terms.alive, used)].T @ weights
            by_hazard += totals.effort[np.ix_(used, h.rows)].T @ (caught * slope)
        return by_hazard

    def _add_rows(self, sums: FieldGradient, hazards: Hazards, block: Block, rows: Ints, by_row: Floats) -> None:
        """Add derivatives by log g of some rows (places among the hazards') at each point."""
        sums.log_g0[hazards.rows[rows]] += by_row.sum(axis=1)
        if hazards.kernel_row is None:
            self._add_kernels(sums, hazards, block, rows, by_row)
            return
        kernels, place = _unique_sorted(hazards.kernel_row[rows])
        self._add_kernels(sums, hazards, block, kernels, _summed_rows(by_row, place))

    def _add_kernels(self, sums: FieldGradient, hazards: Hazards, block: Block, kernels: Ints, by_log: Floats) -> None:
        """Add derivatives by log k of some kernels (places among the hazards') at each point."""
        falls, index = hazards.fall, hazards.kernels[kernels]
        everything = len(kernels) == len(hazards.kernels)
        by_scale = falls.by_log_sigma if everything else falls.by_log_sigma[kernels]
        sums.log_sigma[index] += np.einsum("jm,jm->j", by_log, by_scale)
        if falls.by_log_shape is not None:
            sums.log_shape[index] += np.einsum("jm,jm->j", by_log, falls.by_log_shape[kernels])
        distance = self.field.distance
        if distance is not None and len(distance.slopes):
            some = falls if everything else falls.rows(kernels)
            where = self.session.rows.kernel_detector[index]
            sums.distance[:] += distance.pull_back(by_log, some, where, block.points)

    def add_quadratic(self, sums: FieldGradient, moments: Floats) -> None:
        """Add the derivatives of the paraboloids: detections, and their mean squared distance over sigma^2."""
        s = self.session
        per_column = self._counts.T @ moments
        row, kernel = s.seen.column_row, s.rows.kernel[s.seen.column_row]
        x, y = s.x_m[s.column_detector], s.y_m[s.column_detector]
        mass, mean_x, mean_y, minus_r2 = per_column.T
        distance2 = mass * (x * x + y * y) - 2.0 * (x * mean_x + y * mean_y) - minus_r2
        distance2 *= np.exp(-2.0 * self.field.log_sigma[kernel])
        sums.log_g0[:] += np.bincount(row, mass, len(sums.log_g0))
        sums.log_sigma[:] += np.bincount(kernel, distance2, len(sums.log_sigma))


def _quadratic(session: Session, counts: Floats, field: Field) -> Floats:
    """Coefficients on `Session.mask_basis` of sum over detections of log(g e), shape (histories, 4)."""
    row, where = session.seen.column_row, session.column_detector
    x, y = session.x_m[where], session.y_m[where]
    half = 0.5 * np.exp(-2.0 * field.log_sigma[session.rows.kernel[row]])
    constant = field.log_g0[row] + np.log(session.column_effort) - half * (x * x + y * y)
    return counts @ np.column_stack([constant, 2.0 * half * x, 2.0 * half * y, half])


def _peaks(paraboloid: Floats) -> tuple[Floats, Floats, Floats]:
    """Height, centre (2, histories) and steepness of c0 + cx x + cy y - b (x^2 + y^2) = height - b |s - centre|^2."""
    constant, by_x, by_y, steepness = paraboloid.T
    centre = np.stack([by_x, by_y]) / (2.0 * steepness)
    return constant + steepness * (centre**2).sum(axis=0), centre, steepness


def _unique_sorted(values: Ints) -> tuple[Ints, Ints]:
    """Distinct values of an ascending array, and the place of each value among them."""
    first = np.r_[True, np.diff(values) > 0] if len(values) else np.empty(0, dtype=bool)
    return values[first], np.cumsum(first) - 1


def _add_rows(target: Floats, rows: Ints, values: Floats) -> None:
    """target[rows] += values, rows ascending and possibly repeated (several efforts in one row)."""
    if not len(rows):
        return
    first = np.flatnonzero(np.r_[True, np.diff(rows) > 0])
    target[rows[first]] += values if len(first) == len(rows) else np.add.reduceat(values, first, axis=0)


def _summed_rows(values: Floats, rows: Ints) -> Floats:
    """Rows of `values` summed by their place, which is ascending without gaps."""
    if not len(rows):
        return values
    return np.asarray(np.add.reduceat(values, np.flatnonzero(np.r_[True, np.diff(rows) > 0]), axis=0))
