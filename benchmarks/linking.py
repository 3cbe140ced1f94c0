"""How well do two packages of one survey link, and does a coarser second one help? Simulated, with known truth.

    python -m benchmarks.linking --populations 20

Each population of the preset `small` (two parks, 25 cameras each) is photographed once, and each park's survey released
twice under unlike pseudonyms: once by month in cells of 0.1 degrees, once as each row of the table says. Told is the
mean share of stations and animals that `link_stations` and `link_individuals` find again, and what guessing finds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import get_args

import numpy as np
from benchmarks.coarsening import design_of

from sharedrange.core.chance import stream
from sharedrange.core.contents import Delivered
from sharedrange.core.release import RESOLUTIONS, may_name
from sharedrange.core.survey import Survey
from sharedrange.population.simulate import simulate
from sharedrange.sharing.agreement import Agreement, GridSpec, Rule, Valid
from sharedrange.sharing.agreement.types import Resolution
from sharedrange.sharing.anonymity import Tables
from sharedrange.sharing.attack import Attack, link_individuals, link_stations
from sharedrange.sharing.pseudonyms import Pseudonyms
from sharedrange.sharing.release import Request, Standing, names_needed, release

NESTED = GridSpec("degrees", "geographic", (0.1, 0.2, 1.0))
ASKEW = GridSpec("askew", "geographic", (0.15, 0.3))
Way = tuple[Resolution, float, GridSpec]  # periods, cells in degrees, of which grid
FIRST: Way = ("month", 0.1, NESTED)
SCATTER_M = 2000.0


@dataclass(frozen=True, slots=True)
class Told:
    """A release and the pseudonyms that it was made with."""

    tables: Tables
    names: Pseudonyms

    def counterparts(self, other: Told, kind: str) -> dict[str, str]:
        """What goes by which name here and there, where both releases tell of it."""
        here, there = self._told(kind), other._told(kind)
        return {here[what]: there[what] for what in sorted(here.keys() & there.keys())}

    def _told(self, kind: str) -> dict[tuple[str, ...], str]:
        table, column = ("stations", "station") if kind == "station" else ("encounters", "individual")
        told = set(self.tables[table][column])
        return {what: name for what, name in self.names.names.items() if what[0] == kind and name in told}


def told_as(
    survey: Survey, ident: str, resolution: Resolution, cell: float, grid: GridSpec, *, effort: bool = True
) -> Told:
    """A survey released under an agreement of its own, with or without the days that each station watched."""
    taxon = str(survey.observations["taxon"].drop_nulls()[0])
    tables = {name: may_name(name) for name in ("stations", "effort", "encounters") if effort or name != "effort"}
    rule = Rule("cats", (taxon,), tables, cell, 1, "withhold", 0, resolution, "pseudonym")
    valid = Valid(date(2026, 1, 1), date(2028, 1, 1))
    agreement = Agreement(ident, "SIMULATED", survey.party, ("us",), ("any",), valid, "any", (rule,), grid=grid)
    content = Delivered(survey=survey)
    rng = stream(len(ident), ident)
    names = Pseudonyms(ident).with_names(names_needed(content, agreement), rng.bytes)
    standing = Standing(frozenset(agreement.parties))
    return Told(release(content, agreement, Request("us", "any", date(2027, 6, 1)), standing, names).tables, names)


def linked(population: int) -> Iterator[tuple[str, Attack, Attack]]:
    """Every second release of every survey of a population beside the first: what it is called, both attacks."""
    simulation = simulate(design_of(population, SCATTER_M), stream(population, "benchmarks.linking"))
    seconds: list[Way] = [
        *((one, 0.1, NESTED) for one in get_args(Resolution)),
        ("month", 0.2, NESTED), ("month", 1.0, NESTED), ("month", 0.15, ASKEW), ("month", 0.3, ASKEW),
        ("year", 1.0, NESTED),
    ]  # fmt: skip
    for survey in simulation.surveys:
        first = told_as(survey, "first", *FIRST)
        for resolution, cell, grid in seconds:
            second = told_as(survey, "second", resolution, cell, grid)
            coarser = max("month", resolution, key=RESOLUTIONS.index)
            stations, animals = (first.counterparts(second, kind) for kind in ("station", "individual"))
            yield (
                f"{resolution}, {cell:g}{' askew' if grid is ASKEW else ''}",
                link_stations(first.tables, second.tables, stations, coarser),
                link_individuals(first.tables, second.tables, animals, coarser),
            )
        yield _without_effort(survey, first)


def _without_effort(survey: Survey, first: Told) -> tuple[str, Attack, Attack]:
    """The second package tells by year and in the largest cells, and no days watched."""
    second = told_as(survey, "second", "year", 1.0, NESTED, effort=False)
    stations, animals = (first.counterparts(second, kind) for kind in ("station", "individual"))
    return (
        "year, 1, no days watched",
        link_stations(first.tables, second.tables, stations, "year"),
        link_individuals(first.tables, second.tables, animals, "year"),
    )


def main() -> int:
    """Simulate and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--populations", type=int, default=20)
    done = [one for population in range(1, parser.parse_args().populations + 1) for one in linked(population)]
    print("| second package: periods, cells | stations found again | guessing | animals found again | guessing |")
    print("| --- | --- | --- | --- | --- |")
    for name in dict.fromkeys(name for name, _, _ in done):
        shares = []
        for k in (1, 2):
            of_name = [one[k] for one in done if one[0] == name]
            shares += [np.mean([getattr(attack, what) for attack in of_name]) for what in ("success", "chance")]
        print(f"| {name} | " + " | ".join(f"{100 * share:.0f} %" for share in shares) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
