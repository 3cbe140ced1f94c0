"""Which cells to agree on: the smallest that give no station away and lose the joint number nothing that matters.

Larger cells hide more, and bias the density more; an interval that is narrow because it is wrong is no gain. So
every demand is asked of every size of cells, and what fails is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sharedrange.assessment.sharing.costing import Cost
from sharedrange.assessment.sharing.preview import Step

WIDEST = 1.15  # the interval over that with exact places
SHIFT_SE = 0.5  # of one survey's standard error: with more, a 95 % interval covers less than 92 %
LARGEST_SHIFT = 0.1  # and never more than this: a series of surveys adds up what one hides in its error
LEAST_FITTED = 0.8  # of the simulated surveys
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Judged:
    """One size of cells and the demands that it fails, in this order.

    ``leaves``: any station leaves. ``certified``: the station attack. ``estimable``: `LEAST_FITTED` of the surveys
    give a number. ``width``: at most `WIDEST` times. ``shift``: at most `tolerated` by this many surveys, and
    ``surveys``: there are enough of them to tell.
    """

    cell: float
    fails: tuple[str, ...]


def judged(steps: Sequence[Step], costs: Sequence[Cost]) -> tuple[Judged, ...]:
    """Every size of cells by every demand. Both sequences are of the same sizes, in the same order."""
    return tuple(Judged(step.cell, tuple(_fails(step, cost))) for step, cost in zip(steps, costs, strict=True))


def recommended(judgements: Sequence[Judged]) -> float | None:
    """The smallest cells that fail no demand; None if all fail one."""
    return min((one.cell for one in judgements if not one.fails), default=None)


def tolerated(cost: Cost) -> float:
    """By how much a density may be off: half its standard error, and never more than a tenth."""
    return min(SHIFT_SE * (cost.error or 0.0), LARGEST_SHIFT)


def _fails(step: Step, cost: Cost) -> Iterator[str]:
    if step.attack is None or not step.stations:
        yield "leaves"
        return
    if not step.attack.certified:
        yield "certified"
    if cost.width_ratio is None or cost.shift is None or cost.fitted < LEAST_FITTED * cost.replicates:
        yield "estimable"
        return
    if cost.width_ratio > WIDEST:
        yield "width"
    if abs(cost.shift) > tolerated(cost):
        yield "shift"
    elif cost.shift_se is None or _Z * cost.shift_se > tolerated(cost):
        yield "surveys"
