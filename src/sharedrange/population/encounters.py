"""From observations to encounters: one animal at one camera, each burst counted once.

A camera that fires ten times at one passing tiger made one encounter. Photographs of one animal at one
deployment belong to one burst until `burst_minutes` pass without one (the usual half hour: O'Brien,
Kinnaird & Wibisono 2003, Animal Conservation 6:131-139).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from sharedrange.core.bursts import BURST_MINUTES, with_bursts
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Fact, Finding, Severity
from sharedrange.core.history import ENCOUNTERS
from sharedrange.core.individuals import CATALOGUE, LocalIndividual, Partition
from sharedrange.core.survey import LIFE_STAGES, SEXES, Survey, conform
from sharedrange.core.when import Window, dated_and_undated

FLANKS_KNOWN = pl.Schema({"party": pl.String(), "individual": pl.String(), "left": pl.Boolean(), "right": pl.Boolean()})
ANIMALS = pl.Schema({"session": pl.String(), "individual": pl.String(), "sex": pl.String(), "life_stage": pl.String()})

_LOCAL = ("party", "catalogue", "code")
_STAGE = pl.Enum(LIFE_STAGES[::-1])  # youngest first


def encounters(
    surveys: Sequence[Survey],
    partition: Partition | None,
    window: Window,
    taxa: frozenset[str],
    *,
    burst_minutes: float = BURST_MINUTES,
) -> pl.DataFrame:
    """The encounters of one species in a window, with the schema ENCOUNTERS.

    A row holds what one animal did at one deployment on one occasion; `count` is the number of bursts (in
    undated surveys, the counts as delivered). Labels of sex or stage that contradict each other keep rows of
    their own, so that `animals` can tell. `taxa` are the names of one species. `individual` is the joint
    individual; null where the animal was not identified. Without a partition every code is its own animal.

    Raises InputError where a survey is dated and the window is not, or the other way round.
    """
    mixed = dated_and_undated(surveys, window)
    if mixed:
        raise InputError(mixed)
    parts = [_of_survey(survey, window, taxa, burst_minutes) for survey in surveys]
    rows = pl.concat([pl.DataFrame(schema=ENCOUNTERS), *parts])
    return with_individuals(rows, partition).sort(*ENCOUNTERS.names(), nulls_last=True)


def with_individuals(met: pl.DataFrame, partition: Partition | None) -> pl.DataFrame:
    """Encounters with the joint individual of every code; a code that the partition lacks is its own animal."""
    rows = met.drop("individual")
    return conform(rows.join(_joint(rows, partition), on=_LOCAL, how="left"), ENCOUNTERS)


def local_individuals(surveys: Sequence[Survey], taxa: frozenset[str]) -> tuple[LocalIndividual, ...]:
    """Every individual of a species that the parties' catalogues name, in order."""
    return tuple(sorted({who for survey in surveys for who in _locals(_identified(survey, taxa))}))


def known_flanks(surveys: Sequence[Survey], partition: Partition | None, taxa: frozenset[str]) -> pl.DataFrame:
    """Which flanks of each animal each party knows, from all it delivered (schema FLANKS_KNOWN).

    A catalogue outlives a window: a leopard photographed from both flanks last year is not one-flank this year.
    """
    parts = [_identified(survey, taxa).select(*_LOCAL, "flank") for survey in surveys]
    empty = pl.DataFrame(schema={name: pl.String() for name in (*_LOCAL, "flank")})
    rows = pl.concat([empty, *parts])
    return flanks_in(rows.join(_joint(rows, partition), on=_LOCAL, how="left"))


def flanks_in(rows: pl.DataFrame) -> pl.DataFrame:
    """Which flanks of each animal each party knows, as far as these rows tell (schema FLANKS_KNOWN).

    A code for which no flank was ever recorded was identified by its party by other means, and counts as
    known from both. `rows` has the columns party, catalogue, code, individual, flank.
    """
    seen = pl.col("flank").drop_nulls()
    unrecorded = seen.is_empty()
    of_code = rows.filter(pl.col("individual").is_not_null()).group_by(*_LOCAL, "individual")
    codes = of_code.agg(
        left=unrecorded | seen.is_in(["left", "both"]).any(),
        right=unrecorded | seen.is_in(["right", "both"]).any(),
    )
    known = codes.group_by("party", "individual").agg(pl.col("left").any(), pl.col("right").any())
    return conform(known, FLANKS_KNOWN).sort("party", "individual")


def animals(met: pl.DataFrame) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """The identified animals of each session with sex and life stage (schema ANIMALS), and what contradicts.

    Sex belongs to an animal: where parties or rows disagree it becomes unknown. Life stage belongs to a date:
    an animal's stage in a session is that of its latest encounter that has one; where one date has two, the
    younger, so that the number of adults stays a minimum.
    """
    named = met.filter(pl.col("individual").is_not_null())
    sexes = named.filter(pl.col("sex").is_in(list(SEXES)))
    stages = named.filter(pl.col("life_stage").is_in(list(LIFE_STAGES)))
    table = named.select("session", "individual").unique()
    table = table.join(_sex_of(sexes), on="individual", how="left")
    table = table.join(_stage_of(stages), on=["session", "individual"], how="left")
    found = (*_sex_conflicts(sexes), *_stage_conflicts(stages))
    return conform(table, ANIMALS).sort("session", "individual"), found


def in_stages(life_stages: Sequence[str], *, with_unknown: bool) -> pl.Expr:
    """Whether a row's life stage is among those asked; animals of unknown stage as told."""
    asked = pl.col("life_stage").is_in(list(life_stages))
    return asked.fill_null(value=False) | (pl.col("life_stage").is_null() & with_unknown)


def _identified(survey: Survey, taxa: frozenset[str]) -> pl.DataFrame:
    return _sightings(survey, taxa).filter(pl.col("code").is_not_null())


def _sightings(survey: Survey, taxa: frozenset[str]) -> pl.DataFrame:
    """A survey's observations of a species, with `party`, `catalogue` and `code` as the encounters name them."""
    rows = survey.observations.filter(pl.col("type") == "animal", pl.col("taxon").is_in(list(taxa)))
    code = pl.col("individual")
    catalogue = pl.when(code.is_not_null()).then(pl.col("catalogue").fill_null(CATALOGUE))
    return rows.with_columns(party=pl.lit(survey.party), catalogue=catalogue, code=code).drop("individual")


def _locals(rows: pl.DataFrame) -> list[LocalIndividual]:
    return [LocalIndividual(*row) for row in rows.select(_LOCAL).unique().iter_rows()]


def _joint(rows: pl.DataFrame, partition: Partition | None) -> pl.DataFrame:
    """Columns party, catalogue, code, individual: the joint individual of every code in `rows`."""
    joint: Mapping[LocalIndividual, str] = partition.of() if partition else {}
    who = _locals(rows.filter(pl.col("code").is_not_null()))
    named = [(*local, joint.get(local, str(local))) for local in who]
    return pl.DataFrame(named, schema={name: pl.String() for name in (*_LOCAL, "individual")}, orient="row")


def _of_survey(survey: Survey, window: Window, taxa: frozenset[str], burst_minutes: float) -> pl.DataFrame:
    rows = _sightings(survey, taxa)
    key = ("deployment", *_LOCAL)
    if window.dated:
        rows = rows.with_columns(session=pl.lit(window.label), occasion=window.occasion("start"))
        rows = with_bursts(rows.drop_nulls("occasion"), key, burst_minutes)
        rows = rows.with_columns(pl.col("occasion").min().over("burst"))  # the day that the burst began
        counted = pl.col("burst").n_unique()
    else:
        rows = rows.filter(pl.col("session").is_in(list(window.sessions)), pl.col("occasion").is_not_null())
        rows = rows.with_columns(burst=pl.int_range(pl.len()))
        counted = pl.col("count").fill_null(1).sum()
    rows = rows.with_columns(_within_burst("sex"), _within_burst("life_stage"))
    grouped = rows.group_by(*key, "session", "occasion", "sex", "life_stage").agg(
        pl.col("taxon").min(), _flank_of("flank"), count=counted
    )
    place = pl.concat_str(pl.lit(f"{survey.party}/{survey.dataset}/"), pl.col("deployment"))
    return conform(grouped.with_columns(deployment=place), ENCOUNTERS)


def _within_burst(label: str) -> pl.Expr:
    """A label that some frames of a burst carry, given to the others; two labels stay as they are."""
    first, last = (edge.over("burst") for edge in (pl.col(label).min(), pl.col(label).max()))
    return pl.when(first == last).then(first).otherwise(pl.col(label)).alias(label)


def _flank_of(column: str) -> pl.Expr:
    """The flank that all rows show, "both" where they show more than one."""
    first, last = pl.col(column).min(), pl.col(column).max()
    return pl.when(first == last).then(first).when(first.is_not_null()).then(pl.lit("both")).alias(column)


def _sex_of(sexes: pl.DataFrame) -> pl.DataFrame:
    known = sexes.group_by("individual").agg(pl.col("sex").first(), n=pl.col("sex").n_unique())
    return known.filter(pl.col("n") == 1).drop("n")


def _stage_of(stages: pl.DataFrame) -> pl.DataFrame:
    of_animal = ["session", "individual"]
    latest = stages.filter(pl.col("occasion") == pl.col("occasion").max().over(of_animal))
    return latest.group_by(of_animal).agg(pl.col("life_stage").cast(_STAGE).min().cast(pl.String))


def _sex_conflicts(sexes: pl.DataFrame) -> list[Finding]:
    told = sexes.group_by("individual", "sex").agg(by=pl.col("party").unique().sort().str.join(", "))
    by_animal: dict[str, dict[str, Fact]] = {}
    for individual, sex, parties in told.select("individual", "sex", "by").sort("individual", "sex").iter_rows():
        by_animal.setdefault(individual, {})[sex] = parties
    return [
        Finding("sex-conflict", {"individual": individual, **said}, severity=Severity.WARNING)
        for individual, said in by_animal.items()
        if len(said) > 1
    ]


def _stage_conflicts(stages: pl.DataFrame) -> list[Finding]:
    date = ["session", "individual", "occasion"]
    said = stages.group_by(date).agg(stages=pl.col("life_stage").unique().sort())
    conflicts = said.filter(pl.col("stages").list.len() > 1).sort(date)
    return [
        Finding(
            "stage-conflict",
            {"individual": who, "session": session, "occasion": occasion, "stages": ", ".join(both)},
            severity=Severity.WARNING,
        )
        for session, who, occasion, both in conflicts.iter_rows()
    ]
