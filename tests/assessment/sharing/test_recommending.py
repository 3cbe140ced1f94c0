"""Which cells a preview recommends: the smallest that meet every demand, and what fails where none do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sharedrange.assessment.programme import Programme
from sharedrange.assessment.sharing.costing import Cost
from sharedrange.assessment.sharing.drawing import draw_curve
from sharedrange.assessment.sharing.preview import Step
from sharedrange.assessment.sharing.recommending import judged, recommended, tolerated
from sharedrange.core.words import load
from sharedrange.sharing.attack import Attack

SAFE = Attack("stations", 0.01, 0.0, 0.0, 0.04, 100, 0.01)
FOUND = replace(SAFE, success=0.3, high=0.4, expected=0.3)
GOOD = Cost(0.1, 20, -0.02, 0.98, 20, 20, shift_se=0.01, error=0.15)


def fails(cost: Cost = GOOD, attack: Attack | None = SAFE, stations: int = 20) -> tuple[str, ...]:
    (one,) = judged([Step(0.1, stations, attack)], [cost])
    return one.fails


def test_every_demand_that_fails_is_named() -> None:
    assert fails() == ()
    assert fails(attack=None, stations=0) == ("leaves",)
    assert fails(attack=FOUND) == ("certified",)
    assert fails(replace(GOOD, width_ratio=1.16)) == ("width",)
    assert fails(replace(GOOD, shift=-0.08)) == ("shift",)
    assert fails(replace(GOOD, shift=0.08)) == ("shift",)
    assert fails(replace(GOOD, shift_se=0.05)) == ("surveys",)
    assert fails(replace(GOOD, shift_se=None)) == ("surveys",)
    assert fails(replace(GOOD, fitted=15)) == ("estimable",)
    assert fails(replace(GOOD, shift=None, width_ratio=None, fitted=0)) == ("estimable",)
    assert fails(replace(GOOD, width_ratio=2.0, shift=0.5), FOUND) == ("certified", "width", "shift")


def test_an_interval_that_is_narrow_because_it_is_wrong_does_not_count() -> None:
    """As cells of 0.1 degrees do in benchmarks/coarsening.py: 0.84 times the width, a tenth too few, 72 of 100 hold."""
    assert fails(replace(GOOD, shift=-0.104, width_ratio=0.84, shift_se=0.005, error=0.09)) == ("shift",)
    assert fails(replace(GOOD, shift=-0.021, width_ratio=0.97, shift_se=0.005, error=0.09)) == ()


def test_a_shift_is_held_against_the_error_and_never_more_than_a_tenth_is_borne() -> None:
    assert tolerated(replace(GOOD, error=0.1)) == pytest.approx(0.05)
    assert tolerated(replace(GOOD, error=0.6)) == pytest.approx(0.1)
    assert tolerated(replace(GOOD, error=None)) == 0.0


def test_the_smallest_cells_that_fail_nothing_are_recommended() -> None:
    steps = [Step(0.01, 0, None), Step(0.05, 20, FOUND), Step(0.1, 20, SAFE), Step(0.2, 20, SAFE)]
    costs = [replace(GOOD, cell=step.cell) for step in steps]
    assert recommended(judged(steps, costs)) == 0.1
    costs[2] = replace(costs[2], width_ratio=1.3)
    assert recommended(judged(steps, costs)) == 0.2
    costs[3] = replace(costs[3], shift=0.3)
    assert recommended(judged(steps, costs)) is None


def test_the_drawing_marks_the_recommended_cells_and_no_others(tmp_path: Path) -> None:
    steps = [Step(0.05, 20, FOUND), Step(0.1, 20, SAFE)]
    costs = [replace(GOOD, cell=step.cell) for step in steps]
    marked = drawn(steps, costs, tmp_path)
    assert marked.count("recommended<") == 1
    unmarked = drawn(steps, [replace(cost, shift=0.3) for cost in costs], tmp_path)
    assert "recommended<" not in unmarked
    assert unmarked.count("<polyline") == marked.count("<polyline") - 1


def drawn(steps: list[Step], costs: list[Cost], folder: Path) -> str:
    words = load("en")
    programme = Programme("any", "SIMULATED", 0, (), (), (), (), simulated=True)
    file = draw_curve(steps, costs, folder / "curve.svg", unit="degrees", programme=programme, words=words)
    assert file is not None
    return file.read_text(encoding="utf-8")
