"""A survey as it leaves: stations in cells, days watched, and how often an animal was met, by whole periods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from sharedrange.core.bursts import BURST_MINUTES, with_bursts
from sharedrange.core.individuals import CATALOGUE, LocalIndividual
from sharedrange.core.release import EFFORT, ENCOUNTERS, JOINT, STATIONS, period_of
from sharedrange.core.survey import LIFE_STAGES, Survey, conform
from sharedrange.core.when import day_effort, whole_window
from sharedrange.sharing.agreement import Agreement, Frame, Terms, is_people, terms_of
from sharedrange.sharing.pseudonyms import Name
from sharedrange.sharing.release.places import generalised, position_columns
from sharedrange.sharing.release.types import TRUNCATED, Under, Withheld, is_ready

_STAGE = pl.Enum(LIFE_STAGES[::-1])  # youngest first
_KEY = ("station", "taxon", "catalogue", "individual")
_OF_ROW = ("taxon", "catalogue", "individual", "sex", "life_stage", "flank", "start", "end", "observation")
_ROWS_AT_ONCE = 200_000


@dataclass(frozen=True, slots=True)
class _Places:
    """The stations of a survey: `of_deployment` deployment -> row of `table` (columns key, x, y, ...)."""

    table: pl.DataFrame
    of_deployment: Mapping[str, str]


def names_of_survey(survey: Survey, agreement: Agreement, frame: Frame) -> Iterator[Name]:
    """Everything in a survey that a release of it gives a pseudonym."""
    places = _places(survey, agreement, frame).table
    for key in places["key"]:
        yield _station_name(survey, key)
    for model in places["camera_type"].drop_nulls().unique():
        if agreement.cameras.named(model) is None:
            yield ("camera", survey.party, model)
    for taxon, catalogue, code in _individuals(survey):
        terms = terms_of(agreement, taxon)
        if terms is not None and terms.identity == "pseudonym":
            yield ("individual", survey.party, catalogue, code)


def release_survey(survey: Survey, frame: Frame, under: Under) -> tuple[dict[str, pl.DataFrame], list[Withheld]]:
    """The tables stations, effort and encounters that may leave, and what stays.

    Periods leave whole, once `delay_days` have passed since their end. Days watched are rounded: to whole days, or
    tenths where periods are days.
    """
    agreement, on = under.agreement, under.on
    terms = {taxon: terms_of(agreement, taxon) for taxon in survey.observations["taxon"].drop_nulls().unique()}
    named, placed, of_deployment = _told_places(survey, frame, under)
    met = _met(survey, of_deployment, terms, frame, under)
    effort = _effort(survey, agreement, of_deployment, frame)
    ready = is_ready(frame, on)
    late = met.filter(~ready).height
    met = met.filter(ready)
    effort = _with_met(effort.filter(ready), met, frame)
    watching = placed.filter(pl.col("station").is_in(effort["station"].unique().to_list()))
    kept = _in_company(watching, frame)
    here = kept["station"].to_list()
    effort = effort.filter(pl.col("station").is_in(here))
    tables = {
        "stations": _only(
            kept, STATIONS, ("station", "x", "y", "cell", "uncertainty_m"), frame.columns.get("stations")
        ),
        "effort": _only(effort, EFFORT, EFFORT.names(), frame.columns.get("effort")),
        "encounters": conform(met.filter(pl.col("station").is_in(here)), ENCOUNTERS),
    }
    order = {"stations": ["station"], "effort": ["station", "period"], "encounters": ENCOUNTERS.names()}
    out = {name: table.sort(order[name], nulls_last=True) for name, table in tables.items()}
    alone = named.height - placed.height + watching.height - kept.height
    return out, _stays(survey, terms, alone, late)


def _in_company(stations: pl.DataFrame, frame: Frame) -> pl.DataFrame:
    """Stations in cells that enough of those share that leave: one whose periods stay does not hide another."""
    return stations if frame.cell is None else stations.filter(pl.len().over("x", "y", "cell") >= frame.least_stations)


def met_as(survey: Survey, terms: Mapping[str, Terms], frame: Frame, under: Under) -> pl.DataFrame:
    """Which animals were met in the periods, and at the stations, that leave: the table ENCOUNTERS by these terms.

    With terms of one's own it is no release: codes may be in it.
    """
    _, _, of_deployment = _told_places(survey, frame, under)
    return _met(survey, of_deployment, terms, frame, under).filter(is_ready(frame, under.on))


def _told_places(survey: Survey, frame: Frame, under: Under) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Stations by the names under which they leave: all, those that may leave, and where each deployment stood."""
    agreement, pseudonyms = under.agreement, under.pseudonyms
    places = _places(survey, agreement, frame)
    named = places.table.with_columns(
        station=pl.Series(
            [pseudonyms.names[_station_name(survey, key)] for key in places.table["key"]], dtype=pl.String
        ),
        # People write into it what they like: which cameras are alike leaves, and of names those that are agreed.
        camera_type=pl.col("camera_type").map_elements(
            lambda model: agreement.cameras.named(model) or pseudonyms.names["camera", survey.party, model],
            return_dtype=pl.String,
        ),
    )
    placed = named.filter(pl.col("cell").is_not_null()) if frame.cell is not None else named
    of_deployment = pl.DataFrame(
        {"deployment": list(places.of_deployment), "key": list(places.of_deployment.values())},
        schema={"deployment": pl.String, "key": pl.String},
    ).join(placed.select("key", "station", "detector"), on="key")
    return named, placed, of_deployment


def stations_told(survey: Survey, frame: Frame, under: Under) -> dict[str, str]:
    """Deployment -> the pseudonym of its station, whether or not that leaves."""
    of_deployment = _places(survey, under.agreement, frame).of_deployment
    return {one: under.pseudonyms.names[_station_name(survey, key)] for one, key in of_deployment.items()}


def _station_name(survey: Survey, key: str) -> Name:
    return ("station", survey.party, survey.dataset, key)


def _places(survey: Survey, agreement: Agreement, frame: Frame) -> _Places:
    """Stations with their cells. A station that was moved from one cell to another is one station in each.

    Deployments without a station's name are stations of their own: whether two stood at one spot does not leave.
    """
    grid = agreement.named_grid
    rows = survey.deployments.with_columns(station=pl.coalesce("station", "deployment"), camera_type=_models(agreement))
    has_place = rows.filter(pl.col("x").is_not_null() & pl.col("y").is_not_null()) if frame.cell is not None else rows
    cell = frame.cell if frame.cell is not None else grid.sizes[-1]
    x, y = (has_place[axis].fill_null(0.0).to_numpy().astype(float) for axis in ("x", "y"))
    columns, lines = grid.cells_of(x, y, cell) if frame.cell is not None else (np.zeros(len(x), np.int64),) * 2
    has_place = has_place.with_columns(column=pl.Series(columns), line=pl.Series(lines))
    part = pl.struct("column", "line").rank("dense").over("station")
    key = pl.when(part.max().over("station") > 1).then(pl.concat_str("station", pl.lit("@"), part)).otherwise("station")
    has_place = has_place.with_columns(key=key)
    one = (
        has_place.group_by("key")
        .agg(
            pl.col("x", "y").first(),
            camera_type=_only_one("camera_type"),
            detector=pl.col("detector").fill_null("proximity").min(),
        )
        .sort("key")
    )
    if frame.cell is not None:
        cells = generalised(grid, one["x"].to_numpy(), one["y"].to_numpy(), frame)
        one = one.drop("x", "y").hstack(position_columns(grid, cells))
    else:
        one = one.with_columns(pl.lit(None, pl.Float64).alias(name) for name in ("x", "y", "cell", "uncertainty_m"))
    return _Places(one, dict(has_place.select("deployment", "key").iter_rows()))


def _models(agreement: Agreement) -> pl.Expr:
    """Camera models as written, those that leave by name as the agreement writes them."""
    return pl.col("camera_type").map_elements(
        lambda model: agreement.cameras.named(model) or model, return_dtype=pl.String
    )


def _individuals(survey: Survey) -> Iterator[tuple[str, str, str]]:
    """Taxon, catalogue and code of every identified animal."""
    rows = survey.observations.filter(pl.col("individual").is_not_null() & pl.col("taxon").is_not_null())
    named = rows.select("taxon", pl.col("catalogue").fill_null(CATALOGUE), "individual").unique().sort(pl.all())
    yield from named.iter_rows()


def _met(
    survey: Survey, of_deployment: pl.DataFrame, terms: Mapping[str, Terms | None], frame: Frame, under: Under
) -> pl.DataFrame:
    """One row an animal (or a species not told apart), a station and a period.

    No encounter is at two stations: they are worked out some stations at a time, which takes less memory.
    """
    giving = {taxon: t for taxon, t in terms.items() if t is not None and t.encounters is not None}
    at = of_deployment.select("deployment", "station", "detector")
    n = max(1, survey.observations.height // _ROWS_AT_ONCE)
    part = pl.col("station").rank("dense") % n
    parts = (_met_at(survey, at.filter(part == k), giving, frame, under) for k in range(n))
    return pl.concat(_as_agreed(rows, giving) for rows in parts)


def _met_at(survey: Survey, at: pl.DataFrame, giving: Mapping[str, Terms], frame: Frame, under: Under) -> pl.DataFrame:
    """The same at some stations: those of the deployments in `at`."""
    kept = survey.observations.lazy().filter(
        pl.col("type").fill_null("animal") == "animal",
        pl.col("taxon").is_in(list(giving)),
        pl.col("start").is_not_null(),
    )
    rows = kept.select("deployment", *_OF_ROW).join(at.lazy(), on="deployment").drop("deployment").collect()
    rows = _with_names(rows, survey.party, giving, under)
    day = pl.col("start").dt.convert_time_zone(under.agreement.timezone).dt.date()
    rows = with_bursts(rows, _KEY, BURST_MINUTES).with_columns(day=day)
    rows = rows.with_columns(pl.col("day").min().over("burst"))  # the day that the burst began
    rows = rows.with_columns(period=pl.col("day").dt.truncate(TRUNCATED[frame.resolution]))
    grouped = rows.group_by(*_KEY, "period").agg(
        sex=_only_one("sex"),
        life_stage=pl.col("life_stage").sort_by("start").drop_nulls().last(),
        flank=_both("flank"),
        bursts=pl.col("burst").n_unique(),
        days=pl.col("day").n_unique(),
        detector=pl.col("detector").first(),
    )
    n = pl.when(pl.col("detector") == "count").then("bursts").otherwise("days").cast(pl.Int32)
    return grouped.with_columns(encounters=n)


def _with_names(rows: pl.DataFrame, party: str, giving: Mapping[str, Terms], under: Under) -> pl.DataFrame:
    """Rows with the names under which animals leave, each taxon by its terms."""
    known = rows.select("taxon", pl.col("catalogue").fill_null(CATALOGUE), "individual").drop_nulls().unique()
    names = [
        (taxon, catalogue, code, *name_told(LocalIndividual(party, catalogue, code), terms, terms.encounters, under))
        for taxon, catalogue, code in known.iter_rows()
        for terms in (giving[taxon],)
    ]
    schema = dict.fromkeys(("taxon", "catalogue", "individual", "_catalogue", "_individual"), pl.String)
    table = pl.DataFrame(names, schema=schema, orient="row")
    joined = rows.with_columns(pl.col("catalogue").fill_null(CATALOGUE)).join(
        table, on=["taxon", "catalogue", "individual"], how="left"
    )
    return joined.with_columns(catalogue="_catalogue", individual="_individual").drop("_catalogue", "_individual")


def name_told(
    who: LocalIndividual, terms: Terms, may: frozenset[str] | None, under: Under
) -> tuple[str | None, str | None]:
    """Catalogue and name of an animal as it leaves; nothing where animals leave without a name. `may`: columns.

    A code is none without its catalogue: two animals would become one.
    """
    may = may or frozenset()
    if terms.identity == "none" or "individual" not in may:
        return None, None
    if terms.concordance == "joint-id" and who in under.joint_ids:
        return JOINT, under.joint_ids[who]
    if terms.identity == "code":
        return (who.catalogue, who.code) if "catalogue" in may else (None, None)
    return CATALOGUE, under.pseudonyms.names["individual", *who]


def _as_agreed(rows: pl.DataFrame, giving: Mapping[str, Terms]) -> pl.DataFrame:
    """Each taxon's rows with the columns that its terms give, and without counts that are too small to tell."""
    parts = [pl.DataFrame(schema=ENCOUNTERS)]
    for taxon, terms in sorted(giving.items()):
        of_taxon = rows.filter(pl.col("taxon") == taxon)
        few = pl.col("encounters") < terms.suppress_below
        of_taxon = of_taxon.with_columns(encounters=pl.when(~few).then("encounters"))
        parts.append(_only(of_taxon, ENCOUNTERS, ("station", "period", "taxon"), terms.encounters))
    return pl.concat(parts)


def _effort(survey: Survey, agreement: Agreement, of_deployment: pl.DataFrame, frame: Frame) -> pl.DataFrame:
    """Days watched of each station and period."""
    window = whole_window([survey], agreement.timezone)
    if not window.dated or not of_deployment.height:
        return pl.DataFrame(schema=EFFORT)
    kept = survey.with_tables(
        deployments=survey.deployments.filter(pl.col("deployment").is_in(of_deployment["deployment"].to_list()))
    )
    watched = day_effort(kept, window, dict(of_deployment.select("deployment", "station").iter_rows()))
    periods = [period_of(window.day(k + 1), frame.resolution) for k in range(window.n_days)]
    starts = [0, *(k for k in range(1, len(periods)) if periods[k] != periods[k - 1])]
    labels = [periods[k] for k in starts]
    days = [np.add.reduceat(watched[station], starts) for station in sorted(watched)]
    table = pl.DataFrame(
        {
            "station": pl.Series(sorted(watched)).gather(np.repeat(np.arange(len(days)), len(labels))),
            "period": pl.Series(labels).gather(np.tile(np.arange(len(labels)), len(days))),
            "days_watched": np.concatenate(days),
        },
        schema=EFFORT,
    )
    rounded = table.with_columns(pl.col("days_watched").round(1 if frame.resolution == "day" else 0))
    return rounded.filter(pl.col("days_watched") > 0)


def _with_met(effort: pl.DataFrame, met: pl.DataFrame, frame: Frame) -> pl.DataFrame:
    """Effort with the least that rounding may leave where an animal was met: a camera that saw one was watching."""
    least = 0.1 if frame.resolution == "day" else 1.0
    seen = met.select("station", "period").unique().join(effort, on=["station", "period"], how="anti")
    return pl.concat([effort, seen.with_columns(days_watched=pl.lit(least))])


def _only(
    table: pl.DataFrame, schema: pl.Schema, keys: tuple[str, ...] | list[str], may: frozenset[str] | None
) -> pl.DataFrame:
    """The table with `keys` and the columns that may leave; the others of the schema empty. No rows if none may."""
    if may is None:
        return pl.DataFrame(schema=schema)
    return conform(table.select(name for name in schema if name in keys or name in may), schema)


def _stays(survey: Survey, terms: Mapping[str, Terms | None], unplaced: int, late: int) -> list[Withheld]:
    """What does not leave of a survey, for its owner."""
    by_taxon = dict(survey.observations.drop_nulls("taxon").group_by("taxon").len().iter_rows())
    told = [
        Withheld("no-rule", by_taxon[taxon], taxon)
        for taxon, t in sorted(terms.items())
        if (t is None or t.encounters is None) and not is_people(taxon)
    ]
    of_people = pl.col("taxon").is_in([taxon for taxon in terms if is_people(taxon)])
    people = survey.observations.filter(pl.col("type").is_in(["human", "vehicle"]) | of_people).height
    counted = [
        Withheld("people-and-vehicles", people),
        Withheld("few-stations", unplaced),
        Withheld("too-recent", late),
    ]
    return [*told, *(one for one in counted if one.n)]


def _only_one(column: str) -> pl.Expr:
    """The value that all rows have that have one; null where they differ."""
    first, last = pl.col(column).min(), pl.col(column).max()
    return pl.when(first == last).then(first).alias(column)


def _both(column: str) -> pl.Expr:
    """The flank that all rows show; "both" where they show more than one."""
    first, last = pl.col(column).min(), pl.col(column).max()
    return pl.when(first == last).then(first).when(first.is_not_null()).then(pl.lit("both")).alias(column)
