"""The tables of a package as text cells, slice by slice, so that a table larger than memory's half can be checked.

A slice of plain, well-formed CSV goes through polars. A slice where anything is odd (a row of another width, a stray
quotation mark, a blank line, a lone carriage return) is read record by record, so that every finding has the line that
a text editor shows. Cells are verbatim: nothing is trimmed.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
import polars as pl

from sharedrange.core.finding import Finding, Where
from sharedrange.core.sheets import as_written
from sharedrange.exchange.camtrapdp.broken import Broken, broken
from sharedrange.exchange.opening import MAX_TABLE_BYTES, MIB, Opened, codec, decode, shown
from sharedrange.exchange.tables import MAX_COLUMNS, ROW

SLICE_BYTES = 6 * MIB
MAX_LINE_BYTES = 8 * MIB
MAX_ROWS = 50_000_000  # a Parquet file of a few kilobytes can say that it has more
_NEWLINE, _QUOTE = b"\n", b'"'


@dataclass(frozen=True, slots=True)
class Text:
    """A table as text: the columns of its header and its rows in slices, which may be walked once."""

    file: str
    table: str
    names: tuple[str, ...]
    slices: Iterator[tuple[pl.DataFrame, list[Broken]]]


def load(opened: Opened, table: str, path: str, encoding: str, delimiter: str) -> tuple[Text | None, list[Finding]]:
    """The table at `path` of a folder or archive: CSV, gzipped CSV (.gz) or Parquet. None if there is a finding."""
    where = (shown(path), table)
    if codec(encoding) == "utf-8" and (stream := _from_folder(opened, path)):
        return _csv(where, stream, delimiter)
    content, found = opened.read(path)
    if content is None:
        return None, found
    if path.lower().endswith(".parquet"):
        return _parquet(*where, content)
    if codec(encoding) != "utf-8" or content.startswith(codecs.BOM_UTF8):
        text, found = decode(where[0], content, encoding)
        if text is None:
            return None, found
        content = text.encode()
    return _csv(where, io.BytesIO(content), delimiter)


def plain(text: Text) -> Text:
    """The same table without the apostrophes that `sheets.neutral` put before what looks like a formula."""
    cells = [as_written(pl.col(name)) for name in text.names]
    return replace(text, slices=((frame.with_columns(cells), wrong) for frame, wrong in text.slices))


def _from_folder(opened: Opened, path: str) -> BinaryIO | None:
    """A large CSV of a folder, to be read as it is needed; its name was checked when the folder was opened."""
    is_csv = not path.lower().endswith((".parquet", ".gz"))
    if not (opened.is_folder and is_csv and SLICE_BYTES < opened.sizes.get(path, 0) <= MAX_TABLE_BYTES):
        return None
    try:
        stream = (opened.path / path).open("rb")
    except OSError:
        return None  # the usual way says what is wrong
    if stream.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
        stream.seek(0)
    return stream


# --- CSV ---


def _csv(where: tuple[str, str], stream: BinaryIO, delimiter: str) -> tuple[Text | None, list[Finding]]:
    record = _first_record(stream)
    names, found = _names(where[0], record, delimiter)
    if found:
        stream.close()
        return None, found
    slices = _slices(where, tuple(names), stream, 1 + record.count(_NEWLINE), delimiter)
    return Text(*where, tuple(names), slices), []


def _first_record(stream: BinaryIO) -> bytes:
    """The bytes up to the first newline that no open quotation mark holds."""
    record = b""
    while line := stream.readline(MAX_LINE_BYTES):
        record += line
        if record.count(_QUOTE) % 2 == 0 or len(record) > MAX_LINE_BYTES:
            break
    return record


def _names(file: str, record: bytes, delimiter: str) -> tuple[list[str], list[Finding]]:
    """The names of a header's columns, and what is wrong with them."""
    text, found = decode(file, record, "utf-8")
    if text is None:
        return [], found
    try:
        names = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), [])
    except csv.Error:
        return [], [Finding("broken-quotes", {}, Where(file=file, row=1))]
    names = [name.strip() for name in names]
    return names, _wrong_header(file, names)


def _wrong_header(file: str, header: Sequence[str]) -> list[Finding]:
    where = Where(file=file, row=1)
    if not any(header):
        return [Finding("empty-file", {"path": file}, where)]
    if len(header) > MAX_COLUMNS:
        return [Finding("too-many-columns", {"columns": len(header), "limit": MAX_COLUMNS}, where)]
    return [
        Finding("duplicate-column", {"column": shown(name)}, where)
        for name in sorted({name for name in header if header.count(name) > 1})
    ]


def _slices(
    where: tuple[str, str], names: tuple[str, ...], stream: BinaryIO, line: int, delimiter: str
) -> Iterator[tuple[pl.DataFrame, list[Broken]]]:
    """Frames of text cells with `ROW`. `line`: that of the first record."""
    with stream:
        for part, pieces in _parts(stream):
            wrong = _not_text(where, part, line)
            frame = None if wrong else _plain(names, part, pieces, line, delimiter)
            if wrong:
                yield _frame(names, []), wrong
            else:
                yield (frame, []) if frame is not None else _careful(where, names, part, line, delimiter)
            line += _count(part, _NEWLINE)


def _count(part: bytes, mark: bytes) -> int:
    """How often one byte stands in a slice; where it is frequent this takes a tenth of the time of `bytes.count`."""
    return int(np.count_nonzero(np.frombuffer(part, np.uint8) == mark[0]))


def _parts(stream: BinaryIO) -> Iterator[tuple[bytes, list[bytes]]]:
    """Slices that end after a newline that no open quotation mark holds; and they, cut at the quotation marks."""
    rest = b""
    while block := stream.read(SLICE_BYTES):
        rest = _joined(rest, block)
        part, pieces = _cut(rest)
        if not part and len(rest) > 4 * SLICE_BYTES:  # a mark is open for ever: the rest is one slice
            rest += stream.read()
        elif part:
            yield part, pieces
            rest = rest[len(part) :]
    if rest:
        yield rest, rest.split(_QUOTE)


def _joined(rest: bytes, block: bytes) -> bytes:
    return rest + block if rest else block


def _cut(content: bytes) -> tuple[bytes, list[bytes]]:
    """What ends with the last newline outside quotation marks (empty: there is none), and it cut at the marks."""
    end = content.rfind(_NEWLINE) + 1
    while end:
        part = content[:end]
        pieces = part.split(_QUOTE)
        if len(pieces) % 2:
            return part, pieces
        end = content.rfind(_NEWLINE, 0, content.rfind(_QUOTE, 0, end)) + 1
        if len(content) - end > MAX_LINE_BYTES:
            break
    return b"", []


def _not_text(where: tuple[str, str], part: bytes, line: int) -> list[Broken]:
    """What stops bytes from being text: another encoding, NUL bytes."""
    if part.isascii() and b"\0" not in part:
        return []
    _, found = decode(where[0], part, "utf-8")
    return [
        b
        for finding in found
        for b in broken(
            where, finding.rule, None, pl.DataFrame({ROW: [line + (finding.where.row or 1) - 1], **finding.facts})
        )
    ]


def _plain(names: tuple[str, ...], part: bytes, pieces: list[bytes], line: int, delimiter: str) -> pl.DataFrame | None:
    """A slice that is well-formed in every row, else None.

    polars refuses rows that are too long and fills up rows that are too short; a slice without the former has
    none of the latter exactly if the delimiters outside quotation marks are as many as its rows must have.
    """
    quoted = _quoted(pieces, delimiter)
    if quoted is None or len(names) == 1 or (b"\r" in part and part.count(b"\r") != part.count(b"\r\n")):
        return None
    try:
        frame = pl.read_csv(part, has_header=False, new_columns=list(names), infer_schema=False, separator=delimiter)
    except pl.exceptions.PolarsError:
        return None
    mark = delimiter.encode()
    delimiters = _count(part, mark) - quoted.count(mark)
    inner = quoted.count(_NEWLINE)
    lines = _count(part, _NEWLINE) - inner + (not part.endswith(_NEWLINE))
    if frame.width != len(names) or lines != frame.height or delimiters != frame.height * (len(names) - 1):
        return None
    if frame[:, 0].null_count() and frame.select(pl.all_horizontal(pl.all().is_null()).any()).item():
        return None
    return frame.with_columns(_lines(frame, line) if inner else pl.int_range(line, line + frame.height).alias(ROW))


def _quoted(pieces: list[bytes], delimiter: str) -> bytes | None:
    """What stands in quotation marks; None if one of them stands where none may."""
    before, after = (delimiter + "\n").encode(), (delimiter + "\r\n").encode()
    outside = pieces[::2]
    opened = all(not piece or piece[-1] in before for piece in outside[:-1])
    closed = all(not piece or piece[0] in after for piece in outside[1:])
    return b"".join(pieces[1::2]) if len(pieces) % 2 and opened and closed else None


def _lines(frame: pl.DataFrame, line: int) -> pl.Expr:
    """The line on which each row begins, where cells hold newlines."""
    own = 1 + pl.sum_horizontal(pl.col(frame.columns).str.count_matches("\n", literal=True).fill_null(0))
    return (line + own.cum_sum().shift(1, fill_value=0)).cast(pl.Int64).alias(ROW)


def _careful(
    where: tuple[str, str], names: tuple[str, ...], part: bytes, line: int, delimiter: str
) -> tuple[pl.DataFrame, list[Broken]]:
    """A slice read record by record; records that are not as wide as the header are left out and named."""
    kept: list[tuple[int, list[str]]] = []
    ragged: list[tuple[int, int, int]] = []
    empty: list[int] = []
    quotes: list[int] = []
    try:
        for row, cells in _records(part.decode(), line, delimiter):
            if not any(cells):
                empty.append(row)
            elif len(cells) != len(names):
                ragged.append((row, len(cells), len(names)))
            else:
                kept.append((row, cells))
    except csv.Error:
        quotes.append(max([line - 1, *(row for row, _ in kept), *(row for row, *_ in ragged), *empty]) + 1)
    return _frame(names, kept), [
        *broken(where, "ragged-row", None, _rows(ragged, (ROW, "fields", "expected"))),
        *broken(where, "empty-row", None, _rows([(row,) for row in empty], (ROW,))),
        *broken(where, "broken-quotes", None, _rows([(row,) for row in quotes], (ROW,))),
    ]


def _records(text: str, line: int, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(first line, cells) of each record; a blank line is a record without cells, those at the end are passed over."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    blank: list[int] = []
    first = line
    for cells in reader:
        if cells:
            yield from ((row, []) for row in blank)
            blank = []
            yield first, cells
        else:
            blank.append(first)
        first = line + reader.line_num


def _rows(rows: Sequence[tuple[int, ...]], names: tuple[str, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.Int64), orient="row")


def _frame(names: tuple[str, ...], records: Sequence[tuple[int, list[str]]]) -> pl.DataFrame:
    columns = list(zip(*(cells for _, cells in records), strict=True)) or [()] * len(names)
    texts = {name: pl.Series(cells, dtype=pl.String) for name, cells in zip(names, columns, strict=True)}
    frame = pl.DataFrame(texts).select(pl.when(pl.all() != "").then(pl.all()))
    return frame.with_columns(pl.Series(ROW, [row for row, _ in records], pl.Int64))


# --- Parquet ---


def _parquet(file: str, table: str, content: bytes) -> tuple[Text | None, list[Finding]]:
    """A Parquet table, its cells as the text that a CSV would have; a row's number is its place, the header is 1."""
    try:
        lazy = pl.scan_parquet(io.BytesIO(content))
        schema = lazy.collect_schema()
        height = lazy.select(pl.len()).collect().item()
        if found := [*_wrong_header(file, list(schema)), *_too_many(file, height)]:
            return None, found
        rows = lazy.select(_as_text(name, dtype) for name, dtype in schema.items()).collect()
    except (pl.exceptions.PolarsError, OSError, ValueError):
        return None, [Finding("file-damaged", {"path": file}, Where(file=file))]
    frame = rows.with_columns(pl.int_range(2, rows.height + 2).alias(ROW))
    return Text(file, table, tuple(schema), iter([(frame, [])])), []


def _too_many(file: str, rows: int) -> list[Finding]:
    facts = {"rows": rows, "limit": MAX_ROWS}
    return [Finding("too-many-rows", facts, Where(file=file))] if rows > MAX_ROWS else []


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        local = column.dt.convert_time_zone("UTC") if dtype.time_zone else column
        return local.dt.strftime("%Y-%m-%dT%H:%M:%S" + ("Z" if dtype.time_zone else ""))
    if isinstance(dtype, pl.Struct):
        return column.struct.json_encode()
    if isinstance(dtype, pl.Float32 | pl.Float64):  # whole numbers that R or pandas kept as floats
        whole = column.is_not_null() & (column == column.floor()) & (column.abs() < 2**53)
        return (
            pl.when(whole)
            .then(column.cast(pl.Int64, strict=False).cast(pl.String))
            .otherwise(pl.when(column.is_nan()).then(None).otherwise(column.cast(pl.String)))
            .alias(name)
        )
    return column.cast(pl.String)
