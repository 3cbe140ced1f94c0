"""How many animals are known, each counted once: the lists of the parties put together.

A list is not an estimate: it says how many animals were identified, not how many live there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from sharedrange.core.answer import LISTED, Answer, Estimate, Refusal, Scope
from sharedrange.core.engine import Engine
from sharedrange.core.finding import Fact, Finding, Severity
from sharedrange.core.individuals import Partition
from sharedrange.core.progress import Progress
from sharedrange.core.survey import LIFE_STAGES, SEXES
from sharedrange.population.crossed import Crossing, about_crossings, agreed, together, told_of
from sharedrange.population.encounters import animals, flanks_in, in_stages, with_individuals

NAME = "population.minimum"
ANIMALS_UNIT = "animals"
SESSIONS_UNIT = "animal_sessions"  # an animal listed in three years counts three times, as in bird-years

LISTS = pl.Schema(
    {
        # What each party lists, and all together (party ""), by stage and sex (null: unknown).
        "party": pl.String(),
        "stage": pl.String(),
        "sex": pl.String(),
        "n": pl.Int64(),  # animals, or animal-sessions where there are several sessions
        "left_only": pl.Int64(),
        "right_only": pl.Int64(),
        "minimum": pl.Int64(),  # the fewest animals that these can be
    }
)
CROSSINGS = pl.Schema({"parties": pl.String(), "stage": pl.String(), "n": pl.Int64()})


@dataclass(frozen=True, slots=True)
class MinimumInputs:
    """Encounters of one species in one window, and whose lists to put together.

    `encounters` has the schema ENCOUNTERS; `partition` says which codes are one animal (None: as the column
    `individual` says); `parties` names everyone asked, also who listed nothing; `scope` says taxon, place and
    period; `flanks` (encounters.known_flanks) says which flanks each party knows of each animal from all its
    data. Without it, only the flanks of these encounters count. `crossings`: where parties did not tell which of their
    animals others know, how many these are; all encounters are then of one session.
    """

    encounters: pl.DataFrame
    partition: Partition | None
    parties: tuple[str, ...]
    scope: Scope = Scope()
    flanks: pl.DataFrame | None = None
    crossings: tuple[Crossing, ...] = ()


@dataclass(frozen=True, slots=True)
class MinimumSettings:
    """Whom the plain quantities count: animals of these life stages, and those of unknown stage if told so."""

    life_stages: tuple[str, ...] = ("adult",)
    count_unknown_stage: bool = True

    def __post_init__(self) -> None:
        unknown = sorted(set(self.life_stages) - set(LIFE_STAGES))
        if unknown or not self.life_stages:
            raise ValueError(f"life_stages: {', '.join(unknown) or 'none'} (known: {', '.join(LIFE_STAGES)})")


class Arithmetic(StrEnum):
    """What the four numbers of two published lists say about each other."""

    HOLDS = "holds"
    CONTRADICTS = "contradicts"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ListPair:
    """Two lists as published: what each side knows, how many both know, how many there are together.

    None where nobody said. Of `total` = `side_a` + `side_b` - `shared`, what can be said follows.

    Examples
    --------
    >>> pair = ListPair(total=45, shared=19)
    >>> pair.naive_sum, round(pair.overcount_pct, 1)
    (64, 42.2)
    """

    total: int | None = None
    side_a: int | None = None
    side_b: int | None = None
    shared: int | None = None

    @property
    def naive_sum(self) -> int | None:
        """The two lists added up."""
        if self.side_a is not None and self.side_b is not None:
            return self.side_a + self.side_b
        return None if self.total is None or self.shared is None else self.total + self.shared

    @property
    def joint(self) -> int | None:
        """The animals of both lists, each counted once."""
        if self.total is not None:
            return self.total
        naive = self.naive_sum
        return None if naive is None or self.shared is None else naive - self.shared

    @property
    def overcount_pct(self) -> float | None:
        """How far the sum of the lists lies above the animals known, in percent."""
        naive, joint = self.naive_sum, self.joint
        return None if naive is None or not joint else overcount_pct(naive, joint)

    @property
    def arithmetic(self) -> Arithmetic:
        """Whether the numbers agree; unknown where a sum, a total or what is shared cannot be had from them."""
        if self.joint is None or self.shared is None or self.naive_sum is None:
            return Arithmetic.UNKNOWN
        smaller = [side for side in (self.side_a, self.side_b) if side is not None]
        possible = self.naive_sum - self.shared == self.joint and all(self.shared <= side for side in smaller)
        return Arithmetic.HOLDS if possible else Arithmetic.CONTRADICTS


def overcount_pct(naive_sum: float, joint: float) -> float:
    """How far lists added up lie above the animals they hold, in percent of those animals.

    Examples
    --------
    >>> round(overcount_pct(104, 89), 1)
    16.9
    """
    return 100 * (naive_sum - joint) / joint


def minimum_number(listed: pl.DataFrame) -> int:
    """The fewest animals that a list can hold, summed over its sessions.

    Animals known from both flanks, and the larger number of those known from the left only and from the right
    only: the two sets may hold the same animals. `listed` has the columns session, left and right.
    """
    sides = listed.group_by("session").agg(pl.col("left").sum(), pl.col("right").sum())
    return int(sides.select(pl.max_horizontal("left", "right").sum()).item() or 0)


@dataclass(frozen=True, slots=True)
class _Lists:
    """Each party's list and the joint one: session, individual, sex, life_stage, left, right; joint: parties too."""

    by_party: Mapping[str, pl.DataFrame]
    joint: pl.DataFrame

    def where(self, keep: pl.Expr) -> _Lists:
        return _Lists({party: rows.filter(keep) for party, rows in self.by_party.items()}, self.joint.filter(keep))

    def distinct(self) -> _Lists:
        """The same without sessions: an animal listed in three years is one."""
        return _Lists({party: _distinct(rows) for party, rows in self.by_party.items()}, _distinct(self.joint))


def _answer(
    inputs: MinimumInputs,
    settings: MinimumSettings,
    *,
    rng: np.random.Generator,  # noqa: ARG001  (the engine contract; counting needs no chance)
    progress: Progress,
    executor: Executor | None,  # noqa: ARG001  (the engine contract; counting is quick)
    checkpoint: MutableMapping[str, Any],  # noqa: ARG001  (the engine contract)
) -> Answer:
    """The known animals of each party, the shared, the joint minimum number and the overcount of the sum."""
    progress(0.0)
    identified = _identified(inputs)
    if identified.is_empty():
        progress(1.0)
        return Answer(refusal=_nobody(inputs.encounters))
    lists, found = _lists(identified, inputs)
    progress(0.4)
    asked = in_stages(settings.life_stages, with_unknown=settings.count_unknown_stage)
    estimates = tuple(_estimates(lists, asked, inputs, settings))
    progress(0.8)
    tables = _tables(lists, inputs.crossings)
    notes = _notes(lists.joint.filter(asked), inputs, settings)
    progress(1.0)
    return Answer(estimates=estimates, tables=tables, findings=(*found, *notes))


ENGINE = Engine(NAME, 2, MinimumSettings, MinimumInputs, _answer)


def _identified(inputs: MinimumInputs) -> pl.DataFrame:
    met = inputs.encounters
    named = met if inputs.partition is None else with_individuals(met, inputs.partition)
    return named.filter(pl.col("individual").is_not_null())


def _nobody(met: pl.DataFrame) -> Refusal:
    have: dict[str, Fact] = {"identified_animals": 0, "encounters": met.height}
    return Refusal(NAME, have, {"identified_animals": 1}, ("population.rates",))


def _lists(identified: pl.DataFrame, inputs: MinimumInputs) -> tuple[_Lists, tuple[Finding, ...]]:
    """Each party's own list, with the sex and stage it knows itself, and the joint list with what all know."""
    flanks = flanks_in(identified) if inputs.flanks is None else inputs.flanks
    own = {}
    for party in sorted(inputs.parties):
        known, _ = animals(identified.filter(pl.col("party") == party))
        own[party] = _with_flanks(known, flanks.filter(pl.col("party") == party))
    known, found = animals(identified)
    knowers = identified.group_by("session", "individual").agg(parties=pl.col("party").unique().sort())
    joint = _with_flanks(known, flanks).join(knowers, on=["session", "individual"])
    return _Lists(own, joint), found


def _with_flanks(known: pl.DataFrame, flanks: pl.DataFrame) -> pl.DataFrame:
    """Animals with the flanks that anyone in `flanks` knows; who is not in it counts as known from both."""
    anyone = flanks.group_by("individual").agg(pl.col("left").any(), pl.col("right").any())
    return known.join(anyone, on="individual", how="left").with_columns(pl.col("left", "right").fill_null(value=True))


def _distinct(rows: pl.DataFrame) -> pl.DataFrame:
    merged = [pl.col("left").any(), pl.col("right").any()]
    if "parties" in rows.columns:
        merged.append(pl.col("parties").explode().unique().sort())
    return rows.group_by("individual").agg(merged).with_columns(session=pl.lit(""))


def _slices(lists: _Lists, asked: pl.Expr) -> Iterator[tuple[str, str | None, str | None, pl.Expr]]:
    """What is counted: (suffix of the quantity, stage, sex, which animals). None: as asked."""
    stage, sex = pl.col("life_stage"), pl.col("sex")
    yield "", None, None, asked
    for name in LIFE_STAGES:
        yield f".{name}", name, None, stage == name
    if lists.joint["life_stage"].null_count():
        yield ".unknown_stage", "unknown", None, stage.is_null()
    for name in SEXES:
        yield f".{name}", None, name, asked & (sex == name)
    if lists.joint.filter(asked)["sex"].null_count():
        yield ".unknown_sex", None, "unknown", asked & sex.is_null()


def _estimates(lists: _Lists, asked: pl.Expr, inputs: MinimumInputs, settings: MinimumSettings) -> Iterator[Estimate]:
    asked_stage = "+".join((*settings.life_stages, *(["unknown"] if settings.count_unknown_stage else [])))
    base = replace(inputs.scope, kind=LISTED, method=inputs.scope.method or "list", stage=asked_stage)
    several = lists.joint["session"].n_unique() > 1
    unit = SESSIONS_UNIT if several else ANIMALS_UNIT
    for suffix, stage, sex, which in _slices(lists, asked):
        scope = replace(base, stage=stage or base.stage, sex=sex or base.sex)
        yield from _counted(lists.where(which), suffix, unit, scope, inputs.crossings)
    yield from _codes(inputs, base)
    if several:
        yield from _distinct_estimates(lists.where(asked).distinct(), base)


def _counted(
    lists: _Lists, suffix: str, unit: str, scope: Scope, crossings: tuple[Crossing, ...]
) -> Iterator[Estimate]:
    """The lists of one slice: known, each party's minimum, shared, joint minimum, naive sum, overcount."""
    own = {party: minimum_number(rows) for party, rows in lists.by_party.items()}
    for party, rows in lists.by_party.items():
        there = replace(scope, place=party)
        yield Estimate(f"known.{party}{suffix}", rows.height, unit, scope=there)
        yield Estimate(f"minimum.{party}{suffix}", own[party], unit, scope=there)
    naive_sum = Estimate(f"naive_sum{suffix}", sum(own.values()), unit, scope=scope)
    if not crossings:
        yield replace(naive_sum, quantity=f"shared{suffix}", value=_shared(lists.joint))
        yield from _together(minimum_number(lists.joint), naive_sum, suffix)
    elif suffix:
        yield naive_sum
    else:
        yield from _counted_by_crossings(lists, crossings, own, naive_sum)


def _together(joint: int, naive_sum: Estimate, suffix: str = "") -> Iterator[Estimate]:
    """The joint minimum, the sum, and how far the sum lies above it."""
    yield replace(naive_sum, quantity=f"minimum_number{suffix}", value=joint)
    yield naive_sum
    if joint:
        excess_pct = overcount_pct(naive_sum.value, joint)
        yield replace(naive_sum, quantity=f"overcount{suffix}", value=excess_pct, unit="percent")


def _counted_by_crossings(
    lists: _Lists, crossings: tuple[Crossing, ...], own: Mapping[str, int], naive_sum: Estimate
) -> Iterator[Estimate]:
    """What was told of common animals together with the lists: the joint minimum, and of two parties the shared.

    Crossings are of animals of every stage, so that nothing of this is told by stage or sex.
    """
    listed = {frozenset(pair): _in_both(lists.joint, pair) for pair in combinations(own, 2)}
    shared, joint = together(own, listed, crossings)
    if shared is not None:
        yield replace(naive_sum, quantity="shared", value=shared)
    yield from _together(joint, naive_sum)


def _in_both(joint: pl.DataFrame, pair: tuple[str, str]) -> int:
    """How many animals two parties both list, as far as it was told who is who."""
    return joint.filter(pl.col("parties").list.set_intersection(list(pair)).list.len() == 2).height


def _distinct_estimates(lists: _Lists, scope: Scope) -> Iterator[Estimate]:
    """The same animals without their sessions."""
    for party, rows in lists.by_party.items():
        yield Estimate(f"distinct.{party}", rows.height, ANIMALS_UNIT, scope=replace(scope, place=party))
    yield Estimate("distinct.shared", _shared(lists.joint), ANIMALS_UNIT, scope=scope)
    yield Estimate("distinct", minimum_number(lists.joint), ANIMALS_UNIT, scope=scope)


def _codes(inputs: MinimumInputs, scope: Scope) -> Iterator[Estimate]:
    """How many codes each party used in the window, whatever the animals behind them."""
    codes = inputs.encounters.filter(pl.col("code").is_not_null()).select("party", "catalogue", "code").unique()
    for party in sorted(inputs.parties):
        n = codes.filter(pl.col("party") == party).height
        yield Estimate(f"codes.{party}", n, "codes", scope=replace(scope, place=party, stage="any"))


def _shared(joint: pl.DataFrame) -> int:
    return joint.filter(pl.col("parties").list.len() > 1).height


def _tables(lists: _Lists, crossings: tuple[Crossing, ...]) -> dict[str, pl.DataFrame]:
    """LISTS and CROSSINGS. From crossings there is no list of all together, and of pairs what they agree on."""
    table = _lists_table(lists)
    if not crossings:
        return {"lists": table, "crossings": _crossings(lists.joint)}
    both = [(" + ".join(sorted(pair)), None, agreed(numbers)) for pair, numbers in told_of(crossings).items()]
    told = pl.DataFrame([row for row in both if row[2] is not None], schema=CROSSINGS, orient="row")
    return {"lists": table.filter(pl.col("party") != ""), "crossings": told}


def _lists_table(lists: _Lists) -> pl.DataFrame:
    """The table LISTS."""
    parts = [pl.DataFrame(schema=LISTS)]
    for party, rows in (*lists.by_party.items(), ("", lists.joint)):
        by_session = rows.group_by("session", stage="life_stage", sex="sex").agg(
            n=pl.len(),
            left_only=(pl.col("left") & ~pl.col("right")).sum(),
            right_only=(pl.col("right") & ~pl.col("left")).sum(),
            minimum=pl.max_horizontal(pl.col("left").sum(), pl.col("right").sum()),
        )
        counted = by_session.group_by("stage", "sex").agg(pl.exclude("session").sum().cast(pl.Int64))
        parts.append(counted.select(pl.lit(party).alias("party"), pl.all()).select(LISTS.names()))
    return pl.concat(parts).sort("party", "stage", "sex", nulls_last=True)


def _crossings(joint: pl.DataFrame) -> pl.DataFrame:
    """How many animals are known to each set of parties (table CROSSINGS); no codes."""
    known_to = pl.col("parties").list.join(" + ")
    counted = joint.group_by(parties=known_to, stage="life_stage").agg(n=pl.len().cast(pl.Int64))
    return counted.select(CROSSINGS.names()).sort("parties", "stage", nulls_last=True)


def _notes(joint: pl.DataFrame, inputs: MinimumInputs, settings: MinimumSettings) -> Iterator[Finding]:
    """What a reader of the numbers must know."""
    stages = ", ".join(settings.life_stages)
    if "juvenile" in settings.life_stages and len(settings.life_stages) > 1:
        yield Finding("stages-mixed", {"stages": stages}, severity=Severity.WARNING)
    if unknown := joint["life_stage"].null_count():
        yield Finding("unknown-stage-included", {"n": unknown, "stages": stages}, severity=Severity.NOTE)
    left_only, right_only = (int((joint[a] & ~joint[b]).sum()) for a, b in (("left", "right"), ("right", "left")))
    if left_only or right_only:
        facts: dict[str, Fact] = {"left_only": left_only, "right_only": right_only}
        yield Finding("one-flank-animals", facts, severity=Severity.NOTE)
    if nameless := inputs.encounters["individual"].null_count():
        yield Finding("animals-without-code", {"n": nameless}, severity=Severity.NOTE)
    if inputs.crossings:
        yield from about_crossings(inputs.crossings, inputs.parties)
    elif len(inputs.parties) > 1 and not _shared(joint):
        yield Finding("nothing-shared", {"parties": ", ".join(sorted(inputs.parties))}, severity=Severity.WARNING)
