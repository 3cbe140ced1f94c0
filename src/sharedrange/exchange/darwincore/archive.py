"""The tables of a Darwin Core archive: meta.xml says where they are, how their cells are split and what they mean.

Darwin Core text guide (https://dwc.tdwg.org/text/): one core and any number of extensions in a star. Without meta.xml
a file whose header has the names of terms is read as it is.
"""

from __future__ import annotations

import csv
import itertools
import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element

import polars as pl

from sharedrange.core.finding import Fact, Finding, Where
from sharedrange.core.sheets import as_written
from sharedrange.exchange.darwincore.terms import EVENT, INVENTORY, MEASUREMENT, OCCURRENCE, short
from sharedrange.exchange.delivery import FILE_NAME, Delivery
from sharedrange.exchange.opening import Opened, open_path, shown
from sharedrange.exchange.tables import DELIMITERS, MAX_COLUMNS, ROW, Sheet, gathered, read_csv, sheet_from, split
from sharedrange.exchange.trees import local, read_xml

META = "meta.xml"
ID = " id"  # the column that joins an extension to its core; begins with a space, as no term does
MAX_PARTS = 50  # tables of an archive, files of a table
MAX_HEADER_LINES = 100
SUFFIXES = (".csv", ".txt", ".tsv")
BARE: Mapping[str, str] = {
    "event": EVENT,
    "occurrence": OCCURRENCE,
    "humboldt": INVENTORY,
    "measurementorfact": MEASUREMENT,
}
"""Name of a file without meta.xml -> what its rows are."""
FILES = (META, *(f"{kind}{suffix}" for kind in ("event", "occurrence") for suffix in SUFFIXES))
"""Names, in lower case, by which an archive is known."""
_ESCAPES = {"\\t": "\t", "\\n": "\n", "\\r": "\r", "\\r\\n": "\r\n", "\\\\": "\\"}
_LINE_ENDS = ("\n", "\r", "\r\n")


@dataclass(frozen=True, slots=True)
class Part:
    """One table: `rows` is the row type; the columns of `sheet` are text, named by `short` terms, with `ID`."""

    rows: str
    sheet: Sheet


@dataclass(frozen=True, slots=True)
class Archive:
    """The core and the extensions of an archive."""

    core: Part
    extensions: tuple[Part, ...] = ()

    def of(self, *rows: str) -> list[Sheet]:
        """The extensions of these row types."""
        return [part.sheet for part in self.extensions if part.rows in rows]

    def joined(self, rows: str) -> Sheet | None:
        """The extensions of one row type as one table; None if there are none."""
        sheets = self.of(rows)
        if not sheets:
            return None
        return sheets[0].with_rows(pl.concat([sheet.rows for sheet in sheets], how="diagonal"))


@dataclass(frozen=True, slots=True)
class _Layout:
    """What meta.xml says about one table. `columns`: term -> index; `defaults`: term -> value of every row."""

    rows: str
    files: tuple[str, ...]
    encoding: str = "UTF-8"
    delimiter: str = ","
    quote: str = '"'
    header_lines: int = 0
    id: int | None = None
    columns: Mapping[str, int] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)


def read_archive(folder: Path, delivery: Delivery) -> tuple[Archive | None, list[Finding]]:
    """The archive in a folder or zip, or in the only zip of a folder; None if a finding is an error."""
    opened, found = _opened(folder, delivery)
    if opened is None:
        return None, found
    metas = [name for name in opened.sizes if posixpath.basename(name) == META]
    if not metas:
        return _bare(opened, delivery)
    meta = min(metas, key=lambda name: (name.count("/"), name))
    root, found = read_xml(opened, meta)
    if root is None:
        return None, found
    layouts, found = _layouts(root, shown(meta))
    return (None, found) if found else _archive(opened, layouts, meta.removesuffix(META))


def _opened(folder: Path, delivery: Delivery) -> tuple[Opened | None, list[Finding]]:
    """The folder or archive itself, what `files.archive` names, or the only zip of a folder without tables."""
    opened, found = open_path(folder)
    if opened is None or not opened.is_folder:
        return opened, found
    archives = [name for name in opened.sizes if name.lower().endswith(".zip")]
    plain = any(posixpath.basename(name) == META for name in opened.sizes) or _bare_files(opened, delivery)
    name = delivery.files.get("archive") or (archives[0] if len(archives) == 1 and not plain else "")
    if not name:
        return opened, found
    if name not in opened.sizes:
        return None, [Finding("file-not-found", {"path": shown(name)}, Where(file=FILE_NAME, field="files.archive"))]
    return open_path(folder / name)


# --- meta.xml ---


def _layouts(root: Element, file: str) -> tuple[list[_Layout], list[Finding]]:
    """The layout of the core, then those of the extensions."""
    cores = [child for child in root if local(child) == "core"]
    extensions = [child for child in root if local(child) == "extension"]
    if len(cores) != 1 or len(extensions) > MAX_PARTS:
        return [], [Finding("dwca-no-core", {"cores": len(cores), "extensions": len(extensions)}, Where(file=file))]
    layouts: list[_Layout] = []
    found: list[Finding] = []
    for element in (*cores, *extensions):
        layout, more = _layout(element, file)
        layouts.append(layout)
        found += more
    return layouts, found


@dataclass(frozen=True, slots=True)
class _Told:
    """What one element of meta.xml tells, and the findings about it."""

    element: Element
    where: Where
    found: list[Finding]

    def text(self, attribute: str, default: str, allowed: Callable[[str], bool], expected: str) -> str:
        """An attribute with its escapes undone; `default` and a finding if it is not allowed."""
        value = self.element.get(attribute, default)
        value = _ESCAPES.get(value, value)
        if allowed(value):
            return value
        self.wrong(attribute, value, expected)
        return default

    def number(self, element: Element, attribute: str, highest: int) -> int:
        """An attribute of this element or one in it as a whole number; 0 and a finding if it is none."""
        text = element.get(attribute, "0").strip()
        if text.isascii() and text.isdigit() and len(text) < 9 and int(text) <= highest:
            return int(text)
        self.wrong(attribute, text, f"0 … {highest}")
        return 0

    def wrong(self, attribute: str, value: str, expected: str) -> None:
        facts: dict[str, Fact] = {"attribute": attribute, "value": shown(value), "expected": expected}
        self.found.append(Finding("dwca-attribute", facts, self.where))


def _layout(element: Element, file: str) -> tuple[_Layout, list[Finding]]:
    rows = element.get("rowType", "").strip()
    told = _Told(element, Where(file=file, table=shown(short(rows)) or local(element)), [])
    files = tuple((location.text or "").strip() for location in element.iter() if local(location) == "location")
    if not 1 <= len(files) <= MAX_PARTS:
        told.wrong("files", str(len(files)), f"1 … {MAX_PARTS}")
    told.text("linesTerminatedBy", "\n", lambda ends: ends in _LINE_ENDS, "\\n \\r\\n")
    delimiter = told.text("fieldsTerminatedBy", ",", lambda d: len(d) == 1 and d not in '"\n\r', ", ; | \\t")
    identifier = next((child for child in element if local(child) in ("id", "coreid")), None)
    columns, defaults = _fields(told)
    layout = _Layout(
        rows=rows,
        files=files,
        encoding=element.get("encoding", "UTF-8").strip(),
        delimiter=delimiter,
        quote=told.text(
            "fieldsEnclosedBy", '"', lambda q: not q or (len(q) == 1 and q not in f"{delimiter}\n\r "), '"'
        ),
        header_lines=told.number(element, "ignoreHeaderLines", MAX_HEADER_LINES),
        id=None if identifier is None else told.number(identifier, "index", MAX_COLUMNS),
        columns=columns,
        defaults=defaults,
    )
    return layout, told.found


def _fields(told: _Told) -> tuple[dict[str, int], dict[str, str]]:
    """Term -> index, and term -> default, of the fields of a table. A term twice is a finding."""
    columns: dict[str, int] = {}
    defaults: dict[str, str] = {}
    for element in (child for child in told.element if local(child) == "field"):
        term = short(element.get("term", "").strip())
        if term in columns or term in defaults:
            told.found.append(Finding("duplicate-column", {"column": shown(term)}, told.where))
        if "index" in element.attrib:
            columns[term] = told.number(element, "index", MAX_COLUMNS)
        if element.get("default"):
            defaults[term] = element.get("default", "")
    return columns, defaults


# --- the tables ---


def _archive(opened: Opened, layouts: list[_Layout], base: str) -> tuple[Archive | None, list[Finding]]:
    parts: list[Part] = []
    found: list[Finding] = []
    for layout in layouts:
        sheets = []
        for name in layout.files:
            sheet, more = _sheet(opened, base + name, layout)
            found += more
            sheets += [] if sheet is None else [sheet]
        if sheets:
            parts.append(Part(layout.rows, gathered(sheets)))
    if len(parts) < len(layouts):
        return None, found
    return Archive(parts[0], tuple(parts[1:])), found


def _sheet(opened: Opened, name: str, layout: _Layout) -> tuple[Sheet | None, list[Finding]]:
    """One file of a table, its columns named by their terms."""
    text, found = opened.text(name, layout.encoding)
    if text is None:
        return None, found
    records = split(text, layout.delimiter, layout.quote)
    try:
        width, rows = _width(records, layout.header_lines)
    except csv.Error:
        return None, [Finding("broken-quotes", {}, Where(file=shown(name), row=1))]
    needed = max((*layout.columns.values(), layout.id or 0), default=0) + 1
    if width is not None and not needed <= width <= MAX_COLUMNS:
        facts: dict[str, Fact] = {"columns": width, "needed": needed}
        return None, [Finding("dwca-columns", facts, Where(file=shown(name), row=1))]
    plain, found = sheet_from(shown(name), [_at(n) for n in range(width or needed)], rows)
    return plain.with_rows(plain.rows.select(pl.col(ROW), *_named(layout))), found


def _width(
    records: Iterator[tuple[int, list[str]]], header_lines: int
) -> tuple[int | None, Iterator[tuple[int, list[str]]]]:
    """Cells of the header, else of the first row, and the rows. None if there is neither. Raises csv.Error."""
    header = list(itertools.islice(records, header_lines))
    if header:
        return len(header[-1][1]), records
    first = next(records, None)
    return (None, records) if first is None else (len(first[1]), itertools.chain([first], records))


def _at(index: int) -> str:
    return f" {index}"


def _named(layout: _Layout) -> Iterator[pl.Expr]:
    """The columns of a table by term, with the defaults of meta.xml, and the one that joins it to others."""
    for term, index in layout.columns.items():
        column = as_written(pl.col(_at(index)))
        yield (column.fill_null(pl.lit(layout.defaults[term])) if term in layout.defaults else column).alias(term)
    for term, value in layout.defaults.items():
        if term not in layout.columns:
            yield pl.lit(value).alias(term)
    identifier = pl.lit(None, dtype=pl.String) if layout.id is None else as_written(pl.col(_at(layout.id)))
    yield identifier.alias(ID)


# --- files without meta.xml ---


def _bare_files(opened: Opened, delivery: Delivery) -> dict[str, str]:
    """Name of `BARE` -> file: as delivery.toml says, else by its name."""
    named = {
        stem: name
        for name in sorted(opened.sizes)
        for stem, suffix in [posixpath.splitext(name.lower())]
        if suffix in SUFFIXES and stem in BARE
    }
    return named | {kind: name for kind, name in delivery.files.items() if kind in BARE}


def _bare(opened: Opened, delivery: Delivery) -> tuple[Archive | None, list[Finding]]:
    """The star that files without meta.xml make: events in the middle where there are any, else occurrences."""
    files = _bare_files(opened, delivery)
    if not {"event", "occurrence"} & files.keys():
        return None, [Finding("no-archive", {"file": META}, Where(file=shown(opened.path.name)))]
    key = "eventID" if "event" in files else "occurrenceID"
    parts: list[Part] = []
    found: list[Finding] = []
    for kind in (kind for kind in BARE if kind in files):
        sheet, more = _bare_sheet(opened, files[kind], delivery.encoding, key)
        found += more
        parts += [] if sheet is None else [Part(BARE[kind], sheet)]
    return (None, found) if len(parts) < len(files) else (Archive(parts[0], tuple(parts[1:])), found)


def _bare_sheet(opened: Opened, name: str, encoding: str, key: str) -> tuple[Sheet | None, list[Finding]]:
    text, found = opened.text(name, encoding)
    if text is None:
        return None, found
    header = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    plain, found = read_csv(shown(name), text, delimiter)
    if plain is None:
        return None, found
    terms = {column: short(column) for column in plain.rows.columns}
    if len(set(terms.values())) < len(terms):
        twice = next(term for term in terms.values() if list(terms.values()).count(term) > 1)
        return None, [*found, Finding("duplicate-column", {"column": shown(twice)}, Where(file=shown(name), row=1))]
    rows = plain.rows.rename(terms)
    identifier = pl.col(key) if key in rows.columns else pl.lit(None, dtype=pl.String)
    return gathered([plain.with_rows(rows.with_columns(identifier.alias(ID)))]), found
