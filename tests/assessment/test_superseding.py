"""Releases of one dataset: the newest is read, and what cannot be compared is told."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from sharedrange.assessment.node import Delivered
from sharedrange.assessment.superseding import without_superseded
from sharedrange.core.ledger import Source
from sharedrange.core.release import MANIFEST
from sharedrange.records import Record
from sharedrange.sharing.kinds import Release


def released(
    folder: Path, name: str, *, on: str = "2026-06-01", under: str = "first", dataset: str = "D-1", party: str = "west",
    purpose: str = "report",
) -> Delivered:  # fmt: skip
    """A folder as `open` leaves it, as far as it matters here."""
    place = folder / party / name
    place.mkdir(parents=True)
    told = {"agreement": {"id": under}, "dataset": dataset, "released_on": on, "purpose": purpose}
    (place / MANIFEST).write_text(json.dumps(told), encoding="utf-8")
    return Delivered(place, party, name, Source(party, name, f"received/{party}/{name}", "0" * 64, under))


def plain(folder: Path, name: str) -> Delivered:
    """A delivery that came without a release."""
    place = folder / "own" / name
    place.mkdir(parents=True)
    return Delivered(place, "west", name, Source("west", name, f"own/{name}", "0" * 64))


def test_of_one_dataset_the_latest_release_is_read(tmp_path: Path) -> None:
    old, new = released(tmp_path, "b", on="2026-06-01"), released(tmp_path, "a", on="2027-06-01")
    kept, gone, found = without_superseded([new, old])
    assert (kept, gone) == ((new,), (old,))
    assert [finding.rule for finding in found] == ["release-superseded"]


def test_the_order_of_folders_does_not_matter(tmp_path: Path) -> None:
    pair = [released(tmp_path, "a"), released(tmp_path, "b")]
    assert set(without_superseded(pair)[0]) == set(without_superseded(pair[::-1])[0]) == {pair[1]}


def test_of_one_day_the_release_that_was_recorded_last_is_read(tmp_path: Path) -> None:
    pair = [released(tmp_path, name, purpose=name) for name in ("a", "b")]
    packages = [hashlib.sha256((one.path / MANIFEST).read_bytes()).hexdigest() for one in pair]
    for last in (0, 1):
        told = [Record(Release.KIND, {"package": p}, "key", int(i == last), "", "") for i, p in enumerate(packages)]
        assert without_superseded(pair, told)[0] == (pair[last],)


def test_other_datasets_and_deliveries_without_a_release_stay(tmp_path: Path) -> None:
    first, other, mine = released(tmp_path, "a"), released(tmp_path, "b", dataset="D-2"), plain(tmp_path, "own")
    neighbour = released(tmp_path, "a", party="east")
    assert without_superseded([first, other, mine, neighbour]) == ((first, other, mine, neighbour), (), [])


def test_two_agreements_of_one_owner_are_both_read_with_a_warning(tmp_path: Path) -> None:
    first, renewed = released(tmp_path, "a"), released(tmp_path, "b", under="second", dataset="D-9")
    kept, gone, found = without_superseded([first, renewed])
    assert (kept, gone) == ((first, renewed), ())
    assert [(finding.rule, finding.facts["agreements"]) for finding in found] == [
        ("release-two-agreements", "first, second")
    ]
