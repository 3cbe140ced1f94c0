"""Partitions of doubtful animals: every draw keeps the constraints, and draws follow the exact weights."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharedrange.population.doubt.partitions import (
    Block,
    DoubtfulPair,
    Doubts,
    Ghosts,
    every_partition,
    exact,
    hangs_together,
    share_together,
    sweep,
)
from sharedrange.population.doubt.weighing import nothing

UNITS = "abcde"
ALL_PAIRS = list(itertools.combinations(UNITS, 2))


def places(blocks: Sequence[Block]) -> list[float]:
    """A made-up spatial weight: some blocks are likelier than others."""
    return [math.sin(sum(ord(u) ** 2 for u in block)) + 0.3 * len(block) for block in blocks]


@st.composite
def doubts(draw: st.DrawFn) -> Doubts:
    pairs = draw(st.lists(st.sampled_from(ALL_PAIRS), min_size=1, max_size=7, unique=True))
    chances = draw(st.lists(st.floats(0.05, 0.95), min_size=len(pairs), max_size=len(pairs)))
    apart = draw(st.sets(st.sampled_from(ALL_PAIRS), max_size=3))
    made = [DoubtfulPair(a, b, p) for (a, b), p in zip(pairs, chances, strict=True)]
    singles = draw(st.sets(st.sampled_from(UNITS), max_size=2))
    known = {p.pair for p in made}
    ghosts = {frozenset(p) for p in ALL_PAIRS if singles & set(p)} - known if draw(st.booleans()) else frozenset()
    kept = frozenset(frozenset(p) for p in apart)
    return Doubts(tuple(made), kept, Ghosts(frozenset(singles), frozenset(ghosts), draw(st.floats(0.01, 0.4))))


def allowed(doubt: Doubts, block: Block) -> bool:
    kept_apart = any(pair <= block for pair in doubt.apart)
    return not kept_apart and hangs_together(doubt, block)


@given(doubts())
def test_all_partitions_are_found_once_and_keep_the_constraints(doubt: Doubts) -> None:
    found = list(every_partition(doubt))
    assert len(found) == len(set(found))
    for blocks in found:
        assert sorted(u for b in blocks for u in b) == list(doubt.units)
        assert all(allowed(doubt, b) for b in blocks)
    every = {frozenset(frozenset(b) for b in p) for p in set_partitions(list(doubt.units))}
    assert set(found) == {p for p in every if all(allowed(doubt, b) for b in p)}


def set_partitions(units: list[str]) -> list[list[set[str]]]:
    if not units:
        return [[]]
    first, rest = units[0], set_partitions(units[1:])
    grown = [[*p[:i], p[i] | {first}, *p[i + 1 :]] for p in rest for i in range(len(p))]
    return [*([{first}, *p] for p in rest), *grown]


@settings(max_examples=8, deadline=None)
@given(doubts(), st.integers(0, 99))
def test_draws_follow_the_exact_weights(doubt: Doubts, seed: int) -> None:
    if not doubt.units:
        return
    wanted = exact(doubt, places)
    rng = np.random.default_rng(seed)
    blocks, drawn, n = doubt.separate(), dict.fromkeys(wanted, 0), 2500
    for _ in range(n):
        blocks = sweep(doubt, blocks, places, rng)
        drawn[blocks] += 1
    far = max(abs(drawn[b] / n - p) for b, p in wanted.items())
    assert far < 0.07  # neighbouring draws resemble each other; independent ones would stay below 0.04


def test_without_places_a_pair_is_one_as_often_as_the_evidence_says() -> None:
    doubt = Doubts((DoubtfulPair("a", "b", 0.8),))
    assert exact(doubt, nothing)[frozenset({frozenset("ab")})] == pytest.approx(0.8)


def test_places_multiply_the_odds_of_the_evidence() -> None:
    doubt = Doubts((DoubtfulPair("a", "b", 0.2),))
    together = exact(doubt, lambda blocks: [math.log(6.0) if len(b) == 2 else 0.0 for b in blocks])
    assert together[frozenset({frozenset("ab")})] == pytest.approx(6 * 0.25 / (1 + 6 * 0.25))


def test_a_third_animal_cannot_join_two_that_are_apart() -> None:
    doubt = Doubts((DoubtfulPair("a", "b"), DoubtfulPair("b", "c")), frozenset({frozenset("ac")}))
    assert frozenset("abc") not in {b for blocks in every_partition(doubt) for b in blocks}


def test_components_are_independent() -> None:
    doubt = Doubts((DoubtfulPair("a", "b", 0.3), DoubtfulPair("c", "d", 0.6)))
    parts = doubt.components()
    assert [p.units for p in parts] == [("a", "b"), ("c", "d")]
    whole = exact(doubt, places)
    for blocks, p in whole.items():
        own = [frozenset(b for b in blocks if b <= set(part.units)) for part in parts]
        assert p == pytest.approx(math.prod(exact(part, places)[o] for part, o in zip(parts, own, strict=True)))


def test_every_mistaken_label_costs_its_odds_once() -> None:
    ghosts = Ghosts(frozenset("bc"), frozenset({frozenset("ab"), frozenset("ac"), frozenset("bc")}), 0.1)
    doubt = Doubts((), ghosts=ghosts)
    odds = exact(doubt, nothing)
    apart = odds[doubt.separate()]
    assert odds[frozenset({frozenset("ab"), frozenset("c")})] / apart == pytest.approx(1 / 9)
    assert odds[frozenset({frozenset("a"), frozenset("bc")})] / apart == pytest.approx(1 / 9)
    assert odds[frozenset({frozenset("abc")})] / apart == pytest.approx(1 / 81)


def test_what_is_decided_is_no_doubt() -> None:
    with pytest.raises(ValueError, match="decision"):
        DoubtfulPair("a", "b", 1.0)
    with pytest.raises(ValueError, match="itself"):
        DoubtfulPair("a", "a")
    with pytest.raises(ValueError, match="twice"):
        Doubts((DoubtfulPair("a", "b"), DoubtfulPair("b", "a")))


def test_the_share_of_draws_together_is_counted() -> None:
    together, alone = frozenset({frozenset("ab")}), frozenset({frozenset("a"), frozenset("b")})
    assert share_together([together, alone, alone, alone], frozenset("ab")) == 0.25
