"""What would a survey tell, before anyone walks? Expected captures, precision, power, and the cost of coarse places."""

from sharedrange.population.design.coarsening import coarsening_curve, in_cells
from sharedrange.population.design.expected import Expected, compare_plans, doubts, expected
from sharedrange.population.design.plan import (
    Animals,
    HalfNormalHazard,
    HalfNormalProbability,
    Plan,
    grid_plan,
    joined,
    mask_around,
    plan_like,
    plan_of,
)
from sharedrange.population.design.power import power, power_of_plan, smallest_change
from sharedrange.population.design.suggest import (
    Suggestion,
    best_spacing,
    enough_cameras,
    enough_occasions,
    rule_of_thumb_spacing_m,
)
from sharedrange.population.design.trial import simulate_history, trial

__all__ = [
    "Animals",
    "Expected",
    "HalfNormalHazard",
    "HalfNormalProbability",
    "Plan",
    "Suggestion",
    "best_spacing",
    "coarsening_curve",
    "compare_plans",
    "doubts",
    "enough_cameras",
    "enough_occasions",
    "expected",
    "grid_plan",
    "in_cells",
    "joined",
    "mask_around",
    "plan_like",
    "plan_of",
    "power",
    "power_of_plan",
    "rule_of_thumb_spacing_m",
    "simulate_history",
    "smallest_change",
    "trial",
]
