"""Estimates by generalised estimating equations, sites eliminated one by one.

For site i with expected counts mu_i and working covariance V_i = sigma^2 diag(mu_i)^(1/2) R diag(mu_i)^(1/2),
R_jk = rho^|j-k|, the equations are sum_i D_i' V_i^-1 (f_i - mu_i) = 0 with D_i the derivative of mu_i by the site's
level and the coefficients (Liang & Zeger 1986, Biometrika 73:13-22; Pannekoek & van Strien 2005, TRIM 3 manual;
Pannekoek, Bogaart & van der Loo 2018, Models and statistical methods in rtrim). A first-order autoregression is a
Markov chain, also where times are missing: R^-1 has entries on the diagonal and between neighbouring counts only, so
one step costs as many operations as there are counts. sigma^2 and rho are moments of Pearson residuals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from sharedrange.core.errors import DidNotConverge
from sharedrange.core.finding import Finding
from sharedrange.core.progress import Progress, silent
from sharedrange.population.trend.design import Design
from sharedrange.population.trend.panel import Panel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_STEPS = 500
_HALVINGS = 40
_PATIENCE = 30  # full steps; what has not settled by then goes back and forth with rho, and half steps settle it
_NEWTON_CLOSE = 1e-7  # of the last step: what is left is about its square
_CLOSE = 1e-11  # of the last step where rho moves along: what is left is about a third of it
_RHO_LIMIT = 0.95  # beyond it R is nearly singular and variances are noise
_NO_SPREAD = 1e-9  # sigma^2 below it is rounding: an interval of no width would be a lie
_NO_LIMIT = 25.0  # a coefficient of exp(25) is on its way to infinity


@dataclass(frozen=True, slots=True)
class Counted:
    """The rows with a count, site after site, and which of them are neighbours at a site.

    `row` (n,) indexes the panel; `cell` the design; `start` (S + 1,) where each site begins. `left` (k,) are the
    positions of counts that have a next one at their site, `gap` (k,) the times between, in steps (1: neighbours).
    `pair`, `left_cell`, `right_cell`: the distinct pairs of design rows that are neighbours, and which one each is.
    """

    row: Ints
    count: Floats
    log_weight: Floats
    site: Ints
    cell: Ints
    start: Ints
    left: Ints
    gap: Floats
    pair: Ints
    left_cell: Ints
    right_cell: Ints

    @property
    def n(self) -> int:
        """Number of counts."""
        return len(self.count)

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return len(self.start) - 1

    def by_site(self, values: Floats) -> Floats:
        """Sums over the counts of each site, shape (S,)."""
        return np.asarray(np.add.reduceat(values, self.start[:-1]))


def counted(panel: Panel, design: Design) -> Counted:
    """The rows of `panel` that have a count. Every site must have one."""
    row = np.flatnonzero(panel.observed)
    site, cell, time = panel.site[row], design.cell[row], panel.time[row]
    start = np.searchsorted(site, np.arange(len(panel.sites) + 1))
    left = np.flatnonzero(site[:-1] == site[1:])
    steps = steps_of(panel.times)[time]
    joint = cell[left] * len(design.rows) + cell[left + 1]
    kinds, pair = np.unique(joint, return_inverse=True)
    ends = np.divmod(kinds, len(design.rows))
    gap = steps[left + 1] - steps[left]
    weight = np.log(panel.weight[row])
    return Counted(row, panel.count[row], weight, site, cell, start, left, gap, np.asarray(pair), *ends)


def steps_of(times: tuple[int, ...]) -> Floats:
    """Times in steps of the longest length that divides all distances: serial correlation is that over one step.

    Examples
    --------
    >>> steps_of((2000, 2002, 2006)).tolist()
    [0.0, 1.0, 3.0]
    """
    step = math.gcd(*(t - times[0] for t in times)) or 1
    return (np.asarray(times, dtype=np.float64) - times[0]) / step


@dataclass(frozen=True, slots=True)
class Solution:
    """Where the equations hold.

    `level` (S,) is each site's; `coefficients` (p,); `dispersion` sigma^2 and `correlation` rho as used for variances
    (1 and 0 where not asked for; 1 too where the counts have no spread at all). `inverse` (p, p) is the coefficients'
    covariance. The sites' own blocks: `weight` (S,) the information about each level, `cross` (S, p) the information
    shared with the coefficients. `expected` (n,) are the expected counts of the rows with a count. `at_limit`: rho was
    held back from 1 or -1; `exact`: the counts follow the model without any spread.
    """

    level: Floats
    coefficients: Floats
    dispersion: float
    correlation: float
    inverse: Floats
    weight: Floats
    cross: Floats
    expected: Floats
    steps: int
    at_limit: bool = False
    exact: bool = False


def solve(
    data: Counted,
    design: Design,
    *,
    overdispersion: bool,
    serial_correlation: bool,
    progress: Progress = silent,
) -> Solution:
    """Solve the estimating equations, from the maximum of the Poisson likelihood on.

    Raises DidNotConverge where a coefficient has no finite estimate or the steps do not settle.
    """
    state = _poisson(data, design)
    progress(0.5)
    rho, sigma2, steps = 0.0, 1.0, 0
    if serial_correlation:
        state, rho, steps = _with_correlation(data, design, state)
    if overdispersion or serial_correlation:
        sigma2 = dispersion(data, design.p, state.expected)
    exact = sigma2 < _NO_SPREAD
    sigma2 = 1.0 if exact else sigma2
    blocks = _blocks(data, design, state.expected, rho)
    progress(1.0)
    return Solution(
        level=state.level,
        coefficients=state.coefficients,
        dispersion=sigma2,
        correlation=rho,
        inverse=sigma2 * _inverse(blocks.information, design),
        weight=blocks.weight / sigma2,
        cross=blocks.cross / sigma2,
        expected=state.expected,
        steps=steps,
        at_limit=abs(rho) >= _RHO_LIMIT,
        exact=exact,
    )


@dataclass(frozen=True, slots=True)
class _State:
    level: Floats
    coefficients: Floats
    expected: Floats


def _poisson(data: Counted, design: Design) -> _State:
    """The maximum of the Poisson likelihood, the levels at their best for each value of the coefficients."""
    beta = np.zeros(design.p)
    state, best = _at_best_levels(data, design, beta)
    for _ in range(_STEPS if design.p else 0):
        step = _newton_step(data, design, state)
        for _ in range(_HALVINGS):
            tried, likelihood = _at_best_levels(data, design, state.coefficients + step)
            if likelihood >= best - 1e-12 * abs(best):
                break
            step = step / 2
        state, best = tried, likelihood
        if np.abs(state.coefficients * _span(design)).max() > _NO_LIMIT:
            raise DidNotConverge(Finding("trend-no-finite-estimate", {"parameter": _largest(design, state)}))
        if np.abs(step * _span(design)).max() < _NEWTON_CLOSE:
            return state
    if design.p:
        raise DidNotConverge(Finding("trend-not-settled", {"steps": _STEPS}))
    return state


def _span(design: Design) -> Floats:
    """The most that a unit of each coefficient moves a logarithm: makes slopes and effects comparable."""
    return np.asarray(np.abs(design.rows).max(axis=0))


def _largest(design: Design, state: _State) -> str:
    return str(design.parameters[int(np.abs(state.coefficients * _span(design)).argmax())])


def _at_best_levels(data: Counted, design: Design, beta: Floats) -> tuple[_State, float]:
    """Expected counts with the levels that fit best, log sum f - log sum exp(B beta), and the log-likelihood."""
    log_shape = (design.rows @ beta)[data.cell] - data.log_weight
    totals = data.by_site(data.count)
    shift = log_shape.max()  # against overflow of a long step
    level = np.log(totals) - np.log(data.by_site(np.exp(log_shape - shift))) - shift
    log_expected = log_shape + level[data.site]
    state = _State(level, beta, np.exp(log_expected))
    return state, float(data.count @ log_expected - totals.sum())


def _newton_step(data: Counted, design: Design, state: _State) -> Floats:
    m = len(design.rows)
    score = design.rows.T @ np.bincount(data.cell, data.count - state.expected, m)
    information = _blocks(data, design, state.expected, 0.0).information
    return np.asarray(_inverse(information, design) @ score)


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Information at sigma^2 = 1: of each site's level, shared with the coefficients, of the coefficients alone."""

    weight: Floats
    cross: Floats
    information: Floats


def _blocks(data: Counted, design: Design, expected: Floats, rho: float) -> _Blocks:
    """i_b = sum B' [Omega - omega omega' / d] B; Omega = diag(mu) V^-1 diag(mu), omega = Omega 1, d = 1' Omega 1."""
    m, root = len(design.rows), np.sqrt(expected)
    on, off = inverse_correlation(data, rho)
    diagonal = on * expected
    rows = diagonal.copy()
    whole = design.rows.T @ (np.bincount(data.cell, diagonal, m)[:, None] * design.rows)
    if rho:
        between = off * root[data.left] * root[data.left + 1]
        rows[data.left] += between
        rows[data.left + 1] += between
        kinds = np.bincount(data.pair, between, len(data.left_cell))
        shared = design.rows[data.left_cell].T @ (kinds[:, None] * design.rows[data.right_cell])
        whole += shared + shared.T
    weight = data.by_site(rows)
    cross = np.asarray(csr_array((rows, data.cell, data.start), shape=(data.n_sites, m)) @ design.rows)
    return _Blocks(weight, cross, whole - cross.T @ (cross / weight[:, None]))


def inverse_correlation(data: Counted, rho: float) -> tuple[Floats, Floats]:
    """R^-1 of all sites: its diagonal (n,) and the entries between neighbouring counts (k,).

    With phi = rho^gap the chain's step to the next count: off -phi / (1 - phi^2), and on the diagonal 1 plus
    phi^2 / (1 - phi^2) for each neighbour.
    """
    phi = np.sign(rho) ** data.gap * np.abs(rho) ** data.gap if rho else np.zeros(len(data.left))
    on = np.ones(data.n)
    gain = phi**2 / (1 - phi**2)
    on[data.left] += gain
    on[data.left + 1] += gain
    return on, -phi / (1 - phi**2)


def _inverse(information: Floats, design: Design) -> Floats:
    """The inverse of a positive definite matrix, scaled to a diagonal of ones first. Raises DidNotConverge."""
    if not len(information):
        return information
    size = np.sqrt(np.clip(np.diag(information), 0, None))
    if not (size > 0).all() or not np.isfinite(information).all():
        raise DidNotConverge(Finding("trend-no-finite-estimate", {"parameter": str(design.parameters[size.argmin()])}))
    values, vectors = np.linalg.eigh(information / np.outer(size, size))
    if values[0] < 1e-13 * values[-1]:
        worst = str(design.parameters[int(np.abs(vectors[:, 0]).argmax())])
        raise DidNotConverge(Finding("trend-no-finite-estimate", {"parameter": worst}))
    return np.asarray((vectors / values) @ vectors.T / np.outer(size, size))


def dispersion(data: Counted, p: int, expected: Floats) -> float:
    """sigma^2: squared Pearson residuals over the degrees of freedom. Not finite where there are none."""
    residual_df = data.n - data.n_sites - p
    squares = float(((data.count - expected) ** 2 / expected).sum())
    return squares / residual_df if residual_df > 0 else np.nan


def _correlation(data: Counted, p: int, expected: Floats) -> float:
    """rho: the mean product of the residuals of neighbours (one step apart) over sigma^2; 0 without neighbours."""
    residual = (data.count - expected) / np.sqrt(expected)
    first = data.left[data.gap == 1]
    if not len(first):
        return 0.0
    spread = dispersion(data, p, expected)
    rho = float((residual[first] * residual[first + 1]).mean()) / spread if spread > _NO_SPREAD else 0.0
    return min(max(rho, -_RHO_LIMIT), _RHO_LIMIT)


def _with_correlation(data: Counted, design: Design, state: _State) -> tuple[_State, float, int]:
    """Scoring steps with rho anew after each, until neither moves."""
    rho = _correlation(data, design.p, state.expected)
    for done in range(1, _STEPS + 1):
        by_level, by_beta = _scoring_step(data, design, state, rho)
        state = _moved(data, design, state, (by_level, by_beta), 1.0 if done < _PATIENCE else 0.5)
        last, rho = rho, _correlation(data, design.p, state.expected)
        moved = max(np.abs(by_level).max(), np.abs(by_beta * _span(design)).max(initial=0.0), abs(rho - last))
        if moved < _CLOSE:
            return state, rho, done
    raise DidNotConverge(Finding("trend-correlation-not-settled", {"steps": _STEPS, "correlation": round(rho, 2)}))


def _scoring_step(data: Counted, design: Design, state: _State, rho: float) -> tuple[Floats, Floats]:
    """The Fisher scoring step of the levels and of the coefficients, the levels eliminated."""
    score = _scores(data, state.expected, rho)
    blocks = _blocks(data, design, state.expected, rho)
    by_site = data.by_site(score)
    by_cell = np.bincount(data.cell, score, len(design.rows))
    reduced = design.rows.T @ by_cell - blocks.cross.T @ (by_site / blocks.weight)
    beta = _inverse(blocks.information, design) @ reduced
    return (by_site - blocks.cross @ beta) / blocks.weight, beta


def _scores(data: Counted, expected: Floats, rho: float) -> Floats:
    """diag(mu) V^-1 (f - mu) at sigma^2 = 1, shape (n,)."""
    root = np.sqrt(expected)
    residual = (data.count - expected) / root
    on, off = inverse_correlation(data, rho)
    pulled = on * residual
    pulled[data.left] += off * residual[data.left + 1]
    pulled[data.left + 1] += off * residual[data.left]
    return np.asarray(root * pulled)


def _moved(data: Counted, design: Design, state: _State, step: tuple[Floats, Floats], most: float) -> _State:
    """The state after the share `most` of a step, less where it would change an expected count more than e-fold."""
    by_level, by_beta = step
    change = by_level[data.site] + (design.rows @ by_beta)[data.cell]
    share = min(most, 1.0 / max(float(np.abs(change).max()), 1e-300))
    level, beta = state.level + share * by_level, state.coefficients + share * by_beta
    expected = np.exp(level[data.site] + (design.rows @ beta)[data.cell] - data.log_weight)
    return _State(level, beta, expected)


def scores(data: Counted, solution: Solution) -> Floats:
    """diag(mu) V^-1 (f - mu) of every count at the solution, shape (n,); they sum to zero at each site."""
    return _scores(data, solution.expected, solution.correlation) / solution.dispersion


def information(data: Counted, design: Design, expected: Floats) -> Floats:
    """The Poisson information about the coefficients, sites eliminated, at given expected counts, shape (p, p)."""
    return _blocks(data, design, expected, 0.0).information
