"""An exchange between nodes, from first acquaintance to revocation."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from sharedrange.assessment import sharing
from sharedrange.assessment.material import Material
from sharedrange.assessment.node import open_node
from sharedrange.assessment.programme import Species
from sharedrange.assessment.surveys import Surveys
from sharedrange.core.errors import InputError
from sharedrange.records import open_store

if TYPE_CHECKING:
    from tests.assessment.sharing.conftest import Three

Sent = "tuple[Three, Path]"
OWNER, RECIPIENT, NEIGHBOUR = "westfell", "secretariat", "eastfell"
NOW, LATER, TODAY = "2026-11-22T10:00:00Z", "2026-11-23T10:00:00Z", date(2026, 11, 22)
AGREEMENT = "urn:agreement:westfell--secretariat:2026-01"


def revoke(three: Three, party: str = OWNER) -> None:
    sharing.revoke(three.node(party), AGREEMENT, reason="a reason", by=f"{party}/director", recorded_at=LATER)


def rotate(three: Three, party: str) -> sharing.Card:
    return sharing.rotate(three.node(party), recorded_at=LATER)


def table(received: sharing.Received, name: str) -> pl.DataFrame:
    assert received.folder is not None
    return pl.read_csv(received.folder / f"{name}.csv")


# --- acquaintance ---


@pytest.mark.parametrize("compared", ["", "12345 67890 12345 67890 12345 67890", "12345"])
def test_nobody_is_trusted_by_other_digits_than_those_of_the_card(strangers: Three, compared: str) -> None:
    card = sharing.card(strangers.node(RECIPIENT))
    attempt = lambda: sharing.trust(strangers.node(OWNER), card, compared=compared, recorded_at=NOW)  # noqa: E731
    assert strangers.refusal(attempt) == ["card-fingerprint"]
    assert RECIPIENT not in sharing.open_ground(strangers.node(OWNER)).trusted


def test_a_card_travels_as_a_file_and_the_digits_may_be_read_with_blanks(strangers: Three) -> None:
    sent = sharing.card(strangers.node(RECIPIENT))
    came = sharing.read_card(sharing.write_card(sent, strangers.drop))
    sharing.trust(strangers.node(OWNER), came, compared=came.fingerprint.replace(" ", "  "), recorded_at=NOW)
    assert sharing.open_ground(strangers.node(OWNER)).trusted[RECIPIENT] == {sent.key}


def test_a_card_that_was_changed_on_the_way_is_none(strangers: Three) -> None:
    card = sharing.card(strangers.node(RECIPIENT))
    other = sharing.card(strangers.node(NEIGHBOUR))
    file = sharing.write_card(card, strangers.drop)
    file.write_bytes(file.read_bytes().replace(card.age.encode(), other.age.encode()))
    assert strangers.refusal(lambda: sharing.read_card(file)) == ["card-malformed"]


def test_signatures_of_strangers_are_not_taken_in(strangers: Three) -> None:
    strangers.sign(OWNER, str(strangers.written()))
    courier = sharing.carry(strangers.node(OWNER), RECIPIENT, strangers.drop)
    attempt = lambda: sharing.take_carried(strangers.node(RECIPIENT), courier)  # noqa: E731
    assert strangers.refusal(attempt) == ["courier-untrusted"]


def test_an_agreement_holds_once_each_party_has_the_other_s_signature(three: Three) -> None:
    for party in (OWNER, RECIPIENT):
        (listed,) = sharing.agreements(three.node(party), TODAY)
        assert listed.holds
        assert listed.standing.signed_by == {OWNER, RECIPIENT}


# --- the way of a package ---


def test_looking_at_a_package_writes_nothing(sent: tuple[Three, Path]) -> None:
    three, file = sent
    before = three.files()
    looked = sharing.verify_package(three.node(RECIPIENT), file, on=TODAY)
    assert looked.folder is None
    assert looked.package.rows["stations"] > 0
    assert three.files() == before


def test_looking_at_what_would_leave_writes_nothing(three: Three) -> None:
    before = three.files()
    seen = sharing.preview(three.node(OWNER), three.asked())
    assert seen.tables["encounters"].height > 0
    assert three.files() == before


def test_what_is_opened_is_what_the_owner_kept_a_copy_of(sent: tuple[Three, Path]) -> None:
    three, file = sent
    received = three.open(file)
    assert received.folder is not None
    (kept,) = (three.node(OWNER) / "released").glob("*/*")
    for name in ("stations.csv", "effort.csv", "encounters.csv"):
        assert (received.folder / name).read_bytes() == (kept / name).read_bytes()


def test_a_preview_shows_exactly_the_rows_that_leave(three: Three) -> None:
    seen = sharing.preview(three.node(OWNER), three.asked())
    sealed = three.seal()
    assert {name: rows.height for name, rows in seen.tables.items()} == sealed.rows


def test_a_package_is_opened_once(sent: tuple[Three, Path]) -> None:
    three, file = sent
    three.open(file)
    assert three.refusal(lambda: three.open(file)) == ["package-opened"]


def test_what_a_package_does_not_tell_of_was_not_looked_for_and_missed(sent: tuple[Three, Path]) -> None:
    three, package = sent
    three.open(package)
    node = open_node(three.node(RECIPIENT))
    programme = replace(node.programme, species=(*node.programme.species, Species("boar", "Sus scrofa")))
    node, cats = replace(node, programme=programme), programme.questions[0]
    told, untold = (Material(node, replace(cats, species=key), Surveys(node)) for key in (cats.species, "boar"))
    assert [survey.party for survey in told.surveys_of([OWNER])] == [OWNER]
    assert untold.surveys_of([OWNER]) == ()
    assert {f.facts["party"]: f.rule for f in untold.about_parties} == {
        OWNER: "party-without-species",
        NEIGHBOUR: "party-without-data",
    }


def test_an_opening_that_stopped_before_its_record_is_finished_by_the_next(sent: tuple[Three, Path]) -> None:
    three, file = sent
    records = {path: path.read_bytes() for path in (three.node(RECIPIENT) / "records").glob("*.jsonl")}
    three.open(file)
    for path, content in records.items():  # as if the process had died between the folder and the record
        path.write_bytes(content)
    finished = three.open(file)
    assert finished.again
    books = sharing.audit(three.node(RECIPIENT), TODAY)
    assert [row.is_here for row in books.arrived] == [True]
    assert not books.findings


def test_two_packages_call_the_same_stations_and_animals_the_same(three: Three) -> None:
    first, second = three.open(three.seal().file), three.open(three.seal(on=date(2026, 12, 1)).file)
    assert first.package.package != second.package.package
    for name in ("stations", "encounters"):
        assert table(first, name).equals(table(second, name))


def test_the_owner_s_books_say_what_left_and_that_it_was_opened_once_the_recipient_told(
    sent: tuple[Three, Path],
) -> None:
    three, file = sent
    three.open(file)
    (left,) = sharing.audit(three.node(OWNER), TODAY).left
    assert (left.recipient, left.opened) == (RECIPIENT, False)
    three.courier(RECIPIENT, OWNER)
    (left,) = sharing.audit(three.node(OWNER), TODAY).left
    assert left.opened
    assert left.approved_by == "westfell/data-steward"


def test_a_package_can_be_opened_by_whoever_was_not_told_yet_that_the_owner_signed(three: Three) -> None:
    """The owner's signature travels in the package."""
    node = three.node(RECIPIENT)
    owner = sharing.card(three.node(OWNER)).key
    (chain,) = [path for path in (node / "records").glob("*.jsonl") if owner.partition(":")[2] in path.name]
    file = three.seal().file
    chain.unlink()
    (listed,) = sharing.agreements(node, TODAY)
    assert not listed.holds
    assert three.open(file).folder is not None


# --- revocation ---


def test_after_a_revocation_nothing_leaves(three: Three) -> None:
    revoke(three)
    assert three.refusal(three.seal) == ["agreement-revoked"]
    assert three.refusal(lambda: sharing.preview(three.node(OWNER), three.asked())) == ["agreement-revoked"]


def test_after_a_revocation_that_arrived_nothing_is_opened(sent: tuple[Three, Path]) -> None:
    three, file = sent
    revoke(three)
    three.courier(OWNER, RECIPIENT)
    assert three.refusal(lambda: three.open(file)) == ["agreement-revoked"]


def test_a_recipient_too_may_revoke(sent: tuple[Three, Path]) -> None:
    three, file = sent
    revoke(three, RECIPIENT)
    assert three.refusal(lambda: three.open(file)) == ["agreement-revoked"]
    three.courier(RECIPIENT, OWNER)
    assert three.refusal(three.seal) == ["agreement-revoked"]


def test_a_revocation_marks_what_was_given_and_asks_for_a_receipt(sent: tuple[Three, Path]) -> None:
    three, file = sent
    three.open(file)
    revoke(three)
    three.courier(OWNER, RECIPIENT)
    found = [finding.rule for finding in sharing.audit(three.node(RECIPIENT), TODAY).findings]
    assert sorted(found) == ["package-of-revoked", "receipt-due"]


# --- new keys ---


def test_after_a_rotation_a_node_knows_its_partners_still(three: Three) -> None:
    before = sharing.open_ground(three.node(OWNER))
    old, trusted, sealed_for = before.own_key, before.trusted[RECIPIENT], before.sealed_for
    card = rotate(three, OWNER)
    after = sharing.open_ground(three.node(OWNER))
    assert card.key == after.own_key != old
    assert after.own_keys == {old, after.own_key}
    assert after.trusted[RECIPIENT] == trusted
    assert {**sealed_for, OWNER: card.age} == after.sealed_for
    assert all(listed.holds for listed in sharing.agreements(three.node(OWNER), TODAY))


def test_a_partner_follows_a_new_key_after_a_courier(three: Three) -> None:
    card = rotate(three, OWNER)
    assert three.courier(OWNER, RECIPIENT).party == OWNER
    assert card.key in sharing.open_ground(three.node(RECIPIENT)).trusted[OWNER]
    assert three.open(three.seal().file).folder is not None


def test_a_package_brings_the_new_key_of_its_sender(three: Three) -> None:
    card = rotate(three, OWNER)
    received = three.open(three.seal().file)
    assert received.package.author_key == card.key


def test_a_package_that_was_sealed_for_the_old_key_opens_after_a_rotation(sent: tuple[Three, Path]) -> None:
    three, file = sent
    rotate(three, RECIPIENT)
    assert three.open(file).folder is not None
    assert three.refusal(lambda: three.open(file)) == ["package-opened"]


def test_packages_are_sealed_for_the_new_key_once_it_was_told(three: Three) -> None:
    card = rotate(three, RECIPIENT)
    three.courier(RECIPIENT, OWNER)
    assert sharing.open_ground(three.node(OWNER)).sealed_for[RECIPIENT] == card.age
    for old in (three.node(RECIPIENT) / "keys").glob("sharing-until-*"):
        old.unlink()
    assert three.open(three.seal().file).folder is not None


def test_a_key_may_be_replaced_twice_a_day(three: Three) -> None:
    rotate(three, OWNER)
    card = rotate(three, OWNER)
    three.courier(OWNER, RECIPIENT)
    assert card.key in sharing.open_ground(three.node(RECIPIENT)).trusted[OWNER]
    assert three.open(three.seal().file).folder is not None


def test_a_package_from_before_a_rotation_opens_after_it(sent: tuple[Three, Path]) -> None:
    three, file = sent
    rotate(three, OWNER)
    three.courier(OWNER, RECIPIENT)
    assert three.open(file).folder is not None


# --- rerunning ---


def test_signing_twice_is_one_record(three: Three) -> None:
    before = len(open_store(three.node(OWNER) / "records").read())
    three.sign(OWNER)
    assert len(open_store(three.node(OWNER) / "records").read()) == before


def test_taking_the_same_courier_twice_adds_nothing(three: Three) -> None:
    three.courier(OWNER, RECIPIENT)
    before = three.files(RECIPIENT)
    shutil.rmtree(three.drop / "westfell-for-secretariat")
    assert three.courier(OWNER, RECIPIENT).records == 0
    assert three.files(RECIPIENT) == before


def test_a_lost_key_loses_no_data(sent: tuple[Three, Path]) -> None:
    """Without its keys a node still reads everything that it holds, and may begin anew under others."""
    three, file = sent
    three.open(file)
    for key in (three.node(RECIPIENT) / "keys").iterdir():
        key.unlink()
    with pytest.raises(InputError):
        sharing.audit(three.node(RECIPIENT), TODAY)
    sharing.make_keys(three.node(RECIPIENT))
    (delivered,) = sharing.open_ground(three.node(RECIPIENT)).node.deliveries
    assert delivered.source.released_under == AGREEMENT
