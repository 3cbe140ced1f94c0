"""Every engine can be asked by a programme, from what parties deliver, and declines what was not delivered."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import polars as pl
import pytest

from sharedrange.assessment.assessing import Outcome, assess
from sharedrange.assessment.engines import ENGINES
from sharedrange.assessment.inputs import ALONE, PREPARING, unread
from sharedrange.assessment.node import open_node
from sharedrange.assessment.plan import plan
from sharedrange.assessment.programme import CountsSpec, Question, VisitsSpec
from sharedrange.assessment.report.answer_tables import may_leave
from sharedrange.assessment.results import Result
from sharedrange.assessment.surveys import Surveys
from sharedrange.core.answer import LISTED
from sharedrange.core.errors import ProgrammeError
from sharedrange.population import doubt
from sharedrange.population import open as open_years


@pytest.fixture(scope="module")
def outcome(asked_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("assessed") / "asked"
    shutil.copytree(asked_once, folder)
    return assess(folder)


def result(outcome: Outcome, question: str) -> Result:
    return next(r for r in outcome.assessment.results if r.question.id == question)


def rewritten(folder: Path, *changes: tuple[str, str]) -> Path:
    """The node with some words of its programme replaced."""
    file = folder / "programme.toml"
    text = file.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    return folder


def alone(folder: Path, question: str) -> Path:
    """The node with this question only."""
    file = folder / "programme.toml"
    head, *questions = file.read_text(encoding="utf-8").split("[[questions]]")
    kept = next(q for q in questions if f'id = "{question}"' in q)
    file.write_text(f"{head}[[questions]]{kept}", encoding="utf-8")
    return folder


def rules(error: ProgrammeError) -> set[str]:
    return {finding.rule for finding in error.findings}


def test_every_engine_has_its_way_to_inputs() -> None:
    assert PREPARING.keys() == ENGINES.keys()


def test_counts_of_two_parties_give_a_trend_each_and_one_together(outcome: Outcome) -> None:
    answer = result(outcome, "crane-trend").answer
    west, east = answer["trend.party.west"], answer["trend.party.east"]
    assert west.low is not None
    assert east.high is not None
    assert west.low > 1 > east.high, "simulated: one grows by a tenth a year, the other loses a twentieth"
    assert answer["index.2019"].value == 1
    assert answer["trend"].scope.stage == ""


def test_only_the_visits_of_the_season_are_counted(asked: Path) -> None:
    node = rewritten(alone(asked, "crane-trend"), ("season = [5, 8]", "season = [5, 6]"))
    totals = {e.quantity: e.value for e in assess(node).assessment.results[0].answer.estimates}
    whole = {
        e.quantity: e.value
        for e in assess(rewritten(node, ("[5, 6]", "[5, 8]"))).assessment.results[0].answer.estimates
    }
    assert totals["total.2024"] < whole["total.2024"], "a peak of two months is no lower than that of one"


def test_the_days_of_a_question_hold_for_counts_too(asked: Path) -> None:
    node = rewritten(
        alone(asked, "crane-trend"),
        ('species = "crane"\ncounts', 'species = "crane"\nstart = 2021-01-01\nend = 2024-12-31\ncounts'),
    )
    answer = assess(node).assessment.results[0].answer
    assert "total.2021" in answer
    assert "total.2020" not in answer


def test_transects_become_occupied_cells_by_side(outcome: Outcome) -> None:
    answer = result(outcome, "tiger-sign").answer
    assert answer["sites_visited"].value == 24
    assert answer["psi"].value >= answer["naive"].value
    assert {"occupied.west", "occupied.east"} <= {e.quantity for e in answer.estimates}
    assert all(site.startswith("range/20000/") for site in answer.tables["map"]["site"])


def test_years_of_cameras_give_survival_and_numbers_by_year(outcome: Outcome) -> None:
    answer = result(outcome, "tiger-years").answer
    assert answer["phi"].unit == "probability"
    assert {"N.2023", "N.2024", "N.2025", "N.2025.west", "N.2025.east"} <= {e.quantity for e in answer.estimates}


def test_each_session_of_a_closed_question_has_its_number(outcome: Outcome) -> None:
    told = result(outcome, "tiger-closed")
    assert {"N.2024", "N.2025"} <= {e.quantity for e in told.answer.estimates}
    assert "N.2023" not in told.answer
    assert told.sheet is None
    assert set(told.told) == {"answer"}, "lists are told beside a number only where a sheet keeps them apart"


def test_lists_beside_a_question_are_counts_and_not_estimates(outcome: Outcome) -> None:
    lists = result(outcome, "tiger-years").answers["lists"]
    assert {e.scope.kind for e in lists.estimates} == {LISTED}


def test_a_species_that_nobody_counted_has_no_trend(asked: Path) -> None:
    node = rewritten(alone(asked, "crane-trend"), ('taxon = "Antigone vipio"', 'taxon = "Grus monacha"'))
    refusal = assess(node).assessment.results[0].answer.refusal
    assert refusal is not None
    assert refusal.have == {"counts": 0}


@pytest.mark.parametrize("engine", ["population.scr", "population.closed", "population.rates", "population.minimum"])
def test_without_cameras_a_question_about_them_is_declined(asked: Path, engine: str) -> None:
    node = rewritten(
        alone(asked, "tiger-sign"),
        ('engine = "population.occupancy"', f'engine = "{engine}"'),
        ('visits = { source = "transects", cell_m = 20000.0, grid = "range" }\n', ""),
    )
    refusal = assess(node).assessment.results[0].answer.refusal
    assert refusal is not None
    assert refusal.have == {"surveys": 0}


def test_cameras_and_transects_are_never_mixed(asked: Path) -> None:
    node = rewritten(
        alone(asked, "tiger-sign"),
        ('datasets = ["field"]\n', ""),
        ('visits = { source = "transects", cell_m = 20000.0, grid = "range" }', ""),
    )
    with pytest.raises(ProgrammeError) as caught:
        assess(node)
    assert rules(caught.value) == {"visits-source-untold"}


def test_a_key_that_the_engine_does_not_use_is_told() -> None:
    question = Question(
        "q", "population.scr", "c", "s", visits=VisitsSpec(source="cameras"), counts=CountsSpec(season=(5, 8))
    )
    assert [f.facts["key"] for f in unread(question)] == ["visits", "counts"]
    assert not unread(Question("q", "population.scr", "c", "s", periods=("2024-01-01/2024-02-01",)))


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        ('periods = ["2024-05-01 to 2024-06-01"]', "programme-period"),
        ('periods = ["2024-05-01/2024-06-01", "2024-06-01/2024-07-01"]', "programme-periods-order"),
        ('periods = ["2024-05-01/2024-06-01"]\nsessions = ["2024"]', "programme-dates-and-sessions"),
        ("counts = { season = [5] }", "programme-season"),
        ("visits = { occasion_days = 0 }", "programme-range"),
        ('visits = { methods = ["walk"] }', "programme-unknown-reference"),
        ('visits = { cell_m = 20000.0, grid = "../x" }', "programme-id"),
    ],
)
def test_what_cannot_be_a_season_or_a_period_is_told(asked: Path, key: str, rule: str) -> None:
    node = rewritten(alone(asked, "crane-trend"), ('counts = { statistic = "peak", season = [5, 8] }', key))
    with pytest.raises(ProgrammeError) as caught:
        open_node(node)
    assert rule in rules(caught.value)


def test_periods_of_dated_cameras_are_years_of_an_open_question(node: Path) -> None:
    """Two halves of one season, named as if they were two surveys: in one year they keep their days as names."""
    text = (node / "programme.toml").read_text(encoding="utf-8")
    head = text.split("[[questions]]")[0]
    asked = """[[questions]]
id = "halves"
engine = "population.open"
component = "border-range"
species = "leopard"
periods = ["2026-02-01/2026-02-28", "2026-03-05/2026-04-01"]
mask = { buffer_m = 12000.0, spacing_m = 4000.0 }
settings = { density = "~ 1", lambda0 = "~ 1", sigma = "~ 1" }
"""
    (node / "programme.toml").write_text(head + asked, encoding="utf-8")
    opened = open_node(node)
    (planned,), _ = plan(opened, Surveys(opened))
    prepared = planned.tasks["answer"].prepare()
    assert isinstance(prepared.inputs, open_years.OpenInputs)
    assert [h.session for h in prepared.inputs.histories] == ["2026-02-01/2026-02-28", "2026-03-05/2026-04-01"]
    assert [h.effort.shape[1] for h in prepared.inputs.histories] == [28, 28]
    first, second = prepared.inputs.times
    assert second - first == pytest.approx(32 / 365, abs=0.005)


def test_a_question_of_doubt_brings_what_a_spatial_one_brings(node: Path) -> None:
    rewritten(node, ('engine = "population.scr"', 'engine = "population.doubt"'))
    opened = open_node(node)
    (planned, *_), _ = plan(opened, Surveys(opened))
    spatial = {task.engine for name, task in planned.tasks.items() if name.startswith(ALONE)}
    assert spatial == {"population.scr"}
    assert {"lists", "rates"} <= planned.tasks.keys()
    prepared = planned.tasks["answer"].prepare()
    assert isinstance(prepared.inputs, doubt.DoubtInputs)
    assert prepared.inputs.spatial.report_sides == ("westfell", "eastfell")


def test_the_report_draws_years_and_cells_and_links_every_dot(outcome: Outcome) -> None:
    page = outcome.report.read_text(encoding="utf-8")
    figures = re.findall(r'<figure class="own">.*?</figure>', page, flags=re.DOTALL)
    assert len(figures) == 3, "an index, cells, numbers by year"
    assert all("SIMULATED" in figure for figure in figures)
    index, cells, years = figures
    assert index.count('class="n"') == index.count("<circle") == 6
    assert years.count("<polyline") == 3, "all, and a line for each side"
    assert cells.count("<circle") == 12 + 1, "a dot in each cell with a find, and one in the legend"


def test_each_question_opens_with_what_it_was_asked(outcome: Outcome) -> None:
    page = re.sub(r"<[^>]+>", "", outcome.report.read_text(encoding="utf-8"))
    assert "what is counted at these sites is multiplied by 1.0" in page
    assert "the share of the visited sites where it is, seen or not, is about 0." in page
    assert "were there in 2025" in page
    assert "an animal survives, and stays, with probability 0." in page


def test_sites_leave_as_coarse_cells_and_never_as_stations() -> None:
    coarse, fine, station = ("range/20000/-1/2", "range/1000/-1/2", "west/cameras/W1")
    for site, leaves in ((coarse, True), (fine, False), (station, False)):
        table = pl.DataFrame({"site": [site], "occupied": [1.0], "detections": [2]})
        assert may_leave("q.answer.map", table, is_nowhere=False) is leaves
        assert may_leave("q.answer.map", table, is_nowhere=True)
