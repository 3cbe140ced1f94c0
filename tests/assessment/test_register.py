"""The register's lint, its tables, the dates it reads, and the register of North-East Asia."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharedrange.assessment.programme import (
    Area,
    Component,
    Event,
    Milestone,
    OpenQuestion,
    Party,
    Programme,
    Project,
    Schedule,
    Species,
    read_node,
    read_programme,
)
from sharedrange.assessment.register import COLUMNS, lint, linting, register_tables
from sharedrange.core.finding import Finding, Severity
from sharedrange.core.periods import Interval, add_months, find_dates, months, read_date, span, year

EXAMPLE = Path(__file__).parents[2] / "examples" / "north-east-asia"
WHOLE = Component("c", "A component", period="2021", areas=("Ridge",), objective="Count.", source="s")
PROJECT = Project("P", funder="F", budget_usd=1.0, months=33, approved=read_date("2019-12"), source="s")


def programme(**parts: object) -> Programme:
    """A register in which nothing is wrong but what `parts` put into it."""
    bare = Programme("p", "P", 1, (Party("a", "A", source="s"),), (), (), (), project=PROJECT)
    return replace(bare, **parts)  # type: ignore[arg-type]  # parts are fields of Programme


def rules(**parts: object) -> list[str]:
    return [f.rule for f in lint(programme(**parts))]


def only(**parts: object) -> Finding:
    (finding,) = lint(programme(**parts))
    return finding


def milestone(activity: str, planned: str, **more: object) -> Milestone:
    return Milestone("m", activity, planned, source="s", **more)  # type: ignore[arg-type]  # fields of Milestone


# Lint


def test_a_register_in_which_all_fits_has_no_finding() -> None:
    assert rules(components=(WHOLE,), milestones=(milestone("Meet in May 2021", "May 2021"),)) == []


def test_a_programme_without_a_register_is_not_linted() -> None:
    assert rules(project=None, components=(Component("c", "Cats of the"),)) == []


def test_a_milestone_is_held_against_the_date_in_its_own_text() -> None:
    finding = only(milestones=(milestone("Host a workshop in first half 2020", "Early 2021"),))
    assert finding.rule == "register-milestone-contradicts"
    assert (finding.facts["planned"], finding.facts["said"]) == ("Early 2021", "first half 2020")


def test_a_text_that_also_names_another_year_does_not_contradict() -> None:
    assert rules(milestones=(milestone("Finish in 2021 the report of 2019", "Early 2021"),)) == []


def test_a_question_is_held_against_what_it_is_about() -> None:
    asked = OpenQuestion("q", "Who hosts the workshop in 2020?", about=("m",), status="done", source="s")
    finding = only(milestones=(milestone("Host a workshop", "Early 2021"),), open_questions=(asked,))
    assert finding.rule == "register-question-contradicts"
    assert (finding.facts["said"], finding.facts["about"]) == ("2020", "m")


def test_a_question_nobody_answered_stays_open() -> None:
    asked = OpenQuestion("q", "Who hosts the workshop?", source="s")
    assert rules(open_questions=(asked,)) == ["register-question-open"]


def test_a_component_that_outlives_its_project_is_found() -> None:
    finding = only(components=(replace(WHOLE, period="Jan 2021 – Dec 2022"),))
    assert finding.rule == "register-component-late"
    assert (finding.facts["end"], finding.facts["counted_from"]) == ("2022-09", "approved")


def test_the_start_of_a_project_counts_before_its_approval() -> None:
    project = replace(PROJECT, start=read_date("2020-04"))
    assert rules(project=project, components=(replace(WHOLE, period="Jan 2021 – Dec 2022"),)) == []


def test_a_component_that_begins_before_its_project_is_found() -> None:
    assert only(components=(replace(WHOLE, period="2018 - 2021"),)).rule == "register-component-early"


def test_a_project_of_unknown_beginning_bounds_no_component() -> None:
    assert rules(project=replace(PROJECT, approved=None), components=(replace(WHOLE, period="1999-2090"),)) == []


def test_empty_cells_are_listed_together() -> None:
    finding = only(components=(Component("c", "Cats", source="s"),))
    assert (finding.rule, finding.facts["cells"]) == ("register-empty-cells", "period, areas, objective")
    assert rules(project=replace(PROJECT, budget_usd=None)) == ["register-empty-cells"]


@pytest.mark.parametrize("text", ["2021 (tbc)", "2021 TBC", "2021 (t.b.c.)", "2021, to be confirmed", "2021 tba"])
def test_what_is_to_be_confirmed_is_found(text: str) -> None:
    assert only(components=(replace(WHOLE, period=text),)).rule == "register-to-be-confirmed"


def test_a_status_to_be_confirmed_is_found_without_the_words() -> None:
    schedule = Schedule(read_date("2021"), None, "to be confirmed")
    assert rules(components=(replace(WHOLE, schedule=schedule),)).count("register-to-be-confirmed") == 1


@pytest.mark.parametrize("text", ["create the condition for the", "TLNP LLNP (Amur tiger &", "tigers,", "(open"])
def test_a_text_that_was_cut_off_is_found(text: str) -> None:
    assert only(components=(replace(WHOLE, objective=text),)).rule == "register-text-cut-off"
    assert only(components=(replace(WHOLE, areas=(text,)),)).rule == "register-text-cut-off"


def test_typed_dates_that_differ_from_the_text_are_found() -> None:
    typed = milestone("Meet", "May 2021", planned_start=read_date("2021-06"), planned_end=read_date("2021-06"))
    assert only(milestones=(typed,)).rule == "register-dates-differ"
    exact = milestone("Meet", "2021", planned_start=read_date("2021-06"), planned_end=read_date("2021-06"))
    assert rules(milestones=(exact,)) == []


def test_a_date_that_cannot_be_read_is_a_note() -> None:
    finding = only(events=(Event("in the year of the horse", "met", source="s"),))
    assert (finding.rule, finding.severity) == ("register-date-unread", Severity.NOTE)


def test_what_is_past_and_open_depends_on_the_day_handed_in() -> None:
    parts = programme(
        components=(replace(WHOLE, schedule=Schedule(status="done")),),
        milestones=(milestone("Meet", "May 2020"), replace(milestone("Go", "May 2020", status="moved"), id="n")),
    )
    assert lint(parts) == lint(parts, on=date(2020, 5, 31)) == ()
    (finding,) = lint(parts, on=date(2020, 6, 1))
    assert (finding.rule, finding.facts["entry"]) == ("register-past-and-open", "m")


def test_a_milestone_without_end_is_never_past() -> None:
    assert lint(programme(milestones=(milestone("Talk", "End 2020 ~"),)), on=date(2030, 1, 1)) == ()


def test_entries_without_source_or_to_verify_are_counted_by_table() -> None:
    events = (Event("2020", "a"), Event("2021", "b"), Event("2022", "c", source="s", to_verify="memory"))
    missing, unverified = lint(programme(events=events))
    assert (missing.rule, missing.facts["count"], missing.facts["of"]) == ("register-no-source", 2, 3)
    assert (unverified.rule, unverified.facts["entries"]) == ("register-not-verified", "2022 c")


def test_names_that_nobody_reviewed_are_counted_by_language() -> None:
    cat = Species("cat", "Felis cattus", {"mn": "муур", "ja": "猫"}, unreviewed=("mn", "ja"), source="s")
    park = Area("A", "A", names={"mn": "А"}, unreviewed=("mn",), source="s")
    found = lint(programme(species=(cat, replace(cat, key="b", unreviewed=("mn",))), areas=(park,)))
    assert {f.rule for f in found} == {"register-names-unreviewed"}
    assert [(f.facts["section"], f.facts["language"], f.facts["count"]) for f in found] == [
        ("species", "mn", 2), ("species", "ja", 1), ("areas", "mn", 1),
    ]  # fmt: skip


def test_no_finding_of_the_lint_stops_the_work() -> None:
    assert {f.severity for f in lint(read_programme(EXAMPLE), date(2026, 1, 1))} == {Severity.WARNING, Severity.NOTE}


# Dates


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("Early 2021", "2021-01/2021-03"),
        ("early in 2021", "2021"),  # not a phrase we read: the wide reading
        ("mid-2021", "2021-04/2021-09"),
        ("late 2021", "2021-10/2021-12"),
        ("End 2020", "2020-10/2020-12"),
        ("End of 2020", "2020-10/2020-12"),
        ("End 2020 ~", "2020-10/.."),
        ("End 2020 onward", "2020-10/.."),
        ("from 2021", "2021-01/.."),
        ("by end 2025", "../2025-12"),
        ("first half 2020", "2020-01/2020-06"),
        ("second half of 2020", "2020-07/2020-12"),
        ("Q3 2020", "2020-07/2020-09"),
        ("2020 Q3", "2020-07/2020-09"),
        ("2020-H1", "2020-01/2020-06"),
        ("Dec 2020", "2020-12"),
        ("May 2020", "2020-05"),
        ("Sept. 2020", "2020-09"),
        ("Jan 2021 – Dec 2022 (tbc)", "2021-01/2022-12"),
        ("May-June 2021", "2021-05/2021-06"),
        ("Nov-Feb 2021", "2020-11/2021-02"),
        ("2021", "2021"),
        ("2020-2022", "2020-01/2022-12"),
        ("2005 to 2007", "2005-01/2007-12"),
        ("2010-11", "2010-11"),
        ("2010-11-09", "2010-11-09"),
        ("12-13 October 2020", "2020-10-12/2020-10-13"),
        ("October 12, 2020", "2020-10-12"),
        ("2015 autumn", "2015-09/2015-11"),
        ("winter 2015", "2015-12/2016-02"),
        ("2021-10 / 2022-12", "2021-10/2022-12"),
        ("(2020).", "2020"),
        ("31 Feb 2021", "2021-02"),
    ],
)
def test_dates_are_read_as_plans_write_them(text: str, iso: str) -> None:
    assert str(span(text)) == iso


@pytest.mark.parametrize(
    "text", ["", "33 months", "USD 337,081", "COP15 (May, China)", "2,020 birds", "12020", "1.2020", "may wish to"]
)
def test_what_is_no_date_is_not_read_as_one(text: str) -> None:
    assert span(text) is None


def test_every_date_of_a_text_is_found_in_order() -> None:
    text = "CBD COP-15 in May 2021 and the Ramsar Convention COP-14 in November 2021"
    assert [p.text for p in find_dates(text)] == ["May 2021", "November 2021"]


days = st.dates(date(1990, 1, 1), date(2089, 12, 31))


@given(days, days)
def test_an_interval_written_in_iso_is_read_back(a: date, b: date) -> None:
    interval = Interval(min(a, b), max(a, b))
    first, _, last = str(interval).partition("/")
    assert Interval(read_date(first).first, read_date(last or first).last) == interval


@given(days, st.integers(0, 600))
def test_months_later_is_the_same_day_or_the_last_of_its_month(day: date, count: int) -> None:
    later = add_months(day, count)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == count
    assert later.day == day.day or (later + timedelta(days=1)).day == 1


def test_months_beyond_the_calendar_are_open() -> None:
    assert add_months(date(9999, 12, 1), 1) == date.max
    assert months(9999, 12).last == date.max
    assert str(year(2020)) == "2020"


@given(st.text(alphabet="0123456789 -–~/.()JanMayQHendearlyhalf", max_size=30))
def test_no_text_breaks_the_reading_of_dates(text: str) -> None:
    assert all(p.interval.first <= p.interval.last and p.text in text for p in find_dates(text))


def test_a_year_may_be_a_number() -> None:
    assert read_date(2020) == read_date("2020") == year(2020)


@pytest.mark.parametrize("value", [20201, "20", "2020-13", "2020-02-30", "٢٠٢٠", None, True])
def test_what_is_no_date_of_a_settings_file_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"date|month|day"):
        read_date(value)


# The register of North-East Asia


def test_the_example_lints_to_exactly_the_slips_of_the_slides_and_the_known_gaps() -> None:
    found = Counter(f.rule for f in lint(read_programme(EXAMPLE)))
    assert found == {
        "register-empty-cells": 2,
        "register-text-cut-off": 2,
        "register-to-be-confirmed": 1,
        "register-component-late": 1,
        "register-milestone-contradicts": 1,
        "register-question-contradicts": 1,
        "register-question-open": 3,
        "register-no-source": 3,
        "register-not-verified": 5,
        "register-names-unreviewed": 6,
    }


def test_the_example_finds_what_the_slides_got_wrong() -> None:
    facts = {f.rule: f.facts for f in lint(read_programme(EXAMPLE))}
    late = facts["register-component-late"]
    assert (late["component"], late["months"], late["begin"]) == ("tlnp-llnp", 33, "2019-12")
    assert (late["end"], late["runs"]) == ("2022-09", "2021-01/2022-12")
    assert facts["register-milestone-contradicts"]["said"] == "first half 2020"
    assert facts["register-question-contradicts"] == {
        "question": "tumen-cooperation", "about": "tumen-workshop", "planned": "Early 2021", "said": "2020",
    }  # fmt: skip
    assert facts["register-to-be-confirmed"]["text"] == "Jan 2021 – Dec 2022 (tbc)"


def test_the_example_knows_by_a_later_day_what_nobody_followed_up() -> None:
    found = [f.facts["entry"] for f in lint(read_programme(EXAMPLE), date(2026, 1, 1)) if "past" in f.rule]
    assert found == ["tumen-species-list", "tumen-report", "focal-points", "tumen-workshop", "tlnp-llnp"]


def test_the_example_keeps_cells_as_the_slides_have_them() -> None:
    first, second, third = read_programme(EXAMPLE).components
    assert first.objective.endswith("create the condition for the")
    assert first.areas == ("TLNP LLNP (Amur tiger &",)
    for component in (second, third):
        assert (component.period, component.areas, component.objective) == ("", (), "")


def test_the_example_is_a_node_without_positions() -> None:
    node = read_node(EXAMPLE)
    assert (node.party, node.programme.questions, node.programme.simulated) == ("register", (), False)
    assert all(not c.sides for c in node.programme.components)


def test_names_in_mongolian_japanese_and_korean_are_never_shown_as_reviewed() -> None:
    example = read_programme(EXAMPLE)
    named: list[Species | Area] = [*example.species, *example.areas]
    for thing in named:
        assert {"mn", "ja", "ko"} & set(thing.names) == set(thing.unreviewed)


def test_every_entry_of_the_example_has_a_source_or_says_why_not() -> None:
    example = read_programme(EXAMPLE)
    entries: list[Any] = [*example.parties, *example.species, *example.components, *example.areas, *example.milestones]
    entries += [*example.events, *example.open_questions, *filter(None, [example.project])]
    assert all(e.source or e.to_verify for e in entries)


def test_the_documentation_lists_every_rule() -> None:
    source = Path(linting.__file__).read_text(encoding="utf-8")
    used = set(re.findall(r'_(?:warning|note|counted)\(\s*(?:programme, )?"([a-z-]+)"', source))
    docs = (EXAMPLE.parents[1] / "docs" / "programme.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\| `register-([a-z-]+)` \|", docs)) == used
    assert len(used) == 14


# Tables


def test_the_register_becomes_tables_of_text_and_dates() -> None:
    tables = register_tables(read_programme(EXAMPLE))
    assert {name: tuple(table.columns) for name, table in tables.items()} == dict(COLUMNS)
    assert {d for t in tables.values() for d in t.dtypes} == {pl.String, pl.Date}
    assert [tables[n].height for n in ("components", "milestones", "open_questions", "species", "parties")] == [
        3, 8, 3, 6, 7,
    ]  # fmt: skip
    assert tables["project"]["budget_usd"].to_list() == ["337081"]
    assert tables["project"]["approved"].to_list() == ["2019-12"]


def test_an_empty_cell_stays_empty_in_the_tables() -> None:
    components = register_tables(read_programme(EXAMPLE))["components"]
    assert components["objective"].to_list()[1:] == ["", ""]
    assert components["first_day"].to_list() == [date(2021, 1, 1), None, None]


def test_the_timeline_is_in_order_of_time_and_unread_dates_come_last() -> None:
    events = tuple(Event(when, when) for when in ("2021", "soon", "2010-08", "2010-11", "2010"))
    table = register_tables(programme(events=events))["events"]
    assert table["date"].to_list() == ["2010", "2010-08", "2010-11", "2021", "soon"]


def test_tables_of_a_programme_without_a_register_are_empty() -> None:
    tables = register_tables(programme(project=None))
    assert {name for name, table in tables.items() if table.height} == {"parties"}
