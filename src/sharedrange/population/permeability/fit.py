"""Permeability estimated from captures, with an interval that knows that p ends at 0 and at 1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import f as variance_ratio

from sharedrange.core.answer import Estimate, Refusal, Scope
from sharedrange.core.errors import DidNotConverge, NotEnoughData
from sharedrange.core.finding import Fact, Finding
from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.core.progress import Progress, silent
from sharedrange.population.masks import pooled_spread_m
from sharedrange.population.permeability.barriers import Barrier, check_barriers, way_m
from sharedrange.population.permeability.crossing import (
    CrossingDistance,
    angle_of,
    crossing_distance,
    open_share,
    parameter,
)
from sharedrange.population.scr import Covariates, Fit, Model, fit_sessions, prepare_sessions
from sharedrange.population.scr.checks import raise_if_wrong

Floats = NDArray[np.float64]
METHOD = "scr-permeability"
MIN_ANIMALS_NEAR = 5  # animals that could have been caught beyond the line, below which nothing is said
_NEAR_SPREADS = 3.0
_ANGLE = 1e-3  # precision of a limit, radians: 0.0005 in p
_MANY = 1e6  # degrees of freedom from which chi-squared is meant
_ABOVE = 1e-3  # by which rounding may put a profile above the maximum
_CLOSED, _OPEN = 0.0, float(np.pi)


@dataclass(frozen=True, slots=True)
class Permeability:
    """The permeability of one barrier in one period.

    `low` to `high` hold every p that the profile likelihood does not reject at `level`; `holds_closed` and
    `holds_open` tell whether 0 and 1 are among them. `closed` and `open_ground` are the chances to see data that speak
    as strongly against p = 0 and p = 1 where these are true (one-sided P values).
    """

    name: str
    value: float
    low: float
    high: float
    level: float
    holds_closed: bool
    holds_open: bool
    closed: float
    open_ground: float

    def holds(self, p: float) -> bool:
        """Whether the interval holds `p`."""
        if p in (0.0, 1.0):
            return self.holds_closed if p == 0.0 else self.holds_open
        return self.low <= p <= self.high

    def estimate(self, scope: Scope | None = None) -> Estimate:
        """The number as an Estimate, unit ``share``."""
        about = scope or Scope()
        about = replace(about, method=about.method or METHOD)
        return Estimate(self.name, self.value, "share", self.low, self.high, None, self.level, about)


def fit_permeability(
    histories: Sequence[CaptureHistory],
    masks: Sequence[Mask],
    barriers: Sequence[Barrier],
    model: Model | None = None,
    covariates: Covariates | None = None,
    *,
    periods: Mapping[str, str] | None = None,
    min_near: int = MIN_ANIMALS_NEAR,
    progress: Progress = silent,
    checkpoint: MutableMapping[str, Any] | None = None,
) -> Fit:
    """Density, detection and the permeability of every barrier together.

    `masks` as for `population.scr.fit`; `periods`: period of each session by its name, where a barrier may have
    changed between them; `min_near` as for `refusal`; `checkpoint` keeps what was evaluated. Read each number from the
    fit with `permeability`.

    Raises InputError with everything that is wrong; NotEnoughData where too few animals lived near a line to tell;
    DidNotConverge.
    """
    asked = model or Model("HHN")
    raise_if_wrong(histories, masks, asked.detection_function)
    check_barriers(barriers)
    declined = refusal(histories, barriers, min_near=min_near)
    if declined is not None:
        raise NotEnoughData(declined)
    sessions, detection = prepare_sessions(histories, masks, asked)
    near: Counter[str] = Counter()
    for (barrier, session), animals in _near(histories, barriers).items():
        near[parameter(barrier, (periods or {}).get(session, ""))] += animals
    distance = replace(crossing_distance(sessions, barriers, periods), animals_near=near)
    asked = replace(asked, distance=distance)
    return fit_sessions(sessions, detection, asked, covariates, progress=progress, checkpoint=checkpoint)


def refusal(
    histories: Sequence[CaptureHistory],
    barriers: Sequence[Barrier],
    *,
    min_near: int = MIN_ANIMALS_NEAR,
    min_shared: int = 0,
) -> Refusal | None:
    """Why the question is declined, or None.

    An animal tells something about a barrier if it was caught within 3 spreads of captures of a detector to which the
    straight way is barred. At least `min_near` must, for each barrier, `min_shared` must have been caught on both sides
    of it, and some animal at two places. Counts of a refusal are those of the barrier that has least.
    """
    recaptures = sum(h.n_spatial_recaptures for h in histories)
    each = _near(histories, barriers) if recaptures else {}
    near = {b.name: sum(n for (name, _), n in each.items() if name == b.name) for b in barriers}
    shared = {b.name: sum(shared_animals(h, b) for h in histories) for b in barriers}
    found = [
        *(_few(name, number, min_near) for name, number in near.items() if number < min_near and recaptures),
        *(_few_shared(name, number, min_shared, near[name]) for name, number in shared.items() if number < min_shared),
    ]
    if recaptures and not found:
        return None
    have: dict[str, Fact] = {"spatial_recaptures": recaptures, "animals_near": min(near.values())}
    need: dict[str, Fact] = {"spatial_recaptures": 1, "animals_near": min_near}
    if min_shared:
        have["animals_on_both_sides"], need["animals_on_both_sides"] = min(shared.values()), min_shared
    return Refusal("population.permeability", have, need, ("population.scr", "population.minimum"), tuple(found))


def _few(barrier: str, animals: int, need: int) -> Finding:
    """No camera is behind the line, or too few animals were near one that is."""
    if not animals:
        return Finding("permeability-not-across", {"barrier": barrier, "need": need})
    return Finding("permeability-few-near", {"barrier": barrier, "animals": animals, "need": need})


def _few_shared(barrier: str, shared: int, need: int, near: int) -> Finding:
    facts: dict[str, Fact] = {"barrier": barrier, "shared": shared, "need": need, "animals": near}
    return Finding("permeability-few-shared", facts)


def animals_by_barrier(histories: Sequence[CaptureHistory], barrier: Barrier) -> tuple[int, int]:
    """Animals that could tell of a barrier, and those caught on both sides of it; summed over sessions."""
    near = sum(_near(histories, [barrier]).values())
    return near, sum(shared_animals(history, barrier) for history in histories)


def _near(histories: Sequence[CaptureHistory], barriers: Sequence[Barrier]) -> dict[tuple[str, str], int]:
    """Animals that could tell something, by barrier and session."""
    within_m = _NEAR_SPREADS * pooled_spread_m(histories)
    return {(b.name, h.session): animals_near(h, b, within_m) for h, b in product(histories, barriers)}


def animals_near(history: CaptureHistory, barrier: Barrier, within_m: float) -> int:
    """Animals caught within so many metres of a detector to which the straight way is barred."""
    ran = history.detectors.filter(pl.Series(history.effort.sum(axis=1) > 0))
    places = ran.select("x_m", "y_m").to_numpy().astype(float)
    straight = way_m(places, places, ())
    barred = (straight <= within_m) & (way_m(places, places, [barrier]) > straight)
    near = ran["detector"].filter(pl.Series(barred.any(axis=1)))
    return int(history.captures.filter(pl.col("detector").is_in(near.to_list()))["individual"].n_unique())


def shared_animals(history: CaptureHistory, barrier: Barrier) -> int:
    """Animals caught at two detectors between which the straight way is barred."""
    places = history.detectors.select("x_m", "y_m").to_numpy().astype(float)
    barred = way_m(places, places, [barrier]) > way_m(places, places, ())
    caught = history.counts() > 0
    return int(sum(barred[np.ix_(row, row)].any() for row in caught))


def permeability(found: Fit, name: str, level: float = 0.95) -> Permeability:
    """The permeability called `name` (one of ``found.names``) with its profile-likelihood interval.

    Twice the fall of the log-likelihood is compared with the square of Student's t inside (0, 1), and at 0 and 1,
    which an estimate can leave to one side only, with a half-and-half mixture of 0 and that square (Self and Liang
    1987, Journal of the American Statistical Association 82: 605-610). Degrees of freedom are the animals that could
    tell of the barrier, less one: with many this is chi-squared, with few a little wider, as it has to be.

    Raises DidNotConverge if a point of the profile is likelier than the fit.
    """
    profile = _Profile(found, name)
    shut, clear = profile.fall(_CLOSED), profile.fall(_OPEN)
    low, holds_closed = profile.limit(_CLOSED, shut, level)
    high, holds_open = profile.limit(_OPEN, clear, level)
    value = float(open_share(profile.angle))
    return Permeability(
        name,
        value,
        min(float(open_share(low)), value),
        max(float(open_share(high)), value),
        level,
        holds_closed,
        holds_open,
        one_sided(shut, profile.freedom),
        one_sided(clear, profile.freedom),
    )


def fall_at(found: Fit, name: str, p: float) -> float:
    """Twice the log-likelihood that is lost where the permeability called `name` is held at `p`.

    Raises DidNotConverge if nothing is lost but something gained.
    """
    return _Profile(found, name).fall(angle_of(p))


def profile_falls(found: Fit, name: str, at: Sequence[float]) -> tuple[float, ...]:
    """Twice the log-likelihood that is lost at each of these values of a permeability, from the estimate outwards.

    Raises DidNotConverge as `fall_at`.
    """
    value = float(open_share(found.beta[found.names.index(name)]))
    falls: dict[float, float] = {}
    for way in (sorted(p for p in at if p >= value), sorted((p for p in at if p < value), reverse=True)):
        profile = _Profile(found, name)  # each point starts from the one before it
        falls |= {p: profile.fall(angle_of(p)) for p in way}
    return tuple(falls[p] for p in at)


def is_held(found: Fit, name: str, p: float, level: float = 0.95) -> bool:
    """Whether the interval of the permeability called `name` holds `p`, without seeking its limits.

    Raises DidNotConverge as `permeability`.
    """
    return fall_at(found, name, p) <= _allowed(p, level, freedom(found, name))


def freedom(found: Fit, name: str) -> float:
    """Degrees of freedom of the interval of the permeability called `name`; very many where nobody was counted."""
    distance = found.design.model.distance
    near = distance.animals_near.get(name, 0) if isinstance(distance, CrossingDistance) else 0
    return float(near - 1) if near > 1 else _MANY


def _allowed(p: float, level: float, degrees: float) -> float:
    """Fall of twice the log-likelihood up to which the interval at `level` holds `p`."""
    return float(variance_ratio.ppf(2 * level - 1 if p in (0.0, 1.0) else level, 1, degrees))


def one_sided(fall: float, degrees: float = _MANY) -> float:
    """Chance of a fall at least as large at a boundary that is true: half of it 0, half the square of Student's t."""
    return float(variance_ratio.sf(fall, 1, degrees)) / 2 if fall > 0 else 1.0


def permeabilities(found: Fit, level: float = 0.95) -> tuple[Permeability, ...]:
    """Every permeability of a fit."""
    return tuple(permeability(found, name, level) for name in found.design.distance.names)


def estimates(found: Fit, scope: Scope | None = None, level: float = 0.95) -> Iterator[Estimate]:
    """Every permeability of a fit as an Estimate."""
    yield from (p.estimate(scope) for p in permeabilities(found, level))


class _Profile:
    """The profile of one permeability by its angle in [0, pi]."""

    def __init__(self, found: Fit, name: str) -> None:
        self._found, self._name, self.freedom = found, name, freedom(found, name)
        angle = float(found.beta[found.names.index(name)])
        self.angle = angle_of(float(open_share(angle)))  # the same p has many angles
        self._turned = np.array(found.beta)
        self._turned[found.names.index(name)] = self.angle
        self._last = self._turned

    def fall(self, angle: float) -> float:
        """Twice the log-likelihood below the maximum, other parameters at their best."""
        peak = self._found.problem.maximise(self._found, {self._name: angle}, self._last)
        self._last = peak.beta
        fall = 2 * (self._found.log_likelihood - peak.value)
        if fall < -_ABOVE:
            raise DidNotConverge(Finding("permeability-profile-above", {"parameter": self._name, "by": f"{-fall:.3g}"}))
        return max(fall, 0.0)

    def limit(self, end: float, fall_there: float, level: float) -> tuple[float, bool]:
        """The limit between the estimate and a boundary, and whether the boundary itself is in the interval."""
        inside = _allowed(0.5, level, self.freedom)
        if fall_there <= inside:
            return end, fall_there <= _allowed(0.0, level, self.freedom)
        self._last = self._turned
        known = {end: fall_there, self.angle: 0.0}  # what a wall nobody could pass makes of the rest is no start

        def beyond(angle: float) -> float:
            return (known[angle] if angle in known else self.fall(angle)) - inside

        return float(brentq(beyond, end, self.angle, xtol=_ANGLE)), False
