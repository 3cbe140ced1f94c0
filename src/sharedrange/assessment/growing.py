"""The next export of a form that was taken before: its files are added to the same dataset.

ODK, Kobo and CyberTracker export everything up to now. Such an export kept as a second dataset would count every
earlier submission twice; in one dataset the door merges them by instance id, and an edit takes the place of what it
corrects. The files of earlier exports stay as they are.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sharedrange.assessment import raw_files
from sharedrange.assessment.masking import Hidden
from sharedrange.core.files import sync, write_atomically
from sharedrange.core.progress import silent
from sharedrange.exchange.delivery import FILE_NAME, Delivery, read_delivery
from sharedrange.exchange.instances import GROWING, instance_ids
from sharedrange.exchange.mapping import MAPPING_FILE
from sharedrange.exchange.submissions import ADDED

DECLARED = (FILE_NAME, MAPPING_FILE, raw_files.SUMS)  # what is said of the whole dataset, once


@dataclass(frozen=True, slots=True)
class Continued:
    """The dataset that files continue; how many submissions they hold that it has already, and that are new to it."""

    dataset: str
    delivery: Delivery
    known: int
    new: int


def can_grow(folder: Path) -> bool:
    """Whether files may be added to a dataset: its door merges them, and they lie in the node."""
    delivery, _ = read_delivery(folder, "")
    in_place = any(path.is_symlink() for path in folder.iterdir())
    return delivery is not None and delivery.format in GROWING and not in_place


def continues(
    own: Path, staged: Path, delivery: Delivery, named: str = "", *, hidden: Hidden = Hidden()
) -> Continued | None:
    """The dataset in `own` that files of `delivery` continue: that `named`, else the one that shares most with them.

    What is `hidden` is looked at only where it is named: else it would be told that it holds the same.
    """
    ids = instance_ids(staged, delivery)
    found = []
    for folder in sorted(own.iterdir()):
        is_meant = folder.name == named if named else not hidden.holds(folder.name)
        if folder.name.startswith(".") or not folder.is_dir() or not is_meant:
            continue
        earlier, _ = read_delivery(folder, delivery.party)
        if earlier is not None and earlier.format == delivery.format and can_grow(folder):
            known = ids & instance_ids(folder, earlier)
            found.append(Continued(folder.name, earlier, len(known), len(ids) - len(known)))
    best = max(found, key=lambda one: one.known, default=None)
    return best if best is not None and (named or best.known) else None


@contextmanager
def together(dataset: Path, staged: Path, prefix: str) -> Iterator[Path]:
    """A passing folder with the files of a dataset and those on their way to it, to be read as it will be read."""
    with TemporaryDirectory(prefix=prefix, dir=dataset.parent) as place:
        shutil.copytree(dataset, place, copy_function=_link, dirs_exist_ok=True)
        _without_declarations(staged, Path(place) / next_folder(dataset))
        yield Path(place)


def add(dataset: Path, staged: Path) -> None:
    """Put the staged files into a folder of their own in the dataset, and hash all.

    The folder arrives in one moment; were the work cut off after it, `check` says that the hashes lack it.
    """
    for name in DECLARED:
        (staged / name).unlink(missing_ok=True)
    staged.chmod(0o755)
    for file in staged.rglob("*"):
        sync(file)
    staged.rename(dataset / next_folder(dataset))
    sync(dataset)
    lines = raw_files.sums(dataset, silent).splitlines(keepends=True)
    kept = "".join(line for line in lines if line.rstrip("\n").partition("  ")[2] not in raw_files.NOT_RAW)
    write_atomically(dataset / raw_files.SUMS, kept.encode())


def next_folder(dataset: Path) -> str:
    """The name of the folder for the files that come next."""
    return f"{ADDED}{sum(path.is_dir() and path.name.startswith(ADDED) for path in dataset.iterdir()) + 1:03d}"


def _without_declarations(staged: Path, to: Path) -> None:
    shutil.copytree(staged, to, copy_function=_link, ignore=lambda _, names: [n for n in names if n in DECLARED])


def _link(source: str, to: str) -> None:
    """The same file under another name: no copy of what may be large; where the disk cannot, a copy."""
    try:
        os.link(source, to)
    except OSError:
        shutil.copyfile(source, to)
