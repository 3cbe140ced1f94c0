"""Benchmark: the validator beside Frictionless, on a generated package of a national size.

``python benchmarks/camtrapdp.py [--media N] [--deployments N] [--frictionless N]``: ours checks all of it in a process
of its own; Frictionless checks a package of the same kind with fewer media in another, and its time is taken per row.
CPU seconds are user and system time of the process, all threads; memory is its largest resident size (Linux).
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from sharedrange.core.chance import stream

SEED = 20240601
EPOCH_S = 1_700_000_000  # 14 November 2023
DAY_S = 86_400
SPECIES = ("Panthera uncia", "Lynx lynx", "Capra sibirica", "Ovis ammon", "Vulpes vulpes", "Marmota baibacina")
VERSION = "1.0.2"
SCHEMAS = Path(__file__).parent.parent / "tests" / "data" / "exchange" / "camtrapdp_schemas"
TABLES = ("deployments", "media", "observations")
ABOUT: Mapping[str, object] = {
    "created": "2026-01-01T00:00:00Z",
    "contributors": [{"title": "Generated", "role": "contact"}],
    "project": {
        "title": "Generated",
        "samplingDesign": "systematicRandom",
        "captureMethod": ["activityDetection"],
        "individualAnimals": False,
        "observationLevel": ["media", "event"],
    },
    "spatial": {"type": "Polygon", "coordinates": []},
    "temporal": {"start": "2023-11-14", "end": "2024-10-01"},
    "taxonomic": [{"scientificName": name} for name in SPECIES],
}
"""What the standard's profile asks a package to say of itself."""


# --- the package ---


def generate(folder: Path, n_deployments: int, n_media: int) -> None:
    """Write a package without a defect: as many observations as media, two in three of them on media."""
    rng = stream(SEED, "benchmarks.camtrapdp")
    deployments = _deployments(rng, n_deployments)
    media = _media(rng, deployments, n_media)
    tables = {
        "deployments": deployments.drop("start s"),
        "media": media.drop("taken s"),
        "observations": _observations(rng, media),
    }
    for name, table in tables.items():
        schema = json.loads((SCHEMAS / f"{name}-table-schema.json").read_text())
        names = [field["name"] for field in schema["fields"]]
        lacking = [pl.lit(None, dtype=pl.String).alias(n) for n in names if n not in table.columns]
        table.with_columns(lacking).select(names).write_csv(folder / f"{name}.csv")
    write_package(folder)


def write_package(folder: Path) -> None:
    """datapackage.json with the schemas beside it, so that nobody needs a network."""
    resources = []
    for name in TABLES:
        shutil.copy(SCHEMAS / f"{name}-table-schema.json", folder / f"{name}-table-schema.json")
        resources.append(
            {
                "name": name,
                "path": f"{name}.csv",
                "profile": "tabular-data-resource",
                "format": "csv",
                "encoding": "utf-8",
                "schema": f"{name}-table-schema.json",
            }
        )
    profile = f"https://raw.githubusercontent.com/tdwg/camtrap-dp/{VERSION}/camtrap-dp-profile.json"
    package = {**ABOUT, "name": "generated", "profile": profile, "resources": resources}
    (folder / "datapackage.json").write_text(json.dumps(package))


def _ids(rng: Generator, count: int) -> pl.Series:
    """Identifiers of 36 characters, as the large platforms write them."""
    digits = rng.bytes(16 * count).hex()
    parts = pl.Series([digits[32 * k : 32 * k + 32] for k in range(count)])
    return (
        parts.to_frame("id")
        .select(
            pl.concat_str(
                [pl.col("id").str.slice(a, n) for a, n in ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))], separator="-"
            )
        )
        .to_series()
    )


def _when(seconds: NDArray[np.int64]) -> pl.Series:
    return pl.Series(seconds * 1_000_000).cast(pl.Datetime("us")).dt.strftime("%Y-%m-%dT%H:%M:%S+06:00")


def _deployments(rng: Generator, count: int) -> pl.DataFrame:
    start = EPOCH_S + rng.integers(0, 200, count) * DAY_S
    station = np.arange(count) // 2
    return pl.DataFrame(
        {
            "deploymentID": _ids(rng, count),
            "locationID": [f"L{k:05d}" for k in station],
            "locationName": [f"Valley, side {k % 7}" for k in station],  # the comma makes quotes
            "latitude": np.round(48 + (station % 300) / 100, 5),
            "longitude": np.round(86 + (station // 300) / 100 + (np.arange(count) % 2) * 1e-5, 5),
            "coordinateUncertainty": 30,
            "deploymentStart": _when(start),
            "deploymentEnd": _when(start + 120 * DAY_S),
            "cameraID": [f"C{k:05d}" for k in range(count)],
            "cameraModel": "Maker-Model 1",
            "cameraHeight": 0.5,
            "timestampIssues": "false",
            "baitUse": "false",
            "start s": start,
        }
    )


def _media(rng: Generator, deployments: pl.DataFrame, count: int) -> pl.DataFrame:
    at = np.sort(rng.integers(0, deployments.height, count))
    taken = deployments["start s"].to_numpy()[at] + rng.integers(0, 119 * DAY_S, count)
    ids = _ids(rng, count)
    return pl.DataFrame(
        {
            "mediaID": ids,
            "deploymentID": deployments["deploymentID"].gather(at),
            "captureMethod": "activityDetection",
            "timestamp": _when(taken),
            "filePath": "https://media.example.org/assets/" + ids + "/file",
            "filePublic": np.where(rng.random(count) < 0.95, "true", "false"),
            "fileName": pl.Series([f"IMG_{k:07d}.JPG" for k in range(count)]),
            "fileMediatype": "image/jpeg",
            "taken s": taken,
        }
    )


def _observations(rng: Generator, media: pl.DataFrame) -> pl.DataFrame:
    count = media.height
    on_media, machine = rng.random(count) < 2 / 3, rng.random(count) < 0.6
    animal, noted = rng.random(count) < 0.7, rng.random(count) < 0.02
    taken = media["taken s"].to_numpy()
    return pl.DataFrame(
        {
            "observationID": _ids(rng, count),
            "deploymentID": media["deploymentID"],
            "mediaID": _where(on_media, media["mediaID"]),
            "eventID": _ids(rng, count // 3 + 1).gather(np.arange(count) // 3),
            "eventStart": media["timestamp"],
            "eventEnd": _when(taken + np.where(on_media, 0, 30)),
            "observationLevel": np.where(on_media, "media", "event"),
            "observationType": np.where(animal, "animal", "blank"),
            "scientificName": _where(animal, pl.Series(SPECIES).gather(rng.integers(0, len(SPECIES), count))),
            "count": _where(animal, pl.Series(["1"])),
            "lifeStage": _where(animal & machine, pl.Series(["adult"])),
            "classificationMethod": np.where(machine, "machine", "human"),
            "classifiedBy": np.where(machine, "Detector 5", "A. Person"),
            "classificationTimestamp": _when(taken + 90 * DAY_S),
            "classificationProbability": np.round(rng.random(count), 3),
            "observationComments": _where(noted, pl.Series(['seen before, said "perhaps"'])),
        }
    )


def _where(mask: NDArray[np.bool_], values: pl.Series) -> pl.Series:
    """`values` where the mask says so, else nothing."""
    return pl.select(pl.when(pl.Series(mask)).then(pl.lit(values if len(values) > 1 else values[0]))).to_series()


# --- the two sides, each in a process of its own ---


def ours(folder: Path) -> dict[str, float]:
    """The validator: everything of the schemas, and everything that the tables say about each other."""
    from sharedrange.exchange.camtrapdp import validate
    from sharedrange.exchange.delivery import Delivery

    checked, found = validate(folder, Delivery("north", "generated", "camtrap-dp"))
    assert checked is not None
    assert {finding.rule for finding in found} <= {"not-carried"}, [str(f) for f in found[:5]]
    return {"rows": float(checked.deployments.height + checked.media.height + checked.observations.height)}


def frictionless(folder: Path) -> dict[str, float]:
    """The reference implementation, told that the package is to be trusted, its profile left out (it is remote)."""
    from frictionless import Package, system

    descriptor = json.loads((folder / "datapackage.json").read_text())
    for key in ("profile", *ABOUT):
        del descriptor[key]
    (folder / "frictionless.json").write_text(json.dumps(descriptor))
    with system.use_context(trusted=True):
        report = Package(str(folder / "frictionless.json")).validate()
    assert report.valid
    return {"rows": float(sum(task.stats["rows"] for task in report.tasks))}


SIDES = {"ours": ours, "frictionless": frictionless}


def measured(side: str, folder: Path) -> dict[str, float]:
    """Rows, CPU and wall seconds, and peak memory in MiB of one side; starting Python and imports are not counted."""
    answer = subprocess.run(  # the same interpreter, this file
        [sys.executable, __file__, "--side", side, "--folder", str(folder)], check=True, capture_output=True, text=True
    )
    result: dict[str, float] = json.loads(answer.stdout)
    return result


def _run_side(side: str, folder: Path) -> None:
    import sharedrange.exchange.camtrapdp  # noqa: F401  # both sides start with their imports done

    if side == "frictionless":
        import frictionless as _  # noqa: F401
    before, wall = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    told = SIDES[side](folder)
    after = resource.getrusage(resource.RUSAGE_SELF)
    told["cpu_s"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    told["wall_s"] = time.perf_counter() - wall
    told["peak_mib"] = _peak_mib()
    print(json.dumps(told))


def _peak_mib() -> float:
    """Largest resident size of this process alone; what `getrusage` says may be the parent's."""
    status = Path("/proc/self/status").read_text()
    return float(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=int, default=1_000_000)
    parser.add_argument("--deployments", type=int, default=2_000)
    parser.add_argument(
        "--frictionless", type=int, default=20_000, help="media of the package that Frictionless checks"
    )
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--side", choices=SIDES)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    if asked.side:
        _run_side(asked.side, asked.folder)
        return
    with tempfile.TemporaryDirectory() as scratch:
        large, small = Path(scratch) / "large", Path(scratch) / "small"
        for folder, media in ((large, asked.media), (small, asked.frictionless)):
            folder.mkdir()
            generate(folder, asked.deployments, media)
        _report([(measured("ours", large), measured("frictionless", small)) for _ in range(asked.repeat)])


def _report(runs: list[tuple[dict[str, float], dict[str, float]]]) -> None:
    print("| run | | rows | CPU s | wall s | peak MiB | rows per CPU s | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for number, (we, they) in enumerate(runs, start=1):
        ratio = (we["rows"] / we["cpu_s"]) / (they["rows"] / they["cpu_s"])
        for name, told in (("ours", we), ("Frictionless", they)):
            speed = told["rows"] / told["cpu_s"]
            cost = f"{told['rows']:,.0f} | {told['cpu_s']:.2f} | {told['wall_s']:.2f} | {told['peak_mib']:,.0f}"
            print(f"| {number} | {name} | {cost} | {speed:,.0f} | {f'{ratio:.1f}' if name == 'ours' else ''} |")


if __name__ == "__main__":
    main()
