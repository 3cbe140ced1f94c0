"""The doors as the node uses them, and any path that someone wants checked."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sharedrange.core.finding import Severity
from sharedrange.exchange.delivery import FORMATS
from sharedrange.exchange.doors import DOORS, check_path, guess, read_delivered
from sharedrange.exchange.manifest import verify_manifest, write_manifest

Make = Callable[[Mapping[str, str | bytes]], Path]
EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def test_every_format_that_a_delivery_may_declare_has_its_door() -> None:
    assert set(DOORS) == set(FORMATS)
    assert all(name == door.name for name, door in DOORS.items())


def test_a_delivered_folder_is_read_through_the_door_that_it_declares() -> None:
    content, delivery, found = read_delivered(EXAMPLES / "one-package" / "own" / "mica", "mica-project")
    assert content is not None
    assert delivery is not None
    survey = content.survey
    assert survey is not None
    assert (survey.party, survey.dataset, delivery.format) == ("mica-project", "mica", "camtrap-dp")
    assert not [f for f in found if f.severity is Severity.ERROR]


def test_a_delivery_of_another_party_is_not_read() -> None:
    content, delivery, found = read_delivered(EXAMPLES / "one-package" / "own" / "mica", "someone")
    assert content is None
    assert delivery is None
    assert [f.rule for f in found] == ["party-differs"]


def test_a_bare_path_is_recognised_by_what_it_holds(data: Path, tmp_path: Path, make: Make) -> None:
    assert guess(data / "camtrapdp_example") == "camtrap-dp"
    assert guess(data / "ovenbird_subset") == "captures"
    shutil.make_archive(str(tmp_path / "a"), "zip", data, "camtrapdp_example")
    assert guess(tmp_path / "a.zip") == "camtrap-dp"
    assert guess(make({"Кедр/DCIM/100RECNX/photo.JPG": "x"})) == "camera-folders"
    assert guess(make({"notes.md": "x"})) is None
    assert guess(tmp_path / "nowhere") is None


def test_a_bare_path_is_checked_and_asked_for_what_it_does_not_say(data: Path, make: Make) -> None:
    content, _ = check_path(data / "camtrapdp_example")
    assert content is not None
    content, found = check_path(data / "ovenbird_subset")
    assert content is None
    assert {f.rule for f in found if f.severity is Severity.ERROR} == {"missing-crs", "missing-taxon"}
    assert [f.rule for f in check_path(make({"notes.md": "x"}))[1]] == ["unknown-kind"]
    assert [f.rule for f in check_path(make({}))[1]] == ["empty-folder"]


def test_a_path_with_a_declaration_is_checked_as_it_declares() -> None:
    content, found = check_path(EXAMPLES / "two-halves" / "own" / "nets")
    assert content is not None
    assert found == ()


@pytest.mark.parametrize(
    ("party", "folder", "birds", "bird_years"), [("west", "own/nets", 51, 66), ("east", "received/east/nets", 43, 64)]
)
def test_the_two_halves_list_what_the_published_study_caught(
    party: str, folder: str, birds: int, bird_years: int
) -> None:
    content, _, found = read_delivered(EXAMPLES / "two-halves" / folder, party)
    assert content is not None
    assert found == ()
    survey = content.survey
    assert survey is not None
    assert survey.observations["individual"].n_unique() == birds
    assert survey.observations.select("session", "individual").n_unique() == bird_years
    assert survey.effort.height == 22 * (9 + 4 * 10)


def test_the_two_halves_share_27_bird_years_of_103_and_24_rings_of_70() -> None:
    halves = [
        read_delivered(EXAMPLES / "two-halves" / folder, party)[0]
        for party, folder in (("west", "own/nets"), ("east", "received/east/nets"))
    ]
    surveys = [half.survey for half in halves if half is not None]
    caught = [set(s.observations.select("session", "individual").iter_rows()) for s in surveys if s is not None]
    west, east = caught
    assert (len(west & east), len(west | east)) == (27, 103)
    rings = [{ring for _, ring in half} for half in caught]
    assert (len(rings[0] & rings[1]), len(rings[0] | rings[1])) == (24, 70)
    decisions = (EXAMPLES / "two-halves" / "decisions.csv").read_text().splitlines()[1:]
    assert {line.split(",")[2] for line in decisions} == rings[0] & rings[1]
    assert len({ring for _, ring in west & east}) == 23


def test_the_received_half_is_as_it_was_sent() -> None:
    assert verify_manifest(EXAMPLES / "two-halves" / "received" / "east" / "nets") == ()


def test_a_changed_a_missing_and_an_extra_file_are_found(make: Make) -> None:
    folder = make({"a.csv": "1", "b.csv": "2", "deep/c.csv": "3"})
    write_manifest(folder, "east")
    assert verify_manifest(folder) == ()
    (folder / "a.csv").write_text("9")
    (folder / "deep" / "c.csv").unlink()
    (folder / "d.csv").write_text("4")
    assert [(f.rule, f.where.file) for f in verify_manifest(folder)] == [
        ("file-missing", "deep/c.csv"),
        ("file-not-listed", "d.csv"),
        ("file-changed", "a.csv"),
    ]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"files": {"a": 1}}', '{"files": {"../a": "' + "0" * 64 + '"}}', "[" * 100_000]
)
def test_what_is_no_manifest_is_a_finding(make: Make, text: str) -> None:
    found = verify_manifest(make({"manifest.json": text, "a": "x"}))
    assert [f.rule for f in found] in (["bad-json"], ["bad-manifest"])
    assert [f.rule for f in verify_manifest(make({"a": "x"}))] == ["no-manifest"]


@pytest.mark.parametrize(
    ("told", "rule"),
    [
        ({"crs": "EPSG:99"}, "unknown-crs"),
        ({"timezone": "Asia/Nowhere"}, "unknown-timezone"),
        ({"detector": "camera"}, "unknown-detector"),
        ({"colour": "red"}, "unknown-key"),
    ],
)
def test_what_is_told_in_the_place_of_a_declaration_is_judged_like_one(told: dict[str, str], rule: str) -> None:
    content, found = check_path(EXAMPLES / "two-halves" / "own" / "nets", **told)
    assert content is None
    assert [finding.rule for finding in found] == [rule]
