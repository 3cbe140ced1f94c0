"""One party's node: whose it is, its programme, what was delivered and received, what people decided."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sharedrange.assessment.masking import Hidden, about_absent, masked_finding, read_hidden, untold
from sharedrange.assessment.programme import Programme, read_node
from sharedrange.assessment.superseding import release_of, without_superseded
from sharedrange.core.audience import Audience
from sharedrange.core.errors import InputError
from sharedrange.core.files import clear_unfinished, folder_hash
from sharedrange.core.finding import Finding, Severity, Where, errors
from sharedrange.core.ledger import Source
from sharedrange.exchange.manifest import verify_manifest
from sharedrange.exchange.opening import open_path, shown
from sharedrange.records import RecordSet, open_store
from sharedrange.sharing import kinds as _kinds  # noqa: F401  (records of sharing are known wherever a node is)

OWN = "own"
RECEIVED = "received"
RECORDS, WORK = "records", "work"


@dataclass(frozen=True, slots=True)
class Delivered:
    """A folder that a party delivered: its own (`own/<dataset>`) or received (`received/<party>/<dataset>`).

    Of a hidden one `path` alone has the true name: it is for reading, and nothing of it is ever told.
    """

    path: Path
    party: str
    dataset: str
    source: Source
    audience: Audience = Audience()
    is_hidden: bool = False

    @property
    def is_own(self) -> bool:
        """Whether the node's party delivered it itself."""
        return self.source.path.startswith(OWN)


@dataclass(frozen=True, slots=True)
class OpenNode:
    """A node, opened: everything that was verified without reading a delivery's tables."""

    folder: Path
    party: str
    keys: Path
    programme: Programme
    deliveries: tuple[Delivered, ...]
    records: RecordSet
    findings: tuple[Finding, ...]
    superseded: tuple[
        Delivered, ...
    ] = ()  # releases whose place a newer one took: they lie here, and nobody reads them
    reader: str = ""  # for whom it is assessed, where that is not the node's own party

    def for_reader(self, reader: str) -> OpenNode:
        """The node as `reader` may see it: without the deliveries that are not for them, and what is known of them.

        Findings name folders and files of the node: of those another reader gets none, but for errors, which stop it.
        """
        if reader == self.party:
            return replace(self, reader="")
        seen = tuple(delivered for delivered in self.deliveries if delivered.audience.holds(reader))
        return replace(self, deliveries=seen, superseded=(), findings=tuple(errors(self.findings)), reader=reader)

    @property
    def work(self) -> Path:
        """Derived things, safe to delete."""
        return self.folder / WORK

    @property
    def assessment(self) -> Path:
        """Where reports and data products go; those for another reader lie apart."""
        return self.folder / (f"assessment-for-{self.reader}" if self.reader else "assessment")


def open_node(folder: Path | str) -> OpenNode:
    """Open the node in `folder`.

    Raises ProgrammeError if node.toml or programme.toml is wrong, InputError if a package is not what its
    manifest says, or a delivery lies outside the node or cannot be opened; each with every finding at once.
    """
    folder = Path(folder)
    node = read_node(folder)
    hidden = read_hidden(folder)
    with told(folder):
        places, findings = _delivery_places(folder, node.party, {p.id for p in node.programme.parties}, hidden)
        if errors(findings):
            raise InputError(findings)
        deliveries = tuple(_delivered(folder, place, party, node.party, hidden) for place, party in places)
    findings += about_absent(hidden, (delivered.dataset for delivered in deliveries if delivered.is_hidden))
    records = open_store(folder / RECORDS).read()
    kept, superseded, about = without_superseded(deliveries, records)
    found = (*findings, *about, *records.findings)
    return OpenNode(folder, node.party, node.keys, node.programme, kept, records, found, superseded=superseded)


def _delivery_places(
    folder: Path, own: str, parties: set[str], hidden: Hidden
) -> tuple[list[tuple[Path, str]], list[Finding]]:
    """Folders with a delivery, with the party that delivered each, and what is wrong with how they lie."""
    places = [(place, own) for place in _folders(folder / OWN)]
    findings = [*_loose_files(folder, folder / OWN), *_loose_files(folder, folder / RECEIVED)]
    for sender in _folders(folder / RECEIVED):
        if sender.name not in parties:
            findings.append(Finding("received-from-stranger", {"party": sender.name}, Where(file=RECEIVED)))
        findings += _loose_files(folder, sender)
        places += [(place, sender.name) for place in _folders(sender)]
    for place, _ in places:
        findings += _about_place(folder, place, hidden)
    return places, findings


def _folders(parent: Path) -> list[Path]:
    """Folders in `parent` in order of name; hidden ones do not count."""
    if not parent.is_dir():
        return []
    return sorted(p for p in parent.iterdir() if p.is_dir() and not p.name.startswith("."))


def _loose_files(folder: Path, parent: Path) -> list[Finding]:
    """A warning for each file beside the folders of deliveries: a delivery is a folder, so nobody reads it."""
    if not parent.is_dir():
        return []
    loose = sorted(p.name for p in parent.iterdir() if not p.is_dir() and not p.name.startswith("."))
    place = parent.relative_to(folder).as_posix()
    return [
        Finding("loose-file", {"path": shown(f"{place}/{name}"), "place": place}, Where(place), Severity.WARNING)
        for name in loose
    ]


def _about_place(folder: Path, place: Path, hidden: Hidden) -> list[Finding]:
    if not _is_hidden(folder, place, hidden):
        return _wrong_place(folder, place)
    name = _path_told(folder, place, hidden)
    with untold(name):
        return [masked_finding(finding, name) for finding in _wrong_place(folder, place)]


def _wrong_place(folder: Path, place: Path) -> list[Finding]:
    """What makes a delivery unsafe to open, or other than its manifest says; found before any table is read."""
    name = place.relative_to(folder).as_posix()
    if not place.resolve().is_relative_to(folder.resolve()):
        return [Finding("path-escapes", {"path": shown(name)}, Where(file=shown(name)))]
    _, found = open_path(place)
    if not found and name.startswith(RECEIVED):
        found = list(verify_manifest(place))
    return [replace(f, where=replace(f.where, file=_in_node(name, place, f.where.file))) for f in found]


def _in_node(name: str, place: Path, file: str | None) -> str:
    """The place in the node that a finding about a delivery points to; the delivery itself goes by its name."""
    return shown(name if file in (None, place.name) else f"{name}/{file}")


def _is_hidden(folder: Path, place: Path, hidden: Hidden) -> bool:
    return place.parent == folder / OWN and hidden.holds(place.name)


def _path_told(folder: Path, place: Path, hidden: Hidden) -> str:
    """Where a delivery lies, as it is told: under another name if it is hidden."""
    if _is_hidden(folder, place, hidden):
        return f"{OWN}/{hidden.name(place.name)}"
    return place.relative_to(folder).as_posix()


def _delivered(folder: Path, place: Path, party: str, own: str, hidden: Hidden) -> Delivered:
    released, is_hidden = release_of(place), _is_hidden(folder, place, hidden)
    path = _path_told(folder, place, hidden)
    name = hidden.name(place.name) if is_hidden else place.name
    under = str(released.get("agreement", {}).get("id", ""))
    with untold(path if is_hidden else ""):
        source = Source(party, name, path, folder_hash(place), under)
    return Delivered(place, party, name, source, _audience(party, own, released), is_hidden)


def _audience(party: str, own: str, released: Mapping[str, Any]) -> Audience:
    """Who may see a delivery: its owner and this node, and those to whom the agreement lets it be handed on."""
    if released.get("onward") == "public":
        return Audience()
    onward = [str(one) for one in released.get("onward_to", ())] if released.get("onward") == "listed" else []
    return Audience.of(party, own, *onward)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Hold the node's one writer lock, and clear what writers that were killed left.

    Raises InputError if someone else is writing, or the disk is full.
    """
    lock = folder / WORK / ".lock"
    with told(folder):
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError([Finding("node-busy", {"node": folder.name}, severity=Severity.ERROR)]) from None
            _clear(folder)
            yield


def _clear(folder: Path) -> None:
    """Clear what is unfinished, but for `own/`, which is its owner's alone, and `work/`, where readers write too."""
    for place in sorted(folder.iterdir()):
        if place.name == RECORDS:
            open_store(place).clear_unfinished()
        elif place.is_dir() and not place.is_symlink() and place.name not in (OWN, WORK):
            clear_unfinished(place)


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """What the system says against reading or writing in `folder` becomes a finding of an InputError."""
    try:
        yield
    except OSError as error:
        name = Path(error.filename).name if isinstance(error.filename, str) else folder.resolve().name
        facts = {"path": shown(name), "problem": error.strerror or str(error)}
        raise InputError([Finding("system-refused", facts, Where(file=shown(folder.name)))]) from error
