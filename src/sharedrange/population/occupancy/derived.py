"""What a fit says: occupancy, the number of sites occupied, the chance at each site, with their uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm

from sharedrange.population.occupancy.fitting import Fit, psi_interval
from sharedrange.population.occupancy.likelihood import chain_of, detection_chances, site_gradients
from sharedrange.population.occupancy.model import THETAS, predict_design

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MAP = pl.Schema(
    {
        # One row a site of a side with data. No positions: a station that found an animal is where the animal was.
        "site": pl.String(),
        "side": pl.String(),
        "visits": pl.Int64(),
        "detections": pl.Int64(),
        "psi": pl.Float64(),  # null where a covariate is missing
        "se": pl.Float64(),  # null where psi is at a limit
        "low": pl.Float64(),
        "high": pl.Float64(),
        "occupied": pl.Float64(),  # chance that this site is occupied, given what was found at it; null if not visited
    }
)


@dataclass(frozen=True, slots=True)
class Value:
    """A value with its limits; `se` None where it lies at a limit."""

    value: float
    low: float
    high: float
    se: float | None


def _from_logit(value: float, gradient: Floats, covariance: Floats, level: float) -> Value:
    """A probability and its limits on the logit scale; `gradient` is that of the probability itself."""
    se = float(np.sqrt(max(float(gradient @ covariance @ gradient), 0.0)))
    spread = value * (1.0 - value)
    if se == 0.0 or spread == 0.0:
        return Value(value, value, value, None)
    reach = float(norm.ppf(0.5 + level / 2)) * se / spread
    return Value(value, float(expit(logit(value) - reach)), float(expit(logit(value) + reach)), se)


def occupancy(fit: Fit, where: Bools | None = None, level: float = 0.95, *, profile: bool = True) -> Value:
    """Mean of psi over surveyed sites, or over those of them for which `where` (S,) is true.

    The limits are those of the profile likelihood where psi has no covariates and `profile`, else of the logit.
    """
    chosen = np.ones(len(fit.problem.site), dtype=bool) if where is None else where
    psi = fit.at_maximum().psi[chosen]
    gradient = np.zeros(fit.n_parameters)
    gradient[fit.problem.psi_place] = (psi * (1 - psi)) @ fit.problem.psi.scaling.matrix[chosen] / len(psi)
    limit = fit.at_limit.get("psi")
    mean = float(psi.mean()) if limit is None else limit
    found = _from_logit(mean, gradient, fit.theta_covariance, level)
    if fit.problem.psi.is_constant and (profile or limit is not None):
        low, high = psi_interval(fit, level)
        return Value(mean, min(low, mean), max(high, mean), found.se)
    return found


def detection(fit: Fit, level: float = 0.95) -> Value:
    """Mean chance of detection over the visits made, at occupied sites (with serial dependence: where sign is)."""
    problem = fit.problem
    eta = problem.p.scaling.matrix @ fit.theta[problem.p_place] + problem.offset
    chances = detection_chances(eta, offset=problem.model.effort == "offset")
    p = np.exp(chances.log_p)
    gradient = np.zeros(fit.n_parameters)
    gradient[problem.p_place] = (p * chances.by_p) @ problem.p.scaling.matrix / len(p)
    limit = fit.at_limit.get("p")
    return _from_logit(float(p.mean()) if limit is None else limit, gradient, fit.theta_covariance, level)


def serial_chances(fit: Fit, level: float = 0.95) -> dict[str, Value]:
    """theta0 and theta1: presence on a segment after one without and after one with it; {} without dependence."""
    found = {}
    step = chain_of(fit.theta[fit.problem.theta_place]).step[:, 1] if fit.problem.model.serial else ()
    for k, (name, theta) in enumerate(zip(THETAS, step, strict=False)):
        gradient = np.zeros(fit.n_parameters)
        gradient[fit.problem.theta_place.start + k] = theta * (1 - theta)
        found[name] = _from_logit(fit.at_limit.get(name, float(theta)), gradient, fit.theta_covariance, level)
    return found


def occupied_sites(fit: Fit, where: Bools | None = None, level: float = 0.95) -> Value:
    """How many of the surveyed sites are occupied: those with a find, and the expected number among the others.

    The finite-sample quantity of MacKenzie et al. (2006, Occupancy Estimation and Modeling, section 4.4). Its
    variance adds that of the unknown states, sum w (1 - w), to that of the parameters; the limits, on the logit scale
    of the share of sites without a find, lie between the sites with a find and all sites. Where psi is at 1 the
    lower limit is that of psi.
    """
    problem, at = fit.problem, fit.at_maximum()
    chosen = np.ones(len(problem.site), dtype=bool) if where is None else where
    certain, open_sites = int((problem.any_seen & chosen).sum()), chosen & ~problem.any_seen
    doubt = at.occupied[open_sites] * (1 - at.occupied[open_sites])
    gradient = doubt @ site_gradients(problem, at)[open_sites]
    variance = float(doubt.sum() + gradient @ fit.theta_covariance @ gradient)
    more, room = float(at.occupied[open_sites].sum()), int(open_sites.sum())
    if fit.at_limit.get("psi") == 1.0:
        low = occupancy(fit, level=level).low * int(chosen.sum())
        return Value(certain + room, min(max(low, certain), certain + room), certain + room, None)
    if room == 0 or variance <= 0 or not 0 < more < room:
        return Value(certain + more, certain + more, certain + more, None)
    share = more / room
    reach = float(norm.ppf(0.5 + level / 2)) * np.sqrt(variance) / room / (share * (1 - share))
    low, high = (certain + room * float(expit(logit(share) + sign * reach)) for sign in (-1, 1))
    return Value(certain + more, low, high, float(np.sqrt(variance)))


def sides_with_data(fit: Fit) -> tuple[str, ...]:
    """Sides of sites that were surveyed, in order."""
    return tuple(sorted({str(s) for s in fit.visits.sides()[fit.problem.site]} - {""}))


def site_map(fit: Fit, level: float = 0.95) -> pl.DataFrame:
    """Occupancy at every site, also where nobody went, and the chance that each surveyed site is occupied (schema MAP).

    Sites on a side without a single visit are left out, and so are sites on nobody's side if any side is named: no
    number is given for the territory of a state without its data.
    """
    visits, problem = fit.visits, fit.problem
    design, known = predict_design(problem, visits)
    psi, se, low, high = _psi_at(fit, design, level)
    held = np.full(len(psi), "psi" in fit.at_limit)
    occupied = np.full(visits.sites.height, np.nan)
    occupied[problem.site] = fit.at_maximum().occupied
    table = pl.DataFrame(
        {
            "site": visits.sites["site"],
            "side": visits.sides(),
            "visits": visits.visited.sum(axis=1),
            "detections": visits.detected.sum(axis=1),
            "psi": np.where(known, psi, np.nan),
            "se": np.where(known & ~held, se, np.nan),
            "low": np.where(known, low, np.nan),
            "high": np.where(known, high, np.nan),
            "occupied": occupied,
        }
    ).cast(MAP)
    shown = sides_with_data(fit) or ("",)
    return table.filter(pl.col("side").is_in(shown)).with_columns(pl.col(pl.Float64).fill_nan(None))


def _psi_at(fit: Fit, design: Floats, level: float) -> tuple[Floats, Floats, Floats, Floats]:
    """psi, its standard error and limits from rows of the formula's design."""
    place = fit.problem.psi_place
    if fit.problem.psi.is_constant:
        value = occupancy(fit, level=level)
        parts = (value.value, np.nan if value.se is None else value.se, value.low, value.high)
        return tuple(np.full(len(design), part) for part in parts)  # type: ignore[return-value]  # four of them
    eta = design @ fit.beta[place]
    se_eta = np.sqrt(np.einsum("ij,jk,ik->i", design, fit.covariance[place, place], design))
    reach = norm.ppf(0.5 + level / 2) * se_eta
    psi = expit(eta)
    return psi, psi * (1 - psi) * se_eta, expit(eta - reach), expit(eta + reach)
