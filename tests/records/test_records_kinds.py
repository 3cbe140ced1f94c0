"""Each kind of record keeps its rules, and says everything that is wrong at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharedrange.core.canonical import Json, canonical, read_canonical
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Where
from sharedrange.core.individuals import LocalIndividual, Verdict
from sharedrange.records import KINDS, Body, Decision, FocalPoint, JointId, mint, record_kind
from sharedrange.records.kinds import read_body

A, B = LocalIndividual("north", "main", "M1"), LocalIndividual("south", "main", "T7")
DECISION = Decision(A, B, "Panthera tigris", Verdict.SAME, "north/cat-ecologist", "four photos", 0.97, ("ab" * 32,))
BODIES: list[Body] = [
    DECISION,
    JointId("J-0011223344556677", (A, B), "Panthera tigris"),
    FocalPoint("north", "tigers", "north/director", ("cd" * 32,)),
    FocalPoint("north", "tigers", ""),
]
words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
codes = words.filter(str.isprintable)
individuals = st.builds(LocalIndividual, codes, codes, codes)


def rules(kind: str, body: Mapping[str, Json]) -> list[str]:
    with pytest.raises(InputError) as error:
        read_body(kind, body)
    return [f"{finding.rule} {finding.where.field}" for finding in error.value.findings]


@pytest.mark.parametrize("body", BODIES)
def test_a_body_is_read_back_as_it_was(body: Body) -> None:
    assert read_body(body.KIND, read_canonical(canonical(body.to_body()))) == body


@given(individuals, individuals, st.sampled_from(Verdict), st.none() | st.floats(0, 1), st.text(max_size=9))
def test_every_decision_about_two_animals_is_read_back(
    a: LocalIndividual, b: LocalIndividual, verdict: Verdict, probability: float | None, evidence: str
) -> None:
    try:
        canonical(evidence)
    except ValueError:
        return  # half a surrogate pair cannot be written
    decision = Decision(a, b, "Panthera pardus", verdict, "north/x", evidence, probability)
    if a == b:
        assert rules("decision", decision.to_body()) == ["decision-one-individual None"]
    else:
        assert Decision.from_body(read_canonical(canonical(decision.to_body()))) == decision


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"a": ["north", "main"]}, "record-field a"),
        ({"a": ["north", "main", ""]}, "record-field a"),
        ({"b": {"party": "south"}}, "record-field b"),
        ({"taxon": ""}, "record-field taxon"),
        ({"verdict": "maybe"}, "record-field verdict"),
        ({"verdict": 1}, "record-field verdict"),
        ({"by": "Иван Петров"}, "role-id by"),
        ({"by": "Ivan Petrov"}, "role-id by"),
        ({"by": ""}, "role-id by"),
        ({"evidence": None}, "record-field evidence"),
        ({"probability": 1.01}, "record-field probability"),
        ({"probability": True}, "record-field probability"),
        ({"probability": "high"}, "record-field probability"),
        ({"replaces": "ab" * 32}, "record-field replaces"),
        ({"replaces": ["short"]}, "record-field replaces"),
        ({"replaces": ["ab" * 32] * 2}, "record-field replaces"),
        ({"replaces": ["ab" * 32, 1]}, "record-field replaces"),
        ({"photo": "x"}, "record-extra-field photo"),
    ],
)
def test_a_wrong_field_of_a_decision_is_told(change: dict[str, Json], expected: str) -> None:
    assert rules("decision", {**DECISION.to_body(), **change}) == [expected]


def test_everything_wrong_in_a_body_is_told_at_once_and_where() -> None:
    with pytest.raises(InputError) as error:
        read_body("decision", {"a": 1, "more": 2}, Where(file="f", row=3))
    fields = [finding.where.field for finding in error.value.findings]
    assert fields == ["a", "b", "taxon", "verdict", "by", "evidence", "replaces", "more"]
    assert {(finding.where.file, finding.where.row) for finding in error.value.findings} == {("f", 3)}


def test_a_long_wrong_value_is_not_repeated_in_full() -> None:
    with pytest.raises(InputError) as error:
        read_body("decision", {**DECISION.to_body(), "verdict": "x" * 1000})
    assert len(str(error.value.findings[0].facts["given"])) < 100


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"joint_id": "M1"}, "record-field joint_id"),
        ({"joint_id": "J-00112233445566GG"}, "record-field joint_id"),
        ({"members": []}, "record-field members"),
        ({"members": [["north", "main", "M1"]] * 2}, "record-field members"),
        ({"members": [["north", "main", "M1"], 1]}, "record-field members"),
        ({"members": "M1"}, "record-field members"),
    ],
)
def test_a_wrong_field_of_a_joint_id_is_told(change: dict[str, Json], expected: str) -> None:
    assert rules("joint_id", {**BODIES[1].to_body(), **change}) == [expected]


def test_a_minted_joint_id_has_64_random_bits_and_sorted_members() -> None:
    first = mint((B, A, B), "Panthera tigris", np.random.default_rng(1).bytes)
    assert first.members == (A, B)
    assert first == mint((A, B), "Panthera tigris", np.random.default_rng(1).bytes)
    assert JointId.from_body(first.to_body()) == first
    assert mint((A,), "x").joint_id != mint((A,), "x").joint_id


def test_an_unknown_kind_is_named_with_those_that_are_known() -> None:
    with pytest.raises(InputError) as error:
        read_body("decison", {})
    assert error.value.findings[0].facts == {"kind": "decison", "known": ", ".join(sorted(KINDS))}


def test_another_floor_adds_a_kind_and_cannot_take_one() -> None:
    @dataclass(frozen=True)
    class Nap:
        KIND: ClassVar[str] = "nap"
        hours: int

        def to_body(self) -> dict[str, Json]:
            return {"hours": self.hours}

        @classmethod
        def from_body(cls, body: Mapping[str, Any], where: Where = Where()) -> Self:
            return cls(body["hours"])

    try:
        record_kind(Nap)
        assert read_body("nap", {"hours": 2}) == Nap(2)
        with pytest.raises(ValueError, match="taken by Nap"):
            record_kind(Nap)
    finally:
        KINDS.pop("nap", None)
