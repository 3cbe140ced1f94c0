"""The field's trusted program gives the same log-likelihood, estimates and standard errors."""

from __future__ import annotations

import numpy as np
import pytest

from sharedrange.core.answer import LISTED
from sharedrange.core.history import CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.core.progress import silent
from sharedrange.population.scr import ENGINE, Fit, Model, ScrInputs, ScrSettings, fit

PER_HECTARE = 1e-4  # of a density per 100 km2

Ovenbirds = tuple[tuple[CaptureHistory, ...], Mask]
Bench = tuple[CaptureHistory, Mask]


@pytest.fixture(scope="module")
def oven_fit(ovenbirds: Ovenbirds) -> Fit:
    histories, mask = ovenbirds
    return fit(histories, (mask,), Model("HN"))


def test_ovenbirds_have_the_reference_log_likelihood(oven_fit: Fit) -> None:
    assert oven_fit.log_likelihood == pytest.approx(-573.739528, abs=1e-5)
    assert oven_fit.aic == pytest.approx(1153.479, abs=1e-3)


def test_ovenbirds_have_the_reference_coefficients_and_standard_errors(oven_fit: Fit) -> None:
    density_shift = np.log(1e4)
    reference = np.array([-0.0596281997 + density_shift, -3.47707191, 4.31377378])
    assert oven_fit.beta == pytest.approx(reference, abs=1e-4)
    assert np.sqrt(np.diag(oven_fit.covariance)) == pytest.approx([0.1281542, 0.1351317, 0.07061565], rel=0.01)


def test_ovenbirds_have_the_reference_numbers_and_limits(ovenbirds: Ovenbirds) -> None:
    histories, mask = ovenbirds
    answer = ENGINE.answer(
        ScrInputs(histories, (mask,), ("P",)),
        ScrSettings(detection_function="HN", lambda0=(), sigma=(), density="pooled"),
        rng=np.random.default_rng(0),
        progress=silent,
    )
    reference = {
        "D": (9421.14747, 1212.334, 7328.562, 12111.25),
        "g0": (0.0299716922, 0.003928736, 0.02315935, 0.03870849),
        "sigma": (74.7219417, 5.283123, 65.06389, 85.81364),
    }
    for quantity, (value, se, low, high) in reference.items():
        found = answer[quantity]
        assert found.value == pytest.approx(value, rel=1e-3)
        assert (found.se, found.low, found.high) == pytest.approx((se, low, high), rel=0.01)
    assert answer["n"].value == 103
    assert answer["n"].scope.kind == LISTED
    assert answer["n.2005"].value == 20
    assert answer["N"].value == pytest.approx(answer["D"].value * mask.area_km2 / 100)


def test_a_park_of_400_cameras_has_the_reference_fit(bench: Bench) -> None:
    history, mask = bench
    found = fit((history,), (mask,), Model("HHN"))
    assert found.log_likelihood == pytest.approx(-8112.75869, abs=1e-5)
    assert found.beta == pytest.approx([-7.30224 + np.log(1e4), -3.91219, 8.29849], abs=2e-5)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx([0.05253, 0.02155, 0.00824], rel=0.01)
