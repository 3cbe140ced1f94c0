"""The crossings of a release: of how many animals its owner met, and another party knows some too, by seasons."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from sharedrange.core.contents import Crossings
from sharedrange.core.finding import Finding, errors
from sharedrange.core.release import CROSSINGS
from sharedrange.core.survey import conform
from sharedrange.exchange.opening import Opened
from sharedrange.exchange.released.manifest import Told
from sharedrange.exchange.released.tables import read_table
from sharedrange.exchange.tables import Sheet, flag

KIND = "crossings"


def read_crossings(opened: Opened, told: Told, dataset: str, source: str) -> tuple[Crossings | None, list[Finding]]:
    """The table CROSSINGS of a release, whose seasons begin as its manifest says; None if a finding is an error."""
    resolution = told.resolutions[KIND]
    sheet, found = read_table(opened, told, KIND, resolution)
    if sheet is None:
        return None, found
    found += _about(sheet, told.owner)
    if errors(found):
        return None, found
    rows = conform(sheet.rows, CROSSINGS)
    return Crossings(told.owner, dataset, resolution, told.timezone, rows, source), found


def _about(sheet: Sheet, owner: str) -> Iterator[Finding]:
    """What no release says: a party that crosses to itself, less than none, more known to both than were met."""
    here, both = pl.col("known_here"), pl.col("known_to_both")
    yield from flag(
        sheet, pl.col("partner") == owner, "crossings-partner", field="partner", facts={"owner": pl.lit(owner)}
    )
    for name in ("known_here", "known_to_both"):
        facts = {"value": pl.col(name), "allowed": pl.lit("0 …")}
        yield from flag(sheet, pl.col(name) < 0, "out-of-range", field=name, facts=facts)
    facts = {"value": both, "allowed": pl.concat_str(pl.lit("0 … "), here)}
    yield from flag(sheet, both > here, "out-of-range", field="known_to_both", facts=facts)
