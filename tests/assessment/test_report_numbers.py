"""How numbers are written: digits that the data bear, and nothing that looks like another number."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharedrange.assessment.report import svg
from sharedrange.assessment.report.maps import _breaks
from sharedrange.assessment.report.numbers import MINUS, THIN, fact, shown, text
from sharedrange.core.answer import Estimate
from sharedrange.core.words import load

EN = load("en")
NUMBERS = st.floats(-1e9, 1e9, allow_nan=False)


def _shown(value: float, unit: str, low: float | None = None, high: float | None = None) -> tuple[str, str]:
    parts = shown(Estimate("q", value, unit, low, high), EN)
    return parts.value, parts.interval


@pytest.mark.parametrize(
    ("value", "unit", "low", "high", "told"),
    [
        (57.31, "animals", 46.2, 70.9, ("57", "46–71")),
        (0.852, "per_100km2", 0.611, 1.187, ("0.85", "0.61–1.19")),
        (0.0251, "per_occasion", 0.0042, 0.09, ("0.025", "0.004–0.090")),
        (4213.0, "m", 3702.0, 4791.0, ("4210", "3700–4790")),
        (0.423, "share", 0.288, 0.561, (f"42{THIN}%", f"29–56{THIN}%")),
        (105.9, "percent", None, None, (f"+106{THIN}%", "")),
        (-2.6, "percent", None, None, (f"{MINUS}3{THIN}%", "")),
        (0.2, "percent", None, None, (f"0{THIN}%", "")),
        (12345.0, "km2", None, None, (f"12{THIN}300", "")),
        (9.0, "animals", 4.0, math.inf, ("9", "4–∞")),
        (0.0, "per_100_station_days", 0.0, 0.1518, ("0.00", "0.00–0.15")),
    ],
)
def test_a_number_has_the_digits_that_its_unit_bears(
    value: float, unit: str, low: float | None, high: float | None, told: tuple[str, str]
) -> None:
    assert _shown(value, unit, low, high) == told


@given(NUMBERS, st.integers(-3, 6))
def test_what_is_printed_reads_back_as_the_rounded_number(value: float, decimals: int) -> None:
    told = text(value, decimals, "en").replace(THIN, "").replace(MINUS, "-")
    assert float(told) == pytest.approx(round(value, decimals), abs=1e-9)
    assert not re.fullmatch(r"-0(\.0*)?", told)


@given(st.floats(1e-3, 1e6), st.floats(0.05, 0.95), st.floats(1.05, 20))
def test_a_lower_bound_above_zero_is_not_printed_as_zero(value: float, down: float, up: float) -> None:
    _, interval = _shown(value, "per_100km2", value * down, value * up)
    assert float(interval.partition("–")[0].replace(THIN, "")) > 0


def test_languages_with_a_decimal_comma_get_one() -> None:
    assert text(1234.5, 1, "ru") == "1234,5"
    assert text(12345.5, 1, "ru") == f"12{THIN}345,5"


def test_facts_keep_whole_numbers_whole_and_say_when_they_are_tiny() -> None:
    assert [fact(v, EN) for v in (14, 3.0, 0.31, 812.44, 1e-9, None, "HHN")] == [
        "14", "3", "0.31", "812.4", f"<{THIN}0.0001", "–", "HHN",
    ]  # fmt: skip


@given(st.text("ab 密度한", max_size=60), st.integers(3, 20))
def test_wrapping_loses_nothing_but_spaces(words: str, width_em: int) -> None:
    assert "".join("".join(svg.wrap(words, width_em)).split()) == "".join(words.split())


@given(st.floats(0.5, 1e6))
def test_ticks_are_few_and_inside(high: float) -> None:
    ticks = svg.ticks(0, high)
    assert 2 <= len(ticks) <= 7
    assert ticks[0] == 0
    assert ticks[-1] <= high * (1 + 1e-9)


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=30))
def test_the_classes_of_a_map_hold_every_cell(days: list[float]) -> None:
    import polars as pl

    breaks = _breaks(pl.DataFrame({"run_days": days}), "run_days")
    assert 1 <= len(breaks) <= 4
    assert breaks == sorted(set(breaks))
    assert breaks[-1] >= max(days)
