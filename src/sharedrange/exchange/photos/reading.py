"""Door `camera-folders`: a card or a tree of photos and videos becomes a dated survey with an effort table.

Stations come from stations.csv; without it the folders say what they can, and a finding asks for the rest.
Times are the camera's local time in the declared zone, corrected where clock.csv says so. Photos stay where they
are: `media.path` is relative, nothing is copied. Every picture is in the survey or is counted by a finding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import chain
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from sharedrange.core.contents import PROPOSALS, Delivered, Proposals
from sharedrange.core.finding import Fact, Finding, Severity, Where, errors
from sharedrange.core.progress import Progress, part, silent
from sharedrange.core.survey import DEPLOYMENTS, EFFORT, MEDIA, OBSERVATIONS, Survey, conform
from sharedrange.exchange.delivery import FILE_NAME, Delivery
from sharedrange.exchange.manifest import MANIFEST
from sharedrange.exchange.opening import Opened, open_path, shown
from sharedrange.exchange.photos import health, stations
from sharedrange.exchange.photos.bursts import bursts
from sharedrange.exchange.photos.clocks import corrected, timed
from sharedrange.exchange.photos.pictures import (
    KEPT_PROBLEMS,
    MEDIA_SUFFIXES,
    Inventory,
    about_files,
    copies,
    counted,
    fingerprint,
    inventory,
    read_pictures,
)
from sharedrange.exchange.photos.proposals import read_proposals
from sharedrange.exchange.photos.sheets import Sheets, gaps_of, read_sheets, roles

VIDEO_CLOCKS = ("local", "utc")
_NEARLY_A_SECOND = timedelta(microseconds=999_999)
BESIDE_S = 120  # a camera that takes both makes its video within seconds of its photo
_NOT_DATA = ("delivery.toml", "readme", "licen", "thumbs.db", "desktop.ini", "effort-proposed.csv")

__all__ = ["MEDIA_SUFFIXES", "Tree", "look", "read"]


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree of pictures as it was understood, before the question whether it is a survey.

    `pictures`: PICTURES with `deployment`, `station`, `listed`, `local` corrected, `added_s` and `taken` (UTC, null
    without a declared zone); `known`: the deployments that pictures were given to; `silences` are proposals.
    """

    opened: Opened
    files: Inventory
    sheets: Sheets
    pictures: pl.DataFrame
    known: tuple[stations.Stand, ...]
    silences: tuple[health.Silence, ...]


def read(folder: Path, delivery: Delivery, progress: Progress = silent) -> tuple[Delivered | None, tuple[Finding, ...]]:
    """The survey of a folder of pictures, and proposals of models; None if a finding is an error."""
    tree, found = look(folder, delivery, part(progress, 0, 0.9))
    if tree is None:
        return None, tuple(found)
    survey, more = _survey(tree, delivery)
    found += more
    proposals, more = _proposals(tree)
    found += more
    progress(1.0)
    if survey is None or errors(found):
        return None, tuple(found)
    tables = [*tree.files.tables.values(), *tree.files.proposals]
    survey = replace(survey, source=fingerprint(tree.opened, tree.pictures, tables))
    left = _not_carried(tree.pictures)
    if left:
        where = Where(file=shown(folder.name))
        found.append(Finding("not-carried", {"columns": ", ".join(left), "number": len(left)}, where, Severity.NOTE))
    said = Proposals(survey.party, survey.dataset, proposals, survey.source) if proposals.height else None
    return Delivered(survey=survey, not_carried=left, proposals=said), tuple(found)


def look(folder: Path, delivery: Delivery, progress: Progress = silent) -> tuple[Tree | None, list[Finding]]:
    """What a folder of pictures holds, and everything that it tells or asks; None if it cannot be looked at."""
    opened, found = open_path(folder)
    if opened is None:
        return None, found
    if not opened.is_folder:
        return None, [Finding("photos-in-archive", {"path": shown(folder.name)}, Where(file=shown(folder.name)))]
    files = inventory(opened, roles(delivery))
    if not files.pictures:
        return None, [Finding("no-photos", {"path": shown(folder.name)}, Where(file=shown(folder.name)))]
    sheets, found = read_sheets(opened, files.tables, delivery)
    if sheets.stations is not None:
        listed, more = stations.stands_of(sheets.stations)
        sheets, found = replace(sheets, stations=listed), [*found, *more]
    pictures = read_pictures(opened, files.pictures, progress)
    pictures, more = timed(pictures, sheets.times)
    found += [*more, *about_files(pictures)]
    tree, more = _understood(opened, files, sheets, pictures, delivery)
    return tree, [*found, *more, *_unread(files)]


def _understood(
    opened: Opened, files: Inventory, sheets: Sheets, pictures: pl.DataFrame, delivery: Delivery
) -> tuple[Tree, list[Finding]]:
    """Pictures with their deployments, clocks corrected, and what they say about the cameras."""
    known = stations.stands(sheets.stations, delivery.timezone, pictures["folder"].unique())
    first = stations.assigned(pictures, known)
    fixed, found = corrected(first, sheets.clock)
    if (fixed["added_s"] != 0).any():  # of several stays in one folder the true time tells which
        fixed = stations.assigned(fixed.drop("deployment", "station", "listed"), known)
    pictures = _in_utc(fixed, delivery)
    has_table = sheets.stations is not None
    found += [
        *stations.unassigned(pictures, known, has_table),
        *stations.about_folders(pictures, has_table),
        *stations.about_exif_places(pictures, delivery.positions),
        *_about_times(pictures, delivery),
        *health.about_clocks(pictures),
        *health.about_cameras(pictures),
    ]
    silences = tuple(health.silences(pictures, _spans(known), _accepted(sheets, delivery.timezone)))
    tree = Tree(opened, files, sheets, pictures, known, silences)
    return tree, [*found, *health.about_silences(silences), *_summed(tree), *_asked(tree)]


# --- times ---


def _in_utc(pictures: pl.DataFrame, delivery: Delivery) -> pl.DataFrame:
    """Pictures with `taken` (UTC) and `taken_text` (local time with its offset).

    A time has its own offset, or is local time in the declared zone, or, for videos whose clock is declared as
    such, UTC; else `taken` is null. So is a local time that the zone skips or has twice.
    """
    zone = delivery.timezone
    written = _offset_us(pl.col("offset"))
    in_zone = pl.col("local").dt.replace_time_zone(zone or "UTC", ambiguous="null", non_existent="null")
    is_video_utc = (pl.col("clock") == "container") & pl.lit(delivery.video_clock == "utc")
    is_asked = (pl.col("clock") == "container") & pl.lit(delivery.video_clock not in VIDEO_CLOCKS)
    taken = (
        pl.when(is_asked)
        .then(None)
        .when(is_video_utc)
        .then(pl.col("local").dt.replace_time_zone("UTC"))
        .when(written.is_not_null())
        .then((pl.col("local") - written).dt.replace_time_zone("UTC"))
        .when(pl.lit(bool(zone)))
        .then(in_zone.dt.convert_time_zone("UTC"))
    )
    own = pl.when(written.is_not_null()).then(pl.col("local"))
    wall = pl.coalesce(own, pl.col("taken").dt.convert_time_zone(zone or "UTC").dt.replace_time_zone(None))
    utc = pl.col("taken").dt.replace_time_zone(None)
    return pictures.with_columns(taken.alias("taken")).with_columns(_with_offset(wall, wall - utc).alias("taken_text"))


def _offset_us(text: pl.Expr) -> pl.Expr:
    """``+08:00`` as a duration; null for null."""
    sign = pl.when(text.str.starts_with("-")).then(-1).otherwise(1)
    minutes = text.str.slice(1, 2).cast(pl.Int64, strict=False) * 60 + text.str.slice(4, 2).cast(pl.Int64, strict=False)
    return pl.duration(minutes=sign * minutes)


def _with_offset(local: pl.Expr, offset: pl.Expr) -> pl.Expr:
    """Local times as ISO 8601 text with their offsets."""
    minutes = offset.dt.total_minutes()
    sign = pl.when(minutes < 0).then(pl.lit("-")).otherwise(pl.lit("+"))
    hours, rest = minutes.abs() // 60, minutes.abs() % 60
    clock = hours.cast(pl.String).str.zfill(2) + ":" + rest.cast(pl.String).str.zfill(2)
    return local.dt.strftime("%Y-%m-%dT%H:%M:%S%.f") + sign + clock


def _about_times(pictures: pl.DataFrame, delivery: Delivery) -> list[Finding]:
    """Pictures whose time is not known, and what would make it known."""
    readable = pictures.filter(pl.col("problem").is_in(KEPT_PROBLEMS))
    timed_ = readable.filter(pl.col("local").is_not_null())
    found = counted(readable.filter(pl.col("local").is_null(), pl.col("problem") != "kind"), "picture-without-time")
    found += counted(timed_.filter(pl.col("clock") == "modified"), "time-of-change", Severity.NOTE)
    container = timed_.filter(pl.col("clock") == "container")
    if container.height and delivery.video_clock not in VIDEO_CLOCKS:
        facts: dict[str, Fact] = {"files": container.height, "likely": _likely_video_clock(timed_)}
        found.append(Finding("missing-video-clock", facts, Where(FILE_NAME, field="video_clock")))
    local = timed_.filter(pl.col("clock") != "container") if delivery.video_clock == "utc" else timed_
    bare = local.filter(pl.col("offset").is_null()).height
    if bare and not delivery.timezone:
        found.append(Finding("photos-timezone", {"files": bare}, Where(FILE_NAME, field="timezone")))
    elif delivery.timezone:
        asked = (pl.col("clock") == "container") & pl.lit(delivery.video_clock not in VIDEO_CLOCKS)
        skipped = timed_.filter(pl.col("taken").is_null(), ~asked.fill_null(value=False))
        found += counted(skipped, "picture-in-no-time")
    return found


def _likely_video_clock(pictures: pl.DataFrame) -> str:
    """``local`` where most videos of unknown clock stand beside a photo of their folder when read as local time."""
    columns = ("folder", "local")
    photos = (
        pictures.filter(pl.col("kind") == "photo").select(*columns, pl.lit(value=True).alias("beside")).sort("local")
    )
    videos = pictures.filter(pl.col("clock") == "container").select(columns).sort("local")
    near = videos.join_asof(
        photos, on="local", by="folder", strategy="nearest", tolerance=f"{BESIDE_S}s", check_sortedness=False
    )
    return "local" if near["beside"].is_not_null().sum() * 2 > near.height else "?"


# --- what is told and asked ---


def _summed(tree: Tree) -> list[Finding]:
    """Notes that say what was understood: the whole tree, and each station."""
    own = tree.pictures.filter(pl.col("station").is_not_null())
    good = health.plausible(tree.pictures)
    by_station = own.group_by("station").agg(
        (pl.col("kind") == "photo").sum().alias("photos"), (pl.col("kind") == "video").sum().alias("videos")
    )
    days = good.group_by("station").agg(
        pl.col("local").min().dt.date().alias("first"), pl.col("local").max().dt.date().alias("last")
    )
    facts: dict[str, Fact] = {
        "stations": by_station.height,
        "photos": int((tree.pictures["kind"] == "photo").sum()),
        "videos": int((tree.pictures["kind"] == "video").sum()),
        "first": str(days["first"].min() or "?"),
        "last": str(days["last"].max() or "?"),
        "bursts": bursts(good.select(pl.col("name").alias("media"), "deployment", pl.col("local").alias("taken")))[
            "burst"
        ].n_unique(),
    }
    where = Where(file=shown(tree.opened.path.name))
    rows = by_station.join(days, on="station", how="left").sort("station").iter_rows()
    return [
        Finding("photos-understood", facts, where, Severity.NOTE),
        *(
            Finding(
                "station-understood",
                {
                    "station": shown(name),
                    "photos": photos,
                    "videos": videos,
                    "first": str(a or "?"),
                    "last": str(b or "?"),
                },
                Where(table="stations"),
                Severity.NOTE,
            )
            for name, photos, videos, a, b in rows
        ),
    ]


def _asked(tree: Tree) -> list[Finding]:
    """Where and when the cameras stood, if nobody has said it yet."""
    if tree.sheets.stations is not None or "stations" in tree.files.tables:
        return []
    return [stations.no_table(tree.known, first_and_last(tree.pictures))]


def first_and_last(pictures: pl.DataFrame) -> dict[str, tuple[str, str]]:
    """Deployment -> local time of its first and last picture, to the second; the last one rounded up."""
    times = (
        health.plausible(pictures)
        .group_by("deployment")
        .agg(
            pl.col("local").min().dt.strftime("%Y-%m-%dT%H:%M:%S").alias("first"),
            (pl.col("local").max() + _NEARLY_A_SECOND).dt.truncate("1s").dt.strftime("%Y-%m-%dT%H:%M:%S").alias("last"),
        )
    )
    return {name: (first, last) for name, first, last in times.select("deployment", "first", "last").iter_rows()}


def _unread(files: Inventory) -> list[Finding]:
    """A note for each file that nothing reads."""
    return [
        Finding("unread-file", {"path": shown(name)}, Where(file=shown(name)), Severity.NOTE)
        for name in files.others
        if not name.lower().rpartition("/")[2].startswith(_NOT_DATA)
    ]


def _not_carried(pictures: pl.DataFrame) -> tuple[str, ...]:
    """What the pictures say and no table of a survey holds."""
    told = [("camera", "EXIF serial number"), ("model", "EXIF make and model"), ("longitude", "EXIF position")]
    return tuple(name for column, name in told if pictures[column].is_not_null().any())


# --- the survey ---


def _survey(tree: Tree, delivery: Delivery) -> tuple[Survey | None, list[Finding]]:
    if tree.sheets.stations is None:
        return None, []
    sheet = tree.sheets.stations
    deployments, frame, found = stations.placed(sheet, tree.pictures, delivery)
    effort, more = gaps_of(tree.sheets.effort, deployments)
    found += more
    found += stations.never_seen(sheet, tree.pictures)
    found += health.about_dates(tree.pictures, deployments)
    media, more = _media(tree)
    survey = Survey(
        party=delivery.party,
        dataset=delivery.dataset,
        frame=frame,
        dated=True,
        deployments=conform(deployments, DEPLOYMENTS),
        observations=pl.DataFrame(schema=OBSERVATIONS),
        media=media,
        effort=conform(effort, EFFORT),
        kind="camera",
    )
    return survey, [*found, *more]


def _media(tree: Tree) -> tuple[pl.DataFrame, list[Finding]]:
    """The pictures that are kept: readable, with a time and a deployment, and each once."""
    twice = tree.pictures["name"].is_duplicated()
    kept = tree.pictures.filter(
        ~twice,
        pl.col("problem").is_in(KEPT_PROBLEMS),
        pl.col("taken").is_not_null(),
        pl.col("deployment").is_not_null(),
    )
    found = counted(tree.pictures.filter(twice), "names-alike")
    again = copies(tree.opened, kept)
    beside = again.join(kept.select("name", "deployment"), on="name").join(
        kept.select(pl.col("name").alias("first"), pl.col("deployment").alias("other")), on="first"
    )
    same = beside.filter(pl.col("deployment") == pl.col("other"))
    found += counted(same, "picture-twice", Severity.NOTE, by="deployment")
    elsewhere = beside.filter(pl.col("deployment") != pl.col("other"))
    for (deployment, other), group in sorted(elsewhere.group_by("deployment", "other"), key=lambda pair: str(pair[0])):
        facts: dict[str, Fact] = {
            "deployment": shown(str(deployment)),
            "other": shown(str(other)),
            "files": group.height,
        }
        where = Where(file=shown(str(group["name"].min())))
        found.append(Finding("picture-at-two-stations", facts, where, Severity.WARNING))
    media = kept.join(same.select("name"), on="name", how="anti").sort("deployment", "taken", "name")
    return conform(media.with_columns(pl.col("name").alias("media")), MEDIA), found


def _proposals(tree: Tree) -> tuple[pl.DataFrame, list[Finding]]:
    media = {name: name for name in tree.pictures["name"]}
    parts = [read_proposals(tree.opened, name, media) for name in tree.files.proposals if name != MANIFEST]
    tables = [table for table, _ in parts]
    return pl.concat([pl.DataFrame(schema=PROPOSALS), *tables]), list(chain.from_iterable(found for _, found in parts))


def _spans(known: Sequence[stations.Stand]) -> dict[str, tuple[date, date]]:
    """Deployment -> its declared first and last day."""
    return {stand.deployment: (stand.start.date(), stand.end.date()) for stand in known if stand.start and stand.end}


def _accepted(sheets: Sheets, timezone: str) -> Mapping[str, list[tuple[date, date]]]:
    """Deployment -> first and last day of each gap in effort.csv."""
    gaps: dict[str, list[tuple[date, date]]] = {}
    if sheets.effort is not None:
        zone = ZoneInfo(timezone or "UTC")
        for deployment, start, end in sheets.effort.rows.select("deployment", "start", "end").drop_nulls().iter_rows():
            gaps.setdefault(deployment, []).append((start.astimezone(zone).date(), end.astimezone(zone).date()))
    return gaps
