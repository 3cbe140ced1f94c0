"""The log-likelihood of a design at one parameter vector, with its exact gradient, and what is behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from sharedrange.population.open.arrivals import (
    Demography,
    Population,
    add_population_gradient,
    population,
    zero_gradient,
)
from sharedrange.population.open.design import Design
from sharedrange.population.open.detect import Field
from sharedrange.population.open.likelihood import ClassHistories
from sharedrange.population.open.years import UNKNOWN_SEX, Records

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class At:
    """Everything at one parameter vector. `share` (C, n): probability of each class for each animal."""

    rates: Demography
    population: Population
    fields: tuple[Field, ...]
    classes: tuple[ClassHistories, ...]
    share: Floats
    log_likelihood: float


class Evaluator:
    """Evaluates one design; distances are worked out once."""

    def __init__(self, design: Design, *, dense: bool = False) -> None:
        self.design = design
        self._distance2_m2 = design.data.distance2_m2()
        self._dense = dense

    def at(self, theta: Floats) -> At:
        """The likelihood and its parts, without derivatives."""
        design, data = self.design, self.design.data
        rates = design.demography(theta, dense=self._dense)
        expected = population(rates)
        lines = zip(design.intensity(theta), design.log_sigma(theta), strict=True)
        fields = tuple(Field(data, self._distance2_m2, intensity, log_sigma) for intensity, log_sigma in lines)
        classes = tuple(
            ClassHistories(
                rates.survival[c],
                rates.moves[c],
                data.spans,
                arrivals=expected.arrivals[c],
                hazard=field.hazard,
                records=log_records(data, field),
            )
            for c, field in enumerate(fields)
        )
        logs = np.stack([np.where(self._may_be(c), own.log_animal, -np.inf) for c, own in enumerate(classes)])
        animal = logsumexp(logs, axis=0)
        value = float(animal.sum()) - sum(own.expected_detected for own in classes)
        return At(rates, expected, fields, classes, np.exp(logs - animal), value)

    def log_likelihood(self, theta: Floats) -> tuple[float, Floats]:
        """Log-likelihood without constants, and its gradient."""
        at = self.at(theta)
        by, by_intensity, by_sigma = zero_gradient(at.rates), [], []
        by_arrivals = np.empty_like(at.population.arrivals)
        for c, (own, field) in enumerate(zip(at.classes, at.fields, strict=True)):
            found = own.gradient(at.share[c], by.of_class(c))
            by_arrivals[c] = found.arrivals
            intensity, sigma = field.gradient(*_by_field(self.design.data, field, found.minus_hazard, found.log_record))
            by_intensity.append(intensity)
            by_sigma.append(sigma)
        add_population_gradient(by, at.rates, at.population, by_arrivals)
        return at.log_likelihood, self.design.pull_back(theta, by, by_intensity, by_sigma)

    def realised(self, theta: Floats) -> Floats:
        """Animals alive in each year at each mask point, given all histories, shape (T, M).

        The sum over detected animals of where they were, and the expected animals never detected: the derivative by
        -H of sum_i log L_i + sum B exp(-H) chi (see `likelihood`).
        """
        at = self.at(theta)
        by = zero_gradient(at.rates)
        parts = [own.gradient(at.share[c], by.of_class(c), thinned=False) for c, own in enumerate(at.classes)]
        return np.asarray(np.sum([_alive(part.minus_hazard, part.log_record) for part in parts], axis=0))

    def _may_be(self, c: int) -> NDArray[np.bool_]:
        """Animals that may belong to a class."""
        sex = self.design.data.sex
        return np.ones(len(sex), dtype=bool) if self.design.classes == 1 else (sex == c) | (sex == UNKNOWN_SEX)


def _alive(minus_hazard: Floats, log_record: Sequence[Floats]) -> Floats:
    """Derivatives by -H of everything that holds exp(-H): animals not detected in a year, and those active in it."""
    return np.asarray(minus_hazard + np.stack([rows.sum(axis=0) for rows in log_record]))


def log_records(data: Records, field: Field) -> list[Floats]:
    """The log P of the animals active in each year, shape (active, M)."""
    found = []
    for t, year in enumerate(data.years):
        active = data.spans.active(t)
        rows = np.repeat(-field.hazard[t][None], len(active), axis=0)
        columns, where = np.unique(year.columns, return_inverse=True)
        if len(columns):
            counts = np.zeros((len(year.animals), len(columns)))
            np.add.at(counts.T, where, year.counts.T)
            rows[np.searchsorted(active, year.animals)] += counts @ field.record[columns]
        found.append(rows)
    return found


def _by_field(data: Records, field: Field, minus_hazard: Floats, log_record: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Derivatives by -H and by the columns' records, from those by log P."""
    by_minus_hazard, by_record = minus_hazard.copy(), np.zeros_like(field.record)
    for t, (year, rows) in enumerate(zip(data.years, log_record, strict=True)):
        by_minus_hazard[t] += rows.sum(axis=0)
        seen = np.searchsorted(data.spans.active(t), year.animals)
        np.add.at(by_record, year.columns, year.counts.T @ rows[seen])
    return by_minus_hazard, by_record
