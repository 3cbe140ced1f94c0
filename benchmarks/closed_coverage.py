"""Closed models (`population.closed`): how often the interval holds the truth where animals are alike and where not.

    python -m benchmarks.closed_coverage --populations 500 --date 2026-11-22 --write docs/engines/population.closed.md

30 animals and 8 occasions, few enough that data can hardly show whether animals differ. Three ways to answer on the
same captures: the engine's default (models that say fewer animals than the lower bound are left out of the average),
all models averaged, and M0 alone. Populations are kept in `build/closed_coverage.jsonl`, so that a run can go on.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.together import with_section
from numpy.typing import NDArray

from sharedrange.core.chance import stream
from sharedrange.core.errors import SharedRangeError
from sharedrange.population import closed
from sharedrange.population.closed import Fit

Floats = NDArray[np.float64]
ANIMALS, OCCASIONS, RECAPTURES = 30, 8, closed.ClosedSettings().min_recaptures
RESULTS = Path("build/closed_coverage.jsonl")
Z = 1.959963984540054

TRUTHS: Mapping[str, Callable[[np.random.Generator], Floats]] = {
    "one chance of capture, 0.2": lambda _: np.full(ANIMALS, 0.2),
    "one chance of capture, 0.1": lambda _: np.full(ANIMALS, 0.1),
    "a third 0.4, the others 0.12": lambda rng: np.where(rng.random(ANIMALS) < 1 / 3, 0.4, 0.12),
    "chances differ: beta(2, 6)": lambda rng: rng.beta(2, 6, ANIMALS),
    "chances differ much: beta(1, 3)": lambda rng: rng.beta(1, 3, ANIMALS),
    "0.2, and 5 % of captures split off": lambda _: np.full(ANIMALS, 0.2),
    "0.2, and 12.5 % of captures split off": lambda _: np.full(ANIMALS, 0.2),
}
SPLIT_OFF = {"0.2, and 5 % of captures split off": 0.05, "0.2, and 12.5 % of captures split off": 0.125}


def with_ghosts(rng: np.random.Generator, caught: NDArray[np.bool_], share: float) -> NDArray[np.bool_]:
    """Captures of which a share is filed under names of their own."""
    split = caught & (rng.random(caught.shape) < share)
    _, occasions = np.nonzero(split)
    return np.vstack([caught & ~split, np.arange(OCCASIONS) == occasions[:, None]])


def fits_of(captures: closed.Captures) -> list[Fit]:
    """The default models that can be fitted."""
    found = []
    for model in closed.ClosedSettings().models:
        try:
            found.append(closed.fit(captures, model))
        except SharedRangeError:
            continue
    return found


def by_default(fits: Sequence[Fit]) -> list[Fit]:
    return list(fits)


def all_averaged(fits: Sequence[Fit]) -> list[Fit]:
    return [f for f in fits if not f.model.is_lower_bound]


def m0_alone(fits: Sequence[Fit]) -> list[Fit]:
    return [f for f in fits if f.model.name == "M0"]


WAYS = {"as it comes": by_default, "all models averaged": all_averaged, "M0 alone": m0_alone}


def one(truth: str, number: int) -> dict[str, Any]:
    """What the ways say about one population: number, low, high; nothing where the engine would decline."""
    rng = stream(number, f"benchmarks.closed_coverage.{truth}")
    caught = rng.random((ANIMALS, OCCASIONS)) < TRUTHS[truth](rng)[:, None]
    captures = closed.from_matrix(with_ghosts(rng, caught, SPLIT_OFF.get(truth, 0.0)))
    fits = fits_of(captures) if captures.n_recaptures >= RECAPTURES else []
    if not m0_alone(fits):
        return {"truth": truth, "number": number, "said": {}}
    return {"truth": truth, "number": number, "said": {way: told(kept(fits)) for way, kept in WAYS.items()}}


def told(fits: Sequence[Fit]) -> tuple[float, float, float]:
    """The average over fits and its profile interval, as the engine makes them."""
    share = closed.weights(fits)
    used = [i for i in range(len(fits)) if share[i] > 1e-3]
    number = closed.average(fits, share).n_hat
    limits = closed.profile([fits[i] for i in used], share[used] / share[used].sum())
    return number, min(limits.low, number), max(limits.high, number)


def table(done: Sequence[Mapping[str, Any]]) -> str:
    """One row a truth."""
    head = ["truth", "populations", "too thin", *(f"{way}: median, RMSE, holds" for way in WAYS)]
    lines = [f"| {' | '.join(head)} |", "| --- " * len(head) + "|"]
    for truth in TRUTHS:
        rows = [row["said"] for row in done if row["truth"] == truth]
        said = [row for row in rows if row]
        cells = [cell(np.array([row[way] for row in said])) for way in WAYS] if said else []
        lines.append(f"| {' | '.join([truth, str(len(rows)), str(len(rows) - len(said)), *cells])} |")
    return "\n".join(lines)


def cell(numbers: Floats) -> str:
    """Median, root mean square error and coverage with its 95 % simulation error."""
    value, low, high = numbers.T
    share = float(((low <= ANIMALS) & (high >= ANIMALS)).mean())
    error = 100 * Z * math.sqrt(share * (1 - share) / len(value))
    rmse = float(np.sqrt(((value - ANIMALS) ** 2).mean()))
    return f"{np.median(value):.1f}, {rmse:.1f}, {100 * share:.0f} ± {error:.0f} %"


def read(path: Path) -> list[dict[str, Any]]:
    """What was done before; a last line that was cut off is done again."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def run(populations: int, path: Path) -> list[dict[str, Any]]:
    """Do what is left to do: all truths of a population before the next population."""
    done = read(path)
    known = {(row["truth"], row["number"]) for row in done}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in done), encoding="utf-8")
    with path.open("a", encoding="utf-8") as file:
        for number in range(1, populations + 1):
            for truth in TRUTHS:
                if (truth, number) not in known:
                    done.append(one(truth, number))
                    file.write(json.dumps(done[-1]) + "\n")
                    file.flush()
    return done


def main() -> None:
    """Simulate, print the table or write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--populations", type=int, default=500)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--date", default="")
    parser.add_argument("--write", type=Path)
    given, began = parser.parse_args(), time.process_time()
    text = table(run(given.populations, given.results))
    made = f"python -m benchmarks.closed_coverage --populations {given.populations}"
    section = f"`{made}` ({given.date}):\n\n{text}\n"
    print(section)
    print(f"{time.process_time() - began:.0f} CPU-s")
    if given.write:
        page = given.write.read_text(encoding="utf-8")
        given.write.write_text(with_section(page, "coverage", section), encoding="utf-8")


if __name__ == "__main__":
    main()
