"""Pictures of animals from one node to another, and on a page; nothing of where they were taken on the way."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyrage
import pytest
from tests import sharing_cases
from tests.picture_cases import BOX, CANARY, photo, rule
from tests.sharing_cases import HEAD, LEOPARD, OWNER, RECIPIENT

from sharedrange.assessment import sharing
from sharedrange.assessment.assessing import assess
from sharedrange.assessment.sharing import showing
from sharedrange.cli.main import run
from sharedrange.core.survey import BOXES, DEPLOYMENTS, MEDIA, OBSERVATIONS, Survey, conform
from sharedrange.core.words import load
from sharedrange.exchange import camtrapdp
from sharedrange.exchange.doors import check_path, file_reader, read_delivered

if TYPE_CHECKING:
    from tests.assessment.sharing.conftest import Three

DATASET, PICTURES = "SIMULATED-cards-2026", 4
START = datetime(2026, 2, 1, tzinfo=UTC)


def survey() -> Survey:
    """Two cameras, and a leopard before each on two days; every name tells what should not leave."""
    deployments = [
        {"deployment": f"{CANARY}-d{k}", "station": f"{CANARY}-s{k}", "x": 117.7 + k / 100, "y": 46.4, "start": START,
         "end": START + timedelta(days=40), "detector": "proximity"}
        for k in range(2)
    ]  # fmt: skip
    seen = [
        {"observation": f"{CANARY}-o{k}", "deployment": f"{CANARY}-d{k % 2}", "media": f"{CANARY}-m{k}",
         "type": "animal", "start": START + timedelta(days=1 + k), "end": START + timedelta(days=1 + k),
         "taxon": LEOPARD, "count": 1,
         "individual": f"{CANARY}-leopard-{k % 2}", "catalogue": "main", "flank": "left"}
        for k in range(PICTURES)
    ]  # fmt: skip
    media = [
        {"media": one["media"], "deployment": one["deployment"], "taken": one["start"],
         "path": f"media/{CANARY}-{k}.JPG"}
        for k, one in enumerate(seen)
    ]  # fmt: skip
    return Survey(
        OWNER, DATASET, "EPSG:4326", dated=True, deployments=conform(pl.DataFrame(deployments), DEPLOYMENTS),
        observations=conform(pl.DataFrame(seen), OBSERVATIONS), media=conform(pl.DataFrame(media), MEDIA),
    )  # fmt: skip


def deliver(folder: Path) -> None:
    """The survey as a Camtrap DP package with its photographs and a box around each animal."""
    camtrapdp.write(survey(), folder, title=DATASET)
    file = folder / "observations.csv"
    boxes = dict(zip(("bboxX", "bboxY", "bboxWidth", "bboxHeight"), map(str, BOX), strict=True))
    table = pl.read_csv(file, infer_schema=False)
    level = {"observationLevel": "media"}
    table.with_columns(pl.lit(text).alias(name) for name, text in {**boxes, **level}.items()).write_csv(file)
    (folder / "media").mkdir()
    for k in range(PICTURES):
        (folder / f"media/{CANARY}-{k}.JPG").write_bytes(photo(k))


@pytest.fixture
def agreed(strangers: Three) -> Three:
    """Two nodes with an agreement about pictures, and a card with pictures at the owner's."""
    deliver(strangers.node(OWNER) / "own" / DATASET)
    strangers.agree(HEAD + rule(sharing_cases))
    return strangers


def asked(three: Three) -> sharing.Asked:
    one = three.asked()
    return sharing.Asked(DATASET, one.agreement, one.recipient, one.purpose, one.on)


def sealed(three: Three) -> Path:
    """A package with pictures on the stick."""
    made = sharing.seal_release(
        three.node(OWNER), asked(three), approved_by="westfell/data-steward", recorded_at="2026-11-22T10:00:00Z",
        check=lambda leaving: sharing.look_at(leaving).findings, out=three.drop,
    )  # fmt: skip
    assert made.rows == {"pictures": PICTURES}
    return made.file


def test_the_door_reads_boxes_and_finds_the_files_of_pictures(agreed: Three) -> None:
    folder = agreed.node(OWNER) / "own" / DATASET
    content, _ = check_path(folder)
    assert content is not None
    assert content.survey is not None
    boxes = content.survey.boxes
    assert boxes.schema == BOXES
    assert boxes.select("box_x", "box_y", "box_width", "box_height").unique().rows() == [BOX]
    assert boxes["individual"].n_unique() == 2
    read = file_reader(folder, OWNER)
    assert [read(path) for path in content.survey.media["path"].sort()] == [photo(k) for k in range(PICTURES)]
    assert read("media/absent.JPG") is None
    assert read("../../node.toml") is None
    assert read(f"file://{folder}/media/{CANARY}-0.JPG") is None
    assert read("https://example.org/IMG_0001.JPG") is None


def test_pictures_lie_in_the_recipients_node_and_are_those_that_left(agreed: Three) -> None:
    taken = agreed.open(sealed(agreed))
    assert taken.folder is not None
    told = pl.read_csv(taken.folder / "pictures.csv")
    files = {path.stem: path.read_bytes() for path in (taken.folder / "pictures").glob("*.jpg")}
    assert set(told["picture"]) == set(files)
    copies = {path.stem: path.read_bytes() for path in (agreed.node(OWNER) / "released").rglob("P-*.jpg")}
    assert copies == files
    assert told["individual"].n_unique() == 2
    content, _, found = read_delivered(taken.folder, OWNER)
    assert content is not None
    assert {one.rule: one.facts.get("n") for one in found} == {"released-pictures": PICTURES}


def test_a_picture_that_was_exchanged_after_it_came_is_told(agreed: Three) -> None:
    folder = agreed.open(sealed(agreed)).folder
    assert folder is not None
    first = min((folder / "pictures").iterdir())
    first.write_bytes(photo())
    (folder / "pictures" / "IMG_0001.JPG").write_bytes(photo())
    _, _, found = read_delivered(folder, OWNER)
    assert [one.rule for one in found] == ["file-changed", "unread-file", "released-pictures"]
    first.unlink()
    _, _, found = read_delivered(folder, OWNER)
    assert [one.rule for one in found] == ["file-not-found", "unread-file", "released-pictures"]


def test_a_package_of_pictures_alone_stops_no_report(agreed: Three) -> None:
    assert agreed.open(sealed(agreed)).folder is not None
    assert assess(agreed.node(RECIPIENT)) is not None


def test_a_word_in_every_name_and_in_all_metadata_is_nowhere_outside_the_owners_node(agreed: Three) -> None:
    agreed.open(sealed(agreed))
    word = CANARY.partition("-")[0].encode()
    plain = [
        bytes(pyrage.decrypt(file.read_bytes(), [_identity(agreed)])) for file in agreed.drop.glob("*.age")
    ]  # fmt: skip
    others = [file.read_bytes() for file in agreed.node(RECIPIENT).rglob("*") if file.is_file()]
    assert plain
    for content in [*plain, *others]:
        assert word not in content
        assert base64.b64encode(word)[:8] not in content


def _identity(three: Three) -> Any:
    return pyrage.x25519.Identity.from_str(
        sharing.open_ground(three.node(RECIPIENT)).keys.identity("sharing", None).secret
    )


def test_preview_draws_a_page_of_what_would_leave_and_open_one_of_what_came(
    agreed: Three, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = tmp_path / "before.html", tmp_path / "after.html"
    line = [
        "--agreement",
        asked(agreed).agreement,
        "--for",
        RECIPIENT,
        "--purpose",
        asked(agreed).purpose,
        "--on",
        "2026-11-22",
    ]
    run(["preview", str(agreed.node(OWNER)), DATASET, *line, "--pictures", str(before)])
    package = sealed(agreed)
    assert run(["open", str(agreed.node(RECIPIENT)), str(package), "--on", "2026-11-22", "--pictures", str(after)]) == 0
    capsys.readouterr()
    folder = next((agreed.node(RECIPIENT) / "received" / OWNER).iterdir())
    files = {path.read_bytes() for path in (folder / "pictures").iterdir()}
    for page in (before, after):
        text = page.read_text(encoding="utf-8")
        assert {base64.b64decode(data) for data in re.findall(r"base64,([^\"]+)", text)} == files
        assert "SIMULATED" in text
        assert CANARY.partition("-")[0] not in text
        assert not re.search(r"<script|https?://|src=\"(?!data:)", text)


def test_what_a_partner_wrote_is_text_on_the_page(agreed: Three, tmp_path: Path) -> None:
    leaving = sharing.what_would_leave(agreed.node(OWNER), asked(agreed))
    table = leaving.released.tables["pictures"].with_columns(taxon=pl.lit("<script>alert(1)</script>"))
    page = "".join(showing._page(table, leaving.released.files, leaving.released.manifest, load("en")))
    assert "<script" not in page
    assert "&lt;script" in page


def test_a_page_that_cannot_be_written_is_told(
    agreed: Three, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    line = [
        "--agreement",
        asked(agreed).agreement,
        "--for",
        RECIPIENT,
        "--purpose",
        asked(agreed).purpose,
        "--on",
        "2026-11-22",
    ]
    assert (
        run(["preview", str(agreed.node(OWNER)), DATASET, *line, "--pictures", str(tmp_path / "file" / "a.html")]) == 1
    )
    assert "file" in capsys.readouterr().err
