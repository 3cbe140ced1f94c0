"""What the data say against a model: doors that opened, animals that learned, histories that no model makes.

Each test has little power with few animals: where it finds nothing, that is no proof.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from scipy.stats import chi2, norm

from sharedrange.core.errors import SharedRangeError
from sharedrange.core.progress import Progress, silent
from sharedrange.population.closed.captures import Captures, from_matrix
from sharedrange.population.closed.histories import draw
from sharedrange.population.closed.loglinear import Design, design, maximise
from sharedrange.population.closed.models import Fit, fit

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Test:
    """A test: statistic, p value, and on how many animals it rests. NaN where nothing could be tested."""

    __test__ = False  # not for pytest

    name: str
    statistic: float
    p_value: float
    animals: int


def closure(captures: Captures) -> Test:
    """Were all animals there all the time? The test of Otis et al. (1978), one-sided.

    If the population is closed and the chance of capture constant, the j occasions on which an animal was caught are
    any j of the t. Animals that came late or left early have first and last captures too near each other. It needs
    the captures' occasions and animals caught at least twice. It can't tell an open population from one whose
    catchability changed with time or after the first capture, and hardly finds animals that left for a while.

    Examples
    --------
    >>> from sharedrange.population.closed import from_matrix
    >>> came_and_went = [[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]] * 3
    >>> closure(from_matrix(came_and_went)).p_value < 0.01
    True
    """
    if captures.matrix is None:
        return Test("closure", np.nan, np.nan, 0)
    t = captures.n_occasions
    caught = captures.matrix[captures.matrix.sum(axis=1) >= 2]
    j = caught.sum(axis=1).astype(float)
    spans = t - 1 - caught[:, ::-1].argmax(axis=1) - caught.argmax(axis=1)
    expected = (j - 1) * (t + 1) / (j + 1)
    variance = 2 * (j - 1) * (t + 1) * (t - j) / ((j + 1) ** 2 * (j + 2))
    if not variance.sum() > 0:
        return Test("closure", np.nan, np.nan, len(j))
    z = float((spans - expected).sum() / np.sqrt(variance.sum()))
    return Test("closure", z, float(norm.cdf(z)), len(j))


def behaviour(captures: Captures) -> Test:
    """Does the first capture change the chance of the next? Likelihood ratio of Mb against M0."""
    if captures.matrix is None:
        return Test("behaviour", np.nan, np.nan, 0)
    try:
        ratio = 2.0 * (fit(captures, "Mb").log_likelihood - fit(captures, "M0").log_likelihood)
    except SharedRangeError:
        return Test("behaviour", np.nan, np.nan, captures.n)
    return Test("behaviour", max(ratio, 0.0), float(chi2.sf(max(ratio, 0.0), 1)), captures.n)


def goodness_of_fit(
    captures: Captures,
    fitted: Fit,
    rng: np.random.Generator,
    *,
    simulations: int = 99,
    progress: Progress = silent,
) -> Test:
    """Does the model make frequencies like those seen? Deviance of the frequencies against simulated refits.

    Asymptotic p values mislead with few animals, so the deviance is compared with that of data drawn from the fit and
    fitted again. NaN for models that fit the frequencies exactly, and for Mb and Mbh, which do not model them.
    """
    model, seen = fitted.model, float(captures.n)
    name = "goodness_of_fit"
    if model.lead is not None or model.is_lower_bound or not simulations:
        return Test(name, np.nan, np.nan, captures.n)
    laid = design(captures, time=model.time, form=model.form)
    top = maximise(laid)
    groups = len(laid.sizes)
    beta = np.where(laid.group_of >= 0, top.theta[:groups][laid.group_of], -np.inf)
    weight = np.zeros(captures.n_occasions + 1)
    weight[: laid.n_occasions + 1] = np.exp(laid.heterogeneity @ top.theta[groups:])
    observed, worse = deviance(captures, laid), 1
    for done in range(simulations):
        drawn = from_matrix(draw(rng, int(seen), beta, weight))
        worse += deviance(drawn, design(drawn, time=model.time, form=model.form)) >= observed - 1e-9
        progress((done + 1) / simulations)
    return Test(name, observed, worse / (simulations + 1), captures.n)


def deviance(captures: Captures, laid: Design) -> float:
    """Twice the log-likelihood that a model loses on the capture frequencies against their own shares."""
    expected = captures.n * maximise(laid).moments.by_level[1:]
    seen = captures.frequencies[: laid.n_occasions].astype(float)
    ratio = np.divide(seen, expected, out=np.ones(len(seen)), where=(seen > 0) & (expected > 0))
    return float(2.0 * xlogy(seen, ratio).sum())
