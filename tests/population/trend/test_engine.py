"""The engine: what it answers, what it declines, and how it speaks of it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from sharedrange.core.answer import Answer, Scope
from sharedrange.core.chance import stream
from sharedrange.core.engine import read_settings
from sharedrange.core.errors import InputError, ProgrammeError
from sharedrange.core.progress import silent
from sharedrange.population.trend import ENGINE, TrendInputs, TrendSettings

LARK = Scope(taxon="Alauda arvensis", place="heath")


def ask(table: pl.DataFrame, settings: TrendSettings = TrendSettings(), unit: str = "animals") -> Answer:
    inputs = TrendInputs(table, LARK, unit)
    return ENGINE.answer(inputs, settings, rng=stream(1, ENGINE.name), progress=silent)


def rules(answer: Answer) -> list[str]:
    return [f.rule for f in answer.findings]


def test_the_trend_the_totals_and_the_indices_are_told(skylark_plain: pl.DataFrame) -> None:
    answer = ask(skylark_plain)
    trend = answer["trend"]
    assert (round(trend.value, 4), trend.unit, trend.scope.method) == (1.0489, "times_per_year", "trim-model-3")
    assert answer["total.1991"].unit == "animals"
    assert answer["total.1991"].scope.period == "1991"
    assert answer["index.1991"].value == pytest.approx(answer["total.1991"].value / answer["total.1984"].value)
    assert (answer["index.1984"].value, answer["index.1984"].low) == (1, None)
    assert rules(answer) == ["trend-is-moderate-increase", "trend-years-off-the-line", "trend-sites-differ"]
    assert set(answer.tables) == {"totals", "indices", "slopes", "coefficients", "tests", "goodness", "deviations"}
    assert np.shape(answer.covariance) == (7, 7)
    assert answer.parameters[0] == "1984-1985"


def test_each_level_of_a_covariate_has_its_trend_and_the_difference_is_tested(skylark_plain: pl.DataFrame) -> None:
    answer = ask(skylark_plain.rename({"habitat": "party"}), TrendSettings(covariates=("party",)))
    assert [e.quantity for e in answer.estimates][:3] == ["trend", "trend.party.dunes", "trend.party.heath"]
    assert answer["trend.party.dunes"].value < 1 < answer["trend.party.heath"].value
    assert answer["trend.party.dunes"].scope.place == "dunes"
    assert "trend-levels-differ" in rules(answer)
    assert answer.tables["slopes"]["trend"].to_list()[1:] == ["moderate-decline", "moderate-increase"]


def test_the_totals_of_levels_add_up_to_the_total(skylark_plain: pl.DataFrame) -> None:
    from sharedrange.population.trend import TrendModel, fit

    found = fit(skylark_plain, TrendModel(3, covariates=("habitat",)))
    parts = [found.totals(covariate="habitat", level=level) for level in found.panel.levels["habitat"]]
    np.testing.assert_allclose(parts[0].values + parts[1].values, found.totals().values)


def test_change_points_are_selected_and_the_steps_are_kept(skylark_plain: pl.DataFrame) -> None:
    answer = ask(skylark_plain, TrendSettings(model=2, changepoints="all", stepwise=True))
    assert answer.tables["steps"]["action"].unique().to_list() == ["removed"]
    assert answer.tables["goodness"]["changepoints"].to_list() == ["1984, 1985"]


def test_other_years_may_be_the_base(skylark_plain: pl.DataFrame) -> None:
    answer = ask(skylark_plain, TrendSettings(base=(1990, 1991)))
    assert (answer["index.1990"].value + answer["index.1991"].value) / 2 == pytest.approx(1)
    assert answer["index.1990"].low is not None
    with pytest.raises(InputError) as error:
        ask(skylark_plain, TrendSettings(base=(1999,)))
    assert [f.rule for f in error.value.findings] == ["trend-base-unknown"]


def test_sites_that_change_unlike_each_other_widen_the_interval(skylark_plain: pl.DataFrame) -> None:
    model, sites = ask(skylark_plain), ask(skylark_plain, TrendSettings(variance="sites"))
    assert model["trend"].value == sites["trend"].value
    assert _width(sites, "trend") > 1.5 * _width(model, "trend")
    assert _width(sites, "total.1991") == _width(model, "total.1991")
    assert "trend-sites-differ" in rules(model)
    assert "trend-sites-differ" not in rules(sites)


def _width(answer: Answer, quantity: str) -> float:
    number = answer[quantity]
    assert number.low is not None
    assert number.high is not None
    return number.high - number.low


@pytest.mark.parametrize(
    ("kept", "lacking"),
    [
        (pl.col("time") < 1986, "years"),
        (pl.col("site").is_in(["site_01", "site_02"]), "sites_with_animals"),
        (pl.col("site").is_in(["site_01", "site_02", "site_04"]) & (pl.col("time") < 1987), "counts_with_animals"),
    ],
)
def test_thin_data_are_declined_with_what_would_be_enough(
    skylark_plain: pl.DataFrame, kept: pl.Expr, lacking: str
) -> None:
    refusal = ask(skylark_plain.filter(kept)).refusal
    assert refusal is not None
    assert float(refusal.have[lacking] or 0) < float(refusal.need[lacking] or 0)


def test_too_many_parameters_for_the_counts_are_declined_with_advice(skylark_plain: pl.DataFrame) -> None:
    few = skylark_plain.filter(pl.col("site").is_in(["site_03", "site_13", "site_14"]))
    refusal = ask(few, TrendSettings(min_residual_df=100)).refusal
    assert refusal is not None
    assert [f.rule for f in refusal.findings] == ["trend-fewer-parameters"]
    assert ask(few).refusal is None


def test_a_level_whose_total_is_zero_in_a_year_has_no_trend() -> None:
    grid = [(s, y, h) for s, h in (("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")) for y in range(2000, 2006)]
    table = pl.DataFrame(grid, schema=["site", "time", "zone"], orient="row").with_columns(
        count=pl.when((pl.col("zone") == "y") & (pl.col("time") == 2003)).then(0.0).otherwise(pl.col("time") - 1990.0)
    )
    answer = ask(table, TrendSettings(model=2, covariates=("zone",)))
    assert "trend.zone.y" not in answer
    assert "trend.zone.x" in answer
    assert "trend-total-zero" in rules(answer)


@pytest.mark.parametrize(
    "wrong", [{"model": 4}, {"model": 3, "changepoints": [1990]}, {"level": 1.5}, {"min_times": 2}, {"modle": 2}]
)
def test_settings_that_make_no_sense_are_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(ProgrammeError):
        read_settings(TrendSettings, wrong)


def test_settings_are_read_from_a_programme() -> None:
    read = read_settings(TrendSettings, {"model": 2, "changepoints": [1990, 1995], "covariates": ["party"]})
    assert read.trend_model().slopes_from((1985, 1990, 1995, 2000)) == (1990, 1995)
    assert read_settings(TrendSettings, {"model": 2, "changepoints": "all"}).changepoints == "all"
