"""Door `nextgis`: layers of NextGIS Web as GeoJSON, CSV or GeoPackage, read by the team's mapping file."""

from sharedrange.exchange.nextgis.reading import read

__all__ = ["read"]
