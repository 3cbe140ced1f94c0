"""Nodes that the tests of the assembly work on: simulated, small, decided."""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sharedrange.assessment.deciding import decide, read_decisions
from sharedrange.assessment.writing import simulate_node
from sharedrange.core.chance import stream
from sharedrange.core.history import CaptureHistory
from sharedrange.exchange.manifest import write_manifest
from sharedrange.population.open import YearsDesign, simulate_years

RECORDED_AT = "2026-11-22T00:00:00Z"


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small simulated node with its decisions signed. Not to be changed: see `node`."""
    folder = tmp_path_factory.mktemp("nodes") / "small"
    simulate_node(folder, preset="small", seed=11)
    decide(folder, read_decisions(folder / "decisions.csv"), RECORDED_AT)
    return folder


@pytest.fixture
def node(simulated: Path, tmp_path: Path) -> Path:
    """A copy of the simulated node that a test may change."""
    folder = tmp_path / "node"
    shutil.copytree(simulated, folder)
    return folder


ASKED = """
[programme]
id = "asked"
title = "SIMULATED: counts, transects and years"
seed = 7
simulated = true

[[parties]]
id = "west"
name = "Westland"
[[parties]]
id = "east"
name = "Eastland"

[[species]]
key = "crane"
taxon = "Antigone vipio"
names = { en = "crane" }
[[species]]
key = "tiger"
taxon = "Panthera tigris"
names = { en = "tiger" }

[[components]]
id = "range"
title = "SIMULATED: a range across a border"
projection = "local:range"
sides.west = "POLYGON ((-200000 -200000, 0 -200000, 0 200000, -200000 200000, -200000 -200000))"
sides.east = "POLYGON ((0 -200000, 200000 -200000, 200000 200000, 0 200000, 0 -200000))"

[[questions]]
id = "crane-trend"
engine = "population.trend"
component = "range"
species = "crane"
counts = { statistic = "peak", season = [5, 8] }
settings = { covariates = ["party"] }

[[questions]]
id = "tiger-sign"
engine = "population.occupancy"
component = "range"
species = "tiger"
datasets = ["field"]
visits = { source = "transects", cell_m = 20000.0, grid = "range" }

[[questions]]
id = "tiger-years"
engine = "population.open"
component = "range"
species = "tiger"
datasets = ["cameras"]
mask = { buffer_m = 12000.0, spacing_m = 3000.0 }
settings = { density = "~ 1", lambda0 = "~ 1", sigma = "~ 1" }

[[questions]]
id = "tiger-closed"
engine = "population.closed"
component = "range"
species = "tiger"
datasets = ["cameras"]
sessions = ["2024", "2025"]
settings = { models = ["M0", "Mh Chao"], simulations = 9 }
"""
_YEARS = YearsDesign(
    width_m=36_000.0, height_m=30_000.0, cell_m=3_000.0, years=3, occasions=12, density_per_100km2=4.0, watched=0.9,
    lambda0=0.08, sides=("west", "east"),
)  # fmt: skip


@pytest.fixture(scope="session")
def asked_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated node with counts, sign transects and three years of cameras. Not to be changed: see `asked`."""
    folder = tmp_path_factory.mktemp("nodes") / "asked"
    folder.mkdir()
    (folder / "node.toml").write_text('party = "west"\n', encoding="utf-8")
    (folder / "programme.toml").write_text(ASKED, encoding="utf-8")
    histories, _ = simulate_years(_YEARS, stream(3, "asked"))
    for party, place in (("west", folder / "own"), ("east", folder / "received" / "east")):
        _write_field(place / "field", party, stream(3, f"field.{party}"))
        _write_cameras(place / "cameras", party, histories)
        if party == "east":
            write_manifest(place / "field", party)
            write_manifest(place / "cameras", party)
    return folder


@pytest.fixture
def asked(asked_once: Path, tmp_path: Path) -> Path:
    """A copy of the node of many questions that a test may change."""
    folder = tmp_path / "asked"
    shutil.copytree(asked_once, folder)
    return folder


def _write_field(folder: Path, party: str, rng: np.random.Generator) -> None:
    """Five wetlands over six years, and five transects in each of twelve cells of 20 km, walked on three days."""
    sign = -1.0 if party == "west" else 1.0
    visits, counts = [], []
    for year in range(2019, 2025):
        for site, month in product(range(5), (5, 7)):
            name = f"w{year}-{site}-{month}"
            visits.append((name, f"lake {site}", sign * 1e3, 0.0, f"{year}-{month:02}-10 07:00", "waterbird-count", ""))
            growth = 1.1 if party == "west" else 0.95
            counts.append((name, "Antigone vipio", int(rng.poisson((10 + 5 * site) * growth ** (year - 2019))), ""))
    for cell, day in product(range(12), (10, 17, 24)):
        name, x = f"t{cell}-{day}", sign * (10e3 + 20e3 * (cell % 4))
        visits.append(
            (name, f"ridge {cell}", x, 10e3 + 20e3 * (cell // 4), f"2024-01-{day} 09:00", "sign-transect", "5")
        )
        if cell % 2 and rng.random() < 0.6:
            counts.append((name, "Panthera tigris", 1, "track"))
    folder.mkdir(parents=True)
    columns = ["visit", "site", "x", "y", "start", "method", "effort"]
    table = pl.DataFrame(visits, schema=columns, orient="row").with_columns(effort_unit=pl.lit("km"), complete=True)
    table.with_columns(pl.when(pl.col("effort") != "").then("effort_unit")).write_csv(folder / "visits.csv")
    pl.DataFrame(counts, schema=["visit", "taxon", "count", "sign"], orient="row").write_csv(folder / "counts.csv")
    _declare(folder, party, "counts", 'timezone = "UTC"\n')


def _write_cameras(folder: Path, party: str, histories: tuple[CaptureHistory, ...]) -> None:
    """One party's cameras and captures, one session a year; animals are named alike on both sides."""
    folder.mkdir(parents=True)
    own = histories[0].detectors.filter(pl.col("party") == party)
    own.select(trap="detector", x="x_m", y="y_m").write_csv(folder / "traps.csv")
    captures = pl.concat(
        h.captures.with_columns(session=pl.lit(str(2023 + year))) for year, h in enumerate(histories)
    ).filter(pl.col("detector").is_in(own["detector"].to_list()))
    captures.select("session", "occasion", "count", id="individual", trap="detector").write_csv(folder / "captures.csv")
    occasions = "\n".join(f'"{2023 + year}" = 12' for year in range(3))
    more = f'detector = "count"\ntaxon = "Panthera tigris"\ncatalogue = "cats"\n\n[occasions]\n{occasions}\n'
    _declare(folder, party, "captures", more)


def _declare(folder: Path, party: str, kind: str, more: str) -> None:
    told = f'party = "{party}"\nformat = "{kind}"\ncrs = "local:range"\n{more}'
    (folder / "delivery.toml").write_text(told, encoding="utf-8")
