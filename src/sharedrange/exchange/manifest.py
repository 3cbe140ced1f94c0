"""A list of the files of a received dataset with their hashes, so that a changed byte is found."""

from __future__ import annotations

import json
import re
from pathlib import Path

from sharedrange.core.canonical import canonical
from sharedrange.core.errors import InputError
from sharedrange.core.files import sha256_of, write_atomically
from sharedrange.core.finding import Finding, Where
from sharedrange.exchange.opening import MIB, Opened, escapes, open_path, shown

MANIFEST = "manifest.json"
MAX_BYTES = 32 * MIB
_SHA256 = re.compile(r"[0-9a-f]{64}")


def write_manifest(folder: Path, party: str) -> None:
    """Write manifest.json: the party whose data these are, and each file's SHA-256 by relative path.

    Raises InputError if the folder is not safe to open.
    """
    opened, found = open_path(folder)
    if opened is None:
        raise InputError(found)
    files = {name: sha256_of(folder / name) for name in sorted(opened.sizes) if name != MANIFEST}
    write_atomically(folder / MANIFEST, canonical({"files": files, "party": party}) + b"\n")


def verify_manifest(folder: Path) -> tuple[Finding, ...]:
    """A finding for each file that changed, is missing or is not listed; none if all are as listed."""
    opened, found = open_path(folder)
    if opened is None:
        return tuple(found)
    listed, found = _listed(opened)
    if listed is None:
        return tuple(found)
    there = set(opened.sizes) - {MANIFEST}
    return (
        *(_about("file-missing", name) for name in sorted(set(listed) - there)),
        *(_about("file-not-listed", name) for name in sorted(there - set(listed))),
        *(
            _about("file-changed", name)
            for name in sorted(there & set(listed))
            if _changed(folder / name, listed[name])
        ),
    )


def _changed(path: Path, sha256: str) -> bool:
    try:
        return sha256_of(path) != sha256
    except OSError:
        return True


def _about(rule: str, name: str) -> Finding:
    return Finding(rule, {"path": shown(name)}, Where(file=shown(name)))


def _listed(opened: Opened) -> tuple[dict[str, str] | None, list[Finding]]:
    """Path -> SHA-256 of the manifest; None if there is none or it is not one."""
    if MANIFEST not in opened.sizes:
        return None, [_about("no-manifest", MANIFEST)]
    text, found = opened.text(MANIFEST, "utf-8", MAX_BYTES)
    if text is None:
        return None, found
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        return None, [Finding("bad-json", {"problem": shown(str(error))}, Where(file=MANIFEST))]
    files = given.get("files") if isinstance(given, dict) else None
    if not isinstance(files, dict) or not all(_is_entry(path, hash_) for path, hash_ in files.items()):
        return None, [Finding("bad-manifest", {"path": MANIFEST}, Where(file=MANIFEST, field="files"))]
    return files, []


def _is_entry(path: str, sha256: object) -> bool:
    return not escapes(path) and isinstance(sha256, str) and _SHA256.fullmatch(sha256) is not None
