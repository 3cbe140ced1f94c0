"""Door `smart`: the same query in three languages is the same patrols; words that nobody knows are findings."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sharedrange.core.contents import PATROL_OBSERVATIONS, PATROLS, Delivered, Patrols
from sharedrange.core.finding import Finding, Severity
from sharedrange.exchange import smart
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.opening import open_path
from sharedrange.exchange.smart.model import Model, read_models

Make = Callable[[Mapping[str, str | bytes]], Path]
ENGLISH = Delivery("north", "patrols", "smart", crs="EPSG:32652", timezone="Asia/Vladivostok", date_format="%b %d, %Y")
OWN = ("Patrol ID", "Patrol Start Date", "Patrol End Date", "Patrol Transport Type")
POINT = ("Waypoint ID", "Waypoint Date", "Waypoint Time", "Category 0", "Category 1", "Category 2")
IN_RUSSIAN = ("ID патруля", "Дата начала", "Дата окончания", "Транспорт")
POINT_IN_RUSSIAN = ("ID точки", "Дата точки", "Время точки", "Категория 0", "Категория 1", "Категория 2")
IN_CHINESE = ("巡护编号", "开始日期", "结束日期", "交通方式")
POINT_IN_CHINESE = ("航点编号", "航点日期", "航点时间", "观测类别 0", "观测类别 1", "观测类别 2")
RUSSIAN = replace(
    ENGLISH,
    date_format="%d.%m.%Y",
    columns=dict(zip((*IN_RUSSIAN, *POINT_IN_RUSSIAN), (*OWN, *POINT), strict=True)),
)
CHINESE = replace(
    ENGLISH,
    date_format="",
    columns=dict(zip((*IN_CHINESE, *POINT_IN_CHINESE), (*OWN, *POINT), strict=True)),
)


@pytest.fixture
def folder(tmp_path: Path, data: Path) -> Callable[..., Path]:
    """A delivery of some of the samples."""

    def copy(*names: str) -> Path:
        target = tmp_path / f"smart-{len(list(tmp_path.iterdir()))}"
        target.mkdir()
        for name in names:
            shutil.copy(data / "smart" / name, target / name)
        return target

    return copy


def patrols(folder: Path, delivery: Delivery = ENGLISH) -> Patrols:
    delivered, found = smart.read(folder, delivery)
    assert delivered is not None, [str(f) for f in found]
    assert delivered.patrols is not None
    return delivered.patrols


def rules(found: tuple[Finding, ...], severity: Severity = Severity.ERROR) -> list[str]:
    return [f.rule for f in found if f.severity is severity]


def refused(folder: Path, delivery: Delivery = ENGLISH) -> list[str]:
    delivered, found = smart.read(folder, delivery)
    assert delivered is None
    return rules(found)


def test_a_query_becomes_patrols_and_observations_of_the_core_schemas(folder: Callable[..., Path]) -> None:
    read = patrols(folder("datamodel.xml", "observations_en.csv", "patrols.csv"))
    assert (read.patrols.schema, read.observations.schema) == (PATROLS, PATROL_OBSERVATIONS)
    assert read.frame == "EPSG:4326"
    assert len(read.source) == 64
    assert read.observations.select("patrol", "category", "threat", "taxon", "count").rows() == [
        ("P-001", "humanactivity.weaponsequipment.trap", "snare", None, 3),
        ("P-001", "animals.liveanimals", None, "Cervus nippon", 2),
        ("P-001", "humanactivity.people", "people", None, None),
        ("P-002", "humanactivity.weaponsequipment.trap", "trap", None, 1),
    ]


def test_patrols_carry_their_effort(folder: Callable[..., Path]) -> None:
    read = patrols(folder("datamodel.xml", "observations_en.csv", "patrols.csv"))
    assert read.patrols.select("patrol", "transport", "distance_km", "hours", "people").rows() == [
        ("P-001", "On foot", 21.4, 13.5, 3),
        ("P-002", "Ski", 9.1, 6.0, 2),
    ]
    days = read.patrols.select((pl.col("end") - pl.col("start")).dt.total_days()).to_series().to_list()
    assert days == [2, 1]  # the last day counts to its end


def test_a_patrol_without_effort_is_a_warning_and_not_a_zero(folder: Callable[..., Path]) -> None:
    delivered, found = smart.read(folder("datamodel.xml", "observations_en.csv"), ENGLISH)
    assert delivered is not None
    assert delivered.patrols is not None
    assert delivered.patrols.patrols["distance_km"].to_list() == [None, None]
    assert rules(found, Severity.WARNING) == ["patrol-without-effort"]


def test_the_language_of_the_export_changes_nothing(folder: Callable[..., Path]) -> None:
    english = patrols(folder("datamodel.xml", "observations_en.csv"))
    russian = patrols(folder("datamodel.xml", "observations_ru.csv"), RUSSIAN)
    chinese = patrols(folder("datamodel.xml", "observations_zh.csv"), CHINESE)
    for other in (russian, chinese):
        assert_frame_equal(english.observations.drop("at_text"), other.observations.drop("at_text"))
        assert_frame_equal(english.patrols.drop("start_text"), other.patrols.drop("start_text"))
    assert russian.observations["at_text"][0] == "15.01.2024 10:22:14"


def test_the_same_query_in_two_files_counts_once(folder: Callable[..., Path]) -> None:
    once = patrols(folder("datamodel.xml", "observations_en.csv"))
    twice = folder("datamodel.xml", "observations_en.csv")
    shutil.copy(twice / "observations_en.csv", twice / "again.csv")
    delivered, found = smart.read(twice, ENGLISH)
    assert delivered is not None
    assert delivered.patrols is not None
    assert_frame_equal(once.observations, delivered.patrols.observations)
    assert [f.facts["rows"] for f in found if f.rule == "delivered-twice"] == [4]


def test_a_patrol_file_has_its_effort_and_agrees_with_the_data_model(folder: Callable[..., Path]) -> None:
    read = patrols(folder("datamodel.xml", "P-003.xml"))
    assert read.patrols.select("patrol", "transport", "distance_km", "hours", "people").rows() == [
        ("P-003", "On foot", 18.75, 12.0, 2)
    ]
    assert sorted(read.observations.select("category", "threat", "taxon", "count").rows()) == [
        ("animals.liveanimals", None, "Cervus nippon", 5),
        ("humanactivity.weaponsequipment.trap", "snare", None, 4),
    ]


def test_names_of_people_enter_no_table(folder: Callable[..., Path]) -> None:
    delivered, found = smart.read(folder("datamodel.xml", "observations_en.csv", "patrols.csv", "P-003.xml"), ENGLISH)
    assert delivered is not None
    assert "personal-left-out" in rules(found, Severity.NOTE)
    assert delivered.patrols is not None
    kept = delivered.patrols.observations.write_csv() + delivered.patrols.patrols.write_csv() + str(found)
    assert not any(name in kept for name in ("Somebody", "Ranger", "two does"))
    assert "Leader" in delivered.not_carried


def test_every_row_is_an_observation_or_a_finding(folder: Callable[..., Path]) -> None:
    here = folder("datamodel.xml", "observations_en.csv")
    table = here / "observations_en.csv"
    extra = 'P-002,GROUND,"Feb 2, 2024","Feb 2, 2024",,,,Ski,2,"Feb 2, 2024",9:00:00 AM,501000,4801000,,,,,,,,,\n'
    table.write_text(table.read_text() + extra + extra.replace(",,,,,,,,\n", ",Gold mining,,,,,,,\n"))
    delivered, found = smart.read(here, ENGLISH)
    assert delivered is None
    assert [(f.rule, f.where.row) for f in found if f.rule.endswith(("observation", "category"))] == [
        ("waypoint-without-observation", 6),
        ("unknown-category", 7),
    ]


def test_a_label_of_two_attributes_is_settled_by_the_categories_of_the_table(folder: Callable[..., Path]) -> None:
    here = folder("datamodel.xml", "observations_ru.csv")
    assert "typeoftrap" in patrols(here, RUSSIAN).observations["attributes"][0]
    table = here / "observations_ru.csv"
    fence = "P-002;GROUND;02.02.2024;02.02.2024;;;;Ski;2;02.02.2024;8:40:00;501000;4801000;;Ограда;;;Wire;;;;\n"
    table.write_text(table.read_text() + fence)
    assert refused(here, RUSSIAN) == ["ambiguous-label"]
    declared = replace(RUSSIAN, columns={**RUSSIAN.columns, "Тип": "typeoftrap"})
    delivered, found = smart.read(here, declared)
    assert delivered is not None, [str(f) for f in found]
    assert rules(found, Severity.WARNING)[0] == "unknown-item"


def test_without_the_data_model_a_query_is_refused(folder: Callable[..., Path]) -> None:
    assert refused(folder("observations_en.csv")) == ["no-data-model"]


@pytest.mark.parametrize(("table", "delivery"), [("observations_ru.csv", RUSSIAN), ("observations_zh.csv", CHINESE)])
def test_headers_that_nobody_declared_are_told_by_their_place_and_their_cells(
    folder: Callable[..., Path], table: str, delivery: Delivery
) -> None:
    declared = patrols(folder("datamodel.xml", table), delivery)
    delivered, found = smart.read(folder("datamodel.xml", table), replace(delivery, columns={}))
    assert delivered is not None
    assert delivered.patrols is not None
    assert_frame_equal(declared.observations, delivered.patrols.observations)
    assert_frame_equal(declared.patrols, delivered.patrols.patrols)
    note = next(f for f in found if f.rule == "smart-columns-by-place")
    assert note.severity is Severity.WARNING
    assert str(note.facts["columns"]).count("=") == 10


def test_a_header_of_any_language_will_do_where_the_cells_agree(folder: Callable[..., Path], make: Make) -> None:
    samples = folder("datamodel.xml", "observations_en.csv")
    header, _, rows = (samples / "observations_en.csv").read_text(encoding="utf-8").partition("\n")
    theirs = ["багана" + str(n) for n, _ in enumerate(header.split(",")[:17])]
    asked = header.split(",")[17:]  # attributes keep the labels of the data model
    model = (samples / "datamodel.xml").read_bytes()
    query = ",".join([*theirs, *asked]) + "\n" + rows
    assert_frame_equal(
        patrols(samples).observations, patrols(make({"datamodel.xml": model, "q.csv": query})).observations
    )


def test_headers_are_asked_for_where_the_cells_contradict_the_place(folder: Callable[..., Path], make: Make) -> None:
    samples = folder("datamodel.xml", "observations_ru.csv")
    query = (samples / "observations_ru.csv").read_text(encoding="utf-8").replace("10:22:14", "утро")
    files: dict[str, str | bytes] = {"datamodel.xml": (samples / "datamodel.xml").read_bytes(), "q.csv": query}
    assert "smart-column" in refused(make(files), replace(RUSSIAN, columns={}))
    other_days = replace(RUSSIAN, columns={}, date_format="%m/%d/%Y")
    assert "smart-column" in refused(folder("datamodel.xml", "observations_ru.csv"), other_days)


def test_a_column_before_the_categories_is_no_attribute(folder: Callable[..., Path], make: Make) -> None:
    samples = folder("datamodel.xml", "observations_ru.csv")
    query = (samples / "observations_ru.csv").read_text(encoding="utf-8").replace("Группа;", "Species;", 1)
    files: dict[str, str | bytes] = {"datamodel.xml": (samples / "datamodel.xml").read_bytes(), "q.csv": query}
    assert_frame_equal(patrols(make(files), RUSSIAN).observations, patrols(samples, RUSSIAN).observations)


@pytest.mark.parametrize(
    ("delivery", "rule"),
    [(replace(ENGLISH, crs=""), "missing-crs"), (replace(ENGLISH, timezone=""), "missing-timezone")],
)
def test_what_the_files_do_not_say_is_asked_and_never_guessed(
    folder: Callable[..., Path], delivery: Delivery, rule: str
) -> None:
    assert rule in refused(folder("datamodel.xml", "observations_en.csv"), delivery)


def test_dates_of_a_local_format_are_not_guessed(folder: Callable[..., Path]) -> None:
    found = refused(folder("datamodel.xml", "observations_en.csv"), replace(ENGLISH, date_format=""))
    assert "not-a-time" in found


def test_declared_threats_go_before_ours(folder: Callable[..., Path]) -> None:
    delivery = replace(ENGLISH, threats={"humanactivity.people": "trespass", "wiresnare": "wire"})
    read = patrols(folder("datamodel.xml", "observations_en.csv"), delivery)
    assert read.observations["threat"].to_list() == ["wire", None, "trespass", "trap"]


ENTITIES = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "&#x3c;">]><DataModel>&b;</DataModel>'


@pytest.mark.parametrize(
    ("xml", "rule"),
    [
        (ENTITIES, "xml-with-entities"),
        ("<DataModel><categories>", "bad-xml"),
        ("<a>" * 200 + "</a>" * 200, "too-deep"),
    ],
)
def test_hostile_xml_is_refused(folder: Callable[..., Path], xml: str, rule: str) -> None:
    here = folder("datamodel.xml", "observations_en.csv")
    (here / "other.xml").write_text(xml)
    assert rule in refused(here)


def test_real_models_are_read(data: Path) -> None:
    opened, _ = open_path(data / "smart_models")
    assert opened is not None
    model, names, found = read_models(opened)
    assert (names, found) == (["smart_configurable_model_smarter.xml", "smart_datamodel_1.1.xml"], [])
    assert len({key for keys in model.headers.values() for key in keys}) >= 218
    assert model.category(["Human Activity", "Weapons & Equipment", "Snares and traps"]) == {
        "humanactivity.weaponsequipment.trap"
    }
    assert model.item("typeoftrap", "Wire Snare") == {"wiresnare"}
    assert model.uuids["a6e5c90fc4bb4e55890ae1656d7f4f67"] == "threat"
    assert model.headers["repairs made"] == {"repairsmade", "repairsmade1"}


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
rows = st.lists(st.lists(cells, min_size=1, max_size=24), max_size=6)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows, tail=st.text(max_size=60))
def test_no_table_makes_the_door_fall(make: Make, data: Path, rows: list[list[str]], tail: str) -> None:
    model = (data / "smart" / "datamodel.xml").read_bytes()
    head = (data / "smart" / "observations_en.csv").read_text().splitlines()[0]
    table = "\n".join([head, *(",".join(row) for row in rows), tail])
    here = make({"datamodel.xml": model, "q.csv": table.encode("utf-8", "replace")})
    delivered, found = smart.read(here, ENGLISH)
    assert delivered is not None or any(f.severity is Severity.ERROR for f in found)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 3000), junk=st.binary(max_size=20))
def test_no_broken_model_or_patrol_file_makes_the_door_fall(make: Make, data: Path, cut: int, junk: bytes) -> None:
    files = {name: (data / "smart" / name).read_bytes() for name in ("datamodel.xml", "P-003.xml")}
    broken = {name: content[:cut] + junk + content[cut + 7 :] for name, content in files.items()}
    delivered, found = smart.read(make(broken), ENGLISH)
    assert isinstance(delivered, Delivered) or any(f.severity is Severity.ERROR for f in found)


def test_an_empty_model_knows_nothing() -> None:
    assert Model().is_empty
    assert Model().category(["Animals"]) == set()
