from __future__ import annotations

import copy
import dataclasses
import pickle
import re
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sharedrange.sharing
from sharedrange.core.canonical import canonical
from sharedrange.core.contents import ALLELES, SAMPLES, Delivered, Genotypes
from sharedrange.core.errors import AgreementError
from sharedrange.core.individuals import LocalIndividual
from sharedrange.core.release import JOINT, RESOLUTIONS, TABLES
from sharedrange.core.survey import EFFORT, conform
from sharedrange.sharing.pseudonyms import Pseudonyms
from sharedrange.sharing.release import Released, Request, Standing, names_needed, release


def counting_bytes(n: int, _state: list[int] = [0]) -> bytes:  # noqa: B006  (the state is meant to be kept)
    _state[0] += 1
    return _state[0].to_bytes(n, "big")


def released(
    kit: Any,
    content: Delivered,
    agreement: Any = None,
    *,
    table: Pseudonyms | None = None,
    on: date | None = None,
    **more: Any,
) -> Released:
    agreement = agreement or kit.agreement()
    table = table or Pseudonyms(agreement.id).with_names(names_needed(content, agreement), counting_bytes)
    request = Request(kit.RECIPIENT, kit.PURPOSE, on or kit.TODAY)
    return release(content, agreement, request, Standing(frozenset(agreement.parties)), table, **more)


def payload(one: Released) -> bytes:
    """What would be sealed, byte for byte."""
    csv = b"".join(name.encode() + one.tables[name].write_csv().encode() for name in sorted(one.tables))
    return csv + canonical(one.manifest)


def test_a_release_holds_stations_in_cells_and_encounters_in_periods(kit: Any) -> None:
    tables = released(kit, kit.delivered(kit.survey())).tables
    assert set(tables) == {"stations", "effort", "encounters"}
    assert all(tables[name].schema == TABLES[name] for name in tables)
    assert sorted(tables["stations"].select("x", "y").rows()) == [(118.05, 46.05)] * 3 + [(118.15, 46.15)] * 2
    by_period = tables["effort"].group_by("period").agg(pl.col("days_watched").mean()).sort("period")
    assert by_period.rows() == [(date(2026, 2, 1), 28.0), (date(2026, 3, 1), 31.0), (date(2026, 4, 1), 1.0)]
    met = tables["encounters"].group_by("taxon").agg(pl.col("encounters").sum()).sort("taxon")
    assert met.rows() == [(kit.LEOPARD, 4), (kit.TIGER, 1)]
    assert tables["encounters"]["individual"].n_unique() == 3


def test_the_manifest_says_of_which_animals_there_would_be_records(kit: Any) -> None:
    silent = f'\n[[rules]]\nid = "boars"\ntaxa = ["{kit.BOAR}"]\ncell = 0.1\n'
    every: Any = frames(kit, kit.HEAD + kit.cats("*") + silent)["survey"]
    named: Any = frames(kit, kit.HEAD + kit.CATS + silent)["survey"]
    assert named["taxa"] == sorted([kit.LEOPARD, kit.TIGER])
    assert "taxa" not in every
    assert every["taxa_withheld"] == [kit.BOAR]


def frames(kit: Any, text: str) -> Any:
    return released(kit, kit.delivered(kit.survey()), agreement=kit.agreement(text)).manifest["frames"]


def test_photographs_of_one_burst_are_one_encounter(kit: Any) -> None:
    twice = kit.survey(seen=[(0, 3, kit.LEOPARD, "F1"), (0, 3, kit.LEOPARD, "F1"), (1, 4, kit.LEOPARD, "F1")])
    assert released(kit, kit.delivered(twice)).tables["encounters"]["encounters"].to_list() == [1, 1]


def test_nothing_leaves_before_its_delay_has_passed(kit: Any) -> None:
    tables = released(kit, kit.delivered(kit.survey()), on=date(2026, 6, 1)).tables  # 92 days after the first of March
    assert tables["effort"]["period"].unique().to_list() == [date(2026, 2, 1)]
    assert tables["encounters"]["period"].unique().to_list() == [date(2026, 2, 1)]
    with pytest.raises(AgreementError, match="release-empty"):
        released(kit, kit.delivered(kit.survey()), on=date(2026, 5, 1))


def test_a_station_alone_in_its_cell_stays_with_all_that_it_saw(kit: Any) -> None:
    places = [*kit.PLACES[:4], (119.9, 46.9)]
    alone = released(kit, kit.delivered(kit.survey(places)))
    assert alone.tables["stations"].height == 3
    assert kit.TIGER not in alone.tables["encounters"]["taxon"].to_list()
    assert [(w.reason, w.n) for w in alone.withheld if w.reason == "few-stations"] == [("few-stations", 2)]


def test_a_station_whose_periods_stay_does_not_hide_its_neighbour(kit: Any) -> None:
    """Two share a cell; of the one that was set up lately nothing may leave yet: the other would be alone."""
    base = kit.survey(seen=[*kit.SEEN[:4], (3, 5, kit.TIGER, "T9")])
    lately = pl.col("deployment") == base.deployments["deployment"][4]
    late = [
        pl.when(lately).then(pl.col(name) + pl.duration(days=200)).otherwise(name).alias(name)
        for name in ("start", "end")
    ]
    survey = base.with_tables(deployments=base.deployments.with_columns(late))
    whole, part = (released(kit, kit.delivered(one), on=date(2026, 9, 1)) for one in (base, survey))
    assert (whole.tables["stations"].height, part.tables["stations"].height) == (5, 3)
    assert set(part.tables["effort"]["station"]) == set(part.tables["stations"]["station"])
    assert kit.TIGER not in part.tables["encounters"]["taxon"].to_list()
    assert ("few-stations", 1) in [(w.reason, w.n) for w in part.withheld]


def test_cells_with_few_stations_are_joined_where_the_agreement_says_so(kit: Any) -> None:
    joined = kit.agreement(kit.HEAD + kit.CATS.replace("cell = 0.1", 'cell = 0.1\nfew_stations = "join"'))
    places = [(118.02, 46.02), (118.03, 46.04), (118.12, 46.12)]
    stations = released(kit, kit.delivered(kit.survey(places, kit.SEEN[:3])), joined).tables["stations"]
    assert stations.select("x", "y", "cell").unique().rows() == [(118.1, 46.1, 0.2)]


def test_only_release_makes_a_released(kit: Any) -> None:
    made = released(kit, kit.delivered(kit.survey()))
    with pytest.raises(TypeError):
        Released(made.tables, made.manifest)
    with pytest.raises(TypeError):
        pickle.dumps(made)
    with pytest.raises(TypeError):
        copy.deepcopy(made)
    folder = Path(sharedrange.sharing.__file__).parent.parent
    callers = [path for path in folder.rglob("*.py") if re.search(r"\bmade\(|\b_MAKER\b", path.read_text("utf-8"))]
    assert sorted(path.name for path in callers if "sharing" in path.parts) == ["releasing.py", "types.py"]
    maker = re.compile(r"(?<!class )\bReleased\(")
    releasing = [*(folder / "sharing").rglob("*.py"), *(folder / "assessment").rglob("*.py")]
    made_there = [path.name for path in releasing if maker.search(path.read_text("utf-8"))]
    assert made_there == ["types.py"]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"recipient": "eastfell"}, "release-recipient"),
        ({"purpose": "hunting-quota"}, "release-purpose"),
        ({"on": date(2028, 1, 1)}, "agreement-not-valid"),
        ({"on": date(2025, 1, 1)}, "agreement-not-valid"),
    ],
)
def test_what_the_agreement_does_not_cover_is_refused(kit: Any, change: dict[str, Any], rule: str) -> None:
    one, content = kit.agreement(), kit.delivered(kit.survey())
    asked = {"recipient": kit.RECIPIENT, "purpose": kit.PURPOSE, "on": kit.TODAY} | change
    with pytest.raises(AgreementError) as raised:
        release(content, one, Request(**asked), Standing(frozenset(one.parties)), Pseudonyms(one.id))
    assert [finding.rule for finding in raised.value.findings] == [rule]


def test_an_unsigned_revoked_or_foreign_agreement_is_refused_with_every_reason(kit: Any) -> None:
    one = kit.agreement()
    foreign = dataclasses.replace(kit.survey(), party="eastfell")
    standing = Standing(frozenset({"westfell"}), revoked=True)
    with pytest.raises(AgreementError) as raised:
        release(kit.delivered(foreign), one, Request("x", "y", kit.TODAY), standing, Pseudonyms(one.id))
    assert {finding.rule for finding in raised.value.findings} == {
        "agreement-revoked", "agreement-unsigned", "release-recipient", "release-purpose", "release-owner",
    }  # fmt: skip


def test_frames_that_the_grid_does_not_cut_and_undated_surveys_are_refused(kit: Any) -> None:
    local = dataclasses.replace(kit.survey(), frame="local:nets", dated=False)
    with pytest.raises(AgreementError) as raised:
        released(kit, kit.delivered(local), table=Pseudonyms("x"))
    assert {finding.rule for finding in raised.value.findings} == {"release-frame", "release-undated"}


def test_no_raw_word_of_the_owner_is_in_what_leaves(kit: Any) -> None:
    content = dataclasses.replace(
        kit.delivered(kit.survey(), kit.counts()),
        genotypes=Genotypes(
            kit.OWNER, "CANARY-dataset", "EPSG:4326",
            conform(pl.DataFrame({"sample": ["CANARY-sample"]}), SAMPLES),
            conform(pl.DataFrame({"sample": ["CANARY-sample"], "locus": ["CANARY-locus"]}), ALLELES),
        ),
    )  # fmt: skip
    one = released(kit, content, kit.agreement(kit.HEAD + kit.CATS + kit.CRANES))
    told = payload(one)
    assert b"CANARY" not in told
    assert b"Larus" not in told
    for raw in (b"118.02", b"46.04", b"130.61", b"7.77", b"F1,", b"20:00"):
        assert raw not in told
    assert {w.reason for w in one.withheld} >= {"genotypes", "media", "no-rule"}
    assert "CANARY" not in repr(one.withheld)


def test_a_complete_visit_says_its_zeros_itself_where_not_every_taxon_leaves(kit: Any) -> None:
    sites = kit.counts()
    bare = dataclasses.replace(sites, counts=sites.counts.filter(pl.col("count") > 0))
    tables = released(kit, kit.delivered(sites=bare), kit.agreement(kit.HEAD + kit.CRANES)).tables
    assert tables["visits"]["complete"].to_list() == [False] * 4
    assert sorted(tables["counts"].select("count", "suppressed").rows(), key=str) == [
        (0, False), (0, False), (5, False), (None, True)
    ]  # fmt: skip


def test_small_counts_are_withheld_and_never_changed(kit: Any) -> None:
    numbers = [0, 1, 2, 3, 4, None]
    one = released(kit, kit.delivered(sites=kit.counts(numbers)), kit.agreement(kit.HEAD + kit.CRANES))
    rows = one.tables["counts"].sort("count", "suppressed", nulls_last=True)
    assert rows["count"].to_list() == [0, 3, 4, None, None, None]
    assert rows["suppressed"].to_list() == [False, False, False, False, True, True]


def test_an_animal_known_to_both_goes_by_its_joint_id_only_where_agreed(kit: Any) -> None:
    known = {LocalIndividual(kit.OWNER, "main", "F1"): "J-00000000000000aa"}
    with_joint = kit.agreement(kit.HEAD + kit.CATS.replace('"pseudonym"', '"pseudonym"\nconcordance = "joint-id"'))
    content = kit.delivered(kit.survey())
    told = released(kit, content, with_joint, joint_ids=known).tables["encounters"]
    assert set(told.filter(pl.col("catalogue") == JOINT)["individual"]) == {"J-00000000000000aa"}
    silent = released(kit, content, joint_ids=known)
    assert b"J-0000" not in payload(silent)


def test_pseudonyms_last_and_differ_between_agreements(kit: Any) -> None:
    needed = names_needed(kit.delivered(kit.survey()), kit.agreement())
    first = Pseudonyms("urn:agreement:a").with_names(needed)
    assert first.with_names([*needed, ("station", "x")]).names.items() >= first.names.items()
    assert not set(Pseudonyms("urn:agreement:b").with_names(needed).names.values()) & set(first.names.values())
    assert Pseudonyms.from_bytes(first.to_bytes()) == first


# -- non-interference: with the pseudonyms, the date and the agreement fixed --------------------------------------

Places = list[tuple[float, float]]
INSIDE = st.floats(0.002, 0.098)
PLACE = st.tuples(st.integers(0, 2), st.integers(0, 2))
CELL_CORNERS = st.lists(PLACE, min_size=2, max_size=6)


@st.composite
def moved(draw: st.DrawFn) -> tuple[Places, Places]:
    """Places, and the same places moved within their cells of a tenth of a degree."""
    corners = draw(CELL_CORNERS)
    steps = st.lists(st.tuples(INSIDE, INSIDE), min_size=len(corners), max_size=len(corners))
    first, second = (
        [(118 + i / 10 + dx, 46 + j / 10 + dy) for (i, j), (dx, dy) in zip(corners, draw(steps), strict=True)]
        for _ in range(2)
    )
    return first, second


def seen_at(kit: Any, n: int, days: list[int]) -> list[tuple[int, int, str, str | None]]:
    taxa = (kit.LEOPARD, kit.TIGER, kit.BOAR)
    return [(i % n, day, taxa[i % 3], None if i % 3 == 2 else f"C{i % 4}") for i, day in enumerate(days)]


AGREED = st.builds(
    lambda least, few, resolution, identity, below: (least, few, resolution, identity, below),
    st.integers(0, 3), st.sampled_from(["withhold", "join"]), st.sampled_from(RESOLUTIONS),
    st.sampled_from(["none", "pseudonym", "code"]), st.integers(0, 3),
)  # fmt: skip


def agreed(kit: Any, terms: tuple[Any, ...]) -> Any:
    least, few, resolution, identity, below = terms
    text = kit.CATS.replace(
        "least_stations = 2", f'least_stations = {least}\nfew_stations = "{few}"\nsuppress_below = {below}'
    )
    text = text.replace('"month"', f'"{resolution}"').replace('"pseudonym"', f'"{identity}"').replace("90", "0")
    return kit.agreement(kit.HEAD + text)


def outcome(kit: Any, content: Delivered, agreement: Any, table: Pseudonyms) -> bytes | list[str]:
    """What leaves, or why nothing does: both may be seen by others."""
    try:
        return payload(released(kit, content, agreement, table=table))
    except AgreementError as refused:
        return [str(finding) for finding in refused.findings]


@settings(max_examples=60, deadline=None)
@given(moved(), st.lists(st.integers(1, 55), max_size=8), AGREED)
def test_moving_a_station_within_its_cell_changes_no_byte(
    kit: Any, places: tuple[Places, Places], days: list[int], terms: tuple[Any, ...]
) -> None:
    agreement, seen = agreed(kit, terms), seen_at(kit, len(places[0]), days)
    first, second = (kit.delivered(kit.survey(where, seen)) for where in places)
    table = Pseudonyms(agreement.id).with_names(names_needed(first, agreement), counting_bytes)
    assert outcome(kit, first, agreement, table) == outcome(kit, second, agreement, table)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 55), max_size=8), AGREED, st.permutations(range(5)))
def test_renaming_stations_and_codes_changes_no_byte(
    kit: Any, days: list[int], terms: tuple[Any, ...], order: list[int]
) -> None:
    if terms[3] == "code":
        return
    agreement, seen = agreed(kit, terms), seen_at(kit, 5, days)
    names = [f"renamed {i}" for i in order]
    recoded = [(where, day, taxon, code and f"other {code[::-1]}") for where, day, taxon, code in seen]
    plain, renamed = kit.delivered(kit.survey(seen=seen)), kit.delivered(kit.survey(seen=recoded, names=names))
    table = Pseudonyms(agreement.id).with_names(names_needed(plain, agreement), counting_bytes)
    new_name = {f"CANARY-station-{i}": name for i, name in enumerate(names)}

    def rename(name: tuple[str, ...]) -> tuple[str, ...]:
        last = new_name.get(name[-1], f"other {name[-1][::-1]}" if name[0] == "individual" else name[-1])
        return (*name[:-1], last)

    renamed_table = Pseudonyms(agreement.id, {rename(name): told for name, told in table.names.items()})
    assert outcome(kit, plain, agreement, table) == outcome(kit, renamed, agreement, renamed_table)


def changed_unseen(kit: Any, one: Any) -> Any:
    """The survey with something else in everything that no rule lets leave."""
    return one.with_tables(
        observations=one.observations.with_columns(
            observation=pl.concat_str(pl.lit("z"), "observation"), event=pl.lit("other"), start_text=pl.lit("other"),
            count=pl.lit(9, pl.Int32), media=pl.lit("other"),
        ),
        deployments=one.deployments.with_columns(uncertainty_m=pl.lit(99.0)),
        media=one.media.clear(),
    )  # fmt: skip


def test_what_no_rule_lets_leave_changes_no_byte(kit: Any) -> None:
    one = kit.survey()
    agreement = kit.agreement()
    table = Pseudonyms(agreement.id).with_names(names_needed(kit.delivered(one), agreement), counting_bytes)
    plain = payload(released(kit, kit.delivered(one), agreement, table=table))
    assert payload(released(kit, kit.delivered(changed_unseen(kit, one)), agreement, table=table)) == plain
    unlisted = kit.survey(seen=[*kit.SEEN, (2, 12, kit.BOAR, None), (1, 50, "Meles leucurus", "B1")])
    assert payload(released(kit, kit.delivered(unlisted), agreement, table=table)) == plain
    people = one.with_tables(observations=pl.concat([one.observations, one.observations.head(1).with_columns(
        type=pl.lit("human"), taxon=pl.lit("Homo sapiens"), individual=pl.lit(None, pl.String))]))  # fmt: skip
    assert payload(released(kit, kit.delivered(people), agreement, table=table)) == plain


def rows(one: bytes | list[str]) -> int:
    return one.count(b"\n") if isinstance(one, bytes) else 0


TIGHTER = st.sampled_from(
    [("cell = 0.1", "cell = 0.2"), ("delay_days = 0", "delay_days = 200"), ('"sex", ', ""), ('"individual", ', ""),
     ('identity = "code"', 'identity = "pseudonym"'), ('identity = "pseudonym"', 'identity = "none"'),
     ("suppress_below = 0", "suppress_below = 3")]
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 55), min_size=1, max_size=8), TIGHTER, st.sampled_from(["day", "week", "month"]))
def test_tightening_never_adds_information(
    kit: Any, days: list[int], tighter: tuple[str, str], resolution: str
) -> None:
    """Two deliveries that a recipient cannot tell apart under an agreement stay alike under a tighter one."""
    base = kit.CATS.replace("least_stations = 2", "least_stations = 0\nsuppress_below = 0").replace("90", "0")
    base = base.replace('"month"', f'"{resolution}"')
    loose, tight = kit.agreement(kit.HEAD + base), kit.agreement(kit.HEAD + base.replace(*tighter))
    seen = seen_at(kit, 5, days)
    first = kit.delivered(kit.survey(seen=seen))
    others = [
        kit.delivered(kit.survey([(x + 0.004, y - 0.004) for x, y in kit.PLACES], seen)),
        kit.delivered(kit.survey(seen=[*seen, (0, 44, kit.BOAR, None)])),
        kit.delivered(kit.survey(seen=[*seen, (0, 44, kit.LEOPARD, "C1")])),
    ]
    for other in others:
        table = Pseudonyms("t").with_names([*names_needed(first, loose), *names_needed(other, loose)], counting_bytes)
        alike = outcome(kit, first, loose, table) == outcome(kit, other, loose, table)
        table = table.with_names([*names_needed(first, tight), *names_needed(other, tight)], counting_bytes)
        told = outcome(kit, first, tight, table), outcome(kit, other, tight, table)
        assert told[0] == told[1] or not alike
    assert rows(outcome(kit, first, tight, table)) <= rows(outcome(kit, first, loose, table))


def test_output_is_sorted_by_pseudonyms_and_not_as_delivered(kit: Any) -> None:
    one = kit.survey()
    agreement = kit.agreement()
    table = Pseudonyms(agreement.id).with_names(names_needed(kit.delivered(one), agreement), counting_bytes)
    rng = np.random.default_rng(5)
    shuffled = one.with_tables(
        deployments=one.deployments[rng.permutation(one.deployments.height)],
        observations=one.observations[rng.permutation(one.observations.height)],
        effort=pl.DataFrame(schema=EFFORT),
    )
    plain, other = (released(kit, kit.delivered(s), agreement, table=table) for s in (one, shuffled))
    assert payload(plain) == payload(other)
    assert plain.tables["stations"]["station"].is_sorted()
