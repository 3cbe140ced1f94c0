"""Merging is union: the order and the number of merges do not matter, for records and for what they amount to."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sharedrange.core.finding import Finding, Where
from sharedrange.core.individuals import LocalIndividual, Verdict
from sharedrange.records import Decision, Record, RecordSet, chain_file, concordance, from_files, key_from_seed, merge
from sharedrange.records.record import next_after

ANIMALS = [LocalIndividual(party, "main", code) for party in ("north", "south") for code in ("M1", "M2", "M3")]
KEYS = [key_from_seed(b"north"), key_from_seed(b"south")]
DAYS = ["2026-03-14T09:00:00Z", "2020-01-01T00:00:00Z"]


def _pool() -> list[Record]:
    """Two forked chains of decisions, some of which replace others, about few animals."""
    pool: list[Record] = []
    for key, by in zip(KEYS, ("north/cats", "south/cats"), strict=True):
        for branch in range(2):
            last = None
            for number in range(5):
                a, b = ANIMALS[number % 3], ANIMALS[3 + (number + branch) % 3]
                verdict = list(Verdict)[(number * 3 + branch + KEYS.index(key)) % 4]
                replaces = (pool[-2].id,) if number == 4 else ()
                decision = Decision(a, b, "Panthera tigris", verdict, by, str(branch), None, replaces)
                last = next_after(last, decision.KIND, decision.to_body(), key, DAYS[number % 2])
                pool.append(last)
    return pool


POOL = _pool()
RESIGNED = [replace(record, sig="00") for record in POOL[:3]]  # as if another signature over the same held
HIDDEN = [record.hide() for record in POOL[3:9]]  # as a partner holds what does not concern it
DAMAGE = [Finding("record-malformed", {}, Where(file="records/x.jsonl", row=row)) for row in range(3)]

sets = st.builds(
    RecordSet,
    st.lists(st.sampled_from(POOL + RESIGNED + HIDDEN), max_size=12).map(tuple),
    st.lists(st.sampled_from(DAMAGE), max_size=3).map(tuple),
)


@given(sets, sets)
def test_merges_commute(a: RecordSet, b: RecordSet) -> None:
    assert merge(a, b) == merge(b, a)
    assert merge(a, b).findings == merge(b, a).findings


@given(sets, sets, sets)
def test_merges_associate(a: RecordSet, b: RecordSet, c: RecordSet) -> None:
    assert merge(merge(a, b), c) == merge(a, merge(b, c))


@given(sets, sets)
def test_merges_are_idempotent(a: RecordSet, b: RecordSet) -> None:
    assert merge(a, a) == a
    assert merge(merge(a, b), b) == merge(a, b)


@given(sets, sets)
def test_a_merge_holds_everything_that_either_holds_and_nothing_else(a: RecordSet, b: RecordSet) -> None:
    held = {record.id for record in a} | {record.id for record in b}
    assert [record.id for record in merge(a, b)] == [record.id for record in sorted(merge(a, b), key=_place)]
    assert {record.id for record in merge(a, b)} == held
    assert len(merge(a, b)) == len(held)
    assert set(merge(a, b).damage) == set(a.damage) | set(b.damage)


def _place(record: Record) -> tuple[str, int, str]:
    return record.author_key, record.seq, record.id


@given(st.permutations(POOL))
def test_what_records_amount_to_does_not_depend_on_their_order(shuffled: list[Record]) -> None:
    assert concordance(shuffled) == concordance(POOL)
    assert RecordSet(tuple(shuffled)).findings == RecordSet(tuple(POOL)).findings


@given(st.lists(st.sampled_from(POOL), max_size=12))
def test_a_link_a_pair_is_in_force_at_most(records: list[Record]) -> None:
    links = concordance(records)[0].links
    assert len({link.pair for link in links}) == len(links)


def test_the_order_of_files_does_not_matter() -> None:
    files = {chain_file(key.id): b"".join(r.line() + b"\n" for r in RecordSet(tuple(POOL)).of(key.id)) for key in KEYS}
    reversed_files = dict(reversed(files.items()))
    assert from_files(files) == from_files(reversed_files) == RecordSet(tuple(POOL))
    assert from_files(files).findings == from_files(reversed_files).findings


def test_a_link_that_was_missing_is_no_finding_after_the_merge() -> None:
    chain = POOL[:3]
    gap = RecordSet((chain[0], chain[2]))
    assert [finding.rule for finding in gap.findings] == ["record-missing-link"]
    assert merge(gap, RecordSet((chain[1],))).findings == ()


def test_two_nodes_that_each_hold_half_of_a_fork_learn_of_it_when_they_meet() -> None:
    one, other = RecordSet(tuple(POOL[:5])), RecordSet(tuple(POOL[5:10]))
    assert one.findings == other.findings == ()
    forks = merge(one, other).findings
    assert {finding.rule for finding in forks} == {"record-fork"}
    assert [finding.facts["seq"] for finding in forks] == [0, 1, 2, 3, 4]
