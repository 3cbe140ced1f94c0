"""Time pictures between two nodes: crops of animals released and sealed by their owner, opened by their recipient.

Usage: ``python benchmarks/picturing.py [--pictures 5000] [--originals]``.

A park is simulated whose delivery, a Camtrap DP package, has so many pictures of 12 megapixels, each with a box
around one animal (a hundred files of smooth noise and grain as large as those of cameras, taken in turn). What is
timed, each in a process of its own, with its CPU-seconds and its peak memory:

- *seal*: every picture cut to its animal, masked and made anew, sealed, recorded and written;
- *open*: every signature, hash and form verified, taken in and recorded;
- beside it what people do today: each picture cropped with Pillow and made smaller, all in a zip, encrypted with age,
  and the same way back. It masks nothing, keeps colour profiles, and nobody can tell who made it.
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
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from sharedrange.assessment.sharing import Asked

FILES, WIDTH, HEIGHT, ANIMALS = 100, 4000, 3000, 60
BOX = (0.3, 0.35, 0.4, 0.3)  # x, y, width, height: an animal some metres from its camera
START = datetime(2024, 1, 1, tzinfo=UTC)
LONGEST, QUALITY = 512, 85  # by hand: as the program does
TODAY, NOW = date(2026, 11, 22), "2026-11-22T10:00:00Z"
TIGER, DATASET = "Panthera tigris altaica", "SIMULATED-pictures"
AGREEMENT = "urn:agreement:westfell--secretariat:2026-01"
PROGRAMME = f"""
[programme]
id = "pictures"
title = "SIMULATED: pictures"
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
[[components]]
id = "range"
title = "SIMULATED: a range"
projection = "EPSG:6933"
"""
TEXT = f"""
agreement = 1
id = "{AGREEMENT}"
title = "SIMULATED: pictures"
owner = "westfell"
recipients = ["secretariat"]
purposes = ["treaty-report"]
approved_by = "westfell/data-steward"

[valid]
start = 2026-01-01
end = 2027-12-31

[[rules]]
id = "flanks"
taxa = ["{TIGER}"]
delay_days = 90
resolution = "quarter"
identity = "pseudonym"
media = "MEDIA"

[rules.tables]
pictures = ["individual", "catalogue", "sex", "flank"]
"""


def make(root: Path, pictures: int, media: str) -> None:
    """Both nodes, with keys, an agreement about pictures that both signed, and the owner's delivery."""
    from sharedrange.assessment import sharing

    text, nodes = root / "westfell.toml", [root / "westfell", root / "secretariat"]
    text.write_text(TEXT.replace("MEDIA", media), encoding="utf-8")
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
    deliver(nodes[0] / "own" / DATASET, pictures)


def deliver(folder: Path, pictures: int) -> None:
    """A package of one camera that took all the pictures."""
    from sharedrange.core.survey import DEPLOYMENTS, MEDIA, OBSERVATIONS, Survey, conform
    from sharedrange.exchange import camtrapdp

    taken = [START + timedelta(minutes=k) for k in range(pictures)]
    end = START + timedelta(minutes=pictures)
    camera = {"deployment": ["d"], "station": ["s"], "x": [118.5], "y": [46.5], "start": [START], "end": [end]}
    rows = pl.DataFrame({"k": range(pictures), "taken": taken}).with_columns(
        media=pl.format("m{}", "k"), observation=pl.format("o{}", "k"), deployment=pl.lit("d"),
        path=pl.format("media/{}.jpg", pl.col("k") % FILES), start="taken", end="taken", type=pl.lit("animal"),
        taxon=pl.lit(TIGER), individual=pl.format("T{}", pl.col("k") % ANIMALS), flank=pl.lit("left"),
    )  # fmt: skip
    survey = Survey(
        "westfell", DATASET, "EPSG:4326", dated=True, deployments=conform(pl.DataFrame(camera), DEPLOYMENTS),
        observations=conform(rows, OBSERVATIONS), media=conform(rows, MEDIA),
    )  # fmt: skip
    camtrapdp.write(survey, folder, title="SIMULATED: pictures", created=NOW)
    table = pl.read_csv(folder / "observations.csv", infer_schema=False)
    boxes = dict(zip(("bboxX", "bboxY", "bboxWidth", "bboxHeight"), map(str, BOX), strict=True))
    told = {**boxes, "observationLevel": "media"}
    table.with_columns(pl.lit(text).alias(name) for name, text in told.items()).write_csv(folder / "observations.csv")
    draw(folder / "media", np.random.default_rng(1))


def draw(folder: Path, rng: np.random.Generator) -> None:
    """Files as large as a camera's: soft shapes, and grain that compresses badly."""
    from PIL import Image

    folder.mkdir()
    for k in range(FILES):
        soft = Image.fromarray(rng.integers(40, 200, (HEIGHT // 40, WIDTH // 40, 3), dtype=np.uint8))
        pixels = np.asarray(soft.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), dtype=np.int16)
        grain = rng.integers(-9, 10, (HEIGHT, WIDTH, 1), dtype=np.int16)
        Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8)).save(folder / f"{k}.jpg", quality=88)


# --- stages ---


def asked() -> Asked:
    from sharedrange.assessment.sharing import Asked

    return Asked(DATASET, AGREEMENT, "secretariat", "treaty-report", TODAY)


def seal(root: Path) -> Mapping[str, object]:
    from sharedrange.assessment import sharing

    made = sharing.seal_release(
        root / "westfell", asked(), approved_by="westfell/data-steward", recorded_at=NOW, check=lambda _: (), out=root
    )
    return {"pictures": sum(made.rows.values()), "mb": made.file.stat().st_size / 1e6}


def open_(root: Path) -> Mapping[str, object]:
    from sharedrange.assessment import sharing

    (file,) = root.glob("*.age")
    taken = sharing.open_package(root / "secretariat", file, on=TODAY, recorded_at=NOW)
    return {"pictures": sum(taken.package.rows.values())}


def crop_zip_and_age(root: Path) -> Mapping[str, object]:
    """Pictures as people cut them: the box, made smaller, in an archive, encrypted."""
    import pyrage

    identity = pyrage.x25519.Identity.generate()
    folder, buffer = root / "westfell" / "own" / DATASET, io.BytesIO()
    names = pl.read_csv(folder / "media.csv", infer_schema=False)["filePath"]
    with zipfile.ZipFile(buffer, "w") as archive:
        for k, name in enumerate(names):
            archive.writestr(f"{k}.jpg", cropped(folder / name))
    content = pyrage.encrypt(buffer.getvalue(), [identity.to_public()])
    (root / "crops.zip.encrypted").write_bytes(content)
    (root / "crops.identity").write_text(str(identity), encoding="utf-8")
    return {"pictures": len(names), "mb": len(content) / 1e6}


def cropped(file: Path) -> bytes:
    from PIL import Image

    x, y, width, height = BOX
    with Image.open(file) as image:
        part = image.crop((int(x * WIDTH), int(y * HEIGHT), int((x + width) * WIDTH), int((y + height) * HEIGHT)))
        part.thumbnail((LONGEST, LONGEST))
    out = io.BytesIO()
    part.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def age_and_unzip(root: Path) -> Mapping[str, object]:
    import pyrage

    identity = pyrage.x25519.Identity.from_str((root / "crops.identity").read_text(encoding="utf-8"))
    plain = pyrage.decrypt((root / "crops.zip.encrypted").read_bytes(), [identity])
    with zipfile.ZipFile(io.BytesIO(plain)) as archive:
        archive.extractall(root / "crops")
        return {"pictures": len(archive.namelist())}


STAGES: Mapping[str, Callable[[Path], Mapping[str, object]]] = {
    "seal": seal, "open": open_, "crop + zip + age": crop_zip_and_age, "age + unzip": age_and_unzip,
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


def compare(root: Path) -> None:
    """A line a stage, and the ratios to what people do today."""
    costs = {name: staged(name, root) for name in STAGES}
    for name, cost in costs.items():
        said = ", ".join(f"{key} {value:,.0f}" for key, value in cost.items() if key in ("mb", "pictures"))
        print(f"{name:17} {cost['cpu_s']:7.1f} CPU-s {cost['wall_s']:7.1f} s {cost['peak_mb']:6.0f} MB   {said}")
    for ours, theirs in (("seal", "crop + zip + age"), ("open", "age + unzip")):
        ratio = costs[ours]["cpu_s"] / costs[theirs]["cpu_s"]
        print(f"{ours} / {theirs}: {ratio:.2f} times the CPU-seconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--originals", action="store_true", help="whole frames instead of crops")
    parser.add_argument("--folder", type=Path, help="where the nodes are made and stay; default: a temporary one")
    parser.add_argument("--stage", choices=tuple(STAGES), help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.stage:
        print(json.dumps({**STAGES[told.stage](told.folder), **spent()}))
        return
    root = told.folder or Path(tempfile.mkdtemp(prefix="sharedrange-picturing-"))
    root.mkdir(parents=True, exist_ok=True)
    try:
        make(root, told.pictures, "originals" if told.originals else "crops")
        compare(root)
    finally:
        if told.folder is None:
            shutil.rmtree(root)


if __name__ == "__main__":
    main()
