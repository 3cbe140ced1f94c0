"""Whatever is wrong with an exchange, a reason is given and no file changes."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sharedrange.assessment import sharing
from sharedrange.assessment.sharing import Leaving
from sharedrange.core.finding import Finding
from sharedrange.records import Keys, chain_file, key_from_seed

if TYPE_CHECKING:
    from tests.assessment.sharing.conftest import Three

OWNER, RECIPIENT, NEIGHBOUR = "westfell", "secretariat", "eastfell"
NOW, TODAY, TOO_LATE = "2026-11-22T10:00:00Z", date(2026, 11, 22), date(2028, 1, 1)
AGREEMENT = "urn:agreement:westfell--secretariat:2026-01"


def rewrite(node: Path, old: str, new: str) -> None:
    """Change the text of the agreement in a node."""
    (file,) = (node / "agreements").glob("*.toml")
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def other_keys(three: Three, party: str) -> None:
    """Somebody with other keys sits at the node of a party."""
    shutil.rmtree(three.node(party) / "keys")
    Keys(three.node(party) / "keys").create("sharing", random_bytes=lambda n: key_from_seed(b"thief").secret[:n])
    sharing.make_keys(three.node(party))


# --- what does not leave ---


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"on": TOO_LATE}, "agreement-not-valid"),
        ({"on": date(2025, 12, 31)}, "agreement-not-valid"),
        ({"recipient": NEIGHBOUR}, "release-recipient"),
        ({"recipient": "nobody"}, "release-recipient"),
        ({"recipient": OWNER}, "release-recipient"),
        ({"purpose": "curiosity"}, "release-purpose"),
        ({"by": "westfell/intern"}, "release-not-approved"),
    ],
)
def test_what_is_asked_wrongly_does_not_leave(three: Three, changed: dict[str, object], rule: str) -> None:
    assert rule in three.refusal(lambda: three.seal(**changed))  # type: ignore[arg-type]  # as parametrized


def test_every_reason_is_given_at_once(three: Three) -> None:
    found = three.refusal(lambda: three.seal(on=TOO_LATE, recipient=NEIGHBOUR, purpose="curiosity"))
    assert set(found) == {"agreement-not-valid", "release-recipient", "release-purpose"}


def test_nothing_leaves_under_a_text_that_nobody_signed(three: Three) -> None:
    rewrite(three.node(OWNER), "cell = 0.2", "cell = 0.01")
    assert three.refusal(three.seal) == ["agreement-unsigned"]


def test_nothing_leaves_under_an_agreement_that_the_recipient_did_not_sign(strangers: Three) -> None:
    strangers.meet(OWNER, RECIPIENT)
    strangers.sign(OWNER, str(strangers.written()))
    assert strangers.refusal(strangers.seal) == ["agreement-unsigned"]


def test_nothing_leaves_under_an_agreement_that_the_node_does_not_have(three: Three) -> None:
    shutil.rmtree(three.node(OWNER) / "agreements")
    assert three.refusal(three.seal) == ["agreement-unknown"]


def test_what_others_gave_does_not_leave(sent: tuple[Three, Path]) -> None:
    three, file = sent
    folder = three.open(file).folder
    assert folder is not None
    asked = sharing.Asked(folder.name, AGREEMENT, RECIPIENT, "treaty-report", TODAY)
    attempt = lambda: sharing.preview(three.node(RECIPIENT), asked)  # noqa: E731
    assert three.refusal(attempt) == ["dataset-unknown"]


def test_what_a_look_finds_too_telling_does_not_leave(three: Three) -> None:
    def check(leaving: Leaving) -> list[Finding]:
        assert leaving.released.tables["stations"].height
        return [Finding("release-attacked-stations", {})]

    attempt = lambda: sharing.seal_release(  # noqa: E731
        three.node(OWNER), three.asked(), approved_by="westfell/data-steward", recorded_at=NOW, check=check
    )
    assert three.refusal(attempt) == ["release-attacked-stations"]


def test_what_leaves_is_stopped_where_an_outsider_is_left_with_too_little_ground(strangers: Three) -> None:
    strangers.agree(strangers.text.replace("delay_days = 90", "delay_days = 90\nleast_area_km2 = 1e6"))
    assert strangers.refusal(strangers.seal) == ["release-area-small"]


def test_without_pseudonyms_that_were_told_before_nothing_leaves(sent: tuple[Three, Path]) -> None:
    three, _ = sent
    (table,) = (three.node(OWNER) / "pseudonyms").iterdir()
    table.write_bytes(table.read_bytes()[:-20])
    assert three.refusal(three.seal) == ["pseudonyms-damaged"]


# --- what is not opened ---


@pytest.mark.parametrize("on", [TOO_LATE, date(2025, 12, 31)])
def test_a_package_is_not_opened_out_of_its_time(sent: tuple[Three, Path], on: date) -> None:
    three, file = sent
    assert three.refusal(lambda: three.open(file, on=on)) == ["agreement-not-valid"]


@pytest.mark.parametrize("party", [NEIGHBOUR, OWNER])
def test_a_package_is_opened_by_nobody_else(sent: tuple[Three, Path], party: str) -> None:
    three, file = sent
    assert three.refusal(lambda: three.open(file, party)) == ["package-closed"]


def test_a_package_under_an_unknown_agreement_is_not_opened(sent: tuple[Three, Path]) -> None:
    three, file = sent
    shutil.rmtree(three.node(RECIPIENT) / "agreements")
    assert three.refusal(lambda: three.open(file)) == ["package-agreement-unknown"]


def test_a_package_under_another_text_is_not_opened(sent: tuple[Three, Path]) -> None:
    three, file = sent
    rewrite(three.node(RECIPIENT), "cell = 0.2", "cell = 0.01")
    assert three.refusal(lambda: three.open(file)) == ["package-agreement-changed"]


def test_a_package_of_somebody_with_another_key_is_not_opened(three: Three) -> None:
    """A thief has the owner's node but for its keys, and makes all of it fit under keys of his own."""
    other_keys(three, OWNER)
    card = sharing.card(three.node(RECIPIENT))
    sharing.trust(three.node(OWNER), card, compared=card.fingerprint, recorded_at=NOW)
    three.sign(OWNER)
    file = three.seal().file
    assert three.refusal(lambda: three.open(file)) == ["package-untrusted"]
    courier = sharing.carry(three.node(OWNER), RECIPIENT, three.drop)
    attempt = lambda: sharing.take_carried(three.node(RECIPIENT), courier)  # noqa: E731
    assert three.refusal(attempt) == ["courier-untrusted"]


def test_a_package_is_not_opened_again_under_another_name(sent: tuple[Three, Path]) -> None:
    three, file = sent
    three.open(file)
    other = Path(shutil.copy(file, three.drop / "new.age"))
    assert three.refusal(lambda: three.open(other)) == ["package-opened"]


def test_a_chain_that_was_rewritten_is_not_believed(sent: tuple[Three, Path]) -> None:
    """The owner puts back an old copy of its records, as if a release had never been, and goes on from there.

    The first package brought its own record: nothing else had to come for the recipient to know.
    """
    three, first = sent
    chain = three.node(OWNER) / "records" / chain_file(sharing.card(three.node(OWNER)).key)
    three.open(first)
    lines = chain.read_bytes().splitlines(keepends=True)
    assert b'"release"' in lines[-1]
    chain.write_bytes(b"".join(lines[:-1]))
    second = three.seal(on=date(2026, 12, 1)).file
    assert "package-chain-rewritten" in three.refusal(lambda: three.open(second))
    courier = sharing.carry(three.node(OWNER), RECIPIENT, three.drop)
    attempt = lambda: sharing.take_carried(three.node(RECIPIENT), courier)  # noqa: E731
    assert "package-chain-rewritten" in three.refusal(attempt)


@pytest.mark.parametrize("part", ["flipped", "cut", "longer", "empty", "none"])
def test_what_is_not_the_whole_package_is_none(sent: tuple[Three, Path], part: str) -> None:
    three, file = sent
    content = file.read_bytes()
    if part == "none":
        file.unlink()
        assert three.refusal(lambda: three.open(file)) == ["no-such-path"]
        return
    for at in range(0, len(content), len(content) // 16 + 1):
        flipped = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        file.write_bytes({"flipped": flipped, "cut": content[:at], "longer": content + b"\0", "empty": b""}[part])
        assert three.refusal(lambda: three.open(file)) == ["package-closed"]


# --- what is not taken in from a courier ---


def test_a_courier_with_another_text_of_an_agreement_is_not_taken_in(three: Three) -> None:
    courier = sharing.carry(three.node(OWNER), RECIPIENT, three.drop)
    (file,) = (courier / "agreements").glob("*.toml")
    file.write_text(file.read_text(encoding="utf-8").replace("cell = 0.2", "cell = 0.01"), encoding="utf-8")
    attempt = lambda: sharing.take_carried(three.node(RECIPIENT), courier)  # noqa: E731
    assert three.refusal(attempt) == ["agreement-other-text"]


def test_a_courier_with_a_damaged_chain_is_not_taken_in(three: Three) -> None:
    courier = sharing.carry(three.node(OWNER), RECIPIENT, three.drop)
    (chain,) = courier.glob("*.jsonl")
    chain.write_bytes(chain.read_bytes().replace(b"westfell/director", b"westfell/impostor"))
    attempt = lambda: sharing.take_carried(three.node(RECIPIENT), courier)  # noqa: E731
    assert three.refusal(attempt)


def test_a_courier_that_points_elsewhere_is_not_followed(three: Three, tmp_path: Path) -> None:
    courier = sharing.carry(three.node(OWNER), RECIPIENT, three.drop)
    secret = tmp_path / "secret.toml"
    secret.write_text("[private]\n", encoding="utf-8")
    (courier / "agreements" / "link.toml").symlink_to(secret)
    attempt = lambda: sharing.take_carried(three.node(RECIPIENT), courier)  # noqa: E731
    assert three.refusal(attempt) == ["courier-file"]


def test_a_revocation_by_somebody_who_is_no_party_ends_nothing(three: Three) -> None:
    shutil.copy(three.drop / "westfell.toml", three.node(NEIGHBOUR) / "agreements")
    attempt = lambda: sharing.revoke(  # noqa: E731
        three.node(NEIGHBOUR), AGREEMENT, reason="envy", by="eastfell/director", recorded_at=NOW
    )
    assert three.refusal(attempt) == ["agreement-not-ours"]


def test_nothing_is_carried_to_somebody_that_the_programme_does_not_know(three: Three) -> None:
    for nobody in ("secretary", OWNER, ""):
        attempt = lambda: sharing.carry(three.node(OWNER), nobody, three.drop)  # noqa: B023, E731  (called at once)
        assert three.refusal(attempt) == ["courier-for-nobody"]


def test_a_folder_without_records_is_no_courier(three: Three) -> None:
    (three.drop / "empty").mkdir()
    assert three.refusal(lambda: sharing.take_carried(three.node(OWNER), three.drop / "empty")) == ["courier-empty"]
