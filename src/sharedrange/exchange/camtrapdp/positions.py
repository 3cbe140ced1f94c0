"""Positions: outside the area that the party declared, swapped, on a shifted datum, one camera in two places.

What a shifted datum looks like from inside one package: the same station stands twice, apart by just the shift (a team
changed its maps between seasons), or positions lie just outside the declared area and undoing the shift brings all of
them in. Where every station stands once and no area is declared, nothing in the data tells, and nothing is said.
Findings hold no position.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray
from pyproj import Geod, Transformer
from shapely.geometry.base import BaseGeometry

from sharedrange.core.finding import Severity
from sharedrange.exchange.camtrapdp.broken import Broken, broken
from sharedrange.exchange.camtrapdp.constraints import Table
from sharedrange.exchange.tables import ROW

Floats = NDArray[np.float64]
AREA_SLACK_M = 1_000.0  # areas are drawn by hand
SAME_SHIFT_M = 15.0  # what two readings of a GPS may differ by
MIN_STATIONS = 3  # that must agree on a shift
SAME_PLACE_M = 100.0  # one camera, moved around its tree
MAX_AREA_POINTS = 20_000
_EARTH = Geod(ellps="WGS84")
_AXIS_M, _ECCENTRICITY = 6_378_245.0, 0.00669342162296594323  # Krasovsky 1940, as the Chinese shift takes it
_IN_CHINA = (72.004, 0.8293, 137.8347, 55.8271)  # west, south, east, north: outside it the shift is none


def check_positions(deployments: Table, spatial: object) -> list[Broken]:
    """Everything of this module. `spatial`: the GeoJSON of the package, whatever it is."""
    placed = deployments.rows.filter(pl.col("latitude").is_between(-90, 90) & pl.col("longitude").is_between(-180, 180))
    where = (deployments.file, "deployments")
    area = area_of(spatial)
    return [
        *_zero(where, placed),
        *([] if area is None else _outside(where, placed, area)),
        *_shifted_stations(where, placed),
        *_two_places(where, placed),
    ]


def area_of(spatial: object) -> BaseGeometry | None:
    """The area of GeoJSON (a geometry, or a feature with one); None where there is none that can be read."""
    if isinstance(spatial, dict) and isinstance(spatial.get("geometry"), dict):
        spatial = spatial["geometry"]
    if not isinstance(spatial, dict) or spatial.get("type") not in ("Polygon", "MultiPolygon"):
        return None
    try:
        area = shapely.geometry.shape(spatial)
        fits = shapely.get_num_coordinates(area) <= MAX_AREA_POINTS and _on_earth(area.bounds)
    except (ValueError, TypeError, IndexError, AttributeError, KeyError, RecursionError, shapely.errors.ShapelyError):
        return None
    if area.is_empty or not fits:
        return None
    return area if area.is_valid else shapely.make_valid(area)


def _on_earth(bounds: tuple[float, ...]) -> bool:
    west, south, east, north = bounds
    return -360 <= west <= east <= 360 and -90 <= south <= north <= 90


# --- areas ---


def _zero(where: tuple[str, str], placed: pl.DataFrame) -> list[Broken]:
    """A position of exactly 0, 0: a device without a fix."""
    nowhere = placed.filter((pl.col("latitude") == 0) & (pl.col("longitude") == 0))
    return broken(where, "position-zero", "latitude", nowhere.select(ROW, deployment="deploymentID"), Severity.WARNING)


def _outside(where: tuple[str, str], placed: pl.DataFrame, area: BaseGeometry) -> list[Broken]:
    """Deployments away from the declared area; those whose latitude and longitude changed places."""
    x, y = _xy(placed)
    spare_m = AREA_SLACK_M + placed["coordinateUncertainty"].fill_null(0).to_numpy()
    away_m = distance_m(area, x, y)
    away = away_m > spare_m
    fits = np.abs(x) <= 90
    swapped = away & fits & (distance_m(area, np.where(fits, y, x), np.where(fits, x, y)) <= spare_m)
    rows = placed.select(ROW, deployment="deploymentID").with_columns(
        pl.Series("km", np.ceil(away_m / 1000).astype(np.int64)), pl.Series("swapped", swapped), pl.Series("away", away)
    )
    out = rows.filter(pl.col("away") & ~pl.col("swapped")).select(ROW, "deployment", "km")
    turned = rows.filter("swapped").select(ROW, "deployment")
    warn = Severity.WARNING
    return [
        *broken(where, "outside-area", "latitude", out, warn),
        *broken(where, "swapped-coordinates", "latitude", turned, warn),
        *_shifted_into(where, placed, area),
    ]


def _shifted_into(where: tuple[str, str], placed: pl.DataFrame, area: BaseGeometry) -> list[Broken]:
    """A datum whose shift, undone, brings every position into the area, where several are a little outside it."""
    x, y = _xy(placed)
    outside = distance_m(area, x, y) > SAME_SHIFT_M
    if np.count_nonzero(outside) < MIN_STATIONS:
        return []
    for datum, shifted in DATUMS.items():
        there_x, there_y = shifted(x, y)  # the shift hardly changes over its own length: taken back from where it ends
        back_x, back_y = 2 * x - there_x, 2 * y - there_y
        moved = _apart_m(x, y, back_x, back_y) > 2 * SAME_SHIFT_M
        if moved[outside].all() and (distance_m(area, back_x, back_y) <= SAME_SHIFT_M).all():
            first = placed.select(ROW).filter(pl.Series(outside)).head(1)
            facts = first.with_columns(
                pl.lit(datum).alias("datum"), pl.lit(int(np.count_nonzero(outside))).alias("deployments")
            )
            return broken(where, "datum-beside-area", "latitude", facts, Severity.WARNING)
    return []


# --- datums ---


def gcj02(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """WGS 84 degrees as the degrees that maps published in China show (GCJ-02), 100 to 700 m away.

    The published reverse-engineered polynomial of the "China shift"; positions outside China stay as they are.

    Examples
    --------
    >>> x, y = gcj02(np.array([116.391]), np.array([39.907]))
    >>> float(np.round(x[0], 4)), float(np.round(y[0], 4))
    (116.3972, 39.9084)
    """
    u, v = x - 105.0, y - 35.0
    common = (20 * np.sin(6 * u * np.pi) + 20 * np.sin(2 * u * np.pi)) * 2 / 3
    north = -100 + 2 * u + 3 * v + 0.2 * v**2 + 0.1 * u * v + 0.2 * np.sqrt(np.abs(u)) + common
    north += (20 * np.sin(v * np.pi) + 40 * np.sin(v / 3 * np.pi)) * 2 / 3
    north += (160 * np.sin(v / 12 * np.pi) + 320 * np.sin(v * np.pi / 30)) * 2 / 3
    east = 300 + u + 2 * v + 0.1 * u**2 + 0.1 * u * v + 0.1 * np.sqrt(np.abs(u)) + common
    east += (20 * np.sin(u * np.pi) + 40 * np.sin(u / 3 * np.pi)) * 2 / 3
    east += (150 * np.sin(u / 12 * np.pi) + 300 * np.sin(u / 30 * np.pi)) * 2 / 3
    phi = np.radians(y)
    magic = 1 - _ECCENTRICITY * np.sin(phi) ** 2
    dy = np.degrees(north / (_AXIS_M * (1 - _ECCENTRICITY) / magic**1.5))
    dx = np.degrees(east / (_AXIS_M / np.sqrt(magic) * np.cos(phi)))
    west, south, end, top = _IN_CHINA
    inside = (x >= west) & (x <= end) & (y >= south) & (y <= top)
    return np.where(inside, x + dx, x), np.where(inside, y + dy, y)


def pulkovo1942(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """WGS 84 degrees as degrees of Pulkovo 1942 (EPSG:4284), which Soviet and Russian paper maps use."""
    to = Transformer.from_crs("EPSG:4326", "EPSG:4284", always_xy=True)
    lon, lat = to.transform(x, y)
    return np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)


DATUMS: Mapping[str, Callable[[Floats, Floats], tuple[Floats, Floats]]] = {
    "GCJ-02": gcj02,
    "Pulkovo 1942": pulkovo1942,
}


def _shifted_stations(where: tuple[str, str], placed: pl.DataFrame) -> list[Broken]:
    """A datum whose shift lies between two positions of one station, at several stations."""
    pairs = _positions_of_stations(placed)
    if pairs.height < MIN_STATIONS:
        return []
    x, y, other_x, other_y = (pairs[name].to_numpy() for name in ("x", "y", "other x", "other y"))
    found: list[Broken] = []
    for datum, shifted in DATUMS.items():
        on = (x, y, other_x, other_y)
        agree = _is_shift(shifted, *on) | _is_shift(shifted, other_x, other_y, x, y)
        rows = pairs.filter(pl.Series(agree)).unique("station", keep="first", maintain_order=True)
        if rows.height >= MIN_STATIONS and rows.height * 2 > pairs["station"].n_unique():
            facts = rows.select(ROW, "station", pl.lit(datum).alias("datum"), pl.lit(rows.height).alias("stations"))
            found += broken(where, "shifted-datum", "latitude", facts.head(1), Severity.WARNING)
    return found


def _positions_of_stations(placed: pl.DataFrame) -> pl.DataFrame:
    """Pairs of positions of one station that are apart: row of the later, station, x, y, other x, other y."""
    known = placed.filter(pl.col("locationID").is_not_null()).select(
        ROW, station="locationID", x="longitude", y="latitude"
    )
    known = known.unique(["station", "x", "y"], keep="first", maintain_order=True)
    first = (
        known.group_by("station", maintain_order=True)
        .first()
        .select("station", pl.col(ROW).alias("first"), pl.col("x").alias("other x"), pl.col("y").alias("other y"))
    )
    pairs = known.join(first, on="station").filter(pl.col(ROW) != pl.col("first"))
    apart = _apart_m(*(pairs[n].to_numpy() for n in ("x", "y", "other x", "other y")))
    return pairs.filter(pl.Series(apart > 2 * SAME_SHIFT_M)).sort(ROW)


def _is_shift(
    shifted: Callable[[Floats, Floats], tuple[Floats, Floats]], x: Floats, y: Floats, other_x: Floats, other_y: Floats
) -> NDArray[np.bool_]:
    """Whether a position is the other one on the shifted datum."""
    there_x, there_y = shifted(x, y)
    moved = _apart_m(x, y, there_x, there_y) > 2 * SAME_SHIFT_M
    return moved & (_apart_m(there_x, there_y, other_x, other_y) <= SAME_SHIFT_M)


# --- one camera in two places ---


def _two_places(where: tuple[str, str], placed: pl.DataFrame) -> list[Broken]:
    """One camera in two deployments at the same time, apart from each other."""
    known = placed.filter(pl.col("cameraID").is_not_null() & (pl.col("deploymentStart") < pl.col("deploymentEnd")))
    known = known.select(ROW, "deploymentID", "cameraID", "longitude", "latitude", "deploymentStart", "deploymentEnd")
    before = known.sort("cameraID", "deploymentStart", ROW)
    both = pl.concat([before, before.shift().rename({n: f"{n} other" for n in before.columns})], how="horizontal")
    both = both.filter(
        (pl.col("cameraID") == pl.col("cameraID other")) & (pl.col("deploymentStart") < pl.col("deploymentEnd other"))
    )
    names = ("longitude", "latitude", "longitude other", "latitude other")
    apart = _apart_m(*(both[name].to_numpy() for name in names))
    rows = both.filter(pl.Series(apart > SAME_PLACE_M)).sort(ROW)
    facts = rows.select(ROW, camera="cameraID", deployment="deploymentID", other="deploymentID other")
    return broken(where, "camera-in-two-places", "cameraID", facts, Severity.WARNING)


# --- lengths ---


def _xy(placed: pl.DataFrame) -> tuple[Floats, Floats]:
    return placed["longitude"].to_numpy(), placed["latitude"].to_numpy()


def _apart_m(x: Floats, y: Floats, other_x: Floats, other_y: Floats) -> Floats:
    return np.asarray(_EARTH.inv(x, y, other_x, other_y)[2], dtype=float)


def distance_m(area: BaseGeometry, x: Floats, y: Floats) -> Floats:
    """Metres from each point to the nearest point of an area in degrees; 0 inside.

    The nearest point is found in degrees with longitudes shortened as at the point's latitude, to the nearest degree.
    """
    away = np.zeros(len(x))
    outside = np.flatnonzero(~shapely.covers(area, shapely.points(x, y)))
    for band in np.unique(np.round(y[outside])):
        at = outside[np.round(y[outside]) == band]
        squeeze = max(float(np.cos(np.radians(band))), 0.01)
        near = shapely.transform(area, lambda p, by=squeeze: p * np.array([by, 1.0]))
        lines = shapely.shortest_line(shapely.points(x[at] * squeeze, y[at]), near)
        ends = shapely.get_coordinates(lines)[1::2]
        away[at] = _apart_m(x[at], y[at], ends[:, 0] / squeeze, ends[:, 1])
    return away
