"""Lists put together count each animal once, and never more than anyone could tell apart."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharedrange.core.answer import Answer, Scope, UnlikeEstimates
from sharedrange.core.chance import stream
from sharedrange.core.engine import read_settings
from sharedrange.core.errors import Cancelled, ProgrammeError
from sharedrange.core.history import ENCOUNTERS
from sharedrange.core.individuals import Concordance, Link, LocalIndividual, Partition, Verdict
from sharedrange.core.progress import Progress, silent
from sharedrange.core.survey import Survey, conform
from sharedrange.core.when import Window
from sharedrange.population.encounters import encounters, local_individuals
from sharedrange.population.minimum import (
    CROSSINGS,
    ENGINE,
    LISTS,
    Arithmetic,
    ListPair,
    MinimumInputs,
    MinimumSettings,
)

MakeSurvey = Callable[..., Survey]
DATA = Path(__file__).parent.parent / "data"


def met(rows: Iterable[tuple[str, str] | tuple[str, str, dict[str, Any]]]) -> pl.DataFrame:
    """Encounters of (party, code, more columns); the catalogue of every party is "main"."""
    common = {"catalogue": "main", "session": "s", "occasion": 1, "count": 1, "deployment": "d"}
    full = [{**common, "party": row[0], "code": row[1], **(row[2] if len(row) > 2 else {})} for row in rows]
    table = conform(pl.DataFrame(full, schema=ENCOUNTERS), ENCOUNTERS)
    local = pl.concat_str("party", "catalogue", "code", separator="/")
    return table.with_columns(pl.coalesce("individual", local).alias("individual"))


def same(*pairs: tuple[str, str]) -> Partition:
    """Codes of `a` and of `b` that are one animal."""
    links = [
        Link(LocalIndividual("a", "main", first), LocalIndividual("b", "main", second), Verdict.SAME)
        for first, second in pairs
    ]
    return Concordance(tuple(links)).partition([who for link in links for who in link.pair])


def answer(
    table: pl.DataFrame,
    partition: Partition | None = None,
    parties: tuple[str, ...] = ("a", "b"),
    progress: Progress = silent,
    **given_settings: Any,
) -> Answer:
    inputs = MinimumInputs(table, partition, parties, Scope(taxon="Panthera tigris", place="border"))
    return ENGINE.answer(inputs, MinimumSettings(**given_settings), rng=stream(1, ENGINE.name), progress=progress)


def values(given_answer: Answer, *quantities: str) -> list[float]:
    return [given_answer[quantity].value for quantity in quantities]


SHEET = ("known.a", "known.b", "shared", "minimum_number", "naive_sum")


def test_m1_on_both_sides_stays_two_until_someone_decides() -> None:
    table = met([("a", "M1"), ("b", "M1")])
    assert values(answer(table), *SHEET) == [1, 1, 0, 2, 2]
    assert values(answer(table, same(("M1", "M1"))), *SHEET) == [1, 1, 1, 1, 2]


def test_one_tiger_with_two_codes_is_counted_once() -> None:
    together = answer(met([("a", "T07"), ("a", "T08"), ("b", "M1")]), same(("T07", "M1")))
    assert values(together, *SHEET, "overcount") == [2, 1, 1, 2, 3, 50]


def test_left_only_and_right_only_animals_may_be_the_same() -> None:
    flanks = ["both", "left", "left", "left", "right", "right"]
    one_side = [("a", f"A{i}", {"flank": flank}) for i, flank in enumerate(flanks)]
    assert values(answer(met(one_side), parties=("a",)), "known.a", "minimum_number") == [6, 4]


def test_left_only_on_one_side_and_right_only_on_the_other_are_not_added() -> None:
    table = met([("a", "L", {"flank": "left"}), ("b", "R", {"flank": "right"})])
    assert values(answer(table), "minimum_number", "naive_sum") == [1, 2]


def test_an_animal_whose_flanks_two_parties_know_one_each_is_known_from_both() -> None:
    table = met([("a", "L", {"flank": "left"}), ("b", "R", {"flank": "right"}), ("a", "L2", {"flank": "left"})])
    assert values(answer(table, same(("L", "R"))), "minimum_number") == [2]


def test_an_animal_without_recorded_flank_was_identified_by_its_party_and_counts() -> None:
    table = met([("a", "X"), ("a", "L", {"flank": "left"}), ("a", "R", {"flank": "right"})])
    assert values(answer(table, parties=("a",)), "minimum_number") == [2]


def test_stages_are_counted_apart_and_never_added() -> None:
    stages = {"A": "adult", "B": "adult", "C": "subadult", "D": "juvenile", "E": None}
    listed = answer(met([("a", code, {"life_stage": stage}) for code, stage in stages.items()]), parties=("a",))
    assert values(listed, *(f"minimum_number.{s}" for s in ("adult", "subadult", "juvenile", "unknown_stage"))) == [
        2,
        1,
        1,
        1,
    ]
    assert values(listed, "minimum_number") == [3]  # adults and the one that nobody aged
    assert listed["minimum_number"].scope.stage == "adult+unknown"
    assert [f.rule for f in listed.findings] == ["unknown-stage-included"]
    with pytest.raises(UnlikeEstimates):
        listed["known.a.adult"] + listed["known.a.juvenile"]


def test_animals_of_unknown_stage_stay_out_if_told_so() -> None:
    table = met([("a", "A", {"life_stage": "adult"}), ("a", "E")])
    assert values(answer(table, parties=("a",), count_unknown_stage=False), "minimum_number") == [1]


def test_adults_and_cubs_asked_for_in_one_number_are_warned_about() -> None:
    table = met([("a", "A", {"life_stage": "adult"}), ("a", "C", {"life_stage": "juvenile"})])
    mixed = answer(table, parties=("a",), life_stages=("adult", "juvenile"))
    assert values(mixed, "minimum_number") == [2]
    assert "stages-mixed" in [f.rule for f in mixed.findings]


def test_sexes_are_counted_apart() -> None:
    sexes = {"A": "female", "B": "female", "C": "male", "D": None}
    listed = answer(met([("a", code, {"sex": sex}) for code, sex in sexes.items()]), parties=("a",))
    assert values(listed, *(f"minimum_number.{s}" for s in ("female", "male", "unknown_sex"))) == [2, 1, 1]


def test_every_number_is_a_count_of_known_animals_not_an_estimate() -> None:
    listed = answer(met([("a", "M1"), ("b", "M1")]))
    assert all(estimate.is_count and estimate.low is None for estimate in listed.estimates)


def test_a_party_that_listed_nothing_has_zero() -> None:
    assert values(answer(met([("a", "M1")])), *SHEET) == [1, 0, 0, 1, 1]


def test_lists_of_which_nothing_is_shared_may_never_have_been_compared() -> None:
    apart = answer(met([("a", "M1"), ("b", "M1")]))
    assert ("nothing-shared", "warning") in [(f.rule, f.severity) for f in apart.findings]
    compared = answer(met([("a", "M1"), ("b", "M1")]), same(("M1", "M1")))
    assert "nothing-shared" not in [f.rule for f in compared.findings]


def test_where_nobody_was_identified_the_question_is_declined_and_rates_are_offered() -> None:
    nameless = met([("a", "M1")]).with_columns(pl.lit(None, pl.String).alias("code"))
    refused = answer(nameless.with_columns(pl.lit(None, pl.String).alias("individual")))
    assert refused.refusal is not None
    assert (refused.refusal.have["encounters"], refused.refusal.instead) == (1, ("population.rates",))
    assert refused.estimates == ()


def test_the_tables_have_the_columns_of_their_schemas_and_no_codes() -> None:
    table = met([("a", "M1", {"sex": "male"}), ("b", "M1", {"sex": "male"}), ("b", "F2", {"sex": "female"})])
    listed = answer(table, same(("M1", "M1")))
    assert (listed.tables["lists"].schema, listed.tables["crossings"].schema) == (LISTS, CROSSINGS)
    assert listed.tables["crossings"].rows() == [("a + b", None, 1), ("b", None, 1)]
    joint = listed.tables["lists"].filter(pl.col("party") == "")
    assert dict(joint.select("sex", "n").iter_rows()) == {"female": 1, "male": 1}


def test_the_minimum_number_of_each_stage_and_sex_keeps_the_flank_rule() -> None:
    females = [("a", f"F{i}", {"sex": "female", "life_stage": "adult", "flank": f}) for i, f in enumerate(FLANK_CASE)]
    cubs = [("a", "C", {"life_stage": "juvenile"}), ("b", "M", {"sex": "male", "life_stage": "adult"})]
    joint = answer(met([*females, *cubs])).tables["lists"].filter(pl.col("party") == "")
    by_class = {(stage, sex): minimum for stage, sex, minimum in joint.select("stage", "sex", "minimum").iter_rows()}
    assert by_class == {("adult", "female"): 3, ("adult", "male"): 1, ("juvenile", None): 1}


FLANK_CASE = ("both", "left", "left", "right")


def test_the_minimum_of_a_stage_and_sex_is_summed_over_sessions_like_the_plain_number() -> None:
    rows = [("a", "L", "1", "left"), ("a", "R", "2", "right"), ("a", "B", "2", "left")]
    table = met([(p, c, {"session": s, "flank": f, "life_stage": "adult", "sex": "male"}) for p, c, s, f in rows])
    listed = answer(table, parties=("a",))
    joint = listed.tables["lists"].filter(pl.col("party") == "")
    assert joint["minimum"].to_list() == [listed["minimum_number"].value] == [2]


def test_progress_rises_to_one_and_the_work_can_be_stopped() -> None:
    told: list[float] = []
    answer(met([("a", "M1")]), progress=told.append)
    assert (told, told[-1]) == (sorted(told), 1.0)

    def stop(share: float, /) -> None:
        if share > 0:
            raise Cancelled

    with pytest.raises(Cancelled):
        answer(met([("a", "M1")]), progress=stop)


def test_a_life_stage_that_nobody_knows_is_a_finding() -> None:
    with pytest.raises(ProgrammeError) as wrong:
        read_settings(MinimumSettings, {"life_stages": ["adults"]})
    assert [f.rule for f in wrong.value.findings] == ["setting-value"]


# -- properties ----------------------------------------------------------------------------------------------------

codes = st.sampled_from(["1", "2", "3", "4", "5"])
flank = st.sampled_from([None, "left", "right", "both"])
sightings = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), codes, flank), min_size=1, max_size=20)
decisions = st.lists(
    st.tuples(st.tuples(st.sampled_from("abc"), codes), st.tuples(st.sampled_from("abc"), codes)), max_size=6
)


def links(pairs: Iterable[tuple[tuple[str, str], tuple[str, str]]]) -> tuple[Link, ...]:
    local = [tuple(LocalIndividual(party, "main", code) for party, code in pair) for pair in pairs]
    return tuple(Link(first, second, Verdict.SAME) for first, second in local)


def listed_as(rows: list[tuple[str, str, str | None]], pairs: Any) -> Answer:
    table = met([(party, code, {"flank": side}) for party, code, side in rows])
    everyone = [LocalIndividual(party, "main", code) for party, code in itertools.product("abc", "12345")]
    return answer(table, Concordance(links(pairs)).partition(everyone), parties=("a", "b", "c"))


@settings(max_examples=40, deadline=None)
@given(sightings, decisions)
def test_the_joint_minimum_never_exceeds_the_sum_of_the_lists(rows: Any, pairs: Any) -> None:
    listed = listed_as(rows, pairs)
    joint, naive = values(listed, "minimum_number", "naive_sum")
    own = values(listed, "minimum.a", "minimum.b", "minimum.c")
    assert 1 <= max(own) <= joint <= naive == sum(own)


@settings(max_examples=40, deadline=None)
@given(sightings, decisions, st.randoms(use_true_random=False))
def test_order_does_not_matter(rows: Any, pairs: Any, random: Any) -> None:
    shuffled_rows, shuffled_pairs = random.sample(rows, len(rows)), random.sample(pairs, len(pairs))
    assert listed_as(rows, pairs).estimates == listed_as(shuffled_rows, shuffled_pairs).estimates


@settings(max_examples=40, deadline=None)
@given(sightings, decisions)
def test_one_more_decision_that_two_are_one_never_raises_the_minimum(rows: Any, pairs: Any) -> None:
    minima = [listed_as(rows, pairs[:n])["minimum_number"].value for n in range(len(pairs) + 1)]
    assert minima == sorted(minima, reverse=True)


# -- real lists ----------------------------------------------------------------------------------------------------


def halves(undated: MakeSurvey) -> list[Survey]:
    """The ovenbirds of Patuxent, cut at the median x of the nets as if two parties had netted them."""
    folder = DATA / "scr" / "ovenbird_proximity"
    text = {"session": pl.String, "trap": pl.String, "id": pl.String}
    nets = pl.read_csv(folder / "traps.csv", schema_overrides=text).unique("trap")
    caught = pl.read_csv(folder / "captures.csv", schema_overrides=text).select("session", "id", "occasion", "trap")
    surveys = []
    for party, west in (("west", True), ("east", False)):
        own = nets.filter((pl.col("x") < nets["x"].median()) == west)
        traps = {name: (x, y) for name, x, y in own.select("trap", "x", "y").iter_rows()}
        rows = caught.filter(pl.col("trap").is_in(list(traps))).rows()
        surveys.append(undated(party, traps, rows, {str(year): 10 for year in range(2005, 2010)}))
    return surveys


def test_the_ovenbirds_of_two_halves_are_103_bird_years_of_which_27_are_on_both_sides(undated: MakeSurvey) -> None:
    surveys = halves(undated)
    taxa = frozenset({"Panthera tigris"})  # what the fixture calls everything
    rings = local_individuals(surveys, taxa)
    by_ring = {code: [who for who in rings if who.code == code] for code in {who.code for who in rings}}
    decided = Concordance(tuple(Link(two[0], two[1], Verdict.SAME) for two in by_ring.values() if len(two) == 2))
    years = Window(sessions=tuple(str(year) for year in range(2005, 2010)))
    table = encounters(surveys, None, years, taxa)
    listed = answer(table, decided.partition(rings), parties=("west", "east"))
    assert values(listed, "known.west", "known.east", "shared", "minimum_number", "naive_sum") == [66, 64, 27, 103, 130]
    assert values(listed, "distinct.west", "distinct.east", "distinct") == [51, 43, 70]
    assert (listed["known.west"].unit, listed["distinct"].unit) == ("animal_sessions", "animals")
    assert ListPair(103, 66, 64, 27).arithmetic is Arithmetic.HOLDS


def published() -> dict[str, dict[str, str]]:
    with (DATA / "double_counting.csv").open(encoding="utf-8") as stream:
        return {row["case"]: row for row in csv.DictReader(stream)}


def whole(text: str) -> int | None:
    """The number that a field begins with: "80 (62 only RU + 18 both)" is 80."""
    first = text.split(" ", maxsplit=1)[0]
    return int(first) if first.isdigit() else None


def pair_of(row: dict[str, str]) -> ListPair:
    return ListPair(*(whole(row[name]) for name in ("true_total", "side_RU", "side_other", "shared")))


ARITHMETIC = (
    "tiger SW Primorye-Laoye adults 2013-2015",
    "leopard SW Primorye-Laoye adults 2013-2015",
    "leopard 2013-2014 shares (Vitkalova)",
    "leopard 2022 (park director)",
)
SUM_ONLY = ("leopard 2024", "tiger 2024", "leopard 2025", "tiger 2025")  # "the sum is not arithmetic" (tvoidv.ru)
SHARES_ONLY = (
    "tiger 2014 (LLNP-BNU)",
    "leopard 2014 (LLNP-BNU)",
    "snow leopard Munku-Sardyk 2020",
    "snow leopard Tsagaanshuvuut genetics",
)


@pytest.mark.parametrize("case", ARITHMETIC)
def test_published_pairs_of_lists_reproduce(case: str) -> None:
    row = published()[case]
    pair = pair_of(row)
    assert pair.arithmetic is Arithmetic.HOLDS
    assert pair.naive_sum == whole(row["naive_sum"])
    assert pair.overcount_pct == pytest.approx(float(row["overcount_pct"]), abs=0.5)


@pytest.mark.parametrize("case", SUM_ONLY)
def test_a_published_sum_of_two_lists_says_nothing_of_the_animals_known(case: str) -> None:
    row = published()[case]
    pair = pair_of(row)
    assert pair.naive_sum == whole(row["naive_sum"])
    assert (pair.joint, pair.overcount_pct, pair.arithmetic) == (None, None, Arithmetic.UNKNOWN)


@pytest.mark.parametrize("case", SHARES_ONLY)
def test_a_published_share_alone_gives_no_total(case: str) -> None:
    assert pair_of(published()[case]).arithmetic is Arithmetic.UNKNOWN


def test_every_published_case_is_judged() -> None:
    assert sorted(published()) == sorted((*ARITHMETIC, *SUM_ONLY, *SHARES_ONLY))


@pytest.mark.parametrize("pair", [ListPair(150, 120, 80, 40), ListPair(10, 5, 8, 6), ListPair(200, 120, 80, 1)])
def test_numbers_that_cannot_all_be_true_contradict(pair: ListPair) -> None:
    assert pair.arithmetic is Arithmetic.CONTRADICTS


@settings(max_examples=50, deadline=None)
@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)))
def test_the_arithmetic_of_two_lists_is_that_of_two_sets(first: set[int], second: set[int]) -> None:
    pair = ListPair(side_a=len(first), side_b=len(second), shared=len(first & second))
    assert pair.joint == len(first | second)
    assert pair.arithmetic is Arithmetic.HOLDS


def test_the_example_on_the_page_runs(failures_on_page: Callable[[str], int]) -> None:
    assert failures_on_page(ENGINE.name) == 0
