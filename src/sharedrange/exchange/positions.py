"""Positions in the declared CRS become what is kept: WGS 84 degrees, or metres of a local frame."""

from __future__ import annotations

import numpy as np
import polars as pl

from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.core.places import to_wgs84
from sharedrange.exchange.delivery import FILE_NAME
from sharedrange.exchange.tables import Sheet, flag

WGS84 = "EPSG:4326"
_AT_ZERO = ((pl.col("x") == 0) & (pl.col("y") == 0)).fill_null(value=False)


def frame_of(crs: str) -> str:
    """The frame of kept positions: the local frame itself, else WGS 84."""
    return crs if crs.startswith("local:") else WGS84


def placed(sheet: Sheet, crs: str) -> tuple[Sheet, list[Finding]]:
    """`sheet` with its columns `x`, `y` in the frame of `frame_of`; rows without a position stay so.

    Half a position, one that is no place on Earth, and a CRS that nobody declared are findings. A position of
    exactly 0, 0 is none, and a warning says so: devices without a fix write it, in whatever CRS they would have used.
    """
    x, y = pl.col("x"), pl.col("y")
    sheet, zero = without_zeros(sheet, crs)
    half = [*zero, *flag(sheet, x.is_null() != y.is_null(), "half-position", field="x")]
    if sheet.rows.filter(x.is_not_null() | y.is_not_null()).is_empty():
        return sheet, half
    if not crs:
        return sheet, [*half, Finding("missing-crs", {}, Where(file=FILE_NAME, field="crs"))]
    if crs.startswith("local:"):
        return sheet, half
    moved = _moved(sheet, crs)
    outside = ~pl.col("on Earth")
    found = flag(moved, outside, "position-no-place", field="x", facts={"crs": pl.lit(crs)})
    return moved.with_rows(moved.rows.drop("on Earth")), [*half, *found]


def without_zeros(sheet: Sheet, crs: str) -> tuple[Sheet, list[Finding]]:
    """`sheet` with positions of exactly 0, 0 taken away, a warning each; in a local frame they are places as others."""
    if crs.startswith("local:"):
        return sheet, []
    found = about_zeros(sheet, Severity.WARNING)
    if not found:
        return sheet, []
    taken = (pl.when(~_AT_ZERO).then(pl.col(name)).alias(name) for name in ("x", "y"))
    return sheet.with_rows(sheet.rows.with_columns(*taken)), found


def about_zeros(sheet: Sheet, severity: Severity) -> list[Finding]:
    """A finding for each position of exactly 0, 0."""
    return flag(sheet, _AT_ZERO, "position-is-zero", field="x", severity=severity)


def _moved(sheet: Sheet, crs: str) -> Sheet:
    known = pl.col("x").is_not_null() & pl.col("y").is_not_null()
    x, y = (sheet.rows[name].fill_null(0.0).to_numpy() for name in ("x", "y"))
    longitude, latitude = (x, y) if crs == WGS84 else to_wgs84(crs, x, y)
    on_earth = (np.abs(longitude) <= 180) & (np.abs(latitude) <= 90)  # false where PROJ answers infinity
    return sheet.with_rows(
        sheet.rows.with_columns(
            pl.when(known).then(pl.Series("x", longitude)).alias("x"),
            pl.when(known).then(pl.Series("y", latitude)).alias("y"),
            (~known | pl.Series("on Earth", on_earth)).alias("on Earth"),
        )
    )
