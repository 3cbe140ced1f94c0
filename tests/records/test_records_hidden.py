"""A record that does not concern a reader can be hidden from it: what is told proves the same, and says nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharedrange.core.canonical import Json, canonical, digest, read_canonical
from sharedrange.records import (
    FocalPoint,
    Record,
    RecordSet,
    chain_file,
    from_files,
    in_force,
    lines,
    merge,
    open_store,
)
from sharedrange.records.keys import Key, key_from_seed
from sharedrange.records.record import next_after, read_line, sign

KEY, OTHER = key_from_seed(b"north-park"), key_from_seed(b"south-park")
DAY = "2026-03-14T09:00:00Z"
POINT = FocalPoint("north-park", "tigers", "north-park/director")


def chain(n: int, key: Key = KEY) -> list[Record]:
    made: list[Record] = []
    for number in range(n):
        body = replace(POINT, purpose=f"purpose {number}").to_body()
        made.append(next_after(made[-1] if made else None, "focal_point", body, key, DAY))
    return made


def read(*records: Record) -> RecordSet:
    return from_files({chain_file(KEY.id): lines(records)})


def as_before(record: Record, key: Key = KEY) -> Record:
    """The record as it was made before there was a salt."""
    bare = replace(record, salt="", sig="")
    return replace(bare, sig=key.sign(bare.message))


def test_a_hidden_record_has_its_id_signature_and_place_and_nothing_else() -> None:
    (record,) = chain(1)
    told = read_canonical(record.hide().line())
    assert told.keys() == {"author_key", "hidden", "prev", "seq", "sig"}
    assert (told["prev"], told["seq"], told["sig"]) == (record.prev, record.seq, record.sig)
    assert record.hide().id == record.id
    assert read_line(record.hide().line()) == record.hide()
    assert record.hide().hide() == record.hide()


def test_the_id_is_worked_out_from_the_line_as_the_page_says() -> None:
    (record,) = chain(1)
    shown = read_canonical(record.line())
    hidden = digest({name: shown[name] for name in ("body", "kind", "recorded_at", "salt")})
    assert hidden == record.hide().hidden
    assert record.id == digest({"author_key": KEY.id, "hidden": hidden, "prev": "", "seq": 0})


@given(st.lists(st.booleans(), min_size=6, max_size=6))
def test_a_chain_of_which_any_are_hidden_holds(hide: list[bool]) -> None:
    made = chain(6)
    found = read(*(record.hide() if hidden else record for record, hidden in zip(made, hide, strict=True)))
    assert found.findings == ()
    assert found.heads() == {KEY.id: made[-1].id}
    assert [point.purpose for _, point in sorted(in_force(found, FocalPoint), key=lambda made: made[0].seq)] == [
        f"purpose {n}" for n, hidden in enumerate(hide) if not hidden
    ]


@pytest.mark.parametrize("field", ["hidden", "prev", "sig"])
def test_a_hidden_record_that_was_changed_is_none(field: str) -> None:
    _, record = chain(2)
    told = read_canonical(record.hide().line())
    told[field] = ("0" if told[field][0] != "0" else "1") + told[field][1:]
    finding = read_line(canonical(told))
    assert getattr(finding, "rule", "") == "record-signature"


@pytest.mark.parametrize(
    "change",
    [
        {"hidden": "ab"}, {"hidden": 1}, {"hidden": "AB" * 32}, {"kind": "focal_point"}, {"salt": "ab" * 16},
        {"recorded_at": DAY},
    ],
)  # fmt: skip
def test_a_line_that_is_half_hidden_is_no_record(change: dict[str, object]) -> None:
    told = read_canonical(chain(1)[0].hide().line())
    finding = read_line(canonical({**told, **change}))  # type: ignore[dict-item]  # wrong on purpose
    assert getattr(finding, "rule", "") == "record-malformed"


@pytest.mark.parametrize("salt", ["", "ab", "AB" * 16, 1, None])
def test_a_salt_of_another_form_makes_no_record(salt: Json) -> None:
    told = read_canonical(chain(1)[0].line())
    finding = read_line(canonical({**told, "salt": salt}))
    assert getattr(finding, "rule", "") == "record-malformed"


def test_the_same_body_is_hidden_under_another_hash_in_every_record_and_by_every_key() -> None:
    bodies = POINT.to_body()
    first = sign("focal_point", bodies, KEY, DAY)
    second = next_after(first, "focal_point", bodies, KEY, DAY)
    other = sign("focal_point", bodies, OTHER, DAY)
    assert len({record.hide().hidden for record in (first, second, other)}) == 3
    assert len({record.salt for record in (first, second, other)}) == 3
    assert sign("focal_point", bodies, KEY, DAY) == first


def test_what_is_hidden_is_not_found_by_trying_without_the_salt() -> None:
    (record,) = chain(1)
    told: dict[str, Json] = {"body": record.body, "kind": record.kind, "recorded_at": record.recorded_at}
    assert record.hide().hidden not in {digest(told), digest({**told, "salt": ""}), digest(record.body)}


def test_what_is_shown_stays_shown_in_whatever_order_it_came(tmp_path: Path) -> None:
    made = chain(3)
    hidden, shown = RecordSet(tuple(record.hide() for record in made)), RecordSet(tuple(made))
    assert merge(hidden, shown) == merge(shown, hidden) == shown
    for place, order in (("one", (hidden, shown)), ("two", (shown, hidden))):
        store = open_store(tmp_path / place)
        for records in order:
            store.take_in(records)
        assert store.read() == shown
        assert not (tmp_path / place / "set-aside").exists()


def test_two_records_in_one_place_are_a_fork_though_both_are_hidden() -> None:
    first, second = chain(2)
    rival = next_after(first, "focal_point", replace(POINT, purpose="another").to_body(), KEY, DAY)
    assert [f.rule for f in read(first, second.hide(), rival.hide()).findings] == ["record-fork"]


def test_a_hidden_record_that_is_missing_is_missed() -> None:
    first, _, third = chain(3)
    assert [f.rule for f in read(first.hide(), third.hide()).findings] == ["record-missing-link"]


def test_a_chain_goes_on_from_a_hidden_record(tmp_path: Path) -> None:
    first, second = chain(2)
    store = open_store(tmp_path)
    store.take_in(RecordSet((first.hide(), second.hide())))
    third = store.append("focal_point", POINT.to_body(), KEY, DAY)
    assert (third.seq, third.prev) == (2, second.id)
    assert store.read().findings == ()


def test_records_from_before_there_was_a_salt_hold_and_are_always_shown() -> None:
    old = as_before(chain(1)[0])
    assert "salt" not in read_canonical(old.line())
    assert old.id == digest({name: value for name, value in read_canonical(old.line()).items() if name != "sig"})
    assert old.hide() == old
    new = next_after(old, "focal_point", POINT.to_body(), KEY, DAY)
    assert read(old, new).findings == ()
