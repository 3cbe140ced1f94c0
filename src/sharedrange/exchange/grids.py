"""Cells of any spreadsheet: delimited text and Excel workbooks, as a `Sheet` of text under the names of its header.

A workbook is opened only after its archive and its XML have been checked. Values are read as Excel last kept them; no
formula is computed, no external link is followed, no macro is run.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import openpyxl
from openpyxl.utils.cell import range_boundaries
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.exchange.mapping import TableMap, name_of
from sharedrange.exchange.opening import MAX_RATIO, MIB, RATIO_MATTERS_FROM_BYTES, Opened, shown
from sharedrange.exchange.tables import MAX_COLUMNS, Sheet, sheet_of, split

WORKBOOKS = (".xlsx", ".xlsm")
TEXTS = (".csv", ".tsv", ".txt")
SUFFIXES = (*TEXTS, *WORKBOOKS)
MAX_WORKBOOK_BYTES = (
    256 * MIB
)  # packed, and all of its XML unpacked; a million rows of ten cells are about 300 MB of XML
MAX_ROWS = 1_048_576  # of an Excel sheet
MAX_MERGED_CELLS = 1_000_000
MAX_XML_PARTS = 10_000
LEVELS = " / "  # between the rows of a header
TITLE_WIDTH = 2  # a row of at most so many different cells above a wider one is a title, not a header
TOP_ROWS = 10  # in which the header is looked for
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]{1,3}[0-9]{1,7}:[A-Z]{1,3}[0-9]{1,7})"')
_NOT_COMPUTED = re.compile(
    rb'<(?:\w+:)?c\s[^>]*?r="[A-Z]{1,3}([0-9]{1,7})"[^>]*>\s*<(?:\w+:)?f(?:\s[^>]*)?(?:/>|>[^<]*</(?:\w+:)?f>)'
    rb"\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v></(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
_ERROR_VALUES = ("#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!")


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells of one sheet as text, by row. `rows`: (line, cells); the line is what the program shows.

    `epoch`: 1900 or 1904 if whole numbers in it may be days (a workbook says which), else 0.
    """

    file: str
    rows: Sequence[tuple[int, Sequence[str]]]
    epoch: int = 0
    is_text: bool = True


@dataclass(frozen=True, slots=True)
class Workbook:
    """A checked workbook. `names`: its sheets; `xml`: sheet -> the bytes of its part."""

    file: str
    content: bytes
    names: Sequence[str]
    epoch: int
    xml: Mapping[str, bytes] = field(repr=False)


def read_sheet(opened: Opened, name: str, table: TableMap, encoding: str) -> tuple[Sheet | None, int, list[Finding]]:
    """One file of a delivery as the sheet that `table` speaks of, and the date system that it says (0: none).

    `encoding`: of the delivery, where the mapping says nothing. None if a finding is an error.
    """
    grid, found = read_grid(opened, name, table.sheet, table.encoding or encoding, table.delimiter)
    if grid is None:
        return None, 0, found
    sheet, more = with_header(grid, table.skip_rows, table.header_rows)
    return sheet, grid.epoch, [*found, *more]


def read_grid(
    opened: Opened, name: str, sheet: str, encoding: str, delimiter: str = ""
) -> tuple[Grid | None, list[Finding]]:
    """Cells of one file, text or workbook; `sheet`: of a workbook, "" for the first."""
    if name.lower().endswith(WORKBOOKS):
        content, found = opened.read(name, MAX_WORKBOOK_BYTES)
        if content is None:
            return None, found
        book, found = open_workbook(shown(name), content)
        return (None, found) if book is None else workbook_grid(book, sheet)
    text, found = opened.text(name, encoding)
    if text is None:
        return None, found
    return text_grid(shown(name), text, delimiter or default_delimiter(name))


def default_delimiter(name: str) -> str:
    """Tabulator for .tsv and .txt, else a comma."""
    return "\t" if name.lower().endswith((".tsv", ".txt")) else ","


# --- text ---


def text_grid(file: str, text: str, delimiter: str) -> tuple[Grid | None, list[Finding]]:
    """Cells of delimited text. Broken quotes are an error, as nobody knows where the rows after them begin."""
    rows: list[tuple[int, list[str]]] = []
    try:
        rows.extend(split(text, delimiter))
    except csv.Error:
        line = rows[-1][0] + 1 if rows else 1
        return None, [Finding("broken-quotes", {}, Where(file=file, row=line))]
    return Grid(file, rows), []


# --- workbooks ---


def open_workbook(file: str, content: bytes) -> tuple[Workbook | None, list[Finding]]:
    """A workbook whose archive and XML are harmless; None and a finding if they are not, or cannot be read."""
    try:
        found = _unsafe(file, content)
        return (None, found) if found else (_workbook(file, content), [])
    except Exception:  # noqa: BLE001, RUF100  (a hostile workbook makes openpyxl raise anything)
        return None, [Finding("file-damaged", {"path": file}, Where(file=file))]


def _unsafe(file: str, content: bytes) -> list[Finding]:
    """What makes a workbook dangerous: growth, document types, encodings in which a document type could hide."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = archive.infolist()
        total = sum(part.file_size for part in parts)
        grows = total > RATIO_MATTERS_FROM_BYTES and total > MAX_RATIO * len(content)
        if grows or total > MAX_WORKBOOK_BYTES or len(parts) > MAX_XML_PARTS:
            facts: dict[str, Fact] = {"path": file, "unpacked_mib": total // MIB, "packed_mib": len(content) // MIB}
            return [Finding("zip-bomb", facts, Where(file=file))]
        for part in parts:
            if _declares(_part(archive, part)):
                return [Finding("xml-with-entities", {}, Where(file=file))]
    return []


def _part(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> bytes:
    """Bytes of a part, at most as many as it says it has."""
    with archive.open(part) as stream:
        return stream.read(part.file_size)


def _declares(part: bytes) -> bool:
    """Whether XML declares a document type or an entity, or is in an encoding in which it could hide one.

    Every part is looked at: what a workbook calls its sheets is its own choice.
    """
    wide = part.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or (b"<" in part[:4] and b"\0" in part[:4])
    return wide or b"<!DOCTYPE" in part or b"<!ENTITY" in part


def _workbook(file: str, content: bytes) -> Workbook:
    book = _load(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = {s.title: archive.read(s._worksheet_path) for s in book.worksheets}  # noqa: SLF001, RUF100  (openpyxl tells a sheet's part nowhere else)
        epoch = 1904 if book.epoch == CALENDAR_MAC_1904 else 1900
        return Workbook(file, content, tuple(parts), epoch, parts)
    finally:
        book.close()


def _load(content: bytes) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl warns of styles and validations that hold no values
        return openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)


def workbook_grid(book: Workbook, sheet: str) -> tuple[Grid | None, list[Finding]]:
    """Cells of one sheet of a workbook, a merged cell's value in every cell that it covers."""
    if not book.names or (sheet and sheet not in book.names):
        facts = {"sheet": shown(sheet), "known": shown(", ".join(book.names))}
        return None, [Finding("no-such-sheet", facts, Where(file=book.file, field="sheet"))]
    name = sheet or book.names[0]
    try:
        rows, found = _cells(book, name)
        found += _not_computed(book, name)
        found += _fill_merged(book, name, rows)
    except Exception:  # noqa: BLE001, RUF100  (a hostile workbook makes openpyxl raise anything)
        return None, [Finding("file-damaged", {"path": book.file}, Where(file=book.file))]
    if any(f.severity is Severity.ERROR for f in found):
        return None, found
    lines = [(line, cells) for line, cells in rows.items() if any(cells)]
    return Grid(book.file, lines, book.epoch, is_text=False), found


def _cells(book: Workbook, name: str) -> tuple[dict[int, list[str]], list[Finding]]:
    """Line -> texts of the cells. Errors that Excel shows in a cell are findings, and the cell is empty."""
    loaded = _load(book.content)
    rows: dict[int, list[str]] = {}
    found: list[Finding] = []
    try:
        sheet = loaded[name]
        sheet.reset_dimensions()  # the size that a file claims for itself may be any
        for line, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
            if line > MAX_ROWS or len(cells) > MAX_COLUMNS:
                facts = {"limit": MAX_COLUMNS, "columns": len(cells)} if line <= MAX_ROWS else {"limit": MAX_ROWS}
                rule = "too-many-columns" if line <= MAX_ROWS else "sheet-too-long"
                return rows, [*found, Finding(rule, facts, Where(file=book.file, row=line))]
            texts = [cell_text(cell) for cell in cells]
            wrong = [text for text in texts if text in _ERROR_VALUES]
            found += [Finding("cell-error", {"value": text}, Where(book.file, row=line)) for text in wrong]
            rows[line] = ["" if text in _ERROR_VALUES else text for text in texts]
    finally:
        loaded.close()
    return rows, found


def cell_text(value: object) -> str:
    """A cell's value as text: ISO 8601 for dates, a point in numbers, ``true`` and ``false``.

    Examples
    --------
    >>> [cell_text(v) for v in (None, 3.0, 0.1, True, dt.datetime(2024, 5, 6, 17, 21), dt.time(7, 30), " a ")]
    ['', '3', '0.1', 'true', '2024-05-06 17:21:00', '07:30:00', 'a']
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, dt.datetime):
        midnight = value.time() == dt.time()
        return value.date().isoformat() if midnight else value.isoformat(" ")
    if isinstance(value, dt.timedelta):
        return str(value)
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value).strip()


def _not_computed(book: Workbook, name: str) -> list[Finding]:
    """Formulas that a file holds without a value: it was never opened in a spreadsheet program."""
    lines = [int(line) for line in _NOT_COMPUTED.findall(book.xml[name])]
    if not lines:
        return []
    return [Finding("formula-without-value", {"cells": len(lines)}, Where(file=book.file, row=lines[0]))]


def _fill_merged(book: Workbook, name: str, rows: dict[int, list[str]]) -> list[Finding]:
    """Write the value of each merged cell into all that it covers, in `rows`; a note says how many there are."""
    ranges = [range_boundaries(found.decode()) for found in _MERGED.findall(book.xml[name])]
    area = sum((right - left + 1) * (bottom - top + 1) for left, top, right, bottom in ranges)
    where = Where(file=book.file)
    if area > MAX_MERGED_CELLS:
        return [Finding("too-many-merged", {"cells": area, "limit": MAX_MERGED_CELLS}, where)]
    for left, top, right, bottom in ranges:
        _fill(rows, left - 1, top, right, bottom)
    return [Finding("merged-cells", {"ranges": len(ranges)}, where, Severity.NOTE)] if ranges else []


def _fill(rows: dict[int, list[str]], left: int, top: int, right: int, bottom: int) -> None:
    corner = rows.get(top, [])
    value = corner[left] if left < len(corner) else ""
    for line in range(top, bottom + 1):
        cells = rows.get(line)
        if cells is None or not value:
            continue
        cells.extend([""] * (right - len(cells)))
        cells[left:right] = [value] * (right - left)


# --- the header ---


def header_at(rows: Sequence[Sequence[str]]) -> int | None:
    """Which of the first rows is the header: the first that is wider than a title; None if there is none.

    Examples
    --------
    >>> header_at([["Cameras in 2024", ""], ["station", "x", "y"], ["A", "1", "2"]])
    1
    """
    widths = [len({cell.strip() for cell in cells} - {""}) for cells in rows[:TOP_ROWS]]  # a merged title is one cell
    return next((n for n, width in enumerate(widths) if width > TITLE_WIDTH), None)


def workbook_headers(file: str, content: bytes) -> tuple[tuple[str, ...], ...]:
    """The header of each sheet of a workbook that has one; none if it cannot be read. Only the first rows are read."""
    book, _ = open_workbook(file, content)
    tops = _tops(book) if book is not None else []
    found = [(rows, header_at(rows)) for rows in tops]
    return tuple(tuple(rows[n]) for rows, n in found if n is not None)


def _tops(book: Workbook) -> list[list[list[str]]]:
    """The first rows of every sheet."""
    loaded = _load(book.content)
    try:
        tops = (loaded[name].iter_rows(max_row=TOP_ROWS, max_col=MAX_COLUMNS, values_only=True) for name in book.names)
        return [[[cell_text(cell) for cell in cells] for cells in rows] for rows in tops]
    except Exception:  # noqa: BLE001, RUF100  (a hostile workbook makes openpyxl raise anything)
        return []
    finally:
        loaded.close()


def with_header(grid: Grid, skip_rows: int = 0, header_rows: int = 1) -> tuple[Sheet | None, list[Finding]]:
    """Cells under the names of their header, `skip_rows` lines above it left out.

    Names in several rows are joined by " / "; an empty name in an upper row is that of the column before, as merged
    cells leave it. Names that are there twice get a number: ``count (1)``, ``count (2)``. Rows wider than the header
    and, in text, rows that are narrower are findings.
    """
    rows = [(line, cells) for line, cells in grid.rows if line > skip_rows]
    header, body = rows[:header_rows], rows[header_rows:]
    if len(header) < header_rows:
        return None, [Finding("empty-file", {"path": grid.file}, Where(file=grid.file, row=1))]
    names = _names([cells for _, cells in header])
    if len(names) > MAX_COLUMNS:
        facts = {"columns": len(names), "limit": MAX_COLUMNS}
        return None, [Finding("too-many-columns", facts, Where(file=grid.file, row=header[0][0]))]
    records, found = _records(grid, names, body)
    sheet = sheet_of(grid.file, names, records)
    return sheet, found


def _names(header: Sequence[Sequence[str]]) -> list[str]:
    width = max(_filled(cells) for cells in header)
    levels = [[name_of(cell) for cell in cells[:width]] + [""] * (width - len(cells)) for cells in header]
    carried = [_carried(level) for level in levels[:-1]] + [levels[-1]]
    names = [LEVELS.join(dict.fromkeys(part for part in parts if part)) for parts in zip(*carried, strict=True)]
    return _numbered([name or f" column {n}" for n, name in enumerate(names, start=1)])


def _filled(cells: Sequence[str]) -> int:
    """Number of cells up to the last that holds something."""
    return max((n for n, cell in enumerate(cells, start=1) if cell.strip()), default=0)


def _carried(names: Sequence[str]) -> list[str]:
    carried, last = [], ""
    for name in names:
        last = name or last
        carried.append(last)
    return carried


def _numbered(names: Sequence[str]) -> list[str]:
    total, seen, done = Counter(names), Counter[str](), []
    for name in names:
        seen[name] += 1
        done.append(f"{name} ({seen[name]})" if total[name] > 1 else name)
    return done if len(set(done)) == len(done) else [f" column {n}" for n in range(1, len(names) + 1)]


def _records(
    grid: Grid, names: Sequence[str], body: Sequence[tuple[int, Sequence[str]]]
) -> tuple[list[tuple[int, Sequence[str]]], list[Finding]]:
    records: list[tuple[int, Sequence[str]]] = []
    found: list[Finding] = []
    width = len(names)
    empty: list[int] = []
    for line, cells in body:
        filled = _filled(cells)
        if filled == 0:
            empty.append(line)
        elif filled > width or (grid.is_text and len(cells) < width):
            facts = {"fields": len(cells), "expected": width}
            found.append(Finding("ragged-row", facts, Where(file=grid.file, row=line)))
        else:
            records.append((line, [*cells[:width], *[""] * (width - len(cells))]))
    if empty:
        where = Where(file=grid.file, row=empty[0])
        found.append(Finding("empty-rows", {"rows": len(empty)}, where, Severity.NOTE))
    return records, found
