"""Indices, slopes and classes of a series of numbers, wherever the numbers are from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharedrange.population.trend import Series, Slope, Trend, index_series, overall_slope
from sharedrange.population.trend.series import log_limits, trend_class

TIGERS = Series((2013, 2017, 2021), np.array([38.0, 45.0, 55.0]), np.diag([16.0, 20.0, 30.0]))


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1.06, 1.10, Trend.STRONG_INCREASE),
        (1.01, 1.10, Trend.MODERATE_INCREASE),
        (0.96, 1.04, Trend.STABLE),
        (0.96, 1.06, Trend.UNCERTAIN),
        (0.94, 1.04, Trend.UNCERTAIN),
        (0.90, 0.99, Trend.MODERATE_DECLINE),
        (0.80, 0.94, Trend.STEEP_DECLINE),
        (1.0, 1.0, Trend.STABLE),
    ],
)
def test_the_class_follows_from_the_interval(low: float, high: float, expected: Trend) -> None:
    assert trend_class(low, high) is expected


@given(st.floats(0.5, 2), st.floats(0.001, 0.5))
def test_every_interval_has_exactly_one_class_that_fits_its_direction(middle: float, half: float) -> None:
    low, high = middle * np.exp(-half), middle * np.exp(half)
    found = trend_class(low, high)
    assert ("increase" in found) == (low > 1 + 1e-9)
    assert ("decline" in found) == (high < 1 - 1e-9)


def test_a_straight_line_on_the_log_scale_has_its_slope() -> None:
    years = (2000, 2001, 2004, 2010)
    numbers = 7 * 1.04 ** (np.array(years) - 2000.0)
    slope = overall_slope(Series(years, numbers, np.eye(4)))
    assert slope.multiplicative == pytest.approx(1.04, rel=1e-12)
    assert slope.interval[0] < 1.04 < slope.interval[1]


def test_the_unit_of_the_numbers_does_not_matter_to_slope_and_index() -> None:
    tenfold = Series(TIGERS.times, 10 * TIGERS.values, 100 * TIGERS.covariance)
    assert overall_slope(tenfold).se == pytest.approx(overall_slope(TIGERS).se, rel=1e-12)
    np.testing.assert_allclose(index_series(tenfold).covariance, index_series(TIGERS).covariance, atol=1e-15)


def test_the_variance_of_the_slope_is_that_of_many_drawn_series() -> None:
    rng = np.random.default_rng(5)
    drawn = rng.multivariate_normal(TIGERS.values, TIGERS.covariance / 100, size=4000)
    slopes = [overall_slope(Series(TIGERS.times, row, TIGERS.covariance)).additive for row in drawn]
    assert np.std(slopes) == pytest.approx(overall_slope(TIGERS).se / 10, rel=0.05)


def test_students_t_is_wider_than_the_normal_distribution() -> None:
    student, normal = overall_slope(TIGERS).interval, overall_slope(TIGERS, reference="normal").interval
    assert student[0] < normal[0] < normal[1] < student[1]


def test_the_base_may_be_several_years() -> None:
    index = index_series(TIGERS, (2013, 2017))
    assert index.values[:2].mean() == pytest.approx(1)
    assert index.se[0] > 0
    first = index_series(TIGERS)
    assert (first.values[0], first.se[0]) == (1, 0)


def test_a_base_that_is_no_year_is_refused() -> None:
    with pytest.raises(ValueError, match="2014"):
        index_series(TIGERS, (2014,))


def test_two_years_or_a_number_of_zero_have_no_slope() -> None:
    with pytest.raises(ValueError, match="three"):
        overall_slope(Series((2000, 2001), np.ones(2), np.eye(2)))
    with pytest.raises(ValueError, match="above zero"):
        overall_slope(Series((2000, 2001, 2002), np.array([1.0, 0.0, 2.0]), np.eye(3)))


def test_limits_lie_around_the_number_and_above_zero() -> None:
    low, high = log_limits(np.array([5.0, 5.0, 0.0]), np.array([20.0, 0.0, 1.0]), 1.96)
    assert 0 < low[0] < 5 < high[0]
    assert np.isnan([*low[1:], *high[1:]]).all()


def test_no_slope_at_all_is_no_evidence_of_one() -> None:
    flat = Slope(2000, 2010, 0.0, 0.0, 9)
    assert flat.p == 1
    assert flat.trend is Trend.STABLE
