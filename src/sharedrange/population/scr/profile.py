"""Profile-likelihood intervals: of any quantity of a fit, and of the animals that were there.

With few animals a log-likelihood is not a parabola, and an interval of estimate and standard error has its limits in
the wrong places. A profile asks instead which values the data speak against: with

    l_p(psi) = max of l(beta) over all beta with q(beta) = psi,    r(psi) = sign(psi - psi^) sqrt(2 (l(beta^) - l_p)),

the interval holds all psi with |r(psi)| <= z (Cox and Hinkley 1974; for capture-recapture Cormack 1992, Biometrics
48: 567-576). Every quantity has a step v with q(beta + t v) = q(beta) + t (see `quantities`), so the constraint is
solved for rather than penalised: beta = w + (psi - q(w)) v, w free in the plane through beta^ that q' is orthogonal
to. The gradient by w is exact, and dl_p/dpsi = v' l'(beta) (the envelope theorem), so that each limit is a Newton
iteration on r, which is nearly straight.

The animals that were there in one period are not a parameter. Of those not detected and of those whose side is in
doubt there are U, Poisson with mean u(beta) = animals expected and not detected + sum p (1 - p), where p is each
detected animal's chance to live in the region (`derived.Realised`: the same split into what is certain and what is
not). Their profile predictive likelihood (Mathiasen 1979, Scandinavian Journal of Statistics 6: 1-21)

    L_p(U) = max over beta of l(beta) + U log u(beta) - u(beta) - log Gamma(U + 1)

is treated as the profile of a parameter U >= 0. The doubt about detected animals is held at its estimate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln

from sharedrange.core.errors import DidNotConverge
from sharedrange.core.finding import Finding
from sharedrange.population.scr.derived import Population, Realised, Region
from sharedrange.population.scr.evaluating import evaluate_session
from sharedrange.population.scr.fitting import Fit
from sharedrange.population.scr.links import normal_quantile
from sharedrange.population.scr.quantity import Quantity
from sharedrange.population.scr.search import Chart, Climb, Work

Floats = NDArray[np.float64]
_CLOSE = 1e-3  # of r at a limit: a two-thousandth of the interval's half
_FARTHEST = 12.0  # on the link scale: a factor of 160,000
_MOST_STEPS = 40
_ABOVE = 1e-3  # by which rounding may put a profile above the maximum
_HALF = 0.5  # digamma(U + 1) is log(U + 1/2), nearly: on that scale the predictive likelihood peaks at log u


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval on the scale that people know. A limit is infinite, 0 or 1 where the data do not bound it."""

    name: str
    value: float
    low: float
    high: float
    level: float


class Curve(Protocol):
    """A profile: `centre` where it peaks, a standard error `se` there, `top` its value, `least` psi that there is."""

    centre: float
    se: float
    top: float
    least: float

    def at(self, psi: float) -> tuple[float, float]:
        """The profile log-likelihood and its derivative."""
        ...


def profile_interval(quantity: Quantity, level: float = 0.95, work: Work | None = None) -> Interval | None:
    """The profile-likelihood interval of a quantity; None if its constraint has no closed form.

    Raises DidNotConverge if a point of the profile is likelier than the fit: then the fit is not the maximum.
    """
    v = quantity.direction()
    if v is None:
        return None
    low, high = limits(Profile(quantity, v, work or Work()), level)
    natural = quantity.natural
    return Interval(quantity.name, natural(quantity.estimate.value), natural(low), natural(high), level)


@dataclass(slots=True)
class Profile:
    """The profile of one quantity, psi on the link scale."""

    quantity: Quantity
    step: Floats
    work: Work = field(default_factory=Work)
    centre: float = field(init=False)
    se: float = field(init=False)
    top: float = field(init=False)
    least: float = field(init=False, default=-np.inf)
    _chart: Chart = field(init=False)
    _last: tuple[float, Floats] = field(init=False)
    _slopes: dict[bytes, float] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        fit, estimate = self.quantity.fit, self.quantity.estimate
        self.centre, self.se = estimate.value, estimate.se(fit.covariance)
        self.top = fit.log_likelihood - fit.problem.constant
        self._chart = _plane(fit, estimate.gradient)
        path = fit.covariance @ estimate.gradient / self.se**2
        self._last = self.centre + 1.0, self._on_plane(fit.beta + path, estimate.gradient)

    def _on_plane(self, beta: Floats, normal: Floats) -> Floats:
        """`beta` moved along the step to the plane through the estimates."""
        return np.asarray(beta - self.step * float(normal @ (beta - self.quantity.fit.beta)))

    def at(self, psi: float) -> tuple[float, float]:
        """The profile log-likelihood (without constants) and its derivative by psi."""
        fit = self.quantity.fit
        label = f"profile {self.quantity.name} {psi!r}"
        climb = Climb(lambda w: self._constrained(w, psi), self._chart, fit.names, self.work, label=label)
        before, where = self._last
        share = (psi - self.centre) / (before - self.centre)
        peak = climb.near(fit.beta + share * (where - fit.beta))
        self._last = psi, peak.beta
        return peak.value, self._slope(peak.beta, psi)

    def _beta(self, w: Floats, psi: float) -> tuple[Floats, Floats]:
        """Parameters on the surface q = psi, and q' at w."""
        at = self.quantity.at(w)
        return w + (psi - at.value) * self.step, at.gradient

    def _constrained(self, w: Floats, psi: float) -> tuple[float, Floats]:
        beta, by_w = self._beta(w, psi)
        value, gradient = self.quantity.fit.problem.kernel(beta)
        along = float(gradient @ self.step)
        self._slopes[w.tobytes()] = along
        return value, gradient - along * by_w

    def _slope(self, w: Floats, psi: float) -> float:
        if w.tobytes() not in self._slopes:  # after a resumed climb
            self._constrained(w, psi)
        slope = self._slopes[w.tobytes()]
        self._slopes.clear()
        return slope


def _plane(fit: Fit, normal: Floats) -> Chart:
    """The plane through the estimates that `normal` is orthogonal to, in standard errors."""
    root = np.linalg.cholesky(fit.covariance)
    inside = np.linalg.svd((root.T @ normal)[None, :])[2][1:].T
    return Chart(fit.beta.copy(), root @ inside)


@dataclass(slots=True)
class Predictive:
    """The profile predictive likelihood of U, psi = log(U + 1/2). `doubtful`: the sum of p (1 - p)."""

    population: Population
    region: Region
    realised: Realised
    name: str
    work: Work = field(default_factory=Work)
    centre: float = field(init=False)
    se: float = field(init=False)
    top: float = field(init=False)
    least: float = field(init=False, default=float(np.log(_HALF)))
    _last: Floats = field(init=False)

    def __post_init__(self) -> None:
        fit = self.population.fit
        unsure = self._mean_unsure
        self.centre = float(np.log(unsure))
        self.se = self.realised.se * len(fit.sessions) / unsure
        self._last = fit.beta
        self.centre, self.top = _peak(self)

    @property
    def _doubtful(self) -> float:
        return self._mean_unsure - self.realised.others * len(self.population.at)

    @property
    def _mean_unsure(self) -> float:
        """Expected U, summed over sessions."""
        return (self.realised.value - self.realised.certain) * len(self.population.at)

    def at(self, psi: float) -> tuple[float, float]:
        """The profile log-likelihood (without constants) and its derivative by psi."""
        fit, number = self.population.fit, max(float(np.exp(psi)) - _HALF, 0.0)
        chart = Chart.around(fit.beta, fit.covariance)
        label = f"profile {self.name} {psi!r}"
        climb = Climb(lambda beta: self._joint(beta, number), chart, fit.names, self.work, label=label)
        peak = climb.near(self._last)
        self._last = peak.beta
        unsure, _ = self._unsure(peak.beta)
        return peak.value, float((np.log(unsure) - digamma(number + 1.0)) * np.exp(psi))

    def _joint(self, beta: Floats, number: float) -> tuple[float, Floats]:
        value, gradient = self.population.fit.problem.kernel(beta)
        unsure, slope = self._unsure(beta)
        value += number * float(np.log(unsure)) - unsure - float(gammaln(number + 1.0))
        return value, gradient + (number / unsure - 1.0) * slope

    def _unsure(self, beta: Floats) -> tuple[float, Floats]:
        """u(beta) and its derivatives."""
        fit = self.population.fit
        total, gradient = self._doubtful, np.zeros(len(beta))
        for i, session in enumerate(fit.sessions):
            at = evaluate_session(fit.design, beta, i, session)
            missed = [c.undetected_gradient(self.region(at)) for c in at.classes]
            total += sum(value for value, _ in missed)
            gradient += fit.design.pull_back(beta, i, [g for _, g in missed])
        return total, gradient

    def animals(self, psi: float) -> float:
        """Animals that psi stands for, mean over sessions."""
        uncertain = max(float(np.exp(psi)) - _HALF, 0.0) / len(self.population.at)
        return self.realised.certain + uncertain


def _peak(curve: Curve) -> tuple[float, float]:
    """Where a curve peaks, near its `centre`, and its value there: secant steps on its derivative."""
    psi, curvature = curve.centre, -1.0 / curve.se**2
    value, slope = curve.at(psi)
    for _ in range(_MOST_STEPS):
        if slope**2 * curve.se**2 < _CLOSE**2:
            break
        new = max(psi + float(np.clip(-slope / curvature, -curve.se, curve.se)), curve.least)
        if new == psi:
            break
        new_value, new_slope = curve.at(new)
        bent = (new_slope - slope) / (new - psi)
        curvature = bent if bent < 0 else curvature
        psi, value, slope = new, new_value, new_slope
    return psi, value


def limits(curve: Curve, level: float) -> tuple[float, float]:
    """Where a profile crosses the level on both sides of its peak; infinite where it does not.

    Raises DidNotConverge if the profile rises above its peak.
    """
    z = normal_quantile(level)
    return _limit(curve, -1.0, z), _limit(curve, 1.0, z)


def _limit(curve: Curve, side: float, z: float) -> float:
    """Psi with |r| = z on one side: Newton steps on r, kept between what is known to be inside and outside."""
    inside, outside = curve.centre, np.nan
    end = max(curve.centre - _FARTHEST, curve.least) if side < 0 else curve.centre + _FARTHEST
    psi = _between(curve.centre + side * z * curve.se, curve.centre, end)
    for _ in range(_MOST_STEPS):
        value, slope = curve.at(psi)
        r = _signed_root(curve, value)
        if abs(r - z) < _CLOSE:
            return psi
        if r < z:
            inside = psi
            if psi == end:
                return end if end == curve.least else side * np.inf
        else:
            outside = psi
        psi = _next(curve, (psi, r, slope), (inside, outside, end), z, side)
    return psi


def _signed_root(curve: Curve, value: float) -> float:
    """The size of r. Raises DidNotConverge if the profile is above its peak."""
    below = curve.top - value
    if below < -_ABOVE:
        raise DidNotConverge(Finding("scr-profile-above", {"by": f"{-below:.3g}"}))
    return float(np.sqrt(2.0 * max(below, 0.0)))


def _next(
    curve: Curve, at: tuple[float, float, float], known: tuple[float, float, float], z: float, side: float
) -> float:
    """The next psi to try, from r and its slope -l_p' / r at the last."""
    psi, r, slope = at
    inside, outside, end = known
    rise = -slope / r if r > 0 else side / curve.se
    wanted = psi + (z - r) / rise if rise * side > 0 else side * np.inf
    if np.isnan(outside):
        reach = inside + side * max(2.0 * abs(inside - curve.centre), curve.se)
        return _between(wanted, _between(inside + 0.01 * side * curve.se, inside, end), _between(reach, inside, end))
    middle = 0.5 * (inside + outside)
    return wanted if min(inside, outside) < wanted < max(inside, outside) else middle


def _between(value: float, one: float, other: float) -> float:
    return float(np.clip(value, min(one, other), max(one, other)))
