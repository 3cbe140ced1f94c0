"""The safe opening of what partners bring: folders and zip archives, bytes and text.

Nothing is unpacked to the disk: a member is read into memory up to a limit, so no archive can write outside a
folder or fill it. What cannot be read is a finding, never another exception. Hidden files are not read, as
they do not count in the hash of a folder.
"""

from __future__ import annotations

import codecs
import gzip
import io
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sharedrange.core.finding import Fact, Finding, Where

MIB = 1 << 20
MAX_FILES = 200_000  # files of a folder, members of an archive
MAX_TABLE_BYTES = 512 * MIB  # one text table; about two million rows of a media table, fits an 8 GB laptop
MAX_UNPACKED_BYTES = 16_384 * MIB  # what an archive says it would become
MAX_RATIO = 250  # unpacked to packed; text tables stay under 50, deflate's own limit is 1032
RATIO_MATTERS_FROM_BYTES = MIB  # a small file of blanks may shrink a lot and harm nobody
SHOWN_LENGTH = 80
IN_PLACE = ".in-place"  # beside a delivery: a file of its name holds the folder that its links may lead to

ENCODINGS = (
    *("utf-8", "utf-16", "utf-16-le", "utf-16-be", "ascii", "latin-1", "iso8859-5", "iso8859-15"),
    *("windows-1250", "windows-1251", "windows-1252", "koi8-r", "cp866", "mac-cyrillic"),
    *("gb2312", "gbk", "gb18030", "big5", "shift_jis", "cp932", "euc-jp", "euc-kr", "cp949"),
)
_CODECS = {codecs.lookup(name).name: name for name in ENCODINGS}
_CANNOT_READ = (
    *(OSError, EOFError, RuntimeError, NotImplementedError, ValueError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
)
_SIGNATURE_OF_ZIP = b"PK"


@dataclass(frozen=True, slots=True)
class Opened:
    """A folder or an archive whose names have been checked. `sizes`: name (POSIX, relative) -> bytes."""

    path: Path
    sizes: Mapping[str, int]
    fetch: Callable[[str, int], bytes]

    @property
    def is_folder(self) -> bool:
        """Whether this is a folder, not an archive."""
        return self.path.is_dir()

    def read(self, name: str, limit: int = MAX_TABLE_BYTES) -> tuple[bytes | None, list[Finding]]:
        """Bytes of one file, at most `limit`; a name ending in .gz is unpacked. None if there is a finding."""
        where = Where(file=shown(name))
        if escapes(name):
            return None, [Finding("path-escapes", {"path": shown(name)}, where)]
        if name not in self.sizes:
            return None, [Finding("file-not-found", {"path": shown(name)}, where)]
        try:
            content = self.fetch(name, limit)
            if name.lower().endswith(".gz"):
                content = _gunzip(content, limit)
        except _CANNOT_READ:
            return None, [Finding("file-damaged", {"path": shown(name)}, where)]
        if len(content) > limit:
            return None, [Finding("file-too-large", {"path": shown(name), "limit_mib": limit // MIB}, where)]
        return content, []

    def head(self, name: str, size: int) -> bytes:
        """The first bytes of one file, for a guess at what it is; none if it cannot be read."""
        try:
            return self.fetch(name, size)
        except _CANNOT_READ:
            return b""

    def text(self, name: str, encoding: str, limit: int = MAX_TABLE_BYTES) -> tuple[str | None, list[Finding]]:
        """One file as text of the declared encoding. None if there is a finding."""
        content, found = self.read(name, limit)
        return (None, found) if content is None else decode(shown(name), content, encoding)


def open_path(path: Path) -> tuple[Opened | None, list[Finding]]:
    """A folder or a zip archive, its names checked. None if any of them makes it unsafe or there is nothing."""
    try:
        if path.is_dir():
            sizes, found = _folder_sizes(path)
            fetch = _from_folder(path)
        elif path.is_file():
            sizes, found = _zip_sizes(path)
            fetch = _from_zip(path)
        else:
            return None, [_about("no-such-path", path.name)]
    except _CANNOT_READ:
        return None, [_about("file-damaged", path.name)]
    if not sizes and not found:
        found = [_about("empty-folder", path.name)]
    return (None if found else Opened(path, sizes, fetch)), found


def escapes(name: str) -> bool:
    """Whether a relative name would leave its folder: absolute, drive letter, backslash, ``..`` or a NUL.

    Examples
    --------
    >>> [escapes(n) for n in ("a/b.csv", "../b.csv", "/etc/b", "C:b", "a/..", "")]
    [False, True, True, True, True, True]
    """
    return not name or name.startswith("/") or any(c in name for c in "\\\0:") or ".." in PurePosixPath(name).parts


def shown(text: str) -> str:
    """`text` as it may stand in a finding: one short printable line."""
    head = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:SHOWN_LENGTH])
    return head + ("…" if len(text) > SHOWN_LENGTH else "")


def _about(rule: str, name: str, **facts: Fact) -> Finding:
    return Finding(rule, {"path": shown(name), **facts}, Where(file=shown(name)))


def _hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


# --- folders ---


def _folder_sizes(root: Path) -> tuple[dict[str, int], list[Finding]]:
    sizes: dict[str, int] = {}
    found: list[Finding] = []
    left_at = _left_at(root)
    inside = (root.resolve(), *([left_at] if left_at else []))
    for path in _walk(root, left_at):
        name = path.relative_to(root).as_posix()
        if rule := _wrong_with(path, inside):
            found.append(_about(rule, name))
        elif path.is_file():
            sizes[name] = path.stat().st_size
        if len(sizes) > MAX_FILES:
            return {}, [_about("too-many-files", root.name, limit=MAX_FILES)]
    return sizes, found


def _walk(root: Path, left_at: Path | None = None) -> Iterator[Path]:
    """Files and links below `root`, hidden ones left out, in the order of their names.

    No link is followed but those of a delivery in place, from its folder to `left_at`, where its files were left.
    """
    for folder, folders, files in os.walk(root, onerror=_raise):
        folders[:] = sorted(name for name in folders if not _hidden(name))
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        if left_at and Path(folder) == root:
            followed = [name for name in links if (root / name).resolve().is_relative_to(left_at)]
            links = [name for name in links if name not in followed]
            yield from (path for name in followed for path in _walk(root / name))
        yield from (Path(folder) / name for name in sorted([*links, *files]) if not _hidden(name))


def _left_at(root: Path) -> Path | None:
    """The folder where the files of a delivery in place were left.

    The pointer lies beside the delivery, where nothing that comes in a package can put one.
    """
    pointer = root.parent / IN_PLACE / root.name
    return Path(pointer.read_text(encoding="utf-8")) if pointer.is_file() else None


def _raise(error: OSError) -> None:
    """A folder that may not be listed is not an empty one."""
    raise error


def _wrong_with(path: Path, inside: Sequence[Path]) -> str | None:
    """The rule that a path of a folder breaks. A pipe would make the reader wait for ever."""
    try:
        path.name.encode()
        target = path.resolve(strict=True)
        mode = target.stat().st_mode
    except UnicodeEncodeError:
        return "file-name"
    except (OSError, RuntimeError):
        return "file-damaged"
    if not any(target.is_relative_to(folder) for folder in inside):
        return "link-outside"
    return None if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else "not-a-file"


def _from_folder(root: Path) -> Callable[[str, int], bytes]:
    def fetch(name: str, limit: int) -> bytes:
        with (root / name).open("rb") as stream:
            return stream.read(limit + 1)

    return fetch


# --- archives ---


def _zip_sizes(path: Path) -> tuple[dict[str, int], list[Finding]]:
    with path.open("rb") as stream:
        if stream.read(2) != _SIGNATURE_OF_ZIP:
            return {}, [_about("not-a-delivery", path.name)]
    with zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if not info.is_dir()]
    found = [*_bomb(path, members), *_unsafe_members(members)]
    return {info.filename: info.file_size for info in members if not _hidden(info.filename)}, found


def _bomb(path: Path, members: list[zipfile.ZipInfo]) -> Iterator[Finding]:
    if len(members) > MAX_FILES:
        yield _about("too-many-files", path.name, limit=MAX_FILES)
    total = sum(info.file_size for info in members)
    inflated = total > RATIO_MATTERS_FROM_BYTES and total > MAX_RATIO * path.stat().st_size
    if inflated or total > MAX_UNPACKED_BYTES:
        yield _about("zip-bomb", path.name, unpacked_mib=total // MIB, packed_mib=path.stat().st_size // MIB)


def _unsafe_members(members: Iterable[zipfile.ZipInfo]) -> Iterator[Finding]:
    seen: set[str] = set()
    for info in members:
        name = info.filename
        if escapes(name) or escapes(info.orig_filename):
            yield _about("path-escapes", info.orig_filename)
        elif stat.S_ISLNK(info.external_attr >> 16):
            yield _about("link-in-zip", name)
        elif info.flag_bits & 0x1:
            yield _about("encrypted-member", name)
        elif name in seen:
            yield _about("duplicate-member", name)
        elif _inflates(info):
            yield _about("zip-bomb", name, unpacked_mib=info.file_size // MIB, packed_mib=info.compress_size // MIB)
        seen.add(name)


def _inflates(info: zipfile.ZipInfo) -> bool:
    return info.file_size > RATIO_MATTERS_FROM_BYTES and info.file_size > MAX_RATIO * max(info.compress_size, 1)


def _from_zip(path: Path) -> Callable[[str, int], bytes]:
    def fetch(name: str, limit: int) -> bytes:
        with zipfile.ZipFile(path) as archive, archive.open(name) as stream:
            return stream.read(limit + 1)

    return fetch


def _gunzip(content: bytes, limit: int) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
        return stream.read(limit + 1)


# --- text ---


def codec(encoding: str) -> str | None:
    """The name under which we read an encoding, or None if we do not."""
    try:
        return _CODECS.get(codecs.lookup(encoding).name)
    except (LookupError, ValueError, UnicodeError):
        return None


def unknown_encoding(encoding: str, where: Where) -> Finding:
    """The finding for an encoding that we do not read."""
    return Finding("unknown-encoding", {"encoding": shown(encoding), "known": ", ".join(ENCODINGS)}, where)


def decode(file: str, content: bytes, encoding: str) -> tuple[str | None, list[Finding]]:
    """`content` as text of the declared `encoding`, a byte order mark removed. Never guesses: None and a finding."""
    name = codec(encoding)
    if name is None:
        return None, [unknown_encoding(encoding, Where(file=file))]
    if content.startswith(codecs.BOM_UTF8):
        if name != "utf-8":
            return None, [Finding("mark-contradicts-encoding", {"encoding": name}, Where(file=file, row=1))]
        content = content.removeprefix(codecs.BOM_UTF8)
    try:
        text = content.decode(name)
    except UnicodeDecodeError as error:
        return None, [_not_encoding(file, content, name, error.start)]
    if "\0" in text:
        row = text.count("\n", 0, text.index("\0")) + 1
        return None, [Finding("nul-byte", {"count": text.count("\0")}, Where(file=file, row=row))]
    return text, []


def _not_encoding(file: str, content: bytes, encoding: str, start: int) -> Finding:
    row = content.count(b"\n", 0, start) + 1
    line = content[content.rfind(b"\n", 0, start) + 1 :].partition(b"\n")[0]
    facts = {"encoding": encoding, "likely": likely_encoding(content[:2] if start == 0 else line) or "?"}
    return Finding("not-encoding", facts, Where(file=file, row=row))


def likely_encoding(line: bytes) -> str:
    """The encoding that makes most of a line's foreign characters common ones; a hint for a person, "" if none."""
    if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    scores = {name: _share(line, name, common) for name, common in _COMMON.items()}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] > 0.5 else ""


def _share(line: bytes, encoding: str, common: Callable[[str], bool]) -> float:
    foreign = [c for c in line.decode(encoding, errors="replace") if c > "\x7f"]
    return sum(map(common, foreign)) / len(foreign) if foreign else 0.0


def _is_level_one(character: str) -> bool:
    """Whether a character is of the 3755 common ones of GB 2312 (rows 16 to 55)."""
    return 0xB0 <= character.encode("gb2312", errors="replace")[0] <= 0xD7


_COMMON: Mapping[str, Callable[[str], bool]] = {
    "windows-1251": lambda c: "а" <= c <= "я" or c == "ё",
    "shift_jis": lambda c: "\u3041" <= c <= "\u30ff",
    "euc-kr": lambda c: "\uac00" <= c <= "\ud7a3",
    "gb18030": _is_level_one,
}
