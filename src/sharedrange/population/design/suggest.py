"""How far apart, how many, how long: suggestions in closed form."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.optimize import minimize_scalar

from sharedrange.population.design.expected import Expected, expected
from sharedrange.population.design.plan import Animals, Kind, Plan, grid_plan, mask_around

RULE_SIGMAS = 2.0  # Efford and Boulanger 2019; Sollmann et al. 2012 find little loss between 1.5 and 2.5
# Beyond 3 sigma few animals meet two detectors and movement is not known, which min(E n, E r) does not see: in
# simulated surveys of 5 x 5 cameras at 3.5 sigma 5 fits of 12 failed, at 4 sigma 8 or 9, where E(m) was below 2.
_NEAREST_SIGMAS, _FARTHEST_SIGMAS = 0.3, 3.0
MOST_OCCASIONS, MOST_SIDE = 1000, 60


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A plan, and what it may be expected to catch."""

    plan: Plan
    spacing_m: float
    expected: Expected


def rule_of_thumb_spacing_m(sigma_m: float) -> float:
    """Two sigma: where nothing else is known."""
    return RULE_SIGMAS * sigma_m


def best_spacing(columns: int, rows: int, occasions: int, animals: Animals, kind: Kind = "proximity") -> Suggestion:
    """The spacing of a rectangle of detectors at which density is known best.

    Wide arrays meet many animals and few of them again, narrow ones the other way round; the best spacing has the
    largest min(E n, E r), mostly where both are equal (Efford and Boulanger 2019). Sought between 0.3 and 3 sigma:
    detectors farther apart than that see animals again, but not elsewhere.
    """

    def at(sigmas: float) -> Suggestion:
        plan = grid_plan(f"{columns}x{rows}", columns, rows, sigmas * animals.sigma_m, occasions, kind=kind)
        return _suggestion(plan, sigmas * animals.sigma_m, animals)

    best = minimize_scalar(
        lambda sigmas: at(float(sigmas)).expected.rse,
        bounds=(_NEAREST_SIGMAS, _FARTHEST_SIGMAS),
        method="bounded",
        options={"xatol": 0.01},
    )
    return at(float(best.x))


def _suggestion(plan: Plan, spacing_m: float, animals: Animals) -> Suggestion:
    return Suggestion(plan, spacing_m, expected(plan, mask_around(plan, animals.sigma_m), animals))


def enough_occasions(plan: Plan, animals: Animals, target_rse: float, most: int = MOST_OCCASIONS) -> int | None:
    """The fewest occasions with which `plan` reaches a relative standard error; None if `most` are not enough.

    Days cannot replace cameras: however long they run, they catch no animal that lives out of reach.
    """
    mask = mask_around(plan, animals.sigma_m)

    def reaches(occasions: int) -> bool:
        return expected(plan.for_occasions(occasions), mask, animals).rse <= target_rse

    if not reaches(most):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


def enough_cameras(
    occasions: int,
    animals: Animals,
    target_rse: float,
    *,
    spacing_m: float | None = None,
    kind: Kind = "proximity",
    most_side: int = MOST_SIDE,
) -> Suggestion | None:
    """The smallest square, or nearly square, grid that reaches a relative standard error; None if none does.

    `spacing_m`: two sigma where not given.
    """
    apart_m = rule_of_thumb_spacing_m(animals.sigma_m) if spacing_m is None else spacing_m
    sizes = [size for side in range(2, most_side) for size in ((side, side), (side + 1, side))]

    def of_size(columns: int, rows: int) -> Suggestion:
        plan = grid_plan(f"{columns}x{rows}", columns, rows, apart_m, occasions, kind=kind)
        return _suggestion(plan, apart_m, animals)

    low, high = -1, len(sizes)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if of_size(*sizes[middle]).expected.rse <= target_rse else (middle, high)
    return None if high == len(sizes) else of_size(*sizes[high])
