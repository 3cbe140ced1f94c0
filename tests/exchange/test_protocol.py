"""A survey is held against the protocol that partners agreed on; distances are right, and no position is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from sharedrange.core.contents import COUNTS, VISITS, SiteCounts
from sharedrange.core.finding import Finding, Severity
from sharedrange.core.survey import DEPLOYMENTS, EFFORT, OBSERVATIONS, Survey
from sharedrange.exchange.protocol import CameraRules, CountRules, Protocol, check_protocol, read_protocol

WHOLE = """
name = "Snow leopards of the Altai"

[cameras]
per_station = 2
spacing_min_km = 2
spacing_max_km = 6.5
days_min = 60
flanks = "both"
stations_min = 20

[counts]
methods = ["snow-track-transect", "sign-transect"]
visits_min = 2
observers_min = 2
complete = true
"""


def protocol(**cameras: Any) -> Protocol:
    return Protocol("agreed", cameras=CameraRules(**cameras))


def day(number: float) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number)


def deployment(
    name: str, station: str, x: float = 88.0, y: float = 49.0, *, start: float = 0, end: float = 70
) -> dict[str, Any]:
    return {"deployment": name, "station": station, "x": x, "y": y, "start": day(start), "end": day(end)}


def survey(
    *deployments: dict[str, Any],
    effort: list[dict[str, Any]] | None = None,
    observations: list[dict[str, Any]] | None = None,
    frame: str = "EPSG:4326",
    dated: bool = True,
) -> Survey:
    return Survey(
        party="north",
        dataset="cats",
        frame=frame,
        dated=dated,
        deployments=pl.DataFrame(list(deployments), schema=DEPLOYMENTS),
        observations=pl.DataFrame(observations or [], schema=OBSERVATIONS),
        effort=pl.DataFrame(effort or [], schema=EFFORT),
    )


def facts(found: tuple[Finding, ...], rule: str, *keys: str) -> list[tuple[object, ...]]:
    return [tuple(f.facts[key] for key in keys) for f in found if f.rule == rule]


# --- reading ---


def test_a_protocol_is_read_with_all_its_rules(tmp_path: Path) -> None:
    (tmp_path / "protocol.toml").write_text(WHOLE)
    read, found = read_protocol(tmp_path / "protocol.toml")
    assert found == ()
    assert read == Protocol(
        "Snow leopards of the Altai",
        CameraRules(per_station=2, spacing_min_km=2, spacing_max_km=6.5, days_min=60, flanks="both", stations_min=20),
        CountRules(("snow-track-transect", "sign-transect"), visits_min=2, observers_min=2, complete=True),
    )


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("name = ", ["bad-toml"]),
        ("[cameras]\nper_station = 2\n", ["missing-key"]),
        ('name = "a"\n[camera]\n', ["unknown-key"]),
        ('name = "a"\ncameras = 3\n', ["unknown-key"]),
        (
            'name = "a"\n[cameras]\nper_station = "two"\nflanks = "top"\nspacing = 2\n',
            ["setting-type"] * 2 + ["unknown-key"],
        ),
        (
            'name = "a"\n[cameras]\ndays_min = -1\nspacing_min_km = 9\nspacing_max_km = 2\n',
            ["protocol-number", "protocol-spacing-order"],
        ),
        ('name = "a"\n[cameras]\ndays_min = inf\n', ["protocol-number"]),
        ('name = "a"\n[cameras]\ndays_min = nan\n', ["protocol-number"]),
        ('name = "a"\n[counts]\nmethods = ["helicopter"]\n', ["unknown-key"]),
        ("#" * 70_000, ["file-too-large"]),
        ("\0", ["nul-byte"]),
    ],
)
def test_every_mistake_in_a_protocol_is_a_finding(tmp_path: Path, text: str, rules: list[str]) -> None:
    (tmp_path / "protocol.toml").write_text(text)
    read, found = read_protocol(tmp_path / "protocol.toml")
    assert read is None
    assert sorted(f.rule for f in found) == sorted(rules)


def test_a_protocol_that_is_not_there_says_so(tmp_path: Path) -> None:
    assert [f.rule for f in read_protocol(tmp_path / "protocol.toml")[1]] == ["no-such-path"]
    assert [f.rule for f in read_protocol(tmp_path)[1]] == ["no-such-path"]


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=80) | st.sampled_from(WHOLE.split("\n")).map(lambda line: line * 2))
def test_no_text_crashes_the_reader(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "protocol.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    read, found = read_protocol(path)
    assert (read is None) == bool(found)


# --- cameras ---


def test_a_survey_that_keeps_every_rule_has_no_findings() -> None:
    pairs = [deployment(f"d{n}{side}", f"s{n}", x=88 + 0.04 * n) for n in range(3) for side in "ab"]
    seen = [{"individual": "M1", "catalogue": "main", "flank": flank} for flank in ("left", "right")]
    rules = protocol(per_station=2, spacing_min_km=2, spacing_max_km=6.5, days_min=60, flanks="both", stations_min=3)
    assert check_protocol(survey(*pairs, observations=seen), rules) == ()


def test_nothing_is_checked_that_is_not_agreed() -> None:
    assert check_protocol(survey(deployment("d", "s", end=1)), Protocol("empty")) == ()


def test_findings_are_warnings() -> None:
    found = check_protocol(survey(deployment("d", "s", end=1)), protocol(days_min=60, stations_min=2, per_station=2))
    assert {f.severity for f in found} == {Severity.WARNING}
    assert [f.rule for f in found] == ["protocol-stations", "protocol-cameras", "protocol-days"]


def test_cameras_one_after_the_other_are_one_camera() -> None:
    after = survey(deployment("d1", "s", end=30), deployment("d2", "s", start=30))
    assert facts(check_protocol(after, protocol(per_station=2)), "protocol-cameras", "station", "cameras") == [("s", 1)]
    together = survey(deployment("d1", "s", end=31), deployment("d2", "s", start=30))
    assert check_protocol(together, protocol(per_station=2)) == ()


def test_days_are_those_watched_by_any_camera_without_its_gaps() -> None:
    gap = {"deployment": "d1", "start": day(10), "end": day(30), "effort": 0.0, "reason": "snow"}
    cameras = (deployment("d1", "s", end=40), deployment("d2", "s", start=20, end=50))
    found = check_protocol(survey(*cameras, effort=[gap]), protocol(days_min=60))
    assert facts(found, "protocol-days", "station", "days", "needed") == [("s", 40.0, 60)]


def test_days_of_an_undated_survey_are_not_guessed() -> None:
    cameras = [{"deployment": "d", "station": "s", "x": 0.0, "y": 0.0}]
    found = check_protocol(survey(*cameras, frame="local:grid", dated=False), protocol(days_min=60))
    assert [f.rule for f in found] == ["protocol-days-unknown"]


def test_stations_too_near_and_too_far_are_named_with_their_distance() -> None:
    cameras = (deployment("d1", "a"), deployment("d2", "b", x=88.01), deployment("d3", "c", y=49.2))
    found = check_protocol(survey(*cameras), protocol(spacing_min_km=2, spacing_max_km=10))
    assert facts(found, "protocol-too-near", "station", "other", "km") == [("a", "b", 0.7), ("b", "a", 0.7)]
    assert facts(found, "protocol-too-far", "station", "other", "km") == [("c", "a", 22.2)]


def test_two_stations_at_one_point_are_too_near_and_neighbours_of_each_other() -> None:
    found = check_protocol(survey(deployment("d1", "a"), deployment("d2", "b")), protocol(spacing_min_km=2))
    assert facts(found, "protocol-too-near", "station", "other", "km") == [("a", "b", 0.0), ("b", "a", 0.0)]


def test_metres_of_a_local_grid_are_metres() -> None:
    cameras = (deployment("d1", "a", 0.0, 0.0), deployment("d2", "b", 3000.0, 4000.0))
    found = check_protocol(survey(*cameras, frame="local:grid"), protocol(spacing_max_km=4))
    assert facts(found, "protocol-too-far", "km") == [(5.0,), (5.0,)]


@settings(deadline=None, max_examples=40)
@given(st.floats(60, 150), st.floats(25, 65), st.floats(0.02, 1.5), st.floats(0, 360))
def test_distances_are_those_on_the_ellipsoid(x: float, y: float, degrees: float, azimuth: float) -> None:
    geod = Geod(ellps="WGS84")
    other_x, other_y, _ = geod.fwd(x, y, azimuth, degrees * 111_000)
    found = check_protocol(
        survey(deployment("d1", "a", x, y), deployment("d2", "b", other_x, other_y)), protocol(spacing_min_km=1e6)
    )
    (km,), _ = facts(found, "protocol-too-near", "km")
    assert float(str(km)) == pytest.approx(degrees * 111, rel=1e-3, abs=0.051)


def test_no_finding_tells_a_position() -> None:
    cameras = (deployment("d1", "a", 88.12345, 49.98765), deployment("d2", "b", 88.12999, 49.98111))
    rules = protocol(per_station=9, spacing_min_km=99, days_min=999, stations_min=99, flanks="both")
    said = " ".join(str(f) for f in check_protocol(survey(*cameras), rules))
    assert said
    assert not [digits for digits in ("88.1", "49.9", "12345", "98765", "12999", "98111") if digits in said]


@pytest.mark.parametrize(
    ("rule", "flanks", "lacking"),
    [
        ("both", ["left"], "right"),
        ("both", ["left", "right"], None),
        ("both", ["both"], None),
        ("both", [None], "left, right"),
        ("right", ["left", None], "right"),
        ("left", ["left"], None),
        ("any", [None], None),
    ],
)
def test_an_animal_without_the_flank_agreed_is_named(rule: str, flanks: list[str | None], lacking: str | None) -> None:
    seen = [{"individual": "M1", "catalogue": "main", "flank": flank} for flank in flanks]
    found = check_protocol(survey(deployment("d", "s"), observations=[*seen, {"flank": None}]), protocol(flanks=rule))
    wanted = [] if lacking is None else [("M1", lacking)]
    assert facts(found, "protocol-flank", "individual", "lacking") == wanted


# --- counts ---


def test_counts_are_held_against_methods_visits_observers_and_completeness() -> None:
    visits = [
        {"visit": "v1", "site": "a", "method": "sign-transect", "observers": 2, "complete": True},
        {"visit": "v2", "site": "a", "method": "point-count", "observers": 1, "complete": True},
        {"visit": "v3", "site": "b", "method": "sign-transect", "observers": None, "complete": None},
    ]
    counts = SiteCounts("north", "signs", "EPSG:4326", pl.DataFrame(visits, schema=VISITS), pl.DataFrame(schema=COUNTS))
    rules = CountRules(("sign-transect",), visits_min=2, observers_min=2, complete=True)
    found = check_protocol(counts, Protocol("agreed", counts=rules))
    assert facts(found, "protocol-method", "method", "visits") == [("point-count", 1)]
    assert facts(found, "protocol-visits", "site", "visits") == [("b", 1)]
    assert facts(found, "protocol-observers", "visit", "observers") == [("v2", 1), ("v3", "?")]
    assert facts(found, "protocol-incomplete", "visit") == [("v3",)]
    assert check_protocol(counts, Protocol("empty")) == ()
