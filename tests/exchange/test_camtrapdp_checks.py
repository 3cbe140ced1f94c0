"""What the tables of a package say about each other, in which versions, and all ways it is packed."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from frictionless import Package, system
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sharedrange.core.finding import Finding, Severity
from sharedrange.exchange import camtrapdp
from sharedrange.exchange.camtrapdp import broken, loading
from sharedrange.exchange.camtrapdp.checking import examine
from sharedrange.exchange.camtrapdp.clocks import offset_minutes
from sharedrange.exchange.camtrapdp.meaning import at_of
from sharedrange.exchange.camtrapdp.positions import DATUMS, area_of
from sharedrange.exchange.camtrapdp.schema import TABLES, VERSIONS, schemas
from sharedrange.exchange.delivery import Delivery, read_delivery
from sharedrange.exchange.opening import open_path

Make = Callable[[Mapping[str, str | bytes]], Path]
Rows = Sequence[Mapping[str, object]]
OWN = Delivery("north", "cams", "camtrap-dp")
START = datetime(2024, 5, 1, tzinfo=UTC)
ABOUT: Mapping[str, Any] = {
    "created": "2026-01-01T00:00:00Z",
    "contributors": [{"title": "North", "role": "contact"}],
    "project": {
        "title": "North",
        "samplingDesign": "targeted",
        "captureMethod": ["activityDetection"],
        "individualAnimals": True,
        "observationLevel": ["event"],
    },
    "spatial": {"type": "Polygon", "coordinates": []},
    "temporal": {"start": "2024-05-01", "end": "2024-06-01"},
    "taxonomic": [{"scientificName": "Panthera uncia"}],
}
"""What the profile asks a package to say of itself."""


def at(days: float) -> str:
    return (START + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def deployment(name: str, **given: object) -> dict[str, object]:
    plain = {"deploymentID": name, "latitude": 48.5, "longitude": 88.5}
    return {**plain, "deploymentStart": at(0), "deploymentEnd": at(30), **given}


def medium(name: str, where: str, day: float, **given: object) -> dict[str, object]:
    plain = {"mediaID": name, "deploymentID": where, "timestamp": at(day), "filePath": f"https://example.org/{name}"}
    return {**plain, "filePublic": "true", "fileMediatype": "image/jpeg", **given}


def seen(name: str, where: str, day: float, **given: object) -> dict[str, object]:
    plain = {"observationID": name, "deploymentID": where, "eventStart": at(day), "eventEnd": at(day)}
    return {**plain, "observationLevel": "event", "observationType": "animal", **given}


def csv_of(name: str, rows: Rows) -> str:
    columns = list(dict.fromkeys([*(key for row in rows for key in row)]))
    needed = [field.name for field in schemas("1.0.2")[name].fields if field.required]
    names = list(dict.fromkeys([*needed, *columns]))
    table = pl.DataFrame(
        {n: [None if row.get(n) is None else str(row[n]) for row in rows] for n in names}, strict=False
    )
    return table.cast(pl.String).write_csv()


def package(
    deployments: Rows = (), media: Rows = (), observations: Rows = (), *, version: str = "1.0.2", **said: Any
) -> dict[str, str | bytes]:
    tables = {"deployments": deployments, "media": media, "observations": observations}
    resources = [{"name": name, "path": f"{name}.csv"} for name in tables]
    profile = f"https://raw.githubusercontent.com/tdwg/camtrap-dp/{version}/camtrap-dp-profile.json"
    files: dict[str, str | bytes] = {f"{name}.csv": csv_of(name, rows) for name, rows in tables.items()}
    return files | {"datapackage.json": json.dumps({**ABOUT, "profile": profile, "resources": resources, **said})}


def findings_of(folder: Path, delivery: Delivery = OWN) -> tuple[Finding, ...]:
    return tuple(f for f in camtrapdp.validate(folder, delivery)[1] if f.rule != "not-carried")


def rules(folder: Path, delivery: Delivery = OWN) -> list[tuple[str, int | None]]:
    return [(f.rule, f.where.row) for f in findings_of(folder, delivery)]


# --- observations, media, individuals ---


def test_an_observation_of_another_deployment_than_its_photograph_is_an_error(make: Make) -> None:
    two = [deployment("d1"), deployment("d2", latitude=49)]
    level = {"mediaID": "m1", "observationLevel": "media"}
    folder = make(package(two, [medium("m1", "d1", 2)], [seen("o1", "d2", 2, **level), seen("o2", "d1", 2, **level)]))
    assert rules(folder) == [("other-deployment", 2)]
    assert dict(findings_of(folder)[0].facts) == {"id": "o1", "deployment": "d2", "media_deployment": "d1"}


def test_individuals_of_two_sexes_or_species_are_doubted_not_refused(make: Make) -> None:
    who = [("o1", "female", "Lynx lynx"), ("o2", "male", "Lynx lynx"), ("o3", "male", "Panthera uncia")]
    observed = [seen(o, "d1", 2, individualID="A1", sex=sex, scientificName=taxon, count=1) for o, sex, taxon in who]
    survey, _ = camtrapdp.read(make(package([deployment("d1")], [], observed)), OWN)
    folder = make(package([deployment("d1")], [], observed))
    assert survey is not None
    assert rules(folder) == [("conflicting-sexes", 3), ("conflicting-taxa", 4)]
    assert all(f.severity is Severity.WARNING for f in findings_of(folder))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | st.text(max_size=3), max_size=12), st.lists(st.none() | st.text(max_size=3), max_size=12))
def test_each_value_is_looked_up_as_a_dictionary_would(values: list[str | None], known: list[str | None]) -> None:
    first = {text: n for n, text in reversed(list(enumerate(known))) if text is not None}
    found = at_of(pl.Series(values, dtype=pl.String), pl.Series(known, dtype=pl.String))
    assert found.to_list() == [first.get(value) if value is not None else None for value in values]


# --- clocks ---


@pytest.mark.parametrize(("slip", "told"), [(1 / 24, "-1 h"), (-365, "+365 d"), (366, "-366 d"), (-0.5, "+12 h")])
def test_a_clock_off_by_an_hour_or_a_year_is_named_with_its_correction(make: Make, slip: float, told: str) -> None:
    taken = [medium(f"m{k}", "d1", k + slip) for k in range(31)]
    folder = make(package([deployment("d1")], taken))
    found = findings_of(folder)
    assert [(f.rule, f.facts["shift"]) for f in found] == [("clock-off", told)]


def test_a_clock_that_began_again_at_new_year_is_told_from_one_that_is_off(make: Make) -> None:
    good = [medium(f"m{k}", "d1", k) for k in range(5)]
    reset = [medium(f"r{k}", "d1", 0, timestamp=f"2015-01-01T0{k}:00:00+08:00") for k in range(4)]
    folder = make(package([deployment("d1")], [*good, *reset]))
    assert [(f.rule, f.facts["media"]) for f in findings_of(folder)] == [("clock-reset", 4)]


def test_photographs_outside_their_deployment_for_no_known_reason_are_counted(make: Make) -> None:
    folder = make(package([deployment("d1")], [medium("m1", "d1", 3), medium("m2", "d1", 47), medium("m3", "d1", 59)]))
    assert [(f.rule, f.facts["media"]) for f in findings_of(folder)] == [("media-outside-deployment", 2)]


def test_times_before_cameras_or_after_the_package_was_made_are_implausible(make: Make) -> None:
    old = {"deploymentStart": "1970-01-01T00:00:00Z", "deploymentEnd": "2034-01-01T00:00:00Z"}
    made = make(package([deployment("d1", **old)], [], created="2025-01-01T00:00:00Z"))
    assert rules(made) == [("implausible-time", 2), ("implausible-time", 2)]
    undated = package([deployment("d1", **old)], created=None)
    assert rules(make(undated)) == [("package-keys-missing", None), ("implausible-time", 2)]


def test_observations_that_are_always_an_hour_from_their_photographs_share_one_finding(make: Make) -> None:
    media = [medium(f"m{k}", "d1", 2 + k) for k in range(5)]
    observed = [seen(f"o{k}", "d1", 2 + k + 1 / 24, mediaID=f"m{k}", observationLevel="media") for k in range(5)]
    found = findings_of(make(package([deployment("d1")], media, observed)))
    assert [(f.rule, f.facts["minutes"], f.facts["rows"]) for f in found] == [("clocks-differ", 60, 5)]


def test_two_cameras_at_one_place_that_see_the_same_passages_an_hour_apart_disagree(make: Make) -> None:
    rng = np.random.default_rng(1)
    days = np.sort(rng.uniform(0.2, 29, 40))
    pair = [deployment("d1", locationID="L1"), deployment("d2", locationID="L1")]
    media = [medium(f"a{k}", "d1", day) for k, day in enumerate(days)]
    media += [medium(f"b{k}", "d2", day + 1 / 24) for k, day in enumerate(days)]
    found = findings_of(make(package(pair, media)))
    assert [(f.rule, f.facts["minutes"]) for f in found] == [("clocks-disagree", 60)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(-600, 600), st.integers(12, 200))
def test_the_offset_of_two_clocks_is_found_among_strangers(seed: int, minutes: int, passages: int) -> None:
    rng = np.random.default_rng(seed)
    shared = np.sort(rng.integers(0, 60 * 86_400, passages))
    ours = np.sort(np.r_[shared + 60 * minutes, rng.integers(0, 60 * 86_400, passages // 4)])
    assert offset_minutes(ours, shared) == (minutes if abs(minutes) > 1 else 0)


def test_cameras_that_saw_nothing_together_agree() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        ours, theirs = (np.sort(rng.integers(0, 60 * 86_400, 300)) for _ in range(2))
        assert offset_minutes(ours, theirs) == 0


# --- places ---

SQUARE = {"type": "Polygon", "coordinates": [[[88, 48], [89, 48], [89, 49], [88, 49], [88, 48]]]}


def test_positions_outside_the_declared_area_and_swapped_ones_are_told_apart(make: Make) -> None:
    places = [(48.5, 88.5), (47.0, 88.5), (88.5, 48.5), (49.005, 88.5)]
    cameras = [deployment(f"d{k}", latitude=lat, longitude=lon) for k, (lat, lon) in enumerate(places)]
    folder = make(package(cameras, spatial={"type": "Feature", "geometry": SQUARE}))
    assert rules(folder) == [("outside-area", 3), ("swapped-coordinates", 4)]
    assert findings_of(folder)[0].facts["km"] == 112


def test_a_position_of_zero_and_zero_is_no_place(make: Make) -> None:
    assert rules(make(package([deployment("d1", latitude=0, longitude=0)]))) == [("position-zero", 2)]


@pytest.mark.parametrize("spatial", [None, 3, {}, {"type": "Polygon"}, {"type": "Polygon", "coordinates": [[[1]]]}])
def test_an_area_that_cannot_be_read_is_no_area(spatial: object) -> None:
    assert area_of(spatial) is None


@pytest.mark.parametrize(("datum", "lon"), [("GCJ-02", 130.9), ("Pulkovo 1942", 88.0)])
def test_stations_that_moved_by_a_datum_shift_between_seasons_are_noticed(make: Make, datum: str, lon: float) -> None:
    x, y = lon + np.arange(5) / 50, 43.1 + np.arange(5) / 60
    there_x, there_y = DATUMS[datum](x, y)
    later = {"deploymentStart": at(40), "deploymentEnd": at(60)}
    cameras = [deployment(f"a{k}", locationID=f"L{k}", longitude=x[k], latitude=y[k]) for k in range(5)]
    cameras += [
        deployment(f"b{k}", locationID=f"L{k}", longitude=there_x[k], latitude=there_y[k], **later) for k in range(5)
    ]
    found = findings_of(make(package(cameras)))
    assert [(f.rule, f.facts["datum"], f.facts["stations"]) for f in found] == [("shifted-datum", datum, 5)]
    assert not any(str(value).startswith("43.") for f in found for value in f.facts.values())


def test_stations_that_were_moved_by_hand_are_on_no_other_datum(make: Make) -> None:
    later = {"deploymentStart": at(40), "deploymentEnd": at(60)}
    cameras = [deployment(f"a{k}", locationID=f"L{k}", latitude=43 + k / 50, longitude=131) for k in range(5)]
    cameras += [
        deployment(f"b{k}", locationID=f"L{k}", latitude=43.003 + k / 50, longitude=131 + k / 500, **later)
        for k in range(5)
    ]
    assert rules(make(package(cameras))) == []


def test_positions_that_only_another_datum_brings_into_the_area_are_noticed(make: Make) -> None:
    x, y = np.full(4, 130.9999), 43.2 + np.arange(4) / 10
    there_x, there_y = DATUMS["GCJ-02"](x, y)
    cameras = [deployment(f"d{k}", longitude=there_x[k], latitude=there_y[k]) for k in range(4)]
    area = {"type": "Polygon", "coordinates": [[[130, 43], [131, 43], [131, 44], [130, 44], [130, 43]]]}
    found = findings_of(make(package(cameras, spatial=area)))
    assert [(f.rule, f.facts["datum"]) for f in found] == [("datum-beside-area", "GCJ-02")]


def test_one_camera_in_two_places_at_one_time_is_noticed(make: Make) -> None:
    overlap = {"deploymentStart": at(10), "deploymentEnd": at(40)}
    after = {"deploymentStart": at(50), "deploymentEnd": at(60)}
    cameras = [deployment("d1", cameraID="C1"), deployment("d2", cameraID="C1", latitude=48.6, **overlap)]
    cameras += [deployment("d3", cameraID="C1", latitude=48.7, **after)]
    folder = make(package(cameras))
    assert rules(folder) == [("camera-in-two-places", 3)]
    assert dict(findings_of(folder)[0].facts) == {"camera": "C1", "deployment": "d2", "other": "d1"}


# --- photographs ---


def test_the_same_photograph_twice_is_found_by_its_bytes_or_its_path(make: Make) -> None:
    media = [medium(f"m{k}", "d1", 2, filePath=path) for k, path in enumerate(("a.jpg", "b.jpg", "c.jpg", "a.jpg"))]
    photos: dict[str, str | bytes] = {"a.jpg": b"\xff\xd8same", "b.jpg": b"\xff\xd8same", "c.jpg": b"\xff\xd8else"}
    assert rules(make(package([deployment("d1")], media) | photos)) == [("duplicate-media", 3), ("duplicate-media", 5)]
    assert rules(make(package([deployment("d1")], media))) == [("duplicate-media", 5)]


# --- versions ---


def test_every_version_has_its_schemas() -> None:
    for version in VERSIONS:
        tables = schemas(version)
        assert set(tables) == set(TABLES)
        assert all(table.key in table.names for table in tables.values())


def test_the_schemas_of_the_newest_version_are_those_of_the_standard(data: Path) -> None:
    for name, table in schemas("1.0.2").items():
        standard = json.loads((data / "camtrapdp_schemas" / f"{name}-table-schema.json").read_text())
        assert table.names == tuple(field["name"] for field in standard["fields"])
        assert table.missing == tuple(standard["missingValues"])
        for field, given_field in zip(table.fields, standard["fields"], strict=True):
            rule = given_field["constraints"]
            assert (field.type, field.required) == (given_field["type"], rule["required"])
            assert (field.low, field.high, field.pattern) == (
                rule.get("minimum"),
                rule.get("maximum"),
                rule.get("pattern", ""),
            )
            assert (field.words, field.unique) == (tuple(rule.get("enum", ())), rule.get("unique", False))


def test_a_package_of_version_0_1_6_becomes_a_survey(data: Path) -> None:
    survey, found = camtrapdp.read(data / "camtrapdp_mica", OWN)
    assert survey is not None, [str(f) for f in found]
    assert (survey.deployments.height, survey.media.height, survey.observations.height) == (4, 283, 27)
    assert survey.deployments["start"].null_count() == 0
    assert set(survey.observations["sex"].drop_nulls()) <= {"female", "male"}
    ends = survey.observations.select(
        (pl.col("end") >= pl.col("start")).all(), (pl.col("end") > pl.col("start")).any().alias("some")
    )
    assert ends.row(0) == (True, True)
    # The times of one camera are those of its deployment two hours later, to the second: Central European summer time.
    assert {f.rule for f in found} == {"not-carried", "outside-deployment", "clock-off"}
    assert next(f.facts["shift"] for f in found if f.rule == "clock-off") == "-2 h"


def test_a_release_candidate_says_motion_detection(make: Make) -> None:
    media = [medium("m1", "d1", 2, captureMethod="motionDetection", exifData='{"a": 1}')]
    observed = [seen("o1", "d1", 2, taxonID="QLXL")]
    assert rules(make(package([deployment("d1")], media, observed, version="1.0-rc.1"))) == []
    assert rules(make(package([deployment("d1")], media, version="1.0"))) == [("unknown-word", 2)]
    bad = [medium("m1", "d1", 2, exifData="[1]")]
    assert rules(make(package([deployment("d1")], bad, version="1.0-rc.1"))) == [("not-an-object", 2)]


# --- ways to pack it ---


def pack(data: Path, folder: Path, how: str) -> Path:
    """The official example, packed another way."""
    shutil.copytree(data / "camtrapdp_example", folder)
    description = json.loads((folder / "datapackage.json").read_text())
    for resource in description["resources"]:
        if resource["name"] in TABLES:
            resource["path"] = repacked(folder / resource["path"], how)
    (folder / "datapackage.json").write_text(json.dumps(description))
    return folder


def repacked(file: Path, how: str) -> str:
    content = file.read_bytes()
    file.unlink()
    if how == "gzip":
        target = file.with_name(file.name + ".gz")
        target.write_bytes(gzip.compress(content))
    else:
        target = file.with_suffix(".parquet")
        table = pl.read_csv(content, try_parse_dates=False, infer_schema_length=None)
        times = [name for name in table.columns if name in ("timestamp", "eventStart", "deploymentStart")]
        parsed = [
            pl.col(name).str.replace("Z", "+0000").str.to_datetime("%Y-%m-%dT%H:%M:%S%z", time_unit="ms")
            for name in times
        ]
        table.with_columns(parsed).write_parquet(target)
    return target.name


@pytest.mark.parametrize("how", ["gzip", "parquet"])
def test_gzip_and_parquet_read_as_the_plain_tables(data: Path, tmp_path: Path, how: str) -> None:
    plain, expected = camtrapdp.read(data / "camtrapdp_example", OWN)
    survey, found = camtrapdp.read(pack(data, tmp_path / how, how), OWN)
    assert plain is not None
    assert survey is not None, [str(f) for f in found]
    assert [f.rule for f in found] == [f.rule for f in expected]
    assert_frame_equal(survey.deployments, plain.deployments)
    assert_frame_equal(survey.observations.drop("start_text"), plain.observations.drop("start_text"))
    assert_frame_equal(survey.media.drop("taken_text"), plain.media.drop("taken_text"))


def test_parquet_in_a_zip_is_read_and_a_broken_one_is_a_finding(data: Path, tmp_path: Path) -> None:
    folder = pack(data, tmp_path / "p", "parquet")
    archive = shutil.make_archive(str(tmp_path / "p"), "zip", folder)
    assert camtrapdp.read(Path(archive), OWN)[0] is not None
    (folder / "media.parquet").write_bytes((folder / "media.parquet").read_bytes()[:-200])
    assert "file-damaged" in {f.rule for f in camtrapdp.read(folder, OWN)[1]}


def test_a_parquet_file_of_too_many_rows_is_not_unpacked(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "MAX_ROWS", 10)
    out = io.BytesIO()
    pl.DataFrame({"mediaID": ["m"] * 11}).write_parquet(out)
    files = package([deployment("d1")])
    files["datapackage.json"] = str(files["datapackage.json"]).replace("media.csv", "media.parquet")
    assert ("too-many-rows", None) in rules(make({**files, "media.parquet": out.getvalue()}))


# --- slices ---


@pytest.mark.parametrize("slice_bytes", [1, 64, 1000])
def test_tables_read_in_small_slices_are_the_same(
    data: Path, monkeypatch: pytest.MonkeyPatch, slice_bytes: int
) -> None:
    folder = data / "camtrapdp_example"
    plain, expected = camtrapdp.read(folder, OWN)
    monkeypatch.setattr(loading, "SLICE_BYTES", slice_bytes)
    survey, found = camtrapdp.read(folder, OWN)
    assert found == expected
    assert plain is not None
    assert survey is not None
    for name in ("deployments", "media", "observations"):
        assert_frame_equal(getattr(survey, name), getattr(plain, name))


CELLS = ("a", "", "b c", 'say "x"', "two\nlines", "with, comma", "ü", "'", "\r\n")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(CELLS), min_size=2, max_size=4), max_size=12),
    st.integers(1, 40),
    st.sampled_from(["\n", "\r\n"]),
)
def test_rows_in_are_rows_kept_and_rows_in_findings(
    tmp_path_factory: pytest.TempPathFactory, records: list[list[str]], slice_bytes: int, end: str
) -> None:
    """Whatever the quotes, widths and slices, each record is kept with its line, or named with it."""
    folder = tmp_path_factory.mktemp("slices")
    lines, line = {}, 2
    text = "x,y,z" + end
    for record in records:
        written = ",".join(
            '"' + cell.replace('"', '""') + '"' if set(cell) & set('", \n\r') else cell for cell in record
        )
        lines[line] = record
        line += (written + end).count("\n")
        text += written + end
    (folder / "t.csv").write_bytes(text.encode())
    opened, _ = open_path(folder)
    assert opened is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "SLICE_BYTES", slice_bytes)
        table, _ = loading.load(opened, "t", "t.csv", "utf-8", ",")
        assert table is not None
        slices = list(table.slices)
    kept = [row for frame, _ in slices for row in frame.select(" line", "x", "y", "z").iter_rows()]
    named = [row for _, wrong in slices for b in wrong for row in b.rows[" line"].to_list()]
    assert sorted([*(row for row, *_ in kept), *named]) == sorted(lines)
    for row, *cells in kept:
        assert [cell or "" for cell in cells] == lines[row]


def test_a_large_number_of_like_defects_is_shown_in_part_and_counted_in_full(make: Make) -> None:
    media = [medium(f"m{k}", "d1", 2, timestamp="yesterday") for k in range(broken.SHOWN_ROWS + 50)]
    folder = make(package([deployment("d1")], media))
    found = findings_of(folder)
    assert len(found) == broken.SHOWN_ROWS + 1
    assert (found[-1].rule, dict(found[-1].facts)) == ("more-of-the-same", {"rule": "not-a-time", "rows": 50})
    _, all_broken, _ = examine(folder, OWN)
    assert sum(b.rows.height for b in all_broken) == broken.SHOWN_ROWS + 50


def test_other_encodings_and_delimiters_are_read_where_they_are_declared(make: Make) -> None:
    files = package([deployment("d1", locationID="Кедровая")])
    text = str(files["deployments.csv"]).replace(",", ";").encode("windows-1251")
    said = json.loads(str(files["datapackage.json"]))
    said["resources"][0] |= {"encoding": "windows-1251", "dialect": {"delimiter": ";"}}
    folder = make({**files, "deployments.csv": text, "datapackage.json": json.dumps(said)})
    survey, found = camtrapdp.read(folder, OWN)
    assert survey is not None, [str(f) for f in found]
    assert survey.deployments["station"].to_list() == ["Кедровая"]
    wrong = make({**files, "deployments.csv": text})
    assert "not-encoding" in {f.rule for f in camtrapdp.read(wrong, OWN)[1]}


# --- writing ---


def test_frictionless_accepts_what_is_written_and_the_effort_table_beside_it(data: Path, tmp_path: Path) -> None:
    survey, _ = camtrapdp.read(data / "camtrapdp_example", OWN)
    assert survey is not None
    name = survey.deployments["deployment"][0]
    gap = pl.DataFrame({"deployment": [name], "start": [START], "end": [START + timedelta(days=1)], "reason": ["snow"]})
    gap = gap.with_columns(
        pl.lit(None, dtype=t).alias(n) for n, t in survey.effort.schema.items() if n not in gap.columns
    )
    survey = survey.with_tables(effort=gap.select(survey.effort.columns).cast(survey.effort.schema))
    camtrapdp.write(survey, tmp_path / "out", title="Example", created="2024-07-01T00:00:00Z")
    description = json.loads((tmp_path / "out" / "datapackage.json").read_text())
    del description["profile"]  # on the internet; its required properties are looked at elsewhere
    for resource in description["resources"][:3]:
        schema = f"{resource['name']}-table-schema.json"
        shutil.copy(data / "camtrapdp_schemas" / schema, tmp_path / "out" / schema)
        resource["schema"] = schema
    (tmp_path / "out" / "local.json").write_text(json.dumps(description))
    with system.use_context(trusted=True):
        report = Package(str(tmp_path / "out" / "local.json")).validate()
    assert report.valid, report.flatten(["rowNumber", "fieldName", "type", "note"])[:5]
    assert [task.name for task in report.tasks] == ["deployments", "media", "observations", "effort"]
    assert report.tasks[3].stats["rows"] == 1


def test_text_that_a_spreadsheet_would_calculate_is_neutral_and_reads_back(make: Make, tmp_path: Path) -> None:
    cameras = [deployment("=1+1", locationID="@home")]
    folder = make(package(cameras, [], [seen("-o1", "=1+1", 2, individualID="+A", observationTags="flank:left")]))
    survey, found = camtrapdp.read(folder, OWN)
    assert survey is not None, [str(f) for f in found]
    camtrapdp.write(survey, tmp_path / "out", title="x", created="2024-07-01T00:00:00Z")
    for file in (tmp_path / "out").glob("*.csv"):
        cells = pl.read_csv(file, infer_schema=False)
        texts = [
            cell for column in cells for cell in column.drop_nulls() if not cell.lstrip("-").replace(".", "").isdigit()
        ]
        assert not [cell for cell in texts if cell[0] in "=+-@\t\r"]
    declared, _ = read_delivery(tmp_path / "out", "north")
    assert declared is not None
    again, found = camtrapdp.read(tmp_path / "out", declared)
    assert again is not None, [str(f) for f in found]
    assert_frame_equal(again.observations, survey.observations)
    assert_frame_equal(again.deployments, survey.deployments)


def test_what_cannot_be_carried_is_listed(data: Path) -> None:
    content, found = camtrapdp.read_delivered(data / "camtrapdp_example", OWN)
    assert content is not None
    assert "observations.behavior" in content.not_carried
    assert "deployments.habitat" in content.not_carried
    note = next(f for f in found if f.rule == "not-carried")
    assert note.severity is Severity.NOTE
    assert "media.fileName" in str(note.facts["columns"])


def test_a_time_in_the_declared_zone_is_kept_with_a_note_for_the_whole_column(make: Make) -> None:
    media = [medium(f"m{k}", "d1", 2, timestamp=f"2024-05-0{k + 2}T06:00:00") for k in range(3)]
    folder = make(package([deployment("d1")], media))
    assert rules(folder) == [("missing-timezone", 2)]
    found = findings_of(folder, replace(OWN, timezone="Asia/Hovd"))
    assert [(f.rule, f.severity, f.facts["rows"]) for f in found] == [("time-without-offset", Severity.NOTE, 3)]


def test_a_zip_bomb_of_a_table_and_a_path_out_of_the_package_are_refused(make: Make, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("datapackage.json", str(package()["datapackage.json"]))
        archive.writestr("media.csv", b"0" * (1 << 24))
    assert {f.rule for f in camtrapdp.read(tmp_path / "a.zip", OWN)[1]} == {"zip-bomb"}
    files = package([deployment("d1")])
    files["datapackage.json"] = str(files["datapackage.json"]).replace("media.csv", "../media.csv")
    assert ("path-escapes", None) in rules(make(files))


# --- anything ---

NUMBERS = st.floats(allow_nan=False) | st.integers(-200, 200)
RINGS = st.lists(st.lists(st.lists(NUMBERS, max_size=3), max_size=5), max_size=3)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["Polygon", "MultiPolygon", "Point", "Feature"]),
    RINGS | st.lists(RINGS, max_size=2) | st.none(),
    st.sampled_from(["9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "2024", "", None, 3]),
)
def test_whatever_a_package_says_of_its_area_and_day_only_findings_come_back(
    tmp_path_factory: pytest.TempPathFactory, kind: str, coordinates: object, created: object
) -> None:
    folder = tmp_path_factory.mktemp("any")
    spatial = {"type": kind, "coordinates": coordinates}
    files = package([deployment("d1")], [medium("m1", "d1", 2)], spatial=spatial, created=created)
    for name, content in files.items():
        (folder / name).write_text(str(content))
    checked, _ = camtrapdp.validate(folder, OWN)
    assert checked is not None


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["media.csv", "media.csv.gz", "media.parquet"]), st.integers(1, 50))
def test_whatever_bytes_a_table_is_made_of_only_findings_come_back(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, file: str, slice_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    files = package([deployment("d1")])
    files["datapackage.json"] = str(files["datapackage.json"]).replace("media.csv", file)
    for name, text in files.items():
        (folder / name).write_text(str(text))
    (folder / file).write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "SLICE_BYTES", slice_bytes)
        survey, found = camtrapdp.read(folder, OWN)
    assert survey is None
    assert any(f.severity is Severity.ERROR for f in found)


def test_the_example_of_the_standard_raises_no_alarm(data: Path) -> None:
    _, found = camtrapdp.read(data / "camtrapdp_example", OWN)
    assert {f.rule for f in found} == {"not-carried", "media-level-left-out"}
    assert {f.severity for f in found} == {Severity.NOTE}
