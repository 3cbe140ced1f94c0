"""Does the joint interval cover the truth, and what do sums of one-sided numbers do? 100 simulated seeds.

    python benchmarks/together.py --seeds 100 --workers 2 --date 2026-11-22 --write docs/coverage.md

Each seed simulates the preset `small`, gives the engine the true concordance, and fits once together and twice
a side (mask clipped at the border; mask crossing it). A section of the page is made from the numbers (`designs.py`
makes the other one); exit code 1 if the joint interval covers in fewer than 90 of 100 seeds.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: the processes share the cores

import argparse
import math
import multiprocessing
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np

from sharedrange.assessment.writing import area_in_degrees, mask_spec
from sharedrange.core.answer import Answer, Estimate
from sharedrange.core.chance import stream
from sharedrange.core.errors import DidNotConverge
from sharedrange.core.history import CaptureHistory
from sharedrange.core.individuals import Partition
from sharedrange.core.places import Mask, Sides
from sharedrange.core.progress import silent
from sharedrange.core.survey import Survey
from sharedrange.core.when import Window
from sharedrange.population.histories import OneFlank, capture_histories
from sharedrange.population.masks import clip_to_side, make_mask
from sharedrange.population.scr import ENGINE, ScrInputs, ScrSettings
from sharedrange.population.simulate import Design, Simulation, simulate, small

LEAST_COVERED = 0.90
Z = 1.959963984540054
LEVEL = 0.95
ALONE = replace(ScrSettings(), density="pooled")  # a side alone fits one density over all of its mask


@dataclass(frozen=True, slots=True)
class Number:
    """An estimated number of animals with its interval, and the truth that the interval is about."""

    value: float
    low: float
    high: float
    truth: float

    @property
    def covers(self) -> bool:
        """Whether the truth lies in the interval."""
        return self.low <= self.truth <= self.high


def numbers_of(seed: int, design: Design) -> dict[str, Number]:
    """All numbers of one seed; those that the engine declined or could not fit are missing."""
    simulation = simulate(design, stream(seed, "benchmarks.coverage"))  # the first name: the published numbers are its
    truth, taxon = simulation.truth, design.species[0].taxon
    parties = tuple(party.id for party in design.parties)
    found: dict[str, Number] = {}
    joint = fitted(design, simulation, parties, ScrSettings())
    for place in ("", *parties):
        name, side = (f".{place}", place) if place else ("", None)
        found |= _number(f"joint N_expected{name}", joint, f"N_expected{name}", truth.expected(taxon, side))
        found |= _number(f"joint N{name}", joint, f"N{name}", truth.number(taxon, side))
    clipped = {p: fitted(design, simulation, (p,), ALONE, clipped=True) for p in parties}
    crossing = {p: fitted(design, simulation, (p,), ALONE) for p in parties}
    everywhere = truth.number(taxon)
    found |= _sum("sum clipped", [_get(clipped[p], f"N.{p}") for p in parties], everywhere)
    found |= _sum("sum own", [_get(crossing[p], f"N.{p}") for p in parties], everywhere)
    found |= _sum("sum whole", [_get(crossing[p], "N") for p in parties], everywhere)
    return found


def fitted(
    design: Design, simulation: Simulation, parties: tuple[str, ...], settings: ScrSettings, *, clipped: bool = False
) -> Answer:
    """What the engine answers from the surveys of `parties`; an empty answer where it found no maximum."""
    surveys = [simulation.survey(party) for party in parties]
    histories = histories_of(design, surveys, simulation.truth.partition())
    mask = mask_of(design, histories)
    sides = parties if clipped else tuple(party.id for party in design.parties)
    inputs = ScrInputs(histories, (clip_to_side(mask, parties[0]) if clipped else mask,), sides)
    try:
        return ENGINE.answer(inputs, settings, rng=stream(0, "unused"), progress=silent)
    except DidNotConverge:
        return Answer()


def histories_of(
    design: Design, surveys: Sequence[Survey], names: Partition, one_flank: OneFlank = "larger"
) -> tuple[CaptureHistory, ...]:
    """The capture history of the design's first species over its window, animals named by `names`."""
    last_day = design.first_day + timedelta(days=design.days - 1)
    histories, _ = capture_histories(
        surveys,
        names,
        Window(design.first_day, last_day, design.occasion_timezone),
        frozenset({design.species[0].taxon}),
        ("adult",),
        design.projection,
        one_flank=one_flank,
    )
    return histories


def mask_of(design: Design, histories: tuple[CaptureHistory, ...]) -> Mask:
    """The mask of the species' question, cut to the habitat."""
    spec = mask_spec(design.species[0])
    mask, _ = make_mask(
        histories,
        design.projection,
        Sides({party.id: area_in_degrees(design, party.side) for party in design.parties}),
        buffer_m=spec.buffer_m,
        spacing_m=spec.spacing_m,
        polygon=area_in_degrees(design, design.habitat),
    )
    return mask


def _get(answer: Answer, quantity: str) -> Estimate | None:
    return next((e for e in answer.estimates if e.quantity == quantity), None)


def _number(name: str, answer: Answer, quantity: str, truth: float) -> dict[str, Number]:
    estimate = _get(answer, quantity)
    if estimate is None or estimate.low is None or estimate.high is None:
        return {}
    return {name: Number(estimate.value, estimate.low, estimate.high, truth)}


def _sum(name: str, parts: Sequence[Estimate | None], truth: float) -> dict[str, Number]:
    """The sum as somebody would make it: variances added, log-normal interval."""
    given = [part for part in parts if part is not None]
    if len(given) < len(parts):
        return {}
    value = sum(part.value for part in given)
    se = math.hypot(*(part.se or 0.0 for part in given))
    factor = math.exp(Z * math.sqrt(math.log1p((se / value) ** 2)))
    return {name: Number(value, value / factor, value * factor, truth)}


# -- the page ------------------------------------------------------------------------------------------------

ROWS = {
    "joint N_expected": "together: expected number",
    "joint N": "together: number there this season",
    "joint N_expected.westfell": "together: expected, Westfell side",
    "joint N_expected.eastfell": "together: expected, Eastfell side",
    "joint N.westfell": "together: there this season, Westfell side",
    "joint N.eastfell": "together: there this season, Eastfell side",
    "sum clipped": "sum of two, each mask clipped at the border",
    "sum own": "sum of two, masks cross, own side counted",
    "sum whole": "sum of two, masks cross, all counted",
}


def row_of(label: str, numbers: Sequence[Number]) -> str:
    """One line of the table: how many fits, bias with its standard error, spread, width, coverage."""
    ratio = np.array([n.value / n.truth for n in numbers])
    bias, error = 100 * (ratio.mean() - 1), 100 * ratio.std(ddof=1) / math.sqrt(len(ratio))
    rmse = 100 * math.sqrt(float(((ratio - 1) ** 2).mean()))
    width = float(np.median([n.high / n.low for n in numbers]))
    covered = sum(n.covers for n in numbers)
    return (
        f"| {label} | {len(numbers)} | {bias:+.1f} % ± {error:.1f} | {rmse:.1f} % | {width:.2f} "
        f"| {covered} of {len(numbers)} |"
    )


def with_section(page: str, name: str, text: str) -> str:
    """`page` with `text` between the marks of section `name`. Raises ValueError if it has no such marks."""
    begins, ends = f"<!-- {name} begins -->\n", f"<!-- {name} ends -->\n"
    before, has_begin, rest = page.partition(begins)
    _, has_end, after = rest.partition(ends)
    if not has_begin or not has_end:
        raise ValueError(f"the page has no section {name!r}")
    return f"{before}{begins}{text}{ends}{after}"


def section(results: Sequence[Mapping[str, Number]], design: Design, command: str, date: str) -> str:
    """The section of the page that this benchmark writes, numbers and all."""
    by_name = {name: [found[name] for found in results if name in found] for name in ROWS}
    lines = [row_of(label, by_name[name]) for name, label in ROWS.items() if len(by_name[name]) > 1]
    return _SECTION.format(
        command=command,
        date=date,
        seeds=len(results),
        expected=f"{sum(design.expected_adults(design.species[0]).values()):.1f}",
        table="\n".join(lines),
        rarely="; ".join(label for name, label in ROWS.items() if _rarely(by_name[name])) or "none",
    )


def _rarely(numbers: Sequence[Number]) -> bool:
    return sum(number.covers for number in numbers) < LEAST_COVERED * len(numbers)


_SECTION = """## Together, or each side alone and added?

{seeds} simulated seeds of the preset `small` (docs/simulate.md): two sides with unlike cameras, {expected} adults
expected in the habitat, the true concordance given. Each seed is fitted together, and each side is fitted
alone under the three conventions that a side can choose.

Made {date} by

```
{command}
```

| number | fits | bias ± its standard error | root mean square error | high / low, median | 95 % interval covers |
| --- | --- | --- | --- | --- | --- |
{table}

How to read it:

- *Expected* numbers are compared with the density the animals were drawn from; numbers *there this season* with
  the animals of that seed.
- *Bias* is the mean of estimate over truth, less one. *Fits*: seeds for which there is an estimate; a side alone
  that the engine declined (too few recaptures) leaves its sum out.
- Intervals that cover in fewer than 90 of 100: {rarely}.
- Interval of a sum: variances added and a log-normal interval, as somebody with two published numbers would do.
- What the sums err by depends on the case: how long the border is for the area, how far masks reach, how unlike
  the cameras are. These are this design's numbers, not a law.
- The concordance is the true one: mistakes in names (ghosts, swaps) are in the table above.
"""


def main() -> int:
    """Simulate, fit, print the section or write it; 1 if the joint interval covers too rarely."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--date", default="")
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    design, began = small(), time.perf_counter()
    spawn = multiprocessing.get_context("spawn")  # a forked polars may wait for threads that were not copied
    with ProcessPoolExecutor(given.workers, mp_context=spawn) as pool:
        results = list(pool.map(partial(numbers_of, design=design), range(1, given.seeds + 1)))
    text = section(results, design, "python " + " ".join(sys.argv), given.date)
    print(text)
    print(f"{time.perf_counter() - began:.0f} s", file=sys.stderr)
    if given.write:
        page = given.write.read_text(encoding="utf-8")
        given.write.write_text(with_section(page, "alone and added", text), encoding="utf-8")
    return 0 if _covered(results) >= LEAST_COVERED * len(results) else 1


def _covered(results: Sequence[Mapping[str, Number]]) -> int:
    """Seeds in which both joint intervals cover; a seed without a joint fit does not."""
    names = ("joint N_expected", "joint N")
    return min(sum(name in found and found[name].covers for found in results) for name in names)


if __name__ == "__main__":
    sys.exit(main())
