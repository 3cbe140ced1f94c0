"""Positions: what is written where a device had no fix is no place, whatever the CRS."""

from __future__ import annotations

import polars as pl
import pytest

from sharedrange.core.finding import Severity
from sharedrange.exchange.positions import placed
from sharedrange.exchange.tables import ROW, Sheet


def sheet(*positions: tuple[float | None, float | None]) -> Sheet:
    rows = [{"x": x, "y": y, ROW: row} for row, (x, y) in enumerate(positions, start=2)]
    return Sheet("sites.csv", pl.DataFrame(rows, schema={"x": pl.Float64(), "y": pl.Float64(), ROW: pl.Int64()}))


@pytest.mark.parametrize(("crs", "x", "y"), [("EPSG:4326", 131.2, 43.1), ("EPSG:32652", 680_000.0, 4_770_000.0)])
def test_a_position_of_zeros_is_no_place_in_any_crs(crs: str, x: float, y: float) -> None:
    moved, found = placed(sheet((x, y), (0.0, 0.0), (-0.0, 0.0)), crs)
    assert [(f.rule, f.where.row, f.severity) for f in found] == [
        ("position-is-zero", row, Severity.WARNING) for row in (3, 4)
    ]
    assert moved.rows["x"].is_null().to_list() == [False, True, True]
    assert moved.rows["y"].is_null().to_list() == [False, True, True]


def test_the_equator_and_the_meridian_are_places() -> None:
    moved, found = placed(sheet((0.0, 43.1), (10.5, 0.0), (None, None)), "EPSG:4326")
    assert found == []
    assert moved.rows["x"].to_list() == [0.0, 10.5, None]


def test_the_corner_of_a_local_grid_is_a_place() -> None:
    moved, found = placed(sheet((0.0, 0.0)), "local:grid")
    assert found == []
    assert moved.rows.row(0)[:2] == (0.0, 0.0)


def test_half_a_position_of_zero_is_half_a_position() -> None:
    _, found = placed(sheet((0.0, None)), "EPSG:4326")
    assert [f.rule for f in found] == ["half-position"]
