"""The door itself: release.json first, then the tables of each kind of content."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from sharedrange.core.contents import Crossings, Delivered
from sharedrange.core.files import folder_hash
from sharedrange.core.finding import Finding, Severity, Where, errors
from sharedrange.core.release import MANIFEST, file_of
from sharedrange.core.survey import Survey
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.grids import SUFFIXES
from sharedrange.exchange.opening import Opened, open_path, shown
from sharedrange.exchange.released.crossings import KIND as CROSSINGS
from sharedrange.exchange.released.crossings import read_crossings
from sharedrange.exchange.released.dating import counts_of, genotypes_of, survey_of
from sharedrange.exchange.released.manifest import Told, read_told
from sharedrange.exchange.released.pictures import PICTURES, about_pictures
from sharedrange.exchange.released.tables import Released, read_tables

T = TypeVar("T")
_TOLD_FROM_M = 1000.0  # no cat that is counted by its marks moves less in a season


def read(folder: Path, delivery: Delivery) -> tuple[Delivered | None, tuple[Finding, ...]]:
    """What a released package holds, as a dated survey, counts at sites and samples; None if a finding is an error.

    Time zone and frame are those of release.json. Periods become days by a convention, and a note says so. Pictures
    are for people to look at: they are checked, and a note says where they lie.
    """
    opened, found = open_path(folder)
    if opened is None:
        return None, tuple(found)
    told, found = read_told(opened, delivery.party)
    if told is None:
        return None, tuple(found)
    found += _unread(opened, told)
    source, dataset = folder_hash(folder), delivery.dataset
    kinds: dict[str, Released] = {}
    crossings: Crossings | None = None
    for kind in told.resolutions:
        if kind == CROSSINGS:
            crossings, more = read_crossings(opened, told, dataset, source)
            found += more
            continue
        if kind == PICTURES:
            found += about_pictures(opened, told)
            continue
        released, more = read_tables(opened, told, kind)
        found += more
        if released is not None and any(sheet.rows.height for sheet in released.sheets.values()):
            kinds[kind] = released
    if not errors(found) and not kinds and PICTURES not in told.resolutions:
        found.append(Finding("nothing-delivered", {}, Where(MANIFEST)))
    if errors(found):
        return None, tuple(found)
    delivered = Delivered(
        survey=_made(kinds.get("survey"), lambda one: survey_of(one, dataset, source)),
        counts=_made(kinds.get("counts"), lambda one: counts_of(one, dataset, source)),
        genotypes=_made(kinds.get("samples"), lambda one: genotypes_of(one, dataset, source)),
        crossings=crossings,
    )
    return delivered, (*found, *_about_periods(kinds.get("survey")), *_about_cells(delivered.survey))


def _made(released: Released | None, make: Callable[[Released], T]) -> T | None:
    return None if released is None else make(released)


def _about_periods(survey: Released | None) -> Iterator[Finding]:
    """That days are a convention; nothing to say where periods are days."""
    if survey is not None and survey.resolution != "day":
        facts = {"resolution": survey.resolution, "timezone": survey.told.timezone}
        yield Finding("released-dated", facts, Where(MANIFEST), Severity.NOTE)


def _about_cells(survey: Survey | None) -> Iterator[Finding]:
    """What cells do to a density, where they are so large that some animal may move less than that."""
    known = [] if survey is None else survey.deployments["uncertainty_m"].drop_nulls().to_list()
    side_m = max(known, default=0.0) * 2**0.5  # of a square, of which half the diagonal is told
    if side_m >= _TOLD_FROM_M:
        facts = {"cell_km": float(f"{side_m / 1000:.2g}")}
        yield Finding("released-cells", facts, Where(MANIFEST), Severity.WARNING)


def _unread(opened: Opened, told: Told) -> list[Finding]:
    read_here = {file_of(table) for table in told.tables}
    return [
        Finding("unread-file", {"path": shown(name)}, Where(shown(name)), Severity.WARNING)
        for name in sorted(opened.sizes)
        if name.lower().endswith(SUFFIXES) and name not in read_here
    ]
