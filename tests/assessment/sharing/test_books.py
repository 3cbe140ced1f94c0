"""What the books of a node say of its packages, and what they tell to others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.sharing_cases import AGREEMENT, NOW, OWNER, RECIPIENT, STEWARD, TODAY

from sharedrange.assessment import sharing
from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.records import Record, in_force, lines, open_store
from sharedrange.sharing import kinds

if TYPE_CHECKING:
    from tests.assessment.sharing.conftest import Three

NEIGHBOUR, LATER = "eastfell", "2026-11-23T10:00:00Z"
SEEN = (
    Finding("release-attacked-rows", {"share": 0.25}, Where("encounters.csv", row=3), Severity.WARNING),
    Finding("release-area-small", {"area_km2": 7.5, "least": None}, severity=Severity.NOTE),
)


def seal(three: Three, seen: Sequence[Finding] = SEEN) -> Path:
    made = sharing.seal_release(
        three.node(OWNER), three.asked(), approved_by=STEWARD, recorded_at=NOW, check=lambda _: seen, out=three.drop
    )
    return made.file


def books(three: Three, party: str = OWNER) -> sharing.Audit:
    return sharing.audit(three.node(party), TODAY)


def rules(three: Three, party: str = OWNER) -> list[str]:
    return [finding.rule for finding in books(three, party).findings]


def known(three: Three, party: str, of: str) -> tuple[Record, ...]:
    """The records of one party's key that another holds."""
    return open_store(three.node(party) / "records").read().of(sharing.card(three.node(of)).key)


# --- what was seen before a package left ---


@pytest.mark.parametrize("seen", [SEEN, ()])
def test_what_was_seen_before_a_package_left_is_kept_as_it_was_recorded(three: Three, seen: Sequence[Finding]) -> None:
    seal(three, seen)
    (left,) = books(three).left
    assert (left.look.state, left.look.findings) == ("kept", tuple(seen))
    assert rules(three) == []


def test_a_changed_or_lost_look_is_told(three: Three) -> None:
    seal(three)
    (file,) = (three.node(OWNER) / "released").glob("*/*/preview.jsonl")
    file.write_bytes(file.read_bytes().replace(b"0.25", b"0.01"))
    assert rules(three) == ["preview-changed"]
    assert books(three).left[0].look.findings == ()
    file.unlink()
    assert rules(three) == ["preview-gone"]


def test_the_look_at_one_package_does_not_stand_for_another(three: Three) -> None:
    seal(three)
    seal(three, ())
    one, two = (three.node(OWNER) / "released").glob("*/*/preview.jsonl")
    whole = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(whole)
    assert rules(three) == ["preview-changed", "preview-changed"]


def test_what_was_seen_does_not_travel(three: Three) -> None:
    package = three.open(seal(three)).package
    told = b"".join(package.files.values()) + lines(package.records)
    assert b"attacked" not in told
    previews = [preview for _, preview in in_force(package.records, kinds.Preview)]
    assert len(previews) == 1


# --- what a package brings of its owner's records ---


def test_whoever_gets_one_package_and_nothing_more_holds_the_record_of_it(sent: tuple[Three, Path]) -> None:
    three, file = sent
    package = three.open(file).package
    last = known(three, RECIPIENT, OWNER)[-1]
    assert (last.kind, last.body["package"]) == ("release", package.package)
    assert last == known(three, OWNER, OWNER)[-1]


def test_a_partner_learns_nothing_of_what_was_given_to_others(three: Three) -> None:
    """The neighbour is told that the owner's chain has so many records, and what of them concerns it."""
    seal(three)
    courier = sharing.carry(three.node(OWNER), NEIGHBOUR, three.drop)
    told = b"".join(file.read_bytes() for file in courier.rglob("*") if file.is_file())
    for word in (
        RECIPIENT,
        AGREEMENT,
        "release",
        "preview",
        "agreement-signed",
        sharing.card(three.node(RECIPIENT)).key,
    ):
        assert word.encode() not in told
    three.meet(NEIGHBOUR, OWNER)
    sharing.take_carried(three.node(NEIGHBOUR), courier)
    theirs, ours = known(three, NEIGHBOUR, OWNER), known(three, OWNER, OWNER)
    assert [record.id for record in theirs] == [record.id for record in ours[: len(theirs)]]
    assert {record.kind for record in theirs} == {"", "trust"}
    assert rules(three, NEIGHBOUR) == []


def test_what_was_hidden_from_a_partner_is_held_against_who_takes_it_back(three: Three) -> None:
    """Of the release to another the neighbour knows nothing but its hash: enough to see that it was taken out."""
    chain = three.node(OWNER) / "records" / f"{sharing.card(three.node(OWNER)).key.replace(':', '-')}.jsonl"
    before = chain.read_bytes()
    seal(three)
    three.courier(OWNER, NEIGHBOUR)
    chain.write_bytes(before)
    sharing.revoke(three.node(OWNER), AGREEMENT, reason="x", by="westfell/x", recorded_at=LATER)
    courier = sharing.carry(three.node(OWNER), NEIGHBOUR, three.drop)
    attempt = lambda: sharing.take_carried(three.node(NEIGHBOUR), courier)  # noqa: E731
    assert three.refusal(attempt) == ["package-chain-rewritten"]


# --- a package on its way when its agreement ends ---


def test_a_package_from_before_a_revocation_opens_where_nobody_knows_of_it_and_is_marked_after(
    sent: tuple[Three, Path],
) -> None:
    three, file = sent
    sharing.revoke(three.node(OWNER), AGREEMENT, reason="x", by="westfell/x", recorded_at=LATER)
    assert three.open(file).folder is not None  # nobody here could know
    three.courier(OWNER, RECIPIENT)
    assert sorted(rules(three, RECIPIENT)) == ["package-of-revoked", "receipt-due"]
    three.courier(RECIPIENT, OWNER)
    (left,), (revoked,) = books(three).left, books(three).revoked
    assert left.opened  # and its owner knows that there is a copy
    assert revoked.answers == ()


def test_a_revocation_that_was_kept_back_on_the_way_comes_with_the_next_folder(sent: tuple[Three, Path]) -> None:
    """Somebody on the way hides every line of the folder: nothing else can be seen of it, and nothing is changed."""
    three, file = sent
    sharing.revoke(three.node(OWNER), AGREEMENT, reason="x", by="westfell/x", recorded_at=LATER)
    courier = sharing.carry(three.node(OWNER), RECIPIENT, three.drop)
    (chain,) = courier.glob("*.jsonl")
    chain.write_bytes(lines(record.hide() for record in open_store(courier).read()))
    sharing.take_carried(three.node(RECIPIENT), courier)
    assert rules(three, RECIPIENT) == []
    three.courier(OWNER, RECIPIENT)
    assert rules(three, RECIPIENT) == ["receipt-due"]
    assert three.refusal(lambda: three.open(file)) == ["agreement-revoked"]


def test_an_answer_to_a_revocation_reaches_who_revoked_and_nobody_else(sent: tuple[Three, Path]) -> None:
    three, file = sent
    three.meet(RECIPIENT, NEIGHBOUR)
    three.open(file)
    sharing.revoke(three.node(OWNER), AGREEMENT, reason="x", by="westfell/x", recorded_at=LATER)
    three.courier(OWNER, RECIPIENT)
    answer = {"what": "deleted on 3 December", "by": "secretariat/head", "recorded_at": LATER}
    sharing.answer_revocation(three.node(RECIPIENT), AGREEMENT, **answer)
    three.courier(RECIPIENT, OWNER)
    assert books(three).revoked[0].answers == (("secretariat/head", "deleted on 3 December"),)
    courier = sharing.carry(three.node(RECIPIENT), NEIGHBOUR, three.drop)
    assert not any(b"deleted" in file.read_bytes() for file in courier.rglob("*") if file.is_file())


# --- what a killed run leaves ---


def test_what_a_killed_run_left_half_written_goes_with_the_next_line_but_not_from_own_data(three: Three) -> None:
    node = three.node(OWNER)
    halves = [
        node / "agreements" / ".writing-x8f2kq1z.toml",
        node / "records" / ".writing-x8f2kq1z.jsonl",
        node / "released" / "0123" / ".writing-4567-x8f2kq1z" / "stations.csv",
    ]
    kept = [node / "own" / ".writing-x8f2kq1z.csv", node / "agreements" / ".DS_Store", node / "agreements" / ".x.toml"]
    for file in (*halves, *kept):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"half")
    sharing.make_keys(node)
    assert not any(file.exists() for file in halves)
    assert not halves[2].parent.exists()
    assert all(file.exists() for file in kept)


def test_no_folder_outside_the_node_is_followed_to_clear_it(three: Three, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / ".writing-x8f2kq1z.toml").write_bytes(b"somebody's")
    (three.node(OWNER) / "linked").symlink_to(outside)
    (three.node(OWNER) / "agreements" / "linked").symlink_to(outside)
    (three.node(OWNER) / "agreements" / ".writing-linked-x8f2kq1z").symlink_to(outside)
    sharing.make_keys(three.node(OWNER))
    assert (outside / ".writing-x8f2kq1z.toml").exists()
    assert not (three.node(OWNER) / "agreements" / ".writing-linked-x8f2kq1z").is_symlink()
