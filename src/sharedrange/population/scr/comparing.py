"""Which model? Tables by information criterion, likelihood-ratio tests and averages, of fits that may be compared.

Log-likelihoods are comparable only if they are of the same data: fits to other histories, masks, detectors or with
another kind of likelihood are refused. Three constants that hold no parameter differ between models of the same data,
and are made alike here: the binomial coefficients of occasions that one model collapses and another does not, the
ties between histories, and the sexes. A model in which the sexes are classes also explains who is male; to one that
has no sexes is added what a coin toss at the observed share of males would say of them, and one parameter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import chi2

from sharedrange.core.errors import DidNotConverge, InputError
from sharedrange.core.finding import Fact, Finding
from sharedrange.population.formulas import Formula
from sharedrange.population.scr.evaluating import log_constant_collapsed
from sharedrange.population.scr.fitting import Fit, sex_entropy
from sharedrange.population.scr.links import normal_quantile
from sharedrange.population.scr.maximum import ROUNDING
from sharedrange.population.scr.model import MIXTURES, PARAMETERS, SEX, Model
from sharedrange.population.scr.quantity import Quantity, quantities
from sharedrange.population.scr.session import Session

Floats = NDArray[np.float64]
Criterion = Literal["AICc", "AIC"]
_FACTORS = frozenset({"side", "session", "party", "camera_type", "t", SEX, *MIXTURES})

COMPARISON = pl.Schema(
    {
        # One row a model, the best first. `log_likelihood` holds the constants that all of them share.
        "model": pl.String(),
        "detection_function": pl.String(),
        "D": pl.String(),
        "lambda0": pl.String(),
        "sigma": pl.String(),
        "log_likelihood": pl.Float64(),
        "parameters": pl.Int64(),
        "animals": pl.Int64(),
        "aic": pl.Float64(),
        "aicc": pl.Float64(),
        "difference": pl.Float64(),
        "weight": pl.Float64(),
    }
)


@dataclass(frozen=True, slots=True)
class Scored:
    """A fit among others: its log-likelihood with the constants that they share, its parameters, its animals."""

    name: str
    fit: Fit
    log_likelihood: float
    parameters: int

    @property
    def aic(self) -> float:
        """Akaike's information criterion."""
        return 2.0 * self.parameters - 2.0 * self.log_likelihood

    @property
    def aicc(self) -> float:
        """The criterion for small samples, n = animals detected (Hurvich and Tsai 1989); infinite if n <= k + 1."""
        spare = self.fit.n_animals - self.parameters - 1
        return self.aic + 2.0 * self.parameters * (self.parameters + 1) / spare if spare > 0 else np.inf

    def criterion(self, by: Criterion) -> float:
        """The criterion that is asked for."""
        return self.aicc if by == "AICc" else self.aic


def scored(fits: Mapping[str, Fit]) -> tuple[Scored, ...]:
    """The fits, by name, on one footing.

    Raises InputError (all findings) if they may not be compared, DidNotConverge if a model ended below one that is
    nested in it.
    """
    wrong = list(unlike(fits))
    if wrong:
        raise InputError(wrong)
    sexes = {fit.design.model.by_sex for fit in fits.values()}
    shared = min((log_constant_collapsed(fit.design, fit.sessions) for fit in fits.values()), default=0.0)
    made = tuple(_scored(name, fit, shared, toss=len(sexes) > 1) for name, fit in fits.items())
    for null, richer in permutations(made, 2):
        if null.fit is not richer.fit and nested(null.fit, richer.fit):
            _raise_if_below(null, richer)
    return made


def _scored(name: str, fit: Fit, shared: float, *, toss: bool) -> Scored:
    value = fit.log_likelihood - fit.problem.constant + shared
    if toss and not fit.design.model.by_sex:
        return Scored(name, fit, value + sex_entropy(fit), fit.n_parameters + 1)
    return Scored(name, fit, value, fit.n_parameters)


def _raise_if_below(null: Scored, richer: Scored) -> None:
    below = null.log_likelihood - richer.log_likelihood
    if below > ROUNDING * max(1.0, abs(null.log_likelihood)):
        facts: dict[str, Fact] = {"richer": richer.name, "null": null.name, "by": f"{below:.3g}"}
        raise DidNotConverge(Finding("scr-richer-below", facts))


def weights(fits: Mapping[str, Fit], by: Criterion = "AICc") -> dict[str, float]:
    """Akaike weight of each fit: exp(-difference / 2), summed to 1 (Burnham and Anderson 2002, section 2.9).

    Where no criterion is finite (hardly more animals than parameters), the fits with fewest parameters share it.
    Raises InputError, DidNotConverge, as `scored`.
    """
    return _weights(scored(fits), by)


def _weights(made: tuple[Scored, ...], by: Criterion) -> dict[str, float]:
    values = np.array([one.criterion(by) for one in made])
    if not np.isfinite(values).any():
        fewest = min(one.parameters for one in made)
        values = np.array([0.0 if one.parameters == fewest else np.inf for one in made])
    share = np.exp(-(values - values.min()) / 2.0)
    return {one.name: float(w) for one, w in zip(made, share / share.sum(), strict=True)}


def compare(fits: Mapping[str, Fit], by: Criterion = "AICc") -> pl.DataFrame:
    """The fits side by side, by name (schema COMPARISON).

    Raises InputError (all findings) if they are not of the same data and kind of likelihood, DidNotConverge if a
    model ended below one that is nested in it.
    """
    made = scored(fits)
    share = _weights(made, by)
    order = sorted(made, key=lambda one: (-share[one.name], one.criterion(by), one.parameters))
    least = min((one.criterion(by) for one in made), default=0.0)
    rows = [_row(one, one.criterion(by) - least if np.isfinite(least) else np.nan, share[one.name]) for one in order]
    return pl.DataFrame(rows, schema=COMPARISON, orient="row")


def _row(one: Scored, difference: float, weight: float) -> tuple[object, ...]:
    model = one.fit.design.model
    formulas = (str(model.formula(p)) for p in ("D", "lambda0", "sigma"))
    numbers = (one.log_likelihood, one.parameters, one.fit.n_animals, one.aic, one.aicc, difference, weight)
    return (one.name, model.detection_function, *formulas, *numbers)


# --- what may be compared ---


def unlike(fits: Mapping[str, Fit]) -> Iterator[Finding]:
    """Everything in which a fit differs from the first so that they may not be compared."""
    names = list(fits)
    for name in names[1:]:
        facts: dict[str, Fact] = {"first": names[0], "other": name}
        for rule in _differences(fits[names[0]], fits[name]):
            yield Finding(rule, facts)


def _differences(one: Fit, other: Fit) -> Iterator[str]:
    a, b = one.sessions, other.sessions
    same = len(a) == len(b)
    if not (same and all(map(_same_histories, a, b))):
        yield "scr-unlike-histories"
    if not (same and all(map(_same_detectors, a, b))):
        yield "scr-unlike-detectors"
    if not (same and all(map(_same_masks, a, b))):
        yield "scr-unlike-masks"
    if _kind(one) != _kind(other):
        yield "scr-unlike-likelihoods"


def _kind(fit: Fit) -> tuple[object, ...]:
    """What kind of likelihood it is: of the number of animals too or given it; what a detection is."""
    records = fit.sessions[0].records
    return fit.design.model.likelihood, records.poisson, records.unit_size, records.competing


def _same_histories(a: Session, b: Session) -> bool:
    one, other = a.records, b.records
    same_cells = all(
        np.array_equal(getattr(one.cells, n), getattr(other.cells, n)) for n in ("animal", "occasion", "count")
    )
    where = [s.detectors["detector"].gather(s.records.cells.detector).to_list() for s in (a, b)]
    return same_cells and where[0] == where[1] and np.array_equal(one.sex, other.sex)


def _same_detectors(a: Session, b: Session) -> bool:
    places = [s.detectors.select("detector", "x_m", "y_m") for s in (a, b)]
    return places[0].equals(places[1]) and np.array_equal(a.records.effort, b.records.effort)


def _same_masks(a: Session, b: Session) -> bool:
    same = a.cell_area_km2 == b.cell_area_km2
    return same and np.array_equal(a.place_x_m, b.place_x_m) and np.array_equal(a.place_y_m, b.place_y_m)


# --- nested models ---


def nested(null: Fit, richer: Fit) -> bool:
    """Whether `richer` can be what `null` is: formulas that hold the other's terms, all else alike."""
    one, other = null.design.model, richer.design.model
    alike = ("detection_function", "likelihood", "number", "distance")
    if any(getattr(one, n) != getattr(other, n) for n in alike) or null.n_parameters >= richer.n_parameters:
        return False
    return all(_holds(other.formula(p), one.formula(p)) for p in PARAMETERS) and _same_classes(one, other)


def _holds(richer: Formula, null: Formula) -> bool:
    """Whether one formula's terms are among another's; a factor coded in full holds the intercept too."""
    terms = {frozenset(t) for t in richer.terms}
    factor = any(len(t) == 1 and t[0].name in _FACTORS for t in richer.terms)
    return {frozenset(t) for t in null.terms} <= terms and (richer.intercept or not null.intercept or factor)


def _same_classes(null: Model, richer: Model) -> bool:
    """Whether the latent classes of the null, if it has any, are those of the richer model."""
    return not null.mixture or null.mixture == richer.mixture


@dataclass(frozen=True, slots=True)
class LikelihoodRatio:
    """A likelihood-ratio test. `boundary`: the null lies at the edge of the richer model (latent classes): `p_value`

    is then too large, so that what it rejects stays rejected.
    """

    statistic: float
    df: int
    boundary: bool

    @property
    def p_value(self) -> float:
        """Chance of a statistic at least this large if the null were right."""
        return float(chi2.sf(self.statistic, self.df))


def likelihood_ratio(null: Fit, richer: Fit) -> LikelihoodRatio:
    """Whether the data ask for the richer of two nested models.

    Raises InputError if they may not be compared or are not nested, DidNotConverge if the richer ended below.
    """
    if not nested(null, richer):
        formulas = {
            n: "; ".join(f"{p} {f.design.model.formula(p)}" for p in PARAMETERS) for n, f in _pair(null, richer)
        }
        raise InputError([*unlike({"null": null, "richer": richer}), Finding("scr-not-nested", formulas)])
    one, other = scored({"null": null, "richer": richer})
    statistic = 2.0 * (other.log_likelihood - one.log_likelihood)
    boundary = null.design.model.mixture != richer.design.model.mixture
    return LikelihoodRatio(max(statistic, 0.0), other.parameters - one.parameters, boundary)


def _pair(null: Fit, richer: Fit) -> tuple[tuple[str, Fit], tuple[str, Fit]]:
    return ("null", null), ("richer", richer)


# --- averages ---


@dataclass(frozen=True, slots=True)
class Average:
    """A quantity over several models. `eta` and `se` (unconditional) on the link scale, the others for people."""

    name: str
    eta: float
    se: float
    value: float
    low: float
    high: float
    level: float


def average(
    fits: Mapping[str, Fit], name: str, *, sides: tuple[str, ...] = (), by: Criterion = "AICc", level: float = 0.95
) -> Average:
    """A quantity (a key of `quantities`) averaged over models on the link scale, with its unconditional error.

    The standard error is sum w sqrt(se^2 + (eta - mean)^2): it holds the doubt about the model (Buckland, Burnham
    and Augustin 1997; Burnham and Anderson 2002, equation 4.9). Raises InputError if a fit has no such quantity or
    the fits may not be compared, DidNotConverge.
    """
    share = weights(fits, by)
    found = _of_every(fits, name, sides)
    w = np.array([share[n] for n in found])
    eta, se = np.array([q.estimate.value for q in found.values()]), np.array([q.se for q in found.values()])
    mean = float(w @ eta)
    unconditional = float(w @ np.sqrt(se**2 + (eta - mean) ** 2))
    natural, z = next(iter(found.values())).natural, normal_quantile(level) * unconditional
    return Average(name, mean, unconditional, natural(mean), natural(mean - z), natural(mean + z), level)


def _of_every(fits: Mapping[str, Fit], name: str, sides: tuple[str, ...]) -> dict[str, Quantity]:
    known = {n: quantities(fit, sides) for n, fit in fits.items()}
    lacking = [n for n, of_fit in known.items() if name not in of_fit]
    if lacking:
        facts = [{"quantity": name, "model": n, "known": ", ".join(known[n])} for n in lacking]
        raise InputError([Finding("scr-no-quantity", one) for one in facts])
    return {n: of_fit[name] for n, of_fit in known.items()}
