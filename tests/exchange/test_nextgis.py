"""Door `nextgis`: the same layer as GeoJSON, CSV or GeoPackage is the same survey, and a database cannot act."""

from __future__ import annotations

import json
import shutil
import sqlite3
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sharedrange.core.contents import Delivered
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding, Severity
from sharedrange.core.survey import Survey
from sharedrange.exchange import nextgis
from sharedrange.exchange.delivery import Delivery, read_delivery
from sharedrange.exchange.doors import DOORS, guess

Make = Callable[[Mapping[str, str | bytes]], Path]
ALTAI = Delivery("altai", "layers", "nextgis", crs="EPSG:4326", timezone="Asia/Barnaul")
NAMES = ("станция", "поставлена", "снята", "камера", "кто")
STATIONS = (
    ("K-1", "2024/05/01 10:00:00", "2024/07/01 12:00:00", "Example 300", "Инспектор Один", (87.10, 49.60)),
    ("K-2", "2024/05/02 09:30:00", "2024/07/02 11:00:00", None, "Инспектор Два", (87.15, 49.62)),
)


@pytest.fixture
def layers(tmp_path: Path, data: Path) -> Path:
    """The sample layers with their mapping."""
    shutil.copytree(data / "nextgis", tmp_path / "layers")
    return tmp_path / "layers"


@pytest.fixture
def mapping(data: Path) -> str:
    """The mapping of the stations alone."""
    text = (data / "nextgis" / "mapping.toml").read_text()
    return "[[table]]".join(text.split("[[table]]")[:3])


def read(folder: Path, delivery: Delivery = ALTAI) -> Delivered:
    delivered, found = nextgis.read(folder, delivery)
    assert delivered is not None, [str(f) for f in found]
    return delivered


def stations(folder: Path, delivery: Delivery = ALTAI) -> Survey:
    survey = read(folder, delivery).survey
    assert survey is not None
    return survey


def refused(folder: Path, delivery: Delivery = ALTAI) -> list[str]:
    delivered, found = nextgis.read(folder, delivery)
    assert delivered is None
    return [f.rule for f in found if f.severity is Severity.ERROR]


def told(folder: Path) -> dict[str, Finding]:
    return {f.rule: f for f in nextgis.read(folder, ALTAI)[1]}


def geopackage(
    path: Path, extra: Sequence[str] = (), srs: int = 4326, rows: Sequence[tuple[object, ...]] = ()
) -> bytes:
    """A GeoPackage with the layer of stations, as OGR writes it; `extra`: statements run at the end."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            "PRAGMA application_id = 1196444487;"
            "CREATE TABLE gpkg_contents (table_name TEXT, data_type TEXT, identifier TEXT, srs_id INTEGER);"
            "CREATE TABLE gpkg_geometry_columns (table_name TEXT, column_name TEXT, srs_id INTEGER);"
            "CREATE TABLE gpkg_spatial_ref_sys (srs_id INTEGER, organization TEXT, organization_coordsys_id INTEGER);"
            "INSERT INTO gpkg_spatial_ref_sys VALUES (4326, 'EPSG', 4326), (32645, 'EPSG', 32645), (-1, 'NONE', -1);"
            "CREATE TABLE stations (fid INTEGER PRIMARY KEY, geom BLOB, "
            + ", ".join(f'"{name}" TEXT' for name in NAMES)
            + ");"
        )
        database.execute("INSERT INTO gpkg_contents VALUES ('stations', 'features', 'stations', ?)", [srs])
        database.execute("INSERT INTO gpkg_geometry_columns VALUES ('stations', 'geom', ?)", [srs])
        for *texts, (x, y) in STATIONS:
            blob = b"GP\0\1" + struct.pack("<i", srs) + shapely.to_wkb(shapely.Point(x, y))
            database.execute("INSERT INTO stations VALUES (NULL, ?, ?, ?, ?, ?, ?)", [blob, *texts])
        for row in rows:
            database.execute("INSERT INTO stations VALUES (NULL, ?, ?, ?, ?, ?, ?)", row)
        for statement in extra:
            database.execute(statement)
        database.commit()
    return path.read_bytes()


def test_layers_become_what_the_mapping_says(layers: Path) -> None:
    delivered = read(layers)
    assert delivered.survey is not None
    assert delivered.counts is not None
    assert delivered.survey.deployments.select("station", "x", "y", "camera_type").rows() == [
        ("K-1", 87.10, 49.60, "Example 300"),
        ("K-2", 87.15, 49.62, None),
    ]
    assert delivered.counts.visits.select("site", "x", "y", "effort").rows() == [
        ("M-1", 87.1, 49.6, 4.261),  # the start of the line and its length
        ("M-2", 87.2, 49.6, 1.824),
    ]
    assert delivered.counts.counts["count"].to_list() == [3, 12, 0]
    assert "stations.geojson: кто" in delivered.not_carried


def test_geojson_csv_and_geopackage_of_a_layer_read_alike(make: Make, tmp_path: Path, mapping: str, data: Path) -> None:
    geojson = (data / "nextgis" / "stations.geojson").read_bytes()
    rows = [";".join([f"POINT ({x} {y})", *(text or "" for text in texts)]) for *texts, (x, y) in STATIONS]
    table = "\n".join([";".join(["GEOM", *NAMES]), *rows]) + "\n"
    alone = stations(make({"stations.geojson": geojson, "mapping.toml": mapping}))
    as_csv = mapping.replace("stations.geojson", "stations.csv")
    assert_frame_equal(alone.deployments, stations(make({"stations.csv": table, "mapping.toml": as_csv})).deployments)
    as_gpkg = mapping.replace("stations.geojson", "s.gpkg/stations")
    files: dict[str, str | bytes] = {"s.gpkg": geopackage(tmp_path / "s.gpkg"), "mapping.toml": as_gpkg}
    assert_frame_equal(alone.deployments, stations(make(files)).deployments)


def test_a_geopackage_brings_its_own_crs(make: Make, tmp_path: Path, mapping: str) -> None:
    content = geopackage(tmp_path / "s.gpkg", srs=32645)
    files: dict[str, str | bytes] = {
        "s.gpkg": content,
        "mapping.toml": mapping.replace("stations.geojson", "s.gpkg/stations"),
    }
    placed = stations(make(files)).deployments
    assert abs(placed["x"][0] - 87.10) > 1  # degrees read as metres lie elsewhere: the file's CRS was used
    unknown: dict[str, str | bytes] = {**files, "s.gpkg": geopackage(tmp_path / "u.gpkg", srs=-1)}
    assert "missing-crs" in refused(make(unknown), replace(ALTAI, crs=""))


def test_csv_without_a_declared_crs_is_asked(make: Make, mapping: str) -> None:
    table = "GEOM,станция,поставлена,снята,камера\nPOINT (87 49),K-1,2024-05-01 10:00,2024-06-01 10:00,\n"
    files = {"stations.csv": table, "mapping.toml": mapping.replace("stations.geojson", "stations.csv")}
    assert "missing-crs" in refused(make(files), replace(ALTAI, crs=""))


def test_attachments_are_media_of_their_feature_and_stay_where_they_are(layers: Path) -> None:
    (layers / "stations" / "1").mkdir(parents=True)
    (layers / "stations" / "1" / "IMG_1.jpg").write_bytes(b"a picture")
    survey = stations(layers)
    assert survey.media.select("path", "deployment").rows() == [("stations/1/IMG_1.jpg", "K-1")]


def test_an_attachment_of_no_feature_is_told(layers: Path) -> None:
    (layers / "stations" / "77").mkdir(parents=True)
    (layers / "stations" / "77" / "IMG_1.jpg").write_bytes(b"a picture")
    assert told(layers)["attachment-without-feature"].facts["rows"] == 1


def test_metadata_of_attachments_goes_before_folders(layers: Path) -> None:
    (layers / "stations").mkdir()
    (layers / "stations" / "a.jpg").write_bytes(b"a picture")
    (layers / "stations" / "metadata.json").write_text('{"items": {"a.jpg": {"feature_id": 2, "name": "a.jpg"}}}')
    assert stations(layers).media["deployment"].to_list() == ["K-2"]


def test_a_layer_that_the_mapping_does_not_speak_of_is_refused(layers: Path) -> None:
    shutil.copy(layers / "stations.geojson", layers / "other.geojson")
    assert refused(layers) == ["sheet-not-mapped"]
    (layers / "mapping.toml").unlink()
    assert refused(layers) == ["needs-mapping"]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO gpkg_contents SELECT 'spy', 'features', 'spy', 4326",
        "CREATE VIEW spy AS SELECT * FROM stations",
    ],
)
def test_a_view_or_a_missing_table_is_not_read(make: Make, tmp_path: Path, mapping: str, statement: str) -> None:
    called = [
        statement,
        "INSERT INTO gpkg_geometry_columns VALUES ('spy', 'geom', 4326)",
        "UPDATE gpkg_contents SET data_type = 'features'",
        "INSERT INTO gpkg_contents VALUES ('spy', 'features', 'spy', 4326)",
    ]
    files: dict[str, str | bytes] = {
        "s.gpkg": geopackage(tmp_path / "s.gpkg", called),
        "mapping.toml": mapping.replace("stations.geojson", "s.gpkg/stations"),
    }
    assert refused(make(files)) == ["not-a-table"]


def test_a_column_that_computes_is_not_read(make: Make, tmp_path: Path, mapping: str) -> None:
    computing = "ALTER TABLE stations ADD COLUMN spy TEXT GENERATED ALWAYS AS (hex(geom)) VIRTUAL"
    mapping = mapping.replace("stations.geojson", "s.gpkg/stations")
    delivered = read(make({"s.gpkg": geopackage(tmp_path / "s.gpkg", [computing]), "mapping.toml": mapping}))
    assert delivered.not_carried == ("s.gpkg/stations: fid", "s.gpkg/stations: кто")


def test_a_table_made_by_code_is_not_read(make: Make, tmp_path: Path, mapping: str) -> None:
    virtual = [
        "CREATE VIRTUAL TABLE spy USING fts5(geom)",
        "INSERT INTO gpkg_contents VALUES ('spy', 'features', 'spy', 4326)",
        "INSERT INTO gpkg_geometry_columns VALUES ('spy', 'geom', 4326)",
    ]
    mapping = mapping.replace("stations.geojson", "s.gpkg/stations")
    content = geopackage(tmp_path / "s.gpkg", virtual)
    assert refused(make({"s.gpkg": content, "mapping.toml": mapping})) == ["not-a-table"]


@pytest.mark.parametrize("content", [b"", b"PK", b"SQLite format 3\0" + b"\0" * 100])
def test_what_is_no_geopackage_is_refused(make: Make, mapping: str, content: bytes) -> None:
    assert refused(make({"s.gpkg": content, "mapping.toml": mapping})) == ["not-a-geopackage"]


def test_a_geometry_that_cannot_be_read_is_told_without_the_place(make: Make, tmp_path: Path, mapping: str) -> None:
    rows = [(b"GP\0\1\0\0\0\0junk", "K-9", "2024/05/01 10:00:00", "2024/07/01 12:00:00", None, None)]
    files: dict[str, str | bytes] = {
        "s.gpkg": geopackage(tmp_path / "s.gpkg", rows=rows),
        "mapping.toml": mapping.replace("stations.geojson", "s.gpkg/stations"),
    }
    assert "bad-geometry" in refused(make(files))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 30_000), junk=st.binary(min_size=1, max_size=40))
def test_no_broken_geopackage_makes_the_door_fall(
    make: Make, tmp_path: Path, mapping: str, cut: int, junk: bytes
) -> None:
    path = tmp_path / "whole.gpkg"
    whole = path.read_bytes() if path.exists() else geopackage(path)
    files: dict[str, str | bytes] = {
        "s.gpkg": whole[:cut] + junk + whole[cut + len(junk) :],
        "mapping.toml": mapping.replace("stations.geojson", "s.gpkg/stations"),
    }
    delivered, found = nextgis.read(make(files), ALTAI)
    assert delivered is not None or any(f.severity is Severity.ERROR for f in found)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 900), junk=st.text(max_size=20))
def test_no_broken_geojson_or_table_makes_the_door_fall(make: Make, data: Path, cut: int, junk: str) -> None:
    files: dict[str, str | bytes] = {"mapping.toml": (data / "nextgis" / "mapping.toml").read_bytes()}
    for name in ("stations.geojson", "signs.csv"):
        text = (data / "nextgis" / name).read_text()
        files[name] = (text[:cut] + junk + text[cut + 4 :]).encode("utf-8", "replace")
    delivered, found = nextgis.read(make(files), ALTAI)
    assert delivered is not None or any(f.severity is Severity.ERROR for f in found)


@pytest.mark.parametrize(
    ("sample", "door"), [("smart", "smart"), ("odk", "odk"), ("cybertracker", "cybertracker"), ("nextgis", "nextgis")]
)
def test_the_door_of_a_field_tool_is_guessed(data: Path, sample: str, door: str) -> None:
    assert guess(data / sample) == door


# --- one frame ---

IN_UTM = "E;N;станция;поставлена;снята\n500000;5500000;K-9;2024-05-01T00:00:00Z;2024-06-01T00:00:00Z\n"
COLUMNS_OF_PLACES = """
[[table]]
to = "deployments"
file = "metres.csv"
[table.columns]
deployment = "станция"
x = "E"
y = "N"
start = "поставлена"
end = "снята"
"""


def beside_columns(data: Path, mapping: str) -> dict[str, str | bytes]:
    """The layer of stations as GeoJSON, and another station in a table with columns of metres."""
    layer = (data / "nextgis" / "stations.geojson").read_bytes()
    return {"stations.geojson": layer, "metres.csv": IN_UTM, "mapping.toml": mapping + COLUMNS_OF_PLACES}


def test_columns_of_coordinates_beside_geometries_are_each_brought_to_one_frame(
    make: Make, data: Path, mapping: str
) -> None:
    delivered, found = nextgis.read(make(beside_columns(data, mapping)), replace(ALTAI, crs="EPSG:32645"))
    assert delivered is not None, [str(f) for f in found]
    assert delivered.survey is not None
    places = {
        name: (round(x, 3), round(y, 3)) for name, x, y in delivered.survey.deployments["station", "x", "y"].rows()
    }
    assert places == {"K-1": (87.1, 49.6), "K-2": (87.15, 49.62), "K-9": (87.0, 49.653)}


def test_places_on_earth_and_a_grid_without_one_do_not_meet(make: Make, data: Path, mapping: str) -> None:
    found = refused(make(beside_columns(data, mapping)), replace(ALTAI, crs="local:grid"))
    assert "nextgis-mixed-crs" in found
    assert "missing-crs" in refused(make(beside_columns(data, mapping)), replace(ALTAI, crs=""))


# --- writing ---


def test_what_is_written_is_geojson_with_a_place_for_everything_that_has_one(layers: Path, tmp_path: Path) -> None:
    counts = read(layers).counts
    assert counts is not None
    lost = nextgis.write(counts, tmp_path / "out")
    assert [(f.rule, f.where.table, f.facts["columns"]) for f in lost] == [("not-carried", "visits", "start_text")]
    layer = json.loads((tmp_path / "out" / "counts.geojson").read_text(encoding="utf-8"))
    assert layer["type"] == "FeatureCollection"
    assert {tuple(f["geometry"]["coordinates"]) for f in layer["features"]} == {(87.1, 49.6), (87.2, 49.6)}
    again, found = DOORS["nextgis"].read(tmp_path / "out", read_delivery(tmp_path / "out", "")[0] or ALTAI)
    assert again is not None, [str(f) for f in found]
    assert again.counts is not None
    assert_frame_equal(again.counts.counts, counts.counts)


def test_metres_of_a_grid_are_not_written(layers: Path, tmp_path: Path) -> None:
    survey = read(layers).survey
    assert survey is not None
    with pytest.raises(InputError) as refusal:
        nextgis.write(replace(survey, frame="local:grid", dated=False), tmp_path / "out")
    assert {f.rule for f in refusal.value.findings} == {"not-on-earth", "survey-is-undated"}
    assert not (tmp_path / "out").exists()


def test_two_sexes_of_one_individual_are_a_warning_at_every_door(make: Make, data: Path, mapping: str) -> None:
    """The check stands where all doors end, so one door shows it."""
    rows = "".join(
        f"o{n};K-1;2024-05-0{n + 2}T00:00:00Z;M1;{sex}\n" for n, sex in enumerate(("male", "female", "female"))
    )
    seen = """
[[table]]
to = "observations"
file = "seen.csv"
[table.columns]
observation = "id"
deployment = "станция"
start = "когда"
individual = "кто"
sex = "пол"
"""
    files: dict[str, str | bytes] = {
        "stations.geojson": (data / "nextgis" / "stations.geojson").read_bytes(),
        "seen.csv": "id;станция;когда;кто;пол\n" + rows,
        "mapping.toml": mapping + seen,
    }
    _, found = nextgis.read(make(files), ALTAI)
    assert [(f.facts["first"], f.facts["other"]) for f in found if f.rule == "conflicting-sexes"] == [
        ("male", "female")
    ]
