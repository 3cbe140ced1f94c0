"""Animals that change their ways once caught: Mb and Mbh (Otis et al. 1978, Wildlife Monographs 62).

N is told by first captures alone, as if animals were removed: it needs them to become fewer. In Mb all first captures
have one chance p; in Mbh those of the first occasion have another, as where the easiest animals go first.
Recaptures have a chance of their own, c.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import gammaln, xlogy

from sharedrange.core.answer import Refusal
from sharedrange.core.errors import NotEnoughData
from sharedrange.population.closed.captures import Captures, Ints

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Removal:
    """A removal fit. `p`: chance of a first capture after the `lead` occasions that have a chance of their own."""

    n_hat: float
    se: float
    log_likelihood: float  # of the histories, given that the animals were caught
    p: float
    expected: Floats  # (t,), first captures


def fit_removal(captures: Captures, first: Ints, lead: int) -> Removal:
    """Mb (`lead` 0) or Mbh (`lead` 1) by conditional maximum likelihood.

    Raises NotEnoughData where first captures do not become fewer: then any number of animals would fit.
    """
    rest, occasions = first[lead:], len(first) - lead
    n, mean = int(rest.sum()), _mean_occasion(rest)
    if not n or mean >= (occasions - 1) / 2 - 1e-9:
        raise NotEnoughData(_no_decline(rest))
    q = _missed(mean, occasions)
    caught = 1.0 - q**occasions
    there, unseen = n / caught, n * q**occasions / caught
    shares = (1 - q) * q ** np.arange(occasions) / caught
    expected = np.r_[first[:lead], n * shares]
    se = np.sqrt(unseen + unseen**2 * _var_log_unseen(np.asarray(n * shares), q)) if unseen > 0 else 0.0
    number = int(first[:lead].sum()) + there
    chances = np.r_[first[:lead] / number, (number - first[:lead].sum()) / number * (1 - q) * q ** np.arange(occasions)]
    value = float(xlogy(first, chances).sum() - captures.n * np.log(chances.sum())) + _recaptures(captures, first)
    return Removal(number, float(se), value, 1 - q, expected)


def profile_removal(captures: Captures, first: Ints, lead: int, number: float) -> float:
    """The log-likelihood of the histories of `number` animals, at the best chances of capture for that number."""
    before = np.r_[0, np.cumsum(first)[:-1]]
    exposed = number - before
    value = gammaln(number + 1) - gammaln(number - captures.n + 1) + _recaptures(captures, first)
    parts = [slice(k, k + 1) for k in range(lead)] + [slice(lead, None)]
    return float(value + sum(_binomial(float(first[at].sum()), float(exposed[at].sum())) for at in parts))


def _mean_occasion(first: Ints) -> float:
    """Mean number of occasions before the first capture."""
    return float(first @ np.arange(len(first)) / max(int(first.sum()), 1))


def _missed(mean: float, occasions: int) -> float:
    """The chance q to be missed whose geometric distribution, cut at `occasions`, has this mean."""
    if mean == 0:
        return 0.0

    def excess(q: float) -> float:
        return q / (1 - q) - occasions * q**occasions / (1 - q**occasions) - mean

    return float(brentq(excess, 1e-12, 1 - 1e-7, xtol=1e-14)) if excess(1 - 1e-7) > 0 else 1 - 1e-7


def _var_log_unseen(expected: Floats, q: float) -> float:
    """Variance of log(R q^T) from Poisson first captures with mean R (1 - q) q^k."""
    occasions = np.arange(len(expected))
    slope = np.column_stack([np.ones(len(expected)), occasions / q - 1 / (1 - q)])
    gradient = np.array([1.0, len(expected) / q])
    information = slope.T @ (expected[:, None] * slope)
    return float(gradient @ np.linalg.pinv(information, hermitian=True) @ gradient)


def _recaptures(captures: Captures, first: Ints) -> float:
    """Log-likelihood of what happens to animals after their first capture, at the best chance c."""
    occasions_left = float(first @ np.arange(len(first) - 1, -1, -1))
    return _binomial(float(captures.n_recaptures), occasions_left)


def _binomial(yes: float, trials: float) -> float:
    """Highest log-likelihood of `yes` successes, without its constant."""
    return float(xlogy(yes, yes) + xlogy(trials - yes, trials - yes) - xlogy(trials, trials)) if trials > 0 else 0.0


def _no_decline(first: Ints) -> Refusal:
    half = (len(first) + 1) // 2
    early, late = int(first[:half].sum()), int(first[-half:].sum())
    have, need = {"first_captures_early": early}, {"first_captures_early": max(early, late) + 1}
    return Refusal("population.closed", have, need, ("population.minimum", "population.rates"))
