"""The models against the two programs of the field: rtrim 2.1.1 and the original TRIM 3.61, on skylarks.

rtrim stops its steps early with serial correlation: its own numbers hold to about 1e-6 there (tests/data/skylark).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

from sharedrange.population.trend import TrendFit, TrendModel, estimation, fit, index_series
from sharedrange.population.trend.totals import Kind

SKYLARK = Path(__file__).parents[2] / "data" / "skylark"
CASES: Mapping[str, TrendModel] = {
    "m3_poisson": TrendModel(3, overdispersion=False, serial_correlation=False),
    "m3_od": TrendModel(3, serial_correlation=False),
    "m3_od_sc": TrendModel(3),
    "m2_linear": TrendModel(2),
    "m2_allcp": TrendModel(2, changepoints="all"),
    "m2_cp2": TrendModel(2, changepoints=(1984, 1985)),
    "m2_habitat_allcp": TrendModel(2, covariates=("habitat",), changepoints="all"),
    "m2_habitat_deposition": TrendModel(2, covariates=("habitat", "deposition")),
}
CLOSE = {
    "m3_poisson": 1e-7,
    "m3_od": 1e-9,
    "m2_linear": 6e-6,
    "m2_habitat_deposition": 2e-5,
}  # how far rtrim itself has converged
KINDS: tuple[Kind, ...] = ("imputed", "fitted")

every_case = pytest.mark.parametrize("case", CASES)


def close(case: str) -> float:
    return CLOSE.get(case, 3e-6)


@cache
def fitted(case: str) -> TrendFit:
    counts = pl.read_csv(SKYLARK / "counts.csv", null_values="NA").rename({"year": "time"})
    return fit(counts.drop("weight"), CASES[case])


def stored(name: str, case: str) -> pl.DataFrame:
    rows = pl.read_csv(SKYLARK / f"{name}.csv", null_values=["NA", ""])
    return rows.filter(pl.col(rows.columns[0]) == case)


@every_case
def test_dispersion_correlation_and_goodness_of_fit_are_those_of_rtrim(case: str) -> None:
    found, expected = fitted(case), stored("runs", case).row(0, named=True)
    good = found.goodness()
    ours = (good.chi2, good.likelihood_ratio, good.aic, good.df)
    assert_allclose(ours, [expected[k] for k in ("chi2", "LR", "AIC", "chi2_df")], rtol=close(case))
    assert good.p_chi2 == pytest.approx(expected["chi2_p"], rel=20 * close(case))
    assert good.p_likelihood_ratio == pytest.approx(expected["LR_p"], rel=20 * close(case))
    scale = (found.solution.dispersion, found.solution.correlation)
    assert_allclose(scale, [expected["overdispersion"] or 1, expected["serial_correlation"] or 0], atol=close(case))


@every_case
def test_coefficients_are_those_of_rtrim(case: str) -> None:
    ours, expected = fitted(case).coefficients(), stored("coefficients", case).filter(pl.col("se_add") > 0)
    for mine, theirs in (
        ("additive", "add"),
        ("se", "se_add"),
        ("multiplicative", "mul"),
        ("se_multiplicative", "se_mul"),
    ):
        assert_allclose(ours[mine], expected[theirs], atol=close(case), rtol=close(case))


@every_case
@pytest.mark.parametrize("kind", KINDS)
def test_indices_and_their_errors_are_those_of_rtrim(case: str, kind: Kind) -> None:
    ours, expected = index_series(fitted(case).totals(kind)), stored("indices", case)
    assert_allclose(ours.values, expected[kind], rtol=close(case))
    assert_allclose(ours.se, expected[f"se_{kind[:3]}"], rtol=close(case), atol=1e-12)


@every_case
def test_the_covariance_of_imputed_totals_is_that_of_rtrim(case: str) -> None:
    expected = stored("covariance", case).drop("case").to_numpy()
    assert_allclose(fitted(case).totals().covariance, expected, atol=close(case) * expected.max())


@every_case
@pytest.mark.parametrize("kind", KINDS)
def test_the_overall_slope_and_its_class_are_those_of_rtrim(case: str, kind: Kind) -> None:
    ours = fitted(case).overall(kind)
    expected = stored("slopes", case).filter(pl.col("kind") == kind).row(0, named=True)
    assert (ours.additive, ours.se) == pytest.approx((expected["add"], expected["se_add"]), rel=close(case))
    assert (ours.multiplicative, ours.se_multiplicative) == pytest.approx(
        (expected["mul"], expected["se_mul"]), rel=close(case)
    )
    assert ours.p == pytest.approx(expected["p"], rel=20 * close(case))
    assert expected["meaning"].lower().startswith(ours.trend.replace("-", " "))


@every_case
def test_wald_tests_are_those_of_rtrim(case: str) -> None:
    expected = stored("runs", case).row(0, named=True)
    names = {
        "change": "wald_dslope_W",
        "covariate": "wald_covar_W",
        "deviations": "wald_deviations_W",
        "slope": "wald_slope_W",
    }
    for test, column in names.items():
        ours = [t.statistic for t in fitted(case).tests() if t.test == test]
        theirs = [float(w) for w in str(expected[column] or "").split()]
        assert_allclose(ours, theirs, rtol=10 * close(case), atol=1e-6)


def test_model_1_is_that_of_rtrim_given_the_degree_of_freedom_that_it_takes_too_many(
    monkeypatch: pytest.MonkeyPatch, skylark_plain: pl.DataFrame
) -> None:
    right = estimation.dispersion
    monkeypatch.setattr(estimation, "dispersion", lambda data, p, expected: right(data, p + 1, expected))
    found, expected = fit(skylark_plain, TrendModel(1)), stored("runs", "m1_plain").row(0, named=True)
    assert found.solution.dispersion == pytest.approx(expected["overdispersion"], rel=1e-6)
    assert found.solution.correlation == pytest.approx(expected["serial_correlation"], rel=3e-6)
    assert found.goodness().df == expected["chi2_df"] == 147
    assert_allclose(index_series(found.totals()).values, stored("indices", "m1_plain")["imputed"], rtol=1e-6)
    covariance = stored("covariance", "m1_plain").drop("case").to_numpy()
    assert_allclose(found.totals().covariance, covariance, rtol=1e-5)


# The numbers below are printed by TRIM 3.61 (runs skylark-1a, 2b, 3a, 4a, 4b and 4c that come with rtrim as its tests).


def test_the_line_and_the_deviations_from_it_are_those_that_trim_3_prints() -> None:
    found = fitted("m3_poisson")
    slope, off = found.overall("fitted"), found.deviations()
    assert (round(slope.additive, 4), round(slope.se, 4)) == (0.0485, 0.0107)
    assert off["additive"].round(4).to_list() == [0.2325, -0.1591, -0.0378, -0.1006, -0.0469, 0.0112, 0.0366, 0.0640]
    assert off["se"].round(4).to_list() == [0.0539, 0.0670, 0.0541, 0.0539, 0.0505, 0.0466, 0.0453, 0.0437]


def test_totals_are_those_that_trim_3_prints() -> None:
    totals = fitted("m3_poisson").totals()
    assert totals.values.round().tolist() == [511, 362, 429, 423, 469, 522, 562, 606]
    assert totals.se.round().tolist() == [38, 31, 26, 25, 27, 27, 32, 36]


def test_model_3_with_a_covariate_is_that_of_trim_3(skylark_plain: pl.DataFrame) -> None:
    found = fit(skylark_plain, TrendModel(3, covariates=("habitat",)))
    effects = found.coefficients()
    assert effects["additive"].round(4).to_list()[:3] == [-0.2165, -0.3781, -0.4982]
    assert effects["additive"].round(4).to_list()[7:] == [-0.1445, 0.2771, 0.3865, 0.7747, 0.6449, 0.8588, 1.0308]
    assert effects["se"].round(4).to_list()[7:] == [0.2324, 0.2553, 0.2681, 0.2790, 0.2643, 0.2856, 0.2883]
    (test,) = found.tests()
    assert (test.about, round(test.statistic, 2), test.df, round(test.p, 4)) == ("habitat", 21.55, 7, 0.0030)


def test_change_points_leave_one_by_one_as_in_trim_3(skylark_plain: pl.DataFrame) -> None:
    model = TrendModel(2, covariates=("habitat",), changepoints="all", stepwise=True)
    found = fit(skylark_plain, model)
    left = [(s.action, s.changepoint, round(s.p, 4)) for s in found.steps]
    p = [0.9927, 0.5368, 0.6867, 0.4639, 0.3822]
    assert left == [("removed", year, p) for year, p in zip(range(1990, 1985, -1), p, strict=True)]
    assert found.changepoints == (1984, 1985)
    assert [round(t.statistic, 2) for t in found.tests()] == [18.51, 10.99, 14.65]
    assert found.coefficients()["additive"].round(4).to_list() == [-0.2691, -0.0776, -0.0204, 0.1749]
    assert found.totals().se.round().tolist() == [43, 26, 24, 23, 23, 24, 27, 32]


@pytest.mark.parametrize(
    ("model", "chi2", "slope", "totals", "se"),
    [
        (
            TrendModel(2, overdispersion=False, serial_correlation=False),
            210.53,
            (0.0257, 0.0113),
            [1344, 1236, 1284, 1299, 1280, 1444, 1498, 1521],
            [88, 87, 89, 92, 96, 104, 108, 121],
        ),
        (
            TrendModel(2, changepoints=(1984, 1985), serial_correlation=False),
            190.45,
            (0.0206, 0.0131),
            [1533, 1154, 1218, 1243, 1235, 1417, 1488, 1537],
            [146, 95, 98, 101, 106, 116, 122, 139],
        ),
    ],
)
def test_weighted_counts_are_those_of_trim_3(
    *,
    skylark: pl.DataFrame,
    model: TrendModel,
    chi2: float,
    slope: tuple[float, float],
    totals: list[int],
    se: list[int],
) -> None:
    found = fit(skylark, model)
    assert round(found.goodness().chi2, 2) == chi2
    overall = found.overall()
    assert (round(overall.additive, 4), round(overall.se, 4)) == slope
    assert found.totals().values.round().tolist() == totals
    assert found.totals().se.round().tolist() == se


def test_against_the_normal_distribution_the_slope_is_as_significant_as_trim_3_says() -> None:
    assert fitted("m2_cp2").overall("fitted", reference="normal").p < 0.01 < fitted("m2_cp2").overall("fitted").p


def test_limits_are_never_negative_nor_equal() -> None:
    for case in CASES:
        for kind in KINDS:
            index = index_series(fitted(case).totals(kind))
            low, high = fitted(case).limits(index)
            assert np.isnan(low[0]), "the base year is 1 by definition"
            assert (low[1:] > 0).all()
            assert (low[1:] < index.values[1:]).all()
            assert (index.values[1:] < high[1:]).all()
