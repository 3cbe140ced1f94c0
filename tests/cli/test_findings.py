"""Findings on the terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sharedrange.cli.findings import SAME_RULE_ROWS, as_json, show_findings
from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.core.words import load


def missing(key: str, where: Where = Where(), severity: Severity = Severity.ERROR) -> Finding:
    return Finding("missing-key", {"key": key}, where, severity)


def test_json_holds_everything_about_a_finding() -> None:
    finding = missing("taxon", Where("captures.csv", "captures", 12, "taxon"), Severity.WARNING)
    assert json.loads(as_json([finding], load("en"))) == [
        {
            "rule": "missing-key",
            "severity": "warning",
            "file": "captures.csv",
            "table": "captures",
            "row": 12,
            "field": "taxon",
            "fact": load("en").fact(finding),
            "remedy": load("en").remedy(finding),
            "facts": {"key": "taxon"},
        }
    ]


def test_the_table_tells_place_fact_remedy_and_rule(face: Any, text_of: Callable[..., str]) -> None:
    finding = missing("taxon", Where("sheet.xlsx", "captures", 12, "taxon"))
    show_findings(face, [finding])
    text = text_of(face.out)
    expected = ("sheet.xlsx (captures)", "12", "taxon", "missing-key", face.words.fact(finding))
    assert all(part in text for part in expected)


def test_findings_stand_under_their_file_worst_first(face: Any, text_of: Callable[..., str]) -> None:
    show_findings(
        face,
        [
            missing("note", Where("b.csv"), Severity.NOTE),
            missing("later", Where("b.csv")),
            missing("early", Where("a.csv"), Severity.WARNING),
        ],
    )
    text = text_of(face.out)
    assert sorted(("a.csv", "early", "b.csv", "later", '"note"'), key=text.index) == [
        "a.csv",
        "early",
        "b.csv",
        "later",
        '"note"',
    ]
    assert "Errors: 1. Warnings: 1. Notes: 1." in text


def test_many_findings_of_one_rule_are_counted_not_repeated(face: Any, text_of: Callable[..., str]) -> None:
    show_findings(face, [missing(f"k{row}", Where("a.csv", row=row)) for row in range(2, 2 + SAME_RULE_ROWS + 7)])
    text = text_of(face.out)
    assert "and 7 more of missing-key" in text
    assert "k2" in text
    assert f"k{2 + SAME_RULE_ROWS}" not in text
    assert f"Errors: {SAME_RULE_ROWS + 7}." in text


def test_nothing_wrong_is_said(face: Any, text_of: Callable[..., str]) -> None:
    show_findings(face, [])
    assert text_of(face.out).strip() == face.words("cli.finding.none")


@pytest.mark.parametrize("width", [80, 120])
def test_a_long_finding_is_wrapped_not_cut(
    open_window: Callable[..., Any], text_of: Callable[..., str], width: int
) -> None:
    face = open_window(width=width)
    known = ", ".join(f"column_{n}" for n in range(40))
    show_findings(face, [Finding("unknown-key", {"key": "x" * 60, "nearest": "y", "known": known})])
    text = text_of(face.out)
    assert max(map(len, text.splitlines())) <= width
    assert all(f"column_{n}" in text for n in range(40))
    assert text.count("x") >= 60


@pytest.mark.parametrize(("severity", "code"), [(Severity.ERROR, 1), (Severity.WARNING, 0), (Severity.NOTE, 0)])
def test_check_fails_on_errors_only(
    type_line: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, severity: Severity, code: int
) -> None:
    monkeypatch.setattr("sharedrange.assessment.checking.check", lambda *_: (missing("taxon", severity=severity),))
    assert type_line("check", "folder").code == code
    typed = type_line("check", "folder", "--json")
    assert typed.code == code
    assert [found["rule"] for found in json.loads(typed.out)] == ["missing-key"]


def test_into_a_pipe_no_colour_is_written(type_line: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharedrange.assessment.checking.check", lambda *_: (missing("taxon"),))
    assert "\x1b" not in type_line("check", "folder").out
    assert "\x1b" in type_line("check", "folder", colour=True).out


def test_a_column_that_nothing_fills_is_left_out(face: Any, text_of: Callable[..., str]) -> None:
    show_findings(face, [missing("taxon", Where("a.csv", row=7)), missing("sex", Where("a.csv"))])
    header = text_of(face.out).splitlines()[1]
    assert face.words("cli.finding.row") in header
    assert face.words("cli.finding.field") not in header
