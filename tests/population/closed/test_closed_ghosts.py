"""Splitting errors: the published curve, the corrected number, and tests of the data."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binom, multinomial

from sharedrange.core.chance import stream
from sharedrange.core.errors import NotEnoughData
from sharedrange.population.closed import (
    Captures,
    Splitting,
    behaviour,
    closure,
    exact,
    fit,
    from_frequencies,
    from_matrix,
    goodness_of_fit,
    inflation,
    singletons_test,
    without_ghosts,
)
from sharedrange.population.closed.ghosts import m0_numbers

# Design of figure 3 of Johansson et al. 2020 (12 animals, 16 occasions, p 0.16, 1,000 simulations a rate), simulated
# before: splitting error, median N, 2.5 % and 97.5 % of the numbers.
CURVE = (
    (0.0, 12.37, 9.8, 14.2),
    (0.02, 12.98, 10.4, 16.7),
    (0.05, 14.01, 10.8, 19.1),
    (0.1, 16.31, 11.5, 24.8),
    (0.125, 17.52, 11.9, 28.3),
    (0.15, 19.04, 12.7, 30.3),
    (0.2, 22.08, 13.9, 37.5),
)


def split_survey(rng: np.random.Generator, animals: int, occasions: int, p: float, error: float) -> Captures:
    """One survey in which each capture is split off with chance `error`."""
    caught = rng.random((animals, occasions)) < p
    split = caught & (rng.random(caught.shape) < error)
    ghosts = np.eye(occasions, dtype=bool)[np.argwhere(split)[:, 1]]
    return from_matrix(np.concatenate([caught & ~split, ghosts]))


def test_the_curve_of_ghost_inflation_is_reproduced_within_simulation_error() -> None:
    table = inflation(stream(1, "tests.ghosts"), errors=[row[0] for row in CURVE], simulations=4000)
    for (error, median, low, high), row in zip(CURVE, table.iter_rows(named=True), strict=True):
        # the stored medians rest on 1,000 numbers: their standard error is about 1.25 sd / sqrt(1000)
        sd = (high - low) / 4
        assert row["median"] == pytest.approx(median, abs=3 * 1.25 * sd * np.sqrt(1 / 1000 + 1 / 4000) + 0.1), error
        assert row["low"] == pytest.approx(low, abs=0.6)
        assert row["high"] == pytest.approx(high, rel=0.12)


def test_more_splitting_always_inflates_more() -> None:
    assert inflation(stream(2, "tests.ghosts"), simulations=1500)["bias_pct"].is_sorted()


def test_many_numbers_at_once_are_those_of_m0() -> None:
    named, captures = np.array([16.0, 18.0, 5.0, 0.0]), np.array([40.0, 36.0, 5.0, 0.0])
    numbers = m0_numbers(named, captures, 5)
    assert numbers[0] == pytest.approx(fit(from_frequencies([4, 4, 5, 2, 1])).n_hat, rel=1e-6)
    assert numbers[1] == pytest.approx(fit(from_frequencies([7, 6, 3, 2, 0])).n_hat, rel=1e-6)
    assert numbers[2:].tolist() == [np.inf, 0.0]


def test_a_number_that_admits_ghosts_covers_the_truth_where_one_that_does_not_hardly_ever_does() -> None:
    rng, covered, naive, numbers = np.random.default_rng(8), 0, 0, []
    for _ in range(120):
        captures = split_survey(rng, 12, 16, 0.16, 0.125)
        told = without_ghosts(captures, Splitting(0.125, 320))
        plain = without_ghosts(captures, Splitting(0.0)).interval
        covered += told.interval.low <= 12 <= told.interval.high
        naive += plain.low <= 12 <= plain.high
        numbers.append(told.n_hat)
    assert covered >= 0.9 * 120
    assert naive < 0.3 * 120
    assert np.median(numbers) == pytest.approx(12, abs=0.6)


def test_without_splitting_it_is_model_m0() -> None:
    captures = from_frequencies([25, 22, 13, 5, 1, 2])
    told = without_ghosts(captures, Splitting(0.0))
    assert told.n_hat == pytest.approx(exact(fit(captures)), abs=0.05)
    assert told.interval.low >= captures.n


def test_the_likelihood_is_that_of_animals_and_ghosts_drawn_apart() -> None:
    """Two occasions, three animals: the sum over who is a ghost, written as the chances of what happened."""
    captures, p, e = from_frequencies([2, 1]), 0.4, 0.2
    q, r, t = p * (1 - e), p * e, 2

    def chance(animals: int) -> float:
        once = 0.0
        for ghosts, real in itertools.product(range(3), repeat=2):
            if ghosts + real != 2 or animals < real + 1:
                continue
            right = multinomial.pmf([animals - real - 1, real, 1], animals, [(1 - q) ** 2, 2 * q * (1 - q), q**2])
            blank = animals * t - (real + 2)
            once += right * binom.pmf(ghosts, blank, r / (1 - q))
        return float(once)

    from sharedrange.population.closed.ghosts import _profile

    numbers = np.array([3.0, 4.0, 9.0])
    ours, _ = _profile(captures, numbers, np.array([e]), np.zeros(1))
    c = captures.n_captures
    at_p = c * np.log(p) + (numbers * t - c) * np.log(1 - p)
    best = c * np.log(c) + (numbers * t - c) * np.log(numbers * t - c) - numbers * t * np.log(numbers * t)
    theirs = np.log([chance(int(n)) for n in numbers])
    assert np.diff(ours - best + at_p) == pytest.approx(np.diff(theirs), abs=1e-9)


def test_a_higher_splitting_error_leaves_fewer_animals() -> None:
    captures = from_frequencies([8, 5, 2, 0, 3])
    numbers = [without_ghosts(captures, Splitting(rate)).n_hat for rate in (0.0, 0.05, 0.1, 0.2)]
    assert numbers == sorted(numbers, reverse=True)


def test_doubt_about_the_rate_widens_the_interval() -> None:
    captures = from_frequencies([9, 6, 2, 3, 0])
    known, tested = without_ghosts(captures, Splitting(0.1)), without_ghosts(captures, Splitting(0.1, 20))
    assert tested.interval.high - tested.interval.low > known.interval.high - known.interval.low


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=3, max_size=6), st.sampled_from([0.0, 0.05, 0.2]))
def test_the_interval_holds_the_number_and_never_fewer_than_the_animals_seen_again(
    frequencies: list[int], rate: float
) -> None:
    captures = from_frequencies(frequencies)
    assume(captures.n_recaptures > 0)
    told = without_ghosts(captures, Splitting(rate))
    assert captures.n - captures.singletons <= told.interval.low <= told.n_hat <= told.interval.high


def test_without_recaptures_ghosts_cannot_be_told() -> None:
    with pytest.raises(NotEnoughData):
        without_ghosts(from_frequencies([5, 0, 0]), None)


@pytest.mark.parametrize(("rate", "tested"), [(-0.1, 0), (1.0, 0), (0.1, -3)])
def test_a_splitting_error_that_cannot_be_is_refused(rate: float, tested: int) -> None:
    with pytest.raises(ValueError, match="splitting"):
        Splitting(rate, tested)


def test_too_many_animals_seen_once_are_noticed_and_others_are_not() -> None:
    assert singletons_test(from_frequencies([30, 6, 6, 4, 2]))[1] < 0.01
    assert singletons_test(from_frequencies([4, 4, 5, 2, 1]))[1] > 0.3


# -- tests of the data ---------------------------------------------------------------------------------------------


def test_the_expected_span_between_captures_is_that_of_all_ways_to_be_caught() -> None:
    t, j = 6, 3
    ways = np.array([[k in w for k in range(t)] for w in itertools.combinations(range(t), j)])
    assert closure(from_matrix(ways)).statistic == pytest.approx(0, abs=1e-12)


def test_the_variance_of_the_span_is_that_of_all_ways_to_be_caught() -> None:
    t, j = 7, 3
    spans = np.array([max(w) - min(w) for w in itertools.combinations(range(t), j)], dtype=float)
    one = np.zeros((1, t))
    one[0, :j] = 1
    expected = (j - 1 - spans.mean()) / spans.std()
    assert closure(from_matrix(one)).statistic == pytest.approx(expected, rel=1e-9)


def test_a_closed_population_is_seldom_doubted() -> None:
    rng = np.random.default_rng(3)
    doubted = sum(closure(from_matrix(rng.random((40, 8)) < 0.3)).p_value < 0.05 for _ in range(300))
    assert doubted <= 0.09 * 300


def test_animals_that_leave_open_the_door() -> None:
    rng = np.random.default_rng(3)
    there = np.arange(10) < rng.integers(3, 10, size=60)[:, None]
    assert closure(from_matrix((rng.random((60, 10)) < 0.4) & there)).p_value < 0.01


def test_animals_that_learn_are_noticed() -> None:
    rng = np.random.default_rng(5)
    caught = np.zeros((100, 8), dtype=bool)
    for k in range(8):
        caught[:, k] = rng.random(100) < np.where(caught.any(axis=1), 0.05, 0.35)
    assert behaviour(from_matrix(caught)).p_value < 0.01


def test_frequencies_alone_can_test_neither_closure_nor_behaviour() -> None:
    captures = from_frequencies([4, 4, 5, 2, 1])
    assert np.isnan([closure(captures).p_value, behaviour(captures).p_value]).all()


def test_a_model_that_made_the_data_fits_them_and_one_that_cannot_does_not() -> None:
    rng = np.random.default_rng(6)
    alike = from_matrix(rng.random((60, 6)) < 0.3)
    assert goodness_of_fit(alike, fit(alike), rng).p_value > 0.05
    unlike = from_matrix(rng.random((80, 6)) < np.where(np.arange(80) < 40, 0.1, 0.8)[:, None])
    assert goodness_of_fit(unlike, fit(unlike), rng).p_value < 0.05


def test_drawn_histories_have_the_shares_of_the_model() -> None:
    from sharedrange.population.closed.histories import draw

    beta, weight = np.log([0.2, 0.5, 1.0]), np.array([0.0, 1.0, 1.0, 3.0])
    caught = draw(np.random.default_rng(1), 40_000, beta, weight)
    rows = np.array(list(itertools.product([False, True], repeat=3)))[1:]
    expected = np.exp(rows @ beta) * weight[rows.sum(axis=1)]
    shares = [(caught == row).all(axis=1).mean() for row in rows]
    assert shares == pytest.approx(expected / expected.sum(), abs=0.01)
