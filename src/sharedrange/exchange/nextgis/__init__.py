"""Door `nextgis`: layers of NextGIS Web as GeoJSON, CSV or GeoPackage, read by the team's mapping file, and written."""

from sharedrange.exchange.nextgis.reading import read
from sharedrange.exchange.nextgis.writing import write

__all__ = ["read", "write"]
