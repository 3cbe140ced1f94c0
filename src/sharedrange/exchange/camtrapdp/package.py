"""datapackage.json: found, parsed, its version told, its resources located. Nothing is fetched from a network."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sharedrange.core.finding import Fact, Finding, Where
from sharedrange.exchange.camtrapdp.schema import TABLES, VERSIONS
from sharedrange.exchange.delivery import FILE_NAME, Delivery
from sharedrange.exchange.opening import MIB, Opened, open_path, shown
from sharedrange.exchange.tables import DELIMITERS

PACKAGE = "datapackage.json"
NEUTRAL = "neutralText"  # our mark: text that a spreadsheet may take for a formula begins with an apostrophe
MAX_PACKAGE_BYTES = 32 * MIB
_VERSION = re.compile(r"/camtrap-dp/([^/]+)/")


@dataclass(frozen=True, slots=True)
class Package:
    """datapackage.json, found and parsed. `base`: its folder in the delivery ("" or ending in a slash)."""

    opened: Opened
    base: str
    json: Mapping[str, Any]

    @property
    def file(self) -> str:
        """Name of the package file, for findings."""
        return shown(self.base + PACKAGE)

    def resource(self, name: str) -> Mapping[str, Any]:
        """The resource of this name; empty if there is none."""
        resources = self.json.get("resources")
        listed = resources if isinstance(resources, list) else []
        return next((r for r in listed if isinstance(r, dict) and r.get("name") == name), {})

    @property
    def version(self) -> str:
        """Camtrap DP version of the package's profile, else of a table's schema; empty if neither says."""
        texts = [self.json.get("profile"), *(self.resource(name).get("schema") for name in TABLES)]
        said = [match[1] for text in texts if isinstance(text, str) and (match := _VERSION.search(text))]
        return said[0] if said else ""

    @property
    def created(self) -> datetime | None:
        """When the package says it was made; None where it does not say so with an offset."""
        text = self.json.get("created")
        try:
            made = datetime.fromisoformat(text) if isinstance(text, str) else None
            return made.astimezone(UTC) if made is not None and made.tzinfo is not None else None
        except (ValueError, OverflowError):
            return None

    def path_of(self, name: str) -> str | Finding:
        """Path of a resource in the delivery, or what is wrong with it."""
        where = Where(file=self.file, table=name, field="path")
        path = self.resource(name).get("path")
        if isinstance(path, list) and len(path) == 1:
            path = path[0]
        if isinstance(path, list) and path:
            parts: dict[str, Fact] = {"table": name, "number": len(path)}
            return Finding("resource-in-parts", parts, where)
        if not isinstance(path, str):
            return Finding("no-resource", {"table": name}, where)
        if "://" in path:
            return Finding("remote-resource", {"table": name, "path": shown(path)}, where)
        return self.base + path

    def encoding_of(self, name: str, otherwise: str) -> str:
        """Encoding of a resource, `otherwise` where it does not say."""
        encoding = self.resource(name).get("encoding")
        return encoding if isinstance(encoding, str) else otherwise

    def delimiter_of(self, name: str) -> str:
        """The delimiter of a resource's CSV dialect (Frictionless Data), a comma where it says nothing we read."""
        dialect = self.resource(name).get("dialect")
        given = dialect.get("delimiter") if isinstance(dialect, dict) else None
        return given if given in DELIMITERS else ","


def open_package(folder: Path, delivery: Delivery) -> tuple[Package | None, list[Finding]]:
    """The package of a delivery of a version that we read; None if there is a finding."""
    opened, found = _opened(folder, delivery)
    if opened is None:
        return None, found
    package, found = find_package(opened)
    if package is None or package.version in VERSIONS:
        return package, found
    facts = {"version": shown(package.version) or "?", "known": ", ".join(VERSIONS)}
    return None, [*found, Finding("unknown-version", facts, Where(file=package.file, field="profile"))]


def _opened(folder: Path, delivery: Delivery) -> tuple[Opened | None, list[Finding]]:
    """The folder or archive with the package: what `files.package` names, else this one, else its only zip."""
    opened, found = open_path(folder)
    if opened is None or not opened.is_folder:
        return opened, found
    archives = [name for name in opened.sizes if name.lower().endswith(".zip")]
    name = delivery.files.get("package") or (archives[0] if len(archives) == 1 and not _bases(opened) else "")
    if not name or posixpath.basename(name) == PACKAGE:
        return opened, found
    if name not in opened.sizes:
        return None, [Finding("file-not-found", {"path": shown(name)}, Where(file=FILE_NAME, field="files.package"))]
    return open_path(folder / name)


def _bases(opened: Opened) -> list[str]:
    """Folders that hold a package file, the shallowest first."""
    names = [name for name in opened.sizes if posixpath.basename(name) == PACKAGE]
    return sorted((name.removesuffix(PACKAGE) for name in names), key=lambda base: (base.count("/"), base))


def find_package(opened: Opened) -> tuple[Package | None, list[Finding]]:
    """datapackage.json of an opened folder or archive; of several the shallowest."""
    bases = _bases(opened)
    if not bases:
        return None, [Finding("no-package", {"file": PACKAGE}, Where(file=shown(opened.path.name)))]
    name = bases[0] + PACKAGE
    text, found = opened.text(name, "utf-8", MAX_PACKAGE_BYTES)
    if text is None:
        return None, found
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = Where(file=shown(name), row=getattr(error, "lineno", None))
        return None, [Finding("bad-json", {"problem": shown(str(error))}, where)]
    if not isinstance(content, dict):
        return None, [Finding("bad-json", {"problem": type(content).__name__}, Where(file=shown(name), row=1))]
    return Package(opened, bases[0], content), []
