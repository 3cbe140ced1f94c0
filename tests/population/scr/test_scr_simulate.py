"""Histories drawn from a fit are those of its likelihood: at the truth its slope is zero on average."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from sharedrange.core.history import CAPTURES, DETECTORS, INDIVIDUALS, CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.population.scr import Fit, Model, prepare_sessions
from sharedrange.population.scr.design import design
from sharedrange.population.scr.fitting import Problem
from sharedrange.population.scr.session import with_captures
from sharedrange.population.scr.simulate import row_hazards, simulate, simulate_histories

Floats = NDArray[np.float64]
DRAWS = 120


def truth(model: Model, kind: str, beta: dict[str, float], animals: int = 20) -> Fit:
    """A survey of 3 x 3 detectors on 5 occasions, with gaps, at known parameters; its own captures do not matter."""
    rng = np.random.default_rng(7)
    x, y = (a.ravel() for a in np.meshgrid([0.0, 1500.0, 3000.0], [0.0, 1500.0, 3000.0]))
    at = np.arange(-3000.0, 6001.0, 1500.0)
    mask_x, mask_y = (a.ravel() for a in np.meshgrid(at, at))
    side = np.where(mask_x < 1500.0, "west", "east")
    mask = Mask(mask_x, mask_y, 2.25, side, np.ones(len(mask_x), dtype=bool))
    effort = rng.choice([0.0, 1.0, 2.0], (9, 5), p=[0.2, 0.6, 0.2])
    effort[[0, 8], 0] = 1.0
    party = ["w" if value < 2000.0 else "e" for value in x]
    detectors = {"detector": [f"c{j}" for j in range(9)], "party": party, "camera_type": "", "x_m": x, "y_m": y}
    names = [f"a{i:02d}" for i in range(animals)]
    sexes = ["female", "male", "female", None] * animals
    people = pl.DataFrame({"individual": names, "sex": sexes[:animals], "life_stage": None}, schema=INDIVIDUALS)
    rows = [(name, "c8" if i % 2 else "c0", 1, 1) for i, name in enumerate(names)]
    captures = pl.DataFrame(rows, schema=CAPTURES, orient="row")
    history = CaptureHistory("1", kind, pl.DataFrame(detectors, schema=DETECTORS), people, captures, effort)
    sessions, detection = prepare_sessions((history,), (mask,), model)
    made, sessions = design(model, sessions, detection)
    values = np.array([beta[name] for name in made.names])
    return Fit(made, sessions, (), values, np.eye(len(values)), 0.0, np.zeros(len(values)), 0)


def scores(fit: Fit, draws: int = DRAWS) -> Floats:
    """The gradient of the log-likelihood at the truth for histories drawn from it, shape (draws, p)."""
    rng = np.random.default_rng(11)
    found = []
    for _ in range(draws):
        history = simulate_histories(fit, rng)[0]
        sessions = (with_captures(fit.sessions[0], history),)
        found.append(Problem(fit.design, sessions).kernel(fit.beta)[1])
    return np.array(found)


BASE = {"D": 3.6, "lambda0": -1.0, "g0": -1.0, "sigma": 7.0, "z": 1.3, "psi_male": -0.5, "pmix.2": 0.3}
CASES = {
    "binary": (Model("HHN"), "proximity", {}),
    "probabilities": (Model("HN"), "proximity", {}),
    "hazard rate": (Model("HHR"), "proximity", {}),
    "Poisson counts": (Model("HEX"), "count", {}),
    "binomial counts": (Model("HN"), "count", {}),
    "traps": (Model("HHN"), "multi", {}),
    "traps that animals learn": (Model("HHN", lambda0="~ b"), "multi", {"lambda0.b": -0.8}),
    "a place is learned": (Model("HN", lambda0="~ bk"), "proximity", {"g0.bk": 1.2}),
    "counts of a place that is learned": (Model("HHN", lambda0="~ bk"), "count", {"lambda0.bk": 0.7}),
    "occasions": (Model("HHN", lambda0="~ T"), "proximity", {"lambda0.T": 0.3}),
    "parties and sides": (
        Model("HHN", D="~ 0 + side", lambda0="~ party"),
        "proximity",
        {"D.west": 3.0, "D.east": 4.0, "lambda0.party.e": 0.5, "lambda0.party.w": 0.5},
    ),
    "sexes": (Model("HHN", sigma="~ sex"), "proximity", {"sigma.sex.male": 0.4}),
    "latent classes": (Model("HHN", lambda0="~ h2"), "proximity", {"lambda0.h2.2": 1.0}),
    "given detection": (Model("HHN", likelihood="conditional"), "proximity", {}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_score_is_zero_on_average_at_the_truth(case: str) -> None:
    model, kind, more = CASES[case]
    found = scores(truth(model, kind, BASE | more))
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    assert (error > 0).all()
    assert (np.abs(found.mean(axis=0)) < 4.0 * error).all()


def test_the_score_is_not_zero_away_from_the_truth() -> None:
    """The test above can fail: a tenth more sigma is seen."""
    fit = truth(Model("HHN"), "proximity", BASE)
    rng = np.random.default_rng(11)
    away = fit.beta + np.array([0.0, 0.0, 0.1])
    found = []
    for _ in range(DRAWS):
        history = simulate_histories(fit, rng)[0]
        found.append(Problem(fit.design, (with_captures(fit.sessions[0], history),)).kernel(away)[1][2])
    assert abs(np.mean(found)) > 4.0 * np.std(found) / np.sqrt(DRAWS)


def test_as_many_live_on_each_side_as_density_says() -> None:
    fit = truth(*CASES["parties and sides"][:2], BASE | CASES["parties and sides"][2])
    rng = np.random.default_rng(3)
    drawn = [simulate(fit, rng)[0] for _ in range(400)]
    west = fit.sessions[0].side == "west"
    for side, inside in (("west", west), ("east", ~west)):
        expected = float(np.exp(fit.beta[fit.names.index(f"D.{side}")]) * inside.sum() * 2.25 / 100.0)
        mean = float(np.mean([one.animals_by_side.get(side, 0) for one in drawn]))
        assert abs(mean - expected) < 4.0 * np.sqrt(expected / 400)
    assert all(one.animals == sum(one.animals_by_side.values()) for one in drawn)


def test_a_binomial_number_is_the_estimate_rounded() -> None:
    fit = truth(Model("HHN", number="binomial"), "proximity", BASE)
    expected = float(np.exp(BASE["D"]) * len(fit.sessions[0].side) * 2.25 / 100.0)
    rng = np.random.default_rng(3)
    numbers = {simulate(fit, rng)[0].animals for _ in range(60)}
    assert numbers == {int(expected), int(expected) + 1}


def test_given_detection_as_many_are_detected_as_in_the_data() -> None:
    fit = truth(*CASES["given detection"][:2], BASE)
    rng = np.random.default_rng(3)
    assert {simulate_histories(fit, rng)[0].n_individuals for _ in range(20)} == {20}


def test_traps_hold_an_animal_once_an_occasion_and_only_working_detectors_see() -> None:
    fit = truth(*CASES["traps that animals learn"][:2], BASE | CASES["traps that animals learn"][2])
    history = simulate_histories(fit, np.random.default_rng(5))[0]
    once = history.captures.group_by("individual", "occasion").len()
    assert once["len"].max() == 1
    row = {name: j for j, name in enumerate(history.detectors["detector"])}
    seen = history.captures.select("detector", "occasion").iter_rows()
    assert all(history.effort[row[name], occasion - 1] > 0 for name, occasion in seen)


def test_sexes_are_missing_as_often_as_in_the_data() -> None:
    fit = truth(*CASES["sexes"][:2], BASE | CASES["sexes"][2])
    rng = np.random.default_rng(5)
    sexes = pl.concat([simulate_histories(fit, rng)[0].individuals["sex"] for _ in range(100)])
    assert abs(sexes.null_count() / len(sexes) - 0.25) < 4.0 * np.sqrt(0.25 * 0.75 / len(sexes))


def test_the_hazard_of_rows_is_the_likelihood_s() -> None:
    fit = truth(*CASES["a place is learned"][:2], BASE | CASES["a place is learned"][2])
    session = fit.sessions[0]
    field = fit.design.fields(fit.beta, 0, session)[0]
    at = fit.at_maximum()[0].classes[0]
    hazard = row_hazards(session, fit.design.detection, field)
    assert np.exp(-hazard @ session.seen.exposure) == pytest.approx(at.terms.undetected, rel=1e-12)
    some = np.array([2, 0])
    assert row_hazards(session, fit.design.detection, field, points=some, rows=some) == pytest.approx(
        hazard[np.ix_(some, some)], rel=1e-14
    )
