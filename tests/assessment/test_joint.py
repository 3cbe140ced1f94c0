"""What sharing bought is said honestly: an answer at all, bias, precision, both, or little."""

from __future__ import annotations

import math

import pytest

from sharedrange.assessment.joint import CLIPPED, CROSSING, alone_name, joint_sheet
from sharedrange.assessment.results import Convention, JointSheet
from sharedrange.core.answer import Answer, Estimate, Refusal, Scope

PARTIES = ("park-a", "park-b")
SCOPE = Scope(taxon="Panthera pardus", stage="adult", place="border", method="spatial-capture-recapture")


def estimate(quantity: str, value: float, factor: float = 1.3) -> Estimate:
    return Estimate(quantity, value, "animals", value / factor, value * factor, scope=SCOPE)


def fit(a: float, b: float, factor: float = 1.3) -> Answer:
    return Answer(
        estimates=(
            estimate("N", a + b, factor),
            estimate("N.park-a", a, factor),
            estimate("N.park-b", b, factor),
        )
    )


LISTS = Answer(estimates=(Estimate("shared", 8, "animals"),))


def sheet(own_a: float, own_b: float, factor: float = 1.3) -> JointSheet:
    alone = {
        alone_name("park-a", CLIPPED): fit(own_a * 1.2, 0, factor),
        alone_name("park-b", CLIPPED): fit(0, own_b * 1.2, factor),
        alone_name("park-a", CROSSING): fit(own_a, own_a, factor),
        alone_name("park-b", CROSSING): fit(own_b, own_b, factor),
    }
    return joint_sheet(LISTS, fit(30, 20), alone, PARTIES)


def test_the_three_conventions_add_up_what_each_party_would_have_said() -> None:
    sums = {s.convention: s for s in sheet(30, 20).sums}
    assert {c: s.total.value for c, s in sums.items() if s.total} == {
        Convention.CLIPPED: pytest.approx(60),
        Convention.OWN: pytest.approx(50),
        Convention.WHOLE: pytest.approx(100),
    }
    assert sums[Convention.WHOLE].excess_pct == pytest.approx(100)
    assert sums[Convention.OWN].excess_pct == pytest.approx(0)


@pytest.mark.parametrize(
    ("own_a", "own_b", "factor", "bought"),
    [(30, 20, 1.3, "little"), (36, 24, 1.3, "bias"), (30, 20, 1.6, "precision"), (36, 24, 1.6, "both")],
)
def test_what_sharing_bought_follows_from_bias_and_precision(
    own_a: float, own_b: float, factor: float, bought: str
) -> None:
    assert sheet(own_a, own_b, factor).bought == bought


def test_precision_is_compared_on_the_log_scale() -> None:
    assert sheet(30, 20, 1.3**2).facts["interval_ratio.park-a"] == pytest.approx(math.log(1.69**2) / math.log(1.3**2))


def test_a_party_that_could_say_nothing_alone_got_an_answer() -> None:
    refused = Answer(refusal=Refusal("alone", {}, {}))
    alone = {alone_name(p, m): fit(30, 20) for p in PARTIES for m in (CLIPPED, CROSSING)}
    alone[alone_name("park-b", CROSSING)] = refused
    with_refusal = joint_sheet(LISTS, fit(30, 20), alone, PARTIES)
    assert with_refusal.bought == "answer"
    own = next(s for s in with_refusal.sums if s.convention is Convention.OWN)
    assert (own.total, set(own.parts)) == (None, {"park-a"})


def test_without_a_joint_number_nothing_is_claimed() -> None:
    alone = {alone_name(p, m): fit(30, 20) for p in PARTIES for m in (CLIPPED, CROSSING)}
    assert joint_sheet(LISTS, Answer(refusal=Refusal("joint", {}, {})), alone, PARTIES).bought == ""


def test_without_an_animal_known_to_both_nothing_is_claimed() -> None:
    alone = {alone_name(p, m): fit(40, 30) for p in PARTIES for m in (CLIPPED, CROSSING)}
    nobody = Answer(estimates=(Estimate("shared", 0, "animals"),))
    assert joint_sheet(nobody, fit(30, 20), alone, PARTIES).bought == ""


def test_one_party_has_lists_and_a_fit_but_no_comparison() -> None:
    alone = joint_sheet(LISTS, fit(30, 20), {}, ("park-a",))
    assert (alone.sums, alone.bought) == ((), "")
