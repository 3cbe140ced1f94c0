"""A survey that could be made: where detectors would stand, for how long, and the animals they would meet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding
from sharedrange.core.history import CAPTURES, DETECTORS, INDIVIDUALS, CaptureHistory
from sharedrange.core.places import Mask, Projection
from sharedrange.core.survey import conform
from sharedrange.population.masks import make_mask

Floats = NDArray[np.float64]
Hazard = Callable[[Floats], Floats]
Kind = Literal["proximity", "count", "multi"]
KINDS: tuple[Kind, ...] = ("proximity", "count", "multi")
METRES = Projection("local:plan")
BUFFER_SIGMAS, SPACING_SIGMAS = 4.0, 0.5  # beyond 4 sigma nothing is caught; below 0.6 sigma sums no longer change


@dataclass(frozen=True, slots=True)
class HalfNormalHazard:
    """Cumulative hazard of a full occasion at distance d: lambda0 exp(-d^2 / 2 sigma^2)."""

    lambda0: float
    sigma_m: float

    def __call__(self, distance_m: Floats) -> Floats:
        """Hazard at each distance, shape as given."""
        return np.asarray(self.lambda0 * np.exp(-0.5 * (distance_m / self.sigma_m) ** 2))


@dataclass(frozen=True, slots=True)
class HalfNormalProbability:
    """Hazard of a detector that detects with probability g0 exp(-d^2 / 2 sigma^2) on a full occasion: -log(1 - g)."""

    g0: float
    sigma_m: float

    def __call__(self, distance_m: Floats) -> Floats:
        """Hazard at each distance, shape as given."""
        return np.asarray(-np.log1p(-self.g0 * np.exp(-0.5 * (distance_m / self.sigma_m) ** 2)))


@dataclass(frozen=True, slots=True)
class Animals:
    """What there is to be found: density, by mask point or everywhere the same, and the hazard by distance.

    `hazard` is any function from metres to the cumulative hazard of one full occasion; `sigma_m`, the scale of
    movement, sets masks and suggested spacings.
    """

    density_per_100km2: float | Floats
    hazard: Hazard
    sigma_m: float

    def per_point(self, mask: Mask) -> Floats:
        """Expected animals at each mask point, shape (M,)."""
        density = np.broadcast_to(np.asarray(self.density_per_100km2, dtype=float), (len(mask),))
        return np.asarray(density * mask.cell_area_km2 / 100.0)

    def mean_density_per_100km2(self, mask: Mask) -> float:
        """Mean density over the mask."""
        return float(100.0 * self.per_point(mask).sum() / mask.area_km2)

    def times(self, ratio: float) -> Animals:
        """The animals after their density changed by a factor."""
        return replace(self, density_per_100km2=self.density_per_100km2 * ratio)


@dataclass(frozen=True, slots=True)
class Plan:
    """J detectors over K occasions.

    `detectors` has the schema of core.history.DETECTORS; `effort` (J, K) is 1 for a full occasion; `sensitivity` (J,)
    multiplies the hazard where cameras are unlike (the analyst does not know it). `kind`: ``proximity`` (a camera
    tells whether it saw the animal on an occasion), ``count`` (how often), ``multi`` (a trap that holds it).

    Raises InputError with everything that is wrong.
    """

    name: str
    detectors: pl.DataFrame
    effort: Floats
    sensitivity: Floats
    kind: Kind = "proximity"

    def __post_init__(self) -> None:
        shape = (self.detectors.height, self.effort.shape[-1])
        wrong = {
            "detectors": not self.detectors.height or self.detectors["detector"].n_unique() < self.detectors.height,
            "positions": not np.isfinite(self.places_m()).all(),
            "effort": self.effort.shape != shape or not (np.isfinite(self.effort) & (self.effort >= 0)).all(),
            "sensitivity": self.sensitivity.shape != shape[:1] or not (self.sensitivity > 0).all(),
            "kind": self.kind not in KINDS,
        }
        found = [Finding("design-plan", {"plan": self.name, "part": part}) for part, bad in wrong.items() if bad]
        if found:
            raise InputError(found)

    def places_m(self) -> Floats:
        """Positions of detectors, shape (J, 2)."""
        return self.detectors.select("x_m", "y_m").to_numpy().astype(float)

    @property
    def n_occasions(self) -> int:
        """Number of occasions, K."""
        return int(self.effort.shape[1])

    @property
    def strength(self) -> Floats:
        """Effort times sensitivity, what the hazard is multiplied by, shape (J, K)."""
        return np.asarray(self.effort * self.sensitivity[:, None])

    @property
    def parties(self) -> tuple[str, ...]:
        """Parties whose detectors stand in the plan, in order."""
        return tuple(sorted(self.detectors["party"].drop_nulls().unique()))

    def for_occasions(self, occasions: int) -> Plan:
        """The plan with `occasions` occasions, each with every detector's mean effort."""
        return replace(self, effort=np.repeat(self.effort.mean(axis=1, keepdims=True), occasions, axis=1))

    def moved_to(self, x_m: Floats, y_m: Floats) -> Plan:
        """The plan with its detectors at other places."""
        return replace(self, detectors=self.detectors.with_columns(x_m=pl.Series(x_m), y_m=pl.Series(y_m)))

    def scattered(self, limit_m: float, rng: np.random.Generator) -> Plan:
        """The plan with each detector up to `limit_m` east or west, north or south: nobody finds the drawn point.

        An array as regular as a grid of cells keeps its distances when both are laid over each other; one in the
        field does not.
        """
        x_m, y_m = (self.places_m() + rng.uniform(-limit_m, limit_m, (self.detectors.height, 2))).T
        return self.moved_to(x_m, y_m)

    def history(self, captures: pl.DataFrame | None = None) -> CaptureHistory:
        """The plan as a capture history of the given captures (schema CAPTURES), or of none."""
        caught = conform(captures, CAPTURES) if captures is not None else pl.DataFrame(schema=CAPTURES)
        who = conform(caught.select("individual").unique().sort("individual"), INDIVIDUALS)
        return CaptureHistory(self.name, self.kind, self.detectors, who, caught, self.effort)


def plan_like(history: CaptureHistory) -> Plan:
    """The plan by which a survey was made. Traps with room for one are worked as if there were room for others."""
    kind: Kind = "count" if history.kind == "count" else "proximity" if history.kind == "proximity" else "multi"
    return Plan("survey", history.detectors, history.effort, np.ones(history.detectors.height), kind)


def plan_of(
    name: str,
    x_m: Floats,
    y_m: Floats,
    occasions: int,
    *,
    party: str = "",
    sensitivity: float = 1.0,
    kind: Kind = "proximity",
) -> Plan:
    """Detectors of one party at the given places, all running on every occasion."""
    names = [f"{name}-{number:04d}" for number in range(1, len(x_m) + 1)]
    table = pl.DataFrame({"detector": names, "x_m": x_m, "y_m": y_m}).with_columns(party=pl.lit(party))
    effort, alike = np.ones((len(x_m), occasions)), np.full(len(x_m), sensitivity)
    return Plan(name, conform(table, DETECTORS), effort, alike, kind)


def grid_plan(
    name: str,
    columns: int,
    rows: int,
    spacing_m: float,
    occasions: int,
    *,
    centre_m: tuple[float, float] = (0.0, 0.0),
    party: str = "",
    sensitivity: float = 1.0,
    kind: Kind = "proximity",
) -> Plan:
    """A rectangle of detectors around a centre.

    Examples
    --------
    >>> grid_plan("west", 3, 1, 2_000.0, 60).places_m()[:, 0].tolist()
    [-2000.0, 0.0, 2000.0]
    """
    x_m = centre_m[0] + (np.arange(columns) - (columns - 1) / 2) * spacing_m
    y_m = centre_m[1] + (np.arange(rows) - (rows - 1) / 2) * spacing_m
    across, along = (axis.ravel() for axis in np.meshgrid(x_m, y_m))
    return plan_of(name, across, along, occasions, party=party, sensitivity=sensitivity, kind=kind)


def joined(name: str, *plans: Plan) -> Plan:
    """The plans of several parties as one survey; a plan that ends earlier has no effort afterwards.

    Raises InputError where their detectors are of unlike kinds or share names.
    """
    kinds = sorted({plan.kind for plan in plans})
    if len(kinds) > 1:
        raise InputError([Finding("design-unlike-kinds", {"kinds": ", ".join(kinds)})])
    occasions = max(plan.n_occasions for plan in plans)
    return Plan(
        name,
        pl.concat([plan.detectors for plan in plans]),
        np.concatenate([np.pad(plan.effort, ((0, 0), (0, occasions - plan.n_occasions))) for plan in plans]),
        np.concatenate([plan.sensitivity for plan in plans]),
        plans[0].kind,
    )


def mask_around(plan: Plan, sigma_m: float, *, buffer_m: float | None = None, spacing_m: float | None = None) -> Mask:
    """The mask of a plan: points within 4 sigma of a detector, half a sigma apart, unless said otherwise."""
    buffer_m = BUFFER_SIGMAS * sigma_m if buffer_m is None else buffer_m
    spacing_m = SPACING_SIGMAS * sigma_m if spacing_m is None else spacing_m
    mask, _ = make_mask([plan.history()], METRES, None, buffer_m=buffer_m, spacing_m=spacing_m)
    return mask
