"""The example of an exchange: two parks keep their data, a secretariat counts animals from what they released."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from sharedrange.assessment import sharing
from sharedrange.assessment.assessing import Outcome, assess
from sharedrange.assessment.node import open_node
from sharedrange.assessment.sharing.ground import KEY
from sharedrange.core.answer import Answer
from sharedrange.core.errors import AgreementError, InputError
from sharedrange.core.release import ENCOUNTERS, JOINT, file_of
from sharedrange.records import Keys
from sharedrange.sharing.sealing import csv_of, unseal

ROOT = Path(__file__).parent.parent.parent
EXAMPLE, POOLED = ROOT / "examples" / "three-nodes", ROOT / "examples" / "two-parks"
PARKS, SECRETARIAT = ("westfell", "eastfell"), "secretariat"
DATASET, LEOPARD, TIGER = "SIMULATED-cameras-2026", "Panthera pardus orientalis", "Panthera tigris altaica"
GIVEN, LATER = date(2026, 9, 15), date(2026, 10, 20)
MONTHS = [date(2026, 2, 1), date(2026, 3, 1), date(2026, 4, 1)]
# What `assess` says of two-parks, where both parks' data lie in one node, asked of the same three months.
POOLED_NUMBERS = {"leopard-number": 75.0, "tiger-number": 21.5}
CLOSE = 0.10
_SHORTEST_IN_ANY_FILE = 7  # shorter names meet by chance in packed tables; those are sought in texts alone


def copied(to: Path) -> Path:
    """A copy of the example without what commands make."""
    shutil.copytree(EXAMPLE, to, ignore=shutil.ignore_patterns("work", "assessment*"))
    return to


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that has been assessed. Not to be changed."""
    return copied(tmp_path_factory.mktemp("three-nodes") / "practice")


@pytest.fixture(scope="module")
def outcome(practice: Path) -> Outcome:
    return assess(practice / SECRETARIAT)


@pytest.fixture
def nodes(tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return copied(tmp_path / "nodes")


def answers(outcome: Outcome) -> dict[str, Answer]:
    return {result.question.id: result.answer for result in outcome.assessment.results}


def limits(outcome: Outcome, question: str) -> tuple[float, float]:
    """The interval of the number of animals."""
    number = answers(outcome)[question]["N"]
    assert number.low is not None
    assert number.high is not None
    return number.low, number.high


def encounters(park: str) -> pl.DataFrame:
    """Encounters as the secretariat has them."""
    (file,) = (EXAMPLE / SECRETARIAT / "received" / park).glob(f"*/{file_of('encounters')}")
    return pl.read_csv(file, schema=ENCOUNTERS)


def adults(park: str, taxon: str, *catalogues: str) -> set[str]:
    """Names of the adults that a park met in the months of the question."""
    rows = encounters(park).filter(
        pl.col("taxon") == taxon, pl.col("life_stage") == "adult", pl.col("period").is_in(MONTHS)
    )
    named = rows.filter(pl.col("catalogue").is_in(catalogues)) if catalogues else rows
    return set(named["individual"].drop_nulls())


# --- the number ---


@pytest.mark.parametrize("question", POOLED_NUMBERS)
def test_the_joint_number_from_packages_is_close_to_that_of_pooled_data(outcome: Outcome, question: str) -> None:
    low, high = limits(outcome, question)
    assert answers(outcome)[question]["N"].value == pytest.approx(POOLED_NUMBERS[question], rel=CLOSE)
    assert low < POOLED_NUMBERS[question] < high


@pytest.mark.parametrize(("question", "taxon"), [("leopard-number", LEOPARD), ("tiger-number", TIGER)])
def test_the_interval_holds_the_true_number(outcome: Outcome, question: str, taxon: str) -> None:
    told = pl.read_csv(POOLED / "truth" / "SIMULATED-numbers.csv")
    true = told.filter(pl.col("taxon") == taxon, pl.col("life_stage") == "adult")["animals"].sum()
    low, high = limits(outcome, question)
    assert low < true < high


@pytest.mark.parametrize(("question", "taxon"), [("leopard-number", LEOPARD), ("tiger-number", TIGER)])
def test_an_animal_that_both_parks_met_is_counted_once(outcome: Outcome, question: str, taxon: str) -> None:
    both = adults("westfell", taxon, JOINT) & adults("eastfell", taxon, JOINT)
    all_names = adults("westfell", taxon) | adults("eastfell", taxon)
    lists = next(r for r in outcome.assessment.results if r.question.id == question).answers["lists"]
    notes = {finding.rule: finding.facts for finding in answers(outcome)[question].findings}
    left_out = int(str(notes.get("one-flank-left-out", {"n": 0})["n"]))
    assert both
    assert lists["shared"].value == len(both)
    assert answers(outcome)[question]["n"].value == len(all_names) - left_out


def test_the_readme_tells_the_numbers_that_come_out(outcome: Outcome) -> None:
    text = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    for question in POOLED_NUMBERS:
        low, high = limits(outcome, question)
        assert f"| {answers(outcome)[question]['N'].value:.0f} ({low:.0f} to {high:.0f}) |" in text


# --- who may see it ---


def test_every_number_names_the_parties_that_may_see_it(outcome: Outcome) -> None:
    told = {e.audience for r in outcome.assessment.results for a in r.answers.values() for e in a.estimates}
    assert told == {"eastfell, secretariat, westfell"}
    assert outcome.assessment.audience == ("eastfell", "secretariat", "westfell")
    assert "Eastfell Park, Secretariat (invented) and Westfell Park" in outcome.report.read_text(encoding="utf-8")


def test_everybody_gets_the_totals_that_both_parks_let_be_told_and_no_other_number(nodes: Path) -> None:
    public = assess(nodes / SECRETARIAT, reader="public")
    told = {r.question.id: {e.quantity for e in r.answer.estimates} for r in public.assessment.results}
    # Of 16 tigers one park knows 10 itself: the other six would be told to it.
    assert told == {"leopard-number": {"N", "D", "minimum_number"}, "tiger-number": {"N", "D"}, "wild-boar-rate": set()}
    assert "Made for everybody" in public.report.read_text(encoding="utf-8")


# --- what the secretariat has ---


def raw_names(park: str) -> Iterator[str]:
    """Names, codes, files, times and places as the park's own tables have them."""
    own = EXAMPLE / park / "own" / DATASET
    wanted = {
        "deployments": ("deploymentID", "locationID", "latitude", "longitude", "deploymentStart", "deploymentEnd"),
        "observations": ("observationID", "deploymentID", "eventID", "individualID", "eventStart", "mediaID"),
        "media": ("mediaID", "timestamp", "fileName", "filePath"),
    }
    for table, columns in wanted.items():
        rows = pl.read_csv(own / f"SIMULATED-{table}.csv", infer_schema=False)
        for column in columns:
            yield from rows[column].drop_nulls().unique()


def test_no_raw_name_place_or_time_is_in_the_secretariats_folder(outcome: Outcome, practice: Path) -> None:
    files = [path for path in (practice / SECRETARIAT).rglob("*") if path.is_file()]
    assert any(path.suffix == ".html" for path in files)
    every = b"\n".join(path.read_bytes() for path in files)
    texts = "\n".join(path.read_text("utf-8") for path in files if path.suffix in {".csv", ".json", ".jsonl", ".toml"})
    words = set(re.findall(r"[\w.:+-]+", texts))
    names = {name for park in PARKS for name in raw_names(park)}
    assert len(names) > 1000
    assert not {name for name in names if len(name) >= _SHORTEST_IN_ANY_FILE and name.encode() in every}
    assert not names & words


def test_the_search_for_raw_names_finds_them_where_they_are() -> None:
    released = (EXAMPLE / "westfell" / "own" / DATASET / "SIMULATED-observations.csv").read_bytes()
    assert sum(name.encode() in released for name in raw_names("westfell")) > 1000


def test_places_are_centres_of_cells_with_two_stations_or_more() -> None:
    for park in PARKS:
        (file,) = (EXAMPLE / SECRETARIAT / "received" / park).glob(f"*/{file_of('stations')}")
        stations = pl.read_csv(file)
        assert stations.group_by("x", "y").len().filter(pl.col("len") < 2).is_empty()
        assert stations["cell"].unique().to_list() == [0.1]


def test_who_is_who_stays_with_the_parks() -> None:
    kinds = {record.kind for record in open_node(EXAMPLE / SECRETARIAT).records}
    assert not kinds & {"decision", "joint_id"}
    assert {"decision", "joint_id"} <= {record.kind for record in open_node(EXAMPLE / "eastfell").records}


# --- the packages ---


@pytest.mark.parametrize("park", PARKS)
def test_a_package_holds_what_the_secretariat_received(park: str) -> None:
    (file,) = (EXAMPLE / "carried").glob(f"{park}-to-*.age")
    (received,) = (EXAMPLE / SECRETARIAT / "received" / park).iterdir()
    identity = Keys(open_node(EXAMPLE / SECRETARIAT).keys).identity(KEY)
    package = unseal(file.read_bytes(), identity.secret)
    tables = {name: content for name, content in package.files.items() if name.endswith(".csv")}
    assert tables == {path.name: path.read_bytes() for path in received.glob("*.csv")}


def test_nobody_else_opens_a_package() -> None:
    (file,) = (EXAMPLE / "carried").glob("westfell-to-*.age")
    for park in PARKS:
        with pytest.raises(InputError, match="package-closed"):
            unseal(file.read_bytes(), Keys(open_node(EXAMPLE / park).keys).identity(KEY).secret)


@pytest.mark.parametrize("park", PARKS)
def test_the_park_would_release_the_same_again(park: str, nodes: Path) -> None:
    asked = sharing.Asked(DATASET, f"{park}-cats", SECRETARIAT, "joint-population-estimate", GIVEN)
    made = sharing.what_would_leave(nodes / park, asked).released
    (kept,) = (EXAMPLE / park / "released").glob("*/*/")
    assert {file_of(name): csv_of(table) for name, table in made.tables.items()} == {
        path.name: path.read_bytes() for path in kept.glob("*.csv")
    }


def test_a_package_opens_once_and_its_owner_knows(nodes: Path) -> None:
    (file,) = (nodes / "carried").glob("westfell-to-*.age")
    with pytest.raises(AgreementError, match="package-opened"):
        sharing.open_package(nodes / SECRETARIAT, file, on=LATER, recorded_at=f"{LATER}T09:00:00Z")
    (left,) = sharing.audit(nodes / "westfell", LATER).left
    assert left.opened


def test_without_the_names_that_were_told_nothing_more_leaves(nodes: Path) -> None:
    shutil.rmtree(nodes / "westfell" / "pseudonyms")
    asked = sharing.Asked(DATASET, "westfell-cats", SECRETARIAT, "treaty-report", LATER)
    with pytest.raises(InputError, match="pseudonyms-lost"):
        sharing.what_would_leave(nodes / "westfell", asked)


def test_of_two_releases_of_one_dataset_the_newer_is_read(nodes: Path) -> None:
    asked = sharing.Asked(DATASET, "westfell-cats", SECRETARIAT, "treaty-report", LATER)
    sealed = sharing.seal_release(
        nodes / "westfell",
        asked,
        approved_by="westfell/data-steward",
        recorded_at=f"{LATER}T09:00:00Z",
        check=lambda leaving: sharing.look_at(leaving).findings,
    )
    opened = sharing.open_package(nodes / SECRETARIAT, sealed.file, on=LATER, recorded_at=f"{LATER}T09:00:00Z")
    node = open_node(nodes / SECRETARIAT)
    assert [delivered.path for delivered in node.deliveries if delivered.party == "westfell"] == [opened.folder]
    assert len(node.superseded) == 1
    assert "release-superseded" in {finding.rule for finding in node.findings}


# --- the example itself ---


@pytest.mark.parametrize("park", PARKS)
def test_the_parks_hold_the_data_of_two_parks(park: str) -> None:
    own, pooled = EXAMPLE / park / "own" / DATASET, POOLED / "received" / park / DATASET
    held = {path.name: path.read_bytes() for path in own.iterdir()}
    assert held == {path.name: path.read_bytes() for path in pooled.iterdir() if path.name != "manifest.json"}


def test_all_three_ask_the_same_questions() -> None:
    texts = {(EXAMPLE / party / "programme.toml").read_bytes() for party in (*PARKS, SECRETARIAT)}
    assert len(texts) == 1


def test_keys_say_that_they_are_no_secret_and_all_is_marked_as_simulated(outcome: Outcome) -> None:
    for party in (*PARKS, SECRETARIAT):
        node = open_node(EXAMPLE / party)
        assert node.keys.name == "keys-EXAMPLE-no-secret"
        assert node.programme.simulated
    assert outcome.report.name == "report-SIMULATED.html"
