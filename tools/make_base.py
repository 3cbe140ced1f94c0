"""Make the shipped map base from Natural Earth 1:10m GeoJSON files (public domain), thinned to fit in a package.

    python tools/make_base.py FOLDER

reads ``ne_10m_<layer>*.geojson`` in FOLDER and writes ``src/sharedrange/assessment/base/natural-earth.json.gz``.
The same input gives the same bytes.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import mapping, shape

BASE = Path(__file__).parent.parent / "src" / "sharedrange" / "assessment" / "base" / "natural-earth.json.gz"
WINDOW = (85.0, 38.0, 145.0, 56.0)  # west, south, east, north: Altai-Sayan to the Sea coast beyond the Amur
TOLERANCE_DEG = 0.002  # about 200 m: less than a pixel of a map 100 km wide
DECIMALS = 3
LAYERS = {
    "land": "land",
    "coastline": "coastline",
    "lakes": "lakes",
    "rivers": "rivers_lake_centerlines",
    "boundaries": "admin_0_boundary_lines_land",
}


def geometries(path: Path) -> list[shapely.Geometry]:
    """Geometries of a GeoJSON file, clipped, thinned and without their names."""
    features = json.loads(path.read_text("utf-8"))["features"]
    clipped = [
        shapely.clip_by_rect(shape(f["geometry"]).buffer(0) if _is_area(f) else shape(f["geometry"]), *WINDOW)
        for f in features
    ]
    thinned = [shapely.simplify(g, TOLERANCE_DEG) for g in clipped]
    return [part for g in thinned if not g.is_empty for part in getattr(g, "geoms", [g])]


def _is_area(feature: dict[str, Any]) -> bool:
    return "Polygon" in str(feature["geometry"]["type"])


def rounded(value: Any) -> Any:
    """Coordinates to `DECIMALS`, at any depth."""
    return [rounded(v) for v in value] if isinstance(value, list | tuple) else round(value, DECIMALS)


def main(folder: Path) -> None:
    """Write the base."""
    base: dict[str, Any] = {"window": WINDOW}
    for layer, name in LAYERS.items():
        path = next(folder.glob(f"ne_10m_{name}*.geojson"))
        shapes = [mapping(g) for g in geometries(path)]
        base[layer] = [{"type": s["type"], "coordinates": rounded(s["coordinates"])} for s in shapes]
    packed = gzip.compress(json.dumps(base, separators=(",", ":"), sort_keys=True).encode(), mtime=0)
    BASE.parent.mkdir(parents=True, exist_ok=True)
    BASE.write_bytes(packed)
    print(f"{BASE.name}: {len(packed) / 1000:.0f} kB, " + ", ".join(f"{k} {len(v)}" for k, v in base.items()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
