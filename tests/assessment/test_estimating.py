"""One estimate from plain tables, without a programme."""

from __future__ import annotations

from pathlib import Path

import pytest

from sharedrange import estimate
from sharedrange.core.errors import InputError, ProgrammeError

ROOT = Path(__file__).parent.parent.parent
HALF = ROOT / "examples" / "two-halves" / "own" / "nets"
POOLED = {"detection_function": "HN", "lambda0": [], "sigma": []}


def test_plain_tables_give_a_density_with_an_interval() -> None:
    answer = estimate(HALF, settings=POOLED)
    density = answer["D"]
    assert density.low is not None
    assert density.high is not None
    assert 0 < density.low < density.value < density.high
    assert {f.rule for f in answer.findings} >= {"mask-suggested"}


def test_a_wider_mask_counts_more_animals_at_the_same_density() -> None:
    narrow, wide = (estimate(HALF, buffer_m=b, spacing_m=25, settings=POOLED) for b in (300, 450))
    assert wide["N"].value > narrow["N"].value
    assert wide["D"].value == pytest.approx(narrow["D"].value, rel=0.05)


def test_what_the_command_line_tells_goes_before_what_the_delivery_says() -> None:
    with pytest.raises(InputError) as caught:
        estimate(HALF, delivery={"crs": ""}, settings=POOLED)
    assert {f.rule for f in caught.value.findings} == {"missing-crs"}


def test_a_setting_that_nobody_reads_is_told() -> None:
    with pytest.raises(ProgrammeError, match="unknown-key"):
        estimate(HALF, settings={"sigmas": []})


def test_a_delivery_without_individuals_is_told_to_name_its_species() -> None:
    with pytest.raises(InputError) as caught:
        estimate(ROOT / "examples" / "one-package" / "own" / "mica")
    assert {f.rule for f in caught.value.findings} == {"taxon-not-told"}
