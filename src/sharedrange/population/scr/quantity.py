"""Numbers that a fit gives, each as a function of the parameters on the scale on which it has no bounds.

A quantity is what intervals, profiles and averages are made of: log of expected animals or of density in a region, a
detection parameter for one combination of what it depends on, a share, or one coefficient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from sharedrange.population.scr.derived import Derived
from sharedrange.population.scr.fitting import Fit
from sharedrange.population.scr.predict import cases

Floats = NDArray[np.float64]
LinkName = Literal["log", "logit", "identity"]
_SAME = 1e-8  # by which columns of density may miss a common level


@dataclass(frozen=True, slots=True)
class Quantity:
    """log sum_s w_s' exp(X_s beta_D) + `row`' beta: expected animals if there are `weights`, else linear.

    `row` (p,); `weights`: one (M,) a session, already divided by the number of sessions, or (); `offset` is added.
    """

    name: str
    link: LinkName
    row: Floats
    fit: Fit
    weights: tuple[Floats, ...] = ()
    offset: float = 0.0

    def at(self, beta: Floats) -> Derived:
        """Value on the link scale and its derivatives by the parameters."""
        linear = Derived(self.offset + float(self.row @ beta), self.row)
        if not self.weights:
            return linear
        total, gradient, place = 0.0, np.zeros(len(beta)), self.fit.design.density.place
        for made, weight in zip(self.fit.design.sessions, self.weights, strict=True):
            cells = weight * np.exp(made.density @ beta[place])
            total += float(cells.sum())
            gradient[place] += cells @ made.density
        return Derived(linear.value + float(np.log(total)), linear.gradient + gradient / total)

    @property
    def estimate(self) -> Derived:
        """The value at the estimates, on the link scale."""
        return self.at(self.fit.beta)

    @property
    def se(self) -> float:
        """Standard error on the link scale, by the delta method."""
        return self.estimate.se(self.fit.covariance)

    def natural(self, eta: float) -> float:
        """A value that people know, from one on the link scale; 0, 1 or infinity at the ends of the line."""
        if self.link == "identity":
            return eta
        with np.errstate(over="ignore"):
            return float(expit(eta) if self.link == "logit" else np.exp(eta))

    def direction(self) -> Floats | None:
        """A step v with q(beta + t v) = q(beta) + t for every beta and t; None if there is no such step.

        For a linear quantity it is the way that the estimates move with it: covariance x row, scaled. For expected
        animals it is the level of density: every region's number grows by the same factor.
        """
        if self.weights:
            return _level(self.fit)
        moved = self.fit.covariance @ self.row
        return np.asarray(moved / (self.row @ moved))


def _level(fit: Fit) -> Floats | None:
    """The parameters that raise log density by 1 everywhere, if there are such."""
    columns = np.vstack([made.density for made in fit.design.sessions])
    if not columns.shape[1]:
        return None
    found = np.linalg.lstsq(columns, np.ones(len(columns)), rcond=None)[0]
    if np.abs(columns @ found - 1.0).max() > _SAME:
        return None
    step = np.zeros(fit.n_parameters)
    step[fit.design.density.place] = found
    return step


def quantities(fit: Fit, sides: Sequence[str] = ()) -> dict[str, Quantity]:
    """Every quantity of a fit by the name that the engine's answer gives it.

    `N_expected` and `D` for the mask (with `sides`: for their part of it) and for each side, then detection
    parameters and shares. A conditional likelihood has no density. Coefficients are in `coefficient`.
    """
    return {q.name: q for q in (*_numbers(fit, sides), *_detection(fit), *_shares(fit))}


def coefficient(fit: Fit, name: str) -> Quantity:
    """One of the fit's parameters as it is, on the link scale. Raises KeyError if there is none of that name."""
    if name not in fit.names:
        raise KeyError(name)
    return Quantity(name, "identity", np.eye(fit.n_parameters)[fit.names.index(name)], fit)


def _numbers(fit: Fit, sides: Sequence[str]) -> Iterator[Quantity]:
    if not fit.design.density.names:
        return
    yield from _number(fit, "", tuple(sides))
    for side in sides:
        yield from _number(fit, f".{side}", (side,))


def _number(fit: Fit, suffix: str, sides: tuple[str, ...]) -> Iterator[Quantity]:
    """Expected animals and density of some sides together (() for all of the mask), a mean over sessions."""
    n = len(fit.sessions)
    inside = [np.isin(s.side, sides) if sides else np.ones(len(s.side), dtype=bool) for s in fit.sessions]
    area_km2 = sum(float(i.sum()) * s.cell_area_km2 for i, s in zip(inside, fit.sessions, strict=True)) / n
    if not area_km2:
        return
    weights = tuple(i * s.cell_area_km2 / 100.0 / n for i, s in zip(inside, fit.sessions, strict=True))
    nothing = np.zeros(fit.n_parameters)
    yield Quantity(f"N_expected{suffix}", "log", nothing, fit, weights)
    yield Quantity(f"D{suffix}", "log", nothing, fit, weights, float(np.log(100.0 / area_km2)))


def _detection(fit: Fit) -> Iterator[Quantity]:
    design = fit.design
    parts = {"lambda0": design.intensity, "sigma": design.sigma, "z": design.shape}
    for parameter, part in parts.items():
        name = design.detection.intercept if parameter == "lambda0" else parameter
        for case in cases(fit, parameter) if part.names else ():
            row = np.zeros(fit.n_parameters)
            row[part.place] = case.row
            yield Quantity(".".join((name, *case.labels)), "logit" if name == "g0" else "log", row, fit)


def _shares(fit: Fit) -> Iterator[Quantity]:
    """Shares of two classes, in the first session; more classes have no line of their own."""
    for share in fit.design.shares:
        if len(share.parts) == 1:
            row = np.zeros(fit.n_parameters)
            row[share.parts[0].place] = fit.design.sessions[0].share
            yield Quantity(share.parts[0].names[0], "logit", row, fit)
