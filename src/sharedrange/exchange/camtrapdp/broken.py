"""What is broken, kept as columns: a rule, a field, and the rows that break it. Findings are made of them at the end.

A million broken rows are a table of a million rows here, and a few hundred findings and a count for the reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import polars as pl

from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.exchange.opening import shown
from sharedrange.exchange.tables import ROW

SHOWN_ROWS = 200  # findings of one rule and field; the rest is a number


@dataclass(frozen=True, slots=True)
class Broken:
    """Rows that break one rule. `rows` holds `ROW` and the facts of the rule; `once`: one finding tells of all rows."""

    rule: str
    file: str
    table: str
    field: str | None
    rows: pl.DataFrame
    severity: Severity = Severity.ERROR
    once: bool = False


def broken(
    where: tuple[str, str],
    rule: str,
    field: str | None,
    rows: pl.DataFrame,
    severity: Severity = Severity.ERROR,
    *,
    once: bool = False,
) -> list[Broken]:
    """A list of one, or of none where no row is broken. `where`: file and table."""
    return [Broken(rule, *where, field, rows, severity, once)] if rows.height else []


def joined(parts: Iterable[Broken]) -> list[Broken]:
    """What slices of a table found, put together by rule and field, the rows in order."""

    def key(b: Broken) -> tuple[str, str, str, str, str]:
        return b.file, b.table, b.field or "", b.rule, b.severity

    groups = [list(group) for _, group in groupby(sorted(parts, key=key), key)]
    return [replace(group[0], rows=pl.concat(b.rows for b in group).sort(ROW)) for group in groups]


def findings(all_broken: Iterable[Broken]) -> list[Finding]:
    """Findings by row: at most `SHOWN_ROWS` of each rule and field, then how many more there are."""
    return [finding for b in all_broken for finding in (_once(b) if b.once else _by_row(b))]


def _once(b: Broken) -> list[Finding]:
    facts = _facts(b.rows.columns, b.rows.row(0)) | {"rows": b.rows.height}
    return [Finding(b.rule, facts, Where(b.file, None, b.rows[ROW][0], b.field), b.severity)]


def _by_row(b: Broken) -> list[Finding]:
    names = b.rows.columns
    found = [
        Finding(b.rule, _facts(names, row), Where(b.file, None, row[names.index(ROW)], b.field), b.severity)
        for row in b.rows.head(SHOWN_ROWS).iter_rows()
    ]
    if b.rows.height > SHOWN_ROWS:
        more: dict[str, Fact] = {"rule": b.rule, "rows": b.rows.height - SHOWN_ROWS}
        found.append(Finding("more-of-the-same", more, Where(b.file, None, None, b.field), b.severity))
    return found


def _facts(names: Sequence[str], row: Sequence[object]) -> dict[str, Fact]:
    return {name: _fact(value) for name, value in zip(names, row, strict=True) if name != ROW}


def _fact(value: object) -> Fact:
    if value is None or isinstance(value, bool | int | float):
        return value
    return shown(str(value))
