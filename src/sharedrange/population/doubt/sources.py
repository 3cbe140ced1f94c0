"""Where doubt about identity comes from: what people left open, and flanks that cannot be compared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import polars as pl

from sharedrange.core.history import CaptureHistory
from sharedrange.core.individuals import Concordance, LocalIndividual, Partition, Verdict
from sharedrange.population.doubt.partitions import Block, DoubtfulPair, Doubts, Ghosts

NOTHING_KNOWN = 0.5  # evidence that speaks for neither: odds of 1


def doubts_of(concordance: Concordance, partition: Partition, flanks: pl.DataFrame) -> Doubts:
    """What is in doubt among the animals of `partition`.

    * Pairs that someone judged *uncertain*, with the probability stated (0.5 where none is).
    * Every animal known from its left flank only against every one known from its right flank only. No animal has
      two partners: two left flanks in one catalogue are two animals, because its keeper compared them.

    Kept apart: pairs judged *different*, and pairs of one party's list that share a known flank, unless they were
    judged uncertain. `flanks` has the schema FLANKS_KNOWN; animals that are not in it count as known from both flanks.
    """
    stated = _stated(concordance, partition)
    different = frozenset(_joint_pairs(concordance, partition, Verdict.DIFFERENT))
    one_flank = dict.fromkeys(_one_flank_pairs(flanks), NOTHING_KNOWN)
    pairs = {**one_flank, **stated}
    open_pairs = [DoubtfulPair(min(p), max(p), q) for p, q in sorted(pairs.items(), key=lambda item: sorted(item[0]))]
    in_doubt = {unit for p in open_pairs for unit in p.pair}
    compared = frozenset(_compared(flanks, in_doubt)) - set(stated)
    return Doubts(tuple(open_pairs), different | compared)


def _stated(concordance: Concordance, partition: Partition) -> dict[Block, float]:
    """Probability of each pair judged uncertain; the mean log odds where several codes of two animals were judged."""
    said: dict[Block, list[float]] = {}
    for pair, probability in _judged(concordance, partition, Verdict.UNCERTAIN):
        p = NOTHING_KNOWN if probability is None else min(max(probability, 0.001), 0.999)
        said.setdefault(pair, []).append(math.log(p / (1 - p)))
    return {pair: 1 / (1 + math.exp(-sum(odds) / len(odds))) for pair, odds in said.items()}


def _joint_pairs(concordance: Concordance, partition: Partition, verdict: Verdict) -> Iterator[Block]:
    for pair, _ in _judged(concordance, partition, verdict):
        yield pair


def _judged(concordance: Concordance, partition: Partition, verdict: Verdict) -> Iterator[tuple[Block, float | None]]:
    """Pairs of animals with a verdict, as far as both are in the partition and are not one already."""
    joint: dict[LocalIndividual, str] = partition.of()
    for link in concordance.links:
        if link.verdict is verdict and link.a in joint and link.b in joint and joint[link.a] != joint[link.b]:
            yield frozenset((joint[link.a], joint[link.b])), link.probability


def _one_flank_pairs(flanks: pl.DataFrame) -> Iterator[Block]:
    """Every animal known from the left only with every one known from the right only."""
    known = flanks.group_by("individual").agg(pl.col("left").any(), pl.col("right").any())
    left = known.filter(pl.col("left") & ~pl.col("right"))["individual"]
    right = known.filter(pl.col("right") & ~pl.col("left"))["individual"]
    return (frozenset((a, b)) for a in sorted(left) for b in sorted(right))


def _compared(flanks: pl.DataFrame, units: Iterable[str]) -> Iterator[Block]:
    """Pairs that one party knows from a common flank: its keeper held the photographs side by side."""
    for _, known in flanks.filter(pl.col("individual").is_in(sorted(units))).group_by("party"):
        for side in ("left", "right"):
            for a, b in combinations(sorted(known.filter(pl.col(side))["individual"]), 2):
                yield frozenset((a, b))


def with_ghosts(doubts: Doubts, histories: Sequence[CaptureHistory], error: float) -> Doubts:
    """`doubts` and that every animal photographed once may be a mislabelled picture of any other.

    `error`: the chance that an encounter is given a name of its own by mistake. Eight observers misclassified 12.5 % of
    encounters of captive snow leopards (Johansson et al. 2020, Scientific Reports 10:6393).
    """
    seen: dict[str, int] = {}
    for history in histories:
        for who, count in history.captures.select("individual", "count").iter_rows():
            seen[who] = seen.get(who, 0) + count
    singles = frozenset(who for who, times in seen.items() if times == 1)
    pairs = frozenset(frozenset((single, other)) for single in singles for other in seen if other != single)
    known = frozenset(p.pair for p in doubts.pairs) | doubts.apart
    seen_again = combinations(sorted(set(seen) - singles), 2)
    bridged = frozenset(frozenset(pair) for pair in seen_again) - known  # no ghost makes two known animals one
    return replace(doubts, apart=doubts.apart | bridged, ghosts=Ghosts(singles, pairs - known, error))


def with_sexes(doubts: Doubts, sexes: dict[str, str], missexed: float, *, sex_in_model: bool) -> Doubts:
    """`doubts` with what recorded sexes say, when each record of a sex is wrong with probability `missexed`.

    Two records of one animal agree with probability (1 - e)^2 + e^2 and differ with 2 e (1 - e); of two animals they
    agree half of the time. Where the spatial model has the sexes as classes, the share of each sex is in its
    integrals already, and only the errors are left to weigh.
    """
    weighed = tuple(_weighed(p, sexes, missexed, sex_in_model=sex_in_model) for p in doubts.pairs)
    return replace(doubts, pairs=weighed)


def _weighed(pair: DoubtfulPair, sexes: dict[str, str], missexed: float, *, sex_in_model: bool) -> DoubtfulPair:
    if pair.a not in sexes or pair.b not in sexes:
        return pair
    agree = (1 - missexed) ** 2 + missexed**2
    factor = agree if sexes[pair.a] == sexes[pair.b] else missexed * (1 - missexed)
    if not sex_in_model:
        factor *= 2.0 if sexes[pair.a] == sexes[pair.b] else 4.0
    odds = pair.probability / (1 - pair.probability) * factor
    return DoubtfulPair(pair.a, pair.b, odds / (1 + odds))
