"""Every number has a way back, and ids are hashes of what was done."""

from __future__ import annotations

import json

import pytest

from sharedrange.core.ledger import Ledger, Source, Step

SOURCE = Source("park-a", "cameras", "own/cameras", "00" * 32)
TAKE = Step("exchange.take", 1, {"format": "camtrap-dp"}, (SOURCE.id,))
FIT = Step("population.scr", 1, {"density": "side"}, (TAKE.id,))
LEDGER = Ledger().with_source(SOURCE).with_step(TAKE).with_step(FIT)


def test_the_way_back_ends_at_the_source() -> None:
    assert [(depth, key) for depth, key, _ in LEDGER.back(FIT.id)] == [(0, FIT.id), (1, TAKE.id), (2, SOURCE.id)]


def test_a_step_on_unknown_inputs_is_refused() -> None:
    with pytest.raises(KeyError):
        Ledger().with_step(TAKE)


def test_any_change_of_what_was_done_changes_the_id() -> None:
    variants = {
        FIT.id,
        Step("population.scr", 2, {"density": "side"}, (TAKE.id,)).id,
        Step("population.scr", 1, {"density": "pooled"}, (TAKE.id,)).id,
        Step("population.scr", 1, {"density": "side"}, (SOURCE.id,)).id,
        Step("population.minimum", 1, {"density": "side"}, (TAKE.id,)).id,
    }
    assert len(variants) == 5


def test_a_ledger_reads_back_from_json() -> None:
    assert Ledger.from_json(json.loads(json.dumps(LEDGER.as_json()))) == LEDGER


def test_a_changed_ledger_is_not_believed() -> None:
    value = json.loads(json.dumps(LEDGER.as_json()))
    value["steps"][FIT.id]["parameters"]["density"] = "pooled"
    with pytest.raises(ValueError, match="not what its id says"):
        Ledger.from_json(value)
