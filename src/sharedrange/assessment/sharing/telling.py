"""Which of the things that a node told may still be told to a reader."""

from __future__ import annotations

from collections.abc import Iterable

from sharedrange.assessment.published import Publication
from sharedrange.assessment.sharing.ground import Ground
from sharedrange.core.audience import EVERYBODY
from sharedrange.records import in_force as records_in_force
from sharedrange.sharing import kinds


def in_force(ground: Ground, told: Iterable[Publication], reader: str) -> tuple[Publication, ...]:
    """What was told to a reader, or to everybody, in the same order.

    Without what has no record of this node's, and what was told under an agreement that was revoked or has gone: what
    was told stays told, but it is not told again.
    """
    recorded = {
        body.publication
        for record, body in records_in_force(ground.node.records, kinds.Publication)
        if record.author_key in ground.own_keys
    }
    return tuple(
        one for one in told if one.reader in (reader, EVERYBODY) and one.id in recorded and _holds(ground, one)
    )


def _holds(ground: Ground, publication: Publication) -> bool:
    """Whether every agreement under which it was told is here as it was, and revoked by nobody."""
    known = [(ground.agreements.get(name), text) for name, text in publication.agreements.items()]
    return all(a is not None and a.hash == text and not ground.standing(a).revoked for a, text in known)
