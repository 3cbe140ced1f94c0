"""Door `nextgis`: layers exported from NextGIS Web, whatever a team draws in them, by its mapping file.

NextGIS Collector and Web let a team name its own layers and fields, so ``mapping.toml`` says what they are: camera
stations, signs, tracks or patrols. `file` of a table is the name of the file, for a GeoPackage ``file.gpkg/layer``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sharedrange.core.contents import Delivered
from sharedrange.core.files import folder_hash
from sharedrange.core.finding import Finding, Where
from sharedrange.exchange.by_mapping import Filled, fill
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.nextgis.attachments import METADATA, with_attachments
from sharedrange.exchange.nextgis.geopackage import read_geopackage
from sharedrange.exchange.nextgis.layers import Layer, sheets
from sharedrange.exchange.nextgis.text import read_geojson, read_table
from sharedrange.exchange.opening import Opened, open_path, shown
from sharedrange.exchange.plain import finished, nothing
from sharedrange.exchange.positions import WGS84, placed
from sharedrange.exchange.tables import Sheet

LOCAL = "local:"


def read(folder: Path, delivery: Delivery) -> tuple[Delivered | None, tuple[Finding, ...]]:
    """What the layers of a folder or zip deliver by its mapping; None if a finding is an error.

    The CRS of a geometry is the file's own: that of a GeoPackage, WGS 84 for GeoJSON. Geometries of CSV, and columns of
    coordinates, are in the declared `crs`.
    """
    opened, found = open_path(folder)
    if opened is None:
        return None, tuple(found)
    layers, found = _layers(opened, delivery)
    if not layers:
        return nothing("layers", "*.geojson, *.gpkg, *.csv", found)
    features, wrong = sheets(layers)
    attached, more = with_attachments(opened, features)
    filled = fill(opened, [*features, *attached], delivery, optional=[sheet.file for sheet in attached])
    found = [*found, *wrong, *more, *filled.found]
    found += _mixed(layers, delivery)
    typed, more = _in_one_frame(filled, delivery)
    found += more
    one = delivery if delivery.crs.startswith(LOCAL) else replace(delivery, crs=WGS84)
    return finished(typed, one, folder_hash(folder), filled.not_carried, found)


def _mixed(layers: Sequence[Layer], delivery: Delivery) -> list[Finding]:
    """Layers with a place on Earth in a delivery that declares a grid without one: the two never meet."""
    if not delivery.crs.startswith(LOCAL):
        return []
    return [
        Finding("nextgis-mixed-crs", {"crs": layer.crs, "declared": shown(delivery.crs)}, Where(file=layer.name))
        for layer in layers
        if layer.crs not in ("", delivery.crs) and any(feature.geometry is not None for feature in layer.features)
    ]


def _in_one_frame(filled: Filled, delivery: Delivery) -> tuple[list[tuple[str, Sheet]], list[Finding]]:
    """Typed sheets with all positions in WGS 84: geometries are there already, columns of coordinates are moved."""
    typed, found = [], []
    for (to, sheet), made in zip(filled.sheets, filled.made_places, strict=True):
        moved, wrong = (sheet, []) if made or not sheet.has("x") else placed(sheet, delivery.crs)
        typed.append((to, moved))
        found += wrong
    return typed, found


def _layers(opened: Opened, delivery: Delivery) -> tuple[list[Layer], list[Finding]]:
    layers: list[Layer] = []
    found: list[Finding] = []
    for name in sorted(opened.sizes):
        lower = name.lower()
        if lower.endswith(".gpkg"):
            read, wrong = read_geopackage(opened, name, delivery)
        elif lower.endswith((".geojson", ".json")) and not lower.endswith(METADATA):
            read, wrong = read_geojson(opened, name)
        elif lower.endswith((".csv", ".tsv")):
            read, wrong = read_table(opened, name, delivery)
        else:
            continue
        layers += read
        found += wrong
    return layers, found
