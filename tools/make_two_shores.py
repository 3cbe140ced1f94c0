"""Make examples/two-shores anew: leopards and cranes over years on two invented shores; nobody searched for the seed.

    python tools/make_two_shores.py
    python tools/sign_decisions.py examples/two-shores

Each shore has its own cameras, its own catalogue of leopards and its own counts of cranes. Run again both write the
same bytes. The programme and its README are written by people.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from sharedrange.core.chance import stream
from sharedrange.core.files import write_atomically
from sharedrange.core.history import CaptureHistory
from sharedrange.exchange.delivery import Delivery, write_delivery
from sharedrange.exchange.manifest import write_manifest
from sharedrange.population.open import YearsDesign, YearsTruth, of_party, simulate_years

FOLDER = Path(__file__).parent.parent / "examples" / "two-shores"
SEED = 20260201
FRAME = "local:two-shores"
SHORES = ("westshore", "eastshore")
PLACES = {"westshore": "own", "eastshore": "received/eastshore"}  # the node is the western shore's
CAMERAS, COUNTS = "SIMULATED-cameras", "SIMULATED-cranes"
LEOPARD, CRANE, DUCK = "Panthera pardus orientalis", "Antigone vipio", "Anas platyrhynchos"
LEOPARD_YEARS = range(2020, 2026)
CRANE_YEARS = range(2014, 2026)
LEOPARDS = YearsDesign(
    years=len(LEOPARD_YEARS), sides=SHORES, density_per_100km2=2.0, survival=0.84, recruits=0.2, move_m=8_000.0
)
GROWTH = 1.05  # of the cranes, a year
SITES = {"westshore": 9, "eastshore": 7}
SITE_MEDIAN = 14.0  # cranes at the median site in the first year
VISITS = 3
MISSED, INCOMPLETE = 0.12, 0.08  # shares of visits that were not made, or did not record every species
DUCKS = 60.0  # the common bird, listed on most visits


def main(folder: Path = FOLDER) -> None:
    """Write the deliveries, the decisions and the truth; older ones are removed, with the records signed for them."""
    for made in ("own", "received", "records", "truth"):
        shutil.rmtree(folder / made, ignore_errors=True)
    histories, truth = simulate_years(LEOPARDS, stream(SEED, "two-shores.leopards"))
    codes = {shore: _deliver_cameras(histories, shore, folder / PLACES[shore] / CAMERAS) for shore in SHORES}
    _write(_decisions(codes), folder / "decisions.csv")
    _write(_leopard_truth(truth), folder / "truth" / "SIMULATED-leopards.csv")
    expected = {shore: _deliver_counts(shore, folder / PLACES[shore] / COUNTS) for shore in SHORES}
    _write(_crane_truth(expected), folder / "truth" / "SIMULATED-cranes.csv")
    for dataset in (CAMERAS, COUNTS):
        write_manifest(folder / PLACES["eastshore"] / dataset, "eastshore")
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{folder.name}: {size / 1e6:.2f} MB, seed {SEED}")


def _write(table: pl.DataFrame, path: Path) -> None:
    write_atomically(path, table.write_csv().encode())


# -- leopards ----------------------------------------------------------------------------------------------------------


def _deliver_cameras(histories: Sequence[CaptureHistory], shore: str, folder: Path) -> Mapping[str, str]:
    """One shore's captures under its own codes; the code of each animal that it knows."""
    own = of_party(histories, shore)
    codes = _codes([who for history in own for who in history.individuals["individual"]], shore)
    years = dict(zip((history.session for history in own), map(str, LEOPARD_YEARS), strict=True))
    captures = pl.concat(h.captures.with_columns(session=pl.lit(years[h.session])) for h in own)
    named = captures.with_columns(id=pl.col("individual").replace_strict(codes), trap="detector")
    _write(named.select("session", "id", "occasion", "trap").sort(pl.all()), folder / "captures.csv")
    traps = own[0].detectors.select(trap="detector", x="x_m", y="y_m")
    _write(traps, folder / "traps.csv")
    _write(
        pl.DataFrame({"id": sorted(codes.values())}).with_columns(life_stage=pl.lit("adult")),
        folder / "individuals.csv",
    )
    delivery = Delivery(
        party=shore,
        dataset=CAMERAS,
        format="captures",
        crs=FRAME,
        catalogue=f"{shore}-leopards",
        taxon=LEOPARD,
        detector="proximity",
        occasions=dict.fromkeys(years.values(), LEOPARDS.occasions),
    )
    write_delivery(delivery, folder)
    return codes


def _codes(animals: Sequence[str], shore: str) -> Mapping[str, str]:
    """Codes in the order in which a shore met its animals."""
    met = dict.fromkeys(animals)
    return {who: f"{shore[0].upper()}L-{number:02}" for number, who in enumerate(met, start=1)}


def _decisions(codes: Mapping[str, Mapping[str, str]]) -> pl.DataFrame:
    """One decision an animal that both shores know."""
    west, east = (codes[shore] for shore in SHORES)
    both = sorted((west[who], east[who]) for who in west.keys() & east.keys())
    return pl.DataFrame(both, schema={"code_a": pl.String, "code_b": pl.String}, orient="row").select(
        party_a=pl.lit("westshore"),
        catalogue_a=pl.lit("westshore-leopards"),
        code_a="code_a",
        party_b=pl.lit("eastshore"),
        catalogue_b=pl.lit("eastshore-leopards"),
        code_b="code_b",
        taxon=pl.lit(LEOPARD),
        verdict=pl.lit("same"),
        evidence=pl.lit("SIMULATED: both flanks compared, photograph by photograph"),
    )


def _leopard_truth(truth: YearsTruth) -> pl.DataFrame:
    """Leopards alive by year and side; those of the year before that lived on, and that crossed."""
    return pl.DataFrame(
        {
            "year": list(LEOPARD_YEARS),
            "alive": truth.alive,
            **{shore: [sides[shore] for sides in truth.by_side] for shore in SHORES},
            "survived": [None, *truth.survived],
            "crossed": [None, *truth.crossings],
        }
    )


# -- cranes ------------------------------------------------------------------------------------------------------------


def _deliver_counts(shore: str, folder: Path) -> list[float]:
    """One shore's autumn counts; the expected cranes of all its sites by year."""
    rng = stream(SEED, f"two-shores.cranes.{shore}")
    level = SITE_MEDIAN * np.exp(rng.normal(0.0, 0.9, SITES[shore]))
    expected = level[:, None] * GROWTH ** np.arange(len(CRANE_YEARS))
    visits, counts = list[dict[str, object]](), list[tuple[str, str, int]]()
    for site, by_year in enumerate(expected):
        for year, mean in zip(CRANE_YEARS, by_year, strict=True):
            _count(f"{shore[0].upper()}{site + 1}", year, mean, rng, (visits, counts))
    _write(pl.DataFrame(visits), folder / "visits.csv")
    _write(pl.DataFrame(counts, schema=["visit", "taxon", "count"], orient="row"), folder / "counts.csv")
    write_delivery(Delivery(shore, COUNTS, "counts", crs=FRAME, timezone="UTC"), folder)
    return [float(total) for total in expected.sum(axis=0)]


def _count(
    site: str,
    year: int,
    mean: float,
    rng: np.random.Generator,
    into: tuple[list[dict[str, object]], list[tuple[str, str, int]]],
) -> None:
    """The visits to a site in one autumn: some not made, some that did not record every species."""
    visits, counts = into
    here = rng.gamma(4.0, mean / 4.0)  # cranes that use the site this autumn
    for number in range(VISITS):
        start = datetime(year, 10, 5, 7, tzinfo=UTC) + timedelta(days=14 * number + int(rng.integers(0, 7)))
        cranes, ducks = int(rng.poisson(here)), int(rng.poisson(DUCKS))
        made, complete = rng.random() > MISSED, rng.random() > INCOMPLETE
        if not made:
            continue
        visit = f"{site}-{year}-{number + 1}"
        visits.append(
            {
                "visit": visit,
                "site": site,
                "start": f"{start:%Y-%m-%d %H:%M}",
                "method": "waterbird-count",
                "effort": 90,
                "effort_unit": "minutes",
                "complete": str(complete).lower(),
            }
        )
        counts.extend((visit, taxon, n) for taxon, n in ((CRANE, cranes), (DUCK, ducks)) if n)


def _crane_truth(expected: Mapping[str, list[float]]) -> pl.DataFrame:
    """Expected cranes by year and shore, before chance."""
    columns = {shore: [round(n, 1) for n in numbers] for shore, numbers in expected.items()}
    return pl.DataFrame({"year": list(CRANE_YEARS), **columns})


if __name__ == "__main__":
    main()
