"""Two SIMULATED releases of the same stations and animals under unlike pseudonyms, and what is linked between them."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from sharedrange.core.errors import InputError
from sharedrange.core.grids import Grid
from sharedrange.core.release import COUNTS, EFFORT, ENCOUNTERS, STATIONS, VISITS
from sharedrange.core.survey import conform
from sharedrange.sharing.attack import k_anonymity, link_individuals, link_stations, pick_out_rows, unique_share

GRID = Grid("metres", "local:simulated", (5000.0, 10_000.0, 20_000.0))
CAT, PIG = "Panthera pardus orientalis", "Sus scrofa"
MONTHS = [date(2026, month, 1) for month in range(1, 7)]
Tables = dict[str, pl.DataFrame]


def base(seed: int, *, alike: bool = False, n: int = 30, animals: int = 12) -> Tables:
    """A release in cells of 5 km, months and codes; `alike`: all stations watch the same days and see the same."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 40_000, (2, n))
    centre_x, centre_y = GRID.centres(*GRID.cells_of(x, y, 5000.0), 5000.0)
    names = [f"S-{i:02}" for i in range(n)]
    stations = pl.DataFrame({"station": names, "x": centre_x, "y": centre_y, "cell": 5000.0, "camera_type": "paired"})
    effort = [(s, m, 30.0 if alike else float(rng.integers(5, 31))) for s in names for m in MONTHS]
    sexes = rng.choice(["female", "male"], animals)
    met = [] if alike else [
        (names[rng.integers(n)], MONTHS[rng.integers(6)], CAT, f"I-{a:02}", str(sexes[a]), int(rng.integers(1, 4)))
        for a in range(animals) for _ in range(6)
    ]  # fmt: skip
    encounters = pl.DataFrame(
        met, schema=["station", "period", "taxon", "individual", "sex", "encounters"], orient="row"
    ).unique(["station", "period", "individual"], maintain_order=True)
    return {
        "stations": conform(stations, STATIONS),
        "effort": conform(pl.DataFrame(effort, schema=["station", "period", "days_watched"], orient="row"), EFFORT),
        "encounters": conform(encounters, ENCOUNTERS) if met else pl.DataFrame(schema=ENCOUNTERS),
    }


def renamed(tables: Tables, seed: int = 9) -> tuple[Tables, dict[str, str], dict[str, str]]:
    """The same release under other pseudonyms, sorted by them, and who is who."""
    rng = np.random.default_rng(seed)
    stations = sorted(tables["stations"]["station"])
    animals = sorted(set(tables["encounters"]["individual"].drop_nulls()))
    station_of = {s: f"T-{k:02}" for s, k in zip(stations, rng.permutation(len(stations)), strict=True)}
    animal_of = {a: f"J-{k:02}" for a, k in zip(animals, rng.permutation(len(animals)), strict=True)}
    other = {
        name: table.with_columns(pl.col("station").replace_strict(station_of)).sort("station")
        for name, table in tables.items()
    }
    met = other["encounters"].with_columns(pl.col("individual").replace_strict(animal_of, default=None))
    return {**other, "encounters": conform(met, ENCOUNTERS)}, station_of, animal_of


def coarser(tables: Tables, cell: float) -> Tables:
    """The same in larger cells."""
    stations = tables["stations"]
    columns, rows = GRID.cells_of(stations["x"].to_numpy(), stations["y"].to_numpy(), cell)
    x, y = GRID.centres(columns, rows, cell)
    return {**tables, "stations": stations.with_columns(x=x, y=y, cell=pl.lit(cell))}


def by_year(tables: Tables) -> Tables:
    """The same with time told in years."""
    year = pl.col("period").dt.truncate("1y")
    effort = tables["effort"].with_columns(year).group_by("station", "period").agg(pl.col("days_watched").sum())
    keys = [name for name in ENCOUNTERS if name != "encounters"]
    met = tables["encounters"].with_columns(year).group_by(keys).agg(pl.col("encounters").sum())
    return {**tables, "effort": conform(effort, EFFORT), "encounters": conform(met, ENCOUNTERS)}


def test_new_pseudonyms_do_not_hide_stations_that_watched_days_of_their_own() -> None:
    one = base(1)
    other, who, _ = renamed(one)
    attack = link_stations(one, other, who, "month")
    assert attack.success == 1.0
    assert attack.chance == pytest.approx(1 / 30)
    assert not attack.certified


def test_stations_that_all_look_alike_are_linked_by_their_cells_alone() -> None:
    one = base(2, alike=True)
    other, who, _ = renamed(one)
    attack = link_stations(one, other, who, "month")
    in_cell = one["stations"].select(n=pl.len().over("x", "y"))["n"].to_numpy()
    assert attack.success == pytest.approx(np.mean(1 / in_cell))
    nowhere = {**one, "stations": conform(one["stations"].with_columns(x=None, y=None, cell=None), STATIONS)}
    hidden = link_stations(nowhere, other, who, "month")
    assert hidden.success == pytest.approx(1 / 30)
    assert hidden.certified


def test_larger_cells_and_longer_periods_do_not_help_to_link() -> None:
    for seed in range(4):
        one = base(seed, alike=True)
        other, who, _ = renamed(one)
        fine = link_stations(one, other, who, "month").success
        assert link_stations(coarser(one, 20_000.0), coarser(other, 20_000.0), who, "month").success <= fine + 1e-9
        one = base(seed)
        other, who, animals = renamed(one)
        yearly = link_individuals(by_year(one), by_year(other), animals, "year").success
        assert yearly <= link_individuals(one, other, animals, "month").success + 1e-9


def test_releases_of_unlike_cells_and_periods_are_laid_side_by_side() -> None:
    one = base(3)
    other, who, animals = renamed(one)
    other = by_year(coarser(other, 10_000.0))
    assert link_stations(one, other, who, "year").success > 0.9
    assert link_individuals(one, other, animals, "year").success > 0.9


def test_animals_are_linked_by_when_and_where_they_were_met() -> None:
    one = base(4)
    other, _, who = renamed(one)
    attack = link_individuals(one, other, who, "month")
    assert attack.success == 1.0
    assert attack.chance == pytest.approx(1 / 12)


def test_a_release_without_names_has_no_animal_to_link() -> None:
    one = base(5)
    other, _, who = renamed(one)
    nameless = {**one, "encounters": conform(one["encounters"].with_columns(individual=None), ENCOUNTERS)}
    assert link_individuals(nameless, other, who, "month").n == 0


def test_small_counts_that_are_not_told_still_say_that_there_was_one() -> None:
    one = base(6)
    other, _, who = renamed(one)
    few = pl.when(pl.col("encounters") >= 3).then("encounters")
    hidden = {**other, "encounters": other["encounters"].with_columns(encounters=few)}
    attack = link_individuals(one, hidden, who, "month")
    assert 0.5 < attack.success <= 1.0


def test_linking_depends_on_no_order_and_changes_nothing() -> None:
    one = base(7)
    other, who, animals = renamed(one)
    shuffled = {name: table.sample(fraction=1.0, shuffle=True, seed=3) for name, table in other.items()}
    before = {name: table.clone() for name, table in one.items()}
    assert link_stations(one, other, who, "month") == link_stations(one, shuffled, who, "month")
    assert link_individuals(one, other, animals, "month") == link_individuals(one, shuffled, animals, "month")
    assert all(one[name].equals(before[name]) for name in one)


def test_stations_that_only_one_release_has_are_not_asked_for() -> None:
    one = base(8)
    other, who, _ = renamed(one)
    some = dict(list(who.items())[:10])
    assert link_stations(one, other, some, "month").n == 10


def test_a_truth_about_stations_that_are_not_there_is_refused() -> None:
    one = base(8)
    other, who, _ = renamed(one)
    with pytest.raises(InputError, match="attack-truth-missing"):
        link_stations(one, other, {**who, "S-00": "T-99"}, "month")


def met(*rows: tuple[str, int, str, int]) -> Tables:
    """Stations a, b in one cell and c in another; rows: station, month, taxon, encounters."""
    stations = pl.DataFrame(
        {"station": ["a", "b", "c"], "x": [5000.0, 5000.0, 15_000.0], "y": 5000.0, "cell": 10_000.0}
    )
    encounters = pl.DataFrame(
        [(s, MONTHS[m - 1], t, n) for s, m, t, n in rows],
        schema=["station", "period", "taxon", "encounters"],
        orient="row",
    )
    return {"stations": conform(stations, STATIONS), "encounters": conform(encounters, ENCOUNTERS)}


def test_a_row_that_is_alone_in_cell_period_and_taxon_is_picked_out() -> None:
    tables = met(("a", 1, CAT, 1), ("c", 2, CAT, 1), ("a", 1, PIG, 4), ("b", 1, PIG, 2))
    assert unique_share(tables) == 0.5
    attack = pick_out_rows(tables)
    assert attack.success == pytest.approx((1 + 1 + 0.5 + 0.5) / 4)
    assert attack.chance == pytest.approx(0.5)
    assert not attack.certified
    assert k_anonymity(tables).rows() == [(CAT, 1, 2, 2), (PIG, 2, 1, 2)]


def test_rows_that_all_look_alike_single_nobody_out() -> None:
    tables = met(("a", 1, PIG, 1), ("b", 1, PIG, 1))
    attack = pick_out_rows(tables)
    assert attack.success == attack.chance == 0.5
    assert attack.certified


def test_counts_at_sites_are_rows_and_zeros_are_none() -> None:
    visits = pl.DataFrame(
        {"visit": ["v", "w"], "site": ["p", "q"], "x": 1.0, "y": 1.0, "cell": 2.0, "period": MONTHS[:2]}
    )
    rows = pl.DataFrame(
        {"visit": ["v", "w", "w"], "taxon": [CAT, CAT, PIG], "count": [0, 5, None], "suppressed": [False, False, True]}
    )
    tables = {"visits": conform(visits, VISITS), "counts": conform(rows, COUNTS)}
    assert k_anonymity(tables).rows() == [(CAT, 1, 1, 1), (PIG, 1, 1, 1)]


def test_a_release_without_rows_has_nothing_to_pick() -> None:
    assert unique_share({}) == 0.0
    assert pick_out_rows({}).n == 0
    assert k_anonymity({}).is_empty()
