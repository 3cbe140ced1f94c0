"""Every model is the textbook's: compared with a plain product over detectors and occasions, and with differences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from math import comb, factorial, lgamma

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sharedrange.core.errors import InputError
from sharedrange.core.history import CAPTURES, DETECTORS, INDIVIDUALS, CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.population.scr.blocks import Integrand
from sharedrange.population.scr.design import design
from sharedrange.population.scr.detection import FUNCTIONS, FunctionName, log_excess
from sharedrange.population.scr.distance import Distances, FixedDistance
from sharedrange.population.scr.fitting import Problem, prepare_sessions
from sharedrange.population.scr.model import Covariates, LikelihoodName, Model, NumberName
from sharedrange.population.scr.session import Session

Floats = NDArray[np.float64]
PROBABILITIES = ("HN", "HR", "EX")


@dataclass(frozen=True)
class Small:
    """A small survey, with a covariate of the mask, of the occasions and of the detectors."""

    history: CaptureHistory
    mask: Mask
    covariates: Covariates


def small(seed: int, kind: str, *, whole: bool, shape: tuple[int, int, int, int] = (4, 3, 4, 6)) -> Small:
    """Random captures of n animals at J detectors on K occasions over M mask points."""
    rng = np.random.default_rng(seed)
    n, J, K, M = shape
    effort = rng.integers(1, 4, (J, K)).astype(float) if whole else rng.uniform(0.2, 1.5, (J, K))
    effort[rng.random((J, K)) < 0.2] = 0.0
    effort[0, 0] = 1.0
    rows = []
    for i in range(n):
        cells = [(0, 0), *((int(j), int(k)) for k, j in zip(*np.nonzero(rng.random((K, J)) < 0.4), strict=True))]
        taken: set[int] = set()
        for j, k in dict.fromkeys(cells):
            if effort[j, k] > 0 and not (kind == "multi" and k in taken):
                taken.add(k)
                most = 1 if kind != "count" else int(effort[j, k]) if whole else 3
                rows.append((f"a{i}", f"c{j}", k + 1, int(rng.integers(1, most + 1))))
    detectors = pl.DataFrame(
        {
            "detector": [f"c{j}" for j in range(J)],
            "party": rng.choice(["e", "w"], J),
            "camera_type": "",
            "x_m": rng.uniform(0, 2000, J),
            "y_m": rng.uniform(0, 2000, J),
        },
        schema=DETECTORS,
    ).with_columns(pl.Series("snow", rng.normal(size=J)))
    sex = [("female", "male", None)[rng.integers(3)] for _ in range(n)]
    history = CaptureHistory(
        "1",
        kind,
        detectors,
        pl.DataFrame(
            {"individual": [f"a{i}" for i in range(n)], "sex": sex, "life_stage": "adult"}, schema=INDIVIDUALS
        ),
        pl.DataFrame(rows, schema=CAPTURES, orient="row"),
        effort,
    )
    x, y = rng.uniform(-500, 2500, (2, M))
    mask = Mask(x, y, 20.0, np.full(M, ""), np.ones(M, dtype=bool))
    covariates = Covariates(
        mask=(pl.DataFrame({"forest": rng.normal(size=M)}),), occasion=(pl.DataFrame({"rain": rng.normal(size=K)}),)
    )
    return Small(history, mask, covariates)


def of_context(prefix: str, names: tuple[str, ...], beta: Floats, context: dict[str, float | str]) -> float:
    """The linear predictor, from the names of the coefficients alone."""
    total = 0.0
    for name, value in zip(names, beta, strict=True):
        if name == prefix:
            total += value
        elif name.startswith(f"{prefix}."):
            total += value * np.prod([_piece(piece, context) for piece in name.removeprefix(f"{prefix}.").split(":")])
    return total


def _piece(piece: str, context: dict[str, float | str]) -> float:
    variable, _, level = piece.partition(".")
    if level:
        return float(str(context[variable]) == level)
    base, _, power = variable.partition("^")
    return float(context[base]) ** int(power or 1)


def plain_likelihood(given: Small, problem: Problem, model: Model, beta: Floats) -> float:
    """Borchers and Efford (2008), Efford et al. (2009): every cell of every animal, no sufficient statistics."""
    history, mask, names = given.history, given.mask, problem.names
    J, K = history.effort.shape
    n, M = history.n_individuals, len(mask)
    intercept = problem.design.detection.intercept
    w = np.zeros((n, J, K), dtype=int)
    for who, where, occasion, count in history.captures.iter_rows():
        w[int(who[1:]), int(where[1:]), occasion - 1] = count
    classes = list(
        product(("female", "male") if model.by_sex else ("",), "123"[: {"h2": 2, "h3": 3}.get(model.mixture, 1)])
    )
    share = {(s, m): _share(names, beta, s, m, model) for s, m in classes}

    def hazard(place: tuple[int, int, int], who: tuple[str, str], caught: tuple[float, float]) -> float:
        m, j, k = place
        context = {
            "party": history.detectors["party"][j], "snow": history.detectors["snow"][j],
            "effort": history.effort[j, k],
            "rain": given.covariates.occasion[0]["rain"][k], "t": str(k + 1), "T": float(k), "b": caught[0],
            "bk": caught[1], "sex": who[0], "h2": who[1], "h3": who[1],
        }  # fmt: skip
        eta = of_context(intercept, names, beta, context)
        sigma = np.exp(of_context("sigma", names, beta, context))
        z = np.exp(of_context("z", names, beta, context))
        d = np.hypot(mask.x_m[m] - history.detectors["x_m"][j], mask.y_m[m] - history.detectors["y_m"][j])
        k_of_d = {
            "N": np.exp(-(d**2) / (2 * sigma**2)),
            "R": 1 - np.exp(-((d / sigma) ** -z)),
            "X": np.exp(-d / sigma),
        }[model.detection_function[-1]]
        if model.detection_function in PROBABILITIES:
            return float(-np.log1p(-k_of_d / (1 + np.exp(-eta))))
        return float(np.exp(eta) * k_of_d)

    def chance(seen: NDArray[np.int64], m: int, sex: str, latent: str) -> float:
        pr = 1.0
        for k in range(K):
            b = float(seen[:, :k].any())
            bk = np.atleast_1d(seen[:, :k].any(axis=1))
            met = np.array(
                [hazard((m, j, k), (sex, latent), (b, float(bk[j]))) * history.effort[j, k] for j in range(J)]
            )
            pr *= _cells(seen[:, k], met, history.effort[:, k], history.kind, model.detection_function)
        return pr

    def density(m: int) -> float:
        if model.likelihood == "conditional":
            return mask.cell_area_km2 / 100
        x, y = (_standard(v)[m] for v in (mask.x_m, mask.y_m))
        context = {"x": x, "y": y, "forest": given.covariates.mask[0]["forest"][m]}
        return float(np.exp(of_context("D", names, beta, context))) * mask.cell_area_km2 / 100

    total = 0.0
    for i, sex in enumerate(history.individuals["sex"]):
        fits = [(s, latent) for s, latent in classes if not s or sex in (None, s)]
        total += np.log(sum(share[c] * density(m) * chance(w[i], m, *c) for c in fits for m in range(M)))
    never = np.zeros((J, K), dtype=int)
    expected = sum(density(m) for m in range(M))
    detected = sum(share[c] * density(m) * (1 - chance(never, m, *c)) for c in classes for m in range(M))
    if model.likelihood == "conditional":
        return float(total - n * np.log(detected))
    if model.number == "binomial":
        missed = expected - n
        return float(
            total - n * np.log(expected) + lgamma(expected + 1) - lgamma(missed + 1)
            + missed * np.log(1 - detected / expected)
        )  # fmt: skip
    return total - detected


def _share(names: tuple[str, ...], beta: Floats, sex: str, latent: str, model: Model) -> float:
    male = 1 / (1 + np.exp(-of_context("psi_male", names, beta, {}))) if sex else 1.0
    weights = [1.0, *(np.exp(beta[names.index(f"pmix.{k}")]) for k in (2, 3) if f"pmix.{k}" in names)]
    of_sex = {"female": 1 - male, "male": male, "": 1.0}[sex]
    return float(of_sex * weights[int(latent) - 1] / sum(weights)) if model.mixture else float(of_sex)


def _standard(values: Floats) -> Floats:
    return np.asarray((values - values.mean()) / values.std(ddof=1))


def _cells(seen: NDArray[np.int64], met: Floats, effort: Floats, kind: str, function: str) -> float:
    """Probability of one occasion, given the hazards that the animal met at each detector."""
    if kind == "multi":
        total = met.sum()
        return float((1 - np.exp(-total)) * met[seen > 0][0] / total) if seen.any() else float(np.exp(-total))
    pr = 1.0
    for count, h, e in zip(seen, met, effort, strict=True):
        if e == 0:
            continue
        if kind == "proximity":
            pr *= 1 - np.exp(-h) if count else np.exp(-h)
        elif function in PROBABILITIES:
            once = 1 - np.exp(-h / e)
            pr *= comb(int(e), count) * once**count * (1 - once) ** (e - count)
        else:
            pr *= np.exp(-h) * h**count / factorial(count)
    return float(pr)


DENSITIES = ("~ 1", "~ forest + x^2", "~ x:y")
INTENSITIES = (
    "~ 1",
    "~ b",
    "~ bk + rain",
    "~ t",
    "~ T + snow",
    "~ b:T",
    "~ h2",
    "~ sex + bk",
    "~ party + h3",
    "~ effort + b",
)
SCALES = ("~ 1", "~ T", "~ b", "~ sex", "~ h2", "~ snow")
KINDS = ("proximity", "count", "multi")


@st.composite
def surveys(draw: st.DrawFn) -> tuple[Small, Model]:
    """A survey and a model of it."""
    function: FunctionName = draw(st.sampled_from(FUNCTIONS))
    kind = draw(st.sampled_from(KINDS))
    likelihood: LikelihoodName = draw(st.sampled_from(("full", "conditional")))
    number: NumberName = draw(st.sampled_from(("poisson", "binomial")))
    model = Model(
        function,
        D=draw(st.sampled_from(DENSITIES)) if likelihood == "full" else "~ 1",
        lambda0=draw(st.sampled_from(INTENSITIES)),
        sigma=draw(st.sampled_from(SCALES)),
        z=draw(st.sampled_from(("~ 1", "~ snow"))) if function in ("HR", "HHR") else "~ 1",
        likelihood=likelihood,
        number=number,
    )
    whole = kind == "count" and function in PROBABILITIES
    return small(draw(st.integers(0, 10_000)), kind, whole=whole), model


def problem_of(given: Small, model: Model) -> tuple[Problem, Floats]:
    """The likelihood of a survey, and parameters at which it is no extreme."""
    sessions, detection = prepare_sessions((given.history,), (given.mask,), model)
    problem = Problem(*design(model, sessions, detection, given.covariates))
    rng = np.random.default_rng(1)
    beta = rng.normal(0.0, 0.3, len(problem.names))
    for name, value in (("D", 2.5), (detection.intercept, -0.7), ("sigma", 6.7), ("z", 1.0)):
        if name in problem.names:
            beta[problem.names.index(name)] += value
    return problem, beta


def left_out(given: Small, model: Model) -> float:
    """Binomial coefficients, Poisson factorials and efforts that the kernel leaves out."""
    if given.history.kind != "count":
        return 0.0
    total = 0.0
    for _, where, occasion, count in given.history.captures.iter_rows():
        e = given.history.effort[int(where[1:]), occasion - 1]
        if model.detection_function in PROBABILITIES:
            total += np.log(comb(int(e), count))
        else:
            total += count * np.log(e) - np.log(factorial(count))
    return total


@settings(max_examples=60, deadline=None)
@given(surveys())
def test_the_likelihood_of_every_model_equals_a_plain_product(case: tuple[Small, Model]) -> None:
    given_, model = case
    problem, beta = problem_of(given_, model)
    value = problem.kernel(beta)[0] + left_out(given_, model)
    assert value == pytest.approx(plain_likelihood(given_, problem, model, beta), rel=1e-9, abs=1e-8)


@settings(max_examples=60, deadline=None)
@given(surveys())
def test_the_gradient_of_every_model_equals_differences(case: tuple[Small, Model]) -> None:
    given_, model = case
    problem, beta = problem_of(given_, model)
    exact = problem.kernel(beta)[1]
    step = 1e-5
    for shift, slope in zip(np.eye(len(beta)) * step, exact, strict=True):
        difference = (problem.kernel(beta + shift)[0] - problem.kernel(beta - shift)[0]) / (2 * step)
        assert slope == pytest.approx(difference, rel=1e-5, abs=1e-5)


@dataclass(frozen=True)
class Stretched:
    """Straight lines times exp(stretch), with the north a little farther away than it is."""

    names: tuple[str, ...] = ("stretch", "north")
    start: tuple[float, ...] = (0.0, 0.0)

    def between(self, session: Session, parameters: Floats) -> Distances:
        dx = session.mask_x_m - session.x_m[:, None]
        dy = session.mask_y_m - session.y_m[:, None]
        straight = np.sqrt(dx**2 + dy**2)
        north = np.abs(dy) * 0.1
        metres = straight * np.exp(parameters[0]) + north * np.exp(parameters[1])
        return Distances(metres, np.stack([straight * np.exp(parameters[0]), north * np.exp(parameters[1])]))


@settings(max_examples=20, deadline=None)
@given(surveys())
def test_the_gradient_by_parameters_of_distance_equals_differences(case: tuple[Small, Model]) -> None:
    given_, model = case
    problem, beta = problem_of(given_, replace(model, distance=Stretched()))
    assert problem.names[-2:] == ("stretch", "north")
    exact, step = problem.kernel(beta)[1], 1e-5
    for shift, slope in zip(np.eye(len(beta)) * step, exact, strict=True):
        difference = (problem.kernel(beta + shift)[0] - problem.kernel(beta - shift)[0]) / (2 * step)
        assert slope == pytest.approx(difference, rel=1e-5, abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(surveys())
def test_a_given_matrix_of_straight_lines_is_euclidean_distance(case: tuple[Small, Model]) -> None:
    given_, model = case
    problem, beta = problem_of(given_, model)
    ran = given_.history.effort.sum(axis=1) > 0
    x, y = (given_.history.detectors[c].to_numpy()[ran, None] for c in ("x_m", "y_m"))
    matrix = np.hypot(given_.mask.x_m - x, given_.mask.y_m - y)
    same, _ = problem_of(given_, replace(model, distance=FixedDistance({"1": matrix})))
    value, gradient = problem.kernel(beta)
    assert same.kernel(beta)[0] == pytest.approx(value, rel=1e-10, abs=1e-9)
    assert same.kernel(beta)[1] == pytest.approx(gradient, rel=1e-8, abs=1e-8)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(FUNCTIONS), st.sampled_from(KINDS), st.sampled_from(("h2", "h3")))
def test_a_mixture_of_equal_classes_is_no_mixture(seed: int, function: FunctionName, kind: str, mixture: str) -> None:
    whole = kind == "count" and function in PROBABILITIES
    given_ = small(seed, kind, whole=whole)
    null, at = problem_of(given_, Model(function))
    mixed, _ = problem_of(given_, Model(function, lambda0=f"~ {mixture}", sigma=f"~ {mixture}"))
    beta = np.array([at[null.names.index(n)] if n in null.names else 0.7 * n.startswith("pmix") for n in mixed.names])
    assert mixed.kernel(beta)[0] == pytest.approx(null.kernel(at)[0], rel=1e-10, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(FUNCTIONS), st.sampled_from(INTENSITIES))
def test_a_trap_without_competitors_is_a_camera(seed: int, function: FunctionName, lambda0: str) -> None:
    alone = small(seed, "multi", whole=False, shape=(4, 1, 5, 20))
    camera = replace(alone, history=replace(alone.history, kind="proximity"))
    model = Model(function, lambda0=lambda0.replace("party + ", ""))
    trap, beta = problem_of(alone, model)
    free, _ = problem_of(camera, model)
    assert trap.kernel(beta)[0] == pytest.approx(free.kernel(beta)[0], rel=1e-10, abs=1e-9)
    assert trap.kernel(beta)[1] == pytest.approx(free.kernel(beta)[1], rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_histories_and_rows_left_out_of_blocks_are_nothing(
    function: FunctionName, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_ = small(3, kind, whole=kind == "count" and function in PROBABILITIES, shape=(6, 5, 4, 1200))
    problem, beta = problem_of(given_, Model(function, lambda0="~ bk"))
    # 33 m (the exponential falls more slowly: 7 m) in a square of 3,000 m: much to leave out
    beta[problem.names.index("sigma")] = 2.0 if function in ("EX", "HEX") else 3.5
    value, gradient = problem.kernel(beta)
    if function in ("HN", "HHN", "EX", "HEX"):  # the hazard rate falls too slowly for anything to be nothing
        session, fields = problem.sessions[0], problem.design.fields(beta, 0, problem.sessions[0])
        integrand = Integrand(session, problem.design.detection, fields[0], np.arange(len(session.frequency)))
        blocks = [integrand.terms(block) for block in session.blocks]
        assert min(len(b.alive) for b in blocks) < len(session.frequency)
        assert min(len(b.hazards.rows) for b in blocks) < len(session.rows.kernel)
    monkeypatch.setattr("sharedrange.population.scr.blocks._LOG_NEGLIGIBLE", -1e9)
    monkeypatch.setattr("sharedrange.population.scr.blocks._LOG_DROPPED", 1e9)
    everything, slope = problem.kernel(beta)
    assert value == pytest.approx(everything, rel=1e-13)
    assert gradient == pytest.approx(slope, rel=1e-10, abs=1e-10)


@given(st.floats(0.0, 60.0))
def test_the_excess_has_the_slope_that_is_said(x: float) -> None:
    value, slope = log_excess(np.array([x]))
    exact = x / 2 if x < 1e-6 else np.log(np.expm1(x) / x)
    assert value[0] == pytest.approx(exact, rel=1e-9, abs=1e-12)
    assert slope[0] * x == pytest.approx(
        (1 / -np.expm1(-x) - 1 / x) * x if x > 1e-3 else x / 2 + x * x / 12, rel=1e-6, abs=1e-9
    )


@pytest.mark.parametrize(
    ("model", "rule"),
    [
        (Model(lambda0="~ rainfall"), "scr-formula-unknown"),
        (Model(D="~ forest:"), "scr-formula-unreadable"),
        (Model(D="~ forest + forest2"), "scr-formula-dependent"),
        (Model(z="~ snow"), "scr-no-shape"),
        (Model(D="~ forest", likelihood="conditional"), "scr-conditional-density"),
    ],
)
def test_a_formula_that_cannot_be_is_said_to_be_so(model: Model, rule: str) -> None:
    given_ = small(1, "proximity", whole=False)
    twice = given_.covariates.mask[0].with_columns((2 * pl.col("forest") + 1).alias("forest2"))
    sessions, detection = prepare_sessions((given_.history,), (given_.mask,), model)
    with pytest.raises(InputError, match=rule):
        Problem(*design(model, sessions, detection, replace(given_.covariates, mask=(twice,)))).chart()


def test_numbers_missing_from_a_covariate_are_said_to_be_missing() -> None:
    given_ = small(1, "proximity", whole=False)
    holes = given_.covariates.mask[0].with_columns(pl.when(pl.int_range(pl.len()) > 1).then("forest").alias("forest"))
    with pytest.raises(InputError, match="scr-covariate-missing"):
        problem_of(replace(given_, covariates=replace(given_.covariates, mask=(holes,))), Model(D="~ forest"))
