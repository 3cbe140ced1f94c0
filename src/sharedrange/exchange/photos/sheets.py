"""The small tables that people put beside their photos: stations.csv, clock.csv, effort.csv, times.csv."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import polars as pl

from sharedrange.core.finding import Fact, Finding, Severity, Where, errors
from sharedrange.core.sheets import as_written
from sharedrange.core.survey import DETECTORS, EFFORT, GAP_REASONS, conform
from sharedrange.exchange.dates import DateStyle, iso_times
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.opening import MIB, Opened, shown
from sharedrange.exchange.photos import videos
from sharedrange.exchange.tables import DELIMITERS, ROW, Column, Sheet, flag, missing_columns, read_csv, typed

STATIONS, CLOCK, EFFORT_TABLE, TIMES = "stations", "clock", "effort", "times"
ROLES = (STATIONS, CLOCK, EFFORT_TABLE, TIMES)
MAX_BYTES = 16 * MIB  # times.csv of 200 000 pictures
_ALIASES = {
    **dict.fromkeys(("lat", "y", "north", "northing"), "latitude"),
    **dict.fromkeys(("lon", "long", "lng", "x", "east", "easting"), "longitude"),
    **dict.fromkeys(("deploymentid", "deployment_id"), "deployment"),
    **dict.fromkeys(("camera_model", "cameratype"), "camera_type"),
}
_DAY = r"^\d{1,4}[-./]\d{1,2}[-./]\d{1,4}$"
_STATION_COLUMNS = (
    Column("folder", required=True),
    Column("station"),
    Column("deployment"),
    Column("longitude", "number", private=True),
    Column("latitude", "number", private=True),
    Column("uncertainty_m", "number", low=0),
    Column("start", "time", required=True),
    Column("end", "time", required=True),
    Column("camera_type"),
    Column("detector", "word", words={name: name for name in DETECTORS}),
)
_CLOCK_COLUMNS = (
    Column("station"),
    Column("camera"),
    Column("camera_time"),
    Column("true_time"),
    Column("offset"),
    Column("from"),
    Column("until"),
)
_EFFORT_COLUMNS = (
    Column("deployment", required=True),
    Column("start", "time", required=True),
    Column("end", "time", required=True),
    Column("reason", "word", required=True, words={word: word for word in GAP_REASONS}),
)
_TIMES_COLUMNS = (Column("file", required=True), Column("taken"))
_COLUMNS = {STATIONS: _STATION_COLUMNS, CLOCK: _CLOCK_COLUMNS, EFFORT_TABLE: _EFFORT_COLUMNS, TIMES: _TIMES_COLUMNS}


@dataclass(frozen=True, slots=True)
class Sheets:
    """The tables that are there, typed; None where there is no such file."""

    stations: Sheet | None = None
    clock: Sheet | None = None
    effort: Sheet | None = None
    times: Sheet | None = None


def roles(delivery: Delivery) -> Mapping[str, str]:
    """Role -> name of its file: as delivery.toml says, else ``<role>.csv``."""
    return {role: delivery.files.get(role, f"{role}.csv") for role in ROLES}


def read_sheets(opened: Opened, names: Mapping[str, str], delivery: Delivery) -> tuple[Sheets, list[Finding]]:
    """The tables named (role -> file), typed, and everything that is wrong with them."""
    sheets: dict[str, Sheet] = {}
    found = []
    for role, name in names.items():
        sheet, more = _sheet(opened, name, _COLUMNS[role], delivery)
        found += more
        if sheet is not None:
            sheets[role] = sheet
    return Sheets(**sheets), found


def _sheet(
    opened: Opened, name: str, columns: Sequence[Column], delivery: Delivery
) -> tuple[Sheet | None, list[Finding]]:
    text, found = opened.text(name, delivery.encoding, MAX_BYTES)
    if text is None:
        return None, found
    sheet, found = read_csv(shown(name), text, _delimiter(text))
    if sheet is None:
        return None, found
    known = {column.name for column in columns}
    sheet, more = _renamed(sheet, known)
    unused = [name for name in sheet.rows.columns if name not in known and not name.startswith(" ")]
    more += [
        Finding("unused-column", {"column": shown(name)}, Where(sheet.file, row=1), Severity.NOTE) for name in unused
    ]
    missing = missing_columns(sheet, [column.name for column in columns if column.required])
    if missing or errors(more):
        return None, [*found, *more, *missing]
    # A time without a zone is asked for once, by the pictures; a whole day is one in any zone.
    sheet, days = _whole_days(sheet, columns)
    sheet, written = _in_iso(sheet, columns, delivery.date_order)
    days += written
    values, wrong = typed(sheet, columns, delivery.timezone or "UTC")
    values, strange = _in_range(values, columns)
    return values, [*found, *more, *days, *wrong, *strange]


def _in_iso(sheet: Sheet, columns: Sequence[Column], order: str) -> tuple[Sheet, list[Finding]]:
    """Times as spreadsheets write them (01.05.2024 14:30) as ISO 8601; an order of day and month is asked for."""
    found = []
    for name in (column.name for column in columns if column.kind == "time"):
        if sheet.has(name):
            sheet, more = iso_times(sheet, name, DateStyle(order))
            found += more
    return sheet, found


def _in_range(sheet: Sheet, columns: Sequence[Column]) -> tuple[Sheet, list[Finding]]:
    """Times in years that a person may mean; the others become null and are findings."""
    found = []
    for name in (column.name for column in columns if column.kind == "time"):
        wrong = ~pl.col(name).dt.year().is_between(videos.FIRST_YEAR, videos.LAST_YEAR)
        found += flag(sheet, wrong, "not-a-time", field=name, facts={"value": pl.col(f"{name} text")})
        sheet = sheet.with_rows(sheet.rows.with_columns(pl.when(~wrong).then(pl.col(name)).alias(name)))
    return sheet, found


def _delimiter(text: str) -> str:
    """What separates the columns: a spreadsheet in Russian or French writes semicolons."""
    header = text.lstrip("\r\n").partition("\n")[0]
    return max(DELIMITERS, key=header.count)


def _renamed(sheet: Sheet, known: Set[str]) -> tuple[Sheet, list[Finding]]:
    """Columns under the names that we read; cells that were guarded against formulas as they were before."""
    words = {name: name.strip().lower().replace(" ", "_") for name in sheet.rows.columns if name != ROW}
    names = {name: _ALIASES.get(word, word) if not name.startswith(" ") else name for name, word in words.items()}
    twice = sorted({name for name in names.values() if list(names.values()).count(name) > 1})
    if twice:
        where = Where(sheet.file, row=1)
        return sheet, [Finding("duplicate-column", {"column": shown(name)}, where) for name in twice]
    rows = sheet.rows.rename(names)
    # Only columns that are read: polars takes a name such as * for all columns.
    own = (name for name in names.values() if name in known)
    return sheet.with_rows(rows.with_columns(as_written(pl.col(name)) for name in own)), []


def _whole_days(sheet: Sheet, columns: Sequence[Column]) -> tuple[Sheet, list[Finding]]:
    """Days without a time of day made whole: a start at its midnight, an end at the last second; a note says so."""
    found = []
    for column in columns:
        if column.kind != "time" or not sheet.has(column.name):
            continue
        is_day = pl.col(column.name).str.contains(_DAY).fill_null(value=False)
        days = sheet.rows.filter(is_day)
        if days.is_empty():
            continue
        clock = "T23:59:59" if column.name == "end" else "T00:00:00"
        facts: dict[str, Fact] = {"rows": days.height, "clock": clock[1:]}
        where = Where(sheet.file, row=int(days[ROW][0]), field=column.name)
        found.append(Finding("days-without-time", facts, where, Severity.NOTE))
        whole = pl.when(is_day).then(pl.col(column.name) + clock).otherwise(pl.col(column.name))
        sheet = sheet.with_rows(sheet.rows.with_columns(whole.alias(column.name)))
    return sheet, found


# --- effort ---


def gaps_of(effort: Sheet | None, deployments: pl.DataFrame) -> tuple[pl.DataFrame, list[Finding]]:
    """The declared gaps as a survey's effort, and those that contradict a deployment or another gap."""
    if effort is None:
        return pl.DataFrame(schema=EFFORT), []
    period = deployments.select("deployment", pl.col("start").alias("from"), pl.col("end").alias("until"))
    rows = effort.rows.join(period, on="deployment", how="left", maintain_order="left")
    sheet = effort.with_rows(rows.sort("deployment", "start", "end"))
    facts, who = {"deployment": pl.col("deployment")}, {"id": pl.col("deployment")}
    known = pl.col("deployment").is_in(deployments["deployment"].to_list())
    outside = (pl.col("start") < pl.col("from")) | (pl.col("end") > pl.col("until"))
    overlap = pl.col("start") < pl.col("end").cum_max().shift().over("deployment")
    found = [
        *flag(sheet, ~known, "unknown-deployment", field="deployment", facts={"value": pl.col("deployment")}),
        *flag(sheet, pl.col("end") <= pl.col("start"), "end-before-start", field="end", facts=who),
        *flag(sheet, outside, "gap-outside-deployment", field="start", facts=facts),
        *flag(sheet, overlap, "gaps-overlap", field="start", facts=facts),
    ]  # fmt: skip
    return conform(effort.rows.with_columns(pl.lit(0.0).alias("effort")), EFFORT), found
