"""Time a large release between two nodes: sealed by its owner, opened by its recipient.

Usage: ``python benchmarks/releasing.py [--observations 1000000] [--resolution day] [--media] [--first] [--look]``.

A park is simulated: 2,000 stations, a year, and so many observations, one in twenty of a cat with a code; with
``--media`` each has a photograph. Its owner's node holds them as a Camtrap DP package. What is timed, each in a process
of its own, with its CPU-seconds and its peak memory:

- *first* (with ``--first``): read through its door for the first time, then all of *seal*, in one process;
- *seal*: released in cells of 0.1 degrees and periods, sealed, recorded and written, from the line to the file, of a
  delivery that lies in the node's store;
- *open*: every signature, hash and row verified, taken in and recorded;
- *look*: the attackers on what would leave (with ``--look``; a user sees a preview before sealing), and *look and
  seal*: as the command does it, which looks once more;
- beside it what people do today: the raw tables in a zip, encrypted with age, and the same way back. It withholds
  nothing, and nobody can tell who made it. The goal is 20 CPU-seconds and 1 GB for each of the first three.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import io
import json
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from sharedrange.assessment.sharing import Asked, Leaving
    from sharedrange.core.finding import Finding
    from sharedrange.core.survey import Survey

STATIONS, ANIMALS, CATS_SHARE, YEAR_S = 2000, 300, 0.05, 365 * 86_400
START, TODAY, NOW = datetime(2024, 1, 1, tzinfo=UTC), date(2026, 11, 22), "2026-11-22T10:00:00Z"
TIGER, BOAR = "Panthera tigris altaica", "Sus scrofa"
AGREEMENT, DATASET = "urn:agreement:westfell--secretariat:2026-01", "SIMULATED-large"
PROGRAMME = f"""
[programme]
id = "large"
title = "SIMULATED: a large release"
simulated = true
[[parties]]
id = "westfell"
name = "Westfell Park (invented)"
[[parties]]
id = "secretariat"
name = "Secretariat (invented)"
[[species]]
key = "tiger"
taxon = "{TIGER}"
[[species]]
key = "wild-boar"
taxon = "{BOAR}"
[[components]]
id = "range"
title = "SIMULATED: a range"
projection = "EPSG:6933"
"""
TEXT = f"""
agreement = 1
id = "{AGREEMENT}"
title = "SIMULATED: a large release"
owner = "westfell"
recipients = ["secretariat"]
purposes = ["treaty-report"]
approved_by = "westfell/data-steward"

[valid]
start = 2026-01-01
end = 2027-12-31

[[rules]]
id = "cats"
taxa = ["{TIGER}", "{BOAR}"]
cell = 0.1
least_stations = 2
delay_days = 90
resolution = "RESOLUTION"
identity = "pseudonym"

[rules.tables]
stations = ["camera_type", "detector"]
effort = []
encounters = ["individual", "catalogue", "sex", "life_stage", "flank", "encounters"]
"""


# --- two nodes ---
# What a stage needs of the package is imported in it: each stage is a process that pays for its own imports alone.


def make(root: Path, observations: int, resolution: str, *, media: bool = False) -> None:
    """Both nodes, with keys, an agreement that both signed, and the owner's delivery."""
    from sharedrange.assessment import sharing
    from sharedrange.exchange import camtrapdp

    text, nodes = root / "westfell.toml", [root / "westfell", root / "secretariat"]
    text.write_text(TEXT.replace("RESOLUTION", resolution), encoding="utf-8")
    for node in nodes:
        (node / "agreements").mkdir(parents=True)
        (node / "node.toml").write_text(f'party = "{node.name}"\n', encoding="utf-8")
        (node / "programme.toml").write_text(PROGRAMME, encoding="utf-8")
        sharing.make_keys(node)
    for node, other in (nodes, nodes[::-1]):
        card = sharing.card(other)
        sharing.trust(node, card, compared=card.fingerprint, recorded_at=NOW)
        sharing.sign_agreement(node, str(text), by=f"{node.name}/director", recorded_at=NOW, today=TODAY)
    for node, other in (nodes, nodes[::-1]):
        sharing.take_carried(other, sharing.carry(node, other.name, root))
    survey = simulated(observations, np.random.default_rng(1))
    survey = with_media(survey) if media else survey
    camtrapdp.write(
        survey, nodes[0] / "own" / DATASET, title="SIMULATED: a large park", created=NOW, prefix="SIMULATED-"
    )


def simulated(n: int, rng: np.random.Generator) -> Survey:
    """A park of 2,000 stations in cells of 0.1 degrees, watched for a year."""
    from sharedrange.core.survey import DEPLOYMENTS, OBSERVATIONS, Survey, conform

    names = [f"W{i:04}" for i in range(STATIONS)]
    deployments = pl.DataFrame({"deployment": names, "station": names, "detector": "count"}).with_columns(
        x=pl.Series(118 + 3 * rng.random(STATIONS)), y=pl.Series(46 + 3 * rng.random(STATIONS)), uncertainty_m=10.0,
        start=pl.lit(START), end=pl.lit(START + timedelta(seconds=YEAR_S + 3600)), camera_type=pl.lit("paired"),
    )  # fmt: skip
    is_cat = pl.Series(rng.random(n) < CATS_SHARE)
    begin, animal = (
        pl.lit(START) + pl.duration(seconds="second"),
        pl.format("T{}", pl.Series(rng.integers(0, ANIMALS, n))),
    )
    rows = {
        "observation": np.arange(n),
        "at": rng.integers(0, STATIONS, n),
        "second": np.sort(rng.integers(0, YEAR_S, n)),
    }
    observations = pl.DataFrame(rows).select(
        observation=pl.format("o{}", "observation"),
        event=pl.format("e{}", "observation"),
        deployment=pl.col("at").replace_strict(dict(enumerate(names)), return_dtype=pl.String),
        start=begin,
        end=begin,
        type=pl.lit("animal"),
        taxon=pl.when(is_cat).then(pl.lit(TIGER)).otherwise(pl.lit(BOAR)),
        individual=pl.when(is_cat).then(animal),
    )
    observations = observations.with_columns(start_text=pl.col("start").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return Survey(
        "westfell",
        DATASET,
        "EPSG:4326",
        dated=True,
        deployments=conform(deployments, DEPLOYMENTS),
        observations=conform(observations, OBSERVATIONS),
    )


def with_media(survey: Survey) -> Survey:
    """The same, with a photograph of each observation."""
    from sharedrange.core.survey import MEDIA, conform

    path = pl.format("DCIM/{}/{}.JPG", "deployment", "observation")
    seen = survey.observations.with_columns(media=pl.format("m{}-{}", "deployment", "observation"))
    media = seen.with_columns(taken="start", taken_text="start_text", path=path)
    return survey.with_tables(observations=seen, media=conform(media, MEDIA))


# --- stages ---


def asked() -> Asked:
    from sharedrange.assessment.sharing import Asked

    return Asked(DATASET, AGREEMENT, "secretariat", "treaty-report", TODAY)


def read(root: Path) -> Mapping[str, object]:
    from sharedrange.assessment import sharing

    leaving = sharing.what_would_leave(root / "westfell", asked())
    return {"rows": sum(table.height for table in leaving.released.tables.values())}


def look(root: Path) -> Mapping[str, object]:
    from sharedrange.assessment import sharing

    return {"attacks": len(sharing.preview(root / "westfell", asked()).attacks)}


def first(root: Path) -> Mapping[str, object]:
    return seal(root, out="first")


def look_and_seal(root: Path) -> Mapping[str, object]:
    from sharedrange.assessment import sharing

    return seal(root, out="looked", check=lambda leaving: sharing.look_at(leaving).findings)


def seal(
    root: Path, out: str = "", check: Callable[[Leaving], Sequence[Finding]] = lambda _: ()
) -> Mapping[str, object]:
    from sharedrange.assessment import sharing

    made = sharing.seal_release(
        root / "westfell", asked(), approved_by="westfell/data-steward", recorded_at=NOW, check=check,
        out=root / out,
    )  # fmt: skip
    return {"rows": sum(made.rows.values()), "mb": made.file.stat().st_size / 1e6}


def open_(root: Path) -> Mapping[str, object]:
    from sharedrange.assessment import sharing

    (file,) = root.glob("*.age")
    taken = sharing.open_package(root / "secretariat", file, on=TODAY, recorded_at=NOW)
    return {"rows": sum(taken.package.rows.values())}


def zip_and_age(root: Path) -> Mapping[str, object]:
    """The raw tables as people send them: all that there is, in one archive, encrypted."""
    import pyrage

    identity = pyrage.x25519.Identity.generate()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted((root / "westfell" / "own" / DATASET).glob("*.csv")):
            archive.write(file, file.name)
    content = pyrage.encrypt(buffer.getvalue(), [identity.to_public()])
    (root / "raw.zip.encrypted").write_bytes(content)
    (root / "raw.identity").write_text(str(identity), encoding="utf-8")
    return {"mb": len(content) / 1e6}


def age_and_unzip(root: Path) -> Mapping[str, object]:
    import pyrage

    identity = pyrage.x25519.Identity.from_str((root / "raw.identity").read_text(encoding="utf-8"))
    plain = pyrage.decrypt((root / "raw.zip.encrypted").read_bytes(), [identity])
    with zipfile.ZipFile(io.BytesIO(plain)) as archive:
        archive.extractall(root / "raw")
    (file,) = (root / "raw").glob("*-observations.csv")
    return {"rows": pl.read_csv(file, infer_schema=False).height}


STAGES: Mapping[str, Callable[[Path], Mapping[str, object]]] = {
    "first": first, "read": read, "look": look, "look and seal": look_and_seal, "seal": seal, "open": open_,
    "zip + age": zip_and_age, "age + unzip": age_and_unzip,
}  # fmt: skip


def staged(name: str, root: Path) -> dict[str, float]:
    """What one stage costs, in a process of its own: CPU-seconds, seconds, peak memory in MB, and what it says."""
    line = [sys.executable, __file__, "--stage", name, "--folder", str(root)]
    begin = time.perf_counter()
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    return {**json.loads(done.stdout), "wall_s": time.perf_counter() - begin}


def spent() -> dict[str, float]:
    """CPU-seconds and peak memory of this process. The system's own peak counts what the parent held at the fork."""
    used, status = resource.getrusage(resource.RUSAGE_SELF), Path("/proc/self/status")
    peak = re.search(r"VmHWM:\s+(\d+)", status.read_text(encoding="ascii")) if status.exists() else None
    return {"cpu_s": used.ru_utime + used.ru_stime, "peak_mb": (int(peak[1]) if peak else used.ru_maxrss) / 1024}


def compare(root: Path, wanted: list[str]) -> None:
    """A line a stage, and the ratios to what people do today."""
    costs = {name: staged(name, root) for name in STAGES if name in wanted}
    for name, cost in costs.items():
        said = ", ".join(f"{key} {value:,.0f}" for key, value in cost.items() if key in ("rows", "mb", "attacks"))
        print(f"{name:12} {cost['cpu_s']:6.2f} CPU-s {cost['wall_s']:6.2f} s {cost['peak_mb']:6.0f} MiB   {said}")
    for ours, theirs in (("seal", "zip + age"), ("open", "age + unzip")):
        ratio = costs[ours]["cpu_s"] / costs[theirs]["cpu_s"]
        print(f"{ours} / {theirs}: {ratio:.2f} times the CPU-seconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--observations", type=int, default=1_000_000)
    parser.add_argument("--resolution", default="day", choices=("day", "week", "month", "quarter", "year"))
    parser.add_argument("--folder", type=Path, help="where the nodes are made and stay; default: a temporary one")
    parser.add_argument("--media", action="store_true", help="a photograph of each observation")
    parser.add_argument("--first", action="store_true", help="time the first reading of the delivery too")
    parser.add_argument("--look", action="store_true", help="time the attackers too")
    parser.add_argument("--stage", choices=tuple(STAGES), help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.stage:
        print(json.dumps({**STAGES[told.stage](told.folder), **spent()}))
        return
    root = told.folder or Path(tempfile.mkdtemp(prefix="sharedrange-releasing-"))
    root.mkdir(parents=True, exist_ok=True)
    try:
        make(root, told.observations, told.resolution, media=told.media)
        if not told.first:
            staged("read", root)  # so that the delivery lies in the store
        compare(root, [name for name in STAGES if name != "read" and getattr(told, name.partition(" ")[0], True)])
    finally:
        if told.folder is None:
            shutil.rmtree(root)


if __name__ == "__main__":
    main()
