from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from sharedrange.core.answer import LISTED, Answer, Scope
from sharedrange.core.chance import stream
from sharedrange.core.errors import InputError
from sharedrange.core.history import CaptureHistory
from sharedrange.core.progress import silent
from sharedrange.population.open import ENGINE, OpenInputs, OpenSettings, YearsDesign, YearsTruth, simulate_years

SCOPE = Scope(taxon="Panthera pardus", stage="adult", place="park")
SIDES = ("north", "south")


def ask(
    histories: tuple[CaptureHistory, ...], design: YearsDesign, *, sides: tuple[str, ...] = SIDES, **given: Any
) -> Answer:
    inputs = OpenInputs(histories, design.mask(), sides, SCOPE)
    return ENGINE.answer(inputs, OpenSettings(**given), rng=stream(1, "x"), progress=silent)


def rules(answer: Answer) -> set[str]:
    return {finding.rule for finding in answer.findings}


def test_a_joint_answer_has_numbers_by_year_and_side_and_rates(
    histories: tuple[CaptureHistory, ...], design: YearsDesign, truth: YearsTruth
) -> None:
    answer = ask(histories, design)
    for year, alive in enumerate(truth.alive, start=1):
        whole, parts = answer[f"N.year {year}"], [answer[f"N.year {year}.{side}"] for side in SIDES]
        assert whole.value == pytest.approx(sum(p.value for p in parts), rel=1e-9)
        assert whole.low is not None
        assert whole.high is not None
        assert whole.low < alive < whole.high
        assert whole.low >= answer[f"n.year {year}"].value
        assert whole.value >= answer[f"n.year {year}"].value
        assert [p.scope.place for p in parts] == list(SIDES)
        assert whole.scope.period == f"year {year}"
        density = answer[f"D.year {year}"].value
        assert density == pytest.approx(answer[f"N_expected.year {year}"].value / design.mask().area_km2 * 100)
    assert {"phi", "f", "lambda", "sigma_move", "sigma", "crossings.year 1-year 2"} <= {
        e.quantity for e in answer.estimates
    }
    assert answer["phi"].unit == "probability"
    assert answer["n"].scope.kind == LISTED


def test_a_number_is_printed_only_for_the_side_that_asked(
    histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    joint, north = ask(histories, design), ask(histories, design, sides=("north",))
    assert north["N.year 1"].value == pytest.approx(joint["N.year 1.north"].value, rel=1e-9)
    assert not [e.quantity for e in north.estimates if "south" in e.quantity.replace("lambda0.south", "")]
    assert not [e.quantity for e in north.estimates if e.quantity.startswith("crossings")]
    assert "alive_south" not in north.tables["animals"].columns


def test_without_space_there_is_no_density_and_a_warning(
    histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    answer = ask(histories, design, spatial=False)
    assert not [e.quantity for e in answer.estimates if e.quantity.startswith(("D.", "crossings", "sigma"))]
    assert 0 < answer["p_year"].value < 1
    assert "open-crossing-is-death" in rules(answer)
    assert answer["N.year 1"].scope.method != ask(histories, design)["N.year 1"].scope.method
    assert "open-crossing-is-death" in rules(ask(histories, design, movement="none"))


def test_terms_that_the_data_cannot_have_are_left_out_and_named(
    histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    answer = ask(histories, design, lambda0="~ party + sex", survival="~ sex")
    dropped = [(f.facts["parameter"], f.facts["term"]) for f in answer.findings if f.rule == "open-term-dropped"]
    assert dropped == [("survival", "sex"), ("lambda0", "sex"), ("sigma", "sex")]
    assert {"lambda0.north", "lambda0.south", "phi"} <= {e.quantity for e in answer.estimates}


def test_a_rate_of_one_sex_has_that_sex_in_its_scope(
    histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    male = pl.col("individual").str.slice(-1).cast(pl.Int64) % 2 == 0
    sex = pl.when(male).then(pl.lit("male")).otherwise(pl.lit("female")).alias("sex")
    sexed = tuple(replace(h, individuals=h.individuals.with_columns(sex)) for h in histories)
    answer = ask(sexed, design, survival="~ sex", lambda0="~ party")
    assert {answer[f"phi.{s}"].scope.sex for s in ("female", "male")} == {"female", "male"}
    assert answer["N.year 1"].scope.sex == answer["lambda0.north"].scope.sex == ""
    assert 0 < answer["psi_male"].value < 1


def test_one_year_is_refused(histories: tuple[CaptureHistory, ...], design: YearsDesign) -> None:
    refused = ask(histories[:1], design).refusal
    assert refused is not None
    assert refused.have["years"] == 1
    assert refused.have["animals_in_two_years"] == 0
    assert "population.scr" in refused.instead


def test_years_that_share_no_animal_are_refused(histories: tuple[CaptureHistory, ...], design: YearsDesign) -> None:
    def strangers(history: CaptureHistory) -> CaptureHistory:
        name = pl.format("{} of {}", pl.col("individual"), pl.lit(history.session)).alias("individual")
        return replace(
            history, individuals=history.individuals.with_columns(name), captures=history.captures.with_columns(name)
        )

    refused = ask(tuple(strangers(h) for h in histories), design).refusal
    assert refused is not None
    assert refused.have["animals_in_two_years"] == 0
    assert not ask(histories, design).refusal


def test_sides_that_the_mask_does_not_have_are_told(histories: tuple[CaptureHistory, ...], design: YearsDesign) -> None:
    for sides, rule in (((), "scr-no-side"), (("east",), "scr-side-unknown")):
        with pytest.raises(InputError) as caught:
            ask(histories, design, sides=sides)
        assert [finding.rule for finding in caught.value.findings] == [rule]


def test_a_mask_too_coarse_or_too_small_for_the_movement_is_told(
    histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    assert not {"open-mask-small", "open-mask-coarse"} & rules(ask(histories, design))
    mask = design.mask()
    open_mask = replace(mask, open_edge=(abs(mask.x_m) == abs(mask.x_m).max()) | (abs(mask.y_m) == abs(mask.y_m).max()))
    inputs = OpenInputs(histories, open_mask, SIDES, SCOPE)
    answer = ENGINE.answer(inputs, OpenSettings(), rng=stream(1, "x"), progress=silent)
    assert "open-mask-small" in rules(answer)
    coarse = replace(design, cell_m=6_000.0, width_m=42_000.0)
    assert "open-mask-coarse" in rules(ask(histories, coarse))


def test_survival_has_a_profile_interval_where_few_came_back(
    histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    profile, wald = ask(histories, design)["phi"], ask(histories, design, profile_below=0)["phi"]
    assert profile.value == wald.value
    assert profile.low != wald.low
    assert profile.low == pytest.approx(wald.low, abs=0.05)


def test_every_animal_has_a_probability_to_be_alive_each_year(
    histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    answer = ask(histories, design)
    table = answer.tables["animals"]
    assert table.height == answer["n"].value * len(histories)
    assert table.columns == ["individual", "year", "alive", "alive_north", "alive_south"]
    assert table.select((pl.col("alive") - pl.col("alive_north") - pl.col("alive_south")).abs().max()).item() < 1e-9
    seen = pl.concat([h.individuals.select("individual", pl.lit(h.session).alias("year")) for h in histories])
    assert table.join(seen, on=["individual", "year"])["alive"].min() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"survival": "~ camera_type"}, "survival"),
        ({"lambda0": "~ side"}, "lambda0"),
        ({"sigma": "~ 2x"}, "sigma"),
        ({"recruitment": "0"}, "recruitment"),
        ({"level": 1.0}, "level"),
    ],
)
def test_settings_that_mean_nothing_are_refused(given: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        OpenSettings(**given)


def test_two_years_without_places_are_refused_and_three_would_be_enough(
    histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    refused = ask(histories[:2], design, spatial=False).refusal
    assert refused is not None
    assert (refused.have["years"], refused.need["years"]) == (2, 3)
    assert not ask(histories[:2], design).refusal
    assert not ask(histories, design, spatial=False).refusal


def test_instead_of_an_answer_only_what_the_same_data_bear_is_named(
    histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    def once(history: CaptureHistory) -> CaptureHistory:
        return replace(history, captures=history.captures.unique("individual", keep="first", maintain_order=True))

    def nobody(history: CaptureHistory) -> CaptureHistory:
        return replace(history, individuals=history.individuals.clear(), captures=history.captures.clear())

    without_recaptures = ask(tuple(once(h) for h in histories), design).refusal
    assert without_recaptures is not None
    assert without_recaptures.have["recaptures"] == 0
    assert without_recaptures.need["recaptures"] == OpenSettings().min_recaptures
    assert without_recaptures.instead == ("population.minimum", "population.rates")
    empty = ask(tuple(nobody(h) for h in histories), design).refusal
    assert empty is not None
    assert empty.instead == ("population.rates",)


def test_with_few_returns_arrival_and_movement_have_limits_that_the_data_set(design: YearsDesign) -> None:
    thin = replace(design, density_per_100km2=1.2, lambda0=0.05)
    answer = ask(simulate_years(thin, stream(4, "thin"))[0], thin)
    assert [f.facts["parameter"] for f in answer.findings if f.rule == "open-at-limit"] == ["sigma_move"]
    step, arrivals = answer["sigma_move"], answer["f"]
    assert step.low == 0.0, "nothing shows that they moved"
    assert step.high is not None
    assert 1_000.0 < step.high < 10_000.0
    assert arrivals.high is not None
    assert arrivals.value < arrivals.high < 2.0
    assert answer["N.year 2"].value < 20.0, "and numbers stay within reach"


def test_growth_is_told_of_each_interval_only_where_it_may_differ(
    histories: tuple[CaptureHistory, ...], design: YearsDesign
) -> None:
    alike, unlike = ask(histories, design), ask(histories, design, recruitment="~ year")
    assert [e.quantity for e in alike.estimates if e.quantity.startswith("lambda.")] == []
    assert {"lambda.year 1-year 2", "lambda.year 2-year 3"} <= {e.quantity for e in unlike.estimates}
