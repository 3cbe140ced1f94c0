"""Maximum likelihood: the climb, its covariance, and what to do where there is no maximum inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit, logit
from scipy.stats import chi2

from sharedrange.core.errors import DidNotConverge
from sharedrange.core.finding import Fact, Finding
from sharedrange.population.occupancy.likelihood import Evaluation, evaluate, log_likelihood
from sharedrange.population.occupancy.model import Model, Problem, prepare
from sharedrange.population.occupancy.visits import SiteVisits

Floats = NDArray[np.float64]

_STEP = 1e-4  # central differences of an exact gradient: truncation and rounding both near 1e-8
_FLAT = 1e-9  # the log-likelihood that may be left to gain (half the Newton decrement)
_UNBOUNDED_SE = 5.0  # of a logit: 95 % limits of odds a factor of 18,000 either way
_CERTAIN = 20.0  # a logit that is 1 for all purposes; 1 - 2e-9
_CERTAIN_LOGLOG = 3.0  # on the complementary log-log scale: 1 - 2e-9


@dataclass(frozen=True, slots=True)
class Unbounded:
    """Something that the data do not bound: a `variable` left out of the model, or a parameter `held` at its limit.

    `limit` is 0 or 1, the value to which the parameter ran.
    """

    parameter: str
    variable: str = ""
    limit: float = float("nan")


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted model.

    `beta` (P,), named by `names`, on the link scale of the formulas; `covariance` (P, P), 0 for parameters that are
    held at a limit (`unbounded` says which, and which covariates were left out). `theta` (P,) and
    `theta_covariance` are the same in the optimiser's columns. `data` tells histories apart: fits are compared only
    where it is equal.
    """

    visits: SiteVisits
    problem: Problem
    beta: Floats
    covariance: Floats
    theta: Floats
    theta_covariance: Floats
    log_likelihood: float
    unbounded: tuple[Unbounded, ...]
    evaluations: int
    data: str

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return self.problem.names

    @property
    def n_parameters(self) -> int:
        """Parameters of the model, also those at a limit."""
        return len(self.beta)

    @property
    def aic(self) -> float:
        """Akaike's information criterion; only `comparison.compare` sets it beside another's."""
        return 2.0 * self.n_parameters - 2.0 * self.log_likelihood

    @property
    def at_limit(self) -> Mapping[str, float]:
        """Parameters that ran to 0 or 1, with that limit."""
        return {u.parameter: u.limit for u in self.unbounded if not u.variable}

    def at_maximum(self) -> Evaluation:
        """Every surveyed site at the estimates."""
        return evaluate(self.problem, self.theta)


def fit(visits: SiteVisits, model: Model = Model()) -> Fit:
    """`model` fitted to `visits`.

    A covariate whose coefficient runs away (no site of one side was found occupied, say) is left out and the rest
    fitted again; a chance that runs to 0 or 1 is held there. Both are listed in `unbounded`.

    Raises InputError for data and formulas that cannot be used, DidNotConverge.

    Examples
    --------
    >>> import polars as pl
    >>> from sharedrange.population.occupancy.visits import site_visits
    >>> seen = [[1, 1], [1, 0], [0, 1], [0, 0], [0, 0], [0, 0]]
    >>> rows = [(f"s{i}", k, y) for i, row in enumerate(seen) for k, y in enumerate(row)]
    >>> found = fit(site_visits(pl.DataFrame(rows, schema=["site", "visit", "detected"], orient="row")))
    >>> [round(float(v), 3) for v in expit(found.beta)]
    [0.667, 0.5]
    """
    problem = prepare(visits, model)
    held: dict[int, float] = {}
    unbounded: tuple[Unbounded, ...] = ()
    while True:
        search = Search(problem, held)
        try:
            found = search.maximum(starting_values(problem))
        except Runaway as lost:
            problem, held, trouble = _bounded(visits, problem, held, lost)
            unbounded = (*unbounded, trouble)
            continue
        back = problem.back()
        return Fit(
            visits,
            problem,
            back @ found.theta,
            back @ found.covariance @ back.T,
            found.theta,
            found.covariance,
            found.value,
            unbounded,
            search.evaluations,
            _fingerprint(visits),
        )


def _fingerprint(visits: SiteVisits) -> str:
    """A hash of who was looked for where: the same for every model of the same histories."""
    digest = sha256()
    for site in visits.sites["site"]:
        digest.update(f"{site}\0".encode())
    digest.update(visits.visited.tobytes())
    digest.update(visits.detected.tobytes())
    digest.update(str(visits.visited.shape).encode())
    return digest.hexdigest()


class Runaway(Exception):
    """A parameter has no maximum inside its range. Caught in this module; never leaves the package."""

    def __init__(self, index: int, toward: float) -> None:
        super().__init__()
        self.index = index
        self.toward = toward


def _bounded(
    visits: SiteVisits, problem: Problem, held: Mapping[int, float], lost: Runaway
) -> tuple[Problem, dict[int, float], Unbounded]:
    """The problem without the covariate, or with the parameter held at its limit, that ran away."""
    part, name = problem.part_of(lost.index), problem.names[lost.index]
    if part is not None and part.formula.terms:
        place = problem.psi_place if part.name == "psi" else problem.p_place
        variable = _variable_of(problem, lost.index - place.start, part.name)
        return prepare(visits, problem.model.without(variable)), {}, Unbounded(name, variable)
    certain = _CERTAIN_LOGLOG if name == "p" and problem.model.effort == "offset" else _CERTAIN
    limit = certain if lost.toward > 0 else -_CERTAIN
    return problem, {**held, lost.index: limit}, Unbounded(name, limit=float(lost.toward > 0))


def _variable_of(problem: Problem, column: int, part_name: str) -> str:
    """The variable of the term to which a column of the design belongs; the last term's for an intercept."""
    part = problem.psi if part_name == "psi" else problem.p
    text = part.design.names[column]
    pieces = text.split(":")
    for term in reversed(part.formula.terms):
        if len(term) == len(pieces) and all(
            p == str(v) or p.startswith(f"{v}.") for p, v in zip(pieces, term, strict=True)
        ):
            return term[-1].name
    return part.formula.terms[-1][-1].name


def starting_values(problem: Problem) -> Floats:
    """Parameters to start from: the moments of a model without covariates, no slope, weak serial dependence."""
    per_site = np.add.reduceat(problem.seen.astype(float), problem.first)
    visits = np.diff(np.append(problem.first, len(problem.seen)))
    at_found = problem.any_seen
    share = (per_site[at_found].sum() + 0.5) / (visits[at_found].sum() + 1.0)
    p = float(np.clip(0.8 * share, 0.02, 0.9))
    psi = float(np.clip(at_found.mean() / (1 - (1 - p) ** visits.mean()), 0.05, 0.9))
    theta = np.zeros(len(problem.names))
    theta[problem.psi_place] = _constant(problem.psi.scaling.matrix, float(logit(psi)))
    if problem.model.serial:
        theta[problem.theta_place] = logit([0.4, 0.7])
        p = min(1.5 * p, 0.9)
    eta = np.log(-np.log1p(-p)) - problem.offset.mean() if problem.model.effort == "offset" else logit(p)
    theta[problem.p_place] = _constant(problem.p.scaling.matrix, float(eta))
    return theta


def _constant(matrix: Floats, value: float) -> Floats:
    """Coefficients on orthogonal columns that come nearest to a constant linear predictor."""
    return np.asarray(matrix.T @ np.full(len(matrix), value) / len(matrix))


@dataclass(frozen=True, slots=True)
class Maximum:
    """Where the climb ended: parameters, log-likelihood, covariance (0 for what is held)."""

    theta: Floats
    value: float
    covariance: Floats


class Search:
    """The climb to the maximum over the parameters that are not `held` (index -> value)."""

    def __init__(self, problem: Problem, held: Mapping[int, float]) -> None:
        self.problem = problem
        self.held = dict(held)
        self.free = np.array([i for i in range(len(problem.names)) if i not in held], dtype=np.intp)
        self.evaluations = 0

    def whole(self, free: Floats) -> Floats:
        """All parameters from the free ones."""
        theta = np.empty(len(self.problem.names))
        theta[self.free] = free
        for index, value in self.held.items():
            theta[index] = value
        return theta

    def value(self, free: Floats) -> tuple[float, Floats]:
        """Log-likelihood and its gradient by the free parameters."""
        self.evaluations += 1
        value, gradient = log_likelihood(self.problem, self.whole(free))
        return value, gradient[self.free]

    def maximum(self, start: Floats) -> Maximum:
        """BFGS near the maximum, then Newton steps. Raises Runaway, DidNotConverge."""
        free = self._climb(start[self.free])
        value, gradient = self.value(free)
        for _ in range(10):
            covariance = self._covariance(free)
            step = covariance @ gradient
            nearly_there = 0.5 * float(gradient @ step) < _FLAT
            free, value, gradient = self._uphill(free, value, step)
            if nearly_there:
                return Maximum(self.whole(free), value, self._widened(covariance))
        raise self._lost(float(np.abs(gradient).max()))

    def highest(self, start: Floats) -> tuple[float, Floats]:
        """Value and parameters at the maximum, where the covariance is not wanted (a profile)."""
        if not len(self.free):
            return self.value(np.empty(0))[0], self.whole(np.empty(0))
        free = self._climb(start[self.free], tolerance=1e-6)
        return self.value(free)[0], self.whole(free)

    def _climb(self, start: Floats, tolerance: float = 1e-4) -> Floats:
        if not len(start):
            return start
        sites = len(self.problem.site)

        def negative(free: Floats) -> tuple[float, Floats]:
            value, gradient = self.value(free)
            return -value / sites, -gradient / sites

        found = minimize(negative, start, jac=True, method="BFGS", options={"gtol": tolerance, "maxiter": 500})
        return np.asarray(found.x, dtype=float)

    def _uphill(self, free: Floats, value: float, step: Floats) -> tuple[Floats, float, Floats]:
        for halving in range(20):
            tried = free + step / 2**halving
            new, gradient = self.value(tried)
            if new >= value - 1e-9:
                return tried, new, gradient
        raise self._lost(float(np.abs(step).max()))

    def _covariance(self, free: Floats) -> Floats:
        """Inverse of minus the Hessian, by central differences of the exact gradient. Raises Runaway."""
        rows = [
            (self.value(free + shift)[1] - self.value(free - shift)[1]) / (2.0 * _STEP)
            for shift in _STEP * np.eye(len(free))
        ]
        information = -0.5 * (np.array(rows) + np.array(rows).T).reshape(len(free), len(free))
        curvature, directions = np.linalg.eigh(information)
        if len(free) and curvature[0] < 1.0 / _UNBOUNDED_SE**2:
            worst = int(np.abs(directions[:, 0]).argmax())
            raise Runaway(int(self.free[worst]), float(free[worst]))
        return np.asarray((directions / curvature) @ directions.T)

    def _widened(self, covariance: Floats) -> Floats:
        size = len(self.problem.names)
        whole = np.zeros((size, size))
        whole[np.ix_(self.free, self.free)] = covariance
        return whole

    def _lost(self, size: float) -> DidNotConverge:
        model = self.problem.model
        facts: dict[str, Fact] = {
            "evaluations": self.evaluations,
            "size": f"{size:.3g}",
            "psi": model.psi,
            "p": model.p,
        }
        return DidNotConverge(Finding("occupancy-not-converged", facts))


def psi_interval(found: Fit, level: float = 0.95) -> tuple[float, float]:
    """Profile-likelihood limits of psi where it has no covariates: twice the log-likelihood lost is chi-squared.

    They hold their level where psi is near 1, where the logit's do not. A limit that the data do not give is 0 or
    1. Raises ValueError where psi has covariates.
    """
    if not found.problem.psi.is_constant:
        raise ValueError("psi depends on covariates: it has no single profile")
    allowed = found.log_likelihood - 0.5 * float(chi2.ppf(level, 1))
    top = float(found.theta[0])

    def above(eta: float) -> float:
        return _profile(found, eta) - allowed

    return _limit(above, top, -1.0, 0.0), _limit(above, top, 1.0, 1.0)


def _profile(found: Fit, eta: float) -> float:
    """The highest log-likelihood with logit psi at `eta`; other parameters at a limit stay there."""
    others = {found.names.index(name): found.theta[found.names.index(name)] for name in found.at_limit}
    return Search(found.problem, {**others, 0: eta}).highest(found.theta)[0]


def _limit(above: Callable[[float], float], top: float, direction: float, without: float) -> float:
    """The probability at which `above` (positive at the logit `top`) falls to 0 on one side; `without` if nowhere."""
    reach, inner = 0.5, top
    while abs(inner) < _CERTAIN or inner * direction < 0:
        outer = inner + direction * reach
        if above(outer) < 0:
            return float(expit(brentq(above, inner, outer, xtol=1e-6)))
        inner, reach = outer, 2.0 * reach
    return without
