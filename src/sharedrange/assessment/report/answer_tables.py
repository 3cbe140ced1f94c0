"""Tables that engines made: which of them may leave as data, and which of them a report prints."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from sharedrange.assessment.programme import Programme, Question
from sharedrange.assessment.report.cells import are_coarse
from sharedrange.core.places import Projection

POSITIONS = frozenset({"x", "y", "x_m", "y_m", "longitude", "latitude", "lon", "lat", "easting", "northing"})
PLACED_THINGS = frozenset({"individual", "code", "detector", "deployment", "station", "observation", "capture"})
SITES = "map"  # the table of sites: positions where a site is a station
SURFACE = "density"  # the one table that may ever hold positions: those of mask cells
PRINTED = ("slopes", "models", "identity", "tests", "fit", "goodness", "barriers", "change", "power")
"""What a reader of a report asks for; all tables are data products."""
COLUMNS: Mapping[str, tuple[str, ...]] = {
    # Of a table that is wider than a page, what is printed; its data product has it all.
    "barriers": ("barrier", "permeability", "low", "high", "animals_near", "animals_on_both_sides"),
    "slopes": ("covariate", "level", "since", "upto", "multiplicative", "low", "high", "p", "trend"),
}
MOST_ROWS_PRINTED = 24
MOST_COLUMNS_OF_A_ROW = 6


def lies_nowhere(programme: Programme, question: Question) -> bool:
    """Whether positions of a question tell nothing of the Earth: simulated, or in a local frame."""
    places = [Projection(c.projection) for c in programme.components if c.id == question.component]
    return programme.simulated or (bool(places) and all(place.is_local for place in places))


def may_leave(name: str, table: pl.DataFrame, *, is_nowhere: bool) -> bool:
    """Whether a table may be written as a data product: no position of an animal, a camera or a capture.

    The points of a density surface, and which of them were surveyed, tell where the cameras stand; a table of sites
    tells where an animal was found, unless the sites are cells of 10 km or more. They leave only where
    `is_nowhere`: the animals are simulated, or the frame has no place on Earth (`lies_nowhere`).
    """
    columns = {column.lower() for column in table.columns}
    if name.rpartition(".")[2] == SITES and not is_nowhere and not are_coarse(table):
        return False
    if not columns & POSITIONS:
        return True
    return is_nowhere and name.rpartition(".")[2] == SURFACE and not columns & PLACED_THINGS


def printable(name: str, table: pl.DataFrame) -> bool:
    """Whether a table is one that readers ask for, and short enough."""
    return name in PRINTED and 0 < table.height <= MOST_ROWS_PRINTED


def as_printed(name: str, table: pl.DataFrame) -> pl.DataFrame:
    """The columns of a table that fit on a page."""
    return table.select(COLUMNS[name]) if name in COLUMNS else table


def stands_upright(table: pl.DataFrame) -> bool:
    """Whether a table is better read turned: one row of many columns."""
    return table.height == 1 and table.width > MOST_COLUMNS_OF_A_ROW
