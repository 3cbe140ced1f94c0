"""Would a change be seen? Two surveys, their relative standard errors, and the logarithm of the ratio between them."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from sharedrange.core.places import Mask
from sharedrange.population.design.expected import expected
from sharedrange.population.design.plan import Animals, Plan


def power(ratio: float, rse_first: float, rse_second: float, alpha: float = 0.05) -> float:
    """Chance that two independent surveys differ at level `alpha` (two-sided), if density changed by `ratio`.

    The logarithm of each estimate is normal with variance log(1 + RSE^2). Differences in the wrong direction are not
    counted as seen.

    Examples
    --------
    >>> round(power(0.5, 0.2, 0.2), 2)
    0.7
    """
    spread = _spread(rse_first, rse_second)
    return float(norm.sf(norm.isf(alpha / 2) - abs(np.log(ratio)) / spread))


def smallest_change(
    rse_first: float, rse_second: float, wanted: float = 0.8, alpha: float = 0.05
) -> tuple[float, float]:
    """The fall and the rise (as ratios) that are seen with probability `wanted`.

    Examples
    --------
    >>> [round(r, 2) for r in smallest_change(0.2, 0.2)]
    [0.46, 2.19]
    """
    reach = float((norm.isf(alpha / 2) + norm.ppf(wanted)) * _spread(rse_first, rse_second))
    return float(np.exp(-reach)), float(np.exp(reach))


def power_of_plan(plan: Plan, mask: Mask, animals: Animals, ratio: float, alpha: float = 0.05) -> float:
    """Chance that `plan`, made before and after density changed by `ratio`, sees the change.

    After a fall fewer animals are caught and the second survey is less precise; that is taken into account.
    """
    before = expected(plan, mask, animals)
    after = expected(plan, mask, animals.times(ratio))
    return power(ratio, before.rse, after.rse, alpha)


def _spread(rse_first: float, rse_second: float) -> float:
    """Standard error of the logarithm of the ratio."""
    return float(np.sqrt(np.log1p(rse_first**2) + np.log1p(rse_second**2)))
