"""Crossings leave as numbers by season: no joint id, nothing small, nothing that depends on what stays."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharedrange.core.canonical import canonical
from sharedrange.core.errors import InputError
from sharedrange.core.individuals import LocalIndividual
from sharedrange.core.release import CROSSINGS, RESOLUTIONS, TABLES
from sharedrange.sharing.agreement import CONCORDANCES, frame_of
from sharedrange.sharing.pseudonyms import Pseudonyms
from sharedrange.sharing.release import Released, Request, Standing, names_needed, release
from sharedrange.sharing.sealing.container import csv_of

FIRST, SECOND = date(2026, 1, 1), date(2026, 4, 1)  # quarters
Sighting = tuple[int, int, str, str | None]


def agreed(kit: Any, concordance: str = "crossings", below: int = 0, **changed: str) -> Any:
    text = kit.CATS.replace("identity", f'concordance = "{concordance}"\nsuppress_below = {below}\nidentity')
    for old, new in changed.items():
        text = text.replace(old, new)
    return kit.agreement(kit.HEAD + text)


def released(kit: Any, agreement: Any, seen: Any, known: dict[str, set[str]], **more: Any) -> Released:
    """What leaves of a survey; `known`: code -> the parties that know this animal too."""
    content = kit.delivered(kit.survey(more.pop("places", kit.PLACES), seen))
    minted = iter(range(1, 1 << 30))
    names = names_needed(content, agreement)
    table = Pseudonyms(agreement.id).with_names(names, lambda n: next(minted).to_bytes(n, "big"))
    known_to = {LocalIndividual(kit.OWNER, "main", code): frozenset(parties) for code, parties in known.items()}
    joint_ids = {who: f"J-{who.code:0>16}" for who in known_to}
    request = Request(kit.RECIPIENT, kit.PURPOSE, more.pop("on", kit.TODAY))
    standing = Standing(frozenset(agreement.parties))
    return release(content, agreement, request, standing, table, known_to=known_to, joint_ids=joint_ids, **more)


def rows(one: Released) -> list[tuple[Any, ...]]:
    """Partner, season and both numbers of each row."""
    return one.tables["crossings"].drop("taxon").rows()


def payload(one: Released) -> bytes:
    return b"".join(name.encode() + csv_of(one.tables[name]) for name in sorted(one.tables)) + canonical(one.manifest)


def met(kit: Any, *codes: str, day: int = 10) -> list[Sighting]:
    return [(i % 5, day, kit.LEOPARD, code) for i, code in enumerate(codes)]


def test_animals_are_counted_by_season_and_each_once(kit: Any) -> None:
    seen = [*met(kit, "F1", "F2", "M3"), *met(kit, "F1", day=40)]
    known = {"F1": {"eastfell"}, "M3": {"eastfell", "north"}}
    one = released(kit, agreed(kit, pseudonym="none"), seen, known)
    assert one.tables["crossings"].schema == CROSSINGS
    assert rows(one) == [
        ("eastfell", FIRST, 3, 2), ("eastfell", None, 3, 2), ("north", FIRST, 3, 1), ("north", None, 3, 1),
    ]  # fmt: skip


def test_of_animals_that_leave_by_name_no_season_is_told(kit: Any) -> None:
    """Who was met in which season is told then: the numbers of two seasons would tell that the eighth is shared."""
    codes = [f"L{i}" for i in range(8)]
    seen = [*met(kit, *codes, day=10), *met(kit, *codes[:7], day=59)]
    known = {code: {"eastfell"} for code in ("L0", "L1", "L2", "L7")}
    named, nameless = (
        rows(released(kit, agreed(kit, below=3, pseudonym=identity), seen, known)) for identity in ("pseudonym", "none")
    )
    assert named == [("eastfell", FIRST, 8, None), ("eastfell", SECOND, 7, None), ("eastfell", None, 8, 4)]
    assert nameless == [("eastfell", FIRST, 8, 4), ("eastfell", SECOND, 7, 3), ("eastfell", None, 8, 4)]


@pytest.mark.parametrize("more", ["an animal", "a decision"])
def test_what_moved_by_few_since_it_was_told_is_not_told_anew(kit: Any, more: str) -> None:
    codes = [f"L{i}" for i in range(10)]
    early, late = (codes[:9], codes) if more == "an animal" else (codes, codes)
    shared = codes[:3] if more == "an animal" else codes[:4]
    known = [{code: {"eastfell"} for code in some} for some in (shared, [*shared, "L9"])]
    first = released(kit, agreed(kit, below=3), met(kit, *early), known[0])
    assert rows(first)[-1][3] is not None
    told = [first.tables["crossings"]]
    second = released(kit, agreed(kit, below=3), met(kit, *late), known[1], crossings_told=told)
    assert rows(second)[-1][3] is None
    assert rows(released(kit, agreed(kit, below=3), met(kit, *early), known[0], crossings_told=told)) == rows(first)


def test_animals_of_a_station_that_is_held_back_are_not_counted(kit: Any) -> None:
    """Its neighbour in the cell was set up lately, so neither leaves; nor does the number of animals met there."""
    places = [(118.02, 46.02), (118.03, 46.04), (118.14, 46.12), (118.15, 46.15)]
    base = kit.survey(places, [(i, 10, kit.LEOPARD, f"F{i}") for i in (0, 2, 3)])
    lately = pl.col("station") == "CANARY-station-1"
    late = [
        pl.when(lately).then(pl.col(name) + pl.duration(days=240)).otherwise(name).alias(name)
        for name in ("start", "end")
    ]
    agreement = agreed(kit)
    content = kit.delivered(base.with_tables(deployments=base.deployments.with_columns(late)))
    table = Pseudonyms(agreement.id).with_names(names_needed(content, agreement))
    known = {LocalIndividual(kit.OWNER, "main", code): frozenset({"eastfell"}) for code in ("F0", "F2")}
    request, standing = Request(kit.RECIPIENT, kit.PURPOSE, kit.TODAY), Standing(frozenset(agreement.parties))
    one = release(content, agreement, request, standing, table, known_to=known)
    assert one.tables["encounters"]["individual"].n_unique() == 2
    assert rows(one) == [("eastfell", FIRST, 2, None), ("eastfell", None, 2, 1)]


def test_no_joint_id_leaves(kit: Any) -> None:
    seen, known = met(kit, "F1", "F2"), {"F1": {"eastfell"}}
    told = payload(released(kit, agreed(kit), seen, known))
    assert b"J-" not in told
    assert b"joint" not in told.replace(b"joint-population-estimate", b"")
    assert b"J-" in payload(released(kit, agreed(kit, "joint-id"), seen, known))


def test_without_crossings_in_the_agreement_nothing_of_a_package_depends_on_them(kit: Any) -> None:
    for concordance in ("none", "joint-id"):
        one = agreed(kit, concordance)
        known = {"F1": {"eastfell"}}
        with_known, without = (released(kit, one, met(kit, "F1"), k) for k in (known, {}))
        assert "crossings" not in with_known.tables
        assert "crossings" not in canonical(with_known.manifest).decode()
        assert concordance == "joint-id" or payload(with_known) == payload(without)


def test_a_season_leaves_whole_once_all_of_it_is_old_enough(kit: Any) -> None:
    seen, known = met(kit, "F1", "F2"), {"F1": {"eastfell"}}
    # The periods are months: February may leave on the first of June, the quarter at the end of June.
    nameless = agreed(kit, pseudonym="none")
    early, late = (released(kit, nameless, seen, known, on=date(2026, 6, day)) for day in (5, 30))
    assert early.tables["encounters"].height == 2
    assert rows(early) == []
    assert rows(late) == [("eastfell", FIRST, 2, 1), ("eastfell", None, 2, 1)]


def test_seasons_are_no_shorter_than_the_periods_of_the_agreement(kit: Any) -> None:
    for resolution in RESOLUTIONS:
        frame = frame_of(agreed(kit, month=resolution), "crossings")
        assert frame is not None
        assert frame.resolution == ("year" if resolution == "year" else "quarter")


def test_animals_at_stations_that_stay_are_not_counted(kit: Any) -> None:
    places = [*kit.PLACES[:4], (119.9, 46.9)]  # the last two are alone in their cells
    seen = [(0, 10, kit.LEOPARD, "F1"), (4, 10, kit.LEOPARD, "F2")]
    nameless = agreed(kit, pseudonym="none")
    one = released(kit, nameless, seen, {"F1": {"eastfell"}, "F2": {"north"}}, places=places)
    assert rows(one) == [("eastfell", FIRST, 1, 1), ("eastfell", None, 1, 1)]


def test_animals_without_a_name_are_counted_too(kit: Any) -> None:
    nameless = agreed(kit, pseudonym="none")
    one = released(kit, nameless, met(kit, "F1", "F2"), {"F1": {"eastfell"}})
    assert one.tables["encounters"]["individual"].null_count() == one.tables["encounters"].height
    assert rows(one)[0] == ("eastfell", FIRST, 2, 1)


def test_small_numbers_and_what_would_give_them_away_are_withheld(kit: Any) -> None:
    codes = [f"L{i}" for i in range(6)]

    def told(n_both: int, identity: str) -> tuple[Any, ...]:
        known = {code: {"eastfell"} for code in codes[:n_both]}
        return rows(released(kit, agreed(kit, below=3, pseudonym=identity), met(kit, *codes), known))[-1][2:]

    few = [(6, None), (6, None), (6, 3), (6, None), (6, None)]
    assert [told(n, "none") for n in range(1, 7)] == [*few, (6, 6)]
    # That all of them are shared tells of each named one that it is.
    assert [told(n, "pseudonym") for n in range(1, 7)] == [*few, (6, None)]


def test_one_season_that_is_too_small_silences_the_others(kit: Any) -> None:
    """The numbers of the whole time and of one season would bound that of the other."""
    winter, spring = [f"L{i}" for i in range(8)], ["L0", "L8", "L9", "L10", "L11"]
    seen = [*met(kit, *winter, day=10), *met(kit, *spring, day=59)]  # the last night of the survey is in April
    known = {code: {"eastfell"} for code in [*winter[:4], "L8"]}
    table = released(kit, agreed(kit, below=3, pseudonym="none"), seen, known).tables["crossings"]
    assert table["season"].to_list() == [FIRST, SECOND, None]
    assert table["known_here"].to_list() == [8, 5, 12]
    assert table["known_to_both"].to_list() == [None, None, 5]


def test_no_rule_can_name_the_table(kit: Any) -> None:
    with pytest.raises(InputError) as raised:
        kit.agreement(kit.HEAD + kit.CATS + 'crossings = ["season"]\n')
    (finding,) = raised.value.findings
    assert finding.rule == "rule-table"
    assert "crossings" not in str(finding.facts["known"])
    assert "crossings" in TABLES


SEEN = st.lists(
    st.tuples(st.integers(0, 4), st.integers(1, 58), st.sampled_from(["L0", "L1", "L2", "L3", "L4", "L5"])), max_size=14
)
KNOWN = st.dictionaries(st.sampled_from(["L0", "L1", "L2", "L3", "L4", "L5"]), st.just({"eastfell"}))


@settings(max_examples=40, deadline=None)
@given(SEEN, KNOWN, st.integers(0, 4))
def test_of_each_number_told_both_parts_are_large_enough(
    kit: Any, seen: list[tuple[int, int, str]], known: dict[str, set[str]], below: int
) -> None:
    sightings = [(where, day, kit.LEOPARD, code) for where, day, code in [*seen, (0, 1, "L0")]]
    for _, _, here, both in rows(released(kit, agreed(kit, below=below), sightings, known)):
        assert here is None or here == 0 or here >= below
        if both is not None:
            assert here is not None
            assert all(n == 0 or n >= below for n in (both, here - both))


@settings(max_examples=30, deadline=None)
@given(SEEN, KNOWN, st.tuples(st.integers(0, 3), st.sampled_from(["none", "pseudonym"])), st.floats(-0.015, 0.015))
def test_moving_stations_renaming_codes_and_what_stays_change_no_byte(
    kit: Any, seen: list[tuple[int, int, str]], known: dict[str, set[str]], terms: tuple[int, str], shift: float
) -> None:
    one = agreed(kit, below=terms[0], pseudonym=terms[1])
    plain = [(where, day, kit.LEOPARD, code) for where, day, code in [*seen, (0, 1, "L0")]]
    moved = [(x + shift * (0.9 if i else 1), y - shift) for i, (x, y) in enumerate(kit.PLACES)]
    # A boar stays whatever is known of it, and codes are sorted as before so that pseudonyms are those of before.
    recoded = [(where, day, taxon, f"N{str(code)[1:]}") for where, day, taxon, code in plain]
    recoded.append((2, 12, kit.BOAR, "B1"))
    renamed = {f"N{code[1:]}": parties for code, parties in known.items()} | {"B1": {"north"}}
    first = released(kit, one, plain, known)
    assert payload(first) == payload(released(kit, one, recoded, renamed, places=moved))


def test_crossings_stand_between_nothing_and_joint_ids() -> None:
    assert CONCORDANCES == ("none", "crossings", "joint-id")


def test_the_order_in_which_things_were_recorded_does_not_leave(kit: Any) -> None:
    seen, known = met(kit, "F1", "F2", "M3"), {"F1": {"north"}, "M3": {"eastfell"}}
    one = released(kit, agreed(kit), seen, known).tables["crossings"]
    other = released(kit, agreed(kit), seen[::-1], dict(reversed(known.items()))).tables["crossings"]
    assert one.equals(other)
    assert one.equals(one.sort("taxon", "partner", pl.col("season"), nulls_last=True))
