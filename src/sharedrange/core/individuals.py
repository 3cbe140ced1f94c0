"""Who is who: local individuals of a party's catalogue, and what people decided about them.

Individuals are never merged or split by their code. Equal codes on two sides are two animals until someone
decides; different codes are one when someone decided so. Left-only against right-only cannot be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

CATALOGUE = "main"  # the catalogue of a party that has only one and did not name it


class LocalIndividual(NamedTuple):
    """An animal as one party's catalogue knows it."""

    party: str
    catalogue: str
    code: str

    def __str__(self) -> str:
        return f"{self.party}/{self.catalogue}/{self.code}"


class Verdict(StrEnum):
    """What someone decided about two local individuals."""

    SAME = "same"
    DIFFERENT = "different"
    UNCERTAIN = "uncertain"
    CANNOT_COMPARE = "cannot-compare"


@dataclass(frozen=True, slots=True)
class Link:
    """One decision about two local individuals, with its evidence and the record that holds it."""

    a: LocalIndividual
    b: LocalIndividual
    verdict: Verdict
    probability: float | None = None
    evidence: str = ""
    record: str = ""

    @property
    def pair(self) -> frozenset[LocalIndividual]:
        """The two individuals, in no order."""
        return frozenset((self.a, self.b))


@dataclass(frozen=True, slots=True)
class Concordance:
    """The decisions in force between catalogues: at most one link a pair.

    `joint_ids` names joint individuals by any of their members; minted once, in a record.
    """

    links: tuple[Link, ...] = ()
    joint_ids: Mapping[LocalIndividual, str] = field(default_factory=dict)

    def partition(self, individuals: Iterable[LocalIndividual]) -> Partition:
        """`individuals` grouped into animals by the *same* decisions, and by nothing else.

        A chain of decisions holds even where it leads through an animal that is not among `individuals`. A
        joint animal keeps its minted joint id where it has one, else is named after its first member here.
        """
        groups: dict[LocalIndividual, list[LocalIndividual]] = {}
        for who, first in animals(self.links, individuals).items():
            groups.setdefault(first, []).append(who)
        named: dict[str, tuple[LocalIndividual, ...]] = {}
        for group in groups.values():
            minted = [name for name in self._minted(group) if name not in named]
            named[min(minted, default=str(group[0]))] = tuple(group)
        return Partition(named)

    def _minted(self, group: Iterable[LocalIndividual]) -> set[str]:
        return {self.joint_ids[who] for who in group if who in self.joint_ids}


def animals(links: Iterable[Link], individuals: Iterable[LocalIndividual]) -> dict[LocalIndividual, LocalIndividual]:
    """Each of `individuals`, in order -> the first local individual that *same* links make one animal with it."""
    parent: dict[LocalIndividual, LocalIndividual] = {}

    def root(who: LocalIndividual) -> LocalIndividual:
        while (above := parent.setdefault(who, who)) != who:
            parent[who] = parent[above]
            who = above
        return who

    for link in links:
        if link.verdict is Verdict.SAME:
            first, second = sorted((root(link.a), root(link.b)))
            parent[second] = first
    return {who: root(who) for who in sorted(set(individuals))}


@dataclass(frozen=True, slots=True)
class Partition:
    """Joint individual -> its local individuals. Every local individual is in exactly one group."""

    groups: Mapping[str, tuple[LocalIndividual, ...]]

    def of(self) -> dict[LocalIndividual, str]:
        """Local individual -> joint individual."""
        return {who: joint for joint, group in self.groups.items() for who in group}

    def parties(self, joint: str) -> frozenset[str]:
        """The parties that know this animal."""
        return frozenset(who.party for who in self.groups[joint])
