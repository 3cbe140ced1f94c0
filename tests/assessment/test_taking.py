"""Taking a delivery in: guessed, understood, asked about, kept whole or not at all, and remembered."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import openpyxl
import pytest
from PIL import Image

from sharedrange.assessment.asking import EXAMPLES, example
from sharedrange.assessment.assessing import assess
from sharedrange.assessment.checking import check
from sharedrange.assessment.node import open_node
from sharedrange.assessment.programme import write_new_node
from sharedrange.assessment.raw_files import SUMS, changed
from sharedrange.assessment.remembering import columns_of
from sharedrange.assessment.taking import taking
from sharedrange.assessment.understanding import overview
from sharedrange.core.errors import InputError
from sharedrange.core.files import sha256_of
from sharedrange.core.finding import errors
from sharedrange.exchange.delivery import read_delivery
from sharedrange.exchange.doors import read_delivered

ROOT = Path(__file__).parent.parent.parent
NETS = ROOT / "examples" / "two-halves" / "own" / "nets"
PACKAGE = ROOT / "tests" / "data" / "exchange" / "camtrapdp_example"
ANSWERS = {"crs": "local:grid", "taxon": "Lynx lynx", "detector": "proximity"}
CAPTURES = "session,individual,occasion,trap\n1,A,1,t1\n1,A,2,t2\n1,B,1,t2\n"
TRAPS = "trap,x,y\nt1,0,0\nt2,5000,0\nt3,0,5000\n"


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """An empty node."""
    write_new_node(tmp_path / "node", party="west", party_name="West", title="Practice")
    return tmp_path / "node"


def picture(file: Path, taken: str) -> None:
    """A photo whose camera wrote when it was taken."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = taken
    file.parent.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(file, exif=exif)


def test_the_frame_of_stations_to_be_filled_in_is_asked_with_the_rest(node: Path, tmp_path: Path) -> None:
    picture(tmp_path / "cards" / "红松岭" / "IMG_0001.JPG", "2024:05:01 12:00:00")
    with taking(node, [tmp_path / "cards"]) as work:
        assert set(work.understand({}).questions) == {"timezone", "crs"}
        answered = work.understand({"timezone": "Asia/Shanghai", "crs": "EPSG:4326"})
        assert answered.questions == (), "what is answered is not asked again"
        assert "stations.csv" in work.sheets_to_fill(answered, tmp_path / "fill")


@pytest.fixture
def season(tmp_path: Path) -> Path:
    """Two tables that say neither frame, nor taxon, nor detector."""
    return tables(tmp_path / "season-2023")


def tables(folder: Path, captures: str = CAPTURES) -> Path:
    """Capture tables in a new folder."""
    folder.mkdir()
    (folder / "captures.csv").write_text(captures, encoding="utf-8")
    (folder / "traps.csv").write_text(TRAPS, encoding="utf-8")
    return folder


def take(node: Path, *files: Path, answers: Mapping[str, object] = ANSWERS, dataset: str = "", like: str = "") -> Path:
    """Take files in and say where they are."""
    with taking(node, files, dataset=dataset, like=like) as work:
        seen = work.understand(answers)
        assert seen.content is not None, seen.findings
        return work.keep().folder


def lies_in(folder: Path) -> set[str]:
    """Names of everything in a folder, hidden things too."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_what_the_files_cannot_tell_is_asked_and_nothing_is_kept(node: Path, season: Path) -> None:
    with taking(node, [season]) as work:
        seen = work.understand({})
    assert seen.format == "captures"
    assert set(seen.questions) == {"crs", "taxon", "detector"}
    assert seen.content is None
    assert lies_in(node / "own") == set()


def test_a_wrong_answer_is_asked_again(node: Path, season: Path) -> None:
    with taking(node, [season]) as work:
        assert work.understand({**ANSWERS, "crs": "EPSG:nonsense"}).questions == ("crs",)
        assert work.understand(ANSWERS).questions == ()


def test_answered_files_are_kept_unchanged_with_hashes_and_answers(node: Path, season: Path) -> None:
    place = take(node, season)
    assert place == node / "own" / "season-2023"
    assert {name: (place / name).read_bytes() for name in ("captures.csv", "traps.csv")} == {
        name: (season / name).read_bytes() for name in ("captures.csv", "traps.csv")
    }
    expected = "".join(f"{sha256_of(season / name)}  {name}\n" for name in ("captures.csv", "traps.csv"))
    assert (place / SUMS).read_text(encoding="utf-8") == expected
    delivery, _ = read_delivery(place, "west")
    assert delivery is not None
    assert (delivery.crs, delivery.taxon, delivery.detector) == tuple(ANSWERS.values())
    content, _, found = read_delivered(place, "west")
    assert content is not None
    assert content.survey is not None
    assert content.survey.dataset == "season-2023"
    assert not errors(found)


def test_the_next_season_needs_no_answers(node: Path, season: Path, tmp_path: Path) -> None:
    take(node, season)
    later = tables(tmp_path / "season-2024", CAPTURES + "1,C,2,t3\n")
    with taking(node, [later]) as work:
        seen = work.understand({})
        assert seen.like == "season-2023"
        assert seen.content is not None
        work.keep()
    assert len(open_node(node).deliveries) == 2


def test_tables_with_other_columns_are_asked_about_again_unless_told(node: Path, season: Path, tmp_path: Path) -> None:
    take(node, season)
    other = tables(
        tmp_path / "other",
        CAPTURES.replace("trap\n", "trap,sex\n").replace("t1\n", "t1,\n").replace("t2\n", "t2,\n"),
    )
    assert columns_of(other) != columns_of(season)
    with taking(node, [other]) as work:
        seen = work.understand({})
        assert (seen.like, bool(seen.questions)) == ("", True)
    assert take(node, other, answers={}, like="season-2023").name == "other"


def test_an_answer_goes_before_what_is_remembered(node: Path, season: Path, tmp_path: Path) -> None:
    take(node, season)
    later = tables(tmp_path / "season-2024", CAPTURES + "1,C,2,t3\n")
    place = take(node, later, answers={"taxon": "Felis manul"})
    delivery, _ = read_delivery(place, "west")
    assert delivery is not None
    assert (delivery.taxon, delivery.crs) == ("Felis manul", "local:grid")


def test_the_same_files_are_not_taken_twice(node: Path, season: Path) -> None:
    take(node, season)
    with pytest.raises(InputError) as caught:
        take(node, season, dataset="again")
    assert [(f.rule, f.facts["same"]) for f in caught.value.findings] == [("take-already", "season-2023")]
    assert {p.name for p in (node / "own").iterdir()} == {"season-2023"}


@pytest.mark.parametrize(
    ("files", "dataset", "rule"),
    [
        (["season-2023"], "../out", "take-bad-name"),
        (["season-2023"], ".hidden", "take-bad-name"),
        (["nowhere"], "", "no-such-path"),
        (["season-2023", "season-2023/traps.csv"], "", "take-name-twice"),
    ],
)
def test_what_cannot_be_taken_is_refused(node: Path, season: Path, files: list[str], dataset: str, rule: str) -> None:
    with pytest.raises(InputError) as caught:
        take(node, *(season.parent / name for name in files), dataset=dataset)
    assert rule in {finding.rule for finding in caught.value.findings}
    assert not list((node / "own").iterdir())


def test_a_dataset_is_never_overwritten(node: Path, season: Path, tmp_path: Path) -> None:
    take(node, season)
    with pytest.raises(InputError) as caught:
        take(node, tables(tmp_path / "x", CAPTURES + "1,C,2,t3\n"), dataset="season-2023")
    assert caught.value.findings[0].rule == "take-dataset-exists"


def test_only_a_dataset_that_is_there_can_be_like(node: Path, season: Path) -> None:
    with pytest.raises(InputError) as caught:
        take(node, season, like="nowhere")
    assert caught.value.findings[0].rule == "take-no-such-dataset"


def test_a_stop_leaves_nothing(node: Path, season: Path) -> None:
    with contextlib.suppress(KeyboardInterrupt), taking(node, [season], in_place=True) as work:
        work.understand(ANSWERS)
        raise KeyboardInterrupt
    assert lies_in(node / "own") == set()


def test_single_files_and_archives_are_one_delivery(node: Path, season: Path, tmp_path: Path) -> None:
    archive = tmp_path / "traps.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(season / "traps.csv", "traps.csv")
    place = take(node, season / "captures.csv", archive)
    assert place.name == "captures"
    assert (place / "traps.csv").read_bytes() == (season / "traps.csv").read_bytes()


def test_an_archive_that_leads_outside_is_refused(node: Path, tmp_path: Path) -> None:
    archive = tmp_path / "evil.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("../outside.csv", "x")
    with pytest.raises(InputError) as caught:
        take(node, archive)
    assert caught.value.findings[0].rule == "path-escapes"
    assert not (node / "own" / "outside.csv").exists()


def test_an_unknown_format_asks_which(node: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.doc").write_bytes(b"notes")
    with taking(node, [tmp_path / "notes.doc"]) as work:
        assert work.understand({}).questions == ("format",)


def test_a_package_is_taken_without_questions(node: Path) -> None:
    place = take(node, PACKAGE, answers={})
    content, _, _ = read_delivered(place, "west")
    assert content is not None


# --- left in place ---


def test_files_left_in_place_are_read_through_links_and_hashed(node: Path, season: Path) -> None:
    with taking(node, [season], in_place=True) as work:
        assert work.understand(ANSWERS).content is not None
        place = work.keep().folder
    assert (place / "captures.csv").is_symlink()
    assert sha256_of(season / "traps.csv") in (place / SUMS).read_text(encoding="utf-8")
    content, _, found = read_delivered(place, "west")
    assert content is not None, found
    assert len(open_node(node).deliveries) == 1


def test_a_tree_left_in_place_has_the_names_that_it_has_there(node: Path, season: Path, tmp_path: Path) -> None:
    shutil.copytree(season, tmp_path / "deep" / "inside" / "tables")
    named = {name: f"inside/tables/{name}.csv" for name in ("captures", "traps")}
    with taking(node, [tmp_path / "deep"], in_place=True) as work:
        seen = work.understand({**ANSWERS, "format": "captures", "files": named})
        assert seen.content is not None, seen.findings
        place = work.keep().folder
    assert [path.name for path in place.iterdir() if path.is_symlink()] == ["inside"]
    assert "  inside/tables/traps.csv\n" in (place / SUMS).read_text(encoding="utf-8")
    content, _, _ = read_delivered(place, "west")
    assert content is not None
    shutil.move(tmp_path / "deep", tmp_path / "elsewhere")
    with pytest.raises(InputError):
        open_node(node)


def test_a_link_that_no_pointer_allows_is_refused(node: Path, season: Path, tmp_path: Path) -> None:
    with taking(node, [season], in_place=True) as work:
        work.understand(ANSWERS)
        place = work.keep().folder
    (tmp_path / "secret.csv").write_text("x", encoding="utf-8")
    (place / "secret.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(InputError) as caught:
        open_node(node)
    assert "link-outside" in {finding.rule for finding in caught.value.findings}


def test_only_a_folder_can_be_left_in_place(node: Path, season: Path) -> None:
    with pytest.raises(InputError) as caught, taking(node, [season / "traps.csv"], in_place=True):
        pass
    assert caught.value.findings[0].rule == "take-in-place"


# --- what is shown ---


def test_an_overview_counts_rows_species_stations_and_effort() -> None:
    content, _, _ = read_delivered(PACKAGE, "")
    if content is None:  # it has no delivery.toml
        from sharedrange.exchange.doors import check_path

        content, _ = check_path(PACKAGE)
    assert content is not None
    assert content.survey is not None
    held = overview(content)
    assert held.rows["observations"] == content.survey.observations.height
    assert held.taxa["records"].sum() == content.survey.observations["taxon"].drop_nulls().len()
    assert held.stations == held.effort.height == 4
    assert held.first < held.last
    assert held.effort["run_days"].sum() == pytest.approx(73.4, abs=0.1)


def test_the_map_has_no_cell_below_ten_kilometres_and_counts_every_place() -> None:
    from sharedrange.exchange.doors import check_path

    content, _ = check_path(PACKAGE)
    assert content is not None
    assert content.survey is not None
    held = overview(content)
    assert held.cell_km >= 10
    places = content.survey.deployments.select("x", "y").unique().height
    assert sum(int(sign) for line in held.sketch for sign in line if sign.isdigit()) == places
    assert max(map(len, held.sketch)) <= 61


def test_a_grid_without_a_place_on_earth_has_no_map(node: Path, season: Path) -> None:
    with taking(node, [season]) as work:
        seen = work.understand(ANSWERS)
    assert seen.content is not None
    assert overview(seen.content).sketch == ()


# --- the node with what was taken ---


def test_a_node_with_a_taken_delivery_checks_and_assesses(tmp_path: Path) -> None:
    shutil.copytree(
        ROOT / "examples" / "two-halves", tmp_path / "node", ignore=shutil.ignore_patterns("work", "assessment")
    )
    node, raw = tmp_path / "node", tmp_path / "season"
    shutil.copytree(node / "own" / "nets", raw)
    shutil.rmtree(node / "own" / "nets")
    take(node, raw, answers={}, dataset="nets")
    assert not errors(check(node))
    assert (assess(node).report).is_file()


def test_every_question_has_an_example() -> None:
    assert {"crs", "timezone", "taxon", "detector", "format"} <= set(EXAMPLES)


def test_what_a_killed_taking_left_goes_with_the_next_one(node: Path, season: Path) -> None:
    (node / "own" / ".taking-crashed" / "deep").mkdir(parents=True)
    (node / "own" / ".in-place").mkdir()
    (node / "own" / ".in-place" / ".taking-crashed").write_text("/nowhere", encoding="utf-8")
    take(node, season)
    assert {path.name for path in (node / "own").iterdir()} == {"season-2023"}


def test_a_delivery_toml_that_says_all_stays_as_it_came(node: Path, season: Path) -> None:
    text = '# by hand\nformat = "captures"\nparty = "west"\n' + "".join(f'{k} = "{v}"\n' for k, v in ANSWERS.items())
    (season / "delivery.toml").write_text(text, encoding="utf-8")
    assert (take(node, season, answers={}) / "delivery.toml").read_text(encoding="utf-8") == text


def test_sheets_that_a_person_must_fill_in_are_written_apart(node: Path, tmp_path: Path) -> None:
    """Tables that no door knows are sheets: a mapping is proposed, and nobody has to know the word."""
    (tmp_path / "sheet.csv").write_text("Station,Species,Date\nA,Panthera tigris,2024-01-01\n", encoding="utf-8")
    with taking(node, [tmp_path / "sheet.csv"]) as work:
        seen = work.understand({})
        names = work.sheets_to_fill(seen, tmp_path / "fill")
    assert seen.format == "spreadsheet"
    assert set(names) == {"mapping.toml"} == {path.name for path in (tmp_path / "fill").glob("*")}


MAPPING = """
[[table]]
to = "deployments"
file = "*.{suffix}"
[table.columns]
deployment = "id"
x = "lon"
y = "lat"
start = "from"
end = "to"
"""
CAMERAS = "id,lon,lat,from,to\nA,131.2,43.1,05/06/2024,07/08/2024\n"


def test_the_order_of_day_and_month_is_asked_where_no_date_tells(node: Path, tmp_path: Path) -> None:
    (tmp_path / "cameras.csv").write_text(CAMERAS, encoding="utf-8")
    (tmp_path / "mapping.toml").write_text(MAPPING.format(suffix="csv"), encoding="utf-8")
    answers = {"timezone": "Asia/Vladivostok", "crs": "EPSG:4326"}
    with taking(node, [tmp_path / "cameras.csv", tmp_path / "mapping.toml"]) as work:
        assert work.understand(answers).questions == ("date_order",)
        seen = work.understand({**answers, "date_order": EXAMPLES["date_order"]})
    assert seen.content is not None
    shown = overview(seen.content, "Asia/Vladivostok").effort
    assert shown["first_day"].to_list() == [dt.date(2024, 6, 5)]
    assert overview(seen.content).effort["first_day"].to_list() == [dt.date(2024, 6, 4)]


def test_the_likely_encoding_is_the_example_of_an_answer(node: Path, season: Path) -> None:
    (season / "captures.csv").write_text(CAPTURES, encoding="utf-16")
    with taking(node, [season]) as work:
        seen = work.understand(ANSWERS)
    assert seen.questions == ("encoding",)
    assert example("encoding", seen.findings) == "utf-16"
    assert example("crs", seen.findings) == EXAMPLES["crs"]


def test_files_without_a_record_are_told(node: Path, season: Path) -> None:
    (season / "captures.csv").write_text("session,individual,occasion,trap\n", encoding="utf-8")
    with taking(node, [season]) as work:
        refused = work.understand(ANSWERS)
    assert [f.rule for f in errors(refused.findings)] == ["no-session"]
    assert errors(refused.findings)[0].facts["traps"] == 3
    with taking(node, [season]) as work:
        declared = work.understand({**ANSWERS, "occasions": {"1": 5}})
    assert declared.content is not None
    assert declared.content.survey is not None
    assert declared.content.survey.deployments.height == 3


def test_an_export_with_only_a_header_is_told(node: Path, tmp_path: Path) -> None:
    header = "Patrol ID,Patrol Start Date,Patrol End Date,Patrol Transport Type,Waypoint ID,Waypoint Date,Waypoint Time"
    (tmp_path / "patrols.csv").write_text(f"{header},X,Y,Observation Category 0\n", encoding="utf-8")
    model = ROOT / "tests" / "data" / "exchange" / "smart" / "datamodel.xml"
    with taking(node, [tmp_path / "patrols.csv", model]) as work:
        seen = work.understand({"timezone": "Asia/Vladivostok", "crs": "EPSG:4326"})
    assert seen.format == "smart"
    assert not errors(seen.findings)
    assert "take-nothing" in {f.rule for f in seen.findings}


def workbook(file: Path, header: list[str], row: list[object]) -> Path:
    """A workbook of one sheet in a new folder."""
    book = openpyxl.Workbook()
    for cells in (header, row):
        book.worksheets[0].append(cells)
    file.parent.mkdir()
    book.save(file)
    return file.parent


def test_the_mapping_of_another_workbook_is_not_used_for_a_new_one(node: Path, tmp_path: Path) -> None:
    header, answers = ["id", "lon", "lat", "from", "to"], {"timezone": "Asia/Seoul", "crs": "EPSG:4326"}
    (tmp_path / "mapping.toml").write_text(MAPPING.format(suffix="xlsx"), encoding="utf-8")
    first = workbook(tmp_path / "one" / "a.xlsx", header, ["A", 131.2, 43.1, "2023-05-01", "2023-06-01"])
    take(node, first, tmp_path / "mapping.toml", answers=answers)
    season = workbook(tmp_path / "two" / "b.xlsx", header, ["A", 131.2, 43.1, "2024-05-01", "2024-06-01"])
    other = workbook(tmp_path / "three" / "c.xlsx", ["visit", "site", "method"], ["1", "Khasan", "count"])
    for folder, like in ((season, "one"), (other, "")):
        with taking(node, [folder]) as work:
            assert work.understand({}).like == like


@pytest.mark.parametrize("in_place", [False, True])
def test_a_file_that_changed_since_it_was_taken_is_found(node: Path, season: Path, *, in_place: bool) -> None:
    with taking(node, [season], in_place=in_place) as work:
        work.understand(ANSWERS)
        place = work.keep().folder
    assert changed(place) == ()
    with (place / "captures.csv").open("a", encoding="utf-8") as file:
        file.write("1,D,1,t1\n")
    (place / "traps.csv").unlink()
    (place / "new.csv").write_text("x", encoding="utf-8")
    assert [(f.rule, f.facts["path"]) for f in changed(place)] == [
        ("taken-file-missing", "traps.csv"),
        ("taken-file-added", "new.csv"),
        ("taken-file-changed", "captures.csv"),
    ]
    assert {f.rule for f in check(node)} >= {"taken-file-missing", "taken-file-added", "taken-file-changed"}
    (place / SUMS).unlink()
    assert [f.rule for f in changed(place)] == ["taken-file-missing"]
