"""Keys sign, stay private, and are never overwritten; schemes are named in their ids."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharedrange.core.canonical import canonical, read_canonical
from sharedrange.core.errors import InputError
from sharedrange.records.keys import Key, Keys, fingerprint, key_from_seed
from sharedrange.records.schemes import SCHEMES, signature_holds

# RFC 8032 section 7.1, tests 1 to 3: secret, public, message, signature.
RFC8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


def rules(error: pytest.ExceptionInfo[InputError]) -> list[str]:
    return [finding.rule for finding in error.value.findings]


@pytest.mark.parametrize(("secret", "public", "message", "signature"), RFC8032)
def test_signatures_are_those_of_rfc_8032(secret: str, public: str, message: str, signature: str) -> None:
    key = Key(bytes.fromhex(secret))
    assert key.id == f"ed25519:{public}"
    assert key.sign(bytes.fromhex(message)) == signature
    assert signature_holds(key.id, bytes.fromhex(message), signature)


@given(st.binary(max_size=80), st.integers(0, 511))
def test_a_signature_with_one_bit_changed_does_not_hold(message: bytes, bit: int) -> None:
    key = key_from_seed(b"a")
    signature = bytearray.fromhex(key.sign(message))
    signature[bit // 8] ^= 1 << bit % 8
    assert not signature_holds(key.id, message, signature.hex())


def test_a_signature_has_one_form_only() -> None:
    key = key_from_seed(b"a")
    signature = key.sign(b"x")
    assert signature_holds(key.id, b"x", signature)
    for other in (signature.upper(), f" {signature}", signature[:-2], signature + "00", ""):
        assert not signature_holds(key.id, b"x", other)
    assert not signature_holds(key.id.upper(), b"x", signature)
    assert not signature_holds("ed25519:00", b"x", signature)
    assert not signature_holds("other" + key.id.removeprefix("ed25519"), b"x", signature)


def test_every_scheme_is_listed_under_its_own_name() -> None:
    assert {name: scheme.name for name, scheme in SCHEMES.items()} == {"ed25519": "ed25519"}


def test_a_seed_always_gives_the_same_key() -> None:
    assert key_from_seed(b"two parks") == key_from_seed(b"two parks")
    assert key_from_seed(b"two parks").id != key_from_seed(b"two park").id
    assert key_from_seed(b"two parks").id.startswith("ed25519:")


def test_a_fingerprint_is_six_groups_of_five_digits_that_differ_between_keys() -> None:
    spoken = fingerprint(key_from_seed(b"a").id)
    assert [len(group) for group in spoken.split(" ")] == [5] * 6
    assert spoken.replace(" ", "").isdecimal()
    assert spoken == key_from_seed(b"a").fingerprint != key_from_seed(b"b").fingerprint


def test_a_secret_is_not_shown() -> None:
    key = key_from_seed(b"a")
    assert key.secret.hex() not in repr(key)
    assert repr(key.secret) not in repr(key)


def test_a_key_that_was_kept_is_loaded_again(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    made = keys.create()
    assert keys.load() == made
    assert keys.names() == ("node",)
    assert made != keys.create("second")


def test_a_key_file_is_for_its_owner_only(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.create()
    assert (tmp_path / "node.key").stat().st_mode & 0o777 == 0o600
    assert keys.findings() == ()
    (tmp_path / "node.key").chmod(0o640)
    assert [finding.rule for finding in keys.findings()] == ["key-readable"]


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    made = keys.create()
    with pytest.raises(InputError) as error:
        keys.create()
    assert rules(error) == ["key-exists"]
    assert keys.load() == made


def test_a_key_left_half_written_does_not_stop_the_next(tmp_path: Path) -> None:
    (tmp_path / ".node.key.new").write_bytes(b"{")
    assert Keys(tmp_path).create() == Keys(tmp_path).load()


def test_a_missing_key_is_a_finding(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        Keys(tmp_path).load()
    assert rules(error) == ["key-missing"]


@pytest.mark.parametrize("name", ["", "../node", "a/b", ".hidden", "Node", "x" * 65])
def test_a_key_name_cannot_leave_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as error:
        Keys(tmp_path).create(name)
    assert rules(error) == ["key-name"]


def test_a_key_file_that_is_no_key_is_a_finding(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.create()
    path = tmp_path / "node.key"
    good = read_canonical(path.read_bytes().rstrip())
    other = key_from_seed(b"a")
    for wrong in (
        b"",
        b"[]",
        b"{}",
        b"\xff",
        canonical({**good, "secret": "zz"}),
        canonical({**good, "secret": "00"}),
        canonical({**good, "secret": 1}),
        canonical({**good, "id": other.id}),
        canonical({**good, "id": None}),
        canonical({**good, "id": "sm2:00"}),
        canonical({**good, "format": "sharedrange-key-9"}),
    ):
        path.write_bytes(wrong)
        with pytest.raises(InputError) as error:
            keys.load()
        assert rules(error) == ["key-malformed"], wrong


def test_a_protection_that_this_version_does_not_know_is_named(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.create()
    path = tmp_path / "node.key"
    path.write_bytes(canonical({**read_canonical(path.read_bytes().rstrip()), "protection": "passphrase"}))
    with pytest.raises(InputError) as error:
        keys.load()
    assert rules(error) == ["key-protection"]
