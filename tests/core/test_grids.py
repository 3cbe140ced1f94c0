"""Named grids: everybody cuts at the same lines, sizes nest, and a cell's centre is written in one way."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharedrange.core.grids import GEOGRAPHIC, Grid, nests

DEGREES = Grid("degrees", GEOGRAPHIC, (0.01, 0.05, 0.1, 0.5, 1.0))
METRES = Grid("metres", "local:plan", (250.0, 500.0, 5_000.0, 20_000.0), origin=(1_234.5, -0.25))
THIRDS = Grid("thirds", GEOGRAPHIC, (0.003, 0.03, 0.3), origin=(0.1, -0.7))
GRIDS = (DEGREES, METRES, THIRDS)

grids_and_sizes = st.sampled_from([(grid, size) for grid in GRIDS for size in grid.sizes])
indices = st.integers(-18_000, 18_000)


def line(grid: Grid, axis: int, index: int, size: float) -> Decimal:
    """Where a line of the grid is, by decimal arithmetic."""
    return Decimal(str(grid.origin[axis])) + index * Decimal(str(size))


def one(value: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array([float(value)])


@given(at=grids_and_sizes, column=indices, row=indices)
def test_the_centre_of_a_cell_lies_in_it_and_is_written_as_its_exact_decimal(
    at: tuple[Grid, float], column: int, row: int
) -> None:
    grid, size = at
    x, y = grid.centres(np.array([column]), np.array([row]), size)
    assert [axis.tolist() for axis in grid.cells_of(x, y, size)] == [[column], [row]]
    half = Decimal(str(size)) / 2
    for axis, index, value in ((0, column, x[0]), (1, row, y[0])):
        exact = line(grid, axis, index, size) + half
        assert Decimal(repr(float(value))) == exact
        assert Decimal(pl.DataFrame({"x": [value]}).write_csv(include_header=False).strip()) == exact


@given(at=grids_and_sizes, column=indices, row=indices)
def test_a_point_on_a_line_is_beyond_it_and_the_next_number_below_is_not(
    at: tuple[Grid, float], column: int, row: int
) -> None:
    grid, size = at
    x, y = (float(line(grid, axis, index, size)) for axis, index in ((0, column), (1, row)))
    on = grid.cells_of(one(x), one(y), size)
    below = grid.cells_of(one(np.nextafter(x, -np.inf)), one(np.nextafter(y, -np.inf)), size)
    above = grid.cells_of(one(np.nextafter(x, np.inf)), one(np.nextafter(y, np.inf)), size)
    if x == 180 and grid.unit == "degrees":
        column = grid.cells_of(one(-180.0), one(y), size)[0][0]
        assert (on[0][0], on[1][0]) == (column, row)
        return
    assert (on[0][0], on[1][0]) == (above[0][0], above[1][0]) == (column, row)
    assert (below[0][0], below[1][0]) == (column - 1, row - 1)


@given(grid=st.sampled_from(GRIDS), x=st.floats(-179, 179), y=st.floats(-90, 90), data=st.data())
def test_every_point_of_a_cell_is_in_the_larger_cell_around_it(
    grid: Grid, x: float, y: float, data: st.DataObject
) -> None:
    size, to = sorted(data.draw(st.lists(st.sampled_from(grid.sizes), min_size=2, max_size=2)))
    small, large = grid.cells_of(one(x), one(y), size), grid.cells_of(one(x), one(y), to)
    assert [axis.tolist() for axis in grid.coarser(*small, size, to)] == [axis.tolist() for axis in large]


@given(at=grids_and_sizes, x=st.floats(-179, 179), y=st.floats(-90, 90))
def test_a_point_lies_within_the_outline_of_its_cell(at: tuple[Grid, float], x: float, y: float) -> None:
    grid, size = at
    (corners,) = grid.corners(*grid.cells_of(one(x), one(y), size), size)
    (left, bottom), (right, _), (_, top), _ = corners.tolist()
    assert left <= x < right
    assert bottom <= y < top


def test_neighbours_share_their_corners_to_the_last_bit() -> None:
    (here, east) = DEGREES.corners(np.array([6, 7]), np.array([3, 3]), 0.1)
    assert here[1].tolist() == east[0].tolist() == [0.7, 0.3]
    assert here[2].tolist() == east[3].tolist()


def test_a_sum_that_lies_a_hair_above_a_line_and_its_decimal_are_in_one_cell() -> None:
    x = np.array([0.1 * 3, 0.3, 0.3 - 1e-16])
    assert DEGREES.cells_of(x, x, 0.1)[0].tolist() == [3, 3, 2]


def test_shapes_are_kept_and_no_point_is_no_cell() -> None:
    x = np.arange(6.0).reshape(2, 3)
    columns, rows = DEGREES.cells_of(x, x, 0.5)
    assert columns.shape == rows.shape == (2, 3)
    assert columns.dtype == np.int64
    assert DEGREES.centres(columns, rows, 0.5)[0].shape == (2, 3)
    assert DEGREES.corners(*DEGREES.cells_of(np.empty(0), np.empty(0), 0.1), 0.1).shape == (0, 4, 2)


def test_the_date_line_is_one_line() -> None:
    x = np.array([180.0, -180.0])
    assert len(set(DEGREES.cells_of(x, np.zeros(2), 0.1)[0].tolist())) == 1
    assert METRES.cells_of(np.array([181.0]), np.zeros(1), 250.0)[0].tolist() == [-5]


def test_a_name_says_grid_size_and_cell_and_nothing_finer() -> None:
    columns, rows = METRES.cells_of(np.array([1_300.0]), np.array([-5.0]), 20_000.0)
    assert METRES.names(columns, rows, 20_000.0).tolist() == ["metres/20000/0/-1"]
    assert METRES.unit == "m"


@pytest.mark.parametrize("sizes", [(), (0.0,), (-1.0, 1.0), (0.1, 0.25), (1.0, 0.5), (0.5, 0.5), (float("nan"),)])
def test_a_ladder_whose_steps_do_not_divide_is_refused(sizes: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"size|fill"):
        Grid("g", GEOGRAPHIC, sizes)


def test_sizes_are_read_as_they_are_written() -> None:
    assert nests(0.1, 0.3), "although three times the double 0.1 is not the double 0.3"
    assert not nests(0.02, 0.05)
    assert not nests(0.0, 1.0)


def test_what_the_grid_does_not_have_is_refused() -> None:
    origin = np.zeros(1)
    with pytest.raises(KeyError, match="no size of the grid"):
        DEGREES.cells_of(origin, origin, 0.2)
    with pytest.raises(ValueError, match="not larger"):
        DEGREES.coarser(*DEGREES.cells_of(origin, origin, 0.1), 0.1, 0.05)
    with pytest.raises(ValueError, match="numbers"):
        DEGREES.cells_of(np.array([np.nan]), origin, 0.1)
