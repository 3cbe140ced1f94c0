"""A check says what an assessment would stumble over, and changes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sharedrange.assessment.assessing import assess
from sharedrange.assessment.checking import check
from sharedrange.assessment.estimating import estimate
from sharedrange.core.errors import InputError, ProgrammeError
from sharedrange.core.finding import Severity
from sharedrange.exchange.manifest import write_manifest


def programme_with(node: Path, old: str, new: str) -> None:
    file = node / "programme.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def without_sides(node: Path) -> None:
    lines = (node / "programme.toml").read_text(encoding="utf-8").splitlines()
    (node / "programme.toml").write_text("\n".join(line for line in lines if not line.startswith("sides =")))


def in_a_local_grid(node: Path) -> None:
    projection = next(
        line for line in (node / "programme.toml").read_text().splitlines() if line.startswith("projection")
    )
    programme_with(node, projection, 'projection = "local:grid"')


@pytest.mark.parametrize("ruin", [without_sides, in_a_local_grid], ids=lambda ruin: ruin.__name__)
def test_what_a_check_lets_pass_can_be_assessed_and_what_cannot_is_found(node: Path, ruin: object) -> None:
    assert not [found for found in check(node) if found.severity is Severity.ERROR]
    assert callable(ruin)
    ruin(node)
    with pytest.raises((InputError, ProgrammeError)) as stopped:
        assess(node)
    assert set(stopped.value.findings) <= set(check(node))


def test_a_file_beside_the_folders_of_deliveries_is_told(node: Path) -> None:
    shutil.make_archive(str(node / "received" / "westfell" / "more"), "zip", node / "received" / "westfell")
    (found,) = [finding for finding in check(node) if finding.rule == "loose-file"]
    assert found.facts["path"] == "received/westfell/more.zip"
    assert found.severity is Severity.WARNING


def test_a_finding_about_a_package_says_which_package(node: Path) -> None:
    package = next((node / "received" / "eastfell").iterdir())
    (package / "notes.txt").write_text("x")
    (found,) = check(node)
    assert found.rule == "file-not-listed"
    assert found.where.file == f"received/eastfell/{package.name}/notes.txt"


def test_an_estimate_of_a_species_that_nobody_identified_is_refused_with_those_there_are(node: Path) -> None:
    package = next((node / "received" / "eastfell").iterdir())
    with pytest.raises(InputError) as refused:
        estimate(package, taxon="Felis nusquam")
    (found,) = refused.value.findings
    assert found.rule == "taxon-not-recorded"
    assert found.facts["taxa"]


def test_a_nodes_own_delivery_is_compared_with_the_protocol_that_was_agreed_on(node: Path) -> None:
    programme_with(node, 'id = "secretariat"', 'id = "office"')
    (node / "node.toml").write_text('party = "westfell"\n', encoding="utf-8")
    (node / "own").mkdir(exist_ok=True)
    delivered = next((node / "received" / "westfell").iterdir())
    shutil.copytree(delivered, node / "own" / delivered.name)
    shutil.rmtree(node / "received" / "westfell")
    before = {found.rule for found in check(node)}
    (node / "protocol.toml").write_text('name = "winter"\n[cameras]\nstations_min = 1000\n', encoding="utf-8")
    (told,) = [found for found in check(node) if found.rule not in before]
    assert told.severity is Severity.WARNING
    assert told.rule.startswith("protocol")


def test_the_same_files_delivered_as_two_datasets_are_told(node: Path) -> None:
    sender = node / "received" / "westfell"
    (package,) = sender.iterdir()
    assert "delivered-as-two" not in {found.rule for found in check(node)}
    shutil.copytree(package, sender / "again")
    (found,) = [finding for finding in check(node) if finding.rule == "delivered-as-two"]
    assert set(found.facts.values()) == {package.name, "again"}
    assert found.severity is Severity.WARNING
    assert found in assess(node).assessment.all_findings


def test_the_same_files_delivered_by_two_parties_are_told(node: Path) -> None:
    (package,) = (node / "received" / "westfell").iterdir()
    assert "delivered-by-two" not in {found.rule for found in check(node)}
    other = node / "received" / "eastfell" / "sent-back"
    shutil.copytree(package, other)
    text = (other / "delivery.toml").read_text(encoding="utf-8")
    (other / "delivery.toml").write_text(text.replace("westfell", "eastfell"), encoding="utf-8")
    write_manifest(other, "eastfell")
    (found,) = [finding for finding in check(node) if finding.rule == "delivered-by-two"]
    assert {found.facts["party"], found.facts["other"]} == {"eastfell", "westfell"}
    assert {found.facts["dataset"], found.facts["same"]} == {package.name, "sent-back"}
    assert found in assess(node).assessment.all_findings


def test_files_of_the_same_sizes_are_not_the_same_files(node: Path) -> None:
    programme_with(node, 'id = "secretariat"', 'id = "office"')
    (node / "node.toml").write_text('party = "office"\n', encoding="utf-8")
    for name, code in (("a", "A"), ("b", "B")):
        place = node / "own" / name
        place.mkdir(parents=True)
        (place / "delivery.toml").write_text(
            'party = "office"\nformat = "captures"\ncrs = "local:grid"\ntaxon = "Lynx lynx"\ndetector = "proximity"\n'
        )
        (place / "captures.csv").write_text(f"session,individual,occasion,trap\n1,{code},1,t1\n")
        (place / "traps.csv").write_text("trap,x,y\nt1,0,0\n")
    assert "delivered-as-two" not in {found.rule for found in check(node)}
    (node / "own" / "b" / "captures.csv").rename(node / "own" / "b" / "captures.txt")
    (node / "own" / "b" / "captures.txt").write_bytes((node / "own" / "a" / "captures.csv").read_bytes())
    assert "delivered-as-two" in {found.rule for found in check(node)}, "a copy under another name is a copy"
