"""Door `darwin-core`: Darwin Core archives of events or occurrences (https://dwc.tdwg.org), with or without meta.xml.

Events with occurrences become counts at sites: an absence is a zero, effort and completeness come from the Humboldt
Extension. Events that are deployments of cameras, and occurrences of cameras that tell their deployments, become a
survey.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from sharedrange.core.contents import Delivered
from sharedrange.core.files import folder_hash
from sharedrange.core.finding import Fact, Finding, Severity, Where, errors
from sharedrange.exchange.assembling import assembled
from sharedrange.exchange.darwincore import cameras, deployments, events, occurrences
from sharedrange.exchange.darwincore.archive import ID, Archive, Part, read_archive
from sharedrange.exchange.darwincore.terms import EVENT, INVENTORY, MEASUREMENTS, MEDIA, OCCURRENCE, short
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.opening import shown
from sharedrange.exchange.positions import WGS84
from sharedrange.exchange.tables import FILE, ROW, Column, Sheet, flag, strangers, typed


@dataclass(frozen=True, slots=True)
class _Content:
    """Typed sheets by target, ready to be assembled."""

    sheets: dict[str, Sheet]
    found: list[Finding]


def read(folder: Path, delivery: Delivery) -> tuple[Delivered | None, tuple[Finding, ...]]:
    """What an archive holds: counts at sites, or a survey of cameras. None if a finding is an error."""
    archive, found = read_archive(folder, delivery)
    if archive is None or errors(found):
        return None, tuple(found)
    not_carried, notes = _not_carried(archive)
    found += notes
    readers = {EVENT: _of_events, OCCURRENCE: _of_occurrences}
    if archive.core.rows not in readers:
        facts: dict[str, Fact] = {"rows": shown(short(archive.core.rows)) or "?"}
        return None, (*found, Finding("dwca-core", facts, Where(archive.core.sheet.file)))
    content = readers[archive.core.rows](archive, delivery)
    found += content.found
    if errors(found):
        return None, tuple(found)
    in_wgs84 = replace(delivery, crs=WGS84)  # where each row's own datum has been taken into account
    delivered, more = assembled(content.sheets, in_wgs84, folder_hash(folder), not_carried)
    return delivered, (*found, *more)


def _of_events(archive: Archive, delivery: Delivery) -> _Content:
    core = archive.core.sheet
    seen = archive.joined(OCCURRENCE)
    all_events, found = events.typed_events(core, delivery)
    if deployments.tell_deployments(core, seen):
        content = _deployed(archive, all_events, seen, delivery)
        return _Content(content.sheets, [*found, *content.found])
    ids = all_events.rows[ID]
    occupied = pl.Series(ID, [], pl.String) if seen is None else seen.rows[ID]
    if seen is not None:
        found += strangers(seen, ID, ids, "unknown-visit")
    of_events, of_occurrences, more = occurrences.measured(archive.of(*MEASUREMENTS))
    found += more
    inventory, more = _inventory(archive)
    found += more
    if inventory is not None:
        occupied = pl.concat([occupied, inventory.rows[ID]])
    visited, more = events.visited(all_events, occupied)
    found += more
    visits, more = events.visits_of(visited, inventory, of_events)
    found += more
    sheets = {"visits": visits}
    if seen is not None or inventory is not None:
        rows, more = occurrences.typed_occurrences(seen or _none_of(core), delivery)
        found += more
        sheets["counts"], more = occurrences.counts_of(rows, of_occurrences, inventory)
        found += more
    return _Content(sheets, found)


def _deployed(archive: Archive, all_events: Sheet, seen: Sheet | None, delivery: Delivery) -> _Content:
    """The survey of an archive whose events are deployments and what was seen in them."""
    text = seen or _none_of(archive.core.sheet)
    rows, found = occurrences.typed_occurrences(text, delivery)
    found += strangers(text, ID, all_events.rows[ID], "unknown-visit")
    found += occurrences.other_measurements(archive.of(*MEASUREMENTS), deployments.KINDS)
    blank = [pl.lit(None, dtype=pl.String).alias(n) for n in deployments.OCCURRENCE_READ if not text.has(n)]
    told = text.rows.with_columns(blank).select(FILE, ROW, *deployments.OCCURRENCE_READ)
    rows = rows.with_rows(rows.rows.join(told, on=[FILE, ROW], how="left", maintain_order="left"))
    sheets, more = deployments.survey_of(archive, all_events, rows, delivery)
    return _Content(sheets, [*found, *more])


def _of_occurrences(archive: Archive, delivery: Delivery) -> _Content:
    core = archive.core.sheet
    pictures = cameras.are_pictures(core)
    if pictures and cameras.tell_deployments(core):
        return _survey(core, delivery)
    found = [Finding("dwca-pictures-as-counts", {}, Where(core.file), Severity.NOTE)] if pictures else []
    of_events, of_occurrences, more = occurrences.measured(archive.of(*MEASUREMENTS))
    found += more
    event = pl.coalesce("eventID", ID) if core.has("eventID") else pl.col(ID)
    by_event = core.with_rows(core.rows.with_columns(event.alias(ID)))
    all_events, more = events.typed_events(by_event, delivery)
    found += [*more, *_differing(all_events)]
    first = all_events.with_rows(all_events.rows.unique(ID, keep="first", maintain_order=True))
    visits, more = events.visits_of(first, None, of_events)
    found += more
    rows, more = occurrences.typed_occurrences(by_event, delivery)
    found += more
    counts, more = occurrences.counts_of(rows, of_occurrences, None)
    return _Content({"visits": visits, "counts": counts}, [*found, *more])


def _survey(core: Sheet, delivery: Delivery) -> _Content:
    placed, found = events.typed_events(core, delivery)
    seen, more = occurrences.typed_occurrences(core, delivery)
    found += more
    sheets, more = cameras.survey_of(core, placed, seen, delivery)
    return _Content(sheets, [*found, *more])


def _differing(sheet: Sheet) -> list[Finding]:
    """A warning for each occurrence that tells another place or time of its event than the first one."""
    told = ("x", "y", "start", "end")
    differs = pl.any_horizontal(~pl.col(name).eq_missing(pl.col(name).first().over(ID)) for name in told)
    facts = {"event": pl.col(ID)}
    return flag(sheet, differs, "dwca-event-differs", field="eventID", facts=facts, severity=Severity.WARNING)


def _inventory(archive: Archive) -> tuple[Sheet | None, list[Finding]]:
    """The rows of the Humboldt Extension, or its terms in the core itself; typed."""
    terms = {column.name for column in events.INVENTORY_COLUMNS} - {ID}
    core = archive.core.sheet
    sheet = archive.joined(INVENTORY)
    if sheet is None and not terms & set(core.rows.columns):
        return None, []
    return typed(sheet or core, [*events.INVENTORY_COLUMNS, Column(FILE)])


def _none_of(core: Sheet) -> Sheet:
    schema = dict.fromkeys(occurrences.READ, pl.String)
    return Sheet(core.file, pl.DataFrame(schema={**schema, ROW: pl.Int64, FILE: pl.String}))


# --- what no table holds ---


def _not_carried(archive: Archive) -> tuple[list[str], list[Finding]]:
    """The columns and tables that nothing of ours holds, and a note for each file."""
    names: list[str] = []
    found: list[Finding] = []
    read_ = _read_of(archive)
    for part in (archive.core, *archive.extensions):
        if part.rows not in read_ and part is not archive.core:
            facts: dict[str, Fact] = {"rows": part.sheet.rows.height, "kind": shown(short(part.rows)) or "?"}
            found.append(Finding("dwca-part-left-out", facts, Where(part.sheet.file), Severity.NOTE))
        unread = _unread(part, part is archive.core, read_.get(part.rows, ()))
        if unread:
            facts = {"columns": ", ".join(map(shown, unread))}
            found.append(Finding("not-carried", facts, Where(part.sheet.file, row=1), Severity.NOTE))
        names += [f"{part.sheet.file}: {name}" for name in unread]
    return names, found


_INVENTORY_READ = tuple(column.name for column in events.INVENTORY_COLUMNS)
_READ = {
    EVENT: (*events.READ, *_INVENTORY_READ),
    OCCURRENCE: occurrences.READ,
    INVENTORY: _INVENTORY_READ,
    **dict.fromkeys(MEASUREMENTS, occurrences.MEASUREMENT_READ),
}


def _read_of(archive: Archive) -> Mapping[str, tuple[str, ...]]:
    """Row type -> the columns that are read; of a survey also those that only a survey has."""
    if not deployments.tell_deployments(archive.core.sheet, archive.joined(OCCURRENCE)):
        return _READ
    return {
        **_READ,
        EVENT: (*events.READ, *deployments.EVENT_READ),
        OCCURRENCE: (*occurrences.READ, *deployments.OCCURRENCE_READ),
        MEDIA: deployments.MEDIA_READ,
        INVENTORY: (),  # its effort is told by the deployments and their gaps
        **dict.fromkeys(MEASUREMENTS, (*occurrences.MEASUREMENT_READ, deployments.MEASUREMENT_READ)),
    }


def _unread(part: Part, is_core: bool, known: Sequence[str]) -> list[str]:
    """Columns with any value that nothing reads."""
    read_ = set(known)
    if is_core and part.rows == OCCURRENCE:
        read_ |= {*events.READ, *(cameras.READ if cameras.tell_deployments(part.sheet) else ())}
    rows = part.sheet.rows
    return [
        name
        for name in rows.columns
        if name not in read_ | {ID, ROW, FILE, "eventID"} and not rows[name].is_null().all()
    ]
