"""How far a mask must reach: the bias in density that a buffer leaves, after a fit.

Animals centred beyond the mask are detected too, but the likelihood takes all that were detected to live on it. With
p.(s) the chance that an animal centred at s is detected at all, density comes out too high by the share

    bias = (integral of D p. beyond the mask) / (integral of D p. over it),

as in secr's bias.D and suggest.buffer (Efford 2024, secr: Spatially explicit capture-recapture in R).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from sharedrange.core.places import nearest_distance_m
from sharedrange.population.scr.blocks import Field
from sharedrange.population.scr.detection import Detection
from sharedrange.population.scr.fitting import Fit, SessionFit
from sharedrange.population.scr.session import Session
from sharedrange.population.scr.simulate import row_hazards

Floats = NDArray[np.float64]
HARMLESS_BIAS = 0.001
# sigmas beyond which nothing is detected: a half-normal has exp(-18), an exponential exp(-18) too; a hazard rate has a
# tail that nothing bounds, and what lies farther out is left out
_REACH = {"HN": 6.0, "HHN": 6.0, "EX": 18.0, "HEX": 18.0, "HR": 18.0, "HHR": 18.0}
_MOST_POINTS = 40_000
_POINTS_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class _Around:
    """Points of a grid around a session's detectors: distance to the nearest one, and area of a cell."""

    x_m: Floats
    y_m: Floats
    away_m: Floats
    cell_area_km2: float

    def where(self, keep: NDArray[np.bool_]) -> _Around:
        """The points for which `keep` is true."""
        return _Around(self.x_m[keep], self.y_m[keep], self.away_m[keep], self.cell_area_km2)


def buffer_bias(found: Fit, at_maximum: Sequence[SessionFit] | None = None) -> float:
    """Relative bias of density that the mask's open edges leave, as estimated by the fit itself.

    Beyond an open edge density is taken to be that at the edge; a closed edge (a coast) adds nothing. Straight-line
    distance is used beyond the mask whatever the model's, so that with barriers or resistance this is an upper bound.
    `at_maximum`: the fit's own, where it is known already.
    """
    beyond = within = 0.0
    for at in found.at_maximum() if at_maximum is None else at_maximum:
        beyond += _beyond(found, at)
        within += sum(float(np.exp(c.field.log_density) @ (1.0 - c.terms.undetected)) for c in at.classes)
    return beyond / within


def suggested_buffer_m(
    found: Fit, bias: float = HARMLESS_BIAS, at_maximum: Sequence[SessionFit] | None = None
) -> float:
    """The least buffer around detectors that leaves no more than `bias`, from the fit's detection parameters.

    Density is taken to be even. The largest buffer is given that any session and class of animals needs.
    `at_maximum`: the fit's own, where it is known already.
    """
    known = found.at_maximum() if at_maximum is None else at_maximum
    return max(_least_m(found, at, field, bias) for at in known for field in _fields(at))


def _least_m(found: Fit, at: SessionFit, field: Field, bias: float) -> float:
    around = _around(found, at, field)
    order = np.argsort(around.away_m)
    area = np.cumsum(_detected(at.session, found.design.detection, field, around)[order])
    enough = int(np.searchsorted(area, area[-1] / (1.0 + bias)))
    return float(around.away_m[order[min(enough, len(order) - 1)]])


def _fields(at: SessionFit) -> Iterator[Field]:
    yield from (c.field for c in at.classes)


def _beyond(found: Fit, at: SessionFit) -> float:
    """Animals detected that are centred beyond open edges of one session's mask."""
    s, total = at.session, 0.0
    cell_m = float(np.sqrt(s.cell_area_km2)) * 1000.0
    tree, edge = cKDTree(np.column_stack([s.mask_x_m, s.mask_y_m])), s.edge
    for field in _fields(at):
        around = _around(found, at, field)
        off_m, nearest = map(np.asarray, tree.query(np.column_stack([around.x_m, around.y_m])))
        outside = (off_m > 0.75 * cell_m) & edge[nearest]
        density = np.exp(field.log_density[nearest[outside]]) / s.cell_area_km2
        chance = _detected(s, found.design.detection, field, around.where(outside))
        total += float(density @ chance) * around.cell_area_km2
    return total


def _around(found: Fit, at: SessionFit, field: Field) -> _Around:
    """A grid in line with the mask's, as far as anything is detected, coarser where it would be very large."""
    s = at.session
    reach_m = _REACH[found.design.detection.function] * float(np.exp(field.log_sigma.max()))
    cell_m = float(np.sqrt(s.cell_area_km2)) * 1000.0
    area_m2 = (np.ptp(s.x_m) + 2 * reach_m) * (np.ptp(s.y_m) + 2 * reach_m)
    cell_m *= max(1, int(np.ceil(np.sqrt(area_m2 / _MOST_POINTS) / cell_m)))
    x_m, y_m = (
        a.ravel()
        for a in np.meshgrid(_axis(s.x_m, reach_m, s.mask_x_m[0], cell_m), _axis(s.y_m, reach_m, s.mask_y_m[0], cell_m))
    )
    away_m = nearest_distance_m(x_m, y_m, s.x_m, s.y_m)
    near = away_m <= reach_m
    return _Around(x_m[near], y_m[near], away_m[near], (cell_m / 1000.0) ** 2)


def _axis(detectors_m: Floats, reach_m: float, origin_m: float, cell_m: float) -> Floats:
    first = np.floor((detectors_m.min() - reach_m - origin_m) / cell_m)
    last = np.ceil((detectors_m.max() + reach_m - origin_m) / cell_m)
    return np.asarray(origin_m + cell_m * np.arange(first, last + 1))


def _detected(session: Session, detection: Detection, field: Field, around: _Around) -> Floats:
    """Chance to be detected at all, at each point around."""
    plain = replace(field, distance=None)
    there = replace(session, mask_x_m=around.x_m, mask_y_m=around.y_m)
    chance = np.empty(len(around.x_m))
    for start in range(0, len(chance), _POINTS_AT_ONCE):
        some = np.arange(start, min(start + _POINTS_AT_ONCE, len(chance)))
        hazard = row_hazards(there, detection, plain, some) @ session.seen.exposure
        chance[some] = -np.expm1(-hazard)
    return chance
