"""Whom a record concerns. A partner is shown what concerns it; of the rest of a chain it gets places and hashes.

So a recipient sees that no record was taken out or changed, and how many there are, but not what was given to others,
when, or who they are. What is not listed here concerns nobody: a new kind stays hidden until somebody decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sharedrange.core.audience import EVERYBODY
from sharedrange.core.errors import InputError
from sharedrange.records import KINDS, Body, Record, RecordSet
from sharedrange.sharing.agreement import Agreement
from sharedrange.sharing.kinds import (
    AgreementSigned,
    Distrust,
    KeyRotated,
    Opening,
    Preview,
    Publication,
    Receipt,
    Release,
    Revocation,
    Trust,
)


def shown_to(
    party: str,
    own: RecordSet,
    records: Iterable[Record],
    agreements: Iterable[Agreement],
    keys: Mapping[str, Collection[str]],
) -> RecordSet:
    """A node's `own` records, those hidden that do not concern `party`.

    `records`: all that the node holds; `agreements`: of the node; `keys`: of each party that it trusts, and its own.
    """
    parties = {agreement.hash: agreement.parties for agreement in agreements}
    reader = _Reader(party, parties, keys, {record.id: record for record in records})
    return RecordSet(tuple(record if reader.may_see(record) else record.hide() for record in own))


@dataclass(frozen=True, slots=True)
class _Reader:
    """A party that is told of records. `parties`: hash of an agreement's text -> who agreed; `by_id`: all records."""

    party: str
    parties: Mapping[str, Collection[str]]
    keys: Mapping[str, Collection[str]]
    by_id: Mapping[str, Record]

    def may_see(self, record: Record) -> bool:
        """Whether a record concerns the party, or is its own."""
        if record.author_key in self.keys.get(self.party, ()):
            return True
        try:
            body = KINDS[record.kind].from_body(record.body)
        except (KeyError, InputError):
            return False
        return self._concerns(body, record.author_key)

    def _concerns(self, body: Body, author_key: str) -> bool:
        match body:
            case KeyRotated() | Distrust():  # whoever met the key has to know
                return True
            case Trust(party=party, key=key):  # in the reader, or in the key from before of the author itself
                return party == self.party or any({key, author_key} <= set(known) for known in self.keys.values())
            case AgreementSigned(hash=text) | Revocation(hash=text):
                return self._agreed(text)
            case Preview(recipient=party) | Release(recipient=party) | Opening(owner=party):
                return party == self.party
            case Publication(reader=reader, agreements=texts):
                return reader in (EVERYBODY, self.party) or any(map(self._agreed, texts))
            case Receipt(of=confirmed):
                return confirmed in self.by_id and self.may_see(self.by_id[confirmed])
        return False

    def _agreed(self, text: str) -> bool:
        return self.party in self.parties.get(text, ())
