"""Deliveries of one party that hold the same files: whatever is in them would be counted twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sharedrange.assessment import raw_files
from sharedrange.assessment.node import Delivered
from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.exchange.opening import open_path, shown


def about_copies(deliveries: Sequence[Delivered]) -> Iterator[Finding]:
    """A warning for each delivery whose files the same party delivered as another dataset too, whatever their names.

    Files are hashed only where another delivery has as many files of the same sizes.
    """
    alike: dict[tuple[str, tuple[int, ...]], list[Delivered]] = {}
    for delivered in deliveries:
        alike.setdefault((delivered.party, _sizes(delivered)), []).append(delivered)
    for (_, sizes), group in alike.items():
        first: dict[tuple[str, ...], Delivered] = {}
        for delivered in group if sizes and len(group) > 1 else ():
            earlier = first.setdefault(raw_files.hashes(delivered.path), delivered)
            if earlier is not delivered:
                facts = {"dataset": shown(delivered.dataset), "same": shown(earlier.dataset)}
                yield Finding("delivered-as-two", facts, Where(file=shown(delivered.source.path)), Severity.WARNING)


def _sizes(delivered: Delivered) -> tuple[int, ...]:
    opened, _ = open_path(delivered.path)
    sizes = {} if opened is None else opened.sizes
    return tuple(sorted(size for name, size in sizes.items() if name not in raw_files.NOT_RAW))
