"""The way back of a number, on the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sharedrange.assessment.programme import Party, Programme
from sharedrange.assessment.tracing import Trace
from sharedrange.cli.lineage import LONGEST_VALUE, show_trace
from sharedrange.core.answer import Estimate, Scope
from sharedrange.core.ledger import Ledger, Source, Step

OWN = Source("north", "cameras", "own/cameras", "ab" * 32)
RECEIVED = Source("south", "cameras", "received/south/cameras", "cd" * 32, "agreement-2024")
TAKE = Step("exchange.take", 1, {"party": "north", "mask": {"buffer_m": 20000}, "empty": ""}, (OWN.id, RECEIVED.id))
FIT = Step("population.scr", 3, {"polygon": "P" * 5000}, (TAKE.id,))
LEDGER = Ledger().with_source(OWN).with_source(RECEIVED).with_step(TAKE).with_step(FIT)
NUMBER = Estimate("N", 31.4, "animals", 25.2, 39.1, scope=Scope(taxon="Panthera tigris", period="2024"), step=FIT.id)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, face: Any, text_of: Callable[..., str]) -> list[str]:
    """The lines of the trace of NUMBER."""
    programme = Programme("p", "P", 1, (Party("north", "N"), Party("south", "S")), (), (), ())
    monkeypatch.setattr("sharedrange.cli.lineage.read_programme", lambda _folder: programme)
    show_trace(face, Trace(NUMBER, tuple(LEDGER.back(FIT.id))), Path("node"))
    return text_of(face.out).splitlines()


def _indent(lines: list[str], part: str) -> int:
    (line,) = [line for line in lines if part in line]
    return len(line) - len(line.lstrip())


def test_the_number_comes_first_with_what_it_is_about(lines: list[str]) -> None:
    assert "31 animals" in lines[0]
    assert "25–39" in lines[0]
    assert "Panthera tigris, 2024" in lines[1]


def test_steps_and_sources_are_indented_below_what_they_led_to(lines: list[str]) -> None:
    steps = [_indent(lines, key) for key in (FIT.id, TAKE.id, OWN.id, RECEIVED.id)]
    assert steps == [0, 2, 4, 4]


def test_settings_are_shown_with_dotted_names_and_empty_ones_left_out(lines: list[str]) -> None:
    assert any(line.strip() == "mask.buffer_m = 20000" for line in lines)
    assert not any("empty" in line for line in lines)


def test_long_settings_are_cut(lines: list[str]) -> None:
    assert sum(line.count("P" * 10) * 10 for line in lines) <= LONGEST_VALUE


def test_a_package_ends_with_who_released_it_under_what(lines: list[str]) -> None:
    assert any("released by south under agreement-2024" in line for line in lines)
    assert any(RECEIVED.sha256 in line for line in lines)
