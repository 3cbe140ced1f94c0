"""The promises that every engine keeps, whoever wrote it. scikit-learn's check_estimator is the model."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import shapely

from sharedrange.assessment.engines import ENGINES
from sharedrange.core.answer import LISTED, Answer, Scope
from sharedrange.core.chance import stream
from sharedrange.core.engine import Engine
from sharedrange.core.errors import Cancelled, SharedRangeError
from sharedrange.core.history import CaptureHistory
from sharedrange.core.individuals import Concordance
from sharedrange.core.places import Projection, Sides
from sharedrange.core.survey import OBSERVATIONS, Survey
from sharedrange.core.when import whole_window
from sharedrange.population import closed, doubt, minimum, occupancy, permeability, rates, scr, trend
from sharedrange.population import open as open_years
from sharedrange.population.design import grid_plan, mask_around
from sharedrange.population.encounters import encounters, known_flanks, local_individuals
from sharedrange.population.histories import capture_histories
from sharedrange.population.masks import make_mask
from sharedrange.population.simulate import simulate, small

ROOT = Path(__file__).parent.parent
SCOPE = Scope(taxon="Panthera pardus orientalis", stage="adult", place="here", period="then")


@dataclass(frozen=True)
class Material:
    """Small inputs for each engine: good ones, and ones that are too thin."""

    good: Mapping[str, Any]
    thin: Mapping[str, Any]


def _inputs(surveys: tuple[Survey, ...]) -> Mapping[str, Any]:
    design = small()
    taxa = frozenset({design.species[0].taxon})
    window = whole_window(surveys, "Asia/Shanghai")
    partition = Concordance().partition(local_individuals(surveys, taxa))
    projection = design.projection
    met = encounters(surveys, partition, window, taxa)
    histories, _ = capture_histories(surveys, partition, window, taxa, ("adult",), projection)
    mask, _ = make_mask(histories, projection, _sides(design, projection), buffer_m=16_000.0, spacing_m=2_000.0)
    parties = tuple(p.id for p in design.parties)
    flanks = known_flanks(surveys, partition, taxa)
    visits, _ = occupancy.visits_of_surveys(surveys, taxa, window)
    return {
        closed.ENGINE.name: closed.ClosedInputs(histories, scope=SCOPE),
        scr.ENGINE.name: scr.ScrInputs(histories, (mask,), parties, SCOPE),
        doubt.ENGINE.name: doubt.DoubtInputs(scr.ScrInputs(histories, (mask,), parties, SCOPE), _doubts(histories)),
        minimum.ENGINE.name: minimum.MinimumInputs(met, partition, parties, SCOPE, flanks),
        occupancy.ENGINE.name: occupancy.OccupancyInputs(visits, SCOPE),
        open_years.ENGINE.name: _years(surveys),
        permeability.ENGINE.name: _across(surveys),
        rates.ENGINE.name: rates.RatesInputs(surveys, window, SCOPE),
        trend.ENGINE.name: trend.TrendInputs(_yearly(surveys), SCOPE),
    }


def _doubts(histories: tuple[CaptureHistory, ...]) -> doubt.Doubts:
    """Two pairs of animals that may be one."""
    names = histories[0].individuals["individual"].head(4).to_list()
    return doubt.Doubts(tuple(doubt.DoubtfulPair(a, b) for a, b in zip(names[::2], names[1::2], strict=False)))


def _across(surveys: tuple[Survey, ...]) -> permeability.PermeabilityInputs:
    """Simulated cameras on both sides of a line that lets half through; nobody caught where nothing was observed."""
    plan = grid_plan("border", columns=6, rows=4, spacing_m=6_000.0, occasions=60)
    mask, line = mask_around(plan, 4_000.0, spacing_m=2_400.0), shapely.LineString([(0, -60_000), (0, 60_000)])
    animals, border = permeability.Animals(3.25, 0.07, 4_000.0), permeability.Barrier("border", line)
    rng = stream(5, "promises.border")
    (found,) = permeability.simulate_survey(plan, mask, border, animals, permeability=[0.5], rng=rng)
    nobody = replace(found, individuals=found.individuals.clear(), captures=found.captures.clear())
    kept = found if any(survey.observations.height for survey in surveys) else nobody
    return permeability.PermeabilityInputs((kept,), (mask,), (border,), scope=SCOPE)


def _years(surveys: tuple[Survey, ...]) -> open_years.OpenInputs:
    """Three simulated years of one small park on both sides of a border; one year where nothing was observed."""
    design = open_years.YearsDesign(
        width_m=30_000.0, height_m=30_000.0, cell_m=3_000.0, years=3, density_per_100km2=4.0, watched=0.9
    )
    histories, _ = open_years.simulate_years(design, stream(5, "promises"))
    kept = histories if any(survey.observations.height for survey in surveys) else histories[:1]
    return open_years.OpenInputs(kept, design.mask(), design.sides, SCOPE)


def _yearly(surveys: tuple[Survey, ...]) -> pl.DataFrame:
    """Counts at six sites over eight years; of nothing but zeros where nothing was observed."""
    seen = any(survey.observations.height for survey in surveys)
    rows = [(f"s{i}", 2015 + j, float(seen * (5 + 3 * i + j + i * j % 4))) for i in range(6) for j in range(8)]
    return pl.DataFrame(rows, schema=["site", "time", "count"], orient="row")


def _sides(design: Any, projection: Projection) -> Sides:
    return Sides({p.id: projection.unproject(p.side.polygon()) for p in design.parties})


@lru_cache(maxsize=1)
def material() -> Material:
    surveys = simulate(small(), stream(5, "promises")).surveys
    empty = pl.DataFrame(schema=OBSERVATIONS)
    return Material(_inputs(surveys), _inputs(tuple(replace(s, observations=empty) for s in surveys)))


def ask(engine: Engine, inputs: Any, progress: Any = lambda share: None, checkpoint: Any = None) -> Answer:
    return engine.answer(inputs, engine.Settings(), rng=stream(1, "x"), progress=progress, checkpoint=checkpoint)


def as_bytes(answer: Answer) -> bytes:
    tables = {name: table.to_dict(as_series=False) for name, table in answer.tables.items()}
    return pickle.dumps((answer.estimates, answer.parameters, answer.covariance, tables, answer.findings))


every_engine = pytest.mark.parametrize("engine", ENGINES.values(), ids=list(ENGINES))


@every_engine
def test_there_are_inputs_to_try_it_on(engine: Engine) -> None:
    assert isinstance(material().good[engine.name], engine.Inputs)


@every_engine
def test_the_same_question_has_the_same_answer(engine: Engine) -> None:
    inputs = material().good[engine.name]
    assert as_bytes(ask(engine, inputs)) == as_bytes(ask(engine, inputs))


@every_engine
def test_it_changes_none_of_its_inputs(engine: Engine) -> None:
    inputs = material().good[engine.name]
    before = pickle.dumps(copy.deepcopy(inputs))
    ask(engine, inputs)
    assert pickle.dumps(copy.deepcopy(inputs)) == before


@every_engine
def test_progress_never_falls_and_ends_at_one(engine: Engine) -> None:
    seen: list[float] = []
    ask(engine, material().good[engine.name], seen.append)
    assert seen == sorted(seen)
    assert 0 <= seen[0] <= seen[-1] == 1


@every_engine
def test_it_can_be_stopped_and_asked_again(engine: Engine) -> None:
    inputs, checkpoint = material().good[engine.name], dict[str, Any]()

    def stop(share: float, /) -> None:
        if share > 0.2:
            raise Cancelled

    with pytest.raises(Cancelled):
        ask(engine, inputs, stop, checkpoint)
    resumed, fresh = ask(engine, inputs, checkpoint=checkpoint), ask(engine, inputs)
    for number in fresh.estimates:
        assert resumed[number.quantity].value == pytest.approx(number.value, rel=1e-6)


@every_engine
def test_what_it_remembers_fits_into_a_file(engine: Engine) -> None:
    import json

    checkpoint = dict[str, Any]()
    ask(engine, material().good[engine.name], checkpoint=checkpoint)
    assert json.loads(json.dumps(checkpoint)) == checkpoint


@every_engine
def test_every_number_has_a_unit_a_scope_and_a_sound_interval(engine: Engine) -> None:
    answer = ask(engine, material().good[engine.name])
    assert answer.estimates
    for number in answer.estimates:
        assert number.unit
        assert number.scope.taxon or number.quantity.startswith("effort"), "effort is for all taxa"
        assert (number.low is None) == (number.high is None)
        if number.low is not None and number.high is not None:
            assert number.low <= number.value <= number.high, number
        if number.scope.kind == LISTED:
            assert number.low is None, "a list is not an estimate"
    names = [e.quantity for e in answer.estimates]
    assert len(names) == len(set(names))


@every_engine
def test_thin_data_are_refused_or_answered_but_never_crash(engine: Engine) -> None:
    try:
        answer = ask(engine, material().thin[engine.name])
    except SharedRangeError:
        return
    assert answer.refusal is not None or answer.estimates
    if answer.refusal is not None:
        assert not answer.estimates
        assert set(answer.refusal.need) <= set(answer.refusal.have)
        assert set(answer.refusal.instead) <= set(ENGINES)


@every_engine
def test_it_is_documented(engine: Engine) -> None:
    page = (ROOT / "docs" / "engines" / f"{engine.name}.md").read_text(encoding="utf-8")
    for spec in fields(engine.Settings):
        there = re.search(rf"^\| `{spec.name}` \|", page, re.MULTILINE)
        assert there or _inherited(engine, spec.name, page), spec.name


def _inherited(engine: Engine, setting: str, page: str) -> bool:
    """Whether a setting is another engine's, and the page sends its reader there."""
    others = (e for e in ENGINES.values() if setting in e.Settings.__annotations__)
    mine = setting in engine.Settings.__annotations__
    return not mine and any(f"All settings of `{other.name}`" in page for other in others)


@every_engine
def test_it_is_benchmarked(engine: Engine) -> None:
    assert any(engine.name in p.read_text(encoding="utf-8") for p in (ROOT / "benchmarks").glob("*.py"))
