"""Which station, which animal of one release is which of another?

Pseudonyms differ from agreement to agreement, but a station still watches the same days and meets the same animals.
The attacker lays two releases side by side and takes for one what is most alike (record linkage: Narayanan & Shmatikov
2008, IEEE Symposium on Security and Privacy, 111-125).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from sharedrange.core.grids import Grid
from sharedrange.core.release import period_of
from sharedrange.sharing.anonymity import Tables, cells_told
from sharedrange.sharing.attack.types import Attack, Floats, check_known, judged

STATIONS_NAME = "linked-stations"
INDIVIDUALS_NAME = "linked-individuals"

_ENCOUNTER_DAYS = 5.0  # one encounter more or less speaks as much against two stations being one as these days watched
_UNLIKE = 100.0  # another sex or camera: seldom one and the same, but entered wrongly at times
_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class _Patterns:
    """What is told of n things: `names`, and how alike they look to the attacker, shape (n, features)."""

    names: list[str]
    features: Floats


def link_stations(one: Tables, other: Tables, truth: Mapping[str, str], resolution: str) -> Attack:
    """How many stations of one release are found in the other, against picking any of its stations.

    The attacker compares days watched and encounters by period, kinds of camera, and cells: a station cannot be one
    whose cell does not overlap its own. `resolution`: the coarser of the two releases. `truth`: station of the one ->
    the same station of the other; stations without an entry are nobody's. Raises InputError where the truth names a
    station that the other release lacks.
    """
    mine, theirs = _station_patterns(one, other, resolution)
    distance = _apart(mine, theirs)
    tables, names = (one["stations"], other["stations"]), (mine.names, theirs.names)
    distance += _UNLIKE * _differ(tables, names, "station", "camera_type")
    distance[~_may_be_one(one, other, mine.names, theirs.names)] = np.inf
    return _linked(STATIONS_NAME, mine.names, theirs.names, distance, truth)


def link_individuals(one: Tables, other: Tables, truth: Mapping[str, str], grid: Grid, resolution: str) -> Attack:
    """How many animals of one release are found in the other, against picking any there of the same taxon.

    The attacker compares in which periods and cells each was met, and its sex. `resolution` and `truth` as for
    `link_stations`; `grid` is the one that both releases are cut by. Raises InputError where the truth names an animal
    that the other release lacks.
    """
    mine, theirs = _individual_patterns(one, other, grid, resolution)
    distance = _apart(mine, theirs)
    tables, names = (one["encounters"], other["encounters"]), (mine.names, theirs.names)
    distance += _UNLIKE * _differ(tables, names, "individual", "sex")
    distance[_differ(tables, names, "individual", "taxon") > 0] = np.inf
    return _linked(INDIVIDUALS_NAME, mine.names, theirs.names, distance, truth)


def _linked(name: str, mine: list[str], theirs: list[str], distance: Floats, truth: Mapping[str, str]) -> Attack:
    """The attack that takes the nearest for the same; of equally near ones each alike.

    Guessing is among all that could be picked without the patterns: stations of any cell, animals of the taxon.
    """
    column = {other: j for j, other in enumerate(theirs)}
    shared = [i for i, one in enumerate(mine) if one in truth]
    check_known([truth[mine[i]] for i in shared], column)
    near = distance[shared]
    possible = np.isfinite(near)
    best = possible & (near <= near.min(axis=1, keepdims=True, initial=np.inf) + _SAME)
    named = best / np.maximum(best.sum(axis=1, keepdims=True), 1)
    hits = named[np.arange(len(shared)), [column[truth[mine[i]]] for i in shared]]
    pool = np.full(len(shared), len(theirs)) if name == STATIONS_NAME else possible.sum(axis=1)
    return judged(name, hits, 1 / np.maximum(pool, 1), named.max(axis=1, initial=0.0))


def _apart(mine: _Patterns, theirs: _Patterns) -> Floats:
    """Sum of the differences of all features, shape (n, m)."""
    if not mine.features.size or not theirs.features.size:
        return np.zeros((len(mine.names), len(theirs.names)))
    return np.asarray(cdist(mine.features, theirs.features, "cityblock"))


def _station_patterns(one: Tables, other: Tables, resolution: str) -> tuple[_Patterns, _Patterns]:
    told = [_station_features(tables, resolution) for tables in (one, other)]
    names = [sorted(tables["stations"]["station"]) for tables in (one, other)]
    return _aligned(told, names)


def _station_features(tables: Tables, resolution: str) -> pl.DataFrame:
    """Days watched and encounters of each station: columns name, period, what, value."""
    days = tables["effort"].select("station", "period", what=pl.lit("days"), value="days_watched")
    met = tables["encounters"].select(
        "station", "period", what="taxon", value=_told_encounters().cast(pl.Float64) * _ENCOUNTER_DAYS
    )
    return _by_period(pl.concat([days, met]).rename({"station": "name"}), resolution)


def _individual_patterns(one: Tables, other: Tables, grid: Grid, resolution: str) -> tuple[_Patterns, _Patterns]:
    sides = [_smallest_cell(tables) for tables in (one, other)]
    told = [_individual_features(tables, grid, max(sides), resolution) for tables in (one, other)]
    return _aligned(told, [sorted(set(tables["encounters"]["individual"].drop_nulls())) for tables in (one, other)])


def _smallest_cell(tables: Tables) -> float:
    cells = tables["stations"]["cell"].drop_nulls().to_numpy()
    return float(cells.min()) if len(cells) else 0.0


def _individual_features(tables: Tables, grid: Grid, side: float, resolution: str) -> pl.DataFrame:
    """Encounters of each animal in each cell of a size that both releases have: columns name, period, what, value."""
    met = tables["encounters"].filter(pl.col("individual").is_not_null())
    met = met.join(tables["stations"].select("station", "x", "y"), on="station")
    if side > 0:
        placed = met.drop_nulls(["x", "y"])
        columns, rows = grid.cells_of(placed["x"].to_numpy(), placed["y"].to_numpy(), side)
        where = [f"{column}/{row}" for column, row in zip(columns, rows, strict=True)]
        met = placed.with_columns(what=pl.Series(where, dtype=pl.String))
    else:
        met = met.with_columns(what=pl.lit(""))
    value = _told_encounters().cast(pl.Float64)
    return _by_period(met.select(pl.col("individual").alias("name"), "period", "what", value=value), resolution)


def _told_encounters() -> pl.Expr:
    return pl.col("encounters").fill_null(1)  # null: too few to tell, so at least one


def _by_period(rows: pl.DataFrame, resolution: str) -> pl.DataFrame:
    period = pl.col("period").map_elements(lambda day: period_of(day, resolution), return_dtype=pl.Date)
    return rows.with_columns(period=period).group_by("name", "period", "what").agg(pl.col("value").sum())


def _aligned(told: list[pl.DataFrame], names: list[list[str]]) -> tuple[_Patterns, _Patterns]:
    """The features that both releases could tell: those of the periods and kinds that both have."""
    common = [set(rows["period"]) for rows in told]
    periods = common[0] & common[1]
    kinds = _kinds(told)
    kept = [rows.filter(pl.col("period").is_in(list(periods)) & pl.col("what").is_in(kinds)) for rows in told]
    features = pl.concat([rows.select("period", "what") for rows in kept]).unique().sort("period", "what")
    at = {key: k for k, key in enumerate(features.iter_rows())}
    first, second = (_matrix(rows, known, at) for rows, known in zip(kept, names, strict=True))
    return _Patterns(names[0], first), _Patterns(names[1], second)


def _kinds(told: list[pl.DataFrame]) -> list[str]:
    """Taxa (or cells, or days) of which both releases tell: what one leaves out says nothing of a difference."""
    first, second = (set(rows["what"]) for rows in told)
    return sorted(first & second)


def _matrix(rows: pl.DataFrame, names: list[str], at: Mapping[tuple[object, ...], int]) -> Floats:
    row_of = {name: i for i, name in enumerate(names)}
    values = np.zeros((len(names), len(at)))
    for name, period, what, value in rows.iter_rows():
        if name in row_of:
            values[row_of[name], at[period, what]] = value
    return values


def _differ(
    tables: tuple[pl.DataFrame, pl.DataFrame], names: tuple[list[str], list[str]], key: str, column: str
) -> Floats:
    """1 where a column tells two things to be unlike, else 0, shape (n, m); what is not told is not unlike."""
    mine, theirs = (_told(table, key, column, known) for table, known in zip(tables, names, strict=True))
    known = (mine[:, None] != "") & (theirs[None, :] != "")
    return np.asarray(known & (mine[:, None] != theirs[None, :]), dtype=float)


def _told(table: pl.DataFrame, key: str, column: str, names: list[str]) -> NDArray[np.str_]:
    """The value that is told of each thing; empty where none is, or several are."""
    values = table.select(key, column).drop_nulls().unique()
    single = values.filter(pl.len().over(key) == 1)
    told = dict(single.iter_rows())
    return np.array([told.get(name, "") for name in names], dtype=str)


def _may_be_one(one: Tables, other: Tables, mine: list[str], theirs: list[str]) -> NDArray[np.bool_]:
    """Whether cells of two stations overlap, shape (n, m). One without a cell may be anywhere."""
    a, b = (_boxes(tables, names) for tables, names in ((one, mine), (other, theirs)))
    apart_x = np.abs(a[:, None, 0] - b[None, :, 0]) >= (a[:, None, 2] + b[None, :, 2]) / 2 * (1 - _SAME)
    apart_y = np.abs(a[:, None, 1] - b[None, :, 1]) >= (a[:, None, 2] + b[None, :, 2]) / 2 * (1 - _SAME)
    return np.asarray(~(apart_x | apart_y))


def _boxes(tables: Tables, names: list[str]) -> Floats:
    """Centre and side of each station's cell, shape (n, 3); NaN where it has none."""
    cells = cells_told([{"stations": tables["stations"]}])
    nowhere = ((np.nan, np.nan, np.nan),)
    return np.array([cells.get(name, nowhere)[0] for name in names], dtype=float).reshape(-1, 3)
