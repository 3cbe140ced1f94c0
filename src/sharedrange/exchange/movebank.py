"""Door `movebank`: tracks in Movebank's CSV (https://www.movebank.org, attribute dictionary).

Positions are WGS 84 and timestamps UTC by that standard. A row without a position is an event of another sensor and
no fix; it is counted in a note. Labels that contradict the taxon or the place are findings, for a person to look at:
names are copied from study to study, tags are put on other animals, and both stay in the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from sharedrange.core.contents import Delivered, Tracks
from sharedrange.core.errors import InputError
from sharedrange.core.files import folder_hash, write_atomically
from sharedrange.core.finding import Fact, Finding, Severity, Where, errors
from sharedrange.core.sheets import as_written, neutral_csv
from sharedrange.exchange.assembling import as_target, assembled
from sharedrange.exchange.delivery import Delivery, write_delivery
from sharedrange.exchange.opening import Opened, open_path, shown
from sharedrange.exchange.positions import WGS84
from sharedrange.exchange.tables import FILE, ROW, Column, Sheet, flag, gathered, moment, read_csv, repeated, typed

FILE_WRITTEN = "tracks.csv"
_COLUMNS = (
    Column("event-id"),
    Column("visible", "flag"),
    Column("timestamp", "time", required=True),
    Column("location-long", "number", low=-180, high=180, private=True),
    Column("location-lat", "number", low=-90, high=90, private=True),
    Column("individual-taxon-canonical-name"),
    Column("tag-local-identifier"),
    Column("individual-local-identifier"),
    Column("algorithm-marked-outlier", "flag"),
    Column("import-marked-outlier", "flag"),
    Column("manually-marked-outlier", "flag"),
    Column("manually-marked-valid", "flag"),
    Column("study-name"),
)
_NEEDED = ("timestamp", "location-long", "location-lat")
_MARKS = ("algorithm-marked-outlier", "import-marked-outlier", "manually-marked-outlier")
_HEADER_BYTES = 1 << 16
_FASTEST_KM_H = 250.0  # level flight of the fastest birds with a gale behind them; beyond it a fix or a label is wrong
_EARTH_KM = 6371.0
_NEAR_ZERO_DEG = 0.01  # around 0, 0, where positions that failed are written
NAMES_OF_GENERA: Mapping[str, tuple[str, ...]] = {
    "bears?": ("Ursus",),
    "buzzards?": ("Buteo", "Pernis", "Butastur"),
    "cranes?": ("Grus", "Antigone", "Leucogeranus", "Anthropoides", "Balearica", "Bugeranus"),
    "cuckoos?": ("Cuculus", "Hierococcyx", "Clamator", "Eudynamys", "Cacomantis"),
    "curlews?": ("Numenius",),
    "ducks?": ("Anas", "Mareca", "Spatula", "Aythya", "Bucephala", "Mergus", "Tadorna", "Sibirionetta"),
    "eagles?": ("Aquila", "Haliaeetus", "Clanga", "Hieraaetus", "Circaetus"),
    "gazelles?": ("Procapra", "Gazella"),
    "geese|goose": ("Anser", "Branta"),
    "godwits?": ("Limosa",),
    "leopards?": ("Panthera", "Neofelis", "Prionailurus"),
    "snipes?": ("Gallinago", "Lymnocryptes"),
    "spoonbills?": ("Platalea",),
    "storks?": ("Ciconia", "Mycteria", "Leptoptilos"),
    "swans?": ("Cygnus",),
    "tigers?": ("Panthera",),
    "vultures?": ("Aegypius", "Gyps", "Gypaetus", "Neophron"),
    "wol(?:f|ves)": ("Canis",),
}
"""English name of a group, as a pattern -> genera that bear it. General knowledge; no authority has reviewed it."""
PLACES: Mapping[str, tuple[float, float, float, float]] = {
    "china": (73.4, 18.1, 134.8, 53.6),
    "japan": (122.9, 24.0, 146.0, 45.6),
    "korea": (124.1, 33.1, 131.0, 43.1),
    "mongolia": (87.7, 41.5, 120.0, 52.2),
}
"""Name in a study's title -> west, south, east, north in degrees, generous; to see that an animal never was there."""


def read(folder: Path, delivery: Delivery) -> tuple[Delivered | None, tuple[Finding, ...]]:
    """The tracks of a folder or zip of Movebank tables; None if a finding is an error."""
    opened, found = open_path(folder)
    if opened is None:
        return None, tuple(found)
    sheets, unused, found = _sheets(opened, delivery)
    if not sheets:
        return None, (
            *found,
            Finding("no-table", {"table": "tracks", "names": "*.csv"}, Where(file=shown(opened.path.name))),
        )
    events = gathered(sheets)
    found += _wrong(events)
    fixes, more = _fixes(events)
    found += [*more, *_wrong_fixes(fixes)]
    if errors(found):
        return None, tuple(found)
    declared = Delivery(delivery.party, delivery.dataset, delivery.format, crs=WGS84, taxon=delivery.taxon)
    typed_fixes = as_target("fixes", fixes.rows, fixes.file)
    delivered, more = assembled({"fixes": typed_fixes}, declared, folder_hash(folder), unused)
    return delivered, (*found, *more)


def is_export(opened: Opened) -> bool:
    """Whether any table of an opened delivery has the columns of Movebank."""
    return any(_is_table(opened, name) for name in opened.sizes)


def _is_table(opened: Opened, name: str) -> bool:
    if not name.lower().endswith(".csv"):
        return False
    head = opened.head(name, _HEADER_BYTES).partition(b"\n")[0].decode("utf-8", errors="replace").lower()
    return all(column in re.sub("[_. ]", "-", head) for column in _NEEDED)


# --- the files ---


def _sheets(opened: Opened, delivery: Delivery) -> tuple[list[Sheet], list[str], list[Finding]]:
    """Typed tables, the columns that nothing reads, and findings."""
    named = delivery.files.get("tracks")
    names = [named] if named else sorted(name for name in opened.sizes if name.lower().endswith(".csv"))
    sheets, unused, found = [], [], []
    for name in names:
        text, more = opened.text(name, delivery.encoding)
        sheet, rest = read_csv(shown(name), text) if text is not None else (None, [])
        found += [*more, *rest]
        if sheet is None:
            continue
        sheet = _named(sheet)
        own = {column.name for column in _COLUMNS}
        unused += [f"{sheet.file}: {c}" for c in sheet.rows.columns if c != ROW and c not in own]
        part, more = typed(sheet, _COLUMNS, "UTC")
        found += more + [
            Finding("missing-column", {"column": c}, Where(sheet.file, row=1, field=c))
            for c in _NEEDED[1:]
            if not sheet.has(c)
        ]
        sheets.append(part)
    if unused:
        facts: dict[str, Fact] = {"columns": shown(", ".join(unused)), "number": len(unused)}
        found.append(Finding("not-carried", facts, Where(), Severity.NOTE))
    return sheets, unused, found


def _named(sheet: Sheet) -> Sheet:
    """Columns under the names of the attribute dictionary: R writes points, the interface for programs underscores."""
    names = {name: re.sub(r"[_. ]", "-", name.lower()) for name in sheet.rows.columns if name != ROW}
    if len(set(names.values())) < len(names):
        return sheet
    rows = sheet.rows.rename(names)
    known = [column.name for column in _COLUMNS if column.kind == "text" and column.name in rows.columns]
    return sheet.with_rows(rows.with_columns(as_written(pl.col(name)).alias(name) for name in known))


# --- what may be wrong ---


def _wrong(events: Sheet) -> list[Finding]:
    return repeated(events, ["event-id"], "duplicate-id", {"id": pl.col("event-id")})


def _fixes(events: Sheet) -> tuple[Sheet, list[Finding]]:
    """The events with a position, as fixes; the others are counted."""
    placed = pl.col("location-long").is_not_null() | pl.col("location-lat").is_not_null()
    marked = pl.any_horizontal(pl.col(name).fill_null(value=False) for name in _MARKS)
    outlier = (marked | ~pl.col("visible").fill_null(value=True)) & ~pl.col("manually-marked-valid").fill_null(
        value=False
    )
    rows = events.rows.filter(placed).select(
        pl.col(ROW, FILE, "study-name"),
        pl.coalesce("individual-local-identifier", "tag-local-identifier").alias("animal"),
        pl.col("tag-local-identifier").alias("tag"),
        pl.col("individual-taxon-canonical-name").alias("taxon"),
        pl.col("timestamp").alias("at"),
        pl.col("timestamp text").alias("at_text"),
        pl.col("location-long").alias("x"),
        pl.col("location-lat").alias("y"),
        outlier.alias("outlier"),
    )
    without = events.rows.filter(~placed)
    if without.is_empty():
        return events.with_rows(rows), []
    where = Where(str(without[FILE][0]), row=int(without[ROW][0]), field="location-long")
    note = Finding("events-without-position", {"rows": without.height, "of": events.rows.height}, where, Severity.NOTE)
    return events.with_rows(rows), [note]


def _wrong_fixes(fixes: Sheet) -> list[Finding]:
    who = {"animal": pl.col("animal")}
    zero = (pl.col("x").abs() < _NEAR_ZERO_DEG) & (pl.col("y").abs() < _NEAR_ZERO_DEG) & ~pl.col("outlier")
    taxa = {**who, "taxon": pl.col("taxon"), "first": pl.col("taxon").first().over("animal")}
    warn = Severity.WARNING
    once = fixes.with_rows(
        fixes.rows.drop_nulls(["animal", "taxon"]).unique(["animal", "taxon"], keep="first", maintain_order=True)
    )
    return [
        *flag(fixes, pl.col("animal").is_null(), "missing-value", field="individual-local-identifier"),
        *flag(fixes, zero, "fix-at-zero", field="location-long", facts=who, severity=warn),
        *flag(once, pl.col("taxon") != taxa["first"], "animal-of-two-taxa", facts=taxa, severity=warn),
        *_shared_tags(fixes),
        *_too_fast(fixes),
        *_wrong_labels(fixes),
        *_never_there(fixes),
    ]


def _shared_tags(fixes: Sheet) -> list[Finding]:
    """Tags that carry two animals at the same time: the periods of their fixes overlap."""
    spans = (
        fixes.rows.drop_nulls(["tag", "animal", "at"])
        .group_by("tag", "animal")
        .agg(pl.col("at").min().alias("first"), pl.col("at").max().alias("last"), pl.col(ROW, FILE).first())
        .sort("tag", "first", "animal")
    )
    overlap = pl.col("first") <= pl.col("last").cum_max().shift().over("tag")
    facts = {"tag": pl.col("tag"), "animal": pl.col("animal"), "other": pl.col("animal").shift().over("tag")}
    return flag(
        fixes.with_rows(spans),
        overlap,
        "tag-on-two-animals",
        field="tag-local-identifier",
        facts=facts,
        severity=Severity.WARNING,
    )


def _too_fast(fixes: Sheet) -> list[Finding]:
    """A finding for each animal with steps that nothing alive makes, at the first of them."""
    rows = fixes.rows.filter(~pl.col("outlier")).drop_nulls(["animal", "at", "x", "y"]).sort("animal", "at")
    hours = pl.col("at").diff().over("animal").dt.total_microseconds() / 3.6e9
    steps = rows.with_columns(_distance_km().alias("km"), hours.alias("hours"))
    fast = steps.filter((pl.col("hours") > 0) & (pl.col("km") / pl.col("hours") > _FASTEST_KM_H))
    each = fast.group_by("animal", maintain_order=True).agg(
        pl.len().alias("steps"),
        (pl.col("km") / pl.col("hours")).max().round().alias("fastest"),
        pl.col(ROW, FILE).first(),
    )
    facts = {"animal": pl.col("animal"), "steps": pl.col("steps"), "fastest_km_h": pl.col("fastest")}
    always = pl.lit(value=True)
    return flag(
        fixes.with_rows(each), always, "faster-than-life", field="timestamp", facts=facts, severity=Severity.WARNING
    )


def _distance_km() -> pl.Expr:
    """Great-circle distance from the fix before (haversine), in kilometres."""
    x, y = pl.col("x").radians(), pl.col("y").radians()
    before_y = y.shift().over("animal")
    half = ((y - before_y) / 2).sin() ** 2 + y.cos() * before_y.cos() * ((x - x.shift().over("animal")) / 2).sin() ** 2
    return 2 * _EARTH_KM * half.clip(0, 1).sqrt().arcsin()


def _wrong_labels(fixes: Sheet) -> list[Finding]:
    """A warning for each animal whose taxon is none of those that the name of its study speaks of."""
    rows = _by_animal(fixes).drop_nulls(["study-name", "taxon"])
    wrong = [_contradicts(study, taxon) for study, taxon in rows.select("study-name", "taxon").iter_rows()]
    facts = {"animal": pl.col("animal"), "taxon": pl.col("taxon"), "study": pl.col("study-name")}
    sheet = fixes.with_rows(rows.with_columns(pl.Series("wrong", wrong, pl.Boolean)))
    return flag(
        sheet,
        pl.col("wrong"),
        "label-contradicts-taxon",
        field="individual-taxon-canonical-name",
        facts=facts,
        severity=Severity.WARNING,
    )


def _by_animal(fixes: Sheet) -> pl.DataFrame:
    return fixes.rows.unique(["animal", "taxon", "study-name"], keep="first", maintain_order=True)


def _contradicts(study: str, taxon: str) -> bool:
    named = [genera for name, genera in NAMES_OF_GENERA.items() if re.search(rf"(?i)\b(?:{name})\b", study)]
    return bool(named) and not any(taxon.split()[:1] == [genus] for genera in named for genus in genera)


def _never_there(fixes: Sheet) -> list[Finding]:
    """A warning for each animal that never was in the country that the name of its study speaks of."""
    found = []
    good = fixes.rows.filter(~pl.col("outlier")).drop_nulls(["animal", "study-name"])
    for place, (west, south, east, north) in PLACES.items():
        inside = pl.col("x").is_between(west, east) & pl.col("y").is_between(south, north)
        named = good.filter(pl.col("study-name").str.to_lowercase().str.contains(place, literal=True))
        each = named.group_by("animal", maintain_order=True).agg(
            inside.any().alias("was there"), pl.col(ROW, FILE, "study-name").first()
        )
        facts = {"animal": pl.col("animal"), "study": pl.col("study-name"), "place": pl.lit(place.title())}
        found += flag(
            fixes.with_rows(each),
            ~pl.col("was there"),
            "label-contradicts-place",
            field="study-name",
            facts=facts,
            severity=Severity.WARNING,
        )
    return found


# --- writing ---


def write(tracks: Tracks, folder: Path) -> None:
    """Write tracks.csv with Movebank's columns, and delivery.toml, into `folder`; door `movebank` reads it back.

    A time keeps its text where that is UTC as Movebank writes it; else it is written anew, to the microsecond.
    Raises InputError if positions are not longitude and latitude.
    """
    if tracks.frame != WGS84:
        raise InputError([Finding("tracks-not-on-earth", {"dataset": tracks.dataset, "frame": tracks.frame})])
    write_atomically(folder / FILE_WRITTEN, neutral_csv(_written(tracks.fixes)))
    write_delivery(Delivery(tracks.party, tracks.dataset, "movebank", crs=WGS84), folder)


def _written(fixes: pl.DataFrame) -> pl.DataFrame:
    same = (moment("at_text", "UTC") == pl.col("at")).fill_null(value=False)
    text = pl.when(same).then(pl.col("at_text")).otherwise(pl.col("at").dt.strftime("%Y-%m-%d %H:%M:%S%.6f"))
    return fixes.select(
        pl.int_range(1, pl.len() + 1).alias("event-id"),
        (~pl.col("outlier").fill_null(value=False)).alias("visible"),
        text.alias("timestamp"),
        pl.col("x").alias("location-long"),
        pl.col("y").alias("location-lat"),
        pl.col("outlier").alias("manually-marked-outlier"),
        pl.col("taxon").alias("individual-taxon-canonical-name"),
        pl.col("tag").alias("tag-local-identifier"),
        pl.col("animal").alias("individual-local-identifier"),
    )
