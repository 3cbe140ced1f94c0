"""Named grids: square cells whose sizes form a ladder, so that any two sizes nest and everybody cuts at the same lines.

An agreement, a report and a neighbour's sheet that name the same grid mean the same cells. Sizes and origin are read
as the decimals that they are written as: 0.1 is a tenth, not the double nearest to it. A line of the grid is that
decimal, rounded once to the nearest double; a point is beyond it or not, and nothing is "near". A cell's centre is
therefore written with the same digits everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Cells = NDArray[np.int64]

GEOGRAPHIC = "geographic"  # longitude and latitude in degrees, WGS 84
DEGREE_M = 111_320.0  # length of a degree of latitude; of longitude at the equator
_DATE_LINE = 180.0


@dataclass(frozen=True, slots=True)
class Grid:
    """A grid of square cells.

    `crs` is ``geographic`` (degrees, WGS 84), a PROJ string or EPSG code in metres, or ``local:<name>``. `sizes` are
    the sides that cells may have, finest first, in degrees or metres; each divides the next. `origin` is a corner
    that cells of all sizes share. Columns rise eastwards, rows northwards, both from 0 at the origin.

    Raises ValueError where sizes are not positive or do not nest.

    Examples
    --------
    >>> grid = Grid("degrees", GEOGRAPHIC, (0.01, 0.05, 0.1))
    >>> columns, rows = grid.cells_of(np.array([0.3, 0.2999]), np.array([46.17, -0.001]), 0.1)
    >>> columns.tolist(), rows.tolist()
    ([3, 2], [461, -1])
    >>> [axis.tolist() for axis in grid.centres(columns, rows, 0.1)]
    [[0.35, 0.25], [46.15, -0.05]]
    >>> grid.names(columns, rows, 0.1).tolist()
    ['degrees/0.1/3/461', 'degrees/0.1/2/-1']
    """

    id: str
    crs: str
    sizes: tuple[float, ...]
    origin: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (*self.sizes, *self.origin))):
            raise ValueError("sizes and origin of a grid are numbers")
        if not self.sizes or min(self.sizes) <= 0:
            raise ValueError("a grid needs at least one size, and sizes above zero")
        if unlike := [(a, b) for a, b in pairwise(self.sizes) if not nests(a, b)]:
            raise ValueError(", ".join(f"cells of {a:g} do not fill those of {b:g}" for a, b in unlike))

    @property
    def unit(self) -> str:
        """What sizes, origin and positions are in: ``degrees`` or ``m``."""
        return "degrees" if self.crs == GEOGRAPHIC else "m"

    def cells_of(self, x: Floats, y: Floats, size: float) -> tuple[Cells, Cells]:
        """Column and row of the cell of each point, shapes as given. A point on a line is in the cell beyond it.

        Cells of any size are made of whole cells of the finest, so that sizes nest whatever rounding does. On a
        geographic grid 180 degrees east are 180 degrees west.
        Raises KeyError for a size that is not the grid's, ValueError for a position that is no number.
        """
        ratio = self._ratio(size)
        east = np.where(np.asarray(x) == _DATE_LINE, -_DATE_LINE, x) if self.crs == GEOGRAPHIC else x
        columns, rows = (_between(at, start, self.sizes[0]) for at, start in zip((east, y), self.origin, strict=True))
        return columns // ratio, rows // ratio

    def coarser(self, columns: Cells, rows: Cells, size: float, to: float) -> tuple[Cells, Cells]:
        """The cells of a larger size in which cells lie.

        Raises KeyError for sizes that are not the grid's, ValueError where `to` is the smaller one.
        """
        within, ratio = self._ratio(size), self._ratio(to)
        if ratio < within:
            raise ValueError(f"cells of {to:g} are not larger than those of {size:g}")
        return columns // (ratio // within), rows // (ratio // within)

    def centres(self, columns: Cells, rows: Cells, size: float) -> tuple[Floats, Floats]:
        """The centre of each cell, in degrees or metres: the double nearest to the exact decimal."""
        self._ratio(size)
        return _lines(columns, self.origin[0], size, halves=1), _lines(rows, self.origin[1], size, halves=1)

    def corners(self, columns: Cells, rows: Cells, size: float) -> Floats:
        """The outline of each of n cells, shape (n, 4, 2): x and y, counter-clockwise from the lower left.

        Neighbours share their corners to the last bit.
        """
        self._ratio(size)
        left, right = (_lines(columns, self.origin[0], size, halves=side) for side in (0, 2))
        bottom, top = (_lines(rows, self.origin[1], size, halves=side) for side in (0, 2))
        return np.stack([np.stack([left, right, right, left], -1), np.stack([bottom, bottom, top, top], -1)], -1)

    def names(self, columns: Cells, rows: Cells, size: float) -> NDArray[np.str_]:
        """Name of each of n cells, ``<grid>/<size>/<column>/<row>``, shape (n,)."""
        self._ratio(size)
        pairs = zip(columns.tolist(), rows.tolist(), strict=True)
        return np.array([f"{self.id}/{size:.15g}/{i}/{j}" for i, j in pairs], dtype=np.str_)

    def _ratio(self, size: float) -> int:
        """How many of the finest cells lie along the side of a cell of `size`."""
        if size not in self.sizes:
            raise KeyError(f"{size:g} is no size of the grid {self.id}: {', '.join(f'{s:g}' for s in self.sizes)}")
        return int(_exact(size) / _exact(self.sizes[0]))


def nests(smaller: float, larger: float) -> bool:
    """Whether cells of one size fill larger ones exactly, both read as decimals.

    Examples
    --------
    >>> nests(0.1, 0.3), nests(0.01, 0.025)
    (True, False)
    """
    if smaller <= 0:
        return False
    ratio = _exact(larger) / _exact(smaller)
    return ratio.denominator == 1 and ratio > 1


def _exact(value: float) -> Fraction:
    """The decimal that a number is written as."""
    return Fraction(str(float(value)))


def _between(values: Floats, origin: float, size: float) -> Cells:
    """Between which lines each value lies: a guess that rounding may put one cell off, held against the lines.

    A double is below a line exactly where the decimal that it is written as is, because rounding keeps order.
    """
    if not np.isfinite(values).all():
        raise ValueError("positions must be numbers")
    guess = np.floor((np.asarray(values, dtype=float) - origin) / size).astype(np.int64)
    too_low = values >= _lines(guess + 1, origin, size)
    too_high = values < _lines(guess, origin, size)
    return np.asarray(guess + too_low - too_high)


def _lines(indices: Cells, origin: float, size: float, *, halves: int = 0) -> Floats:
    """The line so many cells, and so many halves of one, from the origin: exact fractions, each rounded once."""
    start, half = _exact(origin), _exact(size) / 2
    per_unit = math.lcm(start.denominator, half.denominator)
    distinct, where = np.unique(np.asarray(indices, dtype=np.int64), return_inverse=True)
    whole = (2 * distinct.astype(object) + halves) * int(half * per_unit) + int(start * per_unit)
    rounded = np.array([number / per_unit for number in whole.tolist()], dtype=float)
    return np.asarray(rounded[where].reshape(np.shape(indices)))
