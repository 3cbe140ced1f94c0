"""Numbers for somebody who may not see the data: told by agreement, kept, recorded, and nothing else beside them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from tests.assessment.sharing.conftest import DATASET, TEXT, Three, copied
from tests.sharing_cases import AGREEMENT, NOW, OWNER, PURPOSE, RECIPIENT, TODAY

from sharedrange.assessment import sharing
from sharedrange.assessment.assessing import assess
from sharedrange.assessment.published import publications
from sharedrange.assessment.sharing import publishing
from sharedrange.assessment.tracing import trace
from sharedrange.cli.main import run
from sharedrange.core.errors import AgreementError, InputError, ProgrammeError
from sharedrange.core.ledger import Source
from sharedrange.sharing.outputs import Asked

if TYPE_CHECKING:
    from sharedrange.assessment.published import Publication

HEAD = "secretariat/head"
PUBLIC = Asked("public", PURPOSE, TODAY)
OUTPUTS = """
[[outputs]]
kind = "abundance-by-side"
audience = "public"
least_animals = 3
"""


@pytest.fixture(scope="module")
def given_once(strangers_once: Three, tmp_path_factory: pytest.TempPathFactory) -> Three:
    """Three nodes of which the recipient opened a package, under an agreement with an output for everybody."""
    three = copied(strangers_once, tmp_path_factory.mktemp("told") / "nodes")
    three.agree(TEXT + OUTPUTS)
    three.open(three.seal().file)
    return three


@pytest.fixture
def told(given_once: Three, tmp_path: Path) -> Three:
    """The same, to be changed."""
    return copied(given_once, tmp_path / "nodes")


def tell(three: Three, asked: Asked = PUBLIC) -> Publication:
    """The recipient tells a reader."""
    return publishing.publish(three.node(RECIPIENT), asked, by=HEAD, recorded_at=NOW)[1]


def bytes_of(folder: Path) -> Iterator[bytes]:
    """Every file of a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.read_bytes()


def test_looking_writes_nothing_and_says_why_numbers_stay(told: Three) -> None:
    before = told.files()
    seen = publishing.what_would_be_told(told.node(RECIPIENT), PUBLIC)
    assert told.files() == before
    assert {v.number.kind for v in seen.may} == {"abundance-by-side"}
    assert {v.number.side for v in seen.may} == {OWNER}  # its data alone are there: no number of all together
    silent = publishing.what_would_be_told(told.node(RECIPIENT), replace(PUBLIC, purpose="joint-population-estimate"))
    assert {v.number.estimate.quantity for v in silent.may} == {v.number.estimate.quantity for v in seen.may}


def test_everybody_is_told_the_total_and_nothing_of_what_it_was_made_from(told: Three) -> None:
    node = told.node(RECIPIENT)
    made = tell(told)
    outcome = assess(node, reader="public")
    quantities = {e.quantity for r in outcome.assessment.results for a in r.answers.values() for e in a.estimates}
    assert quantities == set(made.numbers["quantity"])
    assert not quantities & {"sigma", "lambda0", "n", "N.surveyed"}
    assert {e.audience for r in outcome.assessment.results for e in r.answer.estimates} == {"public"}
    package = next((node / "received" / OWNER).iterdir())
    held = pl.read_csv(package / "encounters.csv")["individual"].drop_nulls().unique().to_list()
    stations = pl.read_csv(package / "stations.csv")["station"].to_list()
    secret = [name.encode() for name in (*held, *stations, package.name, "received/")]
    for content in bytes_of(node / "assessment-for-public"):
        assert not [word for word in secret if word in content]


def test_a_told_number_leads_back_to_its_telling_and_no_further(told: Three) -> None:
    made = tell(told)
    outcome = assess(told.node(RECIPIENT), reader="public")
    number = next(r.answer.estimates[0] for r in outcome.assessment.results if r.answer.estimates)
    way = trace(told.node(RECIPIENT), number.id)
    source = way.lines[-1][2]
    assert isinstance(source, Source)
    assert (source.dataset, source.sha256, source.released_under) == (made.name, made.id, AGREEMENT)
    assert len(way.lines) == 2


def test_what_the_reader_is_told_does_not_depend_on_what_stays(told: Three) -> None:
    """Non-interference: of another node with other records and files, but the same telling, the report is the same."""
    node, other = told.node(RECIPIENT), told.root / "other"
    tell(told)
    shutil.copytree(node, other)
    shutil.rmtree(other / "received")
    shutil.rmtree(other / "work")
    one, two = (assess(folder, reader="public").report.parent for folder in (node, other))
    data = [json.loads(next(folder.glob("report-data*")).read_text(encoding="utf-8")) for folder in (one, two)]
    assert data[0]["results"] == data[1]["results"]
    assert list(bytes_of(one)) == list(bytes_of(two))


def test_a_party_of_the_agreement_may_see_more_than_everybody(told: Three) -> None:
    seen = publishing.what_would_be_told(told.node(RECIPIENT), replace(PUBLIC, reader=OWNER))
    assert not seen.verdicts  # the owner may see all that came from it


def test_owners_learn_what_was_told(told: Three) -> None:
    made = tell(told)
    told.courier(RECIPIENT, OWNER)
    books = sharing.audit(told.node(OWNER), TODAY)
    assert [(row.publication, row.reader, row.by) for row in books.told] == [(made.id, "public", HEAD)]
    assert books.told[0].agreements == (AGREEMENT,)


def test_without_what_was_told_before_nothing_is_told(told: Three) -> None:
    tell(told)
    shutil.rmtree(told.node(RECIPIENT) / "published")
    with pytest.raises(InputError) as refused:
        tell(told)
    assert [finding.rule for finding in refused.value.findings] == ["published-lost"]


def test_everybody_is_not_told_the_register(told: Three) -> None:
    """Budgets, remarks and open questions are kept between the parties."""
    node = told.node(RECIPIENT)
    tell(told)
    programme = node / "programme.toml"
    text = programme.read_text(encoding="utf-8").replace(
        'occasion_timezone = "Asia/Shanghai"', 'occasion_timezone = "Asia/Shanghai"\nnote = "CANARY7Q"', 1
    )
    project = '\n[project]\nname = "CANARY7Q"\nfunder = "CANARY7Q"\nbudget_usd = 123457.0\n'
    asked = '\n[[open_questions]]\nid = "o1"\ntext = "CANARY7Q"\nasked_by = "CANARY7Q"\n'
    programme.write_text(text + project + asked, encoding="utf-8")
    assert [content for content in bytes_of(assess(node).report.parent) if b"CANARY7Q" in content]
    for content in bytes_of(assess(node, reader="public").report.parent):
        assert b"CANARY7Q" not in content
        assert b"123457" not in content.replace(b",", b"")


def test_after_a_revocation_it_is_not_told_again(told: Three) -> None:
    tell(told)
    sharing.revoke(told.node(OWNER), AGREEMENT, reason="ended", by=f"{OWNER}/director", recorded_at=NOW)
    told.courier(OWNER, RECIPIENT)
    outcome = assess(told.node(RECIPIENT), reader="public")
    assert not [e for r in outcome.assessment.results for a in r.answers.values() for e in a.estimates]
    with pytest.raises(AgreementError) as refused:
        tell(told)
    assert [finding.rule for finding in refused.value.findings] == ["nothing-to-publish"]


def test_a_telling_without_its_record_counts_for_nothing(told: Three, given_once: Three) -> None:
    """Somebody laid numbers into the folder that nobody signed."""
    tell(told)
    node = told.node(RECIPIENT)
    shutil.rmtree(node / "records")
    shutil.copytree(given_once.node(RECIPIENT) / "records", node / "records")
    outcome = assess(node, reader="public")
    assert not [e for r in outcome.assessment.results for a in r.answers.values() for e in a.estimates]


@pytest.mark.parametrize("damage", ["numbers", "about", "renamed"])
def test_a_telling_that_was_changed_is_refused(told: Three, damage: str) -> None:
    made = tell(told)
    place = told.node(RECIPIENT) / "published" / made.name
    if damage == "renamed":
        place.rename(place.with_name("SIMULATED-publication-000000000000"))
    else:
        file = place / {"numbers": "numbers.csv", "about": "publication.json"}[damage]
        file.write_bytes(file.read_bytes().replace(b"animals", b"Animals").replace(b"treaty", b"Treaty"))
    with pytest.raises(InputError) as refused:
        assess(told.node(RECIPIENT), reader="public")
    assert [finding.rule for finding in refused.value.findings] == ["publication-damaged"]


def test_the_same_may_be_told_twice(told: Three) -> None:
    first, second = tell(told), tell(told)
    assert first.id != second.id
    assert first.numbers.equals(second.numbers)
    assert len(publications(told.node(RECIPIENT))) == 2


def test_strangers_and_the_own_party_are_refused(told: Three) -> None:
    with pytest.raises(ProgrammeError):
        tell(told, replace(PUBLIC, reader="nobody"))
    with pytest.raises(AgreementError) as refused:
        tell(told, replace(PUBLIC, reader=RECIPIENT))
    assert [finding.rule for finding in refused.value.findings] == ["reader-is-own"]


def test_another_purpose_tells_nothing(told: Three) -> None:
    seen = publishing.what_would_be_told(told.node(RECIPIENT), replace(PUBLIC, purpose="sale"))
    assert not seen.may
    assert {"other-purpose"} <= {reason for v in seen.verdicts for reason in v.reasons}


def test_the_command_looks_first_and_tells_with_a_role(told: Three, capsys: pytest.CaptureFixture[str]) -> None:
    node = str(told.node(RECIPIENT))
    asked = ["publish", node, "--for", "public", "--purpose", PURPOSE, "--on", str(TODAY)]
    assert run(asked) == 0
    assert "--by" in capsys.readouterr().out
    assert not (told.node(RECIPIENT) / "published").exists()
    assert run([*asked, "--by", HEAD]) == 0
    printed = capsys.readouterr().out
    assert "publication-" in printed
    assert DATASET not in printed


def test_a_report_from_revoked_data_says_so(told: Three) -> None:
    """What was given stays given, but who reads a number made from it is told."""
    rules = [f.rule for f in assess(told.node(RECIPIENT)).assessment.all_findings]
    assert "package-of-revoked" not in rules
    sharing.revoke(told.node(OWNER), AGREEMENT, reason="ended", by=f"{OWNER}/director", recorded_at=NOW)
    told.courier(OWNER, RECIPIENT)
    found = assess(told.node(RECIPIENT)).assessment.all_findings
    assert "package-of-revoked" in [finding.rule for finding in found]


def test_data_of_an_agreement_that_ended_are_due_to_be_deleted(told: Three) -> None:
    node = told.node(RECIPIENT)
    before, after = (sharing.audit(node, day).findings for day in (TODAY, date(2028, 1, 1)))
    assert "package-of-expired" not in [finding.rule for finding in before]
    assert "package-of-expired" in [finding.rule for finding in after]


def test_another_reader_s_report_holds_nothing_of_the_node_beside_what_they_may_see(told: Three) -> None:
    """Names of loose files, remarks in the programme, how many records there are: none of it is the reader's."""
    node = told.node(RECIPIENT)
    tell(told)
    before = list(bytes_of(assess(node, reader="public").report.parent))
    (node / "own" / "CANARY7Q-folder").mkdir(parents=True)
    (node / "own" / "CANARY7Q-loose.txt").write_text("a word", encoding="utf-8")
    (node / "received" / OWNER / "CANARY7Q-loose.txt").write_text("a word", encoding="utf-8")
    programme = node / "programme.toml"
    programme.write_text(programme.read_text(encoding="utf-8") + "\n# CANARY7Q: ask Lee\n", encoding="utf-8")
    sharing.revoke(told.node(OWNER), AGREEMENT, reason="CANARY7Q", by=f"{OWNER}/director", recorded_at=NOW)
    (node / "own" / "CANARY7Q-folder").rmdir()
    assert [content for content in bytes_of(assess(node).report.parent) if b"CANARY7Q" in content]  # its own does
    after = list(bytes_of(assess(node, reader="public").report.parent))
    assert not [content for content in after if b"CANARY7Q" in content]
    assert len(before) == len(after)


def test_sides_lines_masks_and_datasets_of_a_question_are_not_told_with_its_number(told: Three) -> None:
    """A fence that a question draws, the mask's file, the outline of the sides: a number needs none of them."""
    node = told.node(RECIPIENT)
    programme = node / "programme.toml"
    text = programme.read_text(encoding="utf-8")
    fenced = text.replace('engine = "population.scr"', 'engine = "population.permeability"').replace(
        'id = "leopard-number"',
        'id = "leopard-fence"\nbarriers = { fence = "LINESTRING (117.123456 46.1, 117.2 46.2)" }',
    )
    questions = fenced[fenced.index("[[questions]]") :]
    programme.write_text(text + "\n" + questions, encoding="utf-8")
    tell(told)
    outcome = assess(node, reader="public")
    assert {r.question.id for r in outcome.assessment.results} == {"leopard-number", "leopard-fence"}
    for content in bytes_of(outcome.report.parent):
        assert not [word for word in (b"117.123456", b"POLYGON", b".geojson", b"received") if word in content]
