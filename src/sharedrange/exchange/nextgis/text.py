"""Layers of NextGIS Web written as GeoJSON (RFC 7946) and as CSV with geometries in well-known text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import shapely
from shapely.geometry import shape

from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.nextgis.layers import Feature, Layer, bad_geometries, cell, geometry_of
from sharedrange.exchange.opening import MIB, Opened, shown
from sharedrange.exchange.positions import WGS84
from sharedrange.exchange.tables import DELIMITERS, ROW, read_csv
from sharedrange.exchange.trees import read_json

MAX_FILE_BYTES = 256 * MIB
GEOMETRY_COLUMNS = ("GEOM", "WKT", "geom", "wkt", "geometry")
_EPSG = re.compile(r"(?:urn:ogc:def:crs:)?EPSG:(?::|[\d.]+:)?(\d+)")
_CRS84 = ("urn:ogc:def:crs:OGC:1.3:CRS84", "OGC:CRS84", "CRS84")


def read_geojson(opened: Opened, name: str) -> tuple[list[Layer], list[Finding]]:
    """The layer of a GeoJSON file; JSON of another kind is a note."""
    content, found = read_json(opened, name)
    if found:
        return [], found
    listed = content.get("features") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        return [], [Finding("unread-file", {"path": shown(name)}, Where(file=shown(name)), Severity.NOTE)]
    features, bad = [], []
    for row, given in enumerate(listed, start=1):
        feature = _feature(row, given if isinstance(given, dict) else {})
        unread = isinstance(given, dict) and given.get("geometry") is not None and feature.geometry is None
        if unread or not isinstance(given, dict):
            bad.append(row)
        features.append(feature)
    return [Layer(shown(name), tuple(features), _crs(content))], bad_geometries(shown(name), bad)


def _feature(row: int, given: Mapping[str, Any]) -> Feature:
    attributes = given.get("properties")
    cells = {str(k): cell(v) for k, v in attributes.items()} if isinstance(attributes, dict) else {}
    geometry = geometry_of(lambda: shape(given["geometry"])) if isinstance(given.get("geometry"), dict) else None
    return Feature(row, cell(given.get("id")) or str(row), cells, geometry)


def _crs(content: Mapping[str, Any]) -> str:
    """WGS 84, as RFC 7946 has it; or what the older member `crs` names. Empty if that is unknown."""
    crs = content.get("crs")
    if crs is None:
        return WGS84
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = str(properties.get("name", "")) if isinstance(properties, dict) else ""
    if name in _CRS84:
        return WGS84
    match = _EPSG.fullmatch(name)
    return f"EPSG:{match[1]}" if match else ""


def read_table(opened: Opened, name: str, delivery: Delivery) -> tuple[list[Layer], list[Finding]]:
    """The layer of a CSV file; its geometry is the column GEOM, in the CRS that the delivery declares."""
    text, found = opened.text(name, delivery.encoding, MAX_FILE_BYTES)
    if text is None:
        return [], found
    sheet, found = read_csv(shown(name), text, max(DELIMITERS, key=text.partition("\n")[0].count))
    if sheet is None:
        return [], found
    column = next((c for c in GEOMETRY_COLUMNS if sheet.has(c)), "")
    features, bad = [], []
    for cells in sheet.rows.iter_rows(named=True):
        wkt = cells.pop(column, None)
        row = cells.pop(ROW)
        geometry = geometry_of(partial(shapely.from_wkt, wkt)) if wkt else None
        if wkt and geometry is None:
            bad.append(row)
        features.append(Feature(row, cells.get("id") or cells.get("fid") or str(row), cells, geometry))
    return [Layer(shown(name), tuple(features), delivery.crs)], [*found, *bad_geometries(shown(name), bad)]
