"""Each animal is counted once: by decisions that can be taken back, and never by its code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sharedrange.core.individuals import Concordance, Link, LocalIndividual, Partition, Verdict
from sharedrange.records import Decision, Record, about, concordance, key_from_seed, mint, open_store

NORTH = LocalIndividual("north-park", "main", "M1")
SOUTH = LocalIndividual("south-park", "main", "M1")
SOUTH_7 = LocalIndividual("south-park", "main", "T7")
LEFT = LocalIndividual("north-park", "left-flanks", "L4")
RIGHT = LocalIndividual("south-park", "right-flanks", "R9")
EVERYBODY = (NORTH, SOUTH, SOUTH_7, LEFT, RIGHT)
NORTH_KEY, SOUTH_KEY = key_from_seed(b"north-park"), key_from_seed(b"south-park")
DAY = "2026-03-14T09:00:00Z"
SAME = Decision(NORTH, SOUTH_7, "Panthera tigris", Verdict.SAME, "north-park/cat-ecologist", "both flanks, 4 photos")


def counted(folder: Path) -> Partition:
    decided, _ = concordance(open_store(folder).read(), "Panthera tigris")
    return decided.partition(EVERYBODY)


def decide(folder: Path, decision: Decision) -> Record:
    return open_store(folder).append(decision.KIND, decision.to_body(), NORTH_KEY, DAY)


def test_the_same_code_on_both_sides_stays_two_animals(tmp_path: Path) -> None:
    animals = counted(tmp_path).of()
    assert animals[NORTH] != animals[SOUTH]
    assert len(set(animals.values())) == len(EVERYBODY)


def test_one_tiger_with_two_codes_becomes_one_when_someone_decided_so(tmp_path: Path) -> None:
    decide(tmp_path, SAME)
    partition = counted(tmp_path)
    animals = partition.of()
    assert animals[NORTH] == animals[SOUTH_7]
    assert animals[NORTH] != animals[SOUTH]
    assert partition.parties(animals[NORTH]) == {"north-park", "south-park"}
    assert len(partition.groups) == len(EVERYBODY) - 1


def test_a_decision_is_taken_back_by_one_that_replaces_it(tmp_path: Path) -> None:
    first = decide(tmp_path, SAME)
    decide(tmp_path, replace(SAME, verdict=Verdict.DIFFERENT, evidence="stripes differ", replaces=(first.id,)))
    assert len(counted(tmp_path).groups) == len(EVERYBODY)


def test_a_decision_that_was_taken_back_can_be_taken_again(tmp_path: Path) -> None:
    decide(tmp_path, SAME)
    for verdict in (Verdict.UNCERTAIN, Verdict.SAME):
        earlier = about(open_store(tmp_path).read(), NORTH, SOUTH_7)
        decide(tmp_path, replace(SAME, verdict=verdict, replaces=earlier))
    assert counted(tmp_path).of()[NORTH] == counted(tmp_path).of()[SOUTH_7]


def test_a_left_flank_and_a_right_flank_that_cannot_be_compared_stay_two(tmp_path: Path) -> None:
    decide(tmp_path, replace(SAME, a=LEFT, b=RIGHT, verdict=Verdict.CANNOT_COMPARE, evidence="one flank each"))
    decided, findings = concordance(open_store(tmp_path).read())
    assert [link.verdict for link in decided.links] == [Verdict.CANNOT_COMPARE]
    assert counted(tmp_path).of()[LEFT] != counted(tmp_path).of()[RIGHT]
    assert findings == ()


def test_an_uncertain_pair_stays_two(tmp_path: Path) -> None:
    decide(tmp_path, replace(SAME, verdict=Verdict.UNCERTAIN, probability=0.8))
    assert len(counted(tmp_path).groups) == len(EVERYBODY)


def test_two_who_decide_differently_leave_the_pair_uncertain(tmp_path: Path) -> None:
    decide(tmp_path, SAME)
    differs = replace(SAME, verdict=Verdict.DIFFERENT, by="south-park/cat-ecologist")
    open_store(tmp_path).append(differs.KIND, differs.to_body(), SOUTH_KEY, DAY)
    decided, findings = concordance(open_store(tmp_path).read())
    assert [link.verdict for link in decided.links] == [Verdict.UNCERTAIN]
    assert [finding.rule for finding in findings] == ["decision-conflict"]
    assert len(counted(tmp_path).groups) == len(EVERYBODY)


def test_a_chain_of_decisions_holds_where_the_animal_in_the_middle_was_not_seen() -> None:
    links = (Link(NORTH, LEFT, Verdict.SAME), Link(LEFT, SOUTH_7, Verdict.SAME))
    assert len(Concordance(links).partition((NORTH, SOUTH_7)).groups) == 1


def test_an_animal_that_is_split_after_its_joint_id_was_minted_is_two(tmp_path: Path) -> None:
    first = decide(tmp_path, SAME)
    name = mint((NORTH, SOUTH_7), "Panthera tigris", random_bytes=lambda n: b"\x07" * n)
    open_store(tmp_path).append(name.KIND, name.to_body(), NORTH_KEY, DAY)
    assert counted(tmp_path).groups["J-0707070707070707"] == (NORTH, SOUTH_7)
    decide(tmp_path, replace(SAME, verdict=Verdict.DIFFERENT, replaces=(first.id,)))
    groups = counted(tmp_path).groups
    assert groups["J-0707070707070707"] == (NORTH,)
    assert groups[str(SOUTH_7)] == (SOUTH_7,)


def test_two_animals_that_claim_one_joint_id_are_still_two() -> None:
    claimed = Concordance(joint_ids={NORTH: "J-1", SOUTH: "J-1"})
    assert len(claimed.partition((NORTH, SOUTH)).groups) == 2
