"""Sheets that a door made itself (features, submissions) to our tables, by the team's mapping file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.mapping import MAPPING_FILE, MAX_BYTES, mapped, read_mapping, unused
from sharedrange.exchange.opening import Opened, shown
from sharedrange.exchange.spreadsheets import mapping_file
from sharedrange.exchange.tables import Sheet


@dataclass(slots=True)
class Filled:
    """Typed sheets by target, findings, and the columns that nothing took, as ``file: column``."""

    sheets: list[tuple[str, Sheet]] = field(default_factory=list)
    found: list[Finding] = field(default_factory=list)
    not_carried: list[str] = field(default_factory=list)


def fill(opened: Opened, sheets: Sequence[Sheet], delivery: Delivery, optional: Collection[str] = ()) -> Filled:
    """`sheets` by the mapping of the delivery: `file` of its tables is matched with the names of the sheets.

    A sheet that no table of the mapping speaks of is an error, since its rows would be lost; a note if `optional`.
    Columns whose names begin with ``@`` were made by the door, and are not missed.
    """
    name = mapping_file(opened, delivery)
    if not name:
        names = ", ".join(shown(sheet.file) for sheet in sheets)
        return Filled(
            found=[Finding("needs-mapping", {"file": MAPPING_FILE, "sheets": names}, Where(file=MAPPING_FILE))]
        )
    text, found = opened.text(name, "utf-8", MAX_BYTES)
    mapping, wrong = (None, found) if text is None else read_mapping(text, shown(name))
    filled = Filled(found=wrong)
    if mapping is None:
        return filled
    for sheet in sheets:
        tables = [t for t in mapping.tables if sheet.file == t.file or fnmatchcase(sheet.file, t.file)]
        if not tables:
            facts = {"path": shown(sheet.file), "file": shown(name)}
            severity = Severity.NOTE if sheet.file in optional else Severity.ERROR
            filled.found.append(Finding("sheet-not-mapped", facts, Where(file=shown(sheet.file)), severity))
        for table in tables:
            ordered = replace(table, date_order=table.date_order or delivery.date_order)
            typed, more = mapped(sheet, ordered, delivery.timezone)
            filled.sheets.append((table.to, typed))
            filled.found += more
        left = unused(sheet, tables) if tables else []
        for column in (name for name in left if not name.startswith("@")):
            filled.not_carried.append(f"{sheet.file}: {column}")
            where = Where(shown(sheet.file))
            filled.found.append(Finding("unused-column", {"column": shown(column)}, where, Severity.NOTE))
    return filled
