"""What the records of sharing amount to. Pure: the same whatever order records arrived in; clocks never decide.

Chains of strangers lie among a node's records too: a partner's package may bring one. So nothing counts because it is
signed. It counts because this node's own key, or a key that it trusts, signed it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from sharedrange.records import Record, RecordSet, in_force
from sharedrange.sharing.agreement import Agreement
from sharedrange.sharing.kinds import AgreementSigned, Distrust, KeyRotated, Opening, Revocation, Trust
from sharedrange.sharing.release import Standing


def predecessors(records: Iterable[Record], key: str) -> frozenset[str]:
    """A key and those whose place it took, one after another.

    Both sides of every change must say so: the old key that it gives its place to the new (`KeyRotated`), and the new
    that it trusts the old (`Trust`). Were one enough, a stranger could name another's key as its successor, and what
    the stranger signed would count as the other's own.
    """
    records = tuple(records)
    given = {(record.author_key, rotated.key) for record, rotated in in_force(records, KeyRotated)}
    taken = {(trust.key, record.author_key) for record, trust in in_force(records, Trust)}
    known = {key}
    while more := {old for old, new in given & taken if new in known} - known:
        known |= more
    return frozenset(known)


def successors(records: Iterable[Record], key: str) -> Mapping[str, str]:
    """The keys to which a key gave its place, each with its age key: one at most, unless the key has a thief."""
    return {new.key: new.age for record, new in in_force(records, KeyRotated) if record.author_key == key}


def distrusted(records: Iterable[Record], own_keys: Collection[str]) -> frozenset[str]:
    """The keys that the owner of `own_keys` trusts no longer."""
    return frozenset(lost.key for record, lost in in_force(records, Distrust) if record.author_key in own_keys)


def trusted(records: Iterable[Record], own_keys: Collection[str]) -> Mapping[str, frozenset[str]]:
    """Party -> the keys that sign for it, as far as the owner of `own_keys` trusts, their successors with them.

    Only what own keys say of trust counts. A key that any of them no longer trusts counts for nobody, and gives its
    place to nobody.
    """
    return {party: frozenset(ages) for party, ages in _told(tuple(records), own_keys).items()}


def sealed_for(records: Iterable[Record], own_keys: Collection[str]) -> Mapping[str, str]:
    """Party -> the age key that packages for it are sealed for: what its newest trusted keys tell.

    A party whose newest keys tell none, or tell different ones, is left out: nobody guesses who may read.
    """
    records = tuple(records)
    gone = {record.author_key for record, _ in in_force(records, KeyRotated)}
    found: dict[str, str] = {}
    for party, ages in _told(records, own_keys).items():
        newest = {age for key, told in ages.items() if key not in gone for age in told}
        if len(newest) == 1:
            found[party] = newest.pop()
    return found


def partners(records: Iterable[Record], own_keys: Collection[str]) -> Mapping[str, tuple[tuple[str, str], ...]]:
    """Party -> its trusted keys that still sign, each with the age key that was told with it: what its card holds."""
    records = tuple(records)
    gone = {record.author_key for record, _ in in_force(records, KeyRotated)}
    return {
        party: tuple((key, age) for key, told in sorted(ages.items()) if key not in gone for age in sorted(told))
        for party, ages in _told(records, own_keys).items()
    }


def trust_about(records: Iterable[Record], own_keys: Collection[str], party: str) -> tuple[str, ...]:
    """Ids of the own records of trust in a party that are in force: what a new one about it has to replace."""
    return tuple(record.id for record, trust in _own_trust(records, own_keys) if trust.party == party)


def standing(records: Iterable[Record], agreement: Agreement, keys: Mapping[str, Collection[str]]) -> Standing:
    """Who signed exactly this text of an agreement, and whether a party to it revoked it. `keys`: of each party."""
    records = tuple(records)
    signed = {
        signature.party
        for record, signature in in_force(records, AgreementSigned)
        if signature.hash == agreement.hash and record.author_key in keys.get(signature.party, ())
    }
    return Standing(frozenset(signed), revoked=any(True for _ in revocations(records, agreement, keys)))


def revocations(
    records: Iterable[Record], agreement: Agreement, keys: Mapping[str, Collection[str]]
) -> Iterator[tuple[Record, Revocation]]:
    """The records by which a party to an agreement revoked it."""
    may = {key for party in agreement.parties for key in keys.get(party, ())}
    for record, revocation in in_force(records, Revocation):
        if revocation.agreement == agreement.id and revocation.hash == agreement.hash and record.author_key in may:
            yield record, revocation


def opened(records: Iterable[Record], own_keys: Collection[str]) -> frozenset[str]:
    """Ids of the packages that the owner of `own_keys` opened."""
    return frozenset(opening.package for record, opening in in_force(records, Opening) if record.author_key in own_keys)


def _own_trust(records: Iterable[Record], own_keys: Collection[str]) -> list[tuple[Record, Trust]]:
    """Own records of trust in force. Others are left out before, so that none of theirs replaces one of ours."""
    return in_force([record for record in records if record.author_key in own_keys], Trust)


def _told(records: tuple[Record, ...], own_keys: Collection[str]) -> dict[str, dict[str, set[str]]]:
    """Party -> each of its trusted keys -> the age keys told with it."""
    lost = distrusted(records, own_keys)
    told: dict[str, dict[str, set[str]]] = {}
    for _, trust in sorted(_own_trust(records, own_keys), key=lambda made: made[1].party):
        if trust.key not in lost:
            told.setdefault(trust.party, {}).setdefault(trust.key, set()).update({trust.age} - {""})
    heirs: dict[str, dict[str, str]] = {}
    for record, rotated in in_force(records, KeyRotated):
        heirs.setdefault(record.author_key, {})[rotated.key] = rotated.age
    for ages in told.values():
        _follow(ages, heirs, lost)
    return told


def _follow(ages: dict[str, set[str]], heirs: Mapping[str, Mapping[str, str]], lost: frozenset[str]) -> None:
    """Add the successors of trusted keys. A key that named two has a thief: it gives its place to neither."""
    waiting = list(ages)
    while waiting:
        of_key = heirs.get(waiting.pop(), {})
        for new, age in of_key.items() if len(of_key) == 1 else ():
            if new not in lost and new not in ages:
                ages[new] = {age} - {""}
                waiting.append(new)


def taken_back(held: RecordSet, theirs: RecordSet) -> dict[str, int]:
    """Key -> how many records of its chain were seen before and are missing from what its owner shows now.

    A chain that is only shorter is an older one that arrives late: nobody's fault.
    """
    given = {record.id for record in theirs}
    lost: dict[str, int] = {}
    for key in theirs.authors():
        longest = theirs.of(key)[-1].seq
        missing = sum(record.seq <= longest and record.id not in given for record in held.of(key))
        lost |= {key: missing} if missing else {}
    return lost
