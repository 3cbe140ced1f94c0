"""The files of a delivery as they came: put into its folder unchanged, copied or linked, each with its hash."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from sharedrange.core.files import sha256_of
from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.core.progress import Progress, silent
from sharedrange.exchange.delivery import FILE_NAME
from sharedrange.exchange.manifest import MANIFEST
from sharedrange.exchange.opening import Opened, open_path, shown

SUMS = "SHA256SUMS"  # as `sha256sum --check` reads it
NOT_RAW = frozenset({SUMS, FILE_NAME, MANIFEST})  # what a node writes beside the files
ARCHIVE = ".zip"


def put(files: Sequence[Path], folder: Path, progress: Progress) -> list[Finding]:
    """Copy files, folders and the contents of zip archives into `folder`; what makes them unsafe is a finding.

    Names are kept: those of a folder or an archive from its top, a file under its own name.
    """
    found: list[Finding] = []
    opened: list[tuple[Opened, list[str]]] = []
    for file in files:
        there, names, more = _opened(file)
        found += more
        if there is not None:
            opened.append((there, names))
    found += _twice([name for _, names in opened for name in names])
    if found:
        return found
    total = sum(there.sizes[name] for there, names in opened for name in names) or 1
    done = 0
    for there, names in opened:
        for name in names:
            found += _copy(there, name, folder / name)
            done += there.sizes[name]
            progress(min(done / total, 1.0))
    return found


def link(source: Path, folder: Path) -> list[Finding]:
    """Links in `folder` to what lies in the folder `source`, which stays where it is."""
    opened, found = open_path(source)
    if opened is None:
        return found
    for name in sorted({name.partition("/")[0] for name in opened.sizes}):
        (folder / name).symlink_to(source.resolve() / name)
    return []


def sums(folder: Path, progress: Progress) -> str:
    """The hash of every file of a folder, a line each in the order of names; links are followed."""
    opened, _ = open_path(folder)
    sizes = {} if opened is None else opened.sizes
    total, done, lines = sum(sizes.values()) or 1, 0, []
    for name in sorted(sizes):
        lines.append(f"{sha256_of(folder / name)}  {name}\n")
        done += sizes[name]
        progress(min(done / total, 1.0))
    return "".join(lines)


def hashes(folder: Path) -> tuple[str, ...]:
    """The hashes of the files as delivered, sorted: as they were when they were taken, or as they are."""
    try:
        listed = _listed((folder / SUMS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        listed = _listed(sums(folder, silent))
    return tuple(sorted(digest for name, digest in listed.items() if name not in NOT_RAW))


def changed(folder: Path, progress: Progress = silent) -> tuple[Finding, ...]:
    """A warning for each file of a taken delivery that is not as it was when it was taken.

    Files left in place can change without a word; reading them all again takes as long as hashing did.
    """
    try:
        was = _listed((folder / SUMS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return (_about("taken-file-missing", SUMS),)
    now = _listed(sums(folder, progress))
    return (
        *(_about("taken-file-missing", name) for name in sorted(was.keys() - now.keys())),
        *(_about("taken-file-added", name) for name in sorted(now.keys() - was.keys() - NOT_RAW)),
        *(_about("taken-file-changed", name) for name in sorted(was.keys() & now.keys()) if was[name] != now[name]),
    )


def _listed(text: str) -> dict[str, str]:
    """Name -> hash of the lines of `sums`. Raises ValueError for others."""
    return {name: digest for digest, name in (line.split("  ", 1) for line in text.splitlines())}


def _about(rule: str, name: str) -> Finding:
    return Finding(rule, {"path": shown(name)}, Where(file=shown(name)), Severity.WARNING)


def _opened(file: Path) -> tuple[Opened | None, list[str], list[Finding]]:
    """Where files come from, and their names there. A single file is opened as its folder with one name."""
    if file.is_file() and file.suffix.lower() != ARCHIVE:
        return Opened(file.parent, {file.name: file.stat().st_size}, _no_fetch), [file.name], []
    opened, found = open_path(file)
    return opened, [] if opened is None else [name for name in sorted(opened.sizes) if name != SUMS], found


def _no_fetch(name: str, _limit: int) -> bytes:
    raise OSError(f"{name} is copied, not read")


def _twice(names: Sequence[str]) -> Iterator[Finding]:
    for name in sorted({name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else ()):
        yield Finding("take-name-twice", {"path": shown(name)}, Where(file=shown(name)))


def _copy(opened: Opened, name: str, to: Path) -> list[Finding]:
    to.parent.mkdir(parents=True, exist_ok=True)
    if opened.path.is_dir():
        shutil.copyfile(opened.path / name, to)
        return []
    content, found = opened.read(name, opened.sizes[name])
    if content is not None:
        to.write_bytes(content)
    return found
