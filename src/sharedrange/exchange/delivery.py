"""What a party says about a dataset it delivers: format, frame, time zone, catalogue (delivery.toml)."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
import warnings
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pyproj import CRS
from pyproj.exceptions import CRSError

from sharedrange.core.engine import unknown_key
from sharedrange.core.files import write_atomically
from sharedrange.core.finding import Finding, Where
from sharedrange.core.survey import DETECTORS, SEXES
from sharedrange.exchange.dates import ORDERS
from sharedrange.exchange.opening import Opened, codec, escapes, open_path, shown, unknown_encoding

FILE_NAME = "delivery.toml"
FORMATS: Mapping[str, tuple[str, ...]] = {
    "captures": ("captures", "traps", "usage", "individuals"),
    "camtrap-dp": ("package", "effort"),
    "camera-folders": ("stations", "clock", "effort", "times"),
    "spreadsheet": ("mapping",),
    "wildlife-insights": ("cameras", "deployments", "images"),
    "movebank": ("tracks",),
    "counts": ("visits", "counts", "mapping"),
    "genotypes": ("samples", "alleles", "mapping"),
    "smart": (),
    "nextgis": ("mapping",),
    "odk": ("mapping",),
    "cybertracker": (),
    "darwin-core": ("archive", "event", "occurrence", "humboldt", "measurementorfact"),
    "released": (),
}
"""Door -> the names that `files` may give to its files."""
MAX_BYTES = 1 << 16  # a declaration, not data
MAX_OCCASIONS = 10_000  # 27 years of days
LOCAL = re.compile(r"local:[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Delivery:
    """delivery.toml, read. What neither the files nor this say about place and time is a finding, never a guess.

    `party`, `dataset`: whose, and the folder's name; `format`: the door (``captures``, ``camtrap-dp``);
    `crs`: CRS of the coordinates, or ``local:<name>`` for metres without a place on Earth;
    `timezone`: IANA zone for times without an offset; `encoding`: of text files;
    `catalogue`: name of the catalogue that individual codes belong to; `taxon`: for files that name none;
    `detector`: proximity, count, multi or single; `sessions`: session -> first day, where files count days;
    `occasions`: session -> number of occasions, where files do not tell it;
    `sexes`: code as written -> female or male, for files that write numbers;
    `date_order`: day-first, month-first or year-first, where files write 5/6/24;
    `files`: what a file is (``traps``, or ``traps.<session>``) -> its path in the delivery;
    `date_format`: how days are written where that is not 2024-05-01, as ``%d.%m.%Y``;
    `columns`: column as written -> what it is, where the format's own names do not tell;
    `threats`: word of the files -> kind of threat;
    `positions`: ``exif`` to take positions of cameras from their pictures; `video_clock`: what the clock in the
    header of MP4 and MOV files shows, utc or local.
    """

    party: str
    dataset: str
    format: str
    crs: str = ""
    timezone: str = ""
    encoding: str = "utf-8"
    catalogue: str = "main"
    taxon: str = ""
    detector: str = ""
    sessions: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    occasions: Mapping[str, int] = field(default_factory=dict)
    sexes: Mapping[str, str] = field(default_factory=dict)
    date_order: str = ""
    date_format: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    threats: Mapping[str, str] = field(default_factory=dict)
    positions: str = ""
    video_clock: str = ""


_TABLES = ("sessions", "files", "occasions", "sexes", "columns", "threats")
_DAY_FORMAT = re.compile(r"(?:[^%]|%[dmbBYy])*")
_KEYS = tuple(f.name for f in fields(Delivery) if f.name != "dataset")


def read_delivery(folder: Path, party: str) -> tuple[Delivery | None, tuple[Finding, ...]]:
    """delivery.toml of a folder or archive; None if a finding is an error.

    `party` is whose folder it is; an empty one accepts any party.
    """
    opened, found = open_path(folder)
    if opened is None:
        return None, tuple(found)
    delivery, found = declared(opened, party)
    return delivery, tuple(found)


def declared(
    opened: Opened, party: str, told: Mapping[str, Any] = MappingProxyType({})
) -> tuple[Delivery | None, list[Finding]]:
    """delivery.toml of an opened delivery, `told` in the place of what it says; None if there is a finding."""
    if FILE_NAME not in opened.sizes:
        return None, [Finding("no-delivery-toml", {"path": shown(opened.path.name)}, Where(file=FILE_NAME))]
    text, found = opened.text(FILE_NAME, "utf-8", MAX_BYTES)
    if text is None:
        return None, found
    given, found = _parse(text)
    return (None, found) if found else stated(opened, {**given, **told}, party)


def stated(opened: Opened, given: Mapping[str, Any], party: str = "") -> tuple[Delivery | None, list[Finding]]:
    """What `given` says about an opened delivery, as delivery.toml would; None if there is a finding."""
    found = _wrong(given, party)
    return (None if found else _delivery(given, opened.path.name if opened.is_folder else opened.path.stem)), found


def write_delivery(delivery: Delivery, folder: Path) -> None:
    """Write delivery.toml into `folder`; what has its default value is left out."""
    default = Delivery("", "", "")
    given = {name: getattr(delivery, name) for name in _KEYS if getattr(delivery, name) != getattr(default, name)}
    lines = [f"{name} = {toml_value(value)}" for name, value in given.items() if name not in _TABLES]
    for name in _TABLES:
        if name in given:
            lines += ["", f"[{name}]"]
            lines += [f"{toml_value(key)} = {toml_value(value)}" for key, value in given[name].items()]
    write_atomically(folder / FILE_NAME, ("\n".join(lines) + "\n").encode())


def toml_value(value: str | int) -> str:
    """A TOML string or integer; JSON's escapes are TOML's but for DEL, which TOML does not take as it is."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _parse(text: str) -> tuple[dict[str, Any], list[Finding]]:
    try:
        return tomllib.loads(text), []
    except (ValueError, RecursionError) as error:
        line = re.search(r"at line (\d+)", str(error))
        where = Where(file=FILE_NAME, row=int(line[1]) if line else None)
        return {}, [Finding("bad-toml", {"problem": shown(str(error))}, where)]


def _delivery(given: Mapping[str, Any], dataset: str) -> Delivery:
    tables = {
        "files": flat_files(given.get("files", {})),
        "sessions": {name: str(day) for name, day in given.get("sessions", {}).items()},
        "sexes": {code.lower(): sex for code, sex in given.get("sexes", {}).items()},
    }
    return Delivery(dataset=dataset, **{**given, **tables})


def flat_files(files: Mapping[str, Any]) -> dict[str, Any]:
    """`files` with a table in it written as ``name.key``."""
    flat: dict[str, Any] = {}
    for name, value in files.items():
        flat |= {f"{name}.{key}": path for key, path in value.items()} if isinstance(value, dict) else {name: value}
    return flat


def _wrong(given: Mapping[str, Any], party: str) -> list[Finding]:
    """Everything that is wrong with a declaration."""
    found = [unknown_key(shown(key), _KEYS, _at(key)) for key in given if key not in _KEYS]
    found += [Finding("missing-key", {"key": key}, _at(key)) for key in ("party", "format") if key not in given]
    found += _wrong_types(given)
    if found_types := {f.where.field for f in found}:
        given = {key: value for key, value in given.items() if key not in found_types}
    found += _wrong_party(given.get("party"), party)
    found += _wrong_format(given.get("format"))
    found += _wrong_crs(given.get("crs", ""))
    found += _wrong_timezone(given.get("timezone", ""))
    found += _wrong_encoding(given.get("encoding", "utf-8"))
    found += _wrong_detector(given.get("detector", ""))
    if given.get("date_order", "") not in ("", *ORDERS):
        found.append(unknown_key(shown(given["date_order"]), ORDERS, _at("date_order")))
    found += _wrong_date_format(given.get("date_format", ""))
    found += _wrong_choice(given, "positions", ("exif",))
    found += _wrong_choice(given, "video_clock", ("utc", "local"))
    return [*found, *_wrong_tables(given)]


def _at(key: str) -> Where:
    return Where(file=FILE_NAME, field=shown(key))


def _wrong_types(given: Mapping[str, Any]) -> list[Finding]:
    expected = {key: (dict, "table") if key in _TABLES else (str, "text") for key in _KEYS}
    return [
        Finding("setting-type", {"key": key, "given": shown(repr(value)), "expected": expected[key][1]}, _at(key))
        for key, value in given.items()
        if key in expected and not isinstance(value, expected[key][0])
    ]


def _wrong_party(declared_party: str | None, party: str) -> list[Finding]:
    if not party or declared_party in (None, party):
        return []
    return [Finding("party-differs", {"declared": shown(str(declared_party)), "expected": party}, _at("party"))]


def _wrong_format(name: str | None) -> list[Finding]:
    if name is None or name in FORMATS:
        return []
    near = difflib.get_close_matches(name, FORMATS, n=1, cutoff=0.0)
    facts = {"format": shown(name), "nearest": near[0] if near else "", "known": ", ".join(FORMATS)}
    return [Finding("unknown-format", facts, _at("format"))]


def _wrong_crs(crs: str) -> list[Finding]:
    known = not crs or LOCAL.fullmatch(crs) or is_horizontal(crs)
    return [] if known else [Finding("unknown-crs", {"crs": shown(crs)}, _at("crs"))]


def is_horizontal(crs: str) -> bool:
    """Whether PROJ knows a CRS, and it has coordinates on the map."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PROJ warns of old spellings that it still reads
        try:
            found = CRS.from_user_input(crs)
        except (CRSError, ValueError):
            return False
    return found.is_geographic or found.is_projected


def _wrong_timezone(timezone: str) -> list[Finding]:
    zones = zoneinfo.available_timezones()
    if not timezone or timezone in zones:
        return []
    near = difflib.get_close_matches(timezone, sorted(zones), n=1, cutoff=0.0)
    return [Finding("unknown-timezone", {"timezone": shown(timezone), "nearest": near[0]}, _at("timezone"))]


def _wrong_encoding(encoding: str) -> list[Finding]:
    return [] if codec(encoding) else [unknown_encoding(encoding, _at("encoding"))]


def _wrong_detector(detector: str) -> list[Finding]:
    if not detector or detector in DETECTORS:
        return []
    return [Finding("unknown-detector", {"value": shown(detector), "known": ", ".join(DETECTORS)}, _at("detector"))]


def _wrong_date_format(pattern: str) -> list[Finding]:
    parts = ("d",), ("m", "b", "B"), ("Y", "y")
    whole = _DAY_FORMAT.fullmatch(pattern) and all(sum(pattern.count(f"%{p}") for p in part) == 1 for part in parts)
    if not pattern or whole:
        return []
    facts = {"key": "date_format", "given": shown(repr(pattern)), "expected": "a day, month and year such as %d.%m.%Y"}
    return [Finding("setting-type", facts, _at("date_format"))]


def _wrong_choice(given: Mapping[str, Any], key: str, known: tuple[str, ...]) -> list[Finding]:
    """A finding where a key says none of the words that it may say (nothing said is right)."""
    value = given.get(key, "")
    if not value or value in known:
        return []
    return [Finding("unknown-word", {"value": shown(value), "known": ", ".join(known)}, _at(key))]


def _wrong_tables(given: Mapping[str, Any]) -> list[Finding]:
    found = _wrong_files(flat_files(given.get("files", {})), str(given.get("format", "")))
    for name, day in given.get("sessions", {}).items():
        if not _is_day(day):
            found.append(_wrong_entry("sessions", name, day, "a day such as 2024-05-01"))
    for name, number in given.get("occasions", {}).items():
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= MAX_OCCASIONS:
            found.append(_wrong_entry("occasions", name, number, f"a whole number from 1 to {MAX_OCCASIONS}"))
    for code, sex in given.get("sexes", {}).items():
        if sex not in SEXES:
            found.append(_wrong_entry("sexes", code, sex, " or ".join(SEXES)))
    for table in ("columns", "threats"):
        found += [
            _wrong_entry(table, k, v, "a text") for k, v in given.get(table, {}).items() if not isinstance(v, str)
        ]
    return found


def _wrong_entry(table: str, key: str, value: object, expected: str) -> Finding:
    facts = {"key": f"{table}.{shown(key)}", "given": shown(repr(value)), "expected": expected}
    return Finding("setting-type", facts, _at(f"{table}.{key}"))


def _is_day(value: object) -> bool:
    if isinstance(value, date):
        return True
    try:
        date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        return False
    return True


def _wrong_files(files: Mapping[str, Any], door: str) -> list[Finding]:
    found = []
    roles = FORMATS.get(door, ())
    for role, path in files.items():
        at = _at(f"files.{role}")
        if roles and role.partition(".")[0] not in roles:
            found.append(unknown_key(shown(role), roles, at))
        if not isinstance(path, str):
            found.append(_wrong_entry("files", role, path, "a path in the delivery"))
        elif escapes(path):
            found.append(Finding("path-escapes", {"path": shown(path)}, at))
    return found
