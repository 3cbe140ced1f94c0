"""A process that dies at every one of its writes, one life after another: ``dying.py START OUT WHAT``.

START is copied to ``OUT/<n>``, and WHAT is done there in a fork that is killed (SIGKILL) at its n-th write, for n = 1,
2, ... until a fork lives to the end. A file that was being written then holds half of what it should. Nothing here may
use polars before the fork: its threads do not survive one.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from datetime import date
from itertools import count
from pathlib import Path

from sharedrange.assessment import sharing

NOW, TODAY = "2026-11-22T10:00:00Z", date(2026, 11, 22)
AGREEMENT = "urn:agreement:westfell--secretariat:2026-01"
_EVENTS = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.truncate")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Life:
    """How many writes are left until the end."""

    left = 0

    def passes(self) -> bool:
        """One more write: whether it is the last."""
        self.left -= 1
        return self.left == 0


def die() -> None:
    """Leave as a power cut would have it: nothing is flushed, nobody is told."""
    os.kill(os.getpid(), signal.SIGKILL)


def mortal(life: Life) -> None:
    """From now on, die at the last write of a life. Only files count that the code under test changes by name."""
    whole_file, whole, flush = Path.write_bytes, os.write, os.fsync

    def write_bytes(path: Path, data: bytes) -> int:
        if life.passes():
            whole_file(path, data[: len(data) // 2])
            die()
        return whole_file(path, data)

    def write(handle: int, data: bytes) -> int:
        if life.passes():
            whole(handle, data[: len(data) // 2])
            die()
        return whole(handle, data)

    def fsync(handle: int) -> None:
        if life.passes():
            die()
        flush(handle)

    def hook(event: str, facts: tuple[object, ...]) -> None:
        changes = event == "open" and isinstance(facts[2], int) and facts[2] & _WRITING
        if (changes or event in _EVENTS) and life.passes():
            die()

    Path.write_bytes, os.write, os.fsync = write_bytes, write, fsync  # type: ignore[assignment,method-assign]  # on purpose
    sys.addaudithook(hook)


def seal(root: Path) -> None:
    """The owner seals a package."""
    sharing.seal_release(
        root / "westfell",
        sharing.Asked("SIMULATED-cameras-2026", AGREEMENT, "secretariat", "treaty-report", TODAY),
        approved_by="westfell/data-steward",
        recorded_at=NOW,
        check=lambda _: (),
        out=root / "drop",
    )


def open_(root: Path) -> None:
    """The recipient opens the one package on the stick."""
    (file,) = (root / "drop").glob("[!.]*.age")
    sharing.open_package(root / "secretariat", file, on=TODAY, recorded_at=NOW)


def rotate(root: Path) -> None:
    """The owner replaces its key."""
    sharing.rotate(root / "westfell", recorded_at=NOW)


def carry(root: Path) -> None:
    """The recipient writes what it has for the owner."""
    sharing.carry(root / "secretariat", "westfell", root / "drop")


def take(root: Path) -> None:
    """The owner takes in what the recipient carried."""
    sharing.take_carried(root / "westfell", root / "drop" / "secretariat-for-westfell")


WHAT: Mapping[str, Callable[[Path], None]] = {
    "seal": seal, "open": open_, "rotate": rotate, "carry": carry, "take": take
}  # fmt: skip


def lived(root: Path, what: Callable[[Path], None], n: int) -> bool:
    """Whether a fork that dies at its n-th write came to its end before."""
    child = os.fork()
    if child == 0:
        life = Life()
        mortal(life)
        life.left = n
        try:
            what(root)
        except BaseException as error:
            print(type(error).__name__, error, file=sys.stderr, flush=True)  # noqa: T201  (for whoever looks)
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status > 0:
        raise RuntimeError(f"the fork {n} failed")
    return status == 0


def main(start: Path, out: Path, what: str) -> None:
    """Die at every write of what is to be done."""
    for n in count(1):
        shutil.copytree(start, out / f"{n}")
        if lived(out / f"{n}", WHAT[what], n):
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
