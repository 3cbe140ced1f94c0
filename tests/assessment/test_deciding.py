"""Decisions come from a file or a terminal, are signed once, and can be taken back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sharedrange.assessment.deciding import decide, read_decisions
from sharedrange.assessment.material import decisions_among
from sharedrange.assessment.node import open_node
from sharedrange.assessment.programme import write_new_node
from sharedrange.core.errors import InputError
from sharedrange.core.individuals import LocalIndividual, Verdict
from sharedrange.records import Decision, concordance

AT = "2026-11-22T00:00:00Z"
HEADER = "party_a,catalogue_a,code_a,party_b,catalogue_b,code_b,taxon,verdict,evidence\n"
ROW = "park-a,main,M1,park-a,old,T9,Panthera tigris,same,stripes of the left flank\n"


@pytest.fixture
def park(tmp_path: Path) -> Path:
    folder = tmp_path / "park"
    write_new_node(folder, party="park-a", party_name="Park A", title="Tigers")
    with (folder / "programme.toml").open("a", encoding="utf-8") as programme:
        programme.write('\n[[species]]\nkey = "tiger"\ntaxon = "Panthera tigris"\n')
    return folder


def file(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "decisions.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def in_force(folder: Path) -> list[tuple[Verdict, str]]:
    decided, _ = concordance(open_node(folder).records)
    return [(link.verdict, link.evidence) for link in decided.links]


def test_a_file_is_signed_once_however_often_it_is_given(park: Path, tmp_path: Path) -> None:
    decisions = read_decisions(file(tmp_path, HEADER + ROW))
    first, again = decide(park, decisions, AT), decide(park, decisions, AT)
    assert (first.new, first.repeated) == (1, 0)
    assert (again.new, again.repeated) == (0, 1)
    assert in_force(park) == [(Verdict.SAME, "stripes of the left flank")]


def test_the_same_key_corrects_itself_without_a_conflict(park: Path, tmp_path: Path) -> None:
    same = read_decisions(file(tmp_path, HEADER + ROW))[0]
    decide(park, [same], AT)
    done = decide(park, [replace(same, verdict=Verdict.DIFFERENT, evidence="scar")], AT)
    assert "decision-conflict" not in {f.rule for f in done.conflicts}
    assert in_force(park) == [(Verdict.DIFFERENT, "scar")]


def test_every_animal_of_several_codes_has_one_joint_id(park: Path, tmp_path: Path) -> None:
    chain = HEADER + ROW + "park-a,old,T9,park-a,third,X,Panthera tigris,same,\n"
    decide(park, read_decisions(file(tmp_path, chain)), AT)
    decided, _ = concordance(open_node(park).records)
    who = [LocalIndividual("park-a", *rest) for rest in (("main", "M1"), ("old", "T9"), ("third", "X"))]
    groups = decided.partition(who).groups
    assert list(groups.values()) == [tuple(sorted(who))]
    assert next(iter(groups)).startswith("J-")


def test_a_party_that_the_programme_does_not_know_is_refused_and_nothing_is_signed(park: Path, tmp_path: Path) -> None:
    strangers = HEADER + ROW + ROW.replace("park-a,old", "park-z,old")
    with pytest.raises(InputError) as caught:
        decide(park, read_decisions(file(tmp_path, strangers)), AT)
    assert {f.rule for f in caught.value.findings} == {"decision-stranger"}
    assert in_force(park) == []


def test_a_species_that_the_programme_does_not_know_is_refused(park: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        decide(park, read_decisions(file(tmp_path, HEADER + ROW.replace("tigris", "tigre"))), AT)
    assert {f.rule for f in caught.value.findings} == {"decision-taxon"}


def test_everything_wrong_in_a_file_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    wrong = HEADER + ROW.replace("same", "maybe") + ROW.replace("M1", "") + ROW
    with pytest.raises(InputError) as caught:
        read_decisions(file(tmp_path, wrong))
    assert [f.where.row for f in caught.value.findings] == [2, 3]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("party_a,code_a\n", "missing-column"),
        ((HEADER + ROW).replace("stripes", "полосы").encode("cp1251"), "decisions-encoding"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, content: str | bytes, rule: str) -> None:
    with pytest.raises(InputError) as caught:
        read_decisions(file(tmp_path, content))
    assert {f.rule for f in caught.value.findings} == {rule}


def test_a_byte_order_mark_is_no_obstacle(tmp_path: Path) -> None:
    assert len(read_decisions(file(tmp_path, b"\xef\xbb\xbf" + (HEADER + ROW).encode()))) == 1


def test_a_chain_through_a_third_partys_catalogue_counts_the_animal_once(park: Path) -> None:
    programme = park / "programme.toml"
    others = "".join(f'\n[[parties]]\nid = "{p}"\nname = "{p}"\n' for p in ("park-b", "park-c"))
    programme.write_text(programme.read_text(encoding="utf-8") + others, encoding="utf-8")
    a, b, c = (LocalIndividual(p, "main", "M1") for p in ("park-a", "park-b", "park-c"))
    taxon = "Panthera tigris"
    decide(park, [Decision(one, c, taxon, Verdict.SAME, "park-a") for one in (a, b)], AT)
    node, taxa = open_node(park), frozenset({taxon})
    together = decisions_among(node, taxa, frozenset({"park-a", "park-b"}))
    assert len(together.partition([a, b]).groups) == 1
    alone = decisions_among(node, taxa, frozenset({"park-a"}))
    assert (alone.links, alone.joint_ids) == ((), {})
