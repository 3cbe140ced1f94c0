"""The terminal speaks to people."""
