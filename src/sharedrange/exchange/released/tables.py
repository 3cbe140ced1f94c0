"""The tables of a release, typed, and everything that no release would hold."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl

from sharedrange.core.finding import Fact, Finding, Severity, Where, errors
from sharedrange.core.grids import Grid
from sharedrange.core.release import KEYS, TABLES, file_of, next_period, period_of
from sharedrange.core.sheets import as_written
from sharedrange.exchange.opening import Opened, shown
from sharedrange.exchange.positions import placed
from sharedrange.exchange.released.manifest import KINDS, Told
from sharedrange.exchange.tables import ROW, Sheet, flag, missing_columns, read_csv, repeated, strangers, typed
from sharedrange.exchange.targets import Target

MOST_A_DAY = 50  # bursts that begin half an hour apart, on the longest day: 25 hours, when summer time ends
_ANIMAL = ("station", "period", "taxon", "catalogue", "individual")
_UNIQUE: Mapping[str, tuple[str, ...]] = {
    "stations": ("station",),
    "effort": ("station", "period"),
    "encounters": _ANIMAL,
    "visits": ("visit",),
    "pictures": ("picture",),
    "samples": ("sample",),
    "crossings": ("taxon", "partner", "season"),
}
"""Table -> the columns that no two of its rows share; an empty one is a value here."""
_PLACE_OF = {"survey": "stations", "counts": "visits", "samples": "samples"}
_YEARS = range(1900, 2200)  # as for every time that a door reads


@dataclass(frozen=True, slots=True)
class Released:
    """The typed tables of one kind of content, sound: `period` is a day, `days` how many the period has."""

    told: Told
    resolution: str
    sheets: Mapping[str, Sheet]

    def __getitem__(self, name: str) -> pl.DataFrame:
        return self.sheets[name].rows


def read_tables(opened: Opened, told: Told, kind: str) -> tuple[Released | None, list[Finding]]:
    """The tables of one kind of content; None if a finding is an error."""
    resolution = told.resolutions[kind]
    sheets: dict[str, Sheet] = {}
    found: list[Finding] = []
    for name in KINDS[kind]:
        sheet, more = read_table(opened, told, name, resolution)
        found += more
        if sheet is not None:
            sheets[name] = sheet
    if len(sheets) < len(KINDS[kind]):
        return None, found
    released, more = _placed(Released(told, resolution, sheets), _PLACE_OF[kind])
    found += [*more, *_ABOUT[kind](released)]
    return (None if errors(found) else released), found


# --- one table ---


def read_table(opened: Opened, told: Told, name: str, resolution: str) -> tuple[Sheet | None, list[Finding]]:
    """One table's file with the columns of its schema, typed; None if it cannot be read."""
    file = file_of(name)
    if file not in opened.sizes:
        return None, [Finding("no-table", {"table": name, "names": file}, Where(file))]
    text, found = _text(opened, file, told.sha256.get(name))
    if text is None:
        return None, found
    sheet, found = read_csv(file, text)
    if sheet is None or found:
        return None, found
    if found := _wrong_columns(sheet, name):
        return None, found
    texts = (as_written(pl.col(column)).alias(column) for column in TABLES[name])
    needed = tuple(column for column in KEYS[name])
    target = Target(name, TABLES[name], needed, ())
    rows, found = typed(sheet.with_rows(sheet.rows.with_columns(texts)), target.columns)
    for column in ("period", "season"):
        if column in TABLES[name]:
            rows, more = _with_periods(rows, resolution, column)
            found += more
    return rows, [*found, *_repeated(rows, name)]


def _text(opened: Opened, file: str, sha256: str | None) -> tuple[str | None, list[Finding]]:
    """The text of a file, if it is the one that the package was signed with."""
    content, found = opened.read(file)
    if content is None:
        return None, found
    if sha256 is not None and sha256_of(content) != sha256:
        return None, [Finding("file-changed", {"path": file}, Where(file))]
    return opened.text(file, "utf-8")


def sha256_of(content: bytes) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _wrong_columns(sheet: Sheet, name: str) -> list[Finding]:
    strange = [column for column in sheet.rows.columns if column not in (*TABLES[name], ROW)]
    found = [Finding("released-column", {"column": shown(column)}, Where(sheet.file, row=1)) for column in strange]
    return [*missing_columns(sheet, TABLES[name].names()), *found]


def _with_periods(sheet: Sheet, resolution: str, column: str) -> tuple[Sheet, list[Finding]]:
    """The table with the periods of a column as their first days, and `days`, how many days each has."""
    first = {text: day for text in sheet.rows[column].drop_nulls().unique() if (day := _first_day(text, resolution))}
    days = {text: (next_period(day, resolution) - day).days for text, day in first.items()}
    wrong = pl.col(column).is_not_null() & ~pl.col(column).is_in(list(first))
    facts = {"value": pl.col(column), "resolution": pl.lit(resolution)}
    found = flag(sheet, wrong, "released-period", field=column, facts=facts)
    rows = sheet.rows.with_columns(
        pl.col(column).replace_strict(first, default=None, return_dtype=pl.Date),
        days=pl.col(column).replace_strict(days, default=None, return_dtype=pl.Int64),
    )
    return sheet.with_rows(rows), found


def _first_day(text: str, resolution: str) -> date | None:
    """The day that a text writes, if a period begins on it."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if str(day) == text and day.year in _YEARS and period_of(day, resolution) == day else None


def _repeated(sheet: Sheet, name: str) -> list[Finding]:
    key = _UNIQUE.get(name, ())
    if not key:
        return []
    filled = sheet.with_rows(sheet.rows.with_columns(pl.col(column).cast(pl.String).fill_null("") for column in key))
    return repeated(filled, key, "released-twice", {"id": pl.concat_str(key, separator=" ")})


# --- places ---


def _placed(released: Released, table: str) -> tuple[Released, list[Finding]]:
    """The tables with positions in the kept frame. Each is the centre of a cell of the grid, or none has one."""
    sheet, told = released.sheets[table], released.told
    kept, found = placed(sheet, told.crs)
    found += _half_told(sheet)
    if not errors(found):
        found += flag(
            sheet,
            _off_centre(sheet.rows, told.grid),
            "released-no-centre",
            field="x",
            facts={"grid": pl.lit(told.grid.id)},
        )
    without = sheet.rows.filter(pl.col("x").is_null()).height
    if without:
        found.append(_without_places(sheet, without))
    return replace(released, sheets={**released.sheets, table: kept}), found


def _without_places(sheet: Sheet, rows: int) -> Finding:
    return Finding("released-without-places", {"file": sheet.file, "rows": rows}, Where(sheet.file), Severity.WARNING)


def _half_told(sheet: Sheet) -> list[Finding]:
    """A finding for each row that lacks part of what the others say of their places."""
    columns = ("x", "y", "cell", "uncertainty_m")
    if sheet.rows.select(columns).null_count().sum_horizontal().sum() == len(columns) * sheet.rows.height:
        return []
    return [one for name in columns for one in flag(sheet, pl.col(name).is_null(), "missing-value", field=name)]


def _off_centre(rows: pl.DataFrame, grid: Grid) -> pl.Expr:
    """Whether a position is not, to the last bit, the centre of the cell of the grid that its row names."""
    x, y, cell = (rows[name].to_numpy() for name in ("x", "y", "cell"))
    off = ~np.isnan(x)
    for size in grid.sizes:
        here = cell == size
        centre_x, centre_y = grid.centres(*grid.cells_of(x[here], y[here], size), size)
        off[here] = (centre_x != x[here]) | (centre_y != y[here])
    return pl.lit(pl.Series(off, dtype=pl.Boolean))


# --- between tables ---


def _about_survey(released: Released) -> Iterator[Finding]:
    stations, effort, met = (released.sheets[name] for name in KINDS["survey"])
    if stations.rows.height:
        known = stations.rows["station"]
        for sheet in (effort, met):
            yield from strangers(sheet, "station", known, "released-station")
    elif effort.rows.height or met.rows.height:  # the agreement names no table of stations
        told = effort if effort.rows.height else met
        yield _without_places(told, told.rows.height)
    yield from _about_effort(effort, released.resolution)
    yield from _about_encounters(met, stations.rows, effort.rows)


def _about_effort(effort: Sheet, resolution: str) -> Iterator[Finding]:
    """Days are told whole, or in tenths where a period is a day; none has more than its period."""
    days, whole = pl.col("days_watched"), pl.col("days_watched").round()
    within = {"value": days, "allowed": pl.concat_str(pl.lit("0 … "), "days")}
    yield from flag(effort, (days <= 0) | (days > pl.col("days")), "out-of-range", field="days_watched", facts=within)
    if resolution != "day":
        yield from flag(effort, days != whole, "not-a-whole-number", field="days_watched", facts={"value": days})


def _about_encounters(met: Sheet, stations: pl.DataFrame, effort: pl.DataFrame) -> Iterator[Finding]:
    n = pl.col("encounters")
    kinds = met.with_rows(
        met.rows.join(
            stations.select("station", "detector").unique("station"), on="station", how="left", maintain_order="left"
        )
    )
    most = pl.when(pl.col("detector").is_null() | (pl.col("detector") == "count")).then(MOST_A_DAY).otherwise(
        1
    ) * pl.col("days")
    allowed = {"value": n, "allowed": pl.concat_str(pl.lit("1 … "), most)}
    yield from flag(kinds, (n < 1) | (n > most), "out-of-range", field="encounters", facts=allowed)
    if untold := met.rows["encounters"].null_count():
        yield Finding("released-few-told", {"rows": untold, "table": "encounters"}, Where(met.file), Severity.NOTE)
    if met.rows.height and not effort.height:
        yield Finding("released-without-effort", {"rows": met.rows.height}, Where(met.file), Severity.WARNING)
        return
    watched = effort.select("station", "period", watched=pl.lit(value=True)).unique()
    beside = met.with_rows(met.rows.join(watched, on=["station", "period"], how="left", maintain_order="left"))
    facts = {"station": pl.col("station"), "period": pl.col("period")}
    yield from flag(beside, pl.col("watched").is_null(), "released-unwatched", field="period", facts=facts)


def _about_counts(released: Released) -> Iterator[Finding]:
    visits, counts = released.sheets["visits"], released.sheets["counts"]
    yield from strangers(counts, "visit", visits.rows["visit"], "unknown-visit")
    if untold := counts.rows.filter(pl.col("suppressed")).height:
        yield Finding("released-few-told", {"rows": untold, "table": "counts"}, Where(counts.file), Severity.NOTE)
    one = pl.col("effort").is_null() != pl.col("effort_unit").is_null()
    if half := visits.rows.filter(one).height:
        yield Finding("released-effort-unit", {"rows": half}, Where(visits.file), Severity.NOTE)


def _about_samples(released: Released) -> Iterator[Finding]:
    """What a sample that somebody released does not say: what was read in it, and the day."""
    sheet = released.sheets["samples"]
    if sheet.rows.height:
        facts: dict[str, Fact] = {"n": sheet.rows.height, "resolution": released.resolution}
        yield Finding("released-samples", facts, Where(sheet.file), Severity.NOTE)


_ABOUT: Mapping[str, Callable[[Released], Iterator[Finding]]] = {
    "survey": _about_survey,
    "counts": _about_counts,
    "samples": _about_samples,
}
"""Kind of content -> what is worth knowing between and about its tables."""
