"""A step on every number, so that each has a way back; and the numbers that only the joint sheet makes."""

from __future__ import annotations

from dataclasses import replace

from sharedrange.assessment.results import AloneSum, Convention, JointSheet, Result
from sharedrange.core.answer import Answer, Estimate


def with_steps(result: Result) -> Result:
    """The result with a step on every number, so that each has a way back.

    A sum of the parties' numbers is made when the sheet is made; it goes back to the question's own step.
    """
    answers = {name: _with_step(answer, result.step) for name, answer in result.answers.items()}
    return replace(result, answers=answers, sheet=_sheet_with_steps(result.sheet, result.step))


def _with_step(answer: Answer, step: str) -> Answer:
    return replace(answer, estimates=tuple(_at(e, step) for e in answer.estimates))


def _at(estimate: Estimate, step: str) -> Estimate:
    return estimate if estimate.step else replace(estimate, step=step)


def _sheet_with_steps(sheet: JointSheet | None, step: str) -> JointSheet | None:
    if sheet is None:
        return None
    sums = tuple(
        replace(
            alone,
            parts={party: _at(part, step) for party, part in alone.parts.items()},
            total=_named_sum(alone, step),
        )
        for alone in sheet.sums
    )
    joint = _with_step(sheet.joint, step) if sheet.joint else None
    survival = {how: {party: _at(e, step) for party, e in own.items()} for how, own in sheet.survival.items()}
    return replace(sheet, lists=_with_step(sheet.lists, step), sums=sums, joint=joint, survival=survival)


def _named_sum(alone: AloneSum, step: str) -> Estimate | None:
    """The sum under a quantity of its own, so that the sums of three conventions have three ids."""
    return replace(alone.total, quantity=f"sum.{alone.convention}", step=step) if alone.total else None


def sheet_numbers(result: Result) -> tuple[Estimate, ...]:
    """The numbers that only the sheet makes: sums, how far they lie above the joint number, what sharing bought."""
    if result.sheet is None:
        return ()
    sums = [alone.total for alone in result.sheet.sums]
    above = [excess(alone.convention, alone.excess_pct, result.step) for alone in result.sheet.sums]
    return tuple(e for e in (*sums, *above, interval_ratio(result.sheet, result.step)) if e is not None)


def interval_ratio(sheet: JointSheet, step: str) -> Estimate | None:
    """How many times as wide intervals are alone as together: mean over parties, on the log scale."""
    ratios = [value for key, value in sheet.facts.items() if key.startswith("interval_ratio.")]
    return Estimate("interval_ratio", sum(ratios) / len(ratios), "times", step=step) if ratios else None


def excess(convention: Convention, excess_pct: float | None, step: str) -> Estimate | None:
    """How far a sum lies above the joint number, as a number with a way back."""
    return None if excess_pct is None else Estimate(f"excess_pct.{convention}", excess_pct, "percent", step=step)
