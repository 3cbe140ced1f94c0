"""What left of the same dataset before: who may hold it beside the next release, and what it told of the same places.

The owner knows which place is which, whatever each release calls it. So the worst is assumed of readers: that they
know it too. How far they could find out by themselves is what the linking attacks measure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from sharedrange.assessment.sharing.ground import Ground
from sharedrange.assessment.sharing.releasing import Leaving, copy_of, own_releases, table_of
from sharedrange.core.audience import Audience
from sharedrange.core.contents import Delivered, Genotypes, SiteCounts
from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.core.release import COUNT_TABLES, SAMPLE_TABLES, SURVEY_TABLES, TABLES, file_of
from sharedrange.core.survey import Survey
from sharedrange.sharing import kinds
from sharedrange.sharing.agreement import Agreement
from sharedrange.sharing.anonymity import CellKey, Tables, cells_told
from sharedrange.sharing.attack import Stood, is_in, stood
from sharedrange.sharing.pseudonyms import Name, Pseudonyms

_PLACES = ("stations", "visits", "samples")
_CELLS = pl.Schema({"station": pl.String(), "x": pl.Float64(), "y": pl.Float64(), "cell": pl.Float64()})


@dataclass(frozen=True, slots=True)
class Left:
    """A release that left: under which agreement, for whom, on which day; what it told, and what its names stand for.

    `places`: those that are in the delivery that is looked at. `same`: it was of that dataset; otherwise of another
    one, such as a season before, in which stations have the same names.
    `readers`: who may hold it. `folder`: its copy, from which `tables` reads all that it told.
    """

    agreement: str
    recipient: str
    on: str
    readers: Audience
    folder: Path
    pseudonyms: Pseudonyms
    places: Mapping[str, Stood]
    cells: Mapping[str, tuple[CellKey, ...]]
    same: bool

    def tables(self) -> Tables:
        """All that it told; read anew each time, since it may be a million rows."""
        return dict(_read(self.folder, (*SURVEY_TABLES, *COUNT_TABLES, *SAMPLE_TABLES)))


def left_before(ground: Ground, content: Delivered) -> tuple[tuple[Left, ...], tuple[Finding, ...]]:
    """The releases that told of places of a delivery, in the order in which they left, and what could not be looked at.

    Also of other datasets: a camera that stands where it stood last year was told of then.

    Raises InputError if a table of pseudonyms is damaged.
    """
    left, gone = [], 0
    for body in own_releases(ground):
        folder, table = copy_of(ground, body.agreement, body.package), table_of(ground, body.agreement)
        if not folder.is_dir() or not table.is_file():
            gone += 1
            continue
        pseudonyms = Pseudonyms.from_bytes(table.read_bytes(), Where(table.name))
        told = dict(_read(folder, _PLACES))
        if places := stood(content, told, pseudonyms):
            readers = _readers(ground.agreements.get(body.agreement), body)
            same = any((held.party, held.dataset) in _datasets(places, pseudonyms) for held in _held(content))
            known = cells_told([told])
            left.append(Left(body.agreement, body.recipient, body.on, readers, folder, pseudonyms, places, known, same))
    left.sort(key=lambda one: one.on)
    found = [Finding("release-copies-gone", {"packages": gone}, severity=Severity.WARNING)] if gone else []
    return tuple(left), tuple(found)


def newest(left: Iterable[Left]) -> dict[str, Left]:
    """The newest release of the same dataset under each agreement."""
    return {one.agreement: one for one in left if one.same}


def held_beside(left: Iterable[Left], leaving: Leaving) -> tuple[Left, ...]:
    """Those that somebody may hold who may hold the new release too: a renewal, another agreement with one of them."""
    recipient = str(leaving.released.manifest["recipient"])
    readers = _audience(leaving.agreement, recipient)
    return tuple(one for one in left if (together := one.readers & readers).parties is None or together.parties)


def cells_before(left: Iterable[Left], places: Mapping[str, Stood]) -> Tables:
    """The cells that earlier releases told of places, under the names that the new release has for them.

    Of a place that was moved, only the cells in which it stood where the new release tells of it.
    """
    told: dict[Name, set[CellKey]] = {}
    for one in left:
        for pseudonym, place in one.places.items():
            told.setdefault(place.what, set()).update(one.cells.get(pseudonym, ()))
    rows = [
        (pseudonym, *cell)
        for pseudonym, place in sorted(places.items())
        for cell in sorted(told.get(place.what, ()))
        if place.positions and is_in(place.positions[0], cell)
    ]
    return {"stations": pl.DataFrame(rows, schema=_CELLS, orient="row")}


def _held(content: Delivered) -> Iterator[Survey | SiteCounts | Genotypes]:
    yield from (part for part in (content.survey, content.counts, content.genotypes) if part is not None)


def _datasets(places: Mapping[str, Stood], pseudonyms: Pseudonyms) -> set[tuple[str, str]]:
    """Party and dataset of released places."""
    return {(name[1], name[2]) for name, pseudonym in pseudonyms.names.items() if pseudonym in places}


def _readers(agreement: Agreement | None, body: kinds.Release) -> Audience:
    """Who may hold a release: its recipient, and whom its agreement names. An agreement that is gone names nobody."""
    return Audience.of(body.recipient) if agreement is None else _audience(agreement, body.recipient)


def _audience(agreement: Agreement, recipient: str) -> Audience:
    if agreement.onward == "public":
        return Audience()
    return Audience.of(recipient, *agreement.recipients, *agreement.onward_to)


def _read(folder: Path, wanted: Iterable[str]) -> Iterator[tuple[str, pl.DataFrame]]:
    for name in wanted:
        if (file := folder / file_of(name)).is_file():
            yield name, pl.read_csv(file, schema=TABLES[name])
