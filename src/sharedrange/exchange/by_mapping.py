"""Sheets of text to our tables by the team's mapping file, whichever door made the sheets."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.mapping import MAPPING_FILE, MAX_BYTES, SheetMapping, TableMap, mapped, read_mapping, unused
from sharedrange.exchange.opening import Opened, shown
from sharedrange.exchange.tables import Sheet

MADE = "@"  # how the names of columns begin that a door made itself


@dataclass(slots=True)
class Filled:
    """Typed sheets by target, findings, and the columns that nothing took, as ``file: column``.

    `made_places`: for each typed sheet, whether its positions are from columns that the door made.
    """

    sheets: list[tuple[str, Sheet]] = field(default_factory=list)
    found: list[Finding] = field(default_factory=list)
    not_carried: list[str] = field(default_factory=list)
    made_places: list[bool] = field(default_factory=list)

    def take(self, sheet: Sheet, table: TableMap, delivery: Delivery, epoch: int = 0) -> None:
        """Fill one table of ours from a sheet. `epoch`: what the workbook says of its serial dates, if it does."""
        told = replace(
            table, date_system=table.date_system or epoch, date_order=table.date_order or delivery.date_order
        )
        typed, found = mapped(sheet, told, delivery.timezone)
        self.sheets.append((table.to, typed))
        self.found += found
        x = table.columns.get("x")
        self.made_places.append(x is not None and all(name.startswith(MADE) for name in x.columns))

    def leave(self, sheet: Sheet, tables: Sequence[TableMap]) -> None:
        """Name the columns of a sheet that none of its tables took, in one note: the mapping leaves them on purpose."""
        left = [name for name in unused(sheet, tables) if not name.startswith(MADE)]
        self.not_carried += [f"{sheet.file}: {column}" for column in left]
        if left:
            facts: dict[str, Fact] = {"columns": ", ".join(map(shown, left)), "number": len(left)}
            self.found.append(Finding("not-carried", facts, Where(shown(sheet.file)), Severity.NOTE))


def mapping_file(opened: Opened, delivery: Delivery) -> str:
    """Name of the delivery's mapping file; "" if it has none."""
    named = delivery.files.get("mapping", "")
    return named or (MAPPING_FILE if MAPPING_FILE in opened.sizes else "")


def load_mapping(opened: Opened, name: str) -> tuple[SheetMapping | None, list[Finding]]:
    """The mapping in a file of the delivery; None if there is a finding."""
    text, found = opened.text(name, "utf-8", MAX_BYTES)
    return (None, found) if text is None else read_mapping(text, shown(name))


def speaks_of(table: TableMap, name: str) -> bool:
    """Whether a table of a mapping is filled from the file or sheet of this name."""
    return name == table.file or fnmatchcase(name, table.file)


def fill(opened: Opened, sheets: Iterable[Sheet], delivery: Delivery, optional: Collection[str] = ()) -> Filled:
    """Sheets that a door made itself (features, submissions) by the mapping of the delivery.

    `file` of its tables is matched with the names of the sheets. A sheet that no table of the mapping speaks of is an
    error, since its rows would be lost; a note if `optional`.
    """
    sheets, name = list(sheets), mapping_file(opened, delivery)
    if not name:
        facts = {"file": MAPPING_FILE, "sheets": ", ".join(shown(sheet.file) for sheet in sheets)}
        return Filled(found=[Finding("needs-mapping", facts, Where(file=MAPPING_FILE))])
    mapping, found = load_mapping(opened, name)
    filled = Filled(found=found)
    if mapping is None:
        return filled
    for sheet in sheets:
        tables = [table for table in mapping.tables if speaks_of(table, sheet.file)]
        for table in tables:
            filled.take(sheet, table, delivery)
        if tables:
            filled.leave(sheet, tables)
        else:
            facts = {"path": shown(sheet.file), "file": shown(name)}
            severity = Severity.NOTE if sheet.file in optional else Severity.ERROR
            filled.found.append(Finding("sheet-not-mapped", facts, Where(file=shown(sheet.file)), severity))
    return filled
