"""Exports of a form pile up: taken again they join their dataset, and every submission counts once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sharedrange.assessment.assessing import assess
from sharedrange.assessment.checking import check
from sharedrange.assessment.growing import together
from sharedrange.assessment.programme import write_new_node
from sharedrange.assessment.raw_files import SUMS, changed
from sharedrange.assessment.taking import Understood, taking
from sharedrange.core.contents import Delivered
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Severity
from sharedrange.exchange.doors import read_delivered

DATA = Path(__file__).parent.parent / "data" / "exchange"
ODK, CYBERTRACKER = DATA / "odk", DATA / "cybertracker"
MAIN, SIGNS = "sharedrange-sign-transect.csv", "sharedrange-sign-transect-sign_seen.csv"
THIRD = "uuid:aaaaaaaa-0000-4000-8000-000000000009"


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """An empty node."""
    write_new_node(tmp_path / "node", party="west", party_name="West", title="Practice")
    return tmp_path / "node"


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """An export of two submissions, one with two signs."""
    shutil.copytree(ODK / "central", tmp_path / "transects")
    return tmp_path / "transects"


@pytest.fixture
def second(tmp_path: Path, first: Path) -> Path:
    """A later export of the same form: both again, the length of the first corrected, and a third."""
    folder = tmp_path / "later" / "export"
    shutil.copytree(first, folder)
    header, one, two = (folder / MAIN).read_text(encoding="utf-8").splitlines()
    third = two.replace("uuid:aaaaaaaa-0000-4000-8000-000000000002", THIRD).replace("T-2", "T-3")
    edits = header.split(",").index("Edits")
    cells = one.replace(",8.4,", ",9.9,").split(",")
    cells[edits] = "1"
    (folder / MAIN).write_text("\n".join([header, ",".join(cells), two, third]) + "\n", encoding="utf-8")
    return folder


def take(node: Path, *files: Path, dataset: str = "") -> Understood:
    with taking(node, files, dataset=dataset) as work:
        seen = work.understand({})
        assert seen.content is not None, [str(f) for f in seen.findings]
        work.keep()
    return seen


def held(node: Path, dataset: str) -> Delivered:
    content, _, found = read_delivered(node / "own" / dataset, "west")
    assert content is not None, [str(f) for f in found]
    return content


def datasets(node: Path) -> list[str]:
    return sorted(path.name for path in (node / "own").iterdir())


def test_a_later_export_joins_its_dataset_and_an_edit_takes_the_place_of_what_it_corrects(
    node: Path, first: Path, second: Path
) -> None:
    take(node, first)
    before = {p.name: p.read_bytes() for p in (node / "own" / "transects").iterdir()}
    seen = take(node, second)
    assert seen.continued is not None
    assert (seen.continued.dataset, seen.continued.known, seen.continued.new) == ("transects", 2, 1)
    assert datasets(node) == ["transects"]
    counts = held(node, "transects").counts
    assert counts is not None
    assert sorted(counts.visits["site"]) == ["T-1", "T-2", "T-3"]
    assert sorted(counts.visits["effort"]) == [6.1, 6.1, 9.9]
    assert counts.counts.filter(counts.counts["sign"].is_not_null()).height == 2, "signs of a repeat count once"
    kept = {name: (node / "own" / "transects" / name).read_bytes() for name in before if name != SUMS}
    assert kept == {name: content for name, content in before.items() if name != SUMS}
    assert changed(node / "own" / "transects") == ()


def test_importing_a_day_twice_changes_nothing(node: Path, first: Path, second: Path) -> None:
    take(node, first)
    take(node, second)
    whole = {p: p.read_bytes() for p in (node / "own").rglob("*") if p.is_file()}
    for again in (first, second):
        with pytest.raises(InputError) as caught:
            take(node, again)
        assert [(f.rule, f.facts["same"]) for f in caught.value.findings] == [("take-already", "transects")]
    assert {p: p.read_bytes() for p in (node / "own").rglob("*") if p.is_file()} == whole


def test_an_older_export_that_comes_late_changes_no_number(node: Path, first: Path, second: Path) -> None:
    take(node, second, dataset="transects")
    now = held(node, "transects").counts
    seen = take(node, first)
    assert seen.continued is not None
    assert (seen.continued.known, seen.continued.new) == (2, 0)
    after = held(node, "transects").counts
    assert now is not None
    assert after is not None
    assert after.visits.sort("visit").equals(now.visits.sort("visit"))
    assert after.counts.sort(after.counts.columns).equals(now.counts.sort(now.counts.columns))


def test_a_name_of_its_own_would_count_twice_and_is_refused(node: Path, first: Path, second: Path) -> None:
    take(node, first)
    with pytest.raises(InputError) as caught:
        take(node, second, dataset="february")
    (found,) = caught.value.findings
    assert (found.rule, found.facts) == ("take-overlaps", {"dataset": "february", "same": "transects", "n": 2})
    assert datasets(node) == ["transects"]


def test_another_form_is_another_dataset(node: Path, first: Path) -> None:
    take(node, first)
    seen = take(node, ODK / "waterbirds_kobo.json")
    assert seen.continued is None
    assert datasets(node) == ["transects", "waterbirds_kobo"]
    with pytest.raises(InputError) as caught:
        take(node, CYBERTRACKER / "webhook_payload_1.json", dataset="transects")
    assert caught.value.findings[0].rule == "take-dataset-exists"


def test_an_export_of_new_submissions_under_the_name_of_the_dataset_joins_it(
    node: Path, first: Path, second: Path, tmp_path: Path
) -> None:
    take(node, first)
    header, *_, third = (second / MAIN).read_text(encoding="utf-8").splitlines()
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "transects.csv").write_text(f"{header}\n{third}\n", encoding="utf-8")
    seen = take(node, tmp_path / "new" / "transects.csv")
    assert seen.continued is not None
    assert (seen.continued.known, seen.continued.new) == (0, 1)
    counts = held(node, "transects").counts
    assert counts is not None
    assert counts.visits.height == 3


def test_a_form_of_their_own_keeps_its_mapping(node: Path, tmp_path: Path) -> None:
    take(node, ODK / "other_form.csv", ODK / "mapping.toml")
    before = held(node, "other_form").patrols
    text = (ODK / "other_form.csv").read_text(encoding="utf-8")
    old = text.splitlines()[1]
    key = next(cell for cell in old.split(",") if cell.startswith("uuid:"))
    (tmp_path / "next").mkdir()
    later = tmp_path / "next" / "other_form.csv"
    later.write_text(text + old.replace(key, THIRD) + "\n", encoding="utf-8")
    seen = take(node, later)
    assert seen.continued is not None
    after = held(node, "other_form").patrols
    assert before is not None
    assert after is not None
    assert after.observations.height == before.observations.height + 1
    assert sorted(p.name for p in (node / "own" / "other_form" / "added-001").iterdir()) == ["other_form.csv"]


def test_sightings_of_cybertracker_join_their_dataset(node: Path, tmp_path: Path) -> None:
    payload = json.loads((CYBERTRACKER / "webhook_payload_1.json").read_text(encoding="utf-8"))
    other = json.loads((CYBERTRACKER / "webhook_payload_2.json").read_text(encoding="utf-8"))
    for name, payloads in (("may", [payload]), ("june", [payload, other])):
        (tmp_path / f"{name}.json").write_text(json.dumps(payloads), encoding="utf-8")
    take(node, tmp_path / "may.json")
    seen = take(node, tmp_path / "june.json")
    assert seen.continued is not None
    assert (seen.continued.dataset, seen.continued.known, seen.continued.new) == ("may", 1, 1)
    patrols = held(node, "may").patrols
    assert patrols is not None
    assert patrols.observations["observation"].is_unique().all()


def test_two_datasets_with_the_same_submissions_are_told_by_check_and_report(
    node: Path, first: Path, second: Path
) -> None:
    take(node, first)
    shutil.copytree(second, node / "own" / "apart")
    shutil.copy(node / "own" / "transects" / "delivery.toml", node / "own" / "apart" / "delivery.toml")
    for findings in (check(node), check(node), assess(node).assessment.all_findings):
        (found,) = [f for f in findings if f.rule == "submissions-in-two"]
        assert dict(found.facts) == {"n": 2, "path": "own/transects", "same": "own/apart"}
        assert found.severity is Severity.WARNING


def test_what_is_read_together_leaves_nothing(node: Path, first: Path, second: Path) -> None:
    take(node, first)
    with together(node / "own" / "transects", second, ".taking-") as place:
        assert (place / "added-001" / MAIN).is_file()
    assert datasets(node) == ["transects"]


def test_an_export_that_contradicts_the_form_adds_nothing(node: Path, first: Path, second: Path) -> None:
    take(node, first)
    text = (second / SIGNS).read_text(encoding="utf-8")
    (second / SIGNS).write_text(text.replace("track,", "no-such-sign,"), encoding="utf-8")
    with taking(node, [second]) as work:
        assert work.understand({}).content is None
    assert not (node / "own" / "transects" / "added-001").exists()
