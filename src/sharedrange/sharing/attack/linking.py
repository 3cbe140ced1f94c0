"""Which station, which animal of one release is which of another?

Pseudonyms differ from agreement to agreement, but a station still watches the same days and meets the same animals.
The attacker lays two releases side by side and takes for one what is most alike (record linkage: Narayanan & Shmatikov
2008, IEEE Symposium on Security and Privacy, 111-125).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from sharedrange.core.release import RESOLUTIONS, period_of
from sharedrange.sharing.anonymity import Tables, cells_told
from sharedrange.sharing.attack.types import Attack, Floats, check_known, judged

STATIONS_NAME = "linked-stations"
INDIVIDUALS_NAME = "linked-individuals"

_ENCOUNTER_DAYS = 5.0  # one encounter more or less speaks as much against two stations being one as these days watched
_UNLIKE = 100.0  # another sex or camera: seldom one and the same, but entered wrongly at times
_SAME = 1e-9
ENOUGH = "month"  # tells stations apart as days do, in a thirtieth of the time


def link_stations(one: Tables, other: Tables, truth: Mapping[str, str], resolution: str) -> Attack:
    """How many stations of one release are found in the other, against picking any of its stations.

    The attacker compares days watched and encounters by period, kinds of camera, and cells: a station cannot be one
    whose cell does not overlap its own. `resolution`: the coarser of the two releases. `truth`: station of the one ->
    the same station of the other; stations without an entry are nobody's. Raises InputError where the truth names a
    station that the other release lacks.
    """
    names = _stations_of(one), _stations_of(other)
    return _linked(STATIONS_NAME, *names, _stations_apart(one, other, resolution), truth)


def link_individuals(one: Tables, other: Tables, truth: Mapping[str, str], resolution: str) -> Attack:
    """How many animals of one release are found in the other, against picking any there of the same taxon.

    The attacker compares in which periods and where each was met, and its sex; once by cells, and once at the stations
    that it takes for the same. Told is the try that did most harm. Cells are those of the release that has the larger
    ones; the other's stations are in those that hold the centres of theirs. `resolution` and `truth` as for
    `link_stations`. Raises InputError where the truth names an animal that the other release lacks.
    """
    names = _animals_of(one), _animals_of(other)
    tables = one["encounters"], other["encounters"]
    unlike = _UNLIKE * _differ(tables, names, "individual", "sex")
    unlike[_differ(tables, names, "individual", "taxon") > 0] = np.inf
    tries = []
    for where in (_by_cell(one, other), _by_station(one, other, max(ENOUGH, resolution, key=RESOLUTIONS.index))):
        told = [
            _individual_features(t["encounters"], at, resolution) for t, at in zip((one, other), where, strict=True)
        ]
        distance = _with_names(_apart_where_rare(told, names) + unlike, *names)
        tries.append(_linked(INDIVIDUALS_NAME, *names, distance, truth))
    return max(tries, key=lambda attack: attack.success)


def _stations_of(tables: Tables) -> list[str]:
    return sorted(tables["stations"]["station"])


def _animals_of(tables: Tables) -> list[str]:
    return sorted(set(tables["encounters"]["individual"].drop_nulls()))


def _stations_apart(one: Tables, other: Tables, resolution: str) -> Floats:
    """How unlike each station of the one release looks to each of the other, shape (n, m); inf: they cannot be one."""
    names = _stations_of(one), _stations_of(other)
    told = [_station_features(tables, resolution) for tables in (one, other)]
    distance = _apart(told, names)
    distance += _UNLIKE * _differ((one["stations"], other["stations"]), names, "station", "camera_type")
    distance[~_may_be_one(one, other, *names)] = np.inf
    return _with_names(distance, *names)


def _with_names(distance: Floats, mine: list[str], theirs: list[str]) -> Floats:
    """The distances; nearer than any where both releases use one name, as a code or a joint id."""
    same = np.array(mine, dtype=str)[:, None] == np.array(theirs, dtype=str)[None, :]
    return np.where(same, -1.0, distance)


def resolution_told(tables: Tables) -> str:
    """The coarsest length of time that all periods of a release are whole ones of: what an outsider takes it for."""
    told = [table["period"].drop_nulls().unique() for table in tables.values() if "period" in table.columns]
    days = set().union(*told)
    whole = [one for one in RESOLUTIONS if all(period_of(day, one) == day for day in days)]
    return whole[-1]


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


def _apart(told: list[pl.DataFrame], names: tuple[list[str], list[str]]) -> Floats:
    """Sum of the differences of all features (columns name, period, what, value), shape (n, m)."""
    kept = _told_by_both(told)
    features = pl.concat([rows.select("period", "what") for rows in kept]).unique().sort("period", "what")
    mine, theirs = (_matrix(rows, known, features) for rows, known in zip(kept, names, strict=True))
    return np.asarray(cdist(mine, theirs, "cityblock")) if features.height else np.zeros((len(mine), len(theirs)))


def _apart_where_rare(told: list[pl.DataFrame], names: tuple[list[str], list[str]]) -> Floats:
    """The same where few things share a feature and there may be very many: sum a + sum b - 2 sum min(a, b)."""
    mine, theirs = (_numbered(rows, known) for rows, known in zip(_told_by_both(told), names, strict=True))
    both = mine.join(theirs, on=["period", "what"]).select(
        "i", "i_right", least=pl.min_horizontal("value", "value_right")
    )
    distance = np.add.outer(*(_sums(rows, len(known)) for rows, known in zip((mine, theirs), names, strict=True)))
    np.subtract.at(distance, (both["i"].to_numpy(), both["i_right"].to_numpy()), 2 * both["least"].to_numpy())
    return distance


def _sums(rows: pl.DataFrame, n: int) -> Floats:
    return np.bincount(rows["i"].to_numpy(), weights=rows["value"].to_numpy(), minlength=n).astype(float)


def _station_features(tables: Tables, resolution: str) -> pl.DataFrame:
    """Days watched and encounters of each station: columns name, period, what, value."""
    days = tables["effort"].select("station", "period", what=pl.lit("days"), value="days_watched")
    met = tables["encounters"].select(
        "station", "period", what="taxon", value=_told_encounters().cast(pl.Float64) * _ENCOUNTER_DAYS
    )
    return _by_period(pl.concat([days, met]).rename({"station": "name"}), resolution)


def _by_cell(one: Tables, other: Tables) -> tuple[pl.DataFrame, pl.DataFrame]:
    """In which cell each station of both releases is: columns station, what."""
    coarse = max((one, other), key=_smallest_cell)
    cells = coarse["stations"].select("x", "y", "cell").drop_nulls().unique().sort("cell", "x", "y").to_numpy()
    first, second = (_in_cells(tables["stations"], cells) for tables in (one, other))
    return first, second


def _in_cells(stations: pl.DataFrame, cells: Floats) -> pl.DataFrame:
    placed = stations.select("station", "x", "y").drop_nulls()
    if not len(cells):
        return stations.select("station", what=pl.lit(""))
    where = _cell_that_holds(placed.select("x", "y").to_numpy(), cells)
    return placed.select("station", what=pl.Series(where).cast(pl.String))


def _by_station(one: Tables, other: Tables, resolution: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Which station of the other release each is taken for, and the other's own: columns station, what."""
    mine, theirs = _stations_of(one), _stations_of(other)
    distance = _stations_apart(one, other, resolution)
    taken = [theirs[k] for k in distance.argmin(axis=1)] if theirs else [""] * len(mine)
    named = pl.DataFrame({"station": mine, "what": taken}, schema={"station": pl.String, "what": pl.String})
    return named, other["stations"].select("station", what="station")


def _smallest_cell(tables: Tables) -> float:
    cells = tables["stations"]["cell"].drop_nulls().to_numpy()
    return float(cells.min()) if len(cells) else 0.0


def _individual_features(encounters: pl.DataFrame, where: pl.DataFrame, resolution: str) -> pl.DataFrame:
    """Encounters of each animal in each place (columns station, what): columns name, period, what, value."""
    met = encounters.drop_nulls("individual").join(where, on="station")
    value = _told_encounters().cast(pl.Float64)
    return _by_period(met.select(pl.col("individual").alias("name"), "period", "what", value=value), resolution)


def _cell_that_holds(points: Floats, cells: Floats) -> NDArray[np.int64]:
    """The number of the first of the cells (centre, side) that a point is in, shape (n,); -1 outside of all."""
    half = cells[None, :, 2] / 2 * (1 + _SAME)
    held = (np.abs(points[:, None, 0] - cells[None, :, 0]) <= half) & (
        np.abs(points[:, None, 1] - cells[None, :, 1]) <= half
    )
    return np.where(held.any(axis=1), held.argmax(axis=1), -1)


def _told_encounters() -> pl.Expr:
    return pl.col("encounters").fill_null(1)  # null: too few to tell, so at least one


def _by_period(rows: pl.DataFrame, resolution: str) -> pl.DataFrame:
    days = rows["period"].unique().sort()
    of_day = {day: period_of(day, resolution) for day in days}
    period = pl.col("period").replace_strict(of_day, return_dtype=pl.Date)
    return rows.with_columns(period=period).group_by("name", "period", "what").agg(pl.col("value").sum())


def _told_by_both(told: list[pl.DataFrame]) -> list[pl.DataFrame]:
    """The features that both releases could tell: those of the periods and kinds that both have."""
    common = [set(rows["period"]) for rows in told]
    periods = common[0] & common[1]
    kinds = _kinds(told)
    return [rows.filter(pl.col("period").is_in(list(periods)) & pl.col("what").is_in(kinds)) for rows in told]


def _kinds(told: list[pl.DataFrame]) -> list[str]:
    """Taxa (or cells, or days) of which both releases tell: what one leaves out says nothing of a difference."""
    first, second = (set(rows["what"]) for rows in told)
    return sorted(first & second)


def _matrix(rows: pl.DataFrame, names: list[str], features: pl.DataFrame) -> Floats:
    """The value of each feature for each name, shape (n, features); 0 where none is told."""
    placed = _numbered(rows, names).join(features.with_row_index("j"), on=["period", "what"])
    values = np.zeros((len(names), features.height))
    values[placed["i"].to_numpy(), placed["j"].to_numpy()] = placed["value"].to_numpy()
    return values


def _numbered(rows: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """The rows of things in `names`, with the place of each in it: columns i, period, what, value."""
    of_name = pl.DataFrame({"name": names}, schema={"name": pl.String}).with_row_index("i")
    return rows.join(of_name, on="name").select("i", "period", "what", "value")


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
