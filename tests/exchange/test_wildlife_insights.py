"""An export of Wildlife Insights is a survey; its damaged times are read where a value settles them, else asked for."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharedrange.core.finding import errors
from sharedrange.core.survey import Survey
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.opening import open_path
from sharedrange.exchange.wildlife_insights import is_export, read

MakeFolder = Callable[[Mapping[str, str | bytes]], Path]
NAIROBI = Delivery("ke", "dakatcha", "wildlife-insights", timezone="Africa/Nairobi")
DEPLOYMENTS = "deployment_id,longitude,latitude,start_date,end_date,camera_id,camera_functioning\n"
IMAGES = "deployment_id,image_id,is_blank,genus,species,common_name,timestamp,number_of_objects,age,sex,individual_id\n"


def survey_of(folder: Path, delivery: Delivery = NAIROBI) -> Survey:
    delivered, found = read(folder, delivery)
    assert delivered is not None, [str(f) for f in errors(found)]
    assert delivered.survey is not None
    return delivered.survey


@pytest.fixture
def sample(data: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(data / "wildlife_insights", tmp_path / "wi"))


def test_the_real_export_keeps_every_row_with_times_settled_by_its_own_values(sample: Path) -> None:
    survey = survey_of(sample)
    assert (survey.deployments.height, survey.observations.height, survey.media.height) == (5, 49, 49)
    first = survey.observations.row(0, named=True)
    assert first["start"] == datetime(2019, 5, 5, 14, 21, tzinfo=UTC)
    assert first["start_text"] == "5/5/19 17:21"
    assert first["taxon"] == "Dendroperdix sephaena"
    assert survey.deployments["camera_type"][0] == "Reconyx Hyperfire"
    _, found = read(sample, NAIROBI)
    settled = [f for f in found if f.rule == "date-order-settled"]
    assert [(f.facts["order"], f.facts["rows"], f.facts["of"], f.where.row) for f in settled] == [
        ("month-first", 46, 49, 3)
    ]


def test_a_rank_above_the_species_is_kept_as_the_taxon(sample: Path) -> None:
    taxa = survey_of(sample).observations["taxon"].to_list()
    assert taxa[2:6] == ["Hystrix", "Hystricidae", "Rodentia", "Mammalia"]


def test_without_a_time_zone_it_is_asked_for(sample: Path) -> None:
    delivered, found = read(sample, Delivery("ke", "dakatcha", "wildlife-insights"))
    assert delivered is None
    assert {f.rule for f in errors(found)} == {"missing-timezone"}
    assert {f.where.field for f in errors(found)} == {"start_date", "end_date", "timestamp"}


def test_without_a_value_that_settles_it_the_order_is_asked_for(sample: Path) -> None:
    lines = (sample / "images.csv").read_text().splitlines(keepends=True)
    (sample / "images.csv").write_text("".join([lines[0], *(line for line in lines if ",5/5/19" in line)]))
    delivered, found = read(sample, NAIROBI)
    assert delivered is None
    assert [(f.rule, f.where.field) for f in errors(found)] == [("date-order-unknown", "timestamp")]
    survey = survey_of(sample, Delivery("ke", "d", "wildlife-insights", timezone="UTC", date_order="day-first"))
    assert survey.observations["start"][0] == datetime(2019, 5, 5, 17, 21, tzinfo=UTC)


def test_what_is_not_carried_is_listed(sample: Path) -> None:
    delivered, found = read(sample, NAIROBI)
    assert delivered is not None
    assert "images.csv: identified_by" in delivered.not_carried
    assert "projects.csv" in delivered.not_carried
    assert "not-carried" in [f.rule for f in found]


def row(**said: str) -> str:
    cells = {"deployment_id": "d1", "image_id": "i1", "timestamp": "2024-05-06 10:00:00", **said}
    return ",".join(cells.get(name, "") for name in IMAGES.strip().split(",")) + "\n"


def folder_of(
    make: MakeFolder, *images: str, functioning: str = "Camera Functioning", name: str = "images.csv"
) -> Path:
    deployments = DEPLOYMENTS + f"d1,39.8,-2.9,2024-05-01 00:00:00,2024-06-01 00:00:00,c1,{functioning}\n"
    cameras = "camera_id,make,model\nc1,Reconyx,\n"
    return make({"deployments.csv": deployments, "cameras.csv": cameras, name: IMAGES + "".join(images)})


def test_people_vehicles_blanks_and_unclassified_images_are_no_animals(make: MakeFolder) -> None:
    folder = folder_of(
        make,
        row(image_id="1", is_blank="1", common_name="Blank"),
        row(image_id="2", genus="Homo", species="sapiens"),
        row(image_id="3", common_name="Human-Camera Trapper"),
        row(image_id="4", common_name="Vehicle"),
        row(image_id="5", common_name="No CV Result"),
        row(image_id="6"),
        row(image_id="7", genus="Panthera", species="pardus", age="Adult", sex="Unknown", individual_id="M1"),
    )
    rows = survey_of(folder).observations
    assert rows["type"].to_list() == ["blank", "human", "human", "vehicle", "unclassified", "unknown", "animal"]
    assert rows["taxon"].to_list() == [None] * 6 + ["Panthera pardus"]
    assert rows.select("life_stage", "sex", "individual", "catalogue").row(6) == ("adult", None, "M1", "main")


def test_two_species_on_one_image_are_two_observations_of_one_medium(make: MakeFolder) -> None:
    survey = survey_of(folder_of(make, row(genus="Sus", species="scrofa"), row(genus="Capreolus", species="pygargus")))
    assert survey.media["media"].to_list() == ["i1"]
    assert survey.observations.select("observation", "media").rows() == [("i1", "i1"), ("i1-2", "i1")]


def test_a_camera_that_failed_is_a_warning(make: MakeFolder) -> None:
    _, found = read(folder_of(make, row(), functioning="Camera Malfunctioned"), NAIROBI)
    assert [(f.rule, f.facts["problem"]) for f in found] == [("camera-failed", "Camera Malfunctioned")]


def test_images_of_an_unknown_deployment_and_a_missing_table_are_errors(make: MakeFolder) -> None:
    _, found = read(folder_of(make, row(deployment_id="d9")), NAIROBI)
    assert {f.rule for f in errors(found)} == {"unknown-deployment"}
    _, found = read(make({"images.csv": IMAGES + row()}), NAIROBI)
    assert [(f.rule, f.facts["table"]) for f in errors(found)] == [("no-table", "deployments")]


def test_images_in_several_files_are_one_table_and_an_export_is_recognised(make: MakeFolder) -> None:
    folder = folder_of(make, row(), name="images_1.csv")
    (folder / "images_2.csv").write_text(IMAGES + row(image_id="i2"))
    assert survey_of(folder).observations["media"].to_list() == ["i1", "i2"]
    opened, _ = open_path(folder)
    assert opened is not None
    assert is_export(opened)


CELLS = st.text(alphabet=st.sampled_from('d1i2,./:- "é\n'), max_size=20)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=5))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_images_are_read_or_refused_and_no_row_is_lost(make: MakeFolder, cells: list[tuple[str, str, str]]) -> None:
    lines = [row(image_id=f"i{n}", timestamp=time, genus=genus) + extra for n, (time, genus, extra) in enumerate(cells)]
    delivered, found = read(folder_of(make, *lines), NAIROBI)
    assert (delivered is None) == bool(errors(found))
    if (
        delivered is not None
        and delivered.survey is not None
        and not any("\n" in "".join(c) or '"' in "".join(c) for c in cells)
    ):
        left_out = sum(f.rule == "empty-row" for f in found)
        written = sum(len([line for line in text.splitlines() if line]) for text in lines)
        assert delivered.survey.observations.height + left_out == written
