"""Stations of SIMULATED parks, with positions that are known, and what an attacker makes of their releases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from sharedrange.core.errors import InputError
from sharedrange.core.grids import GEOGRAPHIC, Grid
from sharedrange.core.release import EFFORT, STATIONS
from sharedrange.core.survey import conform
from sharedrange.sharing.anonymity import Known
from sharedrange.sharing.attack import Attack, Positions, recover_stations, stood, true_positions
from sharedrange.sharing.attack.stations import guessed
from sharedrange.sharing.attack.types import judged
from sharedrange.sharing.pseudonyms import Pseudonyms
from sharedrange.sharing.release import Request, Standing, names_needed, release

GRID = Grid("metres", "local:simulated", (1000.0, 5000.0, 10000.0, 20000.0))
SIDE_M = 40_000.0
PARK = shapely.box(0, 0, SIDE_M, SIDE_M)


def trails(rng: np.random.Generator, n: int) -> list[shapely.LineString]:
    """Winding lines of up to 24 km, cut at the park's edge."""
    lines: list[shapely.LineString] = []
    while len(lines) < n:
        bearing = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.4, 12))
        steps = 2000 * np.column_stack([np.cos(bearing), np.sin(bearing)])
        line = shapely.LineString(rng.uniform(0, SIDE_M, 2) + np.cumsum(steps, axis=0)).intersection(PARK)
        if line.length > 5000 and isinstance(line, shapely.LineString):
            lines.append(line)
    return lines


def stations(
    rng: np.random.Generator, lines: Sequence[shapely.LineString], n: int = 60
) -> tuple[list[tuple[float, float]], list[int]]:
    """Stations, four of five beside a trail, and the walk on which each was set."""
    places, walks = [], []
    for i in range(n):
        on = lines and rng.random() < 0.8
        walk = int(rng.integers(len(lines))) if on else -1 - i
        at = rng.uniform(0, SIDE_M, 2)
        if on:
            at = np.array(lines[walk].interpolate(rng.uniform(), normalized=True).coords[0]) + rng.normal(0, 100, 2)
        places.append((float(np.clip(at[0], 1, SIDE_M - 1)), float(np.clip(at[1], 1, SIDE_M - 1))))
        walks.append(walk)
    return places, walks


def released(
    places: Sequence[tuple[float, float]], cell: float, days: Sequence[float] | None = None
) -> tuple[dict[str, pl.DataFrame], Positions]:
    """Tables as a release has them, all stations in cells of one size, and where they stand."""
    x, y = np.array(places).T
    centre_x, centre_y = GRID.centres(*GRID.cells_of(x, y, cell), cell)
    names = [f"S-{i:03}" for i in range(len(places))]
    rows = pl.DataFrame({"station": names, "x": centre_x, "y": centre_y, "cell": cell})
    watched = [30.0] * len(places) if days is None else list(days)
    effort = pl.DataFrame({"station": names, "period": [date(2026, 1, 1)] * len(places), "days_watched": watched})
    truth = Positions(dict(zip(names, places, strict=True)))
    return {"stations": conform(rows, STATIONS), "effort": conform(effort, EFFORT)}, truth


def park(seed: int, n_trails: int = 8) -> tuple[Known, list[tuple[float, float]], list[int]]:
    rng = np.random.default_rng(seed)
    lines = trails(rng, n_trails)
    places, walks = stations(rng, lines)
    return Known(PARK, trails=tuple(lines)), places, walks


def test_cells_of_a_kilometre_give_nearly_every_station_away() -> None:
    known, places, _ = park(1)
    attack = recover_stations(*(released(places, 1000.0)[0], GRID, known, released(places, 1000.0)[1]))
    assert attack.success > 0.95
    assert not attack.certified


def test_trails_through_small_cells_betray_far_more_than_the_cells_do() -> None:
    known, places, _ = park(2)
    tables, truth = released(places, 5000.0)
    with_trails = recover_stations(tables, GRID, known, truth)
    without = recover_stations(tables, GRID, Known(PARK), truth)
    assert with_trails.success > 2 * without.success
    assert not with_trails.certified
    within = recover_stations(tables, GRID, known, truth, against="cells")
    assert within.success == with_trails.success > within.limit
    assert within.chance > with_trails.chance


def test_large_cells_without_trails_are_certified_and_their_success_is_the_share_of_a_cell_in_reach() -> None:
    successes, expected = [], []
    for seed in range(6):
        _, places, _ = park(seed, 0)
        tables, truth = released(places, 10_000.0)
        attack = recover_stations(tables, GRID, Known(PARK), truth)
        assert attack.certified
        assert attack.low <= attack.success <= attack.high
        successes.append(attack.success)
        expected.append(attack.expected)
    in_reach = np.pi / 100  # a disc of 1 km in a cell of 10 km
    assert np.mean(successes) == pytest.approx(in_reach, abs=0.006)
    assert np.mean(expected) == pytest.approx(in_reach, rel=0.02)


def test_stations_set_on_one_walk_are_easier_to_find_together() -> None:
    gained = []
    for seed in range(4):
        known, places, walks = park(seed)
        days = {walk: 1.0 + k % 30 for k, walk in enumerate(dict.fromkeys(walks))}
        dated, truth = released(places, 10_000.0, [days[walk] for walk in walks])
        undated, _ = released(places, 10_000.0)
        gained.append(
            recover_stations(dated, GRID, known, truth).success - recover_stations(undated, GRID, known, truth).success
        )
    assert np.mean(gained) > 0.01
    assert min(gained) > -0.02


def test_plausible_ground_helps_the_attacker_only_where_stations_keep_to_it() -> None:
    rng = np.random.default_rng(4)
    forest = shapely.box(0, 0, SIDE_M, SIDE_M).intersection(
        shapely.union_all([shapely.box(x, 0, x + 1500, SIDE_M) for x in np.arange(0, SIDE_M, 10_000)])
    )
    inside = [
        (float(10_000 * rng.integers(4) + rng.uniform(0, 1500)), float(rng.uniform(0, SIDE_M))) for _ in range(60)
    ]
    tables, truth = released(inside, 10_000.0)
    plain = recover_stations(tables, GRID, Known(PARK), truth)
    helped = recover_stations(tables, GRID, Known(PARK, habitat=forest), truth)
    assert helped.success > 2 * plain.success


def test_an_earlier_release_in_smaller_cells_is_not_forgotten() -> None:
    _, places, _ = park(5, 0)
    coarse, truth = released(places, 10_000.0)
    fine, _ = released(places, 1000.0)
    assert recover_stations(coarse, GRID, Known(PARK), truth).certified
    assert recover_stations(coarse, GRID, Known(PARK), truth, earlier=[fine]).success > 0.95


@settings(max_examples=6, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), n_trails=st.sampled_from([0, 6]))
def test_coarser_cells_never_help_the_attacker(seed: int, n_trails: int) -> None:
    known, places, _ = park(seed, n_trails)
    attacks = []
    for cell in GRID.sizes:
        tables, truth = released(places, cell)
        attacks.append(recover_stations(tables, GRID, known, truth))
    noise = 0.08  # 60 stations: two standard errors of a difference near 0.1
    assert all(b.success <= a.success + noise for a, b in pairwise(attacks))
    assert all(b.expected <= a.expected + 1e-9 for a, b in pairwise(attacks))


def test_longer_periods_never_help_the_attacker() -> None:
    gained = []
    for seed in range(4):
        known, places, walks = park(seed)
        days = {walk: 1.0 + k % 30 for k, walk in enumerate(dict.fromkeys(walks))}
        monthly, truth = released(places, 10_000.0, [days[walk] for walk in walks])
        yearly, _ = released(places, 10_000.0, [float(days[walk] // 15) for walk in walks])  # fewer patterns differ
        gained.append(
            recover_stations(yearly, GRID, known, truth).success - recover_stations(monthly, GRID, known, truth).success
        )
    assert np.mean(gained) <= 0.02


def test_moving_stations_in_their_cells_changes_what_is_found_and_not_what_is_expected() -> None:
    known, places, _ = park(7)
    tables, truth = released(places, 10_000.0)
    attack = recover_stations(tables, GRID, known, truth)
    moved = Positions({name: (x // 10_000 * 10_000 + 1.0, y) for name, (x, y) in truth.of.items()})
    other = recover_stations(tables, GRID, known, moved)
    assert other.expected == attack.expected
    assert other.success != attack.success


def test_the_same_release_is_attacked_the_same_way() -> None:
    known, places, _ = park(8)
    tables, truth = released(places, 5000.0)
    shuffled = {name: table.sample(fraction=1.0, shuffle=True, seed=1) for name, table in tables.items()}
    assert recover_stations(tables, GRID, known, truth) == recover_stations(shuffled, GRID, known, truth)


def test_the_truth_is_neither_in_what_is_told_nor_in_errors() -> None:
    places = [(12345.678, 23456.789), (13456.789, 24567.891)]
    tables, truth = released(places, 10_000.0)
    attack = recover_stations(tables, GRID, Known(PARK), truth)
    lacking = Positions({"S-000": places[0]})
    with pytest.raises(InputError, match="attack-truth-missing") as caught:
        recover_stations(tables, GRID, Known(PARK), lacking)
    said = f"{attack!r} {attack} {truth!r} {lacking} {caught.value} {caught.value.findings}"
    assert not any(digits in said for digits in ("12345", "23456", "13456", "24567"))
    assert dict(caught.value.findings[0].facts) == {"missing": 1, "of": 2}


def test_guessing_is_the_exact_share_of_the_area_within_a_kilometre() -> None:
    area = shapely.box(0, 0, 10_000, 10_000)
    middle, edge, corner = guessed(np.array([[5000.0, 5000.0], [0.0, 5000.0], [0.0, 0.0]]), [area] * 3)
    assert middle == pytest.approx(np.pi / 100, rel=1e-3)
    assert edge == pytest.approx(middle / 2, rel=1e-6)
    assert corner == pytest.approx(middle / 4, rel=1e-6)


def test_a_release_without_positions_leaves_nothing_to_attack() -> None:
    tables, truth = released([(1.0, 1.0), (2.0, 2.0)], 5000.0)
    nowhere = {**tables, "stations": tables["stations"].with_columns(x=None, y=None, cell=None)}
    nowhere["stations"] = conform(nowhere["stations"], STATIONS)
    attack = recover_stations(nowhere, GRID, Known(PARK), truth)
    assert (attack.n, attack.success, attack.certified) == (0, 0.0, True)


def test_a_sliver_of_ground_is_searched_in_little_memory() -> None:
    sliver = shapely.LineString([(100, 100), (39_000, 38_000)]).buffer(0.5)
    tables, truth = released([(20_000.0, 19_500.0)], 20_000.0)
    attack = recover_stations(tables, GRID, Known(sliver), truth)
    assert 0 <= attack.success <= 1


def attack(success: float, n: int, expected: float, chance: float = 0.0) -> Attack:
    return judged("made-up", np.full(n, success), np.full(n, chance), np.full(n, expected))


def test_what_is_certified() -> None:
    assert attack(0.0, 10, 0.04).certified  # too few to show by counting, but not even the attacker hopes for more
    assert not attack(0.0, 10, 0.20).certified  # luck
    assert attack(0.0, 200, 0.20).certified  # the attacker is wrong, and 200 stations show it
    assert not attack(0.06, 10_000, 0.0).certified
    assert attack(0.06, 10_000, 0.0, chance=0.02).certified
    assert attack(0.0, 0, 0.0).certified
    assert not replace(attack(0.0, 10, 0.0), success=0.051).certified


def test_the_interval_is_the_exact_binomial_one() -> None:
    hits = np.array([1.0] * 2 + [0.0] * 8)
    made = judged("made-up", hits, np.zeros(10), hits)
    assert made.low == pytest.approx(0.02521, abs=1e-5)
    assert made.high == pytest.approx(0.55610, abs=1e-5)


def test_a_release_as_it_is_made_is_attacked_with_its_owners_truth(kit: Any) -> None:
    agreement, survey = kit.agreement(), kit.survey()
    content = kit.delivered(survey)
    table = Pseudonyms(agreement.id).with_names(names_needed(content, agreement))
    standing = Standing(frozenset(agreement.parties))
    made = release(content, agreement, Request(kit.RECIPIENT, kit.PURPOSE, kit.TODAY), standing, table)
    truth = true_positions(stood(content, made.tables, table))
    assert sorted(truth.of.values()) == sorted(kit.PLACES)
    known = Known(shapely.box(117.5, 45.5, 119.5, 47.5))
    attack = recover_stations(made.tables, agreement.named_grid, known, truth)
    assert attack.n == len(kit.PLACES)
    assert attack.chance < 0.001
    assert attack.expected == pytest.approx(np.pi / (11.12 * 7.73), rel=0.03)  # sides of the cells in km
    assert attack.success < 0.08


def test_a_station_that_was_moved_stands_where_it_stood_in_each_cell(kit: Any) -> None:
    survey = kit.survey()
    moved = survey.deployments.with_columns(station=pl.lit("one"))
    survey = survey.with_tables(deployments=moved)
    agreement = kit.agreement(kit.HEAD + kit.CATS.replace("least_stations = 2", "least_stations = 0"))
    content = kit.delivered(survey)
    table = Pseudonyms(agreement.id).with_names(names_needed(content, agreement))
    standing = Standing(frozenset(agreement.parties))
    made = release(content, agreement, Request(kit.RECIPIENT, kit.PURPOSE, kit.TODAY), standing, table)
    truth = true_positions(stood(content, made.tables, table))
    cells = made.tables["stations"].select("station", "x", "y")
    assert len(truth.of) == cells.height == 2
    for station, x, y in cells.iter_rows():
        at = truth.of[station]
        assert max(abs(at[0] - x), abs(at[1] - y)) <= 0.05


def test_degrees_and_metres_come_to_the_same() -> None:
    degrees = Grid("degrees", GEOGRAPHIC, (0.1,))
    rows = pl.DataFrame({"station": ["a"], "x": [118.05], "y": [46.05], "cell": [0.1]})
    known = Known(shapely.box(118.0, 46.0, 118.1, 46.1))
    attack = recover_stations({"stations": conform(rows, STATIONS)}, degrees, known, Positions({"a": (118.05, 46.05)}))
    assert attack.chance == pytest.approx(np.pi / (11.12 * 7.73), rel=0.01)  # sides of the cell in km
