"""Door `spreadsheet`: CSV, TSV and Excel sheets of any layout, read by a mapping that the team made once.

``mapping.toml`` in the delivery (or the file that `files.mapping` names) says which of their columns are which of ours;
`proposing.propose_mapping` writes a first one from the names of the columns. Timelapse's CSV is read this way.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from sharedrange.core.contents import Delivered
from sharedrange.core.files import folder_hash
from sharedrange.core.finding import Fact, Finding, Severity, Where, errors
from sharedrange.exchange.assembling import assembled, gathered_by
from sharedrange.exchange.by_mapping import Filled, load_mapping, mapping_file, speaks_of
from sharedrange.exchange.delivery import FILE_NAME, Delivery
from sharedrange.exchange.grids import MAX_WORKBOOK_BYTES, SUFFIXES, WORKBOOKS, open_workbook, read_sheet
from sharedrange.exchange.mapping import MAPPING_FILE, SheetMapping, TableMap
from sharedrange.exchange.opening import Opened, open_path, shown
from sharedrange.exchange.proposing import propose_mapping
from sharedrange.exchange.tables import Sheet

__all__ = ["MAPPING_FILE", "propose_mapping", "read", "read_mapped"]


def read(folder: Path, delivery: Delivery) -> tuple[Delivered | None, tuple[Finding, ...]]:
    """What the sheets of a folder or zip deliver by their mapping; None if a finding is an error."""
    opened, found = open_path(folder)
    if opened is None:
        return None, tuple(found)
    delivered, found = read_mapped(opened, delivery)
    return delivered, tuple(found)


def read_mapped(opened: Opened, delivery: Delivery) -> tuple[Delivered | None, list[Finding]]:
    """The contents of an opened delivery by its mapping file."""
    name = mapping_file(opened, delivery)
    if not name:
        return None, [Finding("no-mapping", {"file": MAPPING_FILE}, Where(file=MAPPING_FILE)), *_harmful(opened)]
    mapping, found = load_mapping(opened, name)
    if mapping is None:
        return None, found
    filled = _filled(opened, delivery, mapping)
    found = list(dict.fromkeys(filled.found))
    if errors(found):
        return None, found
    sheets = gathered_by(filled.sheets)
    delivered, more = assembled(sheets, delivery, folder_hash(opened.path), filled.not_carried)
    return delivered, [*found, *more]


def _filled(opened: Opened, delivery: Delivery, mapping: SheetMapping) -> Filled:
    """The sheets of the files that the mapping names."""
    filled = Filled()
    read_before: dict[tuple[object, ...], tuple[Sheet | None, int, list[Finding]]] = {}
    sheets: dict[tuple[str, str], tuple[Sheet, list[TableMap]]] = {}
    for table in mapping.tables:
        names = sorted(name for name in opened.sizes if speaks_of(table, name))
        if not names:
            filled.found.append(_no_file(opened, table))
        for name in names:
            layout = (name, table.sheet, table.encoding, table.delimiter, table.skip_rows, table.header_rows)
            if layout not in read_before:  # a workbook that fills three tables is parsed once
                read_before[layout] = read_sheet(opened, name, table, delivery.encoding)
            sheet, epoch, found = read_before[layout]
            filled.found += found
            if sheet is not None:
                sheets[(sheet.file, table.sheet)] = (sheet, _siblings(mapping, name, table))
                filled.take(sheet, table, delivery, epoch)
    filled.found += _unread(opened, mapping)
    for sheet, tables in sheets.values():
        filled.leave(sheet, tables)
    return filled


def _siblings(mapping: SheetMapping, name: str, table: TableMap) -> list[TableMap]:
    """The tables of the mapping that read the same sheet."""
    return [other for other in mapping.tables if other.sheet == table.sheet and speaks_of(other, name)]


def _no_file(opened: Opened, table: TableMap) -> Finding:
    near = difflib.get_close_matches(table.file, _sheets(opened), n=1, cutoff=0.0)
    facts: dict[str, Fact] = {
        "file": shown(table.file),
        "nearest": shown(near[0]) if near else "",
        "table": table.number,
    }
    return Finding("mapped-file-missing", facts, Where(file=MAPPING_FILE, table=f"table {table.number}", field="file"))


def _harmful(opened: Opened) -> list[Finding]:
    """What keeps workbooks from being opened at all: nobody can be asked to map what cannot be looked at."""
    found: list[Finding] = []
    for name in (name for name in _sheets(opened) if name.lower().endswith(WORKBOOKS)):
        content, wrong = opened.read(name, MAX_WORKBOOK_BYTES)
        found += wrong if content is None else open_workbook(shown(name), content)[1]
    return found


def _sheets(opened: Opened) -> list[str]:
    return sorted(name for name in opened.sizes if name.lower().endswith(SUFFIXES))


def _unread(opened: Opened, mapping: SheetMapping) -> list[Finding]:
    """A warning for each sheet of the delivery that the mapping does not speak of."""
    return [
        Finding("unread-file", {"path": shown(name)}, Where(file=shown(name)), Severity.WARNING)
        for name in _sheets(opened)
        if name != FILE_NAME and not any(speaks_of(table, name) for table in mapping.tables)
    ]
