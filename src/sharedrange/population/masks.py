"""Where activity centres may be: the habitat mask around the detectors, whose side each point is on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from sharedrange.core.answer import Refusal
from sharedrange.core.errors import InputError, NotEnoughData
from sharedrange.core.finding import Finding, Severity
from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask, Projection, Sides, nearest_distance_m

Floats = NDArray[np.float64]

MOST_POINTS = 1_000_000  # a likelihood over more points than this fits no 8 GB laptop
BUFFER_SPREADS = 4.0  # beyond 4 sigma a half-normal animal is caught with probability < 0.001 of that at 0
REACH_SPREADS = 2.0  # beyond 2 sigma a half-normal detector sees an eighth of what it sees at 0
SPACING_SPREADS = 0.3  # finer than 0.6 sigma, where estimates stop depending on the grid (Efford, secr manual)


def make_mask(
    histories: Sequence[CaptureHistory],
    projection: Projection,
    sides: Sides | None,
    *,
    buffer_m: float | None = None,
    spacing_m: float | None = None,
    polygon: BaseGeometry | None = None,
    points: tuple[Floats, Floats] | None = None,
    reach_m: float | None = None,
) -> tuple[Mask, tuple[Finding, ...]]:
    """The mask of all points within `buffer_m` of a detector, or of the given points.

    Cells end at whole multiples of `spacing_m`, so that two parties that make the mask apart get the same
    points, and a border through the projection's centre runs between them. `polygon` cuts it; `sides` tell
    whose each point is. `points` (x, y), `polygon` and `sides` are in the frame that positions are kept in. A
    point is surveyed if a detector is within `reach_m` (where not given, twice the spread of captures);
    elsewhere a density is extrapolated. Buffer and spacing that are not given are suggested from the
    captures, with a note.

    Raises InputError where lengths are not positive, nothing is left, or there are more points than
    MOST_POINTS; NotEnoughData where a length must be suggested and no animal was caught at two places.
    """
    buffer_m, spacing_m, notes = _lengths(histories, buffer_m, spacing_m, points)
    at_x_m, at_y_m = _detectors(histories)
    given = None if points is None else projection.forward(*(np.asarray(axis, dtype=float) for axis in points))
    x_m, y_m = _grid(at_x_m, at_y_m, buffer_m, spacing_m) if given is None else given
    ground = _Ground(projection, polygon)
    inside = ground.holds(x_m, y_m)
    if not inside.any():
        raise InputError([Finding("mask-empty", {"spacing_m": spacing_m, "buffer_m": buffer_m})])
    x_m, y_m = x_m[inside], y_m[inside]
    side = sides.of(*projection.inverse(x_m, y_m)) if sides else np.full(len(x_m), "")
    reach_m = _reach_m(histories, buffer_m) if reach_m is None else reach_m
    surveyed = nearest_distance_m(x_m, y_m, at_x_m, at_y_m) <= reach_m
    open_edge = _open_edge(x_m, y_m, spacing_m, ground) if given is None else None
    return Mask(x_m, y_m, (spacing_m / 1000) ** 2, side, surveyed, open_edge), notes


@dataclass(frozen=True, slots=True)
class _Ground:
    """Where animals may live: a polygon in the kept frame, or anywhere."""

    projection: Projection
    polygon: BaseGeometry | None

    def holds(self, x_m: Floats, y_m: Floats) -> NDArray[np.bool_]:
        if self.polygon is None:
            return np.ones(len(x_m), dtype=bool)
        inside = shapely.intersects_xy(self.polygon, *self.projection.inverse(x_m, y_m))
        return np.asarray(inside, dtype=bool)


def _open_edge(x_m: Floats, y_m: Floats, spacing_m: float, ground: _Ground) -> NDArray[np.bool_]:
    """Points of a grid that lack one of their four neighbours although there is ground for it."""
    open_edge = np.zeros(len(x_m), dtype=bool)
    for dx_m, dy_m in ((spacing_m, 0.0), (-spacing_m, 0.0), (0.0, spacing_m), (0.0, -spacing_m)):
        beside_x_m, beside_y_m = x_m + dx_m, y_m + dy_m
        missing = nearest_distance_m(beside_x_m, beside_y_m, x_m, y_m) > spacing_m / 2
        open_edge |= missing & ground.holds(beside_x_m, beside_y_m)
    return open_edge


def clip_to_side(mask: Mask, party: str) -> Mask:
    """The part of a mask on one party's side of the border."""
    return mask.where(mask.side == party)


def suggested_mask(histories: Sequence[CaptureHistory]) -> tuple[float, float, Finding]:
    """Buffer and spacing in metres where the question gives none, and the note that says where they come from.

    Four and 0.3 times the pooled spread of each animal's captures (`pooled_spread_m`), as secr's
    suggest.buffer starts (Efford 2024, secr: Spatially explicit capture-recapture in R).

    Raises NotEnoughData where no animal was caught at two places.
    """
    spread_m = pooled_spread_m(histories)
    spacing_m = _two_digits(SPACING_SPREADS * spread_m)
    buffer_m = float(np.ceil(BUFFER_SPREADS * spread_m / spacing_m) * spacing_m)
    facts = {"buffer_m": buffer_m, "spacing_m": spacing_m, "spread_m": _two_digits(spread_m)}
    return buffer_m, spacing_m, Finding("mask-suggested", facts, severity=Severity.NOTE)


def pooled_spread_m(histories: Sequence[CaptureHistory]) -> float:
    """Root pooled spatial variance of captures, metres: a first value of sigma (Calhoun & Casby 1958).

    s = sqrt(sum_i sum_j ((x_ij - mean x_i)^2 + (y_ij - mean y_i)^2) / (2 sum_i (n_i - 1))), over the captures
    j of each animal i; it falls short of sigma where the array is small beside the animals' ranges.

    Raises NotEnoughData where no animal was caught at two places.
    """
    squares_m2, freedom = 0.0, 0
    for history in histories:
        counts = history.counts().astype(float)
        place = history.detectors.select("x_m", "y_m").to_numpy()
        place = place - place.mean(axis=0)  # small numbers, so that their squares lose no digits
        times = counts.sum(axis=1)
        centre = counts @ place / np.maximum(times, 1)[:, None]
        squares_m2 += float((counts @ (place**2)).sum() - (times[:, None] * centre**2).sum())
        freedom += int(np.maximum(times - 1, 0).sum())
    spatial = sum(history.n_spatial_recaptures for history in histories)
    if not spatial:
        need = {"spatial_recaptures": 1}
        raise NotEnoughData(
            Refusal("mask", {"spatial_recaptures": 0}, need, ("population.minimum", "population.rates"))
        )
    return float(np.sqrt(squares_m2 / (2 * freedom)))


def _lengths(
    histories: Sequence[CaptureHistory],
    buffer_m: float | None,
    spacing_m: float | None,
    points: tuple[Floats, Floats] | None,
) -> tuple[float, float, tuple[Finding, ...]]:
    """Buffer and spacing as given or suggested; with given points the spacing must be given too."""
    given = {"spacing_m": spacing_m} if points is not None else {"spacing_m": spacing_m, "buffer_m": buffer_m}
    wrong = [
        Finding("mask-length", {"key": key, "given": metres})
        for key, metres in given.items()
        if not _is_length(metres) and (metres is not None or points is not None)
    ]
    if wrong:
        raise InputError(wrong)
    if None not in given.values():
        return buffer_m or 0.0, spacing_m or 0.0, ()
    suggested_buffer_m, suggested_spacing_m, note = suggested_mask(histories)
    return buffer_m or suggested_buffer_m, spacing_m or suggested_spacing_m, (note,)


def _reach_m(histories: Sequence[CaptureHistory], buffer_m: float) -> float:
    """How far detectors are taken to see: twice the spread of captures, else half the buffer."""
    try:
        return REACH_SPREADS * pooled_spread_m(histories)
    except NotEnoughData:
        return buffer_m / 2


def _detectors(histories: Sequence[CaptureHistory]) -> tuple[Floats, Floats]:
    """Places of all detectors of all sessions, metres."""
    places = [history.detectors.select("x_m", "y_m").to_numpy() for history in histories]
    together = np.unique(np.concatenate([np.empty((0, 2)), *places]), axis=0)
    return together[:, 0], together[:, 1]


def _is_length(metres: float | None) -> bool:
    return metres is not None and bool(np.isfinite(metres)) and metres > 0


def _grid(detectors_x_m: Floats, detectors_y_m: Floats, buffer_m: float, spacing_m: float) -> tuple[Floats, Floats]:
    """Centres of cells of `spacing_m` within `buffer_m` of a detector, by y and then x."""
    if not len(detectors_x_m):
        return np.empty(0), np.empty(0)
    columns = _cells(detectors_x_m, buffer_m, spacing_m)
    rows = _cells(detectors_y_m, buffer_m, spacing_m)
    if len(columns) * len(rows) > MOST_POINTS:
        facts = {"points": len(columns) * len(rows), "most": MOST_POINTS, "spacing_m": spacing_m}
        raise InputError([Finding("mask-too-fine", facts)])
    x_m, y_m = (axis.ravel() for axis in np.meshgrid((columns + 0.5) * spacing_m, (rows + 0.5) * spacing_m))
    near = nearest_distance_m(x_m, y_m, detectors_x_m, detectors_y_m) <= buffer_m
    return x_m[near], y_m[near]


def _cells(at_m: Floats, buffer_m: float, spacing_m: float) -> NDArray[np.int64]:
    """Numbers of the cells along one axis that cover positions and buffer; cell 0 begins at 0 m."""
    first, last = np.floor((at_m.min() - buffer_m) / spacing_m), np.floor((at_m.max() + buffer_m) / spacing_m)
    if last - first >= MOST_POINTS:
        facts = {"points": int(last - first + 1), "most": MOST_POINTS, "spacing_m": spacing_m}
        raise InputError([Finding("mask-too-fine", facts)])
    return np.arange(int(first), int(last) + 1)


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")
