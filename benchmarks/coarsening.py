"""What a release costs the joint estimate: simulated populations, asked with exact places and through releases.

    python -m benchmarks.coarsening --populations 100

Each population of the preset `small` (two sides of a border, 25 + 25 cameras 6 km apart, 60 days, females and males
with sigma 3.4 and 4.8 km) is photographed once, by stations up to `--scatter` metres from a drawn lattice, which lies
anew on the grid for each population. `population.scr` with its default settings is asked of the photographs as they
are, and of what both parties release by month, at several sizes of cells: through `release`, the tables as they travel,
and the door `released`. Beside it stands what people have without a release: each side's own number, added.

Every population goes to `build/coarsening.jsonl` when it is done: a run that was stopped goes on where it stopped.
Delete the file when the engine, the scatter or the way of a release has changed.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from benchmarks.together import ALONE, mask_of

from sharedrange.assessment.material import with_joint_ids
from sharedrange.core.answer import Answer
from sharedrange.core.canonical import canonical
from sharedrange.core.chance import stream
from sharedrange.core.contents import Delivered
from sharedrange.core.errors import DidNotConverge
from sharedrange.core.individuals import Concordance, LocalIndividual, Partition
from sharedrange.core.progress import silent
from sharedrange.core.release import MANIFEST, file_of, may_name
from sharedrange.core.survey import Survey
from sharedrange.core.when import Window
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.released import read
from sharedrange.population.encounters import local_individuals
from sharedrange.population.histories import capture_histories
from sharedrange.population.scr import ENGINE, ScrInputs, ScrSettings
from sharedrange.population.simulate import Design, Simulation, simulate, small
from sharedrange.sharing.agreement import Agreement, GridSpec, Rule, Valid
from sharedrange.sharing.pseudonyms import Pseudonyms
from sharedrange.sharing.release import Request, Standing, names_needed, release
from sharedrange.sharing.sealing import csv_of

RESULTS = Path("build/coarsening.jsonl")
Z = 1.959963984540054
GRID = GridSpec("steps", "geographic", (0.01, 0.05, 0.1, 0.2))
DEGREE_KM = 111.32
SHIFT_M = 3000.0
WINDOW = (date(2026, 2, 1), date(2026, 4, 30))  # whole months around the design's 60 days
EXACT, ADDED = "exact", "each side alone, added"
SEXES = ("female", "male")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a release is made by: the side of cells in degrees, and how many stations each must have."""

    cell: float
    least_stations: int

    @property
    def name(self) -> str:
        """As a row of the table is called."""
        return f"{self.cell:g}" + (f", {self.least_stations} a cell" if self.least_stations > 1 else "")


TERMS = (*(Terms(cell, 1) for cell in GRID.sizes), *(Terms(cell, 2) for cell in (0.1, 0.2)))


@dataclass(frozen=True, slots=True)
class Said:
    """What one way said of one population: animals, sigma of each sex, stations that it used. Null: no number."""

    population: int
    way: str
    truth: float
    stations: int
    number: float | None = None
    low: float | None = None
    high: float | None = None
    sigma_m: tuple[float, ...] = ()
    cpu_s: float = 0.0


# -- one population ----------------------------------------------------------------------------------------------


def design_of(population: int, scatter_m: float) -> Design:
    """The preset with its lattices of stations moved by up to `SHIFT_M` and each station by up to `scatter_m`."""
    design = small()
    x_m, y_m = stream(population, "benchmarks.coarsening.shift").uniform(-SHIFT_M, SHIFT_M, 2)
    parties = (
        replace(p, array=replace(p.array, x_m=p.array.x_m + x_m, y_m=p.array.y_m + y_m, jitter_m=scatter_m))
        for p in design.parties
    )
    return replace(design, parties=tuple(parties))


def all_said(population: int, scatter_m: float) -> Iterator[Said]:
    """What every way says of one population."""
    design = design_of(population, scatter_m)
    simulation = simulate(design, stream(population, "benchmarks.coarsening"))
    surveys = [simulation.survey(party.id) for party in design.parties]
    yield _asked(population, EXACT, design, simulation, surveys, simulation.truth.partition())
    for terms in TERMS:
        began = time.process_time()
        back = [_through(survey, terms, simulation, design) for survey in surveys]
        seen = local_individuals(back, frozenset({design.species[0].taxon}))
        names = with_joint_ids(Concordance(), seen).partition(seen)
        yield _asked(population, terms.name, design, simulation, back, names, began)
    yield _added(population, design, simulation, surveys)


def _asked(  # noqa: PLR0917  (a population has all of these)
    population: int,
    way: str,
    design: Design,
    simulation: Simulation,
    surveys: Sequence[Survey],
    names: Partition,
    began: float | None = None,
) -> Said:
    began = time.process_time() if began is None else began
    stations = sum(survey.deployments["station"].n_unique() for survey in surveys)
    truth = simulation.truth.number(design.species[0].taxon)
    found = {e.quantity: e for e in _answer(design, surveys, names, ScrSettings()).estimates}
    cpu_s = time.process_time() - began
    if "N" not in found:
        return Said(population, way, truth, stations, cpu_s=cpu_s)
    n, sigma_m = found["N"], tuple(found[f"sigma.{sex}"].value for sex in SEXES if f"sigma.{sex}" in found)
    return Said(population, way, truth, stations, n.value, n.low, n.high, sigma_m, cpu_s)


def _added(population: int, design: Design, simulation: Simulation, surveys: Sequence[Survey]) -> Said:
    """Each side's own number from its own photographs, added; variances too, with a log-normal interval."""
    began, truth = time.process_time(), simulation.truth.number(design.species[0].taxon)
    parts = []
    for survey in surveys:
        found = {e.quantity: e for e in _answer(design, [survey], simulation.truth.partition(), ALONE).estimates}
        parts.append(found.get(f"N.{survey.party}"))
    stations = sum(survey.deployments["station"].n_unique() for survey in surveys)
    cpu_s = time.process_time() - began
    given = [part for part in parts if part is not None]
    if len(given) < len(parts):
        return Said(population, ADDED, truth, stations, cpu_s=cpu_s)
    number = sum(part.value for part in given)
    factor = math.exp(Z * math.sqrt(math.log1p((math.hypot(*(part.se or 0.0 for part in given)) / number) ** 2)))
    return Said(population, ADDED, truth, stations, number, number / factor, number * factor, cpu_s=cpu_s)


def _answer(design: Design, surveys: Sequence[Survey], names: Partition, settings: ScrSettings) -> Answer:
    taxa = frozenset({design.species[0].taxon})
    window = Window(*WINDOW, design.occasion_timezone)
    histories, _ = capture_histories(surveys, names, window, taxa, ("adult",), design.projection)
    inputs = ScrInputs(histories, (mask_of(design, histories),), tuple(party.id for party in design.parties))
    try:
        return ENGINE.answer(inputs, settings, rng=stream(0, "unused"), progress=silent)
    except DidNotConverge:
        return Answer()


def _through(survey: Survey, terms: Terms, simulation: Simulation, design: Design) -> Survey:
    """A survey as another party reads it: released by month, written, and read back."""
    taxon = design.species[0].taxon
    tables = {name: may_name(name) for name in ("stations", "effort", "encounters")}
    rule = Rule(
        "cats", (taxon,), tables, terms.cell, terms.least_stations, "withhold", 0, "month", "pseudonym",
        concordance="joint-id",
    )  # fmt: skip
    agreement = Agreement(
        f"urn:{survey.party}", "SIMULATED", survey.party, ("us",), ("any",), Valid(date(2026, 1, 1), date(2027, 1, 1)),
        "steward", (rule,), grid=GRID, timezone=design.occasion_timezone,
    )  # fmt: skip
    content = Delivered(survey=survey)
    numbers = count(1 << 60 if survey.party == design.parties[0].id else 1)
    pseudonyms = Pseudonyms(agreement.id).with_names(
        names_needed(content, agreement), lambda n: next(numbers).to_bytes(n, "big")
    )
    standing = Standing(frozenset(agreement.parties))
    one = release(
        content, agreement, Request("us", "any", date(2026, 12, 1)), standing, pseudonyms,
        joint_ids=_joint_ids(simulation.truth.partition()), simulated=True,
    )  # fmt: skip
    with TemporaryDirectory() as place:
        (Path(place) / MANIFEST).write_bytes(canonical(one.manifest))
        for name, table in one.tables.items():
            (Path(place) / file_of(name)).write_bytes(csv_of(table))
        back, _ = read(Path(place), Delivery(survey.party, "release", "released"))
    assert back is not None
    assert back.survey is not None
    return back.survey


def _joint_ids(truth: Partition) -> dict[LocalIndividual, str]:
    """Animals that both parties know -> a name for both to use."""
    shared = {name: group for name, group in truth.groups.items() if len({who.party for who in group}) > 1}
    return {who: f"J-{name}" for name, group in shared.items() for who in group}


# -- the table -----------------------------------------------------------------------------------------------------


def row_of(way: str, said: Sequence[Said], exact: Sequence[Said]) -> str:
    """Cells of one row: stations, failures, bias, width and sigma beside exact places, coverage, seconds."""
    held = {one.population: one for one in said if one.number}
    pairs = [(held[one.population], one) for one in exact if one.number and one.population in held]
    error = np.array([(one.number or 0.0) / one.truth - 1 for one in held.values()])
    shift = np.array([(one.number or 0.0) / (beside.number or 1.0) for one, beside in pairs])
    width = np.array([_log_width(one) / _log_width(beside) for one, beside in pairs])
    covered = sum((one.low or 0.0) <= one.truth <= (one.high or 0.0) for one in held.values())
    mean, se = 100 * error.mean(), 100 * error.std(ddof=1) / math.sqrt(len(error))
    return (
        f"| {way} | {np.mean([one.stations for one in said]):.0f} | {len(said) - len(held)} | {mean:+.1f} ± {se:.1f} "
        f"| {100 * (shift.mean() - 1):+.1f} ± {100 * shift.std(ddof=1) / math.sqrt(len(shift)):.1f} "
        f"| {math.exp(np.log(width).mean()):.2f} | {covered} of {len(held)} | {_sigmas(way, pairs)} "
        f"| {np.mean([one.cpu_s for one in said]):.2f} |"
    )


def _log_width(one: Said) -> float:
    return math.log((one.high or 1.0) / (one.low or 1.0))


def _sigmas(way: str, pairs: Sequence[tuple[Said, Said]]) -> str:
    """Sigma over that of exact places, and with the spread of a cell (its side squared over 12, each way) taken off."""
    both = [(a, b) for one, beside in pairs for a, b in zip(one.sigma_m, beside.sigma_m, strict=False)]
    if not both:
        return "-, -"
    cell = 0.0 if way == EXACT else float(way.partition(",")[0]) * DEGREE_KM * 1000
    of_cell = cell**2 * (1 + math.cos(math.radians(46.5)) ** 2) / 2 / 12
    ratio = np.array([a / b for a, b in both])
    less = np.array([math.sqrt(max(a * a - of_cell, 0.0)) / b for a, b in both])
    return f"{ratio.mean():.2f}, {less.mean():.2f}"


COLUMNS = (
    "cells, degrees", "stations", "no number", "bias, %", "shift from exact, %", "width, times exact", "covers",
    "sigma, and corrected", "CPU s",
)  # fmt: skip


def table(done: Sequence[Said]) -> str:
    """The table of all ways."""
    ways = (EXACT, *(terms.name for terms in TERMS), ADDED)
    by_way = {way: [one for one in done if one.way == way] for way in ways}
    lines = [f"| {' | '.join(COLUMNS)} |", "| --- " * len(COLUMNS) + "|"]
    return "\n".join([*lines, *(row_of(way, said, by_way[EXACT]) for way, said in by_way.items() if len(said) > 1)])


def done_before(path: Path) -> list[Said]:
    """What was done before, by whole populations; what was cut off is done again."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    told = [json.loads(line) for line in lines if line.endswith("\n")]
    return [Said(**{**one, "sigma_m": tuple(one["sigma_m"])}) for population in told for one in population]


def main() -> int:
    """Do what is left to do, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--populations", type=int, default=20)
    parser.add_argument("--scatter", type=float, default=2000.0)
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    done = done_before(given.results)
    given.results.parent.mkdir(parents=True, exist_ok=True)
    with given.results.open("a", encoding="utf-8") as file:
        for population in sorted(set(range(1, given.populations + 1)) - {one.population for one in done}):
            said = list(all_said(population, given.scatter))
            file.write(json.dumps([asdict(one) for one in said]) + "\n")
            file.flush()
            done += said
    print(table([one for one in done if one.population <= given.populations]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
