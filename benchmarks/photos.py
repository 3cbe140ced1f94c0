"""A tree of photos through door `camera-folders` beside a loop that opens each photo with Pillow for its time.

    python benchmarks/photos.py [--photos 5000]

The loop is what somebody writes without a library: ``Image.open``, two EXIF tags, a list of rows. It gives times and
nothing else. The door gives a survey: stations, bursts, copies, clocks, silences, cameras, findings, a content hash.
Both read the same tiny JPEGs with EXIF from a warm disk cache, in one run, in CPU and wall seconds; the times are
checked to be equal.
"""

from __future__ import annotations

import argparse
import io
import random
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from PIL import Image

from sharedrange.exchange import photos
from sharedrange.exchange.delivery import Delivery

STATIONS = ("Кедр", "Ущелье 3", "Сухая речка", "Чёрная гора", "Скала", "红松岭", "珲春河", "老爷岭", "虎谷", "雪岭")
START = "2024:05:01 00:00:00"
ROUNDS = 3
SAID = Delivery("park", "cards", "camera-folders", crs="EPSG:4326", timezone="Asia/Vladivostok")
T = TypeVar("T")


def photo() -> bytes:
    """A JPEG of 64 x 48 pixels with the EXIF tags that a camera trap writes; its time is START."""
    exif = Image.Exif()
    exif[271], exif[272] = "MAKER", "MODEL 2"
    exif.get_ifd(0x8769).update({36867: START, 37521: "120", 42033: "SERIAL01"})
    stream = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 120, 80)).save(stream, "JPEG", exif=exif)
    return stream.getvalue()


def write_tree(folder: Path, n_photos: int) -> None:
    """`n_photos` photos at ten stations over 90 days, and stations.csv."""
    chance, template = random.Random(1), photo()
    rows = ["folder,latitude,longitude,start,end"]
    for number, station in enumerate(STATIONS):
        card = folder / station / "DCIM" / "100MEDIA"
        card.mkdir(parents=True)
        rows.append(f"{station},{43 + number / 10},131,2024-05-01,2024-07-29")
        seconds = sorted(chance.randrange(90 * 86_400) for _ in range(n_photos // len(STATIONS)))
        for n, second in enumerate(seconds, start=1):
            at = datetime(2024, 5, 1) + timedelta(seconds=second)  # noqa: DTZ001  # a camera's local time
            (card / f"IMG_{n:05d}.JPG").write_bytes(
                template.replace(START.encode(), f"{at:%Y:%m:%d %H:%M:%S}".encode())
            )
    (folder / "stations.csv").write_text("\n".join(rows), "utf-8")


def loop(folder: Path) -> list[str]:
    """Times by Pillow, opened file by file."""
    times = []
    for path in folder.rglob("*.JPG"):
        with Image.open(path) as image:
            times.append(image.getexif().get_ifd(0x8769)[36867])
    return sorted(times)


def door(folder: Path) -> list[str]:
    """Times by the door."""
    content, found = photos.read(folder, SAID)
    assert content is not None, [str(f) for f in found]
    assert content.survey is not None
    return sorted(text[:19].replace("-", ":").replace("T", " ") for text in content.survey.media["taken_text"])


def timed(work: Callable[[], T]) -> tuple[T, float, float]:
    """The result, and the least CPU and wall seconds of ROUNDS."""
    cpu, wall = [], []
    for _ in range(ROUNDS):
        started = time.process_time(), time.perf_counter()
        result = work()
        cpu.append(time.process_time() - started[0])
        wall.append(time.perf_counter() - started[1])
    return result, min(cpu), min(wall)


def main(n_photos: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_tree(folder, n_photos)
        plain, plain_cpu, plain_wall = timed(lambda: loop(folder))
        ours, our_cpu, our_wall = timed(lambda: door(folder))
    assert plain == ours
    print(f"{n_photos} photos, {len(STATIONS)} stations; least of {ROUNDS} rounds")
    print(f"Pillow, file by file (times only): {plain_cpu:.2f} CPU-s, {plain_wall:.2f} s")
    print(f"camera-folders (a survey):         {our_cpu:.2f} CPU-s, {our_wall:.2f} s")
    print(
        f"ratio of CPU seconds, loop to door: {plain_cpu / our_cpu:.2f}; {n_photos / our_cpu:.0f} photos a CPU-second"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=5000)
    main(parser.parse_args().photos)
