"""Lists of which only the number of common animals was told hold at least what is said, whatever the truth is."""

from __future__ import annotations

from itertools import combinations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from sharedrange.core.answer import Answer, Scope
from sharedrange.core.chance import stream
from sharedrange.core.history import ENCOUNTERS
from sharedrange.core.progress import silent
from sharedrange.core.survey import conform
from sharedrange.population.crossed import FROM_CROSSINGS, Crossing, fewest
from sharedrange.population.minimum import CROSSINGS, ENGINE, LISTS, MinimumInputs, MinimumSettings

PARTIES = ("east", "north", "west")
ANIMALS = st.sets(st.integers(0, 12), max_size=8)


def met(lists: dict[str, set[int]]) -> pl.DataFrame:
    """Encounters of each party's animals, under names that say nothing of each other."""
    rows = [
        {"party": p, "catalogue": "main", "code": f"{p}-{n}", "individual": f"{p}/{n}", "session": "s", "occasion": 1,
         "count": 1, "deployment": "d", "life_stage": "adult"}
        for p, animals in lists.items() for n in sorted(animals)
    ]  # fmt: skip
    return conform(pl.DataFrame(rows, schema=ENCOUNTERS), ENCOUNTERS)


def answer(lists: dict[str, set[int]], *crossings: Crossing) -> Answer:
    inputs = MinimumInputs(met(lists), None, tuple(lists), Scope(taxon="Panthera tigris"), None, crossings)
    return ENGINE.answer(inputs, MinimumSettings(), rng=stream(1, ENGINE.name), progress=silent)


def value(told: Answer, quantity: str) -> float | None:
    return told[quantity].value if quantity in told else None


EAST, WEST = set(range(8)), set(range(5, 15))  # three in common


def test_two_lists_are_added_less_what_both_parties_know() -> None:
    told = answer({"east": EAST, "west": WEST}, Crossing("east", "west", 3), Crossing("west", "east", 3))
    assert [value(told, q) for q in ("known.east", "known.west", "shared", "minimum_number", "naive_sum")] == [
        8, 10, 3, 15, 18,
    ]  # fmt: skip
    assert value(told, "overcount") == 20
    assert FROM_CROSSINGS in {f.rule for f in told.findings}
    assert "nothing-shared" not in {f.rule for f in told.findings}


def test_where_the_parties_differ_both_numbers_are_told_and_the_minimum_is_the_lower_one() -> None:
    told = answer({"east": EAST, "west": WEST}, Crossing("east", "west", 3), Crossing("west", "east", 5))
    (differ,) = (f for f in told.findings if f.rule == "crossings-differ")
    assert differ.facts == {"a": "east", "b": "west", "told_a": 3, "told_b": 5}
    assert value(told, "minimum_number") == 13
    assert "shared" not in told


def test_a_number_that_was_too_small_to_tell_may_be_the_whole_smaller_list() -> None:
    told = answer({"east": EAST, "west": WEST}, Crossing("east", "west", None), Crossing("west", "east", 3))
    assert value(told, "minimum_number") == 10
    assert "shared" not in told
    assert "crossings-untold" in {f.rule for f in told.findings}


def test_one_party_alone_may_tell() -> None:
    told = answer({"east": EAST, "west": WEST}, Crossing("east", "west", 3))
    assert (value(told, "shared"), value(told, "minimum_number")) == (3, 15)


def test_nothing_is_said_of_stages_and_sexes_together() -> None:
    told = answer({"east": EAST, "west": WEST}, Crossing("east", "west", 3))
    assert value(told, "naive_sum.adult") == 18
    assert not {"minimum_number.adult", "shared.adult", "overcount.adult"} & {e.quantity for e in told.estimates}
    assert "" not in told.tables["lists"]["party"].to_list()
    assert told.tables["lists"].schema == LISTS
    assert told.tables["crossings"].schema == CROSSINGS
    assert told.tables["crossings"].rows() == [("east + west", None, 3)]


@settings(max_examples=60, deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(PARTIES, ANIMALS)), st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_the_minimum_is_never_above_the_truth(lists: dict[str, set[int]], met_elsewhere: list[int]) -> None:
    """A party counts every animal that its partner knows, also those that the partner met at another time."""
    if not set().union(*lists.values()):
        return
    pairs = [(a, b) for a in PARTIES for b in PARTIES if a != b]
    crossings = [
        Crossing(a, b, min(len(lists[a]), len(lists[a] & lists[b]) + more))
        for (a, b), more in zip(pairs, met_elsewhere, strict=True)
    ]
    minimum = value(answer(lists, *crossings), "minimum_number")
    assert minimum is not None
    assert max(map(len, lists.values())) <= minimum <= len(set().union(*lists.values()))


@settings(deadline=None)
@given(ANIMALS, ANIMALS)
def test_of_two_lists_the_minimum_is_exact(east: set[int], west: set[int]) -> None:
    listed = {"east": len(east), "west": len(west)}
    assert fewest(listed, {frozenset(listed): len(east & west)}) == len(east | west)


@settings(deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(PARTIES, ANIMALS)), st.fixed_dictionaries(dict.fromkeys(PARTIES, ANIMALS)))
def test_another_list_never_lowers_the_minimum(few: dict[str, set[int]], more: dict[str, set[int]]) -> None:
    lists = few | {f"{party} too": animals for party, animals in more.items()}
    in_both = {frozenset((a, b)): len(lists[a] & lists[b]) for a, b in combinations(lists, 2)}
    sizes = {party: len(animals) for party, animals in lists.items()}
    assert fewest({party: sizes[party] for party in few}, in_both) <= fewest(sizes, in_both)
