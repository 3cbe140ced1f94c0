"""A model on the sessions of its data: the function that is climbed, and the ways to climb it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sharedrange.population.scr.design import Design
from sharedrange.population.scr.evaluating import log_constant, log_likelihood
from sharedrange.population.scr.search import Chart, Climb, Peak, Work
from sharedrange.population.scr.session import Session
from sharedrange.population.scr.start import starting_values, step_sizes
from sharedrange.population.scr.thinning import climb_sigmas, coarser

Floats = NDArray[np.float64]


class Estimated(Protocol):
    """What is known of a maximum: the parameters and their variance-covariance matrix."""

    @property
    def beta(self) -> Floats:
        """Parameters on the link scale."""
        ...

    @property
    def covariance(self) -> Floats:
        """Their variance-covariance matrix."""
        ...


@dataclass(frozen=True, slots=True)
class Problem:
    """A model on the sessions of its data: what a maximum is sought of.

    This is the seam for profiles, bootstraps and whatever else fits again: `value` gives the log-likelihood with
    secr's constants and its exact gradient at any parameter vector, `maximise` the maximum with some parameters held.
    """

    design: Design
    sessions: tuple[Session, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return self.design.names

    @property
    def constant(self) -> float:
        """What the log-likelihood holds besides its kernel."""
        return log_constant(self.design, self.sessions)

    def kernel(self, beta: Floats) -> tuple[float, Floats]:
        """The log-likelihood without constants, and its gradient (p,)."""
        return log_likelihood(self.design, self.sessions, beta)

    def value(self, beta: Floats) -> tuple[float, Floats]:
        """The log-likelihood with secr's constants, and its gradient (p,)."""
        value, gradient = self.kernel(beta)
        return value + self.constant, gradient

    def start(self) -> Floats:
        """Parameters to start from, without hand work."""
        return starting_values(self.design, self.sessions)

    def chart(self) -> Chart:
        """Coordinates in which a step of one is roughly a standard error in every direction."""
        back = self.design.back() * step_sizes(self.design, self.sessions)
        return Chart(np.zeros(len(self.names)), back)

    def least_sigma_m(self, beta: Floats) -> float:
        """The smallest spatial scale that any animal has at any detector."""
        place = self.design.sigma.place
        return float(np.exp(min(float((x @ beta[place]).min()) for d in self.design.sessions for x in d.sigma)))

    def thinned(self, start: Floats, sigmas: float | None = None) -> Problem | None:
        """The same problem on masks thinned to a spacing of `sigmas` of the scale in `start`, if they can be.

        `sigmas`: by default as many as still lead to the top.
        """
        many = climb_sigmas(self.design.detection.function) if sigmas is None else sigmas
        found = coarser(self.design, self.sessions, many * self.least_sigma_m(start))
        return None if found is None else Problem(*found)

    def climb(self, chart: Chart | None = None, work: Work | None = None, name: str = "") -> Climb:
        """A climb of the kernel in given coordinates (by default those of `chart`)."""
        parts = (self.design.density, self.design.sigma, self.design.shape)
        # with covariates an intercept may lie far off
        alone = {part.names[0] for part in parts if len(part.names) == 1}
        watched = [i for i, name in enumerate(self.names) if name in alone or self.design.split_of(name)]
        kinked = bool(getattr(self.design.model.distance, "kinked", False))
        where = chart or self.chart()
        return Climb(self.kernel, where, self.names, work or Work(), label=name, watched=watched, kinked=kinked)

    def maximise(self, near: Estimated, fixed: Mapping[str, float] | None = None, start: Floats | None = None) -> Peak:
        """The maximum with parameters held at given values (link scale), without its covariance.

        Sought from `start`, by default the estimates of `near`, in whose standard errors the search steps. The
        `value` has secr's constants.
        """
        held = {self.names.index(name): value for name, value in (fixed or {}).items()}
        chart = Chart.around(near.beta, near.covariance, held)
        peak = self.climb(chart).near(near.beta if start is None else start)
        return replace(peak, value=peak.value + self.constant)
