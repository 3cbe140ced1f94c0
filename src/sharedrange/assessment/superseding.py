"""Releases of one dataset: the newest takes the place of those before, for each holds all that may leave by its day.

Were two of them read, every encounter in both would count twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.core.release import MANIFEST
from sharedrange.exchange.opening import shown
from sharedrange.records import Record
from sharedrange.sharing.kinds import Release

if TYPE_CHECKING:
    from sharedrange.assessment.node import Delivered


def release_of(place: Path) -> Mapping[str, Any]:
    """What the package said under which a delivery arrived; nothing where it came without one.

    Only folders with a verified manifest are read: the package was checked when it was opened.
    """
    try:
        told = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) and isinstance(told.get("agreement"), dict) else {}


def without_superseded(
    deliveries: Sequence[Delivered], records: Iterable[Record] = ()
) -> tuple[tuple[Delivered, ...], tuple[Delivered, ...], list[Finding]]:
    """Deliveries that count, those that a newer release took the place of, and what is worth knowing of both.

    Releases are of one dataset if owner, agreement and the dataset's pseudonym are the same; the newest is that of the
    latest day, and of one day the one that the owner recorded last (`records` are those that the node holds; where
    they do not tell, that of the greatest package id, so that every node chooses alike). Pseudonyms differ from
    agreement to agreement, so what an owner released under two of them cannot be compared: that is a warning.
    """
    place = {str(record.body.get("package")): record.seq for record in records if record.kind == Release.KIND}
    newest: dict[tuple[str, str, str], tuple[tuple[str, int], Delivered]] = {}
    for delivered in sorted(deliveries, key=lambda one: one.dataset):
        told = release_of(delivered.path) if delivered.source.released_under else {}
        if told:
            key = (delivered.party, delivered.source.released_under, str(told.get("dataset")))
            when = str(told.get("released_on")), place.get(_package(delivered.path), -1)
            if key not in newest or newest[key][0] <= when:
                newest[key] = when, delivered
    counting = {delivered.path for _, delivered in newest.values()}
    kept = tuple(one for one in deliveries if not one.source.released_under or one.path in counting)
    gone = tuple(one for one in deliveries if one not in kept)
    return kept, gone, [*_about_superseded(gone), *_about_two_agreements(kept)]


def _package(place: Path) -> str:
    """The id of the package that a release came in: the hash of its manifest."""
    return hashlib.sha256((place / MANIFEST).read_bytes()).hexdigest()


def _about_superseded(gone: Iterable[Delivered]) -> Iterator[Finding]:
    for delivered in gone:
        where = Where(file=shown(delivered.source.path))
        facts = {"dataset": shown(delivered.dataset), "party": shown(delivered.party)}
        yield Finding("release-superseded", facts, where, Severity.NOTE)


def _about_two_agreements(kept: Iterable[Delivered]) -> Iterator[Finding]:
    under: dict[str, set[str]] = {}
    for delivered in kept:
        if delivered.source.released_under:
            under.setdefault(delivered.party, set()).add(delivered.source.released_under)
    for party, agreements in under.items():
        if len(agreements) > 1:
            facts = {"party": shown(party), "agreements": ", ".join(sorted(agreements))}
            yield Finding("release-two-agreements", facts, severity=Severity.WARNING)
