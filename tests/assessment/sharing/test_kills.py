"""Killed at any of its writes, an exchange leaves nothing half and loses nothing, and the same line finishes it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyrage

from sharedrange.assessment import sharing
from sharedrange.assessment.sharing import releasing
from sharedrange.core.errors import InputError
from sharedrange.records import Keys, in_force
from sharedrange.sharing import kinds
from sharedrange.sharing.sealing import unseal

if TYPE_CHECKING:
    from tests.assessment.sharing.conftest import Three

OWNER, RECIPIENT, NEIGHBOUR = "westfell", "secretariat", "eastfell"
NOW, TODAY = "2026-11-22T10:00:00Z", date(2026, 11, 22)
AGREEMENT = "urn:agreement:westfell--secretariat:2026-01"
DYING = Path(__file__).with_name("dying.py")
AT_LEAST = {"seal": 40, "open": 40, "rotate": 40, "carry": 10, "take": 18}  # places to die: 200 with the second seal


def copy_of(three: Three, root: Path) -> Three:
    """The nodes elsewhere, to be changed."""
    shutil.copytree(three.root, root)
    return type(three)(root)


def killed(start: Three, out: Path, what: str) -> Iterator[Three]:
    """The nodes after each death, and at the end once after none."""
    out.mkdir()
    subprocess.run([sys.executable, str(DYING), str(start.root), str(out), what], check=True)
    left = sorted(out.iterdir(), key=lambda folder: int(folder.name))
    assert len(left) > AT_LEAST[what]
    yield from (type(start)(folder) for folder in left)


def released(three: Three) -> set[str]:
    """The packages that the owner's records know."""
    records = sharing.open_ground(three.node(OWNER)).node.records
    return {release.package for _, release in in_force(records, kinds.Release)}


def openable(three: Three) -> set[str]:
    """The packages on the stick that open with the recipient's key, hidden and half-written files among them."""
    secret = Keys(three.node(RECIPIENT) / "keys").identity("sharing").secret
    found = set()
    for file in three.drop.glob("*.age"):
        try:
            found.add(unseal(file.read_bytes(), secret).package)
        except InputError:
            assert file.name.startswith(".")  # a half package bears no name of a package
    return found


def test_a_package_is_sealed_whole_and_recorded_or_not_at_all(agreed_once: Three, tmp_path: Path) -> None:
    start = copy_of(agreed_once, tmp_path / "start")
    _sealing(start, tmp_path / "killed")


def test_a_second_package_is_sealed_whole_and_recorded_or_not_at_all(
    sealed_once: tuple[Three, object], tmp_path: Path
) -> None:
    _sealing(copy_of(sealed_once[0], tmp_path / "start"), tmp_path / "killed")


def _sealing(start: Three, out: Path) -> None:
    sharing.what_would_leave(start.node(OWNER), start.asked())  # what is read is kept: that is another story
    others = start.files(RECIPIENT, NEIGHBOUR)
    for three in killed(start, out, "seal"):
        assert openable(three) <= released(three)
        left = three.files(RECIPIENT, NEIGHBOUR)
        packages = {name for name in left if name not in others}
        assert {name: left[name] for name in left if name not in packages} == others
        assert all(name.endswith(".age") and not readable(three.root / name) for name in packages)
        before = released(three)
        ground = sharing.open_ground(three.node(OWNER))
        assert all((releasing.copy_of(ground, AGREEMENT, package) / "release.json").is_file() for package in before)
        sealed = three.seal(look=False)
        assert not unfinished(three.node(OWNER))
        assert released(three) == before | {sealed.package}
        received = three.open(sealed.file)
        assert received.folder is not None
        names = {frozenset(names_in(file)) for file in (three.node(OWNER) / "released").glob("*/[!.]*/stations.csv")}
        assert names == {frozenset(names_in(received.folder / "stations.csv"))}  # once told, a name stays


def unfinished(node: Path) -> list[Path]:
    """What killed runs left half-written in a node, but for what is safe to delete anyway."""
    return [path for path in node.rglob(".writing-*") if "work" not in path.relative_to(node).parts]


def readable(file: Path) -> bool:
    """Whether a file holds anything that is not encrypted."""
    content = file.read_bytes()
    if not content:
        return False
    try:
        pyrage.decrypt(content, [pyrage.x25519.Identity.generate()])
    except pyrage.DecryptError:
        return not content.startswith(b"age-encryption.org/v1\n-> X25519 "[: len(content)])
    return True


def names_in(file: Path) -> Iterator[str]:
    """The stations of a released table."""
    return (line.split(",")[0] for line in file.read_text(encoding="utf-8").splitlines()[1:])


def test_a_package_is_taken_in_whole_and_recorded_by_the_same_line_again(
    sealed_once: tuple[Three, object], tmp_path: Path
) -> None:
    start, _ = sealed_once
    others = start.files(OWNER, NEIGHBOUR)
    known = {record.id for record in sharing.open_ground(start.node(RECIPIENT)).node.records}
    (file,) = start.drop.glob("*.age")
    for three in killed(start, tmp_path / "killed", "open"):
        assert three.files(OWNER, NEIGHBOUR) == others
        ground = sharing.open_ground(three.node(RECIPIENT))  # verifies each package that lies there
        assert known <= {record.id for record in ground.node.records}
        assert not ground.opened or ground.node.deliveries
        if ground.opened:
            assert three.refusal(partial(three.open, three.drop / file.name)) == ["package-opened"]
        else:
            three.open(three.drop / file.name)
        sharing.make_keys(three.node(RECIPIENT))  # the next line that writes
        assert not unfinished(three.node(RECIPIENT))
        books = sharing.audit(three.node(RECIPIENT), TODAY)
        assert [row.is_here for row in books.arrived] == [True]
        assert not [finding for finding in books.findings if finding.rule != "record-incomplete"]


def test_a_key_is_replaced_by_the_same_line_again(agreed_once: Three, tmp_path: Path) -> None:
    before = sharing.card(agreed_once.node(OWNER))
    for three in killed(agreed_once, tmp_path / "killed", "rotate"):
        assert_no_third_identity(three, before)
        card = sharing.rotate(three.node(OWNER), recorded_at=NOW)
        three.courier(OWNER, RECIPIENT)
        ours, theirs = sharing.open_ground(three.node(OWNER)), sharing.open_ground(three.node(RECIPIENT))
        assert theirs.trusted[OWNER] == ours.trusted[OWNER] >= {card.key}
        assert theirs.sealed_for[OWNER] == card.age
        assert ours.sealed_for[RECIPIENT]
        assert all(ours.standing(agreement).signed_by == {OWNER, RECIPIENT} for agreement in ours.agreements.values())


def assert_no_third_identity(three: Three, before: sharing.Card) -> None:
    """Who types `keys` after the power came back sees the old card or the new one, or is told to go on."""
    there = {path.read_bytes() for path in (three.node(OWNER) / "keys").glob("[!.]*")}
    card, told = before, []
    try:
        card = sharing.make_keys(three.node(OWNER))
    except InputError as error:
        told = [finding.rule for finding in error.findings]
    assert told in ([], ["rotation-unfinished"])
    assert card == before or {card.key, card.age}.isdisjoint({before.key, before.age})
    assert {path.read_bytes() for path in (three.node(OWNER) / "keys").glob("[!.]*")} == there


def test_a_courier_is_carried_and_taken_in_whole_by_the_same_line_again(strangers_once: Three, tmp_path: Path) -> None:
    start = copy_of(strangers_once, tmp_path / "start")
    start.meet(OWNER, RECIPIENT)
    start.sign(RECIPIENT, str(start.written()))
    for three in killed(start, tmp_path / "carried", "carry"):
        folder = three.drop / "secretariat-for-westfell"
        if folder.exists():
            sharing.take_carried(copy_of(three, three.root / "copy").node(OWNER), folder)
        assert three.courier(RECIPIENT, OWNER).party == RECIPIENT
    sharing.carry(start.node(RECIPIENT), OWNER, start.drop)
    for three in killed(start, tmp_path / "killed", "take"):
        sharing.open_ground(three.node(OWNER))
        sharing.take_carried(three.node(OWNER), three.drop / "secretariat-for-westfell")
        (listed,) = sharing.agreements(three.node(OWNER), TODAY)
        assert listed.standing.signed_by == {RECIPIENT}
