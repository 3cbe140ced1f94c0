"""One fit on the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from sharedrange.assessment.estimating import Estimation
from sharedrange.cli.summary import show_answer, show_estimation, with_limits
from sharedrange.core.answer import Answer, Estimate, Refusal
from sharedrange.core.finding import Finding, Severity

ESTIMATES = (
    Estimate("N", 31.4, "animals", 25.2, 39.1, 3.4, level=0.9),
    Estimate("N.area", 31.4, "animals", 25.2, 39.1, 3.4, level=0.9),
    Estimate("psi_male", 0.53, "share", 0.32, 0.72, 0.11, level=0.9),
)


def test_estimates_stand_beside_error_and_interval(face: Any, text_of: Callable[..., str]) -> None:
    show_answer(face, Answer(ESTIMATES))
    header, number, share = (line.split("  ") for line in text_of(face.out).strip().splitlines())
    assert [cell.strip() for cell in header if cell][-1] == "90\u202f% interval"
    assert [cell.strip() for cell in number if cell][1:] == ["31", "animals", "3", "25–39"]
    assert [cell.strip() for cell in share if cell][1:] == ["53\u202f%", "11\u202f%", "32–72\u202f%"]


def test_small_tables_are_shown_and_surfaces_are_not(face: Any, text_of: Callable[..., str]) -> None:
    tables = {"coefficients": pl.DataFrame({"parameter": ["D"], "estimate": [9.3]})}
    tables |= {"surface": pl.DataFrame({"D": [1.0] * 500}), "empty": pl.DataFrame({"p": []})}
    show_answer(face, Answer(ESTIMATES, tables=tables))
    text = text_of(face.out)
    assert "Coefficients" in text
    assert "surface" not in text
    assert "empty" not in text


def test_a_refusal_and_its_findings_are_both_shown(face: Any, text_of: Callable[..., str]) -> None:
    refusal = Refusal("q", {"recaptures": 2}, {"recaptures": 10})
    finding = Finding("missing-key", {"key": "sex"}, severity=Severity.NOTE)
    answer = Answer(refusal=refusal, findings=(finding,))
    show_estimation(face, Estimation("population.minimum", None, answer), "tables")
    text = text_of(face.out)
    assert "at least 10" in text
    assert "sex" in text


def test_coefficients_get_the_limits_of_the_level_that_was_asked_for() -> None:
    table = pl.DataFrame({"parameter": ["D", "z"], "estimate": [1.0, 2.0], "se": [0.5, None]})
    limits = with_limits(table, 0.9)
    assert limits["high"][0] - limits["low"][0] == pytest.approx(2 * 1.6448536 * 0.5)
    assert limits["low"][1] is None, "what was held at a limit has no error"
    assert with_limits(limits, 0.5).equals(limits)
