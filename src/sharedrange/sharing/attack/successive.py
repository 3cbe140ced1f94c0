"""Which cell changed? Two totals or rasters that were published one after the other, and their difference.

A station or an animal that was added between them stands where the difference is (tracker and differencing attacks:
Denning & Denning 1979, ACM Computing Surveys 11:227-249).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import polars as pl

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding
from sharedrange.sharing.anonymity import Tables
from sharedrange.sharing.attack.types import Attack, Floats, judged

NAME = "successive"
_AS_LARGE = 1e-9  # of the largest change: rounding in the last digits is none
_ROWS: Mapping[str, tuple[list[str], str, list[str]]] = MappingProxyType(
    {  # table -> what tells its rows apart, what they tell, and what says that both releases looked
        "encounters": (["station", "period", "taxon", "individual"], "encounters", ["station", "period"]),
        "counts": (["visit", "taxon", "sign", "life_stage", "sex"], "count", ["visit"]),
    }
)


@dataclass(frozen=True, slots=True)
class Change:
    """What was published before and after one thing was added or taken away.

    `before`, `after`: one value a cell (or an area with a total), shape (C,), as published; NaN where withheld.
    `where`: index of the cell that the thing is in, for its owner alone.
    """

    before: Floats
    after: Floats
    where: int = field(repr=False)


def compare_successive(changes: Sequence[Change]) -> Attack:
    """How often an attacker names the cell in which something was added, against naming any cell.

    It names the cell with the largest change; of equal ones, each is named alike. A value that appears or disappears
    is the largest change of all. The owner makes the changes: publish with and without each station, or animal, in
    turn. Raises InputError where before and after do not have the same cells, or the true one is none of them.
    """
    wrong = [change for change in changes if not _fits(change)]
    if wrong:
        raise InputError([Finding("attack-successive-cells", {"wrong": len(wrong), "of": len(changes)})])
    named = [_named(change) for change in changes]
    hits = np.array([share[change.where] for share, change in zip(named, changes, strict=True)])
    chance = np.array([1 / len(share) for share in named])
    return judged(NAME, hits, chance, np.array([share.max() for share in named]))


def _fits(change: Change) -> bool:
    return change.before.shape == change.after.shape and 0 <= change.where < change.before.size


def _named(change: Change) -> Floats:
    """How likely the attacker names each cell, shape (C,)."""
    by = np.abs(change.after - change.before)
    by[np.isnan(change.before) & np.isnan(change.after)] = 0.0
    by[np.isnan(by)] = np.inf
    largest = by.max()
    best = by >= largest * (1 - _AS_LARGE) if np.isfinite(largest) else np.isinf(by)
    return np.asarray(best / best.sum())


def changes_between(before: Tables, after: Tables) -> tuple[Change, ...]:
    """A change for each station, and each animal with a name, that only one of two releases has.

    It is a change of totals by cell: of stations, and of animals of its taxon. A thing in several cells is looked for
    in the first. Both releases call the same thing by the same name.
    """
    earlier, later = _things(before), _things(after)
    cells = {cell: i for i, cell in enumerate(sorted({*earlier["cell"], *later["cell"]}))}
    changes: list[Change] = []
    for kind in sorted({*earlier["kind"], *later["kind"]}):
        before_after = [rows.filter(pl.col("kind") == kind) for rows in (earlier, later)]
        first, second = (_totals(rows, cells) for rows in before_after)
        changes += (Change(first, second, where=cells[cell]) for cell in _only_in_one(*before_after))
    return tuple(changes)


@dataclass(frozen=True, slots=True)
class Late:
    """What a later release tells of places and periods that the earlier one told of already.

    `added`: rows that were not there: somebody can tell when their owner learned of them. `told`: counts that were
    withheld as too small: they have grown.
    """

    added: int
    told: int


def told_late(before: Tables, after: Tables) -> Late:
    """What was added, and what is no longer withheld, where the earlier release looked too."""
    added = told = 0
    for table, (keys, value, looked) in _ROWS.items():
        if table in before and table in after:
            was = _without(before[table], after[table]).select(*keys, then=value)
            now = _without(after[table], before[table])
            same = now.join(was, on=keys, nulls_equal=True)
            told += same.filter(pl.col("then").is_null() & pl.col(value).is_not_null()).height
            added += _looked_at(now.join(was, on=keys, how="anti", nulls_equal=True), before, looked).height
    return Late(added, told)


def _without(rows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """The rows that are not among others. There may be a million, and few are not: hashes of them take little room."""
    return rows.filter(~rows.hash_rows().is_in(others.select(rows.columns).hash_rows().unique().implode()))


def _looked_at(rows: pl.DataFrame, tables: Tables, keys: list[str]) -> pl.DataFrame:
    """The rows where, and when, a release says that somebody looked."""
    wanted = rows.select(keys).unique()
    known = [
        table.select(keys).join(wanted, on=keys, how="semi")
        for table in tables.values()
        if set(keys) <= set(table.columns)
    ]
    return rows.join(pl.concat(known), on=keys, how="semi")


def _things(tables: Tables) -> pl.DataFrame:
    """Each station and each animal with a name in each cell that it is told in: columns kind, name, cell."""
    parts = [pl.DataFrame(schema={"kind": pl.String, "name": pl.String, "cell": pl.String})]
    if "stations" in tables:
        cell = pl.format("{}/{}/{}", "x", "y", "cell")
        placed = tables["stations"].drop_nulls(["x", "y", "cell"]).select("station", cell=cell)
        parts.append(placed.select(kind=pl.lit(""), name="station", cell="cell"))
        named = tables["encounters"].drop_nulls("individual").join(placed, on="station")
        parts.append(named.select(kind="taxon", name="individual", cell="cell"))
    return pl.concat(parts).unique().sort("kind", "name", "cell")


def _totals(rows: pl.DataFrame, cells: Mapping[str, int]) -> Floats:
    """How many things each cell has, shape (C,)."""
    where = [cells[cell] for cell in rows["cell"]]
    return np.bincount(np.array(where, dtype=np.int64), minlength=len(cells)).astype(float)


def _only_in_one(before: pl.DataFrame, after: pl.DataFrame) -> Iterator[str]:
    """The first cell of each thing that only one of the releases has."""
    for rows, other in ((after, before), (before, after)):
        yield from rows.unique("name", keep="first", maintain_order=True).join(other, on="name", how="anti")["cell"]
