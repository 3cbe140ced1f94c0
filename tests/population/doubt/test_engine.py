"""Doubt about identity in the joint estimate: simulated animals whose number and identity are known."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest

from sharedrange.core.answer import Answer
from sharedrange.core.chance import stream
from sharedrange.core.progress import silent
from sharedrange.population import doubt, scr
from sharedrange.population.doubt.combining import rubin
from sharedrange.population.doubt.merging import as_animals, key_of, merged
from sharedrange.population.doubt.partitions import exact
from sharedrange.population.doubt.weighing import SpatialWeights

PLAIN: dict[str, Any] = {"density": "pooled", "lambda0": (), "sigma": (), "pool_alpha": 0.0}


def load() -> ModuleType:
    """The simulator of the benchmark: one place for it."""
    path = Path(__file__).parents[3] / "benchmarks" / "identity_doubt.py"
    spec = importlib.util.spec_from_file_location("identity_doubt", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["identity_doubt"] = module
    spec.loader.exec_module(module)
    return module


simulated = load()


def inputs(made: Any) -> doubt.DoubtInputs:
    spatial = scr.ScrInputs((made.labelled,), (made.mask,), ("here",), simulated.SCOPE)
    return doubt.DoubtInputs(spatial, made.doubts)


def ask(made: Any, **settings: Any) -> Answer:
    asked = doubt.DoubtSettings(**{**PLAIN, "draws": 12, "burn_in": 3, **settings})
    return doubt.ENGINE.answer(inputs(made), asked, rng=stream(1, "draws"), progress=silent)


def test_over_several_populations_names_of_one_flank_neither_inflate_nor_lose_animals() -> None:
    rows, without = simulated.simulate(6, 0.0, 10)
    bias = dict(simulated.summary(rows).select("answer", "bias_pct").iter_rows())
    assert without == 0
    assert bias["decided"] > bias["truth"] + 8
    assert abs(bias["places"] - bias["truth"]) < 6


def test_mislabelled_pictures_are_found_by_their_places() -> None:
    made = simulated.with_ghosts(3, 0.125)
    said = ask(made, mislabelled=0.125)
    true = simulated.spatial(made, made.true)["N"].value
    decided = simulated.spatial(made, made.labelled)["N"].value
    assert decided > 1.2 * true
    assert abs(said["N"].value - true) < 0.3 * (decided - true)


def test_what_identity_adds_to_the_interval_is_told() -> None:
    said = ask(simulated.with_flanks(0))
    table = said.tables["identity"].filter(pl.col("quantity") == "N")
    assert table["identity"].to_list() == ["decided", "evidence", "evidence-and-places"]
    assert table["identity_share"].to_list()[0] is None
    assert all(0 <= share < 1 for share in table["identity_share"].to_list()[1:])
    assert "doubt-share" in {f.rule for f in said.findings}
    assert said.tables["animals_drawn"]["share"].sum() == pytest.approx(1.0)


def test_places_speak_against_pairs_that_are_far_apart() -> None:
    made = simulated.with_flanks(0)
    pairs = ask(made).tables["pairs"]
    place = dict(
        made.labelled.captures.join(made.labelled.detectors, on="detector")
        .group_by("individual")
        .agg(pl.concat_arr(pl.col("x_m").mean(), pl.col("y_m").mean()))
        .iter_rows()
    )
    away = [np.hypot(*np.subtract(place[a], place[b])) for a, b in pairs.select("a", "b").iter_rows()]
    likely = pairs["by_evidence_and_places"].to_numpy()
    near = np.array(away) < 2 * simulated.SIGMA_M
    assert likely[near].mean() > likely[~near].mean()


def test_without_doubt_the_answer_is_that_of_population_scr() -> None:
    made = simulated.with_ghosts(2, 0.0)
    plain, said = simulated.spatial(made, made.labelled), ask(made)
    assert said["N"].value == pytest.approx(plain["N"].value, rel=1e-9)
    assert "doubt-none" in {f.rule for f in said.findings}
    assert said.tables["pairs"].is_empty()


def test_the_weight_of_a_merged_pair_is_what_the_likelihood_of_the_merged_data_says() -> None:
    made = simulated.with_flanks(0)
    found = scr.fit([made.labelled], [made.mask], scr.Model("HHN"))
    pair = made.doubts.pairs[0].pair
    together = scr.fit([merged(made.labelled, frozenset({pair}))], [made.mask], scr.Model("HHN"))
    weights = SpatialWeights(found, [made.labelled], made.doubts)
    a, b = sorted(pair)
    gained, apart_a, apart_b = weights([pair, frozenset((a,)), frozenset((b,))])
    kernel, _ = together.problem.kernel(found.beta)
    before, _ = found.problem.kernel(found.beta)
    assert gained - apart_a - apart_b == pytest.approx(kernel - before, abs=1e-8)


def test_draws_and_exact_weights_agree_where_all_partitions_can_be_counted() -> None:
    made = simulated.with_flanks(4)
    few = doubt.Doubts(made.doubts.pairs[:4], made.doubts.apart)
    found = scr.fit([made.labelled], [made.mask], scr.Model("HHN"))
    chances = exact(few, SpatialWeights(found, [made.labelled], few))
    assert sum(chances.values()) == pytest.approx(1.0)
    fewest = min(len(blocks) for blocks in chances)
    assert fewest < len(few.units)


def test_merging_keeps_every_capture_and_what_sexes_agree_on() -> None:
    made = simulated.with_flanks(0)
    history = made.labelled
    pair = made.doubts.pairs[0].pair
    one = merged(history, frozenset({pair}))
    assert one.n_individuals == history.n_individuals - 1
    assert one.n_detections == history.n_detections
    alone = as_animals(history, [pair, *(frozenset((unit,)) for unit in pair)])
    assert set(alone.individuals["individual"]) == {key_of(pair), *pair}
    assert alone.n_detections == 2 * sum(
        history.captures.filter(pl.col("individual").is_in(sorted(pair)))["count"].to_list()
    )


def test_rubin_adds_what_lies_between_the_draws() -> None:
    same = rubin(np.array([2.0, 2.0]), np.array([0.5, 0.5]))
    assert (same.total, same.identity_share, same.degrees_of_freedom) == (0.5, 0.0, float("inf"))
    apart = rubin(np.array([1.0, 3.0]), np.array([0.5, 0.5]))
    assert apart.total == pytest.approx(0.5 + 1.5 * 2.0)
    low, high = apart.limits(0.95)
    assert high - low > 2 * 1.96 * apart.total**0.5


def test_settings_that_mean_nothing_are_refused() -> None:
    for wrong in ({"draws": 1}, {"missexed": 0.0}, {"mislabelled": 0.5}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            doubt.DoubtSettings(**wrong)
