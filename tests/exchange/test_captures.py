"""Door `captures`: what secr users have becomes an undated survey, and no row is lost in silence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Severity
from sharedrange.core.survey import DEPLOYMENTS, EFFORT, OBSERVATIONS, Survey
from sharedrange.exchange import captures
from sharedrange.exchange.delivery import Delivery, read_delivery

Make = Callable[[Mapping[str, str | bytes]], Path]

TRAPS = "session,trap,x,y\n1,A,0,0\n1,B,100,0\n2,A,0,0\n"
CAPTURES = "session,id,occasion,trap\n1,M1,1,A\n1,M1,3,B\n2,F2,2,A\n"
GRID = {"captures.csv": CAPTURES, "traps.csv": TRAPS}


def known(delivery: Delivery) -> Delivery:
    return replace(delivery, occasions={"1": 3, "2": 2})


def read(folder: Path, delivery: Delivery) -> Survey:
    survey, found = captures.read(folder, delivery)
    assert survey is not None, [str(f) for f in found]
    return survey


def errors_of(folder: Path, delivery: Delivery) -> list[tuple[str, str | None, int | None]]:
    survey, found = captures.read(folder, delivery)
    assert survey is None
    return [(f.rule, f.where.file, f.where.row) for f in found if f.severity is Severity.ERROR]


def notes_of(folder: Path, delivery: Delivery) -> list[tuple[str, str]]:
    survey, found = captures.read(folder, delivery)
    assert survey is not None, [str(f) for f in found]
    return [(f.rule, str(f.severity)) for f in found]


def test_tables_with_a_header_become_a_survey_of_the_core_schemas(make: Make, grid: Delivery) -> None:
    survey = read(make(GRID), known(grid))
    assert (survey.dated, survey.kind, survey.frame) == (False, "capture", "local:grid")
    assert survey.deployments.schema == DEPLOYMENTS
    assert survey.observations.schema == OBSERVATIONS
    assert survey.effort.schema == EFFORT
    assert survey.observations.select("session", "individual", "occasion", "deployment", "count").rows() == [
        ("1", "M1", 1, "A", 1),
        ("1", "M1", 3, "B", 1),
        ("2", "F2", 2, "A", 1),
    ]
    assert survey.effort.height == 2 * 3 + 1 * 2
    assert survey.effort["effort"].unique().to_list() == [1.0]
    assert len(survey.source) == 64


def lines(separate: str, *rows: str) -> str:
    return "".join(row.replace(" ", separate) + "\n" for row in rows)


@pytest.mark.parametrize("separate", [" ", "   ", ",", "\t", ";", ", "])
@pytest.mark.parametrize(("always", "once"), [("111", "100"), ("1 1 1", "1 0 0")])
def test_secr_text_files_read_alike_however_cells_are_separated(
    make: Make, grid: Delivery, separate: str, always: str, once: str
) -> None:
    traps = "# trapID x y usage / habitat camera_type\n" + lines(
        separate, f"A 0 0 {always} / forest Reconyx", f"B 100 0 {once} / meadow Bushnell"
    )
    captured = "# Session ID Occasion Trap sex\n" + lines(separate, "1 M1 1 A M", "1 M1 1 B M", "", "1 F2 2 A F")
    survey, found = captures.read(make({"captures.txt": captured, "traps.txt": traps}), grid)
    assert survey is not None, [str(f) for f in found]
    assert [(f.rule, f.facts["column"]) for f in found] == [("unused-column", "habitat")]
    assert survey.observations["individual"].to_list() == ["M1", "M1", "F2"]
    assert survey.observations["sex"].to_list() == ["male", "male", "female"]
    assert survey.deployments["camera_type"].to_list() == ["Reconyx", "Bushnell"]
    assert survey.effort.filter(deployment="B")["effort"].to_list() == [1.0, 0.0, 0.0]


def test_text_files_may_hold_remarks_and_lines_that_are_too_short_are_named(make: Make, grid: Delivery) -> None:
    files: dict[str, str | bytes] = {
        "captures.txt": "1 M1 1 A  # seen\n1 M1 2\n",
        "traps.txt": "A 0 0 11\nB 5\nC 0 0 1 1\n",
    }
    assert errors_of(make(files), grid) == [
        ("ragged-row", "captures.txt", 2),
        ("ragged-row", "traps.txt", 2),
        ("ragged-row", "traps.txt", 3),
    ]


def test_usage_of_a_text_file_may_be_effort_and_holds_for_every_session(make: Make, grid: Delivery) -> None:
    files: dict[str, str | bytes] = {"captures.txt": "1 M1 1 A\n2 M1 2 A\n", "traps.txt": "A 0 0 0.5 7\n"}
    effort = read(make(files), grid).effort
    assert effort.select("session", "occasion", "effort").rows() == [
        ("1", 1, 0.5),
        ("1", 2, 7.0),
        ("2", 1, 0.5),
        ("2", 2, 7.0),
    ]


def test_a_session_that_caught_nothing_is_kept_with_its_effort(make: Make, grid: Delivery) -> None:
    files: dict[str, str | bytes] = {"captures.txt": "1 M1 1 A\n2 NONE 0 A\n", "traps.txt": "A 0 0 11\n"}
    survey, found = captures.read(make(files), grid)
    assert survey is not None
    assert survey.observations.height == 1
    assert survey.effort["session"].to_list() == ["1", "1", "2", "2"]
    assert [(f.rule, f.where.row) for f in found] == [("session-without-captures", 2)]


def test_a_trap_file_a_session_may_be_declared_and_a_trap_that_moves_is_a_deployment_each(
    make: Make, grid: Delivery
) -> None:
    files: dict[str, str | bytes] = {
        "c.txt": "1 M1 1 A\n2 M1 1 A\n2 M1 2 B\n",
        "t1.txt": "A 0 0 1\nB 50 0 1\n",
        "t2.txt": "A 9 9 11\nB 50 0 11\n",
    }
    survey = read(make(files), replace(grid, files={"captures": "c.txt", "traps.1": "t1.txt", "traps.2": "t2.txt"}))
    assert survey.deployments["deployment"].to_list() == ["A@1", "B", "A@2"]
    assert survey.deployments["station"].to_list() == ["A", "B", "A"]
    assert survey.observations["deployment"].to_list() == ["A@1", "A@2", "B"]


def test_declared_coordinates_become_wgs84(make: Make, grid: Delivery) -> None:
    files: dict[str, str | bytes] = {**GRID, "traps.csv": "trap,x,y\nA,500000,4800000\nB,510000,4800000\n"}
    survey = read(make(files), replace(known(grid), crs="EPSG:32652"))
    assert survey.frame == "EPSG:4326"
    assert survey.deployments["x"].to_list() == pytest.approx([129.0, 129.123], abs=1e-3)
    assert survey.deployments["y"].to_list() == pytest.approx([43.352, 43.352], abs=1e-3)


def test_what_is_not_declared_is_asked_for_and_never_guessed(make: Make) -> None:
    found = errors_of(make(GRID), Delivery("north", "grid", "captures"))
    assert [rule for rule, _, _ in found] == ["missing-crs", "missing-taxon", "missing-detector"]


def test_a_number_of_occasions_that_is_not_said_is_a_warning(make: Make, grid: Delivery) -> None:
    assert notes_of(make(GRID), grid) == [("occasions-inferred", "warning")] * 2


def test_an_empty_session_without_a_number_of_occasions_is_an_error(make: Make, grid: Delivery) -> None:
    folder = make({**GRID, "traps.csv": TRAPS + "3,A,0,0\n"})
    assert errors_of(folder, known(grid)) == [("occasions-unknown", "delivery.toml", None)]
    assert errors_of(make(GRID), replace(grid, occasions={"1": 3, "2": 2, "2O24": 9})) == [
        ("unknown-session", "delivery.toml", None)
    ]


def test_captures_that_the_traps_contradict_are_errors_by_line(make: Make, grid: Delivery) -> None:
    captured = "session,id,occasion,trap\n1,M1,1,A\n1,M1,1,Z\n2,M1,1,B\n1,M1,4,A\n1,M1,2,B\n"
    usage = "session,trap,occasion,effort\n" + "".join(
        f"1,{t},{k},{int((t, k) != ('B', 2))}\n" for t in "AB" for k in (1, 2, 3)
    )
    folder = make({"captures.csv": captured, "traps.csv": TRAPS, "usage.csv": usage + "2,A,1,1\n"})
    assert errors_of(folder, grid) == [
        ("unknown-trap", "captures.csv", 3),
        ("unknown-trap", "captures.csv", 4),
        ("occasion-out-of-range", "captures.csv", 5),
        ("trap-not-running", "captures.csv", 6),
    ]


def test_a_proximity_detector_tells_only_seen_or_not_and_a_count_detector_counts(make: Make, grid: Delivery) -> None:
    captured = "session,id,occasion,trap,count\n1,M1,1,A,2\n1,M1,2,A,1\n1,M1,2,A,1\n"
    folder = make({"captures.csv": captured, "traps.csv": "trap,x,y\nA,0,0\n"})
    delivery = replace(grid, occasions={"1": 2})
    assert errors_of(folder, delivery) == [
        ("repeat-at-proximity", "captures.csv", 2),
        ("repeat-at-proximity", "captures.csv", 4),
    ]
    assert read(folder, replace(delivery, detector="count")).observations["count"].to_list() == [2, 1, 1]


def test_a_trap_that_holds_an_animal_cannot_share_it(make: Make, grid: Delivery) -> None:
    captured = "session,id,occasion,trap\n1,M1,1,A\n1,M1,1,B\n"
    folder = make({"captures.csv": captured, "traps.csv": "trap,x,y\nA,0,0\nB,1,0\n"})
    delivery = replace(grid, detector="multi", occasions={"1": 1})
    assert errors_of(folder, delivery) == [("two-captures-one-occasion", "captures.csv", 3)]


def test_traps_and_usage_are_checked_by_line(make: Make, grid: Delivery) -> None:
    traps = "session,trap,x,y\n1,A,0,0\n1,A,5,5\n1,B,one,0\n,C,1,1\n"
    usage = "session,trap,occasion,effort\n1,A,1,1\n1,A,1,1\n1,Z,1,1\n1,B,1,-1\n1,A,9,1\n"
    found = errors_of(
        make({"captures.csv": CAPTURES.splitlines()[0] + "\n1,M1,1,A\n", "traps.csv": traps, "usage.csv": usage}),
        replace(grid, occasions={"1": 2}),
    )
    assert ("bad-coordinate", "traps.csv", 4) in found
    assert ("duplicate-trap", "traps.csv", 3) in found
    assert ("missing-value", "traps.csv", 5) in found
    assert ("duplicate-usage", "usage.csv", 3) in found
    assert ("unknown-trap", "usage.csv", 4) in found
    assert ("out-of-range", "usage.csv", 5) in found
    assert ("occasion-out-of-range", "usage.csv", 6) in found
    assert ("usage-missing", "usage.csv", None) in found


def test_coordinates_that_are_no_place_are_named_by_trap_and_not_shown(make: Make, grid: Delivery) -> None:
    files: dict[str, str | bytes] = {**GRID, "traps.csv": "trap,x,y\nA,43.21,431.2\nB,44.32,45.5\n"}
    _, found = captures.read(make(files), replace(known(grid), crs="EPSG:4326"))
    assert [(f.rule, f.where.row) for f in found] == [("position-outside-crs", 2)]
    assert not any("43.2" in str(f) or "431" in str(f) for f in found)


def test_missing_columns_and_tables_are_all_named(make: Make, grid: Delivery) -> None:
    found = errors_of(make({"captures.csv": "session,id\n1,M1\n", "traps.csv": "trap,x\nA,1\n"}), known(grid))
    assert [rule for rule, _, _ in found].count("missing-column") == 3
    assert [rule for rule, _, _ in errors_of(make({"notes.md": "x"}), grid)] == ["no-table", "no-table"]


def test_a_table_whose_header_is_in_other_words_is_asked_for_the_columns(make: Make, grid: Delivery) -> None:
    found = errors_of(make({"captures.csv": "Saison;Tier;Tag\n1;M1;2\n", "traps.csv": TRAPS}), known(grid))
    assert found == [("missing-column", "captures.csv", 1)] * 4


def test_sexes_are_words_and_numbers_only_where_declared(make: Make, grid: Delivery) -> None:
    files: dict[str, str | bytes] = {**GRID, "individuals.csv": "id,Sex\nM1,1\nF2,0\n"}
    assert [r for r, _, _ in errors_of(make(files), known(grid))] == ["unknown-word", "unknown-word"]
    declared = replace(known(grid), sexes={"0": "female", "1": "male"})
    assert read(make(files), declared).observations["sex"].to_list() == ["male", "male", "female"]


def test_covariates_are_known_by_name_whatever_their_case(make: Make, grid: Delivery) -> None:
    captured = (
        "Session,ID,Occasion,Trap,SEX,Stage,Flank,Catalogue\n1,M1,1,A,male,cub,L,left-flanks\n1,F2,2,A,unknown,,,\n"
    )
    survey = read(make({**GRID, "captures.csv": captured}), known(grid))
    assert survey.observations.select("sex", "life_stage", "flank", "catalogue").rows() == [
        ("male", "juvenile", "left", "left-flanks"),
        (None, None, None, "main"),
    ]


def test_an_individual_with_two_sexes_is_a_warning(make: Make, grid: Delivery) -> None:
    files: dict[str, str | bytes] = {**GRID, "individuals.csv": "session,id,sex\n1,M1,M\n2,F2,F\n"}
    assert notes_of(make(files), known(grid)) == []
    files["captures.csv"] = "session,id,occasion,trap,sex\n1,M1,1,A,\n1,M1,2,A,F\n2,F2,1,A,F\n"
    _, found = captures.read(make(files), known(grid))
    assert [(f.rule, f.where.row, f.facts["first"], f.facts["other"]) for f in found] == [
        ("conflicting-sexes", 3, "male", "female")
    ]


def test_individuals_listed_twice_or_never_caught_are_named(make: Make, grid: Delivery) -> None:
    files: dict[str, str | bytes] = {**GRID, "individuals.csv": "id,sex\nM1,M\nM9,F\n"}
    assert notes_of(make(files), known(grid)) == [("individual-not-captured", "note")]
    files["individuals.csv"] = "id,sex\nM1,M\nM1,F\n"
    assert errors_of(make(files), known(grid)) == [("duplicate-individual", "individuals.csv", 3)]


def test_columns_and_tables_that_nobody_reads_are_noted(make: Make, grid: Delivery) -> None:
    files: dict[str, str | bytes] = {**GRID, "traps.csv": TRAPS.replace("y\n", "y,altitude\n").replace("0\n", "0,5\n")}
    files |= {"captures2.csv": "x", "README.txt": "x", "mask.csv": "x"}
    assert notes_of(make(files), known(grid)) == [("unread-file", "note"), ("unused-column", "note")]


def test_an_effort_table_too_large_for_the_memory_is_refused(make: Make, grid: Delivery) -> None:
    traps = "trap,x,y\n" + "".join(f"T{n},{n},0\n" for n in range(3000))
    captured = "session,id,occasion,trap\n1,M1,10000,T1\n"
    found = errors_of(make({"captures.csv": captured, "traps.csv": traps}), grid)
    assert [rule for rule, _, _ in found] == ["too-much-effort"]


def test_a_capture_file_in_windows_1251_names_its_line_and_is_read_when_declared(make: Make, grid: Delivery) -> None:
    captured = CAPTURES.replace("M1", "Борис").encode("windows-1251")
    folder = make({**GRID, "captures.csv": captured})
    assert errors_of(folder, known(grid)) == [("not-encoding", "captures.csv", 2)]
    survey = read(make({**GRID, "captures.csv": captured, "traps.csv": TRAPS}), replace(known(grid), encoding="cp1251"))
    assert survey.observations["individual"].to_list() == ["Борис", "Борис", "F2"]


def test_real_nets_are_read_whole(data: Path) -> None:
    delivery = Delivery("west", "nets", "captures", crs="local:nets", taxon="Seiurus aurocapilla")
    survey, found = captures.read(data / "ovenbird_subset", delivery)
    assert survey is not None
    assert {f.rule for f in found} == {"occasions-inferred"}
    assert (survey.deployments.height, survey.observations.height) == (44, 90)
    caught = survey.observations.group_by("session").agg(pl.col("individual").n_unique()).sort("session")
    assert caught.rows() == [("2005", 20), ("2006", 22)]
    assert survey.effort.height == 44 * (9 + 10)
    assert survey.observations["sex"].null_count() == 0


def test_what_is_written_reads_back_equal(data: Path, tmp_path: Path) -> None:
    delivery = Delivery("west", "nets", "captures", crs="local:nets", taxon="Seiurus aurocapilla")
    survey = read(data / "ovenbird_subset", delivery)
    assert_round_trip(survey, tmp_path / "nets")


def test_a_moved_trap_a_usage_and_positions_on_earth_round_trip(make: Make, grid: Delivery, tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "captures.csv": "session,id,occasion,trap,count,sex,flank,stage,taxon\n"
        '1,"M,1",1,A,3,M,B,cub,Lynx lynx\n2,M1,2,A,1,,,,Uncia uncia\n',
        "traps.csv": "session,trap,x,y,camera_type,uncertainty_m\n"
        "1,A,129.1234567890123,43.1,Reconyx,2.5\n2,A,129.2,43.123456789,,\n",
        "usage.csv": "trap,occasion,effort\nA,1,0.25\nA,2,1e-3\n",
    }
    survey = read(make(files), replace(grid, crs="EPSG:4326", detector="count", taxon=""))
    assert survey.deployments["x"].to_list() == [129.1234567890123, 129.2]
    assert_round_trip(survey, tmp_path / "grid")


def assert_round_trip(survey: Survey, folder: Path) -> None:
    captures.write(survey, folder)
    delivery, found = read_delivery(folder, survey.party)
    assert delivery is not None, found
    again, found = captures.read(folder, delivery)
    assert again is not None, [str(f) for f in found]
    assert not [f for f in found if f.rule != "trap-moved"]
    for name in ("deployments", "observations", "effort", "media"):
        assert_frame_equal(getattr(survey, name), getattr(again, name), check_exact=True)
    assert (survey.party, survey.frame, survey.dated, survey.kind) == (
        again.party,
        again.frame,
        again.dated,
        again.kind,
    )


def test_a_dated_survey_is_not_written_as_capture_tables(make: Make, grid: Delivery, tmp_path: Path) -> None:
    survey = read(make(GRID), known(grid))
    with pytest.raises(InputError, match="survey-is-dated"):
        captures.write(replace(survey, dated=True), tmp_path / "out")
    with pytest.raises(InputError, match="deployment-without-effort"):
        captures.write(replace(survey, effort=survey.effort.filter(deployment="A")), tmp_path / "out")
    assert not (tmp_path / "out").exists()


cell = st.sampled_from(
    [
        "1",
        "2",
        "A",
        "B",
        "M1",
        "NONE",
        "0",
        "-1",
        "1.5",
        "x",
        "",
        "NA",
        "1e999",
        "99999999999",
        "f",
        "/",
        "#",
        '"',
        "110",
    ]
)
header = st.sampled_from(
    [
        "session,id,occasion,trap,count,sex",
        "session,id,occasion,trap",
        "# c",
        "session,trap,x,y,detector",
        "trap,x,y",
        "id,trap",
        "",
    ]
)


@st.composite
def tables(draw: st.DrawFn) -> str:
    separator = draw(st.sampled_from([",", " ", "\t", ";"]))
    rows = draw(st.lists(st.lists(cell, max_size=6).map(separator.join), max_size=6))
    return "\n".join([draw(header).replace(",", separator), *rows])


@settings(max_examples=150, deadline=None)
@given(
    captured=tables(), traps=tables(), usage=st.one_of(st.none(), tables()), individuals=st.one_of(st.none(), tables())
)
def test_whatever_the_tables_hold_a_survey_or_errors_come_back(
    tmp_path_factory: pytest.TempPathFactory, captured: str, traps: str, usage: str | None, individuals: str | None
) -> None:
    folder = tmp_path_factory.mktemp("any")
    given_tables = {"captures.csv": captured, "traps.csv": traps, "usage.csv": usage, "individuals.csv": individuals}
    for name, text in given_tables.items():
        if text is not None:
            (folder / name).write_text(text, encoding="utf-8")
    delivery = Delivery("n", "any", "captures", crs="EPSG:4326", taxon="Lynx lynx", detector="proximity")
    survey, found = captures.read(folder, delivery)
    assert (survey is None) is any(f.severity is Severity.ERROR for f in found)


people = st.sampled_from(["M1", "M2", "NONE", ""])
rows = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", ""]), people, st.sampled_from(["0", "1", "2", "7", "x"]), st.sampled_from("ABZ")
    ),
    max_size=8,
)


@settings(max_examples=120, deadline=None)
@given(rows)
def test_every_row_of_captures_is_an_observation_or_is_named(
    tmp_path_factory: pytest.TempPathFactory, given_rows: list[tuple[str, str, str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    text = "session,id,occasion,trap\n" + "".join(",".join(row) + "\n" for row in given_rows)
    (folder / "captures.csv").write_text(text)
    (folder / "traps.csv").write_text(TRAPS)
    delivery = Delivery(
        "n", "rows", "captures", crs="local:g", taxon="L l", detector="count", occasions={"1": 2, "2": 2}
    )
    survey, found = captures.read(folder, delivery)
    named = {f.where.row for f in found if f.where.file == "captures.csv"}
    wrong = {n for n, row in enumerate(given_rows, start=2) if not is_good(row)}
    assert named == wrong
    if survey is not None:
        assert survey.observations.height + len(named) == len(given_rows)


def is_good(row: tuple[str, str, str, str]) -> bool:
    session, who, occasion, trap = row
    if who == "NONE" and occasion == "0":
        return False
    there = (session, trap) in {("1", "A"), ("1", "B"), ("2", "A")}
    return bool(session and who) and occasion in ("1", "2") and there
