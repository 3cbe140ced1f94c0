"""What an assessment found, on the terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sharedrange.assessment.assessing import Outcome
from sharedrange.assessment.programme import Component, Party, Programme, Question, Species
from sharedrange.assessment.results import CELLS, HEALTH, AloneSum, Assessment, Convention, JointSheet, Result
from sharedrange.cli.outcome import show_outcome
from sharedrange.core.answer import LISTED, Answer, Estimate, Refusal, Scope
from sharedrange.core.finding import Finding, Severity
from sharedrange.core.ledger import Ledger

QUESTION = Question("tigers", "population.scr", "border", "tiger", sessions=("2024",))
PROGRAMME = Programme(
    "p",
    "Two Parks",
    1,
    (Party("north", "North Park"), Party("south", "South Park")),
    (Species("tiger", "Panthera tigris", {"en": "tiger"}),),
    (Component("border", "Border", ("north", "south"), ("tiger",)),),
    (QUESTION,),
)


def count(quantity: str, value: float, unit: str = "animals") -> Estimate:
    return Estimate(quantity, value, unit, scope=Scope(kind=LISTED), step="a1")


JOINT = Answer((Estimate("N", 31.4, "animals", 25.2, 39.1, 3.4, step="b2"), Estimate("sigma", 2100.0, "m", step="b2")))
LISTS = Answer(
    (
        count("known.north", 22),
        count("known.north.adult", 19),
        count("known.south", 19),
        count("shared", 8),
        count("minimum_number", 33),
        count("naive_sum", 41),
        count("overcount", 24.2, "percent"),
    )
)
SHEET = JointSheet(
    LISTS,
    (
        AloneSum(Convention.CLIPPED, {}, Estimate("N+N", 39.0, "animals"), 24.2),
        AloneSum(Convention.OWN, {}, Estimate("N+N", 32.5, "animals"), 3.5),
        AloneSum(Convention.WHOLE, {}, None, None),
    ),
    JOINT,
    "bias",
)


def outcome(*results: Result, findings: tuple[Finding, ...] = (), reused: bool = False) -> Outcome:
    health, cells = pl.DataFrame(schema=HEALTH), pl.DataFrame(schema=CELLS)
    assessment = Assessment("north", PROGRAMME, results, Ledger(), health, cells, findings)
    return Outcome(assessment, Path("node/assessment/report.html"), reused)


@pytest.fixture
def told(open_window: Callable[..., Any], text_of: Callable[..., str]) -> Callable[..., str]:
    """The text of an outcome."""

    def tell(found: Outcome, language: str = "en", width: int = 100) -> str:
        face = open_window(language, width)
        show_outcome(face, found, Path("node"))
        return text_of(face.out)

    return tell


def test_the_answer_comes_first_with_its_interval_and_its_way_back(told: Callable[..., str]) -> None:
    text = told(outcome(Result(QUESTION, "b2", {"answer": JOINT})), width=200)
    lines = [line.strip() for line in text.splitlines()]
    answer = next(number for number, line in enumerate(lines) if "Tiger: about 31 adults (" in line)
    assert "25–39" in lines[answer]
    assert lines[answer - 1].startswith("1. ")
    assert lines[answer + 1].endswith("b2/N")
    assert "node/assessment/report.html" in text
    assert "sharedrange trace node STEP/QUANTITY" in text


def test_lists_and_estimates_stand_apart(told: Callable[..., str]) -> None:
    text = told(outcome(Result(QUESTION, "b2", {"answer": JOINT, "lists": LISTS}, SHEET)))
    lists, estimates = text.split("Estimates: animals that live there")
    assert all(number in lists for number in ("22", "33", "41", "+24"))
    assert "22" not in estimates
    assert all(number in estimates for number in ("39", "+24", "+4", "no sum", "31"))
    assert "less bias" in estimates


def test_numbers_of_one_life_stage_stay_in_the_report(told: Callable[..., str]) -> None:
    text = told(outcome(Result(QUESTION, "b2", {"answer": JOINT}, SHEET)))
    assert text.count("Known animals: North Park") == 1


@pytest.mark.parametrize("bought", ["answer", "bias", "precision", "both", "little"])
def test_what_sharing_bought_has_a_sentence(told: Callable[..., str], bought: str) -> None:
    sheet = replace(SHEET, bought=bought)
    assert "What sharing bought" in told(outcome(Result(QUESTION, "b2", {"answer": JOINT}, sheet)))


def test_a_declined_question_says_why_and_what_can_be_said(told: Callable[..., str]) -> None:
    refusal = Refusal("tigers", {"recaptures": 2}, {"recaptures": 5}, ("population.minimum",))
    text = told(outcome(Result(QUESTION, "b2", {"answer": Answer(refusal=refusal)})))
    assert "cannot bear this question" in text
    assert "population.minimum" in text


def test_where_a_number_is_refused_what_can_be_said_instead_is_said(told: Callable[..., str]) -> None:
    refusal = Refusal("tigers", {"recaptures": 2}, {"recaptures": 5}, ("population.minimum",))
    rates = Answer(
        (Estimate("rate.north", 1.79, "per_100_station_days", 1.2, 2.7, step="c3"), count("effort.north", 9))
    )
    answers = {"answer": Answer(refusal=refusal), "lists": LISTS, "rates": rates}
    text = told(outcome(Result(QUESTION, "b2", answers, JointSheet(LISTS))), width=200)
    assert "Tiger: at least 33 adults are known by their marks in North Park and South Park" in text
    assert "North Park: 1.8 (95\u202f% interval 1.2–2.7) independent detections per 100 station-days." in text
    assert text.index("at least 5") < text.index("at least 33") < text.index("Lists: animals known")


def test_dense_animals_are_told_per_hectare(told: Callable[..., str]) -> None:
    birds = Answer((*JOINT.estimates, Estimate("D", 9421.1, "per_100km2", 7331.0, 12107.0, step="b2")))
    text = told(outcome(Result(QUESTION, "b2", {"answer": birds})))
    assert "0.942" in text
    assert "per hectare" in text


def test_numbers_of_other_species_are_counted(told: Callable[..., str]) -> None:
    rates = [Estimate(f"rate.north{taxon}", 2.0, "per_100_station_days", 1.0, 3.0, step="b2") for taxon in TAXA]
    text = told(outcome(Result(replace(QUESTION, engine="population.rates"), "b2", {"answer": Answer(tuple(rates))})))
    assert "Numbers of other species in the report: 2." in text
    assert "Lynx" not in text


TAXA = ("", ".Lynx_lynx", ".Sus_scrofa")


def test_a_fit_without_an_end_is_not_silent(told: Callable[..., str]) -> None:
    assert "No answer" in told(outcome(Result(QUESTION, "b2", {"answer": Answer()})))


def test_warnings_are_shown_and_notes_counted(told: Callable[..., str]) -> None:
    warning = Finding("missing-key", {"key": "taxon"}, severity=Severity.WARNING)
    note = Finding("missing-key", {"key": "sex"}, severity=Severity.NOTE)
    text = told(outcome(findings=(warning, note)))
    assert "taxon" in text
    assert '"sex"' not in text
    assert "Notes in the report: 1." in text


def test_of_one_rule_one_warning_is_shown_and_the_others_counted(told: Callable[..., str]) -> None:
    warnings = (Finding("missing-key", {"key": key}, severity=Severity.WARNING) for key in ("sex", "taxon", "flank"))
    text = told(outcome(findings=tuple(warnings)))
    assert "and 2 more of missing-key" in text
    assert text.count("the key") == 1


def test_a_run_without_changes_says_so(told: Callable[..., str]) -> None:
    assert "Nothing has changed" in told(outcome(reused=True))
    assert "Nothing has changed" not in told(outcome())


def test_simulated_animals_are_never_shown_as_real(told: Callable[..., str]) -> None:
    found = outcome()
    simulated = replace(found.assessment, programme=replace(PROGRAMME, simulated=True))
    assert "SIMULATED" in told(replace(found, assessment=simulated))
    assert "SIMULATED" not in told(found)


@pytest.mark.parametrize("width", [80, 120])
def test_the_sheet_stays_inside_the_window(told: Callable[..., str], width: int) -> None:
    text = told(outcome(Result(QUESTION, "b2", {"answer": JOINT}, SHEET)), width=width)
    assert max(map(len, text.splitlines())) <= width


def test_every_sentence_comes_from_the_catalogue(told: Callable[..., str]) -> None:
    refusal = Refusal("tigers", {"recaptures": 2}, {"recaptures": 5}, ("population.minimum",))
    results = (
        Result(QUESTION, "b2", {"answer": JOINT, "lists": LISTS}, SHEET),
        Result(QUESTION, "b3", {"answer": Answer(refusal=refusal)}),
    )
    text = told(outcome(*results, reused=True), language="qps", width=400)
    assert plain_words(text) <= {"Two", "Parks", "North", "Park", "South", "tiger", "Panthera", "tigris"} | CODES


CODES = {"population", "minimum", "recaptures", "sharedrange", "trace", "node", "assessment", "report", "html"} | {
    "STEP",
    "QUANTITY",
}


def plain_words(text: str) -> set[str]:
    """Words outside the marks of the pseudo-locale."""
    outside, depth = [], 0
    for letter in text:
        depth += {"⟦": 1, "⟧": -1}.get(letter, 0)
        outside.append(letter if depth == 0 and letter.isalpha() else " ")
    return {word for word in "".join(outside).split() if len(word) > 2}
