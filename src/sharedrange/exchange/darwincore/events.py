"""Events of an archive as visits: where, when, how, with which effort, and how completely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from sharedrange.core.contents import COUNT_METHODS, VISITS
from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.exchange.darwincore.archive import ID
from sharedrange.exchange.darwincore.terms import COMPLETE, EFFORT_UNITS, INCOMPLETE
from sharedrange.exchange.delivery import Delivery, is_horizontal
from sharedrange.exchange.opening import shown
from sharedrange.exchange.positions import WGS84, placed
from sharedrange.exchange.tables import FILE, ROW, Column, Sheet, flag, repeated, strangers, typed

MAX_LEVELS = 10  # of events in events
DATED = ("eventDate", "eventTime", "year", "month", "day", "verbatimEventDate")
INVENTORY_COLUMNS = (
    Column(ID, required=True),
    Column("samplingEffortValue", "number", low=0),
    Column("samplingEffortUnit"),
    Column("isTaxonomicScopeFullyReported", "flag"),
    Column("taxonCompletenessReported"),
    Column("protocolNames"),
    Column("absentTaxa"),
)
_EVENT_COLUMNS = (
    Column(ID, required=True),
    Column(FILE),
    Column("parentEventID"),
    Column("locationID"),
    Column("locality"),
    Column("decimalLatitude", "number", low=-90, high=90, private=True),
    Column("decimalLongitude", "number", low=-180, high=180, private=True),
    Column("geodeticDatum"),
    Column("coordinateUncertaintyInMeters", "number", low=0),
    Column("samplingProtocol"),
    Column("sampleSizeValue", "number", low=0),
    Column("sampleSizeUnit"),
    Column("given"),
    Column("start", "time"),
    Column("end", "time"),
)
READ = (*(column.name for column in _EVENT_COLUMNS), *DATED, "eventID")
_WGS84_NAMES = ("wgs84", "wgs 84", "wgs1984", "wgs 1984", "world geodetic system 1984", "epsg:4326")
_UNSAID = ("unknown", "not recorded", "not recorded (forced wgs84)", "unrecorded")
_DAY = r"^\d{4}-\d{2}-\d{2}$"
_VAGUE = r"^\d{4}(-\d{2})?$"


def typed_events(core: Sheet, delivery: Delivery) -> tuple[Sheet, list[Finding]]:
    """The events of a core with typed columns, positions `x`, `y` in WGS 84, and what they take from their parents."""
    sheet, found = _timed(core)
    sheet, more = typed(sheet, _EVENT_COLUMNS, delivery.timezone)
    found += _about_dates(more)
    sheet, more = _positioned(sheet, delivery)
    return _inherited(sheet), [*found, *more]


# --- when ---


def _timed(core: Sheet) -> tuple[Sheet, list[Finding]]:
    """`core` with the texts `start`, `end` in ISO 8601 and `given`, as delivered. An event of a day lasts the day."""
    blank = [pl.lit(None, dtype=pl.String).alias(name) for name in DATED if not core.has(name)]
    sheet = core.with_rows(core.rows.with_columns(blank))
    parts = [pl.col("year").str.zfill(4), pl.col("month").str.zfill(2), pl.col("day").str.zfill(2)]
    text = pl.coalesce("eventDate", pl.concat_str(parts, separator="-"))
    first, second = _interval(text)
    opening, closing = _clocks()
    vague = first.str.contains(_VAGUE) | second.str.contains(_VAGUE).fill_null(value=False)
    readable = pl.col("eventTime").is_null() | opening.is_not_null()
    severity = Severity.WARNING
    found = flag(sheet, vague, "dwca-vague-date", field="eventDate", facts={"value": text}, severity=severity)
    value = {"value": pl.col("eventTime")}
    found += flag(sheet, ~readable, "dwca-event-time", field="eventTime", facts=value, severity=severity)
    given = pl.coalesce("verbatimEventDate", pl.concat_str([text, pl.col("eventTime")], separator=" "), text)
    times = [
        given.alias("given"),
        pl.when(~vague).then(_start(first, opening)).alias("start"),
        pl.when(~vague).then(_end(first, second, opening, closing)).alias("end"),
    ]
    return sheet.with_rows(sheet.rows.with_columns(times)), found


def _interval(text: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Both ends of an ISO 8601 interval; what the second leaves out is that of the first (``2024-03-01/05``)."""
    pieces = text.str.splitn("/", 2).struct
    first, second = pieces.field("field_0").str.strip_chars(), pieces.field("field_1").str.strip_chars()
    whole = (
        pl.when(second.str.contains(r"^\d{2}$"))
        .then(first.str.head(8) + second)
        .when(second.str.contains(r"^\d{2}-\d{2}$"))
        .then(first.str.head(5) + second)
        .when(second.str.contains(r"^\d{2}:\d{2}"))
        .then(first.str.head(11) + second)
        .otherwise(second)
    )
    return first, whole


def _clocks() -> tuple[pl.Expr, pl.Expr]:
    """Both ends of `eventTime`, which may be an interval; null where it is no time of day."""
    pieces = pl.col("eventTime").str.splitn("/", 2).struct
    clocks = []
    for name in ("field_0", "field_1"):
        clock = pieces.field(name).str.strip_chars().str.strip_prefix("T")
        two_digits = pl.when(clock.str.contains(r"^\d:")).then("0" + clock).otherwise(clock)
        clocks.append(pl.when(two_digits.str.contains(r"^\d{2}:\d{2}")).then(two_digits))
    return clocks[0], clocks[1]


def _start(first: pl.Expr, opening: pl.Expr) -> pl.Expr:
    by_day = first + "T" + opening.fill_null("00:00")
    return pl.when(first.str.contains(_DAY)).then(by_day).otherwise(first)


def _end(first: pl.Expr, second: pl.Expr, opening: pl.Expr, closing: pl.Expr) -> pl.Expr:
    """The end of an event; null where only an instant is told."""
    last = pl.coalesce(second, first)
    next_day = last.str.to_date("%Y-%m-%d", strict=False).dt.offset_by("1d").dt.strftime("%Y-%m-%dT00:00")
    by_day = (
        pl.when(closing.is_not_null())
        .then(last + "T" + closing)
        .when(opening.is_null() | second.is_not_null())
        .then(next_day)
    )
    return pl.when(last.str.contains(_DAY)).then(by_day).otherwise(second)


def _about_dates(found: Sequence[Finding]) -> list[Finding]:
    """Findings about `start` and `end` as findings about the column that they come from, each once."""
    named = (
        replace(f, where=replace(f.where, field="eventDate")) if f.where.field in ("start", "end") else f for f in found
    )
    return list(dict.fromkeys(named))


# --- where ---


def _positioned(sheet: Sheet, delivery: Delivery) -> tuple[Sheet, list[Finding]]:
    """Positions as `x`, `y` in WGS 84, each from its own `geodeticDatum`, else from the declared CRS."""
    lower = pl.col("geodeticDatum").str.to_lowercase()
    declared = "" if delivery.crs.startswith("local:") else delivery.crs
    crs = (
        pl.when(lower.is_in(_WGS84_NAMES))
        .then(pl.lit(WGS84))
        .when(lower.is_null() | lower.is_in(_UNSAID))
        .then(pl.lit(declared))
        .otherwise("geodeticDatum")
    )
    rows = sheet.rows.with_columns(
        pl.col("decimalLongitude").alias("x"), pl.col("decimalLatitude").alias("y"), crs.alias("crs")
    )
    done: list[pl.DataFrame] = []
    found: list[Finding] = []
    for (name,), group in rows.group_by("crs", maintain_order=True):
        moved, more = _moved(sheet.with_rows(group), str(name))
        done.append(moved.rows)
        found += more
    return sheet.with_rows(pl.concat(done).sort(FILE, ROW) if done else rows), found


def _moved(sheet: Sheet, crs: str) -> tuple[Sheet, list[Finding]]:
    if not crs or crs == WGS84 or is_horizontal(crs):
        return placed(sheet, crs)
    facts: dict[str, Fact] = {"datum": shown(crs), "rows": sheet.rows.height}
    return sheet, [
        Finding("dwca-datum", facts, Where(sheet.rows[FILE][0], row=sheet.rows[ROW][0], field="geodeticDatum"))
    ]


# --- events in events ---


def _inherited(sheet: Sheet) -> Sheet:
    """Events with the place, time and protocol of the event that they are part of, where they have none."""
    groups = (("x", "y", "coordinateUncertaintyInMeters"), ("start", "end", "given"))
    alone = ("locationID", "locality", "samplingProtocol")
    rows = sheet.rows
    for _ in range(MAX_LEVELS):
        parents = rows.filter(pl.col(ID).is_not_null()).unique(ID, keep="first")
        columns = [*(name for group in groups for name in group), *alone]
        beside = parents.select(pl.col(ID).alias("parentEventID"), pl.col(columns).name.prefix("of parent "))
        joined = rows.join(beside, on="parentEventID", how="left", maintain_order="left")
        filled = [
            pl.when(pl.all_horizontal(pl.col(group).is_null())).then(f"of parent {name}").otherwise(name).alias(name)
            for group in (*groups, *((name,) for name in alone))
            for name in group
        ]
        following = joined.with_columns(filled).select(rows.columns)
        if following.equals(rows):
            break
        rows = following
    return sheet.with_rows(rows)


def visited(events: Sheet, occupied: pl.Series) -> tuple[Sheet, list[Finding]]:
    """The events that are visits: all but those that only hold other events. `occupied`: ids with occurrences."""
    holds = pl.col(ID).is_in(events.rows["parentEventID"].drop_nulls().unique().to_list())
    seen = pl.col(ID).is_in(occupied.drop_nulls().unique().to_list())
    above = (holds & ~seen).fill_null(value=False)
    rows = events.rows.filter(above)
    if rows.is_empty():
        return events, []
    found = [Finding("dwca-parent-events", {"rows": rows.height}, _first(rows), Severity.NOTE)]
    return events.with_rows(events.rows.filter(~above)), found


# --- how ---


def visits_of(events: Sheet, inventory: Sheet | None, measures: pl.DataFrame) -> tuple[Sheet, list[Finding]]:
    """Typed events as visits. `inventory`: typed Humboldt rows; `measures`: columns `ID`, observers, cover_share."""
    found: list[Finding] = []
    rows = events.rows
    if inventory is None:
        rows = rows.with_columns(pl.lit(None, dtype=_TYPES[c.kind]).alias(c.name) for c in INVENTORY_COLUMNS[1:])
    else:
        found += strangers(inventory, ID, rows[ID], "unknown-visit")
        found += repeated(inventory, [ID], "dwca-inventory-twice", {"event": pl.col(ID)})
        once = inventory.rows.drop(ROW, FILE).drop_nulls(ID).unique(ID, keep="first")
        rows = rows.join(once, on=ID, how="left", maintain_order="left")
    rows = rows.join(measures, on=ID, how="left", maintain_order="left")
    sheet, more = _with_effort(events.with_rows(rows))
    found += more
    sheet, more = _with_method(sheet)
    complete = _said_complete()
    visits = sheet.rows.select(
        pl.col(ROW, FILE),
        pl.col(ID).alias("visit"),
        pl.coalesce("locationID", "locality").alias("site"),
        pl.col("x", "y", "start", "end"),
        pl.col("given").alias("start_text"),
        pl.col("method", "effort", "effort_unit", "observers"),
        complete.alias("complete"),
        pl.col("cover_share"),
        pl.col("coordinateUncertaintyInMeters").alias("uncertainty_m"),
    )
    return Sheet(events.file, visits.select(ROW, FILE, *VISITS)), [*found, *more]


_TYPES = {"text": pl.String(), "number": pl.Float64(), "flag": pl.Boolean()}


def _said_complete() -> pl.Expr:
    """Whether what is not listed was not there: true if the archive says so, false if anything in it says no.

    `isAbsenceReported` says only that absences are listed, not that all are: it makes no zeros.
    """
    fully, assessed = pl.col("isTaxonomicScopeFullyReported"), pl.col("taxonCompletenessReported")
    no = (fully == False) | (assessed == INCOMPLETE)  # noqa: E712  (an expression, where null stays null)
    yes = fully | (assessed == COMPLETE)
    return (
        pl.when(no.fill_null(value=False))
        .then(pl.lit(value=False))
        .when(yes.fill_null(value=False))
        .then(pl.lit(value=True))
    )


def _with_effort(sheet: Sheet) -> tuple[Sheet, list[Finding]]:
    """`effort` and `effort_unit`: those of the Humboldt terms, else the size of the sample."""
    from_inventory = pl.col("samplingEffortValue").is_not_null()
    value = pl.coalesce("samplingEffortValue", "sampleSizeValue")
    unit = pl.when(from_inventory).then("samplingEffortUnit").otherwise("sampleSizeUnit")
    plain = unit.str.to_lowercase().str.replace_all(r"[\s_-]+", " ").str.strip_chars(" .")
    factors = {word: factor for word, (factor, _) in EFFORT_UNITS.items()}
    kept = {word: ours for word, (_, ours) in EFFORT_UNITS.items()}
    known = plain.replace_strict(kept, default=None, return_dtype=pl.String)
    effort = value * plain.replace_strict(factors, default=None, return_dtype=pl.Float64)
    strange = value.is_not_null() & known.is_null()
    facts = {"unit": unit.fill_null("?"), "known": pl.lit("minutes, hours, km, m, trap days")}
    found = flag(sheet, strange, "dwca-effort-unit", facts=facts, severity=Severity.WARNING)
    told = pl.when(effort.is_not_null()).then(known)
    return sheet.with_rows(sheet.rows.with_columns(effort.alias("effort"), told.alias("effort_unit"))), found


def _with_method(sheet: Sheet) -> tuple[Sheet, list[Finding]]:
    """`method`: the protocol where it is one of our words, else ``other``, with a note for each protocol."""
    protocol = pl.coalesce("protocolNames", "samplingProtocol")
    word = protocol.str.to_lowercase().str.strip_chars().str.replace_all(r"[\s_]+", "-")
    rows = sheet.rows.with_columns(
        pl.when(word.is_in(COUNT_METHODS)).then(word).otherwise(pl.lit("other")).alias("method")
    )
    strange = rows.filter(~word.is_in(COUNT_METHODS).fill_null(value=False)).group_by(
        protocol.fill_null("?").alias("protocol"), maintain_order=True
    )
    found = [
        Finding(
            "dwca-method",
            {"protocol": shown(name), "rows": rows_, "known": ", ".join(COUNT_METHODS)},
            at,
            Severity.NOTE,
        )
        for name, rows_, at in (
            (name, size, Where(file, row=row, field="samplingProtocol"))
            for name, size, file, row in strange.agg(
                pl.len(), pl.col(FILE).first(), pl.col(ROW).first().alias("first row")
            ).iter_rows()
        )
    ]
    return sheet.with_rows(rows), found


def _first(rows: pl.DataFrame) -> Where:
    return Where(rows[FILE][0], row=rows[ROW][0])
