"""Detection across barriers: each encounter meets every barrier open or closed, and takes the shortest way left.

The permeability p of a barrier is the chance that it is open to an encounter. With one barrier

    k(s, x) = p k(d) + (1 - p) k(d'),

d the straight line from activity centre to detector, d' the shortest way round or through a passage (no way: k = 0).
So p is the share of the encounters on the other side, among those that open ground would bring, that happen across the
line; what comes round is extra. With several barriers every combination of open and closed is one way, weighted by the
product of p and 1 - p. p = 1 is a model without the barrier, p = 0 one in which nothing crosses it.

The parameter is an angle phi without bounds, p = sin^2(phi / 2): where the likelihood is highest at p = 0 or 1, its
maximum by phi is an ordinary one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import NDArray

from sharedrange.population.permeability.barriers import Barrier, way_m
from sharedrange.population.scr.distance import Ways
from sharedrange.population.scr.session import Session

Floats = NDArray[np.float64]
PREFIX = "permeability"


def open_share(angle: float | Floats) -> Floats:
    """Permeability sin^2(phi / 2) of an angle."""
    return np.asarray(np.sin(np.asarray(angle) / 2) ** 2)


def angle_of(p: float) -> float:
    """The angle in [0, pi] of a permeability.

    Examples
    --------
    >>> round(float(open_share(angle_of(0.3))), 12)
    0.3
    """
    return float(2 * np.arcsin(np.sqrt(p)))


@dataclass(frozen=True)
class CrossingDistance:
    """Ways between detectors and activity centres with barriers between (a `Distance` of population.scr).

    `metres`: by session (2^B, J, M), first way all barriers open, last way all closed (the first barrier varies
    slowest); `places`: by session the parameter of each barrier; `animals_near`: by parameter, how many animals could
    tell of it (where counted).
    """

    names: tuple[str, ...]
    metres: Mapping[str, Floats]
    places: Mapping[str, tuple[int, ...]]
    animals_near: Mapping[str, int] = field(default_factory=dict)

    @property
    def start(self) -> tuple[float, ...]:
        """Halfway between open and closed."""
        return (np.pi / 2,) * len(self.names)

    def between(self, session: Session, parameters: Floats) -> Ways:
        """All ways of one session with their shares."""
        places = list(self.places[session.name])
        p, slope = open_share(parameters[places]), np.sin(parameters[places]) / 2
        closed = np.array(list(product((0, 1), repeat=len(p))))
        factors = np.where(closed, 1 - p, p)
        slopes = np.zeros((len(parameters), len(closed)))
        for b, place in enumerate(places):
            others = np.delete(factors, b, axis=1).prod(axis=1)
            slopes[place] += np.where(closed[:, b], -slope[b], slope[b]) * others
        return Ways(self.metres[session.name], factors.prod(axis=1), slopes)


def crossing_distance(
    sessions: Sequence[Session], barriers: Sequence[Barrier], periods: Mapping[str, str] | None = None
) -> CrossingDistance:
    """The ways of prepared sessions. `periods`: by session; sessions of one period share each permeability.

    Parameters are called ``permeability.<barrier>``, with periods ``permeability.<barrier>.<period>``.
    """
    of = {s.name: (periods or {}).get(s.name, "") for s in sessions}
    names = tuple(dict.fromkeys(parameter(b.name, of[s.name]) for s in sessions for b in barriers))
    places = {s.name: tuple(names.index(parameter(b.name, of[s.name])) for b in barriers) for s in sessions}
    return CrossingDistance(names, {s.name: _ways_m(s, barriers) for s in sessions}, places)


def parameter(barrier: str, period: str = "") -> str:
    """Name of a permeability."""
    return ".".join(part for part in (PREFIX, barrier, period) if part)


def _ways_m(session: Session, barriers: Sequence[Barrier]) -> Floats:
    detectors = session.detectors.select("x_m", "y_m").to_numpy().astype(float)
    centres = np.column_stack([session.place_x_m, session.place_y_m])
    chosen = product((False, True), repeat=len(barriers))
    return np.stack(
        [way_m(detectors, centres, [b for b, shut in zip(barriers, closed, strict=True) if shut]) for closed in chosen]
    )
