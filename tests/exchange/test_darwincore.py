"""Darwin Core archives: absent is zero, effort and completeness are not invented, and what is written reads back."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharedrange.core.contents import COUNTS, VISITS, Delivered, SiteCounts
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding, Severity, errors
from sharedrange.core.survey import Survey
from sharedrange.exchange import camtrapdp
from sharedrange.exchange.darwincore import NOTES, read, write
from sharedrange.exchange.darwincore.eml import NAMESPACE
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.doors import DOORS, guess

MakeFolder = Callable[[Mapping[str, str | bytes]], Path]
NORTH = Delivery("north", "birds", "darwin-core")
DWC, ECO = "http://rs.tdwg.org/dwc/terms/", "http://rs.tdwg.org/eco/terms/"


def rules(found: tuple[Finding, ...], *severities: Severity) -> list[str]:
    return [f.rule for f in found if not severities or f.severity in severities]


def one(found: tuple[Finding, ...], rule: str) -> Finding:
    chosen = [f for f in found if f.rule == rule]
    assert len(chosen) == 1, found
    return chosen[0]


def counts_in(delivered: Delivered | None, found: tuple[Finding, ...]) -> SiteCounts:
    assert not errors(found)
    assert delivered is not None
    assert delivered.counts is not None
    return delivered.counts


def moment(hour: int, day: int = 1) -> datetime:
    return datetime(2024, 3, day, hour, tzinfo=UTC)


def meta(core: str, *extensions: str) -> str:
    return f'<archive xmlns="http://rs.tdwg.org/dwc/text/">{core}{"".join(extensions)}</archive>'


def table(element: str, row_type: str, file: str, terms: str, attributes: str = 'ignoreHeaderLines="1"') -> str:
    """One table of meta.xml whose columns are `terms` in their order; the first joins it."""
    names = terms.split()
    fields = "".join(f'<field index="{n}" term="{_iri(name)}"/>' for n, name in enumerate(names))
    joins = "id" if element == "core" else "coreid"
    files = f"<files><location>{file}</location></files>"
    return f'<{element} rowType="{row_type}" {attributes}>{files}<{joins} index="0"/>{fields}</{element}>'


def _iri(name: str) -> str:
    return name if "://" in name else f"{ECO}{name[4:]}" if name.startswith("eco:") else f"{DWC}{name}"


EVENTS = "eventID,eventDate,samplingProtocol,decimalLatitude,decimalLongitude,geodeticDatum\n"
LAKE = "e1,2024-03-01T09:00+09:00/2024-03-01T11:00+09:00,waterbird-count,42.5,130.5,WGS84\n"


# --- events and occurrences ---


def test_absent_is_zero_and_present_without_a_number_is_not_counted(make: MakeFolder) -> None:
    occurrences = (
        "eventID,occurrenceID,scientificName,occurrenceStatus,individualCount\n"
        "e1,o1,Grus monacha,present,12\ne1,o2,Platalea minor,absent,\ne1,o3,Antigone vipio,,\n"
    )
    counts = counts_in(*read(make({"event.csv": EVENTS + LAKE, "occurrence.csv": occurrences}), NORTH))
    assert dict(counts.counts.select("taxon", "count").iter_rows()) == {
        "Grus monacha": 12,
        "Platalea minor": 0,
        "Antigone vipio": None,
    }
    assert counts.visits["start"].to_list() == [moment(0)]
    assert counts.visits["end"].to_list() == [moment(2)]


def test_a_status_that_contradicts_the_number_is_an_error(make: MakeFolder) -> None:
    occurrences = (
        "eventID,scientificName,occurrenceStatus,individualCount\n"
        "e1,Grus monacha,absent,3\ne1,Platalea minor,present,0\ne1,Antigone vipio,absent,0\n"
    )
    delivered, found = read(make({"event.csv": EVENTS + LAKE, "occurrence.csv": occurrences}), NORTH)
    assert delivered is None
    assert [f.where.row for f in found if f.rule == "dwca-status-contradicts"] == [2, 3]


@pytest.mark.parametrize(
    ("fully", "assessed", "absence", "complete"),
    [
        ("true", "", "", True),
        ("false", "", "", False),
        ("", "reportedComplete", "", True),
        ("", "reportedIncomplete", "true", False),
        ("true", "reportedIncomplete", "", False),
        ("", "notReported", "true", None),
        ("", "", "true", None),
    ],
)
def test_complete_is_said_by_the_archive_and_absences_alone_do_not_say_it(
    make: MakeFolder, fully: str, assessed: str, absence: str, complete: bool | None
) -> None:
    inventory = (
        "eventID,isTaxonomicScopeFullyReported,taxonCompletenessReported,isAbsenceReported\n"
        f"e1,{fully},{assessed},{absence}\n"
    )
    counts = counts_in(*read(make({"event.csv": EVENTS + LAKE, "humboldt.csv": inventory}), NORTH))
    assert counts.visits["complete"].to_list() == [complete]


def test_taxa_listed_as_absent_are_zeros_unless_an_occurrence_names_them(make: MakeFolder) -> None:
    folder = make(
        {
            "event.csv": EVENTS + LAKE,
            "humboldt.csv": "eventID,absentTaxa\ne1,Grus monacha | Platalea minor\n",
            "occurrence.csv": "eventID,scientificName,individualCount\ne1,Grus monacha,4\n",
        }
    )
    counts = counts_in(*read(folder, NORTH)).counts
    assert dict(counts.select("taxon", "count").iter_rows()) == {"Grus monacha": 4, "Platalea minor": 0}


@pytest.mark.parametrize(
    ("value", "unit", "effort", "kept"),
    [
        ("90", "minutes", 90.0, "minutes"),
        ("1.5", "Hours", 90.0, "minutes"),
        ("2500", "m", 2.5, "km"),
        ("30", "trap-nights", 30.0, "station_days"),
    ],
)
def test_effort_is_kept_in_our_units(make: MakeFolder, value: str, unit: str, effort: float, kept: str) -> None:
    inventory = f"eventID,samplingEffortValue,samplingEffortUnit\ne1,{value},{unit}\n"
    counts = counts_in(*read(make({"event.csv": EVENTS + LAKE, "humboldt.csv": inventory}), NORTH))
    assert counts.visits.select("effort", "effort_unit").row(0) == (pytest.approx(effort), kept)


def test_effort_in_a_unit_of_people_is_left_out_with_a_warning(make: MakeFolder) -> None:
    inventory = "eventID,samplingEffortValue,samplingEffortUnit\ne1,4,person hours\n"
    delivered, found = read(make({"event.csv": EVENTS + LAKE, "humboldt.csv": inventory}), NORTH)
    assert counts_in(delivered, found).visits["effort"].to_list() == [None]
    assert one(found, "dwca-effort-unit").facts["unit"] == "person hours"


def test_events_that_only_hold_others_lend_them_place_and_time_and_are_no_visits(make: MakeFolder) -> None:
    events = (
        "eventID,parentEventID,eventDate,decimalLatitude,decimalLongitude,geodeticDatum,locationID\n"
        "trip,,2024-03-01T00:00Z/2024-03-02T00:00Z,42.5,130.5,EPSG:4326,lake\n"
        "c1,trip,,,,,\nc2,trip,2024-03-01T05:00Z,42.75,130.25,EPSG:4326,bay\n"
    )
    occurrences = "eventID,scientificName,individualCount\nc1,Grus monacha,4\nc2,Grus monacha,5\n"
    delivered, found = read(make({"event.csv": events, "occurrence.csv": occurrences}), NORTH)
    visits = counts_in(delivered, found).visits
    assert visits.select("visit", "site", "y", "start").rows() == [
        ("c1", "lake", 42.5, moment(0)),
        ("c2", "bay", 42.75, moment(5)),
    ]
    assert one(found, "dwca-parent-events").facts["rows"] == 1


def test_events_that_hold_each_other_do_not_hang(make: MakeFolder) -> None:
    events = "eventID,parentEventID,eventDate\na,b,2024-03-01T00:00Z\nb,a,\nc,c,\n"
    occurrences = "eventID,scientificName\na,Grus monacha\nb,Grus monacha\nc,Grus monacha\n"
    counts = counts_in(*read(make({"event.csv": events, "occurrence.csv": occurrences}), NORTH))
    assert counts.visits["start"].to_list() == [moment(0), moment(0), None]


def test_several_occurrences_of_one_kind_are_added_up_and_counted_in_a_note(make: MakeFolder) -> None:
    occurrences = (
        "eventID,scientificName,individualCount,sex\n"
        "e1,Grus monacha,4,\ne1,Grus monacha,5,\ne1,Grus monacha,1,female\ne1,Platalea minor,2,\ne1,Platalea minor,,\n"
    )
    delivered, found = read(make({"event.csv": EVENTS + LAKE, "occurrence.csv": occurrences}), NORTH)
    rows = counts_in(delivered, found).counts.select("taxon", "sex", "count", "exactness").rows()
    assert rows == [
        ("Grus monacha", None, 9, None),
        ("Grus monacha", "female", 1, None),
        ("Platalea minor", None, 2, "minimum"),
    ]
    assert dict(one(found, "dwca-added-up").facts) == {"rows": 4, "counts": 2}


def test_occurrences_of_an_event_that_is_not_there_are_errors(make: MakeFolder) -> None:
    occurrences = "eventID,scientificName\nelsewhere,Grus monacha\n"
    delivered, found = read(make({"event.csv": EVENTS + LAKE, "occurrence.csv": occurrences}), NORTH)
    assert delivered is None
    assert one(found, "unknown-visit").where.row == 2


def test_words_that_no_column_holds_are_warnings_and_null(make: MakeFolder) -> None:
    occurrences = "eventID,scientificName,lifeStage,sex\ne1,Grus monacha,chick,Female\n"
    delivered, found = read(make({"event.csv": EVENTS + LAKE, "occurrence.csv": occurrences}), NORTH)
    assert counts_in(delivered, found).counts.select("life_stage", "sex").row(0) == (None, "female")
    assert one(found, "dwca-word").facts["value"] == "chick"


def test_signs_are_counted_as_signs(make: MakeFolder) -> None:
    events = EVENTS + LAKE.replace("waterbird-count", "Sign transect")
    occurrences = (
        "eventID,scientificName,organismQuantity,organismQuantityType\n"
        "e1,Panthera uncia,3,scrape\ne1,Panthera uncia,2,individuals\n"
    )
    counts = counts_in(*read(make({"event.csv": events, "occurrence.csv": occurrences}), NORTH))
    assert counts.counts.select("sign", "count").rows() == [("scrape", 3), (None, 2)]
    assert counts.visits["method"].to_list() == ["sign-transect"]


def test_a_protocol_of_others_is_another_method_and_says_so(make: MakeFolder) -> None:
    delivered, found = read(make({"event.csv": EVENTS + LAKE.replace("waterbird-count", "mist net")}), NORTH)
    assert counts_in(delivered, found).visits["method"].to_list() == ["other"]
    assert one(found, "dwca-method").facts["protocol"] == "mist net"


# --- when and where ---


@pytest.mark.parametrize(
    ("date", "time", "start", "end"),
    [
        ("2024-03-01T09:00Z", "", moment(9), None),
        ("2024-03-01T09:00Z/11:00Z", "", moment(9), moment(11)),
        ("2024-03-01", "", moment(0), moment(0, day=2)),
        ("2024-03-01/2024-03-02", "", moment(0), moment(0, day=3)),
        ("2024-03-01/02", "", moment(0), moment(0, day=3)),
        ("2024-03-01", "9:00", moment(9), None),
        ("2024-03-01", "09:00/11:00", moment(9), moment(11)),
        ("2024-03-01", "09:00Z/11:00Z", moment(9), moment(11)),
        ("2024", "", None, None),
        ("2024-03/2024-04", "", None, None),
    ],
)
def test_dates_of_the_standard_become_times(
    make: MakeFolder, date: str, time: str, start: datetime | None, end: datetime | None
) -> None:
    folder = make({"event.csv": f"eventID,eventDate,eventTime\ne1,{date},{time}\n"})
    delivered, found = read(folder, Delivery("north", "birds", "darwin-core", timezone="UTC"))
    visits = counts_in(delivered, found).visits
    assert visits.select("start", "end").row(0) == (start, end)
    assert visits["start_text"][0] == f"{date} {time}".strip()
    assert ("dwca-vague-date" in rules(found)) == (start is None)


def test_year_month_and_day_are_a_date(make: MakeFolder) -> None:
    folder = make({"event.csv": "eventID,year,month,day\ne1,2024,3,1\n"})
    delivered, found = read(folder, Delivery("north", "birds", "darwin-core", timezone="Asia/Tokyo"))
    assert counts_in(delivered, found).visits["start"][0] == datetime(2024, 2, 29, 15, tzinfo=UTC)


def test_a_day_without_a_time_zone_asks_for_one(make: MakeFolder) -> None:
    delivered, found = read(make({"event.csv": "eventID,eventDate\ne1,2024-03-01\n"}), NORTH)
    assert delivered is None
    assert one(found, "missing-timezone").where.field == "eventDate"


def test_a_date_that_is_none_is_an_error_with_its_row(make: MakeFolder) -> None:
    _, found = read(make({"event.csv": "eventID,eventDate\ne1,2024-03-01T09:00Z\ne2,1.3.24\n"}), NORTH)
    assert (one(found, "not-a-time").where.row, one(found, "not-a-time").where.field) == (3, "eventDate")


def test_positions_without_a_datum_ask_for_the_crs_and_take_the_one_declared(make: MakeFolder) -> None:
    folder = make({"event.csv": "eventID,decimalLatitude,decimalLongitude\ne1,42.5,130.5\n"})
    assert rules(read(folder, NORTH)[1], Severity.ERROR) == ["missing-crs"]
    declared = Delivery("north", "birds", "darwin-core", crs="EPSG:4326")
    assert counts_in(*read(folder, declared)).visits.select("x", "y").row(0) == (130.5, 42.5)


def test_each_position_is_moved_from_its_own_datum(make: MakeFolder) -> None:
    events = (
        "eventID,decimalLatitude,decimalLongitude,geodeticDatum\n"
        "e1,42.5,130.5,EPSG:4284\ne2,42.5,130.5,WGS84\ne3,42.5,130.5,EPSG:4284\n"
    )
    visits = counts_in(*read(make({"event.csv": events}), NORTH)).visits
    assert visits["visit"].to_list() == ["e1", "e2", "e3"]
    shifted = visits["x"].to_numpy() - 130.5  # Pulkovo 1942 lies about 100 m from WGS 84
    assert abs(shifted[1]) == 0
    assert 1e-4 < abs(shifted[0]) == abs(shifted[2]) < 1e-2


def test_a_datum_that_nobody_knows_is_an_error_that_shows_no_position(make: MakeFolder) -> None:
    events = "eventID,decimalLatitude,decimalLongitude,geodeticDatum\ne1,42.123,130.456,local mine grid\n"
    delivered, found = read(make({"event.csv": events}), NORTH)
    assert delivered is None
    assert one(found, "dwca-datum").facts["datum"] == "local mine grid"
    assert not [f for f in found if "130" in str(f) or "42.1" in str(f)]


# --- meta.xml ---


def test_meta_xml_says_how_cells_are_split_and_encoded(make: MakeFolder) -> None:
    attributes = r'fieldsTerminatedBy="\t" linesTerminatedBy="\n" fieldsEnclosedBy="" encoding="windows-1251"'
    text = 'e1\tОзеро "Хасан"\t2024-03-01T09:00Z\t\ne2\tBay\t2024-03-01T10:00Z\t\n'
    folder = make(
        {
            "dwca/meta.xml": meta(table("core", f"{DWC}Event", "e.txt", "eventID locality eventDate sex", attributes)),
            "dwca/e.txt": text.encode("windows-1251"),
        }
    )
    assert counts_in(*read(folder, NORTH)).visits["site"].to_list() == ['Озеро "Хасан"', "Bay"]


def test_columns_are_found_by_index_and_defaults_fill_them(make: MakeFolder) -> None:
    core = (
        f'<core rowType="{DWC}Event"><files><location>a.csv</location><location>b.csv</location></files>'
        f'<id index="2"/><field index="0" term="{DWC}locationID"/>'
        f'<field index="1" default="2024-03-01T09:00Z" term="{DWC}eventDate"/>'
        f'<field default="waterbird-count" term="{DWC}samplingProtocol"/></core>'
    )
    folder = make({"meta.xml": meta(core), "a.csv": "lake,,e1\n", "b.csv": "bay,2024-03-01T10:00Z,e2\n"})
    visits = counts_in(*read(folder, NORTH)).visits
    assert visits.select("visit", "site", "start", "method").rows() == [
        ("e1", "lake", moment(9), "waterbird-count"),
        ("e2", "bay", moment(10), "waterbird-count"),
    ]


@pytest.mark.parametrize(
    ("document", "rule"),
    [
        ('<!DOCTYPE a [<!ENTITY b "c">]><archive/>', "xml-with-entities"),
        ("<archive", "bad-xml"),
        ("<a>" * 100 + "</a>" * 100, "too-deep"),
        ("<archive/>", "dwca-no-core"),
        (meta(table("core", "", "e.csv", "eventID", 'fieldsTerminatedBy="::"')), "dwca-attribute"),
        (meta(table("core", "", "e.csv", "eventID", 'ignoreHeaderLines="-1"')), "dwca-attribute"),
        (meta(table("core", "", "e.csv", "eventID", 'linesTerminatedBy="|"')), "dwca-attribute"),
        (meta(table("core", "", "e.csv", "eventID", 'encoding="rot13"')), "unknown-encoding"),
        (meta(table("core", "", "../e.csv", "eventID")), "path-escapes"),
        (meta(table("core", "", "f.csv", "eventID")), "file-not-found"),
        (meta(table("core", "", "e.csv", "eventID eventDate sex day")), "dwca-columns"),
        (meta(table("core", "", "e.csv", "eventID eventID")), "duplicate-column"),
        (meta(table("core", f"{DWC}Taxon", "e.csv", "taxonID sex")), "dwca-core"),
    ],
)
def test_a_meta_xml_that_cannot_be_followed_is_refused(make: MakeFolder, document: str, rule: str) -> None:
    delivered, found = read(make({"meta.xml": document, "e.csv": "eventID,eventDate\n1,2024-03-01T09:00Z\n"}), NORTH)
    assert delivered is None
    assert rule in rules(found, Severity.ERROR)


def test_every_row_of_another_width_is_a_finding(make: MakeFolder) -> None:
    core = table("core", f"{DWC}Event", "e.csv", "eventID eventDate")
    folder = make({"meta.xml": meta(core), "e.csv": "id,date\ne1,2024-03-01T09:00Z\ne2\ne3,a,b\n"})
    delivered, found = read(folder, NORTH)
    assert delivered is None
    assert [f.where.row for f in found if f.rule == "ragged-row"] == [3, 4]


def test_what_no_table_holds_is_listed(make: MakeFolder) -> None:
    event = table("core", f"{DWC}Event", "e.csv", "eventID eventDate habitat http://purl.org/dc/terms/license")
    facts = table("extension", f"{DWC}MeasurementOrFact", "m.csv", "eventID measurementType measurementValue")
    media = table("extension", "http://rs.gbif.org/terms/1.0/Multimedia", "p.csv", "eventID type")
    folder = make(
        {
            "meta.xml": meta(event, facts, media),
            "e.csv": "a,b,c,d\ne1,2024-03-01T09:00Z,marsh,CC0\n",
            "m.csv": "a,b,c\ne1,water depth,3\ne1,number of observers,2\n",
            "p.csv": "a,b\ne1,StillImage\n",
        }
    )
    delivered, found = read(folder, NORTH)
    assert counts_in(delivered, found).visits["observers"].to_list() == [2]
    assert delivered is not None
    assert set(delivered.not_carried) == {
        "e.csv: habitat",
        "e.csv: http://purl.org/dc/terms/license",
        "p.csv: type",
    }
    assert one(found, "dwca-measurement").facts["type"] == "water depth"
    assert one(found, "dwca-part-left-out").facts["rows"] == 1


def test_a_folder_without_an_archive_says_so(make: MakeFolder) -> None:
    assert rules(read(make({"readme.md": "hello"}), NORTH)[1]) == ["no-archive"]


def test_an_archive_in_a_zip_reads_as_in_a_folder(make: MakeFolder) -> None:
    folder = make({"readme.md": "see the archive"})
    with zipfile.ZipFile(folder / "dwca.zip", "w") as archive:
        archive.writestr("event.txt", EVENTS + LAKE)
    assert counts_in(*read(folder, NORTH)).visits["visit"].to_list() == ["e1"]
    assert counts_in(*read(folder / "dwca.zip", NORTH)).visits["visit"].to_list() == ["e1"]


@pytest.mark.parametrize("name", ["dwca/meta.xml", "event.txt", "Occurrence.csv"])
def test_an_archive_is_known_by_its_files(make: MakeFolder, name: str) -> None:
    assert guess(make({name: "", "eml.xml": ""})) == "darwin-core"


def test_files_with_other_names_are_named_in_the_delivery(make: MakeFolder) -> None:
    folder = make({"0001234-26.csv": (EVENTS + LAKE).replace(",", "\t")})
    named = Delivery("north", "birds", "darwin-core", files={"event": "0001234-26.csv"})
    assert counts_in(*DOORS["darwin-core"].read(folder, named)).visits["visit"].to_list() == ["e1"]


# --- occurrences alone ---

SEEN = "occurrenceID,eventID,eventDate,scientificName,individualCount,basisOfRecord\n"


def test_occurrences_alone_are_visits_without_effort_that_say_nothing_of_zeros(make: MakeFolder) -> None:
    rows = (
        "o1,e1,2024-03-01T09:00Z,Grus monacha,3,HumanObservation\n"
        "o2,e1,2024-03-01T09:00Z,Platalea minor,1,HumanObservation\no3,,2024-03-01T10:00Z,Grus monacha,,\n"
    )
    counts = counts_in(*read(make({"occurrence.txt": (SEEN + rows).replace(",", "\t")}), NORTH))
    assert counts.visits["visit"].to_list() == ["e1", "o3"]
    assert counts.visits["effort"].null_count() == counts.visits["complete"].null_count() == 2
    assert counts.counts.select("visit", "taxon", "count").rows() == [
        ("e1", "Grus monacha", 3),
        ("e1", "Platalea minor", 1),
        ("o3", "Grus monacha", None),
    ]


def test_occurrences_that_disagree_about_their_event_are_warnings(make: MakeFolder) -> None:
    rows = "o1,e1,2024-03-01T09:00Z,Grus monacha,3,\no2,e1,2024-03-02T09:00Z,Platalea minor,1,\n"
    _, found = read(make({"occurrence.csv": SEEN + rows}), NORTH)
    assert one(found, "dwca-event-differs").where.row == 3


CAMERA = (
    "occurrenceID,eventID,parentEventID,eventDate,scientificName,individualCount,basisOfRecord,samplingEffort,"
    "decimalLatitude,decimalLongitude,geodeticDatum,coordinateUncertaintyInMeters,locationID,organismID,sex\n"
)


def picture(number: int, deployment: str, place: str, hour: int, animal: str = "") -> str:
    effort = "2024-03-01T00:00:00Z/2024-03-11T00:00:00Z"
    return (
        f"o{number},s{number},{deployment},2024-03-01T{hour:02}:00Z/2024-03-01T{hour:02}:05Z,Panthera uncia,1,"
        f"MachineObservation,{effort},{place},EPSG:4326,1000,A,{animal},female\n"
    )


def test_pictures_that_tell_their_deployment_are_a_survey(make: MakeFolder) -> None:
    rows = picture(1, "d1", "49.5,88.5", 3, "M1") + picture(2, "d1", "49.5,88.5", 7) + picture(3, "d2", "49.6,88.5", 8)
    folder = make({"occurrence.csv": CAMERA + rows})
    delivered, found = read(folder, Delivery("north", "cats", "darwin-core", catalogue="left", detector="count"))
    assert not errors(found)
    assert delivered is not None
    assert delivered.survey is not None
    survey = delivered.survey
    assert survey.deployments.select("deployment", "station", "x", "y", "uncertainty_m", "detector").rows() == [
        ("d1", "A", 88.5, 49.5, 1000.0, "count"),
        ("d2", "A", 88.5, 49.6, 1000.0, "count"),
    ]
    assert survey.deployments["end"].to_list() == [moment(0, day=11)] * 2
    assert survey.observations.select("observation", "deployment", "event", "individual", "catalogue").rows() == [
        ("o1", "d1", "s1", "M1", "left"),
        ("o2", "d1", "s2", None, None),
        ("o3", "d2", "s3", None, None),
    ]
    assert one(found, "dwca-only-seen").severity is Severity.WARNING


def test_a_deployment_in_two_places_is_an_error(make: MakeFolder) -> None:
    rows = picture(1, "d1", "49.5,88.5", 3) + picture(2, "d1", "49.6,88.5", 7)
    delivered, found = read(make({"occurrence.csv": CAMERA + rows}), NORTH)
    assert delivered is None
    assert one(found, "dwca-deployment-differs").where.row == 3


PERIOD = "2024-03-01T00:00:00Z/2024-03-11T00:00:00Z"


@pytest.mark.parametrize(
    "row",
    [
        picture(1, "", "49.5,88.5", 3),
        picture(1, "d1", ",", 3),
        picture(1, "d1", "49.5,88.5", 3).replace(PERIOD, "10 days"),
        picture(1, "d1", "49.5,88.5", 3).replace(PERIOD, "2024-03-01T03:00Z/2024-03-01T03:05Z"),
        picture(1, "d1", "49.5,88.5", 3).replace("11T", "12T"),
    ],
    ids=["no deployment", "no place", "days", "time of the event", "another period in the next row"],
)
def test_pictures_that_do_not_tell_their_deployment_are_counts(make: MakeFolder, row: str) -> None:
    rows = row + picture(2, "d1", "49.5,88.5", 4)
    delivered, found = read(make({"occurrence.csv": CAMERA + rows}), NORTH)
    assert counts_in(delivered, found).visits["visit"].to_list() == ["s1", "s2"]
    assert "dwca-pictures-as-counts" in rules(found, Severity.NOTE)


def test_a_real_package_taken_through_darwin_core_gives_the_same_animals(make: MakeFolder, data: Path) -> None:
    before, _ = camtrapdp.read(data / "camtrapdp_example", Delivery("north", "cats", "camtrap-dp"))
    assert before is not None
    folder = make({"occurrence.csv": as_networks_have_it(before).write_csv()})
    delivered, found = read(folder, Delivery("north", "cats", "darwin-core"))
    assert not errors(found)
    assert delivered is not None
    assert delivered.survey is not None
    after = delivered.survey
    animals = before.observations.filter(type="animal")
    kept = ["observation", "deployment", "event", "start", "end", "taxon", "count", "life_stage", "sex", "individual"]
    assert after.observations.select(kept).sort("observation").equals(animals.select(kept).sort("observation"))
    seen = before.deployments.filter(pl.col("deployment").is_in(animals["deployment"].unique().to_list()))
    kept = ["deployment", "station", "x", "y", "uncertainty_m", "start", "end"]
    assert 0 < len(seen) <= len(before.deployments)
    assert after.deployments.select(kept).sort("deployment").equals(seen.select(kept).sort("deployment"))


def as_networks_have_it(survey: Survey) -> pl.DataFrame:
    """The animals of a survey as the community's mapping of Camtrap DP to Darwin Core gives them to networks."""
    when = "%Y-%m-%dT%H:%M:%SZ"
    cameras = survey.deployments.select(
        pl.col("deployment", "station", "x", "y", "uncertainty_m"), began="start", ended="end"
    )
    rows = survey.observations.filter(type="animal").join(cameras, on="deployment")
    return rows.select(
        basisOfRecord=pl.lit("MachineObservation"),
        dataGeneralizations=pl.lit("coordinates rounded to 0.001 degree"),
        occurrenceID="observation",
        individualCount="count",
        sex="sex",
        lifeStage="life_stage",
        occurrenceStatus=pl.lit("present"),
        organismID="individual",
        eventID="event",
        parentEventID="deployment",
        eventDate=pl.concat_str(pl.col("start", "end").dt.strftime(when), separator="/"),
        samplingProtocol=pl.lit("camera trap"),
        samplingEffort=pl.concat_str(pl.col("began", "ended").dt.strftime(when), separator="/"),
        locationID="station",
        decimalLatitude="y",
        decimalLongitude="x",
        geodeticDatum=pl.lit("EPSG:4326"),
        coordinateUncertaintyInMeters="uncertainty_m",
        scientificName="taxon",
    )


# --- writing ---

WHEN: dict[str, Any] = {"start": moment(0), "end": moment(2), "start_text": "2024-03-01T09:00+09:00"}
PLACE: dict[str, Any] = {"x": 130.25, "y": 42.75, "uncertainty_m": 7100.0}


def written() -> SiteCounts:
    visits = pl.DataFrame(
        [
            {
                "visit": "v1",
                "site": '=HYPERLINK("x")',
                "method": "waterbird-count",
                "effort": 90.5,
                **WHEN,
                **PLACE,
                "effort_unit": "minutes",
                "observers": 2,
                "complete": True,
                "cover_share": 0.75,
            },
            {
                "visit": "v2",
                "site": 'ta"ble,\n two',
                "method": "snow-track-transect",
                "effort": 3.2,
                **WHEN,
                "effort_unit": "km",
                "complete": False,
            },
            {"visit": "-v3", "site": "гнездо 巢", "method": "other", **WHEN, **PLACE},
        ],
        schema=VISITS,
    )
    counts = pl.DataFrame(
        [
            {"visit": "v1", "taxon": "Grus monacha", "count": 12, "exactness": "estimate", "life_stage": "adult"},
            {"visit": "v1", "taxon": "Platalea minor", "count": 0, "exactness": "exact"},
            {"visit": "v1", "taxon": "Antigone vipio", "exactness": "minimum"},
            {"visit": "v2", "taxon": "Panthera tigris altaica", "count": 2, "sign": "track", "sex": "female"},
            {"visit": "v2", "taxon": "Panthera tigris altaica", "count": 0, "sign": "scat"},
        ],
        schema=COUNTS,
    )
    return SiteCounts("north", "birds", "EPSG:4326", visits, counts)


WITHHELD = pl.DataFrame(
    [("v1", "moved to the centre of a 10 km cell", None), ("v2", None, "the place of a rare animal")],
    schema=NOTES,
    orient="row",
)


def save(counts: SiteCounts, path: Path, **more: Any) -> Path:
    write(counts, path, title="Birds & cats", **{"looked_for": ["Gruidae", "Felidae"], "notes": WITHHELD, **more})
    return path


@pytest.mark.parametrize("name", ["archive", "archive.zip"])
def test_what_is_written_reads_back_equal(tmp_path: Path, name: str) -> None:
    before = written()
    delivered, found = read(save(before, tmp_path / name), NORTH)
    after = counts_in(delivered, found)
    assert after.visits.equals(before.visits)
    order = ["visit", "taxon", "sign"]
    assert after.counts.sort(order).equals(before.counts.sort(order))
    assert delivered is not None
    assert {line.partition(": ")[2] for line in delivered.not_carried} == {
        *("samplingEffort", "dataGeneralizations", "informationWithheld", "targetTaxonomicScope"),
        *("isAbsenceReported", "isAbundanceReported", "isSamplingEffortReported"),
    }


def test_three_tracks_are_not_three_animals(tmp_path: Path) -> None:
    rows = pl.read_csv(save(written(), tmp_path / "a") / "occurrence.csv", infer_schema=False)
    tiger = rows.filter(scientificName="Panthera tigris altaica", organismQuantityType="track").row(0, named=True)
    assert (tiger["individualCount"], tiger["organismQuantity"], tiger["occurrenceStatus"]) == (None, "2", "present")


def test_effort_and_completeness_are_in_humboldt_terms(tmp_path: Path) -> None:
    folder = save(written(), tmp_path / "a")
    first = pl.read_csv(folder / "humboldt.csv", infer_schema=False).row(0, named=True)
    assert first == {
        "eventID": "v1",
        "targetTaxonomicScope": "Gruidae | Felidae",
        "isTaxonomicScopeFullyReported": "true",
        "isAbsenceReported": "true",
        "absentTaxa": "Platalea minor",
        "isAbundanceReported": "true",
        "protocolNames": "waterbird-count",
        "isSamplingEffortReported": "true",
        "samplingEffortValue": "90.5",
        "samplingEffortUnit": "minutes",
    }
    terms = {
        field.get("term") for field in ET.fromstring((folder / "meta.xml").read_text()).iter() if field.get("term")
    }
    assert {f"{ECO}samplingEffortValue", f"{DWC}dataGeneralizations", f"{DWC}coordinateUncertaintyInMeters"} <= terms


def test_nothing_written_is_a_formula(tmp_path: Path) -> None:
    folder = save(written(), tmp_path / "a")
    for path in folder.glob("*.csv"):
        for column in pl.read_csv(path, infer_schema=False).iter_columns():
            numeric = column.cast(pl.Float64, strict=False).is_not_null()
            assert not (column.str.contains(r"^[=+\-@]") & ~numeric).any(), (path.name, column.name)


def test_a_position_without_uncertainty_is_refused_and_not_shown(tmp_path: Path) -> None:
    bare = written()
    visits = bare.visits.with_columns(pl.when(pl.col("visit") == "v1").then("uncertainty_m"))
    wrong = SiteCounts("north", "birds", "EPSG:4326", visits, bare.counts)
    with pytest.raises(InputError) as refused:
        save(wrong, tmp_path / "a")
    assert [(f.rule, f.facts["visit"]) for f in refused.value.findings] == [("dwca-no-uncertainty", "-v3")]
    assert "130" not in str(refused.value)
    assert not (tmp_path / "a").exists()


def test_a_missing_position_must_be_explained(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        save(written(), tmp_path / "a", notes=None)
    assert [(f.rule, f.facts["visit"]) for f in refused.value.findings] == [("dwca-no-place", "v2")]


def test_metres_of_a_local_grid_and_other_licences_are_refused(tmp_path: Path) -> None:
    local = SiteCounts("north", "birds", "local:grid", written().visits, written().counts)
    with pytest.raises(InputError) as refused:
        save(local, tmp_path / "a", licence="GPL-3.0")
    assert [f.rule for f in refused.value.findings] == ["not-on-earth", "dwca-licence"]


def test_the_description_has_what_the_profile_needs_in_its_order(tmp_path: Path) -> None:
    folder = save(
        written(), tmp_path / "a", contributor="Park <1>", email="office@park.example", published="2024-05-01"
    )
    root = ET.fromstring((folder / "eml.xml").read_text(encoding="utf-8"))
    assert root.tag == f"{{{NAMESPACE}}}eml"
    assert {"packageId", "system"} <= set(root.keys())
    (dataset,) = root
    order = ["title", "creator", "metadataProvider", "pubDate", "language", "abstract", "intellectualRights", "contact"]
    assert [element.tag for element in dataset] == order
    assert dataset.findtext("title") == "Birds & cats"
    assert dataset.findtext("contact/organizationName") == "Park <1>"
    assert dataset.findtext("pubDate") == "2024-05-01"


def test_equal_counts_are_equal_bytes(tmp_path: Path) -> None:
    before = written()
    shuffled = SiteCounts("north", "birds", "EPSG:4326", before.visits, before.counts.reverse())
    first, second = save(before, tmp_path / "1.zip"), save(shuffled, tmp_path / "2.zip")
    assert first.read_bytes() == second.read_bytes()


# --- whatever comes ---


def _fuzzed(folder: Path, files: Mapping[str, str]) -> None:
    """Reading neither raises nor loses a row of events without a word."""
    for name, content in files.items():
        (folder / name).write_bytes(content.encode("utf-8", "surrogatepass"))
    delivered, found = read(folder, Delivery("north", "birds", "darwin-core", crs="EPSG:4326", timezone="UTC"))
    assert (delivered is None) == bool(errors(found))
    assert all(f.rule and f.severity for f in found)


CELLS = st.one_of(
    st.sampled_from(
        ["e1", "e2", "", "NA", "0", "-1", "1e400", "absent", "2024-03-01/02", "2024", "//", "true", '"', "'="]
    ),
    st.text(max_size=8),
)
TERMS = (
    *("eventID", "parentEventID", "eventDate", "eventTime", "decimalLatitude", "decimalLongitude", "geodeticDatum"),
    *(
        "samplingEffortValue",
        "samplingEffortUnit",
        "absentTaxa",
        "individualCount",
        "occurrenceStatus",
        "scientificName",
    ),
    *(
        "basisOfRecord",
        "samplingEffort",
        "sampleSizeValue",
        "organismQuantity",
        "organismQuantityType",
        "year",
        "month",
    ),
)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.sampled_from(TERMS), min_size=1, max_size=8, unique=True),
    st.lists(st.lists(CELLS, min_size=1, max_size=8), max_size=6),
    st.sampled_from(["event.csv", "occurrence.csv"]),
)
def test_no_table_of_terms_crashes_the_door(
    tmp_path_factory: pytest.TempPathFactory, terms: list[str], rows: list[list[str]], name: str
) -> None:
    lines = [",".join(terms), *(",".join((row * 8)[: len(terms)]) for row in rows)]
    _fuzzed(tmp_path_factory.mktemp("fuzz"), {name: "\n".join(lines)})


PIECES = st.lists(
    st.sampled_from(
        [
            *("<archive>", "</archive>", f'<core rowType="{DWC}Event">', "</core>", "<extension>", "</extension>"),
            *(
                "<files>",
                "</files>",
                "<location>e.csv</location>",
                '<id index="0"/>',
                '<coreid index="9"/>',
                "x",
                "&#0;",
            ),
            *(
                f'<field index="1" term="{DWC}eventDate"/>',
                '<field term="" default="a"/>',
                "<!DOCTYPE x>",
                "<!-- a -->",
            ),
            *('<field index="99999999999999999999" term="b"/>', '<core fieldsTerminatedBy="" fieldsEnclosedBy=",">'),
        ]
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=60)
@given(PIECES)
def test_no_meta_xml_crashes_the_door(tmp_path_factory: pytest.TempPathFactory, pieces: list[str]) -> None:
    files = {"meta.xml": "".join(pieces), "e.csv": "e1,2024-03-01T09:00Z\n"}
    _fuzzed(tmp_path_factory.mktemp("fuzz"), files)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.integers(0, 3))
def test_every_event_is_a_visit_or_is_counted_in_a_note(
    tmp_path_factory: pytest.TempPathFactory, parents: list[int], seen: int
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    events = "".join(f"e{n},e{parent if parent < n else ''},2024-03-01T09:00Z\n" for n, parent in enumerate(parents))
    (folder / "event.csv").write_text("eventID,parentEventID,eventDate\n" + events)
    (folder / "occurrence.csv").write_text(f"eventID,scientificName\ne{min(seen, len(parents) - 1)},Grus monacha\n")
    delivered, found = read(folder, NORTH)
    parents_left_out = sum(int(str(f.facts["rows"])) for f in found if f.rule == "dwca-parent-events")
    assert len(counts_in(delivered, found).visits) + parents_left_out == len(parents)
