"""Counts at sites keep effort, completeness and method; zero is not missing, and unlike methods never meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharedrange.core.contents import SiteCounts
from sharedrange.core.counts import every_taxon, every_visit
from sharedrange.core.finding import Finding, errors
from sharedrange.exchange.counts import read, write
from sharedrange.exchange.delivery import Delivery

MakeFolder = Callable[[Mapping[str, str | bytes]], Path]
SAID = Delivery("ru", "lakes", "counts", crs="EPSG:4326", timezone="Asia/Vladivostok")
VISITS = """visit,site,x,y,start,end,method,effort,effort_unit,observers,complete,cover_share
v1,Lake,130.5,42.5,2024-05-06 07:00,2024-05-06 09:00,waterbird-count,120,minutes,2,true,0.8
v2,Bay,130.5,42.5,2024-05-07 07:00,2024-05-07 08:00,waterbird-count,60,minutes,1,no,
v3,Ridge,131.5,43.5,2024-01-07 09:00,,snow-track-transect,10.5,km,2,true,
"""
COUNTS = """visit,taxon,count,exactness,sign,life_stage,sex
v1,Grus vipio,3,exact,,adult,
v1,Grus vipio,1,exact,,juvenile,
v1,Grus monacha,0,exact,,,
v2,Grus monacha,,,,,
v3,Panthera tigris,2,minimum,track,,
"""


def counts_of(folder: Path, said: Delivery = SAID) -> SiteCounts:
    delivered, found = read(folder, said)
    assert delivered is not None, [str(f) for f in errors(found)]
    assert delivered.counts is not None
    return delivered.counts


def told(make: MakeFolder, visits: str = VISITS, counts: str = COUNTS) -> list[Finding]:
    return list(read(make({"visits.csv": visits, "counts.csv": counts}), SAID)[1])


def test_every_row_is_kept_and_a_zero_is_not_a_missing_count(make: MakeFolder) -> None:
    counts = counts_of(make({"visits.csv": VISITS, "counts.csv": COUNTS}))
    assert counts.counts["count"].to_list() == [3, 1, 0, None, 2]
    assert counts.visits["method"].to_list() == ["waterbird-count", "waterbird-count", "snow-track-transect"]
    assert counts.visits["effort_unit"].to_list() == ["minutes", "minutes", "km"]
    assert counts.visits["complete"].to_list() == [True, False, True]


def test_a_species_not_listed_is_zero_only_where_the_count_was_complete(make: MakeFolder) -> None:
    visits = VISITS + "v4,Bay,,,2024-05-08 07:00,,waterbird-count,60,minutes,1,true,\n"
    table = every_taxon(counts_of(make({"visits.csv": visits, "counts.csv": COUNTS})))
    said = {(visit, taxon): count for visit, taxon, count in table.select("visit", "taxon", "count").iter_rows()}
    assert said == {
        ("v1", "Grus monacha"): 0,
        ("v1", "Grus vipio"): 4,
        ("v2", "Grus monacha"): None,
        ("v2", "Grus vipio"): None,
        ("v3", "Panthera tigris"): 2,
        ("v4", "Grus monacha"): 0,
        ("v4", "Grus vipio"): 0,
    }


def test_a_species_looked_for_and_never_found_is_zero_under_its_method_alone(make: MakeFolder) -> None:
    counts = counts_of(make({"visits.csv": VISITS, "counts.csv": COUNTS}))
    table = every_taxon(counts, {"waterbird-count": ["Platalea minor"]})
    spoonbills = table.filter(pl.col("taxon") == "Platalea minor")
    assert spoonbills.select("visit", "count").rows() == [("v1", 0), ("v2", None)]
    assert table.filter(pl.col("method") == "snow-track-transect")["taxon"].to_list() == ["Panthera tigris"]


def test_a_species_of_two_names_is_one_species_on_every_visit_that_could_tell_of_it(make: MakeFolder) -> None:
    counts = COUNTS + "v2,Antigone vipio,5,exact,,,\n"
    cranes = every_visit(
        counts_of(make({"visits.csv": VISITS, "counts.csv": counts})), ("Grus vipio", "Antigone vipio")
    )
    assert cranes.select("visit", "site", "count").rows() == [("v1", "Lake", 4), ("v2", "Bay", 5)]
    tigers = every_visit(counts_of(make({"visits.csv": VISITS, "counts.csv": counts})), ("Panthera tigris",))
    assert tigers.height == 0  # its tracks were counted, it was not


def test_tracks_and_animals_of_one_taxon_stay_apart(make: MakeFolder) -> None:
    counts = COUNTS + "v3,Panthera tigris,1,exact,,,\n"
    table = every_taxon(counts_of(make({"visits.csv": VISITS, "counts.csv": counts})))
    rows = table.filter(pl.col("taxon") == "Panthera tigris").select("sign", "count").rows()
    assert sorted(rows, key=str) == [("track", 2), (None, 1)] or sorted(rows, key=str) == [(None, 1), ("track", 2)]


def test_signs_on_an_animal_count_are_an_error_and_animals_on_a_sign_transect_a_warning(make: MakeFolder) -> None:
    assert [f.rule for f in told(make, counts=COUNTS.replace("2,minimum,track", "2,minimum,"))] == [
        "animals-on-sign-transect"
    ]
    wrong = errors(told(make, counts=COUNTS.replace("0,exact,,,", "1,exact,track,,")))
    assert [(f.rule, f.where.row) for f in wrong] == [("signs-on-animal-count", 4)]


def test_a_visit_needs_a_method_that_is_known(make: MakeFolder) -> None:
    found = errors(told(make, VISITS.replace("snow-track-transect", "photo")))
    assert [(f.rule, f.facts.get("value")) for f in found] == [("unknown-word", "photo")]
    found = errors(told(make, VISITS.replace(",snow-track-transect,", ",,")))
    assert [(f.rule, f.where.field) for f in found] == [("missing-value", "method")]


def test_what_is_counted_twice_unknown_or_without_effort_is_told(make: MakeFolder) -> None:
    twice = errors(told(make, counts=COUNTS + "v1,Grus vipio,3,exact,,adult,\n"))
    assert [(f.rule, f.facts["first_row"]) for f in twice] == [("counted-twice", 2)]
    assert [f.rule for f in errors(told(make, counts=COUNTS + "v9,Grus vipio,3,,,,\n"))] == ["unknown-visit"]
    assert [f.rule for f in errors(told(make, VISITS.replace("10.5,km", "10.5,")))] == ["effort-without-unit"]
    assert [f.rule for f in told(make, VISITS.replace("10.5,km", ","))] == ["visit-without-effort"]
    assert [f.rule for f in told(make, VISITS.replace("1,no,", "1,,"))] == ["completeness-unsaid"]


def test_visits_on_which_nothing_was_counted_need_no_counts(make: MakeFolder) -> None:
    counts = counts_of(make({"visits.csv": VISITS}))
    assert (counts.visits.height, counts.counts.height) == (3, 0)
    assert every_taxon(counts).height == 0


def test_without_zone_or_crs_they_are_asked_for(make: MakeFolder) -> None:
    _, found = read(make({"visits.csv": VISITS, "counts.csv": COUNTS}), Delivery("ru", "lakes", "counts"))
    assert {f.rule for f in errors(found)} == {"missing-timezone"}
    _, found = read(make({"visits.csv": VISITS, "counts.csv": COUNTS}), Delivery("ru", "l", "counts", timezone="UTC"))
    assert [f.rule for f in errors(found)] == ["missing-crs"]


def test_a_column_that_nothing_reads_is_listed(make: MakeFolder) -> None:
    visits = "\n".join(line + (",weather" if n == 0 else ",rain") for n, line in enumerate(VISITS.splitlines()))
    delivered, found = read(make({"visits.csv": visits, "counts.csv": COUNTS}), SAID)
    assert delivered is not None
    assert delivered.not_carried == ("visits.csv: weather",)
    assert [f.rule for f in found] == ["unused-column"]


def test_what_is_written_reads_back_equal(make: MakeFolder, tmp_path: Path) -> None:
    first = counts_of(make({"visits.csv": VISITS.replace("Ridge", "=Ridge"), "counts.csv": COUNTS}))
    write(first, tmp_path / "out")
    assert "'=Ridge" in (tmp_path / "out" / "visits.csv").read_text()
    again = counts_of(tmp_path / "out", Delivery("ru", "lakes", "counts", crs="EPSG:4326"))
    assert again.visits.equals(first.visits)
    assert again.counts.equals(first.counts)


MAPPING = """
[[table]]
to = "visits"
file = "учёт.csv"
date_order = "day-first"
[table.columns]
visit = ["Озеро", "Дата"]
site = "Озеро"
start = "Дата"
complete = "Полный"
[table.constants]
method = "waterbird-count"

[[table]]
to = "counts"
file = "учёт.csv"
[table.columns]
visit = ["Озеро", "Дата"]
[table.wide]
name = "taxon"
values = "count"
[table.wide.columns]
"Grus vipio" = "Даурский"
"Grus monacha" = "Чёрный"
"""


def test_sites_by_species_are_read_with_a_mapping(make: MakeFolder) -> None:
    sheet = "Озеро,Дата,Полный,Даурский,Чёрный\nТорей,06.05.2024,да,3,\nБарун,06.05.2024,нет,,2\nЗун,06.05.2024,да,,\n"
    counts = counts_of(make({"учёт.csv": sheet, "mapping.toml": MAPPING}))
    assert counts.visits.height == 3
    table = every_taxon(counts).select("site", "taxon", "count").rows()
    assert set(table) == {
        ("Торей", "Grus vipio", 3),
        ("Торей", "Grus monacha", 0),
        ("Барун", "Grus vipio", None),
        ("Барун", "Grus monacha", 2),
        ("Зун", "Grus vipio", 0),
        ("Зун", "Grus monacha", 0),
    }


CELL = st.one_of(st.text(max_size=6), st.sampled_from(["v1", "v2", "0", "3", "Grus vipio", "track", ""]))


@given(st.lists(st.tuples(CELL, CELL, CELL, CELL), max_size=8))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_counts_are_rows_or_findings(make: MakeFolder, rows: list[tuple[str, ...]]) -> None:
    table = pl.DataFrame(rows, schema=dict.fromkeys(["visit", "taxon", "count", "sign"], pl.String), orient="row")
    content = table.write_csv().encode(errors="replace")
    delivered, found = read(make({"visits.csv": VISITS, "counts.csv": content}), SAID)
    assert (delivered is None) == bool(errors(found))
    if delivered is not None and delivered.counts is not None:
        assert delivered.counts.counts.height + sum(f.rule == "empty-row" for f in found) == len(rows)
