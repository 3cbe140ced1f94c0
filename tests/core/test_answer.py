"""Numbers carry their scope, and unlike numbers are never added."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from sharedrange.core.answer import LISTED, Answer, Estimate, Refusal, Scope, UnlikeEstimates

HERE = Estimate("N", 10.0, "animals", 8.0, 13.0, scope=Scope(taxon="Panthera pardus", stage="adult", place="park-a"))
THERE = replace(HERE, value=5.0, scope=replace(HERE.scope, place="park-b"))


def test_numbers_of_two_places_add_up_and_lose_their_interval() -> None:
    both = HERE + THERE
    assert (both.value, both.low, both.high) == (15.0, None, None)
    assert both.scope.place == "park-a + park-b"


@pytest.mark.parametrize("name", [f.name for f in fields(Scope) if f.name != "place"])
def test_unlike_scopes_are_never_added(name: str) -> None:
    other = replace(THERE, scope=replace(THERE.scope, **{name: LISTED if name == "kind" else "other"}))
    with pytest.raises(UnlikeEstimates, match=name):
        HERE + other


def test_unlike_units_are_never_added() -> None:
    with pytest.raises(UnlikeEstimates, match="unit"):
        HERE + replace(THERE, unit="per_100km2")


def test_one_place_is_never_counted_twice() -> None:
    with pytest.raises(UnlikeEstimates, match="place"):
        HERE + HERE


def test_an_answer_at_a_step_gives_every_number_its_id() -> None:
    answer = Answer(estimates=(HERE,)).at("abc")
    assert answer["N"].id == "abc/N"
    assert "D" not in answer


def test_a_refusal_says_what_is_there_and_what_would_be_enough() -> None:
    text = str(Refusal("leopards", {"recaptures": 1}, {"recaptures": 10}))
    assert "recaptures 1 (needs 10)" in text
