"""The same question on fewer mask points: good enough to climb on, and to see how steep the top is.

The integral over activity centres is a Riemann sum of a smooth function, so a mask of every second row and column has
nearly the same maximum: at a spacing of 0.5 sigma it was within 0.01 standard errors of that at 0.25 sigma and the
covariance within 0.03 %, at 0.6 sigma within 0.08 and 0.8 %. The climb ends on the whole mask in any case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sharedrange.population.scr.design import Design
from sharedrange.population.scr.detection import FunctionName
from sharedrange.population.scr.session import Session, grid_place, recut

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_CLIMB_SIGMAS = 0.6  # spacing over sigma up to which a thinned mask leads to the top
_CLIMB_SIGMAS_EXPONENTIAL = 1.0  # the same: an exponential reaches farther, and was within 0.04 standard errors there
COVARIANCE_SIGMAS = 0.55  # and up to which its curvature gives standard errors within 0.1 %
_FEWEST_POINTS = 400
_SMOOTH = frozenset({"side", "x", "y", "session", "Session"})  # covariates that a thinned mask still shows


def climb_sigmas(function: FunctionName) -> float:
    """Spacing over sigma up to which a thinned mask leads close to the top."""
    return _CLIMB_SIGMAS_EXPONENTIAL if function in ("EX", "HEX") else _CLIMB_SIGMAS


def coarser(made: Design, sessions: Sequence[Session], spacing_m: float) -> tuple[Design, tuple[Session, ...]] | None:
    """The design and the sessions on masks thinned to `spacing_m`; None where they are no grids, small, or coarse."""
    if made.model.distance is not None:
        return None  # whoever measures distance may need the whole mask
    thinned = [_thinned(s, spacing_m) for s in sessions]
    if any(t is None for t in thinned):
        return None
    pairs = [t for t in thinned if t is not None]
    designs = tuple(replace(d, density=d.density[keep]) for d, (_, keep) in zip(made.sessions, pairs, strict=True))
    return replace(made, sessions=designs), tuple(session for session, _ in pairs)


def shows_curvature(made: Design, sessions: Sequence[Session], sigma_m: float) -> bool:
    """Whether standard errors may be taken on these (thinned) masks."""
    if not made.detection.half_normal or not made.model.formula("D").variables <= _SMOOTH:
        return False
    return all(_spacing_m(s) <= COVARIANCE_SIGMAS * sigma_m for s in sessions)


def _spacing_m(session: Session) -> float:
    return float(np.sqrt(session.cell_area_km2)) * 1000.0


def _thinned(session: Session, spacing_m: float) -> tuple[Session, Ints] | None:
    """Every so manieth row and column of a mask, and their points (block order of the whole mask)."""
    size = len(session.mask_x_m)
    step = min(int(spacing_m / _spacing_m(session)), int(np.sqrt(size / _FEWEST_POINTS)))
    place = grid_place(session) if step > 1 else None
    if place is None:
        return None
    keep = np.flatnonzero((place[0] % step == step // 2) & (place[1] % step == step // 2))
    if len(keep) < _FEWEST_POINTS // 2:
        return None
    # not the mask's area over the points kept: rows left over at an edge would thin the density inside
    return recut(session, keep, session.cell_area_km2 * step**2)
