"""How far apart detectors and activity centres are: along a straight line, or as somebody else has worked it out.

By default a distance is Euclidean and computed block by block, never kept. A model may bring its own: a `Distance`
says, for any values of its own parameters, how far every mask point is from every detector and how that changes with
the parameters, and the likelihood does the rest (value, exact gradient, standard errors). Least-cost distance over a
resistance layer is one (Royle, Chandler, Gazenski and Graves 2013, Ecology 94: 287-294). Or it may say that there are
several `Ways`, straight over a border and round through a passage, and how often each is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sharedrange.population.scr.detection import Fall, FunctionName, fall
from sharedrange.population.scr.session import Session

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_NO_DISTANCE_M = 1e-9


@dataclass(frozen=True, slots=True)
class Distances:
    """Distances in metres, shape (J, M), mask points in block order; `slopes` (P, J, M) by each parameter."""

    metres: Floats
    slopes: Floats

    def nearest_m(self, points: slice | Ints) -> Floats:
        """The least distance from each detector to some points, shape (J,)."""
        return np.asarray(self.metres[:, points].min(axis=1))

    def fall(
        self, function: FunctionName, where: Ints, points: slice | Ints, log_sigma: Floats, log_shape: Floats | None
    ) -> Fall:
        """How detection falls from detectors `where` to `points`; `log_sigma`, `log_shape` as long as `where`."""
        scaled = self.metres[where][:, points] * np.exp(-log_sigma)[:, None]
        return fall(function, scaled * scaled, log_shape)

    def pull_back(self, by_log: Floats, falls: Fall, where: Ints, points: slice | Ints) -> Floats:
        """Derivatives by the parameters (P,), from those by log k of detectors `where` at `points`."""
        if not len(self.slopes):
            return np.empty(0)
        by_metre = -by_log * falls.by_log_sigma / np.maximum(self.metres[where][:, points], _NO_DISTANCE_M)
        return np.array([np.sum(by_metre * slope[where][:, points]) for slope in self.slopes])


@dataclass(frozen=True, slots=True)
class Ways:
    """Several ways between the same places, each taken by a share of the encounters: k = sum_w share_w k(d_w).

    `metres` (W, J, M), mask points in block order; `shares` (W,) sum to 1; `slopes` (P, W) of them by each parameter.
    """

    metres: Floats
    shares: Floats
    slopes: Floats

    def nearest_m(self, points: slice | Ints) -> Floats:
        """The least distance by any way from each detector to some points, shape (J,)."""
        return np.asarray(self.metres[:, :, points].min(axis=(0, 2)))

    def fall(
        self, function: FunctionName, where: Ints, points: slice | Ints, log_sigma: Floats, log_shape: Floats | None
    ) -> Fall:
        """How detection falls from detectors `where` to `points`; `log_sigma`, `log_shape` as long as `where`."""
        straight = (Distances(metres, np.empty((0, 0, 0))) for metres in self.metres)
        each = [way.fall(function, where, points, log_sigma, log_shape) for way in straight]
        top = np.maximum.reduce([f.value for f in each])
        by_share = np.exp(np.array([f.value for f in each]) - top)
        total = np.maximum(np.tensordot(self.shares, by_share, axes=1), np.finfo(float).tiny)
        by_share /= total
        by_log_sigma = self._mean(by_share, [f.by_log_sigma for f in each])
        shapes = [f.by_log_shape for f in each if f.by_log_shape is not None]
        by_log_shape = self._mean(by_share, shapes) if shapes else None
        return Fall(top + np.log(total), by_log_sigma, by_log_shape, by_share)

    def pull_back(
        self,
        by_log: Floats,
        falls: Fall,
        where: Ints,  # noqa: ARG002  (as Distances has it)
        points: slice | Ints,  # noqa: ARG002  (as Distances has it)
    ) -> Floats:
        """Derivatives by the parameters (P,), from those by log k of detectors `where` at `points`."""
        if falls.by_share is None or not len(self.slopes):
            return np.empty(0)
        return np.asarray(self.slopes @ np.einsum("wjm,jm->w", falls.by_share, by_log))

    def _mean(self, by_share: Floats, values: list[Floats]) -> Floats:
        """Mean over ways, each as often as it brings an animal here."""
        return np.asarray(sum(s * w * v for s, w, v in zip(self.shares, by_share, values, strict=True)))


class Distance(Protocol):
    """A way to measure distance with parameters of its own, on whatever scale has no bounds (a link scale).

    `names` of the parameters, which must not be those of the model; `start` values. `between` is called with a
    session as the likelihood sees it: `x_m`, `y_m` (J,) and `mask_x_m`, `mask_y_m` (M,) are metres from one
    origin; `mask_row` (M,) leads to rows of the Mask that the caller gave. A distance that is the least of many,
    whose derivatives jump where another becomes the least, says so by an attribute `kinked` that is true.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        ...

    @property
    def start(self) -> tuple[float, ...]:
        """Values to start from."""
        ...

    def between(self, session: Session, parameters: Floats) -> Distances | Ways:
        """All distances of one session at these parameters."""
        ...


@dataclass(frozen=True)
class FixedDistance:
    """Distances that hold no parameter: one matrix (J, M) in metres a session, by name of the session.

    Rows are the detectors of the history that ran, columns the points of the Mask in the caller's order.
    """

    metres: dict[str, Floats]
    names: tuple[str, ...] = ()
    start: tuple[float, ...] = ()

    def between(self, session: Session, parameters: Floats) -> Distances:
        """The matrix, its columns in block order."""
        given = self.metres[session.name][:, session.mask_row]
        return Distances(given, np.empty((len(parameters), *given.shape)))
