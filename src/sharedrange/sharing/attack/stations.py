"""Where do the stations stand? Recovered from their cells, from trails and terrain, and from dates of service.

The attacker believes that most stations stand beside a trail, on plausible ground, and that stations with the same
days of service were set on one walk along one trail. It names the point with the most belief within 1 km.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray
from scipy.signal import fftconvolve
from scipy.spatial import cKDTree
from shapely.geometry.base import BaseGeometry

from sharedrange.core.grids import Grid
from sharedrange.sharing.anonymity import Ground, Known, Tables, ground_of, regions
from sharedrange.sharing.attack.types import HIT_M, Attack, Floats, Positions, judged

Against = Literal["area", "cells"]
NAMES: Mapping[Against, str] = MappingProxyType({"area": "stations", "cells": "stations-in-cells"})

_POINTS = 10_000  # of the raster of belief in one cell
_COARSEST_M = 250.0  # a quarter of the distance that counts as found
_AS_GOOD = 0.98  # guesses whose belief is this near to the best are as good: the raster is no finer
_OFF_TRAIL = 0.01  # of a group's stations, the chance that one is on a trail that does not cross its cell


@dataclass(frozen=True, slots=True)
class Belief:
    """What the attacker believes before it sees the release.

    `trail_share` of the stations stand beside trails, at distances that are normal with `trail_offset_m`; a point
    outside habitat or a layer is `off_layer` times as likely as one inside.
    """

    trail_share: float = 0.8
    trail_offset_m: float = 100.0
    off_layer: float = 0.1


@dataclass(frozen=True, slots=True)
class _Raster:
    """Points at equal distances, in metres: `x_m` of the columns, `y_m` of the rows."""

    x_m: Floats
    y_m: Floats
    spacing_m: float

    def points(self) -> tuple[Floats, Floats]:
        """Every point, shapes (rows, columns). Made anew: thousands of cells keep a raster."""
        x_m, y_m = np.meshgrid(self.x_m, self.y_m)
        return x_m, y_m

    def inside(self, area: BaseGeometry) -> Floats:
        """1 for each point in an area, else 0, shape (rows, columns)."""
        return np.asarray(shapely.contains_xy(area, *self.points()), dtype=float)


@dataclass(frozen=True, slots=True)
class _Cell:
    """What the attacker believes of one region: without trails (`plain`), and beside each trail that crosses it.

    Beliefs have the raster's shape and sum to 1; `lengths_m` of each trail in the region, shape (trails,).
    """

    raster: _Raster
    plain: Floats
    beside: Mapping[int, Floats]
    lengths_m: Floats


def recover_stations(
    tables: Tables,
    grid: Grid,
    known: Known,
    truth: Positions,
    *,
    earlier: Sequence[Tables] = (),
    belief: Belief = Belief(),
    against: Against = "area",
) -> Attack:
    """How many stations an attacker finds within 1 km, against guessing.

    `against` tells where one guesses. In the ``area`` that is declared: as somebody does who has not seen the release;
    this is what is certified. In the ``cells`` that were released: it shows what trails, terrain and dates add to them,
    and never counts as safe by itself, for nobody guesses wrong in a cell of 1 km.

    `truth`: true position of each released station, for its owner alone. `earlier`: tables of earlier releases with the
    same pseudonyms. The attacker tries without trails, with them, and with dates too; told is the try
    that did most harm.
    Raises InputError where the truth lacks a station, and as `ground_of` does.
    """
    ground = ground_of(known, grid)
    where = regions({"stations": tables["stations"]}, ground, earlier)
    true = truth.at(list(where))
    true_m = np.column_stack(ground.projection.forward(true[:, 0], true[:, 1]))
    chance = guessed(true_m, [ground.declared] * len(where) if against == "area" else list(where.values()))
    groups = _served_together(tables.get("effort"), list(where))
    cells = _cells(where, ground, belief)
    alone = np.arange(len(where))
    plans = (
        [(0.0, alone), (belief.trail_share, alone), (belief.trail_share, groups)] if ground.trails else [(0.0, alone)]
    )
    tries = []
    for share, together in plans:
        hits, expected = _guesses(where, cells, together, true_m, replace(belief, trail_share=share))
        tries.append(judged(NAMES[against], hits, chance, expected))
    return max(tries, key=lambda attack: (not attack.certified, attack.success))


def guessed(true_m: Floats, within: Sequence[BaseGeometry]) -> Floats:
    """The chance that a point at random in an area lies within 1 km of each true point, shape (n,); exact."""
    discs = shapely.buffer(shapely.points(true_m), HIT_M, quad_segs=64)
    areas = np.array(within, dtype=object)
    overlap: Floats = shapely.area(shapely.intersection(discs, areas)) / shapely.area(areas)
    return overlap


def _served_together(effort: pl.DataFrame | None, stations: list[str]) -> NDArray[np.int64]:
    """A number for each station: equal for those with the same days watched in the same periods, shape (n,).

    A station without any is alone.
    """
    if effort is None:
        return np.arange(len(stations))
    row = pl.col("station").replace_strict(stations, range(len(stations)), default=None, return_dtype=pl.Int64)
    told = effort.select(row, pl.col("period").rank("dense"), "days_watched").drop_nulls("station")
    days = np.zeros((len(stations), int(np.asarray(told["period"].max() or 0)) + 1))
    days[told["station"].to_numpy(), told["period"].to_numpy()] = told["days_watched"].to_numpy()
    never = ~days.any(axis=1)
    days[never, 0] = -1.0 - np.flatnonzero(never)  # no period has the number 0
    return np.unique(days, axis=0, return_inverse=True)[1].ravel().astype(np.int64)


def _cells(where: Mapping[str, BaseGeometry], ground: Ground, belief: Belief) -> dict[bytes, _Cell]:
    """Each distinct region on its raster."""
    distinct = {region.wkb: region for region in where.values()}
    return {key: _cell(region, ground, belief) for key, region in distinct.items()}


def _cell(region: BaseGeometry, ground: Ground, belief: Belief) -> _Cell:
    raster = _raster(region)
    plain = raster.inside(region)
    if not plain.any():  # a sliver that runs between the points
        plain = raster.inside(region.buffer(raster.spacing_m))
    for layer in ground.plausible:
        plain = plain * np.where(raster.inside(layer) > 0, 1.0, belief.off_layer)
    plain = plain / plain.sum()
    inside = [trail.intersection(region) for trail in ground.trails]
    beside = {
        t: beliefs
        for t, line in enumerate(inside)
        if line.length > 0 and (beliefs := _beside(line, raster, plain, belief)).any()
    }
    return _Cell(raster, plain, beside, np.array([line.length for line in inside]))


def _raster(region: BaseGeometry) -> _Raster:
    """Points over a region, about `_POINTS` of them inside."""
    west, south, east, north = region.bounds
    box_m2 = (east - west) * (north - south)
    spacing_m = min(_COARSEST_M, float(np.sqrt(max(region.area / _POINTS, box_m2 / (10 * _POINTS)))))
    x_m, y_m = (np.arange(low + spacing_m / 2, high, spacing_m) for low, high in ((west, east), (south, north)))
    return _Raster(x_m, y_m, spacing_m)


def _beside(line: BaseGeometry, raster: _Raster, plain: Floats, belief: Belief) -> Floats:
    """How likely each point is for a station beside a line: normal in the distance to it."""
    dense = shapely.get_coordinates(shapely.segmentize(line, raster.spacing_m))
    distance_m, _ = cKDTree(dense).query(np.column_stack([axis.ravel() for axis in raster.points()]))
    offset_m = max(belief.trail_offset_m, raster.spacing_m / 2)  # no finer than the raster
    weight = np.exp(-((distance_m / offset_m) ** 2) / 2).reshape(plain.shape) * plain
    return np.asarray(weight / weight.sum() if weight.sum() > 0 else np.zeros_like(weight))


def _guesses(
    where: Mapping[str, BaseGeometry],
    cells: Mapping[bytes, _Cell],
    groups: NDArray[np.int64],
    true_m: Floats,
    belief: Belief,
) -> tuple[Floats, Floats]:
    """How surely each station is found, and how surely the attacker expects it, shapes (n,)."""
    of_station = [cells[region.wkb] for region in where.values()]
    trails = _trails_of(of_station, groups)
    hits, expected = np.zeros(len(of_station)), np.zeros(len(of_station))
    for i, cell in enumerate(of_station):
        raster = cell.raster
        near = _near(_believed(cell, trails[i], belief), raster.spacing_m)
        row, column = np.nonzero(near >= _AS_GOOD * near.max())
        distance_m = np.hypot(raster.x_m[column] - true_m[i, 0], raster.y_m[row] - true_m[i, 1])
        hits[i], expected[i] = np.mean(distance_m <= HIT_M), min(near.max(), 1.0)
    return hits, expected


def _trails_of(cells: Sequence[_Cell], groups: NDArray[np.int64]) -> Floats:
    """How likely each station is on each trail, shape (n, trails): the trail that suits its whole group.

    A group's stations are on one trail; a station is on it the likelier, the more of the trail lies in its cell.
    """
    lengths = np.array([cell.lengths_m for cell in cells]) if cells else np.zeros((0, 0))
    total = lengths.sum(axis=1, keepdims=True)
    share = np.divide(lengths, total, out=np.zeros_like(lengths), where=total > 0)
    score = np.log((1 - _OFF_TRAIL) * share + _OFF_TRAIL)
    joint = np.array([score[groups == group].sum(axis=0) for group in groups]).reshape(score.shape)
    here = np.where(share > 0, joint, -np.inf)
    top = np.max(here, axis=1, keepdims=True, initial=-np.inf)
    weight = np.exp(here - np.where(np.isfinite(top), top, 0.0))
    return np.asarray(weight / np.maximum(weight.sum(axis=1, keepdims=True), np.finfo(float).tiny))


def _believed(cell: _Cell, trails: Floats, belief: Belief) -> Floats:
    """Belief over the points of a cell, given how likely the station is on each trail."""
    along = sum((trails[t] * beside for t, beside in cell.beside.items()), np.zeros_like(cell.plain))
    share = belief.trail_share * along.sum()
    return np.asarray((1 - share) * cell.plain + belief.trail_share * along)


def _near(belief: Floats, spacing_m: float) -> Floats:
    """Belief within 1 km of each point of a raster."""
    reach = int(HIT_M / spacing_m)
    rows, columns = (min(reach, size - 1) for size in belief.shape)  # farther than the raster is wide: nothing
    y, x = np.mgrid[-rows : rows + 1, -columns : columns + 1] * spacing_m
    disc = (np.hypot(x, y) <= HIT_M).astype(float)
    full = fftconvolve(belief, disc, mode="full")
    return np.asarray(full[rows : rows + belief.shape[0], columns : columns + belief.shape[1]])
