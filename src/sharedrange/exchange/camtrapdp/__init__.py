"""Door `camtrap-dp`: Camera Trap Data Packages in and out."""

from sharedrange.exchange.camtrapdp.reading import PACKAGE, read
from sharedrange.exchange.camtrapdp.writing import write

__all__ = ["PACKAGE", "read", "write"]
