"""Clocks that were wrong: corrections from clock.csv, applied and recorded; times from times.csv.

A correction is what must be added to the time that a camera showed. It is written as an offset
(``+01:00:00``, ``-365d 00:00:00``), or as what the camera showed and what was true at one moment.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import polars as pl

from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.exchange.opening import shown
from sharedrange.exchange.photos.headers import moment_text
from sharedrange.exchange.photos.pictures import nfc
from sharedrange.exchange.tables import ROW, Sheet

_OFFSET = re.compile(r"([+-])(?:(\d{1,5})d *)?(?:(\d{1,3}):(\d{2})(?::(\d{2}))?)?", re.ASCII | re.IGNORECASE)


def seconds_of(text: str) -> int | None:
    """Seconds of an offset as clock.csv writes it; None if it is none. Days and hours must have a sign.

    Examples
    --------
    >>> seconds_of("+01:00:00"), seconds_of("-1d 00:30"), seconds_of("+2d"), seconds_of("1:00"), seconds_of("+")
    (3600, -88200, 172800, None, None)
    """
    match = _OFFSET.fullmatch(text.strip())
    if match is None or (match[2] is None and match[3] is None):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[1:])
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return -total if match[1] == "-" else total


def corrected(pictures: pl.DataFrame, clock: Sheet | None) -> tuple[pl.DataFrame, list[Finding]]:
    """Pictures with `local` corrected and `added_s`, the seconds that were added (0 where none were).

    A note for each row of clock.csv says how many pictures it corrected. A row that cannot be read, corrects
    none, or corrects what an earlier row corrected is a finding.
    """
    added = pictures.with_columns(pl.lit(0, dtype=pl.Int64).alias("added_s"))
    if clock is None:
        return added, []
    done = pl.Series([False] * pictures.height, dtype=pl.Boolean)
    found = []
    for row in clock.rows.iter_rows(named=True):
        where = Where(clock.file, row=row[ROW])
        added_s, finding = _added(row, where)
        if finding is not None or added_s is None:
            found += [finding] if finding else []
            continue
        hit = pictures.select(_is_meant(row).fill_null(value=False)).to_series()
        facts: dict[str, Fact] = {"station": shown(row["station"] or row["camera"] or ""), "files": int(hit.sum())}
        if not hit.any():
            found.append(Finding("clock-for-nothing", facts, where, Severity.WARNING))
        elif (hit & done).any():
            found.append(Finding("clock-twice", facts, where))
        else:
            facts["added"] = offset_text(added_s)
            found.append(Finding("clock-corrected", facts, where, Severity.NOTE))
            shift = pl.when(pl.lit(hit)).then(pl.lit(added_s)).otherwise(pl.col("added_s"))
            added = added.with_columns(shift.cast(pl.Int64).alias("added_s"))
        done = done | hit
    return added.with_columns(pl.col("local") + pl.duration(seconds=pl.col("added_s"))), found


def offset_text(seconds: int) -> str:
    """Seconds as clock.csv writes an offset.

    Examples
    --------
    >>> offset_text(3600), offset_text(-88200)
    ('+01:00:00', '-1d 00:30:00')
    """
    days, rest = divmod(abs(seconds), 86_400)
    clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{'-' if seconds < 0 else '+'}{f'{days}d ' if days else ''}{clock}"


def _added(row: dict[str, object], where: Where) -> tuple[int | None, Finding | None]:
    """Seconds to add, or what is wrong with a row."""
    given = {name: str(row[name]) for name in ("offset", "camera_time", "true_time", "from", "until") if row[name]}
    if not row["station"] and not row["camera"]:
        return None, Finding("clock-for-whom", {}, where)
    for name in ("camera_time", "true_time", "from", "until"):
        if name in given and not moment_text(given[name]):
            return None, Finding(
                "not-a-time", {"value": shown(given[name])}, Where(where.file, row=where.row, field=name)
            )
    if "offset" in given:
        seconds = seconds_of(given["offset"])
        return seconds, None if seconds is not None else Finding(
            "clock-offset", {"value": shown(given["offset"])}, where
        )
    if "camera_time" in given and "true_time" in given:
        return round((_moment(given["true_time"]) - _moment(given["camera_time"])).total_seconds()), None
    return None, Finding("clock-offset", {"value": ""}, where)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(moment_text(text))


def _is_meant(row: dict[str, object]) -> pl.Expr:
    """Which pictures a row of clock.csv speaks of; `from` and `until` are times that the camera showed."""
    meant = pl.col("local").is_not_null()
    if row["station"]:
        name = nfc(str(row["station"]))
        meant &= (pl.col("deployment") == name) | (pl.col("station") == name)
    if row["camera"]:
        meant &= pl.col("camera") == str(row["camera"])
    if row["from"]:
        meant &= pl.col("local") >= pl.lit(_moment(str(row["from"])), dtype=pl.Datetime("us"))
    if row["until"]:
        # Seconds are what a clock shows; parts of the last one belong to it.
        until = _moment(str(row["until"])) + timedelta(seconds=1)
        meant &= pl.col("local") < pl.lit(until, dtype=pl.Datetime("us"))
    return meant


def timed(pictures: pl.DataFrame, times: Sheet | None) -> tuple[pl.DataFrame, list[Finding]]:
    """Pictures with the times that times.csv tells for files that tell none themselves."""
    if times is None:
        return pictures, []
    known = dict(pictures.select("name", "local").iter_rows())
    said: dict[str, str] = {}
    found = []
    for file, taken, line in times.rows.select("file", "taken", ROW).iter_rows():
        name, where = nfc((file or "").replace("\\", "/")), Where(times.file, row=line, field="taken")
        if not taken or not file:
            continue
        if name not in known:
            found.append(Finding("times-for-nothing", {"path": shown(name)}, where, Severity.WARNING))
        elif not (moment := moment_text(taken)):
            found.append(Finding("not-a-time", {"value": shown(taken)}, where))
        elif known[name] is not None:
            found.append(Finding("times-known", {"path": shown(name)}, where, Severity.NOTE))
        else:
            said[name] = moment
    moments = pl.DataFrame(
        {"name": list(said), "told": list(said.values())}, schema={"name": pl.String, "told": pl.String}
    )
    told = pictures.join(moments, on="name", how="left", maintain_order="left")
    at = pl.col("told").str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us")
    clock = pl.when(pl.col("told").is_not_null()).then(pl.lit("told")).otherwise(pl.col("clock"))
    return told.with_columns(pl.coalesce("local", at).alias("local"), clock.alias("clock")).drop("told"), found
