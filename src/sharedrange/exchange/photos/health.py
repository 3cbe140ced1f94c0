"""What the pictures say about the cameras: clocks that jumped, cameras that fell silent, cameras mixed up.

Everything here is a proposal for a person. Nothing becomes effort before it is written into effort.csv, and no
clock is corrected before it is written into clock.csv.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

import polars as pl

from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.exchange.opening import shown
from sharedrange.exchange.photos.pictures import counted

FIRST_YEAR = 2005  # digital camera traps began about then; cameras that lost power start at 1970, 2000 or 2001
SILENT_DAYS = 7  # shorter silences are weather
IMPROBABLE = 1e-3  # expected number of such silences at a station where days with pictures come independently
BACKWARDS_S = 3600  # files are written within minutes of the picture; an hour back is the clock
ROLLOVER_DAYS = 30  # after 9999 a camera goes on with 0001: then the first numbers follow the last ones soon
_NUMBER = re.compile(r"^(.*?)(\d+)(\D*)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Silence:
    """Days on which a camera took no picture though it usually takes some: from `first` to `last`, both included."""

    deployment: str
    first: date
    last: date

    @property
    def days(self) -> int:
        """How many days."""
        return (self.last - self.first).days + 1

    @property
    def line(self) -> str:
        """The line of effort.csv that would accept it."""
        return f"{shown(self.deployment)},{self.first}T00:00:00,{self.last}T23:59:59,other"


def plausible(pictures: pl.DataFrame) -> pl.DataFrame:
    """Pictures of a deployment whose clock is not that of a camera that lost power."""
    return pictures.filter(pl.col("local").dt.year() >= FIRST_YEAR, pl.col("deployment").is_not_null())


# --- silences ---


def silences(
    pictures: pl.DataFrame, spans: Mapping[str, tuple[date, date]], accepted: Mapping[str, Sequence[tuple[date, date]]]
) -> list[Silence]:
    """Improbably long runs of days without a picture, those left out that effort.csv already has.

    `spans`: deployment -> declared first and last day; where there is none, from the first picture to the last.
    A run of d days among n is improbable where n (1 - p)^d < IMPROBABLE, p the share of days with a picture
    outside the longest run. Days, not pictures, are counted: pictures come in bursts, and bursts in good nights.
    """
    found = []
    days = plausible(pictures).select("deployment", pl.col("local").dt.date().alias("day")).unique().sort("day")
    for (deployment,), group in days.sort("deployment", "day").group_by("deployment", maintain_order=True):
        active = group["day"].to_list()
        span = spans.get(str(deployment), (active[0], active[-1]))
        for first, last in _improbable(active, span):
            silence = Silence(str(deployment), first, last)
            if not _covered(silence, accepted.get(silence.deployment, ())):
                found.append(silence)
    return found


def _improbable(active: Sequence[date], span: tuple[date, date]) -> Iterator[tuple[date, date]]:
    inside = [day for day in active if span[0] <= day <= span[1]]
    runs = list(_runs(inside, span))
    n_days = (span[1] - span[0]).days + 1
    longest = max(((last - first).days + 1 for first, last in runs), default=0)
    watched = n_days - longest
    if not inside or watched <= 0:
        return
    share = min(len(inside) / watched, 1.0)
    for first, last in runs:
        length = (last - first).days + 1
        log_expected = math.log(n_days) + length * math.log1p(-share) if share < 1 else -math.inf
        if length >= SILENT_DAYS and log_expected < math.log(IMPROBABLE):
            yield first, last


def _runs(inside: Sequence[date], span: tuple[date, date]) -> Iterator[tuple[date, date]]:
    """Runs of days of the span between days with pictures."""
    day = timedelta(days=1)
    edges = [span[0] - day, *inside, span[1] + day]
    for before, after in pairwise(edges):
        if (after - before).days > 1:
            yield before + day, after - day


def _covered(silence: Silence, gaps: Sequence[tuple[date, date]]) -> bool:
    """Whether declared gaps hold nearly all of a silence (its first and last day may be cut)."""
    days = {silence.first + timedelta(days=k) for k in range(silence.days)}
    for first, last in gaps:
        days = {day for day in days if not first <= day <= last}
    return len(days) <= 2


def about_silences(found: Sequence[Silence]) -> list[Finding]:
    """A warning for each silence, with the line of effort.csv that would accept it."""
    return [
        Finding(
            "silent-camera",
            {
                "deployment": shown(silence.deployment),
                "first": str(silence.first),
                "last": str(silence.last),
                "days": silence.days,
                "line": silence.line,
            },
            Where(file="effort.csv"),
            Severity.WARNING,
        )
        for silence in found
    ]


# --- clocks ---


def about_clocks(pictures: pl.DataFrame) -> list[Finding]:
    """Clocks that started anew at a default date, and times that jump backwards."""
    known = pictures.filter(pl.col("deployment").is_not_null(), pl.col("local").is_not_null())
    reset = known.filter(pl.col("local").dt.year() < FIRST_YEAR)
    found = [_reset(*row) for row in reset.group_by("deployment").agg(
        pl.len(), pl.col("name").min(), pl.col("local").min()).sort("deployment").iter_rows()]  # fmt: skip
    for finding in _jumps(known):
        found.append(finding)  # noqa: PERF402  # reads like the line above
    return found


def _reset(deployment: str, files: int, name: str, first: datetime) -> Finding:
    facts: dict[str, Fact] = {"deployment": shown(deployment), "files": files, "first": first.isoformat(" ")}
    return Finding("photo-clock-reset", facts, Where(file=shown(name)), Severity.WARNING)


def _jumps(known: pl.DataFrame) -> Iterator[Finding]:
    """The largest jump backwards in each series of numbered files of one folder."""
    series: dict[tuple[str, str], list[tuple[int, datetime, str, str]]] = {}
    for path, name, local, deployment in known.select("path", "name", "local", "deployment").iter_rows():
        head, _, file = path.rpartition("/")
        if match := _NUMBER.match(file.rpartition(".")[0]):
            # A camera numbers photos and videos together: the suffix is no part of the series.
            key = head, f"{match[1]}#{match[3]}"
            series.setdefault(key, []).append((int(match[2][-18:]), local, name, deployment))
    for _, files in sorted(series.items()):
        files.sort()
        backs = [
            (before[1] - after[1], before, after)
            for before, after in pairwise(files)
            if (before[1] - after[1]).total_seconds() > BACKWARDS_S
        ]
        if backs and not _is_rollover(files, len(backs)):
            back, before, after = max(backs)
            facts: dict[str, Fact] = {
                "deployment": shown(after[3]),
                "before": before[1].isoformat(" "),
                "after": after[1].isoformat(" "),
                "days": round(back.total_seconds() / 86_400, 1),
                "jumps": len(backs),
            }
            yield Finding("clock-backwards", facts, Where(file=shown(after[2])), Severity.WARNING)


def _is_rollover(files: Sequence[tuple[int, datetime, str, str]], jumps: int) -> bool:
    """Whether one jump is only the counter that began anew: the lowest numbers go on where the highest end."""
    pause = files[0][1] - files[-1][1]
    return jumps == 1 and timedelta() <= pause <= timedelta(days=ROLLOVER_DAYS)


# --- against what was declared ---


def about_dates(pictures: pl.DataFrame, deployments: pl.DataFrame) -> list[Finding]:
    """Pictures before the start or after the end of their deployment, and dates that are only those of pictures."""
    period = deployments.select("deployment", "start", "end")
    beside = pictures.filter(pl.col("taken").is_not_null()).join(period, on="deployment", how="inner")
    outside = (pl.col("taken") < pl.col("start")) | (pl.col("taken") > pl.col("end"))
    found = counted(
        beside.filter(outside, pl.col("local").dt.year() >= FIRST_YEAR), "pictures-outside", by="deployment"
    )
    second = pl.duration(seconds=1)
    ends = beside.group_by("deployment").agg(
        ((pl.col("taken").min() - pl.col("start").first()).abs() <= second).alias("starts"),
        ((pl.col("taken").max() - pl.col("end").first()).abs() <= second).alias("stops"),
    )
    copied = ends.filter(pl.col("starts") & pl.col("stops")).height
    if copied:
        facts: dict[str, Fact] = {"deployments": copied}
        found.append(Finding("dates-are-pictures", facts, Where(file="stations.csv"), Severity.NOTE))
    return found


def about_cameras(pictures: pl.DataFrame) -> list[Finding]:
    """Several cameras in one deployment, and one camera in two places at a time (by serial number)."""
    seen = plausible(pictures).filter(pl.col("camera").is_not_null())
    stays = seen.group_by("deployment", "camera").agg(
        pl.col("local").min().alias("first"), pl.col("local").max().alias("last"), pl.len().alias("files")
    )
    mixed = stays.group_by("deployment").agg(pl.len().alias("cameras")).filter(pl.col("cameras") > 1)
    found = [
        Finding("cameras-mixed", {"deployment": shown(name), "cameras": n}, Where(table="stations"), Severity.WARNING)
        for name, n in mixed.sort("deployment").iter_rows()
    ]
    ordered = stays.sort("camera", "first", "deployment")
    both = ordered.with_columns(
        pl.col("last").shift().over("camera").alias("before"),
        pl.col("deployment").shift().over("camera").alias("other"),
    ).filter(pl.col("first") < pl.col("before"))
    for camera, deployment, other in both.select("camera", "deployment", "other").iter_rows():
        facts: dict[str, Fact] = {"camera": shown(camera), "deployment": shown(deployment), "other": shown(other)}
        found.append(Finding("photo-camera-in-two-places", facts, Where(table="stations"), Severity.WARNING))
    return found
