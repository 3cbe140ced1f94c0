"""Bias and coverage of the joint estimate, small: the designs of benchmarks/designs.py on a few populations each."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

ROOT = Path(__file__).parents[3]
UNLIKE, UNEVEN, MISLABELLED = "unlike cameras", "uneven effort", "12.5 % mislabelled"
POPULATIONS = 20


def load(name: str) -> Any:
    """A benchmark as a module: one place for its designs."""
    sys.path.insert(0, str(ROOT))
    try:
        return importlib.import_module(f"benchmarks.{name}")
    finally:
        sys.path.remove(str(ROOT))


designs, cases, together = (load(name) for name in ("designs", "designs_cases", "together"))
CASE = {case.title: case for case in cases.CASES}


def outcomes(title: str, way: str, numbers: Sequence[int]) -> list[Any]:
    case = CASE[title]
    return [designs.outcome(case, cases.Seen(case.design, number), way) for number in numbers]


def of_n(found: Sequence[Any]) -> Any:
    """Value, low, high and truth of N, one row a population that was answered."""
    return np.array([one.numbers["N"] for one in found if one.state == "fitted"])


def covered(held: Any) -> int:
    return int(((held[:, 1] <= held[:, 3]) & (held[:, 3] <= held[:, 2])).sum())


def least_covered(trials: int) -> int:
    """Fewer than this many would be covered in one of a thousand such tests if intervals were what they say."""
    return int(binom.ppf(0.001, trials, 0.95))


@pytest.mark.parametrize("title", [UNLIKE, UNEVEN])
def test_the_joint_interval_holds_the_truth_as_often_as_it_says(title: str) -> None:
    held = of_n(outcomes(title, "as it comes", range(1, POPULATIONS + 1)))
    assert len(held) == POPULATIONS
    assert covered(held) >= least_covered(POPULATIONS)
    ratio = held[:, 0] / held[:, 3]
    assert abs(ratio.mean() - 1) < 3 * ratio.std(ddof=1) / np.sqrt(POPULATIONS)


def test_labelling_errors_are_seen_as_too_many_animals_that_intervals_miss() -> None:
    held = of_n(outcomes(MISLABELLED, "as it comes: names as given", range(1, 11)))
    assert held[:, 0].sum() > 1.15 * held[:, 3].sum()
    assert covered(held) < least_covered(10)


def test_a_population_is_the_same_whenever_it_is_asked() -> None:
    one, again = (outcomes(UNEVEN, "as it comes", [3])[0] for _ in range(2))
    assert one.numbers == again.numbers
    assert outcomes(UNEVEN, "as it comes", [4])[0].numbers != one.numbers


def made(mark: str, number: int, way: str, state: str = "fitted", **numbers: tuple[float, float, float, float]) -> Any:
    return designs.Outcome(mark, number, way, state, 0.1, numbers)


def test_what_was_refused_or_did_not_converge_is_counted_and_not_dropped() -> None:
    found = [
        made("m", 1, "w", N=(11.0, 9.0, 13.0, 10.0)),
        made("m", 2, "w", N=(22.0, 21.0, 23.0, 20.0)),
        made("m", 3, "w", "refused"),
        made("m", 4, "w", "no maximum"),
        made("m", 5, "w", "no maximum"),
    ]
    row = designs.row_of(found, "N")
    assert row == "5 | 1 | 2 | +10.0 ± 3.3 | 10.5 | 20 | 50.0 (9.5 to 90.5) | 50.0, 0.0"


def test_a_run_goes_on_where_it_stopped() -> None:
    first = next(iter(designs.tasks(2, 0, 0, [])))
    case = cases.CASES[first.case]
    done = [made(case.mark, first.number, way) for way in first.ways]
    left = list(designs.tasks(2, 0, 0, done))
    everything = list(designs.tasks(2, 0, 0, []))
    assert left == everything[1:]


def test_a_line_that_was_cut_off_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "designs.jsonl"
    whole = '{"mark": "m", "number": 1, "way": "w", "state": "refused", "seconds": 0.1, "numbers": {}}\n'
    path.write_text(whole + whole[:30], encoding="utf-8")
    assert [one.state for one in designs.read(path)] == ["refused"]
    designs.run_all([], 1, path)
    assert path.read_text(encoding="utf-8") == whole
    assert designs.read(tmp_path / "nothing") == []


def test_results_of_another_design_do_not_count() -> None:
    marks = [case.mark for case in cases.CASES]
    assert len(set(marks)) == len(marks)
    stale = [made("of another design", 1, way) for case in cases.CASES for way in case.ways]
    assert list(designs.tasks(1, 0, 0, stale)) == list(designs.tasks(1, 0, 0, []))


def test_each_left_flank_is_joined_to_one_right_flank_at_most() -> None:
    seen = cases.Seen(CASE["one flank"].design, 1)
    history = seen.inputs_all.histories[0]
    flanks = {who: (left, right) for _, who, left, right in seen.flanks.iter_rows()}
    pairs = [sorted(pair) for pair in cases.nearest_pairs(history, seen.flanks)]
    joined = [who for pair in pairs for who in pair]
    assert pairs
    assert len(set(joined)) == len(joined)
    assert all({flanks[a], flanks[b]} == {(True, False), (False, True)} for a, b in pairs)


def test_a_section_is_replaced_and_the_rest_of_the_page_stays() -> None:
    page = "a\n<!-- x begins -->\nold\n<!-- x ends -->\nb\n"
    assert together.with_section(page, "x", "new\n") == page.replace("old", "new")
    with pytest.raises(ValueError, match="no section 'y'"):
        together.with_section(page, "y", "new\n")
