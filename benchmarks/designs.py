"""Bias and coverage of the joint estimate on seven designs, 500 simulated populations each.

    python -m benchmarks.designs --populations 500 --beside 100 --drawn 20 --date 2026-11-22 --write docs/coverage.md

Few animals, many, two parties with unlike cameras, uneven effort with gaps, animals known from one flank, and labelling
errors of 5 and 12.5 %. Each population is simulated whole (photographs, catalogues, labels), made into a capture
history as an assessment makes it, and asked of `population.scr` with its default settings; beside it, on the same
population, what else people do. What is there for comparison only is asked on the first `--beside` populations;
`population.doubt` (rows "identities drawn"), which takes seconds a population, on the first `--drawn`.

Every population goes to `build/designs.jsonl` when it is done: a run that was stopped goes on where it stopped. A line
counts only while its design and the versions of the engines are what they are now; delete the file when a way to
answer is changed. The numbers depend on nothing but the population's number and its design.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: the processes share the cores

import argparse
import itertools
import json
import math
import multiprocessing
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.designs_cases import CASES, DRAWS, Case, Seen
from benchmarks.together import with_section

from sharedrange.core.answer import Answer
from sharedrange.core.errors import DidNotConverge

Z = 1.959963984540054
RESULTS = Path("build/designs.jsonl")
FITTED, REFUSED, NO_MAXIMUM = "fitted", "refused", "no maximum"

# -- the populations --------------------------------------------------------------------------------------------

Held = tuple[float, float, float, float]  # value, low, high, truth


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one way said about one population: its state, and every number with its interval and its truth."""

    mark: str
    number: int
    way: str
    state: str
    seconds: float
    numbers: Mapping[str, Held]


def outcome(case: Case, seen: Seen, way: str) -> Outcome:
    """Ask one way about one population."""
    began = time.process_time()
    state, numbers = FITTED, {}
    try:
        said = case.all_ways[way](seen)
        state = REFUSED if said.refusal else FITTED
        numbers = dict(_held(said, seen.truth()))
    except DidNotConverge:
        state = NO_MAXIMUM
    return Outcome(case.mark, seen.number, way, state, time.process_time() - began, numbers)


def _held(said: Answer, truth: Mapping[str, float]) -> Iterator[tuple[str, Held]]:
    for e in said.estimates:
        if e.quantity in truth and e.low is not None and e.high is not None:
            yield e.quantity, (e.value, e.low, e.high, truth[e.quantity])


@dataclass(frozen=True, slots=True)
class Task:
    """One population of a case, and the ways still to be asked."""

    case: int
    number: int
    ways: tuple[str, ...]

    def outcomes(self) -> list[Outcome]:
        """The outcomes of this population."""
        case = CASES[self.case]
        seen = Seen(case.design, self.number)
        return [outcome(case, seen, way) for way in self.ways]


def tasks(populations: int, beside: int, drawn: int, done: Iterable[Outcome]) -> Iterator[Task]:
    """What is left to do: all designs of a population before the next population, slow ways last."""
    known = {(o.mark, o.number, o.way) for o in done}
    for kind, upto in (("ways", populations), ("beside", beside), ("drawn", drawn)):
        for number, (index, case) in itertools.product(range(1, upto + 1), enumerate(CASES)):
            ways = tuple(way for way in getattr(case, kind) if (case.mark, number, way) not in known)
            if ways:
                yield Task(index, number, ways)


def read(path: Path) -> list[Outcome]:
    """What was done before; a last line that was cut off is done again."""
    return [Outcome(**json.loads(line)) for line in _whole_lines(path)]


def _whole_lines(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    return [line for line in lines if line.endswith("\n")]


def run_all(todo: Sequence[Task], workers: int, path: Path) -> None:
    """Do `todo`, each population written when it is done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(_whole_lines(path)), encoding="utf-8")  # nothing is written behind half a line
    spawn = multiprocessing.get_context("spawn")  # a forked polars may wait for threads that were not copied
    with ProcessPoolExecutor(workers, mp_context=spawn) as pool, path.open("a", encoding="utf-8") as file:
        for found in pool.map(Task.outcomes, todo, chunksize=4):
            file.writelines(json.dumps(_plain(one)) + "\n" for one in found)
            file.flush()


def _plain(one: Outcome) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Outcome.__slots__}


# -- the page ---------------------------------------------------------------------------------------------------


def row_of(outcomes: Sequence[Outcome], quantity: str) -> str:
    """Cells of one row: populations, those without a number, bias, error, width, coverage, and where it misses."""
    held = np.array([o.numbers[quantity] for o in outcomes if quantity in o.numbers]).reshape(-1, 4)
    value, low, high, truth = held.T
    without = [sum(o.state == state for o in outcomes) for state in (REFUSED, NO_MAXIMUM)]
    counted = f"{len(outcomes)} | {without[0]} | {without[1]}"
    if len(held) < 2:
        return f"{counted} | | | | | "
    n, error, percent = len(held), value - truth, 100 / truth.mean()  # of the mean: a side may truly have none
    bias, unsure = percent * error.mean(), percent * error.std(ddof=1) / math.sqrt(n)
    rmse = percent * math.sqrt(float((error**2).mean()))
    covered = int(((low <= truth) & (truth <= high)).sum())
    from_, to = (100 * limit for limit in wilson(covered, n))
    width = percent * float((high - low).mean())
    below, above = (100 * float(missed.mean()) for missed in (truth < low, truth > high))
    return (
        f"{counted} | {bias:+.1f} ± {unsure:.1f} | {rmse:.1f} | {width:.0f} "
        f"| {100 * covered / n:.1f} ({from_:.1f} to {to:.1f}) | {below:.1f}, {above:.1f}"
    )


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927, Journal of the American Statistical Association 22:209-212)."""
    share, z2 = successes / trials, Z * Z
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    return middle - half, middle + half


def table(done: Sequence[Outcome], rows: Iterable[tuple[Case, str, str]]) -> str:
    """The table of (case, way, quantity) rows; those that nobody asked are left out."""
    lines = [f"| {' | '.join(_COLUMNS)} |", "| --- " * len(_COLUMNS) + "|"]
    for case, way, quantity in rows:
        of_row = [o for o in done if o.mark == case.mark and o.way == way]
        if of_row:
            said = way if quantity == "N" else _QUANTITIES[quantity]
            lines.append(f"| {case.title} | {said} | {row_of(of_row, quantity)} |")
    return "\n".join(lines)


def section(done: Sequence[Outcome], command: str, date: str) -> str:
    """The section of the page that this benchmark writes."""
    numbers = ((case, way, "N") for case in CASES for way in case.all_ways)
    others = ((case, next(iter(case.ways)), quantity) for case in CASES for quantity in _QUANTITIES)
    seconds = float(np.mean([o.seconds for case in CASES for o in done if o.mark == case.mark and o.way in case.ways]))
    return _SECTION.format(
        command=command,
        date=date,
        populations=table(done, numbers),
        others=table(done, others),
        seconds=seconds,
        draws=DRAWS,
    )


_COLUMNS = (
    "design",
    "answered by",
    "populations",
    "refused",
    "no maximum",
    "bias, % ± error",
    "RMSE, %",
    "width, %",
    "covers, %",
    "truth below, above, %",
)
_QUANTITIES = {
    "N_expected": "expected number",
    "N.westfell": "there this season, Westfell side",
    "N.eastfell": "there this season, Eastfell side",
}

_SECTION = """## Seven designs

Made {date} by

```
{command}
```

The number of adults that are there in the season, both sides together:

{populations}

Other numbers of the same answers ("as it comes"):

{others}

Designs: all are the preset `small` (docs/simulate.md; two sides of a border, 54 adults expected on 3,840 km², 25 + 25
cameras, 60 days, a mask of 2 km or 0.6 of the smaller sigma) but for

- *few*, *many*: 12 and 120 adults expected, as dense on both sides;
- *unlike cameras*: the eastern cameras see a quarter of what the western ones see;
- *uneven effort*: 25 + 12 cameras; storms and bears stop western ones for two weeks; four in ten eastern ones run
  empty and 15 % are stolen, never to come back that season;
- *one flank*: a first year, so nobody is known from before; 30 % of passages show both flanks, the others the left or
  the right one;
- *mislabelled*: this share of recaptures has a wrong code: half of them a code of its own (a ghost), half that of the
  animal of the same sex photographed nearest.

How to read it:

- *As it comes*: `population.scr` with its default settings (a density a side, rates by party and sex, sigma by sex,
  tests of pooling), one-flank animals by the rule of capture histories (the flank with more animals). People compare
  rightly whatever can be compared; nobody knows of ghosts and swaps.
- *Refused*: too thin, declined with what could be answered instead. *No maximum*: the engine said so and gave no
  number. Neither is in the columns to their right, so those speak of the populations that were answered: among few
  animals, the ones that showed themselves more.
- *Bias*: mean of estimate less truth, ± its standard error; *RMSE*: root of its mean square; *width*: mean of high
  less low; all in per cent of the mean truth. *Covers*: how often the 95 % interval holds the truth, with a 95 %
  interval of that share (Wilson 1927). *Truth below, above*: how often the truth lies under the low end and over the
  high end; 2.5 % each would be even.
- *There this season* is compared with the animals of that population, *expected* with the density they were drawn
  from.
- *Identities drawn* (rows that are there if `--drawn` asked for them): `population.doubt`, {draws} draws a population,
  seconds each. It knows flanks and ghosts; it does not know swaps, and is told the whole share of wrong labels as if
  all were ghosts, as somebody would who knows that share only. `benchmarks/identity_doubt.py` has designs of one side.
- A way takes {seconds:.2f} CPU seconds on average, data and mask included.
"""


def main() -> int:
    """Do what is left to do, print the section or write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--populations", type=int, default=500)
    parser.add_argument("--beside", type=int, default=100, help="populations for the rows to compare with")
    parser.add_argument("--drawn", type=int, default=20, help="populations for identities drawn")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--date", default="")
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    left = tasks(given.populations, given.beside, given.drawn, read(given.results))
    run_all(list(left), given.workers, given.results)
    text = section(read(given.results), "python -m benchmarks.designs " + " ".join(sys.argv[1:]), given.date)
    print(text)
    if given.write:
        page = given.write.read_text(encoding="utf-8")
        given.write.write_text(with_section(page, "designs", text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
