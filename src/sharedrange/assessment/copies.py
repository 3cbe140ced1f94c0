"""Deliveries that hold the same files, of one party or of two: whatever is in them would be counted twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sharedrange.assessment import raw_files
from sharedrange.assessment.node import Delivered
from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.exchange.opening import open_path, shown


def about_copies(deliveries: Sequence[Delivered]) -> Iterator[Finding]:
    """A warning for each delivery whose files were delivered as another dataset too, whatever their names.

    By the same party, or by two: a neighbour who sends back what it got, or both with what a third one gave them.

    Files are hashed only where another delivery has as many files of the same sizes.
    """
    alike: dict[tuple[int, ...], list[Delivered]] = {}
    for delivered in deliveries:
        alike.setdefault(_sizes(delivered), []).append(delivered)
    for sizes, group in alike.items():
        first: dict[tuple[str, ...], Delivered] = {}
        for delivered in group if sizes and len(group) > 1 else ():
            earlier = first.setdefault(raw_files.hashes(delivered.path), delivered)
            if earlier is not delivered:
                yield _about(delivered, earlier)


def _about(delivered: Delivered, earlier: Delivered) -> Finding:
    where = Where(file=shown(delivered.source.path))
    facts: dict[str, Fact] = {"dataset": shown(delivered.dataset), "same": shown(earlier.dataset)}
    if delivered.party == earlier.party:
        return Finding("delivered-as-two", facts, where, Severity.WARNING)
    parties = {"party": shown(delivered.party), "other": shown(earlier.party)}
    return Finding("delivered-by-two", {**facts, **parties}, where, Severity.WARNING)


def _sizes(delivered: Delivered) -> tuple[int, ...]:
    opened, _ = open_path(delivered.path)
    sizes = {} if opened is None else opened.sizes
    return tuple(sorted(size for name, size in sizes.items() if name not in raw_files.NOT_RAW))
