"""A delivery of genotypes from its owner's node to another: previewed, attacked, sealed, opened, read."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.sharing_cases import HEAD, LEOPARD, NOW, OWNER, PURPOSE, RECIPIENT, STEWARD, TODAY

from sharedrange.assessment import sharing
from sharedrange.assessment.node import open_node
from sharedrange.assessment.surveys import Surveys
from sharedrange.cli.main import run
from sharedrange.core.errors import AgreementError
from sharedrange.core.release import TABLES

if TYPE_CHECKING:
    from tests.assessment.sharing.conftest import Three

WORD, DATASET = "CANARY7Q", "CANARY7Q-scats"
SCATS = f"""
[[rules]]
id = "scats"
taxa = ["{LEOPARD}"]
cell = 0.2
least_stations = 2
delay_days = 90
resolution = "month"
identity = "pseudonym"

[rules.tables]
samples = ["individual", "catalogue", "sex"]
"""
SAMPLES = f"""sample,taxon,individual,catalogue,sex,x,y,taken,permit
{WORD}-s1,{LEOPARD},{WORD}-F1,{WORD}-cats,female,117.70317,46.40123,2026-02-03 08:00,{WORD}-permit
{WORD}-s2,{LEOPARD},{WORD}-F1,{WORD}-cats,female,117.71428,46.41234,2026-02-20 08:00,{WORD}-permit
{WORD}-s3,{LEOPARD},{WORD}-M2,{WORD}-cats,male,117.72539,46.42345,2026-03-05 08:00,{WORD}-permit
{WORD}-s4,{WORD} avis,,,,117.72539,46.42345,2026-03-05 08:00,{WORD}-permit
"""
ALLELES = f"""sample,locus,allele_1,allele_2
{WORD}-s1,{WORD}-L1,{WORD}100,{WORD}104
{WORD}-s2,{WORD}-L1,{WORD}100,{WORD}104
{WORD}-s3,{WORD}-L1,{WORD}102,{WORD}104
{WORD}-s4,{WORD}-L1,{WORD}102,{WORD}104
"""


def with_scats(three: Three, rule: str = SCATS) -> Three:
    """The owner has typed scats, with the word in every field, and an agreement that gives the samples."""
    folder = three.node(OWNER) / "own" / DATASET
    folder.mkdir()
    said = f'party = "{OWNER}"\nformat = "genotypes"\ncrs = "EPSG:4326"\ntimezone = "Asia/Shanghai"\n'
    (folder / "delivery.toml").write_text(said, encoding="utf-8")
    (folder / "samples.csv").write_text(SAMPLES, encoding="utf-8")
    (folder / "alleles.csv").write_text(ALLELES, encoding="utf-8")
    three.agree(HEAD + rule)
    return three


def asked() -> sharing.Asked:
    return sharing.Asked(DATASET, "westfell", RECIPIENT, PURPOSE, TODAY)


def test_a_preview_shows_samples_where_they_can_be_and_who_could_find_them(strangers: Three) -> None:
    seen = sharing.preview(with_scats(strangers).node(OWNER), asked())
    assert {name: table.height for name, table in seen.tables.items()} == {"samples": 3}
    assert seen.areas.height == 3
    assert float(seen.areas["area_km2"].min()) > 100.0  # type: ignore[arg-type]  # floats
    (attack,) = (attack for attack in seen.attacks if attack.name == "samples")
    assert (attack.n, attack.certified) == (3, True)
    (rare,) = (attack for attack in seen.attacks if attack.name == "rare-records")
    assert rare.n == 3


def test_samples_that_anybody_could_find_stop_the_sealing(strangers: Three) -> None:
    fine = SCATS.replace("cell = 0.2", "cell = 0.01").replace("least_stations = 2", "least_stations = 1")
    node = with_scats(strangers, fine).node(OWNER)
    found = [(one.rule, one.severity.value) for one in sharing.preview(node, asked()).findings]
    assert ("release-attacked-samples", "error") in found
    with pytest.raises(AgreementError, match="release-attacked-samples"):
        seal(strangers, out=strangers.drop)


def seal(three: Three, out: Path) -> Path:
    return sharing.seal_release(
        three.node(OWNER),
        asked(),
        approved_by=STEWARD,
        recorded_at=NOW,
        check=lambda leaving: sharing.look_at(leaving).findings,
        out=out,
    ).file


def test_samples_arrive_sealed_without_a_word_of_their_owner(strangers: Three) -> None:
    three = with_scats(strangers)
    heard = io.StringIO()
    with redirect_stdout(heard), redirect_stderr(heard):
        line = ["--agreement", "westfell", "--for", RECIPIENT, "--purpose", PURPOSE, "--on", str(TODAY)]
        assert run(["preview", str(three.node(OWNER)), DATASET, *line]) == 0
    assert "samples" in heard.getvalue()
    three.open(seal(three, three.drop))
    outside = [path for place in (three.drop, three.node(RECIPIENT)) for path in place.rglob("*") if path.is_file()]
    assert [path.name for path in outside if WORD.encode() in path.read_bytes()] == []
    node = open_node(three.node(RECIPIENT))
    (arrived,) = (one for one in node.deliveries if one.source.released_under)
    content = Surveys(node).content(arrived)
    assert content.genotypes is not None
    assert content.genotypes.alleles.is_empty()
    assert content.genotypes.samples.height == 3
    assert WORD not in content.genotypes.samples.write_csv()
    assert {path.name for path in arrived.path.glob("*.csv")} == {"samples.csv"}
    assert set(TABLES["samples"]) >= {"x", "y", "cell"}


def test_the_next_release_knows_the_cells_that_samples_left_in(strangers: Three) -> None:
    three = with_scats(strangers)
    seal(three, three.drop)
    again = sharing.preview(three.node(OWNER), asked())
    assert [finding.rule for finding in again.findings if finding.rule.startswith("release-attacked-samples")] == []
    assert again.areas.height == 3
