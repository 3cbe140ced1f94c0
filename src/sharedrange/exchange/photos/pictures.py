"""Which files of a tree are photos, videos, tables and proposals of models, and what the pictures say."""

from __future__ import annotations

import hashlib
import math
import posixpath
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from sharedrange.core.files import sha256_of
from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.core.progress import Progress, silent
from sharedrange.exchange.opening import Opened, shown
from sharedrange.exchange.photos.headers import Header, quiet_pillow, read_header

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".webp")
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".3gp", ".avi")
OTHER_SUFFIXES = (".heic", ".heif", ".avif", ".dng", ".cr2", ".nef", ".arw", ".mts", ".mpg", ".wmv", ".mkv", ".asf")
MEDIA_SUFFIXES = PHOTO_SUFFIXES + VIDEO_SUFFIXES + OTHER_SUFFIXES
PICTURES = pl.Schema(
    {
        # One row a photo or video, as its header says.
        "path": pl.String(),  # in the delivery, as it is on the disk
        "name": pl.String(),  # the same in NFC: the id of the medium
        "folder": pl.String(),  # in NFC, without the folders that cameras make; "" at the top
        "kind": pl.String(),  # photo | video | other
        "bytes": pl.Int64(),
        "local": pl.Datetime("us"),  # as the camera's clock showed it
        "offset": pl.String(),
        "clock": pl.String(),
        "camera": pl.String(),  # serial number
        "model": pl.String(),
        "longitude": pl.Float64(),
        "latitude": pl.Float64(),
        "problem": pl.String(),
        "digest": pl.String(),
    }
)
_OF_CAMERA = re.compile(
    r"DCIM|[1-9]\d\d(?=.*[A-Z_])[A-Z0-9_]{5}|PRIVATE|AVCHD|BDMV|STREAM|MP_ROOT|PRV\d{5}", re.IGNORECASE
)
_WHY = {  # problem of a picture -> rule
    "empty": "picture-empty",
    "damaged": "picture-damaged",
    "huge": "picture-huge",
    "cut": "picture-cut-short",
    "kind": "picture-kind",
}
KEPT_PROBLEMS = ("", "cut", "kind")  # such pictures are kept if their time is known


@dataclass(frozen=True, slots=True)
class Inventory:
    """Names of the files of a delivery by what they are."""

    pictures: tuple[str, ...]
    tables: Mapping[str, str]  # role -> name
    proposals: tuple[str, ...]
    others: tuple[str, ...]


def nfc(name: str) -> str:
    """A name in Unicode normal form C: macOS writes й as two characters, others as one."""
    return unicodedata.normalize("NFC", name)


def own_folder(name: str) -> str:
    """The folders of a file that people made: those that cameras make (DCIM, 100RECNX) left out.

    Examples
    --------
    >>> own_folder("Кедр/DCIM/100RECNX/IMG_0001.JPG"), own_folder("DCIM/100MEDIA/A.JPG"), own_folder("A/20240501/B.JPG")
    ('Кедр', '', 'A/20240501')
    """
    return "/".join(part for part in nfc(name).split("/")[:-1] if not _OF_CAMERA.fullmatch(part))


def inventory(opened: Opened, roles: Mapping[str, str]) -> Inventory:
    """What the files of a delivery are. `roles`: role of a table -> its name in the delivery."""
    tables = {role: name for role, name in roles.items() if name in opened.sizes}
    rest = [name for name in sorted(opened.sizes) if name not in tables.values()]
    pictures = tuple(name for name in rest if name.lower().endswith(MEDIA_SUFFIXES))
    proposals = tuple(name for name in rest if name.lower().endswith(".json"))
    others = tuple(name for name in rest if not name.lower().endswith((*MEDIA_SUFFIXES, ".json")))
    return Inventory(pictures, tables, proposals, others)


def read_pictures(opened: Opened, names: Sequence[str], progress: Progress = silent) -> pl.DataFrame:
    """The headers of pictures in a folder, with the columns of PICTURES."""
    rows = []
    every = max(1, len(names) // 100)
    with quiet_pillow():
        for n, name in enumerate(names):
            kind = _kind(name)
            rows.append(_row(name, kind, opened.sizes[name], read_header(opened.path / name, opened.sizes[name], kind)))
            if n % every == 0:
                progress(n / len(names))
    progress(1.0)
    text = pl.Schema({**PICTURES, "local": pl.String()})
    table = pl.DataFrame(rows, schema=text, orient="row")
    return table.with_columns(pl.col("local").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False))


def _kind(name: str) -> str:
    suffix = posixpath.splitext(name)[1].lower()
    return "photo" if suffix in PHOTO_SUFFIXES else "video" if suffix in VIDEO_SUFFIXES else "other"


def _row(name: str, kind: str, size_bytes: int, header: Header) -> tuple[object, ...]:
    return (
        name,
        nfc(name),
        own_folder(name),
        kind,
        size_bytes,
        header.taken or None,
        header.offset or None,
        header.clock or None,
        header.serial or None,
        " ".join(dict.fromkeys(f"{header.make} {header.model}".split())) or None,
        None if math.isnan(header.longitude) else header.longitude,
        None if math.isnan(header.latitude) else header.latitude,
        header.problem,
        header.digest,
    )


def counted(
    pictures: pl.DataFrame, rule: str, severity: Severity = Severity.WARNING, by: str = "folder"
) -> list[Finding]:
    """One finding for each folder: how many of these pictures lie in it, and the first of them."""
    groups = pictures.sort("name").group_by(by, maintain_order=True).agg(pl.col("name").first(), pl.len())
    return [
        Finding(rule, {by: shown(group or "."), "files": n}, Where(file=shown(first)), severity)
        for group, first, n in groups.sort(by).iter_rows()
    ]


def about_files(pictures: pl.DataFrame) -> list[Finding]:
    """What is wrong with files themselves: empty, damaged, huge, cut short, or of a kind that is not read.

    A file of a kind that is not read is nothing to tell where times.csv says when it was taken.
    """
    untold = (pl.col("problem") != "kind") | pl.col("local").is_null()
    return [
        finding
        for problem, rule in _WHY.items()
        for finding in counted(pictures.filter(untold, pl.col("problem") == problem), rule)
    ]


def copies(opened: Opened, pictures: pl.DataFrame) -> pl.DataFrame:
    """Pictures with the same bytes as an earlier one: `name`, and `first`, the name of the earlier one.

    By size, then by the first 64 KiB, and only then by all bytes.
    """
    alike = pictures.filter(
        (pl.col("bytes") > 0) & pl.struct("bytes", "digest").is_duplicated() & (pl.col("digest") != "")
    ).sort("name")
    hashes = pl.Series("whole", [_whole_hash(opened, path) for path in alike["path"]], pl.String)
    alike = alike.with_columns(hashes).filter(pl.col("whole").is_not_null())
    again = alike.with_columns(pl.col("name").first().over("whole").alias("first"))
    return again.filter(pl.col("name") != pl.col("first")).select("name", "first")


def _whole_hash(opened: Opened, name: str) -> str | None:
    try:
        return sha256_of(opened.path / name)
    except OSError:
        return None


def fingerprint(opened: Opened, pictures: pl.DataFrame, tables: Sequence[str]) -> str:
    """Hash of what was read: each picture's name, size and first 64 KiB, and all bytes of each table.

    The pictures' other bytes are not read: five thousand photos are 15 GB, and nothing here depends on them.
    """
    lines = [f"{name}\0{size}\0{digest}" for name, size, digest in pictures.select("name", "bytes", "digest").rows()]
    lines += [f"{nfc(name)}\0{_whole_hash(opened, name)}" for name in tables]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
