"""A TOML file as tables whose every entry knows its line, read into dataclasses with all findings at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass, replace
from datetime import date
from pathlib import Path
from types import UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

from sharedrange.core.engine import read_settings, unknown_key
from sharedrange.core.errors import ProgrammeError
from sharedrange.core.finding import Fact, Finding, Where
from sharedrange.core.periods import Interval, read_date

T = TypeVar("T")

_LARGEST_BYTES = 4 << 20  # a programme is written by hand; a larger file is a mistake
_HEADER = re.compile(r"\s*\[\[?\s*([^\[\]\s]+)\s*\]")


@dataclass(frozen=True, slots=True)
class Document:
    """A TOML file: its values, and its lines so that findings can point at them."""

    name: str
    values: Mapping[str, Any]
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of a document: ``[table]``, or the `index`-th ``[[table]]``, or its sub-table `within`.

    Called with a key, it says where that is written.
    """

    document: Document
    table: str = ""
    index: int = 0
    within: str = ""

    def __call__(self, key: str = "") -> Where:
        """File, table and line of `key`; the line of the entry if the key is not written on a line of its own."""
        row = self._line(key) if key else None
        field = ".".join(part for part in (self.within, key) if part)
        return Where(self.document.name, self.table or None, row or self._line(self.within), field or None)

    def _line(self, key: str) -> int | None:
        """The line where an editor shows `key`. It is looked for, not parsed: tomllib keeps no line numbers."""
        rows = [number for number, line in self._own_lines() if _starts(line, key, self.table)]
        return rows[0] if rows else None

    def _own_lines(self) -> Iterator[tuple[int, str]]:
        """Lines of this entry and its sub-tables, with their numbers."""
        table, count = "", -1
        for number, line in enumerate(self.document.lines, start=1):
            if header := _HEADER.match(line):
                table = header[1]
                count += table == self.table
            own = table == self.table or (self.table and table.startswith(f"{self.table}."))
            if own and (not self.table or count == self.index):
                yield number, line


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """What an entry says and where it is written."""

    value: T
    place: Place


def _starts(line: str, key: str, table: str) -> bool:
    """Whether `key` of `table`, or the table itself if there is no key, starts on this line."""
    if header := _HEADER.match(line):
        return header[1] == ".".join(part for part in (table, key) if part)
    return bool(key) and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[.=]", line) is not None


def read_document(path: Path) -> Document:
    """The TOML file at `path`. UTF-8, with or without the mark that some editors put in front.

    Raises ProgrammeError if it is missing, too large, in another encoding or not TOML.
    """
    text = _decoded(path.name, _bytes(path))
    lines = tuple(text.split("\n"))
    try:
        return Document(path.name, tomllib.loads(text), lines)
    except (ValueError, RecursionError) as error:  # ValueError: TOMLDecodeError, and numbers of thousands of digits
        raise ProgrammeError([_syntax(path.name, error, len(lines))]) from None


def _bytes(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise ProgrammeError([Finding("programme-file-missing", {"file": path.name}, Where(path.name))])
        size = path.stat().st_size
        if size > _LARGEST_BYTES:
            facts: dict[str, Fact] = {"file": path.name, "bytes": size, "largest": _LARGEST_BYTES}
            raise ProgrammeError([Finding("programme-file-large", facts, Where(path.name))])
        return path.read_bytes()
    except OSError as error:
        problem = {"file": path.name, "problem": error.strerror or ""}
        raise ProgrammeError([Finding("programme-file-unreadable", problem, Where(path.name))]) from None


def _decoded(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        facts: dict[str, Fact] = {"file": name, "row": row, "byte": f"0x{content[error.start]:02x}"}
        raise ProgrammeError([Finding("programme-encoding", facts, Where(name, row=row))]) from None


def _syntax(name: str, error: Exception, last: int) -> Finding:
    problem = "too deeply nested" if isinstance(error, RecursionError) else str(error)
    at = re.search(r"\(at line (\d+)", problem)
    row = int(at[1]) if at else max(last, 1) if "end of document" in problem else None
    return Finding("programme-syntax", {"problem": re.sub(r" \(at .*\)", "", problem)}, Where(name, row=row))


def read_section(document: Document, section: str, schema: type[T], found: list[Finding]) -> tuple[Entry[T], ...]:
    """Every ``[[section]]`` as `schema`; what is wrong goes to `found`, and a wrong entry is left out."""
    given = document.values.get(section, [])
    if not _is_list_of_tables(given):
        found.append(_expected(section, given, f"[[{section}]]", Place(document)(section)))
        return ()
    places = [(Place(document, section, i), raw) for i, raw in enumerate(given)]
    read = [(place, read_entry(schema, raw, place, found)) for place, raw in places]
    return tuple(Entry(value, place) for place, value in read if value is not None)


def read_table(document: Document, table: str, schema: type[T], found: list[Finding]) -> Entry[T] | None:
    """The table ``[table]`` as `schema`; None if it is absent or wrong."""
    if table not in document.values:
        return None
    given, place = document.values[table], Place(document, table)
    if not isinstance(given, dict):
        found.append(_expected(table, given, f"[{table}]", Place(document)(table)))
        return None
    value = read_entry(schema, given, place, found)
    return None if value is None else Entry(value, place)


def read_entry(schema: type[T], given: Mapping[str, Any], place: Place, found: list[Finding]) -> T | None:
    """A TOML table as the dataclass `schema`; what is wrong goes to `found`, and then there is none."""
    hints = get_type_hints(schema)
    shaped: dict[str, Any] = {}
    wrong: list[Finding] = []
    refused: set[str] = set()
    for key, value in given.items():
        shaped[key], problems = _shaped(key, value, hints.get(key), place)
        refused |= {key} if problems else set()
        wrong += problems
    try:
        read = read_settings(schema, {k: v for k, v in shaped.items() if k not in refused}, place())
    except ProgrammeError as error:
        # A key that is there but wrong is not also missing.
        wrong += [_at_its_line(f, place) for f in error.findings if f.facts.get("key") not in refused]
    found += wrong
    return None if wrong else read


def known_ids(document: Document, section: str, key: str = "id") -> frozenset[str]:
    """The ids of ``[[section]]``, also of entries with something else wrong: they are not unknown."""
    given = document.values.get(section, [])
    entries = given if _is_list_of_tables(given) else []
    return frozenset(e[key] for e in entries if isinstance(e.get(key), str))


def unknown_keys(document: Document, known: Iterable[str]) -> list[Finding]:
    """Findings for keys and tables at the top of the file that nobody reads."""
    names = list(known)
    return [unknown_key(key, names, Place(document)(key)) for key in document.values if key not in names]


def _shaped(key: str, value: Any, hint: Any, place: Place) -> tuple[Any, list[Finding]]:
    """Dates as dates and sub-tables as dataclasses, where the schema asks for them; anything else as it is."""
    kind = _kind(hint)
    if kind in (date, Interval):
        return _dated(key, value, kind is date, place)
    if not is_dataclass(kind):
        return value, []
    if not isinstance(value, dict):
        return value, [_expected(key, value, "table", place(key))]
    wrong: list[Finding] = []
    within = replace(place, within=key)
    return read_entry(kind, value, within, wrong), wrong  # type: ignore[arg-type]  # a class, not an instance


def _kind(hint: Any) -> Any:
    """The type of a field that may be None, without the None."""
    if get_origin(hint) in (Union, UnionType):
        return next(a for a in get_args(hint) if a is not type(None))
    return hint


def _dated(key: str, value: Any, as_day: bool, place: Place) -> tuple[Interval | date | None, list[Finding]]:
    try:
        interval = read_date(value)
        if not as_day:
            return interval, []
        if interval.first == interval.last:
            return interval.first, []
    except ValueError:
        pass  # told below, as is a month where a day is needed
    allowed = '"2021-05-31"' if as_day else '"2021", "2021-05", "2021-05-31"'
    return None, [Finding("programme-date", {"key": key, "given": str(value)[:200], "allowed": allowed}, place(key))]


def _at_its_line(finding: Finding, place: Place) -> Finding:
    return replace(finding, where=place(finding.where.field or ""))


def _expected(key: str, given: Any, expected: str, where: Where) -> Finding:
    return Finding("setting-type", {"key": key, "given": repr(given)[:200], "expected": expected}, where)


def _is_list_of_tables(given: Any) -> bool:
    return isinstance(given, list) and all(isinstance(entry, dict) for entry in given)
