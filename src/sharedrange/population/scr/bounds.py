"""How likely a history can at most be in a block: what lets blocks forget the animals that live elsewhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from sharedrange.population.scr.columns import Caught
from sharedrange.population.scr.detection import Detection
from sharedrange.population.scr.fields import Field
from sharedrange.population.scr.session import Block, Session, distance2_to_box

Floats = NDArray[np.float64]


class Paraboloids:
    """Sum over detections of log(g e) where k is half-normal and distance Euclidean: quadratic in the centre.

    `coefficients` (histories, 4) on `Session.mask_basis`; as `height` - `steepness` x squared distance to `centre`.
    """

    def __init__(self, session: Session, counts: csr_array, field: Field) -> None:
        self.coefficients = _quadratic(session, counts, field)
        constant, by_x, by_y, self.steepness = self.coefficients.T
        self.centre = np.stack([by_x, by_y]) / (2.0 * self.steepness)
        self.height = constant + self.steepness * (self.centre**2).sum(axis=0)

    def at_most(self, block: Block) -> Floats:
        """The greatest value in the block, shape (histories,)."""
        away2 = distance2_to_box(self.centre[0], self.centre[1], block.box)
        away2 *= self.steepness
        return np.asarray(np.subtract(self.height, away2, out=away2))


class AnyKernel:
    """The same for every other kernel: each detection is bounded by the least distance to the block.

    `at_detectors` (histories,): the sum where every animal stands at each of its detectors.
    """

    def __init__(self, session: Session, caught: Caught, field: Field) -> None:
        self._counts = caught.counts
        self._column_kernel = session.rows.kernel[session.seen.column_row]
        log_ge = field.log_g0[session.seen.column_row] + np.log(session.seen.column_effort)
        self.at_detectors = np.asarray(caught.counts @ log_ge)

    def at_most(self, log_fall: Floats) -> Floats:
        """An upper bound, shape (histories,), from one of log k in the block for each kernel."""
        return np.asarray(self._counts @ log_fall[self._column_kernel] + self.at_detectors)


def slack(session: Session, counts: csr_array, detection: Detection, field: Field) -> Floats | float:
    """How far log h may rise above log g: log(h/g) a detection, 0 where h = g."""
    if detection.by_hazard:
        return 0.0
    g = np.exp(field.log_g0[session.seen.column_row])
    hazard, _ = detection.hazard(g.copy())
    return np.asarray(counts @ np.log(hazard / g))


def _quadratic(session: Session, counts: csr_array, field: Field) -> Floats:
    """Coefficients on `Session.mask_basis` of sum over detections of log(g e), shape (histories, 4)."""
    row, where = session.seen.column_row, session.column_detector
    x, y = session.x_m[where], session.y_m[where]
    half = 0.5 * np.exp(-2.0 * field.log_sigma[session.rows.kernel[row]])
    constant = field.log_g0[row] + np.log(session.column_effort) - half * (x * x + y * y)
    return np.asarray(counts @ np.column_stack([constant, 2.0 * half * x, 2.0 * half * y, half]))
