"""Keys that are stolen, and changes of keys that were cut off: nothing is trusted or begun by mistake."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sharedrange.assessment import sharing
from sharedrange.records import Keys, fingerprint, open_store
from sharedrange.sharing import kinds

if TYPE_CHECKING:
    from tests.assessment.sharing.conftest import Three

OWNER, RECIPIENT, NEIGHBOUR = "westfell", "secretariat", "eastfell"
NOW, LATER, TODAY = "2026-11-22T10:00:00Z", "2026-11-23T10:00:00Z", date(2026, 11, 22)
AGREEMENT = "urn:agreement:westfell--secretariat:2026-01"
WAITING = "sharing-new"


def distrust(three: Three, party: str, wanted: str) -> sharing.Distrusted:
    return sharing.distrust(
        three.node(party), wanted, reason="stolen with a laptop", by=f"{party}/director", recorded_at=LATER
    )


def warnings(three: Three, party: str) -> list[str]:
    return [finding.rule for finding in sharing.audit(three.node(party), TODAY).findings]


def new_keys(three: Three, party: str) -> sharing.Card:
    """A party moves its key files away and makes new ones."""
    (three.node(party) / "keys").rename(three.root / f"old-keys-of-{party}")
    return sharing.make_keys(three.node(party))


# --- stolen ---


@pytest.mark.parametrize("name", ["card", "key", "digits of the key"])
def test_a_stolen_key_is_named_by_itself_or_by_digits(three: Three, name: str) -> None:
    card = sharing.card(three.node(OWNER))
    wanted = {"card": card.fingerprint, "key": card.key, "digits of the key": fingerprint(card.key)}[name]
    lost = distrust(three, RECIPIENT, wanted)
    assert lost == sharing.Distrusted(card.key, (OWNER,), (AGREEMENT,))
    ground = sharing.open_ground(three.node(RECIPIENT))
    assert OWNER not in ground.trusted
    assert OWNER not in ground.sealed_for


def test_a_key_that_nobody_met_is_named_by_itself_before_it_is_trusted(strangers: Three) -> None:
    card = sharing.card(strangers.node(OWNER))
    assert strangers.refusal(lambda: distrust(strangers, RECIPIENT, card.fingerprint)) == ["key-unknown"]
    assert distrust(strangers, RECIPIENT, card.key).parties == ()
    trust = lambda: sharing.trust(strangers.node(RECIPIENT), card, compared=card.fingerprint, recorded_at=LATER)  # noqa: E731
    assert strangers.refusal(trust) == ["card-distrusted"]


@pytest.mark.parametrize("wanted", ["", "12345", "1" * 30, "ed25519:zz"])
def test_digits_of_no_key_are_refused(three: Three, wanted: str) -> None:
    assert three.refusal(lambda: distrust(three, RECIPIENT, wanted)) == ["key-unknown"]


def test_nobody_distrusts_a_key_of_its_own(three: Three) -> None:
    own = sharing.card(three.node(OWNER))
    assert three.refusal(lambda: distrust(three, OWNER, own.key)) == ["key-own"]


def test_distrust_said_twice_is_one_record(three: Three) -> None:
    key = sharing.card(three.node(OWNER)).key
    for _ in range(2):
        distrust(three, RECIPIENT, key)
    made = open_store(three.node(RECIPIENT) / "records").read()
    assert sum(record.kind == kinds.Distrust.KIND for record in made) == 1


def test_a_package_of_a_stolen_key_is_not_opened_and_its_agreement_waits_for_a_signature(
    sent: tuple[Three, Path],
) -> None:
    three, file = sent
    distrust(three, RECIPIENT, sharing.card(three.node(OWNER)).key)
    assert set(three.refusal(lambda: three.open(file))) == {"package-untrusted", "agreement-unsigned"}
    (listed,) = sharing.agreements(three.node(RECIPIENT), TODAY)
    assert not listed.holds
    assert listed.standing.signed_by == {RECIPIENT}


def test_nothing_is_sealed_for_a_partner_whose_key_was_stolen(three: Three) -> None:
    distrust(three, OWNER, sharing.card(three.node(RECIPIENT)).key)
    assert three.refusal(three.seal) == ["agreement-unsigned"]


def test_packages_that_a_stolen_key_signed_are_marked_where_they_lie(sent: tuple[Three, Path]) -> None:
    three, file = sent
    three.open(file)
    assert warnings(three, RECIPIENT) == []
    distrust(three, RECIPIENT, sharing.card(three.node(OWNER)).key)
    assert warnings(three, RECIPIENT) == ["package-of-distrusted"]


def test_the_successor_that_a_thief_names_is_not_followed(three: Three) -> None:
    stolen = sharing.card(three.node(OWNER))
    distrust(three, RECIPIENT, stolen.key)
    sharing.rotate(three.node(OWNER), recorded_at=LATER)  # by whoever holds the stolen key
    courier = sharing.carry(three.node(OWNER), RECIPIENT, three.drop)
    attempt = lambda: sharing.take_carried(three.node(RECIPIENT), courier)  # noqa: E731
    assert three.refusal(attempt) == ["courier-untrusted"]


def test_after_a_theft_two_parties_go_on_with_new_keys_and_new_signatures(three: Three) -> None:
    distrust(three, RECIPIENT, sharing.card(three.node(OWNER)).fingerprint)
    new_keys(three, OWNER)
    three.meet(OWNER, RECIPIENT)
    three.sign(OWNER)
    three.courier(OWNER, RECIPIENT)
    three.courier(RECIPIENT, OWNER)
    assert three.open(three.seal().file).folder is not None


def test_partners_learn_that_a_key_is_trusted_no_longer_and_decide_for_themselves(three: Three) -> None:
    three.meet(RECIPIENT, NEIGHBOUR)
    stolen = sharing.card(three.node(OWNER)).key
    distrust(three, RECIPIENT, stolen)
    three.courier(RECIPIENT, NEIGHBOUR)
    assert warnings(three, NEIGHBOUR) == ["key-distrusted-by-partner"]
    assert stolen in sharing.open_ground(three.node(NEIGHBOUR)).trusted[OWNER]
    distrust(three, NEIGHBOUR, stolen)
    assert warnings(three, NEIGHBOUR) == []


# --- a change of keys that was cut off ---


def cut_off(three: Three, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """The owner's change of keys dies before the n-th file that it would move."""
    whole, left = Path.rename, [at]

    def rename(path: Path, target: Path) -> Path:
        if path.parent.name == "keys":
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
        return whole(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            sharing.rotate(three.node(OWNER), recorded_at=LATER)


@pytest.mark.parametrize("at", range(4))
def test_keys_typed_in_the_middle_of_a_change_of_keys_makes_no_new_identity(
    three: Three, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    cut_off(three, monkeypatch, at)
    keys = Keys(three.node(OWNER) / "keys")
    successor = keys.public(WAITING) if WAITING in keys.names() else keys.public("sharing")
    if at < 2:  # the old key is in its place still: how it goes on is told
        assert three.refusal(lambda: sharing.make_keys(three.node(OWNER))) == ["rotation-unfinished"]
        assert three.refusal(lambda: sharing.protect_keys(three.node(OWNER), None, "x")) == ["rotation-unfinished"]
        card = sharing.rotate(three.node(OWNER), recorded_at=LATER)
    else:  # nothing but a name is missing: it is finished
        card = sharing.make_keys(three.node(OWNER))
    assert card.key == successor
    three.courier(OWNER, RECIPIENT)
    theirs = sharing.open_ground(three.node(RECIPIENT))
    assert card.key in theirs.trusted[OWNER]
    assert theirs.sealed_for[OWNER] == card.age


def test_a_key_that_named_its_successor_signs_nothing_more(three: Three, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_off(three, monkeypatch, 0)
    assert three.refusal(three.seal) == ["rotation-unfinished"]
    revoke = lambda: sharing.revoke(three.node(OWNER), AGREEMENT, reason="x", by="westfell/x", recorded_at=LATER)  # noqa: E731
    assert three.refusal(revoke) == ["rotation-unfinished"]


@pytest.mark.parametrize("lost", ["sharing-new.*", "sharing-new.key"])
def test_a_lost_successor_is_told_and_no_second_one_is_named(
    three: Three, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """Who names two successors is taken for a thief by every partner."""
    cut_off(three, monkeypatch, 0)
    backup = Path(shutil.copytree(three.node(OWNER) / "keys", three.root / "backup"))
    for file in (three.node(OWNER) / "keys").glob(lost):
        file.unlink()
    for attempt in (
        lambda: sharing.rotate(three.node(OWNER), recorded_at=LATER),
        lambda: sharing.make_keys(three.node(OWNER)),
        three.seal,
    ):
        assert three.refusal(attempt) == ["successor-lost"]
    shutil.copytree(backup, three.node(OWNER) / "keys", dirs_exist_ok=True)
    card = sharing.rotate(three.node(OWNER), recorded_at=LATER)
    three.courier(OWNER, RECIPIENT)
    assert card.key in sharing.open_ground(three.node(RECIPIENT)).trusted[OWNER]


def test_who_lost_a_successor_for_good_begins_anew(three: Three, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_off(three, monkeypatch, 0)
    new_keys(three, OWNER)
    assert three.refusal(three.seal) == ["agreement-unsigned"]
    three.meet(OWNER, RECIPIENT)
    three.sign(OWNER)
    three.courier(OWNER, RECIPIENT)
    three.courier(RECIPIENT, OWNER)
    assert three.open(three.seal().file).folder is not None
