"""Attachments of features as NextGIS Web exports them: ``<number of the feature>/<name>``, or as metadata.json says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import polars as pl

from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.exchange.opening import Opened, shown
from sharedrange.exchange.tables import Sheet
from sharedrange.exchange.trees import read_json

METADATA = "metadata.json"
SHEET = "attachments"


def with_attachments(opened: Opened, sheets: Sequence[Sheet]) -> tuple[list[Sheet], list[Finding]]:
    """For each sheet of features a sheet ``<name>/attachments``: a row a file, the feature's columns and ``@path``.

    Files are left where they are. With several layers a file belongs to the one whose name its folder bears.
    """
    given, found = _files(opened)
    made = []
    for sheet in sheets:
        stem = PurePosixPath(sheet.file).stem
        own = [(fid, path) for fid, path in given if len(sheets) == 1 or stem in PurePosixPath(path).parts]
        if own:
            files = pl.DataFrame(own, schema={"@fid": pl.String, "@path": pl.String}, orient="row")
            rows = files.join(sheet.rows, on="@fid", how="inner", maintain_order="left")
            made.append(Sheet(f"{sheet.file}/{SHEET}", rows))
    taken = {path for sheet in made for path in sheet.rows["@path"]}
    lost = [path for _, path in given if path not in taken]
    if lost:
        facts: dict[str, Fact] = {"rows": len(lost), "path": shown(lost[0])}
        found.append(Finding("attachment-without-feature", facts, Where(), Severity.WARNING))
    return made, found


def _files(opened: Opened) -> tuple[list[tuple[str, str]], list[Finding]]:
    """(number of the feature, path) of each attachment."""
    found: list[Finding] = []
    told: dict[str, str] = {}
    for name in opened.sizes:
        if PurePosixPath(name).name == METADATA:
            content, wrong = read_json(opened, name)
            found += wrong
            told |= dict(_told(name, content))
    plain = {name: PurePosixPath(name).parts for name in sorted(opened.sizes)}
    by_folder = {name: str(int(p[-2])) for name, p in plain.items() if len(p) > 1 and _is_number(p[-2])}
    return [(fid, path) for path, fid in {**by_folder, **told}.items() if path in opened.sizes], found


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _told(name: str, content: object) -> Iterator[tuple[str, str]]:
    items = content.get("items") if isinstance(content, dict) else None
    for path, about in items.items() if isinstance(items, dict) else ():
        feature = about.get("feature_id") if isinstance(about, dict) else None
        if isinstance(feature, int):
            yield (PurePosixPath(name).parent / path).as_posix(), str(feature)
