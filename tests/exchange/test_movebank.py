"""Tracks in Movebank's CSV are read as UTC and WGS 84; labels that contradict taxon or place are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharedrange.core.contents import Tracks
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding, errors
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.movebank import is_export, read, write
from sharedrange.exchange.opening import open_path

MakeFolder = Callable[[Mapping[str, str | bytes]], Path]
SAID = Delivery("mn", "cranes", "movebank")
HEADER = (
    "event-id,visible,timestamp,location-long,location-lat,manually-marked-outlier,sensor-type,"
    "individual-taxon-canonical-name,tag-local-identifier,individual-local-identifier,study-name\n"
)


def fix(
    n: int, time: str = "2024-05-06 10:00:00.000", x: str = "110.5", y: str = "48.5", **said: str
) -> str:  # made up; Mongolia, on whole and half degrees
    cells = {
        "visible": "true",
        "outlier": "",
        "taxon": "Anthropoides virgo",
        "tag": "T1",
        "animal": "A1",
        "study": "",
        **said,
    }
    return (
        f"{n},{cells['visible']},{time},{x},{y},{cells['outlier']},gps,"
        f"{cells['taxon']},{cells['tag']},{cells['animal']},{cells['study']}\n"
    )


def tracks_of(folder: Path) -> Tracks:
    delivered, found = read(folder, SAID)
    assert delivered is not None, [str(f) for f in errors(found)]
    assert delivered.tracks is not None
    return delivered.tracks


def told(make: MakeFolder, *rows: str) -> list[Finding]:
    _, found = read(make({"tracks.csv": HEADER + "".join(rows)}), SAID)
    return [f for f in found if f.rule != "not-carried"]


def test_times_are_utc_and_marked_positions_outliers(make: MakeFolder) -> None:
    rows = (
        fix(1) + fix(2, "2024-05-06 11:00:00.000", outlier="true") + fix(3, "2024-05-06 12:00:00.000", visible="false")
    )
    tracks = tracks_of(make({"tracks.csv": HEADER + rows}))
    assert tracks.frame == "EPSG:4326"
    assert tracks.fixes["at"][0] == datetime(2024, 5, 6, 10, tzinfo=UTC)
    assert tracks.fixes["outlier"].to_list() == [False, True, True]


def test_events_without_a_position_are_counted_and_other_columns_listed(make: MakeFolder) -> None:
    folder = make({"tracks.csv": HEADER + fix(1) + fix(2, x="", y="")})
    delivered, found = read(folder, SAID)
    assert delivered is not None
    assert delivered.tracks is not None
    assert delivered.tracks.fixes.height == 1
    note = next(f for f in found if f.rule == "events-without-position")
    assert (note.facts["rows"], note.facts["of"], note.where.row) == (1, 2, 3)
    assert delivered.not_carried == ("tracks.csv: sensor-type",)


def test_a_label_that_contradicts_the_taxon_is_told_once_an_animal(make: MakeFolder) -> None:
    rows = [
        fix(n, f"2024-05-06 1{n}:00:00.000", taxon="Gallinago gallinago", study="Cuckoos of the steppe") for n in (1, 2)
    ]
    assert [(f.rule, f.where.row) for f in told(make, *rows)] == [("label-contradicts-taxon", 2)]
    assert told(make, fix(1, study="Cranes of the steppe")) == []


def test_a_label_that_contradicts_the_place_is_told(make: MakeFolder) -> None:
    assert [f.rule for f in told(make, fix(1, study="Mongolia 2024"))] == []
    found = told(make, fix(1, x="10.5", study="Mongolia 2024"))
    assert [(f.rule, f.facts["place"]) for f in found] == [("label-contradicts-place", "Mongolia")]


def test_one_animal_of_two_taxa_and_one_tag_on_two_animals_are_told(make: MakeFolder) -> None:
    late = fix(2, "2024-05-07 10:00:00.000")
    assert [f.rule for f in told(make, fix(1), fix(3, "2024-05-06 12:00:00.000", taxon="Grus grus"), late)] == [
        "animal-of-two-taxa"
    ]
    shared = told(make, fix(1), fix(3, "2024-05-06 12:00:00.000", animal="A2"), late)
    assert [(f.rule, f.facts["tag"]) for f in shared] == [("tag-on-two-animals", "T1")]
    assert told(make, fix(1), fix(3, "2024-05-08 12:00:00.000", animal="A2"), late) == []


def test_steps_that_nothing_alive_makes_and_positions_at_zero_are_told(make: MakeFolder) -> None:
    fast = told(make, fix(1), fix(2, "2024-05-06 11:00:00.000", x="118.5"))
    assert [(f.rule, f.facts["fastest_km_h"]) for f in fast] == [("faster-than-life", 589.0)]
    assert "fix-at-zero" in [f.rule for f in told(make, fix(1, x="0.0", y="0.0"))]
    marked = fix(2, "2024-05-06 11:00:00.000", x="118.5", outlier="true")
    assert told(make, fix(1), marked) == []


def test_what_is_written_reads_back_equal(make: MakeFolder, tmp_path: Path) -> None:
    rows = fix(1, animal="=1+1") + fix(2, "2024-05-06 11:00:00.500", outlier="true", animal="'x", tag="@T")
    first = tracks_of(make({"tracks.csv": HEADER + rows}))
    assert first.fixes["animal"].to_list() == ["=1+1", "'x"]
    write(first, tmp_path / "out")
    assert ",'=1+1\n" in (tmp_path / "out" / "tracks.csv").read_text()
    assert tracks_of(tmp_path / "out").fixes.equals(first.fixes)


def test_tracks_on_a_grid_without_a_place_on_earth_are_not_written(make: MakeFolder, tmp_path: Path) -> None:
    tracks = replace(tracks_of(make({"tracks.csv": HEADER + fix(1)})), frame="local:grid")
    with pytest.raises(InputError, match="tracks-not-on-earth"):
        write(tracks, tmp_path)


@pytest.mark.parametrize("mark", ["_", "."])
def test_columns_with_other_marks_are_the_same_and_an_export_is_recognised(make: MakeFolder, mark: str) -> None:
    folder = make({"a.csv": HEADER.replace("-", mark) + fix(1)})
    assert tracks_of(folder).fixes["animal"].to_list() == ["A1"]
    opened, _ = open_path(folder)
    assert opened is not None
    assert is_export(opened)


def test_a_table_without_positions_and_no_table_at_all_are_errors(make: MakeFolder) -> None:
    _, found = read(make({"a.csv": "timestamp,individual-local-identifier\n2024-05-06 10:00:00,A1\n"}), SAID)
    assert {f.facts["column"] for f in errors(found)} == {"location-long", "location-lat"}
    _, found = read(make({"a.txt": "x"}), SAID)
    assert [f.rule for f in errors(found)] == ["no-table"]


def test_a_position_out_of_range_is_told_in_whole_degrees_only(make: MakeFolder) -> None:
    found = told(make, fix(1, x="211.56789"))
    assert [(f.rule, f.facts["value"]) for f in found] == [("out-of-range", 212.0)]


COORDINATES = st.one_of(st.floats(-200, 200).map(str), st.sampled_from(["", "x", "NaN", "0", "inf"]))


@given(st.lists(st.tuples(st.text(max_size=20), COORDINATES, COORDINATES, st.text(max_size=6)), max_size=6))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_rows_are_fixes_or_findings(make: MakeFolder, rows: list[tuple[str, str, str, str]]) -> None:
    text = HEADER + "".join(
        fix(n, time or "2024-05-06 10:00:00", x, y, animal=a) for n, (time, x, y, a) in enumerate(rows)
    )
    delivered, found = read(make({"t.csv": text.encode(errors="replace")}), SAID)
    assert (delivered is None) == bool(errors(found))
    if delivered is not None and delivered.tracks is not None:
        without = sum(int(str(f.facts["rows"])) for f in found if f.rule == "events-without-position")
        assert delivered.tracks.fixes.height + without == len(rows)
