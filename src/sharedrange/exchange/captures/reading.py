"""Door `captures`: capture and trap tables, as secr's text files or as CSV with a header.

What is read is an undated survey: captures by session and occasion, and effort for every trap, session and
occasion. A row of a capture file is an observation of the survey or is named by a finding; an error keeps the
survey away, a warning or a note does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from sharedrange.core.files import folder_hash
from sharedrange.core.finding import Finding, Severity, Where, errors
from sharedrange.core.places import to_wgs84
from sharedrange.core.survey import DEPLOYMENTS, DETECTORS, EFFORT, OBSERVATIONS, Survey, conform
from sharedrange.exchange.captures.files import Tables, read_tables, without_empty_sessions
from sharedrange.exchange.delivery import FILE_NAME, MAX_OCCASIONS, Delivery
from sharedrange.exchange.opening import open_path, shown
from sharedrange.exchange.positions import about_zeros
from sharedrange.exchange.tables import EVERY, ROW, Column, Sheet, flag, gathered, repeated, typed

MAX_EFFORT_ROWS = 20_000_000  # traps x sessions x occasions; 1000 traps for 54 years of days
WGS84 = "EPSG:4326"

_SEX = {"f": "female", "female": "female", "m": "male", "male": "male"}
_NO_SEX = dict.fromkeys(("u", "unknown", "?"), "")
_STAGE = {"adult": "adult", "subadult": "subadult", "juvenile": "juvenile", "cub": "juvenile"}
_FLANK = {"left": "left", "l": "left", "right": "right", "r": "right", "both": "both", "b": "both"}
_TRAITS = ("sex", "life_stage", "flank", "catalogue")
_TRAP_COLUMNS = (
    Column("session"),
    Column("trap", required=True),
    Column("x", "number", required=True, private=True),
    Column("y", "number", required=True, private=True),
    Column("detector", "word", words={name: name for name in DETECTORS}),
    Column("camera_type"),
    Column("uncertainty_m", "number", low=0),
)
_USAGE_COLUMNS = (
    Column("session"),
    Column("trap", required=True),
    Column("occasion", "whole", required=True, low=1, high=MAX_OCCASIONS),
    Column("effort", "number", required=True, low=0),
)


def _trait_columns(delivery: Delivery) -> tuple[Column, ...]:
    """Covariates of an animal; 0 and 1 are sexes only where the delivery says which is which."""
    return (
        Column("sex", "word", words={**_SEX, **_NO_SEX, **delivery.sexes}),
        Column("life_stage", "word", words=_STAGE),
        Column("flank", "word", words=_FLANK),
        Column("catalogue"),
    )


def _individual_columns(delivery: Delivery) -> tuple[Column, ...]:
    return (Column("session"), Column("id", required=True), *_trait_columns(delivery))


def _capture_columns(delivery: Delivery) -> tuple[Column, ...]:
    return (
        Column("session", required=True),
        Column("id", required=True),
        Column("occasion", "whole", required=True, low=1, high=MAX_OCCASIONS),
        Column("trap", required=True),
        Column("count", "whole", low=1),
        *_trait_columns(delivery),
        Column("taxon"),
    )


@dataclass(frozen=True, slots=True)
class Layout:
    """Which trap stood where and ran when.

    `stands`: a row a session and trap, with its deployment, position and detector;
    `effort`: session, trap, occasion, effort; `occasions`: session -> number of occasions.
    """

    stands: pl.DataFrame
    effort: pl.DataFrame
    occasions: Mapping[str, int]


def read(folder: Path, delivery: Delivery) -> tuple[Survey | None, tuple[Finding, ...]]:
    """The survey of a delivery (folder or zip) of capture and trap tables; None if a finding is an error."""
    opened, found = open_path(folder)
    if opened is None:
        return None, tuple(found)
    tables, found = read_tables(opened, delivery)
    found += _undeclared(delivery, tables)
    if not tables.captures or not tables.traps:
        return None, tuple(found)
    survey, more = _survey(tables, delivery)
    found += more
    if survey is None or errors(found):
        return None, tuple(found)
    return replace(survey, source=folder_hash(folder)), tuple(found)


def _undeclared(delivery: Delivery, tables: Tables) -> list[Finding]:
    """What neither delivery.toml nor the files say."""
    found = []
    if not delivery.crs:
        found.append(Finding("missing-crs", {}, Where(file=FILE_NAME, field="crs")))
    if not delivery.taxon and not all(_says(sheet, "taxon") for sheet in tables.captures):
        found.append(Finding("missing-taxon", {}, Where(file=FILE_NAME, field="taxon")))
    if not delivery.detector and not all(_says(sheet, "detector") for sheet in tables.traps):
        found.append(Finding("missing-detector", {"known": ", ".join(DETECTORS)}, Where(FILE_NAME, field="detector")))
    return found


def _says(sheet: Sheet, column: str) -> bool:
    """Whether a table has the column and any value in it."""
    return sheet.has(column) and not sheet.rows[column].is_null().all()


def _left_empty(sheet: Sheet, column: str, declared: str) -> list[Finding]:
    """A finding for each row without a value where others have one and none is declared for all."""
    some = pl.col(column).is_not_null().any()
    wrong = pl.col(column).is_null() & some & pl.lit(value=not declared)
    return flag(sheet, wrong, "missing-value", field=column)


def _survey(tables: Tables, delivery: Delivery) -> tuple[Survey | None, list[Finding]]:
    given, empty, found = without_empty_sessions(tables.captures)
    captures, found_captures = _typed(given, _capture_columns(delivery))
    traps, found_traps = _typed(tables.traps, _TRAP_COLUMNS)
    usage, found_usage = _typed(tables.usage, _USAGE_COLUMNS)
    people, found_people = _typed(tables.individuals, _individual_columns(delivery))
    traps, found_positions = _placed(traps, delivery.crs)
    layout, found_layout = _layout(captures, traps, usage, delivery, empty)
    found += [*found_captures, *found_traps, *found_usage, *found_people, *found_positions, *found_layout]
    found += _left_empty(captures, "taxon", delivery.taxon) + _left_empty(traps, "detector", delivery.detector)
    found += _unused_columns(tables, delivery)
    if layout is None:
        return None, found
    captures = _described(captures, layout, people, delivery)
    found += [*_wrong_captures(captures), *_conflicting_sexes(captures), *_not_captured(people, captures)]
    return (None if errors(found) else _built(captures, layout, delivery)), found


def _typed(sheets: Sequence[Sheet], columns: Sequence[Column]) -> tuple[Sheet, list[Finding]]:
    """Sheets typed and gathered; a null session becomes `EVERY`, but not in a sheet that names sessions."""
    found: list[Finding] = []
    required = any(column.name == "session" and column.required for column in columns)
    every = pl.col("session") if required else pl.col("session").fill_null(EVERY)
    done = []
    for sheet in sheets:
        values, wrong = typed(sheet, columns)
        found += wrong
        if not required and not values.rows["session"].is_null().all():
            found += flag(values, pl.col("session").is_null(), "missing-value", field="session")
        done.append(values.with_rows(values.rows.with_columns(every)))
    if not done:
        empty, _ = typed(Sheet("", pl.DataFrame(schema={ROW: pl.Int64})), columns)
        done = [empty.with_rows(empty.rows.with_columns(every))]
    return gathered(done), found


def _unused_columns(tables: Tables, delivery: Delivery) -> list[Finding]:
    """A note for each column that nothing reads."""
    read_columns = {
        "captures": _capture_columns(delivery),
        "traps": _TRAP_COLUMNS,
        "usage": _USAGE_COLUMNS,
        "individuals": _individual_columns(delivery),
    }
    return [
        Finding("unused-column", {"column": shown(name.strip())}, Where(sheet.file, row=1), Severity.NOTE)
        for role, columns in read_columns.items()
        for sheet in getattr(tables, role)
        for name in sheet.rows.columns
        if name != ROW and name not in {column.name for column in columns}
    ]


# --- places ---


def _placed(traps: Sheet, crs: str) -> tuple[Sheet, list[Finding]]:
    """Traps with `x`, `y` in the frame that surveys keep: WGS 84, or metres of the local frame."""
    if not crs or crs.startswith("local:"):
        return traps, []
    known = pl.col("x").is_not_null() & pl.col("y").is_not_null()
    x, y = (traps.rows[name].fill_null(0.0).to_numpy() for name in ("x", "y"))
    longitude, latitude = to_wgs84(crs, x, y)
    on_earth = (np.abs(longitude) <= 180) & (np.abs(latitude) <= 90)  # false where PROJ answers infinity
    placed = traps.with_rows(
        traps.rows.with_columns(
            pl.when(known).then(pl.Series("x", longitude)).alias("x"),
            pl.when(known).then(pl.Series("y", latitude)).alias("y"),
            pl.Series("on Earth", on_earth),
        )
    )
    facts = {"trap": pl.col("trap"), "crs": pl.lit(crs)}
    outside = flag(placed, known & ~pl.col("on Earth"), "position-outside-crs", field="x", facts=facts)
    return placed, [*about_zeros(traps, Severity.ERROR), *outside]  # a trap without a place cannot be used


# --- who stood where and ran when ---


def _layout(
    captures: Sheet, traps: Sheet, usage: Sheet, delivery: Delivery, empty: Sequence[str]
) -> tuple[Layout | None, list[Finding]]:
    found = repeated(traps, ["session", "trap"], "duplicate-trap", {"trap": pl.col("trap")})
    sessions = _sessions(captures, traps, delivery, empty)
    if traps.rows.height and not sessions:  # the traps would be lost without a word
        found.append(Finding("no-session", {"traps": traps.rows.height}, _AT_OCCASIONS))
    if len(sessions) * traps.rows.height > MAX_EFFORT_ROWS:
        return None, [*found, _too_much_effort(len(sessions) * traps.rows.height)]
    stands, moved = _stands(traps, sessions)
    occasions, inferred = _occasions(sessions, captures, usage, delivery)
    found += [*moved, *inferred]
    rows = sum(occasions.get(session, 0) for session in stands["session"])
    if rows > MAX_EFFORT_ROWS or usage.rows.height * len(sessions) > MAX_EFFORT_ROWS:
        return None, [*found, _too_much_effort(max(rows, usage.rows.height * len(sessions)))]
    effort, wrong = _effort(stands, usage, occasions)
    return Layout(stands, effort, occasions), [*found, *wrong]


def _too_much_effort(rows: int) -> Finding:
    return Finding("too-much-effort", {"rows": rows, "limit": MAX_EFFORT_ROWS}, Where(table="usage"))


def _sessions(captures: Sheet, traps: Sheet, delivery: Delivery, empty: Sequence[str]) -> list[str]:
    """Sessions of the survey: those of the traps; where traps hold for every session, all that are named."""
    named = set(traps.rows["session"]) - {EVERY}
    if EVERY in set(traps.rows["session"]):
        named |= {*captures.rows["session"].drop_nulls(), *empty, *delivery.occasions, *delivery.sessions}
    return sorted(named)


def _stands(traps: Sheet, sessions: Sequence[str]) -> tuple[pl.DataFrame, list[Finding]]:
    """A row a session and trap. A trap that differs between sessions is a deployment a session."""
    rows = traps.rows.filter(pl.col("trap").is_not_null())
    every = rows.filter(pl.col("session") == EVERY).drop("session")
    each = every.join(pl.DataFrame({"session": sessions}, schema={"session": pl.String}), how="cross")
    stands = pl.concat([rows.filter(pl.col("session") != EVERY), each.select(rows.columns)])
    stands = stands.unique(["session", "trap"], keep="first", maintain_order=True)
    differs = pl.struct("x", "y", "uncertainty_m", "camera_type", "detector").n_unique().over("trap") > 1
    name = pl.when(differs).then(pl.col("trap") + "@" + pl.col("session")).otherwise("trap")
    stands = stands.with_columns(name.alias("deployment"), differs.alias("differs"))
    return stands, _moved(Sheet(traps.file, stands))


def _moved(stands: Sheet) -> list[Finding]:
    first = pl.col("trap").is_first_distinct()
    facts = {"trap": pl.col("trap")}
    clash = pl.col("trap").n_unique().over("deployment") > 1
    return [
        *flag(stands, pl.col("differs") & first, "trap-moved", facts=facts, severity=Severity.NOTE),
        *flag(stands, clash, "duplicate-trap", facts={**facts, "first_row": pl.col(ROW).first().over("deployment")}),
    ]


def _occasions(
    sessions: Sequence[str], captures: Sheet, usage: Sheet, delivery: Delivery
) -> tuple[dict[str, int], list[Finding]]:
    """Number of occasions of each session: declared, else of the usage, else the last with a capture (warned)."""
    used, caught = _last(usage), _last(captures)
    occasions: dict[str, int] = {}
    found = []
    for session in sessions:
        known = delivery.occasions.get(session) or max(used.get(session, 0), used.get(EVERY, 0))
        if not known:
            known = caught.get(session, 0)
            rule, severity = (
                ("occasions-inferred", Severity.WARNING) if known else ("occasions-unknown", Severity.ERROR)
            )
            found.append(Finding(rule, {"session": shown(session), "occasions": known}, _AT_OCCASIONS, severity))
        occasions[session] = known
    strange = sorted(set(delivery.occasions) - set(sessions))
    found += [Finding("unknown-session", {"session": shown(session)}, _AT_OCCASIONS) for session in strange]
    return occasions, found


_AT_OCCASIONS = Where(file=FILE_NAME, field="occasions")


def _last(sheet: Sheet) -> dict[str, int]:
    """Session -> greatest occasion in the sheet."""
    rows = sheet.rows.filter(pl.col("occasion").is_between(1, MAX_OCCASIONS) & pl.col("session").is_not_null())
    return dict(rows.group_by("session").agg(pl.col("occasion").max()).iter_rows())


def _effort(stands: pl.DataFrame, usage: Sheet, occasions: Mapping[str, int]) -> tuple[pl.DataFrame, list[Finding]]:
    """Effort of every trap, session and occasion: as the usage says, or 1 where no usage is given."""
    last = pl.col("session").replace_strict(dict(occasions), default=0, return_dtype=pl.Int32)
    grid = stands.select("session", "trap", pl.int_ranges(1, last + 1, dtype=pl.Int32).alias("occasion"))
    grid = grid.filter(pl.col("occasion").list.len() > 0).explode("occasion")
    if usage.rows.is_empty():
        return grid.with_columns(effort=pl.lit(1.0)), []
    found = _wrong_usage(usage, stands, occasions)
    key = ["session", "trap", "occasion"]
    every = usage.rows.filter(pl.col("session") == EVERY).drop("session").join(stands["session", "trap"], on="trap")
    given = pl.concat([usage.rows.filter(pl.col("session") != EVERY), every.select(usage.rows.columns)])
    given = given.select(*key, "effort").unique(key, keep="first")
    effort = grid.join(given, on=key, how="left", maintain_order="left")
    return effort, [*found, *_usage_missing(effort, given, usage.file)]


def _wrong_usage(usage: Sheet, stands: pl.DataFrame, occasions: Mapping[str, int]) -> list[Finding]:
    known = pl.concat([stands["session", "trap"], stands.select(pl.lit(EVERY).alias("session"), "trap")]).unique()
    rows = usage.rows.join(
        known.with_columns(known=pl.lit(value=True)), on=["session", "trap"], how="left", maintain_order="left"
    )
    last = pl.col("session").replace_strict(
        {**occasions, EVERY: max(occasions.values(), default=0)}, default=None, return_dtype=pl.Int32
    )
    usage = usage.with_rows(rows.with_columns(last.alias("last")))
    facts = {"trap": pl.col("trap"), "session": pl.col("session")}
    strange = pl.col("known").is_null() & pl.col("trap").is_not_null()
    return [
        *flag(usage, strange, "unknown-trap", field="trap", facts=facts),
        *_beyond_last(usage),
        *repeated(usage, ["session", "trap", "occasion"], "duplicate-usage", facts),
    ]


def _beyond_last(sheet: Sheet) -> list[Finding]:
    facts = {"session": pl.col("session"), "occasion": pl.col("occasion"), "last": pl.col("last")}
    wrong = pl.col("occasion") > pl.col("last")
    return flag(sheet, wrong, "occasion-out-of-range", field="occasion", facts=facts)


def _usage_missing(effort: pl.DataFrame, given: pl.DataFrame, file: str) -> list[Finding]:
    """A finding for each trap and session that the usage leaves without effort on some occasion."""
    listed = given.with_columns(listed=pl.lit(value=True)).drop("effort")
    holes = effort.join(listed, on=["session", "trap", "occasion"], how="left").filter(pl.col("listed").is_null())
    counted = holes.group_by("session", "trap", maintain_order=True).agg(pl.len().alias("n"))
    return [
        Finding("usage-missing", {"session": shown(session), "trap": shown(trap), "occasions": n}, Where(file=file))
        for session, trap, n in counted.iter_rows()
    ]


# --- captures ---


def _described(captures: Sheet, layout: Layout, people: Sheet, delivery: Delivery) -> Sheet:
    """Captures beside the trap that made them, its effort then, and what is known of the animal."""
    traps = layout.stands.select("session", "trap", "deployment", "detector", known=pl.lit(value=True))
    last = pl.col("session").replace_strict(dict(layout.occasions), default=None, return_dtype=pl.Int32)
    rows = captures.rows.join(traps, on=["session", "trap"], how="left", maintain_order="left")
    rows = rows.join(layout.effort, on=["session", "trap", "occasion"], how="left", maintain_order="left")
    one = people.rows.unique(["session", "id"], keep="first", maintain_order=True)
    in_session = one.filter(pl.col("session") != EVERY).select("session", "id", *_TRAITS)
    always = one.filter(pl.col("session") == EVERY).select("id", *_TRAITS)
    rows = rows.join(in_session, on=["session", "id"], how="left", suffix=" listed", maintain_order="left")
    rows = rows.join(always, on="id", how="left", suffix=" always", maintain_order="left")
    traits = {name: pl.coalesce(name, f"{name} listed", f"{name} always").replace("", None) for name in _TRAITS}
    listed = pl.coalesce("sex listed", "sex always").replace("", None)
    rows = rows.with_columns(listed.alias("sex listed"), last.alias("last"), **traits)
    return captures.with_rows(
        rows.with_columns(
            _else("catalogue", delivery.catalogue),
            _else("detector", delivery.detector),
            _else("taxon", delivery.taxon),
            pl.col("count").fill_null(1),
        )
    )


def _else(column: str, declared: str) -> pl.Expr:
    """A column, and what the delivery declares where it is null."""
    return pl.coalesce(column, pl.lit(declared or None, dtype=pl.String))


def _wrong_captures(captures: Sheet) -> list[Finding]:
    who = ["catalogue", "session", "id", "occasion"]
    facts = {name: pl.col(name) for name in ("id", "trap", "session", "occasion")}
    strange = pl.col("known").is_null() & pl.col("trap").is_not_null() & pl.col("session").is_not_null()
    binary = captures.with_rows(captures.rows.filter(pl.col("detector") == "proximity"))
    caught = captures.with_rows(captures.rows.filter(pl.col("detector").is_in(["multi", "single"])))
    rule = "repeat-at-proximity"
    return [
        *flag(captures, strange, "unknown-trap", field="trap", facts={n: facts[n] for n in ("trap", "session")}),
        *_beyond_last(captures),
        *flag(captures, pl.col("effort") == 0, "trap-not-running", field="occasion", facts=facts),
        *flag(binary, pl.col("count") > 1, rule, field="count", facts={**facts, "first_row": pl.col(ROW)}),
        *repeated(binary, [*who, "trap"], rule, facts),
        *repeated(caught, who, "two-captures-one-occasion", facts),
    ]


def _conflicting_sexes(captures: Sheet) -> list[Finding]:
    """A warning where an animal's sex first differs from what an earlier row says."""
    animal = ["catalogue", "id"]
    first = pl.col("sex").drop_nulls().first().over(animal)
    other = pl.when(pl.col("sex") != first).then("sex").when(pl.col("sex listed") != first).then("sex listed")
    sheet = captures.with_rows(captures.rows.with_columns(other.alias("other"), first.alias("first")))
    once = pl.struct(*animal, "other").is_first_distinct()
    facts = {"id": pl.col("id"), "first": pl.col("first"), "other": pl.col("other")}
    wrong = pl.col("other").is_not_null() & once
    return flag(sheet, wrong, "conflicting-sexes", field="sex", facts=facts, severity=Severity.WARNING)


def _not_captured(people: Sheet, captures: Sheet) -> list[Finding]:
    """A note for each listed animal without a capture, and an error for one that is listed twice."""
    seen = captures.rows.select("session", "id").unique()
    anywhere = seen.select(pl.lit(EVERY).alias("session"), "id").unique()
    known = pl.concat([seen, anywhere]).with_columns(seen=pl.lit(value=True))
    sheet = people.with_rows(people.rows.join(known, on=["session", "id"], how="left", maintain_order="left"))
    facts = {"id": pl.col("id")}
    alone = pl.col("seen").is_null() & pl.col("id").is_not_null()
    return [
        *flag(sheet, alone, "individual-not-captured", field="id", facts=facts, severity=Severity.NOTE),
        *repeated(people, ["session", "id"], "duplicate-individual", facts),
    ]


# --- the survey ---


def _built(captures: Sheet, layout: Layout, delivery: Delivery) -> Survey:
    local = delivery.crs.startswith("local:")
    deployments = layout.stands.unique("deployment", keep="first", maintain_order=True).with_columns(
        pl.col("trap").alias("station"), _else("detector", delivery.detector)
    )
    names = layout.stands.select("session", "trap", "deployment")
    effort = layout.effort.join(names, on=["session", "trap"], how="left", maintain_order="left")
    observations = captures.rows.with_columns(
        pl.int_range(1, pl.len() + 1).cast(pl.String).alias("observation"),
        pl.col("id").alias("individual"),
        pl.lit("animal").alias("type"),
    )
    return Survey(
        party=delivery.party,
        dataset=delivery.dataset,
        frame=delivery.crs if local else WGS84,
        dated=False,
        deployments=conform(deployments, DEPLOYMENTS),
        observations=conform(observations, OBSERVATIONS),
        effort=conform(effort, EFFORT),
        kind="capture",
    )
