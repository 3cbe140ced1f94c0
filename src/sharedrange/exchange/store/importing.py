"""A delivery becomes files of the store: gathered by year, each file sorted.

The work needs bounded memory: pieces of a delivery are put down as they come, and where there are several DuckDB
sorts each year with its own limit, spilling to the disk.
"""

# ruff: noqa: S608  (values enter SQL through duck.text; names of tables and columns are ours)

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from sharedrange.core.contents import Delivered
from sharedrange.core.errors import InputError
from sharedrange.core.files import sha256_of, write_atomically
from sharedrange.core.finding import Finding
from sharedrange.core.progress import Progress
from sharedrange.exchange.store.duck import IMPORT_MEMORY_MB, duck, files, save
from sharedrange.exchange.store.generations import Import, Part
from sharedrange.exchange.store.layout import (
    NO_YEAR,
    NOTES,
    ROW,
    TABLES,
    Kept,
    facts_of,
    owner,
    place,
    tables_of,
    years_of,
)

GATHERED = 0.5  # share of the work done when pieces are gathered


@dataclass(frozen=True, slots=True)
class Pieces:
    """A delivery in pieces, and how many are expected (0: nobody knows)."""

    stream: Iterable[Delivered]
    expected: int


@dataclass
class Gathered:
    """The pieces of a delivery put down on the disk: table -> year -> sorted files; table -> rows so far."""

    folder: Path
    party: str
    dataset: str
    pieces: dict[str, dict[int, list[Path]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    rows: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    rows_of_year: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    facts: dict[str, Any] = field(default_factory=dict)

    def add(self, delivered: Delivered) -> None:
        """Put one piece down."""
        told = facts_of(delivered)
        not_carried = dict.fromkeys([*self.facts.get("not_carried", ()), *told["not_carried"]])
        self.facts = {**self.facts, **told, "not_carried": list(not_carried)}
        for kept, rows in tables_of(delivered):
            numbered = rows.with_row_index(ROW, offset=self.rows[kept.name])
            self.rows[kept.name] += rows.height
            for year, places in years_of(kept, rows):
                files_of_year = self.pieces[kept.name][year]
                file = self.folder / f"{kept.name}-{year}-{len(files_of_year)}.parquet"
                save(in_order(numbered, places), file)
                files_of_year.append(file)
                self.rows_of_year[kept.name, year] += len(places)

    def of(self, table: str) -> list[Path]:
        """All files of a table."""
        return [file for of_year in self.pieces[table].values() for file in of_year]


def in_order(rows: pl.DataFrame, places: pl.Series) -> pl.LazyFrame:
    """The rows at these places, in this order, made some at a time as they are written: no second table in memory."""
    chosen = places.to_frame().lazy()
    return chosen.map_batches(lambda some: rows[some[places.name]], schema=rows.schema, streamable=True)


def whose(delivered: Delivered | Iterable[Delivered]) -> tuple[str, str, Pieces]:
    """Party and dataset of a delivery, and its pieces: of a stream, the first is looked at."""
    if isinstance(delivered, Delivered):
        return *owner(delivered), Pieces((delivered,), 1)
    expected = operator.length_hint(delivered)
    stream = iter(delivered)
    first = next(stream, Delivered())
    return *owner(first), Pieces(chain((first,), stream), expected)


def gather(party: str, dataset: str, pieces: Pieces, folder: Path, progress: Progress) -> Gathered:
    """Put all pieces down. Progress is even where the number of pieces is known (a list, or a length hint)."""
    gathered = Gathered(folder, party, dataset)
    for done, piece in enumerate(pieces.stream, start=1):
        gathered.add(piece)
        share = min(done / pieces.expected, 1.0) if pieces.expected else done / (done + 10)
        progress(GATHERED * share)
    return gathered


def build(
    gathered: Gathered, source: str, reader: str, notes: str, progress: Progress
) -> tuple[Import, dict[str, Path]]:
    """The files of the store for one delivery: what the manifest will say, and path in the store -> file now."""
    party, dataset = gathered.party, gathered.dataset
    parts: list[Part] = []
    staged: dict[str, Path] = {}
    for table, year, file, rows in (*_noted(gathered, notes), *_sorted(gathered, progress)):
        path = place(table, party, dataset, year, f"{source} {reader}", ending=file.suffix[1:])
        parts.append(Part(table, year, path, rows, sha256_of(file)))
        staged[path] = file
    parts.sort(key=lambda part: part.path)
    return Import(source, party, dataset, gathered.facts, tuple(parts), reader), staged


def _noted(gathered: Gathered, notes: str) -> Iterator[tuple[str, int, Path, int]]:
    if notes:
        file = gathered.folder / f"{NOTES}.json"
        write_atomically(file, notes.encode())
        yield NOTES, NO_YEAR, file, 0


def _sorted(gathered: Gathered, progress: Progress) -> Iterator[tuple[str, int, Path, int]]:
    """The one file of each table and year: table, year, where it lies, rows."""
    jobs = [(TABLES[name], year) for name, years in gathered.pieces.items() for year in sorted(years)]
    for done, (kept, year) in enumerate(jobs, start=1):
        pieces = gathered.pieces[kept.name][year]
        file = pieces[0] if len(pieces) == 1 else _merged(kept, pieces, gathered.folder / f"{kept.name}-{year}.parquet")
        yield kept.name, year, file, gathered.rows_of_year[kept.name, year]
        progress(GATHERED + (1 - GATHERED) * done / len(jobs))


def _merged(kept: Kept, pieces: list[Path], file: Path) -> Path:
    """Several sorted files as one."""
    order = ", ".join(f'"{column}" NULLS FIRST' for column in (*kept.order, ROW))  # "at" is a word of SQL
    with duck(IMPORT_MEMORY_MB, file.parent) as open_duck:
        open_duck.write(f"SELECT * FROM {files(pieces)} ORDER BY {order}", file)
    return file


def refuse_repeated(gathered: Gathered, known: Iterable[Import], root: Path) -> None:
    """Raise InputError if a row of the delivery is in the store already, by the id that its party gave it.

    The same observation twice would be counted twice. A deployment may come again as it was: traps of a second
    season.
    """
    same = [i for i in known if (i.party, i.dataset) == (gathered.party, gathered.dataset)]
    found = []
    for kept in TABLES.values() if same else ():
        old = [path for i in same for path in i.paths(root, kept.name)]
        new = gathered.of(kept.name)
        if old and new and (sql := _repeated(kept, old, new)):
            with duck(IMPORT_MEMORY_MB, gathered.folder) as open_duck:
                twice = open_duck.table(f"SELECT count(*) AS n, min(id) AS first FROM ({sql})").row(0, named=True)
            if twice["n"]:
                facts = {"table": kept.name, "dataset": gathered.dataset, **twice}
                found.append(Finding("store-repeated", facts))
    if found:
        raise InputError(found)


def _repeated(kept: Kept, old: list[Path], new: list[Path]) -> str:
    """Ids that both have; of deployments, those that are not the same in all."""
    if kept.name == "deployments":
        ids = f"SELECT deployment FROM {files(old)}"
        whole = f'SELECT * EXCLUDE ("{ROW}") FROM'
        changed = f"{whole} {files(new)} EXCEPT {whole} {files(old)}"
        return f"SELECT deployment AS id FROM ({changed}) WHERE deployment IN ({ids})"
    if not kept.key:
        return ""
    return f"SELECT {kept.key} AS id FROM {files(new)} WHERE {kept.key} IN (SELECT {kept.key} FROM {files(old)})"
