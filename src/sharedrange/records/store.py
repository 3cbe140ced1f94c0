"""Chains on disk: append confirms after lock, write and fsync; import takes in what another node holds."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sharedrange.core.canonical import Json, canonical, read_canonical
from sharedrange.core.errors import InputError
from sharedrange.core.files import clear_unfinished, sync, write_atomically
from sharedrange.core.finding import Finding, Where
from sharedrange.records.keys import Key, fingerprint
from sharedrange.records.kinds import Body, read_body
from sharedrange.records.lock import exclusive, shared
from sharedrange.records.record import Record, next_after, read_line, shape_of, time_finding
from sharedrange.records.recordset import SUFFIX, RecordSet, chain_file, from_files, lines, merge, sound_length

_LOCK = ".lock"
_SET_ASIDE = "set-aside"

_Item = tuple[str, Mapping[str, Json]]  # kind, body


@dataclass(frozen=True, slots=True)
class Store:
    """The folder of a node's records: one file a key. Reading writes nothing, not even the folder."""

    folder: Path

    def append(self, kind: str, body: Mapping[str, Json], key: Key, recorded_at: str) -> Record:
        """The next record in the chain of `key`; when this returns, it is on the disk.

        Processes that append at once wait for each other. Raises InputError, and writes nothing, if the kind
        is unknown, the body breaks its kind's rules, `recorded_at` is no UTC time, the chain's last record is
        damaged, or the disk does not take it.
        """
        return self._append([(kind, body)], key, recorded_at)[0]

    def append_all(self, bodies: Iterable[Body], key: Key, recorded_at: str) -> tuple[Record, ...]:
        """Several records, confirmed together; see `append`. A crash may leave the first of them, in order."""
        return self._append([(body.KIND, body.to_body()) for body in bodies], key, recorded_at)

    def read(self) -> RecordSet:
        """All records, verified, with everything that is wrong. Raises InputError if a file cannot be opened."""
        with shared(self.folder / _LOCK):
            return self._read()

    def take_in(self, theirs: RecordSet) -> None:
        """Write the union of both for every key that they hold; each chain's file is replaced whole.

        Raises InputError if a file cannot be opened or written.
        """
        with _writing(self.folder / _LOCK), exclusive(self.folder / _LOCK):
            union = merge(self._read(), theirs)
            for key in theirs.authors():
                self._replace(self.folder / chain_file(key), lines(union.of(key)))

    def clear_unfinished(self) -> None:
        """Take away what writers of this folder that were killed left half-written; no line of a chain."""
        if self.folder.is_dir():
            with exclusive(self.folder / _LOCK):
                clear_unfinished(self.folder)

    def _append(self, items: Sequence[_Item], key: Key, recorded_at: str) -> tuple[Record, ...]:
        settled = _checked(items, recorded_at)
        path = self.folder / chain_file(key.id)
        with _writing(path), exclusive(self.folder / _LOCK):
            content = path.read_bytes() if path.exists() else b""
            sound = sound_length(content)
            records = _chain(_last(content[:sound], path, key), settled, key, recorded_at)
            self._set_aside(path, content[sound:])
            _write_at(path, sound, lines(records))
        return tuple(records)

    def _read(self) -> RecordSet:
        try:
            files = {path.name: path.read_bytes() for path in self._paths()}
        except OSError as error:
            raise _unreadable(self.folder, error) from error
        return from_files(files, self.folder.name)

    def _paths(self) -> list[Path]:
        """Files of chains; hidden ones are somebody's half-written copies."""
        if not self.folder.exists():
            return []
        files = (path for path in self.folder.iterdir() if path.suffix == SUFFIX and not path.name.startswith("."))
        return sorted(path for path in files if path.is_file())

    def _replace(self, path: Path, content: bytes) -> None:
        current = path.read_bytes() if path.exists() else b""
        if current != content:
            kept = {_hidden(line) for line in content.splitlines(keepends=True)}
            lost = [line for line in current.splitlines(keepends=True) if _hidden(line) not in kept]
            self._set_aside(path, b"".join(lost))
            write_atomically(path, content)

    def _set_aside(self, path: Path, content: bytes) -> None:
        """Keep bytes that leave a chain's file, for a person to look at: nothing is ever thrown away."""
        if content:
            name = f"{path.stem}-{hashlib.sha256(content).hexdigest()[:16]}.txt"
            write_atomically(self.folder / _SET_ASIDE / name, content)


def open_store(folder: Path | str) -> Store:
    """The records in `folder`, which need not exist yet. Raises InputError if it is no folder."""
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(
            [Finding("records-unreadable", {"problem": os.strerror(errno.ENOTDIR)}, Where(file=folder.name))]
        )
    return Store(folder)


def import_records(store: Store, other_folder: Path | str) -> RecordSet:
    """Take into `store` the sound records of another node's folder; everything that both hold, with findings.

    A longer chain extends ours; a chain that went another way stands beside ours, and the fork is a finding.
    Lines that are not sound are not taken. A chain of ours that is damaged is mended where theirs is sound.
    Raises InputError if `other_folder` cannot be read.
    """
    other = Path(other_folder)
    if not other.is_dir():
        raise InputError(
            [Finding("records-unreadable", {"problem": os.strerror(errno.ENOENT)}, Where(file=other.name))]
        )
    theirs = open_store(other).read()
    if len(theirs):
        store.take_in(theirs)
    return merge(store.read(), theirs)


def _checked(items: Sequence[_Item], recorded_at: str) -> list[_Item]:
    """The items as a reader will see them. Raises InputError with what is wrong in any."""
    time = time_finding(recorded_at)
    findings = [time] if time else []
    settled = []
    for row, (kind, body) in enumerate(items, start=1):
        where = Where(table=kind, row=row if len(items) > 1 else None)
        try:
            settled.append((kind, read_canonical(canonical(body))))
            read_body(kind, settled[-1][1], where)
        except (ValueError, TypeError) as error:
            findings.append(Finding("record-not-json", {"kind": kind, "problem": str(error)}, where))
        except InputError as error:
            findings += error.findings
    if findings:
        raise InputError(findings)
    return settled


def _last(content: bytes, path: Path, key: Key) -> Record | None:
    """The record that the next one follows. Raises InputError if it does not verify, or is another key's."""
    if not content:
        return None
    where = Where(file=f"{path.parent.name}/{path.name}", row=content.count(b"\n"))
    start = content.rfind(b"\n", 0, len(content) - 1) + 1
    found = read_line(content[start:-1], where)
    if isinstance(found, Record) and found.author_key != key.id:
        found = Finding("record-wrong-file", {"key": fingerprint(found.author_key)}, where)
    if isinstance(found, Finding):
        raise InputError([found])
    return found


def _chain(last: Record | None, items: Sequence[_Item], key: Key, recorded_at: str) -> list[Record]:
    """The records of `items`, each after the one before, the first after `last`."""
    records: list[Record] = []
    for kind, body in items:
        last = next_after(last, kind, body, key, recorded_at)
        records.append(last)
    return records


def _hidden(line: bytes) -> bytes:
    """A record's line as it stands hidden, which is the same when it is shown; any other line as it is."""
    record = shape_of(line.rstrip(b"\n"))
    return line if record is None else record.hide().line() + b"\n"


def _write_at(path: Path, length: int, content: bytes) -> None:
    """Cut `path` to `length`, add `content` and flush all of it to the disk; the old length again if that fails."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.ftruncate(handle, length)
        os.lseek(handle, length, os.SEEK_SET)
        _write_all(handle, content)
        os.fsync(handle)
        for folder in (path.parent, path.parent.parent):  # the entries of a new file and of its new folder
            sync(folder)
    except BaseException:
        os.ftruncate(handle, length)
        raise
    finally:
        os.close(handle)


def _write_all(handle: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(handle, rest) :]


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """What the system says against writing becomes a finding."""
    try:
        yield
    except OSError as error:
        where = Where(file=f"{path.parent.name}/{path.name}")
        problem = error.strerror or type(error).__name__
        raise InputError([Finding("record-not-written", {"problem": problem}, where)]) from error


def _unreadable(folder: Path, error: OSError) -> InputError:
    name = Path(error.filename).name if isinstance(error.filename, str) else folder.name
    return InputError([Finding("records-unreadable", {"problem": error.strerror or ""}, Where(file=name))])
