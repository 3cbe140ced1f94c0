"""Keys, and who is who among them: a node's card, trust by fingerprint, a new key for an old one.

A card is a small file that a party hands to its partners, with what they need to check its signatures and to seal for
it. It can be forged on the way, as everything can: trust begins when two people read the fingerprint to each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sharedrange.assessment.node import OpenNode, open_node, writing
from sharedrange.assessment.sharing.ground import KEY, WAITING, about_rotation, open_ground
from sharedrange.core.canonical import canonical, read_canonical
from sharedrange.core.errors import InputError
from sharedrange.core.files import write_atomically
from sharedrange.core.finding import Finding, Where
from sharedrange.records import Keys, Passphrase, fingerprint, open_store
from sharedrange.sharing import folds, kinds

_FORMAT = "sharedrange-card-1"
_DIGITS = 30
_RETIRED = "sharing-until"


@dataclass(frozen=True, slots=True)
class Card:
    """Who a party is to its partners: the key that it signs with, and whom to seal for."""

    party: str
    key: str
    age: str

    @property
    def fingerprint(self) -> str:
        """Thirty digits to read aloud: of both keys together."""
        return fingerprint(f"{self.key} {self.age}")

    def to_bytes(self) -> bytes:
        """The card as a file."""
        keys = {"age": self.age, "fingerprint": self.fingerprint, "key": self.key}
        return canonical({"format": _FORMAT, "party": self.party, **keys}) + b"\n"


def make_keys(folder: Path | str, *, passphrase: str | None = None) -> Card:
    """Make the node's sharing key and the identity that opens packages, where it has none; its card.

    Raises ProgrammeError and InputError if the node or its keys cannot be read or written, or a change of keys that
    stopped has to be finished first (`rotate`).
    """
    node = open_node(folder)
    keys = Keys(node.keys)
    with writing(node.folder):
        if not _taken_place(keys) and KEY not in keys.names():
            keys.create(KEY, passphrase=passphrase)
        if found := about_rotation(keys, node.records):
            raise InputError(found)  # a new identity here would take the place of the one that was told
        if not (node.keys / f"{KEY}.age").exists():
            keys.create_identity(KEY, passphrase=passphrase)
    return _card(node)


def has_keys(folder: Path | str) -> bool:
    """Whether a node has its sharing key already."""
    return KEY in Keys(open_node(folder).keys).names()


def protect_keys(folder: Path | str, old: Passphrase, new: str | None) -> Card:
    """Put the node's keys under another passphrase, or none; its card stays what it was.

    Raises InputError if there are no keys, or the old passphrase does not open them; nothing is changed then.
    """
    node = open_node(folder)
    with writing(node.folder):
        if found := about_rotation(Keys(node.keys), node.records):
            raise InputError(found)
        Keys(node.keys).change_passphrase(KEY, old, new)
    return _card(node)


def card(folder: Path | str) -> Card:
    """The card of a node. Raises InputError if it has no keys yet."""
    return _card(open_node(folder))


def _card(node: OpenNode) -> Card:
    keys = Keys(node.keys)
    return Card(node.party, keys.public(KEY), keys.public(KEY, ".age"))


def partners(folder: Path | str) -> tuple[Card, ...]:
    """The cards of the partners whose keys a node trusts, by party, as those partners hold them now."""
    ground = open_ground(folder)
    told = folds.partners(ground.node.records, ground.own_keys)
    others = sorted(told.keys() - {ground.node.party})
    return tuple(Card(party, key, age) for party in others for key, age in told[party])


def read_card(file: Path) -> Card:
    """The card in a file. Raises InputError if it is none, or its fingerprint is not that of its keys."""
    where = Where(file.name)
    try:
        told = read_canonical(file.read_bytes().rstrip(b"\r\n"))
        given = Card(told["party"], told["key"], told["age"])
        right = told["format"] == _FORMAT and told["fingerprint"] == given.fingerprint
        kinds.Trust.from_body(kinds.Trust(given.party, given.key, given.age).to_body(), where)
    except OSError:
        raise InputError([Finding("no-such-path", {"path": file.name}, where)]) from None
    except (ValueError, KeyError, TypeError, InputError):
        raise InputError([Finding("card-malformed", {"file": file.name}, where)]) from None
    if not right:
        raise InputError([Finding("card-malformed", {"file": file.name}, where)])
    return given


def trust(folder: Path | str, given: Card, *, compared: str, recorded_at: str, passphrase: Passphrase = None) -> None:
    """Take a card's keys for its party's, once somebody `compared` its fingerprint: the digits as they were read.

    Raises InputError if the digits are others, the programme knows no such party, or the card is the node's own.
    """
    ground = open_ground(folder)
    found = []
    digits = "".join(c for c in compared if c.isdigit())
    if len(digits) != _DIGITS or digits != given.fingerprint.replace(" ", ""):
        found.append(Finding("card-fingerprint", {"party": given.party, "digits": len(digits)}))
    if given.party not in {party.id for party in ground.node.programme.parties}:
        known = ", ".join(party.id for party in ground.node.programme.parties)
        found.append(Finding("card-stranger", {"party": given.party, "known": known}))
    if given.key in folds.distrusted(ground.node.records, ground.own_keys):
        found.append(Finding("card-distrusted", {"party": given.party}))
    if found:
        raise InputError(found)
    key = ground.signing_key(passphrase)
    with writing(ground.node.folder):
        if given.key in ground.trusted.get(given.party, ()) and ground.sealed_for.get(given.party) == given.age:
            return
        replaced = folds.trust_about(ground.node.records, ground.own_keys, given.party)
        body = kinds.Trust(given.party, given.key, given.age, replaced)
        open_store(ground.node.folder / "records").append(body.KIND, body.to_body(), key, recorded_at)


def rotate(
    folder: Path | str, *, recorded_at: str, passphrase: Passphrase = None, new_passphrase: str | None = None
) -> Card:
    """Replace the node's sharing key: the old one names the new one its successor, and is kept under another name.

    Partners follow at the next exchange. Packages sealed for the old identity open with it still. A change that
    stopped is finished by the same call.
    Raises InputError if there is no key, the passphrase does not open it, or a successor was named before and is lost.
    """
    node = open_node(folder)
    keys = Keys(node.keys)
    with writing(node.folder):
        if _taken_place(keys):
            return _card(node)
        if lost := [found for found in about_rotation(keys, node.records) if found.rule == "successor-lost"]:
            raise InputError(lost)
        old = keys.load(KEY, passphrase)
        there = WAITING in keys.names()
        new = keys.load(WAITING, new_passphrase) if there else keys.create(WAITING, passphrase=new_passphrase)
        if not (node.keys / f"{WAITING}.age").exists():
            keys.create_identity(WAITING, passphrase=new_passphrase)
        store = open_store(node.folder / "records")
        if new.id not in folds.successors(node.records, old.id):
            rotated = kinds.KeyRotated(new.id, keys.public(WAITING, ".age"))
            store.append(rotated.KIND, rotated.to_body(), old, recorded_at)
        own = kinds.Trust(node.party, old.id, "")
        store.append(own.KIND, own.to_body(), new, recorded_at)
        keys.retire(KEY, f"{_RETIRED}-{recorded_at[:10]}-{old.fingerprint[:5]}")
        keys.retire(WAITING, KEY)
    return _card(node)


def _taken_place(keys: Keys) -> bool:
    """Whether a change of keys had stopped between the old key's leaving and the new one's coming; now it is done."""
    stopped = KEY not in keys.names() and WAITING in keys.names()
    if stopped:
        keys.retire(WAITING, KEY)
    return stopped


def write_card(given: Card, out: Path) -> Path:
    """Write a card as ``<party>.card`` into a folder, or to a file of another name."""
    file = out / f"{given.party}.card" if out.is_dir() else out
    write_atomically(file, given.to_bytes())
    return file
