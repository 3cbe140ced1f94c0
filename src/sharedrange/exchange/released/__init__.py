"""Door `released`: what another party released, read back into a dated survey and counts (docs/formats/released.md)."""

from sharedrange.exchange.released.reading import read

__all__ = ["read"]
