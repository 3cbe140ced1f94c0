from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sharedrange.assessment import writing
from sharedrange.assessment.deciding import read_decisions
from sharedrange.assessment.programme import read_geometry, read_node, read_sides
from sharedrange.assessment.writing import decisions, mask_spec, simulate_node, write_simulation
from sharedrange.core.chance import stream
from sharedrange.core.errors import InputError, ProgrammeError
from sharedrange.core.files import folder_hash
from sharedrange.core.individuals import Verdict
from sharedrange.core.places import Projection
from sharedrange.core.when import Window
from sharedrange.exchange.doors import read_delivered
from sharedrange.exchange.manifest import verify_manifest
from sharedrange.population.histories import capture_histories
from sharedrange.population.masks import make_mask
from sharedrange.population.simulate import Design, Simulation, comparable, simulate, small, two_parks

MARK = "SIMULATED"


@pytest.fixture(scope="module")
def parks() -> Simulation:
    return simulate(two_parks(), stream(5, "simulate"))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, parks: Simulation) -> Path:
    folder = tmp_path_factory.mktemp("nodes") / "two-parks"
    write_simulation(parks, two_parks(), folder, seed=5)
    return folder


def packages(node: Path) -> list[Path]:
    return [package for party in sorted((node / "received").iterdir()) for package in party.iterdir()]


def test_the_node_is_a_secretariats_and_holds_nothing_of_its_own(node: Path) -> None:
    opened = read_node(node)
    assert opened.party == "secretariat"
    assert opened.programme.simulated
    assert opened.programme.seed == 5
    assert not (node / "own").exists()


def test_the_programme_asks_for_both_cats_and_for_the_rate_of_the_bycatch(node: Path) -> None:
    questions = read_node(node).programme.questions
    asked = {(question.engine, question.species) for question in questions}
    assert asked == {("population.scr", "leopard"), ("population.scr", "tiger"), ("population.rates", "wild-boar")}
    assert all((q.start, q.end) == (questions[0].start, questions[0].end) for q in questions)
    assert (questions[0].end - questions[0].start).days == two_parks().days - 1  # type: ignore[operator]  # given dates


def test_a_package_reads_back_as_the_survey_that_was_simulated(node: Path, parks: Simulation) -> None:
    for package in packages(node):
        party = package.parent.name
        assert verify_manifest(package) == ()
        content, _, findings = read_delivered(package, party)
        assert content is not None
        survey = content.survey
        assert survey is not None
        assert not findings
        given = parks.survey(party)
        assert (survey.party, survey.dataset, survey.frame, survey.dated) == (party, given.dataset, "EPSG:4326", True)
        assert survey.effort.equals(given.effort)
        assert survey.deployments.equals(given.deployments)
        kept = [name for name in given.observations.columns if name != "catalogue"]
        assert survey.observations.sort("observation").select(kept).equals(given.observations.select(kept))
        named = survey.observations.filter(pl.col("individual").is_not_null())
        assert named["catalogue"].eq("main").all()
        assert survey.media.sort("media")["taken"].equals(given.media["taken"])


def test_every_file_with_simulated_data_says_so_in_its_name(node: Path) -> None:
    tables = [*node.rglob("*.csv"), *node.rglob("*.geojson")]
    assert len(tables) > 10
    for file in tables:
        assert MARK in file.relative_to(node).as_posix() or file.name == "decisions.csv"
    assert MARK in (node / "decisions.csv").read_text()
    assert MARK in read_node(node).programme.title


def test_nothing_of_the_truth_lies_outside_its_folder(node: Path, parks: Simulation) -> None:
    outside = "\n".join(
        file.read_text() for file in node.rglob("*") if file.is_file() and "truth" not in file.relative_to(node).parts
    )
    for animal in parks.truth.animals["animal"]:
        assert animal not in outside
    positions = pl.read_csv(node / "truth" / f"{MARK}-animals.csv").select("longitude", "latitude")
    for longitude, latitude in positions.iter_rows():
        assert f"{latitude},{longitude}" not in outside
    codes = pl.read_csv(node / "truth" / f"{MARK}-codes.csv")
    assert codes.height == parks.truth.codes.height


def test_one_seed_writes_the_same_node(tmp_path: Path) -> None:
    for name in ("a", "b"):
        simulate_node(tmp_path / name, preset="small", seed=3)
    simulate_node(tmp_path / "c", preset="small", seed=4)
    assert folder_hash(tmp_path / "a") == folder_hash(tmp_path / "b") != folder_hash(tmp_path / "c")


def test_the_example_stays_small(node: Path) -> None:
    assert sum(file.stat().st_size for file in node.rglob("*") if file.is_file()) < 3_000_000


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("years of work")
    with pytest.raises(ProgrammeError) as refused:
        simulate_node(tmp_path, preset="small", seed=1)
    assert [finding.rule for finding in refused.value.findings] == ["node-folder-not-empty"]
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_an_unknown_preset_is_named_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(ProgrammeError) as refused:
        simulate_node(tmp_path / "node", preset="three-parks", seed=1)
    (finding,) = refused.value.findings
    assert finding.rule == "unknown-preset"
    assert dict(finding.facts) == {"given": "three-parks", "known": "small, two-parks"}
    assert not (tmp_path / "node").exists()


@pytest.mark.parametrize("step", ["write_manifest", "decisions", "_write_truth"])
def test_what_fails_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    monkeypatch.setattr(writing, step, failing())
    with pytest.raises(InputError, match="disk full"):
        simulate_node(tmp_path / "node", preset="small", seed=1)
    assert list(tmp_path.iterdir()) == []


def failing() -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    return fail


def test_decisions_are_true_and_say_nothing_of_ghosts() -> None:
    design = replace(two_parks(), wrong_labels=0.2, ghosts=1.0)
    simulation = simulate(design, stream(9, "simulate"))
    codes = {(c["party"], c["code"]): c for c in simulation.truth.codes.iter_rows(named=True)}
    table = decisions(simulation)
    assert set(table["verdict"]) >= {Verdict.SAME, Verdict.DIFFERENT, Verdict.UNCERTAIN}
    for row in table.iter_rows(named=True):
        a, b = codes[row["party_a"], row["code_a"]], codes[row["party_b"], row["code_b"]]
        assert not a["ghost"]
        assert not b["ghost"]
        assert a["taxon"] == b["taxon"] == row["taxon"]
        same_animal = a["animal"] == b["animal"]
        assert same_animal == (row["verdict"] in (Verdict.SAME, Verdict.CANNOT_COMPARE))
        assert comparable(a["flanks"], b["flanks"]) == (row["verdict"] != Verdict.CANNOT_COMPARE)
        assert (row["code_a"] == row["code_b"]) or row["verdict"] != Verdict.DIFFERENT
    pairs = table.select("party_a", "code_a", "party_b", "code_b")
    assert pairs.is_unique().all()


def test_the_decisions_can_be_read_and_signed_as_they_are(node: Path, parks: Simulation) -> None:
    read = read_decisions(node / "decisions.csv")
    assert len(read) == decisions(parks).height > 0
    assert all(MARK in decision.evidence for decision in read)


def test_every_animal_that_both_sides_could_know_is_decided(parks: Simulation) -> None:
    codes = parks.truth.codes.filter(~pl.col("ghost"))
    west, east = (codes.filter(pl.col("party") == party) for party in ("westfell", "eastfell"))
    both = west.join(east, on="animal")
    decided = decisions(parks).filter(pl.col("verdict").is_in(["same", "cannot-compare"]))
    across = decided.filter(pl.col("party_a") != pl.col("party_b"))
    assert across.height == both.height > 0


@pytest.mark.parametrize("design", [two_parks(), small()], ids=["two-parks", "small"])
def test_the_mask_of_a_question_is_the_habitat_and_every_cell_has_a_side(tmp_path: Path, design: Design) -> None:
    simulation = simulate(design, stream(2, "simulate"))
    write_simulation(simulation, design, tmp_path / "node")
    programme = read_node(tmp_path / "node").programme
    component, species = programme.components[0], design.species[0]
    projection = Projection(component.projection)
    histories, _ = capture_histories(
        simulation.surveys,
        simulation.truth.partition(),
        Window(programme.questions[0].start, programme.questions[0].end, component.occasion_timezone),
        frozenset({species.taxon}),
        ("adult",),
        projection,
    )
    spec = programme.questions[0].mask
    assert spec == mask_spec(species)
    mask, _ = make_mask(
        histories,
        projection,
        read_sides(component, tmp_path / "node"),
        buffer_m=spec.buffer_m,
        spacing_m=spec.spacing_m,
        polygon=read_geometry(spec.polygon, tmp_path / "node"),
    )
    sides, points = np.unique(mask.side, return_counts=True)
    assert sides.tolist() == ["eastfell", "westfell"]
    areas = {party.id: design.ground(party).area_km2 for party in design.parties}
    assert {str(s): n * mask.cell_area_km2 for s, n in zip(sides, points, strict=True)} == pytest.approx(areas)
    assert 900 <= len(mask) <= 3000
