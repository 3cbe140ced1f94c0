"""Samples leave: which animal, in which cell and period. What was read in their genes never does."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharedrange.core.canonical import canonical
from sharedrange.core.contents import ALLELES, SAMPLES, Delivered, Genotypes
from sharedrange.core.errors import AgreementError
from sharedrange.core.individuals import LocalIndividual
from sharedrange.core.release import JOINT, RESOLUTIONS, TABLES, may_name
from sharedrange.core.survey import conform
from sharedrange.sharing.agreement import lint
from sharedrange.sharing.pseudonyms import Pseudonyms
from sharedrange.sharing.release import Released, Request, Standing, names_needed, release

RULE = """
[[rules]]
id = "scats"
taxa = ["{taxa}"]
cell = 0.1
least_stations = 2
delay_days = 90
resolution = "month"
identity = "pseudonym"

[rules.tables]
samples = ["individual", "catalogue", "sex"]
"""
Row = tuple[float | None, float | None, int, str, str | None]  # x, y, day, taxon, code
LEOPARD, TIGER, BOAR = "Panthera pardus orientalis", "Panthera tigris altaica", "Sus scrofa"
FOUND: tuple[Row, ...] = (
    (118.02, 46.02, 3, LEOPARD, "F1"),
    (118.03, 46.04, 33, LEOPARD, "M2"),
    (118.06, 46.06, 4, TIGER, None),
    (118.55, 46.55, 5, LEOPARD, "F1"),
    (118.02, 46.03, 6, BOAR, None),
)


def genotypes(kit: Any, found: Sequence[Row] = FOUND) -> Genotypes:
    """Samples with a trap in every field that has no business outside."""
    samples = [
        {
            "sample": f"CANARY-sample-{i}", "taxon": taxon, "individual": code, "catalogue": None, "sex": "female",
            "x": x, "y": y, "taken": kit.at(day), "taken_text": "CANARY-time", "permit": "CANARY-permit",
            "uncertainty_m": 7.77,
        }
        for i, (x, y, day, taxon, code) in enumerate(found)
    ]  # fmt: skip
    alleles = [
        {"sample": one["sample"], "locus": "CANARY-locus", "allele_1": "CANARY-100", "allele_2": "CANARY-104"}
        for one in samples
    ]
    return Genotypes(
        kit.OWNER,
        "CANARY-dataset",
        "EPSG:4326",
        samples=conform(pl.DataFrame(samples, infer_schema_length=None), SAMPLES),
        alleles=conform(pl.DataFrame(alleles), ALLELES),
        source="CANARY-source",
    )


def agreed(kit: Any, *changes: tuple[str, str], more: str = "") -> Any:
    text = RULE.format(taxa='", "'.join((LEOPARD, TIGER)))
    for change in changes:
        assert change[0] in text
        text = text.replace(*change)
    return kit.agreement(kit.HEAD + text + more)


def names(content: Delivered, agreement: Any) -> Pseudonyms:
    minted = iter(range(1, 1 << 30))
    needed = names_needed(content, agreement)
    return Pseudonyms(agreement.id).with_names(needed, lambda n: next(minted).to_bytes(n, "big"))


def released(kit: Any, content: Delivered, agreement: Any, table: Pseudonyms | None = None, **more: Any) -> Released:
    request = Request(kit.RECIPIENT, kit.PURPOSE, more.pop("on", kit.TODAY))
    table = table or names(content, agreement)
    return release(content, agreement, request, Standing(frozenset(agreement.parties)), table, **more)


def payload(one: Released) -> bytes:
    csv = b"".join(name.encode() + one.tables[name].write_csv().encode() for name in sorted(one.tables))
    return csv + canonical(one.manifest)


def outcome(kit: Any, content: Delivered, agreement: Any, table: Pseudonyms) -> bytes | list[str]:
    try:
        return payload(released(kit, content, agreement, table))
    except AgreementError as refused:
        return [str(finding) for finding in refused.findings]


def told(kit: Any, found: Sequence[Row] = FOUND, *changes: tuple[str, str], **more: Any) -> pl.DataFrame:
    """The table of samples that leaves."""
    return released(kit, Delivered(genotypes=genotypes(kit, found)), agreed(kit, *changes), **more).tables["samples"]


def test_samples_leave_in_cells_and_periods_with_what_their_rule_names(kit: Any) -> None:
    table = told(kit)
    assert table.schema == TABLES["samples"]
    assert table.select("x", "y", "cell").unique().rows() == [(118.05, 46.05, 0.1)]
    assert sorted(table.select("taxon", "period").rows()) == [
        (LEOPARD, date(2026, 2, 1)), (LEOPARD, date(2026, 3, 1)), (TIGER, date(2026, 2, 1)),
    ]  # fmt: skip
    assert table["individual"].drop_nulls().n_unique() == 2
    assert table.filter(pl.col("taxon") == TIGER)["individual"].to_list() == [None]
    assert table["sex"].to_list() == ["female"] * 3


def test_no_allele_no_id_and_no_place_is_in_what_leaves(kit: Any) -> None:
    whole = released(kit, Delivered(genotypes=genotypes(kit)), agreed(kit))
    for raw in (b"CANARY", b"118.02", b"46.04", b"7.77", b"F1", b"20:00", b"100", b"104", BOAR.encode()):
        assert raw not in payload(whole)
    assert {(one.reason, one.n, one.what) for one in whole.withheld} == {
        ("genotypes", 5, ""), ("no-rule", 1, BOAR), ("samples-few", 1, ""),
    }  # fmt: skip
    assert set(may_name("samples")) == {"individual", "catalogue", "sex"}


def test_a_sample_alone_in_its_cell_stays_and_a_larger_cell_can_take_it_in(kit: Any) -> None:
    alone = [*FOUND[:2], (118.12, 46.02, 5, LEOPARD, "F1")]
    assert told(kit, alone).height == 2
    joined = told(kit, alone, ("least_stations = 2", 'least_stations = 2\nfew_stations = "join"'))
    assert joined.select("x", "y", "cell").unique().rows() == [(118.1, 46.1, 0.2)]
    assert joined.height == 3


def test_samples_without_date_or_place_stay_and_without_cells_no_place_leaves(kit: Any) -> None:
    found = [*FOUND[:2], (None, None, 4, LEOPARD, "F1")]
    one = genotypes(kit, found)
    undated = one.samples.with_columns(taken=pl.when(pl.col("sample") != "CANARY-sample-0").then("taken"))
    content = Delivered(genotypes=dataclasses.replace(one, samples=undated))
    agreement = agreed(kit, ("least_stations = 2", "least_stations = 1"))
    whole = released(kit, content, agreement)
    assert whole.tables["samples"].height == 1
    assert {(w.reason, w.n) for w in whole.withheld} >= {("samples-undated", 1), ("samples-without-place", 1)}
    bare = told(kit, found, ("cell = 0.1\n", ""))
    assert bare.height == 3
    assert bare.select("x", "y", "cell", "uncertainty_m").null_count().row(0) == (3, 3, 3, 3)


def test_samples_of_recent_periods_stay(kit: Any) -> None:
    table = told(kit, FOUND, ("least_stations = 2", "least_stations = 1"), on=date(2026, 6, 1))
    assert table["period"].unique().to_list() == [date(2026, 2, 1)]
    with pytest.raises(AgreementError, match="release-empty"):
        told(kit, on=date(2026, 5, 1))


def test_fewer_samples_of_a_species_than_may_be_told_stay(kit: Any) -> None:
    few = ("least_stations = 2", "least_stations = 1\nsuppress_below = 2")
    assert told(kit, FOUND, few, ('"month"', '"quarter"')).select("taxon").unique().rows() == [(LEOPARD,)]


@pytest.mark.parametrize("identity", ["none", "pseudonym", "code"])
def test_animals_go_by_the_names_that_the_rule_gives(kit: Any, identity: str) -> None:
    known = {LocalIndividual(kit.OWNER, "main", "F1"): "J-00000000000000aa"}
    table = told(kit, FOUND, ('"pseudonym"', f'"{identity}"'), joint_ids=known)
    named = set(table["individual"].drop_nulls())
    assert {"none": named == set(), "pseudonym": len(named) == 2 and "F1" not in named,
            "code": named == {"F1", "M2"}}[identity]  # fmt: skip
    joint = told(kit, FOUND, ('"pseudonym"', f'"{identity}"\nconcordance = "joint-id"'), joint_ids=known)
    of_joint = joint.filter(pl.col("catalogue") == JOINT)["individual"].to_list()
    assert of_joint == ([] if identity == "none" else ["J-00000000000000aa"])


def test_an_animal_has_one_name_in_samples_and_in_encounters(kit: Any) -> None:
    both = kit.CATS.replace("[rules.tables]", '[rules.tables]\nsamples = ["individual", "catalogue"]')
    content = Delivered(survey=kit.survey(), genotypes=genotypes(kit))
    tables = released(kit, content, kit.agreement(kit.HEAD + both)).tables
    assert set(tables) == {"stations", "effort", "encounters", "samples"}
    assert set(tables["samples"]["individual"].drop_nulls()) <= set(tables["encounters"]["individual"])


def test_an_agreement_that_gives_no_samples_gives_the_same_bytes_with_or_without_them(kit: Any) -> None:
    agreement, survey = kit.agreement(), kit.survey()
    table = names(Delivered(survey=survey), agreement)
    far = dataclasses.replace(genotypes(kit), frame="local:lab", party="somebody-else")
    assert names_needed(Delivered(survey=survey, genotypes=far), agreement) == names_needed(
        Delivered(survey=survey), agreement
    )
    alone, beside = (outcome(kit, Delivered(survey=survey, genotypes=one), agreement, table) for one in (None, far))
    assert alone == beside
    assert b"samples" not in alone


def test_samples_of_another_party_or_frame_are_refused(kit: Any) -> None:
    far = dataclasses.replace(genotypes(kit), frame="local:lab", party="somebody-else")
    with pytest.raises(AgreementError) as refused:
        released(kit, Delivered(genotypes=far), agreed(kit), Pseudonyms("x"))
    assert {finding.rule for finding in refused.value.findings} == {"release-owner", "release-frame"}


def test_a_rule_that_names_animals_of_samples_and_gives_no_identity_is_doubtful(kit: Any) -> None:
    doubtful = agreed(kit, ('identity = "pseudonym"', 'identity = "none"'), ("cell = 0.1\n", ""))
    assert {finding.rule for finding in lint(doubtful, kit.TODAY)} == {"rule-without-cell", "rule-without-identity"}


# --- non-interference: with the pseudonyms, the date and the agreement fixed ---

INSIDE = st.floats(0.002, 0.098)
CORNER = st.tuples(st.integers(0, 2), st.integers(0, 2))
SAMPLE = st.tuples(CORNER, INSIDE, INSIDE, INSIDE, INSIDE, st.integers(0, 80), st.integers(0, 2), st.integers(0, 4))
AGREED = st.tuples(
    st.integers(0, 3), st.sampled_from(["withhold", "join"]), st.sampled_from(RESOLUTIONS),
    st.sampled_from(["none", "pseudonym", "code"]), st.integers(0, 3),
)  # fmt: skip


def of_terms(kit: Any, terms: tuple[Any, ...]) -> Any:
    least, few, resolution, identity, below = terms
    return agreed(
        kit,
        ("least_stations = 2", f'least_stations = {least}\nfew_stations = "{few}"\nsuppress_below = {below}'),
        ('"month"', f'"{resolution}"'),
        ('"pseudonym"', f'"{identity}"'),
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(SAMPLE, min_size=1, max_size=8), AGREED)
def test_moving_samples_in_their_cells_and_all_that_no_rule_names_changes_no_byte(
    kit: Any, drawn: list[Any], terms: tuple[Any, ...]
) -> None:
    agreement = of_terms(kit, terms)
    taxa = (LEOPARD, TIGER, BOAR)
    first = genotypes(
        kit, [(118 + i / 10 + dx, 46 + j / 10 + dy, day, taxa[t], f"C{c}") for (i, j), dx, dy, _, _, day, t, c in drawn]
    )
    second = genotypes(
        kit, [(118 + i / 10 + dx, 46 + j / 10 + dy, day, taxa[t], f"C{c}") for (i, j), _, _, dx, dy, day, t, c in drawn]
    )
    other = second.samples.with_columns(
        taken=pl.col("taken") + timedelta(hours=1), taken_text=pl.lit("other"), permit=pl.lit("other"),
        uncertainty_m=pl.lit(99.0),
    ).filter(pl.col("taxon") != BOAR)  # fmt: skip
    unseen = dataclasses.replace(second, samples=other, alleles=second.alleles.clear())
    table = names(Delivered(genotypes=first), agreement)
    assert outcome(kit, Delivered(genotypes=first), agreement, table) == outcome(
        kit, Delivered(genotypes=unseen), agreement, table
    )


def test_rows_are_in_the_order_of_pseudonyms_and_not_as_delivered(kit: Any) -> None:
    agreement, one = agreed(kit), genotypes(kit)
    table = names(Delivered(genotypes=one), agreement)
    shuffled = one.samples[np.random.default_rng(5).permutation(one.samples.height)]
    plain, other = (
        outcome(kit, Delivered(genotypes=g), agreement, table)
        for g in (one, dataclasses.replace(one, samples=shuffled))
    )
    assert plain == other
    assert isinstance(plain, bytes)


def test_a_day_begins_where_the_agreement_says(kit: Any) -> None:
    late = [(118.02, 46.02, 27, LEOPARD, "F1"), (118.03, 46.04, 27, LEOPARD, "M2")]  # 20:00 UTC, 4:00 in Shanghai
    assert told(kit, late)["period"].to_list() == [date(2026, 3, 1)] * 2
    assert kit.at(27) == datetime(2026, 2, 28, 20, tzinfo=kit.at(0).tzinfo)
