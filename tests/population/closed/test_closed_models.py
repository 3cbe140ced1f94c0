"""Closed models against published numbers, an independent likelihood over all histories, and their own promises."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import gammaln

from sharedrange.core.errors import InputError, NotEnoughData
from sharedrange.population.closed import (
    MODELS,
    Captures,
    Fit,
    average,
    bound,
    coherent,
    compare,
    exact,
    fit,
    from_frequencies,
    from_matrix,
    lognormal,
    profile,
    weights,
)
from sharedrange.population.closed.comparing import COMPARISON
from sharedrange.population.closed.loglinear import FORMS, design, maximise

Floats = NDArray[np.float64]

# Johansson et al. 2020, Scientific Reports 10:6393, table 3: animals caught 1 to 5 times, N and SD as printed there.
# The models are those that return the printed numbers; the paper does not say which were chosen.
JOHANSSON = (
    ((4, 4, 5, 2, 1), 16.6, 0.9, "M0"),
    ((7, 6, 3, 2, 0), 20.3, 2.0, "M0"),
    ((8, 4, 1, 1, 1), 23.9, 7.2, "Mh Poisson2"),
    ((6, 6, 3, 2, 1), 21.0, 2.8, "Mh Poisson2"),
    ((7, 9, 2, 2, 0), 22.8, 2.3, "M0"),
    ((8, 5, 3, 1, 1), 23.5, 4.5, "Mh Poisson2"),
    ((9, 6, 2, 3, 0), 22.8, 2.3, "M0"),
    ((3, 5, 5, 0, 2), 16.1, 1.3, "Mh Chao"),
    ((8, 5, 2, 0, 3), 23.2, 3.9, "Mh Chao"),
)


def drawn(seed: int, animals: int = 40, occasions: int = 6, a: float = 2.0, b: float = 5.0) -> Captures:
    """Captures of animals whose chances of capture are a beta's."""
    rng = np.random.default_rng(seed)
    return from_matrix(rng.random((animals, occasions)) < rng.beta(a, b, animals)[:, None])


@pytest.mark.parametrize(("frequencies", "animals", "sd", "model"), JOHANSSON)
def test_what_nine_observers_made_of_sixteen_snow_leopards_is_reproduced_to_one_decimal(
    frequencies: tuple[int, ...], animals: float, sd: float, model: str
) -> None:
    found = fit(from_frequencies(frequencies), model)
    assert abs(found.n_hat - animals) <= 0.0501
    assert abs(found.se - sd) <= 0.0501


def every_history(t: int) -> NDArray[np.bool_]:
    """All histories with at least one capture, shape (2^t - 1, t)."""
    return np.array(list(itertools.product([False, True], repeat=t)))[1:]


def listed_likelihood(captures: Captures, time: bool, form: str) -> tuple[float, float]:
    """N and conditional log-likelihood from a table of all histories and a general optimiser."""
    t, rows = captures.n_occasions, every_history(captures.n_occasions)
    assert captures.matrix is not None
    seen = np.array([(captures.matrix == row).all(axis=1).sum() for row in rows])
    h = FORMS[form](np.arange(t + 1.0))[rows.sum(axis=1)]
    x = np.column_stack([rows if time else rows.sum(axis=1, keepdims=True), h / np.abs(h).max(axis=0, initial=1.0)])

    def loss(theta: Floats) -> float:
        eta = x @ theta
        return float(-(seen @ (eta - np.logaddexp.reduce(eta))))

    free = x.shape[1] - h.shape[1]
    bounds = [(None, None)] * free + [(0.0, None)] * h.shape[1]
    best = minimize(loss, np.full(x.shape[1], 0.05), method="L-BFGS-B", bounds=bounds, tol=1e-14)
    return captures.n + captures.n / float(np.exp(x @ best.x).sum()), -float(best.fun)


@pytest.mark.parametrize("model", [name for name, model in MODELS.items() if model.lead is None])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_sums_over_histories_equal_a_table_of_all_histories(model: str, seed: int) -> None:
    captures, chosen = drawn(seed), MODELS[model]
    number, value = listed_likelihood(captures, chosen.time, chosen.form)
    found = fit(captures, model)
    assert found.log_likelihood == pytest.approx(value, abs=2e-4)
    assert found.log_likelihood >= value - 1e-7
    assert found.n_hat == pytest.approx(number, rel=5e-3)


@pytest.mark.parametrize("model", ["M0", "Mt", "Mh Darroch", "Mth Gamma3.5"])
def test_the_standard_error_is_the_curvature_of_the_likelihood_of_a_table_of_all_histories(model: str) -> None:
    captures, chosen = drawn(3), MODELS[model]
    rows = every_history(captures.n_occasions)
    h = FORMS[chosen.form](np.arange(captures.n_occasions + 1.0))[rows.sum(axis=1)]
    x = np.column_stack([np.ones(len(rows)), rows if chosen.time else rows.sum(axis=1), h])
    laid = design(captures, time=chosen.time, form=chosen.form)
    top = maximise(laid)
    sums = rows.sum(axis=1)
    by_row = top.theta[: len(laid.sizes)][laid.group_of]
    eta = rows @ by_row + (laid.heterogeneity @ top.theta[len(laid.sizes) :])[sums]
    unseen = captures.n / np.exp(eta).sum()
    information = x.T @ ((unseen * np.exp(eta))[:, None] * x)
    expected = np.sqrt(unseen + unseen**2 * np.linalg.inv(information)[0, 0])
    assert fit(captures, model).se == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("model", "lead"), [("Mb", 0), ("Mbh", 1)])
def test_behaviour_models_equal_a_table_of_all_histories(model: str, lead: int) -> None:
    captures = drawn(7, animals=60, a=3, b=6)
    rows = every_history(captures.n_occasions)
    assert captures.matrix is not None
    seen = np.array([(captures.matrix == row).all(axis=1).sum() for row in rows])

    def chances(theta: Floats) -> Floats:
        p = np.full(captures.n_occasions, theta[0])
        p[:lead] = theta[2:]
        out = np.ones(len(rows))
        for i, row in enumerate(rows):
            first = int(row.argmax())
            out[i] = np.prod(1 - p[:first]) * p[first] * np.prod(np.where(row[first + 1 :], theta[1], 1 - theta[1]))
        return out

    def loss(theta: Floats) -> float:
        all_of = chances(theta)
        return -float(seen @ np.log(all_of / all_of.sum()))

    best = minimize(loss, np.full(2 + lead, 0.3), bounds=[(1e-4, 1 - 1e-4)] * (2 + lead), tol=1e-13)
    found = fit(captures, model)
    assert found.log_likelihood == pytest.approx(-best.fun, abs=1e-5)
    assert found.n_hat == pytest.approx(captures.n / chances(best.x).sum(), rel=1e-3)


def test_the_profile_is_the_likelihood_of_all_animals_at_its_highest() -> None:
    captures = from_frequencies([7, 6, 3, 2, 0])
    t, c, n = captures.n_occasions, captures.n_captures, captures.n
    for animals in (18.0, 20.0, 31.0):
        p = c / (t * animals)
        value = c * np.log(p) + (t * animals - c) * np.log(1 - p) + gammaln(animals + 1) - gammaln(animals - n + 1)
        assert fit(captures).profile(animals) == pytest.approx(value, abs=1e-8)


def test_a_profile_interval_ends_where_the_likelihood_fell_by_half_a_chi_square() -> None:
    found = fit(from_frequencies([25, 22, 13, 5, 1, 2]), "Mh Poisson2")
    limits, top = profile([found]), exact(found)
    assert limits.low < top < found.n_hat < limits.high
    for end in (limits.low, limits.high):
        assert 2 * (found.profile(top) - found.profile(end)) == pytest.approx(3.8415, abs=2e-3)


def bounded(captures: Captures, model: str) -> Fit:
    """The fit, where the data exclude some number of animals."""
    try:
        return fit(captures, model)
    except NotEnoughData:
        reject()


frequency_lists = st.lists(st.integers(0, 12), min_size=3, max_size=8)


@settings(max_examples=30, deadline=None)
@given(frequency_lists, st.sampled_from([m for m, model in MODELS.items() if not model.needs_occasions]))
def test_a_number_and_its_interval_never_fall_below_the_animals_seen(given_: list[int], model: str) -> None:
    captures = from_frequencies(given_)
    assume(captures.n_recaptures > 0)
    found = bounded(captures, model)
    limits = lognormal(found)
    assert captures.n <= limits.low <= found.n_hat <= limits.high
    by_profile = profile([found])
    assert captures.n <= by_profile.low <= by_profile.high


@settings(max_examples=60, deadline=None)
@given(frequency_lists)
def test_a_richer_model_never_lies_below_its_null_and_unlike_animals_are_never_fewer(given_: list[int]) -> None:
    captures = from_frequencies(given_)
    assume(captures.n_recaptures > 0)
    null = fit(captures)
    for model in ("Mh Chao", "Mh Poisson2", "Mh Darroch", "Mh Gamma3.5"):
        richer = bounded(captures, model)
        assert richer.log_likelihood >= null.log_likelihood - 1e-7
        assert richer.n_hat >= null.n_hat - 1e-4 * null.n_hat


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_with_occasions_richer_models_never_lie_below_theirs(seed: int) -> None:
    captures = drawn(seed, animals=15, occasions=5)
    assume(captures.n_recaptures > 2)
    value = {m: fit(captures, m).log_likelihood for m in ("M0", "Mt", "Mh Darroch", "Mth Darroch", "Mth Chao")}
    assert value["M0"] <= value["Mt"] + 1e-7
    assert value["Mh Darroch"] <= value["Mth Darroch"] + 1e-7
    assert value["Mt"] <= min(value["Mth Darroch"], value["Mth Chao"]) + 1e-7


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.randoms(use_true_random=False))
def test_the_order_of_animals_and_of_occasions_does_not_matter(seed: int, random: Any) -> None:
    captures = drawn(seed, animals=20, occasions=5)
    assume(captures.n_recaptures > 2)
    assert captures.matrix is not None
    rows = random.sample(range(captures.n), captures.n)
    columns = random.sample(range(5), 5)
    for model in ("M0", "Mt", "Mh Poisson2", "Mth Darroch"):
        same = fit(from_matrix(captures.matrix[rows][:, columns]), model)
        assert same.n_hat == pytest.approx(fit(captures, model).n_hat, rel=1e-6)
    assert from_matrix(captures.matrix[rows]).data == captures.data


def test_ninety_daily_occasions_are_no_table_of_two_to_the_ninety() -> None:
    captures = drawn(4, animals=60, occasions=90, a=2, b=40)
    found = fit(captures, "Mth Darroch")
    assert captures.n <= found.n_hat < 100


def test_animals_all_caught_every_time_are_all_there_are() -> None:
    found = fit(from_frequencies([0, 0, 0, 9]))
    assert found.n_hat == pytest.approx(9, abs=1e-6)
    assert profile([found]).low == 9


def test_m0_covers_the_truth_in_simulation() -> None:
    rng, covered, numbers = np.random.default_rng(11), 0, []
    for _ in range(80):
        found = fit(from_matrix(rng.random((30, 8)) < 0.2))
        limits = profile([found])
        covered += limits.low <= 30 <= limits.high
        numbers.append(found.n_hat)
    assert covered >= 0.89 * 80
    assert np.median(numbers) == pytest.approx(30, rel=0.06)


def test_mb_finds_the_animals_of_which_the_caught_stay_away() -> None:
    rng, shy, naive = np.random.default_rng(5), [], []
    for _ in range(30):
        caught = np.zeros((100, 8), dtype=bool)
        for k in range(8):
            caught[:, k] = rng.random(100) < np.where(caught.any(axis=1), 0.1, 0.3)
        shy.append(fit(from_matrix(caught), "Mb").n_hat)
        naive.append(fit(from_matrix(caught), "M0").n_hat)
    assert np.median(shy) == pytest.approx(100, rel=0.05)
    assert np.median(naive) > 120


def test_chaos_bound_is_his_formula_where_more_captures_tell_nothing() -> None:
    captures = from_frequencies([20, 12, 9, 8, 7])  # log-convex: every eta is free and the bound rests on f1 and f2
    t = captures.n_occasions
    assert fit(captures, "Mh Chao").n_hat == pytest.approx(captures.n + 20**2 * (t - 1) / (2 * t * 12), rel=1e-5)


def test_first_captures_that_do_not_become_fewer_tell_no_number() -> None:
    with pytest.raises(NotEnoughData):
        fit(from_matrix(np.eye(5).repeat(2, axis=0)), "Mb")


def test_animals_never_caught_just_twice_leave_unlike_animals_without_a_number() -> None:
    with pytest.raises(NotEnoughData):
        fit(from_frequencies([9, 0, 0, 1]), "Mh Darroch")


def test_criteria_are_compared_only_between_fits_of_the_same_data() -> None:
    one, other = fit(from_frequencies([4, 4, 5, 2, 1])), fit(from_frequencies([7, 6, 3, 2, 0]))
    with pytest.raises(InputError) as wrong:
        compare([one, other])
    assert [f.rule for f in wrong.value.findings] == ["closed-unlike-data"]


def test_the_table_of_models_has_the_best_first_and_no_weight_for_one_below_the_bound() -> None:
    captures = drawn(2)
    fits = [fit(captures, model) for model in MODELS]
    table, least = compare(fits), bound(fits)
    assert least is not None
    assert table.schema == COMPARISON
    assert table["aicc"].is_sorted()
    assert table["weight"].sum() == pytest.approx(1)
    without = table.filter(table["weight"] == 0)
    assert "M0" in without["model"].to_list()
    assert (without["animals"] < least.n_hat).all()


def test_of_bounds_with_and_without_time_the_likelier_holds() -> None:
    rng = np.random.default_rng(3)
    captures = from_matrix(rng.random((80, 4)) < np.array([0.05, 0.6, 0.05, 0.5]))
    fits = [fit(captures, model) for model in ("Mh Chao", "Mth Chao", "Mt")]
    least = bound(fits)
    assert least is not None
    assert least.model.name == "Mth Chao"
    assert least.n_hat < fits[0].n_hat
    assert bound([fit(captures)]) is None


def test_no_bound_holds_for_animals_that_change_their_ways() -> None:
    fits = [fit(drawn(7, animals=60, a=3, b=6), model) for model in ("M0", "Mb", "Mh Chao")]
    assert fits[1].n_hat < fits[2].n_hat
    assert coherent(fits).tolist() == [False, True, True]


def test_an_average_lies_between_its_models_and_is_less_sure_than_any_share_of_them() -> None:
    captures = from_frequencies([8, 5, 2, 0, 3])
    fits = [fit(captures, m) for m in ("M0", "Mh Poisson2", "Mh Darroch")]
    share = weights(fits)
    told = average(fits, share)
    assert min(f.n_hat for f in fits) < told.n_hat < max(f.n_hat for f in fits)
    assert told.se > float(share @ np.array([f.se for f in fits]))
    limits = profile(fits, share.tolist())
    ends = [profile([f]) for f in fits]
    assert min(e.low for e in ends) <= limits.low
    assert limits.high <= max(e.high for e in ends)


@pytest.mark.parametrize(
    ("call", "rules"),
    [
        (lambda: from_frequencies([3, -1, 0.5]), ["closed-frequency", "closed-frequency"]),  # type: ignore[list-item]  # wrong on purpose
        (lambda: from_frequencies([3]), ["closed-too-few-occasions"]),
        (lambda: from_matrix([[1.0, 2.0, 0.0], [0.0, 1.0, np.nan]]), ["closed-cell", "closed-cell"]),
        (lambda: from_matrix([[1], [1]]), ["closed-too-few-occasions"]),
        (lambda: fit(from_frequencies([1, 2]), "Mx"), ["closed-model-unknown"]),
        (lambda: fit(from_frequencies([1, 2]), "Mt"), ["closed-needs-occasions"]),
        (lambda: fit(from_frequencies([0, 0])), ["closed-no-animal"]),
    ],
)
def test_everything_that_is_wrong_is_said_at_once(call: Any, rules: list[str]) -> None:
    with pytest.raises(InputError) as wrong:
        call()
    assert [f.rule for f in wrong.value.findings] == rules
