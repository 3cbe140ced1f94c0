"""Where a delivery waits on its way into a node: a hidden folder, gone unless it becomes a dataset."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from sharedrange.assessment import raw_files
from sharedrange.core.files import sync, write_atomically
from sharedrange.core.finding import Finding, Where
from sharedrange.core.progress import Progress
from sharedrange.exchange.opening import IN_PLACE, shown

WAITING = ".taking-"  # how the hidden folder of a delivery on its way in begins


@contextmanager
def waiting(target: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A hidden folder beside `target`, and the function that makes it `target`; gone unless that was called.

    The pointer of a delivery in place goes with it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    pointers = target.parent / IN_PLACE
    for crashed in (*target.parent.glob(f"{WAITING}*"), *pointers.glob(f"{WAITING}*")):
        shutil.rmtree(crashed) if crashed.is_dir() else crashed.unlink()
    staged = Path(tempfile.mkdtemp(prefix=WAITING, dir=target.parent))

    def arrive() -> None:
        staged.chmod(0o755)
        for file in staged.rglob("*"):
            if not file.is_symlink():
                sync(file)
        if (pointers / staged.name).exists():
            (pointers / staged.name).replace(pointers / target.name)
        staged.rename(target)
        sync(target.parent)

    try:
        yield staged, arrive
    finally:
        shutil.rmtree(staged, ignore_errors=True)
        (pointers / staged.name).unlink(missing_ok=True)
        with suppress(OSError):  # others are there
            pointers.rmdir()


def bring(files: Sequence[Path], staged: Path, progress: Progress, *, in_place: bool) -> list[Finding]:
    """Copy what is delivered into its hidden folder, or link it where it stays in place; what is wrong with it."""
    if not in_place:
        return raw_files.put(files, staged, progress)
    if not files[0].is_dir():
        return [Finding("take-in-place", {"path": shown(files[0].name)}, Where(file=shown(files[0].name)))]
    pointer = staged.parent / IN_PLACE / staged.name
    write_atomically(pointer, str(files[0].resolve()).encode())
    return [*raw_files.link(files[0], staged), *raw_files.put(files[1:], staged, progress)]
