"""Text tables become typed tables, and everything that is wrong with them becomes findings.

A `Sheet` keeps the line number of every row, so that a finding names the line that a text editor shows.
Cells are text first; `typed` makes them numbers, times and words of a list. No row is dropped in silence: a
row is in the sheet or a finding names it.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from types import MappingProxyType
from typing import Literal

import polars as pl

from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.exchange.opening import shown

ROW = " line"  # begins with a space, as no name that we read does
FILE = " file"
EVERY = ""  # the session of a row that holds for every session
MAX_COLUMNS = 1000
MISSING = ("", "NA", "NaN", "nan")  # Camtrap DP's missingValues; R writes NA
DELIMITERS = (",", ";", "\t", "|")
_CHUNK_ROWS = 50_000
# Camera traps exist since about 1900; a year beyond is a slip of the hand, and would make a window of centuries.
_TIME = r"^(?:19|20|21)\d{2}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?"
_OFFSET = r"(Z|[+-]\d{2}:?\d{2})$"

Kind = Literal["text", "number", "whole", "time", "word", "flag"]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table of a delivery: `rows` holds its columns and `ROW`, the line number (the header is line 1)."""

    file: str
    rows: pl.DataFrame

    def has(self, column: str) -> bool:
        """Whether the table has this column."""
        return column in self.rows.columns

    def with_rows(self, rows: pl.DataFrame) -> Sheet:
        """The same table with other rows."""
        return replace(self, rows=rows)


@dataclass(frozen=True, slots=True)
class Column:
    """What a column must hold. `required`: the column is there and every row has a value.

    `words`: value as written, in lower case -> value as kept. `low`, `high`: limits that are allowed.
    `private`: values never enter a finding (a coordinate is the place of an animal); out of range they are
    shown in whole units.
    """

    name: str
    kind: Kind = "text"
    required: bool = False
    words: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    low: float | None = None
    high: float | None = None
    private: bool = False


# --- from text to cells ---


def read_csv(file: str, text: str, delimiter: str = ",") -> tuple[Sheet | None, list[Finding]]:
    """Delimited text with a header as a sheet of text cells; missing values are null.

    Rows of another width than the header and rows that hold nothing are findings, by line number.
    """
    records = split(text, delimiter)
    try:
        _, header = next(records, (1, []))
    except csv.Error:
        return None, [Finding("broken-quotes", {}, Where(file=file, row=1))]
    if found := _wrong_header(file, header):
        return None, found
    names = [name.strip() or f" column {n}" for n, name in enumerate(header, start=1)]
    return sheet_from(file, names, records)


def split(text: str, delimiter: str, quote: str = '"') -> Iterator[tuple[int, list[str]]]:
    """(first line, cells) of each record; blank lines are passed over. Raises csv.Error on broken quotes.

    Without a `quote` every delimiter and every line end counts.
    """
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, quotechar=quote or None, quoting=quoting, strict=True)
    line = 1
    for cells in reader:
        if cells:
            yield line, cells
        line = reader.line_num + 1


def _wrong_header(file: str, header: list[str]) -> list[Finding]:
    where = Where(file=file, row=1)
    if not header:
        return [Finding("empty-file", {"path": file}, where)]
    if len(header) > MAX_COLUMNS:
        return [Finding("too-many-columns", {"columns": len(header), "limit": MAX_COLUMNS}, where)]
    names = [name.strip() for name in header if name.strip()]
    return [
        Finding("duplicate-column", {"column": shown(name)}, where)
        for name in sorted({name for name in names if names.count(name) > 1})
    ]


def sheet_from(
    file: str, names: Sequence[str], records: Iterator[tuple[int, list[str]]]
) -> tuple[Sheet, list[Finding]]:
    """Records of `split` under these names as a sheet; records of another width are findings."""
    found: list[Finding] = []
    good = _whole_records(file, len(names), records, found)
    chunks = [_frame(names, [])]
    while chunk := list(islice(good, _CHUNK_ROWS)):
        chunks.append(_frame(names, chunk))
    return Sheet(file, pl.concat(chunks, rechunk=True)), found


def _whole_records(
    file: str, width: int, records: Iterator[tuple[int, list[str]]], found: list[Finding]
) -> Iterator[tuple[int, list[str]]]:
    """The records that are as wide as the header; the others go to `found`."""
    line = 1
    try:
        for line, cells in records:
            if len(cells) != width:
                facts = {"fields": len(cells), "expected": width}
                found.append(Finding("ragged-row", facts, Where(file=file, row=line)))
            elif not "".join(cells).strip():
                found.append(Finding("empty-row", {}, Where(file=file, row=line), Severity.WARNING))
            else:
                yield line, cells
    except csv.Error:
        found.append(Finding("broken-quotes", {}, Where(file=file, row=line + 1)))


def _frame(names: Sequence[str], records: Sequence[tuple[int, Sequence[str]]]) -> pl.DataFrame:
    """Records of equal width as a table of trimmed text; missing values are null."""
    columns = zip(*(cells for _, cells in records), strict=True) if records else ([] for _ in names)
    table = pl.DataFrame([pl.Series(name, cells, pl.String) for name, cells in zip(names, columns, strict=True)])
    cells = pl.all().str.strip_chars()
    return table.select(
        pl.when(cells.is_in(MISSING)).then(None).otherwise(cells).name.keep(),
        pl.Series(ROW, [line for line, _ in records], pl.Int64),
    )


def sheet_of(file: str, names: Sequence[str], records: Sequence[tuple[int, Sequence[str]]]) -> Sheet:
    """A sheet from records that were split elsewhere: (line number, cells), every one as wide as `names`."""
    return Sheet(file, _frame(names, records))


def gathered(sheets: Sequence[Sheet]) -> Sheet:
    """Sheets of the same columns as one; each row keeps its file for the findings about it."""
    rows = [sheet.rows.with_columns(pl.lit(sheet.file).alias(FILE)) for sheet in sheets]
    return Sheet(sheets[0].file, pl.concat(rows))


# --- findings by row ---


def flag(
    sheet: Sheet,
    wrong: pl.Expr,
    rule: str,
    *,
    field: str | None = None,
    facts: Mapping[str, pl.Expr] | None = None,
    severity: Severity = Severity.ERROR,
) -> list[Finding]:
    """One finding for each row where `wrong` is true, with `facts` computed from the row."""
    facts = facts or {}
    file = pl.col(FILE) if sheet.has(FILE) else pl.lit(sheet.file)
    named = [file.alias(FILE), pl.col(ROW), *(fact.alias(f"fact {name}") for name, fact in facts.items())]
    computed = sheet.rows.select(wrong.alias("wrong"), *named).filter(pl.col("wrong")).drop("wrong")
    return [
        Finding(rule, dict(zip(facts, map(_fact, given), strict=True)), Where(name, None, row, field), severity)
        for name, row, *given in computed.iter_rows()
    ]


def _fact(value: object) -> Fact:
    if value is None or isinstance(value, bool | int | float):
        return value
    return shown(str(value))


def missing_columns(sheet: Sheet, columns: Sequence[str]) -> list[Finding]:
    """A finding for each column that is not there."""
    return [
        Finding("missing-column", {"column": name}, Where(sheet.file, row=1, field=name))
        for name in columns
        if not sheet.has(name)
    ]


def repeated(sheet: Sheet, key: Sequence[str], rule: str, facts: Mapping[str, pl.Expr]) -> list[Finding]:
    """A finding for each row whose key an earlier row has; the fact `first_row` says which."""
    whole_key = pl.all_horizontal(pl.col(name).is_not_null() for name in key)
    twice = sheet.with_rows(sheet.rows.filter(whole_key & pl.struct(key).is_duplicated()))
    again = pl.int_range(pl.len()).over(key) > 0
    first = {"first_row": pl.col(ROW).first().over(key)}
    return flag(twice, again, rule, field=key[-1], facts={**facts, **first})


def strangers(sheet: Sheet, column: str, known: pl.Series, rule: str) -> list[Finding]:
    """A finding for each value that the table it refers to does not have."""
    wrong = pl.col(column).is_not_null() & ~pl.col(column).is_in(known.drop_nulls().unique().to_list())
    return flag(sheet, wrong, rule, field=column, facts={"value": pl.col(column)})


# --- from cells to values ---


def typed(sheet: Sheet, columns: Sequence[Column], timezone: str = "") -> tuple[Sheet, list[Finding]]:
    """`sheet` with exactly `columns`, typed; a column that is not there is null.

    A time column also gives ``<name> text``, the time as delivered. Values that are not what the column must
    hold become null and are findings.
    """
    found = missing_columns(sheet, [column.name for column in columns if column.required])
    there = sheet.with_rows(
        sheet.rows.with_columns(
            pl.lit(None, dtype=pl.String).alias(column.name) for column in columns if not sheet.has(column.name)
        )
    )
    values = [pl.col(ROW)]
    for column in columns:
        if sheet.has(column.name):
            found += _wrong_values(there, column, timezone)
        values.append(_value(column, timezone))
        if column.kind == "time":
            values.append(pl.col(column.name).alias(f"{column.name} text"))
    return sheet.with_rows(there.rows.select(values)), found


def _value(column: Column, timezone: str) -> pl.Expr:
    text = pl.col(column.name)
    if column.kind == "number":
        number = text.cast(pl.Float64, strict=False)
        return pl.when(number.is_finite()).then(number).alias(column.name)
    if column.kind == "whole":
        return text.cast(pl.Int32, strict=False)
    if column.kind == "time":
        return moment(column.name, timezone)
    if column.kind == "flag":
        return text.str.to_lowercase().replace_strict(
            {"true": True, "false": False}, default=None, return_dtype=pl.Boolean
        )
    if column.kind == "word":
        return text.str.to_lowercase().replace_strict(dict(column.words), default=None, return_dtype=pl.String)
    return text


def _wrong_values(sheet: Sheet, column: Column, timezone: str) -> list[Finding]:
    text, value = pl.col(column.name), _value(column, timezone)
    found = []
    if column.required:
        found += flag(sheet, text.is_null(), "missing-value", field=column.name)
    unread = text.is_not_null() & value.is_null()
    if column.kind == "time":
        return [*found, *_wrong_times(sheet, column.name, unread, timezone)]
    facts = {"value": text}
    if column.kind == "word":
        facts["known"] = pl.lit(", ".join(dict.fromkeys(column.words.values())))
    rule = "bad-coordinate" if column.private else _NOT[column.kind]
    found += flag(sheet, unread, rule, field=column.name, facts={} if column.private else facts)
    return [*found, *_out_of_range(sheet, column, value)]


_NOT = {
    "text": "missing-value",
    "number": "not-a-number",
    "whole": "not-a-whole-number",
    "word": "unknown-word",
    "flag": "not-true-or-false",
}


def _out_of_range(sheet: Sheet, column: Column, value: pl.Expr) -> list[Finding]:
    if column.low is None and column.high is None:
        return []
    low = -math.inf if column.low is None else column.low
    high = math.inf if column.high is None else column.high
    facts = {"value": value.round() if column.private else value, "allowed": pl.lit(f"{low:g} … {high:g}")}
    return flag(sheet, (value < low) | (value > high), "out-of-range", field=column.name, facts=facts)


# --- times ---


def moment(column: str, timezone: str) -> pl.Expr:
    """ISO 8601 text as UTC: with its own offset, else in the declared zone, else null.

    A local time that a zone skips or has twice (summer time) is null.
    """
    text = pl.col(column).str.replace(" ", "T", literal=True)
    instant = text.str.replace(_OFFSET, "")
    seconds = pl.when(instant.str.len_chars() == 16).then(instant + ":00").otherwise(instant)
    offset = text.str.extract(_OFFSET, 1).str.replace("Z", "+0000", literal=True).str.replace(":", "", literal=True)
    well_formed = text.str.contains(_TIME + f"({_OFFSET[:-1]})?$")
    with_offset = (seconds + offset).str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", strict=False)
    local = seconds.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    in_zone = local.dt.replace_time_zone(timezone or "UTC", ambiguous="null", non_existent="null")
    zoned = in_zone.dt.convert_time_zone("UTC") if timezone else pl.lit(None, dtype=pl.Datetime("us", "UTC"))
    return (
        pl.when(well_formed & offset.is_not_null())
        .then(with_offset.dt.convert_time_zone("UTC"))
        .when(well_formed)
        .then(zoned)
        .alias(column)
    )


def _wrong_times(sheet: Sheet, column: str, unread: pl.Expr, timezone: str) -> list[Finding]:
    text = pl.col(column)
    facts = {"value": text}
    local = text.str.contains(_TIME + "$") & moment(column, "UTC").is_not_null()
    bad = flag(sheet, unread & ~local, "not-a-time", field=column, facts=facts)
    if timezone:
        zone = {"timezone": pl.lit(timezone)}
        return [*bad, *flag(sheet, unread & local, "time-skipped-or-twice", field=column, facts={**facts, **zone})]
    without = sheet.rows.filter(unread & local)
    if without.is_empty():
        return bad
    first = int(without[ROW][0])
    return [*bad, Finding("missing-timezone", {"rows": without.height}, Where(sheet.file, row=first, field=column))]
