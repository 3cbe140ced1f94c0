"""A package from somebody else: looked at, and taken in if everything about it is right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sharedrange.assessment.node import RECEIVED, told, writing
from sharedrange.assessment.sharing.ground import KEY, Ground, folder_of, open_ground
from sharedrange.core.errors import AgreementError, InputError
from sharedrange.core.files import folder_in_place, write_into
from sharedrange.core.finding import Finding, Where
from sharedrange.exchange.manifest import write_manifest
from sharedrange.records import Passphrase, open_store
from sharedrange.sharing import kinds
from sharedrange.sharing.release import Standing
from sharedrange.sharing.sealing import CHAIN, Expected, Package, refusals, unseal

_FORMAT = "released"


@dataclass(frozen=True, slots=True)
class Received:
    """A package that was looked at, and where it was taken in (None: it was not)."""

    package: Package
    folder: Path | None = None
    again: bool = False


def verify_package(folder: Path | str, file: Path, *, on: date, passphrase: Passphrase = None) -> Received:
    """Everything about a package that can be checked here; nothing is written.

    Raises InputError if the package is not whole or not sealed for this node, AgreementError with every reason why it
    may not be opened.
    """
    ground = open_ground(folder)
    return Received(_verified(ground, file, on, passphrase))


def open_package(
    folder: Path | str, file: Path, *, on: date, recorded_at: str, passphrase: Passphrase = None
) -> Received:
    """Take a package in: its tables into ``received/<owner>/``, its sender's records to ours, and a record of it.

    Everything is verified before anything is written, and the folder appears whole or not at all. A package that was
    taken in by a run that stopped before its record was written gets its record.
    Raises as `verify_package`.
    """
    ground = open_ground(folder)
    package = _verified(ground, file, on, passphrase)
    key = ground.signing_key(passphrase)
    owner = package.manifest["owner"]
    name = folder_of(package.package, simulated=bool(package.manifest.get("simulated")))
    place = ground.node.folder / RECEIVED / owner / name
    again = place.exists()
    with writing(ground.node.folder), told(ground.node.folder):
        if not again:
            _write(package, place)
        store = open_store(ground.node.folder / "records")
        store.take_in(package.records)
        body = kinds.Opening(package.package, owner, str(on))
        store.append(body.KIND, body.to_body(), key, recorded_at)
    return Received(package, place, again)


def _verified(ground: Ground, file: Path, on: date, passphrase: Passphrase) -> Package:
    try:
        content = file.read_bytes()
    except OSError:
        raise InputError([Finding("no-such-path", {"path": file.name}, Where(file.name))]) from None
    package = _unsealed(ground, content, passphrase, file.name)
    agreement = ground.agreements.get(package.manifest["agreement"]["id"])
    newest = ground.with_records(package.records)
    expected = Expected(
        party=ground.node.party,
        agreement=agreement,
        standing=Standing() if agreement is None else newest.standing(agreement),
        trusted=newest.trusted,
        records=ground.node.records,
        opened=ground.opened,
        on=on,
    )
    if found := refusals(package, expected):
        raise AgreementError(found)
    return package


def _unsealed(ground: Ground, content: bytes, passphrase: Passphrase, name: str) -> Package:
    """The package, opened with the identity that it was sealed for: the present one, or one from before."""
    names = [KEY, *sorted(path.stem for path in ground.node.keys.glob(f"{KEY}-until-*.age"))]
    closed: InputError | None = None
    for identity in names:
        try:
            return unseal(content, ground.keys.identity(identity, passphrase).secret)
        except InputError as error:
            if [finding.rule for finding in error.findings] != ["package-closed"]:
                raise
            closed = closed or error
    assert closed is not None  # noqa: S101  (there is always one name to try)
    raise InputError([Finding(f.rule, f.facts, Where(name)) for f in closed.findings])


def _write(package: Package, place: Path) -> None:
    """The package's tables as a delivery: with what says how to read them, and a manifest of hashes."""
    owner = package.manifest["owner"]
    with folder_in_place(place) as new:
        write_into(new, {name: content for name, content in package.files.items() if name != CHAIN})
        (new / "delivery.toml").write_text(f'party = "{owner}"\nformat = "{_FORMAT}"\n', encoding="utf-8")
        write_manifest(new, owner)
