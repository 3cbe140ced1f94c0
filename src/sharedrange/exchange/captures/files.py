"""Which files of a delivery are captures, traps, usage and individuals, and their cells as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import polars as pl

from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.exchange.captures import secr_text
from sharedrange.exchange.delivery import FORMATS, Delivery
from sharedrange.exchange.opening import MIB, Opened, shown
from sharedrange.exchange.tables import DELIMITERS, EVERY, Sheet, flag, read_csv

MAX_FILE_BYTES = 16 * MIB  # a large study has one megabyte
ROLES = FORMATS["captures"]
_ALIASES = {
    **dict.fromkeys(("stage", "lifestage"), "life_stage"),
    **dict.fromkeys(("animal", "individual"), "id"),
    **dict.fromkeys(("trapid", "detectorid"), "trap"),
    "cameratype": "camera_type",
    "catalog": "catalogue",
    "species": "taxon",
}
_KNOWN = frozenset(("session", "id", "occasion", "trap", "x", "y"))
_NUMBER = re.compile(r"[-+]?[\d.]+")
_NOT_DATA = re.compile(r"(^|/)(readme|licen[cs]e|copying|notice|mask)\b[^/]*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Tables:
    """The sheets of a delivery, a sheet a file, cells still text.

    A sheet of traps or usage without a column `session` (or with nothing in it) holds for every session.
    """

    captures: tuple[Sheet, ...]
    traps: tuple[Sheet, ...]
    usage: tuple[Sheet, ...]
    individuals: tuple[Sheet, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """What one file gave: sheets by role, and findings."""

    sheets: tuple[tuple[str, Sheet], ...]
    found: tuple[Finding, ...]


def read_tables(opened: Opened, delivery: Delivery) -> tuple[Tables, list[Finding]]:
    """Every table of the delivery; a file that cannot be read, or a role without a file, is a finding."""
    files = {role: _files(opened, delivery, role) for role in ROLES}
    parts = [_read(opened, delivery, role, *file) for role, given in files.items() for file in given.items()]
    found = list(chain.from_iterable(part.found for part in parts))
    found += [
        Finding("no-table", {"table": role, "names": f"{role}.csv, {role}.txt"}, Where(table=role))
        for role in ("captures", "traps")
        if not files[role]
    ]
    found += _unread(opened, chain.from_iterable(given.values() for given in files.values()))
    sheets = list(chain.from_iterable(part.sheets for part in parts))
    return Tables(*(tuple(sheet for name, sheet in sheets if name == role) for role in ROLES)), found


def _files(opened: Opened, delivery: Delivery, role: str) -> dict[str, str]:
    """Session (empty: every session) -> name of the file. As declared, else ``<role>.csv`` or ``<role>.txt``."""
    given = {key.partition(".")[2]: path for key, path in delivery.files.items() if key.partition(".")[0] == role}
    usual = sorted(name for name in opened.sizes if name.lower() in {f"{role}.csv", f"{role}.txt"})
    return given or dict(zip([EVERY], usual, strict=False))


def _unread(opened: Opened, read: Iterable[str]) -> Iterator[Finding]:
    """A note for each table beside the ones that are read, so that nothing is left out in silence."""
    for name in sorted(set(opened.sizes) - set(read)):
        if name.lower().endswith((".csv", ".txt", ".tsv")) and not _NOT_DATA.search(name):
            yield Finding("unread-file", {"path": shown(name)}, Where(file=shown(name)), Severity.NOTE)


def _read(opened: Opened, delivery: Delivery, role: str, session: str, name: str) -> _Part:
    text, found = opened.text(name, delivery.encoding, MAX_FILE_BYTES)
    if text is None:
        return _Part((), tuple(found))
    file = shown(name)
    delimiter = _delimiter(name, text)
    if delimiter or role not in ("captures", "traps"):
        sheet, found = read_csv(file, text, delimiter or ",")
        sheets = [] if sheet is None else [(role, sheet)]
    elif role == "captures":
        captures, found = secr_text.read_captures(file, text)
        sheets = [(role, captures)]
    else:
        traps, found = secr_text.read_traps(file, text)
        sheets = [(role, traps.sheet), ("usage", traps.usage)]
    return _named(sheets, session, found)


def _delimiter(name: str, text: str) -> str:
    """What separates the columns of a file whose first line is a header; empty for a file without one.

    A header names two columns that we read; in a .csv file a first line without a number is one too.
    """
    header = text.lstrip("\r\n").partition("\n")[0].lower().replace('"', "").strip()
    if header.startswith("#"):
        return ""
    for delimiter in DELIMITERS:
        if len(_KNOWN & {_canonical(word) for word in header.split(delimiter)}) > 1:
            return delimiter
    likely = max(DELIMITERS, key=header.count)
    has_number = any(_NUMBER.fullmatch(word.strip()) for word in header.split(likely))
    return likely if name.lower().endswith(".csv") and not has_number else ""


def _canonical(name: str) -> str:
    word = name.strip().lower().replace(" ", "_")
    return _ALIASES.get(word.replace("_", ""), word)


def _named(sheets: list[tuple[str, Sheet]], session: str, found: list[Finding]) -> _Part:
    """Sheets under the names that we read, with the session that their file was declared for."""
    named: list[tuple[str, Sheet]] = []
    for role, sheet in sheets:
        names = {name: _canonical(name) if name[0] != " " else name for name in sheet.rows.columns}
        twice = sorted({name for name in names.values() if list(names.values()).count(name) > 1})
        if twice:
            where = Where(file=sheet.file, row=1)
            found = [*found, *(Finding("duplicate-column", {"column": shown(name)}, where) for name in twice)]
            continue
        rows = sheet.rows.rename(names)
        named.append((role, sheet.with_rows(rows.with_columns(pl.lit(session).alias("session")) if session else rows)))
    return _Part(tuple(named), tuple(found))


def without_empty_sessions(sheets: Iterable[Sheet]) -> tuple[list[Sheet], list[str], list[Finding]]:
    """Captures without the rows by which secr says that a session had none (ID NONE, occasion 0).

    Also the sessions of those rows, and a note for each.
    """
    none = (pl.col("id").str.to_uppercase() == "NONE") & (pl.col("occasion") == "0") & pl.col("session").is_not_null()
    kept, sessions, notes = [], [], []
    for sheet in sheets:
        if not all(map(sheet.has, ("id", "occasion", "session"))):
            kept.append(sheet)
            continue
        kept.append(sheet.with_rows(sheet.rows.filter(none.fill_null(value=False).not_())))
        sessions += sheet.rows.filter(none)["session"].to_list()
        facts = {"session": pl.col("session")}
        notes += flag(sheet, none, "session-without-captures", facts=facts, severity=Severity.NOTE)
    return kept, sessions, notes
