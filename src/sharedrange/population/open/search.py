"""The climb to the maximum of the likelihood, its curvature there, and profiles along one parameter."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from sharedrange.core.errors import DidNotConverge
from sharedrange.core.finding import Fact, Finding
from sharedrange.core.progress import Progress
from sharedrange.population.open.evaluate import Evaluator
from sharedrange.population.scr.search import Work

Floats = NDArray[np.float64]
Free = NDArray[np.bool_]

_STEP = 1e-4  # of parameters of size 1, for differences of the exact gradient
_FLAT = 1e-7  # rise of the log-likelihood that a Newton step still promises at the maximum
_NEWTON_STEPS, _HALVINGS = 10, 12


class Search:
    """One walk over the likelihood; `label` names it in the checkpoint, from which it resumes (see `Work`)."""

    def __init__(
        self, evaluator: Evaluator, progress: Progress, checkpoint: MutableMapping[str, Any], label: str
    ) -> None:
        self.evaluator = evaluator
        self._work, self._label = Work(progress, checkpoint), label

    @property
    def evaluations(self) -> int:
        """Evaluations so far."""
        return self._work.evaluations

    def value(self, theta: Floats) -> tuple[float, Floats]:
        """Log-likelihood and gradient; never NaN."""
        return self._work.evaluate(self.evaluator.log_likelihood, theta, self._label)

    def climb(self, start: Floats, variance: Floats, free: Free, *, gradient_below: float = 1e-3) -> Floats:
        """Near the maximum over the free parameters, by BFGS with rough variances as its first metric."""
        if not free.any():
            return start

        def negative(values: Floats) -> tuple[float, Floats]:
            theta = start.copy()
            theta[free] = values
            value, gradient = self.value(theta)
            return -value, -gradient[free]

        found = minimize(
            negative,
            start[free],
            jac=True,
            method="BFGS",
            options={"gtol": gradient_below, "hess_inv0": np.diag(variance[free]), "maxiter": 200},
        )
        theta = start.copy()
        theta[free] = found.x
        return theta

    def finish(self, theta: Floats, free: Free) -> tuple[Floats, float, Floats, Floats]:
        """Newton steps to the maximum: parameters, value, gradient, covariance (0 for what is not free).

        Raises DidNotConverge.
        """
        value, gradient = self.value(theta)
        for _ in range(_NEWTON_STEPS):
            covariance = self._covariance(theta, free)
            step = covariance @ gradient
            nearly_there = 0.5 * float(gradient @ step) < _FLAT
            theta, value, gradient = self._uphill(theta, value, step)
            if nearly_there:
                return theta, value, gradient, covariance
        raise self._lost("open-not-converged", float(np.abs(gradient[free]).max()))

    def _uphill(self, theta: Floats, value: float, step: Floats) -> tuple[Floats, float, Floats]:
        for halving in range(_HALVINGS):
            tried = theta + step / 2**halving
            new, gradient = self.value(tried)
            if new >= value - 1e-9:
                return tried, new, gradient
        raise self._lost("open-not-converged", float(np.abs(step).max()))

    def _covariance(self, theta: Floats, free: Free) -> Floats:
        """Inverse of minus the Hessian of the free parameters, from central differences of the exact gradient."""
        rows = []
        for k in np.flatnonzero(free):
            shift = np.zeros(len(theta))
            shift[k] = _STEP
            rows.append((self.value(theta + shift)[1] - self.value(theta - shift)[1])[free] / (2.0 * _STEP))
        information = -0.5 * (np.array(rows) + np.array(rows).T)
        covariance = np.zeros((len(theta),) * 2)
        try:
            half = np.linalg.inv(np.linalg.cholesky(information))
        except np.linalg.LinAlgError:
            raise self._lost("open-flat", float(np.linalg.eigvalsh(information).min()), information, free) from None
        covariance[np.ix_(free, free)] = half.T @ half
        return covariance

    def _lost(
        self, rule: str, size: float, information: Floats | None = None, free: Free | None = None
    ) -> DidNotConverge:
        weakest = "-"
        if information is not None:
            _, directions = np.linalg.eigh(information)
            names = np.array(self.evaluator.design.names)[free]
            weakest = str(names[int(np.abs(directions[:, 0]).argmax())])
        facts: dict[str, Fact] = {"parameter": weakest, "evaluations": self.evaluations, "size": f"{size:.3g}"}
        return DidNotConverge(Finding(rule, facts))
