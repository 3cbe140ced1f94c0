from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharedrange.core.errors import InputError
from sharedrange.core.release import RESOLUTIONS
from sharedrange.sharing.agreement import (
    CONCORDANCES,
    IDENTITIES,
    Agreement,
    Rule,
    Valid,
    agreement_hash,
    frame_of,
    lint,
    terms_of,
)


def rules_found(kit: Any, text: str) -> set[str]:
    with pytest.raises(InputError) as raised:
        kit.agreement(text)
    return {finding.rule for finding in raised.value.findings}


def test_an_agreement_is_read_whole(kit: Any) -> None:
    one = kit.agreement(kit.HEAD + kit.CATS + kit.CRANES)
    assert one.parties == ("westfell", "secretariat")
    assert one.valid == Valid(date(2026, 1, 1), date(2027, 12, 31))
    assert [rule.id for rule in one.rules_for(kit.LEOPARD)] == ["cats"]
    assert len(one.hash) == 64


def test_everything_wrong_is_told_at_once(kit: Any) -> None:
    wrong = (
        kit.HEAD.replace("agreement = 1", "agreement = 7")
        .replace('["secretariat"]', '["westfell"]')
        .replace("end = 2027-12-31", "end = 2025-12-31")
        .replace("urn:agreement:westfell--secretariat:2026-01", "no urn")
        .replace("Asia/Shanghai", "Mars/Olympus")
    )
    wrong += kit.CATS.replace("0.1", "0.03").replace("delay_days = 90", "delay_days = -1").replace("camera_type", "x")
    assert rules_found(kit, wrong + kit.CATS) == {
        "agreement-dates", "agreement-format", "agreement-id", "agreement-recipients", "occasion-timezone",
        "rule-cell", "rule-column", "rule-negative", "rule-twice",
    }  # fmt: skip


def test_a_missing_key_and_an_unknown_one_are_told_with_their_line(kit: Any) -> None:
    with pytest.raises(InputError) as raised:
        kit.agreement(kit.HEAD.replace("owner =", "ownr =") + kit.CATS)
    unknown = next(f for f in raised.value.findings if f.rule == "unknown-key")
    assert unknown.facts["nearest"] == "owner"
    assert unknown.where.row == 5
    assert {f.rule for f in raised.value.findings} == {"unknown-key", "missing-key"}


@pytest.mark.parametrize("sizes", ["[]", "[0.1, 0.25]", "[0.1, 0.05]", "[0.0, 0.1]", "[-0.1, 0.1]"])
def test_sizes_that_do_not_nest_are_refused(kit: Any, sizes: str) -> None:
    assert "agreement-grid" in rules_found(kit, kit.HEAD + f"\n[grid]\nsizes = {sizes}\n")


def test_the_hash_is_of_what_is_said_and_not_of_how_it_is_written(kit: Any) -> None:
    one = kit.agreement(kit.HEAD + kit.CATS)
    spaced = kit.agreement("# a remark\n" + kit.HEAD.replace(" = ", "   =   ") + kit.CATS)
    assert one.hash == spaced.hash
    for change in (("0.1", "0.05"), ("90", "91"), ("month", "week"), ('"sex", ', "")):
        assert kit.agreement(kit.HEAD + kit.CATS.replace(*change)).hash != one.hash
    assert agreement_hash(one) == one.hash


def test_a_table_that_names_positions_or_keys_is_refused(kit: Any) -> None:
    for column in ("x", "cell", "station", "deployment"):
        assert rules_found(kit, kit.HEAD + kit.CATS.replace("camera_type", column)) == {"rule-column"}


def test_what_no_rule_names_stays(kit: Any) -> None:
    one = kit.agreement(kit.HEAD + kit.CATS)
    assert terms_of(one, kit.BOAR) is None
    assert frame_of(one, "counts") is None


def test_a_rule_that_gives_nothing_still_coarsens_the_stations(kit: Any) -> None:
    silent = f'\n[[rules]]\nid = "silent"\ntaxa = ["{kit.BOAR}"]\ncell = 0.2\nleast_stations = 4\n'
    frame = frame_of(kit.agreement(kit.HEAD + kit.CATS + silent), "survey")
    assert frame is not None
    assert (frame.cell, frame.least_stations, frame.resolution) == (0.2, 4, "month")


def test_doubtful_agreements_are_told(kit: Any) -> None:
    def told(text: str, today: date) -> set[str]:
        return {finding.rule for finding in lint(kit.agreement(text), today)}

    assert told(kit.HEAD + kit.CATS, date(2026, 6, 1)) == set()
    assert told(kit.HEAD + kit.CATS, date(2028, 1, 1)) == {"agreement-expired"}
    assert told(kit.HEAD + kit.CATS, date(2027, 12, 1)) == {"agreement-ends-soon"}
    assert told(kit.HEAD + kit.CATS, date(2025, 12, 31)) == {"agreement-not-begun"}
    assert told(kit.HEAD, date(2026, 6, 1)) == {"agreement-gives-nothing"}
    takes_back = f'\n[[rules]]\nid = "back"\ntaxa = ["{kit.TIGER}"]\n'
    assert told(kit.HEAD + kit.CATS + takes_back, date(2026, 6, 1)) == {"agreement-contradiction"}
    assert told(kit.HEAD + kit.CATS.replace("effort = []\n", ""), date(2026, 6, 1)) == {"rule-gap"}
    assert told(kit.HEAD + kit.CATS.replace("cell = 0.1\n", ""), date(2026, 6, 1)) == {"rule-without-cell"}
    assert told(kit.HEAD + kit.CATS.replace('"pseudonym"', '"none"'), date(2026, 6, 1)) == {"rule-without-identity"}


LEOPARD = "Panthera pardus orientalis"
COLUMNS = ("individual", "sex", "flank", "encounters")
RULES = st.builds(
    Rule,
    id=st.uuids().map(str),
    taxa=st.just((LEOPARD,)),
    tables=st.one_of(
        st.just({}),
        st.fixed_dictionaries(
            {"encounters": st.lists(st.sampled_from(COLUMNS), unique=True).map(tuple), "stations": st.just(())}
        ),
    ),
    cell=st.sampled_from([None, 0.01, 0.05, 0.1, 0.2]),
    least_stations=st.integers(0, 5),
    delay_days=st.integers(0, 400),
    resolution=st.sampled_from(RESOLUTIONS),
    identity=st.sampled_from(IDENTITIES),
    concordance=st.sampled_from(CONCORDANCES),
    suppress_below=st.integers(0, 5),
)


def of_rules(rules: list[Rule]) -> Agreement:
    valid = Valid(date(2026, 1, 1), date(2027, 1, 1))
    return Agreement("urn:agreement:x", "x", "a", ("b",), ("p",), valid, "a/x", rules=tuple(rules))


@given(st.lists(RULES, min_size=1, max_size=4), RULES)
def test_another_rule_never_lets_more_leave(rules: list[Rule], more: Rule) -> None:
    before, after = terms_of(of_rules(rules), LEOPARD), terms_of(of_rules([*rules, more]), LEOPARD)
    assert before is not None
    assert after is not None
    assert after.encounters is None or (before.encounters is not None and after.encounters <= before.encounters)
    assert IDENTITIES.index(after.identity) <= IDENTITIES.index(before.identity)
    assert CONCORDANCES.index(after.concordance) <= CONCORDANCES.index(before.concordance)
    assert after.suppress_below >= before.suppress_below


@given(st.lists(RULES, min_size=1, max_size=4), RULES)
def test_another_rule_never_makes_the_frame_finer(rules: list[Rule], more: Rule) -> None:
    before, after = frame_of(of_rules(rules), "survey"), frame_of(of_rules([*rules, more]), "survey")
    if before is None or after is None:
        return
    assert after.cell is None or (before.cell is not None and after.cell >= before.cell)
    assert after.least_stations >= before.least_stations
    assert after.delay_days >= before.delay_days
    assert RESOLUTIONS.index(after.resolution) >= RESOLUTIONS.index(before.resolution)


@given(
    st.permutations(
        [Rule(str(i), (LEOPARD,), {"encounters": c}, cell=0.1) for i, c in enumerate([("sex",), (), COLUMNS])]
    )
)
def test_the_order_of_rules_does_not_matter(rules: list[Rule]) -> None:
    terms = terms_of(of_rules(rules), LEOPARD)
    assert terms is not None
    assert terms.encounters == frozenset()
