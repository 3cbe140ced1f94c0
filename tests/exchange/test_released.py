from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharedrange.core.bursts import BURST_MINUTES, with_bursts
from sharedrange.core.canonical import canonical
from sharedrange.core.common_time import about_window
from sharedrange.core.contents import COUNTS, VISITS, Delivered, SiteCounts
from sharedrange.core.counts import every_taxon
from sharedrange.core.errors import AgreementError
from sharedrange.core.finding import Finding
from sharedrange.core.release import (
    COUNT_TABLES,
    MANIFEST,
    RESOLUTIONS,
    SURVEY_TABLES,
    file_of,
    may_name,
    period_of,
)
from sharedrange.core.survey import DEPLOYMENTS, EFFORT, OBSERVATIONS, Survey, conform, stations
from sharedrange.core.when import Window, day_effort, whole_window
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.doors import check_path, read_delivered
from sharedrange.exchange.released import read
from sharedrange.exchange.store import Store
from sharedrange.sharing.agreement import Agreement, Rule, Valid
from sharedrange.sharing.pseudonyms import Pseudonyms
from sharedrange.sharing.release import Released, Request, Standing, names_needed, release
from sharedrange.sharing.sealing.container import csv_of

OWNER, TIGER, BOAR, CRANE = "westfell", "Panthera tigris", "Sus scrofa", "Grus monacha"
ANIMAL = ("station", "taxon", "catalogue", "individual")
SUMMER_TIME = "Europe/Berlin"  # its clocks change on 2026-03-29


# --- from a delivery to a folder with its release ---


def agreement(rules: Sequence[Rule], timezone: str = "Asia/Shanghai") -> Agreement:
    valid = Valid(date(2026, 1, 1), date(2029, 12, 31))
    return Agreement("urn:a", "SIMULATED", OWNER, ("us",), ("any",), valid, "steward", tuple(rules), timezone=timezone)


def rule(taxa: Sequence[str] = (TIGER,), **changed: Any) -> Rule:
    """A rule that gives all that can be given of cameras, by month."""
    tables = {name: may_name(name) for name in ("stations", "effort", "encounters")}
    given: dict[str, Any] = {
        "tables": tables, "cell": 0.1, "least_stations": 1, "delay_days": 0, "resolution": "month", "identity": "code"
    }  # fmt: skip
    return Rule("r", tuple(taxa), **(given | changed))


def released(content: Delivered, agreed: Agreement) -> Released:
    minted = iter(range(1, 1 << 40))
    names = Pseudonyms(agreed.id).with_names(names_needed(content, agreed), lambda n: next(minted).to_bytes(n, "big"))
    request = Request("us", "any", date(2028, 12, 31))
    return release(content, agreed, request, Standing(frozenset(agreed.parties)), names)


def written(one: Released, folder: Path) -> Path:
    """A folder with a release, as a package that was opened leaves it."""
    folder.mkdir(exist_ok=True)
    (folder / MANIFEST).write_bytes(canonical(one.manifest))
    for name, table in one.tables.items():
        (folder / file_of(name)).write_bytes(csv_of(table))
    (folder / "delivery.toml").write_text(f'party = "{OWNER}"\nformat = "released"\n', encoding="utf-8")
    return folder


def read_back(one: Released) -> tuple[Delivered, tuple[Finding, ...]]:
    with TemporaryDirectory() as place:
        content, _, found = read_delivered(written(one, Path(place) / "release"), OWNER)
    assert content is not None, [str(f) for f in found]
    return content, found


# --- surveys and counts to release ---


def at(day: float, hour: float = 12) -> datetime:
    return datetime(2026, 2, 1, tzinfo=UTC) + timedelta(days=day, hours=hour)


def survey(
    stood: Sequence[Mapping[str, Any]], seen: Sequence[Mapping[str, Any]], gaps: Sequence[Mapping[str, Any]] = ()
) -> Survey:
    """A survey of deployments (station, start, end, detector) and observations (deployment by number, start, code)."""
    deployments = [
        {"deployment": f"d{i}", "x": 118.01 + 0.03 * i, "y": 46.02, "detector": "count", **one}
        for i, one in enumerate(stood)
    ]
    observations = [
        {"observation": f"o{k}", "type": "animal", "taxon": TIGER, "end": one["start"], **one}
        for k, one in enumerate(seen)
    ]
    return Survey(
        OWNER,
        "cameras",
        "EPSG:4326",
        dated=True,
        deployments=conform(pl.DataFrame(deployments, infer_schema_length=None), DEPLOYMENTS),
        observations=conform(pl.DataFrame(observations, infer_schema_length=None), OBSERVATIONS),
        effort=conform(pl.DataFrame([{"effort": 0.0, "reason": "other", **gap} for gap in gaps]), EFFORT),
    )


def simple(detector: str = "count") -> Survey:
    """Two stations, one from the middle of February to the end of April, one in March alone; two tigers, a boar."""
    stood = [
        {"station": "a", "start": at(14, 0), "end": at(88, 0), "detector": detector},
        {"station": "b", "start": at(30, 0), "end": at(50, 0), "detector": detector},
    ]
    seen = [
        {"deployment": "d0", "start": at(20), "individual": "T1", "sex": "female"},
        {"deployment": "d0", "start": at(21), "individual": "T1", "sex": "female"},
        {"deployment": "d0", "start": at(60), "individual": "T1"},
        {"deployment": "d1", "start": at(40), "individual": "T2", "life_stage": "adult", "flank": "left"},
        {"deployment": "d1", "start": at(41), "taxon": BOAR},
    ]
    return survey(stood, seen)


def counts(complete: bool = True) -> SiteCounts:
    """Three visits of two lakes and a walked ridge; cranes, gulls and the track of a tiger."""
    visits = [
        {"visit": "v1", "site": "lake", "x": 118.01, "y": 46.01, "start": at(1), "method": "waterbird-count"},
        {"visit": "v2", "site": "mere", "x": 118.31, "y": 46.01, "start": at(40), "method": "waterbird-count"},
        {"visit": "v3", "site": "ridge", "x": 118.61, "y": 46.01, "start": at(2), "method": "snow-track-transect"},
    ]
    told = {"effort": 30.0, "effort_unit": "minutes", "complete": complete, "observers": 2}
    rows = [("v1", CRANE, 5, None), ("v1", "Larus", 9, None), ("v3", TIGER, 2, "track")]
    return SiteCounts(
        OWNER,
        "field",
        "EPSG:4326",
        visits=conform(pl.DataFrame([visit | told for visit in visits]), VISITS),
        counts=conform(pl.DataFrame(rows, schema=["visit", "taxon", "count", "sign"], orient="row"), COUNTS),
    )


ALL_COUNTS = {"visits": may_name("visits"), "counts": may_name("counts")}

# --- what has to come back ---


def met(one: Survey, timezone: str, resolution: str, unit: str) -> dict[tuple[str | None, ...], int]:
    """(station, taxon, catalogue, code, period) -> bursts, or days with at least one."""
    day = pl.col("start").dt.convert_time_zone(timezone).dt.date()
    where = pl.col("deployment").replace_strict(stations(one), return_dtype=pl.String)
    rows = one.observations.with_columns(day=day, station=where)
    rows = with_bursts(rows, ANIMAL, BURST_MINUTES)
    rows = rows.with_columns(period=pl.col("day").map_elements(lambda d: period_of(d, resolution), pl.Date))
    grouped = rows.group_by(*ANIMAL, "period").agg(burst=pl.col("burst").n_unique(), day=pl.col("day").n_unique())
    return {tuple(row[:-1]): row[-1] for row in grouped.select(*ANIMAL, "period", unit).iter_rows()}


def told(one: Released) -> dict[tuple[str | None, ...], int]:
    rows = one.tables["encounters"].with_columns(pl.col("encounters").fill_null(1))
    return {tuple(row[:-1]): row[-1] for row in rows.select(*ANIMAL, "period", "encounters").iter_rows()}


def days_watched(one: Survey, timezone: str, resolution: str) -> dict[tuple[str, date], float]:
    """(station, period) -> days watched, where there are any."""
    window = whole_window([one], timezone)
    if not window.dated:
        return {}
    days: dict[tuple[str, date], float] = {}
    for station, shares in day_effort(one, window, stations(one)).items():
        for k, share in enumerate(shares, start=1):
            key = station, period_of(window.day(k), resolution)
            days[key] = days.get(key, 0.0) + share
    return {key: n for key, n in days.items() if n > 0}


def check_same(one: Released, back: Survey, agreed: Agreement, resolution: str) -> None:
    """What `one` says of cameras is what `back` says of them."""
    tables, zone = one.tables, agreed.timezone
    effort = {(station, period): n for station, period, n in tables["effort"].iter_rows()}
    assert days_watched(back, zone, resolution) == pytest.approx(effort, abs=1e-6)
    kinds = dict(tables["stations"].select("station", "detector").iter_rows())
    by_burst, by_day = met(back, zone, resolution, "burst"), met(back, zone, resolution, "day")
    assert by_burst == told(one)
    days_alone = {key: n for key, n in told(one).items() if kinds.get(key[0]) not in {"count", None}}
    assert {key: by_day[key] for key in days_alone} == days_alone
    places = back.deployments.select("station", "x", "y", "uncertainty_m").unique().sort("station")
    if tables["stations"].height:
        assert places.rows() == tables["stations"].select("station", "x", "y", "uncertainty_m").rows()
    if effort:
        edges = day_effort(back, whole_window([back], zone), stations(back))
        window = whole_window([back], zone)
        for deployment, occasion in back.observations.select("deployment", window.occasion("start")).iter_rows():
            assert edges[stations(back)[deployment]][occasion - 1] > 0, "met on a day when nobody watched"


HOURS: st.SearchStrategy[float] = st.integers(0, 24 * 100).map(float)
DETECTORS = st.sampled_from(["count", "proximity", "multi", None])
SPANS = st.tuples(HOURS, st.floats(0.5, 24 * 60))
COLUMNS = {name: st.lists(st.sampled_from(may_name(name)), unique=True) for name in ("stations", "encounters")}


@st.composite
def surveys(draw: st.DrawFn) -> Survey:
    """Cameras that come, stop and go, and animals that they met, now and then when they should have been asleep."""
    n = draw(st.integers(1, 4))
    stood, gaps = [], []
    for i in range(n):
        start, hours = draw(SPANS)
        station = draw(st.sampled_from(["a", "b", None]))
        stood.append(
            {"station": station, "start": at(0, start), "end": at(0, start + hours), "detector": draw(DETECTORS)}
        )
        if hours > 4 and draw(st.booleans()):
            gaps.append({"deployment": f"d{i}", "start": at(0, start + hours / 4), "end": at(0, start + hours / 2)})
    whose = st.tuples(st.integers(0, n - 1), st.sampled_from([TIGER, BOAR]), st.sampled_from(["1", "2", "=3", None]))
    when = st.one_of(HOURS, st.integers(0, 60).map(lambda k: 900 + k / 2))  # the second: a baited night
    seen = []
    for (i, taxon, code), hour in draw(st.lists(st.tuples(whose, when), min_size=1, max_size=60)):
        catalogue = draw(st.sampled_from([None, "other"])) if code else None
        seen.append(
            {"deployment": f"d{i}", "start": at(0, hour), "taxon": taxon, "individual": code, "catalogue": catalogue}
        )
    return survey(stood, seen, gaps)


@st.composite
def agreements(draw: st.DrawFn) -> tuple[Agreement, str]:
    """An agreement about cameras, and how long its periods are."""
    resolution = draw(st.sampled_from(RESOLUTIONS))
    tables: dict[str, tuple[str, ...]] = {name: tuple(draw(columns)) for name, columns in COLUMNS.items()} | {
        "effort": ()
    }
    for name in draw(st.sampled_from([(), (), ("stations",), ("effort",), ("effort", "stations")])):
        del tables[name]
    one = rule(
        [TIGER, BOAR],
        tables=tables,
        resolution=resolution,
        cell=draw(st.sampled_from([None, 0.01, 0.1])),
        least_stations=draw(st.integers(1, 2)),
        few_stations=draw(st.sampled_from(["withhold", "join"])),
        identity=draw(st.sampled_from(["none", "pseudonym", "code"])),
        suppress_below=draw(st.sampled_from([0, 0, 3])),
    )
    return agreement([one], draw(st.sampled_from(["Asia/Shanghai", SUMMER_TIME]))), resolution


@settings(max_examples=120, deadline=None)
@given(surveys(), agreements())
def test_every_release_of_cameras_reads_back_as_it_was(held: Survey, agreed: tuple[Agreement, str]) -> None:
    try:
        one = released(Delivered(survey=held), agreed[0])
    except AgreementError:
        return  # nothing was left to release
    back, _ = read_back(one)
    assert back.survey is not None
    assert (back.survey.party, back.survey.resolution) == (OWNER, agreed[1])
    check_same(one, back.survey, *agreed)


def test_a_simple_release_is_told_in_days_that_anybody_can_check() -> None:
    one = released(Delivered(survey=simple()), agreement([rule()], "UTC"))
    back, found = read_back(one)
    assert back.survey is not None
    stood = back.survey.deployments.sort("station", "start").select(
        pl.col("start").dt.strftime("%m-%d %H:%M"), pl.col("end").dt.strftime("%m-%d %H:%M")
    )
    assert stood.rows() == [
        ("02-15 00:00", "03-01 00:00"),  # goes on into March: the last days of February
        ("03-01 00:00", "04-01 00:00"),
        ("04-01 00:00", "04-30 00:00"),
        ("03-01 00:00", "03-21 00:00"),  # in March alone: its first days
    ]
    first = back.survey.observations.filter(pl.col("individual") == "T1").sort("start")
    assert first["start"].dt.strftime("%m-%d %H:%M").to_list() == ["02-18 12:00", "02-25 12:00", "04-15 12:00"]
    assert first["start_text"].to_list() == ["2026-02-01/2026-02-28"] * 2 + ["2026-04-01/2026-04-30"]
    assert [f.rule for f in found] == ["released-dated", "released-cells"]
    assert 7 < float(str(found[1].facts["cell_km"])) < 12  # a tenth of a degree


def test_animals_met_on_more_days_than_are_told_spread_over_shares_of_days() -> None:
    """A camera that ran for the evening hours of twelve days, and met an animal on each of them."""
    evenings = [{"deployment": "d0", "start": at(k, 2), "end": at(k + 1, 0)} for k in range(12)]
    seen = [{"deployment": "d0", "start": at(k, 1), "individual": "T1"} for k in range(12)]
    held = survey([{"start": at(0, 0), "end": at(12, 0), "detector": "proximity"}], seen, evenings)
    one = released(Delivered(survey=held), agreement([rule()], "UTC"))
    assert one.tables["effort"]["days_watched"].to_list() == [1.0]
    back, _ = read_back(one)
    assert back.survey is not None
    check_same(one, back.survey, agreement([rule()], "UTC"), "month")
    assert back.survey.effort.height == 11


def test_the_bursts_of_a_baited_night_stay_bursts() -> None:
    """Sixty bursts in the thirty hours that a camera ran, told as one day."""
    seen = [{"deployment": "d0", "start": at(3, k / 2), "taxon": BOAR} for k in range(60)]
    held = survey([{"start": at(3, 0), "end": at(4, 6)}], seen)
    agreed = agreement([rule([BOAR])], "UTC")
    one = released(Delivered(survey=held), agreed)
    assert one.tables["effort"]["days_watched"].to_list() == [1.0]
    assert one.tables["encounters"]["encounters"].to_list() == [60]
    back, _ = read_back(one)
    assert back.survey is not None
    check_same(one, back.survey, agreed, "month")


def test_a_day_of_23_hours_is_a_day() -> None:
    stood = [{"start": at(54, 0), "end": at(56, 22)}]  # until the midnight that ends 29 March
    held = survey(stood, [{"deployment": "d0", "start": at(56, 12), "individual": "T1"}])
    agreed = agreement([rule(resolution="day")], SUMMER_TIME)
    one = released(Delivered(survey=held), agreed)
    assert date(2026, 3, 29) in one.tables["effort"]["period"].to_list()
    back, _ = read_back(one)
    assert back.survey is not None
    check_same(one, back.survey, agreed, "day")


# --- counts ---


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*(st.lists(st.sampled_from(may_name(name)), unique=True) for name in ("visits", "counts"))),
    st.sampled_from(RESOLUTIONS),
    st.sampled_from([None, 0.1]),
    st.sampled_from([((CRANE,), 0), ((CRANE, TIGER), 4), (("*",), 0), (("*",), 4)]),
    st.booleans(),
)
def test_every_release_of_counts_reads_back_with_its_zeros(
    columns: tuple[list[str], list[str]], resolution: str, cell: float | None, whose: tuple[Any, int], complete: bool
) -> None:
    (taxa, least), (of_visits, of_counts) = whose, columns
    tables = {"visits": tuple(of_visits), "counts": tuple(of_counts)}
    agreed = agreement([rule(taxa, tables=tables, resolution=resolution, cell=cell, suppress_below=least)])
    one = released(Delivered(counts=counts(complete)), agreed)
    back, _ = read_back(one)
    assert back.counts is not None
    kept = [name for name in COUNTS if name in COUNT_TABLES["counts"]]
    assert back.counts.counts.select(kept).rows() == one.tables["counts"].select(kept).rows()
    begun = back.counts.visits["start"].dt.convert_time_zone(agreed.timezone)
    assert begun.dt.date().to_list() == one.tables["visits"]["period"].to_list()
    assert set(begun.dt.hour()) == {0}
    assert back.counts.visits.select("x", "y").rows() == one.tables["visits"].select("x", "y").rows()
    both = {"effort", "effort_unit"} <= set(of_visits)
    assert (back.counts.visits["effort"].null_count() == 0) == both
    assert (back.counts.visits["effort_unit"].null_count() == 0) == both


@pytest.mark.parametrize("taxa", [(CRANE, TIGER), ("*",)])
def test_zeros_are_those_of_the_owner_method_by_method_and_sign_by_sign(taxa: tuple[str, ...]) -> None:
    held = counts()
    back, _ = read_back(released(Delivered(counts=held), agreement([rule(taxa, tables=ALL_COUNTS)])))
    assert back.counts is not None

    def numbers(one: SiteCounts) -> list[tuple[Any, ...]]:
        rows = every_taxon(one).filter(pl.col("taxon").is_in([CRANE, TIGER]))
        return sorted(rows.select("method", "taxon", "sign", "count").rows(), key=str)

    assert numbers(back.counts) == numbers(held)
    assert ("waterbird-count", CRANE, None, 0) in numbers(held)


def test_tracks_stay_where_the_word_for_them_may_not_leave() -> None:
    bare = {"visits": may_name("visits"), "counts": ("count",)}
    one = released(Delivered(counts=counts()), agreement([rule((CRANE, TIGER), tables=bare)]))
    assert TIGER not in one.tables["counts"]["taxon"].to_list()
    assert ("signs", 1, TIGER) in {(w.reason, w.n, w.what) for w in one.withheld}


# --- names ---


def test_animals_without_the_column_for_names_leave_as_one_row() -> None:
    tables = {**rule().tables, "encounters": ("encounters",)}
    seen = [{"deployment": "d0", "start": at(20 + k), "individual": f"T{k}"} for k in range(3)]
    held = survey([{"start": at(0), "end": at(88)}], seen)
    one = released(Delivered(survey=held), agreement([rule(tables=tables, resolution="year")]))
    assert one.tables["encounters"].select("individual", "encounters").rows() == [(None, 3)]


def test_equal_codes_of_two_catalogues_are_not_made_one_animal() -> None:
    tables = {**rule().tables, "encounters": ("encounters", "individual")}
    seen = [
        {"deployment": "d0", "start": at(20 + k), "individual": "T1", "catalogue": name}
        for k, name in enumerate(["old", "new"])
    ]
    held = survey([{"start": at(0), "end": at(88)}], seen)
    one = released(Delivered(survey=held), agreement([rule(tables=tables, resolution="year")]))
    assert one.tables["encounters"]["individual"].to_list() == [None]


def test_a_night_over_the_end_of_a_period_is_one_day_of_the_first() -> None:
    seen = [
        {"deployment": "d0", "start": at(27, 23.9), "individual": "T1"},
        {"deployment": "d0", "start": at(28, 0.1), "individual": "T1"},
    ]
    held = survey([{"start": at(0), "end": at(88), "detector": "proximity"}], seen)
    one = released(Delivered(survey=held), agreement([rule()], "UTC"))
    assert one.tables["encounters"].select("period", "encounters").rows() == [(date(2026, 2, 1), 1)]


# --- what is refused, and what is said ---


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A released folder that a test may spoil."""
    content = Delivered(survey=simple(), counts=counts())
    rules = [rule((TIGER, BOAR)), rule((CRANE,), tables=ALL_COUNTS)]
    return written(released(content, agreement(rules)), tmp_path / "release")


def rules_of(folder: Path) -> list[str]:
    content, _, found = read_delivered(folder, OWNER)
    assert content is None
    return sorted({f.rule for f in found if f.severity == "error"})


def changed(folder: Path, table: str, **columns: Any) -> None:
    """Other values in every row of one table of a release."""
    path = folder / file_of(table)
    rows = pl.read_csv(path, infer_schema=False)
    rows.with_columns(pl.lit(value).alias(name) for name, value in columns.items()).write_csv(path)


def test_the_folder_of_the_tests_is_sound(folder: Path) -> None:
    content, _, found = read_delivered(folder, OWNER)
    assert content is not None
    assert content.survey is not None
    assert content.counts is not None
    assert {f.severity for f in found} == {"note", "warning"}
    assert [f.rule for f in found if f.severity == "warning"] == ["released-cells"]


@pytest.mark.parametrize(
    ("table", "columns", "expected"),
    [
        ("stations", {"x": "118.0500001"}, "released-no-centre"),
        ("stations", {"cell": "0.03"}, "released-no-centre"),
        ("stations", {"uncertainty_m": None}, "missing-value"),
        ("stations", {"x": None}, "half-position"),
        ("stations", {"x": "somewhere"}, "bad-coordinate"),
        ("stations", {"y": "96.05"}, "position-no-place"),
        ("stations", {"detector": "net"}, "unknown-word"),
        ("stations", {"name": "Ridge"}, "released-column"),
        ("stations", {"station": "S-1"}, "released-twice"),
        ("effort", {"period": "2026-02-02"}, "released-period"),
        ("effort", {"period": "20260201"}, "released-period"),
        ("effort", {"period": None}, "missing-value"),
        ("effort", {"days_watched": "31.5"}, "not-a-whole-number"),
        ("effort", {"days_watched": "32"}, "out-of-range"),
        ("effort", {"days_watched": "0"}, "out-of-range"),
        ("effort", {"days_watched": "NaN"}, "missing-value"),
        ("effort", {"station": "S-1"}, "released-station"),
        ("encounters", {"encounters": "0"}, "out-of-range"),
        ("encounters", {"encounters": "2000000000"}, "out-of-range"),
        ("encounters", {"period": "2026-06-01"}, "released-unwatched"),
        ("encounters", {"sex": "tom"}, "unknown-word"),
        ("encounters", {"taxon": None}, "missing-value"),
        ("visits", {"method": "guess"}, "unknown-word"),
        ("visits", {"visit": "V-1"}, "released-twice"),
        ("counts", {"visit": "V-1"}, "unknown-visit"),
        ("counts", {"count": "-1"}, "out-of-range"),
        ("counts", {"suppressed": "perhaps"}, "not-true-or-false"),
    ],
)
def test_tables_that_no_release_makes_are_refused(
    folder: Path, table: str, columns: dict[str, Any], expected: str
) -> None:
    changed(folder, table, **columns)
    assert expected in rules_of(folder)


def test_more_days_with_an_animal_than_a_period_has_are_refused(folder: Path) -> None:
    changed(folder, "stations", detector="proximity")
    changed(folder, "encounters", encounters="32")
    assert rules_of(folder) == ["out-of-range"]


def test_all_that_is_wrong_is_told_at_once(folder: Path) -> None:
    changed(folder, "stations", detector="net")
    changed(folder, "effort", days_watched="400")
    changed(folder, "counts", count="many")
    assert rules_of(folder) == ["not-a-whole-number", "out-of-range", "unknown-word"]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("format", "sharedrange-release-9", "released-format"),
        ("owner", "eastfell", "party-differs"),
        ("owner", None, "released-manifest"),
        ("timezone", "Mars/Olympus", "released-manifest"),
        ("frames", {}, "released-manifest"),
        ("frames", {"survey": {"resolution": "hour"}}, "released-manifest"),
        ("frames", {"genotypes": {"resolution": "day"}}, "released-manifest"),
        ("grid", {"id": "g", "crs": "EPSG:32652", "sizes": [1000.0]}, "released-manifest"),
        ("grid", {"id": "g", "crs": "geographic", "sizes": [0.1, 0.25]}, "released-manifest"),
        ("grid", {"id": "g", "crs": "geographic", "sizes": "0.1"}, "released-manifest"),
        ("tables", {"stations": {"file": "../stations.csv", "sha256": ""}}, "released-manifest"),
        ("tables", {"stations": {"file": "stations.csv", "sha256": "0" * 64}}, "file-changed"),
    ],
)
def test_a_manifest_that_no_release_has_is_refused(folder: Path, key: str, value: Any, expected: str) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes()) | {key: value}
    (folder / MANIFEST).write_bytes(canonical(manifest))
    assert rules_of(folder) == [expected]


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"[" * 100_000, b"\xff\xfe"])
def test_a_manifest_that_is_none_is_refused_and_nothing_is_raised(folder: Path, content: bytes) -> None:
    (folder / MANIFEST).write_bytes(content)
    assert rules_of(folder)


@pytest.mark.parametrize("name", sorted({**SURVEY_TABLES, **COUNT_TABLES}))
def test_a_table_that_is_missing_is_told(folder: Path, name: str) -> None:
    (folder / file_of(name)).unlink()
    assert rules_of(folder) == ["no-table"]


JUNK = st.binary(max_size=12) | st.sampled_from(
    [b'"', b",,", b"\n", b"\xef\xbb\xbf", b"]", b"null", b"1e999", b"-1", b"NaN"]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([MANIFEST, *map(file_of, (*SURVEY_TABLES, *COUNT_TABLES))]),
    st.floats(0, 1),
    JUNK,
    st.integers(0, 40),
)
def test_no_damage_to_a_release_makes_the_door_fall(
    folder: Path, name: str, cut: float, junk: bytes, gone: int
) -> None:
    path = folder / name
    before = path.read_bytes()
    at_byte = int(cut * len(before))
    path.write_bytes(before[:at_byte] + junk + before[at_byte + gone :])
    try:
        content, found = read(folder, Delivery(OWNER, "release", "released"))
    finally:
        path.write_bytes(before)
    assert content is not None or any(f.severity == "error" for f in found)


def test_a_release_is_known_without_delivery_toml(folder: Path) -> None:
    (folder / "delivery.toml").unlink()
    content, _ = check_path(folder)
    assert content is not None
    assert content.survey is not None
    assert content.survey.party == OWNER


def test_a_table_beside_the_release_is_not_read_and_a_warning_says_so(folder: Path) -> None:
    (folder / "raw.csv").write_text("x,y\n1,2\n", encoding="utf-8")
    content, found = read(folder, Delivery(OWNER, "release", "released"))
    assert content is not None
    assert "unread-file" in {f.rule for f in found}


def test_small_numbers_that_were_withheld_are_at_least_one_and_a_note_says_so() -> None:
    one = released(Delivered(survey=simple()), agreement([rule(suppress_below=2)]))
    back, found = read_back(one)
    assert one.tables["encounters"]["encounters"].null_count() == 2
    assert back.survey is not None
    assert back.survey.observations.height == 2 + 2
    assert {f.rule: dict(f.facts) for f in found}["released-few-told"] == {"rows": 2, "table": "encounters"}


def test_what_the_agreement_did_not_give_is_unknown_and_a_warning_says_so() -> None:
    only = {"encounters": may_name("encounters")}
    back, found = read_back(released(Delivered(survey=simple()), agreement([rule(tables=only)])))
    assert back.survey is not None
    assert back.survey.deployments.select("x", "y", "start", "end").null_count().row(0) == (2, 2, 2, 2)
    missing = {"released-without-effort", "released-without-places"}
    assert {f.rule for f in found if f.severity == "warning"} == missing
    placeless, found = read_back(released(Delivered(survey=simple()), agreement([rule(cell=None)])))
    assert placeless.survey is not None
    assert {f.rule for f in found if f.severity == "warning"} == {"released-without-places"}


# --- windows ---


def test_a_window_through_a_period_is_a_warning_that_names_it() -> None:
    back, _ = read_back(released(Delivered(survey=simple()), agreement([rule()])))
    assert back.survey is not None

    def said(first: date, last: date) -> list[Any]:
        window = Window(first, last, "Asia/Vladivostok")  # days begin two hours before those of the release
        found = about_window([back.survey], window, window)  # type: ignore[list-item]  # it is there
        return [f.facts["periods"] for f in found if f.rule == "window-cuts-periods"]

    assert said(date(2026, 2, 1), date(2026, 4, 30)) == []
    assert said(date(2026, 3, 1), date(2026, 3, 31)) == []
    assert said(date(2026, 3, 25), date(2026, 4, 30)) == ["2026-03-01"]
    assert said(date(2026, 2, 20), date(2026, 4, 10)) == ["2026-02-01, 2026-04-01"]
    assert about_window([simple()], Window(), Window(date(2026, 3, 25), date(2026, 4, 10)))[0].rule == "window-cut"


def test_the_store_keeps_how_long_the_periods_are(folder: Path, tmp_path: Path) -> None:
    content, _, _ = read_delivered(folder, OWNER)
    assert content is not None
    assert content.survey is not None
    store = Store(tmp_path / "store")
    store.import_(content, "0" * 64, reader="", notes="")
    kept = store.delivered((OWNER, content.survey.dataset, "0" * 64))
    assert kept is not None
    assert kept.survey is not None
    assert kept.survey.resolution == "month"
