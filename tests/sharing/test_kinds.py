"""The records of sharing keep their rules, and amount to the same whoever else's records lie beside them."""

from __future__ import annotations

import doctest
import re
from dataclasses import fields
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharedrange.core.canonical import Json, canonical, read_canonical
from sharedrange.core.errors import InputError
from sharedrange.records import KINDS, Body, Key, Record, RecordSet, key_from_seed
from sharedrange.records.kinds import read_body
from sharedrange.records.record import next_after
from sharedrange.sharing import folds, kinds
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

PAGE = Path(__file__).parents[2] / "docs" / "packages.md"
US, THEM, LATER, STRANGER = (key_from_seed(who) for who in (b"us", b"them", b"them, later", b"stranger"))
AGE, AGE_LATER, AGE_STRANGER = ("age1" + letter * 58 for letter in "qpz")
URN, HASH, OTHER = "urn:agreement:a--b:2026-01", "ab" * 32, "cd" * 32
BODIES: list[Body] = [
    Trust("secretariat", THEM.id, AGE, (HASH,)),
    Trust("Partner-2", THEM.id),
    Distrust(THEM.id, "stolen", "us/director"),
    KeyRotated(LATER.id, AGE_LATER),
    AgreementSigned(URN, HASH, "us", "us/director"),
    Preview(URN, HASH, "D-0123456789abcdef", "secretariat", "treaty report", "2026-11-22", OTHER),
    Release(OTHER, URN, HASH, "secretariat", "treaty report", "2026-11-22", 12, "us/data-steward"),
    Opening(OTHER, "us", "2026-11-22"),
    Revocation(URN, HASH, "the fence was moved: см. письмо", "us/director"),
    Receipt(HASH, "them/director", "deleted on 3 March"),
    Publication(HASH, "public", "press", "2026-11-22", (OTHER,), "us/director"),
]
NOTES = {"purpose", "reason", "what"}  # words of people, in any script
OF_SHARING = {name: cls for name, cls in KINDS.items() if cls.__module__ == kinds.__name__}


def chain(key: Key, *bodies: Body) -> tuple[Record, ...]:
    made: list[Record] = []
    for body in bodies:
        made.append(next_after(made[-1] if made else None, body.KIND, body.to_body(), key, "2026-11-22T10:00:00Z"))
    return tuple(made)


def rules(kind: str, body: dict[str, Json]) -> list[str]:
    with pytest.raises(InputError) as error:
        read_body(kind, body)
    return [f"{finding.rule} {finding.where.field}" for finding in error.value.findings]


@pytest.mark.parametrize("body", BODIES)
def test_a_body_is_read_back_as_it_was(body: Body) -> None:
    assert read_body(body.KIND, read_canonical(canonical(body.to_body()))) == body


def test_every_kind_of_sharing_is_tried_here() -> None:
    assert {body.KIND for body in BODIES} == OF_SHARING.keys()


@pytest.mark.parametrize("body", BODIES)
def test_a_field_that_is_missing_wrong_or_too_much_is_told(body: Body) -> None:
    good = body.to_body()
    for name in good:
        less = {key: value for key, value in good.items() if key != name}
        assert all(rule.endswith(f" {name}") for rule in rules(body.KIND, less))
        for wrong in (None, {}, [1], -1, True, 1.5, "a\nb", "\0", *(() if name in NOTES else ("../x",))):
            told = {**good, name: wrong}
            assert all(rule.endswith(f" {name}") for rule in rules(body.KIND, told)), (name, wrong)
    assert rules(body.KIND, {**good, "note": "x"}) == ["record-extra-field note"]
    assert len(rules(body.KIND, {})) >= len(good) - 1  # everything at once; an age key may be left out


@pytest.mark.parametrize(
    ("at", "name", "value"),
    [
        (0, "party", "two words"), (0, "party", "../us"), (0, "party", ".hidden"), (0, "key", "ed25519"),
        (0, "key", THEM.id.upper()), (0, "age", AGE.upper()), (0, "age", AGE[:-1]), (0, "age", "AGE-SECRET-KEY-1"),
        (0, "replaces", HASH), (4, "agreement", "agreement 7"), (4, "hash", HASH.upper()), (4, "by", "Ivan Petrov"),
        (5, "dataset", "own/cameras-2026"), (5, "dataset", "S-0123456789abcdef"), (5, "on", "20261122"),
        (5, "on", "2026-02-30"), (5, "on", "2026-11"), (6, "rows", -1), (6, "rows", "12"), (6, "package", "x"),
        (2, "reason", ""),
        (6, "purpose", "x" * 501), (8, "reason", ""), (9, "of", "short"), (9, "what", "line\nline"),
    ],
)  # fmt: skip
def test_a_value_of_another_form_is_refused(at: int, name: str, value: Json) -> None:
    body = BODIES[at]
    assert len(rules(body.KIND, {**body.to_body(), name: value})) == 1


def test_the_examples_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = doctest.testfile(str(PAGE), module_relative=False)
    assert result.attempted > 3
    assert result.failed == 0


def test_the_page_lists_every_kind_with_its_fields() -> None:
    table = PAGE.read_text("utf-8").split("| kind |", 1)[1].split("\n\n", 1)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    documented = {kind.strip("`"): set(re.findall(r"`(\w+)`", text)) for kind, text in rows}
    known: dict[str, Any] = OF_SHARING
    assert documented == {name: {field.name for field in fields(cls)} for name, cls in known.items()}


# Whom we trust


def test_a_key_is_trusted_because_an_own_key_says_so_and_for_no_other_reason() -> None:
    ours, theirs = chain(US, Trust("b", THEM.id, AGE)), chain(STRANGER, Trust("b", STRANGER.id, AGE_STRANGER))
    themselves = chain(THEM, Trust("c", THEM.id, AGE))
    records = RecordSet(ours + theirs + themselves)
    assert folds.trusted(records, {US.id}) == {"b": {THEM.id}}
    assert folds.sealed_for(records, {US.id}) == {"b": AGE}
    assert folds.trusted(records, frozenset()) == {}


def test_trust_follows_a_key_to_its_successor_and_the_seal_with_it() -> None:
    records = RecordSet(chain(US, Trust("b", THEM.id, AGE)) + chain(THEM, KeyRotated(LATER.id, AGE_LATER)))
    assert folds.trusted(records, {US.id}) == {"b": {THEM.id, LATER.id}}
    assert folds.sealed_for(records, {US.id}) == {"b": AGE_LATER}


def test_a_stranger_who_names_a_partners_key_as_successor_changes_nothing() -> None:
    ours = chain(US, Trust("b", THEM.id, AGE))
    claim = chain(STRANGER, KeyRotated(THEM.id, AGE_STRANGER))
    assert folds.trusted(RecordSet(ours + claim), {US.id}) == {"b": {THEM.id}}
    assert folds.sealed_for(RecordSet(ours + claim), {US.id}) == {"b": AGE}


def test_a_partner_who_names_anothers_key_as_successor_redirects_nothing_of_the_other() -> None:
    ours = chain(US, Trust("b", THEM.id, AGE), Trust("c", STRANGER.id, AGE_STRANGER))
    claim = chain(STRANGER, KeyRotated(THEM.id, AGE_STRANGER))
    records = RecordSet(ours + claim)
    assert folds.sealed_for(records, {US.id})["b"] == AGE
    assert folds.trusted(records, {US.id})["b"] == {THEM.id}


def test_a_stranger_does_not_become_one_of_our_own_keys() -> None:
    claim = chain(STRANGER, KeyRotated(US.id, AGE_STRANGER), Trust("b", STRANGER.id, AGE_STRANGER))
    records = RecordSet(chain(US, Trust("b", THEM.id, AGE)) + claim)
    assert folds.predecessors(records, US.id) == {US.id}
    assert folds.trusted(records, folds.predecessors(records, US.id)) == {"b": {THEM.id}}


def test_a_key_and_its_predecessor_are_one_where_both_say_so() -> None:
    old = chain(THEM, Trust("b", STRANGER.id), KeyRotated(LATER.id))
    new = chain(LATER, Trust("us", THEM.id))
    assert folds.predecessors(RecordSet(old), LATER.id) == {LATER.id}
    assert folds.predecessors(RecordSet(new), LATER.id) == {LATER.id}
    assert folds.predecessors(RecordSet(old + new), LATER.id) == {LATER.id, THEM.id}
    assert folds.predecessors(RecordSet(old + new), THEM.id) == {THEM.id}


def test_a_lost_key_counts_for_nobody_and_gives_its_place_to_nobody() -> None:
    thief = chain(THEM, KeyRotated(STRANGER.id, AGE_STRANGER))
    records = RecordSet(chain(US, Trust("b", THEM.id, AGE), Distrust(THEM.id, "stolen", "us/director")) + thief)
    assert folds.trusted(records, {US.id}).get("b", frozenset()) == frozenset()
    assert "b" not in folds.sealed_for(records, {US.id})
    later = chain(US, Trust("b", THEM.id, AGE), Distrust(LATER.id, "stolen", "us/director"))
    stolen = chain(THEM, KeyRotated(LATER.id)) + chain(LATER, KeyRotated(STRANGER.id))
    assert folds.trusted(RecordSet(later + stolen), {US.id}) == {"b": {THEM.id}}


def test_a_stranger_takes_no_trust_away() -> None:
    ours = chain(US, Trust("b", THEM.id, AGE))
    against = chain(STRANGER, Distrust(THEM.id, "envy", "x/y"), Trust("b", STRANGER.id, AGE_STRANGER, (ours[0].id,)))
    assert folds.trusted(RecordSet(ours + against), {US.id}) == {"b": {THEM.id}}


def test_a_key_that_named_two_successors_gives_its_place_to_neither() -> None:
    twice = chain(THEM, KeyRotated(LATER.id, AGE_LATER), KeyRotated(STRANGER.id, AGE_STRANGER))
    records = RecordSet(chain(US, Trust("b", THEM.id, AGE)) + twice)
    assert folds.trusted(records, {US.id}) == {"b": {THEM.id}}
    assert "b" not in folds.sealed_for(records, {US.id})


def test_keys_that_name_each_other_end_the_search() -> None:
    round_and_round = chain(THEM, KeyRotated(LATER.id)) + chain(LATER, KeyRotated(THEM.id), Trust("b", THEM.id))
    records = RecordSet(chain(US, Trust("b", THEM.id, AGE)) + round_and_round)
    assert folds.trusted(records, {US.id}) == {"b": {THEM.id, LATER.id}}
    assert folds.predecessors(records, LATER.id) == {THEM.id, LATER.id}


def test_a_new_age_key_takes_the_place_of_the_one_that_it_replaces() -> None:
    first = chain(US, Trust("b", THEM.id, AGE))
    told = folds.trust_about(first, {US.id}, "b")
    corrected = chain(US, Trust("b", THEM.id, AGE), Trust("b", THEM.id, AGE_LATER, told))
    assert folds.sealed_for(corrected, {US.id}) == {"b": AGE_LATER}
    beside = chain(US, Trust("b", THEM.id, AGE), Trust("b", THEM.id, AGE_LATER))
    assert folds.sealed_for(beside, {US.id}) == {}  # which of the two reads, nobody guesses


# How an agreement stands


class Agreed:
    """As much of an agreement as its standing asks for."""

    id, hash, parties = URN, HASH, ("us", "them")


KEYS = {"us": frozenset({US.id}), "them": frozenset({THEM.id})}


def standing(*records: Record) -> Any:
    return folds.standing(records, Agreed(), KEYS)  # type: ignore[arg-type]  # all that it looks at


def test_an_agreement_is_signed_by_a_partys_own_key_over_its_own_text() -> None:
    assert standing(*chain(US, AgreementSigned(URN, HASH, "us", "us/x"))).signed_by == {"us"}
    for key, body in (
        (US, AgreementSigned(URN, OTHER, "us", "us/x")),  # another text
        (US, AgreementSigned(URN, HASH, "them", "us/x")),  # in another's name
        (STRANGER, AgreementSigned(URN, HASH, "us", "us/x")),
        (STRANGER, AgreementSigned(URN, HASH, "stranger", "x/y")),
    ):
        assert standing(*chain(key, body)).signed_by == frozenset()


def test_an_agreement_is_revoked_by_either_party_and_by_nobody_else() -> None:
    for key in (US, THEM):
        assert standing(*chain(key, Revocation(URN, HASH, "no", "a/b"))).revoked
    assert not standing(*chain(STRANGER, Revocation(URN, HASH, "no", "a/b"))).revoked
    assert not standing(*chain(US, Revocation(URN, OTHER, "no", "a/b"))).revoked
    assert not standing(*chain(US, Revocation(URN + "x", HASH, "no", "a/b"))).revoked


def test_what_others_opened_was_not_opened_by_us() -> None:
    records = chain(US, Opening(HASH, "b", "2026-01-01")) + chain(STRANGER, Opening(OTHER, "b", "2026-01-01"))
    assert folds.opened(records, {US.id}) == {HASH}


EVERYTHING = (
    *chain(US, Trust("b", THEM.id, AGE), AgreementSigned(URN, HASH, "us", "us/x"), Opening(HASH, "b", "2026-01-01")),
    *chain(THEM, AgreementSigned(URN, HASH, "them", "them/x"), KeyRotated(LATER.id, AGE_LATER)),
    *chain(LATER, Trust("b", THEM.id), Revocation(URN, HASH, "no", "a/b")),
)


@given(st.sampled_from(list(permutations(range(len(EVERYTHING))))[::37]))
def test_the_order_in_which_records_arrive_changes_nothing(order: tuple[int, ...]) -> None:
    mixed = [EVERYTHING[i] for i in order]
    for fold in (folds.trusted, folds.sealed_for, folds.opened):
        assert fold(mixed, {US.id}) == fold(EVERYTHING, {US.id})
    assert standing(*mixed) == standing(*EVERYTHING)


junk = st.sampled_from(
    [
        Trust("b", STRANGER.id, AGE_STRANGER), Trust("us", STRANGER.id), Distrust(THEM.id, "envy", "x/y"),
        KeyRotated(US.id, AGE_STRANGER), KeyRotated(THEM.id, AGE_STRANGER), Opening(OTHER, "b", "2026-01-01"),
        AgreementSigned(URN, HASH, "us", "us/x"), Revocation(URN, HASH, "no", "a/b"),
        Trust("b", STRANGER.id, AGE_STRANGER, (EVERYTHING[0].id,)),
    ]
)  # fmt: skip


@given(st.lists(junk, max_size=6))
def test_whatever_strangers_sign_changes_nothing(bodies: list[Body]) -> None:
    mixed = (*EVERYTHING, *chain(STRANGER, *bodies))
    assert folds.predecessors(mixed, US.id) == {US.id}
    assert folds.trusted(mixed, {US.id}) == {"b": {THEM.id, LATER.id}}
    assert folds.sealed_for(mixed, {US.id}) == {"b": AGE_LATER}
    assert folds.opened(mixed, {US.id}) == {HASH}
    assert standing(*mixed) == standing(*EVERYTHING)
