"""A node's deliveries read through their doors, and from the node's store: `assess` twice, and after a change.

    python benchmarks/reading.py [--datasets 1] [--rows 1000000] [--deployments 2000]

Makes a node with `datasets` Camtrap DP packages of `rows` media and observations each (seeded) and a question about
detection rates, and runs each line in a process of its own, with the store and as if there were none: the first run;
again, where nothing changed; with another setting, where everything is asked anew. Wall seconds, CPU seconds of all
threads, peak memory of the process (Linux). The last lines set the store's way beside the other ways of answering
"how often, where": the whole tables through the engine, one species through the engine, DuckDB over derived tables.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from camtrapdp import SPECIES, generate  # type: ignore[import-not-found]  # its neighbour: a script finds it
from sharedrange.assessment import surveys
from sharedrange.assessment.assessing import assess
from sharedrange.assessment.checking import check
from sharedrange.assessment.node import open_node
from sharedrange.assessment.surveys import Surveys
from sharedrange.exchange.store import Selection, Store
from sharedrange.population.rates import effort_table

PROGRAMME = """
[programme]
id = "benchmark"
title = "SIMULATED benchmark"
seed = 1
languages = ["en"]
simulated = true
[[parties]]
id = "west"
name = "West"
[[species]]
key = "cat"
taxon = "{taxon}"
names = {{ en = "cat" }}
[[components]]
id = "ridge"
title = "Ridge"
parties = ["west"]
species = ["cat"]
occasion_timezone = "UTC"
[[questions]]
id = "often"
engine = "population.rates"
component = "ridge"
species = "cat"
settings = {{ independence_minutes = {minutes} }}
"""


def make(node: Path, datasets: int, rows: int, deployments: int) -> None:
    """The node; every package is the same but for its name, for the time of reading does not depend on it."""
    for number in range(datasets):
        package = node / "own" / f"season{number}"
        package.mkdir(parents=True)
        generate(package, deployments, rows)
        about = 'party = "west"\nformat = "camtrap-dp"\n'
        (package / "delivery.toml").write_text(f"{about}# {number}\n", encoding="utf-8")
    (node / "node.toml").write_text('party = "west"\n', encoding="utf-8")
    ask(node, 30)


def ask(node: Path, minutes: int) -> None:
    """The question, with this interval between events."""
    text = PROGRAMME.format(taxon=SPECIES[0], minutes=minutes)
    (node / "programme.toml").write_text(text, encoding="utf-8")


def peak_mb() -> float:
    """Largest memory of this process (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def run(node: Path, what: str, *, store: bool) -> None:
    """One line of the table in this process; prints wall and CPU seconds, and memory in MB."""
    wall, cpu = time.perf_counter(), time.process_time()
    if store:
        DONE[what](node)
    else:
        with mock.patch.object(surveys, "_keep", return_value=False):
            DONE[what](node)
    print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu, peak_mb()]))


def whole_effort(node: Path) -> None:
    """Effort by deployment from whole tables."""
    opened = open_node(node)
    read = Surveys(opened)
    for delivered in opened.deliveries:
        effort_table(read.of(delivered))  # type: ignore[arg-type]  # every delivery here has a survey


def duck_effort(node: Path) -> None:
    """Effort by station and month from the derived tables."""
    Store(node / "work" / "store").effort()


def one_species(node: Path) -> None:
    """The observations of one species, as questions read them."""
    opened = open_node(node)
    read = Surveys(opened)
    for delivered in opened.deliveries:
        read.of(delivered, frozenset({SPECIES[0]}))


def duck_rates(node: Path) -> None:
    """Detection rates of one species from the derived tables."""
    Store(node / "work" / "store").rates(Selection(taxa=(SPECIES[0],)))


DONE: dict[str, Callable[[Path], object]] = {
    "assess": assess,
    "check": check,
    "effort, whole tables": whole_effort,
    "one species, Parquet": one_species,
    "derived tables, once": lambda node: Store(node / "work" / "store").derive(),
    "effort, DuckDB": duck_effort,
    "rates of one species, DuckDB": duck_rates,
}


def timed(node: Path, what: str, name: str, *, store: bool) -> None:
    """A line in a process of its own."""
    line = [sys.executable, __file__, "--node", str(node), "--run", what, *([] if store else ["--without"])]
    wall, cpu, peak = json.loads(subprocess.run(line, stdout=subprocess.PIPE, check=True).stdout)
    side = "store" if store else "doors"
    print(f"| {name} | {side} | {wall:.2f} | {cpu:.2f} | {peak:.0f} |", flush=True)


def main(node: Path, datasets: int, rows: int, deployments: int) -> None:
    make(node, datasets, rows, deployments)
    print("| what | from | seconds | CPU seconds | MB |\n| --- | --- | --- | --- | --- |")
    for store in (False, True):
        shutil.rmtree(node / "work", ignore_errors=True)
        ask(node, 30)
        timed(node, "assess", "assess, first", store=store)
        timed(node, "assess", "again, nothing changed", store=store)
        ask(node, 60)
        timed(node, "assess", "assess with another setting", store=store)
        timed(node, "check", "check", store=store)
    for what in list(DONE)[2:]:
        timed(node, what, what, store=True)
    size = sum(file.stat().st_size for file in (node / "work" / "store").rglob("*") if file.is_file())
    print(f"store {size / 1e6:.0f} MB, deliveries {sum(f.stat().st_size for f in node.glob('own/*/*')) / 1e6:.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--datasets", type=int, default=1)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--deployments", type=int, default=2_000)
    parser.add_argument("--node", type=Path)
    parser.add_argument("--run", choices=DONE)
    parser.add_argument("--without", action="store_true")
    given: Any = parser.parse_args()
    if given.run:
        run(given.node, given.run, store=not given.without)
    else:
        place = Path(tempfile.mkdtemp(prefix="reading-benchmark-"))
        try:
            main(place, given.datasets, given.rows, given.deployments)
        finally:
            shutil.rmtree(place)
