"""A programme can ask what a border lets through: lines from sides, files or text, passages from files nobody sees."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import shapely

from sharedrange.assessment.assessing import Outcome, assess
from sharedrange.assessment.barriers import where_sides_meet
from sharedrange.assessment.estimating import Estimation, estimation
from sharedrange.assessment.node import open_node
from sharedrange.assessment.plan import plan
from sharedrange.assessment.programme import question_of
from sharedrange.assessment.report.naming import Naming
from sharedrange.assessment.report.openings import openings
from sharedrange.assessment.report.plots import write_plots
from sharedrange.assessment.surveys import Surveys
from sharedrange.cli.outcome import sentence
from sharedrange.core.answer import Answer, Estimate, Scope
from sharedrange.core.chance import stream
from sharedrange.core.errors import ProgrammeError
from sharedrange.core.words import load
from sharedrange.population import permeability
from sharedrange.population.design import grid_plan, mask_around

SIGMA_M = 4_000.0
PASSAGE = 46.7123456  # a latitude that must stand nowhere


def question(*keys: str) -> str:
    return f"""
[[questions]]
id = "leopard-border"
engine = "population.permeability"
component = "border-range"
species = "leopard"
mask = {{ buffer_m = 12000.0, spacing_m = 3000.0 }}
settings = {{ lambda0 = [], sigma = [], density = "pooled", profile_points = 5 }}
{chr(10).join(keys)}
"""


def asking(folder: Path, *keys: str) -> Path:
    """The node with one question about a barrier and no other."""
    file = folder / "programme.toml"
    file.write_text(file.read_text(encoding="utf-8").split("[[questions]]")[0] + question(*keys), encoding="utf-8")
    return folder


def prepared(folder: Path) -> permeability.PermeabilityInputs:
    opened = open_node(folder)
    (planned,), _ = plan(opened, Surveys(opened))
    inputs = planned.tasks["answer"].prepare().inputs
    assert isinstance(inputs, permeability.PermeabilityInputs)
    return inputs


def step_of(folder: Path) -> str:
    opened = open_node(folder)
    (planned,), _ = plan(opened, Surveys(opened))
    return planned.tasks["answer"].step.id


def geojson(file: Path, geometry: shapely.Geometry) -> None:
    file.write_text(shapely.to_geojson(geometry), encoding="utf-8")


@pytest.fixture(scope="module")
def outcome(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("asked") / "node"
    shutil.copytree(simulated, folder)
    geojson(folder / "gates.geojson", shapely.box(117.99, PASSAGE, 118.01, PASSAGE + 0.001))
    return assess(asking(folder, 'barriers = { border = "sides" }', 'passages = { border = "gates.geojson" }'))


def test_a_border_that_the_simulator_does_not_know_may_be_open_ground(outcome: Outcome) -> None:
    answer = outcome.assessment.results[0].answer
    number = answer["permeability.border"]
    assert number.high == 1, "simulated leopards walk over the line as if it were not there"
    assert (number.low or 0) > 0.05
    assert number.scope.taxon == "Panthera pardus orientalis"
    assert {"N", "D", "N.westfell", "N.eastfell", "crossed.border"} <= {e.quantity for e in answer.estimates}


def test_the_report_says_it_in_a_sentence_a_table_and_a_curve(outcome: Outcome) -> None:
    page = outcome.report.read_text(encoding="utf-8")
    text = re.sub(r"<[^>]+>", "", page)
    assert "of the visits to the other side that open ground would bring, about" in text
    assert "The data do not show that it holds animals back." in text
    (figure,) = re.findall(r'<figure class="own">.*?</figure>', page, flags=re.DOTALL)
    assert figure.count("<polyline") == 1
    assert "SIMULATED" in figure
    assert "Animals caught on both sides of the barrier: border" in text


def test_no_file_of_the_assessment_tells_where_a_passage_is(outcome: Outcome) -> None:
    files = [file for file in outcome.report.parent.rglob("*") if file.is_file()]
    assert len(files) > 5
    assert not [file.name for file in files if str(PASSAGE)[:7].encode() in file.read_bytes()]


def test_other_passages_are_another_question_and_the_step_tells_only_a_slow_hash(node: Path) -> None:
    asking(node, 'barriers = { border = "sides" }', 'passages = { border = "gates.csv" }')
    (node / "gates.csv").write_text("x,y,width_m\n118.0,46.5,500\n")
    first = step_of(node)
    (node / "gates.csv").write_text("x,y,width_m\n118.0,46.6123457,500\n")
    assert step_of(node) != first
    opened = open_node(node)
    _, ledger = plan(opened, Surveys(opened))
    assert "46.6123457" not in json.dumps(ledger.as_json())


def test_the_line_where_sides_meet_is_their_border(node: Path) -> None:
    (border,) = prepared(asking(node, 'barriers = { border = "sides" }')).barriers
    x_m, y_m = np.vstack(border.solid).T
    assert np.ptp(y_m) == pytest.approx(70_000, rel=0.01)
    assert np.quantile(np.abs(x_m), 0.5) < 1


@pytest.mark.parametrize("gap_m", [0.0, 40.0])
def test_a_border_that_two_parties_drew_a_little_apart_is_one(gap_m: float) -> None:
    west, east = shapely.box(-9_000, 0, -gap_m, 9_000), shapely.box(0, 0, 9_000, 9_000)
    assert where_sides_meet([west, east]).length == pytest.approx(9_000, abs=250)


def test_sides_that_do_not_meet_have_no_border(node: Path) -> None:
    assert where_sides_meet([shapely.box(0, 0, 1, 1), shapely.box(9_000, 0, 9_001, 1)]).is_empty
    file = node / "programme.toml"
    asking(node, 'barriers = { border = "sides" }')
    text = re.sub(r"sides = \{.*\}", 'sides = { westfell = "sides/SIMULATED-westfell.geojson" }', file.read_text())
    file.write_text(text.replace("buffer_m = 12000.0", "buffer_m = 12001.0"), encoding="utf-8")
    with pytest.raises(ProgrammeError) as caught:
        prepared(node)
    assert {f.rule for f in caught.value.findings} & {"sides-do-not-meet", "sides-missing"}


def _as_geojson(folder: Path) -> str:
    geojson(folder / "line.geojson", shapely.LineString([(118.0, 46.0), (118.0, 47.0)]))
    return "line.geojson"


def _as_csv(folder: Path) -> str:
    (folder / "line.csv").write_text("x,y,part\n118,46,a\n118,46.4,a\n118,46.5,b\n118,47,b\n", encoding="utf-8")
    return "line.csv"


def _as_text(_folder: Path) -> str:
    return "LINESTRING (118 46, 118 47)"


@pytest.mark.parametrize(("drawn", "pieces"), [(_as_geojson, 1), (_as_csv, 2), (_as_text, 1)])
def test_a_line_may_be_drawn_in_a_file_or_written_down(node: Path, drawn: Callable[[Path], str], pieces: int) -> None:
    (fence,) = prepared(asking(node, f'barriers = {{ fence = "{drawn(node)}" }}')).barriers
    assert fence.name == "fence"
    assert len(fence.solid) == pieces
    assert np.ptp(np.vstack(fence.solid)[:, 1]) == pytest.approx(111_000, rel=0.01)


@pytest.mark.parametrize("file", ["gates.csv", "gates.geojson"])
def test_passages_cut_the_line_open(node: Path, file: str) -> None:
    (node / "gates.csv").write_text("x,y,width_m\n118.0,46.5,2000\n", encoding="utf-8")
    geojson(node / "gates.geojson", shapely.box(117.9, 46.491, 118.1, 46.509))
    keys = ('barriers = { border = "sides" }', f'passages = {{ border = "{file}" }}')
    (border,) = prepared(asking(node, *keys)).barriers
    south, north = sorted(border.solid, key=lambda piece: piece[:, 1].mean())
    assert north[:, 1].min() - south[:, 1].max() == pytest.approx(2_000, rel=0.02)


@pytest.mark.parametrize(
    ("keys", "rule"),
    [
        (('barriers = { fence = "nowhere.geojson" }',), "programme-area-missing"),
        (('barriers = { fence = "../line.geojson" }',), "programme-path-escapes"),
        (('barriers = { fence = "sides/SIMULATED-westfell.geojson" }',), "programme-line-not-line"),
        (('barriers = { fence = "LINESTRING EMPTY" }',), "programme-line-empty"),
        (('barriers = { "a.b" = "sides" }',), "programme-id"),
        (('barriers = { fence = "short.csv" }',), "programme-line-empty"),
        (('barriers = { fence = "wrong.csv" }',), "point-not-numbers"),
        (('barriers = { fence = "header.csv" }',), "missing-column"),
        (('barriers = { fence = "sides" }', 'passages = { river = "short.csv" }'), "passages-without-barrier"),
        (
            ('barriers = { fence = "sides" }', 'passages = { fence = "POLYGON ((0 0, 1 0, 1 1, 0 0))" }'),
            "passages-in-programme",
        ),
    ],
)
def test_what_is_no_line_is_told_before_anything_is_computed(node: Path, keys: tuple[str, ...], rule: str) -> None:
    (node / "short.csv").write_text("x,y\n118,46\n", encoding="utf-8")
    (node / "wrong.csv").write_text("x,y\n118,46\n118,north\n", encoding="utf-8")
    (node / "header.csv").write_text("lon,lat\n118,46\n", encoding="utf-8")
    with pytest.raises(ProgrammeError) as caught:
        open_node(asking(node, *keys))
    assert rule in {f.rule for f in caught.value.findings}
    assert "118" not in str(caught.value)


def test_metres_where_degrees_are_needed_and_a_question_without_a_line_are_told(node: Path) -> None:
    for key, rule in (
        ('barriers = { fence = "LINESTRING (0 -9000, 0 9000)" }', "programme-area-not-degrees"),
        ("", "question-without-barrier"),
    ):
        with pytest.raises(ProgrammeError) as caught:
            prepared(asking(node, key))
        assert {f.rule for f in caught.value.findings} == {rule}


def test_a_programme_where_nobody_compared_the_catalogues_declines(node: Path) -> None:
    shutil.rmtree(node / "records")
    refusal = assess(asking(node, 'barriers = { border = "sides" }')).assessment.results[0].answer.refusal
    assert refusal is not None
    assert refusal.have["animals_on_both_sides"] == 0
    assert refusal.need["animals_on_both_sides"] == 1
    assert {f.rule for f in refusal.findings} == {"permeability-few-shared"}


# -- without a programme -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Capture and trap tables of a simulated survey on both sides of a fence that lets a third through."""
    folder = tmp_path_factory.mktemp("plain") / "cameras"
    folder.mkdir()
    plan_, line = grid_plan("fence", columns=6, rows=4, spacing_m=6_000.0, occasions=60), [(0, -60_000), (0, 60_000)]
    animals = permeability.Animals(3.25, 0.07, SIGMA_M)
    (history,) = permeability.simulate_survey(
        plan_, mask_around(plan_, SIGMA_M), permeability.Barrier("fence", shapely.LineString(line)), animals,
        permeability=[0.35], rng=stream(2, "tests.permeability.questions"),
    )  # fmt: skip
    seen = history.captures.rename({"individual": "id", "detector": "trap"})
    seen.select("id", "occasion", "trap", "count").with_columns(session=pl.lit("1")).write_csv(folder / "captures.csv")
    history.detectors.rename({"detector": "trap", "x_m": "x", "y_m": "y"}).select("trap", "x", "y").write_csv(
        folder / "traps.csv"
    )
    (folder / "delivery.toml").write_text(
        'party = "west"\nformat = "captures"\ncrs = "local:plain"\ntaxon = "Panthera uncia"\ndetector = "proximity"\n'
        "[occasions]\n1 = 60\n",
        encoding="utf-8",
    )
    (folder / "fence.csv").write_text("x,y\n0,-60000\n0,60000\n", encoding="utf-8")
    return folder


def asked(nets: Path, line: str) -> Estimation:
    mask = {"buffer_m": 12_000.0, "spacing_m": 2_400.0}
    settings = {"lambda0": [], "sigma": [], "profile_points": 5}
    return estimation(
        nets, engine="population.permeability", settings=settings, question={"barriers": {"fence": line}, "mask": mask}
    )


def test_plain_tables_and_a_line_beside_them_are_enough(nets: Path, tmp_path: Path) -> None:
    made = asked(nets, "fence.csv")
    number = made.answer["permeability.fence"]
    assert number.low is not None
    assert number.high is not None
    assert number.low < 0.35 < number.high
    written = {path.name for path in write_plots(made, tmp_path, load("en"))}
    assert "profile.svg" in written
    assert asked(nets, "LINESTRING (0 -60000, 0 60000)").answer["permeability.fence"].value == number.value


def test_a_line_is_looked_for_beside_the_delivery_and_not_where_one_stands(nets: Path) -> None:
    with pytest.raises(ProgrammeError) as caught:
        question_of({"id": "q", "engine": "e", "component": "c", "species": "s", "barriers": {"fence": "fence.csv"}})
    assert {f.rule for f in caught.value.findings} == {"programme-area-missing"}
    assert asked(nets, "fence.csv").answer.estimates


# -- the sentence ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.2, 0.6, "holds animals back, but does not stop them"),
        (0.0, 0.6, "agree with a line that no animal crosses"),
        (0.2, 1.0, "do not show that it holds animals back"),
        (0.0, 1.0, "says nothing"),
    ],
)
def test_the_sentence_follows_the_interval(low: float, high: float, said: str, outcome: Outcome) -> None:
    (result,) = outcome.assessment.results
    number = Estimate("permeability.border", 0.4, "share", low, high, scope=Scope("x"), step="s")
    shaped = replace(result, answers={**result.answers, "answer": Answer((number,))})
    (opening,) = openings(shaped)
    naming = Naming(outcome.assessment.programme, load("en"))
    assert said in sentence(naming, shaped, opening.estimate, opening.message)
