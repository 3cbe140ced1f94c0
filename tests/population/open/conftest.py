"""Small simulated years that the tests of the open model share. All places and names are invented."""

from __future__ import annotations

from functools import lru_cache

import pytest

from sharedrange.core.chance import stream
from sharedrange.core.history import CaptureHistory
from sharedrange.population.open import YearsDesign, YearsTruth, simulate_years

SMALL = YearsDesign(
    width_m=40_000.0,
    height_m=30_000.0,
    cell_m=2_500.0,
    camera_spacing_m=5_000.0,
    watched=0.8,
    years=3,
    occasions=20,
    density_per_100km2=3.0,
    sigma_m=3_000.0,
    lambda0=0.06,
)


@lru_cache(maxsize=1)
def _years() -> tuple[tuple[CaptureHistory, ...], YearsTruth]:
    return simulate_years(SMALL, stream(11, "open-tests"))


@pytest.fixture
def design() -> YearsDesign:
    return SMALL


@pytest.fixture
def histories() -> tuple[CaptureHistory, ...]:
    return _years()[0]


@pytest.fixture
def truth() -> YearsTruth:
    return _years()[1]
