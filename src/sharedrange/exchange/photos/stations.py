"""Which camera stood where and when, and which pictures are its own.

stations.csv says it, a row a deployment. Without it every folder at the top is taken as one station, so that a
person sees what was understood; but it is no survey before somebody says where and when the cameras stood.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.core.places import to_wgs84
from sharedrange.core.survey import DEPLOYMENTS, conform
from sharedrange.exchange.delivery import FILE_NAME, Delivery
from sharedrange.exchange.opening import shown
from sharedrange.exchange.photos.pictures import nfc
from sharedrange.exchange.positions import without_zeros
from sharedrange.exchange.tables import Sheet, flag, repeated

HEADER = ("folder", "station", "latitude", "longitude", "start", "end", "camera_type")
WGS84 = "EPSG:4326"
SPREAD_DEG = 0.005  # half a kilometre: one camera's pictures do not lie further apart
_SHOWN_FOLDERS = 5


@dataclass(frozen=True, slots=True)
class Stand:
    """A deployment as far as the assignment of pictures needs it. `start` and `end` are local times, or None."""

    deployment: str
    station: str
    folder: str
    start: datetime | None = None
    end: datetime | None = None


def stands_of(sheet: Sheet) -> tuple[Sheet, list[Finding]]:
    """stations.csv with folders in NFC, stations named, deployments with ids, and what contradicts itself.

    A deployment's id is its column, else the station where that is there once, else the folder (two cameras at
    one station), else ``folder@start`` (one camera, several stays).
    """
    folder = pl.col("folder").map_elements(_folder, return_dtype=pl.String)
    station = pl.coalesce("station", pl.col("folder").str.split("/").list.last())
    rows = sheet.rows.with_columns(folder).with_columns(
        station.map_elements(nfc, return_dtype=pl.String).alias("station")
    )
    dated = pl.coalesce(pl.col("folder") + "@" + pl.col("start text").str.slice(0, 10), "folder")
    several = pl.when(pl.col("folder").is_unique()).then(pl.col("folder")).otherwise(dated)
    made = pl.when(pl.col("station").is_unique()).then(pl.col("station")).otherwise(several)
    rows = rows.with_columns(pl.coalesce("deployment", made).alias("deployment"))
    sheet = sheet.with_rows(rows)
    backwards = pl.col("end") < pl.col("start")
    ordered = sheet.with_rows(rows.sort("folder", "start"))
    overlap = pl.col("start") < pl.col("end").shift().over("folder")
    facts = {"folder": pl.col("folder")}
    return sheet, [
        *repeated(sheet, ["deployment"], "duplicate-id", {"id": pl.col("deployment")}),
        *flag(sheet, backwards, "end-before-start", field="end", facts={"id": pl.col("deployment")}),
        *flag(ordered, overlap, "stays-overlap", field="start", facts=facts),
    ]


def _folder(text: str) -> str:
    """A folder as `own_folder` names it; ``.`` is the delivery itself."""
    return nfc(text).replace("\\", "/").strip("/ ").removeprefix("./").removesuffix(".")


def stands(sheet: Sheet | None, timezone: str, folders: Iterable[str]) -> tuple[Stand, ...]:
    """The deployments of stations.csv; without one, a station for each folder at the top."""
    if sheet is None:
        return tuple(
            Stand(name, name, name) for name in sorted({folder.partition("/")[0] for folder in folders} - {""})
        )
    zone = timezone or "UTC"
    local = (pl.col(name).dt.convert_time_zone(zone).dt.replace_time_zone(None) for name in ("start", "end"))
    rows = sheet.rows.filter(pl.col("folder").is_not_null(), pl.col("deployment").is_not_null())
    return tuple(Stand(*row) for row in rows.select("deployment", "station", "folder", *local).iter_rows())


def assigned(pictures: pl.DataFrame, known: Sequence[Stand]) -> pl.DataFrame:
    """Pictures with `deployment` and `station`, null where they belong to none.

    A picture belongs to the deployment with the longest folder that holds it; where a folder has several stays,
    to the one that its time lies in. `listed` tells whether any deployment has its folder.
    """
    by_folder: dict[str, list[Stand]] = {}
    for stand in known:
        by_folder.setdefault(stand.folder, []).append(stand)
    home = {folder: _home(folder, by_folder) for folder in pictures["folder"].unique()}
    rows = [
        _own(by_folder.get(home[folder] or "", []), local)
        for folder, local in pictures.select("folder", "local").rows()
    ]
    schema = {"deployment": pl.String(), "station": pl.String(), "listed": pl.Boolean()}
    return pictures.hstack(pl.DataFrame(rows, schema=schema, orient="row"))


def _home(folder: str, by_folder: Mapping[str, object]) -> str | None:
    parts = folder.split("/")
    above = ("/".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((name for name in above if name in by_folder), None)


def _own(stays: Sequence[Stand], local: datetime | None) -> tuple[str | None, str | None, bool]:
    if len(stays) == 1:
        return stays[0].deployment, stays[0].station, True
    for stay in stays:
        if local and stay.start and stay.end and stay.start <= local <= stay.end:
            return stay.deployment, stay.station, True
    return None, None, bool(stays)


# --- what the folders do not say ---


def unassigned(pictures: pl.DataFrame, known: Sequence[Stand], has_table: bool) -> list[Finding]:
    """Folders whose pictures belong to no deployment."""
    found = []
    folders = pictures.filter(~pl.col("listed")).group_by("folder").agg(pl.len(), pl.col("name").min())
    names = sorted({stand.folder for stand in known})
    for folder, n, first in folders.sort("folder").iter_rows():
        near = difflib.get_close_matches(folder, names, n=1) if has_table else []
        facts: dict[str, Fact] = {"folder": shown(folder or "."), "files": n, "nearest": near[0] if near else "?"}
        found.append(
            Finding("folder-not-listed" if has_table else "photos-without-station", facts, Where(shown(first)))
        )
    lost = pictures.filter(pl.col("listed") & pl.col("deployment").is_null() & pl.col("local").is_not_null())
    for folder, n, first in lost.group_by("folder").agg(pl.len(), pl.col("name").min()).sort("folder").iter_rows():
        facts = {"folder": shown(folder), "files": n}
        found.append(Finding("pictures-between-stays", facts, Where(shown(first)), Severity.WARNING))
    return found


def about_folders(pictures: pl.DataFrame, has_table: bool) -> list[Finding]:
    """How the folders were understood, where that may be wrong."""
    found = [] if has_table else _levels(pictures)
    spelled: dict[str, set[str]] = {}
    for station in pictures["station"].drop_nulls().unique():
        spelled.setdefault(_skeleton(station), set()).add(station)
    for names in sorted(map(sorted, spelled.values())):
        if len(names) > 1:
            facts: dict[str, Fact] = {"stations": ", ".join(map(shown, names))}
            found.append(Finding("stations-look-alike", facts, Where(table="stations"), Severity.WARNING))
    return found


def _levels(pictures: pl.DataFrame) -> list[Finding]:
    """Folders below a folder that was taken as a station: visits, cameras - or the stations themselves."""
    deeper: dict[str, set[str]] = {}
    tops = set()
    for folder in pictures["folder"].unique():
        top, _, rest = folder.partition("/")
        tops.add(top)
        if rest:
            deeper.setdefault(top, set()).add(rest.partition("/")[0])
    found = []
    for top, below in sorted(deeper.items()):
        if len(below) > 1:
            names = sorted(below)
            more = "…" if len(names) > _SHOWN_FOLDERS else ""
            facts: dict[str, Fact] = {
                "folder": shown(top),
                "number": len(names),
                "names": ", ".join(map(shown, names[:_SHOWN_FOLDERS])) + more,
            }
            alone = len(tops) == 1
            severity = Severity.WARNING if alone else Severity.NOTE
            found.append(Finding("folders-below-station", facts, Where(file=shown(top)), severity))
    return found


_LATIN_TWINS = str.maketrans("авекмнорстухАВЕКМНОРСТУХ", "abekmhopctyxABEKMHOPCTYX")


def _skeleton(name: str) -> str:
    """A name without what the eye does not see: width, case, spaces, hyphens, Cyrillic letters that look Latin."""
    plain = unicodedata.normalize("NFKC", name).translate(_LATIN_TWINS).casefold()
    return "".join(c for c in plain if c.isalnum())


# --- where ---


def placed(sheet: Sheet, pictures: pl.DataFrame, delivery: Delivery) -> tuple[pl.DataFrame, str, list[Finding]]:
    """Deployments with the columns of DEPLOYMENTS, their frame, and what is wrong with their positions."""
    found: list[Finding] = []
    rows = sheet.rows.rename({"longitude": "x", "latitude": "y"})
    sheet = sheet.with_rows(rows)
    if rows["x"].is_not_null().any() or rows["y"].is_not_null().any():
        if not delivery.crs:
            found.append(Finding("missing-crs", {}, Where(file=FILE_NAME, field="crs")))
        else:
            sheet, found = _in_frame(sheet, delivery.crs)
    if delivery.positions == "exif" and not delivery.crs.startswith("local:"):
        sheet, more = _from_exif(sheet, pictures)
        found += more
    alone = pl.col("x").is_null() | pl.col("y").is_null()
    found += flag(sheet, alone, "missing-position", facts={"station": pl.col("station")})
    frame = delivery.crs if delivery.crs.startswith("local:") else WGS84
    detector = pl.coalesce("detector", pl.lit(delivery.detector or None, dtype=pl.String))
    return conform(sheet.rows.with_columns(detector.alias("detector")), DEPLOYMENTS), frame, found


def _in_frame(sheet: Sheet, crs: str) -> tuple[Sheet, list[Finding]]:
    """`x` and `y` in WGS 84, or metres of the local frame."""
    if crs.startswith("local:"):
        return sheet, []
    sheet, zero = without_zeros(sheet, crs)
    known = pl.col("x").is_not_null() & pl.col("y").is_not_null()
    x, y = (sheet.rows[name].fill_null(0.0).to_numpy() for name in ("x", "y"))
    longitude, latitude = to_wgs84(crs, x, y)
    on_earth = (np.abs(longitude) <= 180) & (np.abs(latitude) <= 90)  # false where PROJ answers infinity
    facts = {"trap": pl.col("station"), "crs": pl.lit(crs)}
    wrong = flag(sheet, known & ~pl.lit(pl.Series(on_earth)), "position-outside-crs", field="longitude", facts=facts)
    moved = sheet.rows.with_columns(
        pl.when(known).then(pl.Series("x", longitude)).alias("x"),
        pl.when(known).then(pl.Series("y", latitude)).alias("y"),
    )
    return sheet.with_rows(moved), [*zero, *wrong]


def _from_exif(sheet: Sheet, pictures: pl.DataFrame) -> tuple[Sheet, list[Finding]]:
    """Positions that the table leaves empty, from the middle of those that a deployment's pictures tell."""
    told = pictures.filter(pl.col("longitude").is_not_null(), pl.col("deployment").is_not_null())
    spread = pl.max_horizontal(*(pl.col(c).max() - pl.col(c).min() for c in ("longitude", "latitude")))
    middle = told.group_by("deployment").agg(
        pl.col("longitude").median(), pl.col("latitude").median(), spread.alias("spread"), pl.len().alias("files")
    )
    rows = sheet.rows.join(middle, on="deployment", how="left", maintain_order="left")
    alone = pl.col("x").is_null() | pl.col("y").is_null()
    sheet = sheet.with_rows(rows.with_columns(alone.alias("alone")))
    facts = {"station": pl.col("station"), "files": pl.col("files")}
    used = pl.col("alone") & pl.col("files").is_not_null()
    found = [
        *flag(sheet, used, "position-from-exif", facts=facts, severity=Severity.NOTE),
        *flag(
            sheet, used & (pl.col("spread") > SPREAD_DEG), "positions-spread", facts=facts, severity=Severity.WARNING
        ),
    ]
    filled = sheet.rows.with_columns(
        pl.when("alone").then("longitude").otherwise("x").alias("x"),
        pl.when("alone").then("latitude").otherwise("y").alias("y"),
    )
    return sheet.with_rows(filled), found


def about_exif_places(pictures: pl.DataFrame, positions: str) -> list[Finding]:
    """A note where pictures tell places that the delivery does not ask for. The places are never shown."""
    told = pictures.filter(pl.col("longitude").is_not_null()).height
    if not told or positions == "exif":
        return []
    return [Finding("exif-positions-ignored", {"files": told}, Where(FILE_NAME, field="positions"), Severity.NOTE)]


def no_table(known: Sequence[Stand], days: Mapping[str, tuple[str, str]]) -> Finding:
    """The finding that asks for stations.csv, with its header and the line of the first station."""
    first = known[0].folder if known else "folder"
    start, end = days.get(first, ("", ""))
    facts: dict[str, Fact] = {
        "stations": len(known),
        "header": ",".join(HEADER),
        "line": ",".join((shown(first), shown(first), "", "", start, end, "")),
    }
    return Finding("no-stations-table", facts, Where(file="stations.csv"))


def never_seen(sheet: Sheet, pictures: pl.DataFrame) -> list[Finding]:
    """Deployments without a picture: the camera failed, the card is lost, or the folder has another name."""
    seen = pictures["deployment"].drop_nulls().unique().to_list()
    wrong = pl.col("deployment").is_not_null() & ~pl.col("deployment").is_in(seen)
    facts = {"station": pl.col("station"), "folder": pl.col("folder")}
    return flag(sheet, wrong, "no-pictures", field="folder", facts=facts, severity=Severity.WARNING)
