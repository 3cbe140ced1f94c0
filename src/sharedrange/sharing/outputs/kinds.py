"""Of which kind of output is a number? What is of none is never told: a number that an agreement cannot name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from sharedrange.core.answer import Estimate

# First part of a quantity -> the kind of output, of all parties together and of one party's side or data.
_TOGETHER: Mapping[str, str] = MappingProxyType(
    {
        "N": "total-abundance",
        "N_at_least": "total-abundance",
        "minimum_number": "total-abundance",
        "distinct": "total-abundance",
        "total": "total-abundance",
        "shared": "abundance-by-side",
        "D": "density",
        "trend": "trend",
        "index": "trend",
        "lambda": "trend",
        "phi": "trend",
        "psi": "occupancy",
        "occupied": "occupancy",
    }
)
_OF_A_SIDE: Mapping[str, str] = MappingProxyType(
    {
        "N": "abundance-by-side",
        "N_at_least": "abundance-by-side",
        "minimum": "abundance-by-side",
        "known": "abundance-by-side",
        "minimum_number": "abundance-by-side",
        "total": "abundance-by-side",
        "distinct": "abundance-by-side",
        "D": "abundance-by-side",
        "rate": "detection-rate",
        "trend": "trend",
        "index": "trend",
        "lambda": "trend",
        "phi": "trend",
        "psi": "occupancy",
        "occupied": "occupancy",
    }
)


def kind_of(estimate: Estimate, parties: Collection[str], alone: str = "") -> tuple[str | None, str]:
    """The kind of output of a number, and the party whose side or data it is about (empty: all together).

    `alone`: the party from whose data alone it is made, where that is one: then it is no number of all together.
    A part of a total that is no party's - a region, a sex, a stage - is of no kind: the other part would follow.

    Examples
    --------
    >>> kind_of(Estimate("N.westfell", 34.1, "animals"), {"westfell", "eastfell"})
    ('abundance-by-side', 'westfell')
    >>> kind_of(Estimate("N.surveyed", 34.5, "animals"), {"westfell", "eastfell"})
    (None, '')
    """
    head, *rest = estimate.quantity.split(".")
    named = next((part for part in rest if part in parties), "")
    side = named or alone
    scope = estimate.scope
    meant = {named, scope.period, scope.taxon.replace(" ", "_")}
    if any(part not in meant for part in rest):
        return None, side
    return (_OF_A_SIDE if side else _TOGETHER).get(head), side
