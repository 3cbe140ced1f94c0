"""Which files the store holds at a moment: one manifest a generation, and a pointer to the one that counts.

Files never change. An import writes new ones, then a manifest that names them, then replaces the pointer: a
reader sees the store before or after, never a part. A reader holds a shared lock on its manifest, so that a
writer does not clear away files that are still being read.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sharedrange.core.canonical import canonical, digest
from sharedrange.core.errors import InputError
from sharedrange.core.files import sync, write_atomically
from sharedrange.core.finding import Finding, Where

CURRENT = "current"
GENERATIONS = "generations"
LOCK = ".lock"
STAGING = ".staging"
FORMAT = 2
Key = tuple[str, str, str]  # party, dataset, hash of the bytes
_TRIES = 100  # a reader meets a writer's clearing at most a few times; more is a defect


@dataclass(frozen=True, slots=True)
class Part:
    """One file: `table`, `year` of its rows, `path` relative to the store, how many rows, and its hash."""

    table: str
    year: int
    path: str
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Import:
    """One delivery in the store.

    `source` is the hash of its bytes; `facts` what it says beside its tables; `reader` names the code that read it.
    """

    source: str
    party: str
    dataset: str
    facts: Mapping[str, Any]
    parts: tuple[Part, ...]
    reader: str = ""

    @property
    def key(self) -> Key:
        """What tells it from other imports: two parties may deliver the same bytes."""
        return self.party, self.dataset, self.source

    def paths(self, root: Path, table: str) -> list[Path]:
        """Its files of one table."""
        return [root / part.path for part in self.parts if part.table == table]


@dataclass(frozen=True, slots=True)
class Generation:
    """All that the store holds at a moment."""

    number: int = 0
    imports: tuple[Import, ...] = field(default=())

    def after(self, *new: Import, without: Iterable[Key] = ()) -> Generation:
        """The next generation: new deliveries more, and those of the keys `without` less."""
        gone = {*without, *(i.key for i in new)}
        kept = (i for i in self.imports if i.key not in gone)
        return Generation(self.number + 1, tuple(sorted((*kept, *new), key=lambda i: i.key)))

    def find(self, key: Key) -> Import | None:
        """The delivery with this key."""
        return next((known for known in self.imports if known.key == key), None)

    def paths(self) -> set[str]:
        """Every file that it names."""
        return {part.path for known in self.imports for part in known.parts}


@contextmanager
def reading(folder: Path) -> Iterator[Generation]:
    """The generation that counts now; its files stay until the block ends."""
    for _ in range(_TRIES):
        name = _pointer(folder)
        if name is None:
            yield Generation()
            return
        try:
            handle = (folder / GENERATIONS / name).open("rb")
        except FileNotFoundError:
            if _pointer(folder) == name:
                raise damaged(f"{GENERATIONS}/{name}") from None
            continue
        with handle:
            fcntl.flock(handle, fcntl.LOCK_SH)
            if (folder / GENERATIONS / name).exists():  # else cleared away between finding and locking it
                yield _parsed(handle.read(), name)
                return
    raise damaged(CURRENT)


@contextmanager
def writing(folder: Path) -> Iterator[Generation]:
    """The generation that counts, for the one writer; others wait. What crashed imports left is cleared away."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        name = _pointer(folder)
        now = Generation() if name is None else _read(folder, name)
        _clear(folder, now, name)
        yield now


def forget(folder: Path) -> None:
    """Make an empty generation the one that counts, whatever is damaged; the next writer clears the files away."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        numbers = [int(f.stem) for f in (folder / GENERATIONS).glob("*.json") if f.stem.isdigit()]
        commit(folder, Generation(max(numbers, default=0) + 1), {})


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A folder for files that do not count yet; gone afterwards."""
    place = folder / STAGING
    place.mkdir()
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def commit(folder: Path, generation: Generation, staged: Mapping[str, Path]) -> None:
    """Put files in their places, then make `generation` the one that counts. `staged`: path in the store -> file."""
    for name, file in staged.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        sync(file)
        file.replace(place)
    for parent in {above for name in staged for above in (folder / name).parents if above.is_relative_to(folder)}:
        sync(parent)
    name = f"{generation.number:08d}.json"
    held = asdict(generation)
    content = canonical({"format": FORMAT, "digest": digest(held), "generation": held})
    write_atomically(folder / GENERATIONS / name, content + b"\n")
    write_atomically(folder / CURRENT, name.encode())


def damaged(path: str) -> InputError:
    """The error for a file of the store that is missing or not what it should be."""
    return InputError([Finding("store-damaged", {"path": path}, Where(file=f"store/{path}"))])


def _pointer(folder: Path) -> str | None:
    try:
        return (folder / CURRENT).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except ValueError:
        raise damaged(CURRENT) from None


def _read(folder: Path, name: str) -> Generation:
    try:
        return _parsed((folder / GENERATIONS / name).read_bytes(), name)
    except OSError:
        raise damaged(f"{GENERATIONS}/{name}") from None


def _parsed(content: bytes, name: str) -> Generation:
    try:
        whole = json.loads(content)
        given = whole["generation"]
        is_sound = whole["format"] == FORMAT and whole["digest"] == digest(given)
        imports = tuple(Import(**{**known, "parts": _parts(known["parts"])}) for known in given["imports"])
        generation = Generation(int(given["number"]), imports)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise damaged(f"{GENERATIONS}/{name}") from None
    if not is_sound:
        raise damaged(f"{GENERATIONS}/{name}")
    return generation


def _parts(given: list[dict[str, Any]]) -> tuple[Part, ...]:
    return tuple(Part(**part) for part in given)


def _clear(folder: Path, now: Generation, name: str | None) -> None:
    """Remove what nobody counts on: staging of crashed imports, files that no generation in use names."""
    shutil.rmtree(folder / STAGING, ignore_errors=True)
    needed = now.paths()
    for manifest in sorted((folder / GENERATIONS).glob("*.json")):
        if manifest.name != name and (kept := _still_read(manifest)) is not None:
            needed |= kept.paths()
    for file in folder.glob("*/party=*/dataset=*/year=*/*"):
        if file.relative_to(folder).as_posix() not in needed:
            file.unlink()
    for level in ("*/party=*/dataset=*/year=*", "*/party=*/dataset=*", "*/party=*"):
        for empty in folder.glob(level):
            if not any(empty.iterdir()):
                empty.rmdir()


def _still_read(manifest: Path) -> Generation | None:
    """An older generation if somebody reads it; else its manifest is removed."""
    with manifest.open("rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _parsed(handle.read(), manifest.name)
        manifest.unlink()
    return None
