"""What parties carry to each other beside packages: agreements, signatures, revocations, receipts.

A courier folder holds the agreements of a node that involve the partner, and the chain of its sharing key, in which
what does not concern the partner is hidden. Taking it in adds records and agreements, and changes none; a chain that
was rewritten is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sharedrange.assessment.node import writing
from sharedrange.assessment.sharing.ground import AGREEMENTS, Ground, about_agreement, agreement_files, open_ground
from sharedrange.core.errors import InputError
from sharedrange.core.files import folder_in_place, write_atomically
from sharedrange.core.finding import Fact, Finding, Where, errors
from sharedrange.records import RecordSet, chain_file, fingerprint, lines, open_store
from sharedrange.sharing import folds
from sharedrange.sharing.agreement import Agreement, read_agreement

_LARGEST = 4 << 20


@dataclass(frozen=True, slots=True)
class Carried:
    """What a courier folder brought: how many new records of whom, and which new agreements."""

    party: str
    records: int
    agreements: tuple[str, ...]


def carry(folder: Path | str, partner: str, out: Path) -> Path:
    """Write a courier folder for a partner: ``<party>-for-<partner>`` in `out`, whole or not at all.

    Raises InputError for a partner that the programme does not know.
    """
    ground = open_ground(folder)
    known = [party.id for party in ground.node.programme.parties if party.id != ground.node.party]
    if partner not in known:
        raise InputError([Finding("courier-for-nobody", {"partner": partner, "known": ", ".join(known)})])
    ours = [a for a in ground.agreements.values() if {partner, ground.node.party} <= set(a.parties)]
    shown = ground.shown_to(partner)
    courier = out / f"{ground.node.party}-for-{partner}"
    with folder_in_place(courier) as place:
        (place / AGREEMENTS).mkdir()
        for agreement in ours:
            source = ground.node.folder / AGREEMENTS / agreement.file
            (place / AGREEMENTS / agreement.file).write_bytes(source.read_bytes())
        for key in shown.authors():
            (place / chain_file(key)).write_bytes(lines(shown.of(key)))
    return courier


def take_carried(folder: Path | str, courier: Path) -> Carried:
    """Take in what a partner carried here.

    Raises InputError with every finding, and takes nothing: no chain of a trusted key, a damaged or rewritten one,
    an agreement that is none, of strangers, or with the id of one that we have in another text.
    """
    ground = open_ground(folder)
    theirs, found = _records(ground, courier)
    new, wrong = _agreements(ground, courier)
    found += wrong
    if found:
        raise InputError(found)
    known = {record.id for record in ground.node.records}
    with writing(ground.node.folder):
        for file, content in new.values():
            write_atomically(ground.node.folder / AGREEMENTS / file, content)
        open_store(ground.node.folder / "records").take_in(theirs)
    return Carried(_sender(ground, theirs), sum(record.id not in known for record in theirs), tuple(sorted(new)))


def _sender(ground: Ground, theirs: RecordSet) -> str:
    """Whose chains these are, keys that they name as successors of trusted ones included; "" if of no one partner."""
    newest = ground.with_records(theirs)
    authors = set(theirs.authors())
    senders = [p for p, keys in newest.trusted.items() if authors and authors <= keys and p != ground.node.party]
    return senders[0] if senders else ""


def _records(ground: Ground, courier: Path) -> tuple[RecordSet, list[Finding]]:
    """The chains in a courier folder: of one trusted party, whole, and going on from what we hold of them."""
    if not courier.is_dir():
        return RecordSet(), [Finding("no-such-path", {"path": courier.name}, Where(courier.name))]
    theirs = open_store(courier).read()
    found = errors(theirs.findings)
    if not theirs.authors():
        found.append(Finding("courier-empty", {"folder": courier.name}, Where(courier.name)))
    elif not _sender(ground, theirs):
        told = ", ".join(fingerprint(key) for key in theirs.authors())
        found.append(Finding("courier-untrusted", {"fingerprint": told}, Where(courier.name)))
    for key, lost in folds.taken_back(ground.node.records, theirs).items():
        found.append(Finding("package-chain-rewritten", {"owner": fingerprint(key), "n": lost}))
    return theirs, found


def _agreements(ground: Ground, courier: Path) -> tuple[dict[str, tuple[str, bytes]], list[Finding]]:
    """Agreements of a courier folder that the node has not: id -> the name that the file gets here, its content."""
    new: dict[str, tuple[str, bytes]] = {}
    found: list[Finding] = []
    for path in agreement_files(courier):
        if path.is_symlink() or path.stat().st_size > _LARGEST:
            found.append(Finding("courier-file", {"file": path.name}, Where(path.name)))
            continue
        try:
            agreement = read_agreement(path)
        except InputError as error:
            found += error.findings
            continue
        found += about_agreement(agreement, ground.node)
        known = ground.agreements.get(agreement.id)
        if known is None:
            new[agreement.id] = (_free_name(ground, agreement, path), path.read_bytes())
        elif known.hash != agreement.hash:
            facts: dict[str, Fact] = {"agreement": agreement.id, "file": known.file}
            found.append(Finding("agreement-other-text", facts, Where(path.name)))
    return new, found


def _free_name(ground: Ground, agreement: Agreement, path: Path) -> str:
    """The file's own name, or one with part of the hash where that is taken."""
    taken = (ground.node.folder / AGREEMENTS / path.name).exists()
    return f"{path.stem}-{agreement.hash[:8]}.toml" if taken else path.name
