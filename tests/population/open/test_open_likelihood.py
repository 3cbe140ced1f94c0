"""The recursions against the sum over every life that an animal may have had."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from sharedrange.core.history import CaptureHistory
from sharedrange.population.open import OpenSettings, YearsDesign
from sharedrange.population.open.arrivals import Demography, population, zero_gradient
from sharedrange.population.open.design import Design
from sharedrange.population.open.evaluate import At, Evaluator, log_records
from sharedrange.population.open.fitting import designed
from sharedrange.population.open.kernels import movement
from sharedrange.population.open.likelihood import ClassHistories, Spans
from sharedrange.population.open.smoothing import alive_in, undetected_in
from sharedrange.population.open.start import starting_values

Floats = NDArray[np.float64]

YEARS, POINTS = 4, 3
SPANS = Spans(np.array([0, 0, 1, 3, 1, 2]), np.array([0, 3, 2, 3, 1, 3]))


def tiny() -> tuple[Demography, Floats, list[Floats]]:
    """Rates, hazards and log P of a made-up survey of three places over four years."""
    rng = np.random.default_rng(4)
    x = np.array([0.0, 1_000.0, 2_000.0])
    rates = Demography(
        cells=rng.random(POINTS) + 0.5,
        share=np.ones(1),
        survival=rng.uniform(0.3, 0.95, (1, YEARS - 1, POINTS)),
        recruits=rng.uniform(0.1, 0.6, YEARS - 1),
        moves=[[movement(x, np.zeros(POINTS), None, s, "normal") for s in (500.0, 900.0, 1_500.0)]],
    )
    hazard = rng.random((YEARS, POINTS)) * 2
    records = [rng.normal(-2.0, 1.0, (len(SPANS.active(t)), POINTS)) for t in range(YEARS)]
    return rates, hazard, records


def histories_of(rates: Demography, hazard: Floats, records: list[Floats]) -> ClassHistories:
    arrivals = population(rates).arrivals[0]
    return ClassHistories(rates.survival[0], rates.moves[0], SPANS, arrivals=arrivals, hazard=hazard, records=records)


def lives(rates: Demography) -> Iterator[tuple[int, tuple[int, ...], float]]:
    """Every (year of arrival, places until death or the last year, expected number of animals that live so)."""
    arrivals = population(rates).arrivals[0]
    steps = [m.forward(np.eye(POINTS)) for m in rates.moves[0]]  # [from, to]
    for first in range(YEARS):
        for length in range(1, YEARS - first + 1):
            for places in itertools.product(range(POINTS), repeat=length):
                number = arrivals[first, places[0]]
                for k in range(length - 1):
                    number *= rates.survival[0, first + k, places[k]] * steps[first + k][places[k], places[k + 1]]
                if first + length < YEARS:
                    number *= 1.0 - rates.survival[0, first + length - 1, places[-1]]
                yield first, places, float(number)


def chance_of(animal: int, first: int, places: tuple[int, ...], hazard: Floats, records: list[Floats]) -> float:
    """Probability of an animal's records if it lived so."""
    found, last = 1.0, first + len(places) - 1
    if not first <= SPANS.first[animal] <= SPANS.last[animal] <= last:
        return 0.0
    for year, place in enumerate(places, start=first):
        active = SPANS.active(year).tolist()
        log = records[year][active.index(animal), place] if animal in active else -hazard[year, place]
        found *= np.exp(log)
    return float(found)


def test_the_likelihood_of_an_animal_is_the_sum_over_all_its_possible_lives() -> None:
    rates, hazard, records = tiny()
    own = histories_of(rates, hazard, records)
    for animal in range(len(SPANS.first)):
        total = sum(n * chance_of(animal, first, places, hazard, records) for first, places, n in lives(rates))
        assert own.log_animal[animal] == pytest.approx(np.log(total), rel=1e-10)


def test_lambda_is_the_sum_over_all_lives_of_the_chance_to_be_detected() -> None:
    rates, hazard, records = tiny()
    own = histories_of(rates, hazard, records)
    total = sum(
        n * -np.expm1(-sum(hazard[t, m] for t, m in enumerate(places, start=first)))
        for first, places, n in lives(rates)
    )
    assert own.expected_detected == pytest.approx(total, rel=1e-10)


def test_expected_numbers_are_the_sum_over_all_lives() -> None:
    rates, _, _ = tiny()
    alive = np.zeros((YEARS, POINTS))
    for first, places, n in lives(rates):
        for year, place in enumerate(places, start=first):
            alive[year, place] += n
    np.testing.assert_allclose(population(rates).alive[0], alive, rtol=1e-10)


def test_where_an_animal_was_in_each_year_is_the_share_of_its_possible_lives() -> None:
    rates, hazard, records = tiny()
    own = histories_of(rates, hazard, records)
    own_gradient = own.gradient(np.ones(len(SPANS.first)), zero_gradient(rates).of_class(0), thinned=False)
    alive = np.zeros((YEARS, POINTS))
    for first, places, n in lives(rates):
        unseen = float(np.exp(-sum(hazard[t, m] for t, m in enumerate(places, start=first))))
        weights = [
            n * chance_of(i, first, places, hazard, records) / np.exp(own.log_animal[i])
            for i in range(len(SPANS.first))
        ]
        for year, place in enumerate(places, start=first):
            alive[year, place] += sum(weights) + n * unseen
    found = own_gradient.minus_hazard + np.stack([rows.sum(axis=0) for rows in own_gradient.log_record])
    np.testing.assert_allclose(found, alive, rtol=1e-9)


RICH = {
    "density": "~ side + x",
    "survival": "~ side + t",
    "recruitment": "~ year",
    "dispersal": "~ year",
    "lambda0": "~ year + party",
    "sigma": "~ t",
}
MODELS: dict[str, dict[str, object]] = {
    "plain": {"lambda0": "~ 1", "sigma": "~ 1", "density": "~ 1"},
    "rich": {**RICH},
    "laplace": {"movement": "laplace"},
    "still": {"movement": "none"},
    "half-normal": {"detection_function": "HN"},
    "exponential": {"detection_function": "EX"},
    "without space": {"spatial": False, "lambda0": "~ year"},
    "sexes": {"lambda0": "~ sex", "survival": "~ sex", "dispersal": "~ sex", "sigma": "~ sex * party"},
}


def sexed(histories: tuple[CaptureHistory, ...]) -> tuple[CaptureHistory, ...]:
    """The same histories with sexes for two in three animals."""
    import polars as pl

    known = {0: "female", 1: "male", 2: None}
    sexes = pl.col("individual").str.slice(-4).cast(pl.Int64).mod(3).replace_strict(known, return_dtype=pl.String)
    return tuple(
        CaptureHistory(h.session, h.kind, h.detectors, h.individuals.with_columns(sex=sexes), h.captures, h.effort)
        for h in histories
    )


def evaluated(
    histories: tuple[CaptureHistory, ...], design: YearsDesign, given: dict[str, object], *, dense: bool = False
) -> tuple[Evaluator, Floats]:
    settings = OpenSettings(**given)  # type: ignore[arg-type]  # a table of settings
    made, used, _ = designed(sexed(histories), design.mask(), settings, (0.0, 1.5, 2.0))
    theta = starting_values(made, used) + np.random.default_rng(2).normal(0, 0.1, len(made.names))
    return Evaluator(made, dense=dense), theta


@pytest.mark.parametrize("model", MODELS)
def test_the_gradient_is_that_of_differences(
    model: str, histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    evaluator, theta = evaluated(histories, design, MODELS[model])
    _, gradient = evaluator.log_likelihood(theta)
    step = 1e-5
    differences = [
        (evaluator.at(theta + step * e).log_likelihood - evaluator.at(theta - step * e).log_likelihood) / (2 * step)
        for e in np.eye(len(theta))
    ]
    np.testing.assert_allclose(gradient, differences, rtol=1e-5, atol=1e-6 * np.abs(gradient).max())


@pytest.mark.parametrize("model", ["plain", "rich", "laplace", "sexes"])
def test_the_grid_gives_what_the_matrix_gives(
    model: str, histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    fast, theta = evaluated(histories, design, MODELS[model])
    slow, _ = evaluated(histories, design, MODELS[model], dense=True)
    assert fast.at(theta).log_likelihood == pytest.approx(slow.at(theta).log_likelihood, rel=1e-11)


@pytest.mark.parametrize("model", ["plain", "rich", "sexes"])
def test_animals_in_blocks_are_the_animals_together(
    model: str, histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    whole, theta = evaluated(histories, design, MODELS[model])
    cells = len(design.mask()) * len(histories)
    blocks = Evaluator(whole.design, most_cells=7 * cells)
    assert len(list(blocks.blocks(blocks.parts(theta)))) == -(-len(whole.design.data.individuals) // 7) > 3
    (value, gradient), (again, by_blocks) = whole.log_likelihood(theta), blocks.log_likelihood(theta)
    assert again == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(by_blocks, gradient, rtol=1e-9, atol=1e-9 * np.abs(gradient).max())
    np.testing.assert_allclose(blocks.realised(theta), whole.realised(theta), rtol=1e-9)
    everywhere = {"": np.ones(len(design.mask()))}
    one, other = (alive_in(e, e.at(theta), everywhere)[""] for e in (whole, blocks))
    np.testing.assert_allclose(other, one, rtol=1e-9)


@pytest.mark.parametrize("model", ["plain", "rich", "sexes", "without space"])
def test_the_adjoint_and_the_smoother_agree_on_who_was_alive_where(
    model: str, histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    evaluator, theta = evaluated(histories, design, MODELS[model])
    at, made = evaluator.at(theta), evaluator.design
    west = (made.data.mask.x_m < 0).astype(float)
    regions = {"west": west, "east": 1.0 - west}
    alive, others = alive_in(evaluator, at, regions), undetected_in(evaluator, at, regions)
    realised = evaluator.realised(theta)
    for name, region in regions.items():
        np.testing.assert_allclose(realised @ region, alive[name].sum(axis=1) + others[name], rtol=1e-8)


def test_an_animal_is_alive_from_its_first_detection_to_its_last(
    histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    evaluator, theta = evaluated(histories, design, MODELS["plain"])
    at, made = evaluator.at(theta), evaluator.design
    alive = alive_in(evaluator, at, {"": np.ones(len(made.data.mask))})[""]
    spans = made.data.spans
    for t in range(len(alive)):
        np.testing.assert_allclose(alive[t, spans.active(t)], 1.0, rtol=1e-12)
        assert (alive[t] > 0).all()


def test_an_unknown_sex_is_a_mixture_of_both(histories: tuple[CaptureHistory, ...], design: YearsDesign) -> None:
    evaluator, theta = evaluated(histories, design, MODELS["sexes"])
    at: At = evaluator.at(theta)
    sex = evaluator.design.data.sex
    np.testing.assert_allclose(at.share.sum(axis=0), 1.0)
    assert (at.share[1, sex == 0] == 0).all()
    assert (at.share[0, sex == 1] == 0).all()
    assert ((at.share[:, sex < 0] > 0) & (at.share[:, sex < 0] < 1)).all()


def test_records_of_a_year_without_a_detection_say_that_nothing_was_seen(
    histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    evaluator, theta = evaluated(histories, design, MODELS["plain"])
    data, field = evaluator.design.data, evaluator.parts(theta).fields[0]
    for t, rows in enumerate(log_records(data, field)):
        unseen = ~np.isin(data.spans.active(t), data.years[t].animals)
        np.testing.assert_array_equal(rows[unseen], np.broadcast_to(-field.hazard[t], rows[unseen].shape))


def jolly_seber(design: Design, phi: float, f: float, p: float, n: float) -> float:
    """log L of the model without space, written as Schwarz & Arnason (1996) do: entries, survival, detection."""
    years = len(design.data.names)
    alive = [n]
    for _ in range(years - 1):
        alive.append(alive[-1] * (phi + f))
    entries = [n, *(f * a for a in alive[:-1])]
    never = [1.0]
    for _ in range(years - 1):
        never.insert(0, 1 - phi + phi * (1 - p) * never[0])
    total = -sum(b * (1 - (1 - p) * c) for b, c in zip(entries, never, strict=True))
    spans = design.data.spans
    for i, (a, z) in enumerate(zip(spans.first, spans.last, strict=True)):
        seen = [i in year.animals for year in design.data.years]
        before = sum(entries[e] * (phi * (1 - p)) ** (a - e) for e in range(a + 1))
        between = np.prod([phi * (p if seen[t] else 1 - p) for t in range(a + 1, z + 1)])
        total += float(np.log(before * p * between * never[z]))
    return total


def test_without_space_it_is_the_model_of_jolly_seber_and_arnason(
    histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    settings = OpenSettings(spatial=False)
    made, _, _ = designed(histories, design.mask(), settings)
    phi, f, p, density = 0.7, 0.3, 0.6, 2.5
    theta = np.array([np.log(density), np.log(phi / (1 - phi)), np.log(f), np.log(-np.log(1 - p))])
    assert made.names == ("D", "phi", "f", "lambda0")
    expected = jolly_seber(made, phi, f, p, density * design.mask().area_km2 / 100)
    assert Evaluator(made).at(theta).log_likelihood == pytest.approx(expected, rel=1e-10)
