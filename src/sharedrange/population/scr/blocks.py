"""One block of mask points: how detection falls on it, and what each history says there.

`Integrand` holds what one class of animals meets in one session at one point of the parameter space and goes
forward, from parameters to log Pr(w_i | m); `derivatives` goes back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharedrange.population.scr.bounds import AnyKernel, Paraboloids, slack
from sharedrange.population.scr.columns import Caught, Columns
from sharedrange.population.scr.detection import Detection, Fall, fall, log_excess, log_fall_at_most
from sharedrange.population.scr.fields import Field, FieldGradient
from sharedrange.population.scr.session import Block, Session, block_of

__all__ = ["BlockTerms", "Field", "FieldGradient", "Hazards", "Integrand", "Met"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LOG_NEGLIGIBLE = float(np.log(1e-18))
_LOG_DROPPED = 60.0
_BOUNDS_AT_ONCE = 256
_MOST = 0.7  # share of the histories that matter in a block from which to sort out the others costs more than it saves
_WIDE = 1e4  # squared width of a block, in squares of sigma, from which distances lose digits about its centre


@dataclass(frozen=True, slots=True)
class Hazards:
    """Detection within one block by the rows that matter there (`rows`: their indices).

    `kernels`: indices of their kernels, `kernel_row` (rows,) the kernel of each row among these (None: row by
    row); `fall` (kernels, points), None where log k is `quadratic` (kernels, 4) @ `Block.basis`. Shape
    (rows, points): `hazard` h, `slope` dh/dlog g. `cumulative`: H at each point, of an animal never caught.
    """

    rows: Ints
    kernels: Ints
    kernel_row: Ints | None
    fall: Fall | None
    quadratic: Floats | None
    hazard: Floats
    slope: Floats
    cumulative: Floats

    def by_row(self, of_kernels: Floats) -> Floats:
        """Values of kernels, a row each."""
        return of_kernels if self.kernel_row is None else of_kernels[self.kernel_row]


@dataclass(frozen=True, slots=True)
class Met:
    """Effort by row (kinds, rows) that histories met besides the exposure, and who met it.

    `of`: the kind of each alive history, shape (alive,), or how often it met each kind, shape (alive, kinds).
    `slope` (kinds, points): derivative by its hazard of what it adds to log Pr, where that is not minus the hazard.
    """

    effort: Floats
    of: Ints | Floats
    slope: Floats | None


@dataclass(frozen=True, slots=True)
class BlockTerms:
    """One block of one class: the hazards, the histories that matter there, and their scaled weights.

    `weights` (alive, points) are exp(log Pr + log density - `top`); `columns`: what alive histories were caught in,
    with the slope of the correction (columns, points), None where there is none; `learned`, `totals`: what they met.
    """

    block: Block
    hazards: Hazards
    alive: Ints
    top: Floats
    weights: Floats
    columns: Columns | None
    column_slope: Floats | None
    learned: Met | None
    totals: Met | None

    @property
    def size(self) -> int:
        """Numbers held, about: hazards and their slopes, the fall and its slope, weights, corrections."""
        falls = 2 * self.hazards.fall.value.size if self.hazards.fall else 0
        corrections = 0 if self.column_slope is None else self.column_slope.size
        return 2 * self.hazards.hazard.size + falls + self.weights.size + corrections


class Integrand:
    """log Pr(w_i | m) + log density of one class, block by block. `members`: indices of its histories."""

    def __init__(self, session: Session, detection: Detection, field: Field, members: Ints) -> None:
        self.session, self.detection, self.field = session, detection, field
        seen = session.seen
        self.caught = Caught(seen, members)
        self._members = members
        self._kind = None if seen.learned is None else seen.learned.kind[members]
        self._total_counts = None if seen.totals is None else seen.totals.counts[members]
        self._one_to_one = len(session.rows.kernel) == len(session.rows.kernel_detector)
        quadratic = detection.half_normal and field.distance is None
        self.paraboloids = Paraboloids(session, self.caught.counts, field) if quadratic else None
        self._any_kernel = AnyKernel(session, self.caught, field)
        self._slack = slack(session, self.caught.counts, detection, field)
        with np.errstate(divide="ignore"):
            self._log_reach = np.log(seen.reach) + field.log_g0
        self._g0 = np.exp(field.log_g0)[:, None]
        self._half_precision = -0.5 * np.exp(-2.0 * field.log_sigma)
        self._floor = self._lower_bounds() - _LOG_DROPPED

    # --- detection in a block ---

    def hazards(self, block: Block, needed: Ints | None = None) -> Hazards:
        """Detection in one block by the rows that reach it, and by rows `needed` however far."""
        s = self.session
        reaches = self._log_reach + self._fall_at_most(block)[s.rows.kernel] > _LOG_NEGLIGIBLE
        if needed is not None:
            reaches[needed] = True
        rows = np.flatnonzero(reaches)
        kernels, kernel_row = (rows, None) if self._one_to_one else _unique_sorted(s.rows.kernel[rows])
        falls, quadratic, intensity = self._kernel(block, kernels)
        if kernel_row is not None:
            intensity = intensity[kernel_row]
        intensity *= self._g0[rows]
        hazard, slope = self.detection.hazard(intensity)
        return Hazards(rows, kernels, kernel_row, falls, quadratic, hazard, slope, s.seen.exposure[rows] @ hazard)

    def _kernel(self, block: Block, kernels: Ints) -> tuple[Fall | None, Floats | None, Floats]:
        """The fall of some kernels, or where it is quadratic its coefficients, and k itself (kernels, points)."""
        if self.paraboloids is None:
            falls = self._fall(block, kernels)
            return falls, None, np.exp(falls.value)
        where = self.session.rows.kernel_detector[kernels]
        dx, dy = self.session.x_m[where] - block.centre[0], self.session.y_m[where] - block.centre[1]
        quadratic = np.ones((len(dx), 4))
        quadratic[:, 0], quadratic[:, 1], quadratic[:, 2] = dx * dx + dy * dy, -2.0 * dx, -2.0 * dy
        quadratic *= self._half_precision[kernels][:, None]
        if block.width_m**2 * -float(self._half_precision.min()) < _WIDE:
            log_kernel = quadratic @ block.basis
        else:
            log_kernel = self._squared_distance(block, where) * self._half_precision[kernels][:, None]
        return None, quadratic, np.exp(log_kernel, out=log_kernel)

    def _nearest_m2(self, block: Block) -> Floats:
        """Squared distance from each kernel's detector to the block, at most; shape (G,)."""
        where = self.session.rows.kernel_detector
        if self.field.distance is None:
            return block.nearest_m2[where]
        return np.asarray(self.field.distance.nearest_m(block.points)[where] ** 2)

    def _fall_at_most(self, block: Block) -> Floats:
        if self.paraboloids is not None:
            return np.asarray(self._nearest_m2(block) * self._half_precision)
        f = self.field
        return log_fall_at_most(self.detection.function, self._nearest_m2(block), f.log_sigma, f.log_shape)

    def _fall(self, block: Block, kernels: Ints) -> Fall:
        f, function = self.field, self.detection.function
        shape = None if f.log_shape is None else f.log_shape[kernels]
        where = self.session.rows.kernel_detector[kernels]
        if f.distance is not None:
            return f.distance.fall(function, where, block.points, f.log_sigma[kernels], shape)
        scaled2 = self._squared_distance(block, where)
        scaled2 *= np.exp(-2.0 * f.log_sigma[kernels])[:, None]
        return fall(function, scaled2, shape)

    def _squared_distance(self, block: Block, where: Ints) -> Floats:
        s = self.session
        dx = s.mask_x_m[block.points] - s.x_m[where][:, None]
        dy = s.mask_y_m[block.points] - s.y_m[where][:, None]
        dx *= dx
        dy *= dy
        dx += dy
        return dx

    # --- histories in a block ---

    def terms(self, block: Block) -> BlockTerms:
        """The block's hazards and the weights of the histories that matter there."""
        alive = self._alive(block)
        return self._terms(block, self.hazards(block, self._rows_of(alive)), alive)

    def _alive(self, block: Block) -> Ints:
        """Histories whose activity centre may be in the block."""
        most = self._at_most(block)
        most += self.field.log_density[block.points].max() + self._slack
        alive = np.flatnonzero(most > self._floor)
        sorts_out = len(alive) < _MOST * len(most) or not np.isfinite(most).all()
        return alive if sorts_out else np.arange(len(most))

    def _at_most(self, block: Block) -> Floats:
        """Upper bound in the block of the sum over detections of log(g e), shape (histories,)."""
        if self.paraboloids is not None:
            return self.paraboloids.at_most(block)
        return self._any_kernel.at_most(self._fall_at_most(block))

    def _rows_of(self, histories: Ints) -> Ints | None:
        """Rows that the histories were detected in: all of them matter, unless a paraboloid holds them."""
        return None if self.paraboloids is not None else self.caught.rows_of(histories)

    def _lower_bounds(self) -> Floats:
        """Log-likelihood plus log density of each history at the mask point nearest to the mean of its detections."""
        s = self.session
        bound = np.empty(len(self._members))
        point = s.central_point[self._members]
        order = np.argsort(point, kind="stable")
        for start in range(0, len(order), _BOUNDS_AT_ONCE):
            some = order[start : start + _BOUNDS_AT_ONCE]
            places, column = np.unique(point[some], return_inverse=True)
            scattered = block_of(s.x_m, s.y_m, s.mask_x_m, s.mask_y_m, places)
            joint = self._log_joint(scattered, self.hazards(scattered, self._rows_of(some)), some)[0]
            bound[some] = joint[np.arange(len(some)), column.ravel()]
        return bound

    def _terms(self, block: Block, hazards: Hazards, alive: Ints) -> BlockTerms:
        value, columns, slope, learned, totals = self._log_joint(block, hazards, alive)
        top = value.max(axis=1, initial=-np.inf)
        value -= top[:, None]
        np.exp(value, out=value)
        return BlockTerms(block, hazards, alive, top, value, columns, slope, learned, totals)

    def _log_joint(
        self, block: Block, hazards: Hazards, alive: Ints
    ) -> tuple[Floats, Columns | None, Floats | None, Met | None, Met | None]:
        """Joint log Pr(w | m) + log density, shape (alive, points), and what the gradient needs."""
        columns = None
        if self.paraboloids is None or self.detection.corrects_columns:
            columns = self.caught.columns(hazards.rows, alive)
        everywhere = self.field.log_density[block.points] - hazards.cumulative
        if self.paraboloids is not None:
            value = self.paraboloids.coefficients[alive] @ self.session.mask_basis[:, block.points]
            value += everywhere
        else:
            value = np.add.outer(self._any_kernel.at_detectors[alive], everywhere)
        adds, slope = self._of_columns(hazards, columns)
        if columns is not None and adds is not None:
            value += columns.counts @ adds
        return value, columns, slope, self._add_learned(value, hazards, alive), self._add_totals(value, hazards, alive)

    def _of_columns(self, hazards: Hazards, columns: Columns | None) -> tuple[Floats | None, Floats | None]:
        """What a detection in each column adds at each point, and the slope of its correction; (columns, points)."""
        if columns is None or not len(columns.index):
            return None, None
        correction, slope = None, None
        if self.detection.corrects_columns:
            hazard = hazards.hazard[columns.row]
            slope = hazard if hazards.slope is hazards.hazard else hazards.slope[columns.row]
            correction, slope = self.detection.correction(hazard, slope, self.session.seen.column_effort[columns.index])
        if hazards.fall is None:
            return correction, slope
        log_k = hazards.fall.value[columns.row if hazards.kernel_row is None else hazards.kernel_row[columns.row]]
        if correction is not None:
            log_k += correction
        return log_k, slope

    def _add_learned(self, value: Floats, hazards: Hazards, alive: Ints) -> Met | None:
        """Take from `value` the hazard that alive histories met beyond the exposure."""
        learned = self.session.seen.learned
        if learned is None or self._kind is None:
            return None
        kinds, of = np.unique(self._kind[alive], return_inverse=True)
        effort = _table(learned.effort, kinds, hazards.rows)
        value -= (effort @ hazards.hazard)[of]
        return Met(effort, of, None)

    def _add_totals(self, value: Floats, hazards: Hazards, alive: Ints) -> Met | None:
        """Add c(H_k) of the occasions on which competing detectors caught the alive histories."""
        totals = self.session.seen.totals
        if totals is None or self._total_counts is None:
            return None
        counts = self._total_counts[alive]
        used = np.flatnonzero(counts.any(axis=0))
        effort, counts = _table(totals.effort, used, hazards.rows), counts[:, used]
        excess, slope = log_excess(effort @ hazards.hazard)
        value += counts @ excess
        return Met(effort, counts, slope)


def _table(whole: Floats, rows: Ints, columns: Ints) -> Floats:
    """Some rows and columns (ascending, none twice) of a table."""
    few = whole if len(rows) == len(whole) else whole[rows]
    return few if len(columns) == whole.shape[1] else few[:, columns]


def _unique_sorted(values: Ints) -> tuple[Ints, Ints]:
    """Distinct values of an ascending array, and the place of each value among them."""
    first = np.r_[True, np.diff(values) > 0] if len(values) else np.empty(0, dtype=bool)
    return values[first], np.cumsum(first) - 1
