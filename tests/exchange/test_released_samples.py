"""Samples that somebody released, read back: what was told is there to the last bit, and nothing else is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.exchange.test_released import OWNER, TIGER, agreement, read_back, released, rule, survey, written

from sharedrange.core.contents import ALLELES, SAMPLES, Delivered, Genotypes
from sharedrange.core.release import may_name
from sharedrange.core.survey import conform
from sharedrange.exchange.doors import read_delivered
from sharedrange.exchange.store import Store
from sharedrange.sharing.agreement import Rule

AT = datetime(2026, 2, 3, 8, tzinfo=UTC)


def genotypes(n: int = 4) -> Genotypes:
    rows = [
        {
            "sample": f"s{i}", "taxon": TIGER, "individual": f"T{i % 2}", "sex": "male", "x": 118.01 + i / 1000,
            "y": 46.02, "taken": AT + timedelta(days=20 * i),
        }
        for i in range(n)
    ]  # fmt: skip
    alleles = pl.DataFrame({"sample": ["s0"], "locus": ["L"], "allele_1": ["100"], "allele_2": ["104"]})
    samples = conform(pl.DataFrame(rows), SAMPLES)
    return Genotypes(OWNER, "scats", "EPSG:4326", samples=samples, alleles=conform(alleles, ALLELES))


def giving(**changed: Any) -> Rule:
    return rule(**{"tables": {"samples": may_name("samples")}, **changed})


def test_samples_come_back_without_alleles_in_cells_and_on_the_first_day_of_their_period() -> None:
    one = released(Delivered(genotypes=genotypes()), agreement([giving()]))
    content, found = read_back(one)
    assert (content.survey, content.counts) == (None, None)
    back, told = content.genotypes, one.tables["samples"]
    assert back is not None
    assert back.alleles.is_empty()
    kept = ["sample", "taxon", "individual", "catalogue", "sex", "x", "y", "uncertainty_m"]
    assert back.samples.select(kept).equals(told.select(kept))
    days = back.samples["taken"].dt.convert_time_zone("Asia/Shanghai")
    assert days.dt.date().to_list() == told["period"].to_list()
    assert set(days.dt.hour()) == {0}
    assert set(back.samples["taken_text"]) == {
        "2026-02-01/2026-02-28",
        "2026-03-01/2026-03-31",
        "2026-04-01/2026-04-30",
    }
    assert back.samples["permit"].null_count() == 4
    assert [one.facts["n"] for one in found if one.rule == "released-samples"] == [4]


def test_samples_without_cells_come_back_without_places() -> None:
    one = released(Delivered(genotypes=genotypes()), agreement([giving(cell=None)]))
    content, found = read_back(one)
    assert content.genotypes is not None
    assert content.genotypes.samples["x"].null_count() == 4
    assert "released-without-places" in {finding.rule for finding in found}


def test_samples_beside_a_survey_name_the_same_animals() -> None:
    stood = [{"station": "a", "start": AT, "end": AT + timedelta(days=40)}]
    seen = [{"deployment": "d0", "start": AT + timedelta(days=3), "individual": "T0", "catalogue": None}]
    both = rule(tables={name: may_name(name) for name in ("stations", "effort", "encounters", "samples")})
    one = released(Delivered(survey=survey(stood, seen), genotypes=genotypes()), agreement([both]))
    content, _ = read_back(one)
    assert content.survey is not None
    assert content.genotypes is not None
    assert set(content.survey.observations["individual"]) == {"T0"}
    assert set(content.genotypes.samples["individual"]) == {"T0", "T1"}


@pytest.mark.parametrize(
    ("column", "value", "rule_id"),
    [
        ("x", "118.0501", "released-no-centre"),
        ("period", "2026-02-02", "released-period"),
        ("sample", "twice", "released-twice"),
        ("x", "", "missing-value"),
    ],
)
def test_samples_that_no_release_would_hold_are_refused(tmp_path: Path, column: str, value: str, rule_id: str) -> None:
    folder = written(released(Delivered(genotypes=genotypes()), agreement([giving()])), tmp_path / "release")
    table = pl.read_csv(folder / "samples.csv", infer_schema=False)
    rows = pl.int_range(pl.len()) < (2 if column == "sample" else 1)
    table.with_columns(pl.when(rows).then(pl.lit(value)).otherwise(column).alias(column)).write_csv(
        folder / "samples.csv"
    )
    content, _, found = read_delivered(folder, OWNER)
    assert content is None
    assert rule_id in {finding.rule for finding in found}


def test_the_store_keeps_samples_that_have_no_alleles(tmp_path: Path) -> None:
    content, _ = read_back(released(Delivered(genotypes=genotypes()), agreement([giving()])))
    assert content.genotypes is not None
    store = Store(tmp_path / "store")
    store.import_(content, "a" * 64)
    back = store.delivered((OWNER, content.genotypes.dataset, "a" * 64))
    assert back is not None
    assert back.genotypes is not None
    assert back.genotypes.samples.sort("sample").equals(content.genotypes.samples.sort("sample"))
