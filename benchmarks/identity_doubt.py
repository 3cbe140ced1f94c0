"""Who is who, in doubt: the joint estimate of `population.doubt` beside what people do instead.

Simulated animals whose number is known are photographed by single cameras: an encounter shows both flanks, the left or
the right; an animal never seen from both at once has a name a flank (--design flanks). Or every encounter is given a
name of its own by mistake with some chance (--design ghosts --error 0.125). Five answers are compared:

    decided      every name an animal
    larger       names of one flank only left out, those of the flank with fewer names (flanks only)
    evidence     drawn partitions, places and dates ignored
    places       drawn partitions weighted by places and dates: population.doubt
    truth        the true identities: what nobody has

    python benchmarks/identity_doubt.py --populations 200
    python benchmarks/identity_doubt.py --design ghosts --error 0.125
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sharedrange.core.answer import Answer, Scope
from sharedrange.core.chance import stream
from sharedrange.core.history import CAPTURES, DETECTORS, INDIVIDUALS, CaptureHistory
from sharedrange.core.places import Mask
from sharedrange.core.progress import silent
from sharedrange.core.survey import conform
from sharedrange.population import doubt, scr

Floats = NDArray[np.float64]

SPACING_M, SIDE_M, SIGMA_M, LAMBDA0, OCCASIONS = 1_500.0, 30_000.0, 2_500.0, 0.12, 10
EXPECTED = 40
BOTH = 0.3
SCOPE = Scope(taxon="SIMULATED", place="here", period="then")
PLAIN = {"density": "pooled", "lambda0": (), "sigma": (), "pool_alpha": 0.0}
NOT_A_LABEL = "a picture without a label"


@dataclass(frozen=True)
class Population:
    """One simulated population: its true number, its mask, what was recorded, and the doubts about it."""

    animals: int
    mask: Mask
    labelled: CaptureHistory
    true: CaptureHistory
    doubts: doubt.Doubts


def mask() -> Mask:
    """A square of ground on one side."""
    along = np.arange(SPACING_M / 2, SIDE_M, SPACING_M)
    x, y = (a.ravel() for a in np.meshgrid(along, along))
    return Mask(x, y, (SPACING_M / 1000) ** 2, np.full(x.shape, "here"), np.ones(x.shape, dtype=bool))


def detectors() -> pl.DataFrame:
    """Thirty-six cameras in the middle of it."""
    along = np.arange(9_000.0, 22_000.0, 2_500.0)
    x, y = (a.ravel() for a in np.meshgrid(along, along))
    names = [f"camera {j}" for j in range(len(x))]
    return conform(pl.DataFrame({"detector": names, "party": "here", "x_m": x, "y_m": y}), DETECTORS)


def encounters(rng: np.random.Generator) -> tuple[int, pl.DataFrame]:
    """The number of animals, and who met which camera when: columns animal, detector, occasion (a row an encounter)."""
    cameras, number = detectors(), int(rng.poisson(EXPECTED))
    x, y = rng.uniform(0.0, SIDE_M, (2, number))
    away2 = (x[:, None] - cameras["x_m"].to_numpy()) ** 2 + (y[:, None] - cameras["y_m"].to_numpy()) ** 2
    met = rng.poisson(np.repeat((LAMBDA0 * np.exp(-away2 / (2 * SIGMA_M**2)))[:, :, None], OCCASIONS, axis=2))
    animal, camera, occasion = (np.repeat(where, met[met > 0]) for where in np.nonzero(met))
    rows = {"animal": animal.astype(str), "detector": cameras["detector"].gather(camera), "occasion": occasion + 1}
    return number, pl.DataFrame(rows)


def history(rows: pl.DataFrame, label: str) -> CaptureHistory:
    """Encounters as a capture history of the names in column `label`."""
    named = rows.rename({label: "individual"})
    captures = named.group_by("individual", "detector", "occasion").agg(count=pl.len())
    captures = conform(captures, CAPTURES).sort("individual", "detector", "occasion")
    people = conform(captures.select("individual").unique().sort("individual"), INDIVIDUALS)
    cameras = detectors()
    return CaptureHistory("SIMULATED", "count", cameras, people, captures, np.ones((cameras.height, OCCASIONS)))


def with_flanks(seed: int) -> Population:
    """Single cameras: an animal never seen from both flanks at once has a name a flank."""
    rng = stream(seed, "flanks")
    number, rows = encounters(rng)
    shown = rng.choice(["both", "left", "right"], size=rows.height, p=[BOTH, (1 - BOTH) / 2, (1 - BOTH) / 2])
    rows = rows.with_columns(flank=pl.Series(shown))
    known = (pl.col("flank") == "both").any().over("animal")
    label = pl.when(known).then("animal").otherwise(pl.concat_str("animal", "flank", separator="/"))
    rows = rows.with_columns(label=label)
    return Population(number, mask(), history(rows, "label"), history(rows, "animal"), _flank_doubts(rows))


def _flank_doubts(rows: pl.DataFrame) -> doubt.Doubts:
    names = sorted(rows["label"].unique())
    left, right = ([n for n in names if n.endswith(f"/{flank}")] for flank in ("left", "right"))
    compared = [p for names in (left, right) for p in itertools.combinations(names, 2)]
    pairs = tuple(doubt.DoubtfulPair(a, b) for a in left for b in right)
    return doubt.Doubts(pairs, frozenset(frozenset(p) for p in compared))


def with_ghosts(seed: int, error: float) -> Population:
    """Every encounter is given a name of its own with chance `error`."""
    rng = stream(seed, "ghosts")
    number, rows = encounters(rng)
    wrong = pl.Series(rng.random(rows.height) < error)
    ghost = pl.concat_str(pl.lit("ghost "), pl.int_range(pl.len()))
    rows = rows.with_columns(label=pl.when(wrong).then(ghost).otherwise("animal"))
    return Population(number, mask(), history(rows, "label"), history(rows, "animal"), doubt.Doubts(()))


def larger_flank(made: Population) -> CaptureHistory:
    """The names of one flank only, of the flank that has fewer, left out."""
    names = made.labelled.individuals["individual"]
    fewer = min(("/left", "/right"), key=lambda flank: names.str.ends_with(flank).sum())
    kept = ~pl.col("individual").str.ends_with(fewer)
    return replace(
        made.labelled,
        individuals=made.labelled.individuals.filter(kept),
        captures=made.labelled.captures.filter(kept),
    )


def spatial(made: Population, caught: CaptureHistory) -> Answer:
    """The plain answer of population.scr."""
    inputs = scr.ScrInputs((caught,), (made.mask,), ("here",), SCOPE)
    return scr.ENGINE.answer(inputs, scr.ScrSettings(**PLAIN), rng=stream(1, "scr"), progress=silent)  # type: ignore[arg-type]  # settings of mixed types


def answers(made: Population, seed: int, error: float, draws: int) -> Iterator[tuple[str, float, float, float]]:
    """(answer, N, low, high) of each way to treat the doubt."""
    inputs = doubt.DoubtInputs(scr.ScrInputs((made.labelled,), (made.mask,), ("here",), SCOPE), made.doubts)
    asked = doubt.DoubtSettings(**PLAIN, draws=draws, burn_in=5, mislabelled=error)  # type: ignore[arg-type]  # settings of mixed types
    said = doubt.ENGINE.answer(inputs, asked, rng=stream(seed, "draws"), progress=silent)
    table = said.tables["identity"].filter(pl.col("quantity") == "N")
    rows = {row[1]: row[2:5] for row in table.iter_rows()}
    yield ("decided", *rows["decided"])
    if not error:
        yield ("larger", *_numbers(spatial(made, larger_flank(made))))
    yield ("evidence", *rows.get("evidence", rows["decided"]))
    yield ("places", *_numbers(said))
    yield ("truth", *_numbers(spatial(made, made.true)))


def _numbers(answer: Answer) -> tuple[float, float, float]:
    n = answer["N"]
    return n.value, n.value if n.low is None else n.low, n.value if n.high is None else n.high


def simulate(populations: int, error: float, draws: int) -> tuple[pl.DataFrame, int]:
    """One row an answer and population; and how many populations gave none."""
    rows, without = [], 0
    for seed in range(populations):
        made = with_ghosts(seed, error) if error else with_flanks(seed)
        try:
            rows += [(seed, made.animals, *row) for row in answers(made, seed, error, draws)]
        except KeyError:  # refused: too thin
            without += 1
    return pl.DataFrame(rows, schema=["seed", "animals", "answer", "N", "low", "high"], orient="row"), without


def summary(rows: pl.DataFrame) -> pl.DataFrame:
    """Bias, error and coverage of each answer."""
    covers = (pl.col("low") <= pl.col("animals")) & (pl.col("animals") <= pl.col("high"))
    error = pl.col("N") - pl.col("animals")
    return rows.group_by("answer", maintain_order=True).agg(
        bias_pct=(100 * error.sum() / pl.col("animals").sum()).round(1),
        rmse=(error**2).mean().sqrt().round(1),
        coverage_pct=(100 * covers.mean()).round(1),
        width=(pl.col("high") - pl.col("low")).mean().round(1),
    )


def main() -> None:
    """Print the table."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--populations", type=int, default=100)
    asked.add_argument("--design", choices=["flanks", "ghosts"], default="flanks")
    asked.add_argument("--error", type=float, default=0.125)
    asked.add_argument("--draws", type=int, default=20)
    told = asked.parse_args()
    began = time.process_time()
    rows, without = simulate(told.populations, told.error if told.design == "ghosts" else 0.0, told.draws)
    spent = time.process_time() - began
    print(summary(rows))
    print(f"{told.populations} populations, {without} refused; {spent / told.populations:.2f} CPU-s each (SIMULATED)")


if __name__ == "__main__":
    main()
