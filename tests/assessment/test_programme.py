"""programme.toml and node.toml: what is read, and what is wrong with them."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import fields
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sharedrange.assessment.programme import (
    MaskSpec,
    Programme,
    Schedule,
    read_geometry,
    read_node,
    read_programme,
    read_sides,
    write_new_node,
)
from sharedrange.assessment.programme.contents import SECTIONS
from sharedrange.assessment.programme.node import NodeSpec
from sharedrange.core.errors import ProgrammeError
from sharedrange.core.finding import Finding

WEST = "POLYGON ((0 0, 1 0, 1 1, 0 1, 0 0))"
EAST = "POLYGON ((1 0, 2 0, 2 1, 1 1, 1 0))"
GOOD = f"""
[programme]
id = "p"
title = "A programme"
seed = 7
languages = ["en", "zh-Hans"]
simulated = true

[[parties]]
id = "north"
name = "North Park"
state = "MN"

[[parties]]
id = "south"
name = "South Park"

[[species]]
key = "cat"
taxon = "Felis cattus"
names = {{ en = "cat", mn = "муур" }}
unreviewed = ["mn"]

[[components]]
id = "ridge"
title = "The ridge"
parties = ["north", "south"]
species = ["cat"]
period = "Jan 2021 – Dec 2022 (tbc)"
schedule = {{ start = "2021-01", end = 2022-12-31, status = "to be confirmed" }}
projection = "EPSG:32652"
occasion_timezone = "Asia/Ulaanbaatar"
sides = {{ north = "{WEST}", south = "{EAST}" }}

[[questions]]
id = "how-many"
engine = "population.scr"
component = "ridge"
species = "cat"
start = 2021-05-01
end = "2021-08-31"

[questions.mask]
buffer_m = 9000
spacing_m = 500.5

[questions.settings]
detection = ["half-normal", "hazard half-normal"]
start_values = {{ sigma_m = 2000.0 }}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def read(folder: Path, text: str | bytes = GOOD) -> Programme:
    content = text.encode() if isinstance(text, str) else text
    (folder / "programme.toml").write_bytes(content)
    return read_programme(folder)


def findings(folder: Path, text: str | bytes) -> tuple[Finding, ...]:
    with pytest.raises(ProgrammeError) as error:
        read(folder, text)
    return error.value.findings


def only(folder: Path, old: str, new: str) -> Finding:
    """The one finding after `old` became `new` in the good programme."""
    assert old in GOOD
    (finding,) = findings(folder, GOOD.replace(old, new, 1))
    return finding


def row_of(text: str, line: str) -> int:
    return text.split("\n").index(line) + 1


def test_a_programme_is_read_into_typed_facts(folder: Path) -> None:
    programme = read(folder)
    assert (programme.id, programme.seed, programme.simulated, programme.folder) == ("p", 7, True, folder)
    assert programme.languages == ("en", "zh-Hans")
    assert [p.id for p in programme.parties] == ["north", "south"]
    assert programme.species[0].names["mn"] == "муур"
    (question,) = programme.questions
    assert (question.start, question.end) == (date(2021, 5, 1), date(2021, 8, 31))
    assert question.mask == MaskSpec(buffer_m=9000, spacing_m=500.5)
    assert question.settings["start_values"] == {"sigma_m": 2000.0}
    schedule = programme.components[0].schedule
    assert (str(schedule.start), str(schedule.end)) == ("2021-01", "2022-12-31")
    assert schedule.status == "to be confirmed"
    assert not programme.has_register


def test_what_is_not_written_has_its_default(folder: Path) -> None:
    programme = read(folder, '[programme]\nid="p"\ntitle="t"\n[[parties]]\nid="a"\nname="A"\n')
    assert (programme.seed, programme.languages, programme.components, programme.project) == (1, ("en",), (), None)


def test_an_unknown_key_names_the_nearest_and_its_line(folder: Path) -> None:
    finding = only(folder, "occasion_timezone =", "occasion_timzone =")
    assert finding.rule == "unknown-key"
    assert finding.facts["nearest"] == "occasion_timezone"
    assert finding.where.row == row_of(GOOD, 'occasion_timezone = "Asia/Ulaanbaatar"')
    assert (finding.where.file, finding.where.table) == ("programme.toml", "components")


def test_an_unknown_table_names_the_nearest(folder: Path) -> None:
    finding = only(folder, "[[species]]", "[[specie]]\n[[species]]")
    assert (finding.rule, finding.facts["nearest"]) == ("unknown-key", "species")


def test_an_unknown_key_of_a_sub_table_is_found_on_its_line(folder: Path) -> None:
    finding = only(folder, "buffer_m = 9000", "buffer = 9000")
    assert (finding.rule, finding.facts["nearest"]) == ("unknown-key", "buffer_m")
    assert (finding.where.field, finding.where.row) == ("mask.buffer", row_of(GOOD, "buffer_m = 9000"))


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("seed = 7", 'seed = "7"', "setting-type"),
        ("seed = 7", "seed = -1", "programme-range"),
        ("seed = 7", f"seed = {2**60}", "programme-range"),
        ("simulated = true", "simulated = 1", "setting-type"),
        ('name = "North Park"\n', "", "missing-key"),
        ('state = "MN"', 'state = "Mongolia"', "programme-state"),
        ('id = "p"', 'id = "../p"', "programme-id"),
        ('id = "how-many"', 'id = "how many"', "programme-id"),
        ("[[species]]", '[[parties]]\nid = "North"\nname = "N"\n[[species]]', "programme-duplicate-id"),
        ('"zh-Hans"', '"Chinese"', "programme-language"),
        ('unreviewed = ["mn"]', 'unreviewed = ["ru"]', "programme-unknown-reference"),
        ('key = "cat"', 'key = "cat"\naliases = "Felis"', "setting-type"),
        ('state = "MN"', 'memberships = { CMS = "maybe" }', "programme-membership"),
        ("2022-12-31", "2020-12-31", "programme-dates-order"),
        ("end = 2022-12-31", 'end = "soon"', "programme-date"),
        ("end = 2022-12-31", "end = 2022-12-31T00:00:00Z", "programme-date"),
        ('"to be confirmed"', '"maybe"', "setting-type"),
        ("start = 2021-05-01", 'start = "2021-05"', "programme-date"),
        ("start = 2021-05-01\n", "", "missing-key"),
        ("start = 2021-05-01", "start = 2022-05-01", "programme-dates-order"),
        ('species = "cat"\nstart', 'species = "cat"\nsessions = ["1"]\nstart', "programme-dates-and-sessions"),
        ('species = "cat"\nstart', 'species = "cat"\nlife_stages = ["cub"]\nstart', "programme-unknown-reference"),
        ("buffer_m = 9000", "buffer_m = -1", "programme-range"),
        ("buffer_m = 9000", "buffer_m = inf", "programme-range"),
        ('"EPSG:32652"', '"EPSG:999999"', "programme-crs"),
        ('"EPSG:32652"', '"local:"', "programme-crs"),
        ('"EPSG:32652"', '"EPSG:4326"', "programme-crs-not-metres"),
        ('"Asia/Ulaanbaatar"', '"Asia/Ulanbator"', "programme-timezone"),
        ('"Asia/Ulaanbaatar"', '"Asia"', "programme-timezone"),
        ('"Asia/Ulaanbaatar"', '"../../etc/passwd"', "programme-timezone"),
        ('parties = ["north", "south"]', 'parties = ["north", "south", "sout"]', "programme-unknown-reference"),
        ('species = ["cat"]', 'species = ["cat", "dog"]', "programme-unknown-reference"),
        ('component = "ridge"', 'component = "bridge"', "programme-unknown-reference"),
        ('species = "cat"', 'species = "dog"', "programme-unknown-reference"),
        (f'south = "{EAST}"', f'east = "{EAST}"', "programme-unknown-reference"),
        (EAST, "sides/south.geojson", "programme-area-missing"),
        (EAST, "../south.geojson", "programme-path-escapes"),
        (EAST, "/etc/hostname", "programme-path-escapes"),
        (EAST, "a\\u0000b", "programme-area-missing"),
        (EAST, "x" * 5000, "programme-area-missing"),
        (EAST, "POLYGON ((1 0, 2 1, 2 0, 1 1, 1 0))", "programme-area-invalid"),
        (EAST, "POLYGON ((1 0, nan 0, 2 1, 1 0))", "programme-area-invalid"),
        (EAST, "POLYGON EMPTY", "programme-area-empty"),
        (EAST, "POLYGON (oops", "programme-area-unreadable"),
        (EAST, "POLYGON ((0.5 0, 2 0, 2 1, 0.5 1, 0.5 0))", "programme-sides-overlap"),
        (EAST, "POLYGON ((500000 0, 600000 0, 600000 9, 500000 0))", "programme-area-not-degrees"),
    ],
)
def test_each_slip_is_one_finding(folder: Path, old: str, new: str, rule: str) -> None:
    assert only(folder, old, new).rule == rule


def test_a_reference_to_an_entry_that_is_wrong_otherwise_is_not_unknown(folder: Path) -> None:
    (finding,) = findings(folder, GOOD.replace('title = "The ridge"\n', ""))
    assert (finding.rule, finding.facts["key"]) == ("missing-key", "title")


def test_a_timezone_and_a_reference_name_the_nearest(folder: Path) -> None:
    assert only(folder, '"Asia/Ulaanbaatar"', '"Asia/Ulaanbatar"').facts["nearest"] == "Asia/Ulaanbaatar"
    assert only(folder, 'component = "ridge"', 'component = "rige"').facts["nearest"] == "ridge"


def test_everything_wrong_is_told_at_once(folder: Path) -> None:
    text = GOOD.replace("seed = 7", "seed = true").replace('"EPSG:32652"', '"metres"').replace(EAST, WEST)
    text = text.replace('state = "MN"', 'state = "mn"\ncolour = "red"')
    rules = sorted(f.rule for f in findings(folder, text))
    assert rules == ["programme-crs", "programme-sides-overlap", "setting-type", "unknown-key"]
    assert all(f.where.row for f in findings(folder, text))


def test_a_programme_needs_a_head_and_parties(folder: Path) -> None:
    assert {f.facts["key"] for f in findings(folder, "")} == {"programme", "parties"}


def test_a_table_where_a_list_of_tables_belongs_is_told(folder: Path) -> None:
    (finding,) = findings(folder, GOOD + '\n[events]\ndate = "2020"\n')
    assert (finding.rule, finding.facts["expected"]) == ("setting-type", "[[events]]")
    (finding,) = findings(folder, GOOD + '\n[[project]]\nname = "P"\n')
    assert (finding.rule, finding.facts["expected"]) == ("setting-type", "[project]")


def test_a_missing_file_is_told(folder: Path) -> None:
    with pytest.raises(ProgrammeError) as error:
        read_programme(folder / "nowhere")
    assert error.value.findings[0].rule == "programme-file-missing"


def test_a_syntax_error_is_told_with_its_line(folder: Path) -> None:
    (finding,) = findings(folder, "[programme]\nid = p\n")
    assert (finding.rule, finding.where.row) == ("programme-syntax", 2)
    assert "line" not in str(finding.facts["problem"])


@pytest.mark.parametrize("text", ["a = " + "[" * 9000, "a = " + "9" * 6000, "a = 'x", "\0", "a = 1\na = 2"])
def test_no_text_is_too_odd_to_be_told_about(folder: Path, text: str) -> None:
    assert findings(folder, text)[0].rule == "programme-syntax"


def test_a_mark_that_editors_put_before_utf8_is_accepted(folder: Path) -> None:
    assert read(folder, b"\xef\xbb\xbf" + GOOD.encode()).id == "p"
    assert read(folder, GOOD.replace("\n", "\r\n")).id == "p"


def test_another_encoding_is_told_with_its_line(folder: Path) -> None:
    text = GOOD.replace("муур", "кошка")
    (finding,) = findings(folder, b"\xef\xbb\xbf" + text.encode("windows-1251", "replace"))
    assert finding.rule == "programme-encoding"
    assert finding.facts["row"] == row_of(text, 'names = { en = "cat", mn = "кошка" }')
    assert findings(folder, GOOD.encode("utf-16"))[0].rule == "programme-encoding"


def test_a_huge_file_is_not_read(folder: Path) -> None:
    assert findings(folder, b"#" * (5 << 20))[0].rule == "programme-file-large"


def test_a_points_mask_needs_its_file_and_spacing_and_nothing_else(folder: Path) -> None:
    mask = "buffer_m = 9000\nspacing_m = 500.5"
    rules = {f.rule for f in findings(folder, GOOD.replace(mask, 'points = "mask.csv"\nbuffer_m = 5'))}
    assert rules == {"programme-mask-twice", "missing-key", "programme-area-missing"}
    (folder / "mask.csv").write_text("x,y\n")
    assert read(folder, GOOD.replace(mask, 'points = "mask.csv"\nspacing_m = 5')).questions[0].mask.spacing_m == 5


def geojson(folder: Path, name: str, value: object) -> str:
    (folder / name).write_text(json.dumps(value), encoding="utf-8")
    return name


SQUARE = {"type": "Polygon", "coordinates": [[[1, 0], [2, 0], [2, 1], [1, 1], [1, 0]]]}


@pytest.mark.parametrize(
    "value",
    [
        SQUARE,
        {"type": "Feature", "properties": {}, "geometry": SQUARE},
        {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": SQUARE}]},
        {
            "type": "GeometryCollection",
            "geometries": [{"type": "MultiPolygon", "coordinates": [SQUARE["coordinates"]]}],
        },
        SQUARE | {"crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}},
    ],
)
def test_a_side_is_read_from_every_form_of_geojson(folder: Path, value: object) -> None:
    programme = read(folder, GOOD.replace(EAST, geojson(folder, "east.geojson", value)))
    sides = read_sides(programme.components[0], folder)
    assert sides.polygons["south"].area == pytest.approx(1)
    assert sides.polygons["north"].bounds == (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ({"type": "Point", "coordinates": [1, 1]}, "programme-area-not-polygon"),
        ({"type": "FeatureCollection", "features": []}, "programme-area-empty"),
        ({"type": "Polygon"}, "programme-area-unreadable"),
        ([1, 2, 3], "programme-area-unreadable"),
        (SQUARE | {"crs": {"type": "name", "properties": {"name": "EPSG:2436"}}}, "programme-area-crs"),
    ],
)
def test_a_geojson_without_a_side_is_told(folder: Path, value: object, rule: str) -> None:
    assert findings(folder, GOOD.replace(EAST, geojson(folder, "east.geojson", value)))[0].rule == rule


def test_a_truncated_geojson_is_told(folder: Path) -> None:
    (folder / "east.geojson").write_text(json.dumps(SQUARE)[:-9])
    assert only(folder, EAST, "east.geojson").rule == "programme-area-unreadable"
    (folder / "east.geojson").write_text("[" * 100_000)
    assert only(folder, EAST, "east.geojson").rule == "programme-area-unreadable"


def test_a_link_out_of_the_folder_is_told(tmp_path: Path) -> None:
    inside = tmp_path / "node"
    inside.mkdir()
    geojson(tmp_path, "secret.geojson", SQUARE)
    (inside / "east.geojson").symlink_to(tmp_path / "secret.geojson")
    assert only(inside, EAST, "east.geojson").rule == "programme-path-escapes"


def test_a_message_about_a_border_tells_no_coordinates(folder: Path) -> None:
    bow = {"type": "Polygon", "coordinates": [[[130.125, 42], [131, 43], [131, 42], [130.125, 43], [130.125, 42]]]}
    finding = only(folder, EAST, geojson(folder, "east.geojson", bow))
    assert finding.rule == "programme-area-invalid"
    assert "130" not in str(finding)


def test_slivers_between_two_drawings_of_one_border_are_let_pass(folder: Path) -> None:
    assert read(folder, GOOD.replace(EAST, "POLYGON ((0.99999 0, 2 0, 2 1, 0.99999 1, 0.99999 0))")).id == "p"


def test_sides_of_a_local_frame_are_metres(folder: Path) -> None:
    metres = "POLYGON ((500000 0, 600000 0, 600000 9, 500000 0))"
    programme = read(folder, GOOD.replace('"EPSG:32652"', '"local:nets"').replace(EAST, metres))
    assert read_sides(programme.components[0], folder).polygons["south"].bounds[0] == 500_000


def test_a_geometry_is_read_from_a_file_or_from_the_text(folder: Path) -> None:
    assert read_geometry(geojson(folder, "a.geojson", SQUARE), folder).equals(read_geometry(EAST, folder))
    with pytest.raises(ProgrammeError):
        read_geometry("missing.geojson", folder)


def test_a_register_is_read(folder: Path) -> None:
    programme = read(
        folder,
        GOOD
        + """
[project]
name = "Big"
budget_usd = 337081
months = 33
approved = "2019-12"
[[areas]]
id = "A"
name = "A"
component = "ridge"
[[milestones]]
id = "m"
activity = "Meet"
planned = "End 2020 ~"
planned_start = "2020-10"
[[events]]
date = "2020"
what = "met"
[[open_questions]]
id = "q"
text = "Will you?"
about = ["m", "ridge"]
""",
    )
    assert programme.has_register
    assert programme.project is not None
    assert str(programme.project.approved) == "2019-12"
    assert str(programme.milestones[0].interval) == "2020-10/.."
    assert programme.open_questions[0].status == "unknown"


@pytest.mark.parametrize(
    ("addition", "rule"),
    [
        ('[project]\nname="P"\nmonths=0', "programme-range"),
        ('[project]\nname="P"\nbudget_usd=-1', "programme-range"),
        ('[[areas]]\nid="a"\nname="A"\ncomponent="rigde"', "programme-unknown-reference"),
        ('[[milestones]]\nid="m"\nactivity="x"\ncomponent="rigde"', "programme-unknown-reference"),
        ('[[milestones]]\nid="m"\nactivity="x"\nplanned_start="2021"\nplanned_end="2020"', "programme-dates-order"),
        ('[[events]]\ndate="2020"\nwhat="x"\ncomponent="rigde"', "programme-unknown-reference"),
        ('[[open_questions]]\nid="q"\ntext="x"\nabout=["m"]', "programme-unknown-reference"),
        ('[[areas]]\nid="a"\nname="A"\nunreviewed=["mn"]', "programme-reference-to-nothing"),
    ],
)
def test_each_slip_in_a_register_is_one_finding(folder: Path, addition: str, rule: str) -> None:
    (finding,) = findings(folder, f"{GOOD}\n{addition}\n")
    assert finding.rule == rule


SPOKEN = """
    programme parties species components questions project areas milestones events open_questions id key name title seed
    languages sides mask settings period schedule start end names projection occasion_timezone about
"""
keys = st.sampled_from(SPOKEN.split())
scalars = st.one_of(
    st.integers(), st.floats(), st.booleans(), st.text(max_size=12), st.dates().map(lambda d: d),
    st.sampled_from(["auto", "local:x", WEST, "EPSG:4326", "+proj=laea", "..", "2020-13", "Asia"]),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value).replace("\x7f", "\\u007f")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("random")
    yield place
    shutil.rmtree(place)


def refuses_or_reads(folder: Path, content: bytes) -> None:
    (folder / "programme.toml").write_bytes(content)
    with contextlib.suppress(ProgrammeError):
        read_programme(folder)


@given(st.dictionaries(keys, values, max_size=6))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_random_tables_raise_nothing_but_a_programme_error(shared: Path, tables: dict[str, object]) -> None:
    refuses_or_reads(shared, "\n".join(f"{json.dumps(k)} = {toml(v)}" for k, v in tables.items()).encode())


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@settings(max_examples=300, deadline=None)
@example(b"\xff\xfe\x00")
def test_random_bytes_raise_nothing_but_a_programme_error(shared: Path, content: bytes) -> None:
    refuses_or_reads(shared, content)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_good_programme_with_one_value_replaced_raises_nothing_but_a_programme_error(
    shared: Path, data: st.DataObject
) -> None:
    lines = GOOD.split("\n")
    number = data.draw(st.sampled_from([i for i, line in enumerate(lines) if " = " in line]))
    lines[number] = lines[number].partition(" = ")[0] + " = " + toml(data.draw(values))
    refuses_or_reads(shared, "\n".join(lines).encode())


# node.toml


def node_findings(folder: Path) -> set[str]:
    with pytest.raises(ProgrammeError) as error:
        read_node(folder)
    return {f.rule for f in error.value.findings}


def test_a_node_belongs_to_a_party_of_its_programme(folder: Path) -> None:
    read(folder)
    (folder / "node.toml").write_text('party = "north"\n')
    node = read_node(folder)
    assert (node.party, node.keys, node.programme.id) == ("north", folder / "keys", "p")
    (folder / "node.toml").write_text('party = "nort"\n')
    assert node_findings(folder) == {"node-party-unknown"}


def test_keys_may_lie_outside_the_node(folder: Path) -> None:
    read(folder)
    (folder / "node.toml").write_text('party = "north"\nkeys = "/media/stick/keys"\n')
    assert read_node(folder).keys == Path("/media/stick/keys")


def test_both_files_of_a_node_are_told_about_at_once(folder: Path) -> None:
    assert node_findings(folder) == {"programme-file-missing"}
    (folder / "node.toml").write_text('partie = "north"\n')
    (folder / "programme.toml").write_text("id = \n")
    assert node_findings(folder) == {"unknown-key", "missing-key", "programme-syntax"}


def test_a_new_node_can_be_read(folder: Path) -> None:
    title = 'Cats "on" the $border \\ \x7f of 山'
    place = folder / "a" / "node"
    write_new_node(place, party="mypark", party_name="My Park", title=title, state="MN")
    node = read_node(place)
    assert (node.party, node.programme.title, node.programme.parties[0].state) == ("mypark", title, "MN")
    names = ["agreements", "node.toml", "own", "programme.toml", "received", "records"]
    assert sorted(p.name for p in place.iterdir()) == names


def test_the_examples_in_a_new_programme_can_be_read_when_uncommented(folder: Path) -> None:
    write_new_node(folder / "n", party="mypark", party_name="My Park", title="T")
    lines = (folder / "n" / "programme.toml").read_text().split("\n[programme]")[1].split("\n")
    text = "[programme]" + "\n".join(line.removeprefix("# ") if is_example(line) else line for line in lines)
    rules = [f.rule for f in findings(folder, text)]
    assert rules == ["programme-area-missing"] * 2  # the sides' files, which the user has to bring


def is_example(line: str) -> bool:
    return line.startswith("# [[") or (line.startswith("# ") and " = " in line.split("#")[1])


def test_an_empty_folder_becomes_a_node_in_place(folder: Path) -> None:
    place = folder / "n"
    place.mkdir()
    before = place.stat().st_ino
    write_new_node(place, party="a", party_name="A", title="T")
    assert place.stat().st_ino == before
    assert not [p for p in place.iterdir() if p.name.startswith(".")]
    assert read_node(place).party == "a"


def test_a_folder_with_something_in_it_is_left_alone(folder: Path) -> None:
    (folder / "diary.txt").write_text("mine")
    with pytest.raises(ProgrammeError) as error:
        write_new_node(folder, party="a", party_name="A", title="T")
    assert error.value.findings[0].rule == "node-folder-not-empty"
    assert [p.name for p in folder.iterdir()] == ["diary.txt"]


def test_a_place_that_cannot_be_written_is_told(folder: Path) -> None:
    (folder / "file").write_text("")
    with pytest.raises(ProgrammeError) as error:
        write_new_node(folder / "file" / "n", party="a", party_name="A", title="T")
    assert error.value.findings[0].rule == "node-folder-unwritable"


@pytest.mark.parametrize("exists", [True, False])
def test_a_node_that_could_not_be_read_is_not_written(folder: Path, exists: bool) -> None:
    place = folder / "n"
    if exists:
        place.mkdir()
    with pytest.raises(ProgrammeError) as error:
        write_new_node(place, party="my park", party_name="", title="T", state="x")
    assert {f.rule for f in error.value.findings} == {"programme-id", "programme-state"}
    assert place.exists() == exists
    assert not list(place.rglob("*")) if exists else not list(folder.iterdir())


# The documentation


SUB_TABLES = {"mask": MaskSpec, "schedule": Schedule, "node.toml": NodeSpec}
DOCS = Path(__file__).parents[2] / "docs" / "programme.md"


def documented() -> dict[str, list[str]]:
    """Keys in the tables of docs/programme.md, by the heading above them."""
    keys_of: dict[str, list[str]] = {}
    heading = ""
    for line in DOCS.read_text(encoding="utf-8").split("\n"):
        if line.startswith("#"):
            heading = line.strip("# []")
        elif match := re.match(r"\| `([^`]+)` \|", line):
            keys_of.setdefault(heading, []).append(match[1])
    return keys_of


@pytest.mark.parametrize(("heading", "schema"), [*SECTIONS.items(), *SUB_TABLES.items()])
def test_the_documentation_lists_every_key_in_order(heading: str, schema: type) -> None:
    assert documented()[heading] == [f.name for f in fields(schema)]
