"""Areas that were searched as detectors: where an animal, or its sign, was found is told, not only in which area.

An animal with centre x that is about is found at u with intensity ``lambda0 h(u|x) / H``, where h is half-normal and H
its integral over the plane, ``2 pi sigma^2``; in a searched area A it is found ``lambda0 * integral over A of h / H``
times on a full occasion (Royle & Young 2008, Ecology 89:2281-2289; Efford 2011, Ecology 92:2202-2207). The integral is
a sum over points with weights (2 x 2 Gauss points of small squares; centroids where the edge cuts one), and a sum over
points with weights is what an array of detectors with effort is. So a searched area becomes points whose effort is
their area, and each find a point of its own, small enough to add nothing; what is fitted is the same model.

`lambda0` of that fit is per square metre; `encounter_rate` gives the one above. Its log-likelihood differs by a
constant from that of secr's polygon detectors, by ``-log n! - n_found log POINT_M2``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import lgamma, log, pi

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding, Where
from sharedrange.core.history import CAPTURES, DETECTORS, INDIVIDUALS, CaptureHistory
from sharedrange.core.survey import conform
from sharedrange.population.scr.fitting import Fit

Floats = NDArray[np.float64]

FOUND = pl.Schema({"individual": pl.String(), "occasion": pl.Int32(), "x_m": pl.Float64(), "y_m": pl.Float64()})
POINT_M2 = 1e-6  # area of the point at which something was found
_GAUSS = 1 / np.sqrt(12)  # of a side: where the two Gauss points of an interval lie from its middle
_KINDS = ("multi", "count")


@dataclass(frozen=True, slots=True)
class EncounterRate:
    """Expected finds of an animal on one full occasion if all of its range were searched, on the log scale too."""

    value: float
    se_log: float


def searched_areas(
    areas: Mapping[str, BaseGeometry],
    found: pl.DataFrame,
    effort: Mapping[str, Floats],
    *,
    spacing_m: float,
    kind: str = "multi",
    session: str = "",
) -> CaptureHistory:
    """The capture history of areas that were searched.

    `areas`: name -> polygon in metres; `found`: one row a find (schema FOUND; an animal, occasion from 1 and place);
    `effort`: name -> effort of each occasion, shape (K,), 0 where it was not searched. `spacing_m`: side of the
    squares that the integral is summed over; half of sigma leaves about 1e-5 in log-likelihood. `kind`:
    ``multi`` where an animal is found once an occasion at most, ``count`` where finds are independent.

    Fit it with ``Model("HHN")``. Raises InputError with everything that is wrong: finds outside of the areas or
    occasions, two finds of one animal on an occasion of ``multi``, areas without ground, unequal occasions.
    """
    wrong = [*_about_areas(areas, effort, spacing_m, kind), *_about_found(areas, found, effort, kind)]
    if wrong:
        raise InputError(wrong)
    parts = [(name, *_points(areas[name], spacing_m)) for name in sorted(areas)]
    inside = _area_of(areas, found)
    names = [f"{name}/{i}" for name, x, _, _ in parts for i in range(len(x))]
    finds = [f"{name}/found-{i}" for i, name in enumerate(inside)]
    x_m = np.concatenate([*(x for _, x, _, _ in parts), found["x_m"].to_numpy()])
    y_m = np.concatenate([*(y for _, _, y, _ in parts), found["y_m"].to_numpy()])
    strength = [np.outer(weight, effort[name]) for name, _, _, weight in parts]
    at_finds = [POINT_M2 * np.asarray(effort[name])[None, :] for name in inside]
    detectors = pl.DataFrame({"detector": [*names, *finds], "x_m": x_m, "y_m": y_m})
    captures = found.select("individual", "occasion").with_columns(
        detector=pl.Series(finds, dtype=pl.String), count=pl.lit(1, pl.Int32)
    )
    return CaptureHistory(
        session,
        kind,
        conform(detectors, DETECTORS),
        conform(found.select("individual").unique().sort("individual"), INDIVIDUALS),
        conform(captures, CAPTURES),
        np.vstack([*strength, *at_finds]),
    )


def encounter_rate(fitted: Fit) -> EncounterRate:
    """`lambda0` of searched areas, from a fit of ``Model("HHN")`` to `searched_areas`: finds on a full occasion.

    Raises KeyError if the fit has no single lambda0 and sigma.
    """
    if not {"lambda0", "sigma"} <= set(fitted.names):
        raise KeyError("the fit has no single lambda0 and sigma")
    i, j = fitted.names.index("lambda0"), fitted.names.index("sigma")
    variance = fitted.covariance[i, i] + 4 * fitted.covariance[j, j] + 4 * fitted.covariance[i, j]
    return EncounterRate(float(np.exp(fitted.beta[i] + 2 * fitted.beta[j]) * 2 * pi), float(np.sqrt(variance)))


def secr_constant(history: CaptureHistory) -> float:
    """What to add to the log-likelihood of a fit to `searched_areas` for that of secr's polygon detectors."""
    return -lgamma(history.n_individuals + 1) - history.n_detections * log(POINT_M2)


def _points(area: BaseGeometry, spacing_m: float) -> tuple[Floats, Floats, Floats]:
    """Points of an area and the ground that each stands for, shapes (n,)."""
    west, south, east, north = area.bounds
    columns, rows = (max(1, int(np.ceil(span / spacing_m))) for span in (east - west, north - south))
    width, height = (east - west) / columns, (north - south) / rows
    i, j = (axis.ravel() for axis in np.meshgrid(np.arange(columns), np.arange(rows)))
    left, low = west + i * width, south + j * height
    squares = shapely.box(left, low, left + width, low + height)
    whole = shapely.contains_properly(area.buffer(1e-6 * spacing_m), squares)
    cut = shapely.intersection(squares[~whole], area)
    cut = cut[shapely.area(cut) > 0]
    centres = shapely.get_coordinates(shapely.centroid(cut))
    steps = [(a * _GAUSS, b * _GAUSS) for a in (-1, 1) for b in (-1, 1)]
    x = np.concatenate([left[whole] + (0.5 + a) * width for a, _ in steps])
    y = np.concatenate([low[whole] + (0.5 + b) * height for _, b in steps])
    weights = np.full(len(x), width * height / 4)
    return np.r_[x, centres[:, 0]], np.r_[y, centres[:, 1]], np.r_[weights, shapely.area(cut)]


def _area_of(areas: Mapping[str, BaseGeometry], found: pl.DataFrame) -> list[str]:
    """The area in which each find lies; the first in order of names where areas share an edge."""
    points = shapely.points(found["x_m"].to_numpy(), found["y_m"].to_numpy())
    inside = np.array([shapely.intersects(areas[name], points) for name in sorted(areas)]).reshape(len(areas), -1)
    return [
        sorted(areas)[row] if column.any() else "" for column, row in zip(inside.T, inside.argmax(axis=0), strict=True)
    ]


def _about_areas(
    areas: Mapping[str, BaseGeometry], effort: Mapping[str, Floats], spacing_m: float, kind: str
) -> list[Finding]:
    wrong = [Finding("searched-area-empty", {"area": name}) for name, area in areas.items() if not area.area > 0]
    lengths = {len(effort[name]) for name in areas if name in effort}
    if set(areas) != set(effort) or len(lengths) != 1:
        wrong.append(Finding("searched-area-effort", {"areas": ", ".join(sorted(areas))}))
    if not spacing_m > 0 or kind not in _KINDS:
        wrong.append(
            Finding("searched-area-settings", {"spacing_m": spacing_m, "kind": kind, "known": ", ".join(_KINDS)})
        )
    return wrong


def _about_found(
    areas: Mapping[str, BaseGeometry], found: pl.DataFrame, effort: Mapping[str, Floats], kind: str
) -> list[Finding]:
    """Finds that cannot be; told by row, never by place."""
    inside = _area_of(areas, found)
    wrong = [
        Finding("searched-area-outside", {"row": i + 1}, Where(row=i + 1)) for i, name in enumerate(inside) if not name
    ]
    for i, (name, occasion) in enumerate(zip(inside, found["occasion"], strict=True)):
        days = effort.get(name, np.zeros(0))
        if name and not (1 <= occasion <= len(days) and days[occasion - 1] > 0):
            wrong.append(Finding("searched-area-idle", {"row": i + 1, "occasion": occasion}, Where(row=i + 1)))
    twice = found.group_by("individual", "occasion").len().filter(pl.col("len") > 1)
    if kind == "multi" and twice.height:
        wrong.append(Finding("searched-area-twice", {"n": twice.height}))
    return wrong
