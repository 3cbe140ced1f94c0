"""Who is who: local individuals of a party's catalogue, and what people decided about them.

Individuals are never merged or split by their code. Equal codes on two sides are two animals until someone
decides; different codes are one when someone decided so. Left-only against right-only cannot be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


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
    joint_ids: Mapping[LocalIndividual, str] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        object.__setattr__(self, "joint_ids", dict(self.joint_ids or {}))

    def among(self, individuals: Iterable[LocalIndividual]) -> Concordance:
        """The decisions that concern only `individuals`."""
        known = set(individuals)
        return Concordance(
            tuple(link for link in self.links if link.a in known and link.b in known),
            {who: joint for who, joint in self.joint_ids.items() if who in known},
        )

    def partition(self, individuals: Iterable[LocalIndividual]) -> Partition:
        """Local individuals grouped into animals by the *same* decisions, and by nothing else.

        A joint animal keeps its minted joint id where it has one, else is named after its first member.
        """
        members = sorted(set(individuals))
        parent = {who: who for who in members}

        def root(who: LocalIndividual) -> LocalIndividual:
            while parent[who] != who:
                who = parent[who]
            return who

        for link in self.links:
            if link.verdict is Verdict.SAME and link.a in parent and link.b in parent:
                first, second = sorted((root(link.a), root(link.b)))
                parent[second] = first
        groups: dict[LocalIndividual, list[LocalIndividual]] = {}
        for who in members:
            groups.setdefault(root(who), []).append(who)
        return Partition({self._name(group): tuple(group) for group in groups.values()})

    def _name(self, group: list[LocalIndividual]) -> str:
        minted = sorted(self.joint_ids[who] for who in group if who in self.joint_ids)
        return minted[0] if minted else str(group[0])


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
