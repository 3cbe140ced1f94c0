"""What one class of animals meets in one session, and derivatives by each part of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharedrange.population.scr.distance import Distances, Ways

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Field:
    """What one class of animals meets in one session.

    `log_g0` (R,): log intensity at distance 0 of each row; `log_sigma` (G,): log of the spatial scale (metres) of
    each kernel, `log_shape` (G,) that of the hazard rate's z; `log_density` (M,): log of expected activity centres
    per mask cell, class share included (block order). `distance`: None is Euclidean.
    """

    log_g0: Floats
    log_sigma: Floats
    log_density: Floats
    log_shape: Floats | None = None
    distance: Distances | Ways | None = None


@dataclass(frozen=True, slots=True)
class FieldGradient:
    """Derivatives by the parts of a Field: shapes (R,), (G,), (M,), (G,), and by the distance's parameters (P,)."""

    log_g0: Floats
    log_sigma: Floats
    log_density: Floats
    log_shape: Floats
    distance: Floats
