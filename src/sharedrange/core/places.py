"""Where things are: frames, sides, masks. Longitude and latitude become metres here and nowhere else.

Kept positions are WGS 84 longitude and latitude, or metres of a named *local* frame when a party's
sheet has no place on Earth (an old net grid). Computed positions are metres in the component's projection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

Floats = NDArray[np.float64]

_WITH_FOUR_NEIGHBOURS = 5  # a point of a square grid and the four beside it


@dataclass(frozen=True, slots=True)
class Projection:
    """From kept positions to metres. `crs` is a PROJ string, an EPSG code, or ``local:<name>``.

    A local frame is metres already: nothing is projected and nothing can be drawn on a map of the Earth.
    """

    crs: str

    @property
    def is_local(self) -> bool:
        """Whether positions are metres of a named grid without a place on Earth."""
        return self.crs.startswith("local:")

    def forward(self, longitude: Floats, latitude: Floats) -> tuple[Floats, Floats]:
        """Degrees to metres, arrays of equal shape."""
        if self.is_local:
            return longitude, latitude
        x, y = _transformer(self.crs).transform(longitude, latitude)
        return np.asarray(x, dtype=float), np.asarray(y, dtype=float)

    def inverse(self, x_m: Floats, y_m: Floats) -> tuple[Floats, Floats]:
        """Metres to degrees, arrays of equal shape."""
        if self.is_local:
            return x_m, y_m
        lon, lat = _transformer(self.crs).transform(x_m, y_m, direction="INVERSE")
        return np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)

    def project(self, geometry: BaseGeometry) -> BaseGeometry:
        """A geometry in degrees as one in metres."""
        return shapely.transform(geometry, lambda p: np.column_stack(self.forward(p[:, 0], p[:, 1])))

    def unproject(self, geometry: BaseGeometry) -> BaseGeometry:
        """A geometry in metres as one in degrees."""
        return shapely.transform(geometry, lambda p: np.column_stack(self.inverse(p[:, 0], p[:, 1])))


@lru_cache(maxsize=32)
def _transformer(crs: str) -> Transformer:
    return Transformer.from_crs("EPSG:4326", CRS.from_user_input(crs), always_xy=True)


def equal_area(longitude: float, latitude: float) -> Projection:
    """Lambert azimuthal equal-area centred on a point rounded to a tenth of a degree.

    The default for a component: one UTM zone across Altai and Amur errs by 10-20 % in area.
    Rounding keeps the projection from giving the centre of the cameras away.
    """
    return Projection(f"+proj=laea +lat_0={round(latitude, 1)} +lon_0={round(longitude, 1)} +datum=WGS84 +units=m")


def to_wgs84(crs: str, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Coordinates of a declared CRS as WGS 84 longitude and latitude."""
    lon, lat = Transformer.from_crs(CRS.from_user_input(crs), "EPSG:4326", always_xy=True).transform(x, y)
    return np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)


@dataclass(frozen=True, slots=True)
class Sides:
    """Whose side a place is on: party id -> polygon, in the frame that positions are kept in."""

    polygons: Mapping[str, BaseGeometry]

    def of(self, x: Floats, y: Floats) -> NDArray[np.str_]:
        """Party of each point, shape (n,); an empty string where no party's side is.

        A point exactly on the border belongs to the party whose id comes first: nobody would be worse.
        """
        side = np.full(x.shape, "", dtype=object)
        for party, polygon in sorted(self.polygons.items(), reverse=True):
            shapely.prepare(polygon)
            side[shapely.intersects_xy(polygon, x, y)] = party
        return side.astype(str)


@dataclass(frozen=True, slots=True)
class Mask:
    """Integration points of a habitat mask: where activity centres may be (secr's mask).

    `x_m`, `y_m`: shape (M,), metres in the component's projection; `cell_area_km2`: area of one cell;
    `side`: party on whose side each point lies ("" for none), shape (M,);
    `surveyed`: whether the point is within reach of a detector (else the density there is extrapolated);
    `open_edge`: whether habitat goes on beyond the point, where the mask does not (None: nobody knows, and
    every edge counts as open). A coast is a closed edge, the end of a buffer an open one.
    """

    x_m: Floats
    y_m: Floats
    cell_area_km2: float
    side: NDArray[np.str_]
    surveyed: NDArray[np.bool_]
    open_edge: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.x_m)

    @property
    def spacing_m(self) -> float:
        """Distance between neighbouring points."""
        return float(np.sqrt(self.cell_area_km2) * 1000)

    @property
    def area_km2(self) -> float:
        """Area of the whole mask."""
        return len(self) * self.cell_area_km2

    def where(self, keep: NDArray[np.bool_]) -> Mask:
        """The mask of the points for which `keep` is true."""
        edge = None if self.open_edge is None else self.open_edge[keep]
        return Mask(self.x_m[keep], self.y_m[keep], self.cell_area_km2, self.side[keep], self.surveyed[keep], edge)

    def edge(self) -> NDArray[np.bool_]:
        """Points beyond which animals may live that the mask leaves out, shape (M,)."""
        if self.open_edge is not None:
            return self.open_edge
        from scipy.spatial import cKDTree  # noqa: PLC0415  (kept out of start-up)

        points = np.column_stack([self.x_m, self.y_m])
        near = cKDTree(points).query_ball_point(points, 1.2 * self.spacing_m, return_length=True)
        return np.asarray(near) < _WITH_FOUR_NEIGHBOURS


def nearest_distance_m(x_m: Floats, y_m: Floats, to_x_m: Floats, to_y_m: Floats) -> Floats:
    """Distance from each point to the nearest of the others, shape (n,)."""
    from scipy.spatial import cKDTree  # noqa: PLC0415  (kept out of start-up)

    distance, _ = cKDTree(np.column_stack([to_x_m, to_y_m])).query(np.column_stack([x_m, y_m]))
    return np.asarray(distance, dtype=float)
