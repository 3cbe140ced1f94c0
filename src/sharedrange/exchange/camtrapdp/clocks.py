"""Camera clocks: never set, an hour or a year off, reset, or not agreeing with the camera beside it.

All are warnings: a wrong clock is corrected by the people who know it, as a recorded step, never by us. Looked at are
the media (a camera's own times) against the deployment (a person's notebook), the observations and the neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.core.finding import Severity
from sharedrange.exchange.camtrapdp.broken import Broken, broken
from sharedrange.exchange.camtrapdp.cells import long_texts
from sharedrange.exchange.camtrapdp.constraints import TEXT, Table
from sharedrange.exchange.camtrapdp.meaning import beside_deployments
from sharedrange.exchange.tables import ROW

EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)  # before any digital camera trap
SPARE = timedelta(days=1)  # a package may be made on the last day of its data, in another time zone
SHIFTS = {  # slips that people and cameras make, the smallest first
    **{f"{hours} h": timedelta(hours=hours) for hours in range(1, 13)},  # summer time, a time zone, noon for midnight
    "1 d": timedelta(days=1),
    "30 d": timedelta(days=30),
    "31 d": timedelta(days=31),
    "365 d": timedelta(days=365),
    "366 d": timedelta(days=366),
}
RESET_WITHIN = timedelta(days=3)  # after the first of January, when a battery was changed
SLIGHT = timedelta(seconds=1)  # media and observations are rounded to seconds
MIN_ALIKE = 3  # media that must tell the same story
BURST_S = 60  # photographs of one passage
SEARCHED_S = 26 * 3600  # how far two clocks beside each other may differ
BIN_S = 60
MIN_MEETINGS = 6  # passages that both cameras saw
MIN_SHARE = 0.3  # of the passages of the camera that saw fewer
MAX_PASSAGES = 3000  # of a camera, that are compared
_BEFORE_S, _APART_S = 10**11, 10**12  # more than the seconds before 1970, and between any two times
MAX_PAIRS = 5000  # cameras beside each other, that are compared


def check_clocks(tables: Mapping[str, Table], created: datetime | None, at: pl.Series) -> list[Broken]:
    """Everything of this module. `created`: when the package was made, the latest that a time can be.

    `at`: where in the media each observation's medium stands, null where it does not.
    """
    deployments, media, observations = (tables[name] for name in ("deployments", "media", "observations"))
    return [
        *_implausible(deployments, "deployments", ("deploymentStart", "deploymentEnd"), created),
        *_implausible(media, "media", ("timestamp",), created),
        *_implausible(observations, "observations", ("eventStart",), created),
        *_beside_notebook(media, deployments),
        *_beside_observations(media, observations, at),
        *_beside_neighbours(media, deployments),
    ]


def _implausible(table: Table, name: str, columns: tuple[str, ...], created: datetime | None) -> list[Broken]:
    """Times before there were camera traps, or after the package was made."""
    last = datetime.max.replace(tzinfo=UTC)
    latest = last if created is None or created > last - SPARE else created + SPARE
    found: list[Broken] = []
    for column in columns:
        at = table.rows[column]
        if at.len() == at.null_count() or (at.min() >= EARLIEST and at.max() <= latest):  # type: ignore[operator]  # times
            continue  # the two ends of a column cost less than a look at every row
        odd = table.rows.filter((pl.col(column) < EARLIEST) | (pl.col(column) > latest))
        facts = odd.select(ROW, value=pl.col(column).dt.strftime("%Y-%m-%d"))
        found += broken((table.file, name), "implausible-time", column, facts, Severity.WARNING)
    return found


# --- media beside the notebook ---


def _beside_notebook(media: Table, deployments: Table) -> list[Broken]:
    """Media outside their deployment, one row a deployment, with the slip that would explain all of them."""
    spans = media.rows.group_by("deploymentID").agg(
        pl.col("timestamp").min().alias("first"), pl.col("timestamp").max().alias("last"), pl.len().alias("media")
    )
    spans = beside_deployments(spans, deployments)
    suspects = spans.filter(
        (pl.col("first") < pl.col("deploymentStart")) | (pl.col("last") > pl.col("deploymentEnd"))
    ).drop("media")
    if suspects.is_empty():
        return []
    outside = (pl.col("timestamp") < pl.col("deploymentStart")) | (pl.col("timestamp") > pl.col("deploymentEnd"))
    theirs = media.rows.select(ROW, "deploymentID", "timestamp", "timestamp" + TEXT)
    theirs = theirs.join(suspects, on="deploymentID", maintain_order="left")
    theirs = theirs.with_columns(long_texts(theirs["timestamp" + TEXT], theirs["timestamp"]).alias("timestamp" + TEXT))
    theirs = theirs.with_columns(outside.alias("outside"), _just_after_new_year().alias("new year"))
    summary = theirs.group_by("deploymentID", maintain_order=True).agg(
        pl.col(ROW).filter(pl.col("outside")).first(),
        pl.col("outside").sum().alias("media"),
        pl.len().alias("of"),
        (pl.col("outside") & pl.col("new year")).sum().alias("reset"),
        pl.col("first", "last", "deploymentStart", "deploymentEnd").first(),
        _slip(),
    )
    return _told(media, summary.rename({"deploymentID": "deployment"}).filter(pl.col(ROW).is_not_null()).sort(ROW))


def _slip() -> pl.Expr:
    """The first shift that puts all media of a deployment into it, as text (``+1 h``), else null."""
    explained = pl.lit(None, dtype=pl.String)
    for name, shift in reversed(SHIFTS.items()):
        for sign, text in ((1, f"+{name}"), (-1, f"-{name}")):
            fits = (pl.col("first").first() + sign * shift >= pl.col("deploymentStart").first()) & (
                pl.col("last").first() + sign * shift <= pl.col("deploymentEnd").first()
            )
            explained = pl.when(fits).then(pl.lit(text)).otherwise(explained)
    return explained.alias("shift")


def _just_after_new_year() -> pl.Expr:
    """Whether the camera's own clock shows the first days of a year, where cameras begin when their clock is lost."""
    clock = pl.col("timestamp" + TEXT).str.slice(0, 19).str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False)
    clock = pl.coalesce(clock, pl.col("timestamp").dt.replace_time_zone(None))
    return (clock - clock.dt.truncate("1y")) < RESET_WITHIN


def _told(media: Table, summary: pl.DataFrame) -> list[Broken]:
    where = (media.file, "media")
    is_reset = (pl.col("reset") >= MIN_ALIKE) & (pl.col("reset") * 2 > pl.col("media"))
    is_off = ~is_reset & pl.col("shift").is_not_null() & (pl.col("of") >= MIN_ALIKE)
    warn = Severity.WARNING
    reset = summary.filter(is_reset).select(ROW, "deployment", "media")
    off = summary.filter(is_off).select(ROW, "deployment", "media", "shift")
    rest = summary.filter(~is_reset & ~is_off).select(ROW, "deployment", "media")
    return [
        *broken(where, "clock-reset", "timestamp", reset, warn),
        *broken(where, "clock-off", "timestamp", off, warn),
        *broken(where, "media-outside-deployment", "timestamp", rest, warn),
    ]


# --- media beside observations ---


def _beside_observations(media: Table, observations: Table, at: pl.Series) -> list[Broken]:
    """Deployments where observations of single media have another time than those media, always by the same amount."""
    rows = observations.rows
    taken = media.rows["timestamp"].gather(at).alias("taken")
    on_media = rows["observationLevel"] == "media"
    apart = on_media & ((taken < rows["eventStart"] - SLIGHT) | (taken > rows["eventEnd"] + SLIGHT))
    off = rows.select(ROW, "deploymentID", "eventStart").with_columns(taken).filter(apart)
    if off.is_empty():
        return []
    minutes = ((pl.col("eventStart") - pl.col("taken")).dt.total_seconds() / 60).round(0).cast(pl.Int64)
    groups = off.with_columns(minutes.alias("minutes")).group_by("deploymentID", maintain_order=True)
    facts = groups.agg(
        pl.col(ROW).first(),
        pl.len().alias("rows"),
        pl.col("minutes").mode().sort().first().alias("minutes"),
        ((pl.col("minutes") == pl.col("minutes").mode().sort().first()).mean() > 0.9).alias("alike"),
    ).rename({"deploymentID": "deployment"})
    facts = facts.filter(pl.col("alike") & (pl.col("rows") >= MIN_ALIKE)).drop("alike").sort(ROW)
    return broken((observations.file, "observations"), "clocks-differ", "eventStart", facts, Severity.WARNING)


# --- cameras beside each other ---


def _beside_neighbours(media: Table, deployments: Table) -> list[Broken]:
    """Two cameras at one place at one time, that see the same passages a constant time apart."""
    pairs = _neighbours(deployments.rows)
    if pairs.is_empty():
        return []
    passages = _passages(media.rows, pl.concat([pairs["deploymentID"], pairs["other"]]))
    rows = []
    for row, deployment, other in pairs.iter_rows():
        minutes = offset_minutes(passages.get(deployment), passages.get(other))
        if minutes:
            rows.append((row, deployment, other, minutes))
    schema = {ROW: pl.Int64(), "deployment": pl.String(), "other": pl.String(), "minutes": pl.Int64()}
    facts = pl.DataFrame(rows, schema=schema, orient="row")
    return broken((deployments.file, "deployments"), "clocks-disagree", "deploymentID", facts, Severity.WARNING)


def _neighbours(deployments: pl.DataFrame) -> pl.DataFrame:
    """Pairs of deployments of one location whose periods overlap: row, deployment, other."""
    known = deployments.filter(pl.col("locationID").is_not_null() & pl.col("deploymentID").is_not_null()).select(
        ROW, "deploymentID", "locationID", "deploymentStart", "deploymentEnd"
    )
    pairs = known.join(known, on="locationID", suffix=" other").filter(
        (pl.col(ROW) > pl.col(ROW + " other"))
        & (pl.col("deploymentStart") < pl.col("deploymentEnd other"))
        & (pl.col("deploymentStart other") < pl.col("deploymentEnd"))
    )
    return pairs.select(ROW, "deploymentID", other="deploymentID other").sort(ROW, "other").head(MAX_PAIRS)


def _passages(media: pl.DataFrame, wanted: pl.Series) -> dict[str, NDArray[np.int64]]:
    """Deployment -> the second at which each burst of photographs begins, in order.

    Deployment and second are sorted as one number, a fifth of the time of sorting by two columns.
    """
    names = wanted.unique()
    numbered = pl.DataFrame({"deploymentID": names, "number": pl.int_range(names.len(), eager=True)})
    rows = media.select("deploymentID", "timestamp").filter(pl.col("timestamp").is_not_null())
    rows = rows.join(numbered, on="deploymentID")
    second = pl.col("timestamp").dt.epoch("s") + _BEFORE_S
    keys = rows.select((pl.col("number") * _APART_S + second).alias("key"))["key"].sort().to_numpy()
    begins = keys[np.diff(keys, prepend=keys[:1] - BURST_S - 1) > BURST_S]
    edges = np.searchsorted(begins, np.arange(names.len() + 1) * _APART_S)
    return {
        name: (begins[low:high] - number * _APART_S - _BEFORE_S)[:MAX_PASSAGES]
        for number, (name, low, high) in enumerate(zip(names.to_list(), edges[:-1], edges[1:], strict=True))
        if high > low
    }


def offset_minutes(ours: NDArray[np.int64] | None, theirs: NDArray[np.int64] | None) -> int:
    """By how many minutes our clock is ahead of theirs, 0 where the passages do not tell.

    The differences between all passages within a day pile up at the clocks' offset, and nowhere else.

    Examples
    --------
    >>> theirs = np.array([0, 7_000, 19_000, 40_000, 55_500, 90_000, 131_000, 170_000])
    >>> offset_minutes(theirs + 3_600, theirs)
    60
    """
    if ours is None or theirs is None or min(len(ours), len(theirs)) < MIN_MEETINGS:
        return 0
    apart = _differences(ours, theirs)
    if not len(apart):
        return 0
    bins = np.round(apart / BIN_S).astype(np.int64)
    values, counts = np.unique(bins, return_counts=True)
    beside = counts + _count_at(values, counts, values - 1) + _count_at(values, counts, values + 1)
    best = int(np.argmax(beside))
    ordinary = 3 * len(apart) * BIN_S / (2 * SEARCHED_S)  # what three bins hold where nothing is in step
    enough = beside[best] >= max(MIN_MEETINGS, MIN_SHARE * min(len(ours), len(theirs)), 4 * ordinary)
    center = int(values[max(best - 1, 0) : best + 2][np.argmax(counts[max(best - 1, 0) : best + 2])])
    return center if enough and abs(center) > 1 else 0


def _differences(ours: NDArray[np.int64], theirs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ours less theirs, of all that are not too far apart."""
    low, high = np.searchsorted(theirs, ours - SEARCHED_S), np.searchsorted(theirs, ours + SEARCHED_S)
    many = high - low
    starts = np.repeat(low - np.r_[0, np.cumsum(many)[:-1]], many)
    apart: NDArray[np.int64] = np.repeat(ours, many) - theirs[starts + np.arange(many.sum())]
    return apart


def _count_at(values: NDArray[np.int64], counts: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    at = np.clip(np.searchsorted(values, wanted), 0, len(values) - 1)
    found: NDArray[np.int64] = np.where(values[at] == wanted, counts[at], 0)
    return found
