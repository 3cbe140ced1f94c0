"""Which submissions a delivery of a field form holds, so that an export that repeats earlier ones is known as such."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from sharedrange.exchange import cybertracker
from sharedrange.exchange.delivery import Delivery
from sharedrange.exchange.odk.files import read_exports
from sharedrange.exchange.opening import Opened, open_path
from sharedrange.exchange.submissions import Submission


def _of_odk(folder: Path, opened: Opened, delivery: Delivery) -> Iterable[Submission]:
    return read_exports(folder, opened, delivery).submissions


def _of_cybertracker(_folder: Path, opened: Opened, _delivery: Delivery) -> Iterable[Submission]:
    return cybertracker.read_sightings(opened).sightings


_READ: Mapping[str, Callable[[Path, Opened, Delivery], Iterable[Submission]]] = {
    "odk": _of_odk,
    "cybertracker": _of_cybertracker,
}
GROWING = frozenset(_READ)
"""Doors whose exports are cumulative: the next one holds the earlier submissions too, edited or not."""


def instance_ids(folder: Path, delivery: Delivery) -> frozenset[str]:
    """Every id of every version of the submissions in a folder or zip; none for other doors.

    Two deliveries that share one hold the same submission.
    """
    opened, _ = open_path(folder)
    if opened is None or delivery.format not in _READ:
        return frozenset()
    submissions = _READ[delivery.format](folder, opened, delivery)
    return frozenset(name for one in submissions for name in one.ids)
