"""The records of sharing: whom a node trusts, what was agreed, released, opened and revoked, and who confirmed it.

They are kinds of the one mechanism (`sharedrange.records`): signed, chained, merged by union. They travel to partners
in every package, so they name roles, never persons, and hold nothing of the data but how many rows left.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from sharedrange.core.canonical import Json
from sharedrange.core.finding import Where
from sharedrange.records.kinds import Reader, record_kind

PARTY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_URN = re.compile(r"urn:agreement:[a-z0-9][a-z0-9.:_-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_KEY = re.compile(r"[a-z0-9][a-z0-9-]*:(?:[0-9a-f]{2})+")
_AGE = re.compile(r"(?:age1[02-9ac-hj-np-z]{58})?")  # a public key of age, in Bech32; empty: none told
_PSEUDONYM = re.compile(r"D-[0-9a-f]{16}")
_NOTE = re.compile(r"[^\x00-\x1f\x7f]{1,500}")  # words on one line


class _Fields:
    """A body whose fields are its JSON values, days written as 2026-03-14."""

    __slots__ = ()

    def to_body(self) -> dict[str, Json]:
        """The fields as JSON values."""
        names: tuple[str, ...] = self.__slots__  # of the dataclass: its fields
        return {name: _json(getattr(self, name)) for name in names}


@record_kind
@dataclass(frozen=True, slots=True)
class Trust(_Fields):
    """The author takes `key` for the sharing key of `party`, because people compared its fingerprint.

    `age`: the public key to which packages for the party are encrypted; empty if it was not told. `replaces` names the
    author's records of trust that this one corrects: a party that lost its age key tells another.
    """

    KIND: ClassVar[str] = "trust"

    party: str
    key: str
    age: str = ""
    replaces: tuple[str, ...] = ()

    @classmethod
    def from_body(cls, body: Mapping[str, Json], where: Where = Where()) -> Self:
        """The fields read back. Raises InputError with everything that is wrong."""
        read = Reader(body, where)
        trust = cls(
            party=read.matching("party", PARTY),
            key=read.matching("key", _KEY),
            age=read.matching("age", _AGE),
            replaces=read.record_ids("replaces"),
        )
        read.done()
        return trust


@record_kind
@dataclass(frozen=True, slots=True)
class Distrust(_Fields):
    """The author trusts `key` no longer, for whomever: it was lost or stolen. `by` is the role that said so."""

    KIND: ClassVar[str] = "distrust"

    key: str
    by: str

    @classmethod
    def from_body(cls, body: Mapping[str, Json], where: Where = Where()) -> Self:
        """The fields read back. Raises InputError with everything that is wrong."""
        read = Reader(body, where)
        distrust = cls(read.matching("key", _KEY), read.role("by"))
        read.done()
        return distrust


@record_kind
@dataclass(frozen=True, slots=True)
class KeyRotated(_Fields):
    """The author's key gives its place to `key`: who trusts the one trusts the other. `age` as in `Trust`.

    The author's records stay valid; it signs nothing after this. The new key answers with a `Trust` in the old one.
    """

    KIND: ClassVar[str] = "key-rotated"

    key: str
    age: str = ""

    @classmethod
    def from_body(cls, body: Mapping[str, Json], where: Where = Where()) -> Self:
        """The fields read back. Raises InputError with everything that is wrong."""
        read = Reader(body, where)
        rotated = cls(read.matching("key", _KEY), read.matching("age", _AGE))
        read.done()
        return rotated


@record_kind
@dataclass(frozen=True, slots=True)
class AgreementSigned(_Fields):
    """`party` agrees to exactly the text whose `hash` this is. `by` is the role that said so."""

    KIND: ClassVar[str] = "agreement-signed"

    agreement: str
    hash: str
    party: str
    by: str

    @classmethod
    def from_body(cls, body: Mapping[str, Json], where: Where = Where()) -> Self:
        """The fields read back. Raises InputError with everything that is wrong."""
        read = Reader(body, where)
        signed = cls(
            agreement=read.matching("agreement", _URN),
            hash=read.matching("hash", _SHA256),
            party=read.matching("party", PARTY),
            by=read.role("by"),
        )
        read.done()
        return signed


@record_kind
@dataclass(frozen=True, slots=True)
class Preview(_Fields):
    """Somebody looked at what would leave, before it does. `dataset` is a pseudonym.

    `digest` names the preview that was shown. It travels, so it must not be the hash of something that can be guessed:
    hash a random salt with it.
    """

    KIND: ClassVar[str] = "preview"

    agreement: str
    hash: str
    dataset: str
    recipient: str
    purpose: str
    on: str
    digest: str

    @classmethod
    def from_body(cls, body: Mapping[str, Json], where: Where = Where()) -> Self:
        """The fields read back. Raises InputError with everything that is wrong."""
        read = Reader(body, where)
        preview = cls(
            agreement=read.matching("agreement", _URN),
            hash=read.matching("hash", _SHA256),
            dataset=read.matching("dataset", _PSEUDONYM),
            recipient=read.matching("recipient", PARTY),
            purpose=read.matching("purpose", _NOTE),
            on=read.day("on"),
            digest=read.matching("digest", _SHA256),
        )
        read.done()
        return preview


@record_kind
@dataclass(frozen=True, slots=True)
class Release(_Fields):
    """A package was sealed: `package` is its id (the hash of its manifest), `sealed` the hash of the file that left.

    `rows`: how many in all tables. `approved_by` is the role that the agreement asks for.
    """

    KIND: ClassVar[str] = "release"

    package: str
    agreement: str
    hash: str
    recipient: str
    purpose: str
    on: str
    sealed: str
    rows: int
    approved_by: str

    @classmethod
    def from_body(cls, body: Mapping[str, Json], where: Where = Where()) -> Self:
        """The fields read back. Raises InputError with everything that is wrong."""
        read = Reader(body, where)
        released = cls(
            package=read.matching("package", _SHA256),
            agreement=read.matching("agreement", _URN),
            hash=read.matching("hash", _SHA256),
            recipient=read.matching("recipient", PARTY),
            purpose=read.matching("purpose", _NOTE),
            on=read.day("on"),
            sealed=read.matching("sealed", _SHA256),
            rows=read.whole("rows"),
            approved_by=read.role("approved_by"),
        )
        read.done()
        return released


@record_kind
@dataclass(frozen=True, slots=True)
class Opening(_Fields):
    """The author opened a package of `owner`: everything in it was verified and taken in."""

    KIND: ClassVar[str] = "opening"

    package: str
    owner: str
    on: str

    @classmethod
    def from_body(cls, body: Mapping[str, Json], where: Where = Where()) -> Self:
        """The fields read back. Raises InputError with everything that is wrong."""
        read = Reader(body, where)
        opening = cls(read.matching("package", _SHA256), read.matching("owner", PARTY), read.day("on"))
        read.done()
        return opening


@record_kind
@dataclass(frozen=True, slots=True)
class Revocation(_Fields):
    """An agreement ends now: nothing leaves under it any more. Copies that were given cannot be taken back."""

    KIND: ClassVar[str] = "revocation"

    agreement: str
    hash: str
    reason: str
    by: str

    @classmethod
    def from_body(cls, body: Mapping[str, Json], where: Where = Where()) -> Self:
        """The fields read back. Raises InputError with everything that is wrong."""
        read = Reader(body, where)
        revocation = cls(
            agreement=read.matching("agreement", _URN),
            hash=read.matching("hash", _SHA256),
            reason=read.matching("reason", _NOTE),
            by=read.role("by"),
        )
        read.done()
        return revocation


@record_kind
@dataclass(frozen=True, slots=True)
class Receipt(_Fields):
    """`by` confirms the record `of` (a release, a revocation), and says `what` was done: "deleted on 3 March"."""

    KIND: ClassVar[str] = "receipt"

    of: str
    by: str
    what: str

    @classmethod
    def from_body(cls, body: Mapping[str, Json], where: Where = Where()) -> Self:
        """The fields read back. Raises InputError with everything that is wrong."""
        read = Reader(body, where)
        receipt = cls(read.matching("of", _SHA256), read.role("by"), read.matching("what", _NOTE))
        read.done()
        return receipt


def _json(value: object) -> Json:
    if isinstance(value, int):
        return value
    return list(value) if isinstance(value, tuple) else str(value)
