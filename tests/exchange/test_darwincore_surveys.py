"""Surveys of cameras as Darwin Core archives: deployments that saw nothing stay in, people stay out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding, Severity, errors
from sharedrange.core.survey import DEPLOYMENTS, EFFORT, MEDIA, OBSERVATIONS, Survey
from sharedrange.exchange import camtrapdp
from sharedrange.exchange.darwincore import NOTES, read, write
from sharedrange.exchange.delivery import Delivery

MakeFolder = Callable[[Mapping[str, str | bytes]], Path]
NORTH = Delivery("north", "cams", "darwin-core")
START = datetime(2024, 5, 1, tzinfo=UTC)
PLACE = "decimalLatitude,decimalLongitude,geodeticDatum,coordinateUncertaintyInMeters"
EVENT_HEADER = f"eventID,parentEventID,eventType,eventDate,{PLACE}\n"
CAMERA = "d1,,Deployment,2024-05-01T00:00:00Z/2024-06-01T00:00:00Z,49.5,88.5,EPSG:4326,1000\n"
SEEN = "e1,d1,Observation,2024-05-02T00:00:00Z,,,,\n"
OCCURRENCES = "eventID,occurrenceID,basisOfRecord,occurrenceStatus,scientificName,individualCount,organismID\n"


def day(n: float) -> datetime:
    return START + timedelta(days=n)


def survey(**tables: pl.DataFrame) -> Survey:
    """Two cameras for thirty days; one saw a snow leopard, a person and nothing, with a gap of two days."""
    where = {"station": "s", "uncertainty_m": 7100.0, "start": day(0), "end": day(30)}
    deployments = [
        {"deployment": "d1", "x": 88.5, "y": 49.5, **where},
        {"deployment": "d2", "x": 88.6, "y": 49.6, **where},
    ]
    seen = {"deployment": "d1", "start": day(1), "end": day(1), "start_text": "1"}
    observations = [
        {"observation": "o1", "type": "animal", "taxon": "Panthera uncia", "individual": "M1", "media": "m1", **seen},
        {"observation": "o2", "type": "human", "media": "m1", **seen},
        {"observation": "o3", "type": "animal", **seen},
        {"observation": "o4", "type": "blank", **seen},
    ]
    gaps = [{"deployment": "d1", "start": day(10), "end": day(12), "effort": 0.0, "reason": "snow"}]
    media = [{"media": "m1", "deployment": "d1", "taken": day(1), "path": "D:/Inspector One/den/1.jpg"}]
    made = Survey(
        party="north",
        dataset="cams",
        frame="EPSG:4326",
        dated=True,
        deployments=pl.DataFrame(deployments, DEPLOYMENTS),
        observations=pl.DataFrame(observations, OBSERVATIONS),
        media=pl.DataFrame(media, MEDIA),
        effort=pl.DataFrame(gaps, EFFORT),
    )
    return made.with_tables(**tables)


def save(given: Survey, path: Path, notes: pl.DataFrame | None = None) -> tuple[Finding, ...]:
    return write(given, path, title="Cats", looked_for=["Felidae"], notes=notes)


def survey_in(folder: Path) -> tuple[Survey, tuple[Finding, ...]]:
    delivered, found = read(folder, NORTH)
    assert delivered is not None, [str(f) for f in found]
    assert delivered.survey is not None
    return delivered.survey, found


def test_a_deployment_is_an_event_with_its_effort_also_where_it_saw_nothing(tmp_path: Path) -> None:
    save(survey(), tmp_path)
    events = pl.read_csv(tmp_path / "event.csv", infer_schema=False)
    assert events.filter(eventType="deployment")["eventID"].to_list() == ["d1", "d2"]
    effort = pl.read_csv(tmp_path / "humboldt.csv").select("eventID", "samplingEffortValue", "samplingEffortUnit")
    assert effort.rows() == [("d1", 28.0, "station days"), ("d2", 30.0, "station days")]


def test_people_blanks_and_pictures_stay_at_home_and_are_counted(tmp_path: Path) -> None:
    lost = save(survey(), tmp_path)
    assert [(f.rule, f.facts["table"], f.facts["rows"]) for f in lost] == [
        ("dwca-not-written", "observations", 3),
        ("dwca-not-written", "media", 1),
    ]
    assert {f.severity for f in lost} == {Severity.NOTE}
    text = "".join(path.read_text(encoding="utf-8") for path in tmp_path.iterdir())
    assert "Inspector" not in text
    assert "human" not in text.lower()
    assert pl.read_csv(tmp_path / "occurrence.csv")["occurrenceID"].to_list() == ["o1"]


def test_what_was_made_coarse_and_what_was_withheld_is_said(tmp_path: Path) -> None:
    bare = survey().deployments.with_columns(pl.when(pl.col("deployment") == "d1").then(pl.col("x", "y")))
    notes = pl.DataFrame(
        [("d1", "moved to the centre of a 10 km cell", None), ("d2", None, "the place of a rare animal")],
        schema=NOTES,
        orient="row",
    )
    save(survey(deployments=bare), tmp_path, notes)
    events = pl.read_csv(tmp_path / "event.csv", infer_schema=False).filter(eventType="deployment")
    assert events["dataGeneralizations"].to_list() == ["moved to the centre of a 10 km cell", None]
    assert events["informationWithheld"].to_list() == [None, "the place of a rare animal"]


def test_a_survey_without_dates_or_uncertainty_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    exact = survey().deployments.with_columns(pl.lit(None, pl.Float64).alias("uncertainty_m"))
    local = replace(survey(), frame="local:grid", dated=False)
    for given, rules in (
        (survey(deployments=exact), ["dwca-no-uncertainty", "dwca-no-uncertainty"]),
        (local, ["survey-is-undated", "not-on-earth"]),
    ):
        with pytest.raises(InputError) as refused:
            save(given, tmp_path / "out")
        assert [f.rule for f in refused.value.findings] == rules
        assert "88.5" not in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_nothing_written_is_a_formula(tmp_path: Path) -> None:
    named = survey().observations.with_columns(pl.lit("=HYPERLINK(1)").alias("individual"))
    save(survey(observations=named), tmp_path)
    for path in tmp_path.glob("*.csv"):
        for column in pl.read_csv(path, infer_schema=False).iter_columns():
            numeric = column.cast(pl.Float64, strict=False).is_not_null()
            assert not (column.str.contains(r"^[=+\-@]") & ~numeric).any(), (path.name, column.name)
    assert survey_in(tmp_path)[0].observations["individual"].to_list() == ["=HYPERLINK(1)"]


def test_equal_surveys_are_equal_bytes(tmp_path: Path) -> None:
    given = survey()
    save(given, tmp_path / "1.zip")
    save(given.with_tables(observations=given.observations.reverse()), tmp_path / "2.zip")
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_events_of_two_times_that_share_an_id_stay_apart_and_keep_it(tmp_path: Path) -> None:
    seen = survey().observations.filter(observation="o1")
    twice = pl.concat([seen, seen.with_columns(observation=pl.lit("o9"), start=pl.lit(day(2)), end=pl.lit(day(2)))])
    for event in ("e", "d2", "d1:1"):  # its own, that of a deployment, and what we would have made
        folder = tmp_path / event.replace(":", "_")
        save(survey(observations=twice.with_columns(event=pl.lit(event))), folder)
        after, _ = survey_in(folder)
        assert after.observations["event"].to_list() == [event, event]
        assert after.observations["start"].sort().to_list() == [day(1), day(2)]


def test_the_real_example_goes_through_darwin_core_and_comes_back(data: Path, tmp_path: Path) -> None:
    before, _ = camtrapdp.read(data / "camtrapdp_example", Delivery("north", "cams", "camtrap-dp"))
    assert before is not None
    write(before, tmp_path, title="MICA", looked_for=["Rodentia"], media=True)
    after, found = survey_in(tmp_path)
    assert not errors(found)
    named = before.observations.filter((pl.col("type") == "animal") & pl.col("taxon").is_not_null())
    assert after.observations.sort("observation").equals(named.sort("observation"))
    assert after.deployments.sort("deployment").equals(before.deployments.sort("deployment"))
    assert after.media.drop("taken_text").sort("media").equals(before.media.drop("taken_text").sort("media"))


# --- archives of others ---


def archive(make: MakeFolder, events: str, occurrences: str = "") -> Path:
    return make({"event.csv": EVENT_HEADER + events, "occurrence.csv": OCCURRENCES + occurrences})


def test_events_in_deployments_become_a_survey_whoever_wrote_them(make: MakeFolder) -> None:
    seen = "e1,o1,MachineObservation,present,Panthera uncia,1,M1\ne1,o2,MachineObservation,absent,Lynx lynx,,\n"
    read_, found = survey_in(archive(make, CAMERA + SEEN, seen))
    assert read_.deployments.select("deployment", "x", "uncertainty_m").rows() == [("d1", 88.5, 1000.0)]
    assert read_.observations.select("deployment", "event", "start", "individual").rows() == [
        ("d1", "e1", day(1), "M1")
    ]
    assert "dwca-absent-pictures" in {f.rule for f in found}


@pytest.mark.parametrize(
    ("events", "occurrence"),
    [
        (CAMERA, "d1,o1,MachineObservation,present,Panthera uncia,1,\n"),  # when it was seen is not said
        (CAMERA + SEEN.replace(",d1,", ",,"), "e1,o1,MachineObservation,present,Panthera uncia,1,\n"),
    ],
)
def test_an_occurrence_outside_the_events_of_deployments_leaves_counts(
    make: MakeFolder, events: str, occurrence: str
) -> None:
    delivered, _ = read(archive(make, events, occurrence), Delivery("n", "c", "darwin-core", timezone="UTC"))
    assert delivered is None or delivered.survey is None


def test_events_that_hold_each_other_do_not_hang(make: MakeFolder) -> None:
    ring = "e1,e2,Observation,2024-05-02,,,,\ne2,e1,Observation,2024-05-02,,,,\n"
    delivered, _ = read(archive(make, CAMERA + ring), Delivery("n", "c", "darwin-core", timezone="UTC"))
    assert delivered is not None
    assert delivered.survey is not None
    assert delivered.survey.deployments.height == 1


def test_a_gap_without_an_end_is_an_error_with_its_row(make: MakeFolder) -> None:
    header = "eventID,measurementType,measurementValue,measurementDeterminedDate\n"
    gap = header + "d1,camera not watching,snow,2024-05-03T00:00:00Z\n"
    files = {"event.csv": EVENT_HEADER + CAMERA, "measurementorfact.csv": gap}
    delivered, found = read(make(files), NORTH)
    assert delivered is None
    assert [(f.rule, f.where.row) for f in errors(found)] == [("missing-value", 2)]
