"""The store: what went in comes out, questions agree with the plain way of asking, and nothing is lost or doubled."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharedrange.core.contents import (
    ALLELES,
    COUNTS,
    FIXES,
    PATROL_OBSERVATIONS,
    PATROLS,
    PROPOSALS,
    SAMPLES,
    VISITS,
    Crossings,
    Delivered,
    Genotypes,
    Patrols,
    Proposals,
    SiteCounts,
    Tracks,
)
from sharedrange.core.errors import Cancelled, InputError
from sharedrange.core.survey import DEPLOYMENTS, EFFORT, OBSERVATIONS, Survey, conform
from sharedrange.exchange.doors import check_path
from sharedrange.exchange.store import Selection, Store, duck
from sharedrange.exchange.store.generations import reading
from sharedrange.exchange.store.layout import TABLES

ROOT = Path(__file__).parent.parent.parent
S1 = ("north", "cameras", "s1")  # key of the delivery that most tests begin with
START = datetime(2023, 12, 30, tzinfo=UTC)
SURVEY_TABLES = ("deployments", "effort", "media", "observations")


def season(name: str = "a", n: int = 40, *, year: int = 0, party: str = "north") -> Delivered:
    """Two cameras at one station and one at another over New Year; a fox every 20 minutes, a tiger every 7 hours."""
    start = START.replace(year=START.year + year)
    deployments = [
        {"deployment": f"{name}{k}", "station": s, "start": start, "end": start + timedelta(days=40)}
        for k, s in enumerate(("river", "river", "ridge"))
    ]
    gap = {
        "deployment": f"{name}2",
        "start": start + timedelta(days=10),
        "end": start + timedelta(days=15),
        "reason": "snow",
    }
    foxes = [fox(name, k, start + timedelta(minutes=20 * k + (k // 6) * 45)) for k in range(n)]
    tigers = [tiger(name, k, start + timedelta(hours=7 * k)) for k in range(n)]
    return Delivered(
        survey=Survey(
            party, "cameras", "EPSG:4326", dated=True,
            deployments=conform(pl.DataFrame(deployments), DEPLOYMENTS),
            effort=conform(pl.DataFrame([gap]), EFFORT),
            observations=conform(pl.DataFrame([*foxes, *tigers], infer_schema_length=None), OBSERVATIONS),
            source="as delivered",
        ),
        not_carried=("bait",),
    )  # fmt: skip


def fox(name: str, k: int, at: datetime) -> dict[str, object]:
    """A fox without a name."""
    return {
        "observation": f"{name}f{k}",
        "deployment": f"{name}{k % 2}",
        "start": at,
        "end": at,
        "type": "animal",
        "taxon": "Vulpes vulpes",
    }


def tiger(name: str, k: int, at: datetime) -> dict[str, object]:
    """One of three tigers, twice within a minute every fifth time."""
    named = {"taxon": "Panthera tigris", "individual": f"T{k % 3}", "catalogue": "left"}
    at = at - timedelta(hours=6, minutes=59) if k % 5 == 1 else at
    return {"observation": f"{name}t{k}", "deployment": f"{name}2", "start": at, "type": "animal", **named}


def same(a: Delivered, b: Delivered) -> bool:
    """Whether two deliveries hold the same surveys, row for row."""
    assert a.survey is not None
    assert b.survey is not None
    equal = all(getattr(a.survey, t).equals(getattr(b.survey, t)) for t in SURVEY_TABLES)
    facts = [(s.party, s.dataset, s.frame, s.dated, s.source, s.kind) for s in (a.survey, b.survey)]
    return equal and facts[0] == facts[1] and a.not_carried == b.not_carried


def files(store: Store) -> set[str]:
    """Every Parquet file that lies in a store's folder."""
    return {p.relative_to(store.folder).as_posix() for p in store.folder.rglob("*.parquet")}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path / "work" / "store")


# --- in and out ---


def test_what_goes_in_comes_out(store: Store) -> None:
    assert store.import_(season(), "s1")
    back = store.delivered(S1)
    assert back is not None
    assert same(back, season())
    assert store.delivered(("north", "cameras", "unknown")) is None


@pytest.mark.parametrize("name", ["tests/data/exchange/camtrapdp_example", "examples/two-halves/own/nets"])
def test_real_deliveries_come_out_as_they_went_in(store: Store, name: str) -> None:
    delivered, _ = check_path(ROOT / name)
    assert delivered is not None
    store.import_(delivered, "s1")
    assert delivered.survey is not None
    back = store.delivered((delivered.survey.party, delivered.survey.dataset, "s1"))
    assert back is not None
    assert same(back, delivered)


def test_every_other_thing_that_a_delivery_can_hold_comes_out_too(store: Store) -> None:
    at = {"start": START, "at": START, "taken": START}
    row = {
        kept.name: conform(pl.DataFrame([{**at, kept.schema.names()[0]: "id"}]), kept.schema)
        for kept in TABLES.values()
    }
    assert [row[k].schema for k in ("visits", "counts")] == [VISITS, COUNTS]
    assert [row[k].schema for k in ("fixes", "samples", "alleles")] == [FIXES, SAMPLES, ALLELES]
    assert [row[k].schema for k in ("patrols", "patrol_observations")] == [PATROLS, PATROL_OBSERVATIONS]
    assert row["proposals"].schema == PROPOSALS
    whose = ("north", "all", "EPSG:4326")
    delivered = Delivered(
        counts=SiteCounts(*whose, row["visits"], row["counts"]),
        tracks=Tracks(*whose, row["fixes"]),
        genotypes=Genotypes(*whose, row["samples"], row["alleles"]),
        patrols=Patrols(*whose, row["patrols"], row["patrol_observations"]),
        proposals=Proposals("north", "all", row["proposals"]),
        crossings=Crossings("north", "all", "quarter", "UTC", row["crossings"]),
    )
    store.import_(delivered, "s1")
    back = store.delivered(("north", "all", "s1"))
    assert back is not None
    assert back.survey is None
    for kept in TABLES.values():
        if kept.part != "survey":
            assert getattr(getattr(back, kept.part), kept.field).equals(row[kept.name]), kept.name


def test_files_lie_by_table_party_dataset_and_year(store: Store) -> None:
    store.import_(season(), "s1")
    folders = {name.rpartition("/")[0] for name in files(store) if name.startswith("observations")}
    assert folders == {f"observations/party=north/dataset=cameras/year={year}" for year in (2023, 2024)}


@pytest.mark.parametrize("at_once", [1, 7, 1_000_000])
def test_files_are_in_order_however_few_rows_are_written_at_once(store: Store, at_once: int) -> None:
    given = season().survey
    assert given is not None
    with pl.Config(streaming_chunk_size=at_once):
        store.import_(season(), "s1")
    for year in (2023, 2024):
        (name,) = (name for name in files(store) if name.startswith("observations") and f"year={year}" in name)
        of_year = given.observations.with_row_index("row").filter(pl.col("start").dt.year() == year)
        assert pl.read_parquet(store.folder / name).equals(of_year.sort("deployment", "start", "row"))


@pytest.mark.parametrize("cells", [1, 200, 1_000_000])
def test_rows_come_out_in_their_order_however_few_columns_are_read_at_once(
    store: Store, monkeypatch: pytest.MonkeyPatch, cells: int
) -> None:
    store.import_(season(), "s1")
    monkeypatch.setattr(duck, "_CELLS_AT_ONCE", cells)
    back, foxes = store.delivered(S1), store.delivered(S1, taxa={"Vulpes vulpes"})
    whole = season().survey
    assert back is not None
    assert foxes is not None
    assert foxes.survey is not None
    assert whole is not None
    assert same(back, season())
    assert foxes.survey.observations.equals(whole.observations.filter(pl.col("taxon") == "Vulpes vulpes"))


def test_a_name_that_could_not_stand_in_a_path_keeps_its_row(store: Store) -> None:
    strange = "../ü/" + "снег" * 40
    store.import_(season(party=strange), "s1")
    assert store.rates()["party"].unique().to_list() == [strange]
    assert all(path.resolve().is_relative_to(store.folder.resolve()) for path in store.folder.rglob("*"))


# --- incremental ---


def test_the_same_source_twice_changes_nothing(store: Store) -> None:
    assert store.import_(season(), "s1")
    before, state = files(store), (store.folder / "current").read_text()
    assert not store.import_(season(), "s1")
    assert (files(store), (store.folder / "current").read_text()) == (before, state)


def test_a_new_season_only_adds_files(store: Store) -> None:
    store.import_(season(), "s1")
    before = {name: (store.folder / name).stat().st_mtime_ns for name in files(store)}
    store.import_(season("b", year=1), "s2")
    assert {name: (store.folder / name).stat().st_mtime_ns for name in before} == before
    assert len(store.imports()) == 2


def test_a_row_that_is_there_already_is_refused_by_its_id(store: Store) -> None:
    store.import_(season(), "s1")
    more = season()
    with pytest.raises(InputError) as caught:
        store.import_(more, "s2")
    assert [(f.rule, f.facts["table"], f.facts["n"]) for f in caught.value.findings] == [
        ("store-repeated", "observations", 80)
    ]
    assert [i.source for i in store.imports()] == ["s1"]


def test_a_deployment_may_come_again_only_as_it_was(store: Store) -> None:
    store.import_(season(), "s1")
    other = season("b")
    assert other.survey is not None
    again = season().survey
    assert again is not None
    store.import_(Delivered(survey=other.survey.with_tables(deployments=again.deployments)), "s2")
    moved = again.deployments.with_columns(station=pl.lit("elsewhere"))
    with pytest.raises(InputError) as caught:
        store.import_(Delivered(survey=season("c").survey.with_tables(deployments=moved)), "s3")  # type: ignore[union-attr]  # a survey
    assert caught.value.findings[0].facts["table"] == "deployments"


def test_a_correction_takes_the_place_of_what_it_corrects(store: Store) -> None:
    store.import_(season(), "s1")
    store.import_(season(n=30), "s2", replaces=True)
    assert [i.source for i in store.imports()] == ["s2"]
    back = store.delivered(("north", "cameras", "s2"))
    assert back is not None
    assert same(back, season(n=30))


def test_what_is_removed_is_gone_and_its_files_go_with_the_next_import(store: Store) -> None:
    store.import_(season(), "s1")
    old = files(store)
    assert store.remove(S1)
    assert not store.remove(S1)
    assert store.rates().is_empty()
    store.import_(season("b", year=3), "s2")
    assert not old & files(store)


def test_pieces_of_a_delivery_are_one_delivery(tmp_path: Path) -> None:
    whole, pieces = Store(tmp_path / "whole"), Store(tmp_path / "pieces")
    survey = season().survey
    assert survey is not None
    whole.import_(season(), "s1")
    shares: list[float] = []
    cut = [survey.observations[k : k + 7] for k in range(0, survey.observations.height, 7)]
    rest = survey.with_tables(deployments=survey.deployments[:0], effort=survey.effort[:0])
    first = Delivered(survey=survey.with_tables(observations=cut[0]), not_carried=("bait",))
    stream = [first, *(Delivered(survey=rest.with_tables(observations=rows)) for rows in cut[1:])]
    pieces.import_(stream, "s1", shares.append)
    assert pieces.events().equals(whole.events())
    assert pieces.captures().equals(whole.captures())
    assert pieces.effort().equals(whole.effort())
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


# --- crashes and company ---


def test_an_import_that_is_stopped_leaves_the_old_state(store: Store) -> None:
    store.import_(season(), "s1")
    rates = store.rates()
    before = files(store), rates

    def stop(share: float) -> None:
        if share > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        store.import_(season("b", year=1), "s2", stop)
    assert files(store) == before[0]
    assert store.rates().equals(before[1])
    assert not list(store.folder.glob(".staging*"))


_KILLED = """
import os, signal, sys
from sharedrange.exchange.store import Store
from sharedrange.exchange.store import store as module
sys.path.insert(0, {tests!r})
from test_store import season
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if {at!r} == "sorting":
    Store({folder!r}).import_(season("b", year=1), "s2", lambda share: die() if share > 0.3 else None)
known = module.commit.__globals__
write = known["write_atomically"]
known["write_atomically"] = lambda path, content: die() if path.name == {at!r} else write(path, content)
Store({folder!r}).import_(season("b", year=1), "s2")
"""


@pytest.mark.parametrize("at", ["sorting", "00000003.json", "current"])
def test_a_killed_import_leaves_the_old_state_and_the_next_one_clears_up(store: Store, at: str) -> None:
    store.import_(season(), "s1")
    rates = store.rates()
    before = files(store)
    code = _KILLED.format(tests=str(Path(__file__).parent), folder=str(store.folder), at=at)
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.returncode == -9, done.stderr.decode()
    assert files(store) > before
    assert store.rates().equals(rates)
    assert store.import_(season("b", year=1), "s2")
    named = {part.path for known in store.imports() for part in known.parts}
    assert files(store) == named
    assert not list(store.folder.glob(".staging*"))


_IMPORTS = """
import sys
sys.path.insert(0, {tests!r})
from test_store import season
from sharedrange.exchange.store import Store
for k in range(3):
    Store({folder!r}).import_(season({name!r} + str(k), year=k), {name!r} + str(k))
"""


def test_two_processes_import_at_once_while_a_third_reads(store: Store) -> None:
    store.import_(season(), "s0")
    line = [sys.executable, "-c"]
    codes = [_IMPORTS.format(tests=str(Path(__file__).parent), folder=str(store.folder), name=name) for name in "xy"]
    running = [subprocess.Popen([*line, code], stderr=subprocess.PIPE) for code in codes]
    per_import = store.events().height
    seen = set()
    while any(process.poll() is None for process in running):
        seen.add(store.events().height / per_import)
        time.sleep(0.02)
    assert [process.communicate()[1].decode() for process in running] == ["", ""]
    assert seen <= set(range(1, 8))
    assert sorted(i.source for i in store.imports()) == ["s0", "x0", "x1", "x2", "y0", "y1", "y2"]
    assert store.events().height == 7 * per_import


def test_files_that_somebody_reads_are_not_cleared_away(store: Store) -> None:
    store.import_(season(), "s1")
    with reading(store.folder) as generation:
        store.remove(S1)
        store.import_(season("b", year=1), "s2")
        assert all((store.folder / path).exists() for path in generation.paths())
    store.import_(season("c", year=2), "s3")
    assert not any((store.folder / path).exists() for path in generation.paths())


@pytest.mark.parametrize("hurt", ["current", "generations/00000001.json"])
def test_a_damaged_manifest_is_a_finding(store: Store, hurt: str) -> None:
    store.import_(season(), "s1")
    for content in (b"\xff\xfe", b"00000009.json", b'{"imports": [3]}', b"[" * 100_000):
        (store.folder / hurt).write_bytes(content)
        with pytest.raises(InputError) as caught:
            store.rates()
        assert caught.value.findings[0].rule in {"store-damaged", "system-refused"}


def test_a_damaged_or_missing_file_is_a_finding(store: Store) -> None:
    store.import_(season(), "s1")
    store.derive()
    file = next(store.folder.glob("events/**/*.parquet"))
    for spoil in (lambda: file.write_bytes(file.read_bytes()[:100]), file.unlink):
        spoil()
        with pytest.raises(InputError) as caught:
            store.rates()
        assert caught.value.findings[0].rule == "store-damaged"
    file = next(store.folder.glob("observations/**/*.parquet"))
    for spoil in (lambda: file.write_bytes(file.read_bytes()[:100]), file.unlink):
        spoil()
        with pytest.raises(InputError) as caught:
            store.delivered(S1)
        assert caught.value.findings[0].rule == "store-damaged"


# --- who read it, and whether it is whole ---


def test_what_another_reader_read_is_not_taken_for_ours(store: Store) -> None:
    store.import_(season(), "s1", reader="old", notes="[1]")
    assert (store.notes(S1, "old"), store.notes(S1, "new")) == ("[1]", None)
    assert store.import_(season(n=30), "s1", reader="new")
    assert (store.notes(S1, "old"), store.notes(S1, "new")) == (None, "")
    assert [known.reader for known in store.imports()] == ["new"]


@pytest.mark.parametrize("table", ["observations", "notes", "events"])
def test_one_changed_byte_is_noticed(store: Store, table: str) -> None:
    store.import_(season(), "s1", notes="[1, 2]")
    store.derive()
    file = next(p for p in (store.folder / table).rglob("*") if p.is_file())
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert store.notes(S1, "") is None


def test_a_store_that_is_cleared_can_be_used_again_whatever_was_damaged(store: Store) -> None:
    store.import_(season(), "s1")
    store.derive()
    (store.folder / "current").write_bytes(b"\xff")
    store.clear()
    assert store.imports() == ()
    store.import_(season("b", year=1), "s2")
    assert files(store) == {part.path for known in store.imports() for part in known.parts}


def test_two_parties_may_deliver_the_same_bytes(store: Store) -> None:
    for party in ("north", "south"):
        store.import_(season(party=party), "s1")
    south = store.delivered(("south", "cameras", "s1"))
    assert south is not None
    assert same(south, season(party="south"))


def test_taxa_can_be_chosen_and_tables_left_out(store: Store) -> None:
    store.import_(season(), "s1")
    back, whole = store.delivered(S1, taxa={"Panthera tigris"}, without=("effort",)), season().survey
    assert back is not None
    assert back.survey is not None
    assert whole is not None
    assert back.survey.observations.equals(whole.observations.filter(pl.col("taxon") == "Panthera tigris"))
    assert back.survey.effort.is_empty()
    assert back.survey.deployments.equals(whole.deployments)


# --- questions ---


def bursts(rows: pl.DataFrame, key: list[str], minutes: float) -> pl.DataFrame:
    """The bursts of observations by the counting engine's rule."""
    from sharedrange.core.bursts import with_bursts

    grouped = with_bursts(rows, key, minutes).group_by(*key, "burst")
    return grouped.agg(pl.col("start").min(), pl.col("end").max(), n=pl.len())


def observed(delivered: Delivered) -> pl.DataFrame:
    """Observations with the station of their deployment."""
    survey = delivered.survey
    assert survey is not None
    return survey.observations.join(survey.deployments.select("deployment", "station"), on="deployment")


@pytest.mark.parametrize("minutes", [30, 45, 60.5, 400, 100_000])
def test_events_are_those_of_the_counting_engine(store: Store, minutes: float) -> None:
    store.import_(season(), "s1")
    key = ["station", "taxon"]
    expected = bursts(observed(season()), key, minutes).sort(*key, "start")
    found = store.events(independence_minutes=minutes)
    assert found.select(*key, "start").equals(expected.select(*key, "start"))
    assert found["records"].to_list() == expected["n"].to_list()
    counted = store.rates(independence_minutes=minutes)
    assert dict(counted.select("taxon", pl.col("events") + pl.col("events_without_effort")).iter_rows()) == dict(
        expected.group_by("taxon").agg(pl.len()).iter_rows()
    )


def test_intervals_shorter_than_the_stored_ones_are_refused(store: Store) -> None:
    store.import_(season(), "s1")
    asked: list[Callable[..., object]] = [store.rates, store.events, store.captures]
    for question in asked:
        with pytest.raises(InputError) as caught:
            question(independence_minutes=5)
        assert caught.value.findings[0].rule == "independence-too-short"


def test_effort_is_that_of_stations_with_gaps_taken_out_and_cameras_joined(store: Store) -> None:
    store.import_(season(), "s1")
    effort = store.effort()
    days = dict(effort.group_by("station").agg(pl.col("station_days").sum()).iter_rows())
    assert days == {"river": 40.0, "ridge": 35.0}
    december = effort.filter(pl.col("month") == date(2023, 12, 1))
    assert december["station_days"].to_list() == [2.0, 2.0]


def test_months_begin_at_the_midnight_of_the_zone(store: Store) -> None:
    store.import_(season(), "s1")
    effort = store.effort(Selection(timezone="Asia/Vladivostok")).filter(pl.col("month") == date(2023, 12, 1))
    assert effort["station_days"].to_list() == [pytest.approx(2 - 10 / 24)] * 2


def test_a_station_that_two_deliveries_watched_at_once_watched_once(store: Store) -> None:
    store.import_(season(), "s1")
    store.import_(season("b"), "s2")
    days = dict(store.effort().group_by("station").agg(pl.col("station_days").sum()).iter_rows())
    assert days == {"river": 40.0, "ridge": 40.0 - 5.0}


def test_a_period_holds_what_began_in_it_by_the_days_of_its_zone(store: Store) -> None:
    store.import_(season(), "s1")
    zone = "Asia/Vladivostok"
    first, last = date(2023, 12, 31), date(2024, 1, 1)
    of = Selection(start=first, end=last, timezone=zone)
    day = pl.col("start").dt.convert_time_zone(zone).dt.date()
    expected = store.events().filter(day.is_between(first, last))
    assert 0 < expected.height < store.events().height
    assert store.events(of).equals(expected)
    assert store.rates(of)["events"].sum() == expected.height
    assert store.rates(of)["station_days"].max() == 4.0
    assert store.captures(of)["day"].is_between(first, last).all()
    midnight = datetime(2023, 12, 31, tzinfo=ZoneInfo(zone))
    assert store.events(of)["start"].min() >= midnight  # type: ignore[operator]  # a time


def test_taxa_and_parties_are_chosen(store: Store) -> None:
    store.import_(season(), "s1")
    store.import_(season("b", party="south"), "s2")
    assert store.rates(Selection(parties=("south",)))["party"].unique().to_list() == ["south"]
    assert store.rates(Selection(taxa=("Panthera tigris", "O'Hara's")))["taxon"].unique().to_list() == [
        "Panthera tigris"
    ]
    assert store.effort(Selection(parties=("nobody",))).is_empty()


def test_events_while_nobody_watched_stay_out_of_the_rate_and_are_counted_apart(store: Store) -> None:
    store.import_(season(), "s1")
    row = store.rates(Selection(taxa=("Panthera tigris",))).row(0, named=True)
    times = store.events(Selection(taxa=("Panthera tigris",)))["start"]
    gap = times.is_between(START + timedelta(days=10), START + timedelta(days=15), closed="none").sum()
    assert gap > 0
    assert row["events_without_effort"] == gap
    assert row["events"] == len(times) - gap
    assert row["rate"] == pytest.approx(100 * row["events"] / row["station_days"])
    assert (row["stations"], row["stations_with"], row["station_days"]) == (2, 1, 75.0)


def test_capture_histories_count_encounters_by_station_and_local_day(store: Store) -> None:
    store.import_(season(), "s1")
    tigers = observed(season()).filter(pl.col("individual").is_not_null())
    expected = bursts(tigers, ["deployment", "individual"], 30)
    zone = "Asia/Vladivostok"
    by_day = expected.group_by("individual", day=pl.col("start").dt.convert_time_zone(zone).dt.date()).agg(
        events=pl.len()
    )
    found = store.captures(Selection(timezone=zone))
    assert (
        found.select("individual", "day", "events")
        .sort("individual", "day")
        .equals(by_day.select("individual", "day", pl.col("events").cast(pl.Int64)).sort("individual", "day"))
    )
    assert found.select("party", "catalogue", "station").unique().rows() == [("north", "left", "ridge")]


def test_undated_captures_are_counted_by_session_and_occasion(store: Store) -> None:
    delivered, _ = check_path(ROOT / "examples/two-halves/own/nets")
    assert delivered is not None
    assert delivered.survey is not None
    store.import_(delivered, "s1")
    rows = delivered.survey.observations
    assert store.captures()["events"].sum() == rows["count"].fill_null(1).sum()
    assert store.captures()["day"].null_count() == store.captures().height
    assert store.rates()["events"].sum() == rows["count"].fill_null(1).sum()
    assert store.rates()["station_days"][0] == pytest.approx(delivered.survey.effort["effort"].sum())
    assert store.effort(Selection(start=date(2007, 1, 1))).is_empty()


def test_an_empty_store_answers_with_empty_tables(store: Store) -> None:
    for table in (store.effort(), store.rates(), store.events(), store.captures()):
        assert table.is_empty()
    assert store.imports() == ()


def test_more_events_than_fit_the_memory_are_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.import_(season(), "s1")
    n = store.events().height
    monkeypatch.setattr("sharedrange.exchange.store.queries.MOST_EVENTS", n - 1)
    with pytest.raises(InputError) as caught:
        store.events()
    assert caught.value.findings[0].facts == {"n": n, "most": n - 1}
    assert store.events(Selection(taxa=("Panthera tigris",))).height < n


_FULL = """
import resource, signal, sys
sys.path.insert(0, {tests!r})
from test_store import season
from sharedrange.core.errors import InputError
from sharedrange.exchange.store import Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def fill(share):
    if share >= {share}:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
fill(0)
try:
    Store({folder!r}).import_([season("b", 10_000, year=1), season("c", 10_000, year=1)], "s2", fill)
    Store({folder!r}).derive(fill)
except InputError as error:
    print([finding.rule for finding in error.findings])
"""


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0], ids=["gathering", "sorting", "deriving"])
def test_a_disk_that_takes_no_more_leaves_the_old_state(store: Store, share: float) -> None:
    store.import_(season(), "s1")
    store.derive()
    before = files(store)
    code = _FULL.format(tests=str(Path(__file__).parent), folder=str(store.folder), share=share)
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stdout == "['system-refused']\n", done.stderr
    assert not [name for name in files(store) - before if share < 1 or not name.startswith(("obs", "dep", "eff"))]
    assert before <= files(store)
    assert not list(store.folder.glob(".staging*"))


records = st.lists(
    st.tuples(
        st.sampled_from(["river", "ridge"]),
        st.sampled_from(["Vulpes vulpes", "Panthera tigris"]),
        st.integers(0, 12).map(lambda k: k * 15),  # minutes: many at once, many exactly an interval apart
        st.sampled_from([None, 0, 20, 50]),
    ),
    max_size=25,
)


@given(records, st.sampled_from([30, 45, 60]))
@settings(deadline=None, max_examples=15)
def test_events_of_any_records_are_those_of_the_counting_engine(
    rows: list[tuple[str, str, int, int | None]], minutes: int
) -> None:
    at = [START + timedelta(minutes=minute) for _, _, minute, _ in rows]
    ends = [
        start + timedelta(minutes=row[3]) if row[3] is not None else None for start, row in zip(at, rows, strict=True)
    ]
    observations = pl.DataFrame(
        {
            "observation": [f"o{k % 7}" for k in range(len(rows))],
            "deployment": [row[0] for row in rows],
            "taxon": [row[1] for row in rows],
            "type": ["animal"] * len(rows),
            "start": pl.Series(at, dtype=OBSERVATIONS["start"]),
            "end": pl.Series(ends, dtype=OBSERVATIONS["end"]),
        },
        schema_overrides={"observation": pl.String, "deployment": pl.String, "taxon": pl.String, "type": pl.String},
    )
    places = conform(pl.DataFrame({"deployment": ["river", "ridge"], "station": ["river", "ridge"]}), DEPLOYMENTS)
    survey = Survey(
        "north", "x", "EPSG:4326", dated=True, deployments=places, observations=conform(observations, OBSERVATIONS)
    )
    with TemporaryDirectory() as folder:
        store = Store(folder)
        store.import_(Delivered(survey=survey), "s1")
        found = store.events(independence_minutes=minutes)
    expected = bursts(survey.observations.rename({"deployment": "station"}), ["station", "taxon"], minutes)
    assert found.select("station", "taxon", "start").rows() == sorted(
        expected.select("station", "taxon", "start").rows()
    )
    assert found["records"].sum() == len(rows)
