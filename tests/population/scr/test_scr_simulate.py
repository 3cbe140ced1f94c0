"""Histories drawn from a fit are what its likelihood says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sharedrange.core.history import CaptureHistory
from sharedrange.population.scr import Fit, Model, fit
from sharedrange.population.scr.simulate import row_hazards, simulate, simulate_histories

DRAWS = 300


@pytest.fixture(scope="module")
def make() -> Callable[..., Fit]:
    from tests.population.scr.conftest import simulate as world  # noqa: PLC0415  (module scope needs no fixture)

    def made(model: Model, kind: str = "proximity", strength: tuple[float, float] = (0.2, 0.2)) -> Fit:
        one = world(4, rows=4, days=12, kind=kind, lambda0=strength, density_per_100km2=(3.0, 3.0))
        return fit([one.history], [one.mask], model)

    return made
