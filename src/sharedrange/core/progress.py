"""How long work tells how far it is, and learns that it should stop."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with the share done, in [0, 1] and never falling; may raise Cancelled to stop the work."""

    def __call__(self, share: float, /) -> None:
        """Tell the share done."""
        ...


def silent(share: float, /) -> None:
    """Progress for those who do not look."""


def part(progress: Progress, start: float, end: float) -> Progress:
    """The stretch from `start` to `end` of `progress`, as a progress of its own.

    Examples
    --------
    >>> seen = []
    >>> part(seen.append, 0.5, 1.0)(0.5)
    >>> seen
    [0.75]
    """

    def report(share: float, /) -> None:
        progress(start + (end - start) * share)

    return report
