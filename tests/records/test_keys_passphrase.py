"""A key under a passphrase opens for who knows it; a key that changed, moved or was lost takes nothing with it."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pyrage
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharedrange.core.canonical import canonical, read_canonical
from sharedrange.core.errors import InputError
from sharedrange.records import FocalPoint, Keys, key_from_seed, open_store
from sharedrange.records.protection import Cost, protect, secret_of
from sharedrange.records.schemes import SCHEMES, Ed25519

WORD, OTHER, WHEN = "Ёлка у реки", "another", "2026-11-22T10:00:00Z"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guess costs what a guess of a real passphrase must never: next to nothing."""
    monkeypatch.setattr("sharedrange.records.protection.MODERATE", Cost(8192, 1))


def rules(error: pytest.ExceptionInfo[InputError]) -> list[str]:
    return [finding.rule for finding in error.value.findings]


def refused(keys: Keys, passphrase: Any, name: str = "node") -> list[str]:
    """Why neither the key nor the identity opens: both for the same reason."""
    with pytest.raises(InputError) as of_key:
        keys.load(name, passphrase)
    with pytest.raises(InputError) as of_identity:
        keys.identity(name, passphrase)
    assert rules(of_key) == rules(of_identity)
    return rules(of_key)


def both(folder: Path, passphrase: str | None = WORD, name: str = "node") -> Keys:
    """A key and an identity of one name."""
    keys = Keys(folder)
    keys.create(name, passphrase=passphrase)
    keys.create_identity(name, passphrase=passphrase)
    return keys


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != ".lock"}


def test_a_key_and_an_identity_open_with_their_passphrase_and_with_no_other(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    key, identity = keys.create(passphrase=WORD), keys.create_identity(passphrase=WORD)
    assert keys.load(passphrase=WORD) == key
    assert keys.identity(passphrase=WORD) == identity
    assert refused(keys, None) == ["key-passphrase-missing"]
    for wrong in (OTHER, "", WORD + " ", WORD.lower()):
        assert refused(keys, wrong) == ["key-passphrase-wrong"]


def test_the_files_hold_neither_secret_nor_passphrase(tmp_path: Path) -> None:
    keys = both(tmp_path)
    key, identity = keys.load(passphrase=WORD), keys.identity(passphrase=WORD)
    for content in contents(tmp_path).values():
        for secret in (key.secret, key.secret.hex().encode(), identity.secret.encode(), WORD.encode()):
            assert secret not in content
            assert secret.hex().encode() not in content
    assert identity.secret not in repr(identity)


def test_two_files_under_one_passphrase_have_nothing_in_common(tmp_path: Path) -> None:
    both(tmp_path)
    one, two = (read_canonical(content.rstrip()) for content in contents(tmp_path).values())
    assert one["salt"] != two["salt"]
    assert one["secret"][:48] != two["secret"][:48]


def test_the_public_id_is_known_without_the_passphrase(tmp_path: Path) -> None:
    keys = both(tmp_path)
    assert keys.public() == keys.load(passphrase=WORD).id
    assert keys.public(suffix=".age") == keys.identity(passphrase=WORD).id
    with pytest.raises(InputError) as error:
        keys.public("other")
    assert rules(error) == ["key-missing"]


def test_a_passphrase_is_asked_for_once_and_only_where_it_is_needed(tmp_path: Path) -> None:
    asked = []

    def ask() -> str:
        asked.append(1)
        return WORD

    keys = both(tmp_path / "open", None)
    assert keys.load(passphrase=ask) == keys.load()
    keys.identity(passphrase=ask)
    keys.change_passphrase("node", ask, None)
    assert asked == []
    keys = both(tmp_path / "closed")
    keys.load(passphrase=ask)
    assert asked == [1]
    keys.change_passphrase("node", ask, OTHER)
    assert asked == [1, 1]


def test_one_passphrase_typed_on_two_keyboards_is_one_passphrase(tmp_path: Path) -> None:
    composed, apart = "\u0451\u00e9\uac00", "\u0435\u0308e\u0301\u1100\u1161"
    key = Keys(tmp_path).create(passphrase=composed)
    assert Keys(tmp_path).load(passphrase=apart) == key


def test_an_empty_passphrase_protects_nothing_and_is_refused(tmp_path: Path) -> None:
    for make in (Keys(tmp_path).create, Keys(tmp_path).create_identity):
        with pytest.raises(InputError) as error:
            make(passphrase="")
        assert rules(error) == ["key-passphrase-empty"]
    assert contents(tmp_path) == {}


def test_a_key_file_from_before_passphrases_still_opens(tmp_path: Path) -> None:
    old = key_from_seed(b"a")
    value = {"format": "sharedrange-key-1", "id": old.id, "protection": "none", "secret": old.secret.hex()}
    (tmp_path / "node.key").write_bytes(canonical(value) + b"\n")
    assert Keys(tmp_path).load() == Keys(tmp_path).load(passphrase=WORD) == old


@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), suffix=st.sampled_from([".key", ".age"]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_gives_a_finding_or_the_same_key(
    tmp_path_factory: pytest.TempPathFactory, where: float, bit: int, suffix: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged"
    keys = both(folder) if not folder.exists() else Keys(folder)
    path = folder / f"node{suffix}"
    good, load = path.read_bytes(), keys.load if suffix == ".key" else keys.identity
    whole, damaged = load(passphrase=WORD), bytearray(good)
    damaged[int(where * len(good))] ^= 1 << bit
    try:
        path.write_bytes(bytes(damaged))
        found = load(passphrase=WORD)
    except InputError as error:
        told = {finding.rule for finding in error.findings}
        assert told <= {"key-malformed", "key-passphrase-wrong", "key-protection"}
    else:
        assert found == whole  # a letter of hexadecimal became a capital
    finally:
        path.write_bytes(good)


def test_a_file_that_asks_for_all_memory_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = both(tmp_path)
    good = read_canonical((tmp_path / "node.key").read_bytes().rstrip())
    monkeypatch.setattr("nacl.pwhash.argon2id.kdf", _never)
    for wrong in (
        {"memory_bytes": 2**40}, {"memory_bytes": 0}, {"memory_bytes": 8192.5}, {"memory_bytes": True},
        {"passes": 10**9}, {"passes": 0}, {"salt": "00"}, {"salt": 1}, {"secret": "00" * 24}, {"secret": None},
    ):  # fmt: skip
        (tmp_path / "node.key").write_bytes(canonical({**good, **wrong}))
        with pytest.raises(InputError) as error:
            keys.load(passphrase=WORD)
        assert rules(error) == ["key-malformed"], wrong


def test_an_identity_in_the_place_of_a_key_is_none_and_the_other_way_round(tmp_path: Path) -> None:
    keys = both(tmp_path)
    (tmp_path / "node.key").write_bytes((tmp_path / "node.age").read_bytes())
    assert _why(keys.load) == ["key-malformed"]
    keys = both(tmp_path / "other")
    (tmp_path / "other" / "node.age").write_bytes((tmp_path / "other" / "node.key").read_bytes())
    assert _why(keys.identity) == ["key-malformed"]


def test_a_guess_of_a_real_passphrase_fills_a_quarter_of_a_gigabyte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharedrange.records.protection.MODERATE", Cost())
    fields = protect(b"secret", WORD)
    assert (fields["memory_bytes"], fields["passes"]) == (256 << 20, 3)
    assert secret_of(fields, WORD) == b"secret"


# Another passphrase


def test_after_a_change_the_new_passphrase_opens_and_the_old_does_not(tmp_path: Path) -> None:
    keys = both(tmp_path)
    key, identity = keys.load(passphrase=WORD), keys.identity(passphrase=WORD)
    keys.change_passphrase("node", WORD, OTHER)
    assert (keys.load(passphrase=OTHER), keys.identity(passphrase=OTHER)) == (key, identity)
    assert refused(keys, WORD) == ["key-passphrase-wrong"]
    keys.change_passphrase("node", OTHER, None)
    assert (keys.load(), keys.identity()) == (key, identity)
    keys.change_passphrase("node", None, WORD)
    assert refused(keys, None) == ["key-passphrase-missing"]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("node.*")} == {0o600}


def test_what_a_killed_change_left_of_a_secret_goes_with_the_next_change_of_any_key(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.create("node", passphrase=WORD)
    left, not_ours = tmp_path / ".node.key.new", tmp_path / ".notes.txt.new"
    for file in (left, not_ours):
        file.write_bytes(b"half a bare secret")
    keys.create("other")
    assert not left.exists()
    assert not_ours.exists()


def test_a_change_with_a_wrong_passphrase_changes_nothing(tmp_path: Path) -> None:
    keys = both(tmp_path)
    before = contents(tmp_path)
    for old, new, rule in (
        (OTHER, "third", "key-passphrase-wrong"),
        (None, OTHER, "key-passphrase-missing"),
        (WORD, "", "key-passphrase-empty"),
    ):
        with pytest.raises(InputError) as error:
            keys.change_passphrase("node", old, new)
        assert rules(error) == [rule]
        assert contents(tmp_path) == before


def test_a_change_that_stopped_halfway_is_finished_by_the_same_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = both(tmp_path)
    key, identity = keys.load(passphrase=WORD), keys.identity(passphrase=WORD)
    half = (tmp_path / "node.age").read_bytes()
    keys.change_passphrase("node", WORD, OTHER)
    (tmp_path / "node.age").write_bytes(half)  # as if the power had failed between the two
    keys.change_passphrase("node", WORD, OTHER)
    assert (keys.load(passphrase=OTHER), keys.identity(passphrase=OTHER)) == (key, identity)


def test_a_full_disk_is_a_finding_and_leaves_the_old_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = both(tmp_path)
    before = contents(tmp_path)
    monkeypatch.setattr(os, "fsync", _full)
    for change in (
        lambda: keys.change_passphrase("node", WORD, OTHER),
        lambda: keys.create("second"),
        lambda: keys.create_identity("second"),
    ):
        with pytest.raises(InputError) as error:
            change()
        assert rules(error) == ["key-not-written"]
    assert {name: part for name, part in contents(tmp_path).items() if not name.startswith(".")} == before


# Old keys and lost keys


def test_a_key_that_is_retired_keeps_its_identity_and_makes_room(tmp_path: Path) -> None:
    keys = both(tmp_path)
    old, identity = keys.load(passphrase=WORD), keys.identity(passphrase=WORD)
    keys.retire("node", "node-until-2026")
    assert keys.names() == ("node-until-2026",)
    new = keys.create(passphrase=OTHER)
    assert keys.load("node-until-2026", WORD) == old != new
    assert keys.identity("node-until-2026", WORD) == identity


@pytest.mark.parametrize("kept", [".key", ".age"])
def test_retiring_overwrites_no_key_and_no_identity(tmp_path: Path, kept: str) -> None:
    keys = both(tmp_path)
    if kept == ".key":
        keys.create("old")
    else:
        keys.create_identity("old")
    before = contents(tmp_path)
    with pytest.raises(InputError) as error:
        keys.retire("node", "old")
    assert rules(error) == ["key-exists"]
    assert contents(tmp_path) == before


def test_retiring_that_stopped_halfway_is_finished_by_the_same_call(tmp_path: Path) -> None:
    keys = both(tmp_path)
    identity = keys.identity(passphrase=WORD)
    (tmp_path / "node.age").rename(tmp_path / "old.age")
    keys.retire("node", "old")
    assert keys.names() == ("old",)
    assert keys.identity("old", WORD) == identity
    with pytest.raises(InputError) as error:
        keys.retire("node", "older")
    assert rules(error) == ["key-missing"]


def test_a_lost_key_loses_no_record(tmp_path: Path) -> None:
    keys, store = Keys(tmp_path / "keys"), open_store(tmp_path / "records")
    body = FocalPoint("north", "tigers", "north/director").to_body()
    store.append("focal_point", body, keys.create(passphrase=WORD), WHEN)
    before = store.read()
    (tmp_path / "keys" / "node.key").unlink()
    assert store.read() == before
    new = keys.create("second")
    store.append("focal_point", body, new, WHEN)
    after = store.read()
    assert after.findings == ()
    assert set(before) < set(after)
    assert [record.seq for record in after.of(new.id)] == [0]


def test_a_file_of_a_key_or_identity_that_others_may_read_is_told(tmp_path: Path) -> None:
    keys = both(tmp_path)
    assert keys.findings() == ()
    for path in (tmp_path / "node.age", tmp_path / "node.key"):
        path.chmod(0o644)
        assert [finding.where.file for finding in keys.findings()] == [f"{tmp_path.name}/{path.name}"]
        path.chmod(0o600)


def test_an_identity_is_one_of_age(tmp_path: Path) -> None:
    identity = Keys(tmp_path).create_identity()
    sealed = pyrage.encrypt(b"x", [pyrage.x25519.Recipient.from_str(identity.id)])
    assert pyrage.decrypt(sealed, [pyrage.x25519.Identity.from_str(identity.secret)]) == b"x"
    with pytest.raises(InputError) as error:
        Keys(tmp_path).create_identity()
    assert rules(error) == ["key-exists"]


# A second signature scheme


class Another(Ed25519):
    """A scheme of another name, whose signatures are not those of the first."""

    name = "another"

    def sign(self, secret: bytes, message: bytes) -> bytes:
        return super().sign(secret, b"another " + message)

    def verifies(self, public: bytes, message: bytes, signature: bytes) -> bool:
        return super().verifies(public, b"another " + message, signature)


def test_a_state_signs_with_its_own_scheme_beside_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys, store = Keys(tmp_path / "keys"), open_store(tmp_path / "records")
    body = FocalPoint("north", "tigers", "north/director").to_body()
    with monkeypatch.context() as here:
        for module in ("schemes", "keys", "record"):
            here.setattr(f"sharedrange.records.{module}.SCHEMES", {**SCHEMES, Another.name: Another()})
        national = keys.create("national", scheme="another", passphrase=WORD)
        assert keys.load("national", WORD) == national
        store.append("focal_point", body, national, WHEN)
        store.append("focal_point", body, keys.create(), WHEN)
        assert store.read().findings == ()
        assert len(store.read()) == 2
    told = store.read()
    assert [finding.rule for finding in told.findings] == ["record-unknown-scheme"]
    assert len(told) == 1


def _why(load: Any) -> list[str]:
    with pytest.raises(InputError) as error:
        load(passphrase=WORD)
    return rules(error)


def _full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _never(*_: Any, **__: Any) -> Any:
    raise AssertionError("this must not be reached")
