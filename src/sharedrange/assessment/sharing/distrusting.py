"""A partner's key that was lost or stolen: trusted no longer, and what that means for what was done with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sharedrange.assessment.node import Delivered, writing
from sharedrange.assessment.sharing.ground import Ground, open_ground
from sharedrange.assessment.superseding import release_of
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Fact, Finding, Severity
from sharedrange.records import Passphrase, fingerprint, in_force, open_store
from sharedrange.sharing import folds, kinds


@dataclass(frozen=True, slots=True)
class Distrusted:
    """A key that is trusted no longer, and what no longer counts: for which parties it signed, which agreements."""

    key: str
    parties: tuple[str, ...]
    agreements: tuple[str, ...]


def distrust(
    folder: Path | str, wanted: str, *, reason: str, by: str, recorded_at: str, passphrase: Passphrase = None
) -> Distrusted:
    """Trust a key no longer: what it signs, and the successor that it may name, count for nobody from now on.

    `wanted`: the key, or thirty digits: of a partner's card, or of the key alone, as findings tell them. Also a key
    that is not trusted yet may be named by itself.
    Raises InputError if nobody knows the key, or it is the node's own.
    """
    ground = open_ground(folder)
    key = _meant(ground, wanted)
    signing = ground.signing_key(passphrase)
    parties = tuple(sorted(party for party, keys in ground.trusted.items() if key in keys))
    before = _signed(ground)
    with writing(ground.node.folder):
        if key not in folds.distrusted(ground.node.records, ground.own_keys):
            body = kinds.Distrust(key, reason, by)
            open_store(ground.node.folder / "records").append(body.KIND, body.to_body(), signing, recorded_at)
    return Distrusted(key, parties, tuple(sorted(before - _signed(open_ground(folder)))))


def _meant(ground: Ground, wanted: str) -> str:
    """The key that somebody names by itself or by digits."""
    known = {key: {key, _digits(fingerprint(key))} for keys in ground.trusted.values() for key in keys}
    for told in folds.partners(ground.node.records, ground.own_keys).values():
        for key, age in told:
            known[key].add(_digits(fingerprint(f"{key} {age}")))  # of its card
    if kinds.is_key(wanted):
        known.setdefault(wanted, {wanted})
    names = {wanted, _digits(wanted)}
    found = [key for key, of_key in known.items() if of_key & names]
    if not found:
        raise InputError([Finding("key-unknown", {"given": wanted[:80]})])
    if found[0] in ground.own_keys:
        raise InputError([Finding("key-own", {"fingerprint": fingerprint(found[0])})])
    return found[0]


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isdigit())


def _signed(ground: Ground) -> set[str]:
    """The agreements that all their parties signed."""
    return {a.id for a in ground.agreements.values() if set(a.parties) <= ground.standing(a).signed_by}


def about_lost_keys(ground: Ground, deliveries: Iterable[Delivered]) -> Iterator[Finding]:
    """Warnings: packages that came from keys which are trusted no longer, and trusted keys that partners warn of."""
    lost = folds.distrusted(ground.node.records, ground.own_keys)
    for delivered in deliveries:
        key = str(release_of(delivered.path).get("author_key", ""))
        if key in lost:
            facts: dict[str, Fact] = {"path": delivered.source.path, "fingerprint": fingerprint(key)}
            yield Finding("package-of-distrusted", facts, severity=Severity.WARNING)
    for author, warned in _warnings(ground):
        facts = {"party": author, "fingerprint": fingerprint(warned.key), "reason": warned.reason}
        yield Finding("key-distrusted-by-partner", facts, severity=Severity.WARNING)


def _warnings(ground: Ground) -> Iterator[tuple[str, kinds.Distrust]]:
    """Who of the partners trusts a key no longer that this node still does."""
    trusted = {key for keys in ground.trusted.values() for key in keys}
    author = {key: party for party, keys in ground.trusted.items() for key in keys}
    for record, warned in in_force(ground.node.records, kinds.Distrust):
        if record.author_key in author and record.author_key not in ground.own_keys and warned.key in trusted:
            yield author[record.author_key], warned
