"""What was answered about earlier deliveries, and which of them the next one looks like."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from sharedrange.assessment import raw_files
from sharedrange.core.finding import Finding
from sharedrange.exchange.delivery import FILE_NAME, Delivery, read_delivery
from sharedrange.exchange.grids import MAX_WORKBOOK_BYTES, WORKBOOKS, workbook_headers
from sharedrange.exchange.mapping import MAPPING_FILE
from sharedrange.exchange.opening import open_path

HEADER_BYTES = 1 << 14
TEXT_TABLES = (".csv", ".tsv", ".txt")
OF_A_SEASON = frozenset({"party", "format", "dataset", "sessions", "occasions", "files"})


def columns_of(folder: Path) -> frozenset[object]:
    """What the tables of a delivery look like.

    The first line of each text table, the headers of the sheets of each workbook, the kinds of the other files.
    """
    opened, _ = open_path(folder)
    looks: set[object] = set()
    for name in () if opened is None else opened.sizes:
        suffix = Path(name).suffix.lower()
        if name in {FILE_NAME, MAPPING_FILE, raw_files.SUMS}:
            continue
        looks.add(_look(folder / name, suffix))
    return frozenset(looks)


def _look(file: Path, suffix: str) -> object:
    if suffix in WORKBOOKS and file.stat().st_size <= MAX_WORKBOOK_BYTES:
        return suffix, workbook_headers(file.name, file.read_bytes())
    return _first_line(file) if suffix in TEXT_TABLES else suffix


def _first_line(file: Path) -> str:
    with file.open("rb") as stream:
        return stream.readline(HEADER_BYTES).decode("latin-1").strip()


def declared(folder: Path) -> tuple[dict[str, Any], list[Finding]]:
    """What a delivery.toml among the files says already; nothing if there is none."""
    if not (folder / FILE_NAME).is_file():
        return {}, []
    delivery, found = read_delivery(folder, "")
    return ({} if delivery is None else said(delivery)), list(found)


def said(delivery: Delivery) -> dict[str, Any]:
    """What a delivery.toml says beyond the defaults."""
    default = Delivery("", "", "")
    given = {f.name: getattr(delivery, f.name) for f in fields(Delivery) if f.name not in {"dataset", "party"}}
    return {key: value for key, value in given.items() if value != getattr(default, key)}


def carried(delivery: Delivery) -> dict[str, Any]:
    """What holds for the next season too."""
    return {key: value for key, value in said(delivery).items() if key not in OF_A_SEASON}


def newest_first(own: Path) -> list[Path]:
    """Deliveries by when their delivery.toml was written, the last first."""
    folders = [path for path in own.iterdir() if not path.name.startswith(".") and (path / FILE_NAME).is_file()]
    return sorted(folders, key=lambda path: ((path / FILE_NAME).stat().st_mtime_ns, path.name), reverse=True)
