"""The kinds of record that this version understands, each a frozen dataclass with its rules.

A kind is a promise: its fields do not change once records of it exist. What must change becomes a new kind.
Another floor adds a kind by decorating its dataclass with `record_kind`.
"""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar, Protocol, Self, TypeVar

from sharedrange.core.canonical import Json
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding, Where
from sharedrange.core.individuals import LocalIndividual, Verdict

_ROLE = re.compile(r"[a-z0-9]+(?:[._/-][a-z0-9]+)*")
_JOINT_ID = re.compile(r"J-[0-9a-f]{16}")
_RECORD_ID = re.compile(r"[0-9a-f]{64}")
_LONGEST_CODE = 200
_SHOWN = 60  # characters of a wrong value that a finding repeats


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
T = TypeVar("T")


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
class Decision:
    """What somebody decided about two local individuals of `taxon`, and why.

    `by` is a role id (``tlnp/cat-ecologist``), never a name; `probability` that they are the same animal,
    where it was estimated; `evidence` in words; `replaces` the decisions that this one corrects.
    """

    KIND: ClassVar[str] = "decision"

    a: LocalIndividual
    b: LocalIndividual
    taxon: str
    verdict: Verdict
    by: str
    evidence: str = ""
    probability: float | None = None
    replaces: tuple[str, ...] = ()

    def to_body(self) -> dict[str, Json]:
        """The fields as JSON values."""
        return {
            "a": list(self.a),
            "b": list(self.b),
            "by": self.by,
            "evidence": self.evidence,
            "probability": self.probability,
            "replaces": list(self.replaces),
            "taxon": self.taxon,
            "verdict": str(self.verdict),
        }

    @classmethod
    def from_body(cls, body: Mapping[str, Json], where: Where = Where()) -> Self:
        """The fields read back. Raises InputError with everything that is wrong."""
        read = Reader(body, where)
        decision = cls(
            a=read.individual("a"),
            b=read.individual("b"),
            taxon=read.text("taxon"),
            verdict=read.verdict("verdict"),
            by=read.role("by"),
            evidence=read.text("evidence", empty=True),
            probability=read.probability("probability"),
            replaces=read.record_ids("replaces"),
        )
        read.require(decision.a != decision.b, "decision-one-individual", individual=str(decision.a))
        read.done()
        return decision


@record_kind
@dataclass(frozen=True, slots=True)
class JointId:
    """A name for one animal that several catalogues know, minted once. It says nothing about who is who."""

    KIND: ClassVar[str] = "joint_id"

    joint_id: str
    members: tuple[LocalIndividual, ...]
    taxon: str

    def to_body(self) -> dict[str, Json]:
        """The fields as JSON values."""
        return {"joint_id": self.joint_id, "members": [list(who) for who in self.members], "taxon": self.taxon}

    @classmethod
    def from_body(cls, body: Mapping[str, Json], where: Where = Where()) -> Self:
        """The fields read back. Raises InputError with everything that is wrong."""
        read = Reader(body, where)
        minted = cls(read.matching("joint_id", _JOINT_ID), read.individuals("members"), read.text("taxon"))
        read.done()
        return minted


def mint(
    members: Iterable[LocalIndividual], taxon: str, random_bytes: Callable[[int], bytes] = secrets.token_bytes
) -> JointId:
    """A joint id of 64 random bits for `members`; `random_bytes` may be a generator's ``bytes``."""
    return JointId(f"J-{random_bytes(8).hex()}", tuple(sorted(set(members))), taxon)


@record_kind
@dataclass(frozen=True, slots=True)
class FocalPoint:
    """Who speaks for `party` about `purpose`: a role id. Names of persons stand in an erasable table elsewhere.

    An empty `role` says that the place is vacant; `replaces` names the records that this one takes over from.
    """

    KIND: ClassVar[str] = "focal_point"

    party: str
    purpose: str
    role: str
    replaces: tuple[str, ...] = ()

    def to_body(self) -> dict[str, Json]:
        """The fields as JSON values."""
        return {"party": self.party, "purpose": self.purpose, "replaces": list(self.replaces), "role": self.role}

    @classmethod
    def from_body(cls, body: Mapping[str, Json], where: Where = Where()) -> Self:
        """The fields read back. Raises InputError with everything that is wrong."""
        read = Reader(body, where)
        focal_point = cls(
            party=read.text("party"),
            purpose=read.text("purpose"),
            role=read.role("role", empty=True),
            replaces=read.record_ids("replaces"),
        )
        read.done()
        return focal_point


_NOBODY = LocalIndividual("", "", "")


@dataclass(slots=True)
class Reader:
    """Reads the fields of a body one by one, collects what is wrong, and raises it all at once in `done`.

    A field that cannot be read gives a stand-in, so that reading goes on to the next.
    """

    body: Mapping[str, Json]
    where: Where = Where()
    _seen: set[str] = field(default_factory=set)
    _findings: list[Finding] = field(default_factory=list)

    def text(self, name: str, *, empty: bool = False) -> str:
        """A text; not empty unless it may be."""
        value = self._take(name)
        if isinstance(value, str) and (value or empty):
            return value
        return self._wrong(name, value, "text", "")

    def matching(self, name: str, pattern: re.Pattern[str]) -> str:
        """A text of one form."""
        value = self._take(name)
        if isinstance(value, str) and pattern.fullmatch(value):
            return value
        return self._wrong(name, value, pattern.pattern, "")

    def whole(self, name: str) -> int:
        """A whole number of 0 or more."""
        value = self._take(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        return self._wrong(name, value, "0, 1, 2, ...", 0)

    def day(self, name: str) -> str:
        """A day in ISO 8601, as text."""
        value = self._take(name)
        try:
            if isinstance(value, str) and date.fromisoformat(value).isoformat() == value:
                return value
        except ValueError:
            pass  # told below
        return self._wrong(name, value, "2026-05-31", "")

    def role(self, name: str, *, empty: bool = False) -> str:
        """A role id: small letters, digits, ``. _ / -``. No spaces: a person's name is not written by habit."""
        value = self._take(name)
        if isinstance(value, str) and (_ROLE.fullmatch(value) or (empty and not value)):
            return value
        self._add("role-id", name, given=_shown(value))
        return ""

    def verdict(self, name: str) -> Verdict:
        """One of the verdicts."""
        value = self._take(name)
        if isinstance(value, str) and value in set(Verdict):
            return Verdict(value)
        return self._wrong(name, value, " | ".join(Verdict), Verdict.UNCERTAIN)

    def probability(self, name: str) -> float | None:
        """A number from 0 to 1, or nothing."""
        value = self._take(name)
        if value is None:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= 1:
            return float(value)
        return self._wrong(name, value, "0 ... 1", None)

    def individual(self, name: str) -> LocalIndividual:
        """[party, catalogue, code], none empty."""
        value = self._take(name)
        return _individual(value) or self._wrong(name, value, "[party, catalogue, code]", _NOBODY)

    def individuals(self, name: str) -> tuple[LocalIndividual, ...]:
        """One or more local individuals, each once."""
        value = self._take(name)
        members = [_individual(entry) for entry in value] if isinstance(value, list) else []
        found = tuple(who for who in members if who is not None)
        if found and len(set(found)) == len(members):
            return found
        return self._wrong(name, value, "[[party, catalogue, code], ...]", ())

    def record_ids(self, name: str) -> tuple[str, ...]:
        """Ids of records, each once; may be none."""
        value = self._take(name)
        ids = tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else None
        if ids is not None and len(set(ids)) == len(value) and all(map(_RECORD_ID.fullmatch, ids)):
            return ids
        return self._wrong(name, value, "[record id, ...]", ())

    def require(self, holds: bool, rule: str, **facts: str) -> None:
        """Add the finding `rule` unless it holds; not where a field could not even be read."""
        if not holds and not self._findings:
            self._findings.append(Finding(rule, facts, self.where))

    def done(self) -> None:
        """Raise InputError if anything was wrong, a field that nobody reads included."""
        for name in sorted(self.body.keys() - self._seen):
            self._add("record-extra-field", name)
        if self._findings:
            raise InputError(self._findings)

    def _take(self, name: str) -> Any:
        self._seen.add(name)
        return self.body.get(name)

    def _wrong(self, name: str, given: object, expected: str, stand_in: T) -> T:
        self._add("record-field", name, given=_shown(given), expected=expected)
        return stand_in

    def _add(self, rule: str, name: str, **facts: str) -> None:
        where = Where(self.where.file, self.where.table, self.where.row, name)
        self._findings.append(Finding(rule, {"field": name, **facts}, where))


def _individual(value: object) -> LocalIndividual | None:
    if isinstance(value, list) and len(value) == 3 and all(map(_can_be_written, value)):
        return LocalIndividual(*value)
    return None


def _can_be_written(part: object) -> bool:
    """Whether a party, catalogue or code is something that a person can write on paper."""
    return isinstance(part, str) and 0 < len(part) <= _LONGEST_CODE and part.isprintable()


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
