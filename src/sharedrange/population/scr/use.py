"""How an animal's use of space falls on the sides of a border, given where its activity centre is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d
from scipy.signal import fftconvolve

from sharedrange.population.scr.detection import FunctionName, fall
from sharedrange.population.scr.session import Session, grid_place

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_REACH_SIGMAS = 6.0  # the kernel beyond holds 1.5e-8 of a half-normal's use


@dataclass(frozen=True, slots=True)
class Use:
    """Share of the use kernel of an animal centred at each mask point that falls on each side.

    `share`, `by_log_sigma`, `by_log_shape`: side -> (M,), block order. The kernel is k(d) of the detection function,
    summed over the mask and normalised there: no use outside the mask.
    """

    share: dict[str, Floats]
    by_log_sigma: dict[str, Floats]
    by_log_shape: dict[str, Floats]

    def resident(self, side: str, at_least: float) -> NDArray[np.bool_]:
        """Whether an animal centred at each point is a resident of `side`."""
        return np.asarray(self.share[side] >= at_least)


@dataclass(frozen=True, slots=True)
class Kernel:
    """Use at a distance, as a detection function has it; `log_shape`: of the hazard rate's z."""

    sigma_m: float
    function: FunctionName = "HHN"
    log_shape: float = 0.0

    def at(self, squared_m2: Floats) -> Floats:
        """Use, and its derivatives by log sigma and log z, shape (3, rows, columns)."""
        falls = fall(self.function, squared_m2 / self.sigma_m**2, np.full(len(squared_m2), self.log_shape))
        k = np.exp(falls.value)
        by_log_shape = np.zeros_like(k) if falls.by_log_shape is None else k * falls.by_log_shape
        return np.stack([k, k * falls.by_log_sigma, by_log_shape])


def use_of_sides(session: Session, kernel: Kernel) -> Use:
    """The shares of use of every side of the mask (also those without a party)."""
    sides = [str(side) for side in np.unique(session.side)]
    indicators = [(session.side == side).astype(float) for side in sides]
    total, *parts = _kernel_sums(session, [np.ones(len(session.side)), *indicators], kernel)
    of = {side: part / total[0] for side, part in zip(sides, parts, strict=True)}
    slopes = {side: part[1:] - part[0] * total[1:] / total[0] for side, part in of.items()}
    return Use({s: part[0] for s, part in of.items()}, *({s: d[i] for s, d in slopes.items()} for i in (0, 1)))


def _kernel_sums(session: Session, values: Sequence[Floats], kernel: Kernel) -> Iterator[Floats]:
    """sum_m' k(m - m') v(m') and its derivatives by log sigma and log z, shape (3, M), for each v."""
    place = grid_place(session)
    if place is None:
        return _scattered_sums(session, values, kernel)
    cell_m = float(np.sqrt(session.cell_area_km2) * 1000.0)
    if kernel.function in ("HN", "HHN"):
        return _separable_sums(*place, values, kernel.sigma_m / cell_m)
    return _gridded_sums(*place, values, kernel, cell_m)


def _separable_sums(column: Ints, row: Ints, values: Sequence[Floats], sigma_cells: float) -> Iterator[Floats]:
    """A half-normal kernel is separable: two passes of a one-dimensional filter instead of M^2 pairs."""
    shape = (int(row.max()) + 1, int(column.max()) + 1)
    reach = min(int(np.ceil(_REACH_SIGMAS * sigma_cells)), max(shape))
    t = np.arange(-reach, reach + 1) / sigma_cells
    kernel = np.exp(-0.5 * t * t)
    slope = t * t * kernel
    for v in values:
        raster = np.zeros(shape)
        raster[row, column] = v
        along = _filtered(raster, kernel, 0)
        by_sigma = _filtered(along, slope, 1) + _filtered(_filtered(raster, slope, 0), kernel, 1)
        sums = _filtered(along, kernel, 1)[row, column]
        yield np.stack([sums, by_sigma[row, column], np.zeros_like(sums)])


def _filtered(raster: Floats, weights: Floats, axis: int) -> Floats:
    return np.asarray(convolve1d(raster, weights, axis=axis, mode="constant"))


def _gridded_sums(column: Ints, row: Ints, values: Sequence[Floats], kernel: Kernel, cell_m: float) -> Iterator[Floats]:
    """Any kernel over the whole extent of a grid, by the fast Fourier transform: some kernels have long tails."""
    rows, columns = int(row.max()) + 1, int(column.max()) + 1
    dy, dx = np.arange(1 - rows, rows) * cell_m, np.arange(1 - columns, columns) * cell_m
    weights = kernel.at(dy[:, None] ** 2 + dx**2)
    for v in values:
        raster = np.zeros((rows, columns))
        raster[row, column] = v
        sums = (fftconvolve(raster, w)[rows - 1 :, columns - 1 :] for w in weights)
        yield np.stack([s[row, column] for s in sums])


def _scattered_sums(session: Session, values: Sequence[Floats], kernel: Kernel) -> Iterator[Floats]:
    """The same for points that are on no grid, pair by pair."""
    stacked = np.stack(values, axis=1)
    sums = np.empty((3, *stacked.shape))
    for block in session.blocks:
        dx = session.mask_x_m[block.points][:, None] - session.mask_x_m
        dy = session.mask_y_m[block.points][:, None] - session.mask_y_m
        sums[:, block.points] = kernel.at(dx * dx + dy * dy) @ stacked
    return (sums[:, :, k] for k in range(len(values)))
