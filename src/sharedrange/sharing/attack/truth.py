"""The truth that attacks are measured against, looked up by the owner in its own delivery and table of pseudonyms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from sharedrange.core.contents import Delivered
from sharedrange.sharing.anonymity import CellKey, Tables, cells_told
from sharedrange.sharing.attack.types import Positions
from sharedrange.sharing.pseudonyms import Name, Pseudonyms

_ON_THE_LINE = 1e-9  # of a side: rounding puts a point on a grid's line as far outside of its cell
_PLACES = (  # kind of name, table, column
    ("station", "stations", "station"),
    ("place", "visits", "site"),
    ("sample", "samples", "sample"),
)

At = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Stood:
    """A released station, site or sample as its owner knows it: what it is, and where in the told cell it stood.

    `positions`: in the survey's frame; none if the delivery, as it is now, knows none there. Its repr does not tell.
    """

    what: Name = field(repr=False)
    positions: tuple[At, ...] = field(repr=False)


def stood(content: Delivered, tables: Tables, pseudonyms: Pseudonyms) -> dict[str, Stood]:
    """What each released station, site and sample of a delivery is: pseudonym -> `Stood`.

    A station that was moved to another cell has a pseudonym in each, and in each the positions that it had there. Of
    what left without a cell all positions count. A place of another delivery is one of this if it is called the same.
    """
    at, cells = dict(_positions(content)), cells_told([tables])
    found: dict[str, Stood] = {}
    for pseudonym, name in _told(tables, pseudonyms):
        what = name if name in at else (*name[:-1], name[-1].rpartition("@")[0])  # `station@part`: it was moved
        if what in at:
            told = cells.get(pseudonym, ())
            found[pseudonym] = Stood(what, tuple(p for p in at[what] if not told or is_in(p, told[-1])))
    return found


def true_positions(places: Mapping[str, Stood]) -> Positions:
    """Where released places stand: pseudonym -> position; the first of those that it had in its cell."""
    return Positions({pseudonym: place.positions[0] for pseudonym, place in places.items() if place.positions})


def same_places(one: Mapping[str, Stood], other: Mapping[str, Stood]) -> dict[str, str]:
    """Which place of one release is which of another: the same of the owner's, with a position that both tell of.

    Of several, since it was moved, the first by name.
    """
    by_what: dict[Name, list[str]] = {}
    for pseudonym, place in sorted(other.items()):
        by_what.setdefault(place.what, []).append(pseudonym)
    found: dict[str, str] = {}
    for pseudonym, place in one.items():
        same = [name for name in by_what.get(place.what, []) if _meet(place, other[name])]
        found |= {pseudonym: same[0]} if same else {}
    return found


def is_in(at: At, cell: CellKey) -> bool:
    """Whether a position lies in a cell, its edges included."""
    x, y, side = cell
    half = side / 2 + side * _ON_THE_LINE
    return abs(at[0] - x) <= half and abs(at[1] - y) <= half


def _meet(one: Stood, other: Stood) -> bool:
    return not one.positions or not other.positions or not set(one.positions).isdisjoint(other.positions)


def _told(tables: Tables, pseudonyms: Pseudonyms) -> Iterator[tuple[str, Name]]:
    """Each station, site and sample that tables tell of, with its owner's name for it: kind, party and name."""
    called = {pseudonym: name for name, pseudonym in pseudonyms.names.items()}
    for kind, table, column in _PLACES:
        if table in tables:
            for pseudonym in tables[table][column].unique().sort():
                if pseudonym in called and called[pseudonym][0] == kind:
                    _, party, _, name = called[pseudonym]
                    yield pseudonym, (kind, party, name)


def _positions(content: Delivered) -> Iterator[tuple[Name, list[At]]]:
    """Every station, site and sample of a delivery with its positions: one a deployment or visit."""
    if (survey := content.survey) is not None:
        rows = survey.deployments.select(pl.coalesce("station", "deployment").alias("name"), "x", "y")
        yield from _of_names(("station", survey.party), rows)
    if (counts := content.counts) is not None:
        yield from _of_names(("place", counts.party), counts.visits.select("x", "y", name="site"))
    if (found := content.genotypes) is not None:
        yield from _of_names(("sample", found.party), found.samples.select("x", "y", name="sample"))


def _of_names(of: Name, rows: pl.DataFrame) -> Iterator[tuple[Name, list[At]]]:
    for (name,), positions in rows.drop_nulls("name").sort("name", "x", "y").group_by(["name"], maintain_order=True):
        yield (
            (*of, str(name)),
            [(x, y) for x, y in positions.select("x", "y").drop_nulls().unique(maintain_order=True).iter_rows()],
        )
