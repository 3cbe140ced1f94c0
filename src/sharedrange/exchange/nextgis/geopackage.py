"""Layers of a GeoPackage (OGC 12-128): an SQLite database, opened in memory and asked for nothing but its tables.

The file comes from outside, so nothing in it may act: functions, views, triggers, attached files and writing are
denied, a statement that works too long is stopped, and only tables that `gpkg_contents` calls features are read.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from functools import partial
from typing import Any

import shapely

from sharedrange.core.finding import Finding, Where
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.nextgis.layers import Feature, Layer, bad_geometries, cell, geometry_of
from sharedrange.exchange.opening import MIB, Opened, shown

MAX_FILE_BYTES = 512 * MIB
MAX_CELL_BYTES = 64 * MIB
MAX_STEPS = 50_000  # of 10 000 instructions of SQLite each; a million features take about 3 000
MAX_LAYERS = 100
APPLICATION_IDS = (b"GPKG", b"GP10", b"GP11")  # at byte 68 of the file
_MAGIC = b"SQLite format 3\0"
_ENVELOPE_BYTES = (0, 32, 48, 48, 64)
_IS_EMPTY = 0x10
_VIRTUAL = re.compile(r"\s*CREATE\s+VIRTUAL", re.IGNORECASE)  # a table made by code
_ALLOWED = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ)


def read_geopackage(opened: Opened, name: str, delivery: Delivery) -> tuple[list[Layer], list[Finding]]:
    """The feature layers of a GeoPackage."""
    content, found = opened.read(name, MAX_FILE_BYTES)
    if content is None:
        return [], found
    where = Where(file=shown(name))
    if not content.startswith(_MAGIC) or content[68:72] not in APPLICATION_IDS:
        return [], [Finding("not-a-geopackage", {"path": shown(name)}, where)]
    try:
        with closing(_database(content)) as database:
            return _layers(database, name, delivery)
    except (sqlite3.Error, OverflowError, MemoryError, UnicodeError, ValueError) as error:
        return [], [Finding("bad-geopackage", {"problem": shown(str(error))}, where)]


def _database(content: bytes) -> sqlite3.Connection:
    """A copy in memory that can only be read. Raises sqlite3.Error."""
    rollback = content[:18] + b"\1\1" + content[20:]  # a write-ahead log cannot come with one file
    database = sqlite3.connect(":memory:")
    database.deserialize(rollback)
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON"):
        database.execute(f"PRAGMA {pragma}")
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_CELL_BYTES)
    steps = iter(range(MAX_STEPS))
    database.set_progress_handler(lambda: next(steps, None) is None, 10_000)
    database.set_authorizer(_allowed)
    return database


def _allowed(action: int, name: str | None, *_: str | None) -> int:
    """Only reading, and asking which columns a table has."""
    harmless = action in _ALLOWED or (action == sqlite3.SQLITE_PRAGMA and name == "table_xinfo")
    return sqlite3.SQLITE_OK if harmless else sqlite3.SQLITE_DENY


def _layers(database: sqlite3.Connection, name: str, delivery: Delivery) -> tuple[list[Layer], list[Finding]]:
    tables = {
        row[0]
        for row in database.execute("SELECT name, type, sql FROM sqlite_master")
        if row[1] == "table" and not _VIRTUAL.match(str(row[2]))
    }
    features = {
        row[0] for row in database.execute("SELECT table_name, data_type FROM gpkg_contents") if row[1] == "features"
    }
    asked = "SELECT table_name, column_name, srs_id FROM gpkg_geometry_columns"
    layers: list[Layer] = []
    found: list[Finding] = []
    for table, column, srs in list(database.execute(asked))[:MAX_LAYERS]:
        if table not in features:
            continue
        if table not in tables:
            facts = {"table": shown(str(table))}
            found.append(Finding("not-a-table", facts, Where(file=shown(name), table=shown(str(table)))))
            continue
        label = f"{shown(name)}/{shown(str(table))}"
        read, bad = _features(database, str(table), str(column))
        layers.append(Layer(label, tuple(read), _crs(database, srs) or delivery.crs))
        found += bad_geometries(label, bad)
    if not layers and not found:
        found.append(Finding("no-table", {"table": "features", "names": shown(name)}, Where(file=shown(name))))
    return layers, found


def _crs(database: sqlite3.Connection, srs: Any) -> str:
    """The CRS of a layer; empty where the file leaves it undefined (0 and -1) or names no EPSG code."""
    asked = "SELECT srs_id, organization, organization_coordsys_id FROM gpkg_spatial_ref_sys"
    for known, organization, code in database.execute(asked):
        if known == srs and str(organization).upper() == "EPSG" and isinstance(code, int):
            return f"EPSG:{code}"
    return ""


def _features(database: sqlite3.Connection, table: str, column: str) -> tuple[list[Feature], list[int]]:
    quoted = _quoted(table)
    described = list(database.execute(f"PRAGMA table_xinfo({quoted})"))
    names = [str(row[1]) for row in described if row[6] == 0]  # not those that compute
    asked = ", ".join(_quoted(name) for name in names)
    rows = database.execute(f"SELECT {asked} FROM {quoted}")  # noqa: S608  (quoted names of the file's own schema)
    features, bad = [], []
    for row, values in enumerate(rows, start=1):
        cells = dict(zip(names, values, strict=True))
        blob = cells.pop(column, None)
        geometry = geometry_of(partial(_geometry, blob)) if blob is not None else None
        if blob is not None and geometry is None and not _is_empty(blob):
            bad.append(row)
        texts = {name: cell(value) for name, value in cells.items()}
        features.append(Feature(row, texts.get("fid") or texts.get("id") or str(row), texts, geometry))
    return features, bad


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _geometry(blob: Any) -> Any:
    return shapely.from_wkb(_wkb(blob))


def _wkb(blob: Any) -> bytes:
    """Well-known binary of a GeoPackage geometry (OGC 12-128, 2.1.3). Raises ValueError."""
    if not isinstance(blob, bytes) or blob[:2] != b"GP" or len(blob) < 8:
        raise ValueError("no geometry of a GeoPackage")
    envelope = (blob[3] >> 1) & 0b111
    if envelope >= len(_ENVELOPE_BYTES):
        raise ValueError("unknown envelope")
    return blob[8 + _ENVELOPE_BYTES[envelope] :]


def _is_empty(blob: Any) -> bool:
    return isinstance(blob, bytes) and len(blob) >= 8 and bool(blob[3] & _IS_EMPTY)
