"""Door `smart`: query tables (CSV) and patrol files (XML) of SMART desktop, with the data model beside them.

What is read is patrols with their effort and what they met. Categories and attributes become the keys of the data
model, in whichever language SMART was set to. A row of a query is an observation or is named by a finding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from sharedrange.core.canonical import digest
from sharedrange.core.contents import Delivered
from sharedrange.core.files import folder_hash
from sharedrange.core.finding import Fact, Finding, Severity, Where, errors
from sharedrange.exchange.assembling import assembled, gathered_by
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.opening import MIB, Opened, open_path, shown
from sharedrange.exchange.plain import fitted, nothing, text_sheet
from sharedrange.exchange.smart.columns import Columns, about_columns, columns_of
from sharedrange.exchange.smart.headers import day
from sharedrange.exchange.smart.model import Model, read_models
from sharedrange.exchange.smart.patrol_xml import PatrolFile, read_patrol_files
from sharedrange.exchange.smart.records import Doubts, Sighting, as_json, attributes_of, count, taxon, threat
from sharedrange.exchange.tables import DELIMITERS, ROW, Sheet, read_csv
from sharedrange.exchange.threats import SMART_KEYS

MAX_FILE_BYTES = 256 * MIB  # a query of a million observations
_PLACE = ("patrol", "waypoint", "date", "time", "x", "y")
_SAID = ("patrol", "at", "x", "y", "category", "threat", "taxon", "count", "attributes")
_PATROL = ("patrol", "start", "end", "transport", "distance_km", "hours", "people")


@dataclass(slots=True)
class Read:
    """What the files of a delivery gave so far: typed sheets by target, findings, columns that nothing holds."""

    sheets: list[tuple[str, Sheet]] = field(default_factory=list)
    found: list[Finding] = field(default_factory=list)
    not_carried: set[str] = field(default_factory=set)

    def take(self, to: str, sheet: Sheet, delivery: Delivery) -> None:
        """Type a sheet of text and keep it."""
        typed, found = fitted(to, sheet, delivery.timezone, order_of(delivery.date_format) or delivery.date_order)
        self.sheets.append((to, typed))
        self.found += found


def read(folder: Path, delivery: Delivery) -> tuple[Delivered | None, tuple[Finding, ...]]:
    """Patrols and what they met of a folder or zip; None if a finding is an error."""
    opened, found = open_path(folder)
    if opened is None:
        return None, tuple(found)
    model, models, found = read_models(opened)
    so_far = Read(found=found)
    files, found = read_patrol_files(opened, models)
    so_far.found += found
    for file in files:
        _take_file(so_far, file, model, delivery)
    for name in sorted(opened.sizes):
        if name.lower().endswith((".csv", ".tsv", ".txt")):
            _take_table(so_far, opened, name, model, delivery)
    if not so_far.sheets:
        return nothing("patrols", "*.csv, *.xml", so_far.found)
    sheets = _each_once(so_far)
    delivered, found = assembled(sheets, delivery, folder_hash(folder), sorted(so_far.not_carried))
    return (None if errors(so_far.found) else delivered), (*so_far.found, *found)


def order_of(date_format: str) -> str:
    """The order of day, month and year that a pattern such as ``%d.%m.%Y`` declares; empty if there is none.

    Examples
    --------
    >>> order_of("%d.%m.%Y"), order_of("%b %d, %Y"), order_of("")
    ('day-first', 'month-first', '')
    """
    order = "".join(letter.lower() for letter in date_format.replace("%", "") if letter in "dmbBYy")
    return {"d": "day-first", "m": "month-first", "b": "month-first", "y": "year-first"}.get(order[:1], "")


# --- query tables ---


def _take_table(so_far: Read, opened: Opened, name: str, model: Model, delivery: Delivery) -> None:
    text, found = opened.text(name, delivery.encoding, MAX_FILE_BYTES)
    so_far.found += found
    if text is None:
        return
    sheet, found = read_csv(shown(name), text, max(DELIMITERS, key=text.partition("\n")[0].count))
    so_far.found += found
    if sheet is None:
        return
    columns, found = columns_of(sheet, model, delivery)
    found += _missing(sheet, columns, model)
    so_far.found += found
    if errors(found):
        return
    so_far.found += about_columns(sheet, columns)
    so_far.not_carried |= set(columns.unread)
    so_far.take("patrols", _patrol_sheet(sheet, columns, delivery), delivery)
    if columns.has_observations:
        seen, found = _sightings(sheet, columns, model, delivery)
        so_far.found += found
        _take_sightings(so_far, sheet.file, seen, model, delivery)


def _missing(sheet: Sheet, columns: Columns, model: Model) -> list[Finding]:
    """What a table needs: a patrol; a query of observations also the waypoint, a category, and a model to read it."""
    needed = _PLACE if columns.has_observations else ("patrol",)
    lacking = [role for role in needed if role not in columns.own]
    if columns.has_observations and not columns.levels:
        lacking.append("category")
    facts = {"columns": ", ".join(map(shown, columns.unread))}
    where = Where(sheet.file, row=1)
    found = [Finding("smart-column", {"column": role, **facts}, where) for role in lacking]
    if columns.has_observations and model.is_empty:
        found.append(Finding("no-data-model", {}, Where(sheet.file)))
    return found


def _own(columns: Columns, role: str) -> pl.Expr:
    """A column of SMART's own, null where the table has none."""
    if role not in columns.own:
        return pl.lit(None, dtype=pl.String).alias(role)
    return pl.col(columns.own[role]).alias(role)


def _patrol_sheet(sheet: Sheet, columns: Columns, delivery: Delivery) -> Sheet:
    """What the lines of a table say about their patrols, each patrol and its legs once.

    A patrol that says only its days lasted from the first midnight to the midnight after the last.
    """
    rows = sheet.rows.select(ROW, *(_own(columns, role) for role in _PATROL))
    rows = rows.unique(_PATROL, keep="first", maintain_order=True)
    first, last = (day(pl.col(name), delivery.date_format) for name in ("start", "end"))
    rows = rows.with_columns(
        pl.col("start").alias("start written"), _midnight(first, 0).alias("start"), _midnight(last, 1).alias("end")
    )
    return sheet.with_rows(rows)


def _midnight(iso: pl.Expr, days_later: int) -> pl.Expr:
    """The midnight at which an ISO day begins, or that of a later day; text that is no day stays."""
    date = iso.str.to_date("%Y-%m-%d", strict=False, exact=True).dt.offset_by(f"{days_later}d")
    return pl.coalesce(date.dt.strftime("%Y-%m-%dT00:00:00"), iso)


def _sightings(
    sheet: Sheet, columns: Columns, model: Model, delivery: Delivery
) -> tuple[list[Sighting], list[Finding]]:
    """The rows of a query that name a category; the others are findings."""
    rows = sheet.rows.select(*(_own(columns, role) for role in _PLACE))
    of_point = day(pl.col("date"), delivery.date_format)
    at, written = (pl.concat_str(text, pl.lit(" "), "time") for text in (of_point, pl.col("date")))
    rows = rows.with_columns(at.alias("at"), written.alias("written")).drop("date", "time")
    meant: dict[tuple[str, ...], set[str]] = {}
    seen, found = [], []
    for own, cells in zip(rows.iter_rows(named=True), sheet.rows.iter_rows(named=True), strict=True):
        labels = tuple(cells[level] for level in columns.levels if cells[level])
        paths = meant[labels] if labels in meant else meant.setdefault(labels, model.category(labels))
        if len(paths) == 1:
            given = tuple((key, cells[name]) for name, key in columns.attributes.items() if cells[name])
            seen.append(Sighting(row=cells[ROW], category=min(paths), given=given, **own))
        else:
            found.append(_no_category(sheet, cells[ROW], labels, paths))
    return seen, found


def _no_category(sheet: Sheet, row: int, labels: Sequence[str], paths: set[str]) -> Finding:
    """Why a row of a query is no observation: a waypoint without one is usual, a word that nobody knows is not."""
    where = Where(sheet.file, row=row)
    if not labels:
        return Finding("waypoint-without-observation", {}, where, Severity.NOTE)
    facts = {"value": shown(" / ".join(labels)), "keys": ", ".join(sorted(paths))}
    return Finding("ambiguous-category" if paths else "unknown-category", facts, where)


# --- patrol files ---


def _take_file(so_far: Read, file: PatrolFile, model: Model, delivery: Delivery) -> None:
    so_far.take("patrols", text_sheet(file.file, _PATROL, [(0, file.patrol)]), delivery)
    _take_sightings(so_far, file.file, file.sightings, model, delivery)


# --- what was seen ---


def _take_sightings(so_far: Read, file: str, seen: Iterable[Sighting], model: Model, delivery: Delivery) -> None:
    doubts = Doubts(file)
    sheet = _observations(file, seen, model, delivery, doubts)
    so_far.found += doubts.findings()
    so_far.take("patrol_observations", sheet, delivery)


def _observations(file: str, seen: Iterable[Sighting], model: Model, delivery: Delivery, doubts: Doubts) -> Sheet:
    """Sightings as a sheet of text.

    SMART gives its observations no number. Theirs is patrol, waypoint and a mark of the day and of what is said, so
    that a query exported twice, in another order or another language, gives the same numbers.
    """
    threats = {**SMART_KEYS, **delivery.threats}
    times: Counter[str] = Counter()
    rows = []
    for one in seen:
        values = attributes_of(model, one.given, one.row, doubts)
        said = as_json(values)
        mark = digest([(one.at or "")[:10], one.category, said])[:12]
        stem = f"{one.patrol}/{one.waypoint}/{mark}"
        times[stem] += 1
        number = count(model, values)
        cells = {
            "patrol": one.patrol,
            "at": one.at,
            "x": one.x,
            "y": one.y,
            "category": one.category,
            "observation": f"{stem}-{times[stem]}",
            "at written": one.written,
            "attributes": said,
            "threat": threat(one.category, values, threats),
            "taxon": taxon(values),
            "count": None if number is None else str(number),
        }
        rows.append((one.row, cells))
    return text_sheet(file, ("observation", *_SAID, "at written"), rows)


# --- each once ---


def _each_once(so_far: Read) -> dict[str, Sheet]:
    """The sheets by target: a patrol is one row however many lines speak of it, an observation is kept once."""
    sheets = gathered_by(so_far.sheets)
    sheets["patrols"] = sheets["patrols"].with_rows(_one_row_a_patrol(sheets["patrols"].rows))
    so_far.found += _without_effort(sheets["patrols"].rows)
    if "patrol_observations" in sheets:
        given = sheets["patrol_observations"]
        kept = given.rows.unique("observation", keep="first", maintain_order=True)
        sheets["patrol_observations"] = given.with_rows(kept.sort("at", "observation"))
        if kept.height < given.rows.height:
            facts = {"rows": given.rows.height - kept.height}
            so_far.found.append(Finding("delivered-twice", facts, Where(table="patrol_observations"), Severity.NOTE))
    return sheets


def _one_row_a_patrol(rows: pl.DataFrame) -> pl.DataFrame:
    """First start, last end, every means of transport, and the largest effort that any line tells."""
    first = [pl.col(name).first() for name in rows.columns if name not in _PATROL]
    return (
        rows.sort("start", nulls_last=True, maintain_order=True)
        .group_by("patrol", maintain_order=True)
        .agg(
            *first,
            pl.col("start").min(),
            pl.col("end").max(),
            pl.col("transport").drop_nulls().unique().sort().str.join(" + ").replace("", None),
            pl.col("distance_km", "hours", "people").max(),
        )
        .select(rows.columns)
        .sort("patrol")
    )


def _without_effort(patrols: pl.DataFrame) -> list[Finding]:
    without = patrols.filter(pl.col("distance_km").is_null() & pl.col("hours").is_null())
    if without.is_empty():
        return []
    example = shown(str(without["patrol"][0]))
    facts: dict[str, Fact] = {"patrols": without.height, "of": patrols.height, "example": example}
    return [Finding("patrol-without-effort", facts, Where(table="patrols"), Severity.WARNING)]
