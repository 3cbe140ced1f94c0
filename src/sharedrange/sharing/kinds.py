"""The records of sharing: whom a node trusts, what was agreed, released, opened and revoked, and who confirmed it.

They are kinds of the one mechanism (`sharedrange.records`): signed, chained, merged by union. They travel to partners
in every package, so they name roles, never persons, and hold nothing of the data but how many rows left.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

from sharedrange.records.fields import Day, Fields, Reader, RecordIds, Role, Whole
from sharedrange.records.kinds import record_kind

PARTY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


_KEY = re.compile(r"[a-z0-9][a-z0-9-]*:(?:[0-9a-f]{2})+")


def is_key(text: str) -> bool:
    """Whether a text is the public id of a key that signs."""
    return _KEY.fullmatch(text) is not None


def _form(form: re.Pattern[str] | str) -> partial[str]:
    """A field that is a text of one form."""
    return partial(Reader.matching, pattern=re.compile(form))


Party = Annotated[str, _form(PARTY)]
Urn = Annotated[str, _form(r"urn:agreement:[a-z0-9][a-z0-9.:_-]*")]
Sha256 = Annotated[str, _form(r"[0-9a-f]{64}")]
PublicKey = Annotated[str, _form(_KEY)]
AgeKey = Annotated[str, _form(r"(?:age1[02-9ac-hj-np-z]{58})?")]  # in Bech32; empty: none told
Pseudonym = Annotated[str, _form(r"D-[0-9a-f]{16}")]
Note = Annotated[str, _form(r"[^\x00-\x1f\x7f]{1,500}")]  # words on one line


@record_kind
@dataclass(frozen=True, slots=True)
class Trust(Fields):
    """The author takes `key` for the sharing key of `party`, because people compared its fingerprint.

    `age`: the public key to which packages for the party are encrypted; empty if it was not told. `replaces` names the
    author's records of trust that this one corrects: a party that lost its age key tells another.
    """

    KIND: ClassVar[str] = "trust"

    party: Party
    key: PublicKey
    age: AgeKey = ""
    replaces: RecordIds = ()


@record_kind
@dataclass(frozen=True, slots=True)
class Distrust(Fields):
    """The author trusts `key` no longer, for whomever: it was lost or stolen. `by` is the role that said so.

    Others learn of it and decide for themselves: it counts for the author alone.
    """

    KIND: ClassVar[str] = "distrust"

    key: PublicKey
    reason: Note
    by: Role


@record_kind
@dataclass(frozen=True, slots=True)
class KeyRotated(Fields):
    """The author's key gives its place to `key`: who trusts the one trusts the other. `age` as in `Trust`.

    The author's records stay valid; it signs nothing after this. The new key answers with a `Trust` in the old one.
    """

    KIND: ClassVar[str] = "key-rotated"

    key: PublicKey
    age: AgeKey = ""


@record_kind
@dataclass(frozen=True, slots=True)
class AgreementSigned(Fields):
    """`party` agrees to exactly the text whose `hash` this is. `by` is the role that said so."""

    KIND: ClassVar[str] = "agreement-signed"

    agreement: Urn
    hash: Sha256
    party: Party
    by: Role


@record_kind
@dataclass(frozen=True, slots=True)
class Preview(Fields):
    """Somebody looked at what would leave, before it does. `dataset` is a pseudonym.

    `digest` names the preview that was shown. It travels, so it must not be the hash of something that can be guessed:
    hash a random salt with it.
    """

    KIND: ClassVar[str] = "preview"

    agreement: Urn
    hash: Sha256
    dataset: Pseudonym
    recipient: Party
    purpose: Note
    on: Day
    digest: Sha256


@record_kind
@dataclass(frozen=True, slots=True)
class Release(Fields):
    """A package is sealed: `package` is its id, the hash of its manifest, which names the hashes of all else in it.

    So this record signs the package, and travels in it. `rows`: how many in all tables. `approved_by` is the role that
    the agreement asks for.
    """

    KIND: ClassVar[str] = "release"

    package: Sha256
    agreement: Urn
    hash: Sha256
    recipient: Party
    purpose: Note
    on: Day
    rows: Whole
    approved_by: Role


@record_kind
@dataclass(frozen=True, slots=True)
class Opening(Fields):
    """The author opened a package of `owner`: everything in it was verified and taken in."""

    KIND: ClassVar[str] = "opening"

    package: Sha256
    owner: Party
    on: Day


@record_kind
@dataclass(frozen=True, slots=True)
class Revocation(Fields):
    """An agreement ends now: nothing leaves under it any more. Copies that were given cannot be taken back."""

    KIND: ClassVar[str] = "revocation"

    agreement: Urn
    hash: Sha256
    reason: Note
    by: Role


@record_kind
@dataclass(frozen=True, slots=True)
class Receipt(Fields):
    """`by` confirms the record `of` (a release, a revocation), and says `what` was done: "deleted on 3 March"."""

    KIND: ClassVar[str] = "receipt"

    of: Sha256
    by: Role
    what: Note


@record_kind
@dataclass(frozen=True, slots=True)
class Publication(Fields):
    """`by` told a reader (a party, or ``public``) numbers made from data that came under `agreements`.

    `publication`: its id, which cannot be guessed from the numbers; `agreements`: the hashes of their texts, so that
    whoever gave data finds what became of them.
    """

    KIND: ClassVar[str] = "publication"

    publication: Sha256
    reader: Party
    purpose: Note
    on: Day
    agreements: RecordIds
    by: Role
