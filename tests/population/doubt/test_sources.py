"""Where doubt comes from, and what keeps animals apart."""

import polars as pl
import pytest

from sharedrange.core.individuals import Concordance, Link, LocalIndividual, Verdict
from sharedrange.population.doubt.partitions import DoubtfulPair, Doubts, every_partition
from sharedrange.population.doubt.sources import doubts_of, with_sexes
from sharedrange.population.encounters import FLANKS_KNOWN

A1, A2, A3 = (LocalIndividual("A", "main", f"T{i}") for i in (1, 2, 3))
B1, B2 = (LocalIndividual("B", "main", f"K{i}") for i in (1, 2))
EVERYONE = (A1, A2, A3, B1, B2)


def flanks(**known: str) -> pl.DataFrame:
    """Flanks by code: T1="left", ..."""
    rows = [
        (who.party, str(who), known.get(who.code, "both") != "right", known.get(who.code, "both") != "left")
        for who in EVERYONE
    ]
    return pl.DataFrame(rows, schema=FLANKS_KNOWN, orient="row")


def pair(a: LocalIndividual, b: LocalIndividual) -> frozenset[str]:
    return frozenset((str(a), str(b)))


def found(*links: Link, **known: str) -> Doubts:
    concordance = Concordance(links)
    return doubts_of(concordance, concordance.partition(EVERYONE), flanks(**known))


def test_without_uncertain_verdicts_and_one_flank_animals_nothing_is_in_doubt() -> None:
    assert found(Link(A1, B1, Verdict.SAME), Link(A2, B2, Verdict.DIFFERENT)).units == ()


def test_an_uncertain_pair_keeps_its_probability() -> None:
    doubt = found(Link(A1, B1, Verdict.UNCERTAIN, 0.8))
    assert doubt.open_pairs == (pair(A1, B1),)
    assert doubt.pairs[0].probability == pytest.approx(0.8)


def test_left_only_may_be_right_only_with_even_odds() -> None:
    doubt = found(T1="left", K1="right")
    assert [(p.pair, p.probability) for p in doubt.pairs] == [(pair(A1, B1), 0.5)]


def test_one_animal_has_one_left_flank() -> None:
    doubt = found(T1="left", T2="left", T3="right")
    assert set(doubt.open_pairs) == {pair(A1, A3), pair(A2, A3)}
    assert all(len(block) <= 2 for blocks in every_partition(doubt) for block in blocks)


def test_different_is_different_whatever_the_flanks() -> None:
    assert found(Link(A1, B1, Verdict.DIFFERENT), T1="left", K1="right").open_pairs == ()


def test_an_animal_that_was_joined_is_judged_as_one() -> None:
    doubt = found(Link(A1, B1, Verdict.SAME), Link(A2, B1, Verdict.UNCERTAIN, 0.3))
    assert doubt.open_pairs == (pair(A1, A2),)


def test_a_keeper_who_is_unsure_of_his_own_catalogue_is_heard() -> None:
    assert found(Link(A1, A2, Verdict.UNCERTAIN, 0.4)).open_pairs == (pair(A1, A2),)


@pytest.mark.parametrize(("sexes", "in_model", "factor"), [(("m", "m"), False, 1.81), (("m", "f"), False, 0.19)])
def test_sexes_move_the_odds(sexes: tuple[str, str], in_model: bool, factor: float) -> None:
    doubt = Doubts((DoubtfulPair("a", "b", 0.6),))
    told = dict(zip("ab", sexes, strict=True))
    odds = [p.probability / (1 - p.probability) for p in with_sexes(doubt, told, 0.05, sex_in_model=in_model).pairs]
    assert odds == pytest.approx([1.5 * factor])


def test_unknown_sex_says_nothing() -> None:
    doubt = Doubts((DoubtfulPair("a", "b", 0.6),))
    assert with_sexes(doubt, {"a": "male"}, 0.05, sex_in_model=False) == doubt
