"""Door `smart`: SMART query tables and patrol files, their words turned into the keys of the data model."""

from sharedrange.exchange.smart.reading import read

__all__ = ["read"]
