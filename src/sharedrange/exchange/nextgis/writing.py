"""What a delivery holds as GeoJSON layers (RFC 7946) for NextGIS Web, with the mapping file by which they read back.

A layer a table. What has no place of its own stands where its camera, visit or patrol stands, so that it can be seen on
a map. A place is written as it is kept: who may see it is not decided here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from sharedrange.core.contents import Genotypes, Patrols, SiteCounts, Tracks
from sharedrange.core.errors import InputError
from sharedrange.core.files import write_atomically
from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.core.survey import Survey
from sharedrange.exchange.delivery import Delivery, write_delivery
from sharedrange.exchange.mapping import MAPPING_FILE
from sharedrange.exchange.native import written_times
from sharedrange.exchange.positions import WGS84
from sharedrange.exchange.targets import TARGETS

Content = Survey | SiteCounts | Tracks | Genotypes | Patrols
_PLACE_OF = {
    "observations": ("deployments", "deployment"),
    "media": ("deployments", "deployment"),
    "effort": ("deployments", "deployment"),
    "counts": ("visits", "visit"),
    "alleles": ("samples", "sample"),
}
"""Table without places -> the table that has them, and the column that joins the two."""


def write(content: Content, folder: Path) -> tuple[Finding, ...]:
    """Write a GeoJSON file a table, mapping.toml and delivery.toml into `folder`; door `nextgis` reads them back.

    Gives notes on the columns that cannot be carried. Raises InputError if positions are not longitude and latitude, as
    GeoJSON knows no other, or if a survey has no dates.
    """
    if found := _cannot_write(content):
        raise InputError(found)
    tables = {name: rows for name, rows in _tables(content) if rows.height}
    for name, rows in tables.items():
        layer = {"type": "FeatureCollection", "name": name, "features": list(_features(_placed(name, rows, tables)))}
        write_atomically(folder / f"{name}.geojson", (json.dumps(layer, ensure_ascii=False) + "\n").encode())
    write_atomically(folder / MAPPING_FILE, "\n".join(map(_mapping, tables.items())).encode())
    write_delivery(Delivery(content.party, content.dataset, "nextgis", crs=WGS84), folder)
    return tuple(note for name, rows in tables.items() for note in _lost(name, rows))


def _cannot_write(content: Content) -> list[Finding]:
    found = []
    if isinstance(content, Survey) and not content.dated:
        found.append(Finding("survey-is-undated", {"dataset": content.dataset}, Where(table=content.dataset)))
    if content.frame != WGS84:
        found.append(Finding("not-on-earth", {"dataset": content.dataset, "frame": content.frame}))
    return found


def _tables(content: Content) -> Iterator[tuple[str, pl.DataFrame]]:
    """The tables of a content by the names of their targets."""
    for name in TARGETS:
        table = getattr(content, name, None)
        if name == "observations" and isinstance(content, Patrols):
            yield "patrol_observations", content.observations
        elif isinstance(table, pl.DataFrame):
            yield name, table


def _placed(name: str, rows: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Rows with `x` and `y`: their own, else those of what they belong to, else none."""
    if "x" in rows.columns:
        return rows
    if name not in _PLACE_OF:
        return rows.with_columns(pl.lit(None, pl.Float64).alias("x"), pl.lit(None, pl.Float64).alias("y"))
    parent, key = _PLACE_OF[name]
    return rows.join(tables[parent].select(key, "x", "y"), on=key, how="left", maintain_order="left")


def _features(rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    for number, cells in enumerate(written_times(rows).iter_rows(named=True), start=1):
        x, y = cells.pop("x"), cells.pop("y")
        point = None if x is None or y is None else {"type": "Point", "coordinates": [x, y]}
        yield {"type": "Feature", "id": number, "geometry": point, "properties": cells}


def _carried(name: str, rows: pl.DataFrame) -> list[str]:
    """The columns that a mapping can name and that hold anything."""
    return [column for column in TARGETS[name].names if not rows[column].is_null().all()]


def _mapping(table: tuple[str, pl.DataFrame]) -> str:
    name, rows = table
    sources = {column: f"@{column}" if column in ("x", "y") else column for column in _carried(name, rows)}
    lines = [f"{column} = {json.dumps(source)}" for column, source in sources.items()]
    return "\n".join(["[[table]]", f'to = "{name}"', f'file = "{name}.geojson"', "[table.columns]", *lines, ""])


def _lost(name: str, rows: pl.DataFrame) -> list[Finding]:
    """A note on the columns that the layer shows and no mapping reads back."""
    read = {*TARGETS[name].names, *_ALWAYS.get(name, ())}
    lost = [column for column in rows.columns if column not in read and not rows[column].is_null().all()]
    if not lost:
        return []
    facts: dict[str, Fact] = {"number": len(lost), "columns": ", ".join(lost)}
    return [Finding("not-carried", facts, Where(table=name), Severity.NOTE)]


_ALWAYS: Mapping[str, tuple[str, ...]] = {"effort": ("effort",)}  # a gap's effort is 0, whoever reads it
