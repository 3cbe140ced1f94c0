"""What a tree of photos is as far as it tells itself, and the files to fill in with what it does not tell."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from sharedrange.core.files import write_atomically
from sharedrange.core.finding import Finding, Where
from sharedrange.core.progress import Progress, silent
from sharedrange.core.sheets import neutral
from sharedrange.exchange.delivery import FILE_NAME, Delivery, declared, toml_value
from sharedrange.exchange.opening import open_path, shown
from sharedrange.exchange.photos import health
from sharedrange.exchange.photos.bursts import bursts
from sharedrange.exchange.photos.health import Silence
from sharedrange.exchange.photos.reading import Tree, first_and_last, look
from sharedrange.exchange.photos.stations import HEADER

FORMAT = "camera-folders"
PROPOSED = "effort-proposed.csv"
_KEYS = ("party", "format", "timezone", "crs", "video_clock")


@dataclass(frozen=True, slots=True)
class Station:
    """One deployment as its pictures tell it. Times are local, as the camera's clock showed them (corrected)."""

    deployment: str
    station: str
    folder: str
    photos: int
    videos: int
    first: str
    last: str
    days_with_pictures: int
    camera_type: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What was understood of a tree of pictures.

    `bursts` are counted by the default pause; `silences` are proposed gaps; `untimed` names pictures without a
    time; `findings` are all that the tree tells and asks.
    """

    stations: tuple[Station, ...]
    photos: int
    videos: int
    bursts: int
    bytes: int
    silences: tuple[Silence, ...]
    untimed: tuple[str, ...]
    needs_video_clock: bool
    findings: tuple[Finding, ...]

    @property
    def first(self) -> str:
        """Local time of the first picture with a plausible clock; empty if there is none."""
        return min((station.first for station in self.stations if station.first), default="")

    @property
    def last(self) -> str:
        """Local time of the last one."""
        return max((station.last for station in self.stations), default="")


def understood(path: Path, progress: Progress = silent) -> Summary:
    """What a folder of pictures is as far as it tells itself, with or without delivery.toml. Raises nothing."""
    delivery, found = _said(path)
    tree, more = (None, []) if delivery is None else look(path, delivery, progress)
    if tree is None:
        return Summary((), 0, 0, 0, 0, (), (), needs_video_clock=False, findings=(*found, *more))
    pictures = tree.pictures
    good = health.plausible(pictures)
    grouped = bursts(good.select(pl.col("name").alias("media"), "deployment", pl.col("local").alias("taken")))
    return Summary(
        stations=_stations(tree),
        photos=int((pictures["kind"] == "photo").sum()),
        videos=int((pictures["kind"] == "video").sum()),
        bursts=grouped["burst"].n_unique(),
        bytes=int(pictures["bytes"].sum()),
        silences=tree.silences,
        untimed=tuple(pictures.filter(pl.col("local").is_null(), pl.col("problem").is_in(("", "cut", "kind")))["name"]),
        needs_video_clock=bool((pictures["clock"] == "container").any()),
        findings=(*found, *more),
    )


def _said(path: Path) -> tuple[Delivery | None, list[Finding]]:
    """What delivery.toml says of a folder, or only that it is a folder of pictures."""
    opened, found = open_path(path)
    if opened is None:
        return None, found
    if FILE_NAME in opened.sizes:
        delivery, found = declared(opened, "")
        if delivery is not None:
            return delivery, found
    return Delivery("", opened.path.name, FORMAT), found


def _stations(tree: Tree) -> tuple[Station, ...]:
    own = tree.pictures.filter(pl.col("deployment").is_not_null())
    days = first_and_last(own)
    counts = own.group_by("deployment").agg(
        (pl.col("kind") == "photo").sum().alias("photos"),
        (pl.col("kind") == "video").sum().alias("videos"),
        pl.col("local").dt.date().drop_nulls().n_unique().alias("days"),
        pl.col("model").drop_nulls().mode().sort().first().alias("model"),
    )
    facts = {row["deployment"]: row for row in counts.iter_rows(named=True)}
    return tuple(
        Station(
            stand.deployment,
            stand.station,
            stand.folder,
            facts.get(stand.deployment, {}).get("photos", 0),
            facts.get(stand.deployment, {}).get("videos", 0),
            *days.get(stand.deployment, ("", "")),
            facts.get(stand.deployment, {}).get("days", 0),
            facts.get(stand.deployment, {}).get("model") or "",
        )
        for stand in tree.known
    )


# --- files to fill in ---


def write_templates(
    folder: Path,
    summary: Summary | None = None,
    *,
    known: Mapping[str, str] | None = None,
    comments: Mapping[str, str] | None = None,
) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Write what is missing of delivery.toml, stations.csv, times.csv and effort-proposed.csv into `folder`.

    Nothing that is there is overwritten. What the tree tells is filled in (folders, first and last picture, camera
    types), the rest is left empty. `known`: keys of delivery.toml whose values are known (``party``, ``timezone``,
    ``crs``, ``video_clock``); `comments`: key -> the line above it, in the reader's language.

    Returns the names that were written, and a finding where the folder cannot be written to.
    """
    summary = summary or understood(folder)
    if not summary.stations and not summary.photos and not summary.videos:
        return (), summary.findings
    files = {
        FILE_NAME: _delivery_toml(summary, known or {}, comments or {}),
        "stations.csv": _stations_csv(summary),
        **(
            {"times.csv": _csv({"file": summary.untimed, "taken": [""] * len(summary.untimed)})}
            if summary.untimed
            else {}
        ),
        **({PROPOSED: _proposed_csv(summary)} if summary.silences else {}),
    }
    written: list[str] = []
    for name, content in files.items():
        try:
            if (folder / name).exists():
                continue
            write_atomically(folder / name, content)
        except OSError:
            facts = {"path": shown(folder.name)}
            return tuple(written), (Finding("folder-not-writable", facts, Where(file=name)),)
        written.append(name)
    return tuple(written), ()


def _delivery_toml(summary: Summary, known: Mapping[str, str], comments: Mapping[str, str]) -> bytes:
    values = {**dict.fromkeys(_KEYS, ""), **known, "format": FORMAT}
    if not summary.needs_video_clock:
        del values["video_clock"]
    lines = []
    for key in (key for key in _KEYS if key in values):
        lines += [f"# {line}" for line in comments.get(key, "").splitlines()]
        lines.append(f"{key} = {toml_value(values[key])}")
    return ("\n".join(lines) + "\n").encode()


def _stations_csv(summary: Summary) -> bytes:
    """A line a folder; start and end are those of the first and last picture, to be corrected by who was there."""
    filled = [(s.folder, s.station, "", "", s.first, s.last, s.camera_type) for s in summary.stations]
    return _csv({name: [row[at] for row in filled] for at, name in enumerate(HEADER)})


def _proposed_csv(summary: Summary) -> bytes:
    rows = [
        (s.deployment, f"{s.first}T00:00:00", f"{s.last}T23:59:59", "other") for s in summary.silences
    ]  # fmt: skip
    return _csv({name: [row[at] for row in rows] for at, name in enumerate(("deployment", "start", "end", "reason"))})


def _csv(columns: Mapping[str, object]) -> bytes:
    """A table as UTF-8 with a byte order mark, without which spreadsheets read neither Cyrillic nor Chinese."""
    table = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    cells = table.select(neutral(pl.col(name)).name.keep() for name in columns)
    blank = cells.with_columns(pl.when(pl.all() != "").then(pl.all()))  # polars writes an empty text as ""
    return codecs.BOM_UTF8 + blank.write_csv().encode()
