"""The kinds of record that this version understands, each a frozen dataclass with its rules.

A kind is a promise: its fields do not change once records of it exist. What must change becomes a new kind.
Another floor adds a kind by decorating its dataclass of `records.fields` with `record_kind`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar, Protocol, Self, TypeVar

from sharedrange.core.canonical import Json
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding, Where
from sharedrange.core.individuals import LocalIndividual
from sharedrange.records.fields import (
    Fields,
    Individual,
    Individuals,
    OneVerdict,
    Probability,
    Reader,
    RecordIds,
    Role,
    RoleOrNone,
    Text,
    TextOrNone,
)

_OneJointId = Annotated[str, partial(Reader.matching, pattern=re.compile(r"J-[0-9a-f]{16}"))]


class Body(Protocol):
    """What a kind's dataclass offers. `replaces` names earlier records that this one corrects."""

    KIND: ClassVar[str]

    def to_body(self) -> dict[str, Json]:
        """The fields as JSON values."""
        ...

    @classmethod
    def from_body(cls, body: Mapping[str, Json], where: Where = Where()) -> Self:
        """The fields read back. Raises InputError with everything that is wrong."""
        ...


KINDS: dict[str, type[Body]] = {}
B = TypeVar("B", bound=Body)


def record_kind(cls: type[B]) -> type[B]:
    """Make a dataclass known as the body of records of its `KIND`. Raises ValueError if the kind is taken."""
    if cls.KIND in KINDS:
        raise ValueError(f"the kind {cls.KIND!r} is taken by {KINDS[cls.KIND].__name__}")
    KINDS[cls.KIND] = cls
    return cls


def read_body(kind: str, body: Mapping[str, Json], where: Where = Where()) -> Body:
    """The typed body of a record. Raises InputError if the kind is unknown or the body breaks its rules."""
    if kind not in KINDS:
        raise InputError([Finding("record-unknown-kind", {"kind": kind, "known": ", ".join(sorted(KINDS))}, where)])
    return KINDS[kind].from_body(body, where)


def replaced_by(body: Body) -> tuple[str, ...]:
    """Ids of the records that `body` corrects; kinds that are never corrected have none."""
    ids: tuple[str, ...] = getattr(body, "replaces", ())
    return ids


@record_kind
@dataclass(frozen=True, slots=True)
class Decision(Fields):
    """What somebody decided about two local individuals of `taxon`, and why.

    `by` is a role id (``tlnp/cat-ecologist``), never a name; `probability` that they are the same animal,
    where it was estimated; `evidence` in words; `replaces` the decisions that this one corrects.
    """

    KIND: ClassVar[str] = "decision"

    a: Individual
    b: Individual
    taxon: Text
    verdict: OneVerdict
    by: Role
    evidence: TextOrNone = ""
    probability: Probability = None
    replaces: RecordIds = ()

    def between(self, read: Reader) -> None:
        """Nobody decides whether an animal is itself."""
        read.require(self.a != self.b, "decision-one-individual", individual=str(self.a))


@record_kind
@dataclass(frozen=True, slots=True)
class JointId(Fields):
    """A name for one animal that several catalogues know, minted once. It says nothing about who is who."""

    KIND: ClassVar[str] = "joint_id"

    joint_id: _OneJointId
    members: Individuals
    taxon: Text


def mint(
    members: Iterable[LocalIndividual], taxon: str, random_bytes: Callable[[int], bytes] = secrets.token_bytes
) -> JointId:
    """A joint id of 64 random bits for `members`; `random_bytes` may be a generator's ``bytes``."""
    return JointId(f"J-{random_bytes(8).hex()}", tuple(sorted(set(members))), taxon)


@record_kind
@dataclass(frozen=True, slots=True)
class FocalPoint(Fields):
    """Who speaks for `party` about `purpose`: a role id. Names of persons stand in an erasable table elsewhere.

    An empty `role` says that the place is vacant; `replaces` names the records that this one takes over from.
    """

    KIND: ClassVar[str] = "focal_point"

    party: Text
    purpose: Text
    role: RoleOrNone
    replaces: RecordIds = ()
