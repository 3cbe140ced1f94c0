"""Visits become one value a site and year by a stated rule, and zero is not missing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl
import pytest

from sharedrange.core.contents import COUNTS, VISITS, SiteCounts
from sharedrange.core.errors import InputError
from sharedrange.core.survey import conform
from sharedrange.population.trend import TrendModel, fit, yearly_counts

CRANE = frozenset({"Antigone vipio"})
Visit = tuple[str, str, str, int | None]  # site, day, method, count of cranes (None: not listed)


def counted(party: str, visits: Sequence[Visit], *, complete: bool = True, extra: Sequence[object] = ()) -> SiteCounts:
    rows = [
        {"visit": f"v{i}", "site": site, "start": _at(day), "method": method, "complete": complete}
        for i, (site, day, method, _) in enumerate(visits)
    ]
    cranes = [
        {"visit": f"v{i}", "taxon": "Antigone vipio", "count": n} for i, (*_, n) in enumerate(visits) if n is not None
    ]
    table = pl.DataFrame([*cranes, *extra], infer_schema_length=None)
    return SiteCounts(party, "d", "EPSG:4326", conform(pl.DataFrame(rows), VISITS), conform(table, COUNTS))


def _at(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


WEST = [
    ("a", "2020-04-01", "ground", 5),
    ("a", "2020-04-20", "ground", 9),
    ("a", "2021-04-02", "ground", None),
    ("b", "2020-04-01", "ground", 2),
]


def test_the_peak_is_the_highest_visit_and_the_mean_their_mean() -> None:
    peak, _ = yearly_counts([counted("west", WEST)], CRANE)
    mean, _ = yearly_counts([counted("west", WEST)], CRANE, "mean")
    assert peak.select("site", "time", "count").rows() == [
        ("west/a", 2020, 9),
        ("west/a", 2021, 0),
        ("west/b", 2020, 2),
    ]
    assert mean["count"].to_list() == [7, 0, 2]
    assert peak["visits"].to_list() == [2, 1, 1]


def test_what_a_visit_that_was_not_complete_does_not_list_is_unknown() -> None:
    table, _ = yearly_counts([counted("west", WEST, complete=False)], CRANE)
    assert table["count"].to_list() == [9, None, 2]


def test_an_uncounted_part_leaves_a_visit_unknown_and_stages_are_summed() -> None:
    young = {"visit": "v0", "taxon": "Antigone vipio", "count": 3, "life_stage": "juvenile"}
    unsure = {"visit": "v3", "taxon": "Antigone vipio", "count": None, "life_stage": "juvenile"}
    table, _ = yearly_counts([counted("west", WEST, extra=[young, unsure])], CRANE, "mean")
    assert table["count"].to_list() == [8.5, 0, None]


def test_signs_are_no_animals_and_methods_that_never_list_a_species_do_not_look_for_it() -> None:
    visits = [*WEST, ("c", "2020-01-10", "snow-track-transect", None)]
    track = {"visit": "v4", "taxon": "Antigone vipio", "count": 8, "sign": "track"}
    table, _ = yearly_counts([counted("west", visits, extra=[track])], CRANE)
    assert table["site"].unique().sort().to_list() == ["west/a", "west/b"]


def test_a_winter_belongs_to_the_year_in_which_it_ends() -> None:
    visits = [("a", "2020-12-20", "ground", 4), ("a", "2021-01-20", "ground", 6), ("a", "2021-07-01", "ground", 50)]
    table, _ = yearly_counts([counted("west", visits)], CRANE, season=(11, 2))
    assert table.select("time", "count", "visits").rows() == [(2021, 6, 2)]


def test_the_day_is_that_of_the_zone() -> None:
    visits = [("a", "2020-12-31T23:00", "ground", 4)]
    table, _ = yearly_counts([counted("west", visits)], CRANE, timezone="Asia/Vladivostok")
    assert table["time"].to_list() == [2021]


def test_one_partys_peaks_and_anothers_means_are_no_series() -> None:
    both = [counted("west", WEST), counted("east", WEST)]
    with pytest.raises(InputError) as error:
        yearly_counts(both, CRANE, {"west": "peak", "east": "mean"})
    assert [f.rule for f in error.value.findings] == ["trend-statistics-mixed"]
    with pytest.raises(InputError) as error:
        yearly_counts(both, CRANE, {"west": "peak"})
    assert [f.rule for f in error.value.findings] == ["trend-statistic-untold"]
    alike, _ = yearly_counts(both, CRANE, {"west": "peak", "east": "peak"})
    assert alike["statistic"].unique().to_list() == ["peak"]


def test_two_methods_at_one_site_in_one_year_are_no_value() -> None:
    with pytest.raises(InputError) as error:
        yearly_counts([counted("west", [*WEST, ("b", "2020-05-01", "drone", 7)])], CRANE)
    (finding,) = error.value.findings
    assert (finding.rule, finding.facts["methods"]) == ("trend-methods-at-one-site", "drone, ground")


def test_a_species_that_nobody_counted_is_said() -> None:
    with pytest.raises(InputError) as error:
        yearly_counts([counted("west", WEST)], frozenset({"Grus monacha"}))
    assert [f.rule for f in error.value.findings] == ["trend-taxon-not-counted"]


def test_more_visits_make_higher_peaks_and_that_is_pointed_out() -> None:
    _, notes = yearly_counts([counted("west", WEST)], CRANE)
    assert notes == ()
    many = [("a", f"2020-04-{day:02}", "ground", 5) for day in range(1, 7)] + [("a", "2021-04-01", "ground", 5)]
    _, notes = yearly_counts([counted("west", many)], CRANE)
    assert [f.rule for f in notes] == ["trend-peaks-uneven-visits"]
    _, notes = yearly_counts([counted("west", many)], CRANE, "mean")
    assert notes == ()


def test_the_sites_of_parties_stay_apart_and_their_trends_are_compared() -> None:
    years = range(2015, 2021)
    west = [(s, f"{y}-04-01", "ground", 5 + i + 2 * (y - 2015)) for i, s in enumerate("abc") for y in years]
    east = [(s, f"{y}-04-01", "ground", 25 + i - 3 * (y - 2015)) for i, s in enumerate("abc") for y in years]
    table, _ = yearly_counts([counted("west", west), counted("east", east)], CRANE)
    found = fit(table, TrendModel(2, covariates=("party",), serial_correlation=False))
    assert found.panel.sites == ("east/a", "east/b", "east/c", "west/a", "west/b", "west/c")
    (test,) = [t for t in found.tests() if t.about == "party"]
    assert test.p < 0.001
