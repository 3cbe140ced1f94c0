"""What a set of decisions amounts to: who is who, who speaks for whom, and what is in doubt."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharedrange.core.canonical import canonical
from sharedrange.core.finding import Severity
from sharedrange.core.individuals import LocalIndividual, Verdict
from sharedrange.records import Body, Decision, FocalPoint, JointId, Record, about, concordance, focal_points
from sharedrange.records.folds import decisions_value
from sharedrange.records.keys import Key, key_from_seed
from sharedrange.records.record import next_after, short

NORTH, SOUTH = key_from_seed(b"north"), key_from_seed(b"south")
TIGER, LEOPARD = "Panthera tigris", "Panthera pardus"
A, B, C, D, E = (LocalIndividual("north", "main", code) for code in "ABCDE")
SAME, DIFFERENT, UNCERTAIN, CANNOT = Verdict.SAME, Verdict.DIFFERENT, Verdict.UNCERTAIN, Verdict.CANNOT_COMPARE


@dataclass
class Log:
    """Records in the making, one chain a key."""

    records: list[Record] = field(default_factory=list)

    def add(self, body: Body, key: Key = NORTH) -> str:
        chain = [record for record in self.records if record.author_key == key.id]
        made = next_after(chain[-1] if chain else None, body.KIND, body.to_body(), key, "2026-03-14T09:00:00Z")
        self.records.append(made)
        return made.id

    def decide(
        self,
        a: LocalIndividual,
        b: LocalIndividual,
        verdict: Verdict,
        *replaces: str,
        key: Key = NORTH,
        taxon: str = TIGER,
        probability: float | None = None,
    ) -> str:
        by = "north/cats" if key is NORTH else "south/cats"
        return self.add(Decision(a, b, taxon, verdict, by, "", probability, replaces), key)

    def verdicts(self) -> dict[str, Verdict]:
        return {f"{link.a.code}{link.b.code}": link.verdict for link in concordance(self.records)[0].links}

    def rules(self) -> list[str]:
        return [finding.rule for finding in concordance(self.records)[1]]


def test_a_link_holds_the_decision_and_its_record_in_the_order_of_its_pair() -> None:
    log = Log()
    made = log.decide(B, A, SAME, probability=0.9)
    (link,) = concordance(log.records)[0].links
    assert (link.a, link.b, link.verdict, link.probability, link.record) == (A, B, SAME, 0.9, made)


def test_a_replaced_decision_is_not_in_force() -> None:
    log = Log()
    first = log.decide(A, B, SAME)
    log.decide(B, A, CANNOT, first)
    assert log.verdicts() == {"AB": CANNOT}
    assert log.rules() == []


def test_a_decision_may_correct_one_about_another_pair() -> None:
    log = Log()
    slip = log.decide(A, B, SAME)
    log.decide(A, C, SAME, slip)
    assert log.verdicts() == {"AC": SAME}


def test_what_was_replaced_stays_so_when_its_replacement_is_replaced() -> None:
    log = Log()
    first = log.decide(A, B, SAME)
    second = log.decide(A, B, DIFFERENT, first)
    log.decide(C, D, SAME, second)
    assert log.verdicts() == {"CD": SAME}


def test_several_decisions_are_replaced_by_one_that_settles_them() -> None:
    log = Log()
    log.decide(A, B, SAME)
    log.decide(A, B, DIFFERENT, key=SOUTH)
    assert log.rules() == ["decision-conflict"]
    log.decide(A, B, SAME, *about(log.records, B, A), key=SOUTH)
    assert (log.verdicts(), log.rules()) == ({"AB": SAME}, [])


def test_a_conflict_names_who_decided_what_and_only_warns() -> None:
    log = Log()
    ids = [log.decide(A, B, SAME), log.decide(A, B, DIFFERENT, key=SOUTH)]
    decided, (finding,) = concordance(log.records)
    assert finding.severity is Severity.WARNING
    assert all(short(made) in str(finding.facts["decisions"]) for made in ids)
    assert "north/cats: same" in str(finding.facts["decisions"])
    assert decided.links[0].record.split() == sorted(ids)
    assert decided.links[0].probability is None


def test_one_who_decides_twice_without_replacing_is_in_conflict_too() -> None:
    log = Log()
    log.decide(A, B, SAME)
    log.decide(A, B, UNCERTAIN)
    assert (log.verdicts(), log.rules()) == ({"AB": UNCERTAIN}, ["decision-conflict"])


@pytest.mark.parametrize("said", list(itertools.permutations((None, 0.7, 0.9))))
def test_of_decisions_that_agree_the_least_sure_is_shown(said: tuple[float | None, ...]) -> None:
    log = Log()
    for probability in said:
        log.decide(A, B, SAME, probability=probability)
    decided, findings = concordance(log.records)
    assert [link.probability for link in decided.links] == [0.7]
    assert findings == ()


def test_a_different_inside_one_animal_is_a_contradiction_with_its_chain() -> None:
    log = Log()
    log.decide(A, B, SAME)
    log.decide(B, C, SAME)
    log.decide(A, C, DIFFERENT)
    decided, (finding,) = concordance(log.records)
    assert finding.rule == "decision-contradiction"
    assert finding.facts["chain"] == "north/main/A = north/main/B = north/main/C"
    assert len(decided.partition((A, B, C)).groups) == 1


def test_a_contradiction_shows_the_shortest_chain() -> None:
    log = Log()
    for a, b in ((A, B), (B, C), (C, D), (A, E), (E, D)):
        log.decide(a, b, SAME)
    log.decide(A, D, DIFFERENT)
    (finding,) = concordance(log.records)[1]
    assert str(finding.facts["chain"]).count("=") == 2


def test_a_different_between_two_animals_is_no_contradiction() -> None:
    log = Log()
    log.decide(A, B, SAME)
    log.decide(C, D, SAME)
    log.decide(B, C, DIFFERENT)
    log.decide(A, D, CANNOT)
    assert log.rules() == []


def test_a_replacement_of_what_is_not_here_is_told() -> None:
    log = Log()
    log.decide(A, B, SAME, "ab" * 32)
    assert (log.verdicts(), log.rules()) == ({"AB": SAME}, ["decision-replaces-unknown"])


def test_decisions_are_taken_by_taxon() -> None:
    log = Log()
    log.decide(A, B, SAME)
    log.decide(C, D, SAME, taxon=LEOPARD)
    for taxa, expected in ((TIGER, {A, B}), ({LEOPARD}, {C, D}), ((TIGER, LEOPARD), {A, B, C, D}), ((), set())):
        links = concordance(log.records, taxa)[0].links
        assert {who for link in links for who in link.pair} == expected


def test_a_record_that_breaks_its_kind_s_rules_decides_nothing() -> None:
    log = Log()
    log.decide(A, A, SAME)
    assert log.verdicts() == {}


def test_the_first_of_two_joint_ids_names_the_animal() -> None:
    log = Log()
    log.decide(A, B, SAME)
    for name in ("J-00000000000000bb", "J-00000000000000aa"):
        log.add(JointId(name, (A, B), TIGER))
    assert set(concordance(log.records)[0].partition((A, B)).groups) == {"J-00000000000000aa"}


def test_a_joint_id_stays_with_most_of_its_members() -> None:
    log = Log()
    log.decide(B, C, SAME)
    log.add(JointId("J-00000000000000aa", (A, B, C), TIGER))
    decided, (finding,) = concordance(log.records)
    assert decided.joint_ids == {B: "J-00000000000000aa", C: "J-00000000000000aa"}
    assert (finding.rule, finding.severity) == ("joint-id-split", Severity.NOTE)


pairs = st.tuples(st.sampled_from((A, B, C, D, E)), st.sampled_from((A, B, C, D, E))).filter(lambda p: p[0] != p[1])


@given(st.lists(st.tuples(pairs, st.sampled_from(Verdict)), max_size=10), st.sets(st.sampled_from((A, B, C, D, E))))
def test_every_individual_is_in_one_animal_and_animals_are_what_same_connects(
    decisions: list[tuple[tuple[LocalIndividual, LocalIndividual], Verdict]], seen: set[LocalIndividual]
) -> None:
    log = Log()
    for (a, b), verdict in decisions:
        log.decide(a, b, verdict, *about(log.records, a, b))
    decided, _ = concordance(log.records)
    groups = decided.partition(seen).groups.values()
    assert sorted(who for group in groups for who in group) == sorted(seen)
    same = {link.pair for link in decided.links if link.verdict is SAME}
    expected = {frozenset(_connected(who, same) & seen) for who in seen}
    assert {frozenset(group) for group in groups} == expected


def _connected(who: LocalIndividual, same: set[frozenset[LocalIndividual]]) -> set[LocalIndividual]:
    reached = {who}
    while more := {other for pair in same if pair & reached for other in pair} - reached:
        reached |= more
    return reached


def test_another_decision_changes_only_the_value_of_those_it_can_concern() -> None:
    log = Log()
    log.decide(A, B, SAME)
    before = concordance(log.records)[0]
    log.decide(C, D, SAME)
    after = concordance(log.records)[0]
    assert decisions_value(before, (A, B)) == decisions_value(after, (A, B))
    assert decisions_value(before, (A, C, D)) != decisions_value(after, (A, C, D))
    assert decisions_value(before) != decisions_value(after)


def test_a_value_reaches_through_animals_that_are_not_among_those_asked_for() -> None:
    log = Log()
    log.decide(A, B, SAME)
    before = concordance(log.records)[0]
    log.decide(B, C, SAME)
    after = concordance(log.records)[0]
    assert decisions_value(before, (A, C)) != decisions_value(after, (A, C))


def test_a_value_is_canonical_json_that_names_verdict_record_and_joint_id() -> None:
    log = Log()
    made = log.decide(B, A, SAME, probability=0.5)
    log.add(JointId("J-00000000000000aa", (A, B), TIGER))
    value = decisions_value(concordance(log.records)[0])
    assert value == {
        "joint_ids": [["north", "main", code, "J-00000000000000aa"] for code in "AB"],
        "links": [[["north", "main", "A"], ["north", "main", "B"], "same", 0.5, made]],
    }
    assert canonical(value)


def test_focal_points_are_those_that_nothing_replaced() -> None:
    log = Log()
    first = log.add(FocalPoint("north", "tigers", "north/director"))
    log.add(FocalPoint("south", "tigers", "south/director"), SOUTH)
    log.add(FocalPoint("north", "tigers", "north/deputy", (first,)))
    assert [point.role for point in focal_points(log.records)] == ["north/deputy", "south/director"]


def test_a_place_can_become_vacant() -> None:
    log = Log()
    first = log.add(FocalPoint("north", "tigers", "north/director"))
    log.add(FocalPoint("north", "tigers", "", (first,)))
    assert focal_points(log.records) == ()
