"""How an animal's use of space falls on the sides of a border, given where its activity centre is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d

from sharedrange.population.scr.session import Session, grid_place

Floats = NDArray[np.float64]
_REACH_SIGMAS = 6.0  # the kernel beyond holds 1.5e-8 of a half-normal's use


@dataclass(frozen=True, slots=True)
class Use:
    """Share of the use kernel of an animal centred at each mask point that falls on each side.

    `share`, `by_log_sigma`: side -> (M,), block order. The kernel is the half-normal exp(-d^2 / 2 sigma^2) of
    the detection function, summed over the mask and normalised there: no use outside the mask.
    """

    share: dict[str, Floats]
    by_log_sigma: dict[str, Floats]

    def resident(self, side: str, at_least: float) -> NDArray[np.bool_]:
        """Whether an animal centred at each point is a resident of `side`."""
        return np.asarray(self.share[side] >= at_least)


def use_of_sides(session: Session, sigma_m: float) -> Use:
    """The shares of use of every side of the mask (also those without a party) at one sigma."""
    sides = [str(side) for side in np.unique(session.side)]
    indicators = [(session.side == side).astype(float) for side in sides]
    sums = list(_kernel_sums(session, [np.ones(len(session.side)), *indicators], sigma_m))
    (total, total_slope), parts = sums[0], sums[1:]
    shares = {side: part / total for side, (part, _) in zip(sides, parts, strict=True)}
    slopes = {side: (slope - shares[side] * total_slope) / total for side, (_, slope) in zip(sides, parts, strict=True)}
    return Use(shares, slopes)


def _kernel_sums(session: Session, values: Sequence[Floats], sigma_m: float) -> Iterator[tuple[Floats, Floats]]:
    """sum_m' K(m - m') v(m') and its derivative by log sigma, K(d) = exp(-d^2 / 2 sigma^2), for each v."""
    place = grid_place(session)
    if place is None:
        return _scattered_sums(session, values, sigma_m)
    cell_m = float(np.sqrt(session.cell_area_km2) * 1000.0)
    return _gridded_sums(*place, values, sigma_m / cell_m)


def _gridded_sums(
    column: NDArray[np.int64], row: NDArray[np.int64], values: Sequence[Floats], sigma_cells: float
) -> Iterator[tuple[Floats, Floats]]:
    """The kernel is separable: two passes of a one-dimensional filter instead of M^2 pairs."""
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
        yield _filtered(along, kernel, 1)[row, column], by_sigma[row, column]


def _filtered(raster: Floats, weights: Floats, axis: int) -> Floats:
    return np.asarray(convolve1d(raster, weights, axis=axis, mode="constant"))


def _scattered_sums(session: Session, values: Sequence[Floats], sigma_m: float) -> Iterator[tuple[Floats, Floats]]:
    """The same for points that are on no grid, pair by pair."""
    stacked = np.stack(values, axis=1)
    sums, slopes = np.empty_like(stacked), np.empty_like(stacked)
    for block in session.blocks:
        dx = session.mask_x_m[block.points][:, None] - session.mask_x_m
        dy = session.mask_y_m[block.points][:, None] - session.mask_y_m
        d2 = (dx * dx + dy * dy) / sigma_m**2
        kernel = np.exp(-0.5 * d2)
        sums[block.points] = kernel @ stacked
        slopes[block.points] = (kernel * d2) @ stacked
    return iter(zip(sums.T, slopes.T, strict=True))
