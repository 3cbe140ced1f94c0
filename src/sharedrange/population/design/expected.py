"""What a plan may be expected to catch, in closed form, and the precision that follows.

The relative standard error of a density estimate is near 1 / sqrt(min(E n, E r)): the animals caught limit it where
they are few, and the recaptures where those are (Efford and Boulanger 2019, Methods in Ecology and Evolution
10:1529-1535). It is an approximation for choosing between plans; `trial` simulates and fits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.core.finding import Fact, Finding, Severity
from sharedrange.core.places import Mask
from sharedrange.population.design.plan import Animals, Plan
from sharedrange.population.scr import ScrSettings

Floats = NDArray[np.float64]
_POINTS_AT_ONCE = 4096  # of the mask: with 1,000 detectors 33 MB a table
IMPRECISE_RSE = 0.2  # a density with a wider error tells little of a change


@dataclass(frozen=True, slots=True)
class Expected:
    """Expected numbers of a survey.

    `animals` live on the mask; `individuals` E(n) are caught; `detections` are made of them; `spatial_recaptures`
    E(m) are the detectors at which each animal is caught beyond its first (CaptureHistory.n_spatial_recaptures).
    """

    animals: float
    individuals: float
    detections: float
    spatial_recaptures: float

    @property
    def recaptures(self) -> float:
        """E(r): detections after each animal's first."""
        return self.detections - self.individuals

    @property
    def rse(self) -> float:
        """Relative standard error of density to be expected; infinite where nothing is caught again."""
        least = min(self.individuals, self.recaptures)
        return float(1.0 / np.sqrt(least)) if least > 0 else float("inf")

    def __add__(self, other: Expected) -> Expected:
        return Expected(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def expected(plan: Plan, mask: Mask, animals: Animals) -> Expected:
    """What `plan` may be expected to catch of `animals` on `mask`, their number Poisson.

    With hazard h_j(s) of a full occasion, strength e_jk and total H_k = sum_j h_j e_jk, an animal at s is caught at all
    with probability 1 - exp(-sum_k H_k), on occasion k at j with probability 1 - exp(-h_j e_jk) (proximity), h_j e_jk
    times (count), or (1 - exp(-H_k)) h_j e_jk / H_k (multi).
    """
    total = Expected(0.0, 0.0, 0.0, 0.0)
    weight, places = animals.per_point(mask), plan.places_m()
    for start in range(0, len(mask), _POINTS_AT_ONCE):
        these = slice(start, start + _POINTS_AT_ONCE)
        distance_m = np.hypot(mask.x_m[these, None] - places[:, 0], mask.y_m[these, None] - places[:, 1])
        total += _of_points(plan, animals.hazard(distance_m), weight[these])
    return total


def _of_points(plan: Plan, hazard: Floats, weight: Floats) -> Expected:
    """What is expected of animals at some points; `hazard` (points, J), `weight` (points,) animals there."""
    caught = -np.expm1(-(hazard @ plan.strength.sum(axis=1)))
    missed_at, detections = np.ones_like(hazard), np.zeros(len(hazard))
    for strength, occasions in _alike_occasions(plan.strength):
        at = _detections(plan, hazard * strength)
        detections += occasions * at.sum(axis=1)
        chance = -np.expm1(-hazard * strength) if plan.kind == "count" else at
        missed_at *= (1.0 - chance) ** occasions
    detectors = (1.0 - missed_at).sum(axis=1)
    return Expected(
        float(weight.sum()), float(weight @ caught), float(weight @ detections), float(weight @ (detectors - caught))
    )


def _detections(plan: Plan, hazard: Floats) -> Floats:
    """Expected detections on one occasion, shape (points, J), from the hazard with its strength."""
    if plan.kind == "count":
        return hazard
    if plan.kind == "proximity":
        return np.asarray(-np.expm1(-hazard))
    together = hazard.sum(axis=1, keepdims=True)
    return np.asarray(
        hazard * np.where(together > 0, -np.expm1(-together) / np.where(together > 0, together, 1.0), 1.0)
    )


def _alike_occasions(strength: Floats) -> Iterator[tuple[Floats, int]]:
    """Distinct occasions (J,), with how many there are of each."""
    distinct, count = np.unique(strength, axis=1, return_counts=True)
    yield from zip(distinct.T, count.tolist(), strict=True)


def compare_plans(plans: Sequence[tuple[Plan, Mask]], animals: Animals) -> pl.DataFrame:
    """Plans side by side: cameras, camera-occasions, what each may be expected to catch, and the precision."""
    rows = [_row(plan, expected(plan, mask, animals)) for plan, mask in plans]
    return pl.DataFrame(rows)


def _row(plan: Plan, found: Expected) -> Mapping[str, object]:
    return {
        "plan": plan.name,
        "cameras": plan.detectors.height,
        "camera_occasions": float(plan.effort.sum()),
        "animals": found.animals,
        "individuals": found.individuals,
        "recaptures": found.recaptures,
        "spatial_recaptures": found.spatial_recaptures,
        "rse": found.rse,
    }


def doubts(plan: Plan, found: Expected) -> tuple[Finding, ...]:
    """What to know before making the survey: it may be declined, or tell little."""
    least = ScrSettings()
    have = (found.individuals, found.recaptures, found.spatial_recaptures)
    need = (least.min_individuals, least.min_recaptures, least.min_spatial_recaptures)
    facts: dict[str, Fact] = {"plan": plan.name, "rse_percent": round(100 * min(found.rse, 9.99))}
    numbers: dict[str, Fact] = dict(
        zip(("individuals", "recaptures", "spatial_recaptures"), (round(h, 1) for h in have), strict=True)
    )
    if any(h < n for h, n in zip(have, need, strict=True)):
        return (Finding("design-too-thin", {**facts, **numbers}, severity=Severity.WARNING),)
    if found.rse > IMPRECISE_RSE:
        return (Finding("design-imprecise", {**facts, **numbers}, severity=Severity.NOTE),)
    return ()
