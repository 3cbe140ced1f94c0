"""Verdicts before any fit: they stand on counts, agree with the engines, and never get better with less data."""

from __future__ import annotations

import doctest
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharedrange.core.chance import stream
from sharedrange.core.errors import InputError
from sharedrange.core.history import CAPTURES, DETECTORS, INDIVIDUALS, CaptureHistory
from sharedrange.core.words import Words
from sharedrange.population.closed import ClosedSettings
from sharedrange.population.closed.captures import from_history
from sharedrange.population.closed.thin import refusal as closed_refusal
from sharedrange.population.defensible import (
    JUDGED,
    QUESTIONS,
    Fitness,
    SurveyFacts,
    Thresholds,
    Verdict,
    count,
    judge,
)
from sharedrange.population.scr.settings import ScrSettings
from sharedrange.population.scr.thin import refusal as scr_refusal


def survey(
    seed: int = 1,
    *,
    animals: int = 25,
    side: int = 6,
    spacing_m: float = 3_000.0,
    days: int = 60,
    lambda0: float = 0.08,
) -> CaptureHistory:
    """A SIMULATED square of cameras and animals with a sigma of 2,500 m; sexes known."""
    rng = stream(seed, "tests.defensible")
    at = np.arange(side) * spacing_m
    x, y = (a.ravel() for a in np.meshgrid(at, at))
    centre_x, centre_y = rng.uniform(-5_000, at[-1] + 5_000, (2, animals))
    distance2 = (x - centre_x[:, None]) ** 2 + (y - centre_y[:, None]) ** 2
    chance = -np.expm1(-lambda0 * np.exp(-distance2 / (2 * 2_500.0**2)))
    seen = rng.random((animals, side**2, days)) < chance[:, :, None]
    rows = [(f"a{i}", f"c{j}", int(k) + 1, 1) for i, j, k in zip(*np.nonzero(seen), strict=True)]
    met = sorted({who for who, *_ in rows})
    names = {"detector": [f"c{j}" for j in range(side**2)], "party": "p", "camera_type": "X", "x_m": x, "y_m": y}
    return CaptureHistory(
        "2026",
        "proximity",
        pl.DataFrame(names, schema=DETECTORS),
        pl.DataFrame({"individual": met, "sex": "female", "life_stage": "adult"}, schema=INDIVIDUALS),
        pl.DataFrame(rows, schema=CAPTURES, orient="row"),
        np.ones((side**2, days)),
    )


def fewer(history: CaptureHistory, rows: int) -> CaptureHistory:
    """The history with its first captures only."""
    kept = history.captures.head(rows)
    animals = history.individuals.filter(pl.col("individual").is_in(kept["individual"].unique().to_list()))
    return replace(history, captures=kept, individuals=animals)


def outcome(fitness: Fitness, question: str, rule: str) -> Verdict:
    return next(r.outcome for r in fitness[question].reasons if r.finding.rule == rule)


def test_a_good_survey_may_ask_for_density_and_a_plain_number_only_with_care() -> None:
    fitness = judge([survey()])
    assert fitness["population.scr"].verdict is Verdict.YES
    assert fitness["population.closed"].verdict is Verdict.WITH_CARE
    assert fitness["population.minimum"].verdict is Verdict.YES
    assert fitness.possible == QUESTIONS


def test_fourteen_and_two_detections_are_refused_a_density_and_offered_what_they_can_bear() -> None:
    """As the snow-leopard surveys of two reserves: 14 detections in one, 2 in the other."""
    lone = survey(3)
    once = fewer(lone, 2)
    assert once.n_detections == 2
    fitness = judge([once])
    assert fitness["population.scr"].verdict is Verdict.NO
    assert fitness["population.closed"].verdict is Verdict.NO
    assert fitness["population.minimum"].verdict is not Verdict.NO
    assert fitness["population.rates"].verdict is Verdict.WITH_CARE
    first = lone.captures.unique("individual", keep="first", maintain_order=True).head(12)
    again = lone.captures.filter(pl.col("individual") == first["individual"][0]).slice(1, 2)
    rows = pl.concat([first, again])
    animals = lone.individuals.filter(pl.col("individual").is_in(rows["individual"].to_list()))
    fourteen = replace(lone, captures=rows, individuals=animals)
    assert (fourteen.n_detections, judge([fourteen])["population.scr"].verdict) == (14, Verdict.NO)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 400), st.integers(0, 6))
def test_a_no_for_too_few_counts_is_exactly_what_the_engines_would_decline(rows: int, seed: int) -> None:
    history = fewer(survey(seed), rows)
    fitness, thresholds = judge([history]), Thresholds()
    declined = scr_refusal([history], thresholds.scr) is not None
    assert (fitness["population.scr"].verdict is Verdict.NO) == declined
    captures = from_history(history, most_occasions=thresholds.closed.most_occasions)
    declined = closed_refusal(captures, thresholds.closed) is not None
    assert (fitness["population.closed"].verdict is Verdict.NO) == declined


def test_an_engines_own_settings_are_the_thresholds() -> None:
    strict = Thresholds(scr=ScrSettings(min_individuals=1_000), closed=ClosedSettings(min_recaptures=100_000))
    fitness = judge([survey()], thresholds=strict)
    assert outcome(fitness, "population.scr", "defensible-animals") is Verdict.NO
    assert outcome(fitness, "population.closed", "defensible-recaptures-joined") is Verdict.NO


def test_cameras_far_apart_against_the_movement_call_for_care() -> None:
    near, far = judge([survey()]), judge([survey()], SurveyFacts(sigma_m=1_000.0))
    assert outcome(near, "population.scr", "defensible-spacing") is Verdict.YES
    assert outcome(far, "population.scr", "defensible-spacing") is Verdict.WITH_CARE
    assert near.counts.spacing_m == pytest.approx(3_000)
    assert near.counts.sigma_m == pytest.approx(2_500, rel=0.25)


def test_where_nobody_moved_the_spacing_cannot_be_judged() -> None:
    lone = survey(2)
    first = lone.captures.unique("individual", keep="first", maintain_order=True)
    fitness = judge([replace(lone, captures=first)])
    assert fitness.counts.sigma_m is None
    assert outcome(fitness, "population.scr", "defensible-spacing-unknown") is Verdict.WITH_CARE


@pytest.mark.parametrize(
    ("facts", "rule", "expected"),
    [
        (SurveyFacts(), "defensible-period", Verdict.YES),
        (SurveyFacts(closed_days=30), "defensible-period", Verdict.WITH_CARE),
        (SurveyFacts(occasion_days=7), "defensible-period", Verdict.NO),
        (SurveyFacts(occasion_days=7, closed_days=1_000), "defensible-period", Verdict.YES),
        (SurveyFacts(left_only=2), "defensible-flanks", Verdict.WITH_CARE),
        (SurveyFacts(left_only=0, right_only=0), "defensible-flanks", Verdict.YES),
        (SurveyFacts(), "defensible-flanks-unknown", Verdict.YES),
    ],
)
def test_what_the_history_does_not_tell_counts_too(facts: SurveyFacts, rule: str, expected: Verdict) -> None:
    assert outcome(judge([survey()], facts), "population.scr", rule) is expected


def test_unknown_sexes_and_unlike_cameras_call_for_care() -> None:
    lone = survey()
    nameless = replace(lone, individuals=lone.individuals.with_columns(sex=pl.lit(None, pl.String)))
    assert outcome(judge([nameless]), "population.scr", "defensible-sexes") is Verdict.WITH_CARE
    row = pl.int_range(pl.len())
    mixed = lone.detectors.with_columns(camera_type=pl.when(row < 3).then(pl.lit("Y")).otherwise(pl.lit("X")))
    unlike = judge([replace(lone, detectors=mixed)])
    assert outcome(unlike, "population.rates", "defensible-cameras") is Verdict.WITH_CARE


def test_an_array_that_never_ran_bears_nothing_but_a_list() -> None:
    lone = survey()
    fitness = judge([replace(lone, effort=np.zeros_like(lone.effort))])
    assert fitness.possible == ("population.minimum",)


def test_counts_are_those_of_the_histories() -> None:
    first, second = survey(1), replace(survey(2), session="2027")
    counts = count([first, second])
    assert counts.individuals == first.n_individuals + second.n_individuals
    assert counts.recaptures == first.n_recaptures + second.n_recaptures
    assert (counts.detectors, counts.occasions, counts.days) == (36, 60, 60.0)


def test_every_reason_has_a_count_a_source_and_words_and_the_table_its_schema() -> None:
    fitness = judge([survey()])
    table = fitness.table()
    assert table.schema == JUDGED
    assert not table.select("question", "verdict", "rule", "outcome", "have", "source").null_count().sum_horizontal()[0]
    assert table["rule"].str.starts_with("defensible-").all()


def test_the_text_says_verdicts_reasons_and_for_what_is_no_plain_yes_a_remedy() -> None:
    asked: list[str] = []

    def find(message: str) -> str:
        asked.append(message)
        return message.replace("{", "").replace("}", "")

    fitness = judge([fewer(survey(), 2)])
    text = fitness.text(Words("en", find))
    assert text.count("defensible.line") == len(QUESTIONS)
    assert {f"defensible.verdict.{j.verdict}" for j in fitness.judgements} <= set(asked)
    assert "finding.defensible-recaptures.remedy" in text
    assert "finding.defensible-cameras.remedy" not in text


def test_no_history_and_facts_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError) as wrong:
        judge([])
    assert [f.rule for f in wrong.value.findings] == ["defensible-no-session"]
    for name in ("occasion_days", "closed_days", "sigma_m"):
        with pytest.raises(ValueError, match=name):
            replace(SurveyFacts(), **{name: 0.0})  # type: ignore[arg-type]  # mypy does not know which field


def test_the_example_on_the_page_runs() -> None:
    page = Path(__file__).parents[2] / "docs" / "defensible.md"
    blocks: list[Any] = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert blocks
    example = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "defensible", str(page), 0)
    assert doctest.DocTestRunner().run(example).failed == 0
