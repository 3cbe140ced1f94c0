"""One estimate from plain tables, without a programme."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from sharedrange import estimate
from sharedrange.assessment.estimating import Estimation, estimation
from sharedrange.assessment.report.plots import write_plots
from sharedrange.core.errors import InputError, ProgrammeError
from sharedrange.core.words import load
from sharedrange.population.defensible import Verdict

ROOT = Path(__file__).parent.parent.parent
HALF = ROOT / "examples" / "two-halves" / "own" / "nets"
POOLED = {"detection_function": "HN", "lambda0": [], "sigma": []}
HN: dict[str, Any] = {"detection_function": "HN"}


@pytest.fixture(scope="module")
def by_sex() -> Estimation:
    return estimation(HALF, settings={**HN, "lambda0": ["sex"], "sigma": []}, buffer_m=300, spacing_m=30)


def rules(error: InputError | ProgrammeError) -> set[str]:
    return {finding.rule for finding in error.findings}


def test_plain_tables_give_a_density_with_an_interval() -> None:
    answer = estimate(HALF, settings=POOLED)
    density = answer["D"]
    assert density.low is not None
    assert density.high is not None
    assert 0 < density.low < density.value < density.high
    assert {f.rule for f in answer.findings} >= {"mask-suggested"}


def test_a_wider_mask_counts_more_animals_at_the_same_density() -> None:
    narrow, wide = (estimate(HALF, buffer_m=b, spacing_m=25, settings=POOLED) for b in (300, 450))
    assert wide["N"].value > narrow["N"].value
    assert wide["D"].value == pytest.approx(narrow["D"].value, rel=0.05)


def test_what_the_command_line_tells_goes_before_what_the_delivery_says() -> None:
    with pytest.raises(InputError) as caught:
        estimate(HALF, delivery={"crs": ""}, settings=POOLED)
    assert rules(caught.value) == {"missing-crs"}


def test_a_setting_that_nobody_reads_is_told() -> None:
    with pytest.raises(ProgrammeError, match="unknown-key"):
        estimate(HALF, settings={"sigmas": []})


def test_an_engine_that_nobody_knows_is_told() -> None:
    with pytest.raises(ProgrammeError, match="unknown-key"):
        estimate(HALF, engine="population.close")


def test_a_key_of_the_question_that_nobody_reads_is_told() -> None:
    with pytest.raises(ProgrammeError, match="unknown-key"):
        estimate(HALF, question={"session": ["2005"]})


def test_a_delivery_without_individuals_is_told_to_name_its_species() -> None:
    with pytest.raises(InputError) as caught:
        estimate(ROOT / "examples" / "one-package" / "own" / "mica")
    assert rules(caught.value) == {"taxon-not-told"}


def test_a_delivery_without_counts_has_no_trend() -> None:
    with pytest.raises(InputError) as caught:
        estimate(HALF, engine="population.trend")
    assert rules(caught.value) == {"no-counts"}


def test_what_the_data_bear_is_judged_beside_the_answer(by_sex: Estimation) -> None:
    assert by_sex.fitness is not None
    assert by_sex.fitness["population.scr"].verdict is Verdict.YES
    assert by_sex.fitness.counts.individuals == by_sex.answer["n"].value


def test_the_sessions_of_a_question_are_the_ones_used() -> None:
    answer = estimate(
        HALF, engine="population.closed", question={"sessions": ["2006", "2007"]}, settings={"simulations": 0}
    )
    assert {e.quantity for e in answer.estimates if e.quantity.startswith("n.")} == {"n.2006", "n.2007"}


@pytest.mark.parametrize("engine", ["population.minimum", "population.rates"])
def test_other_engines_answer_from_the_same_tables(engine: str) -> None:
    assert estimate(HALF, engine=engine).estimates


def test_models_are_compared_and_the_best_of_them_answers() -> None:
    asked = ["D~1; g0~1", "g0~session; sigma~1"]
    made = estimation(HALF, settings=HN, models=asked, buffer_m=300, spacing_m=30)
    assert set(made.comparison["model"]) == set(asked)
    assert made.comparison["weight"].sum() == pytest.approx(1)
    best, other = made.comparison.iter_rows(named=True)
    assert best["aicc"] < other["aicc"]
    assert made.answer.tables["fit"]["aic"][0] == pytest.approx(best["aic"])


@pytest.mark.parametrize(
    ("engine", "models", "rule"),
    [
        ("population.scr", ["D~1", "D~1"], "estimate-model-repeated"),
        ("population.scr", ["density~1"], "estimate-model-unread"),
        ("population.scr", ["D~1+"], "estimate-model-unread"),
        ("population.closed", ["N~1"], "estimate-models-engine"),
    ],
)
def test_a_model_that_cannot_be_read_is_told(engine: str, models: list[str], rule: str) -> None:
    with pytest.raises(ProgrammeError) as caught:
        estimation(HALF, engine=engine, models=models)
    assert rules(caught.value) == {rule}


def test_counts_give_a_trend_and_transects_occupancy(asked_once: Path, tmp_path: Path) -> None:
    field = asked_once / "own" / "field"
    trend = estimation(field, engine="population.trend")
    assert trend.answer["trend"].value > 1
    cells = estimation(
        field, engine="population.occupancy", taxon="Panthera tigris", question={"visits": {"cell_m": 20000.0}}
    )
    assert cells.answer["sites_visited"].value == 12
    drawn = [path.name for made in (trend, cells) for path in write_plots(made, tmp_path / made.engine, load("en"))]
    assert drawn == ["years.svg", "cells.svg"]


def test_plots_are_drawn_without_the_place_or_the_name_of_a_station(by_sex: Estimation, tmp_path: Path) -> None:
    paths = write_plots(by_sex, tmp_path / "plots", load("en"))
    assert [path.name for path in paths] == ["detection.svg", "density.svg", "effort.svg", "captures.svg"]
    detectors = by_sex.histories[0].detectors
    for path in paths:
        text = path.read_text(encoding="utf-8")
        ET.fromstring(text)
        for name, x_m, y_m in detectors.select("detector", "x_m", "y_m").iter_rows():
            assert name not in text
            assert f"{x_m:.0f},{y_m:.0f}" not in text


def test_there_is_a_curve_with_its_band_for_each_sex(by_sex: Estimation, tmp_path: Path) -> None:
    write_plots(by_sex, tmp_path, load("en"))
    text = (tmp_path / "detection.svg").read_text(encoding="utf-8")
    assert (text.count("<polyline"), text.count("<polygon")) == (2, 2)
    assert "females" in text
    assert "males" in text


def test_every_station_and_occasion_has_its_bar(by_sex: Estimation, tmp_path: Path) -> None:
    write_plots(by_sex, tmp_path, load("en"))
    bars = {
        name: (tmp_path / f"{name}.svg").read_text(encoding="utf-8").count("<rect") - 1
        for name in ("effort", "captures")
    }
    occasions = sum(history.effort.shape[1] for history in by_sex.histories)
    assert bars == {"effort": occasions, "captures": by_sex.histories[0].detectors.height}


def test_a_constant_density_has_no_scale_and_says_its_value(by_sex: Estimation, tmp_path: Path) -> None:
    write_plots(by_sex, tmp_path, load("en"))
    text = (tmp_path / "density.svg").read_text(encoding="utf-8")
    assert len(set(re.findall(r'fill="(#[0-9a-f]{6})"', text)) - {"#ffffff", "#1f2933"}) == 1
