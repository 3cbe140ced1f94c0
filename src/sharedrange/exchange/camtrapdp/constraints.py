"""Everything that the standard's table schemas ask of a table: types, needed values, words, limits, patterns, keys.

What breaks a rule is an error in a column that becomes part of the survey, a warning in the others: a camera's heading
of 400 degrees is wrong, but no reason to refuse the tigers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.core.survey import FLANKS
from sharedrange.exchange.camtrapdp.broken import Broken, broken, joined
from sharedrange.exchange.camtrapdp.cells import Values, convert, short_texts
from sharedrange.exchange.camtrapdp.loading import Text
from sharedrange.exchange.camtrapdp.schema import NEWEST, Field, TableSchema, schemas
from sharedrange.exchange.tables import ROW

PRIVATE = ("latitude", "longitude")  # a coordinate is the place of an animal: shown in whole degrees or not at all
REPEATING = ("deploymentID", "locationID", "cameraID", "cameraModel", "scientificName", "individualID", "sequenceID")
TEXT = " text"  # beginning with a space, as no column of the standard does
_OURS = Field("flank", words=FLANKS)  # the one kept column that the standard does not have
_ALWAYS_WARNING = ("word-spelling", "time-form", "pattern-broken")
_ONCE = ("missing-timezone", "time-without-offset")


@dataclass(frozen=True, slots=True)
class Table:
    """A checked table.

    `rows`: the columns kept, typed, with `ROW`; some times also as delivered (``<name> text``, see
    `cells.short_texts`). `not_kept`: the other columns that hold something.
    """

    file: str
    rows: pl.DataFrame
    not_kept: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.rows.height


@dataclass(frozen=True, slots=True)
class Kept:
    """Columns of a table that the survey is made of, and those times whose text is kept too.

    `loose`: columns that are kept where they are right, and whose mistakes are no reason to refuse the rest.
    """

    columns: frozenset[str]
    texts: frozenset[str] = frozenset()
    loose: frozenset[str] = frozenset()


def check(text: Text, schema: TableSchema, kept: Kept, timezone: str) -> tuple[Table, list[Broken], list[Finding]]:
    """A table checked cell by cell against its schema; the columns of `kept` typed, null where they are not there."""
    checker = _Checker(text, schema, kept, timezone)
    parts: list[pl.DataFrame] = [checker.empty()]
    found: list[Broken] = []
    filled: set[str] = set()
    for cells, unreadable in text.slices:
        typed, wrong = checker.slice(cells)
        filled |= {name for name in text.names if cells[name].null_count() < cells.height}
        parts.append(typed)
        found += [*unreadable, *wrong]
    rows = pl.concat(parts)
    found += _repeated(text, schema, rows)
    not_kept = tuple(name for name in text.names if name in filled - kept.columns)
    return Table(text.file, rows, not_kept), joined(found), _missing_columns(text, schema, kept)


def severity(field: str, kept: Kept) -> Severity:
    """An error in a column that the survey is made of, else a warning."""
    return Severity.ERROR if field in kept.columns - kept.loose else Severity.WARNING


@dataclass(frozen=True, slots=True)
class _Checker:
    text: Text
    schema: TableSchema
    kept: Kept
    timezone: str

    def empty(self) -> pl.DataFrame:
        """No rows of the columns kept."""
        return pl.DataFrame(schema={ROW: pl.Int64, **self._types()})

    def slice(self, cells: pl.DataFrame) -> tuple[pl.DataFrame, list[Broken]]:
        """The kept columns of some rows, typed, and what is broken in any column."""
        values = [cells[ROW]]
        found: list[Broken] = []
        there = {field.name: field for field in self.schema.fields if field.name in cells.columns}
        for name in self._in_order():
            field = there.get(name)
            if field is None:
                values.append(pl.Series(name, [None], self._types()[name]).new_from_index(0, cells.height))
                continue
            if name not in self.kept.columns and _is_free(field):
                continue
            given = self._without_missing(cells[name])
            if given.null_count() == cells.height and name not in self.kept.columns:
                found += self._null_cells(given, field, cells)
                continue
            converted = convert(given, field, self.timezone)
            found += [*self._null_cells(given, field, cells), *self._wrong(given, converted, field, cells)]
            if name in self.kept.columns:
                values.append(converted.values.cast(_type(field)).alias(name))
            if name in self.kept.texts:
                values.append(short_texts(given, converted.offset).alias(name + TEXT))
        types = self._types()
        frame = pl.DataFrame(values)
        lacking = [pl.lit(None, dtype=t).alias(n) for n, t in types.items() if n not in frame.columns]
        # Columns in unlike pieces would be copied whole by every later choice of columns.
        return frame.with_columns(lacking).select(ROW, *types).rechunk(), found

    def _in_order(self) -> list[str]:
        return [field.name for field in self.schema.fields if field.name in (*self.text.names, *self.kept.columns)]

    def _types(self) -> dict[str, pl.DataType]:
        newest = schemas(NEWEST)[self.schema.name].fields  # for columns that an older version does not have
        fields = {field.name: field for field in (*newest, _OURS, *self.schema.fields)}
        types = {name: _type(fields[name]) for name in sorted(self.kept.columns)}
        return types | {name + TEXT: pl.Categorical() for name in sorted(self.kept.texts)}

    def _without_missing(self, cells: pl.Series) -> pl.Series:
        """Cells with the texts that mean a missing value as null."""
        if cells.null_count() == len(cells):
            return cells
        missing = [text for text in self.schema.missing if text] + [""]
        there = cells.is_in(missing)
        return (
            cells.zip_with(~there.fill_null(value=False), pl.Series([None], dtype=pl.String)) if there.any() else cells
        )

    def _null_cells(self, given: pl.Series, field: Field, cells: pl.DataFrame) -> list[Broken]:
        if not field.required or not given.null_count():
            return []
        return self._broken("missing-value", field, given.is_null(), cells, {})

    def _wrong(self, given: pl.Series, converted: Values, field: Field, cells: pl.DataFrame) -> list[Broken]:
        found: list[Broken] = []
        shown = {} if field.name in PRIVATE else {"value": given}
        for rule, mask in converted.wrong.items():
            named = "bad-coordinate" if field.name in PRIVATE else rule
            found += self._broken(named, field, mask, cells, {**shown, **self._extra(rule, converted, field, given)})
        return [*found, *self._out_of_range(converted.values, field, cells)]

    def _extra(self, rule: str, converted: Values, field: Field, given: pl.Series) -> dict[str, pl.Series]:
        """Facts that a rule shows beside the value."""
        fixed = {
            "unknown-word": {"known": ", ".join(field.words)},
            "pattern-broken": {"pattern": field.pattern},
            "time-without-offset": {"timezone": self.timezone},
        }.get(rule, {})
        extra = {name: pl.Series(name, [value]).new_from_index(0, len(given)) for name, value in fixed.items()}
        if rule == "word-spelling" and converted.meant is not None:
            extra["meant"] = converted.meant
        return extra

    def _out_of_range(self, values: pl.Series, field: Field, cells: pl.DataFrame) -> list[Broken]:
        if field.low is None and field.high is None:
            return []
        beyond = pl.Series([False]).new_from_index(0, len(values))
        for limit, is_beyond in ((field.low, values.__lt__), (field.high, values.__gt__)):
            beyond = beyond | (is_beyond(limit) if limit is not None else beyond)
        low, high = (f"{limit:g}" if limit is not None else "" for limit in (field.low, field.high))
        allowed = pl.Series([f"{low} … {high}".strip()]).new_from_index(0, len(values))
        shown = values.round() if field.name in PRIVATE else values
        return self._broken("out-of-range", field, beyond, cells, {"value": shown, "allowed": allowed})

    def _broken(
        self, rule: str, field: Field, mask: pl.Series, cells: pl.DataFrame, facts: Mapping[str, pl.Series]
    ) -> list[Broken]:
        if not mask.any():
            return []
        rows = pl.DataFrame([cells[ROW], *(fact.alias(name) for name, fact in facts.items())]).filter(mask)
        level = _level(rule, severity(field.name, self.kept))
        return broken((self.text.file, self.text.table), rule, field.name, rows, level, once=rule in _ONCE)


def _is_free(field: Field) -> bool:
    """Whether any cell will do."""
    return field.type in ("string", "any") and not (field.required or field.words or field.pattern)


def _level(rule: str, usual: Severity) -> Severity:
    if rule == "time-without-offset":
        return Severity.NOTE
    return Severity.WARNING if rule in _ALWAYS_WARNING else usual


def _type(field: Field) -> pl.DataType:
    """Type of a kept column; texts that repeat are kept once."""
    if field.words or field.name in REPEATING:
        return pl.Categorical()
    return {
        "integer": pl.Int64(),
        "number": pl.Float64(),
        "boolean": pl.Boolean(),
        "datetime": pl.Datetime("us", "UTC"),
    }.get(field.type, pl.String())


def _missing_columns(text: Text, schema: TableSchema, kept: Kept) -> list[Finding]:
    return [
        Finding(
            "missing-column",
            {"column": field.name},
            Where(text.file, None, 1, field.name),
            severity(field.name, kept),
        )
        for field in schema.fields
        if field.required and field.name not in text.names
    ]


def _repeated(text: Text, schema: TableSchema, rows: pl.DataFrame) -> list[Broken]:
    """Rows whose key an earlier row has."""
    keys = rows[schema.key].drop_nulls()
    if keys.hash().n_unique() == len(keys):  # unlike hashes cannot come from like texts
        return []
    twice = rows.select(ROW, id=schema.key).filter(pl.col("id").is_not_null() & pl.col("id").is_duplicated())
    again = twice.with_columns(first_row=pl.col(ROW).first().over("id")).filter(pl.col(ROW) != pl.col("first_row"))
    return broken((text.file, text.table), "duplicate-id", schema.key, again)
