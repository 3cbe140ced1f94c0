"""What a delivery was understood to be, for a person to look at: rows, species, stations, dates, effort, a map."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import polars as pl

from sharedrange.core.contents import Delivered
from sharedrange.core.places import equal_area
from sharedrange.core.survey import Survey
from sharedrange.population.rates import effort_table

CELL_M = 10_000.0  # the map of a delivery is never finer: it may be shown to somebody, or copied from a terminal
MAP_CELLS = (60, 24)  # columns and rows that fit a terminal; larger areas get larger cells
NO_STATION, MANY = "·", "+"
UTC = "UTC"


@dataclass(frozen=True, slots=True)
class Overview:
    """What a delivery holds. `rows`: table -> number of rows; `taxa`: columns taxon, records.

    `effort`: columns station, first_day, last_day, run_days, gap_days; `first`, `last`: days of the observations, ""
    in an undated survey; `zone`: where all these days begin and end.
    """

    rows: dict[str, int]
    taxa: pl.DataFrame
    stations: int
    first: str
    last: str
    effort: pl.DataFrame
    sketch: tuple[str, ...]
    cell_km: float
    zone: str = UTC


def rows_of(delivered: Delivered) -> dict[str, int]:
    """Table -> number of rows, of the tables that have any."""
    return {name: table.height for name, table in _tables(delivered) if table.height}


def overview(delivered: Delivered, zone: str = UTC) -> Overview:
    """What a delivery holds, in numbers.

    `zone`: IANA name of the zone whose days are told; that of the cameras, or a person will miss a day.
    """
    tables = dict(_tables(delivered))
    survey = delivered.survey
    effort = _effort(survey, zone) if survey is not None else _NO_EFFORT
    sketch, cell_m = _sketch(survey) if survey is not None else ((), CELL_M)
    first, last = _days(tables, zone)
    rows = rows_of(delivered)
    return Overview(rows, _taxa(tables), effort.height, first, last, effort, sketch, cell_m / 1000, zone)


_NO_EFFORT = pl.DataFrame(
    schema={
        "station": pl.String(),
        "first_day": pl.Date(),
        "last_day": pl.Date(),
        "run_days": pl.Float64(),
        "gap_days": pl.Float64(),
    }
)


def _tables(delivered: Delivered) -> Iterator[tuple[str, pl.DataFrame]]:
    """Every table, by the name of its field; of a second table of that name, with its part before it."""
    seen: set[str] = set()
    for part in fields(delivered):
        content = getattr(delivered, part.name)
        for field in fields(content) if content is not None and part.name != "not_carried" else ():
            table = getattr(content, field.name)
            if isinstance(table, pl.DataFrame):
                yield (f"{part.name}.{field.name}" if field.name in seen else field.name), table
                seen.add(field.name)


def _taxa(tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    named = [
        table.select("taxon")
        for name, table in tables.items()
        if "taxon" in table.columns and name not in ("proposals", "boxes")
    ]
    rows = pl.concat([pl.DataFrame(schema={"taxon": pl.String()}), *named]).drop_nulls()
    return rows.group_by("taxon").agg(records=pl.len()).sort("records", "taxon", descending=[True, False])


def _days(tables: dict[str, pl.DataFrame], zone: str) -> tuple[str, str]:
    """First and last day on which something was recorded."""
    times = [
        table.select(at=pl.col(column))
        for name, table in tables.items()
        for column in ("start", "at", "taken")
        if column in table.columns and name not in {"deployments", "effort"}
    ]
    days = pl.concat(times)["at"].drop_nulls() if times else pl.Series([], dtype=pl.Datetime)
    dates = days.dt.convert_time_zone(zone).dt.strftime("%Y-%m-%d")
    return (str(dates.min()), str(dates.max())) if len(days) else ("", "")


def _effort(survey: Survey, zone: str) -> pl.DataFrame:
    by_station = _in_days_of(zone, survey, effort_table(survey)).group_by("station").agg(
        pl.col("first_day").min(), pl.col("last_day").max(), pl.col("run_days").sum(), pl.col("gap_days").sum()
    )  # fmt: skip
    return by_station.sort("station")


def _in_days_of(zone: str, survey: Survey, effort: pl.DataFrame) -> pl.DataFrame:
    """Effort by deployment with the first and last day as they were where the cameras stood."""
    if not survey.dated:
        return effort
    first, last = (pl.col(name).dt.convert_time_zone(zone).dt.date() for name in ("start", "end"))
    days = survey.deployments.select("deployment", first_day=first, last_day=last)
    return effort.drop("first_day", "last_day").join(days, on="deployment", how="left")


def _sketch(survey: Survey) -> tuple[tuple[str, ...], float]:
    """Stations by cell as lines of text, north above, without coordinates; and the cell's width in metres."""
    places = survey.deployments.select("x", "y").drop_nulls().unique()
    if survey.frame.startswith("local:") or places.is_empty():
        return (), CELL_M
    longitude, latitude = places["x"].to_numpy(), places["y"].to_numpy()
    x, y = equal_area(float(longitude.mean()), float(latitude.mean())).forward(longitude, latitude)
    cell_m = CELL_M
    while np.ptp(x) > MAP_CELLS[0] * cell_m or np.ptp(y) > MAP_CELLS[1] * cell_m:
        cell_m *= 2
    column, row = (np.floor((values - values.min()) / cell_m).astype(int) for values in (x, -y))
    grid = np.zeros((row.max() + 1, column.max() + 1), dtype=int)
    np.add.at(grid, (row, column), 1)
    return tuple("".join(_sign(int(n)) for n in line) for line in grid), cell_m


def _sign(stations: int) -> str:
    return NO_STATION if not stations else str(stations) if stations <= 9 else MANY
