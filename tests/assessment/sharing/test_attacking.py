"""What is found by who lays a release beside what left before: the same agreement's, a renewal's, another partner's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from sharedrange.assessment import sharing
from sharedrange.assessment.sharing.earlier import Left, cells_before
from sharedrange.assessment.sharing.releasing import PSEUDONYMS, RELEASED
from sharedrange.core.audience import Audience
from sharedrange.core.finding import Severity
from sharedrange.core.grids import Grid
from sharedrange.core.release import STATIONS
from sharedrange.core.survey import conform
from sharedrange.sharing.anonymity import Known, ground_of, regions
from sharedrange.sharing.attack import Attack, Stood
from sharedrange.sharing.pseudonyms import Pseudonyms

if TYPE_CHECKING:
    from tests.assessment.sharing.conftest import Three

OWNER, RECIPIENT, NEIGHBOUR = "westfell", "secretariat", "eastfell"
FIRST, DATASET, PURPOSE = "urn:agreement:westfell--secretariat:2026-01", "SIMULATED-cameras-2026", "treaty-report"
NEXT = "SIMULATED-cameras-2027"
ASKEW = (
    '[grid]\nid = "askew"\ncrs = "geographic"\nsizes = [0.15, 0.3]\n\n[[rules]]'  # its cells do not nest with others
)
STEWARD = "westfell/data-steward"


def agree_on(three: Three, ident: str, party: str, *changes: tuple[str, str]) -> None:
    """Owner and party sign the text of the first agreement with another id and changes."""
    text = three.text.replace(FIRST, ident).replace(f'recipients = ["{RECIPIENT}"]', f'recipients = ["{party}"]')
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    file = three.drop / f"{ident.replace(':', '-')}.toml"
    file.write_text(text, encoding="utf-8")
    three.sign(OWNER, str(file))
    three.courier(OWNER, party)
    three.sign(party, ident)
    three.courier(party, OWNER)


def seen(three: Three, agreement: str = FIRST, party: str = RECIPIENT, dataset: str = DATASET) -> sharing.Preview:
    """A look at a dataset under an agreement."""
    asked = sharing.Asked(dataset, agreement, party, PURPOSE, three.asked().on)
    return sharing.preview(three.node(OWNER), asked)


def rules(preview: sharing.Preview) -> list[str]:
    return [finding.rule for finding in preview.findings]


def attack(preview: sharing.Preview, name: str) -> Attack:
    (found,) = [one for one in preview.attacks if one.name == name]
    return found


def smallest(preview: sharing.Preview) -> float:
    """The least ground that is left about a station, km2."""
    return float(preview.areas["area_km2"].to_numpy().min())


@pytest.fixture
def after_one(sent: tuple[Three, Path]) -> Three:
    """Three nodes of which the owner has released its survey to the secretariat."""
    return sent[0]


def test_the_first_release_is_laid_beside_nothing(three: Three) -> None:
    first = seen(three)
    assert first.beside == ()
    assert [one.name for one in first.attacks] == ["stations", "stations-in-cells", "rare-records"]


def test_the_same_release_again_tells_nothing_more(after_one: Three) -> None:
    again = seen(after_one)
    assert again.beside == ()
    assert [one.name for one in again.attacks] == ["stations", "stations-in-cells", "rare-records"]
    assert rules(again) == ["release-attacked-rare-records"]


def test_two_recipients_together_see_through_the_pseudonyms_of_both(after_one: Three) -> None:
    other = "urn:agreement:westfell--eastfell:2026-01"
    agree_on(after_one, other, NEIGHBOUR)
    look = seen(after_one, other, NEIGHBOUR)
    (beside,) = look.beside
    assert (beside.agreement, beside.recipient) == (FIRST, RECIPIENT)
    assert {one.name: (one.success, one.n) for one in beside.attacks} == {
        "linked-stations": (1.0, 25),
        "linked-individuals": (1.0, 22),
    }
    told = [finding for finding in look.findings if finding.rule.startswith("release-attacked-linked")]
    assert [finding.facts["agreement"] for finding in told] == [FIRST, FIRST]
    assert {finding.severity for finding in told} == {Severity.WARNING}


def test_cells_that_two_recipients_were_told_are_cut_by_each_other_and_warn(after_one: Three) -> None:
    other = "urn:agreement:westfell--eastfell:2026-02"
    agree_on(after_one, other, NEIGHBOUR, ("[[rules]]", ASKEW), ("cell = 0.2", "cell = 0.3"))
    look = seen(after_one, other, NEIGHBOUR)
    alone, together = attack(look, "stations"), attack(look, "stations-together")
    assert together.expected > 2 * alone.expected
    assert smallest(look) > 250  # what this recipient is left with
    assert not [finding for finding in look.findings if finding.severity is Severity.ERROR]


def test_a_renewal_with_other_cells_leaves_its_reader_with_what_both_leave(after_one: Three) -> None:
    renewed = "urn:agreement:westfell--secretariat:2027-01"
    changes = (
        ("[[rules]]", ASKEW),
        ("cell = 0.2", "cell = 0.3"),
        ("delay_days = 90", "delay_days = 90\nleast_area_km2 = 200"),
    )
    agree_on(after_one, renewed, RECIPIENT, *changes)
    look = seen(after_one, renewed)
    assert smallest(look) < 100
    assert "release-area-small" in rules(look)
    assert "stations-together" not in [one.name for one in look.attacks]
    with_neighbour = "urn:agreement:westfell--eastfell:2027-01"
    agree_on(after_one, with_neighbour, NEIGHBOUR, *changes)
    assert "release-area-small" not in rules(seen(after_one, with_neighbour, NEIGHBOUR))


def test_a_camera_that_stands_where_it_stood_last_season_is_left_with_what_was_told_of_it_then(
    after_one: Three,
) -> None:
    """Another dataset, another agreement with the same reader, and cells that do not nest."""
    own = after_one.node(OWNER) / "own"
    shutil.copytree(own / DATASET, own / NEXT)
    renewed = "urn:agreement:westfell--secretariat:2027-01"
    agree_on(after_one, renewed, RECIPIENT, ("[[rules]]", ASKEW), ("cell = 0.2", "cell = 0.3"))
    look = seen(after_one, renewed, dataset=NEXT)
    assert smallest(look) < 100
    assert look.beside == ()  # it told of other days


def test_what_may_be_handed_on_is_held_by_those_to_whom_it_may_be(three: Three) -> None:
    first = "urn:agreement:westfell--secretariat:2026-09"
    onward = ("timezone", 'onward = "listed"\nonward_to = ["eastfell"]\ntimezone')
    agree_on(three, first, RECIPIENT, onward)
    sharing.seal_release(
        three.node(OWNER), sharing.Asked(DATASET, first, RECIPIENT, PURPOSE, three.asked().on), approved_by=STEWARD,
        recorded_at="2026-11-22T10:00:00Z", check=lambda _: (), out=three.drop,
    )  # fmt: skip
    other = "urn:agreement:westfell--eastfell:2026-02"
    agree_on(three, other, NEIGHBOUR, ("[[rules]]", ASKEW), ("cell = 0.2", "cell = 0.3"))
    look = seen(three, other, NEIGHBOUR)
    assert smallest(look) < 100


def test_rows_that_are_added_to_periods_that_were_told_are_counted(after_one: Three) -> None:
    (file,) = (after_one.node(OWNER) / "own" / DATASET).glob("*-observations.csv")
    table = pl.read_csv(file, infer_schema=False)
    leopard = table.filter(pl.col("scientificName") == "Panthera pardus orientalis").head(1)
    new = leopard.with_columns(observationID=pl.lit("one-more"), individualID=pl.lit("F77"))
    pl.concat([table, new]).write_csv(file)
    look = seen(after_one)
    (late,) = [finding for finding in look.findings if finding.rule == "release-told-late"]
    assert (late.facts["added"], late.facts["told"], late.severity) == (1, 0, Severity.WARNING)
    successive = attack(look, "successive")
    assert (successive.n, successive.success) == (1, 1.0)


def test_packages_of_which_the_copy_is_gone_are_counted(after_one: Three) -> None:
    shutil.rmtree(after_one.node(OWNER) / RELEASED)
    (gone,) = [finding for finding in seen(after_one).findings if finding.rule == "release-copies-gone"]
    assert (gone.facts["packages"], gone.severity) == (1, Severity.WARNING)


def test_pseudonyms_of_another_agreement_that_are_gone_are_no_reason_to_stop(after_one: Three) -> None:
    other = "urn:agreement:westfell--eastfell:2026-01"
    agree_on(after_one, other, NEIGHBOUR)
    shutil.rmtree(after_one.node(OWNER) / PSEUDONYMS)
    look = seen(after_one, other, NEIGHBOUR)
    assert look.beside == ()
    assert "release-copies-gone" in rules(look)


# -- cells told before, as a property -------------------------------------------------------------------------------

GRIDS = (
    Grid("a", "local:simulated", (1000.0, 2000.0, 4000.0)),
    Grid("b", "local:simulated", (1500.0, 3000.0), (700.0, 300.0)),
)
PARK = shapely.box(0, 0, 40_000, 40_000)


@st.composite
def stations_told(draw: st.DrawFn) -> tuple[dict[str, Stood], list[Left], dict[str, pl.DataFrame]]:
    """Stations, releases that told of them in cells of several grids, and the new release."""
    at = draw(st.lists(st.tuples(*[st.floats(4000, 36_000, width=16)] * 2), min_size=1, max_size=5))
    places = {f"S-{i}": Stood(("station", "us", str(i)), (xy,)) for i, xy in enumerate(at)}
    ways = st.sampled_from([(grid, size) for grid in GRIDS for size in grid.sizes])
    left = [told_by(*draw(ways), at, f"agreement-{k}") for k in range(draw(st.integers(0, 3)))]
    cells = [cell_of(*draw(ways), xy) for xy in at]
    rows = pl.DataFrame(
        [(f"S-{i}", *cell) for i, cell in enumerate(cells)], ["station", "x", "y", "cell"], orient="row"
    )
    return places, left, {"stations": conform(rows, STATIONS)}


def told_by(grid: Grid, size: float, at: list[tuple[float, float]], agreement: str) -> Left:
    names = [f"{agreement}-{i}" for i in range(len(at))]
    places = {name: Stood(("station", "us", str(i)), (at[i],)) for i, name in enumerate(names)}
    cells = {name: (cell_of(grid, size, xy),) for name, xy in zip(names, at, strict=True)}
    return Left(agreement, "us", "2026-01-01", Audience(), Path(), Pseudonyms(agreement), places, cells, same=True)


def cell_of(grid: Grid, size: float, at: tuple[float, float]) -> tuple[float, float, float]:
    x, y = grid.centres(*grid.cells_of(np.array([at[0]]), np.array([at[1]]), size), size)
    return float(x[0]), float(y[0]), size


@given(stations_told())
def test_whatever_was_told_before_a_station_stays_in_the_ground_that_is_left_and_more_releases_leave_less(
    told: tuple[dict[str, Stood], list[Left], dict[str, pl.DataFrame]],
) -> None:
    places, left, tables = told
    ground = ground_of(Known(PARK), GRIDS[0])
    before = np.inf
    for k in range(len(left) + 1):
        where = regions(tables, ground, [cells_before(left[:k], places)])
        assert all(
            where[name].buffer(1e-3).contains(shapely.Point(place.positions[0])) for name, place in places.items()
        )
        now = sum(region.area for region in where.values())
        assert now <= before * (1 + 1e-12)
        before = now
