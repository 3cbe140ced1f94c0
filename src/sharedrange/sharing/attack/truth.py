"""The truth that attacks are measured against, looked up by the owner in its own survey and table of pseudonyms."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from sharedrange.core.grids import Grid
from sharedrange.core.survey import Survey
from sharedrange.sharing.anonymity import Tables
from sharedrange.sharing.attack.types import Positions
from sharedrange.sharing.pseudonyms import Pseudonyms


def true_positions(survey: Survey, tables: Tables, pseudonyms: Pseudonyms, grid: Grid) -> Positions:
    """Where the released stations of a survey stand: pseudonym -> position, in the survey's frame.

    A station that was moved to another cell has a pseudonym in each; it stands where it stood in the cell that is told.
    Stations that were released without a cell are left out.
    """
    called = {pseudonym: name for name, pseudonym in pseudonyms.names.items()}
    stood = _stood(survey)
    found: dict[str, tuple[float, float]] = {}
    for station, x, y, cell in tables["stations"].select("station", "x", "y", "cell").drop_nulls().iter_rows():
        if station in called:
            here = _inside(_of_name(called[station][-1], stood), grid, (x, y, cell))
            found |= {station: here} if here is not None else {}
    return Positions(found)


def _stood(survey: Survey) -> dict[str, list[tuple[float, float]]]:
    """Each station's positions, one a deployment."""
    rows = survey.deployments.select(pl.coalesce("station", "deployment").alias("station"), "x", "y").drop_nulls()
    stood: dict[str, list[tuple[float, float]]] = {}
    for station, x, y in rows.sort(pl.all()).iter_rows():
        stood.setdefault(station, []).append((x, y))
    return stood


def _of_name(key: str, stood: Mapping[str, list[tuple[float, float]]]) -> list[tuple[float, float]]:
    """The positions of what the owner calls `key`: a station, or ``station@part`` for one that was moved."""
    return stood.get(key) or stood.get(key.rpartition("@")[0], [])


def _inside(
    positions: list[tuple[float, float]], grid: Grid, cell: tuple[float, float, float]
) -> tuple[float, float] | None:
    """The first of the positions that lies in a cell, given by centre and side; None if none does."""
    x, y, side = cell
    told = grid.cells_of(np.array([x]), np.array([y]), side)
    for at in positions:
        own = grid.cells_of(np.array([at[0]]), np.array([at[1]]), side)
        if (own[0][0], own[1][0]) == (told[0][0], told[1][0]):
            return at
    return None
