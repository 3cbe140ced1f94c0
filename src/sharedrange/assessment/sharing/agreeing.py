"""Agreements of a node: what they are, how they stand, signing and revoking them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sharedrange.assessment.node import writing
from sharedrange.assessment.sharing.bearing import about_cells
from sharedrange.assessment.sharing.ground import AGREEMENTS, Ground, about_agreement, open_ground
from sharedrange.core.errors import AgreementError, InputError
from sharedrange.core.files import write_atomically
from sharedrange.core.finding import Finding, Where, errors
from sharedrange.records import Passphrase, open_store
from sharedrange.sharing import folds, kinds
from sharedrange.sharing.agreement import Agreement, lint, lint_beside, read_agreement
from sharedrange.sharing.release import Standing


@dataclass(frozen=True, slots=True)
class Listed:
    """An agreement with how it stands and what is doubtful in it."""

    agreement: Agreement
    standing: Standing
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether something may leave under it: signed by all, not revoked, in its days."""
        signed = set(self.agreement.parties) <= self.standing.signed_by
        return signed and not self.standing.revoked and not errors(self.findings)


def agreements(folder: Path | str, today: date) -> tuple[Listed, ...]:
    """All agreements of a node, by id. Raises ProgrammeError and InputError with all findings."""
    ground = open_ground(folder)
    return tuple(
        Listed(agreement, ground.standing(agreement), _doubtful(ground, agreement, today))
        for _, agreement in sorted(ground.agreements.items())
    )


def sign_agreement(
    folder: Path | str, wanted: str, *, by: str, recorded_at: str, today: date, passphrase: Passphrase = None
) -> Listed:
    """Sign an agreement for the node's party.

    `wanted`: one that lies in its folder (id or file name), or a file elsewhere, which is copied there. What is
    doubtful in it is told; an expired one is not signed.

    Raises InputError and AgreementError with every finding; nothing is signed then.
    """
    ground = open_ground(folder)
    agreement, new = _wanted(ground, wanted)
    found = errors(lint(agreement, today))
    if ground.node.party not in agreement.parties:
        facts = {"agreement": agreement.id, "party": ground.node.party, "parties": ", ".join(agreement.parties)}
        found.append(Finding("agreement-not-ours", facts))
    if found:
        raise AgreementError(found)
    key = ground.signing_key(passphrase)
    with writing(ground.node.folder):
        if new is not None:
            write_atomically(ground.node.folder / AGREEMENTS / new.name, new.read_bytes())
        if ground.node.party not in ground.standing(agreement).signed_by:
            body = kinds.AgreementSigned(agreement.id, agreement.hash, ground.node.party, by)
            open_store(ground.node.folder / "records").append(body.KIND, body.to_body(), key, recorded_at)
    signed = open_ground(folder)
    return Listed(agreement, signed.standing(agreement), _doubtful(signed, agreement, today))


def _doubtful(ground: Ground, agreement: Agreement, today: date) -> tuple[Finding, ...]:
    """What is doubtful in an agreement: by itself, for its animals, and beside those that may still be used."""
    others = (other for other in ground.agreements.values() if _is_open(ground, other, today))
    cells = about_cells(agreement, ground.node)
    return (
        *lint(agreement, today),
        *cells,
        *(lint_beside(agreement, others) if _is_open(ground, agreement, today) else ()),
    )


def _is_open(ground: Ground, agreement: Agreement, today: date) -> bool:
    """Whether an agreement holds, or may still come to hold."""
    return today <= agreement.valid.end and not ground.standing(agreement).revoked


def revoke(
    folder: Path | str, wanted: str, *, reason: str, by: str, recorded_at: str, passphrase: Passphrase = None
) -> Agreement:
    """End an agreement now. Nothing leaves or is opened under it any more; copies that were given stay given.

    Raises InputError and AgreementError if the node has no such agreement, or is no party to it.
    """
    ground = open_ground(folder)
    agreement = ground.agreement(wanted)
    if ground.node.party not in agreement.parties:
        facts = {"agreement": agreement.id, "party": ground.node.party, "parties": ", ".join(agreement.parties)}
        raise AgreementError([Finding("agreement-not-ours", facts)])
    key = ground.signing_key(passphrase)
    with writing(ground.node.folder):
        body = kinds.Revocation(agreement.id, agreement.hash, reason, by)
        open_store(ground.node.folder / "records").append(body.KIND, body.to_body(), key, recorded_at)
    return agreement


def _wanted(ground: Ground, wanted: str) -> tuple[Agreement, Path | None]:
    """The agreement that is meant, and its file where that is not in the node yet."""
    path, own = Path(wanted), ground.node.folder / AGREEMENTS
    if path.suffix != ".toml" or not path.is_file() or path.resolve().parent == own.resolve():
        return ground.agreement(path.name if path.suffix == ".toml" else wanted), None
    agreement = read_agreement(path)
    found = about_agreement(agreement, ground.node)
    known = ground.agreements.get(agreement.id)
    if known is not None and known.hash != agreement.hash:
        found.append(Finding("agreement-other-text", {"agreement": agreement.id, "file": known.file}, Where(path.name)))
    if known is None and (ground.node.folder / AGREEMENTS / path.name).exists():
        found.append(Finding("agreement-file-taken", {"file": path.name}, Where(path.name)))
    if found:
        raise InputError(found)
    return agreement, path if known is None else None


def answer_revocation(
    folder: Path | str, wanted: str, *, what: str, by: str, recorded_at: str, passphrase: Passphrase = None
) -> int:
    """Say what was done about a partner's revocation of an agreement ("deleted on 3 March"); how many were answered.

    Raises InputError and AgreementError if the node has no such agreement, or nobody else revoked it.
    """
    ground = open_ground(folder)
    agreement = ground.agreement(wanted)
    theirs = [
        record
        for record, _ in folds.revocations(ground.node.records, agreement, ground.trusted)
        if record.author_key not in ground.own_keys
    ]
    if not theirs:
        raise AgreementError([Finding("agreement-not-revoked", {"agreement": agreement.id})])
    key = ground.signing_key(passphrase)
    with writing(ground.node.folder):
        receipts = [kinds.Receipt(of=record.id, by=by, what=what) for record in theirs]
        open_store(ground.node.folder / "records").append_all(receipts, key, recorded_at)
    return len(receipts)
