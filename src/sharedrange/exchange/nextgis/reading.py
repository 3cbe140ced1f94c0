"""Door `nextgis`: layers exported from NextGIS Web, whatever a team draws in them, by its mapping file.

NextGIS Collector and Web let a team name its own layers and fields, so ``mapping.toml`` says what they are: camera
stations, signs, tracks or patrols. `file` of a table is the name of the file, for a GeoPackage ``file.gpkg/layer``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sharedrange.core.contents import Delivered
from sharedrange.core.files import folder_hash
from sharedrange.core.finding import Finding
from sharedrange.exchange.by_mapping import fill
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.nextgis.attachments import METADATA, with_attachments
from sharedrange.exchange.nextgis.geopackage import read_geopackage
from sharedrange.exchange.nextgis.layers import Layer, sheets
from sharedrange.exchange.nextgis.text import read_geojson, read_table
from sharedrange.exchange.opening import Opened, open_path
from sharedrange.exchange.plain import finished, nothing
from sharedrange.exchange.positions import WGS84


def read(folder: Path, delivery: Delivery) -> tuple[Delivered | None, tuple[Finding, ...]]:
    """What the layers of a folder or zip deliver by its mapping; None if a finding is an error.

    The CRS is the file's own: that of a GeoPackage, WGS 84 for GeoJSON; CSV needs `crs`.
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
    by_columns = all(feature.geometry is None for layer in layers for feature in layer.features)
    placed = delivery if by_columns or delivery.crs.startswith("local:") else replace(delivery, crs=WGS84)
    return finished(filled.sheets, placed, folder_hash(folder), filled.not_carried, found)


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
