"""Genotypes are alleles per sample and locus, with place, date and permit of every sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharedrange.core.contents import Genotypes
from sharedrange.core.finding import Finding, errors
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.genotypes import read, write

MakeFolder = Callable[[Mapping[str, str | bytes]], Path]
SAID = Delivery("mn", "scats", "genotypes", crs="EPSG:4326", timezone="Asia/Ulaanbaatar", catalogue="genetics")
SAMPLES = """sample,taxon,individual,sex,x,y,taken,permit
s1,Panthera uncia,M1,male,90.5,50.5,2024-02-01 10:00,P-7
s2,Panthera uncia,M1,male,90.5,50.5,2024-02-02 10:00,P-7
"""
LONG = """sample,locus,allele_1,allele_2
s1,PUN124,100,104
s1,PUN229,112,112
s2,PUN124,100,104
s2,PUN229,0,0
"""
WIDE = """sample,PUN124_a,PUN124_b,PUN229.1,PUN229.2
s1,100,104,112,112
s2,100,104,-9,-9
"""


def genotypes_of(folder: Path, said: Delivery = SAID) -> Genotypes:
    delivered, found = read(folder, said)
    assert delivered is not None, [str(f) for f in errors(found)]
    assert delivered.genotypes is not None
    return delivered.genotypes


def told(make: MakeFolder, samples: str = SAMPLES, alleles: str = LONG) -> list[Finding]:
    return list(read(make({"samples.csv": samples, "alleles.csv": alleles}), SAID)[1])


def test_long_and_wide_tables_say_the_same(make: MakeFolder) -> None:
    long = genotypes_of(make({"samples.csv": SAMPLES, "alleles.csv": LONG}))
    wide = genotypes_of(make({"samples.csv": SAMPLES, "alleles.csv": WIDE}))
    assert long.alleles.equals(wide.alleles)
    assert long.alleles.rows()[3] == ("s2", "PUN229", None, None)
    assert long.samples["catalogue"].to_list() == ["genetics", "genetics"]
    assert told(make) == []


def test_a_sample_without_permit_date_place_or_alleles_is_a_warning(make: MakeFolder) -> None:
    found = told(make, SAMPLES + "s3,Panthera uncia,,,,,,\n")
    assert errors(found) == []
    assert {f.rule for f in found} == {
        "sample-without-permit",
        "sample-without-date",
        "sample-without-place",
        "sample-without-alleles",
    }
    assert {f.where.row for f in found} == {4}


def test_a_locus_twice_an_unknown_sample_and_a_sample_twice_are_errors(make: MakeFolder) -> None:
    assert [(f.rule, f.facts["first_row"]) for f in told(make, alleles=LONG + "s1,PUN124,100,100\n")] == [
        ("locus-twice", 2)
    ]
    assert [f.rule for f in told(make, alleles=LONG + "s9,PUN124,100,100\n")] == ["unknown-sample"]
    assert [f.rule for f in errors(told(make, SAMPLES + "s1,,,,,,,P\n"))] == ["duplicate-id"]


def test_one_allele_without_the_other_and_a_locus_without_its_pair_are_told(make: MakeFolder) -> None:
    found = told(make, alleles=LONG.replace("112,112", "112,"))
    assert [(f.rule, f.facts["locus"], f.where.row) for f in found] == [("one-allele", "PUN229", 3)]
    found = errors(told(make, alleles=WIDE.replace("PUN229.2", "PUN230.2")))
    assert {f.rule for f in found} == {"locus-without-pair"}
    assert {f.facts["column"] for f in found} == {"PUN229.1", "PUN230.2"}


def test_two_sexes_of_one_individual_are_a_warning_as_markers_missex(make: MakeFolder) -> None:
    found = told(make, SAMPLES.replace("s2,Panthera uncia,M1,male", "s2,Panthera uncia,M1,female"))
    assert [(f.rule, f.where.row) for f in found] == [("conflicting-sexes", 3)]
    assert errors(found) == []


def test_alleles_without_samples_are_refused(make: MakeFolder) -> None:
    _, found = read(make({"alleles.csv": LONG}), SAID)
    assert [(f.rule, f.facts["table"]) for f in errors(found)] == [("no-table", "samples")]


def test_no_position_stands_in_a_finding(make: MakeFolder) -> None:
    found = told(make, SAMPLES.replace("90.5,50.5", "90.51234x,50.51234"))
    assert [f.rule for f in errors(found)] == ["bad-coordinate", "bad-coordinate"]
    assert not any("1234" in str(f) for f in found)


def test_what_is_written_reads_back_equal(make: MakeFolder, tmp_path: Path) -> None:
    first = genotypes_of(make({"samples.csv": SAMPLES.replace("P-7", "+P-7"), "alleles.csv": WIDE}))
    write(first, tmp_path / "out")
    assert "'+P-7" in (tmp_path / "out" / "samples.csv").read_text()
    again = genotypes_of(tmp_path / "out", Delivery("mn", "scats", "genotypes", crs="EPSG:4326"))
    assert again.samples.equals(first.samples)
    assert again.alleles.equals(first.alleles)


CELL = st.one_of(st.text(max_size=6), st.sampled_from(["s1", "s2", "PUN1", "100", "0", ""]))


@given(st.lists(st.tuples(CELL, CELL, CELL, CELL), max_size=8), st.booleans())
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_alleles_are_rows_or_findings(make: MakeFolder, rows: list[tuple[str, ...]], wide: bool) -> None:
    names = ["sample", "note", "L_a", "L_b"] if wide else ["sample", "locus", "allele_1", "allele_2"]
    table = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    content = table.write_csv().encode(errors="replace")
    delivered, found = read(make({"samples.csv": SAMPLES, "alleles.csv": content}), SAID)
    assert (delivered is None) == bool(errors(found))
    if delivered is not None and delivered.genotypes is not None:
        assert delivered.genotypes.alleles.height + sum(f.rule == "empty-row" for f in found) == len(rows)
