"""Did passages close? The permeability of one barrier in two periods, and the power of a survey to see it change."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import norm

from sharedrange.core.errors import DidNotConverge, InputError, NotEnoughData
from sharedrange.core.finding import Finding
from sharedrange.core.history import CAPTURES, CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.core.progress import Progress, silent
from sharedrange.population.design.plan import Plan
from sharedrange.population.permeability.barriers import Barrier, check_barriers
from sharedrange.population.permeability.crossing import angle_of, crossing_distance, open_share, parameter
from sharedrange.population.permeability.fit import MIN_ANIMALS_NEAR, fit_permeability, shared_animals
from sharedrange.population.scr import Covariates, Fit, Model, prepare_sessions
from sharedrange.population.scr.design import design
from sharedrange.population.scr.simulate import simulate_histories

Floats = NDArray[np.float64]
BEFORE, AFTER = "before", "after"
PAIRS = "pairs"  # key of a checkpoint: outcomes of simulated pairs of surveys
TWO_SURVEYS = Model("HHN", D="~ session")  # animals see as much and go as far in both; their number may have changed


@dataclass(frozen=True, slots=True)
class Change:
    """One barrier in two periods. `z`: signed root of the likelihood ratio, positive where it became less permeable.

    `closing`: chance of a `z` at least as large where nothing changed (one-sided P value).
    """

    before: float
    after: float
    z: float
    found: Fit

    @property
    def closing(self) -> float:
        """One-sided P value against no change; conservative where an estimate is at 0 or 1."""
        return float(norm.sf(self.z))


def change(
    histories: Sequence[CaptureHistory],
    masks: Sequence[Mask],
    barrier: Barrier,
    periods: Mapping[str, str],
    *,
    model: Model = TWO_SURVEYS,
    covariates: Covariates | None = None,
    min_near: int = MIN_ANIMALS_NEAR,
) -> Change:
    """Whether `barrier` became less permeable between two periods, ``before`` and ``after``, by session.

    Compares a permeability a period with one for both; `min_near` as for `fit_permeability`. Raises as that does,
    InputError also where `periods` does not give each session one of the two.
    """
    wrong = [
        Finding("permeability-period", {"session": h.session, "given": periods.get(h.session)})
        for h in histories
        if periods.get(h.session) not in (BEFORE, AFTER)
    ]
    if wrong:
        raise InputError(wrong)
    apart = fit_permeability(histories, masks, [barrier], model, covariates, periods=periods, min_near=min_near)
    alike = fit_permeability(histories, masks, [barrier], model, covariates, min_near=min_near)
    before, after = (_value(apart, parameter(barrier.name, period)) for period in (BEFORE, AFTER))
    ratio = max(2 * (apart.log_likelihood - alike.log_likelihood), 0.0)
    return Change(before, after, float(np.sign(before - after) * np.sqrt(ratio)), apart)


def _value(found: Fit, name: str) -> float:
    return float(open_share(found.beta[found.names.index(name)]))


@dataclass(frozen=True, slots=True)
class Animals:
    """Animals whose encounters fall off with distance as a hazard half-normal (see population.design)."""

    density_per_100km2: float
    lambda0: float
    sigma_m: float


@dataclass(frozen=True, slots=True)
class Power:
    """How often two surveys by one plan see a barrier close, from `replicates` simulated pairs.

    `power` at level `alpha` (one-sided) with its simulation error `power_se`; `animals` detected in one survey and
    `shared_before`, `shared_after` among them caught on both sides of a barred way, means; `mean_z` of the test;
    `times`: how many times as many animals would be needed for power `wanted`, the signal growing like the root of
    their number (infinite where there is none), `animals_needed` a survey; `failed`: pairs that could not be analysed,
    which count as not seen.
    """

    before: float
    after: float
    alpha: float
    wanted: float
    replicates: int
    failed: int
    power: float
    power_se: float
    animals: float
    shared_before: float
    shared_after: float
    mean_z: float

    @property
    def times(self) -> float:
        """Animals needed over animals detected."""
        if self.mean_z <= 0:
            return float("inf")
        return float(((norm.isf(self.alpha) + norm.ppf(self.wanted)) / self.mean_z) ** 2)

    @property
    def animals_needed(self) -> float:
        """Animals to be detected in each survey."""
        return self.animals * self.times


def power(
    plan: Plan,
    mask: Mask,
    barrier: Barrier,
    animals: Animals,
    *,
    before: float,
    after: float,
    replicates: int,
    rng: np.random.Generator,
    alpha: float = 0.05,
    wanted: float = 0.8,
    progress: Progress = silent,
    executor: Executor | None = None,
    checkpoint: MutableMapping[str, Any] | None = None,
) -> Power:
    """Power of `plan`, worked twice, to see the permeability of `barrier` fall from `before` to `after`.

    Simulates and fits; the outcome does not depend on the number of workers, nor on a stop if `checkpoint` kept the
    pairs that were done. `mask` should reach 4 sigma beyond the detectors. Raises InputError for permeabilities outside
    [0, 1] or that do not fall.
    """
    check_barriers([barrier])
    if not 0 <= after < before <= 1:
        raise InputError([Finding("permeability-not-falling", {"before": before, "after": after})])
    pair = _Pair(plan, mask, barrier, animals, (before, after))
    run = executor.map if executor is not None else map
    kept: MutableMapping[str, Any] = {} if checkpoint is None else checkpoint
    key = f"{PAIRS}.{barrier.name}"
    rows: list[tuple[float | None, ...]] = [tuple(row) for row in kept.get(key, ())]
    for row in run(pair.outcome, rng.spawn(replicates)[len(rows) :]):
        rows.append(row)
        kept[key] = [list(one) for one in rows]
        progress(len(rows) / replicates)
    z, n_before, n_after, shared_before, shared_after = np.array(rows, dtype=float).T
    seen = z > norm.isf(alpha)  # a pair that could not be analysed has z = nan: not seen
    share = float(seen.mean())
    return Power(
        before,
        after,
        alpha,
        wanted,
        replicates,
        int(np.isnan(z).sum()),
        share,
        float(np.sqrt(share * (1 - share) / replicates)),
        float((n_before.mean() + n_after.mean()) / 2),
        float(shared_before.mean()),
        float(shared_after.mean()),
        float(np.nan_to_num(z).mean()),
    )


@dataclass(frozen=True)
class _Pair:
    """Two surveys by one plan."""

    plan: Plan
    mask: Mask
    barrier: Barrier
    animals: Animals
    permeability: tuple[float, float]

    def outcome(self, rng: np.random.Generator) -> tuple[float | None, ...]:
        """Signed root of the test (None where it could not be made), animals and shared animals before and after."""
        histories = simulate_survey(
            self.plan, self.mask, self.barrier, self.animals, permeability=self.permeability, rng=rng
        )
        counts = [h.n_individuals for h in histories] + [shared_animals(h, self.barrier) for h in histories]
        z: float | None = None
        with suppress(DidNotConverge, NotEnoughData):
            z = change(histories, (self.mask,), self.barrier, {BEFORE: BEFORE, AFTER: AFTER}).z
        return (z, *counts)


def animals_of(found: Fit) -> Animals:
    """The animals of a fit of ``Model("HHN")``: one density, one lambda0 and one sigma."""
    density, lambda0, sigma_m = (float(np.exp(found.beta[found.names.index(n)])) for n in ("D", "lambda0", "sigma"))
    return Animals(density, lambda0, sigma_m)


def simulate_survey(
    plan: Plan,
    mask: Mask,
    barrier: Barrier,
    animals: Animals,
    *,
    permeability: Sequence[float],
    rng: np.random.Generator,
) -> tuple[CaptureHistory, ...]:
    """What surveys by `plan` would record at each of one or two permeabilities; sessions ``before`` and ``after``."""
    names = (BEFORE, AFTER)[: len(permeability)]
    empty = [replace(plan, name=name).history(pl.DataFrame(schema=CAPTURES)) for name in names]
    sessions, detection = prepare_sessions(empty, (mask,), Model("HHN"))
    distance = crossing_distance(sessions, [barrier], {name: name for name in names})
    made, ready = design(Model("HHN", distance=distance), sessions, detection)
    common = np.log([animals.density_per_100km2, animals.lambda0, animals.sigma_m])
    beta = np.concatenate([common, [angle_of(p) for p in permeability]])
    truth = Fit(made, ready, (), beta, np.eye(len(beta)), 0.0, np.zeros(len(beta)), 0)
    return simulate_histories(truth, rng)
