"""Sheets of text whose columns carry our names already, as doors make them, to typed sheets of a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from sharedrange.core.contents import Delivered
from sharedrange.core.finding import Finding, Where, errors
from sharedrange.exchange.assembling import assembled, gathered_by
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.mapping import Source, TableMap, mapped
from sharedrange.exchange.tables import ROW, Sheet
from sharedrange.exchange.targets import TARGETS


def text_sheet(file: str, columns: Sequence[str], rows: Sequence[tuple[int, Mapping[str, str | None]]]) -> Sheet:
    """Text cells by column, each row with its line number (0 where the file has no lines)."""
    cells = [(row, *(given.get(name) for name in columns)) for row, given in rows]
    schema = {ROW: pl.Int64, **dict.fromkeys(columns, pl.String)}
    return Sheet(file, pl.DataFrame(cells, schema=schema, orient="row"))


def finished(
    sheets: Sequence[tuple[str, Sheet]],
    delivery: Delivery,
    source: str,
    not_carried: Sequence[str],
    found: list[Finding],
) -> tuple[Delivered | None, tuple[Finding, ...]]:
    """What typed sheets deliver, after the findings that a door made already; None if any is an error."""
    delivered, more = assembled(gathered_by(sheets), delivery, source, sorted(not_carried))
    if errors(found):  # then it is no news that nothing is left
        more = [finding for finding in more if finding.rule != "nothing-delivered"]
    return (None if errors(found) else delivered), tuple(dict.fromkeys((*found, *more)))


def nothing(table: str, names: str, found: Sequence[Finding]) -> tuple[None, tuple[Finding, ...]]:
    """What a door answers that found no table: why, unless another error says it already."""
    absent = () if errors(list(found)) else (Finding("no-table", {"table": table, "names": names}, Where(table=table)),)
    return None, (*found, *absent)


def fitted(to: str, sheet: Sheet, timezone: str, date_order: str = "") -> tuple[Sheet, list[Finding]]:
    """A text sheet as the typed sheet of target `to`; a column ``<time> written`` is the time as it first stood."""
    target = TARGETS[to]
    columns = {name: Source((name,)) for name in target.names if sheet.has(name)}
    typed, found = mapped(sheet, TableMap(to, sheet.file, columns, date_order=date_order), timezone)
    texts = {f"{name}_text": f"{name} written" for name in target.names if sheet.has(f"{name} written")}
    originals = [sheet.rows[written].alias(text) for text, written in texts.items() if text in target.schema]
    return typed.with_rows(typed.rows.with_columns(originals)), found
