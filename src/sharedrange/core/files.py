"""Files that are whole or absent: temporary name, fsync, rename."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

_CHUNK = 1 << 20
_UNFINISHED = ".writing-"  # how the names of what is being written begin; hidden, so that nobody reads it
_RETIRED = re.compile(rf"{re.escape(_UNFINISHED)}(?P<name>.+)-[a-z0-9_]+-old")


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path` so that a reader sees the old bytes or the new ones, never a part."""
    write_with(path, lambda temporary: temporary.write_bytes(content))


def write_with(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in place; nothing is left if it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=_UNFINISHED, suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        sync(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
        sync(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def folder_in_place(path: Path) -> Iterator[Path]:
    """A temporary folder that replaces `path` when the block ends well, and vanishes when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f"{_UNFINISHED}{path.name}-", dir=path.parent))
    retired = temporary.with_name(temporary.name + "-old")
    try:
        yield temporary
        temporary.chmod(0o755)
        for file in temporary.rglob("*"):
            sync(file)
        if path.exists():
            path.rename(retired)
        temporary.rename(path)
        sync(path.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        if retired.exists() and not path.exists():
            retired.rename(path)
        raise
    finally:
        shutil.rmtree(retired, ignore_errors=True)


def clear_unfinished(folder: Path) -> None:
    """Take away what writers that were killed left in a folder and below. Only for who knows that nobody writes there.

    A folder that had made room for a new one goes back where the new one never came. Links are not followed, and what
    the system does not let go of stays.
    """
    for place, folders, files in os.walk(folder):
        for name in filter(_is_unfinished, (*files, *folders)):
            with suppress(OSError):
                _clear(Path(place, name))
        folders[:] = [name for name in folders if not _is_unfinished(name)]


def _is_unfinished(name: str) -> bool:
    return name.startswith(_UNFINISHED)


def _clear(path: Path) -> None:
    retired = _RETIRED.fullmatch(path.name)
    if path.is_symlink() or not path.is_dir():
        path.unlink()
    elif retired and not (home := path.with_name(retired["name"])).exists():
        path.rename(home)
    else:
        shutil.rmtree(path)


def write_into(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder, by their names relative to it with ``/`` between folders, which are made."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def sync(path: Path) -> None:
    """Flush a file or a folder's entries to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    total = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()


def folder_hash(path: Path) -> str:
    """Hash of a file or a folder: sorted (NFC relative path, sha256) lines. Hidden files do not count."""
    if path.is_file():
        return sha256_of(path)
    lines = sorted(
        f"{unicodedata.normalize('NFC', file.relative_to(path).as_posix())}\0{sha256_of(file)}"
        for file in path.rglob("*")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
