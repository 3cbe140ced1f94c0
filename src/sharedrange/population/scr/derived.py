"""Numbers of animals by region and side, with standard errors by the delta method and exact derivatives.

With several sessions every number is the mean over sessions: one session's population, not a sum over years.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.population.scr.fitting import Fit, SessionFit
from sharedrange.population.scr.use import Kernel, Use, use_of_sides

Floats = NDArray[np.float64]
Region = Callable[[SessionFit], Floats]

COVARIANCES = pl.Schema({"region": pl.String(), "other": pl.String(), "covariance": pl.Float64()})

_SURE = 1e-9  # a doubt that moves no digit of a standard error
_STEP_SES = 0.01


@dataclass(frozen=True, slots=True)
class Derived:
    """A value and its derivatives by the parameters."""

    value: float
    gradient: Floats

    def se(self, covariance: Floats) -> float:
        """Standard error by the delta method."""
        return float(np.sqrt(max(float(self.gradient @ covariance @ self.gradient), 0.0)))

    def se_log(self, covariance: Floats) -> float:
        """Standard error of the logarithm."""
        return self.se(covariance) / self.value if self.value > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Realised:
    """Animals of the realised population: those detected (expected to live in the region), and the others.

    The others are Poisson given the parameters, so `se` adds that variance to the parameters' (the prediction
    error of Efford and Fewster 2013). Of a detected animal it is known only with probability p that it lives
    in a part of the mask: `se` adds p (1 - p) for each, and `certain` is the sum of p^2: all of them where the
    region is the whole mask, few where most live near the border.
    """

    detected: float
    others: float
    certain: float
    se: float

    @property
    def value(self) -> float:
        """All of them."""
        return self.detected + self.others


class Population:
    """What a fit says about animals in regions of its mask.

    `sides`: the parties for whose side numbers are wanted. If it is empty the whole mask is meant.
    """

    def __init__(self, fit: Fit, sides: Sequence[str], resident_share: float) -> None:
        self.fit = fit
        self.sides = tuple(sides)
        self.resident_share = resident_share
        self.at = fit.at_maximum()

    @cached_property
    def uses(self) -> tuple[tuple[Use, ...], ...]:
        """Shares of use, by session and class."""
        return tuple(tuple(use_of_sides(at.session, k) for k in self.use_kernels(i)) for i, at in enumerate(self.at))

    def use_kernels(self, index: int) -> list[Kernel]:
        """The use kernel of each class: the fitted k(d), its scale the geometric mean over the session's detectors."""
        design, beta = self.fit.design, self.fit.beta
        sigma = [float(row @ beta[design.sigma.place]) for row, _ in self._use_rows(index)]
        shape = [float(row @ beta[design.shape.place]) for _, row in self._use_rows(index)]
        function = design.detection.function
        return [Kernel(float(np.exp(s)), function, z) for s, z in zip(sigma, shape, strict=True)]

    def _use_rows(self, index: int) -> list[tuple[Floats, Floats]]:
        """Rows of the designs of sigma and of z that the kernel of each class has."""
        made = self.fit.design.sessions[index]
        return [(s.mean(axis=0), z.mean(axis=0)) for s, z in zip(made.sigma, made.shape, strict=True)]

    def reported(self, at: SessionFit) -> Floats:
        """1 at mask points for which numbers may be printed, shape (M,)."""
        if not self.sides:
            return np.ones(len(at.session.side))
        return np.isin(at.session.side, self.sides).astype(float)

    def area_km2(self, region: Region) -> float:
        """Area of a region, mean over sessions."""
        return self._mean(float(region(at).sum()) * at.session.cell_area_km2 for at in self.at)

    def expected(self, region: Region) -> Derived:
        """Expected activity centres in a region."""
        return self._weighted(lambda i, _: [region(self.at[i])] * len(self.fit.design.classes))

    def use(self, side: str) -> Derived:
        """Expected use of one side in animals: the integral of density times the share of use on it."""
        weighted = self._weighted(lambda i, c: [use.share.get(side, self._nothing(i)) for use in c])
        made, sessions = self.fit.design, len(self.at)
        for i, at in enumerate(self.at):
            for k, (use, (sigma, shape)) in enumerate(zip(self.uses[i], self._use_rows(i), strict=True)):
                density = np.exp(at.classes[k].field.log_density) / sessions
                by_sigma = density @ use.by_log_sigma.get(side, self._nothing(i))
                weighted.gradient[made.sigma.place] += by_sigma * sigma
                weighted.gradient[made.shape.place] += density @ use.by_log_shape.get(side, self._nothing(i)) * shape
        return weighted

    def residents(self, side: str) -> Derived:
        """Expected animals centred on reported sides whose share of use on `side` is at least `resident_share`.

        The derivatives are by density and class shares only: who counts as a resident is held at the estimates.
        """
        return self._weighted(lambda i, c: [self.reported(self.at[i]) * self._is_resident(i, use, side) for use in c])

    def shared(self) -> Derived:
        """Expected animals centred on reported sides that are residents of none of the mask's sides."""
        return self._weighted(lambda i, c: [self.reported(self.at[i]) * self._is_shared(use) for use in c])

    def _is_resident(self, index: int, use: Use, side: str) -> Floats:
        if side not in use.share:
            return self._nothing(index)
        return use.resident(side, self.resident_share).astype(float)

    def _is_shared(self, use: Use) -> Floats:
        anywhere = np.any([use.resident(side, self.resident_share) for side in use.share], axis=0)
        return np.where(anywhere, 0.0, 1.0)

    def _nothing(self, index: int) -> Floats:
        return np.zeros(len(self.at[index].session.side))

    def _weighted(self, weights: Callable[[int, tuple[Use, ...]], Sequence[Floats]]) -> Derived:
        """Mean over sessions of sum_c sum_m v_c(m) a D_c(m), v of each class from `weights`."""
        value, gradient = 0.0, np.zeros(self.fit.n_parameters)
        for i, at in enumerate(self.at):
            cells = [v * np.exp(c.field.log_density) for v, c in zip(weights(i, self.uses[i]), at.classes, strict=True)]
            value += sum(float(c.sum()) for c in cells)
            parts = [of.by_density(c) for of, c in zip(at.classes, cells, strict=True)]
            gradient += self.fit.design.pull_back(self.fit.beta, i, parts)
        return Derived(value / len(self.at), gradient / len(self.at))

    def realised(self, regions: Mapping[str, Region]) -> dict[str, Realised]:
        """The realised population of each region, by name. All at once: their derivatives share the work."""
        lives = {name: [self._lives_in(at, region(at)) for at in self.at] for name, region in regions.items()}
        doubt = {name: self._summed(p * (1.0 - p) for p in of) for name, of in lives.items()}
        slopes = self._membership_slopes(regions) if any(d > _SURE for d in doubt.values()) else {}
        return {
            name: self._realised(region, self._summed(lives[name]), doubt[name], slopes.get(name, 0.0))
            for name, region in regions.items()
        }

    def _realised(self, region: Region, detected: float, doubtful: float, slope: Floats | float) -> Realised:
        if self.fit.design.model.number == "binomial":
            return self._fixed(region, detected, doubtful)
        others, gradient = 0.0, np.zeros(self.fit.n_parameters) + slope
        for i, at in enumerate(self.at):
            missed = [c.undetected_gradient(region(at)) for c in at.classes]
            others += sum(value for value, _ in missed)
            gradient += self.fit.design.pull_back(self.fit.beta, i, [g for _, g in missed])
        variance = float(gradient @ self.fit.covariance @ gradient) + others + doubtful
        n = len(self.at)
        return Realised(detected / n, others / n, (detected - doubtful) / n, float(np.sqrt(max(variance, 0.0))) / n)

    def _fixed(self, region: Region, detected: float, doubtful: float) -> Realised:
        """Where the number on the mask is a parameter, what is there is what was estimated."""
        n, there = len(self.at), self.expected(region)
        others = max(there.value - detected / n, 0.0)
        return Realised(detected / n, others, (detected - doubtful) / n, there.se(self.fit.covariance))

    def _summed(self, of_sessions: Iterable[Floats]) -> float:
        """A value per distinct history, summed over the animals of all sessions."""
        return sum(float(at.session.frequency @ values) for at, values in zip(self.at, of_sessions, strict=True))

    def _lives_in(self, at: SessionFit, here: Floats) -> Floats:
        """Probability that each distinct history's activity centre lies in a region, shape (rows,)."""
        of_classes = [c.posterior_sums(at.class_probability[k], here[:, None])[:, 0] for k, c in enumerate(at.classes)]
        return np.asarray(np.clip(np.sum(of_classes, axis=0), 0.0, 1.0))

    def _membership_slopes(self, regions: Mapping[str, Region]) -> dict[str, Floats]:
        """Derivatives by the parameters of the detected animals expected in each region, by central differences.

        A parameter moves by a hundredth of its standard error: far above rounding, far below curvature.
        """
        slopes = {name: np.zeros(self.fit.n_parameters) for name in regions}
        steps = _STEP_SES * np.sqrt(np.maximum(np.diag(self.fit.covariance), _SURE))
        for j, step in enumerate(steps):
            for sign in (1.0, -1.0):
                beta = self.fit.beta.copy()
                beta[j] += sign * step
                near = replace(self.fit, beta=beta).at_maximum()
                for name, region in regions.items():
                    there = self._summed(self._lives_in(at, region(at)) for at in near)
                    slopes[name][j] += sign * there / (2.0 * step)
        return slopes

    def _mean(self, values: Iterator[float]) -> float:
        return sum(values) / len(self.at)

    def animals(self) -> pl.DataFrame:
        """Every detected animal: share of use on each reported side, and whether it is resident or shared.

        Averages over the posterior of its activity centre (and of its sex, where that is not known).
        """
        return pl.concat([self._animals_of(i, at) for i, at in enumerate(self.at)])

    def _animals_of(self, index: int, at: SessionFit) -> pl.DataFrame:
        sums = np.sum(
            [
                c.posterior_sums(at.class_probability[k], self._features(index, self.uses[index][k]))
                for k, c in enumerate(at.classes)
            ],
            axis=0,
        )[at.session.row_of_animal]
        males = [k for k, one in enumerate(self.fit.design.classes) if one.sex == "male"]
        unknown = np.full(len(sums), np.nan)
        male = at.class_probability[males].sum(axis=0)[at.session.row_of_animal] if males else unknown
        columns = [f"share_{side}" for side in self.sides] + [f"resident_{side}" for side in self.sides] + ["shared"]
        return pl.DataFrame(
            {
                "session": [at.session.name] * len(sums),
                "individual": list(at.session.individuals),
                "probability_male": male,
                **{name: np.clip(sums[:, k], 0.0, 1.0) for k, name in enumerate(columns)},
            }
        ).with_columns(pl.col("probability_male").fill_nan(None))

    def _features(self, index: int, use: Use) -> Floats:
        nothing = self._nothing(index)
        shares = [use.share.get(side, nothing) for side in self.sides]
        residents = [self._is_resident(index, use, side) for side in self.sides]
        return np.column_stack([*shares, *residents, self._is_shared(use)])

    def density_table(self) -> pl.DataFrame:
        """Density at every reported mask point; each point once, however many sessions share it."""
        tables = [self._density_of(i, at) for i, at in enumerate(self.at)]
        return pl.concat(tables).unique(["x_m", "y_m"], keep="first", maintain_order=True)

    def _density_of(self, index: int, at: SessionFit) -> pl.DataFrame:
        """One session's surface; its standard error by the delta method, which is exact in the gradient of log D."""
        s = at.session
        per_cell = np.sum([np.exp(c.field.log_density) for c in at.classes], axis=0)
        place = self.fit.design.density.place
        rows = self.fit.design.sessions[index].density
        se_log = np.sqrt(np.einsum("mp,pq,mq->m", rows, self.fit.covariance[place, place], rows))
        table = pl.DataFrame(
            {
                "x_m": s.place_x_m,
                "y_m": s.place_y_m,
                "density_per_100km2": per_cell / s.cell_area_km2 * 100.0,
                "se_per_100km2": per_cell / s.cell_area_km2 * 100.0 * se_log,
                "side": s.side.astype(str),
                "surveyed": s.surveyed,
            }
        )
        order = np.argsort(s.mask_row, kind="stable")
        return table[order].filter(pl.Series(self.reported(at)[order] > 0))


def covariance_table(population: Population, regions: Mapping[str, Region]) -> pl.DataFrame:
    """Covariance of the expected numbers of every two regions: columns region, other, covariance."""
    slopes = {name: population.expected(region).gradient for name, region in regions.items()}
    rows = [(a, b, float(x @ population.fit.covariance @ y)) for a, x in slopes.items() for b, y in slopes.items()]
    return pl.DataFrame(rows, schema=COVARIANCES, orient="row")


def on_side(side: str) -> Region:
    """The region of one side."""
    return lambda at: (at.session.side == side).astype(float)
