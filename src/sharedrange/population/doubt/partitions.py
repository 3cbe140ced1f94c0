"""Which of the doubtful animals are one: partitions with hard constraints, their weights, and draws of them.

With activity centres from a Poisson process, the likelihood of a set of capture histories is exp(-Lambda) times the
product of I_i, the integral of density x Pr(history i) over the ground (Borchers and Efford 2008, Biometrics
64:377-385). Whether units a and b are one animal or two therefore weighs

    posterior odds = I_ab / (I_a I_b) x odds of the evidence,

where the evidence is what people saw in the photographs (probability p: odds p / (1 - p)). Where photographs cannot
be compared - left flank only against right flank only - the evidence says nothing and its odds are 1; places and
dates alone speak, as in the spatial partial identity model (Augustine et al. 2018, Annals of Applied Statistics
12:67-95).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

Block = frozenset[str]
Blocks = frozenset[Block]
LogIntegrals = Callable[[Sequence[Block]], Sequence[float]]  # of several blocks at once, which is cheaper

_SURE = 1e-6  # a probability nearer to 0 or 1 is a decision, not a doubt


@dataclass(frozen=True, slots=True)
class DoubtfulPair:
    """Two units that may be one animal. `probability`: what the evidence alone says, 0.5 where it says nothing."""

    a: str
    b: str
    probability: float = 0.5

    def __post_init__(self) -> None:
        if self.a == self.b:
            raise ValueError(f"{self.a} is not in doubt with itself")
        if not _SURE <= self.probability <= 1 - _SURE:
            raise ValueError(f"{self.a}, {self.b}: a probability of {self.probability} is a decision, not a doubt")

    @property
    def pair(self) -> Block:
        """The two units, in no order."""
        return frozenset((self.a, self.b))

    @property
    def log_odds(self) -> float:
        """Logarithm of the odds of the evidence."""
        return math.log(self.probability) - math.log1p(-self.probability)


@dataclass(frozen=True, slots=True)
class Ghosts:
    """Animals that may be nothing but a mislabelled picture of another one.

    Every picture gets a label of its own by mistake with probability `error`, independently: a partition in which k
    labels are such ghosts has odds (error / (1 - error))^k. `singles` are the animals seen once; `pairs` whom each
    may be.
    """

    singles: frozenset[str] = frozenset()
    pairs: frozenset[Block] = frozenset()
    error: float = 0.5

    def log_evidence(self, block: Block) -> float:
        """For the labels of one animal: every single among them is a ghost, but one of them if there is nobody else."""
        if not self.singles:
            return 0.0
        ghosts = len(block & self.singles)
        return (ghosts - (ghosts == len(block))) * (math.log(self.error) - math.log1p(-self.error))

    def among(self, units: Block) -> Ghosts:
        """Those that concern some units only."""
        return Ghosts(self.singles & units, frozenset(p for p in self.pairs if p <= units), self.error)


@dataclass(frozen=True)
class Doubts:
    """What is in doubt. Units are animals as decided so far; those in no pair are in no doubt.

    `apart`: pairs that cannot be one animal, not even through a third. A pair without evidence can only become one
    through others that have it. `ghosts`: labels that may be mistakes.
    """

    pairs: tuple[DoubtfulPair, ...]
    apart: frozenset[Block] = frozenset()
    ghosts: Ghosts = Ghosts()

    def __post_init__(self) -> None:
        if len(self._by_pair) < len(self.pairs):
            raise ValueError("a pair is listed twice")

    @cached_property
    def _by_pair(self) -> Mapping[Block, DoubtfulPair]:
        return {p.pair: p for p in self.pairs}

    @cached_property
    def open_pairs(self) -> tuple[Block, ...]:
        """The pairs that may be one, in order: without those that something else keeps apart."""
        return tuple(sorted((set(self._by_pair) | self.ghosts.pairs) - self.apart, key=sorted))

    @cached_property
    def units(self) -> tuple[str, ...]:
        """The units in doubt, in order."""
        return tuple(sorted({unit for pair in self.open_pairs for unit in pair}))

    @cached_property
    def partners(self) -> Mapping[str, frozenset[str]]:
        """The units with which each unit may be one."""
        found: dict[str, set[str]] = {unit: set() for unit in self.units}
        for pair in self.open_pairs:
            for unit in pair:
                found[unit] |= pair - {unit}
        return {unit: frozenset(others) for unit, others in found.items()}

    def without(self, pairs: Collection[Block]) -> Doubts:
        """The doubts without some pairs."""
        left = tuple(p for p in self.pairs if p.pair not in pairs)
        return Doubts(left, self.apart, replace(self.ghosts, pairs=self.ghosts.pairs - set(pairs)))

    def log_odds(self, unit: str, block: Block) -> float:
        """Evidence for `unit` being one with `block`: -inf where something keeps them apart, or nothing joins them."""
        if any(frozenset((unit, other)) in self.apart for other in block) or not self.partners[unit] & block:
            return -math.inf
        known = (self._by_pair.get(frozenset((unit, other))) for other in block)
        mistakes = self.ghosts.log_evidence(block | {unit}) - self.ghosts.log_evidence(block)
        return sum(p.log_odds for p in known if p is not None) + mistakes

    def log_prior(self, blocks: Blocks) -> float:
        """Logarithm of the evidence for a partition, up to a constant."""
        return sum(self._log_within(block) for block in blocks)

    def _log_within(self, block: Block) -> float:
        ordered = sorted(block)
        pairs = (self._by_pair.get(frozenset((a, b))) for i, a in enumerate(ordered) for b in ordered[:i])
        return sum(p.log_odds for p in pairs if p is not None) + self.ghosts.log_evidence(block)

    def separate(self) -> Blocks:
        """Every unit an animal of its own: the most animals that there can be."""
        return frozenset(frozenset((unit,)) for unit in self.units)

    def components(self) -> tuple[Doubts, ...]:
        """Doubts that touch one another, together; draws of different components are independent."""
        return tuple(
            Doubts(
                tuple(p for p in self.pairs if p.pair <= group),
                frozenset(pair for pair in self.apart if pair <= group),
                self.ghosts.among(group),
            )
            for group in _connected(self.partners)
        )


def _connected(partners: Mapping[str, frozenset[str]]) -> Iterator[frozenset[str]]:
    left = sorted(partners, reverse=True)
    seen: set[str] = set()
    while left:
        group, border = set[str](), [left.pop()]
        while border:
            unit = border.pop()
            if unit not in group:
                group.add(unit)
                border += partners[unit]
        if not group & seen:
            seen |= group
            yield frozenset(group)


def every_partition(doubts: Doubts) -> Iterator[Blocks]:
    """All partitions that the constraints allow, each once. Their number grows faster than 2^pairs."""
    yield from {frozenset(blocks) for blocks in _grown(doubts, doubts.units)}


def _grown(doubts: Doubts, units: tuple[str, ...]) -> Iterator[tuple[Block, ...]]:
    """Partitions of units in which each block hangs together by pairs."""
    if not units:
        yield ()
        return
    first, others = units[0], units[1:]
    for block in _blocks_with(doubts, frozenset((first,)), frozenset(others)):
        rest = tuple(u for u in others if u not in block)
        for blocks in _grown(doubts, rest):
            yield (block, *blocks)


def _blocks_with(doubts: Doubts, block: Block, free: Block) -> set[Block]:
    """The allowed blocks that hold `block` and units of `free`."""
    found = {block}
    for unit in sorted(free):
        if doubts.log_odds(unit, block) > -math.inf:
            found |= _blocks_with(doubts, block | {unit}, free - {unit})
    return found


def exact(doubts: Doubts, log_integrals: LogIntegrals) -> dict[Blocks, float]:
    """Probability of every partition, by counting them all: for few units."""
    every = list(every_partition(doubts))
    logs = np.array([doubts.log_prior(b) + sum(log_integrals(list(b))) for b in every])
    weights = np.exp(logs - logs.max())
    return dict(zip(every, (weights / weights.sum()).tolist(), strict=True))


def sweep(doubts: Doubts, blocks: Blocks, log_integrals: LogIntegrals, rng: np.random.Generator) -> Blocks:
    """One round of Gibbs sampling: every unit in turn chooses its animal anew, given the others.

    Reversible, and reaches every allowed partition: each can be taken apart unit by unit. A block that hangs
    together only by the unit that leaves it cannot be left, so no draw breaks a constraint.
    """
    of = {unit: block for block in blocks for unit in block}
    for unit in rng.permutation(list(doubts.units)):
        _choose_anew(doubts, of, str(unit), log_integrals, rng)
    return frozenset(of.values())


def _choose_anew(
    doubts: Doubts, of: dict[str, Block], unit: str, log_integrals: LogIntegrals, rng: np.random.Generator
) -> None:
    """Put `unit` into one of the blocks that it may join, or alone; `of` changes."""
    left = of[unit] - {unit}
    if left and not hangs_together(doubts, left):
        return
    open_to = _may_join(doubts, of, unit)
    choices: list[Block] = [frozenset(), *open_to]
    logs = np.array(_log_odds_of(doubts, unit, open_to, log_integrals))
    weights = np.exp(logs - logs.max())
    chosen = choices[int(rng.choice(len(choices), p=weights / weights.sum()))]
    for other in left:
        of[other] = left
    joined = chosen | {unit}
    for other in joined:
        of[other] = joined


def _may_join(doubts: Doubts, of: Mapping[str, Block], unit: str) -> list[Block]:
    """The blocks, without `unit`, that it may be one with."""
    near = {of[other] - {unit} for other in doubts.partners[unit]} - {frozenset()}
    return [block for block in sorted(near, key=sorted) if doubts.log_odds(unit, block) > -math.inf]


def _log_odds_of(doubts: Doubts, unit: str, blocks: Sequence[Block], log_integrals: LogIntegrals) -> list[float]:
    """Log odds of `unit` alone (0) and as one with each of `blocks`."""
    n = len(blocks)
    asked = log_integrals([*(block | {unit} for block in blocks), *blocks, frozenset((unit,))])
    joined, apart, alone = asked[:n], asked[n : 2 * n], asked[-1]
    return [0.0, *(doubts.log_odds(unit, b) + j - a - alone for b, j, a in zip(blocks, joined, apart, strict=True))]


def hangs_together(doubts: Doubts, block: Block) -> bool:
    """Whether pairs lead from each unit of `block` to every other without leaving it."""
    start = min(block)
    reached, border = {start}, [start]
    while border:
        for other in doubts.partners[border.pop()] & block - reached:
            reached.add(other)
            border.append(other)
    return len(reached) == len(block)


def share_together(draws: Iterable[Blocks], pair: Block) -> float:
    """Share of the draws in which a pair is one animal."""
    held = [any(pair <= block for block in blocks) for blocks in draws]
    return sum(held) / len(held)
