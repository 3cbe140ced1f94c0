"""Tables whose columns carry our own names, in a folder or zip: the plain form of counts and genotypes."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from sharedrange.core.contents import Delivered
from sharedrange.core.files import folder_hash
from sharedrange.core.finding import Finding, Severity, Where, errors
from sharedrange.core.sheets import as_written
from sharedrange.exchange.assembling import assembled
from sharedrange.exchange.by_mapping import mapping_file
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.grids import SUFFIXES, default_delimiter
from sharedrange.exchange.mapping import Source, TableMap, mapped
from sharedrange.exchange.opening import Opened, open_path, shown
from sharedrange.exchange.spreadsheets import read_mapped
from sharedrange.exchange.tables import ROW, Sheet, missing_columns, read_csv
from sharedrange.exchange.targets import TARGETS

Prepare = Callable[[Sheet], tuple[Sheet, list[Finding]]]


def read_native(
    folder: Path, delivery: Delivery, tables: Sequence[str], prepare: Prepare = lambda sheet: (sheet, [])
) -> tuple[Delivered | None, tuple[Finding, ...]]:
    """What a folder or zip delivers in tables of our own columns, or by its mapping file if it has one.

    `tables`: names of targets; the first must be there. `prepare` may rearrange a sheet of the last of them before it
    is typed. None if a finding is an error.
    """
    opened, found = open_path(folder)
    if opened is None:
        return None, tuple(found)
    if mapping_file(opened, delivery):
        delivered, found = read_mapped(opened, delivery)
        return delivered, tuple(found)
    sheets: dict[str, Sheet] = {}
    unused: list[str] = []
    for table in tables:
        sheet, more = _sheet(opened, table, delivery, needed=table == tables[0])
        found += more
        if sheet is not None and table == tables[-1]:
            sheet, more = prepare(sheet)
            found += more
        if sheet is not None:
            sheets[table], left, more = _filled(sheet, table, delivery)
            found += more
            unused += left
    found += _unread(opened, delivery, tables)
    if errors(found):
        return None, tuple(found)
    delivered, more = assembled(sheets, delivery, folder_hash(folder), unused)
    return delivered, (*found, *more)


def _sheet(opened: Opened, table: str, delivery: Delivery, *, needed: bool) -> tuple[Sheet | None, list[Finding]]:
    """The text of one table's file: what the delivery names, else ``<table>.csv`` or ``.tsv``."""
    name = _name(opened, table, delivery)
    if not name:
        missing = (
            [Finding("no-table", {"table": table, "names": f"{table}.csv"}, Where(file=f"{table}.csv"))]
            if needed
            else []
        )
        return None, missing
    text, found = opened.text(name, delivery.encoding)
    if text is None:
        return None, found
    sheet, found = read_csv(shown(name), text, default_delimiter(name))
    if sheet is None:
        return None, found
    plain = (as_written(pl.col(column)).alias(column) for column in sheet.rows.columns if column != ROW)
    return sheet.with_rows(sheet.rows.with_columns(plain)), found


def _name(opened: Opened, table: str, delivery: Delivery) -> str:
    if named := delivery.files.get(table, ""):
        return named
    usual = (f"{table}.csv", f"{table}.tsv")
    return next((name for name in sorted(opened.sizes) if posixpath.basename(name).lower() in usual), "")


def _filled(sheet: Sheet, table: str, delivery: Delivery) -> tuple[Sheet, list[str], list[Finding]]:
    """A sheet of our columns, typed; the columns that are none of ours; findings."""
    target = TARGETS[table]
    columns = {name: Source((name,)) for name in target.names if sheet.has(name)}
    plan = TableMap(table, sheet.file, columns, date_order=delivery.date_order)
    filled, found = mapped(sheet, plan, delivery.timezone)
    found += [f for f in missing_columns(sheet, target.needed) if f not in found]
    own = (ROW, *target.schema)
    unused = [name for name in sheet.rows.columns if name not in own]
    found += [Finding("unused-column", {"column": shown(c)}, Where(sheet.file), Severity.NOTE) for c in unused]
    return _with_texts(sheet, filled, table), [f"{sheet.file}: {column}" for column in unused], found


def _with_texts(sheet: Sheet, filled: Sheet, table: str) -> Sheet:
    """`filled` with the text of times that an earlier delivery kept, where the sheet has it."""
    texts = [name for name in TARGETS[table].own if name.endswith("_text") and sheet.has(name)]
    return filled.with_rows(filled.rows.with_columns(sheet.rows[name].alias(name) for name in texts))


def _unread(opened: Opened, delivery: Delivery, tables: Sequence[str]) -> list[Finding]:
    read = {_name(opened, table, delivery) for table in tables}
    return [
        Finding("unread-file", {"path": shown(name)}, Where(file=shown(name)), Severity.WARNING)
        for name in sorted(opened.sizes)
        if name.lower().endswith(SUFFIXES) and name not in read
    ]


def written_times(table: pl.DataFrame) -> pl.DataFrame:
    """A table with its times as ISO 8601 in UTC; their original texts stay in their own columns."""
    times = [name for name, dtype in table.schema.items() if dtype.base_type() == pl.Datetime]
    return table.with_columns(pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ") for name in times)
