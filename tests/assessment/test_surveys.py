"""A delivery is parsed once: later it comes from the node's store, the same in every bit, or not at all."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import polars as pl
import pytest

from sharedrange.assessment import cache, masking, surveys
from sharedrange.assessment.assessing import Outcome, assess
from sharedrange.assessment.checking import check
from sharedrange.assessment.deciding import decide, read_decisions
from sharedrange.assessment.node import OpenNode, open_node
from sharedrange.assessment.surveys import Surveys
from sharedrange.core.contents import Delivered as Content
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding
from sharedrange.exchange.doors import read_delivered
from sharedrange.exchange.store import Selection, Store

RECORDED_AT = "2026-11-23T00:00:00Z"


@pytest.fixture
def node(node: Path) -> Path:
    """The simulated node as if nobody had read its deliveries yet."""
    shutil.rmtree(node / "work", ignore_errors=True)
    return node


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the folders that went through their doors."""
    names: list[str] = []

    def counting(folder: Path, party: str) -> object:
        names.append(folder.name)
        return read_delivered(folder, party)

    monkeypatch.setattr(masking, "read_delivered", counting)
    return names


def everything(node: OpenNode) -> list[tuple[Content, tuple[Finding, ...]]]:
    """All that the deliveries of a node hold, and what was found about them."""
    read = Surveys(node)
    return [(read.content(delivered), read.findings(delivered)) for delivered in node.deliveries]


def tables(content: Content) -> Mapping[str, pl.DataFrame]:
    parts = {part.name: getattr(content, part.name) for part in fields(content)}
    return {
        f"{name}.{field.name}": getattr(part, field.name)
        for name, part in parts.items()
        if part is not None and name != "not_carried"
        for field in fields(part)
        if isinstance(getattr(part, field.name), pl.DataFrame)
    }


def report_data(outcome: Outcome) -> bytes:
    return next(outcome.report.parent.glob("report-data*.json")).read_bytes()


def hurt(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def store_file(node: Path, table: str) -> Path:
    """The newest file of a table (of the manifests: the one that counts)."""
    return [p for p in sorted((node / "work" / "store" / table).rglob("*")) if p.is_file()][-1]


def test_what_was_parsed_once_comes_from_the_store_row_for_row(node: Path, parsed: list[str]) -> None:
    opened = open_node(node)
    by_door = [read_delivered(d.path, d.party) for d in opened.deliveries]
    everything(opened)
    parsed.clear()
    kept = everything(opened)
    assert parsed == []
    for (content, _, findings), (back, told) in zip(by_door, kept, strict=True):
        assert content is not None
        before, after = tables(content), tables(back)
        assert before.keys() == after.keys()
        assert all(after[name].equals(table) for name, table in before.items())
        assert [(f.rule, dict(f.facts), f.severity) for f in told] == [
            (f.rule, dict(f.facts), f.severity) for f in findings
        ]


def test_that_a_delivery_is_read_for_the_first_time_is_said_when_it_begins(node: Path) -> None:
    told: list[tuple[str, float]] = []
    deliveries = open_node(node).deliveries
    check(node, lambda what, share: told.append((what, share)))
    assert told == [(f"{delivered.source.path}/read", 0.0) for delivered in deliveries]
    told.clear()
    assess(node, progress=lambda what, share: told.append((what, share)))
    assert told
    assert not [what for what, _ in told if what.endswith("/read")]
    told.clear()
    check(deliveries[0].path, lambda what, share: told.append((what, share)))
    assert told == [(f"{deliveries[0].path.name}/read", 0.0)]


def test_the_numbers_are_the_same_with_the_store_and_without(
    node: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "elsewhere"
    shutil.copytree(node, other)
    assess(node)
    shutil.rmtree(node / "work" / "answers")
    with_store = assess(node)
    monkeypatch.setattr(surveys, "_keep", lambda *_: False)
    assert report_data(with_store) == report_data(assess(other))
    assert not (other / "work" / "store").exists()


def test_a_new_decision_parses_nothing(node: Path, parsed: list[str]) -> None:
    assess(node)
    assert parsed
    parsed.clear()
    shutil.rmtree(node / "records")
    assess(node)
    decide(node, read_decisions(node / "decisions.csv"), RECORDED_AT)
    assess(node)
    check(node)
    assert parsed == []


def test_only_the_delivery_that_changed_is_parsed_again_and_the_store_holds_it_once(
    node: Path, parsed: list[str]
) -> None:
    check(node)
    changed = next((node / "received" / "eastfell").iterdir())
    (node / "own").mkdir(exist_ok=True)
    moved = node / "own" / "more"
    shutil.copytree(changed, moved)
    declared = moved / "delivery.toml"
    declared.write_text(declared.read_text(encoding="utf-8").replace("eastfell", "secretariat"), encoding="utf-8")
    parsed.clear()
    check(node)
    assert parsed == ["more"]
    declared.write_text(declared.read_text(encoding="utf-8") + "# corrected\n", encoding="utf-8")
    check(node)
    assert parsed == ["more", "more"]
    keys = [known.key for known in Store(node / "work" / "store").imports()]
    assert sorted(keys) == sorted((d.party, d.dataset, d.source.sha256) for d in open_node(node).deliveries)
    shutil.rmtree(moved)
    check(node)
    assert "more" not in {known.dataset for known in Store(node / "work" / "store").imports()}


@pytest.mark.parametrize("table", ["observations", "notes", "generations"])
def test_a_damaged_store_is_made_again(node: Path, parsed: list[str], table: str) -> None:
    before = everything(open_node(node))
    hurt(store_file(node, table))
    parsed.clear()
    after = everything(open_node(node))
    assert parsed
    for (one, _), (other, _) in zip(before, after, strict=True):
        assert all(table.equals(tables(other)[name]) for name, table in tables(one).items())
    parsed.clear()
    everything(open_node(node))
    assert parsed == []


def test_a_file_that_goes_while_it_is_needed_is_read_from_the_delivery(node: Path) -> None:
    opened = open_node(node)
    whole = everything(opened)
    read = Surveys(opened)
    read.findings(opened.deliveries[0])
    shutil.rmtree(node / "work" / "store")
    content = read.content(opened.deliveries[0])
    assert all(table.equals(tables(content)[name]) for name, table in tables(whole[0][0]).items())


def test_other_code_reads_again(node: Path, parsed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    check(node)
    parsed.clear()
    monkeypatch.setattr(surveys, "code_hash", lambda: "another")
    check(node)
    assert len(parsed) == len(open_node(node).deliveries)
    assert cache.code_hash() != "another"


def test_a_delivery_with_an_error_is_never_kept(node: Path, parsed: list[str]) -> None:
    own = node / "own" / "broken"
    own.mkdir(parents=True)
    (own / "delivery.toml").write_text('party = "secretariat"\nformat = "captures"\n', encoding="utf-8")
    (own / "captures.csv").write_text("session,individual,occasion,trap\n1,A,1,t1\n", encoding="utf-8")
    opened = open_node(node)
    for _ in range(2):
        with pytest.raises(InputError) as caught:
            everything(opened)
        assert {f.where.file.split("/")[1] for f in caught.value.findings if f.where.file} == {"broken"}
    assert parsed.count("broken") == 2
    assert "broken" not in {known.dataset for known in Store(node / "work" / "store").imports()}


def test_files_that_change_while_they_are_read_are_not_kept(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_node(node)

    def meddling(folder: Path, party: str) -> object:
        content = read_delivered(folder, party)
        (folder / "late.txt").write_text("x", encoding="utf-8")
        return content

    monkeypatch.setattr(masking, "read_delivered", meddling)
    everything(opened)
    assert Store(node / "work" / "store").imports() == ()


def test_where_the_store_cannot_be_written_the_deliveries_are_read_all_the_same(node: Path) -> None:
    whole = everything(open_node(node))
    shutil.rmtree(node / "work")
    (node / "work").mkdir()
    (node / "work" / "store").write_text("in the way", encoding="utf-8")
    again = everything(open_node(node))
    for (one, _), (other, _) in zip(whole, again, strict=True):
        assert all(table.equals(tables(other)[name]) for name, table in tables(one).items())


def test_nothing_but_work_is_written_by_a_check(node: Path) -> None:
    def outside() -> dict[str, bytes]:
        return {
            p.as_posix(): p.read_bytes()
            for p in sorted(node.rglob("*"))
            if p.is_file() and p.relative_to(node).parts[0] != "work"
        }

    before = outside()
    check(node)
    assert outside() == before


def test_two_processes_may_check_at_once(node: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.map(check, [node, node])
    assert found[0] == found[1]
    keys = [known.key for known in Store(node / "work" / "store").imports()]
    assert sorted(keys) == sorted((d.party, d.dataset, d.source.sha256) for d in open_node(node).deliveries)


def test_the_store_of_a_node_can_be_asked(node: Path) -> None:
    check(node)
    opened, read = open_node(node), Surveys(open_node(node))
    rates = Store(node / "work" / "store").rates(Selection(parties=("westfell",)))
    survey = next(s for d in opened.deliveries if d.party == "westfell" and (s := read.of(d)) is not None)
    animals = survey.observations.filter(pl.col("type") == "animal")["taxon"].drop_nulls().unique()
    assert set(rates["taxon"]) == set(animals)
    assert rates["events"].sum() > 0
