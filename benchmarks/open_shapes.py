"""Simulated years with known truth: what `population.open` gives from both sides, from one, and without space.

Usage: ``python benchmarks/open_shapes.py shapes|coverage [--seeds 100] [--first 0]``.

``shapes``: a population like that of a published joint estimate (a leopard population of two countries, 2013-14: N 84,
70 to 108; annual survival 0.82, 0.69 to 0.91; either country's data alone leave survival about twice as uncertain).
84 animals on 8,400 km2, a border with 38 % of the land beyond it, three years; simulated, invented places and names.
Fitted to both parties' data and to each party's alone: the spatial model with movement, the spatial model without
movement, and the model without space (Jolly, Seber and Arnason), in which an animal that crossed is dead.

``coverage``: mean, bias and how often 95 % intervals hold the truth, for survival, recruitment, movement, growth and
the number in each year.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sharedrange.core.answer import Answer, Scope
from sharedrange.core.chance import stream
from sharedrange.core.errors import DidNotConverge
from sharedrange.core.history import CaptureHistory
from sharedrange.core.progress import silent
from sharedrange.population.open import ENGINE, OpenInputs, OpenSettings, YearsDesign, of_party, simulate_years

SHAPES = YearsDesign(
    width_m=120_000.0,
    height_m=70_000.0,
    cell_m=2_500.0,
    border_m=14_400.0,  # 38 % of the land is south of it
    camera_spacing_m=6_000.0,
    watched=0.85,
    years=3,
    occasions=30,
    density_per_100km2=1.0,
    survival=0.82,
    recruits=0.18,
    move_m=8_000.0,
    sigma_m=3_500.0,
    lambda0=0.03,
)
_ANIMALS = SHAPES.width_m * SHAPES.height_m / 1e8 * SHAPES.density_per_100km2
COVERAGE = {
    "few animals": YearsDesign(years=4, density_per_100km2=1.2),
    "many animals": YearsDesign(years=4, density_per_100km2=4.0),
    "far movers": YearsDesign(years=4, density_per_100km2=2.0, move_m=9_000.0),
}
PLAIN = {"density": "~ 1", "lambda0": "~ 1", "sigma": "~ 1"}
MODELS: Mapping[str, OpenSettings] = {
    "space and movement": OpenSettings(**PLAIN),  # type: ignore[arg-type]  # formulas, all text
    "space, no movement": OpenSettings(movement="none", **PLAIN),  # type: ignore[arg-type]  # formulas, all text
    "no space": OpenSettings(spatial=False, **PLAIN),  # type: ignore[arg-type]  # formulas, all text
}


@dataclass(frozen=True)
class Held:
    """One interval of one simulation."""

    value: float
    low: float
    high: float
    truth: float


def asked(design: YearsDesign, histories: Sequence[CaptureHistory], settings: OpenSettings) -> Answer:
    inputs = OpenInputs(tuple(histories), design.mask(), design.sides, Scope(taxon="simulated"))
    return ENGINE.answer(inputs, settings, rng=stream(1, "none"), progress=silent)


def held(answer: Answer, truths: Mapping[str, float]) -> Iterator[tuple[str, Held]]:
    for quantity, truth in truths.items():
        if quantity in answer:
            estimate = answer[quantity]
            yield quantity, Held(estimate.value, estimate.low or 0.0, estimate.high or 0.0, truth)


def shapes(seeds: Sequence[int]) -> None:
    found: dict[tuple[str, str, str], list[Held]] = defaultdict(list)
    for seed in seeds:
        histories, truth = simulate_years(SHAPES, stream(seed, "shapes"))
        truths = {"phi": SHAPES.survival, "N.year 2": float(truth.alive[1]), "N_expected.year 2": _ANIMALS}
        data = {"both": histories, **{f"{p} alone": of_party(histories, p) for p in SHAPES.sides}}
        for whose, own in data.items():
            for model, settings in MODELS.items():
                for quantity, one in _tried(own, settings, truths):
                    found[whose, model, quantity].append(one)
    print(
        "| data | model | quantity | fits | median low-high | mean | truth | covered | median width | width / joint |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    joint = _width(found["both", "space and movement", "phi"])
    for (whose, model, quantity), all_held in found.items():
        # what one side's animals without space number is no number of the whole area: shown, not compared
        ratio = f"{_width(all_held) / joint:.2f}" if quantity == "phi" else ""
        print(f"| {whose} | {model} | {quantity} | {_row(all_held)} | {ratio} |")


def _tried(
    histories: Sequence[CaptureHistory], settings: OpenSettings, truths: Mapping[str, float]
) -> Iterator[tuple[str, Held]]:
    try:
        yield from held(asked(SHAPES, histories, settings), truths)
    except DidNotConverge as lost:
        print(f"not converged: {lost}")


def _width(all_held: Sequence[Held]) -> float:
    return float(np.median([h.high - h.low for h in all_held]))


def _row(all_held: Sequence[Held]) -> str:
    low, high, mean = np.median([h.low for h in all_held]), np.median([h.high for h in all_held]), _mean(all_held)
    truth = float(np.mean([h.truth for h in all_held]))
    covered = np.mean([h.low <= h.truth <= h.high for h in all_held])
    return (
        f"{len(all_held)} | {low:.4g}-{high:.4g} | {mean:.4g} | {truth:.4g} | {100 * covered:.0f} % "
        f"| {_width(all_held):.3g}"
    )


def _mean(all_held: Sequence[Held]) -> float:
    return float(np.mean([h.value for h in all_held]))


def coverage(seeds: Sequence[int]) -> None:
    print("| design | quantity | fits | median low-high | mean | truth | covered | median width |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, design in COVERAGE.items():
        found: dict[str, list[Held]] = defaultdict(list)
        lost = refused = 0
        for seed in seeds:
            histories, truth = simulate_years(design, stream(seed, name))
            truths = {"phi": design.survival, "f": design.recruits, "sigma_move": design.move_m}
            truths |= {"lambda": design.survival + design.recruits}
            truths |= {f"N.year {t + 1}": float(n) for t, n in enumerate(truth.alive)}
            try:
                answer = asked(design, histories, MODELS["space and movement"])
            except DidNotConverge:
                lost += 1
                continue
            refused += answer.refusal is not None
            for quantity, one in held(answer, truths):
                found[quantity].append(one)
        for quantity, all_held in found.items():
            print(f"| {name} | {quantity} | {_row(all_held)} |", flush=True)
        print(f"{name}: {lost} not converged, {refused} refused", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["shapes", "coverage"])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    chosen = parser.parse_args()
    start = time.process_time()
    seeds = range(chosen.first, chosen.first + chosen.seeds)
    (shapes if chosen.what == "shapes" else coverage)(seeds)
    print(f"{chosen.seeds} seeds, {time.process_time() - start:.0f} CPU-s")


if __name__ == "__main__":
    main()
