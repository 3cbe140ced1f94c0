"""The mapping file: from the columns of a team's own sheets to ours, made once and checked.

``mapping.toml`` has one ``[[table]]`` for each table of ours that a sheet fills; the same sheet may fill several::

    [[table]]
    to = "observations"             # a table of `targets.TARGETS`
    file = "Наблюдения *.xlsx"      # name in the delivery; * stands for anything
    sheet = "2024"                  # of a workbook; the first if it is not said
    header_rows = 2                 # rows of names, joined by " / "
    date_order = "day-first"
    decimal = ","
    [table.columns]                 # ours = theirs
    deployment = "Станция"
    start = ["Дата", "Время"]       # joined by a space
    media = { columns = ["RelativePath", "File"], join = "/" }
    station = { columns = ["RelativePath"], split = "/", part = 1 }
    taxon = "Вид"
    sex = "Пол"
    [table.values.sex]              # theirs = ours
    "самец" = "male"
    [table.constants]               # the same in every row
    type = "animal"

Reading a sheet by it: `read_mapping` (text to `SheetMapping`, or every mistake at once), then `mapped` (a `Sheet` of
text cells under the names of its header, to a typed `Sheet` with exactly the columns of the target) and
`assembling.assembled` (typed sheets by target to `Delivered`, with the checks between tables). A door that brings its
own cells, such as one for GeoJSON, makes a `Sheet` of them with `tables.sheet_of` and calls the last two.
"""

from __future__ import annotations

import difflib
import re
import tomllib
import typing
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import polars as pl

from sharedrange.core.engine import unknown_key
from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.exchange.dates import CLOCKS, EPOCHS, ORDERS, DateStyle, iso_times
from sharedrange.exchange.opening import codec, shown, unknown_encoding
from sharedrange.exchange.tables import DELIMITERS, FILE, ROW, Sheet, typed
from sharedrange.exchange.targets import FLAGS, TARGETS, WORDS, Target

MAPPING_FILE = "mapping.toml"
MAX_BYTES = 1 << 20  # a mapping, not data
MAX_TABLES = 100
MAX_HEADER_ROWS = 5
MAX_SKIPPED_ROWS = 1000
_NUMBERS_WITH_ZEROS = r"^([+-]?\d+)[.,]0+$"  # 3.0, as spreadsheets write a 3


@dataclass(frozen=True, slots=True)
class Source:
    """Where the values of a column come from: columns of theirs, joined; or the `part` of a text split at `split`.

    `part` counts from 1, or from the end as -1; 0 takes the whole.
    """

    columns: tuple[str, ...]
    join: str = " "
    split: str = "/"
    part: int = 0


@dataclass(frozen=True, slots=True)
class Wide:
    """Columns of a sheet that are values: a column a species, or a pair of columns a locus.

    `name`: our column that takes the value that a column stands for; `values`: our columns that take its cells;
    `columns`: value -> their columns, as many as `values`.
    """

    name: str
    values: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class TableMap:
    """How one sheet fills one table of ours (`to`).

    `header_rows`, `skip_rows`: rows of names, and rows above them; `distinct`: rows that say the same are one;
    `fill_down`: their columns whose empty cells mean the cell above, as merged cells leave them;
    `number`: place of this table in the file, from 1.
    """

    to: str
    file: str
    columns: Mapping[str, Source]
    number: int = 1
    sheet: str = ""
    encoding: str = ""
    delimiter: str = ""
    skip_rows: int = 0
    header_rows: int = 1
    decimal: str = "."
    date_order: str = ""
    date_system: int = 0
    clock: str = "hours"
    distinct: bool = False
    fill_down: tuple[str, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    wide: Wide | None = None

    @property
    def target(self) -> Target:
        """The table of ours."""
        return TARGETS[self.to]

    @property
    def theirs(self) -> tuple[str, ...]:
        """Every column of theirs that is read."""
        named = [name for source in self.columns.values() for name in source.columns]
        spread = [name for names in (self.wide.columns if self.wide else {}).values() for name in names]
        return tuple(dict.fromkeys([*named, *spread, *self.fill_down]))


@dataclass(frozen=True, slots=True)
class SheetMapping:
    """A whole mapping file: one entry for each table of ours that a sheet fills."""

    tables: tuple[TableMap, ...]


_OPTIONS: Mapping[str, tuple[type, str]] = {
    **dict.fromkeys(("to", "file", "sheet", "encoding", "delimiter", "decimal", "date_order", "clock"), (str, "text")),
    **dict.fromkeys(("skip_rows", "header_rows", "date_system"), (int, "whole number")),
    "distinct": (bool, "true or false"),
    "fill_down": (list, "list of text"),
    **dict.fromkeys(("columns", "constants", "values", "wide"), (dict, "table")),
}
_ALLOWED: Mapping[str, Sequence[object]] = {
    "to": tuple(TARGETS),
    "delimiter": DELIMITERS,
    "decimal": (".", ","),
    "date_order": tuple(ORDERS),
    "clock": CLOCKS,
    "date_system": tuple(EPOCHS),
    "skip_rows": range(MAX_SKIPPED_ROWS + 1),
    "header_rows": range(1, MAX_HEADER_ROWS + 1),
}


# --- reading and checking a mapping ---


def read_mapping(text: str, file: str = MAPPING_FILE) -> tuple[SheetMapping | None, list[Finding]]:
    """A mapping from TOML text; None and every mistake in it if there is one.

    An unknown key, table or column names the nearest known one.
    """
    try:
        given = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        line = re.search(r"at line (\d+)", str(error))
        where = Where(file=file, row=int(line[1]) if line else None)
        return None, [Finding("bad-toml", {"problem": shown(str(error))}, where)]
    found = [unknown_key(shown(key), ("table",), Where(file=file, field=shown(key))) for key in given if key != "table"]
    entries = given.get("table")
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        return None, [*found, Finding("missing-key", {"key": "[[table]]"}, Where(file=file))]
    if len(entries) > MAX_TABLES:
        return None, [Finding("too-many-tables", {"tables": len(entries), "limit": MAX_TABLES}, Where(file=file))]
    for number, entry in enumerate(entries, start=1):
        found += _Check(file, number).table(entry)
    if found:
        return None, found
    return SheetMapping(tuple(_table(entry, number) for number, entry in enumerate(entries, start=1))), []


@dataclass(frozen=True, slots=True)
class _Check:
    """What may be wrong with one [[table]] of a mapping file."""

    file: str
    number: int

    def at(self, *keys: str) -> Where:
        return Where(self.file, f"table {self.number}", None, shown(".".join(keys)) if keys else None)

    def table(self, given: Mapping[str, Any]) -> list[Finding]:
        found = [unknown_key(shown(key), _OPTIONS, self.at(key)) for key in given if key not in _OPTIONS]
        found += [
            Finding("missing-key", {"key": key}, self.at(key)) for key in ("to", "file", "columns") if key not in given
        ]
        wrong = self._types(given) + self._words(given)
        if found or wrong:
            return [*found, *wrong]
        if given.get("encoding") and codec(given["encoding"]) is None:
            found.append(unknown_encoding(given["encoding"], self.at("encoding")))
        target = TARGETS[given["to"]]
        found += [*self._columns(given, target), *self._wide(given, target), *self._values(given, target)]
        return found or self._needed(given, target)

    def _types(self, given: Mapping[str, Any]) -> list[Finding]:
        found = []
        for key, value in given.items():
            kind, expected = _OPTIONS.get(key, (object, ""))
            fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
            if kind is list and fits:
                fits = all(isinstance(name, str) for name in value)
            if not fits:
                found.append(self._wrong_type(key, value, expected))
        return found

    def _wrong_type(self, key: str, value: object, expected: str) -> Finding:
        facts = {"key": shown(key), "given": shown(repr(value)), "expected": expected}
        return Finding("setting-type", facts, self.at(key))

    def _words(self, given: Mapping[str, Any]) -> list[Finding]:
        """Options that have one of a few values."""
        found = []
        for key, allowed in _ALLOWED.items():
            value = given.get(key)
            if value is None or value in allowed or not isinstance(value, _OPTIONS[key][0]):
                continue
            if isinstance(allowed, range):
                found.append(self._wrong_type(key, value, f"{allowed.start} to {allowed.stop - 1}"))
            else:
                found.append(unknown_key(shown(str(value)), map(str, allowed), self.at(key)))
        return found

    def _columns(self, given: Mapping[str, Any], target: Target) -> list[Finding]:
        found = self._ours(given["columns"], target, "columns")
        for name, source in given["columns"].items():
            if _source(source) is None:
                found.append(self._wrong_type(f"columns.{name}", source, "a column, a list, or { columns = [...] }"))
        found += self._ours(given.get("constants", {}), target, "constants")
        for name, value in given.get("constants", {}).items():
            if not isinstance(value, str | int | float):
                found.append(self._wrong_type(f"constants.{name}", value, "text or number"))
            elif name in WORDS and str(value) not in WORDS[name] and name in target.names:
                found.append(unknown_key(shown(str(value)), WORDS[name], self.at("constants", name)))
            elif name in given["columns"]:
                found.append(Finding("column-said-twice", {"column": shown(name)}, self.at("constants", name)))
        return found

    def _ours(self, names: Iterable[str], target: Target, key: str) -> list[Finding]:
        """A finding for each name that is no column of the target."""
        return [
            unknown_key(shown(name), target.names, self.at(key, name)) for name in names if name not in target.names
        ]

    def _wide(self, given: Mapping[str, Any], target: Target) -> list[Finding]:
        wide = given.get("wide", {})
        if not wide:
            return []
        keys = ("name", "values", "columns")
        found = [unknown_key(shown(key), keys, self.at("wide", key)) for key in wide if key not in keys]
        found += [Finding("missing-key", {"key": key}, self.at("wide", key)) for key in keys if key not in wide]
        if found:
            return found
        name, values, columns = wide["name"], _names(wide["values"]), wide["columns"]
        if not isinstance(name, str) or not values or not isinstance(columns, dict) or not columns:
            return [self._wrong_type("wide", wide, "name = text, values = text, columns = table")]
        found += self._ours((name, *values), target, "wide")
        for value, theirs in columns.items():
            if len(_names(theirs)) != len(values):
                found.append(self._wrong_type(f"wide.columns.{value}", theirs, f"{len(values)} column names"))
        return found

    def _values(self, given: Mapping[str, Any], target: Target) -> list[Finding]:
        values = given.get("values", {})
        found = self._ours(values, target, "values")
        for name, words in values.items():
            if not isinstance(words, dict) or not all(isinstance(word, str | bool) for word in words.values()):
                found.append(self._wrong_type(f"values.{name}", words, "table of text"))
            elif name in target.names:
                known = ("true", "false") if target.kind(name) == "flag" else WORDS.get(name, ())
                strange = [w for w in map(_text, words.values()) if w and known and w not in known]
                found += [unknown_key(shown(word), known, self.at("values", name)) for word in strange]
        return found

    def _needed(self, given: Mapping[str, Any], target: Target) -> list[Finding]:
        wide = given.get("wide", {})
        said = {*given["columns"], *given.get("constants", {}), wide.get("name"), *_names(wide.get("values", ()))}
        missing = [name for name in target.needed if name not in said and name not in MADE]
        return [
            Finding("mapping-needs", {"column": name, "table": target.name}, self.at("columns")) for name in missing
        ]


MADE = ("observation", "media")  # ids that file and line, or a path, can stand for


def _names(given: object) -> tuple[str, ...]:
    if isinstance(given, str):
        return (given,)
    return tuple(given) if isinstance(given, list) and all(isinstance(name, str) for name in given) else ()


def _source(given: object) -> Source | None:
    """A source as the file writes it: a name, a list of names, or a table; None if it is none of them."""
    if not isinstance(given, dict):
        names = _names(given)
        return Source(names) if names else None
    kinds = {"columns": list | str, "join": str, "split": str, "part": int}
    if any(key not in kinds or not isinstance(value, kinds[key]) for key, value in given.items()):
        return None
    names = _names(given.get("columns"))
    options = {key: value for key, value in given.items() if key != "columns"}
    return Source(names, **options) if names and options.get("split", "/") else None


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _table(given: Mapping[str, Any], number: int) -> TableMap:
    """A checked [[table]] as a `TableMap`."""
    wide = given.get("wide")
    read = {
        "columns": {name: typing.cast("Source", _source(source)) for name, source in given["columns"].items()},
        "constants": {name: _text(value) for name, value in given.get("constants", {}).items()},
        "values": {name: _folded(words) for name, words in given.get("values", {}).items()},
        "fill_down": tuple(given.get("fill_down", ())),
        "wide": _wide(wide) if wide else None,
    }
    return TableMap(number=number, **{**given, **read})


def _folded(words: Mapping[str, Any]) -> dict[str, str]:
    return {name_of(word).lower(): _text(value) for word, value in words.items()}


def _wide(given: Mapping[str, Any]) -> Wide:
    columns = {value: _names(theirs) for value, theirs in given["columns"].items()}
    return Wide(given["name"], _names(given["values"]), columns)


# --- a sheet read by a mapping ---


def name_of(text: str) -> str:
    """A column's name as it is compared: composed (NFC), white space and line breaks as single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def mapped(sheet: Sheet, table: TableMap, timezone: str = "") -> tuple[Sheet, list[Finding]]:
    """`sheet` as the table that `table` fills: exactly the target's columns, typed, beside `ROW` and `FILE`.

    `sheet` has text cells under the names of its own header. A time keeps its original in ``<name>_text`` where the
    target has such a column. A row stays, or a finding names it; rows that `distinct` joins are counted in a note.
    """
    sheet, found = _their_names(sheet, table)
    if found:
        return _nothing(table, sheet.file), found
    sheet = _filled_down(sheet, table)
    given, found = _spread(_ours(sheet, table), table)
    times = [column.name for column in table.target.columns if column.kind == "time"]
    originals = given.rows.select(pl.col(name).alias(f"{name}_text") for name in times)
    style = DateStyle(table.date_order, table.date_system, table.clock)
    unordered = []
    for name in times:
        given, more = iso_times(given, name, style)
        unordered += [name for f in more if f.severity is Severity.ERROR]
        found += more
    ready = given.with_rows(_plain_numbers(given.rows, table))
    read, more = typed(
        ready.with_rows(ready.rows.with_columns(pl.lit(None, pl.String).alias(n) for n in unordered)),
        table.target.columns,
        timezone,
    )
    found += [f for f in more if f.where.field not in unordered]
    done = read.with_rows(_in_schema(pl.concat([read.rows, originals], how="horizontal"), table, sheet.file))
    return _distinct(done, table, found)


def unused(sheet: Sheet, tables: Sequence[TableMap]) -> list[str]:
    """Columns of a sheet that none of the tables read from it takes."""
    taken = {name_of(name).casefold() for table in tables for name in table.theirs}
    own = (ROW, FILE)
    return [name for name in sheet.rows.columns if name not in own and name_of(name).casefold() not in taken]


def _nothing(table: TableMap, file: str) -> Sheet:
    rows = pl.DataFrame(schema={**table.target.schema, ROW: pl.Int64, FILE: pl.String})
    return Sheet(file, rows)


def _their_names(sheet: Sheet, table: TableMap) -> tuple[Sheet, list[Finding]]:
    """`sheet` with the columns that the mapping names, under the names that it uses."""
    there = {name_of(name).casefold(): name for name in sheet.rows.columns}
    found = [_no_such_column(sheet, name, table) for name in table.theirs if name_of(name).casefold() not in there]
    if found:
        return sheet, found
    columns = [pl.col(there[name_of(name).casefold()]).alias(name) for name in table.theirs]
    return sheet.with_rows(sheet.rows.select(pl.col(ROW), *columns)), []


def _no_such_column(sheet: Sheet, name: str, table: TableMap) -> Finding:
    names = [column for column in sheet.rows.columns if column not in (ROW, FILE)]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
    facts: dict[str, Fact] = {
        "column": shown(name),
        "nearest": shown(near[0]) if near else "",
        "known": shown(", ".join(names)),
        "table": table.number,
    }
    return Finding("mapped-column-missing", facts, Where(sheet.file, row=table.skip_rows + 1, field=shown(name)))


def _filled_down(sheet: Sheet, table: TableMap) -> Sheet:
    return sheet.with_rows(sheet.rows.with_columns(pl.col(name).forward_fill() for name in table.fill_down))


def _ours(sheet: Sheet, table: TableMap) -> Sheet:
    """Text under our names: joined, split, translated. The wide columns stay beside it under their own names."""
    ours = [_value(source).alias(f"ours {name}") for name, source in table.columns.items()]
    rows = sheet.rows.with_columns(ours)
    for name, value in table.constants.items():
        rows = rows.with_columns(pl.lit(value).alias(f"ours {name}"))
    return sheet.with_rows(rows)


def _value(source: Source) -> pl.Expr:
    """One text from the columns of a source; null where all of them are empty."""
    cells = [pl.col(name) for name in source.columns]
    text = cells[0]
    if len(cells) > 1:
        joined = pl.concat_str(cells, separator=source.join, ignore_nulls=True)
        text = pl.when(pl.any_horizontal(cell.is_not_null() for cell in cells)).then(joined)
    if source.part:
        normal = text.str.replace_all("\\", "/", literal=True) if source.split == "/" else text
        place = source.part - 1 if source.part > 0 else source.part
        text = normal.str.split(source.split).list.get(place, null_on_oob=True)
    return text


def _spread(sheet: Sheet, table: TableMap) -> tuple[Sheet, list[Finding]]:
    """A row for each wide column of a row that has a cell; an empty cell is a value that is not listed."""
    ours = [name for name in sheet.rows.columns if name.startswith("ours ")]
    kept = [pl.col(ROW), *(pl.col(name).alias(name.removeprefix("ours ")) for name in ours)]
    if table.wide is None:
        rows = sheet.rows.select(kept)
    else:
        rows = pl.concat([_one_wide(sheet.rows, table.wide, value, kept) for value in table.wide.columns])
        rows = rows.sort(ROW, maintain_order=True)
    absent = [pl.lit(None, pl.String).alias(name) for name in table.target.names if name not in rows.columns]
    return sheet.with_rows(
        rows.with_columns(absent).with_columns(_translated(table)).with_columns(_made(sheet, table))
    ), _empty_rows(sheet, rows, table)


def _one_wide(rows: pl.DataFrame, wide: Wide, value: str, kept: Sequence[pl.Expr]) -> pl.DataFrame:
    cells = [pl.col(theirs).alias(ours) for theirs, ours in zip(wide.columns[value], wide.values, strict=True)]
    listed = rows.filter(pl.any_horizontal(pl.col(theirs).is_not_null() for theirs in wide.columns[value]))
    return listed.select(*kept, pl.lit(value).alias(wide.name), *cells)


def _empty_rows(sheet: Sheet, rows: pl.DataFrame, table: TableMap) -> list[Finding]:
    """A note that counts the rows of a wide sheet in which nothing is listed."""
    if table.wide is None:
        return []
    nothing = sheet.rows.filter(~pl.col(ROW).is_in(rows[ROW].unique().to_list()))
    if nothing.is_empty():
        return []
    where = Where(sheet.file, row=int(nothing[ROW][0]))
    return [Finding("nothing-listed", {"rows": nothing.height, "table": table.to}, where, Severity.NOTE)]


def _translated(table: TableMap) -> list[pl.Expr]:
    """Their words as ours; a word that stands for nothing becomes empty, one that nobody listed stays."""
    done = []
    flags = {column.name: FLAGS for column in table.target.columns if column.kind == "flag"}
    for name in {**flags, **table.values}:
        words = {**flags.get(name, {}), **table.values.get(name, {})}
        folded = pl.col(name).str.normalize("NFC").str.replace_all(r"\s+", " ").str.to_lowercase()
        ours = folded.replace_strict(dict(words), default=None, return_dtype=pl.String)
        done.append(pl.when(ours == "").then(None).otherwise(pl.coalesce(ours, pl.col(name))).alias(name))
    return done


def _made(sheet: Sheet, table: TableMap) -> list[pl.Expr]:
    """Ids that nobody gave: a path for a media file; file, line and wide column for an observation."""
    given = {*table.columns, *table.constants}
    if "media" in table.target.names and table.to == "media" and "media" not in given:
        return [pl.col("path").alias("media")]
    if "observation" not in table.target.names or "observation" in given:
        return []
    stem = PurePosixPath(sheet.file).stem
    spread = [pl.col(table.wide.name)] if table.wide else []
    return [pl.concat_str([pl.lit(stem), pl.col(ROW).cast(pl.String), *spread], separator="-").alias("observation")]


def _plain_numbers(rows: pl.DataFrame, table: TableMap) -> pl.DataFrame:
    """Numbers with a decimal point and no zeros behind it."""
    numbers = [column.name for column in table.target.columns if column.kind in ("number", "whole")]
    plain = [pl.col(name).str.replace_all(r"[\s\u{a0}\u{202f}]", "") for name in numbers]
    if table.decimal == ",":
        plain = [number.str.replace(",", ".", literal=True) for number in plain]
    whole = [column.name for column in table.target.columns if column.kind == "whole"]
    rows = rows.with_columns(plain)
    return rows.with_columns(pl.col(name).str.replace(_NUMBERS_WITH_ZEROS, "$1") for name in whole)


def _in_schema(rows: pl.DataFrame, table: TableMap, file: str) -> pl.DataFrame:
    """Typed rows with exactly the columns of the target; columns that a door fills itself are null."""
    columns = [
        (pl.col(name) if name in rows.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in table.target.schema.items()
    ]
    return rows.select(*columns, pl.col(ROW), pl.lit(file).alias(FILE))


def _distinct(sheet: Sheet, table: TableMap, found: list[Finding]) -> tuple[Sheet, list[Finding]]:
    if not table.distinct:
        return sheet, found
    once = sheet.rows.unique(list(table.target.schema), keep="first", maintain_order=True)
    joined = sheet.rows.height - once.height
    if joined:
        facts: dict[str, Fact] = {"rows": joined, "table": table.to}
        found = [*found, Finding("rows-joined", facts, Where(sheet.file), Severity.NOTE)]
    return sheet.with_rows(once), found
