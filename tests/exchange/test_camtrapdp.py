"""Door `camtrap-dp`: packages become dated surveys, each animal counted once, and packages are written."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding, Severity
from sharedrange.core.survey import DEPLOYMENTS, EFFORT, MEDIA, OBSERVATIONS, Survey, conform
from sharedrange.exchange import camtrapdp
from sharedrange.exchange.delivery import Delivery, read_delivery

Make = Callable[[Mapping[str, str | bytes]], Path]
OWN = Delivery("north", "cams", "camtrap-dp", catalogue="stripes")
TABLES = ("deployments", "media", "observations")
PROFILE = "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.2/camtrap-dp-profile.json"
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
DEPLOYED = "deploymentID,latitude,longitude,deploymentStart,deploymentEnd\n"
SHOT = "mediaID,deploymentID,timestamp,filePath,filePublic,fileMediatype\n"
SEEN = (
    "observationID,deploymentID,mediaID,eventID,eventStart,eventEnd,observationLevel,observationType,"
    "individualID,count,observationTags\n"
)


def package(**tables: str) -> dict[str, str | bytes]:
    """A small package: two cameras for a month, two events; tables may be given by name."""
    resources = [{"name": name, "path": f"{name}.csv"} for name in TABLES]
    files: dict[str, str | bytes] = {
        "datapackage.json": json.dumps({**ABOUT, "profile": PROFILE, "resources": resources}),
        "deployments.csv": DEPLOYED
        + "d1,43.1,131.1,2024-05-01T00:00:00+10:00,2024-06-01T00:00:00+10:00\n"
        + "d2,43.2,131.2,2024-05-01T00:00:00+10:00,2024-06-01T00:00:00+10:00\n",
        "media.csv": SHOT + "m1,d1,2024-05-02T00:00:00+10:00,a.jpg,true,image/jpeg\n",
        "observations.csv": SEEN
        + seen("o1", "d1", "event", "M1", tags="flank:left | cub")
        + seen("o2", "d2", "event", "F2"),
    }
    return files | {f"{name}.csv": text for name, text in tables.items()}


def seen(name: str, deployment: str, level: str, who: str, *, tags: str = "", media: str = "", count: str = "1") -> str:
    time = "2024-05-02T00:00:00+10:00"
    return f"{name},{deployment},{media},e-{name},{time},{time},{level},animal,{who},{count},{tags}\n"


def read(folder: Path, delivery: Delivery = OWN) -> tuple[Survey, tuple[Finding, ...]]:
    survey, found = camtrapdp.read(folder, delivery)
    assert survey is not None, [str(f) for f in found]
    return survey, found


def errors_of(folder: Path, delivery: Delivery = OWN) -> list[tuple[str, int | None, str | None]]:
    survey, found = camtrapdp.read(folder, delivery)
    assert survey is None
    return [(f.rule, f.where.row, f.where.field) for f in found if f.severity is Severity.ERROR]


def test_a_package_becomes_a_dated_survey_in_utc(make: Make) -> None:
    survey, found = read(make(package()))
    assert found == ()
    assert (survey.dated, survey.frame, survey.kind, survey.party) == (True, "EPSG:4326", "camera", "north")
    schemas = {"deployments": DEPLOYMENTS, "media": MEDIA, "observations": OBSERVATIONS, "effort": EFFORT}
    assert {name: getattr(survey, name).schema for name in schemas} == schemas
    assert survey.observations["start"][0] == datetime(2024, 5, 1, 14, tzinfo=UTC)
    assert survey.observations["start_text"][0] == "2024-05-02T00:00:00+10:00"
    assert survey.observations.select("individual", "catalogue", "flank").row(0) == ("M1", "stripes", "left")


def test_the_official_example_is_read_and_each_animal_counted_once(data: Path) -> None:
    survey, found = read(data / "camtrapdp_example")
    assert (survey.deployments.height, survey.media.height, survey.observations.height) == (4, 423, 36)
    assert {f.rule for f in found} == {"media-level-left-out", "not-carried"}
    assert survey.observations.height + sum(int(f.facts.get("rows") or 0) for f in found) == 549
    assert survey.observations["individual"].null_count() == 36
    assert survey.observations["catalogue"].null_count() == 36


def test_a_zip_reads_as_its_folder_whether_it_has_a_top_folder_or_not(data: Path, tmp_path: Path) -> None:
    folder = data / "camtrapdp_example"
    plain, _ = read(folder)
    for top in ("", "export/"):
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for file in folder.iterdir():
                archive.write(file, top + file.name)
        survey, _ = read(tmp_path / "a.zip")
        assert_frame_equal(survey.observations, plain.observations)


def test_a_folder_may_hold_the_package_as_a_zip(data: Path, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    shutil.make_archive(str(tmp_path / "d" / "package"), "zip", data / "camtrapdp_example")
    (tmp_path / "d" / "delivery.toml").write_text("")
    assert read(tmp_path / "d")[0].observations.height == 36
    assert read(tmp_path / "d", replace(OWN, files={"package": "package.zip"}))[0].media.height == 423
    assert errors_of(tmp_path / "d", replace(OWN, files={"package": "other.zip"})) == [
        ("file-not-found", None, "files.package")
    ]


def test_a_truncated_zip_a_truncated_package_and_none_are_findings(data: Path, tmp_path: Path, make: Make) -> None:
    shutil.make_archive(str(tmp_path / "package"), "zip", data / "camtrapdp_example")
    whole = (tmp_path / "package.zip").read_bytes()
    (tmp_path / "package.zip").write_bytes(whole[:-3000])
    assert [rule for rule, _, _ in errors_of(tmp_path / "package.zip")] == ["file-damaged"]
    cut = str(package()["datapackage.json"])[:-20]
    assert [rule for rule, _, _ in errors_of(make({**package(), "datapackage.json": cut}))] == ["bad-json"]
    for text in ("[]", "[" * 100_000, "9" * 5000, '"\\ud800"'):
        assert [rule for rule, _, _ in errors_of(make({"datapackage.json": text}))] == ["bad-json"]
    assert [rule for rule, _, _ in errors_of(make({"a.csv": "x"}))] == ["no-package"]


@pytest.mark.parametrize("version", ["1.0", "1.0.1", "1.0.2"])
def test_the_versions_that_are_read(make: Make, version: str) -> None:
    files = package()
    files["datapackage.json"] = str(files["datapackage.json"]).replace("1.0.2", version)
    read(make(files))


@pytest.mark.parametrize(
    "profile", ["https://x/camtrap-dp/0.9/p.json", "https://x/camtrap-dp/2.0/p.json", "data-package", None, 3]
)
def test_another_version_is_a_finding_that_names_those_that_are_read(make: Make, profile: object) -> None:
    files = package()
    files["datapackage.json"] = json.dumps({**json.loads(files["datapackage.json"]), "profile": profile})
    _, found = camtrapdp.read(make(files), OWN)
    assert [f.rule for f in found] == ["unknown-version"]
    assert found[0].facts["known"] == "0.1.6, 1.0-rc.1, 1.0, 1.0.1, 1.0.2"


def test_resources_that_are_absent_remote_or_outside_are_all_named(make: Make) -> None:
    files = package()
    resources: list[Any] = [
        {"name": "deployments", "path": "https://example.org/deployments.csv"},
        {"name": "media", "path": "../media.csv"},
        "observations",
    ]
    files["datapackage.json"] = json.dumps({"profile": PROFILE, "resources": resources})
    assert [rule for rule, _, _ in errors_of(make(files))] == ["remote-resource", "path-escapes", "no-resource"]


def test_everything_wrong_in_the_tables_is_said_at_once(make: Make) -> None:
    deployed = (
        DEPLOYED
        + "d1,431.2,131.1,2024-05-01T00:00:00Z,2024-06-01T00:00:00Z\n"
        + "d1,43.1,131.1,2024-06-01T00:00:00Z,2024-05-01T00:00:00Z\n"
        + "d3,43.1,131.1,2024-05-32T00:00:00Z,\n"
    )
    observed = (
        SEEN + seen("o1", "d9", "events", "M1", tags="flank:top", media="m9", count="0") + seen("", "d1", "event", "M1")
    )
    found = errors_of(
        make(package(deployments=deployed, media=SHOT + "m1,d8,x,a.jpg,true,image/jpeg\n", observations=observed))
    )
    assert sorted(found, key=str) == sorted(
        [
            ("out-of-range", 2, "latitude"),
            ("duplicate-id", 3, "deploymentID"),
            ("end-before-start", 3, "deploymentEnd"),
            ("not-a-time", 4, "deploymentStart"),
            ("missing-value", 4, "deploymentEnd"),
            ("unknown-deployment", 2, "deploymentID"),
            ("not-a-time", 2, "timestamp"),
            ("unknown-word", 2, "observationLevel"),
            ("unknown-word", 2, "observationTags"),
            ("unknown-deployment", 2, "deploymentID"),
            ("unknown-media", 2, "mediaID"),
            ("out-of-range", 2, "count"),
            ("missing-value", 3, "observationID"),
        ],
        key=str,
    )


def test_a_time_without_an_offset_needs_a_declared_zone(make: Make) -> None:
    files = {name: str(text).replace("+10:00", "") for name, text in package().items()}
    folder = make(dict(files))
    assert {rule for rule, _, _ in errors_of(folder)} == {"missing-timezone"}
    survey, _ = read(folder, replace(OWN, timezone="Asia/Vladivostok"))
    assert survey.observations["start"][0] == datetime(2024, 5, 1, 14, tzinfo=UTC)


def test_the_same_animal_on_media_and_in_its_event_is_counted_once(make: Make) -> None:
    observed = (
        SEEN
        + seen("o1", "d1", "event", "M1")
        + seen("o2", "d1", "media", "M1", media="m1")
        + seen("o3", "d1", "media", "F9", media="m1")
        + seen("o4", "d2", "media", "F2")
    )
    survey, found = read(make(package(observations=observed)))
    assert survey.observations.select("observation", "individual").rows() == [("o1", "M1"), ("o4", "F2")]
    assert [(f.rule, str(f.severity), f.where.row) for f in found] == [
        ("media-level-left-out", "note", None),
        ("individual-only-on-media", "warning", 4),
    ]
    assert found[0].facts["rows"] == 2
    assert found[1].facts["individual"] == "F9"


def test_doubts_are_warnings_and_keep_the_survey(make: Make) -> None:
    deployed = (
        DEPLOYED.replace("\n", ",timestampIssues\n") + "d1,43.1,131.1,2024-05-03T00:00:00Z,2024-06-01T00:00:00Z,true\n"
    )
    observed = SEEN + seen("o1", "d1", "event", "M1", count="2")
    _, found = read(make(package(deployments=deployed, observations=observed)))
    assert [(f.rule, str(f.severity), f.where.row) for f in found] == [
        ("doubtful-clock", "warning", 2),
        ("outside-deployment", "warning", 2),
        ("individual-with-count", "warning", 2),
        ("media-outside-deployment", "warning", 2),
    ]


def test_gaps_of_effort_are_read_from_a_table_beside_the_package(make: Make) -> None:
    gaps = "deploymentID,start,end,reason\nd1,2024-05-03T00:00:00+10:00,2024-05-05T00:00:00+10:00,Bear\n"
    survey, found = read(make(package(effort=gaps)))
    assert found == ()
    assert survey.effort.select("deployment", "start", "effort", "reason").rows() == [
        ("d1", datetime(2024, 5, 2, 14, tzinfo=UTC), 0.0, "bear")
    ]


def test_gaps_that_cannot_be_are_errors(make: Make) -> None:
    gaps = """deploymentID,start,end,reason
d9,2024-05-03T00:00:00Z,2024-05-05T00:00:00Z,bear
d1,2024-05-05T00:00:00Z,2024-05-05T00:00:00Z,snow
d1,2024-04-03T00:00:00Z,2024-05-02T00:00:00Z,snow
d2,2024-05-03T00:00:00Z,2024-05-09T00:00:00Z,theft
d2,2024-05-04T00:00:00Z,2024-05-05T00:00:00Z,theft
d2,2024-05-06T00:00:00Z,2024-05-07T00:00:00Z,tiger
"""
    assert sorted(errors_of(make(package(effort=gaps)))) == [
        ("end-before-start", 3, "end"),
        ("gap-outside-deployment", 4, "start"),
        ("gaps-overlap", 6, "start"),
        ("gaps-overlap", 7, "start"),
        ("unknown-deployment", 2, "deploymentID"),
        ("unknown-word", 7, "reason"),
    ]


def test_findings_hold_no_position(make: Make) -> None:
    deployed = DEPLOYED + "d1,43.123456,431.987654,2024-05-01T00:00:00Z,2024-06-01T00:00:00Z\nd2,43.654321x,131.1,,\n"
    _, found = camtrapdp.read(make(package(deployments=deployed)), OWN)
    assert {"out-of-range", "bad-coordinate"} <= {f.rule for f in found}
    assert not any(secret in str(f) for f in found for secret in ("43.12", "431.9", "43.65", "131.1"))


# --- writing ---


def simulated() -> Survey:
    """A survey with everything that a package can hold."""
    start = [datetime(2024, 5, d, 3, 4, 5, tzinfo=UTC) for d in (2, 3, 4)]
    deployments = pl.DataFrame(
        {
            "deployment": ["d1", "d2"],
            "station": ["s1", "s2"],
            "x": [100.123456789, 100.2],
            "y": [50.1, 50.2],
            "uncertainty_m": [30.0, None],
            "start": [datetime(2024, 5, 1, tzinfo=UTC)] * 2,
            "end": [datetime(2024, 6, 1, tzinfo=UTC)] * 2,
            "camera_type": ["Model, A", None],
            "detector": ["count", "count"],
        }
    )
    observations = pl.DataFrame(
        {
            "observation": ["o1", "o2", "o3"],
            "deployment": ["d1", "d1", "d2"],
            "media": ["m1", "m2", None],
            "event": ["e1", "e2", "e3"],
            "start": start,
            "end": start,
            "start_text": [None, "2024-05-03T13:04:05+10:00", None],
            "type": ["animal", "animal", "blank"],
            "taxon": ["Lynx lynx", "Lynx lynx", None],
            "count": [1, 1, None],
            "life_stage": ["adult", None, None],
            "sex": ["female", None, None],
            "individual": ["A-1", "A-2", None],
            "catalogue": ["stripes", "stripes", None],
            "flank": ["left", None, None],
        }
    )
    media = pl.DataFrame(
        {
            "media": ["m1", "m2"],
            "deployment": ["d1", "d1"],
            "taken": start[:2],
            "taken_text": ["2024-05-02T03:04:05Z", "2024-05-03T03:04:05Z"],
            "path": ["media/m1.jpg", "media/m2.mp4"],
        }
    )
    effort = pl.DataFrame(
        {"deployment": ["d2"], "start": start[:1], "end": start[1:2], "effort": [0.0], "reason": ["snow"]}
    )
    return Survey(
        party="north",
        dataset="Cams",
        frame="EPSG:4326",
        dated=True,
        deployments=conform(deployments, DEPLOYMENTS),
        observations=conform(observations, OBSERVATIONS),
        media=conform(media, MEDIA),
        effort=conform(effort, EFFORT),
    )


def test_what_is_written_reads_back_equal(tmp_path: Path) -> None:
    survey = simulated()
    camtrapdp.write(survey, tmp_path / "Cams", title="SIMULATED: north", catalogue="stripes", prefix="SIMULATED-")
    delivery, found = read_delivery(tmp_path / "Cams", "north")
    assert delivery is not None, found
    again, found = read(tmp_path / "Cams", delivery)
    assert found == ()
    filled = pl.coalesce("start_text", pl.col("start").dt.strftime("%Y-%m-%dT%H:%M:%SZ")).alias("start_text")
    assert_frame_equal(again.observations, survey.observations.with_columns(filled), check_exact=True)
    for name in ("deployments", "media", "effort"):
        assert_frame_equal(getattr(again, name), getattr(survey, name), check_exact=True)
    assert (again.party, again.frame, again.dated, again.kind) == ("north", "EPSG:4326", True, "camera")


def test_the_official_example_round_trips(data: Path, tmp_path: Path) -> None:
    survey, _ = read(data / "camtrapdp_example")
    camtrapdp.write(survey, tmp_path / "cams", title="Example")
    again, found = read(tmp_path / "cams")
    assert found == ()
    assert_frame_equal(again.deployments, survey.deployments, check_exact=True)
    assert_frame_equal(again.observations, survey.observations, check_exact=True)
    assert_frame_equal(again.media, survey.media, check_exact=True)


def test_nothing_is_written_of_a_survey_that_the_standard_cannot_hold(tmp_path: Path) -> None:
    odd = replace(simulated(), dated=False, frame="local:grid")
    with pytest.raises(InputError) as raised:
        camtrapdp.write(odd, tmp_path / "out", title="x")
    assert [f.rule for f in raised.value.findings] == ["survey-is-undated", "not-on-earth"]
    assert not (tmp_path / "out").exists()


def test_a_written_package_keeps_the_schemas_of_the_standard(data: Path, tmp_path: Path) -> None:
    camtrapdp.write(simulated(), tmp_path, title="SIMULATED: north", prefix="SIMULATED-")
    written = json.loads((tmp_path / "datapackage.json").read_text())
    profile = json.loads((data / "camtrapdp_schemas" / "camtrap-dp-profile.json").read_text())["allOf"][1]
    assert set(profile["required"]) <= set(written)
    for part in ("project", "temporal"):
        assert set(profile["properties"][part]["required"]) <= set(written[part])
    assert (
        written["project"]["samplingDesign"] in profile["properties"]["project"]["properties"]["samplingDesign"]["enum"]
    )
    for resource in written["resources"][:3]:
        assert "1.0.2" in resource["schema"]
        schema = json.loads((data / "camtrapdp_schemas" / f"{resource['name']}-table-schema.json").read_text())
        rows = pl.read_csv(tmp_path / resource["path"], infer_schema=False)
        assert rows.columns == [field["name"] for field in schema["fields"]]
        assert rows.height > 0
        for field in schema["fields"]:
            assert_valid(rows[field["name"]], field)


TYPES = {
    "integer": r"-?\d+",
    "number": r"-?\d+(\.\d+)?",
    "boolean": r"true|false",
    "datetime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)",
}


def assert_valid(values: pl.Series, field: dict[str, Any]) -> None:
    rule = field.get("constraints", {})
    given_values = values.drop_nulls().to_list()
    assert not rule.get("required") or len(given_values) == len(values), field["name"]
    assert not rule.get("unique") or len(set(given_values)) == len(given_values), field["name"]
    for value in given_values:
        assert "enum" not in rule or value in rule["enum"], (field["name"], value)
        assert "pattern" not in rule or re.search(rule["pattern"], value), (field["name"], value)
        assert field["type"] not in TYPES or re.fullmatch(TYPES[field["type"]], value), (field["name"], value)


# --- anything ---

words = st.sampled_from(
    [
        "d1",
        "d2",
        "m1",
        "",
        "NA",
        "43.1",
        "181",
        "2024-05-02T00:00:00Z",
        "2024-05-02T00:00",
        "event",
        "media",
        "animal",
        "2",
        '"',
        "é",
    ]
)


@st.composite
def broken(draw: st.DrawFn) -> dict[str, str | bytes]:
    """The small package with some of its cells, lines and bytes replaced."""
    files = package(effort="deploymentID,start,end,reason\nd1,2024-05-03T00:00:00Z,2024-05-05T00:00:00Z,snow\n")
    name = draw(st.sampled_from(sorted(files)))
    text = str(files[name])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 12))
        text = text[:at] + draw(words) + text[at + cut :]
    return files | {name: text}


@settings(max_examples=200, deadline=None)
@given(broken())
def test_whatever_a_package_holds_a_survey_or_errors_come_back(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, str | bytes]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name, content in files.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    survey, found = camtrapdp.read(folder, OWN)
    assert (survey is None) is any(f.severity is Severity.ERROR for f in found)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.sampled_from(["deployments", "a.csv", "", "x\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "path", "dialect", "encoding", "schema"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.fixed_dictionaries({"profile": st.just(PROFILE) | json_values, "resources": json_values}))
def test_whatever_datapackage_json_says_only_findings_come_back(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "datapackage.json").write_text(json.dumps(content))
    (folder / "a.csv").write_text("deploymentID\nd1\n")
    survey, found = camtrapdp.read(folder, OWN)
    assert survey is None
    for finding in found:
        str(finding).encode()


def test_times_of_another_form_or_of_a_corrected_clock_are_written_in_utc(make: Make, tmp_path: Path) -> None:
    survey, _ = read(make(package()))
    local = pl.lit("5/2/24 0:00").alias("start_text")
    taken = survey.media["taken"].dt.offset_by("1h")
    given = survey.with_tables(
        observations=survey.observations.with_columns(local), media=survey.media.with_columns(taken)
    )
    camtrapdp.write(given, tmp_path / "made", title="A clock an hour slow")
    after, found = read(tmp_path / "made")
    assert found == ()
    assert after.observations["start"].to_list() == survey.observations["start"].to_list()
    assert after.media["taken"].to_list() == taken.to_list()
