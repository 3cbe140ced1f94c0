"""The climb to a maximum: in coordinates where steps of one matter alike, counting evaluations, resumable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from sharedrange.core.errors import DidNotConverge
from sharedrange.core.finding import Fact, Finding
from sharedrange.core.progress import Progress, silent

Floats = NDArray[np.float64]
Objective = Callable[[Floats], tuple[float, Floats]]

_STEP = 3e-5  # standard errors (roughly): forward differences of an exact gradient err by this share of a derivative
_STEP_OVER_KINKS = 0.05
_FLAT = 1e-9  # the log-likelihood that may be left to gain (half the Newton decrement)
_NEAR = 1e-4  # the same, for a Hessian that was taken a little off the maximum: 1 % of a standard error away
_CLOSE = 1e-5  # the same, for a Hessian still to be taken: at _NEAR standard errors of a hazard rate were 0.4 % off
_GRADIENT = 5e-3
_EXPECTED_EVALUATIONS = 40
_FAR = 1e10  # what the optimiser is told where the likelihood is not a number
_UNBOUNDED_SE = 5.0  # of a logarithm or logit: 95 % limits a factor of 18,000 either way


@dataclass(frozen=True, slots=True)
class Chart:
    """Coordinates of the climb: beta = `origin` + `back` @ theta, `back` (p, k). Fixed parameters have k < p."""

    origin: Floats
    back: Floats

    def beta(self, theta: Floats) -> Floats:
        """Parameters of a point."""
        return np.asarray(self.origin + self.back @ theta)

    def theta(self, beta: Floats) -> Floats:
        """The point whose parameters are nearest to `beta`."""
        return np.asarray(np.linalg.lstsq(self.back, beta - self.origin, rcond=None)[0])

    @classmethod
    def around(cls, beta: Floats, covariance: Floats, fixed: Mapping[int, float] | None = None) -> Chart:
        """Coordinates in standard errors about a fit, some parameters (by place) held at given values."""
        held = fixed or {}
        free = np.setdiff1d(np.arange(len(beta)), list(held)).astype(np.int64)
        origin, back = beta.copy(), np.zeros((len(beta), len(free)))
        origin[list(held)] = list(held.values())
        back[free] = np.linalg.cholesky(np.linalg.inv(np.linalg.inv(covariance)[np.ix_(free, free)]))
        return cls(origin, back)


@dataclass(frozen=True, slots=True)
class Peak:
    """A maximum: parameters, value, gradient by the parameters, covariance (zeros where not asked for)."""

    beta: Floats
    value: float
    gradient: Floats
    covariance: Floats


class Unbounded(Exception):
    """A parameter has no finite maximum, or the data say nothing about it."""

    def __init__(self, parameter: str, lost: DidNotConverge) -> None:
        super().__init__(parameter)
        self.parameter = parameter
        self.lost = lost


class Work:
    """Counts evaluations over several climbs, reports progress, keeps what was evaluated.

    A climb is deterministic, so a stopped one resumes by walking the same way over the evaluations kept in the
    checkpoint: it costs nothing and ends at the same bits as a climb that was never stopped.
    """

    def __init__(self, progress: Progress = silent, checkpoint: MutableMapping[str, Any] | None = None) -> None:
        self.evaluations = 0
        self._progress = progress
        self._checkpoint = checkpoint

    @property
    def share(self) -> float:
        """Share of the work done, as far as it can be known: rises to 1, never reaches it."""
        return self.evaluations / (self.evaluations + _EXPECTED_EVALUATIONS / 4)

    def evaluate(self, objective: Objective, beta: Floats, label: str) -> tuple[float, Floats]:
        """Value and gradient; never NaN."""
        self._progress(self.share)
        self.evaluations += 1
        if self._checkpoint is None:
            return _finite(objective, beta)
        place, where = f"{label}/{self.evaluations}", [float(b) for b in beta]
        kept = self._checkpoint.get(place)
        if kept is None or list(kept["beta"]) != where:
            value, gradient = _finite(objective, beta)
            kept = {"beta": where, "value": value, "gradient": [float(g) for g in gradient]}
            self._checkpoint[place] = kept
        return float(kept["value"]), np.array(kept["gradient"], dtype=float)


def _finite(objective: Objective, beta: Floats) -> tuple[float, Floats]:
    with np.errstate(all="ignore"):
        value, gradient = objective(beta)
    if np.isfinite(value) and np.isfinite(gradient).all():
        return value, gradient
    return -_FAR, np.zeros_like(beta)


class Climb:
    """One climb of one objective (value and gradient of parameters) in the coordinates of a chart.

    `names`: of the parameters, for what is said if it fails; `label`: in the checkpoint.

    `watched`: places of parameters that may have no finite maximum, each a logarithm or logit. `kinked`: the gradient
    jumps a little wherever the least of several paths becomes another one; its differences are taken over steps in
    which many such jumps average out.
    """

    def __init__(
        self,
        objective: Objective,
        chart: Chart,
        names: Sequence[str],
        work: Work,
        *,
        label: str = "",
        watched: Sequence[int] = (),
        kinked: bool = False,
    ) -> None:
        self._objective = objective
        self._chart = chart
        self._names = tuple(names)
        self._work = work
        self._label = label
        self._watched = np.array(watched, dtype=np.int64)
        self._kinked = kinked
        self._known: dict[bytes, tuple[float, Floats]] = {}
        self._places: dict[bytes, Floats] = {}

    def value(self, theta: Floats) -> tuple[float, Floats]:
        """Value and gradient at a point; a point costs nothing the second time."""
        key = theta.tobytes()
        if key not in self._known:
            beta = self._chart.beta(theta)
            self._places[beta.tobytes()] = theta.copy()
            value, gradient = self._work.evaluate(self._objective, beta, self._label)
            self._known[key] = value, np.asarray(self._chart.back.T @ gradient)
        return self._known[key]

    def height(self, beta: Floats) -> float:
        """The value at parameters."""
        return self.value(self._place(beta))[0]

    def _place(self, beta: Floats) -> Floats:
        """The point of parameters, to the last bit where the climb has been there."""
        known = self._places.get(np.asarray(beta).tobytes())
        return self._chart.theta(beta) if known is None else known

    def near(self, start: Floats, gradient_left: float = _GRADIENT) -> Peak:
        """Close to the maximum from parameters `start`, by BFGS whose first metric is the chart's. No covariance."""

        def negative(theta: Floats) -> tuple[float, Floats]:
            value, gradient = self.value(theta)
            return -value, -gradient

        first = self._place(start)
        found = minimize(negative, first, jac=True, method="BFGS", options={"gtol": gradient_left, "maxiter": 200})
        theta = np.asarray(found.x, dtype=float)
        value, gradient = self.value(theta)
        return Peak(self._chart.beta(theta), value, gradient, np.zeros((len(self._names),) * 2))

    def closer(self, start: Floats, curvature: Climb) -> Floats:
        """Parameters nearly at the maximum from some close to it, by Newton steps with another climb's curvature.

        `curvature`: of a cheaper objective in the same chart. Raises Unbounded, DidNotConverge if it has none.
        """
        theta = curvature._place(start)
        covariance = curvature.covariance(theta)
        value, gradient = self.value(theta)
        for _ in range(4):
            step = covariance @ gradient
            if 0.5 * float(gradient @ step) < _CLOSE:
                break
            theta, value, gradient = self._uphill(theta, value, step)
        return self._chart.beta(theta)

    def finish(self, start: Floats, curvature: Climb | None = None) -> Peak:
        """Newton steps to the maximum, and its covariance. Raises Unbounded, DidNotConverge.

        `curvature`: a climb of a cheaper objective in the same chart, whose Hessian is taken instead.
        """
        theta = (curvature or self)._place(start)
        value, gradient = self.value(theta)
        for _ in range(8):
            covariance, decrement = (curvature or self).covariance(theta), np.inf
            for _ in range(4):  # steps with one Hessian, while it is good enough
                step = covariance @ gradient
                decrement = 0.5 * float(gradient @ step)
                if decrement < _FLAT:
                    return self._peak(theta, value, gradient, covariance)
                try:
                    theta, value, gradient = self._uphill(theta, value, step)
                except DidNotConverge:
                    if self._kinked and decrement < _NEAR:  # a ridge: its two sides never agree to the last digit
                        return self._peak(theta, value, gradient, covariance)
                    raise
                if decrement > _NEAR:
                    break
            if self._kinked and decrement < _NEAR:
                return self._peak(theta, value, gradient, covariance)
        raise self._lost("scr-not-converged", float(np.abs(gradient).max()), self._along(gradient))

    def _peak(self, theta: Floats, value: float, gradient: Floats, covariance: Floats) -> Peak:
        back = self._chart.back
        by_beta = np.linalg.pinv(back).T @ gradient
        return Peak(self._chart.beta(theta), value, by_beta, np.asarray(back @ covariance @ back.T))

    def _uphill(self, theta: Floats, value: float, step: Floats) -> tuple[Floats, float, Floats]:
        for halving in range(12):
            tried = theta + step / 2**halving
            new, gradient = self.value(tried)
            if new >= value - 1e-9:
                return tried, new, gradient
        raise self._lost("scr-not-converged", float(np.abs(step).max()), self._along(step))

    def covariance(self, theta: Floats) -> Floats:
        """Inverse of minus the Hessian, from forward differences of the exact gradient. Raises Unbounded."""
        gradient, rows = self.value(theta)[1], []
        size = _STEP_OVER_KINKS if self._kinked else _STEP
        for k in range(len(theta)):
            shift = np.zeros(len(theta))
            shift[k] = size
            rows.append((self.value(theta + shift)[1] - gradient) / size)
        information = -0.5 * (np.array(rows) + np.array(rows).T).reshape(len(theta), len(theta))
        try:
            root = np.linalg.cholesky(information)
        except np.linalg.LinAlgError:
            raise self._flat(information) from None
        half = np.linalg.inv(root)
        covariance = np.asarray(half.T @ half)
        self._raise_if_unbounded(covariance)
        return covariance

    def _flat(self, information: Floats) -> Unbounded:
        smallest, directions = np.linalg.eigh(information)
        weakest = self._along(directions[:, 0])
        return Unbounded(weakest, self._lost("scr-flat", float(smallest[0]), weakest))

    def _along(self, direction: Floats) -> str:
        """The parameter that changes most along a direction of the chart."""
        size = np.abs(self._chart.back @ direction) / np.sqrt((self._chart.back**2).sum(axis=1))
        return self._names[int(size.argmax())]

    def _raise_if_unbounded(self, covariance: Floats) -> None:
        """Raise Unbounded if the data do not bound a watched parameter to within a factor of exp(2 x 5)."""
        variance = np.diag(self._chart.back @ covariance @ self._chart.back.T)[self._watched]
        if not len(variance) or variance.max() <= _UNBOUNDED_SE**2:
            return
        name = self._names[int(self._watched[variance.argmax()])]
        raise Unbounded(name, self._lost("scr-flat", float(1.0 / variance.max()), name))

    def _lost(self, rule: str, size: float, weakest: str = "-") -> DidNotConverge:
        facts: dict[str, Fact] = {
            "parameter": weakest,
            "evaluations": self._work.evaluations,
            "size": f"{size:.3g}",
        }
        return DidNotConverge(Finding(rule, facts))
