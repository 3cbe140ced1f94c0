"""A first mapping file for sheets that nobody has mapped yet, proposed from the names of their columns.

The names are those of ``column_names.toml``: general words in six languages that no native speaker has reviewed. A
proposal is a text for a person to correct; nothing is read by it until it stands in a delivery as ``mapping.toml``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from sharedrange.exchange.delivery import FILE_NAME, toml_value
from sharedrange.exchange.grids import (
    LEVELS,
    MAX_WORKBOOK_BYTES,
    SUFFIXES,
    TOP_ROWS,
    WORKBOOKS,
    Grid,
    default_delimiter,
    header_at,
    open_workbook,
    text_grid,
    with_header,
    workbook_grid,
)
from sharedrange.exchange.mapping import MADE, name_of
from sharedrange.exchange.opening import MIB, decode, likely_encoding, open_path, shown
from sharedrange.exchange.tables import DELIMITERS
from sharedrange.exchange.targets import TARGETS, Target

MAX_PROPOSED_FILES = 50
MAX_TEXT_BYTES = 64 * MIB
_SHOWN_BYTES = 4096  # from which a likely encoding is told
_TIMES: Mapping[str, Sequence[Sequence[str]]] = {
    "start": (("start",), ("start_date", "start_time"), ("start_date",), ("datetime",), ("date", "time"), ("date",)),
    "end": (("end",), ("end_date", "end_time"), ("end_date",)),
    "taken": (("datetime",), ("date", "time"), ("date",)),
    "at": (("datetime",), ("date", "time"), ("date",)),
}
"""Our time -> what may say it, the best first."""
_ANOTHER: Mapping[str, str] = {
    "animal": "individual",
    "individual": "animal",
    "site": "station",
    "deployment": "station",
}
_DISTINCT = ("visits", "samples")
_MEDIA, _OBSERVATIONS = "media", "observations"


@dataclass(frozen=True, slots=True)
class _Understood:
    """One sheet as a proposal sees it."""

    file: str
    sheet: str
    names: Sequence[str]
    encoding: str
    delimiter: str
    skip_rows: int
    header_rows: int
    decimal: str = "."


def propose_mapping(path: Path) -> str:
    """Text of a ``mapping.toml`` for a file, folder or zip of sheets; what has to be decided stands in comments.

    That table of ours whose needed columns are found most; two where a row is a picture with what is on it. Where no
    sheet has a name that is known, all are taken for observations with everything to fill in; "" if there is no sheet.
    """
    understood = [sheet for name, content in _sheets(path) for sheet in _understand(name, content)]
    tables = [text for sheet in understood for text in _proposals(sheet)]
    tables = tables or [_toml(sheet, TARGETS[_OBSERVATIONS], {}) for sheet in understood]
    return "\n".join([_HEAD, *tables]) if tables else ""


_HEAD = (
    "# Proposed from the names of the columns; no person has checked it. Correct it, then keep it for every season.\n"
)


def holds_sheets(path: Path) -> bool:
    """Whether a folder or zip has a table or a workbook."""
    opened, _ = open_path(path)
    return opened is not None and any(name.lower().endswith(SUFFIXES) for name in opened.sizes)


def _sheets(path: Path) -> list[tuple[str, bytes]]:
    if path.is_file() and path.suffix.lower() in SUFFIXES:
        return _alone(path)
    opened, _ = open_path(path)
    if opened is None:
        return []
    names = [name for name in opened.sizes if name.lower().endswith(SUFFIXES) and name != FILE_NAME]
    read = [(name, opened.read(name, MAX_WORKBOOK_BYTES)[0]) for name in sorted(names)[:MAX_PROPOSED_FILES]]
    return [(name, content) for name, content in read if content is not None]


def _alone(path: Path) -> list[tuple[str, bytes]]:
    """One sheet without a folder; nothing if it is too large or cannot be read."""
    try:
        return [(path.name, path.read_bytes())] if path.stat().st_size <= MAX_WORKBOOK_BYTES else []
    except OSError:
        return []


def _understand(name: str, content: bytes) -> list[_Understood]:
    if name.lower().endswith(WORKBOOKS):
        book, _ = open_workbook(shown(name), content)
        grids = [(sheet, workbook_grid(book, sheet)[0]) for sheet in book.names] if book else []
        found = [_header(grid, name, sheet, "", "") for sheet, grid in grids if grid]
    else:
        encoding = _encoding(content)
        text, _ = decode(shown(name), content[:MAX_TEXT_BYTES], encoding) if encoding else (None, [])
        delimiter = _delimiter(text or "", name)
        grid, _ = text_grid(shown(name), text, delimiter) if text else (None, [])
        found = [_header(grid, name, "", encoding, delimiter)] if grid else []
    return [sheet for sheet in found if sheet]


def _encoding(content: bytes) -> str:
    """UTF-8 if it is that; else the likely one, for a person to confirm; "" if nobody can say."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        content.decode()
    except UnicodeDecodeError:
        return likely_encoding(content[:_SHOWN_BYTES])
    return "utf-8"


def _delimiter(text: str, name: str) -> str:
    top = "\n".join(text.splitlines()[:TOP_ROWS])
    best = max(DELIMITERS, key=top.count)
    return best if top.count(best) else default_delimiter(name)


def _header(grid: Grid, name: str, sheet: str, encoding: str, delimiter: str) -> _Understood | None:
    top = grid.rows[:TOP_ROWS]
    first = header_at([cells for _, cells in top])
    if first is None:
        return None
    skip = top[first][0] - 1
    rows = 2 if _has_two_rows([cells for _, cells in top[first : first + 2]]) else 1
    table, _ = with_header(grid, skip, rows)
    names = [name for name in table.rows.columns if not name.startswith(" ")] if table else []
    return _Understood(name, sheet, names, encoding, delimiter, skip, rows, _decimal([cells for _, cells in top]))


def _decimal(top: Sequence[Sequence[str]]) -> str:
    """The decimal mark of the numbers in the first rows: a comma only where some have one and none has a point."""
    cells = [cell.strip() for cells in top for cell in cells]
    comma, point = (any(re.fullmatch(rf"[+-]?\d+{mark}\d+", cell) for cell in cells) for mark in (",", r"\."))
    return "," if comma and not point else "."


def _has_two_rows(top: Sequence[Sequence[str]]) -> bool:
    """Whether the second row goes on with names: the first repeats or lacks some, the second has no numbers."""
    if len(top) < 2:
        return False
    names = [cell.strip() for cell in top[0]]
    gaps = len(set(filter(None, names))) < len(names)
    below = [cell for cell in top[1] if cell.strip()]
    return gaps and len(below) > 1 and not any(re.search(r"\d", cell) for cell in below)


# --- from names to columns of ours ---


@lru_cache(maxsize=1)
def column_names() -> Mapping[str, str]:
    """Name of a column as teams write it (see `_key`) -> what it says."""
    text = files("sharedrange.exchange").joinpath("column_names.toml").read_text(encoding="utf-8")
    return {_key(name): says for says, names in tomllib.loads(text)["names"].items() for name in names}


def _key(name: str) -> str:
    """A name without case, marks and spaces: ``Camera_ID``, ``camera id`` and ``CameraID`` are one."""
    return re.sub(r"[\W_]+", "", name_of(name).lower())


def _proposals(sheet: _Understood) -> list[str]:
    """A [[table]] for a sheet, a second one for what pictures show; none if nothing in it is known."""
    says = _says(sheet.names)
    choices = {target.name: _matched(target, says) for target in TARGETS.values()}
    best = max(choices, key=lambda name: _fit(TARGETS[name], choices[name]))
    if not choices[best]:
        return []
    seen = choices[_OBSERVATIONS]
    if best != _MEDIA or not {"taxon", *TARGETS[_OBSERVATIONS].needed}.difference(MADE) <= seen.keys():
        return [_toml(sheet, TARGETS[best], choices[best])]
    both = {_MEDIA: choices[_MEDIA], _OBSERVATIONS: {**seen, "media": choices[_MEDIA]["path"]}}
    read = {name for columns in both.values() for names in columns.values() for name in names}
    return [_toml(sheet, TARGETS[to], columns, read) for to, columns in both.items()]


def _says(names: Sequence[str]) -> dict[str, str]:
    """What is said -> their column; of several the one that stands first among the known names."""
    rank = {name: n for n, name in enumerate(column_names())}
    keys = {name: key for name in names if (key := _known_key(name))}
    known = sorted(keys, key=lambda name: rank[keys[name]], reverse=True)
    return {column_names()[keys[name]]: name for name in known}


def _known_key(name: str) -> str:
    """The key of a column's name, or of the lowest of its header rows; "" if neither is known."""
    return next((key for key in (_key(name), _key(name.rpartition(LEVELS)[2])) if key in column_names()), "")


def _matched(target: Target, says: Mapping[str, str]) -> dict[str, list[str]]:
    """Our column -> their columns."""
    columns: dict[str, list[str]] = {}
    for name in target.names:
        for parts in _TIMES.get(name, ((name,),)):
            if all(part in says for part in parts):
                columns[name] = [says[part] for part in parts]
                break
        else:
            if _ANOTHER.get(name) in says and name in target.needed:
                columns[name] = [says[_ANOTHER[name]]]
    if "genus" in says and "taxon" in columns:
        columns["taxon"] = [says["genus"], *columns["taxon"]]
    if "path" in columns and "folder" in says:
        columns["path"] = [says["folder"], *columns["path"]]
    if target.name in ("visits", "counts") and "visit" not in columns and {"site", "date"} <= says.keys():
        columns["visit"] = [says["site"], says["date"]]
    return columns


def _fit(target: Target, columns: Mapping[str, list[str]]) -> tuple[float, int]:
    """How well a target fits: the share of its needed columns that are there, then the columns that it takes."""
    needed = [name for name in target.needed if name not in MADE]
    own = len({name for names in columns.values() for name in names})
    return sum(name in columns for name in needed) / len(needed), own


def _toml(sheet: _Understood, target: Target, columns: Mapping[str, list[str]], elsewhere: Collection[str] = ()) -> str:
    """A [[table]]; `elsewhere`: columns that a second table of the same sheet reads."""
    lines = ["[[table]]", f'to = "{target.name}"', f"file = {toml_value(sheet.file)}"]
    if sheet.sheet:
        lines.append(f"sheet = {toml_value(sheet.sheet)}")
    if sheet.encoding not in ("", "utf-8"):
        lines.append(f"encoding = {toml_value(sheet.encoding)}  # likely; correct it if letters look wrong")
    if sheet.delimiter and sheet.delimiter != default_delimiter(sheet.file):
        lines.append(f"delimiter = {toml_value(sheet.delimiter)}")
    lines += [f"decimal = {toml_value(sheet.decimal)}"] if sheet.decimal != "." else []
    lines += [f"skip_rows = {sheet.skip_rows}"] if sheet.skip_rows else []
    lines += [f"header_rows = {sheet.header_rows}"] if sheet.header_rows > 1 else []
    lines += ["distinct = true"] if target.name in _DISTINCT else []
    lines += ['# date_order = "day-first"  # or "month-first", where dates are written as 5/6/24', "[table.columns]"]
    lines += [f"{name} = {_theirs(name, theirs)}" for name, theirs in columns.items()]
    missing = [name for name in target.needed if name not in columns and name not in MADE]
    lines += [f'# {name} = ""  # needed: which column, or which constant, is it?' for name in missing]
    read = {*elsewhere, *(name for names in columns.values() for name in names)}
    left = [name for name in sheet.names if name not in read]
    lines += [f"# not read: {toml_value(name)}" for name in left]
    return "\n".join(lines) + "\n"


def _theirs(name: str, theirs: Sequence[str]) -> str:
    if len(theirs) == 1:
        return toml_value(theirs[0])
    listed = ", ".join(map(toml_value, theirs))
    return f'{{ columns = [{listed}], join = "/" }}' if name in ("path", "media") else f"[{listed}]"
