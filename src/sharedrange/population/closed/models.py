"""The models, and one fit of one of them: N, its standard error, and how likely it makes the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from sharedrange.core.answer import Refusal
from sharedrange.core.errors import InputError, NotEnoughData
from sharedrange.core.finding import Finding, Where
from sharedrange.population.closed.captures import Captures, Ints
from sharedrange.population.closed.loglinear import FORMS, Design, Maximum, design, maximise, number
from sharedrange.population.closed.removal import fit_removal, profile_removal

Floats = NDArray[np.float64]
FARTHEST = 1000  # times the animals seen: a number beyond says that the data exclude none
_FAR = 8.0  # a fit that went this far towards infinity is no place to start another from
Profile = Callable[[float], float]  # N -> log-likelihood of the histories of N animals, at its highest


@dataclass(frozen=True, slots=True)
class Model:
    """What varies in the chance of capture: with `time`, among animals (`form`), after the first capture (`lead`)."""

    name: str
    time: bool = False
    form: str = ""
    lead: int | None = None  # occasions whose first captures have a chance of their own; None: no behaviour

    @property
    def needs_occasions(self) -> bool:
        """Whether frequencies alone are not enough."""
        return self.time or self.lead is not None

    @property
    def is_lower_bound(self) -> bool:
        """Whether N is the least that fits any unlike catchability, rather than the likeliest of one shape."""
        return self.form == "Chao"


_MODELS = (
    *(Model(f"Mh {form}" if form else "M0", form=form) for form in FORMS),
    *(Model(f"Mth {form}" if form else "Mt", time=True, form=form) for form in FORMS),
    Model("Mb", lead=0),
    Model("Mbh", lead=1),
)
MODELS: Mapping[str, Model] = {model.name: model for model in _MODELS}


@dataclass(frozen=True, eq=False)
class Fit:
    """One model fitted to one session.

    `log_likelihood` is that of the histories given that the animals were caught; `parameters` counts N.
    `expected` (t,): animals caught 1, 2, ... t times; first captures by occasion for Mb and Mbh. `data` is the hash
    of what was fitted: log-likelihoods of unlike data can't be compared.
    """

    model: Model
    session: str
    data: str
    n: int
    n_hat: float
    se: float
    log_likelihood: float
    parameters: int
    expected: Floats
    profile: Profile

    @property
    def aic(self) -> float:
        """Akaike's information criterion."""
        return 2.0 * self.parameters - 2.0 * self.log_likelihood

    @property
    def aicc(self) -> float:
        """AIC with the correction for few animals; infinite where there are hardly more animals than parameters."""
        left = self.n - self.parameters - 1
        return self.aic + 2.0 * self.parameters * (self.parameters + 1) / left if left > 0 else float("inf")

    @property
    def bic(self) -> float:
        """Schwarz's criterion, with the animals caught as the sample."""
        return self.parameters * float(np.log(self.n)) - 2.0 * self.log_likelihood


def fit(captures: Captures, model: str = "M0") -> Fit:
    """Fit one of MODELS to one session by maximum likelihood.

    Raises InputError for an unknown model, one that needs occasions where only frequencies are known, or no animal;
    NotEnoughData where N can't be told; DidNotConverge.

    Examples
    --------
    >>> from sharedrange.population.closed import from_frequencies
    >>> known = fit(from_frequencies([4, 4, 5, 2, 1]), "M0")
    >>> f"{known.n_hat:.1f} ({known.se:.1f})"  # Johansson et al. 2020: 16.6 (0.9)
    '16.6 (0.9)'
    """
    found = list(_wrong(captures, model))
    if found:
        raise InputError(found)
    chosen = MODELS[model]
    first = captures.first_captures
    if chosen.lead is not None and first is not None:
        return _removal(captures, chosen, first, chosen.lead)
    return _loglinear(captures, chosen)


def _wrong(captures: Captures, model: str) -> list[Finding]:
    at = Where(table=f"session {captures.session}")
    if model not in MODELS:
        return [Finding("closed-model-unknown", {"model": model, "models": ", ".join(MODELS)}, at)]
    if captures.n == 0:
        return [Finding("closed-no-animal", {"session": captures.session}, at)]
    if MODELS[model].needs_occasions and captures.matrix is None:
        return [Finding("closed-needs-occasions", {"model": model}, at)]
    return []


def _loglinear(captures: Captures, model: Model) -> Fit:
    laid = design(captures, time=model.time, form=model.form)
    top = maximise(laid)
    n_hat, se = number(laid, top)
    if not n_hat < captures.n * FARTHEST:
        raise NotEnoughData(_unbounded(captures))
    expected = np.zeros(captures.n_occasions)
    expected[: laid.n_occasions] = captures.n * top.moments.by_level[1:]
    columns = laid.heterogeneity.shape[1]
    heterogeneity = int((top.theta[-columns:] > 0).sum()) if model.is_lower_bound else columns
    parameters = 1 + (captures.n_occasions if model.time else 1) + heterogeneity
    profile = partial(_profile_loglinear, laid, top)
    return Fit(
        model, captures.session, captures.data, captures.n, n_hat, se, top.log_likelihood, parameters, expected, profile
    )


def _unbounded(captures: Captures) -> Refusal:
    """Hardly any animal was caught twice beside those caught once: any number of unseen ones would fit."""
    twice = int(captures.frequencies[1])
    instead = ("population.minimum", "population.rates")
    return Refusal("population.closed", {"caught_twice": twice}, {"caught_twice": twice + 1}, instead)


def _profile_loglinear(laid: Design, top: Maximum, n_there: float) -> float:
    constant = float(gammaln(n_there + 1) - gammaln(n_there - laid.n + 1))
    return (
        constant
        + maximise(
            laid, unseen=max(n_there - laid.n, 0.0), start=top.theta if np.abs(top.theta).max() < _FAR else None
        ).log_likelihood
    )


def _removal(captures: Captures, model: Model, first: Ints, lead: int) -> Fit:
    found = fit_removal(captures, first, lead)
    profile = partial(profile_removal, captures, first, lead)
    return Fit(
        model,
        captures.session,
        captures.data,
        captures.n,
        found.n_hat,
        found.se,
        found.log_likelihood,
        3 + lead,
        found.expected,
        profile,
    )
