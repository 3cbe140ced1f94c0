"""Door `captures`: capture and trap tables in and out."""

from sharedrange.exchange.captures.reading import read
from sharedrange.exchange.captures.writing import write

__all__ = ["read", "write"]
