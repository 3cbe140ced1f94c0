"""A named grid of square cells: the unit of sign surveys, and what positions are made coarse to.

Names of cells say the grid, the size and the column and row from the grid's origin, and nothing finer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SIGN_SURVEY_CELL_M = 20_000.0  # 400 km2: about the range of a male tiger, so that a cell holds or does not hold them


@dataclass(frozen=True, slots=True)
class SquareGrid:
    """Squares of `cell_m` metres from an origin, in the metres of the component's projection.

    Raises ValueError for a cell that is not longer than 0.

    Examples
    --------
    >>> grid = SquareGrid("tumen")
    >>> grid.area_km2, grid.names(np.array([1_000.0]), np.array([-5.0])).tolist()
    (400.0, ['tumen/20000/0/-1'])
    """

    name: str
    cell_m: float = SIGN_SURVEY_CELL_M
    origin_x_m: float = 0.0
    origin_y_m: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.cell_m) and self.cell_m > 0):
            raise ValueError(f"cell_m: {self.cell_m} (above 0)")

    @property
    def area_km2(self) -> float:
        """Area of one cell."""
        return (self.cell_m / 1000) ** 2

    def of_size(self, cell_m: float) -> SquareGrid:
        """The grid of the same name and origin with cells of another size."""
        return replace(self, cell_m=cell_m)

    def cells(self, x_m: Floats, y_m: Floats) -> tuple[Ints, Ints]:
        """Column and row of the cell that holds each position, shapes as given."""
        column = np.floor((x_m - self.origin_x_m) / self.cell_m)
        row = np.floor((y_m - self.origin_y_m) / self.cell_m)
        return column.astype(np.int64), row.astype(np.int64)

    def centres(self, x_m: Floats, y_m: Floats) -> tuple[Floats, Floats]:
        """Centre of the cell that holds each position, metres, shapes as given."""
        column, row = self.cells(x_m, y_m)
        x_centre_m, y_centre_m = (column + 0.5) * self.cell_m, (row + 0.5) * self.cell_m
        return np.asarray(self.origin_x_m + x_centre_m), np.asarray(self.origin_y_m + y_centre_m)

    def names(self, x_m: Floats, y_m: Floats) -> NDArray[np.str_]:
        """Name of the cell that holds each position, ``<grid>/<size>/<column>/<row>``, shape (n,)."""
        column, row = self.cells(x_m, y_m)
        pairs = zip(column.tolist(), row.tolist(), strict=True)
        return np.array([f"{self.name}/{self.cell_m:.15g}/{i}/{j}" for i, j in pairs], dtype=np.str_)
