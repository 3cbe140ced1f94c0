"""What a released package holds: the tables that leave a node, and the names of what they are made of.

Released tables are no survey with columns taken out: times are whole periods, positions are centres of cells, and
a row says how often an animal was met at a station in a period, no more. What a receiver makes of them is told in
`sharedrange.exchange.released`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType

import polars as pl

from sharedrange.core.periods import add_months

FORMAT = "sharedrange-release-1"
MANIFEST = "release.json"  # in a package: what is in it, under which agreement, and what was left out
PICTURE_FOLDER = "pictures"
MOST_PICTURES = 20_000  # of a package
JOINT = "joint"  # the catalogue of animals that go by their joint id: equal codes of it are one animal

STATIONS = pl.Schema(
    {
        "station": pl.String(),  # a pseudonym
        "x": pl.Float64(),  # centre of a cell: longitude in degrees, or metres of a local frame
        "y": pl.Float64(),
        "cell": pl.Float64(),  # side of the cell, in the unit of the grid: degrees or metres
        "uncertainty_m": pl.Float64(),  # half the diagonal of the cell
        "camera_type": pl.String(),  # a pseudonym, or a name that the agreement has: it says which cameras are alike
        "detector": pl.String(),
    }
)
EFFORT = pl.Schema({"station": pl.String(), "period": pl.Date(), "days_watched": pl.Float64()})
ENCOUNTERS = pl.Schema(
    {
        # One row an animal (or, where none was told apart, a species), a station and a period.
        "station": pl.String(),
        "period": pl.Date(),  # its first day
        "taxon": pl.String(),
        "individual": pl.String(),  # a pseudonym, a code or a joint id, as the agreement says; null: not told apart
        "catalogue": pl.String(),
        "sex": pl.String(),
        "life_stage": pl.String(),
        "flank": pl.String(),
        "encounters": pl.Int32(),  # bursts; at proximity detectors days with at least one; null: fewer than may be told
    }
)
VISITS = pl.Schema(
    {
        "visit": pl.String(),
        "site": pl.String(),
        "x": pl.Float64(),
        "y": pl.Float64(),
        "cell": pl.Float64(),
        "uncertainty_m": pl.Float64(),
        "period": pl.Date(),
        "method": pl.String(),
        "effort": pl.Float64(),
        "effort_unit": pl.String(),
        "observers": pl.Int32(),
        "complete": pl.Boolean(),
        "cover_share": pl.Float64(),
    }
)
COUNTS = pl.Schema(
    {
        "visit": pl.String(),
        "taxon": pl.String(),
        "count": pl.Int32(),  # null: not counted, or fewer than may be told (`suppressed`)
        "exactness": pl.String(),
        "sign": pl.String(),
        "life_stage": pl.String(),
        "sex": pl.String(),
        "suppressed": pl.Boolean(),
    }
)
PICTURES = pl.Schema(
    {
        # One row a picture of one animal. Where and when it was taken leaves only where an agreement names it.
        "picture": pl.String(),  # a pseudonym; the file is pictures/<picture>.jpg
        "taxon": pl.String(),
        "individual": pl.String(),
        "catalogue": pl.String(),
        "sex": pl.String(),
        "life_stage": pl.String(),
        "flank": pl.String(),
        "station": pl.String(),
        "period": pl.Date(),
        "sha256": pl.String(),  # of the file: whoever signs the table signs every picture
    }
)
CROSSINGS = pl.Schema(
    {
        # One row a taxon, a party that knows some of its animals too, and a season: identified animals that were met.
        "taxon": pl.String(),
        "partner": pl.String(),
        "season": pl.Date(),  # its first day; null: all seasons told of
        "known_here": pl.Int32(),  # null: fewer than may be told
        "known_to_both": pl.Int32(),  # those that the partner knows too; null: fewer than may be told, or all but few
    }
)
SAMPLES = pl.Schema(
    {
        # One row a sample, of scat, hair or blood, that was typed. What was read in it has no column.
        "sample": pl.String(),  # a pseudonym
        "x": pl.Float64(),
        "y": pl.Float64(),
        "cell": pl.Float64(),
        "uncertainty_m": pl.Float64(),
        "period": pl.Date(),
        "taxon": pl.String(),
        "individual": pl.String(),
        "catalogue": pl.String(),
        "sex": pl.String(),
    }
)
SURVEY_TABLES: Mapping[str, pl.Schema] = MappingProxyType(
    {"stations": STATIONS, "effort": EFFORT, "encounters": ENCOUNTERS}
)
COUNT_TABLES: Mapping[str, pl.Schema] = MappingProxyType({"visits": VISITS, "counts": COUNTS})
PICTURE_TABLES: Mapping[str, pl.Schema] = MappingProxyType({"pictures": PICTURES})
SAMPLE_TABLES: Mapping[str, pl.Schema] = MappingProxyType({"samples": SAMPLES})
CROSSING_TABLES: Mapping[str, pl.Schema] = MappingProxyType({"crossings": CROSSINGS})
TABLES: Mapping[str, pl.Schema] = MappingProxyType(
    {**SURVEY_TABLES, **COUNT_TABLES, **PICTURE_TABLES, **CROSSING_TABLES, **SAMPLE_TABLES}
)
UNNAMED_TABLES = tuple(CROSSING_TABLES)  # leave by other words of an agreement: no rule names them or their columns

KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "stations": ("station",),
        "effort": ("station", "period", "days_watched"),
        "encounters": ("station", "period", "taxon"),
        "visits": ("visit", "site", "period", "method"),
        "counts": ("visit", "taxon", "suppressed"),
        "pictures": ("picture", "taxon", "sha256"),
        "crossings": ("taxon", "partner"),
        "samples": ("sample", "period", "taxon"),
    }
)
POSITION = ("x", "y", "cell", "uncertainty_m")  # leave in cells where an agreement names a cell, and never else

RESOLUTIONS = ("day", "week", "month", "quarter", "year")  # finest first; a week begins on Monday
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_PSEUDONYM = re.compile(r"[A-Z]-[0-9a-f]{16}")


def may_name(table: str) -> tuple[str, ...]:
    """The columns of a table that an agreement may let leave: neither its keys, which always do, nor positions.

    Examples
    --------
    >>> may_name("stations")
    ('camera_type', 'detector')
    """
    return tuple(name for name in TABLES[table] if name not in KEYS[table] and name not in POSITION)


def is_pseudonym(name: str) -> bool:
    """Whether a name is one that a release minted at random: a letter for the kind of thing, and 16 hex digits.

    Examples
    --------
    >>> is_pseudonym("C-0123456789abcdef"), is_pseudonym("Reconyx HC500")
    (True, False)
    """
    return _PSEUDONYM.fullmatch(name) is not None


def file_of(table: str) -> str:
    """The name of a table's file in a package.

    Examples
    --------
    >>> file_of("stations")
    'stations.csv'
    """
    return f"{table}.csv"


def picture_file(picture: str) -> str:
    """The name of a picture's file in a package.

    Examples
    --------
    >>> picture_file("P-0123456789abcdef")
    'pictures/P-0123456789abcdef.jpg'
    """
    return f"{PICTURE_FOLDER}/{picture}.jpg"


def period_of(day: date, resolution: str) -> date:
    """The first day of the period that a day is in. Raises ValueError for a resolution that is none.

    Examples
    --------
    >>> [str(period_of(date(2026, 5, 14), one)) for one in RESOLUTIONS]
    ['2026-05-14', '2026-05-11', '2026-05-01', '2026-04-01', '2026-01-01']
    """
    if resolution == "day":
        return day
    if resolution == "week":
        return day - timedelta(days=day.weekday())
    if resolution not in _MONTHS:
        raise ValueError(f"{resolution!r} is none of {', '.join(RESOLUTIONS)}")
    months = _MONTHS[resolution]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def next_period(period: date, resolution: str) -> date:
    """The first day of the period after the one that begins on `period`.

    Examples
    --------
    >>> str(next_period(date(2026, 10, 1), "quarter"))
    '2027-01-01'
    """
    if resolution in _MONTHS:
        return add_months(period, _MONTHS[resolution])
    return period + timedelta(days=7 if resolution == "week" else 1)
