"""Positions as cells: centres only, never jittered, and no cell that few stations share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.core.grids import DEGREE_M, GEOGRAPHIC, Cells, Floats, Grid
from sharedrange.sharing.agreement import Frame

NO_CELL = -1


@dataclass(frozen=True, slots=True)
class Generalised:
    """The cell of each of n places: `size` is 0 where no cell of the grid has enough places (it stays)."""

    columns: Cells
    rows: Cells
    size: Floats

    def centres(self, grid: Grid) -> tuple[Floats, Floats]:
        """The centre of each place's cell; NaN where it stays."""
        x, y = np.full(len(self.size), np.nan), np.full(len(self.size), np.nan)
        for side in np.unique(self.size[self.size > 0]):
            here = self.size == side
            x[here], y[here] = grid.centres(self.columns[here], self.rows[here], float(side))
        return x, y


def generalised(grid: Grid, x: Floats, y: Floats, frame: Frame) -> Generalised:
    """The cells in which places leave: of the frame's side; those of cells that too few share stay.

    With ``few_stations = "join"`` they leave in larger cells instead. Where one cell has too few, the next larger cell
    around it takes in all of its places, those of its neighbours too: were only the few moved up, the larger cell
    without its named parts would tell where they are.
    """
    if frame.cell is None:
        return Generalised(np.zeros(len(x), np.int64), np.zeros(len(x), np.int64), np.zeros(len(x)))
    join, least = frame.few_stations == "join", frame.least_stations
    ladder = grid.sizes[grid.sizes.index(frame.cell) :] if join else (frame.cell,)
    level = np.zeros(len(x), dtype=np.int64)
    for step, size in enumerate(ladder):
        crowded_out = (level == step) & ~_shared(_ids(grid, x, y, size), level == step, least)
        if not crowded_out.any():
            break
        if step + 1 == len(ladder):
            level[crowded_out] = NO_CELL
            break
        around = _ids(grid, x, y, ladder[step + 1])
        level[np.isin(around, around[crowded_out]) & (level >= 0)] = step + 1
    return _cells(grid, x, y, ladder, level)


def _shared(cells: NDArray[np.int64], counted: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    """Whether at least `least` of the counted places are in the same cell."""
    _, where, n = np.unique(cells[counted], return_inverse=True, return_counts=True)
    enough = np.zeros(len(cells), dtype=bool)
    enough[counted] = n[where] >= least
    return enough


def _ids(grid: Grid, x: Floats, y: Floats, size: float) -> NDArray[np.int64]:
    """A number for each place's cell: equal for equal cells."""
    columns, rows = grid.cells_of(x, y, size)
    return np.unique(np.column_stack([columns, rows]), axis=0, return_inverse=True)[1].ravel().astype(np.int64)


def _cells(grid: Grid, x: Floats, y: Floats, ladder: tuple[float, ...], level: NDArray[np.int64]) -> Generalised:
    columns, rows = np.zeros(len(x), dtype=np.int64), np.zeros(len(x), dtype=np.int64)
    size = np.zeros(len(x))
    for step, side in enumerate(ladder):
        here = level == step
        columns[here], rows[here] = grid.cells_of(x[here], y[here], side)
        size[here] = side
    return Generalised(columns, rows, size)


def position_columns(grid: Grid, cells: Generalised) -> pl.DataFrame:
    """The columns x, y, cell and uncertainty_m of each place; null where it stays."""
    x, y = cells.centres(grid)
    told = pl.DataFrame({"x": x, "y": y, "cell": cells.size, "uncertainty_m": _half_diagonal_m(grid, y, cells.size)})
    stays = pl.col("cell") == 0
    return told.select(pl.when(~stays).then(pl.col(name)).alias(name) for name in told.columns)


def _half_diagonal_m(grid: Grid, y: Floats, size: Floats) -> Floats:
    """From a cell's centre to its corners in metres, rounded up."""
    if grid.crs != GEOGRAPHIC:
        return np.asarray(np.ceil(size * np.sqrt(0.5)))
    height_m, width_m = size * DEGREE_M, size * DEGREE_M * np.cos(np.radians(np.nan_to_num(y)))
    return np.asarray(np.ceil(np.hypot(height_m, width_m) / 2))
