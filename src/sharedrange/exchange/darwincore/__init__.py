"""How many of which species were recorded where, with which effort? Darwin Core archives, in and out."""

from sharedrange.exchange.darwincore.archive import FILES
from sharedrange.exchange.darwincore.reading import read
from sharedrange.exchange.darwincore.rows import NOTES
from sharedrange.exchange.darwincore.writing import write

__all__ = ["FILES", "NOTES", "read", "write"]
