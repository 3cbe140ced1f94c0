"""Lines that animals may not be able to cross, and how long the way round them is.

All of it is plane geometry: the way round is the shortest path of straight pieces between ends and bends of the line
(the visibility graph; Lozano-Perez and Wesley 1979, Communications of the ACM 22: 560-570), not a path over cells. So
neither the spacing of a mask nor the number of vertices with which a line was drawn changes what a barrier means.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse.csgraph import shortest_path
from shapely.geometry.base import BaseGeometry

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NO_WAY_M = 1e9  # finite, so that no sum becomes NaN; no detection function sees as far
_BESIDE_M = 0.01  # how far from the line paths round its ends and bends are laid
MOST_BARRIERS = 4  # of one model: there are 2^n ways
_BEYOND_SPREADS = 8.0
_THINNED_SPREADS, _FINEST_SPREADS = 0.1, 0.002  # a few metres: no position is known better


@dataclass(frozen=True, slots=True)
class Barrier:
    """A border, fence or river: lines in metres of the projection that positions are computed in.

    `line` is a LineString or MultiLineString; animals walk freely through `passages`, polygons that cut it open.
    """

    name: str
    line: BaseGeometry
    passages: tuple[BaseGeometry, ...] = ()

    def with_passage(self, x_m: float, y_m: float, width_m: float) -> Barrier:
        """The barrier with a gap of `width_m` about a place."""
        return replace(self, passages=(*self.passages, shapely.Point(x_m, y_m).buffer(width_m / 2)))

    def simplified(self, tolerance_m: float) -> Barrier:
        """The barrier with fewer vertices, nowhere moved by more than `tolerance_m`; its passages stay as wide."""
        return Barrier(self.name, shapely.simplify(self._closed, tolerance_m))

    def within(self, west_m: float, south_m: float, east_m: float, north_m: float) -> Barrier:
        """The part of the barrier that lies in a rectangle; beyond it there is no line."""
        return Barrier(self.name, shapely.intersection(self._closed, shapely.box(west_m, south_m, east_m, north_m)))

    @property
    def _closed(self) -> BaseGeometry:
        """What remains between passages."""
        return shapely.MultiLineString([shapely.LineString(piece) for piece in self.solid])

    @property
    def solid(self) -> tuple[Floats, ...]:
        """The polylines that remain between passages, each (vertices, 2)."""
        left = shapely.difference(self.line, shapely.union_all(self.passages)) if self.passages else self.line
        lines = shapely.line_merge(shapely.union_all(shapely.get_parts(left)))
        pieces = (shapely.get_coordinates(part) for part in shapely.get_parts(lines))
        return tuple(piece[_moving(piece)] for piece in pieces if _moving(piece).sum() > 1)


def _moving(piece: Floats) -> Bools:
    """Vertices that differ from the one before."""
    return np.r_[True, (np.diff(piece, axis=0) != 0).any(axis=1)] if len(piece) else np.zeros(0, dtype=bool)


def check_barriers(barriers: Sequence[Barrier]) -> None:
    """Raise InputError with everything that is wrong with the barriers."""
    found = list(wrong_barriers(barriers))
    if found:
        raise InputError(found)


def wrong_barriers(barriers: Sequence[Barrier]) -> Iterator[Finding]:
    """Everything that is wrong with the barriers. No finding tells where a passage is."""
    names = [barrier.name for barrier in barriers]
    if not 1 <= len(barriers) <= MOST_BARRIERS:
        yield Finding("permeability-barriers", {"barriers": len(barriers), "most": MOST_BARRIERS})
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield Finding("permeability-named-twice", {"barrier": name})
    for barrier in barriers:
        lines = shapely.get_type_id(shapely.get_parts(barrier.line))
        lineal = np.isin(lines, (shapely.GeometryType.LINESTRING, shapely.GeometryType.LINEARRING)).all()
        if shapely.is_empty(barrier.line) or not lineal or not np.isfinite(shapely.get_coordinates(barrier.line)).all():
            yield Finding("permeability-no-line", {"barrier": barrier.name})
            continue
        apart = sum(not shapely.intersects(passage, barrier.line) for passage in barrier.passages)
        if apart:
            yield Finding("permeability-passage-apart", {"barrier": barrier.name, "passages": apart})
        if not barrier.solid:
            yield Finding("permeability-all-passage", {"barrier": barrier.name})


def worked(barrier: Barrier, detectors_m: Floats, centres_m: Floats, spread_m: float) -> Barrier:
    """The barrier without what cannot matter, so that a finely drawn river costs little.

    `detectors_m` (J, 2), `centres_m` (M, 2): where animals are caught and may live; `spread_m`: of captures. What lies
    farther than 8 spreads outside all of them is left out: the way round there is longer than animals go. Vertices are
    thinned by a tenth of the spread, less where a detector stands close to the line: none may change its side.
    """
    everywhere = np.vstack([detectors_m, centres_m])
    low, high = everywhere.min(axis=0) - _BEYOND_SPREADS * spread_m, everywhere.max(axis=0) + _BEYOND_SPREADS * spread_m
    near = barrier.within(*low.tolist(), *high.tolist())
    if not near.solid:
        return near
    beside_m = float(shapely.distance(near.line, shapely.points(detectors_m)).min())
    return near.simplified(max(min(_THINNED_SPREADS * spread_m, beside_m / 2), _FINEST_SPREADS * spread_m))


def way_m(from_m: Floats, to_m: Floats, closed: Sequence[Barrier]) -> Floats:
    """The shortest way between places (n, 2) and (m, 2) that crosses no closed barrier, shape (n, m), metres.

    NO_WAY_M where there is none. Places on a line are taken to be on one side of it.

    Examples
    --------
    A fence 8 km long; the way round its end is 10 km instead of 6:

    >>> fence = Barrier("fence", shapely.LineString([(0, -4000), (0, 4000)]))
    >>> round_m = way_m(np.array([[-3000.0, 0.0]]), np.array([[3000.0, 0.0]]), [fence])
    >>> round(float(round_m[0, 0]))
    10000
    """
    metres = _apart_m(from_m, to_m)
    pieces = [piece for barrier in closed for piece in barrier.solid]
    if not pieces:
        return metres
    segments = np.concatenate([np.stack([piece[:-1], piece[1:]], axis=1) for piece in pieces])
    blocked = _blocked(from_m, to_m, segments)
    rows, columns = np.flatnonzero(blocked.any(axis=1)), np.flatnonzero(blocked.any(axis=0))
    if len(rows):
        some = np.ix_(rows, columns)
        nodes = np.concatenate([_at_ends(pieces), *(_at_bends(piece) for piece in pieces)])
        around = _round_m(from_m[rows], to_m[columns], nodes, segments)
        metres[some] = np.where(blocked[some], around, metres[some])
    return metres


def _round_m(from_m: Floats, to_m: Floats, nodes: Floats, segments: Floats) -> Floats:
    """The shortest way by one or more nodes."""
    between = _seen_m(nodes, nodes, segments)
    np.fill_diagonal(between, 0.0)
    walked = np.minimum(shortest_path(np.where(between < NO_WAY_M, between, np.inf), method="D"), NO_WAY_M)
    start, end = _seen_m(from_m, nodes, segments), _seen_m(nodes, to_m, segments)
    best = np.full((len(from_m), len(to_m)), NO_WAY_M)
    for node in range(len(nodes)):
        reached = np.min(start + walked[:, node], axis=1)
        np.minimum(best, reached[:, None] + end[node], out=best)
    return best


def _is_ring(piece: Floats) -> bool:
    return bool((piece[0] == piece[-1]).all())


def _at_bends(piece: Floats) -> Floats:
    """Places on both sides of the bends of a polyline, (nodes, 2)."""
    along = np.diff(piece, axis=0)
    along /= np.hypot(along[:, 0], along[:, 1])[:, None]
    ring = _is_ring(piece)
    before, after = (np.vstack([along[-1:], along[:-1]]), along) if ring else (along[:-1], along[1:])
    bends = piece[:-1] if ring else piece[1:-1]
    across = _bisector(before, after) * _BESIDE_M
    return np.concatenate([bends + across, bends - across])


def _at_ends(pieces: Sequence[Floats]) -> Floats:
    """Places just beyond the ends of polylines, (nodes, 2).

    Where several end in one point, as where a line crosses itself, a place beyond one of them would lie on another, and
    be seen from both sides. There a way can only turn in an angle of more than half a circle: its middle is the place.
    """
    meeting: dict[tuple[float, float], list[tuple[Floats, float]]] = {}
    for piece in pieces:
        for end, inner in () if _is_ring(piece) else ((piece[0], piece[1]), (piece[-1], piece[-2])):
            angle = float(np.arctan2(*(inner - end)[::-1]))
            meeting.setdefault((round(float(end[0]), 3), round(float(end[1]), 3)), []).append((end, angle))
    places = [place for ends in meeting.values() for place in _beyond(ends)]
    return np.array(places).reshape(-1, 2)


def _beyond(ends: Sequence[tuple[Floats, float]]) -> Iterator[Floats]:
    """The middle of every angle of more than half a circle between lines that leave one point."""
    angles = np.sort([angle for _, angle in ends])
    for angle, gap in zip(angles, np.diff(np.r_[angles, angles[0] + 2 * np.pi]), strict=True):
        if gap > np.pi:
            middle = angle + gap / 2
            yield ends[0][0] + _BESIDE_M * np.array([np.cos(middle), np.sin(middle)])


def _bisector(before: Floats, after: Floats) -> Floats:
    """Unit vectors halfway between the normals of two directions; the direction itself where a line turns back."""
    normal = np.stack([-(before + after)[:, 1], (before + after)[:, 0]], axis=1)
    size = np.hypot(normal[:, 0], normal[:, 1])[:, None]
    return np.where(size > 1e-9, normal / np.maximum(size, 1e-9), before)


def _seen_m(from_m: Floats, to_m: Floats, segments: Floats) -> Floats:
    """Distance along a straight line, NO_WAY_M where a segment is in between."""
    return np.where(_blocked(from_m, to_m, segments), NO_WAY_M, _apart_m(from_m, to_m))


def _apart_m(from_m: Floats, to_m: Floats) -> Floats:
    away = from_m[:, None, :] - to_m[None, :, :]
    return np.hypot(away[..., 0], away[..., 1])


def _blocked(from_m: Floats, to_m: Floats, segments: Floats) -> Bools:
    """Whether any segment (S, 2, 2) lies between places, shape (n, m).

    What lies exactly on a line counts as left of it, in every comparison: a path through a vertex is then blocked by
    exactly one of the two segments that meet there, and nothing slips through.
    """
    blocked = np.zeros((len(from_m), len(to_m)), dtype=bool)
    for a, b in segments:
        unlike = (_left_of(a, b, from_m)[:, None] != _left_of(a, b, to_m)[None, :]) & ~blocked
        row, column = np.nonzero(unlike)
        p, q = from_m[row], to_m[column]
        crossed = _left_of(p, q, a) != _left_of(p, q, b)
        blocked[row[crossed], column[crossed]] = True
    return blocked


def _left_of(a: Floats, b: Floats, point: Floats) -> Bools:
    """Whether points lie left of (or on) the lines from a to b."""
    step, away = b - a, point - a
    return np.asarray(step[..., 0] * away[..., 1] - step[..., 1] * away[..., 0] >= 0)
