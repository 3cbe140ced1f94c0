"""Dates and times as people and spreadsheets write them, made ISO 8601; what is ambiguous is asked, never guessed.

``5/6/24`` is the fifth of June or the sixth of May. An order is taken where it is declared, or where some value of
the same column can only be read one way (``28/4/19``), none contradicts it, and all are written with the same mark
(``01.05.2024`` and ``05/13/2024`` are from two hands); else a finding asks for `date_order`. A year of four digits in
the first place needs no order, and neither does a spreadsheet's serial number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.exchange.opening import shown
from sharedrange.exchange.tables import FILE, ROW, Sheet

ORDERS: Mapping[str, tuple[str, str, str]] = {
    "day-first": ("c", "b", "a"),
    "month-first": ("c", "a", "b"),
    "year-first": ("a", "b", "c"),
}
"""Order -> which part of a written date is the year, the month, the day."""
EPOCHS: Mapping[int, int] = {1900: -25_569, 1904: -24_107}
"""Spreadsheet's date system -> its day 0 in days from 1970-01-01.

1900: day 0 is 1899-12-30, as the false 29 February 1900 of Lotus 1-2-3 leaves it for every day from March 1900
(ECMA-376 part 1, 18.17.4.1).
"""
CLOCKS = ("hours", "seconds")
_OLDEST_SERIAL, _NEWEST_SERIAL = 10_000, 80_000  # 1927 and 2119; other numbers are not days of field work
_DAY_US = 86_400_000_000
_BREAK = r"(?:[\s,.T日일]|г\.?)"
_DATE = r"(?P<a>[0-9]{1,4})\s*(?P<mark>[-./:年년])\s*(?P<b>[0-9]{1,2})\s*[-./:月월]\s*(?P<c>[0-9]{1,4})"
_NOON = r"AM|PM|A\.M\.|P\.M\.|上午|下午|午前|午後|오전|오후|ДП|ПП"
_TIME = (
    rf"(?:(?P<before>{_NOON})\s*)?(?P<hour>[0-9]{{1,2}})\s*[:時时시]\s*(?P<minute>[0-9]{{1,2}})\s*[分분]?"
    rf"(?::?\s*(?P<second>[0-9]{{1,2}}(?:[.,][0-9]{{1,6}})?)\s*[秒초]?)?(?:\s*(?P<after>{_NOON}))?"
)
_NUMBER = r"(?P<clock>[0-9]{1,5}(?:[.,][0-9]+)?)"
_MOMENT = rf"(?i)^{_DATE}(?:{_BREAK}+(?:{_TIME}|{_NUMBER}))?{_BREAK}*(?P<offset>Z|[+-][0-9]{{2}}:?[0-9]{{2}})?$"
_SERIAL = rf"^(?P<day>[0-9]{{5}})(?P<share>[.,][0-9]+)?(?:\s+(?:{_TIME}|{_NUMBER}))?$"
_AFTERNOON = ("pm", "p.m.", "下午", "午後", "오후", "пп")


@dataclass(frozen=True, slots=True)
class DateStyle:
    """How a file writes its times.

    `order`: one of `ORDERS`, "" if nobody said; `epoch`: 1900 or 1904 where whole numbers are spreadsheet days, 0
    where they are not; `clock`: what a bare number beside a date is, hours as a share of a day or ``seconds``.
    """

    order: str = ""
    epoch: int = 0
    clock: str = "hours"


def iso_times(sheet: Sheet, column: str, style: DateStyle) -> tuple[Sheet, list[Finding]]:
    """`sheet` with a column of times as ISO 8601 text; what cannot be read stays as it is.

    Findings: an order that has to be declared, an order that was settled by a value, dates without a time of day
    (taken as midnight), serial numbers.
    """
    order, found = settled_order(sheet, column, style.order)
    if any(f.severity is Severity.ERROR for f in found):
        return sheet, found
    found += _notes(sheet, column, style)
    return sheet.with_rows(sheet.rows.with_columns(_iso(sheet.rows[column], order, style).alias(column))), found


def settled_order(sheet: Sheet, column: str, declared: str) -> tuple[str, list[Finding]]:
    """The order of day and month in a column: declared, or settled by its values, or asked for by a finding."""
    if declared:
        return declared, []
    parts = _groups(sheet.rows[column], _MOMENT).with_columns(sheet.rows[ROW]).filter(_NEEDS_ORDER)
    a, b = (pl.col(name).cast(pl.Int32) for name in "ab")
    day_first = parts.filter((a > 12) & (b <= 12))
    month_first = parts.filter((b > 12) & (a <= 12))
    where = Where(sheet.file, row=_first_row(parts), field=column)
    facts: dict[str, Fact]
    if parts.is_empty():
        return "", []
    if len(day_first) and len(month_first):
        facts = {"day_first": _first_row(day_first), "month_first": _first_row(month_first)}
        return "", [Finding("date-orders-mixed", facts, where)]
    two_hands = parts["mark"].n_unique() > 1  # 01.05.2024 says nothing about 05/13/2024
    if two_hands or (day_first.is_empty() and month_first.is_empty()):
        example = sheet.rows.filter(pl.col(ROW) == where.row)[column][0]
        facts = {"value": shown(str(example)), "rows": parts.height, "known": ", ".join(ORDERS)}
        return "", [Finding("date-order-unknown", facts, where)]
    order, rows = ("day-first", day_first) if len(day_first) else ("month-first", month_first)
    settled = Where(sheet.file, row=_first_row(rows), field=column)
    facts = {"order": order, "rows": rows.height, "of": parts.height}
    return order, [Finding("date-order-settled", facts, settled, Severity.NOTE)]


def _first_row(rows: pl.DataFrame) -> int | None:
    return int(rows[ROW][0]) if len(rows) else None


def _groups(text: pl.Series, pattern: str) -> pl.DataFrame:
    """The named groups of a pattern as columns, null where the text does not match. Wide digits are digits (NFKC)."""
    return text.str.normalize("NFKC").str.extract_groups(pattern).struct.unnest()


# No year in the first place. Two numbers between colons are a time of day, and no date.
_NEEDS_ORDER = (pl.col("a").str.len_chars() < 4) & (pl.col("mark") != ":")


def _notes(sheet: Sheet, column: str, style: DateStyle) -> list[Finding]:
    """What was taken for granted: midnight, serial days."""
    groups = _groups(sheet.rows[column], _MOMENT)
    bare = groups.select(pl.col("a").is_not_null() & pl.col("hour").is_null() & pl.col("clock").is_null()).to_series()
    serial = sheet.rows[column].str.normalize("NFKC").str.contains(_SERIAL) & bool(style.epoch)
    found = []
    for rule, wrong in (("date-without-time", bare), ("serial-dates", serial)):
        rows = sheet.rows.filter(wrong)
        if len(rows):
            file = rows[FILE][0] if sheet.has(FILE) else sheet.file
            facts = {"rows": rows.height, "epoch": style.epoch} if rule == "serial-dates" else {"rows": rows.height}
            found.append(Finding(rule, facts, Where(file, row=_first_row(rows), field=column), Severity.NOTE))
    return found


# --- one text ---


def _iso(text: pl.Series, order: str, style: DateStyle) -> pl.Series:
    """ISO 8601 text of written dates and times, the text itself where it is none."""
    written = _groups(text, _MOMENT).select(_written(order, style).alias("iso"))
    if style.epoch:
        counted = _groups(text, _SERIAL).select(_serial(style).alias("serial"))
        written = written.with_columns(counted).select(pl.coalesce("iso", "serial").alias("iso"))
    known = pl.col("iso").str.head(19).str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False)
    readable = written.select(pl.when(known.is_not_null()).then("iso").alias("iso")).to_series()
    return readable.zip_with(readable.is_not_null(), text)


def _written(order: str, style: DateStyle) -> pl.Expr:
    declared = ORDERS.get(order, ORDERS["year-first"])
    year_first = pl.col("a").str.len_chars() == 4
    year, month, day = (
        pl.when(year_first).then(pl.col(plain)).otherwise(pl.col(name))
        for plain, name in zip("abc", declared, strict=True)
    )
    date = pl.concat_str([_full_year(year), month.str.zfill(2), day.str.zfill(2)], separator="-")
    offset = pl.col("offset").fill_null("")
    readable = year_first | (_NEEDS_ORDER & pl.lit(value=bool(order)))
    return pl.when(readable).then(pl.concat_str([date, pl.lit("T"), _clock(style), offset]))


def _full_year(year: pl.Expr) -> pl.Expr:
    """Two digits are 1969 to 2068 (POSIX); one or three digits are no year, and stay unreadable."""
    number = year.cast(pl.Int32, strict=False)
    full = pl.when(number < 69).then(number + 2000).otherwise(number + 1900).cast(pl.String)
    return pl.when(year.str.len_chars() == 2).then(full).otherwise(year)


def _clock(style: DateStyle) -> pl.Expr:
    """``hh:mm:ss`` of the time of day beside a date; midnight where there is none."""
    noon = pl.coalesce(pl.col("before"), pl.col("after")).str.to_lowercase()
    hour = pl.col("hour").cast(pl.Int32, strict=False)
    twelve = pl.when(hour.is_between(1, 12)).then(hour % 12 + 12 * noon.is_in(_AFTERNOON).cast(pl.Int32))
    hour_text = pl.when(noon.is_null()).then(hour).otherwise(twelve).cast(pl.String).str.zfill(2)
    second = pl.col("second").fill_null("0").str.replace(",", ".", literal=True)
    whole, rest = second.str.extract(r"^(\d+)").str.zfill(2), second.str.extract(r"(\.\d+)$").fill_null("")
    written = pl.concat_str([hour_text, pl.lit(":"), pl.col("minute").str.zfill(2), pl.lit(":"), whole, rest])
    number = pl.col("clock").str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    kept = _of_day(number / 86_400 if style.clock == "seconds" else number)
    nothing = pl.col("hour").is_null() & pl.col("clock").is_null()
    return pl.when(nothing).then(pl.lit("00:00:00")).when(pl.col("hour").is_not_null()).then(written).otherwise(kept)


def _of_day(share: pl.Expr) -> pl.Expr:
    """``hh:mm:ss.ffffff`` of a share of a day; null from a whole day on."""
    micros = (share * _DAY_US / 1000).round().cast(pl.Int64, strict=False) * 1000  # spreadsheets keep milliseconds
    time = pl.when(share < 1).then(micros)
    return pl.from_epoch(time, "us").dt.strftime("%H:%M:%S%.6f")


def _serial(style: DateStyle) -> pl.Expr:
    """ISO text of a spreadsheet's day number, with a time of day in its fraction or beside it."""
    day = pl.col("day").cast(pl.Int64, strict=False)
    possible = day.is_between(_OLDEST_SERIAL, _NEWEST_SERIAL)
    date = pl.from_epoch((day + EPOCHS[style.epoch]) * _DAY_US, "us").dt.strftime("%Y-%m-%d")
    share = ("0" + pl.col("share").str.replace(",", ".", literal=True)).cast(pl.Float64, strict=False)
    clock = pl.coalesce(_of_day(share), _clock(style))
    return pl.when(possible).then(pl.concat_str([date, pl.lit("T"), clock]))
