"""The engine: numbers, warnings and refusals of closed models, from histories and from plain tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sharedrange.core.answer import LISTED, Answer, Scope
from sharedrange.core.chance import stream
from sharedrange.core.engine import read_settings
from sharedrange.core.errors import InputError, ProgrammeError
from sharedrange.core.history import CAPTURES, DETECTORS, INDIVIDUALS, CaptureHistory
from sharedrange.core.progress import silent
from sharedrange.population.closed import (
    ENGINE,
    Captures,
    ClosedInputs,
    ClosedSettings,
    fit,
    from_frequencies,
    from_history,
    from_matrix,
    profile,
)

TIGER = Scope(taxon="Panthera tigris", place="border")


def ask(*captures: Captures, **given: Any) -> Answer:
    settings = ClosedSettings(**({"simulations": 0} | given))
    inputs = ClosedInputs(captures=captures, scope=TIGER)
    return ENGINE.answer(inputs, settings, rng=stream(1, ENGINE.name), progress=silent)


def history(rows: list[tuple[str, str, int]], effort: Any, session: str = "2026") -> CaptureHistory:
    """Captures (animal, detector, occasion) at detectors c0, c1, ... with effort, shape (J, K)."""
    names = sorted({who for who, _, _ in rows})
    detectors = {"detector": [f"c{j}" for j in range(len(effort))], "party": "p", "camera_type": None}
    return CaptureHistory(
        session,
        "proximity",
        pl.DataFrame({**detectors, "x_m": 0.0, "y_m": 0.0}, schema=DETECTORS),
        pl.DataFrame({"individual": names, "sex": None, "life_stage": "adult"}, schema=INDIVIDUALS),
        pl.DataFrame([(*row, 1) for row in rows], schema=CAPTURES, orient="row"),
        np.asarray(effort, dtype=float),
    )


def rules(answer: Answer) -> list[str]:
    return [f.rule for f in answer.findings]


def test_a_named_model_is_reported_with_its_own_interval() -> None:
    captures = from_frequencies([7, 6, 3, 2, 0])
    number = ask(captures, models=("M0",), report="M0")["N"]
    limits = profile([fit(captures)])
    assert (number.value, number.low, number.high) == (fit(captures).n_hat, limits.low, limits.high)
    assert (number.unit, number.scope.taxon, number.scope.method) == ("animals", "Panthera tigris", "closed")


def test_many_animals_get_the_log_normal_interval_and_few_the_profile() -> None:
    captures = from_frequencies([25, 22, 13, 5, 1, 2])
    auto, asked = ask(captures)["N"], ask(captures, interval="lognormal")["N"]
    assert (auto.low, auto.high) == (asked.low, asked.high)
    few = from_frequencies([7, 6, 3, 2, 0])
    assert ask(few)["N"].high == ask(few, interval="profile")["N"].high != ask(few, interval="lognormal")["N"].high


def test_no_density_is_ever_told_and_the_answer_says_why() -> None:
    answer = ask(from_frequencies([7, 6, 3, 2, 0]))
    assert "closed-no-density" in rules(answer)
    assert {e.unit for e in answer.estimates} == {"animals"}


def test_the_animals_seen_are_a_list_and_the_bound_stands_beside() -> None:
    answer = ask(from_frequencies([8, 5, 2, 0, 3]))
    assert (answer["n"].value, answer["n"].scope.kind) == (18, LISTED)
    assert answer["N_at_least"].value == pytest.approx(23.2, abs=0.05)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.5, 20.0), st.integers(3, 8), st.sampled_from([1.0, 0.4]))
def test_an_answer_never_says_fewer_animals_than_its_own_lower_bound(
    seed: int, alike: float, occasions: int, quiet: float
) -> None:
    rng = np.random.default_rng(seed)
    chance = rng.beta(0.25 * alike, 0.75 * alike, 30)[:, None] * np.where(np.arange(occasions) % 2, quiet, 1.0)
    answer = ask(from_matrix(rng.random((30, occasions)) < chance))
    assume(answer.refusal is None and "N_at_least" in answer)
    number, least = answer["N"], answer["N_at_least"]
    assert number.value >= least.value * (1 - 1e-6)
    assert "closed-below-bound" not in rules(answer)


def test_the_ovenbirds_of_2006_are_no_fewer_than_their_lower_bound() -> None:
    # Birds netted 1, 2, ... times at Patuxent (data set ovenbird of Efford et al. 2004, Animal Biodiversity and
    # Conservation 27.1:217-228): M0 has the best AICc and says 27 birds, the bound 31.
    birds = from_frequencies([11, 6, 3, 0, 2, 0, 0, 0, 0, 0])
    answer = ask(birds)
    table = answer.tables["models"].filter(pl.col("model") == "M0")
    assert table.select("animals", "weight").row(0) == (pytest.approx(26.95, abs=0.01), 0.0)
    assert answer["N_at_least"].value == pytest.approx(30.94, abs=0.01)
    assert answer["N"].value > 31
    assert "closed-not-averaged" in rules(answer)


def test_a_model_asked_for_by_name_that_says_fewer_than_the_bound_is_said_to() -> None:
    birds = from_frequencies([11, 6, 3, 0, 2, 0, 0, 0, 0, 0])
    answer = ask(birds, report="M0")
    assert answer["N"].value < answer["N_at_least"].value
    assert "closed-below-bound" in rules(answer)
    assert "closed-not-averaged" not in rules(answer)
    assert "closed-below-bound" not in rules(ask(birds, report="Mh Darroch"))


def test_where_only_the_bound_can_be_fitted_it_is_the_number() -> None:
    answer = ask(from_frequencies([8, 5, 2, 0, 3]), models=("Mh Chao",))
    assert answer["N"].value == answer["N_at_least"].value


def test_a_stated_splitting_error_gives_a_second_number_and_never_silently_the_first() -> None:
    captures = from_frequencies([9, 6, 2, 3, 0])
    plain, told = ask(captures), ask(captures, splitting_error=0.125, splitting_tested=320)
    assert "closed-ghosts-not-counted" in rules(plain)
    assert "N_without_ghosts" not in plain
    assert told["N"] == plain["N"]
    assert told["N_without_ghosts"].value < told["N"].value
    assert told.tables["ghosts"]["animals"].is_sorted(descending=True)


def test_excessive_singletons_are_warned_about() -> None:
    assert "closed-singletons" in rules(ask(from_frequencies([30, 6, 6, 4, 2])))
    assert "closed-singletons" not in rules(ask(from_frequencies([4, 4, 5, 2, 1])))


def test_models_that_fit_alike_and_say_unlike_numbers_are_warned_about() -> None:
    answer = ask(from_frequencies([8, 5, 2, 0, 3]))
    assert "closed-models-disagree" in rules(answer)


def test_closure_is_never_called_proved() -> None:
    assert "closed-closure-unproved" in rules(ask(from_matrix(np.random.default_rng(1).random((30, 6)) < 0.3)))
    assert "closed-closure-untested" in rules(ask(from_frequencies([4, 4, 5, 2, 1])))


@pytest.mark.parametrize(("frequencies", "lacks"), [([6, 0, 0, 0], "recaptures"), ([0, 1, 0, 2, 1], "individuals")])
def test_thin_data_are_declined_with_what_can_be_said_instead(frequencies: list[int], lacks: str) -> None:
    refused = ask(from_frequencies(frequencies))
    assert refused.refusal is not None
    assert float(refused.refusal.have[lacks] or 0) < float(refused.refusal.need[lacks] or 0)
    assert "population.minimum" in refused.refusal.instead
    assert refused.estimates == ()


def test_sessions_have_numbers_of_their_own_and_a_thin_one_a_warning() -> None:
    answer = ask(
        from_frequencies([7, 6, 3, 2, 0], session="2025"),
        from_frequencies([3, 0, 0], session="2026"),
    )
    assert [e.quantity for e in answer.estimates] == ["N.2025", "N_at_least.2025", "n.2025"]
    assert answer["N.2025"].scope.period == "2025"
    assert rules(answer)[0] == "closed-session-thin"


def test_models_that_need_occasions_are_left_out_of_frequencies_with_a_note() -> None:
    answer = ask(from_frequencies([7, 6, 3, 2, 0]))
    assert "closed-model-needs-occasions" in rules(answer)
    assert "Mt" not in answer.tables["models"]["model"].to_list()
    with pytest.raises(InputError):
        ask(from_frequencies([7, 6, 3, 2, 0]), report="Mt")


def test_detectors_are_put_together_and_days_without_effort_left_out() -> None:
    rows = [("a", "c0", 1), ("a", "c1", 1), ("a", "c0", 4), ("b", "c1", 2)]
    captures = from_history(history(rows, [[1, 1, 0, 1], [1, 1, 0, 1]]), most_occasions=0)
    assert captures.n_occasions == 3
    assert captures.matrix is not None
    assert captures.matrix.tolist() == [[True, False, True], [False, True, False]]


def test_days_are_joined_into_occasions_of_nearly_equal_length() -> None:
    rows = [("a", "c0", k) for k in (1, 2, 30)]
    captures = from_history(history(rows, np.ones((1, 30))), most_occasions=10)
    assert (captures.n_occasions, captures.n_captures) == (10, 2)


def test_a_capture_on_a_day_without_effort_and_an_unknown_animal_are_both_findings() -> None:
    wrong = history([("a", "c0", 2), ("b", "c0", 1)], [[1, 0, 1]])
    wrong = CaptureHistory(
        wrong.session, wrong.kind, wrong.detectors, wrong.individuals.head(1), wrong.captures, wrong.effort
    )
    with pytest.raises(InputError) as said:
        ENGINE.answer(ClosedInputs((wrong,)), ClosedSettings(), rng=stream(1, "x"), progress=silent)
    assert [f.rule for f in said.value.findings] == ["closed-capture-unknown"] * 2


def test_no_session_and_a_session_told_twice_are_findings() -> None:
    with pytest.raises(InputError) as said:
        ask()
    assert [f.rule for f in said.value.findings] == ["closed-no-session"]
    with pytest.raises(InputError) as said:
        ask(from_frequencies([4, 4, 5, 2, 1]), from_frequencies([7, 6, 3, 2, 0]))
    assert [f.rule for f in said.value.findings] == ["closed-session-twice"]


@pytest.mark.parametrize(
    "given",
    [
        {"models": ["Mx"]},
        {"models": ["M0"], "report": "Mt"},
        {"level": 1.0},
        {"most_occasions": 1},
        {"splitting_error": 1.5},
        {"alpha": 1.0},
    ],
)
def test_settings_that_cannot_be_are_said_before_anything_is_fitted(given: dict[str, Any]) -> None:
    with pytest.raises(ProgrammeError):
        read_settings(ClosedSettings, given)


def test_the_example_on_the_page_runs(failures_on_page: Callable[[str], int]) -> None:
    assert failures_on_page(ENGINE.name) == 0
