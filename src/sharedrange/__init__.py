"""Shared Range: one joint picture of the wildlife that neighbouring countries share, each animal counted once."""

__version__ = "0.1.0"
