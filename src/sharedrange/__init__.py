"""Shared Range: one joint picture of the wildlife that neighbouring countries share, each animal counted once.

The public names are loaded when they are first used, so that `sharedrange --help` needs no numerics.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sharedrange.assessment.assessing import assess
    from sharedrange.assessment.checking import check
    from sharedrange.assessment.estimating import estimate
    from sharedrange.assessment.node import open_node
    from sharedrange.assessment.tracing import trace

__version__ = "0.1.0"
__all__ = ["assess", "check", "estimate", "open_node", "trace"]

_HOMES = {
    "assess": "sharedrange.assessment.assessing",
    "check": "sharedrange.assessment.checking",
    "estimate": "sharedrange.assessment.estimating",
    "open_node": "sharedrange.assessment.node",
    "trace": "sharedrange.assessment.tracing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
