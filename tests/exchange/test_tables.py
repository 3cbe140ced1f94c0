"""Text tables become typed tables; a finding names the line that a text editor shows."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharedrange.exchange.tables import ROW, Column, Sheet, flag, read_csv, repeated, typed


def sheet_of(text: str, delimiter: str = ",") -> Sheet:
    sheet, found = read_csv("a.csv", text, delimiter)
    assert sheet is not None, found
    return sheet


def test_rows_carry_the_line_that_an_editor_shows_even_after_a_cell_of_two_lines() -> None:
    sheet = sheet_of('id,remark\n\nM1,"seen\ntwice"\r\nM2,\n')
    assert sheet.rows[ROW].to_list() == [3, 5]
    assert sheet.rows["remark"].to_list() == ["seen\ntwice", None]


def test_ragged_and_empty_rows_are_named_and_the_others_kept() -> None:
    sheet, found = read_csv("a.csv", "id,x\nM1,1\nM2\nM3,1,2\n,\nM4,4\n")
    assert sheet is not None
    assert sheet.rows["id"].to_list() == ["M1", "M4"]
    assert [(f.rule, f.where.row) for f in found] == [("ragged-row", 3), ("ragged-row", 4), ("empty-row", 5)]


def test_a_file_cut_within_quotes_is_a_finding() -> None:
    _, found = read_csv("a.csv", 'id,x\nM1,1\nM2,"cut he')
    assert [(f.rule, f.where.row) for f in found] == [("broken-quotes", 3)]


def test_an_empty_file_and_a_column_that_is_there_twice_are_findings() -> None:
    assert [f.rule for f in read_csv("a.csv", "")[1]] == ["empty-file"]
    assert [f.rule for f in read_csv("a.csv", "id, id\n1,2\n")[1]] == ["duplicate-column"]


def test_a_line_of_ten_thousand_columns_is_one_short_finding() -> None:
    line = ",".join(map(str, range(10_000)))
    assert [f.rule for f in read_csv("a.csv", line + "\n")[1]] == ["too-many-columns"]
    _, found = read_csv("a.csv", "id,x\n" + line + "\n")
    assert [f.rule for f in found] == ["ragged-row"]
    assert len(str(found[0])) < 200


def test_a_column_may_have_no_name_or_the_name_of_our_own() -> None:
    sheet = sheet_of("id,,line,file\nM1,2,3,4\n")
    assert sheet.rows.height == 1


def test_values_that_are_not_what_the_column_holds_are_findings_and_null() -> None:
    columns = [
        Column("id", required=True),
        Column("n", "whole", low=1),
        Column("x", "number", high=9),
        Column("sex", "word", words={"f": "female"}),
        Column("sure", "flag"),
        Column("absent"),
    ]
    sheet, found = typed(sheet_of("id,n,x,sex,sure\nM1,2,3.5,F,TRUE\n,0,inf,z,maybe\nM3,1.5,10,,\n"), columns)
    assert sheet.rows.row(0) == (2, "M1", 2, 3.5, "female", True, None)
    assert sheet.rows.row(1) == (3, None, 0, None, None, None, None)
    assert sorted((f.rule, f.where.row, f.where.field) for f in found) == [
        ("missing-value", 3, "id"),
        ("not-a-number", 3, "x"),
        ("not-a-whole-number", 4, "n"),
        ("not-true-or-false", 3, "sure"),
        ("out-of-range", 3, "n"),
        ("out-of-range", 4, "x"),
        ("unknown-word", 3, "sex"),
    ]


def test_a_private_value_never_enters_a_finding() -> None:
    column = Column("latitude", "number", private=True, low=-90, high=90)
    _, found = typed(sheet_of("latitude\n43.1234N\n131.98765\n"), [column])
    assert [f.rule for f in found] == ["bad-coordinate", "out-of-range"]
    assert dict(found[0].facts) == {}
    assert found[1].facts["value"] == 132.0


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2024-05-01T18:30:00+08:00", "", datetime(2024, 5, 1, 10, 30, tzinfo=UTC)),
        ("2024-05-01T18:30:00.25+0800", "", datetime(2024, 5, 1, 10, 30, 0, 250_000, tzinfo=UTC)),
        ("2024-05-01T18:30:00Z", "Asia/Tokyo", datetime(2024, 5, 1, 18, 30, tzinfo=UTC)),
        ("2024-05-01 18:30", "Asia/Vladivostok", datetime(2024, 5, 1, 8, 30, tzinfo=UTC)),
        ("2024-05-01T18:30:00", "", None),
        ("2021-03-28T02:30:00", "Europe/Berlin", None),  # clocks went from 2 to 3
        ("2021-10-31T02:30:00", "Europe/Berlin", None),  # 2:30 came twice
        ("2021-10-31T02:30:00+01:00", "Europe/Berlin", datetime(2021, 10, 31, 1, 30, tzinfo=UTC)),
        ("2024-02-30T00:00:00Z", "", None),
        ("2024-05-01T18:30:00+99:99", "", None),
        ("01/05/2024 18:30", "Asia/Tokyo", None),
    ],
)
def test_times_become_utc_and_nothing_is_guessed(text: str, zone: str, expected: datetime | None) -> None:
    sheet, found = typed(sheet_of(f"t\n{text}\n"), [Column("t", "time")], zone)
    assert sheet.rows["t"].to_list() == [expected]
    assert sheet.rows["t text"].to_list() == [text]
    assert bool(found) is (expected is None)


def test_times_without_an_offset_are_one_finding_that_counts_them() -> None:
    rows = "".join(f"2024-05-01T18:30:{s:02}\n" for s in range(30))
    _, found = typed(sheet_of("t\n2024-05-01T18:30:00Z\n" + rows), [Column("t", "time")])
    assert [(f.rule, f.where.row, f.facts["rows"]) for f in found] == [("missing-timezone", 3, 30)]


def test_a_repeated_key_is_found_at_its_second_row_and_names_the_first() -> None:
    found = repeated(sheet_of("id,n\na,1\nb,1\na,1\n,1\n,1\n"), ["id"], "duplicate-id", {"id": pl.col("id")})
    assert [(f.where.row, f.facts["id"], f.facts["first_row"]) for f in found] == [(4, "a", 2)]


def test_a_finding_shows_long_and_strange_values_short() -> None:
    sheet = sheet_of("id\n" + "x" * 5000 + "\n")
    found = flag(sheet, pl.col("id").is_not_null(), "unknown-media", facts={"value": pl.col("id")})
    assert len(str(found[0].facts["value"])) < 100


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=8))
def test_every_row_is_kept_or_named(rows: list[list[str]]) -> None:
    text = "a,b,c\n" + "".join(",".join('"' + c.replace('"', '""') + '"' for c in row) + "\n" for row in rows)
    sheet, found = read_csv("a.csv", text)
    assert sheet is not None
    assert sheet.rows.height + len(found) == len(rows)
    lines = [*sheet.rows[ROW], *(f.where.row for f in found)]
    assert len(set(lines)) == len(rows)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from('ab1.,;"\n\r\t -:+TZ/#\\é\u2028'), max_size=60))
def test_any_text_is_a_sheet_or_findings(text: str) -> None:
    columns = [Column("a", "number"), Column("b", "time"), Column("1", "whole", required=True)]
    sheet, found = read_csv("a.csv", text)
    assert sheet is not None or found
    if sheet is not None:
        typed(sheet, columns, "Asia/Tokyo")


@pytest.mark.parametrize("year", ["0024", "1024", "2204", "9999"])
def test_a_year_in_which_no_camera_stands_is_no_time(year: str) -> None:
    sheet, _ = read_csv("d.csv", f"start\n{year}-05-01T00:00:00Z\n")
    assert sheet is not None
    _, found = typed(sheet, [Column("start", "time")])
    assert [finding.rule for finding in found] == ["not-a-time"]
