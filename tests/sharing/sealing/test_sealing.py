"""A sealed package says what its owner sealed, to its recipient, once - or nothing at all."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyrage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharedrange.core.release import MANIFEST, TABLES
from sharedrange.core.sheets import as_written
from sharedrange.records import RecordSet, key_from_seed
from sharedrange.records.record import next_after
from sharedrange.records.schemes import Ed25519
from sharedrange.sharing.kinds import KeyRotated, Opening, Trust
from sharedrange.sharing.release import Standing
from sharedrange.sharing.sealing import CHAIN, chain_of, pack, package_name, refusals, unseal
from sharedrange.sharing.sealing import unsealing as reading
from sharedrange.sharing.sealing.container import ORDER, contained, csv_of


@pytest.fixture(autouse=True)
def nothing_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test here runs in an empty folder, which is also where temporary files would go, and leaves it empty."""
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr("tempfile.tempdir", str(place))
    yield
    assert list(place.iterdir()) == []


# What was sealed is what is opened


def test_what_was_sealed_is_what_its_recipient_opens(tools: Any, kit: Any) -> None:
    released, sealed = tools.released(kit, kit.agreement()), tools.sealed(kit)
    package = tools.opened(sealed.content)
    assert package.package == sealed.package
    assert package.author_key == tools.OWNER.id
    assert package.rows == {name: table.height for name, table in released.tables.items()}
    assert sealed.rows == sum(package.rows.values())
    assert {name: package.manifest[name] for name in released.manifest} == released.manifest
    for name, table in released.tables.items():
        assert pl.read_csv(package.files[f"{name}.csv"], schema=TABLES[name]).equals(table)
    assert [record.kind for record in package.records] == ["agreement-signed", "release"]
    assert package.records.records[-1].body["package"] == package.package
    assert refusals(package, tools.expected(kit)) == ()


@pytest.mark.parametrize(
    ("key", "value"),
    [("onward", "public"), ("onward_to", ["others"]), ("timezone", "Asia/Tokyo"), ("outputs", [{"kind": "density"}])],
)
def test_a_package_that_says_more_of_its_agreement_than_was_signed_is_refused(
    tools: Any, kit: Any, key: str, value: Any
) -> None:
    """Only who holds the owner's key can make one: a thief, or a changed program."""
    package = tools.opened(tools.sealed(kit).content)
    told = dataclasses.replace(package, manifest={**package.manifest, key: value})
    (finding,) = refusals(told, tools.expected(kit))
    assert (finding.rule, finding.facts["keys"]) == ("package-agreement-differs", key)


def test_counts_of_sites_travel_like_surveys(tools: Any, kit: Any) -> None:
    from sharedrange.sharing.pseudonyms import Pseudonyms
    from sharedrange.sharing.release import Request, names_needed, release

    agreement, held = kit.agreement(kit.HEAD + kit.CRANES), kit.delivered(sites=kit.counts())
    names = Pseudonyms(agreement.id).with_names(names_needed(held, agreement))
    request = Request(kit.RECIPIENT, kit.PURPOSE, kit.TODAY)
    released = release(held, agreement, request, Standing(frozenset(agreement.parties)), names)
    package = tools.opened(tools.sealed_of(released, kit, records=b"").content)
    assert set(package.rows) == {"visits", "counts"}


def test_what_is_encrypted_depends_on_the_release_the_chain_and_the_nonce_alone(tools: Any, kit: Any) -> None:
    one, two = tools.sealed(kit), tools.sealed(kit)
    assert one.content != two.content
    assert one.package == two.package
    assert tools.plain_of(one.content) == tools.plain_of(two.content)
    assert tools.sealed(kit, nonce="cd" * 16).package != one.package


def test_a_package_is_named_after_owner_recipient_and_manifest(tools: Any, kit: Any) -> None:
    assert package_name("a", "b", tools.sealed(kit).package).startswith("a-to-b-")


def test_a_recipient_that_is_no_age_key_is_not_sealed_for(tools: Any, kit: Any) -> None:
    for wrong in ("", "age1", "ssh-ed25519 AAAA", str(tools.US)):
        with pytest.raises(ValueError, match="no age public key") as error:
            pack(tools.released(kit, kit.agreement()), tools.OWNER.id, wrong, nonce="0")
        assert "SECRET" not in str(error.value)


texts = st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@settings(deadline=None)
@given(st.lists(st.tuples(texts, texts, st.none() | st.dates(), st.none() | st.integers(-9, 9)), max_size=6))
def test_a_table_travels_with_every_text_empty_or_missing(rows: list[tuple[Any, ...]]) -> None:
    schema = TABLES["encounters"]
    made = [{"station": s, "individual": i, "period": p, "encounters": n} for s, i, p, n in rows]
    table = pl.DataFrame(made, schema=schema)
    assert reading._rows("encounters", csv_of(table)) == table.height
    read = pl.read_csv(csv_of(table), schema=schema)
    assert read.with_columns(as_written(pl.col(name)) for name in ("station", "individual")).equals(table)


# Damage on the way


@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=150, deadline=None)
def test_a_byte_changed_anywhere_in_the_sealed_file_closes_it(
    tools: Any, content: bytes, where: float, bit: int
) -> None:
    damaged = bytearray(content)
    damaged[int(where * len(damaged))] ^= 1 << bit
    assert tools.refused(bytes(damaged)) == ["package-closed"]


def test_a_byte_changed_in_any_part_of_the_age_header_closes_it(tools: Any, content: bytes) -> None:
    header = content.index(b"\n---") + 60  # the header, its MAC, the first bytes of the payload's nonce
    for at in range(header):
        damaged = bytearray(content)
        damaged[at] ^= 1
        assert tools.refused(bytes(damaged)) == ["package-closed"]


def test_a_file_cut_anywhere_is_closed(tools: Any, content: bytes) -> None:
    header = content.index(b"\n---")
    for length in (0, 1, 21, header, header + 10, header + 48, header + 63, header + 64, len(content) - 17, -16, -1):
        assert tools.refused(content[:length]) == ["package-closed"]


@given(st.binary(min_size=1, max_size=70))
@settings(max_examples=30, deadline=None)
def test_bytes_before_or_after_close_it(tools: Any, content: bytes, more: bytes) -> None:
    assert tools.refused(content + more) == ["package-closed"]
    assert tools.refused(more + content) == ["package-closed"]


def test_an_empty_or_foreign_file_is_closed(tools: Any) -> None:
    for wrong in (b"", b"PK\x03\x04", b"age-encryption.org/v1\n", os.urandom(5000)):
        assert tools.refused(wrong) == ["package-closed"]


# For somebody else


def test_a_package_for_another_is_closed_to_us(tools: Any, content: bytes) -> None:
    assert tools.refused(content, str(tools.THEM)) == ["package-closed"]
    with_a_word = pyrage.passphrase.encrypt(tools.plain_of(content), "a passphrase")
    assert tools.refused(with_a_word) == ["package-closed"]


@pytest.mark.parametrize("identity", ["", "AGE-SECRET-KEY-1", "age1zz", "AGE-PLUGIN-YUBIKEY-1Q", "\0", "ключ"])
def test_an_identity_that_is_none_is_a_finding_that_does_not_repeat_it(
    tools: Any, content: bytes, identity: str
) -> None:
    assert tools.refused(content, identity or " ") == ["age-identity"]


# Changed by somebody who can read it


@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=300, deadline=None)
def test_a_byte_changed_anywhere_inside_is_refused(tools: Any, content: bytes, where: float, bit: int) -> None:
    plain = bytearray(tools.plain_of(content))
    plain[int(where * len(plain))] ^= 1 << bit
    assert tools.refused(tools.closed(bytes(plain)))


def test_a_byte_changed_in_any_part_of_the_container_is_refused(tools: Any, content: bytes) -> None:
    plain = tools.plain_of(content)
    edges = {at for mark in (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06") for at in _all(plain, mark)}
    for start in edges:
        for at in range(start, min(start + 46, len(plain))):
            damaged = bytearray(plain)
            damaged[at] ^= 1
            assert tools.refused(tools.closed(bytes(damaged)))


def test_a_container_cut_anywhere_is_refused(tools: Any, content: bytes) -> None:
    plain = tools.plain_of(content)
    for length in {0, 1, 21, 22, 30, *range(0, len(plain), 97), *range(len(plain) - 60, len(plain))}:
        assert tools.refused(tools.closed(plain[:length])) == ["package-container"]


def test_a_table_of_another_package_is_refused(tools: Any, kit: Any, content: bytes) -> None:
    other = tools.files_of(tools.sealed(kit, seen=kit.SEEN[:4]).content)
    assert other["encounters.csv"] != tools.files_of(content)["encounters.csv"]
    assert tools.refused(tools.with_table(content, "encounters.csv", other["encounters.csv"])) == [
        "package-table-changed"
    ]


def test_a_table_more_or_less_is_refused(tools: Any, content: bytes) -> None:
    files = tools.files_of(content)
    less = {name: part for name, part in files.items() if name != "effort.csv"}
    more = {name: {**files, "counts.csv": b"visit\n"}[name] for name in ORDER if name in {*files, "counts.csv"}}
    for changed in (less, more):
        assert tools.refused(tools.closed(contained(changed))) == ["package-files"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("recipient", "everybody"), ("onward", "public"), ("valid_until", "2099-12-31"), ("purpose", "press")],
)
def test_a_manifest_that_was_changed_is_refused(tools: Any, content: bytes, field: str, value: str) -> None:
    assert tools.refused(tools.forged(content, None, **{field: lambda _: value})) == ["package-signature"]


def test_a_manifest_signed_by_another_in_the_owners_name_is_refused(tools: Any, content: bytes) -> None:
    assert tools.refused(tools.forged(content, tools.STRANGER)) == ["package-signature"]


def test_a_record_of_the_release_that_does_not_hold_signs_nothing(tools: Any, content: bytes) -> None:
    records = tools.files_of(content)[CHAIN]
    start = records.rindex(b'"sig":"') + 7
    digit = b"1" if records[start : start + 1] == b"0" else b"0"
    forged = records[:start] + digit + records[start + 1 :]
    assert tools.refused(tools.with_records(content, forged)) == ["record-signature"]
    assert tools.refused(tools.with_records(content, tools.without_last(records))) == ["package-signature"]
    assert tools.refused(tools.with_records(content, b"")) == ["package-signature"]


def test_a_hidden_record_of_the_release_signs_nothing(tools: Any, content: bytes) -> None:
    *before, last = tools.opened(content).records
    hidden = tools.lines(*before, last.hide())
    assert tools.refused(tools.with_records(content, hidden)) == ["package-signature"]


@pytest.mark.parametrize(
    "changes",
    [
        {"package": "ab" * 32}, {"agreement": "urn:agreement:x"}, {"hash": "ab" * 32}, {"recipient": "eastfell"},
        {"purpose": "press"}, {"on": "2026-11-21"}, {"rows": 1},
    ],
)  # fmt: skip
def test_a_record_that_says_something_else_than_the_manifest_signs_nothing(
    tools: Any, content: bytes, changes: dict[str, Any]
) -> None:
    files = tools.files_of(content)
    records = tools.vouched(tools.without_last(files[CHAIN]), files[MANIFEST], tools.OWNER, **changes)
    assert tools.refused(tools.with_records(content, records)) == ["package-signature"]


def test_a_release_that_is_not_the_last_record_signs_nothing(tools: Any, kit: Any, content: bytes) -> None:
    files = tools.files_of(content)
    (*_, last) = tools.opened(content).records
    body = Opening("ab" * 32, "x", "2026-01-01")
    more = next_after(last, body.KIND, body.to_body(), tools.OWNER, "2026-11-22T10:00:00Z")
    assert tools.refused(tools.with_records(content, files[CHAIN] + tools.lines(more))) == ["package-signature"]


def test_a_manifest_written_in_another_way_is_refused_though_it_is_signed(tools: Any, content: bytes) -> None:
    files = tools.files_of(content)
    good = files[MANIFEST]
    for other in (
        b" " + good,
        good + b"\n",
        good.replace(b":", b": ", 1),
        b"\xef\xbb\xbf" + good,
        b"{}",
        b"[]",
        b"",
        b"9",
    ):
        assert tools.refused(tools.with_manifest(files, other, tools.OWNER)) == ["package-manifest"]


# Lies that the owner's own key signed


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dataset", "../../../own"), ("dataset", "/etc"), ("dataset", "D-1"), ("dataset", ""),
        ("owner", "../westfell"), ("owner", "a/b"), ("owner", ""), ("owner", 1), ("recipient", "..\\.."),
        ("released_on", "2026-13-01"), ("released_on", "2026-1-1"), ("released_on", "today"), ("valid_until", "2027"),
        ("agreement", {}), ("agreement", {"id": 1, "hash": 2}), ("agreement", None),
        ("tables", {}), ("tables", []), ("tables", {"../x": {}}), ("tables", {"stations": {}}), ("tables", None),
        ("author_key", "ed25519"), ("author_key", ""), ("nonce", None), ("purpose", ""), ("timezone", 8),
    ],
)  # fmt: skip
def test_a_field_of_a_wrong_form_is_refused(tools: Any, content: bytes, field: str, value: Any) -> None:
    assert tools.refused(tools.forged(content, tools.OWNER, **{field: lambda _: value})) == ["package-manifest"]


def test_a_format_of_another_version_is_named(tools: Any, content: bytes) -> None:
    assert tools.refused(tools.forged(content, tools.OWNER, format=lambda _: "sharedrange-release-9")) == [
        "package-format"
    ]


def test_other_numbers_of_rows_or_columns_are_refused(tools: Any, content: bytes) -> None:
    def rows(tables: Any) -> Any:
        tables["effort"]["rows"] += 1
        return tables

    def columns(tables: Any) -> Any:
        tables["effort"]["columns"].append("x")
        return tables

    assert tools.refused(tools.forged(content, tools.OWNER, tables=rows)) == ["package-table"]
    assert tools.refused(tools.forged(content, tools.OWNER, tables=columns)) == ["package-manifest"]


@pytest.mark.parametrize(
    "table",
    [
        b"", b"station\n", b"station,period,days_watched,note\nS,2026-01-01,1.0,x\n", b"station,period\nS,2026-01-01\n",
        b"station,period,days_watched\nS,soon,1.0\n", b"station,period,days_watched\nS,2026-01-01,many\n",
        b"station,period,days_watched\r\nS,2026-01-01,1.0\r\n", b"\xff\xfe", b"station,period,days_watched\nS,\xff,1\n",
        b"station,period,days_watched\nS,2026-01-01,1.0,CANARY\n", b"\xef\xbb\xbfstation,period,days_watched\n",
        b'station,period,days_watched\n"S,2026-01-01,1.0\n',
    ],
)  # fmt: skip
def test_a_table_that_is_none_is_refused_though_it_is_signed(tools: Any, content: bytes, table: bytes) -> None:
    assert tools.refused(tools.with_table(content, "effort.csv", table, tools.OWNER)) == ["package-table"]


def test_everything_wrong_is_told_at_once(tools: Any, content: bytes) -> None:
    files = tools.files_of(content)
    changed = contained({**files, "effort.csv": b"x", "stations.csv": b"y"})
    assert tools.refused(tools.closed(changed)) == ["package-table-changed", "package-table-changed"]


def test_a_finding_says_which_file_it_is_about_and_nothing_of_what_is_in_it(tools: Any, content: bytes) -> None:
    with pytest.raises(Exception) as error:  # noqa: PT011  (what it says is looked at)
        unseal(tools.with_table(content, "effort.csv", b"CANARY", tools.OWNER), str(tools.US))
    assert "CANARY" not in str(error.value)
    assert str(tools.US) not in str(error.value)


# Chains


def test_records_that_were_changed_cut_or_swapped_are_refused(tools: Any, kit: Any) -> None:
    one, two, three = tools.chain(tools.OWNER, *(Opening("ab" * 32, "x", f"2026-01-0{n}") for n in (1, 2, 3)))
    whole = tools.sealed(kit, records=tools.lines(one, two, three)).content
    last = tools.opened(whole).records.records[-1]
    for changed, rule in (
        ((one, two, three), "package-signature"),
        ((one, two, last), "record-missing-link"),
        ((two, three, last), "record-missing-link"),
        ((one, three, two, last), "record-order"),
    ):
        assert rule in tools.refused(tools.with_records(whole, tools.lines(*changed)))
    for more in (b"\n", b"\0", b" "):
        assert tools.refused(tools.with_records(whole, tools.lines(one, two, three, last) + more))


def test_records_of_which_some_are_hidden_are_as_good_as_shown(tools: Any, kit: Any) -> None:
    one, two, three = tools.chain(tools.OWNER, *(Opening("ab" * 32, "x", f"2026-01-0{n}") for n in (1, 2, 3)))
    package = tools.opened(tools.sealed(kit, records=tools.lines(one, two.hide(), three)).content)
    assert [record.id for record in package.records][:3] == [one.id, two.id, three.id]
    assert [record.kind for record in package.records] == ["opening", "", "opening", "release"]
    assert refusals(package, tools.expected(kit, records=RecordSet((one, two)))) == ()


@pytest.mark.parametrize("n", range(10))
def test_records_that_make_no_chain_are_refused_though_the_package_is_signed(
    tools: Any, kit: Any, content: bytes, n: int
) -> None:
    bodies = [Opening("ab" * 32, "x", f"2026-01-0{k}") for k in (1, 2, 3)]
    one, two, three = tools.chain(tools.OWNER, *bodies)
    other = tools.chain(tools.OWNER, *bodies[:1], bodies[2])[1]
    stranger = tools.chain(tools.STRANGER, *bodies[:1])[0]
    wrong, rule = (
        (tools.lines(one, three), "record-missing-link"),
        (tools.lines(two, three), "record-missing-link"),
        (tools.lines(one, two, other), "record-fork"),
        (tools.lines(one, dataclasses.replace(two, body=bodies[2].to_body())), "record-signature"),
        (tools.lines(one, stranger), "package-records"),
        (tools.lines(one).replace(b"\n", b"\r\n"), "record-missing-link"),
        (b"not a record\n" + tools.lines(one), "package-records"),
        (tools.lines(two, one), "record-order"),
        (b"not a record\n", "package-records"),
        (tools.lines(one, one, two), "package-records"),
    )[n]
    records = tools.vouched(wrong, tools.files_of(content)[MANIFEST], tools.OWNER)
    assert rule in tools.refused(tools.with_records(content, records))


def test_the_chains_of_keys_that_gave_their_place_travel_with_the_key_that_took_it(tools: Any, kit: Any) -> None:
    new = key_from_seed(b"westfell after its change of keys")
    old = tools.chain(tools.OWNER, tools.signed(kit.agreement(), kit.OWNER), KeyRotated(new.id))
    took = tools.chain(new, Trust(kit.OWNER, tools.OWNER.id))
    stranger = tools.chain(tools.STRANGER, KeyRotated(new.id))  # claims our place; the new key never said so
    everything = RecordSet((*old, *took, *stranger))
    told = chain_of(everything, new.id)
    package = tools.opened(tools.sealed(kit, key=new, records=told).content)
    assert set(package.records.authors()) == {tools.OWNER.id, new.id}
    assert tools.refused(tools.sealed(kit, key=new, records=told + tools.lines(*stranger)).content) == [
        "package-records"
    ]


def test_a_chain_that_was_written_anew_is_refused_and_an_older_one_is_not(tools: Any, kit: Any) -> None:
    agreement = kit.agreement()
    one, two = tools.chain(tools.OWNER, tools.signed(agreement, kit.OWNER), Opening("ab" * 32, "x", "2026-01-01"))
    _, another = tools.chain(tools.OWNER, tools.signed(agreement, kit.OWNER), Opening("cd" * 32, "x", "2026-01-01"))
    late = tools.opened(tools.sealed(kit, records=tools.lines(one)).content)
    anew = tools.opened(tools.sealed(kit, records=tools.lines(one, another)).content)
    seen = *late.records, next_after(late.records.records[-1], two.kind, two.body, tools.OWNER, two.recorded_at)
    assert refusals(late, tools.expected(kit, records=RecordSet(seen))) == ()
    held = tools.expected(kit, records=RecordSet((one, two)))
    for changed in (anew, late):
        assert [finding.rule for finding in refusals(changed, held)] == ["package-chain-rewritten"]


# Whether it may be opened here


def test_a_package_for_another_party_is_not_ours_to_open(tools: Any, kit: Any, content: bytes) -> None:
    assert tools.rules(kit, content, party="eastfell") == ["package-recipient"]


def test_a_package_of_a_key_that_nobody_compared_is_not_opened(tools: Any, kit: Any, content: bytes) -> None:
    cases: list[dict[str, Any]] = [
        {}, {kit.OWNER: set()}, {kit.OWNER: {tools.STRANGER.id}}, {"eastfell": {tools.OWNER.id}},
    ]  # fmt: skip
    for trusted in cases:
        assert tools.rules(kit, content, trusted=trusted) == ["package-untrusted"]


def test_a_stranger_who_seals_in_the_owners_name_is_not_opened(tools: Any, kit: Any) -> None:
    theirs = tools.sealed(kit, key=tools.STRANGER, records=b"").content
    assert tools.rules(kit, theirs) == ["package-untrusted"]


def test_an_agreement_that_is_unknown_changed_unsigned_or_revoked_opens_nothing(
    tools: Any, kit: Any, content: bytes
) -> None:
    agreement = kit.agreement()
    changed = kit.agreement((kit.HEAD + kit.CATS).replace("cell = 0.1", "cell = 0.05"))
    assert tools.rules(kit, content, agreement=None) == ["package-agreement-unknown"]
    assert tools.rules(kit, content, agreement=changed) == ["package-agreement-changed"]
    assert tools.rules(kit, content, standing=Standing(frozenset({kit.OWNER}))) == ["agreement-unsigned"]
    everybody = frozenset(agreement.parties)
    assert tools.rules(kit, content, standing=Standing(everybody, revoked=True)) == ["agreement-revoked"]


def test_a_package_opens_on_the_days_of_its_agreement_only(tools: Any, kit: Any, content: bytes) -> None:
    valid = kit.agreement().valid
    assert tools.rules(kit, content, on=valid.start) == tools.rules(kit, content, on=valid.end) == []
    for day in (valid.start - timedelta(1), valid.end + timedelta(1), date.min, date.max):
        assert tools.rules(kit, content, on=day) == ["agreement-not-valid"]
    early = tools.forged(content, tools.OWNER, released_on=lambda _: "2025-12-31")
    assert tools.rules(kit, early) == ["agreement-not-valid"]


def test_another_purpose_owner_or_recipient_than_agreed_opens_nothing(tools: Any, kit: Any, content: bytes) -> None:
    purpose = tools.forged(content, tools.OWNER, purpose=lambda _: "press")
    assert tools.rules(kit, purpose) == ["release-purpose"]
    owner = tools.forged(content, tools.OWNER, owner=lambda _: "eastfell")
    assert tools.rules(kit, owner, trusted={"eastfell": {tools.OWNER.id}}) == ["release-owner"]
    recipient = tools.forged(content, tools.OWNER, recipient=lambda _: "eastfell")
    assert tools.rules(kit, recipient, party="eastfell") == ["release-recipient"]


def test_a_package_that_another_role_approved_is_not_opened(tools: Any, kit: Any, content: bytes) -> None:
    files = tools.files_of(content)
    before = tools.without_last(files[CHAIN])
    records = tools.vouched(before, files[MANIFEST], tools.OWNER, approved_by="westfell/intern")
    assert tools.rules(kit, tools.with_records(content, records)) == ["package-not-approved"]


def test_a_package_opens_once(tools: Any, kit: Any) -> None:
    sealed = tools.sealed(kit)
    assert tools.rules(kit, sealed.content, opened={sealed.package}) == ["package-opened"]
    again = tools.closed(tools.plain_of(sealed.content))  # the same package, encrypted anew
    assert tools.rules(kit, again, opened={sealed.package}) == ["package-opened"]


def test_every_reason_is_told_at_once(tools: Any, kit: Any, content: bytes) -> None:
    told = tools.rules(kit, content, party="eastfell", trusted={}, standing=Standing(revoked=True), on=date.max)
    assert set(told) >= {"package-recipient", "package-untrusted", "agreement-revoked", "agreement-not-valid"}


# National signatures


class Another(Ed25519):
    """A scheme of another name, whose signatures are not those of the first."""

    name = "another"

    def sign(self, secret: bytes, message: bytes) -> bytes:
        return super().sign(secret, b"another " + message)

    def verifies(self, public: bytes, message: bytes, signature: bytes) -> bool:
        return super().verifies(public, b"another " + message, signature)


def test_a_package_signed_by_another_scheme_opens_where_that_is_known(
    tools: Any, kit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sharedrange.records.keys import Key
    from sharedrange.records.schemes import SCHEMES

    both = {**SCHEMES, Another.name: Another()}
    with monkeypatch.context() as here:
        for module in ("schemes", "keys", "record"):
            here.setattr(f"sharedrange.records.{module}.SCHEMES", both)
        key = Key(b"s" * 32, Another.name)
        theirs = tools.sealed(kit, key=key).content
        assert tools.rules(kit, theirs, trusted={kit.OWNER: {key.id}}) == []
    assert tools.refused(theirs) == ["package-unknown-scheme"]


# Opened without this program


@pytest.mark.parametrize("decrypted_by", ["age", "a stand-in for it"])
def test_the_public_programs_open_and_check_it(tools: Any, content: bytes, tmp_path: Path, decrypted_by: str) -> None:
    needed = ("unzip", "openssl", *(("age",) if decrypted_by == "age" else ()))
    if missing := [name for name in needed if not shutil.which(name)]:
        pytest.skip(f"needs on the path: {', '.join(missing)}")
    work = tmp_path / "by-hand"
    work.mkdir()
    (work / "identity.txt").write_text(f"{tools.US}\n")
    (work / "package.age").write_bytes(content)
    (work / "plain.zip").write_bytes(tools.plain_of(content))
    by_age, by_hand = BY_HAND.split("\n", 1)
    assert by_age.startswith("age --decrypt")
    line = by_age if decrypted_by == "age" else "cp plain.zip package.zip"
    done = run_by_hand(work, f"{line}\n{by_hand}")
    assert done.returncode == 0, done.stderr
    assert "Signature Verified Successfully" in done.stdout
    assert "stations.csv: as signed" in done.stdout
    assert (work / "package" / "stations.csv").read_bytes() == tools.files_of(content)["stations.csv"]


def test_what_is_checked_by_hand_fails_where_the_owner_signed_something_else(
    tools: Any, content: bytes, tmp_path: Path
) -> None:
    if missing := [name for name in ("unzip", "openssl") if not shutil.which(name)]:
        pytest.skip(f"needs on the path: {', '.join(missing)}")
    for n, forged in enumerate(
        (
            tools.forged(content, None, purpose=lambda _: "press"),
            tools.with_records(content, tools.files_of(content)[CHAIN].replace(b"data-steward", b"data-stewarD")),
        )
    ):
        work = tmp_path / f"by-hand-{n}"
        work.mkdir()
        (work / "plain.zip").write_bytes(tools.plain_of(forged))
        done = run_by_hand(work, "cp plain.zip package.zip\n" + BY_HAND.split("\n", 1)[1])
        assert done.returncode != 0
        assert "Signature Verified Successfully" not in done.stdout


BY_HAND = (Path(__file__).parents[3] / "docs" / "packages.md").read_text("utf-8").split("```sh\n")[1].split("```")[0]


def run_by_hand(work: Path, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-euc", script], cwd=work, capture_output=True, text=True, check=False)


def _all(text: bytes, mark: bytes) -> Iterator[int]:
    at = text.find(mark)
    while at >= 0:
        yield at
        at = text.find(mark, at + 1)
