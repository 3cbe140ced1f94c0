"""Least-cost distance over a resistance layer whose weight is estimated with density and detection.

Each mask point has resistance r = exp(z theta), z its covariates; a step between neighbouring points costs its length
times their mean resistance, and the distance between a detector and an activity centre is the least cost of a path
(Royle, Chandler, Gazenski and Graves 2013, Ecology 94: 287-294; Sutherland, Fuller and Royle 2015, Methods in Ecology
and Evolution 6: 169-177). The path that is shortest stays so under a small change of theta, so the derivative of its
cost is the sum of its steps' derivatives: exact wherever two paths do not tie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Fact, Finding
from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.core.progress import Progress, silent
from sharedrange.population.formulas import INTERCEPT, Formula, design_matrix, parse
from sharedrange.population.permeability.barriers import NO_WAY_M
from sharedrange.population.scr import Covariates, Fit, Model, fit_sessions, prepare_sessions
from sharedrange.population.scr.checks import raise_if_wrong
from sharedrange.population.scr.distance import Distances
from sharedrange.population.scr.session import Session
from sharedrange.population.scr.variables import column_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
PREFIX = "resistance"
NEIGHBOURS = {8: 1.5, 16: 2.3}  # how far neighbours are, in cells: king's moves, and knight's moves too
_TWO_STRAIGHT = 2.0  # cells: a step over a neighbour, which two steps to it say already


@dataclass(frozen=True, slots=True)
class Graph:
    """Paths of one session. Nodes: M mask points in block order, then J detectors, from which steps only lead away.

    `place_m` (M + J, 2); `covariates` (M + J, P); `ends` (edges, 2) indices of nodes.
    """

    place_m: Floats
    covariates: Floats
    ends: Ints
    detectors: int

    def least_cost(self, theta: Floats, reach_m: float) -> Distances:
        """Distances and their derivatives by theta; NO_WAY_M beyond `reach_m`."""
        resistance = np.exp(self.covariates @ theta)
        u, v = self.ends.T
        cost = self._length_m(u, v) * (resistance[u] + resistance[v]) / 2
        size, points = len(self.place_m), len(self.place_m) - self.detectors
        steps = csr_array((cost, (u, v)), shape=(size, size))
        sources = np.arange(points, size)
        metres, before = dijkstra(steps, indices=sources, return_predecessors=True, limit=reach_m)
        slopes = self._slopes(before.astype(np.int64), resistance)
        lost = ~np.isfinite(metres)
        return Distances(np.where(lost, NO_WAY_M, metres)[:, :points], np.where(lost, 0.0, slopes)[:, :, :points])

    def _length_m(self, u: Ints, v: Ints) -> Floats:
        return np.asarray(np.hypot(*(self.place_m[u] - self.place_m[v]).T)).T

    def _slopes(self, before: Ints, resistance: Floats) -> Floats:
        """Derivatives (P, J, nodes): steps summed along each tree of paths, twice as far each time."""
        everyone = np.broadcast_to(np.arange(before.shape[1]), before.shape)
        pointer = np.where(before < 0, everyone, before)
        half_m = self._length_m(pointer.ravel(), everyone.ravel()).reshape(before.shape) / 2
        by_theta = (resistance[:, None] * self.covariates).T
        total = half_m * (by_theta[:, pointer] + by_theta[:, None, :])
        while True:
            total = total + np.take_along_axis(total, np.broadcast_to(pointer, total.shape), axis=2)
            farther = np.take_along_axis(pointer, pointer, axis=1)
            if (farther == pointer).all():
                return np.asarray(total)
            pointer = farther


@dataclass(frozen=True)
class LeastCost:
    """Least-cost distance (a `Distance` of population.scr), `graphs` by session."""

    names: tuple[str, ...]
    graphs: Mapping[str, Graph]
    reach_m: float = np.inf
    kinked: bool = True  # where another path becomes the least, derivatives jump

    @property
    def start(self) -> tuple[float, ...]:
        """Resistance 1 everywhere."""
        return (0.0,) * len(self.names)

    def between(self, session: Session, parameters: Floats) -> Distances:
        """All distances of one session at these weights."""
        return self.graphs[session.name].least_cost(parameters, self.reach_m)


def least_cost(
    sessions: Sequence[Session],
    formula: str,
    covariates: Covariates,
    *,
    neighbours: int = 8,
    reach_m: float = np.inf,
) -> LeastCost:
    """Least-cost distance over the masks of prepared sessions.

    `formula`: of mask covariates (columns of ``covariates.mask``), without effect of an intercept, which could not be
    told from sigma. Columns are standardised over all masks, so that a parameter ``resistance.<column>`` is the change
    of log resistance by one standard deviation and sigma is in metres of average ground. Paths run over 8 or 16
    neighbours; over open ground they are up to 8 % or 4 % longer than a straight line.

    Raises InputError if the formula cannot be read or names what the masks' tables do not hold.
    """
    terms = _parsed(formula)
    tables = [
        {n: column_of(v, n)[s.mask_row] for n, v in covariates.of_mask(i).items()} for i, s in enumerate(sessions)
    ]
    missing = sorted({n for table in tables for n in terms.variables - set(table)})
    if missing or not terms.variables or neighbours not in NEIGHBOURS:
        facts: dict[str, Fact] = {"formula": formula, "missing": ", ".join(missing) or "-", "neighbours": neighbours}
        raise InputError([Finding("permeability-resistance", facts)])
    levels = {n: _levels([t[n] for t in tables]) for n in terms.variables}
    made = [design_matrix(terms, table, {n: v for n, v in levels.items() if v}) for table in tables]
    used = [i for i, name in enumerate(made[0].names) if name != INTERCEPT]
    names = tuple(f"{PREFIX}.{made[0].names[i]}" for i in used)
    values = _standardised([m.values[:, used] for m in made])
    graphs = {s.name: _graph(s, z, NEIGHBOURS[neighbours]) for s, z in zip(sessions, values, strict=True)}
    return LeastCost(names, graphs, reach_m)


def fit_resistance(
    histories: Sequence[CaptureHistory],
    masks: Sequence[Mask],
    formula: str,
    covariates: Covariates,
    model: Model | None = None,
    *,
    neighbours: int = 8,
    reach_m: float = np.inf,
    progress: Progress = silent,
) -> Fit:
    """Density, detection and resistance together; see `least_cost`. Raises InputError, DidNotConverge."""
    asked = model or Model("HHN")
    raise_if_wrong(histories, masks, asked.detection_function)
    sessions, detection = prepare_sessions(histories, masks, asked)
    distance = least_cost(sessions, formula, covariates, neighbours=neighbours, reach_m=reach_m)
    return fit_sessions(sessions, detection, replace(asked, distance=distance), covariates, progress=progress)


def _parsed(formula: str) -> Formula:
    """The formula with an intercept, so that factors have a reference level; its column is left out later."""
    try:
        return replace(parse(formula), intercept=True)
    except ValueError as wrong:
        facts = {"parameter": PREFIX, "formula": formula, "problem": str(wrong)}
        raise InputError([Finding("scr-formula-unreadable", facts)]) from wrong


def _levels(columns: Sequence[NDArray[np.generic]]) -> tuple[str, ...]:
    """Levels of a factor over all masks; () for numbers."""
    if columns[0].dtype.kind in "fiu":
        return ()
    return tuple(sorted({str(v) for column in columns for v in np.unique(column)}))


def _standardised(columns: Sequence[Floats]) -> list[Floats]:
    together = np.vstack(columns)
    spread = together.std(axis=0)
    if (spread == 0).any():
        raise InputError([Finding("permeability-resistance-constant", {"columns": int((spread == 0).sum())})])
    return [np.asarray((z - together.mean(axis=0)) / spread) for z in columns]


def _graph(session: Session, covariates: Floats, reach_cells: float) -> Graph:
    """Steps between neighbouring mask points both ways, and from detectors to the points around them."""
    cell_m = float(np.sqrt(session.cell_area_km2)) * 1000.0
    points = np.column_stack([session.mask_x_m, session.mask_y_m])
    detectors = np.column_stack([session.x_m, session.y_m])
    tree = cKDTree(points)
    pairs = tree.query_pairs(reach_cells * cell_m, output_type="ndarray").astype(np.int64)
    cells = np.hypot(*(points[pairs[:, 0]] - points[pairs[:, 1]]).T) / cell_m
    pairs = pairs[np.abs(cells - _TWO_STRAIGHT) > 0.01]
    nearest = np.asarray(tree.query(detectors)[1], dtype=np.int64)
    around = cKDTree(detectors).query_ball_tree(tree, NEIGHBOURS[8] * cell_m)
    out = [(len(points) + j, int(m)) for j in range(len(detectors)) for m in {*around[j], int(nearest[j])}]
    ends = np.vstack([pairs, pairs[:, ::-1], np.array(sorted(out), dtype=np.int64).reshape(-1, 2)])
    return Graph(np.vstack([points, detectors]), np.vstack([covariates, covariates[nearest]]), ends, len(detectors))
