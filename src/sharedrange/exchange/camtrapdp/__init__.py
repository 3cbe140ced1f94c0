"""Door `camtrap-dp`: Camera Trap Data Packages checked, read and written."""

from sharedrange.exchange.camtrapdp.checking import validate
from sharedrange.exchange.camtrapdp.package import PACKAGE
from sharedrange.exchange.camtrapdp.photos import photo_reader
from sharedrange.exchange.camtrapdp.reading import read, read_delivered
from sharedrange.exchange.camtrapdp.writing import write

__all__ = ["PACKAGE", "photo_reader", "read", "read_delivered", "validate", "write"]
