"""Cells of text become values of a type, column by column, and cells that cannot are named.

A column is converted at once by polars; only what that leaves unread is looked at value by value, with the
functions that the reference implementation of the standard uses (Python's `int`, `Decimal` and `strptime`). So the same
cells are accepted, and a clean column costs no Python.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import polars as pl

from sharedrange.core.survey import UTC as UTC_TYPE
from sharedrange.exchange.camtrapdp.schema import Field
from sharedrange.exchange.tables import moment

FORMAT = "%Y-%m-%dT%H:%M:%S%z"  # of every time in the standard
_LOCAL_FORMAT = "%Y-%m-%dT%H:%M:%S"
_LOCAL_LENGTH = 19
_MAX_JSON_BYTES = 1 << 20
_TEXTS_AT_ONCE = 1 << 17  # what is between a time and its text takes three times the memory of the text
_TRUE, _FALSE = ("true", "True", "TRUE", "1"), ("false", "False", "FALSE", "0")


@dataclass(frozen=True, slots=True)
class Values:
    """A converted column. `wrong`: rule -> the rows that break it; `meant`: words of the standard for other spellings.

    `offset`: of times, what stands behind the seconds, null where they are not written as the standard asks.
    """

    values: pl.Series
    wrong: dict[str, pl.Series] = field(default_factory=dict)
    meant: pl.Series | None = None
    offset: pl.Series | None = None


def convert(text: pl.Series, column: Field, timezone: str) -> Values:
    """Values of a column of text, missing cells null already."""
    return _CONVERTERS[column.type](text, column, timezone)


def _strings(text: pl.Series, column: Field, _timezone: str) -> Values:
    if column.words:
        return _words(text, column.words)
    return Values(text, {"pattern-broken": ~_matches(text, column.pattern)} if column.pattern else {})


def _matches(text: pl.Series, pattern: str) -> pl.Series:
    return PATTERNS[pattern](text)


def _is_path(text: pl.Series) -> pl.Series:
    """A URL or a path inside the package: the standard's look-ahead, which polars does not know, said in words."""
    outside = text.str.starts_with(".") | text.str.starts_with("/") | text.str.starts_with("~")
    climbs = text.str.contains("..", literal=True) | text.str.contains("\n", literal=True)
    return ~(outside | climbs)


def _is_media_type(text: pl.Series) -> pl.Series:
    return text.str.contains(r"^(image|video|audio)/[^\n]*$")


PATTERNS: Mapping[str, Callable[[pl.Series], pl.Series]] = {
    r"^(?=^[^./~])(^((?!\.{2}).)*$).*$": _is_path,
    r"^(image|video|audio)/.*$": _is_media_type,
}
"""The patterns of the schemas -> the rows that match."""


def _words(text: pl.Series, words: tuple[str, ...]) -> Values:
    """Words of a list. One that is only spelt otherwise (capitals, spaces around) is kept as what it means."""
    strange = ~text.is_in(list(words))
    if not strange.any():
        return Values(text)
    plain = text.str.strip_chars().str.to_lowercase()
    meant = plain.replace_strict({w.lower(): w for w in words}, default=None, return_dtype=pl.String)
    spelt = strange & meant.is_not_null()
    unknown = strange & meant.is_null()
    values = text.zip_with(~unknown.fill_null(value=False), pl.Series([None], dtype=pl.String)).zip_with(
        ~spelt.fill_null(value=False), meant
    )
    return Values(values, {"word-spelling": spelt, "unknown-word": unknown}, meant)


def _whole_numbers(text: pl.Series, _column: Field, _timezone: str) -> Values:
    return _numbers(text, text.cast(pl.Int64, strict=False), int, "not-a-whole-number")


def _any_numbers(text: pl.Series, _column: Field, _timezone: str) -> Values:
    values = text.cast(pl.Float64, strict=False)
    finite = values.is_finite().fill_null(value=True)
    if not finite.all():
        values = values.zip_with(finite, pl.Series([None], dtype=pl.Float64))
    return _numbers(text, values, _decimal, "not-a-number")


def _numbers(text: pl.Series, values: pl.Series, parse: Callable[[str], Any], rule: str) -> Values:
    unread = text.is_not_null() & values.is_null()
    if not unread.any():
        return Values(values)
    values = _mended(text, values, unread, parse)
    return Values(values, {rule: unread & values.is_null()})


def _decimal(text: str) -> float | None:
    number = float(Decimal(text))
    return number if math.isfinite(number) else None


def _mended(text: pl.Series, values: pl.Series, unread: pl.Series, parse: Callable[[str], Any]) -> pl.Series:
    """`values` with those unread that `parse` can read, each distinct text parsed once."""
    read = {cell: _parsed(cell, parse) for cell in text.filter(unread).unique().to_list()}
    good = {cell: value for cell, value in read.items() if value is not None}
    if not good:
        return values
    mended = text.replace_strict(good, default=None, return_dtype=values.dtype)
    return values.zip_with(~unread, mended)


def _parsed(cell: str, parse: Callable[[str], Any]) -> Any:
    try:
        value = parse(cell.strip() if parse is not _moment else cell)
    except (ValueError, InvalidOperation, OverflowError, RecursionError):
        return None
    return None if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 63 else value


def _flags(text: pl.Series, _column: Field, _timezone: str) -> Values:
    true, false = text.is_in(list(_TRUE)), text.is_in(list(_FALSE))
    strange = ~(true | false)
    if not strange.any():
        return Values(true)
    values = true.zip_with(~strange.fill_null(value=False), pl.Series([None], dtype=pl.Boolean))
    return Values(values, {"not-true-or-false": strange})


def _objects(text: pl.Series, _column: Field, _timezone: str) -> Values:
    read = {cell: _is_object(cell) for cell in text.drop_nulls().unique().to_list()}
    good = text.replace_strict(read, default=None, return_dtype=pl.Boolean) if read else text.is_null()
    return Values(text, {"not-an-object": ~good})


def _is_object(cell: str) -> bool:
    if len(cell) > _MAX_JSON_BYTES:
        return False
    try:
        return isinstance(json.loads(cell), dict)
    except (ValueError, RecursionError):
        return False


def _anything(text: pl.Series, _column: Field, _timezone: str) -> Values:
    return Values(text)


# --- times ---


def _times(text: pl.Series, _column: Field, timezone: str) -> Values:
    """Times in UTC. Those of the standard's form cost nothing; other forms are read where they leave no doubt."""
    values, offset = standard_times(text)
    if values.null_count() == text.null_count():
        return Values(values, offset=offset)
    unread = text.is_not_null() & values.is_null()
    cells = pl.DataFrame({"cell": text.filter(unread).unique()})
    with_offset = cells.with_columns(
        moment("cell", "").alias("instant"),
        moment("cell", timezone).alias("zoned"),
        moment("cell", "UTC").is_not_null().alias("readable"),
    )
    known = {cell: _told_apart(cell, *rest) for cell, *rest in with_offset.iter_rows()}
    rules = text.replace_strict({c: rule for c, (rule, _) in known.items()}, default=None, return_dtype=pl.String)
    instants = text.replace_strict({c: at for c, (_, at) in known.items()}, default=None, return_dtype=UTC_TYPE)
    wrong = {rule: unread & (rules == rule) for rule in sorted(set(rules.drop_nulls()) - {""})}
    usual = offset.zip_with(~unread, pl.Series([None], dtype=pl.String))
    return Values(values.zip_with(~unread, instants), wrong, offset=usual)


def _told_apart(
    cell: str, instant: datetime | None, zoned: datetime | None, readable: bool
) -> tuple[str, datetime | None]:
    """Rule ("" if none) and value of a time that is not written as usual."""
    if instant is not None:
        return "time-form", instant
    if zoned is not None:
        return "time-without-offset", zoned
    if readable:
        return "missing-timezone", None
    at = _parsed(cell, _moment)
    return ("", at) if at is not None else ("not-a-time", None)


def _moment(cell: str) -> datetime:
    return datetime.strptime(cell, FORMAT).astimezone(UTC)


def standard_times(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Texts of the form 2024-05-01T06:00:00+10:00 (or Z) as UTC, the others null; and their offsets as text."""
    local = text.str.slice(0, _LOCAL_LENGTH).str.to_datetime(_LOCAL_FORMAT, time_unit="us", strict=False)
    offset = text.str.slice(_LOCAL_LENGTH)
    known = {suffix: _offset_us(suffix) for suffix in offset.drop_nulls().unique().to_list()}
    if len(known) == 1 and None not in known.values():
        shift: Any = pl.lit(next(iter(known.values())), dtype=pl.Duration("us"))
    else:
        shift = (
            offset.replace_strict(known, default=None, return_dtype=pl.Duration("us"))
            if known
            else pl.lit(None, dtype=pl.Duration("us"))
        )
    values = pl.select((local - shift).dt.replace_time_zone("UTC").cast(UTC_TYPE)).to_series().rename(text.name)
    leap = text.str.contains(":60", literal=True)  # polars takes the 61st second of a minute for the next one's first
    if leap.any():
        values = values.zip_with(~leap.fill_null(value=False), pl.Series([None], dtype=UTC_TYPE))
    return values, offset


def short_texts(text: pl.Series, offset: pl.Series | None) -> pl.Series:
    """Times as delivered, those of the standard's form as their offset alone: a million of them are a few words."""
    if offset is None:
        return text.cast(pl.Categorical)
    return (text.zip_with(offset.is_null(), offset) if offset.null_count() else offset).cast(pl.Categorical)


def long_texts(short: pl.Series, values: pl.Series) -> pl.Series:
    """Times as delivered again, of the texts that `short_texts` made and the instants in UTC."""
    known = {suffix: _offset_us(suffix) for suffix in short.drop_nulls().unique().to_list()}
    offsets = {suffix: us for suffix, us in known.items() if us is not None}
    if not offsets:
        return short.cast(pl.String)
    starts = range(0, max(len(short), 1), _TEXTS_AT_ONCE)
    parts = [_long(short.slice(n, _TEXTS_AT_ONCE), values.slice(n, _TEXTS_AT_ONCE), offsets) for n in starts]
    return pl.concat(parts)


def _long(short: pl.Series, values: pl.Series, offsets: Mapping[str, int]) -> pl.Series:
    text = short.cast(pl.String)
    shift = text.replace_strict(offsets, default=None, return_dtype=pl.Duration("us"))
    usual = (values + shift).dt.strftime(_LOCAL_FORMAT) + text
    return text.zip_with(shift.is_null(), usual)


def _offset_us(suffix: str) -> int | None:
    """Microseconds east of Greenwich, or None if this is no offset."""
    if suffix == "Z":
        return 0
    try:
        offset = datetime.strptime(suffix, "%z").utcoffset()
    except ValueError:
        return None
    return None if offset is None else round(offset.total_seconds()) * 1_000_000


_CONVERTERS: dict[str, Callable[[pl.Series, Field, str], Values]] = {
    "string": _strings,
    "integer": _whole_numbers,
    "number": _any_numbers,
    "boolean": _flags,
    "datetime": _times,
    "object": _objects,
    "any": _anything,
}
