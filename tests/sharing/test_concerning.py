"""A partner is shown what concerns it, and of the rest of a chain only that it is there."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from sharedrange.records import KINDS, Body, FocalPoint, Key, Record, RecordSet, key_from_seed, lines
from sharedrange.records.record import next_after
from sharedrange.sharing import kinds
from sharedrange.sharing.concerning import shown_to
from sharedrange.sharing.kinds import (
    AgreementSigned,
    Distrust,
    KeyRotated,
    Opening,
    Preview,
    Publication,
    Receipt,
    Release,
    Revocation,
    Trust,
)

US, FORMER, THEM, THIRD = (key_from_seed(who) for who in (b"us", b"us, before", b"them", b"third"))
KEYS = {"us": {US.id, FORMER.id}, "them": {THEM.id}, "third": {THIRD.id}}
URN, OURS, THEIRS, PACKAGE = "urn:agreement:a--b:2026-01", "ab" * 32, "cd" * 32, "ef" * 32
WHEN = "2026-11-22T10:00:00Z"


@dataclass(frozen=True, slots=True)
class Agreed:
    """As much of an agreement as it needs to know whom it concerns."""

    hash: str
    parties: tuple[str, ...]


AGREED = (Agreed(OURS, ("us", "them")), Agreed(THEIRS, ("us", "third")))


def chain(key: Key, *bodies: Body) -> tuple[Record, ...]:
    made: list[Record] = []
    for body in bodies:
        made.append(next_after(made[-1] if made else None, body.KIND, body.to_body(), key, WHEN))
    return tuple(made)


def shown(party: str, *bodies: Body, others: tuple[Record, ...] = ()) -> list[str]:
    """The kinds that a party is shown of our chain; "" for what is hidden."""
    own = RecordSet(chain(US, *bodies))
    told = shown_to(party, own, (*own, *others), AGREED, KEYS)  # type: ignore[arg-type]  # all that is looked at
    assert [record.id for record in told] == [record.id for record in own]
    assert told.findings == ()
    return [record.kind for record in told]


REVOKED = chain(THEM, Revocation(URN, OURS, "no", "them/x"))
CASES: list[tuple[Body, set[str]]] = [  # a record of ours, and which partners are shown it
    (Trust("them", THEM.id), {"them"}),
    (Trust("third", THIRD.id), {"third"}),
    (Trust("us", FORMER.id), {"them", "third"}),
    (Distrust(THIRD.id, "stolen", "us/x"), {"them", "third"}),
    (KeyRotated(FORMER.id), {"them", "third"}),
    (AgreementSigned(URN, OURS, "us", "us/x"), {"them"}),
    (AgreementSigned(URN, THEIRS, "us", "us/x"), {"third"}),
    (AgreementSigned(URN, PACKAGE, "us", "us/x"), set()),  # a text that is not here any more
    (Preview(URN, OURS, "D-0123456789abcdef", "them", "report", "2026-11-22", PACKAGE), {"them"}),
    (Release(PACKAGE, URN, OURS, "them", "report", "2026-11-22", 12, "us/x"), {"them"}),
    (Opening(PACKAGE, "third", "2026-11-22"), {"third"}),
    (Revocation(URN, OURS, "no", "us/x"), {"them"}),
    (Receipt(REVOKED[0].id, "us/x", "deleted"), {"them"}),
    (Receipt(PACKAGE, "us/x", "of a record that nobody has"), set()),
    (Publication(PACKAGE, "third", "press", "2026-11-22", (), "us/x"), {"third"}),
    (Publication(PACKAGE, "public", "press", "2026-11-22", (), "us/x"), {"them", "third"}),
    (Publication(PACKAGE, "ministry", "press", "2026-11-22", (OURS,), "us/x"), {"them"}),
    (FocalPoint("us", "tigers", "us/x"), set()),  # a kind that nobody decided about
]


@pytest.mark.parametrize(("body", "concerned"), CASES)
def test_each_record_is_shown_to_whom_it_concerns(body: Body, concerned: set[str]) -> None:
    for party in ("them", "third", "stranger"):
        told = shown(party, body, others=REVOKED)
        everybody = concerned >= {"them", "third"}
        assert told == [body.KIND if party in concerned or everybody else ""]


def test_every_kind_of_sharing_is_tried_here() -> None:
    of_sharing = {name for name, kind in KINDS.items() if kind.__module__ == kinds.__name__}
    assert of_sharing <= {body.KIND for body, _ in CASES}


def test_of_what_others_were_given_no_word_is_told() -> None:
    """Nothing in the bytes that travel names the third party, its agreement, its package or its key."""
    bodies = [body for body, concerned in CASES if "them" not in concerned]
    own = RecordSet(chain(US, *bodies))
    told = lines(shown_to("them", own, own, AGREED, KEYS))  # type: ignore[arg-type]  # all that is looked at
    for word in (b"third", THIRD.id.encode(), THEIRS.encode(), PACKAGE.encode(), WHEN.encode(), b"kind", b"salt"):
        assert word not in told


def test_what_a_party_wrote_itself_it_is_shown() -> None:
    own = RecordSet(chain(THEM, *(body for body, _ in CASES)))
    told = shown_to("them", own, own, AGREED, KEYS)  # type: ignore[arg-type]  # all that is looked at
    assert told == own
