"""The photographs that came with a package: the same one twice, by its bytes. They are left where they are."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import polars as pl

from sharedrange.core.finding import Severity
from sharedrange.exchange.camtrapdp.broken import Broken, broken
from sharedrange.exchange.camtrapdp.constraints import Table
from sharedrange.exchange.camtrapdp.package import Package, open_package
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.opening import MIB
from sharedrange.exchange.tables import ROW

_NO_PHOTO = (".csv", ".json", ".gz", ".parquet", ".toml", ".zip", ".md", ".txt")
MAX_PHOTO_BYTES = 256 * MIB  # longer videos are not compared


def check_photos(package: Package, media: Table) -> list[Broken]:
    """Media whose file is that of an earlier row, by path or by content."""
    paths = media.rows["filePath"]
    keys = _contents(package, paths)
    if keys.hash().n_unique() == len(keys):  # unlike hashes cannot come from like texts
        return []
    rows = media.rows.select(ROW, media="mediaID").with_columns(keys.alias("key"))
    again = rows.filter(pl.col("key").is_not_null() & pl.col("key").is_duplicated())
    again = again.with_columns(first_row=pl.col(ROW).first().over("key")).filter(pl.col(ROW) != pl.col("first_row"))
    return broken((media.file, "media"), "duplicate-media", "filePath", again.drop("key"), Severity.WARNING)


def photo_reader(folder: Path, delivery: Delivery) -> Callable[[str], bytes | None]:
    """How the bytes of a medium are had by its path; None for one that did not come along, or lies on a network."""
    package, _ = open_package(folder, delivery)

    def read(path: str) -> bytes | None:
        if package is None or "://" in path:
            return None
        content, _ = package.opened.read(_local(package, path), MAX_PHOTO_BYTES)
        return content

    return read


def _local(package: Package, path: str) -> str:
    """Where a medium lies in the delivery."""
    return posixpath.normpath(package.base + path)


def _contents(package: Package, paths: pl.Series) -> pl.Series:
    """SHA-256 of each path's file, where it came along and another file is as long; else the path."""
    sizes = package.opened.sizes
    if all(name.endswith(_NO_PHOTO) for name in sizes):
        return paths
    local = {path: _local(package, path) for path in paths.drop_nulls().to_list() if "://" not in path}
    hashes = _hashes(package, sizes, {name for name in local.values() if name in sizes})
    known = {path: hashes[name] for path, name in local.items() if name in hashes}
    return paths.replace(known) if known else paths


def _hashes(package: Package, sizes: Mapping[str, int], names: Iterable[str]) -> dict[str, str]:
    by_size: dict[int, list[str]] = {}
    for name in sorted(names):
        by_size.setdefault(sizes[name], []).append(name)
    hashes = {}
    for name in (name for like in by_size.values() if len(like) > 1 for name in like):
        content, _ = package.opened.read(name, MAX_PHOTO_BYTES)
        if content is not None:
            hashes[name] = hashlib.sha256(content).hexdigest()
    return hashes
