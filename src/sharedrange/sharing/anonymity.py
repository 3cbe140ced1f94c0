"""How much ground is an outsider left with, who wants to know where a station stands?

Less than its cell: the cell is cut by all that is known without the release (the declared area, the habitat, the
reach of trails, public terrain) and by the cells told of the same station in earlier releases. Areas are taken in an
equal-area projection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import shapely
from shapely.geometry.base import BaseGeometry

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Fact, Finding
from sharedrange.core.grids import GEOGRAPHIC, Grid
from sharedrange.core.places import Projection, equal_area

Tables = Mapping[str, pl.DataFrame]  # name -> table of a release (core.release)
CellKey = tuple[float, float, float]  # centre x and y and side, as released

AREAS = pl.Schema({"place": pl.String(), "area_km2": pl.Float64()})
_PARTS_OF_A_SIDE = 8  # a cell's sides are curves when projected
_KM2 = 1e6


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of where stations can be without any release, in the frame that the release's grid has.

    `declared`: the area that the owner says was surveyed; `habitat` and `layers`: areas where a station is plausible,
    such as forest, public land, ground below the tree line; `trails`: lines along which stations are reached, each
    one way that is walked in one go; `trail_reach_m`: how far from them a station may be.
    """

    declared: BaseGeometry
    habitat: BaseGeometry | None = None
    layers: tuple[BaseGeometry, ...] = ()
    trails: tuple[BaseGeometry, ...] = ()
    trail_reach_m: float = 500.0


@dataclass(frozen=True, slots=True)
class Ground:
    """What is `Known`, in metres of an equal-area projection. `plausible` holds habitat and layers."""

    projection: Projection
    declared: BaseGeometry
    plausible: tuple[BaseGeometry, ...]
    trails: tuple[BaseGeometry, ...]
    trail_reach_m: float


def ground_of(known: Known, grid: Grid) -> Ground:
    """What is known, projected.

    Raises InputError where the declared area is empty, or positions are neither degrees nor metres of a local frame.
    """
    found = []
    if known.declared.is_empty or known.declared.area == 0:
        found.append(Finding("attack-area-empty", {}))
    if grid.crs != GEOGRAPHIC and not grid.crs.startswith("local:"):
        found.append(Finding("agreement-grid-crs", {"given": grid.crs}))
    if found:
        raise InputError(found)
    centre = known.declared.centroid
    projection = equal_area(centre.x, centre.y) if grid.crs == GEOGRAPHIC else Projection(grid.crs)
    plausible = [area for area in (known.habitat, *known.layers) if area is not None]
    return Ground(
        projection,
        projection.project(known.declared),
        tuple(projection.project(area) for area in plausible),
        tuple(projection.project(trail) for trail in known.trails),
        known.trail_reach_m,
    )


def effective_area_km2(tables: Tables, grid: Grid, known: Known, earlier: Sequence[Tables] = ()) -> pl.DataFrame:
    """The area in which an outsider has to look for each station or site of a release (table AREAS).

    `earlier`: tables of earlier releases in which the same places go by the same pseudonyms. A layer that leaves
    nothing of a place's cell is wrong there, as an outsider would see too: it is left out for that place.
    Raises InputError as `ground_of` does.
    """
    ground = ground_of(known, grid)
    within = [*ground.plausible, *_reach(ground)]
    areas = {place: _cut(region, within).area / _KM2 for place, region in regions(tables, ground, earlier).items()}
    return pl.DataFrame(sorted(areas.items()), schema=AREAS, orient="row")


def about_areas(areas: pl.DataFrame, least_area_km2: float) -> tuple[Finding, ...]:
    """The finding that refuses a release in which a place is left less than `least_area_km2`; nothing if none is."""
    small = areas.filter(pl.col("area_km2") < least_area_km2)
    if small.is_empty():
        return ()
    smallest = float(np.asarray(small["area_km2"]).min())
    facts: dict[str, Fact] = {
        "places": small.height,
        "of": areas.height,
        "least_km2": least_area_km2,
        "smallest_km2": float(f"{smallest:.2g}"),
    }
    return (Finding("release-area-small", facts),)


def regions(tables: Tables, ground: Ground, earlier: Sequence[Tables] = ()) -> dict[str, BaseGeometry]:
    """Where each placed station or site can be for sure: its cells, old and new, cut by the declared area. Metres."""
    told = cells_told([tables])
    before = cells_told(earlier)
    made: dict[CellKey, BaseGeometry] = {}
    for cell in {*(c for cells in told.values() for c in cells), *(c for cells in before.values() for c in cells)}:
        made[cell] = ground.projection.project(_square(cell))
    return {
        place: _cut(made[cells[0]], [*(made[c] for c in (*cells[1:], *before.get(place, ()))), ground.declared])
        for place, cells in told.items()
    }


def cells_told(releases: Iterable[Tables]) -> dict[str, tuple[CellKey, ...]]:
    """The cells that releases tell of each station or site that has one, largest first."""
    told: dict[str, set[CellKey]] = {}
    for tables in releases:
        for name, key in (("stations", "station"), ("visits", "site"), ("samples", "sample")):
            if name in tables:
                rows = tables[name].select(key, "x", "y", "cell").drop_nulls().unique()
                for place, x, y, cell in rows.iter_rows():
                    told.setdefault(place, set()).add((x, y, cell))
    return {place: tuple(sorted(cells, key=lambda c: (-c[2], c))) for place, cells in sorted(told.items())}


def _square(cell: CellKey) -> BaseGeometry:
    x, y, side = cell
    half = side / 2
    square: BaseGeometry = shapely.segmentize(
        shapely.box(x - half, y - half, x + half, y + half), side / _PARTS_OF_A_SIDE
    )
    return square


def _reach(ground: Ground) -> list[BaseGeometry]:
    """The area within reach of trails; nothing where none is known."""
    if not ground.trails:
        return []
    return [shapely.union_all([trail.buffer(ground.trail_reach_m) for trail in ground.trails])]


def _cut(region: BaseGeometry, areas: Iterable[BaseGeometry]) -> BaseGeometry:
    """What the areas leave of a region, without those that would leave nothing."""
    for area in areas:
        left = region.intersection(area)
        region = left if left.area > 0 else region
    return region
