"""A delivery becomes files of the store: gathered by year, sorted, its derived tables beside it.

The work needs bounded memory: pieces of a delivery are put down as they come, and DuckDB sorts each year with
its own limit, spilling to the disk.
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
from sharedrange.core.finding import Finding
from sharedrange.core.progress import Progress
from sharedrange.exchange.store.derived import Deriving, stations, survey_of, watched
from sharedrange.exchange.store.duck import Duck, files, load, save
from sharedrange.exchange.store.generations import Import, Part
from sharedrange.exchange.store.layout import NO_YEAR, TABLES, Kept, facts_of, owner, place, tables_of, years_of

GATHERED, SORTED = 0.4, 0.8  # shares of the work done when pieces are gathered, when they are sorted


@dataclass(frozen=True, slots=True)
class Pieces:
    """A delivery in pieces, and how many are expected (0: nobody knows)."""

    stream: Iterable[Delivered]
    expected: int


@dataclass
class Gathered:
    """The pieces of a delivery put down on the disk: table -> year -> files."""

    folder: Path
    party: str
    dataset: str
    pieces: dict[str, dict[int, list[Path]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    facts: dict[str, Any] = field(default_factory=dict)

    def add(self, delivered: Delivered) -> None:
        """Put one piece down."""
        told = facts_of(delivered)
        not_carried = dict.fromkeys([*self.facts.get("not_carried", ()), *told["not_carried"]])
        self.facts = {**self.facts, **told, "not_carried": list(not_carried)}
        for kept, rows in tables_of(delivered):
            for year, of_year in years_of(kept, rows):
                files_of_year = self.pieces[kept.name][year]
                file = self.folder / f"{kept.name}-{year}-{len(files_of_year)}.parquet"
                save(of_year, file)
                files_of_year.append(file)

    def of(self, table: str) -> list[Path]:
        """All files of a table."""
        return [file for of_year in self.pieces[table].values() for file in of_year]

    def rows(self, kept: Kept) -> pl.DataFrame:
        """All rows of a small table."""
        return pl.concat([pl.DataFrame(schema=kept.schema), *map(load, self.of(kept.name))])


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


def build(duck: Duck, gathered: Gathered, source: str, progress: Progress) -> tuple[Import, dict[str, Path]]:
    """The files of the store for one delivery: what the manifest will say, and path in the store -> file now."""
    parts: list[Part] = []
    staged: dict[str, Path] = {}
    for table, year, file, rows in _built(duck, gathered, source, progress):
        path = place(table, gathered.party, gathered.dataset, year, source)
        parts.append(Part(table, year, path, rows))
        staged[path] = file
    made = Import(source, gathered.party, gathered.dataset, gathered.facts, tuple(sorted(parts, key=lambda p: p.path)))
    return made, staged


def _built(duck: Duck, gathered: Gathered, source: str, progress: Progress) -> Iterator[tuple[str, int, Path, int]]:
    """Every file: table, year, where it lies, rows."""
    jobs = [(TABLES[name], year) for name, years in gathered.pieces.items() for year in sorted(years)]
    for done, (kept, year) in enumerate(jobs, start=1):
        file = gathered.folder / f"sorted-{kept.name}-{year}.parquet"
        order = ", ".join(f'"{column}"' for column in kept.order)  # "at" is a word of SQL
        pieces = gathered.pieces[kept.name][year]
        yield kept.name, year, file, duck.write(f"SELECT * FROM {files(pieces)} ORDER BY {order}", file)
        progress(GATHERED + (SORTED - GATHERED) * done / len(jobs))
    if "survey" in gathered.facts:
        yield from _derived(duck, gathered, source)


def _derived(duck: Duck, gathered: Gathered, source: str) -> Iterator[tuple[str, int, Path, int]]:
    deployments, effort = (gathered.rows(TABLES[name]) for name in ("deployments", "effort"))
    survey = survey_of(gathered.facts["survey"], deployments, effort)
    spans = watched(survey, source)
    file = gathered.folder / "derived-watched.parquet"
    save(spans, file)
    yield "watched", NO_YEAR, file, spans.height
    station = gathered.folder / "stations.parquet"
    save(stations(deployments), station)
    if observations := gathered.of("observations"):
        yield from Deriving(duck, observations, station, file, source).write(gathered.folder)


def refuse_repeated(duck: Duck, gathered: Gathered, known: Iterable[Import], root: Path) -> None:
    """Raise InputError if a row of the delivery is in the store already, by the id that its party gave it.

    The same observation twice would be counted twice. A deployment may come again as it was: traps of a second
    season.
    """
    same = [i for i in known if (i.party, i.dataset) == (gathered.party, gathered.dataset)]
    found = []
    for kept in TABLES.values():
        old = [root / part.path for i in same for part in i.parts if part.table == kept.name]
        new = gathered.of(kept.name)
        if old and new and (sql := _repeated(kept, old, new)):
            twice = duck.table(f"SELECT count(*) AS n, min(id) AS first FROM ({sql})").row(0, named=True)
            if twice["n"]:
                facts = {"table": kept.name, "dataset": gathered.dataset, **twice}
                found.append(Finding("store-repeated", facts))
    if found:
        raise InputError(found)


def _repeated(kept: Kept, old: list[Path], new: list[Path]) -> str:
    """Ids that both have; of deployments, those that are not the same in all."""
    if kept.name == "deployments":
        ids = f"SELECT deployment FROM {files(old)}"
        changed = f"SELECT * FROM {files(new)} EXCEPT SELECT * FROM {files(old)}"
        return f"SELECT deployment AS id FROM ({changed}) WHERE deployment IN ({ids})"
    if not kept.key:
        return ""
    return f"SELECT {kept.key} AS id FROM {files(new)} WHERE {kept.key} IN (SELECT {kept.key} FROM {files(old)})"
