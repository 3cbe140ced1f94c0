"""The text files that secr users have: capture and trap files, as sheets of text cells.

Formats: Efford, *Data input for secr* (vignette secr-datainput). A capture file has ``session ID occasion
trap [covariates]``, a trap file ``trapID x y [usage ...] [/ covariates]``; cells are separated by commas,
semicolons or white space, and ``#`` starts a comment. Where the last comment before the data has a word for
each cell it names the covariates; secr itself is told their names in the call.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sharedrange.core.finding import Finding, Where
from sharedrange.exchange.delivery import MAX_OCCASIONS
from sharedrange.exchange.tables import Sheet, sheet_of

CAPTURES = ("session", "id", "occasion", "trap")
TRAPS = ("trap", "x", "y")
_SEPARATOR = {",": re.compile(r"\s*,\s*"), ";": re.compile(r"\s*;\s*"), " ": re.compile(r"\s+")}


@dataclass(frozen=True, slots=True)
class Traps:
    """A trap file: `sheet` of trap, x, y and covariates; `usage` of trap, occasion, effort (empty if none)."""

    sheet: Sheet
    usage: Sheet


Line = tuple[int, str]
Record = tuple[int, list[str]]


def read_captures(file: str, text: str) -> tuple[Sheet, list[Finding]]:
    """A capture file as a sheet with the columns session, id, occasion, trap and the covariates that are named."""
    lines, comment = _data_lines(text)
    records = list(_split(lines))
    width = len(records[0][1]) if records else len(CAPTURES)
    names = _names(CAPTURES, comment, width)
    good, found = _as_wide(file, records, len(names))
    return sheet_of(file, names, good), [*_too_narrow(file, width, len(CAPTURES)), *found]


def read_traps(file: str, text: str) -> tuple[Traps, list[Finding]]:
    """A trap file as sheets of traps and of usage."""
    lines, comment = _data_lines(text)
    before, after = _halves(lines)
    records, extras = list(_split(before)), dict(_split(after))
    named_after = comment.partition("/")[2] or ""
    names = _names((), named_after, max((len(cells) for cells in extras.values()), default=0))
    found = _short_traps(file, records)
    whole = [(line, cells) for line, cells in records if _is_trap(cells)]
    covariates = [(line, [*cells[:3], *_padded(extras.get(line, []), len(names))]) for line, cells in whole]
    usage = [entry for line, cells in whole for entry in _usage(line, cells)]
    sheet = sheet_of(file, [*TRAPS, *names], covariates)
    return Traps(sheet, sheet_of(file, ["trap", "occasion", "effort"], usage)), found


def _data_lines(text: str) -> tuple[list[Line], str]:
    """Lines that hold data, without comments, and the last comment before the first of them."""
    lines: list[Line] = []
    comment = ""
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        data, mark, remark = line.partition("#")
        if data.strip():
            lines.append((number, data.strip()))
        elif mark and not lines:
            comment = remark.strip() or comment
    return lines, comment


def _split(lines: Sequence[Line]) -> Iterator[Record]:
    """Cells of each line; the first line decides what separates them."""
    first = next((line for _, line in lines if line), "")
    separator = _SEPARATOR[next((mark for mark in ",;" if mark in first), " ")]
    for number, line in lines:
        if line:
            yield number, [cell.strip("\"'") for cell in separator.split(line)]


def _halves(lines: Sequence[Line]) -> tuple[list[Line], list[Line]]:
    """Lines before and after the slash that sets covariates apart."""
    cut = [(number, line.partition("/")) for number, line in lines]
    before = [(number, parts[0].strip().rstrip(",;")) for number, parts in cut]
    return before, [(number, parts[2].strip().strip(",;")) for number, parts in cut]


def _names(fixed: Sequence[str], comment: str, width: int) -> list[str]:
    """Names of `width` columns: the fixed ones, then those that a comment of as many words gives."""
    words = [word for word in re.split(r"[\s,;]+", comment) if word]
    given = words if len(words) == width and len({w.lower() for w in words}) == width else []
    unnamed = [f" column {n + 1}" for n in range(width)]
    return [*fixed, *(given or unnamed)[len(fixed) :]]


def _as_wide(file: str, records: Sequence[Record], width: int) -> tuple[list[Record], list[Finding]]:
    good = [(line, cells) for line, cells in records if len(cells) == width]
    return good, [
        Finding("ragged-row", {"fields": len(cells), "expected": width}, Where(file=file, row=line))
        for line, cells in records
        if len(cells) != width
    ]


def _too_narrow(file: str, width: int, least: int) -> list[Finding]:
    if width >= least:
        return []
    return [Finding("ragged-row", {"fields": width, "expected": least}, Where(file=file, row=1))]


def _short_traps(file: str, records: Sequence[Record]) -> list[Finding]:
    """Trap lines without a place, and lines whose usage is longer or shorter than the first line's."""
    expected = max(len(records[0][1]), len(TRAPS)) if records else len(TRAPS)
    return [
        Finding("ragged-row", {"fields": len(cells), "expected": expected}, Where(file=file, row=line))
        for line, cells in records
        if len(cells) != expected or not _is_trap(cells)
    ]


def _is_trap(cells: Sequence[str]) -> bool:
    usage = cells[len(TRAPS) :]
    return len(cells) >= len(TRAPS) and len(usage) <= MAX_OCCASIONS and all(len(c) <= MAX_OCCASIONS for c in usage)


def _padded(cells: Sequence[str], width: int) -> list[str]:
    return [*cells, *[""] * width][:width]


def _usage(line: int, cells: list[str]) -> Iterator[tuple[int, list[str]]]:
    """(line, [trap, occasion, effort]) of one trap; one word of several 0 and 1 is an occasion a letter."""
    effort = cells[len(TRAPS) :]
    if len(effort) == 1 and re.fullmatch(r"[01]{2,}", effort[0]):
        effort = list(effort[0])
    for occasion, value in enumerate(effort, start=1):
        yield line, [cells[0], str(occasion), value]
