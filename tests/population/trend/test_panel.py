"""What is wrong with a table of counts is said at once, and what a model cannot bear is said before it is fitted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from sharedrange.core.errors import DidNotConverge, InputError, NotEnoughData
from sharedrange.population.trend import TrendModel, fit
from sharedrange.population.trend.panel import read_panel

YEARS = (2001, 2002, 2003, 2004)
PLAIN = TrendModel(3, serial_correlation=False)


def table(counts: Sequence[Sequence[float | None]], **columns: Sequence[object]) -> pl.DataFrame:
    """A row of counts a site, over the years from 2001; other columns by site."""
    n = len(counts[0])
    rows: dict[str, Sequence[object]] = {
        "site": [f"s{i}" for i in range(len(counts)) for _ in range(n)],
        "time": list(range(2001, 2001 + n)) * len(counts),
        "count": [None if c is None else float(c) for row in counts for c in row],
    }
    rows |= {name: [v for v in values for _ in range(n)] for name, values in columns.items()}
    return pl.DataFrame(rows)


GOOD: list[list[float | None]] = [[3, 4, 6, 8], [10, 9, 14, 16], [2, 3, 2, 5], [7, None, 9, 12]]


def rules(error: pytest.ExceptionInfo[InputError]) -> list[str]:
    return [f.rule for f in error.value.findings]


def refused(counts: pl.DataFrame, model: TrendModel = PLAIN) -> list[str]:
    with pytest.raises(InputError) as error:
        fit(counts, model)
    return rules(error)


def test_all_that_is_wrong_with_the_rows_is_said_at_once() -> None:
    wrong = table(GOOD, weight=[1.0, 0.0, 2.0, 1.0], habitat=["a", "b", None, "a"])
    wrong = wrong.with_columns(pl.when(pl.int_range(16) == 1).then(-4.0).otherwise(pl.col("count")).alias("count"))
    wrong = pl.concat([wrong, wrong.head(1)])
    with pytest.raises(InputError) as error:
        read_panel(wrong, ("habitat",))
    assert rules(error) == ["trend-cell-empty", "trend-count-unusable", "trend-weight-unusable", "trend-count-twice"]
    negative = error.value.findings[1]
    assert (negative.where.row, negative.where.field, negative.facts["value"]) == (3, "count", "-4.0")


def test_a_missing_column_is_named() -> None:
    with pytest.raises(InputError) as error:
        read_panel(table(GOOD).drop("count"), ("habitat",))
    assert [f.facts["column"] for f in error.value.findings] == ["count", "habitat"]


@pytest.mark.parametrize(
    ("column", "values"), [("count", ["3", "4", "NA", "8"]), ("time", [2001.0, 2002.5, 2003.0, 2004.0])]
)
def test_what_is_no_number_is_shown_with_its_row(column: str, values: list[object]) -> None:
    rows = pl.DataFrame({"site": "a", "time": YEARS, "count": [1, 2, 3, 4]}).with_columns(pl.Series(column, values))
    with pytest.raises(InputError) as error:
        read_panel(rows)
    (finding,) = error.value.findings
    assert (finding.rule, finding.where.field) == ("trend-not-a-number", column)
    assert finding.facts["value"] in ("NA", "2002.5")


def test_an_empty_table_is_no_counts() -> None:
    assert refused(table(GOOD).clear()) == ["trend-no-rows"]


def test_peaks_are_never_mixed_with_means() -> None:
    assert refused(table(GOOD, statistic=["peak", "peak", "mean", "peak"])) == ["trend-statistics-mixed"]
    assert fit(table(GOOD, statistic=["peak"] * 4), PLAIN).panel.sites == ("s0", "s1", "s2", "s3")


def test_methods_are_one_series_only_as_a_covariate() -> None:
    two = table(GOOD, method=["ground", "ground", "drone", "drone"])
    assert refused(two) == ["trend-methods-mixed"]
    assert fit(two, TrendModel(2, covariates=("method",), serial_correlation=False)).panel.levels["method"] == (
        "drone",
        "ground",
    )


def test_a_method_that_changes_at_a_site_is_refused_also_as_a_covariate() -> None:
    changed = table(GOOD).with_columns(method=pl.when(pl.col("time") < 2003).then(pl.lit("a")).otherwise(pl.lit("b")))
    assert refused(changed, TrendModel(2, covariates=("method",))) == ["trend-method-changed"]


def test_parties_added_up_without_being_a_covariate_are_pointed_out() -> None:
    found = fit(table(GOOD, party=["west", "west", "east", "east"]), PLAIN)
    assert found.notes[0].rule == "trend-parties-pooled"


def test_sites_without_an_animal_are_left_out_and_named() -> None:
    found = fit(table([*GOOD, [0, 0, None, 0], [None] * 4]), PLAIN)
    assert found.panel.removed == ("s4", "s5")
    assert found.notes[0].facts["n"] == 2
    np.testing.assert_allclose(found.totals().values, fit(table(GOOD), PLAIN).totals().values)


def test_a_site_with_one_count_adds_a_site_and_no_knowledge_of_the_trend() -> None:
    more, less = fit(table([*GOOD, [None, 5, None, None]]), PLAIN), fit(table(GOOD), PLAIN)
    np.testing.assert_allclose(more.solution.coefficients, less.solution.coefficients, atol=1e-9)
    assert more.residual_df == less.residual_df
    assert (more.totals().values > less.totals().values).all()


def test_years_without_counts_and_years_of_zeros_are_said_together() -> None:
    counts = [[3, None, 0, 8, 5], [10, None, 0, 16, 9], [4, None, None, 4, 6]]
    assert refused(table(counts)) == ["trend-time-without-counts", "trend-time-all-zero"]


def test_a_year_in_which_only_sites_without_animals_were_counted_is_a_year_without_counts() -> None:
    lonely = pl.DataFrame({"site": ["nothing"], "time": [2000], "count": [0.0], "habitat": ["a"]})
    counts = pl.concat([table(GOOD, habitat=["b"] * 4), lonely])
    assert refused(counts) == ["trend-time-without-counts"]
    line = fit(counts, TrendModel(2, covariates=(), serial_correlation=False))
    assert line.panel.times == (2000, *YEARS)
    assert [f.rule for f in line.notes][:2] == ["trend-sites-without-animals", "trend-time-without-counts"]


def test_a_straight_line_crosses_a_year_without_counts() -> None:
    counts = table([[3, None, 6, 8], [10, None, 14, 16], [2, None, 2, 5]])
    found = fit(counts, TrendModel(2, serial_correlation=False))
    total = found.totals().values
    assert total[0] < total[1] < total[2]


def test_a_stretch_between_change_points_without_animals_is_refused() -> None:
    counts = table([[3, 4, 0, 0], [10, 9, 0, 0], [2, 3, 0, None]])
    assert refused(counts, TrendModel(2, changepoints=(2001, 2002))) == ["trend-stretch-without-animals"]


def test_a_level_without_animals_in_a_year_is_named() -> None:
    counts = table([*GOOD, [4, 0, 3, 5]], habitat=["a", "a", "a", "a", "b"])
    with pytest.raises(InputError) as error:
        fit(counts, TrendModel(3, covariates=("habitat",)))
    first = error.value.findings[0]
    assert (first.rule, first.facts["level"], first.facts["times"]) == ("trend-level-without-animals", "b", "2002")


def test_years_that_no_site_links_are_shown_in_groups() -> None:
    counts = table([[3, 4, None, None], [10, 9, None, None], [None, None, 2, 5], [None, None, 6, 6]])
    with pytest.raises(InputError) as error:
        fit(counts, PLAIN)
    (finding,) = error.value.findings
    assert (finding.rule, finding.facts["groups"]) == ("trend-times-unlinked", "2001, 2002 | 2003, 2004")


def test_years_linked_only_by_zeros_have_no_finite_effects() -> None:
    counts = table([[3, 4, None, None], [10, 9, 0, None], [None, None, 2, 5], [None, None, 6, 6]])
    assert refused(counts) == ["trend-times-linked-by-zeros"]


def test_linking_is_looked_at_within_each_level() -> None:
    levels = ["a", "a", "a", "b", "b", "b"]
    counts = table(
        [[3, 4, 5, 6], [1, 2, 2, 3], [2, 2, 3, 4], [5, 4, None, None], [None, None, 4, 3], [None, None, 2, 2]]
    )
    with pytest.raises(InputError) as error:
        fit(counts.with_columns(habitat=pl.Series([v for v in levels for _ in YEARS])), TrendModel(3, ("habitat",)))
    (finding,) = error.value.findings
    assert (finding.rule, finding.facts["groups"]) == ("trend-times-unlinked", "b: 2001, 2002 | 2003, 2004")


def test_covariates_that_always_go_together_cannot_be_told_apart() -> None:
    both = table(GOOD, party=["w", "w", "e", "e"], method=["a", "a", "b", "b"])
    assert refused(both, TrendModel(2, covariates=("party", "method"))) == ["trend-confounded"]


def test_a_covariate_that_changes_must_be_told_also_where_nothing_was_counted() -> None:
    grown = table(GOOD).with_columns(cover=pl.when(pl.col("time") < 2003).then(pl.lit("low")).otherwise(pl.lit("high")))
    assert refused(grown.drop_nulls("count"), TrendModel(2, covariates=("cover",))) == ["trend-covariate-unknown"]


def test_numbers_are_levels_in_their_order_and_truth_values_are_levels() -> None:
    panel = read_panel(table(GOOD, zone=[10, 9, 10, 9], wet=[True, False, True, False]), ("zone", "wet"))
    assert panel.levels == {"zone": ("9", "10"), "wet": ("false", "true")}
    assert panel.covariates["zone"][:4].tolist() == [1, 1, 1, 1]


def test_a_change_point_that_is_no_year_or_the_last_one_is_refused() -> None:
    with pytest.raises(InputError) as error:
        fit(table(GOOD), TrendModel(2, changepoints=(1999, 2002, 2004)))
    assert error.value.findings[0].facts["changepoints"] == "1999, 2004"


def test_monthly_counts_have_no_serial_correlation() -> None:
    monthly = table(GOOD).with_columns(month=pl.lit(5))
    assert refused(monthly, TrendModel(3)) == ["trend-months-correlated"]


def test_no_more_counts_than_parameters_is_not_enough() -> None:
    with pytest.raises(NotEnoughData) as error:
        fit(table([[3, 4, 5, 6]]), PLAIN)
    assert (error.value.refusal.have["counts"], error.value.refusal.need["counts"]) == (4, 5)


def test_nothing_but_zeros_is_not_enough() -> None:
    with pytest.raises(NotEnoughData):
        fit(table([[0, 0, 0, 0], [0, 0, 0, 0]]), PLAIN)


def test_counts_without_any_spread_have_the_width_of_poisson_counts() -> None:
    found = fit(table([[2, 2, 2, 2], [4, 4, 4, 4], [3, 3, 3, 3]]), PLAIN)
    assert [f.rule for f in found.notes] == ["trend-no-spread"]
    low, high = found.overall().interval
    assert low < 1 < high


def test_without_neighbouring_counts_the_serial_correlation_is_left_at_zero() -> None:
    odd = [[3, None, 6, None], [10, None, 14, None], [None, 3, None, 5], [None, 4, None, 9], [5, None, None, 8]]
    found = fit(table(odd), TrendModel(2))
    assert found.solution.correlation == 0
    assert "trend-no-neighbours" in [f.rule for f in found.notes]


def test_a_slope_without_end_is_no_answer() -> None:
    separated = table([[5, 0, None, None], [None, None, 0, 4], [None, 0, 3, 0], [2, 0, 0, None]])
    with pytest.raises((DidNotConverge, InputError)):
        fit(separated, TrendModel(2, changepoints="all", serial_correlation=False))


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": 4},
        {"kind": 3, "changepoints": (2001,)},
        {"kind": 1, "covariates": ("habitat",)},
        {"kind": 2, "covariates": ("habitat", "habitat")},
        {"kind": 2, "covariates": ("month",)},
    ],
)
def test_models_that_make_no_sense_are_not_made(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=":"):
        TrendModel(**wrong)  # type: ignore[arg-type]  # wrong on purpose
