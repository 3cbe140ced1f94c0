"""What the owner's truth says of two releases laid together, and what totals before and after tell."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharedrange.core.release import COUNTS, EFFORT, ENCOUNTERS, STATIONS, VISITS
from sharedrange.core.survey import conform
from sharedrange.sharing.attack import (
    Late,
    Stood,
    changes_between,
    compare_successive,
    is_in,
    link_individuals,
    link_stations,
    resolution_told,
    same_places,
    stood,
    told_late,
)
from sharedrange.sharing.pseudonyms import Pseudonyms
from sharedrange.sharing.release import Request, Standing, names_needed, release

CAT, PIG = "Panthera pardus orientalis", "Sus scrofa"
MONTHS = [date(2026, month, 1) for month in range(1, 7)]
Tables = dict[str, pl.DataFrame]


def survey_told(seed: int, side: float, origin: float, mark: str, *, n: int = 24, animals: int = 10) -> Tables:
    """The same SIMULATED survey as another agreement tells it: cells of a side and origin, names of its own."""
    rng = np.random.default_rng(seed)
    at = rng.uniform(0, 40_000, (n, 2))
    days = rng.integers(5, 31, (n, len(MONTHS))).astype(float)
    met = sorted({(int(rng.integers(n)), int(rng.integers(6)), a) for a in range(animals) for _ in range(5)})
    x, y = ((np.floor((at - origin) / side) + 0.5) * side + origin).T
    names = [f"S-{mark}{i:02}" for i in range(n)]
    effort = [(s, m, days[i, k]) for i, s in enumerate(names) for k, m in enumerate(MONTHS)]
    rows = [(names[i], MONTHS[k], CAT, f"I-{mark}{a:02}", 1) for i, k, a in met]
    encounters = pl.DataFrame(rows, ["station", "period", "taxon", "individual", "encounters"], orient="row")
    return {
        "stations": conform(pl.DataFrame({"station": names, "x": x, "y": y, "cell": side}), STATIONS),
        "effort": conform(pl.DataFrame(effort, ["station", "period", "days_watched"], orient="row"), EFFORT),
        "encounters": conform(encounters, ENCOUNTERS),
    }


def counterparts(one: Tables, table: str, column: str) -> dict[str, str]:
    """Which name ending in ``a..`` is which ending in ``b..``."""
    return {name: name.replace("-a", "-b") for name in one[table][column].drop_nulls().unique()}


@pytest.mark.parametrize("seed", range(3))
def test_animals_are_linked_over_cells_that_do_not_nest_by_their_linked_stations(seed: int) -> None:
    one, other = survey_told(seed, 5000.0, 0.0, "a"), survey_told(seed, 7000.0, 1500.0, "b")
    assert link_stations(one, other, counterparts(one, "stations", "station"), "month").success == 1.0
    animals = counterparts(one, "encounters", "individual")
    assert link_individuals(one, other, animals, "month").success == 1.0


def test_an_animal_that_both_releases_call_the_same_is_linked_for_sure() -> None:
    one, other = survey_told(1, 5000.0, 0.0, "a"), survey_told(2, 5000.0, 0.0, "a")
    same = {
        name: name
        for name in one["encounters"]["individual"].unique()
        if name in set(other["encounters"]["individual"])
    }
    assert link_individuals(one, other, same, "month").success == 1.0


def test_periods_are_taken_for_the_coarsest_that_they_all_are_whole_ones_of() -> None:
    def told(*days: date) -> Tables:
        rows = pl.DataFrame({"station": "a", "period": list(days), "days_watched": 1.0})
        return {"effort": conform(rows, EFFORT)}

    assert resolution_told(told(date(2026, 1, 1), date(2026, 7, 1))) == "quarter"
    assert resolution_told(told(date(2026, 1, 1), date(2026, 2, 1))) == "month"
    assert resolution_told(told(date(2026, 1, 5), date(2026, 1, 12))) == "week"
    assert resolution_told(told(date(2026, 1, 5), date(2026, 1, 6))) == "day"


def test_a_station_that_was_moved_is_the_same_in_the_cells_where_it_stood(kit: Any) -> None:
    """In small cells it has a name in each; in one large cell it has one: the small ones are both that one."""
    moved = kit.survey().deployments.with_columns(station=pl.lit("one"))
    content = kit.delivered(kit.survey().with_tables(deployments=moved))
    small, large = (
        told(kit, content, cell=0.1, ident=kit.AGREEMENT),
        told(kit, content, cell=0.2, ident="urn:agreement:b"),
    )
    assert len(small) == 2
    assert len(large) == 1
    assert same_places(small, large) == dict.fromkeys(small, next(iter(large)))
    (back,) = same_places(large, small).items()
    assert back[1] in small


def told(kit: Any, content: Any, *, cell: float, ident: str) -> Mapping[str, Stood]:
    """What the stations are that leave in such cells under an agreement of this id."""
    text = kit.HEAD.replace(kit.AGREEMENT, ident) + kit.cats(kit.LEOPARD, kit.TIGER, cell=cell)
    agreement = kit.agreement(text.replace("least_stations = 2", "least_stations = 0"))
    names = Pseudonyms(agreement.id).with_names(names_needed(content, agreement))
    request, standing = Request(kit.RECIPIENT, kit.PURPOSE, kit.TODAY), Standing(frozenset(agreement.parties))
    return stood(content, release(content, agreement, request, standing, names).tables, names)


def test_what_a_released_place_is_does_not_show_in_its_repr() -> None:
    assert repr(Stood(("station", "us", "data", "spring"), ((118.1, 46.2),))) == "Stood()"


@given(x=st.floats(-1e4, 1e4), y=st.floats(-1e4, 1e4), side=st.floats(1.0, 1e4))
def test_a_position_is_in_the_cell_around_it_and_in_none_beside(x: float, y: float, side: float) -> None:
    assert is_in((x, y), (x, y, side))
    assert is_in((x, y), (x + side / 2, y - side / 2, side))
    assert not is_in((x, y), (x + 0.51 * side, y, side))


# -- totals before and after --------------------------------------------------------------------------------------


def cats(*rows: tuple[str, int, str, int | None]) -> Tables:
    """Stations a, b in one cell and c in another, each watched in January; rows: station, month, animal, encounters."""
    stations = pl.DataFrame({"station": ["a", "b", "c"], "x": [5e3, 5e3, 15e3], "y": 5e3, "cell": 1e4})
    effort = pl.DataFrame({"station": ["a", "b", "c"], "period": MONTHS[0], "days_watched": 30.0})
    encounters = pl.DataFrame(
        [(s, MONTHS[m - 1], CAT, i, n) for s, m, i, n in rows],
        {"station": pl.String, "period": pl.Date, "taxon": pl.String, "individual": pl.String, "encounters": pl.Int32},
        orient="row",
    )
    return {
        "stations": conform(stations, STATIONS),
        "effort": conform(effort, EFFORT),
        "encounters": conform(encounters, ENCOUNTERS),
    }


def test_a_new_animal_and_a_new_station_are_seen_in_totals_by_cell() -> None:
    before = cats(("a", 1, "F1", 2), ("c", 1, "M2", 1))
    one = changes_between(before, cats(("a", 1, "F1", 2), ("c", 1, "M2", 1), ("c", 1, "F3", 1)))
    (cat,) = one
    assert (cat.before.tolist(), cat.after[cat.where]) == ([1.0, 1.0], 2.0)
    assert compare_successive(one).success == 1.0
    fewer = {**before, "stations": before["stations"].filter(pl.col("station") != "b")}
    (station,) = changes_between(fewer, before)
    assert station.after.sum() - station.before.sum() == 1
    (gone,) = changes_between(before, fewer)
    assert gone.after.sum() - gone.before.sum() == -1


def test_animals_that_were_added_in_many_cells_at_once_are_told_from_guessing_less_well() -> None:
    before = cats(("a", 1, "F1", 2))
    two = changes_between(before, cats(("a", 1, "F1", 2), ("a", 1, "F2", 1), ("c", 1, "F3", 1)))
    assert compare_successive(two).success == 0.5


def test_nothing_new_is_no_change() -> None:
    tables = cats(("a", 1, "F1", 2))
    assert changes_between(tables, tables) == ()
    assert told_late(tables, tables) == Late(0, 0)
    assert changes_between({}, {}) == ()


def test_rows_late_are_those_of_places_and_periods_that_were_told_of() -> None:
    before = cats(("a", 1, "F1", 2), ("b", 1, "M2", None))
    after = cats(("a", 1, "F1", 5), ("b", 1, "M2", 4), ("c", 1, "F1", 1), ("c", 2, "F1", 1))
    assert told_late(before, after) == Late(added=1, told=1)


def test_counts_that_have_grown_enough_to_be_told_are_counted() -> None:
    visits = conform(pl.DataFrame({"visit": ["v", "w"], "site": ["p", "q"], "period": MONTHS[:2]}), VISITS)
    few = pl.DataFrame({"visit": ["v", "w"], "taxon": [PIG, PIG], "count": [None, 5], "suppressed": [True, False]})
    more = pl.DataFrame({"visit": ["v", "w", "w"], "taxon": [PIG, PIG, CAT], "count": [3, 5, 1], "suppressed": False})
    before = {"visits": visits, "counts": conform(few, COUNTS)}
    assert told_late(before, {"visits": visits, "counts": conform(more, COUNTS)}) == Late(added=1, told=1)


# -- people ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Homo sapiens", "homo sapiens", "Homo"])
@pytest.mark.parametrize("of", ["*", "itself"])
def test_people_never_leave_whatever_the_record_is_called(kit: Any, name: str, of: str) -> None:
    survey = kit.survey(seen=((0, 3, kit.LEOPARD, "F1"), (1, 4, name, "Ivan"), (1, 5, name, None)))
    agreement = kit.agreement(kit.HEAD + kit.cats("*" if of == "*" else name, kit.LEOPARD))
    content = kit.delivered(survey)
    names = Pseudonyms(agreement.id).with_names(names_needed(content, agreement))
    assert "Ivan" not in str(names.names)
    request, standing = Request(kit.RECIPIENT, kit.PURPOSE, kit.TODAY), Standing(frozenset(agreement.parties))
    made = release(content, agreement, request, standing, names)
    assert set(made.tables["encounters"]["taxon"]) == {kit.LEOPARD}
    assert {one.reason: one.n for one in made.withheld}["people-and-vehicles"] == 2


def test_people_are_no_rows_of_counts_at_sites(kit: Any) -> None:
    sites = kit.counts()
    with_people = sites.counts.with_columns(taxon=pl.col("taxon").replace("Larus canarius", "Homo sapiens"))
    content = kit.delivered(
        sites=kit.SiteCounts(sites.party, sites.dataset, sites.frame, visits=sites.visits, counts=with_people)
    )
    agreement = kit.agreement(kit.HEAD + kit.CRANES.replace(f'"{kit.CRANE}"', '"*"'))
    names = Pseudonyms(agreement.id).with_names(names_needed(content, agreement))
    request, standing = Request(kit.RECIPIENT, kit.PURPOSE, kit.TODAY), Standing(frozenset(agreement.parties))
    assert set(release(content, agreement, request, standing, names).tables["counts"]["taxon"]) == {kit.CRANE}
