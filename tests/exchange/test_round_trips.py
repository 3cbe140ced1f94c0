"""What a door writes it reads back equal; what it cannot carry is listed on its page."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sharedrange.core.contents import (
    ALLELES,
    COUNTS,
    FIXES,
    PATROL_OBSERVATIONS,
    PATROLS,
    SAMPLES,
    VISITS,
    Delivered,
    Genotypes,
    Patrols,
    SiteCounts,
    Tracks,
)
from sharedrange.core.finding import errors
from sharedrange.core.survey import DEPLOYMENTS, EFFORT, MEDIA, OBSERVATIONS, Survey
from sharedrange.exchange import camtrapdp, captures, counts, darwincore, genotypes, movebank, nextgis
from sharedrange.exchange.doors import DOORS, check_path

PAGES = Path(__file__).parents[2] / "docs" / "formats"
START = datetime(2024, 5, 1, 3, 4, 5, tzinfo=UTC)
AWKWARD = ("=1+1", "'quoted", 'with "marks", and; more', "гнездо 巢 둥지", "two\nlines", "-7", "@here", "+x")
Content = Survey | SiteCounts | Tracks | Genotypes | Patrols


def at(days: float) -> datetime:
    return START + timedelta(days=days)


def a_survey() -> Survey:
    """Two stations, a gap, a camera that saw nothing, and texts that a careless writer breaks."""
    place = {"uncertainty_m": 30.0, "start": at(0), "end": at(30), "detector": "count"}
    deployments = [
        {"deployment": "d1", "station": AWKWARD[0], "x": 88.5, "y": 49.25, "camera_type": AWKWARD[1], **place},
        {"deployment": AWKWARD[3], "station": "s2", "x": 88.625, "y": 49.5, "camera_type": AWKWARD[2], **place},
        {"deployment": "=d3", "station": "s3", "x": 88.75, "y": 49.75, **place},
    ]
    media = [
        {"media": "m1", "deployment": "d1", "taken": at(1), "path": "a/б 1.jpg"},
        {"media": "m2", "deployment": AWKWARD[3], "taken": at(2), "path": "a/=2.jpg"},
    ]
    animal = {"type": "animal", "taxon": "Panthera uncia"}
    observations = [
        {"observation": "o1", "deployment": "d1", "event": "e1", "start": at(1), "end": at(1.5), "count": 1, **animal}
        | {"media": "m1", "individual": AWKWARD[4], "catalogue": "main", "sex": "female", "flank": "left"},
        {"observation": "o2", "deployment": "d1", "event": "e1", "start": at(1), "end": at(1.5), "count": 3, **animal}
        | {"media": "m1", "life_stage": "juvenile"},
        {"observation": "=o3", "deployment": AWKWARD[3], "start": at(2), "end": at(2), **animal, "media": "m2"},
    ]
    gaps = [{"deployment": "d1", "start": at(10), "end": at(12), "effort": 0.0, "reason": "bear"}]
    return Survey(
        party="north",
        dataset="cams",
        frame="EPSG:4326",
        dated=True,
        deployments=pl.DataFrame(deployments, DEPLOYMENTS),
        observations=pl.DataFrame(observations, OBSERVATIONS),
        media=pl.DataFrame(media, MEDIA),
        effort=pl.DataFrame(gaps, EFFORT),
    )


def some_captures() -> Survey:
    """An undated survey: two occasions, three traps, one animal caught twice."""
    traps = [
        {"deployment": name, "station": name, "x": x, "y": 10.0, "detector": "proximity"}
        for name, x in (("t1", 0.0), ("t2", 50.5), ("t3", 101.0))
    ]
    caught = [
        {"observation": f"c{n}", "deployment": trap, "session": "s", "occasion": occasion, "type": "animal"}
        | {"taxon": "Lynx lynx", "individual": "L1", "catalogue": "main", "count": 1}
        for n, (trap, occasion) in enumerate((("t1", 1), ("t2", 2)), start=1)
    ]
    effort = [
        {"deployment": trap["deployment"], "session": "s", "occasion": k, "effort": 1.0}
        for trap in traps
        for k in (1, 2)
    ]
    return Survey(
        party="north",
        dataset="cams",
        frame="local:grid",
        dated=False,
        deployments=pl.DataFrame(traps, DEPLOYMENTS),
        observations=pl.DataFrame(caught, OBSERVATIONS),
        effort=pl.DataFrame(effort, EFFORT),
        kind="capture",
    )


def some_counts() -> SiteCounts:
    place = {"x": 130.25, "y": 42.75, "uncertainty_m": 7100.0, "start": at(0), "end": at(0.125)}
    visits = [
        {"visit": "v1", "site": AWKWARD[0], "method": "waterbird-count", "effort": 90.5, "effort_unit": "minutes"}
        | {"observers": 2, "complete": True, "cover_share": 0.75, **place},
        {"visit": AWKWARD[5], "site": AWKWARD[2], "method": "snow-track-transect", "effort": 3.25}
        | {"effort_unit": "km", "complete": False, **place},
        {"visit": "v3", "site": AWKWARD[3], "method": "other", **place},
    ]
    seen = [
        {"visit": "v1", "taxon": "Grus monacha", "count": 12, "exactness": "estimate", "life_stage": "adult"},
        {"visit": "v1", "taxon": "Platalea minor", "count": 0, "exactness": "exact"},
        {"visit": AWKWARD[5], "taxon": "Panthera tigris altaica", "count": 2, "sign": "track", "sex": "female"},
    ]
    return SiteCounts("north", "cams", "EPSG:4326", pl.DataFrame(visits, VISITS), pl.DataFrame(seen, COUNTS))


def some_tracks() -> Tracks:
    fixes = [
        {"animal": AWKWARD[0], "tag": AWKWARD[1], "taxon": "Grus monacha", "x": 113.5, "y": 31.25, "outlier": n == 1}
        | {"at": at(n / 24)}
        for n in range(3)
    ]
    return Tracks("north", "cams", "EPSG:4326", pl.DataFrame(fixes, FIXES))


def some_genotypes() -> Genotypes:
    samples = [
        {"sample": "s1", "taxon": "Panthera uncia", "individual": AWKWARD[4], "catalogue": "dna", "sex": "male"}
        | {"x": 88.5, "y": 49.25, "taken": at(0), "permit": AWKWARD[2]},
        {"sample": AWKWARD[0], "taxon": "Panthera uncia", "x": 88.75, "y": 49.5, "taken": at(1), "permit": "p"},
    ]
    alleles = [
        {"sample": name, "locus": "PUN100", "allele_1": "-101", "allele_2": "105"} for name in ("s1", AWKWARD[0])
    ]
    return Genotypes("north", "cams", "EPSG:4326", pl.DataFrame(samples, SAMPLES), pl.DataFrame(alleles, ALLELES))


def some_patrols() -> Patrols:
    patrols = [
        {"patrol": AWKWARD[0], "start": at(0), "end": at(1), "transport": AWKWARD[3], "distance_km": 12.5}
        | {"hours": 6.0, "people": 3}
    ]
    seen = [
        {"observation": "w1", "patrol": AWKWARD[0], "at": at(0.5), "x": 131.25, "y": 43.5, "category": "trap"}
        | {"threat": "snare", "count": 4, "attributes": '{"typeoftrap":"wire"}'}
    ]
    return Patrols(
        *("north", "cams", "EPSG:4326"), pl.DataFrame(patrols, PATROLS), pl.DataFrame(seen, PATROL_OBSERVATIONS)
    )


@dataclass(frozen=True)
class Case:
    """One writer on one kind of content, and what it cannot carry: columns that come back otherwise."""

    door: str
    content: Callable[[], Content]
    write: Callable[[Any, Path], object]
    lost: tuple[str, ...] = ()


def as_package(survey: Survey, folder: Path) -> None:
    camtrapdp.write(survey, folder, title="Snow leopards")


def as_archive(content: SiteCounts | Survey, folder: Path) -> None:
    darwincore.write(content, folder, title="Animals", looked_for=["Felidae"], media=True)


CASES = [
    Case("camtrap-dp", a_survey, as_package, ("start_text", "taken_text")),
    Case("captures", some_captures, captures.write, ("observation",)),
    Case("counts", some_counts, counts.write),
    Case("genotypes", some_genotypes, genotypes.write),
    Case("movebank", some_tracks, movebank.write, ("at_text",)),
    Case("darwin-core", a_survey, as_archive, ("start_text", "taken_text")),
    Case("darwin-core", some_counts, as_archive, ("start_text",)),
    Case("nextgis", a_survey, nextgis.write, ("start_text", "taken_text")),
    Case("nextgis", some_counts, nextgis.write, ("start_text",)),
    Case("nextgis", some_tracks, nextgis.write, ("at_text",)),
    Case("nextgis", some_genotypes, nextgis.write, ("taken_text",)),
    Case("nextgis", some_patrols, nextgis.write, ("start_text", "at_text")),
]
MODULES: Mapping[str, Any] = {
    "camtrap-dp": camtrapdp,
    "captures": captures,
    "counts": counts,
    "genotypes": genotypes,
    "movebank": movebank,
    "darwin-core": darwincore,
    "nextgis": nextgis,
}


def tables_of(content: Content) -> dict[str, pl.DataFrame]:
    return {
        name: getattr(content, name) for name in content.__slots__ if isinstance(getattr(content, name), pl.DataFrame)
    }


def same_kind(delivered: Delivered, content: Content) -> Content:
    parts = (delivered.survey, delivered.counts, delivered.tracks, delivered.genotypes, delivered.patrols)
    return next(part for part in parts if type(part) is type(content))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.door}-{case.content.__name__}")
def test_what_is_written_reads_back_equal(tmp_path: Path, case: Case) -> None:
    before = case.content()
    folder = tmp_path / "cams"
    folder.mkdir()
    case.write(before, folder)
    told = {} if (folder / "delivery.toml").exists() else {"party": "north"}
    delivered, found = check_path(folder, **told)
    assert not errors(found), [str(f) for f in found]
    assert delivered is not None
    after = same_kind(delivered, before)
    assert (after.party, after.dataset, after.frame) == (before.party, before.dataset, before.frame)
    for name, table in tables_of(before).items():
        kept = [column for column in table.columns if column not in case.lost]
        order = [column for column in kept if table[column].dtype != pl.Float64]
        assert_frame_equal(
            table.select(kept).sort(order), tables_of(after)[name].select(kept).sort(order), check_exact=True
        )


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.door}-{case.content.__name__}")
def test_what_cannot_be_carried_is_listed_on_the_page_of_the_format(case: Case) -> None:
    page = (PAGES / f"{case.door}.md").read_text(encoding="utf-8")
    listed = page.partition("### What is not carried")[2].partition("\n#")[0]
    assert set(case.lost) <= set(re.findall(r"`(\w+)`", listed))


def test_every_door_writes_or_says_that_it_does_not() -> None:
    assert {case.door for case in CASES} == set(MODULES)
    for door in DOORS:
        page = (PAGES / f"{door}.md").read_text(encoding="utf-8")
        assert ("\n### What is not carried" in page) == (door in MODULES), door
        assert ("\n## Not written" in page) == (door not in MODULES), door


JUNK = st.binary(max_size=12) | st.sampled_from([b'"', b",,", b"\n", b"\xef\xbb\xbf", b"]", b"null", b"1e999"])
DAMAGE = st.tuples(st.integers(0, 20), st.floats(0, 1), JUNK, st.integers(0, 40))


@settings(max_examples=60, deadline=None)
@given(case=st.sampled_from(CASES), damage=DAMAGE)
def test_no_damage_to_what_was_written_makes_a_door_fall(
    tmp_path_factory: pytest.TempPathFactory, case: Case, damage: tuple[int, float, bytes, int]
) -> None:
    which, cut, junk, gone = damage
    folder = tmp_path_factory.mktemp("cams")
    case.write(case.content(), folder)
    files = sorted(folder.iterdir())
    path = files[which % len(files)]
    content = path.read_bytes()
    start = int(cut * len(content))
    path.write_bytes(content[:start] + junk + content[start + gone :])
    told = {} if (folder / "delivery.toml").exists() else {"party": "north"}
    delivered, found = check_path(folder, **told)
    assert (delivered is None) == bool(errors(found))
