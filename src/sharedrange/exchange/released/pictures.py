"""The pictures of a release: whether they are those that were signed. They are for people, and become no survey."""

from __future__ import annotations

from collections.abc import Iterator

from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.core.release import PICTURE_FOLDER, picture_file
from sharedrange.exchange.opening import Opened, shown
from sharedrange.exchange.released.manifest import Told
from sharedrange.exchange.released.tables import read_table, sha256_of

PICTURES = "pictures"


def about_pictures(opened: Opened, told: Told) -> Iterator[Finding]:
    """Everything that is wrong with the pictures of a release, and a note that says how many there are."""
    sheet, found = read_table(opened, told, PICTURES, told.resolutions[PICTURES])
    yield from found
    if sheet is None:
        return
    hashes = dict(sheet.rows.select("picture", "sha256").drop_nulls().iter_rows())
    files = {picture_file(picture): sha256 for picture, sha256 in hashes.items()}
    for name, sha256 in files.items():
        content, wrong = opened.read(name)
        yield from wrong
        if content is not None and sha256_of(content) != sha256:
            yield Finding("file-changed", {"path": shown(name)}, Where(shown(name)))
    there = {name for name in opened.sizes if name.startswith(f"{PICTURE_FOLDER}/")}
    for name in sorted(there - files.keys()):
        yield Finding("unread-file", {"path": shown(name)}, Where(shown(name)), Severity.WARNING)
    facts: dict[str, Fact] = {"n": len(files), "folder": PICTURE_FOLDER}
    yield Finding("released-pictures", facts, Where(sheet.file), Severity.NOTE)
