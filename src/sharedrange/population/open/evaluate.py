"""The log-likelihood of a design at one parameter vector, with its exact gradient, and what is behind it.

Animals are worked through in blocks, so that memory grows with the points of the mask, not with points x animals.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from sharedrange.population.open.likelihood import ClassHistories, RecordGradient
from sharedrange.population.open.years import UNKNOWN_SEX, Records

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


_MOST_CELLS = 4_000_000  # animals x years x points of a block: a few hundred megabytes


@dataclass(frozen=True, slots=True)
class Parts:
    """What a parameter vector says of all animals alike: rates, expected animals, and a field a class."""

    rates: Demography
    population: Population
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Some of the animals: which (places among all), their records, their histories as seen by each class.

    `log_animal`: log L of each; `share` (C, n): probability of each class for each. What holds for `everybody` (the
    expected number detected, animals never detected) is told by one block only.
    """

    animals: Ints
    data: Records
    classes: tuple[ClassHistories, ...]
    log_animal: Floats
    share: Floats
    everybody: bool

    @property
    def log_likelihood(self) -> float:
        """The part of these animals, less Lambda in the block that tells of everybody."""
        detected = sum(own.expected_detected for own in self.classes) if self.everybody else 0.0
        return float(self.log_animal.sum()) - detected


@dataclass(frozen=True, slots=True)
class At:
    """The likelihood at one parameter vector. `share` (C, n): probability of each class for each animal."""

    parts: Parts
    share: Floats
    log_likelihood: float


class Evaluator:
    """Evaluates one design; distances are worked out once, animals in blocks of at most `most_cells`."""

    def __init__(self, design: Design, *, dense: bool = False, most_cells: int = _MOST_CELLS) -> None:
        self.design = design
        self._distance2_m2 = design.data.distance2_m2()
        self._dense = dense
        n, cells = len(design.data.individuals), len(design.data.mask) * len(design.data.names)
        each = min(max(most_cells // cells, 1), max(n, 1))
        self._blocks = [np.arange(i, min(i + each, n)) for i in range(0, max(n, 1), each)]
        self._records = [design.data.some(animals) for animals in self._blocks]

    def parts(self, theta: Floats) -> Parts:
        """Rates, expected animals and fields."""
        design = self.design
        rates = design.demography(theta, dense=self._dense)
        lines = zip(design.intensity(theta), design.log_sigma(theta), strict=True)
        fields = tuple(Field(design.data, self._distance2_m2, intensity, log_sigma) for intensity, log_sigma in lines)
        return Parts(rates, population(rates), fields)

    def blocks(self, parts: Parts) -> Iterator[Block]:
        """All animals, block by block; the recursions over points that they share are cheap and done in each."""
        for k, (animals, data) in enumerate(zip(self._blocks, self._records, strict=True)):
            classes = tuple(self._histories(parts, c, data) for c in range(len(parts.fields)))
            logs = np.stack([np.where(self._may_be(c, data), own.log_animal, -np.inf) for c, own in enumerate(classes)])
            log_animal = logsumexp(logs, axis=0)
            yield Block(animals, data, classes, log_animal, np.exp(logs - log_animal), everybody=k == 0)

    def _histories(self, parts: Parts, c: int, data: Records) -> ClassHistories:
        field = parts.fields[c]
        return ClassHistories(
            parts.rates.survival[c],
            parts.rates.moves[c],
            data.spans,
            arrivals=parts.population.arrivals[c],
            hazard=field.hazard,
            records=log_records(data, field),
        )

    def at(self, theta: Floats) -> At:
        """The likelihood and its parts, without derivatives."""
        parts = self.parts(theta)
        told = [(block.log_likelihood, block.share) for block in self.blocks(parts)]
        return At(parts, np.hstack([share for _, share in told]), sum(value for value, _ in told))

    def log_likelihood(self, theta: Floats) -> tuple[float, Floats]:
        """Log-likelihood without constants, and its gradient."""
        parts, value = self.parts(theta), 0.0
        by, by_arrivals = zero_gradient(parts.rates), np.zeros_like(parts.population.arrivals)
        by_field = [(np.zeros_like(field.hazard), np.zeros_like(field.record)) for field in parts.fields]
        for block in self.blocks(parts):
            value += block.log_likelihood
            for c, own in enumerate(block.classes):
                found = own.gradient(block.share[c], by.of_class(c), everybody=block.everybody)
                by_arrivals[c] += found.arrivals
                _add_by_field(by_field[c], block.data, found)
        add_population_gradient(by, parts.rates, parts.population, by_arrivals)
        lines = [field.gradient(*sums) for field, sums in zip(parts.fields, by_field, strict=True)]
        return value, self.design.pull_back(theta, by, [line[0] for line in lines], [line[1] for line in lines])

    def realised(self, theta: Floats) -> Floats:
        """Animals alive in each year at each mask point, given all histories, shape (T, M).

        The sum over detected animals of where they were, and the expected animals never detected: the derivative by
        -H of sum_i log L_i + sum B exp(-H) chi (see `likelihood`).
        """
        parts = self.parts(theta)
        by, there = zero_gradient(parts.rates), np.zeros_like(parts.fields[0].hazard)
        for block in self.blocks(parts):
            for c, own in enumerate(block.classes):
                found = own.gradient(block.share[c], by.of_class(c), thinned=False, everybody=block.everybody)
                there += found.minus_hazard + np.stack([rows.sum(axis=0) for rows in found.log_record])
        return there

    def _may_be(self, c: int, data: Records) -> NDArray[np.bool_]:
        """Animals that may belong to a class."""
        sex = data.sex
        return np.ones(len(sex), dtype=bool) if self.design.classes == 1 else (sex == c) | (sex == UNKNOWN_SEX)


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


def _add_by_field(into: tuple[Floats, Floats], data: Records, found: RecordGradient) -> None:
    """Add the derivatives by -H and by the columns' records, from those by -H and by log P of some animals."""
    by_minus_hazard, by_record = into
    by_minus_hazard += found.minus_hazard
    for t, (year, rows) in enumerate(zip(data.years, found.log_record, strict=True)):
        by_minus_hazard[t] += rows.sum(axis=0)
        seen = np.searchsorted(data.spans.active(t), year.animals)
        np.add.at(by_record, year.columns, year.counts.T @ rows[seen])
