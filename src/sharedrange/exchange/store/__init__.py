"""What was delivered, kept as Parquet so that a hundred million rows can be asked in seconds."""

from sharedrange.exchange.store.queries import Selection
from sharedrange.exchange.store.store import Store

__all__ = ["Selection", "Store"]
