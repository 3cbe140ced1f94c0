"""Door `spreadsheet`: CSV, TSV and Excel sheets of any layout, read by a mapping that the team made once.

``mapping.toml`` in the delivery (or the file that `files.mapping` names) says which of their columns are which of ours;
`proposing.propose_mapping` writes a first one from the names of the columns. Timelapse's CSV is read this way.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from sharedrange.core.contents import Delivered
from sharedrange.core.files import folder_hash
from sharedrange.core.finding import Fact, Finding, Severity, Where, errors
from sharedrange.exchange.assembling import assembled, gathered_by
from sharedrange.exchange.delivery import FILE_NAME, Delivery
from sharedrange.exchange.grids import SUFFIXES, read_sheet
from sharedrange.exchange.mapping import MAPPING_FILE, MAX_BYTES, SheetMapping, TableMap, mapped, read_mapping, unused
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


def mapping_file(opened: Opened, delivery: Delivery) -> str:
    """Name of the delivery's mapping file; "" if it has none."""
    named = delivery.files.get("mapping", "")
    return named or (MAPPING_FILE if MAPPING_FILE in opened.sizes else "")


def read_mapped(opened: Opened, delivery: Delivery) -> tuple[Delivered | None, list[Finding]]:
    """The contents of an opened delivery by its mapping file."""
    name = mapping_file(opened, delivery)
    if not name:
        return None, [Finding("no-mapping", {"file": MAPPING_FILE}, Where(file=MAPPING_FILE))]
    text, found = opened.text(name, "utf-8", MAX_BYTES)
    if text is None:
        return None, found
    mapping, found = read_mapping(text, shown(name))
    if mapping is None:
        return None, found
    return _by_mapping(opened, delivery, mapping)


def _by_mapping(opened: Opened, delivery: Delivery, mapping: SheetMapping) -> tuple[Delivered | None, list[Finding]]:
    pairs: list[tuple[str, Sheet]] = []
    leftovers: dict[tuple[str, str], list[str]] = {}
    read_before: dict[tuple[object, ...], tuple[Sheet | None, int, list[Finding]]] = {}
    found: list[Finding] = []
    for table in mapping.tables:
        names = _files(opened, table.file)
        if not names:
            found.append(_no_file(opened, table))
        for name in names:
            layout = (name, table.sheet, table.encoding, table.delimiter, table.skip_rows, table.header_rows)
            if layout not in read_before:  # a workbook that fills three tables is parsed once
                read_before[layout] = read_sheet(opened, name, table, delivery.encoding)
            sheet, epoch, more = read_before[layout]
            if sheet is not None:
                leftovers[(sheet.file, table.sheet)] = unused(sheet, _siblings(mapping, name, table))
                filled, rest = mapped(sheet, _told(table, epoch, delivery), delivery.timezone)
                pairs.append((table.to, filled))
                more = [*more, *rest]
            found += more
    found = list(dict.fromkeys(found))
    found += _unread(opened, mapping)
    left = [(file, column) for (file, _), columns in leftovers.items() for column in columns]
    found += [Finding("unused-column", {"column": shown(c)}, Where(f), Severity.NOTE) for f, c in left]
    if errors(found):
        return None, found
    not_carried = [f"{file}: {column}" for file, column in left]
    delivered, more = assembled(gathered_by(pairs), delivery, folder_hash(opened.path), not_carried)
    return delivered, [*found, *more]


def _siblings(mapping: SheetMapping, name: str, table: TableMap) -> list[TableMap]:
    """The tables of the mapping that read the same sheet."""
    return [t for t in mapping.tables if t.sheet == table.sheet and (name == t.file or fnmatchcase(name, t.file))]


def _told(table: TableMap, epoch: int, delivery: Delivery) -> TableMap:
    """`table` with what the workbook and the delivery say where the mapping is silent."""
    return replace(table, date_system=table.date_system or epoch, date_order=table.date_order or delivery.date_order)


def _files(opened: Opened, pattern: str) -> list[str]:
    """Names in the delivery that a mapping's `file` stands for, in order."""
    return sorted(name for name in opened.sizes if name == pattern or fnmatchcase(name, pattern))


def _no_file(opened: Opened, table: TableMap) -> Finding:
    near = difflib.get_close_matches(table.file, _sheets(opened), n=1, cutoff=0.0)
    facts: dict[str, Fact] = {
        "file": shown(table.file),
        "nearest": shown(near[0]) if near else "",
        "table": table.number,
    }
    return Finding("mapped-file-missing", facts, Where(file=MAPPING_FILE, table=f"table {table.number}", field="file"))


def _sheets(opened: Opened) -> list[str]:
    return sorted(name for name in opened.sizes if name.lower().endswith(SUFFIXES))


def _unread(opened: Opened, mapping: SheetMapping) -> list[Finding]:
    """A warning for each sheet of the delivery that the mapping does not speak of."""
    patterns: Sequence[str] = [table.file for table in mapping.tables]
    return [
        Finding("unread-file", {"path": shown(name)}, Where(file=shown(name)), Severity.WARNING)
        for name in _sheets(opened)
        if name != FILE_NAME and not any(name == p or fnmatchcase(name, p) for p in patterns)
    ]
