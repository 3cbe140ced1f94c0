"""Rasters as tables of a mask: values at mask points, and mask points where there are values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Fact, Finding

Floats = NDArray[np.float64]
_HEADER = ("ncols", "nrows", "cellsize", "nodata_value", "xllcorner", "yllcorner", "xllcenter", "yllcenter")
_NODATA = -9999.0  # where a grid does not say


@dataclass(frozen=True, slots=True)
class Layer:
    """A raster of square cells. `values` (rows, columns), the first row the northernmost; NaN where there are none.

    `west_m`, `south_m`: the outer corner of the grid; `cell_m`: side of a cell; metres in the mask's projection.
    """

    values: Floats
    west_m: float
    south_m: float
    cell_m: float

    def at(self, x_m: Floats, y_m: Floats) -> Floats:
        """Values of the cells in which places (n,) lie; NaN outside."""
        column = np.floor((x_m - self.west_m) / self.cell_m).astype(np.int64)
        row = len(self.values) - 1 - np.floor((y_m - self.south_m) / self.cell_m).astype(np.int64)
        inside = (row >= 0) & (row < self.values.shape[0]) & (column >= 0) & (column < self.values.shape[1])
        found = np.full(len(column), np.nan)
        found[inside] = self.values[row[inside], column[inside]]
        return found

    def points(self) -> tuple[Floats, Floats]:
        """Centres (x, y) of the cells that have a value, by y and then x: what `make_mask` takes as `points`."""
        row, column = np.nonzero(np.isfinite(self.values[::-1]))
        across, along = column.astype(float) + 0.5, row.astype(float) + 0.5
        return self.west_m + across * self.cell_m, self.south_m + along * self.cell_m


def read_ascii_grid(text: str) -> Layer:
    r"""A raster from the text of an ESRI ASCII grid (Arc/Info ASCII Grid). Raises InputError with all that is wrong.

    Examples
    --------
    >>> grid = read_ascii_grid("ncols 2\nnrows 1\nxllcorner 0\nyllcorner 0\ncellsize 10\n3 -9999\n")
    >>> grid.at(np.array([5.0, 15.0]), np.array([5.0, 5.0])).tolist()
    [3.0, nan]
    """
    lines = [line.split() for line in text.splitlines() if line.strip()]
    named = {words[0].lower(): words[1] for words in lines if words[0].lower() in _HEADER and len(words) == 2}
    header = {key: number for key, word in named.items() if (number := _number(word)) is not None}
    body = [words for words in lines if words[0].lower() not in _HEADER]
    found = list(_wrong(header, body))
    if found:
        raise InputError(found)
    values = np.array([[float(word) for word in words] for words in body])
    values[values == header.get("nodata_value", _NODATA)] = np.nan
    cell_m = header["cellsize"]
    return Layer(values, _corner(header, "x"), _corner(header, "y"), cell_m)


def _corner(header: dict[str, float], axis: str) -> float:
    corner = header.get(f"{axis}llcorner")
    return corner if corner is not None else header[f"{axis}llcenter"] - header["cellsize"] / 2


def _wrong(header: dict[str, float], body: list[list[str]]) -> Iterator[Finding]:
    for key in ("ncols", "nrows", "cellsize"):
        if header.get(key, 0.0) <= 0:
            yield Finding("permeability-grid-header", {"key": key})
    for axis in ("x", "y"):
        if f"{axis}llcorner" not in header and f"{axis}llcenter" not in header:
            yield Finding("permeability-grid-header", {"key": f"{axis}llcorner"})
    rows, columns = header.get("nrows", 0.0), header.get("ncols", 0.0)
    odd = [number for number, words in enumerate(body, start=1) if len(words) != columns]
    if len(body) != rows or odd:
        facts: dict[str, Fact] = {
            "rows": len(body),
            "nrows": rows,
            "ncols": columns,
            "odd": ", ".join(map(str, odd[:5])) or "-",
        }
        yield Finding("permeability-grid-shape", facts)
    wrong = [word for words in body for word in words if _number(word) is None]
    if wrong:
        yield Finding("permeability-grid-number", {"text": wrong[0], "number": len(wrong)})


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None
