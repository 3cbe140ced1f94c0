"""Which numbers may be told: by agreement, about enough animals, and nothing that follows by subtraction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharedrange.core.answer import LISTED, Estimate, Scope
from sharedrange.sharing.agreement import OUTPUTS, Agreement, Output, Rule, Valid
from sharedrange.sharing.outputs import Asked, Basis, Number, Told, as_told, judge, kind_of
from sharedrange.sharing.release import Standing

TIGER = "Panthera tigris altaica"
TODAY = date(2026, 6, 1)
SIGNED = Standing(frozenset({"north", "hub"}))
ASKED = Asked("public", "report", TODAY)
PERIOD = "2026-02-01/2026-04-30"


def agreement(*outputs: Output, owner: str = "north", **more: Any) -> Agreement:
    """An agreement of `owner` with the hub, with these outputs."""
    given: dict[str, Any] = {
        "id": f"urn:agreement:{owner}",
        "title": "SIMULATED",
        "owner": owner,
        "recipients": ("hub",),
        "purposes": ("report",),
        "valid": Valid(date(2026, 1, 1), date(2027, 1, 1)),
        "approved_by": f"{owner}/steward",
        "rules": (Rule("cats", (TIGER,), {"encounters": ("encounters",)}),),
        "outputs": outputs,
    }
    return Agreement(**{**given, **more})


TOTAL = Output("total-abundance", audience="public")


def basis(*outputs: Output, standing: Standing = SIGNED, **more: Any) -> dict[str, Basis]:
    one = agreement(*outputs, **more)
    return {one.id: Basis(one, replace(standing, signed_by=standing.signed_by | {one.owner}))}


def number(
    quantity: str = "N", value: float = 40.0, *, behind: int | None = 20, listed: bool = False, **more: Any
) -> Number:
    """A number of tigers that rests on `behind` animals, made from what north gave."""
    scope = Scope(TIGER, place="range", period=more.pop("period", PERIOD), kind=LISTED if listed else "estimated")
    estimate = Estimate(quantity, value, more.pop("unit", "animals"), scope=scope)
    kind, side = kind_of(estimate, {"north", "south", "hub"})
    return Number("q", estimate, kind, side, behind, under=frozenset({"urn:agreement:north"}), **more)


def reasons(one: Number, bases: dict[str, Basis], asked: Asked = ASKED, earlier: Sequence[Told] = ()) -> set[str]:
    (verdict,) = judge([one], bases, asked, earlier)
    return set(verdict.reasons)


# -- kinds ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "kind"),
    [
        ("N", "total-abundance"),
        ("minimum_number", "total-abundance"),
        ("N.north", "abundance-by-side"),
        ("known.south", "abundance-by-side"),
        ("D", "density"),
        ("D.north", "abundance-by-side"),
        ("trend", "trend"),
        ("rate.north", "detection-rate"),
        ("psi", "occupancy"),
    ],
)
def test_numbers_have_the_kind_that_an_agreement_can_name(quantity: str, kind: str) -> None:
    assert kind_of(Estimate(quantity, 1.0, "animals"), {"north", "south"})[0] == kind
    assert kind in OUTPUTS


@pytest.mark.parametrize(
    "quantity", ["N.surveyed", "minimum_number.female", "known.north.adult", "sigma.male", "lambda0", "crossings.2024",
                 "permeability.road", "codes.north", "overcount"],
)  # fmt: skip
def test_parts_of_totals_detection_and_crossings_are_of_no_kind(quantity: str) -> None:
    assert kind_of(Estimate(quantity, 1.0, "animals"), {"north", "south"})[0] is None


def test_the_year_of_a_number_is_no_part_of_a_total() -> None:
    of_year = Estimate("N.2024.north", 1.0, "animals", scope=Scope(period="2024"))
    assert kind_of(of_year, {"north"}) == ("abundance-by-side", "north")


# -- agreements ----------------------------------------------------------------------------------------------------


def test_a_number_that_an_output_names_may_be_told() -> None:
    assert reasons(number(), basis(TOTAL)) == set()


def test_without_an_output_nothing_is_told() -> None:
    assert reasons(number(), basis()) == {"no-output"}
    assert reasons(number("D", unit="per_100km2"), basis(TOTAL)) == {"no-output"}


def test_an_output_for_recipients_tells_nobody_else() -> None:
    bases = basis(Output("total-abundance", to=("south",)))
    assert reasons(number(), bases) == {"no-output"}
    assert reasons(number(), bases, replace(ASKED, reader="south")) == set()
    assert reasons(number(), bases, replace(ASKED, reader="east")) == {"no-output"}


def test_an_output_of_another_species_tells_nothing_of_this_one() -> None:
    assert reasons(number(), basis(replace(TOTAL, taxa=("Sus scrofa",)))) == {"no-output"}
    assert reasons(number(), basis(TOTAL, rules=(Rule("boars", ("Sus scrofa",), {"encounters": ()}),))) == {"no-output"}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"standing": replace(SIGNED, revoked=True)}, "agreement-revoked"),
        ({"standing": Standing(frozenset({"north"}))}, "agreement-unsigned"),
        ({"valid": Valid(date(2026, 1, 1), date(2026, 5, 31))}, "agreement-not-valid"),
        ({"purposes": ("other",)}, "other-purpose"),
    ],
)
def test_an_agreement_that_does_not_hold_tells_nothing(more: dict[str, Any], reason: str) -> None:
    assert reasons(number(), basis(TOTAL, **more)) == {reason}


def test_every_agreement_behind_a_number_must_let_it_be_told() -> None:
    both = replace(number(), under=frozenset({"urn:agreement:north", "urn:agreement:south"}))
    bases = basis(TOTAL) | basis(owner="south")
    assert reasons(both, bases) == {"no-output"}
    assert reasons(both, basis(TOTAL)) == {"agreement-not-here"}
    assert reasons(both, basis(TOTAL) | basis(TOTAL, owner="south")) == set()


def test_data_that_came_without_an_agreement_tell_nothing() -> None:
    assert reasons(replace(number(), is_agreed=False), basis(TOTAL)) == {"not-agreed"}


def test_of_several_outputs_the_strictest_counts() -> None:
    bases = basis(TOTAL, replace(TOTAL, least_animals=30))
    assert reasons(number(behind=20), bases) == {"few-animals"}


# -- disclosure ----------------------------------------------------------------------------------------------------


def test_a_number_about_few_animals_stays() -> None:
    assert reasons(number(behind=4), basis(TOTAL)) == {"few-animals"}
    assert reasons(number(value=4.0), basis(TOTAL)) == {"few-animals"}
    assert reasons(number(behind=None), basis(TOTAL)) == {"few-animals"}


def test_what_a_party_can_subtract_is_subtracted_first_whoever_is_told() -> None:
    """South counted 38 of the 40 itself: two are left, they are north's, and south reads what everybody is told."""
    bases = basis(TOTAL)
    theirs = number("minimum_number", 40.0, listed=True, of_one=38.0)
    assert reasons(theirs, bases) == {"few-animals"}


def test_one_small_part_keeps_all_parts_of_a_total() -> None:
    bases = basis(Output("abundance-by-side", audience="public"), TOTAL)
    parts = [number("N.north", 36.0), number("N.south", 4.0), number("N", 40.0)]
    told = {v.number.estimate.quantity: v.reasons for v in judge(parts, bases, ASKED)}
    assert told == {"N.north": ("part-of-total",), "N.south": ("few-animals",), "N": ()}


def test_lists_and_estimates_keep_each_other_s_parts_apart() -> None:
    bases = basis(Output("abundance-by-side", audience="public"))
    parts = [number("N.north", 36.0), number("known.north", 3.0, listed=True)]
    assert [v.may for v in judge(parts, bases, ASKED)] == [True, False]


@given(
    totals=st.tuples(st.integers(0, 60), st.integers(0, 60)),
    days=st.integers(0, 800),
    rule=st.builds(replace, st.just(TOTAL), least_animals=st.integers(1, 10), wait_days=st.integers(0, 500)),
    shift=st.integers(-200, 200),
)
def test_two_totals_told_never_differ_by_a_few_animals(
    totals: tuple[int, int], days: int, rule: Output, shift: int
) -> None:
    """Whatever the periods, as long as they overlap: one animal more or less is not told."""
    before, now = totals
    start = date(2026, 2, 1) + timedelta(days=shift)
    period = f"{start}/{start + timedelta(days=88)}"
    first = number("minimum_number", float(before), behind=before, listed=True)
    second = number("minimum_number", float(now), behind=now, listed=True, period=period)
    told = [Told(TODAY - timedelta(days=days), first.estimate)]
    overlaps = abs(shift) <= 88
    if not reasons(second, basis(rule), ASKED, told):
        far = abs(now - before) >= rule.least_animals and days >= rule.wait_days
        assert now >= rule.least_animals
        assert not overlaps or now == before or far


def test_two_questions_that_differ_by_what_they_leave_out_tell_neither_number() -> None:
    """Of two lists, one without a dataset, an animal or a stage: what is between them would be told."""
    whole, less = number("minimum_number", 40.0, listed=True), number("minimum_number", 39.0, listed=True)
    assert [v.reasons for v in judge([whole, less], basis(TOTAL), ASKED)] == [("told-twice",)] * 2
    assert [v.may for v in judge([whole, whole], basis(TOTAL), ASKED)] == [True, True]
    staged = [
        replace(one, estimate=replace(one.estimate, scope=replace(one.estimate.scope, stage=stage)))
        for one, stage in ((whole, "adult+subadult"), (less, "adult"))
    ]
    assert not any(v.may for v in judge(staged, basis(TOTAL), ASKED))


def test_one_party_s_numbers_are_no_total() -> None:
    alone = Estimate("minimum_number", 10.0, "animals")
    assert kind_of(alone, {"north", "south"}, "north") == ("abundance-by-side", "north")
    assert kind_of(Estimate("N.south", 10.0, "animals"), {"north", "south"}, "north")[1] == "south"


def test_lists_from_the_same_data_are_subtracted_wherever_they_are_said_to_be() -> None:
    """Two components, one of which has a party less: places of two names, and one list within the other."""
    whole, less = number("minimum_number", 16.0, listed=True), number("minimum_number", 10.0, listed=True)
    less = replace(less, estimate=replace(less.estimate, scope=replace(less.estimate.scope, place="elsewhere")))
    shared = [replace(one, sources=frozenset({"cameras"})) for one in (whole, less)]
    assert [v.reasons for v in judge(shared, basis(TOTAL), ASKED)] == [("told-twice",)] * 2
    apart = [replace(one, sources=frozenset({one.estimate.scope.place})) for one in (whole, less)]
    assert all(v.may for v in judge(apart, basis(TOTAL), ASKED))


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ("2024-02-01/2024-04-30, 2025-02-01/2025-04-30", "2024-02-02/2024-04-29", False),
        ("2024", "2024-02-01/2024-04-30", False),
        ("2024", "2025", True),
        ("2020/2021/2022", "2021", False),
        ("winter", "2024-02-01/2024-04-30", False),
        ("winter", "summer", True),
        ("", "2024", False),
    ],
)
def test_what_cannot_be_known_to_lie_apart_overlaps(one: str, other: str, told: bool) -> None:
    numbers = [number("minimum_number", n, listed=True, period=p) for n, p in ((40.0, one), (39.0, other))]
    assert [v.may for v in judge(numbers, basis(TOTAL), ASKED)] == [told, told]


def test_animals_of_several_years_and_of_one_are_one_list_within_another() -> None:
    numbers = [number(name, n, listed=True) for name, n in (("distinct", 40.0), ("minimum_number", 39.0))]
    assert not any(v.may for v in judge(numbers, basis(TOTAL), ASKED))


def test_sessions_of_animals_are_held_back_as_animals_are() -> None:
    one = number("minimum_number", 41.0, listed=True, unit="animal_sessions")
    before = replace(one.estimate, value=40.0)
    assert reasons(one, basis(TOTAL), ASKED, [Told(date(2024, 1, 1), before)]) == {"change-small"}


def test_a_density_stays_where_the_number_that_follows_from_it_does() -> None:
    bases = basis(TOTAL, Output("density", audience="public"))
    numbers = [number("N", 41.0), number("D", 1.025, unit="per_100km2")]
    before = [Told(date(2024, 1, 1), number("N", 40.0).estimate)]
    assert [v.reasons for v in judge(numbers, bases, ASKED, before)] == [("change-small",), ("part-of-total",)]


def test_estimates_by_two_methods_may_stand_beside_each_other() -> None:
    one, two = number(value=40.0), number(value=42.0)
    other = replace(two, estimate=replace(two.estimate, scope=replace(two.estimate.scope, method="closed")))
    assert [v.may for v in judge([one, other], basis(TOTAL), ASKED)] == [True, True]
    assert [v.may for v in judge([one, two], basis(TOTAL), ASKED)] == [False, False]


def test_the_same_number_may_be_told_again_at_once() -> None:
    one = number("minimum_number", 45.0, listed=True)
    assert reasons(one, basis(TOTAL), ASKED, [Told(TODAY, one.estimate)]) == set()


def test_years_are_told_beside_each_other() -> None:
    last = number(period="2025", value=41.0)
    assert reasons(number(period="2026"), basis(TOTAL), ASKED, [Told(TODAY, last.estimate)]) == set()


outputs = st.builds(
    Output,
    kind=st.sampled_from(OUTPUTS),
    taxa=st.sampled_from(((), (TIGER,), ("Sus scrofa",))),
    audience=st.sampled_from(("recipients", "public")),
    to=st.sampled_from(((), ("south",))),
    least_animals=st.integers(0, 30),
    wait_days=st.integers(0, 400),
)
QUANTITIES = ("N", "N.north", "N.south", "D", "minimum_number", "known.north", "shared", "trend", "rate.north")
some_numbers = st.lists(
    st.builds(
        number,
        st.sampled_from(QUANTITIES),
        st.floats(0, 60).map(round),
        behind=st.one_of(st.none(), st.integers(0, 60)),
        listed=st.booleans(),
    ),
    max_size=6,
)


def tighter(output: Output, draw: Any) -> Output:
    """An output that says less: for fewer readers, about more animals, later."""
    changes: tuple[dict[str, Any], ...] = (
        {"audience": "recipients"},
        {"to": ()},
        {"least_animals": output.least_animals + draw(st.integers(0, 9))},
        {"wait_days": output.wait_days + draw(st.integers(0, 90))},
    )
    return replace(output, **draw(st.sampled_from(changes)))


@given(st.lists(outputs, max_size=4), some_numbers, st.sampled_from(("public", "south", "hub")), st.data())
def test_a_tighter_agreement_never_tells_more(
    given_: list[Output], numbers: list[Number], reader: str, data: st.DataObject
) -> None:
    """An output less tells less where no other of its kind is left; one of several held the others back."""
    asked = replace(ASKED, reader=reader)
    earlier = [
        Told(TODAY - timedelta(days=100), replace(one.estimate, value=one.estimate.value + 3)) for one in numbers[:2]
    ]
    gone = data.draw(st.sets(st.sampled_from(OUTPUTS)))
    less = [tighter(output, data.draw) for output in given_ if output.kind not in gone]
    before = judge(numbers, basis(*given_), asked, earlier)
    after = judge(numbers, basis(*less), asked, earlier)
    assert all(a.may <= b.may for a, b in zip(after, before, strict=True))


def test_what_is_told_has_three_digits_and_names_no_camera() -> None:
    raw = Estimate("rate.north", 3.571428, "per_100_station_days", 2.58722, 4.93003, step="ab",
                   scope=Scope(TIGER, method="detection-rate: C-3a2e1e54ffa71c46"))  # fmt: skip
    told = as_told(raw)
    assert (told.value, told.low, told.high, told.step) == (3.57, 2.59, 4.93, "")
    assert told.scope.method == "detection-rate"
