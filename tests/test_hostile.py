"""Whatever lies in a node, a user gets findings and exit code 1: no traceback, nothing half-written, no hanging."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path

import pytest

from sharedrange.assessment.assessing import assess
from sharedrange.cli.main import run
from sharedrange.exchange.manifest import write_manifest
from sharedrange.exchange.store import Store

PATIENCE_S = 60  # far longer than any of these takes; a test that waits for ever is ended by it
Run = Callable[..., str]
Ruin = Callable[[Path], object]

PROGRAMME = """
[programme]
id = "trial"
title = "Lynx of the ridge"
[[parties]]
id = "north"
name = "North park"
[[parties]]
id = "south"
name = "South park"
[[species]]
key = "lynx"
taxon = "Lynx lynx"
[[components]]
id = "ridge"
title = "The ridge"
projection = "local:grid"
[[questions]]
id = "known"
engine = "population.minimum"
component = "ridge"
species = "lynx"
"""
DELIVERY = """
party = "{party}"
format = "captures"
crs = "local:grid"
taxon = "Lynx lynx"
detector = "proximity"
[occasions]
1 = 5
"""
CAPTURES = "session,id,occasion,trap\n1,K1,1,A\n1,K1,3,B\n1,K2,2,A\n"
TRAPS = "trap,x,y\nA,0,0\nB,500,0\n"
PACKAGE = """{"profile":
 "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.1/camtrap-dp-profile.json",
 "resources": [{"name": "deployments", "path": "deployments.csv"}, {"name": "media", "path": "media.csv"},
  {"name": "observations", "path": "observations.csv"}]}"""
DEPLOYMENTS = "deploymentID,latitude,longitude,deploymentStart,deploymentEnd\nd1,1.5,2.5,{start},2024-05-09T00:00:00\n"
MEDIA = "mediaID,deploymentID,timestamp,filePath\n"
OBSERVATIONS = "observationID,deploymentID,eventStart,eventEnd,observationLevel,observationType\n"


@pytest.fixture(autouse=True)
def _patience() -> Iterator[None]:
    def too_long(_signal: int, _frame: object) -> None:
        raise TimeoutError(f"nothing came back in {PATIENCE_S} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(PATIENCE_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def deliver(folder: Path, party: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "delivery.toml").write_text(DELIVERY.format(party=party))
    (folder / "captures.csv").write_text(CAPTURES)
    (folder / "traps.csv").write_text(TRAPS)
    return folder


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """The node of north: its own delivery, and one that it received from south."""
    folder = tmp_path / "node"
    deliver(folder / "own" / "cams", "north")
    write_manifest(deliver(folder / "received" / "south" / "cams", "south"), "south")
    (folder / "node.toml").write_text('party = "north"\n')
    (folder / "programme.toml").write_text(PROGRAMME)
    return folder


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a line that must end with exit code 1, and give all that it printed."""

    def run_line(*arguments: str | Path) -> str:
        code = run([str(argument) for argument in arguments])
        printed = capfd.readouterr()
        assert code == 1, printed.out + printed.err
        assert "Traceback" not in printed.err
        assert "cli.defect" not in printed.err
        return printed.out + printed.err

    return run_line


def kept(node: Path) -> dict[str, bytes | str | None]:
    """Everything of a node but its derived things: what it is, or what it holds. Follows no link."""
    there: dict[str, bytes | str | None] = {}
    for path in sorted(p for p in node.rglob("*") if "work" not in p.relative_to(node).parts):
        name = path.relative_to(node).as_posix()
        if path.is_symlink():
            there[name] = str(path.readlink())
        elif path.is_file() and os.access(path, os.R_OK) and path.stat().st_size < 1 << 20:
            there[name] = path.read_bytes()
        else:
            there[name] = None
    return there


def assert_nothing_half_written(node: Path, before: dict[str, bytes | str | None]) -> None:
    assert kept(node) == before
    assert not (node / "assessment").exists()
    store = Store(node / "work" / "store")  # holds the deliveries of the node that are right, whole
    work = [path for path in (node / "work").rglob("*") if path.is_file() and not path.is_relative_to(store.folder)]
    assert [path.name for path in work if path.name != ".lock"] == []
    held = {path.relative_to(store.folder).as_posix() for path in store.folder.glob("*/party=*/**/*") if path.is_file()}
    assert held == {part.path for known in store.imports() for part in known.parts}
    assert not list(store.folder.glob(".staging*"))


def own(name: str) -> Callable[[Path], Path]:
    return lambda node: node / "own" / "cams" / name


# --- what may lie in a node, and the rule that finds it ---


def empty_folder(node: Path) -> None:
    (node / "own" / "empty").mkdir()


def bomb(node: Path) -> None:
    place = node / "own" / "bomb"
    place.mkdir()
    (place / "delivery.toml").write_text('party = "north"\nformat = "camtrap-dp"\n')
    with zipfile.ZipFile(place / "package.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("datapackage.json", PACKAGE)
        archive.writestr("observations.csv", b"0" * (8 << 20))


def truncated_archive(node: Path) -> None:
    bomb(node)
    package = node / "own" / "bomb" / "package.zip"
    package.write_bytes(package.read_bytes()[:-40])


def cyrillic(node: Path) -> None:
    own("captures.csv")(node).write_bytes(CAPTURES.replace("K1", "Клык").encode("windows-1251"))


def mark_and_cyrillic(node: Path) -> None:
    text = b"\xef\xbb\xbf" + CAPTURES.replace("K1", "Клык").encode("windows-1251")
    own("captures.csv")(node).write_bytes(text)
    own("delivery.toml")(node).write_text(f'encoding = "windows-1251"\n{DELIVERY.format(party="north")}')


def truncated_table(node: Path) -> None:
    own("captures.csv")(node).write_text(CAPTURES[:-4])


def truncated_programme(node: Path) -> None:
    (node / "programme.toml").write_text(PROGRAMME[:-8])


def unknown_programme_key(node: Path) -> None:
    (node / "programme.toml").write_text(PROGRAMME.replace("taxon =", "taxum ="))


def unknown_engine(node: Path) -> None:
    (node / "programme.toml").write_text(PROGRAMME.replace("population.minimum", "population.maximum"))


def no_crs(node: Path) -> None:
    own("delivery.toml")(node).write_text(DELIVERY.format(party="north").replace('crs = "local:grid"', ""))


def no_timezone(node: Path) -> None:
    place = node / "own" / "package"
    place.mkdir()
    (place / "delivery.toml").write_text('party = "north"\nformat = "camtrap-dp"\n')
    (place / "datapackage.json").write_text(PACKAGE)
    (place / "deployments.csv").write_text(DEPLOYMENTS.format(start="2024-05-01T00:00:00"))
    (place / "media.csv").write_text(MEDIA)
    (place / "observations.csv").write_text(OBSERVATIONS)


def path_that_escapes(node: Path) -> None:
    text = DELIVERY.format(party="north") + '[files]\ncaptures = "../../programme.toml"\n'
    own("delivery.toml")(node).write_text(text)


def link_that_escapes(node: Path) -> None:
    own("more.csv")(node).symlink_to("/etc/hostname")


def folder_link_that_escapes(node: Path) -> None:
    (node / "own" / "elsewhere").symlink_to("/etc", target_is_directory=True)


def link_loop(node: Path) -> None:
    own("loop")(node).symlink_to("loop")


def link_to_the_folder_above(node: Path) -> None:
    own("inner")(node).symlink_to("..", target_is_directory=True)


def pipe(node: Path) -> None:
    os.mkfifo(own("captures.txt")(node))


def pipe_as_table(node: Path) -> None:
    own("captures.csv")(node).unlink()
    os.mkfifo(own("captures.csv")(node))


def door_of_a_program(node: Path) -> None:
    with chdir(own("")(node)), socket.socket(socket.AF_UNIX) as listening:
        listening.bind("camera.sock")  # from its folder: the name of a socket may be only 108 bytes long


def device(node: Path) -> None:
    try:
        os.mknod(own("zero.csv")(node), 0o600 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root makes devices")


def huge_table(node: Path) -> None:
    with own("captures.csv")(node).open("r+b") as table:
        table.truncate(200 << 20)


def unreadable_table(node: Path) -> None:
    _only_for_people()
    own("captures.csv")(node).chmod(0)


def unreadable_folder(node: Path) -> None:
    _only_for_people()
    own("")(node).chmod(0)


def _only_for_people() -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")


def name_that_is_no_text(node: Path) -> None:
    try:
        (node / "own" / "cams" / os.fsdecode(b"\xff\xfe.csv")).write_text(CAPTURES)
    except OSError:
        pytest.skip("this disk takes only names that are text")


def wrong_hash(node: Path) -> None:
    (node / "received" / "south" / "cams" / "captures.csv").write_text(CAPTURES + "1,K9,1,B\n")


def nonsense_manifest(node: Path) -> None:
    (node / "received" / "south" / "cams" / "manifest.json").write_text('{"files": {"../x": 1}}')


def delivery_of_another(node: Path) -> None:
    own("delivery.toml")(node).write_text(DELIVERY.format(party="south"))


def stranger(node: Path) -> None:
    shutil.move(node / "received" / "south", node / "received" / "west")


def folder_for_a_file(node: Path) -> None:
    (node / "programme.toml").unlink()
    (node / "programme.toml").mkdir()


def records_no_folder(node: Path) -> None:
    (node / "records").write_text("")


FOUND_BY: dict[Ruin, str] = {
    empty_folder: "empty-folder",
    bomb: "zip-bomb",
    truncated_archive: "file-damaged",
    cyrillic: "not-encoding",
    mark_and_cyrillic: "mark-contradicts-encoding",
    truncated_table: "ragged-row",
    truncated_programme: "programme-syntax",
    unknown_programme_key: "unknown-key",
    unknown_engine: "unknown-key",
    no_crs: "missing-crs",
    no_timezone: "missing-timezone",
    path_that_escapes: "path-escapes",
    link_that_escapes: "link-outside",
    folder_link_that_escapes: "path-escapes",
    link_to_the_folder_above: "link-outside",
    link_loop: "file-damaged",
    pipe: "not-a-file",
    pipe_as_table: "not-a-file",
    door_of_a_program: "not-a-file",
    device: "not-a-file",
    huge_table: "file-too-large",
    unreadable_table: "system-refused",
    unreadable_folder: "file-damaged",
    name_that_is_no_text: "file-name",
    wrong_hash: "file-changed",
    nonsense_manifest: "bad-manifest",
    delivery_of_another: "party-differs",
    stranger: "received-from-stranger",
    folder_for_a_file: "programme-file-missing",
    records_no_folder: "records-unreadable",
}


@pytest.mark.parametrize("ruin", FOUND_BY, ids=lambda ruin: ruin.__name__)
@pytest.mark.parametrize("command", ["check", "assess"])
def test_what_is_wrong_in_a_node_is_found_and_nothing_is_written(
    node: Path, refused: Run, ruin: Ruin, command: str
) -> None:
    ruin(node)
    before = kept(node)
    assert FOUND_BY[ruin] in refused(command, node)
    assert_nothing_half_written(node, before)


@pytest.mark.parametrize("ruin", [bomb, link_loop, pipe, device, huge_table, truncated_table, cyrillic, no_crs])
def test_what_is_wrong_in_one_delivery_is_found_without_a_node(node: Path, refused: Run, ruin: Ruin) -> None:
    ruin(node)
    place = node / "own" / ("bomb" if ruin is bomb else "cams")
    assert FOUND_BY[ruin] in refused("check", place)
    refused("estimate", place)


def test_the_node_that_is_ruined_here_is_sound_before(node: Path) -> None:
    assert run(["check", str(node)]) == 0
    assert run(["assess", str(node), "--quiet"]) == 0
    assert (node / "assessment" / "report.html").is_file()


def test_a_link_from_a_folder_to_itself_is_followed_by_nobody(node: Path) -> None:
    own("inner")(node).symlink_to(".", target_is_directory=True)
    assert run(["check", str(node)]) == 0


def test_a_zip_bomb_is_not_opened(tmp_path: Path, refused: Run) -> None:
    archive = tmp_path / "package.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("datapackage.json", PACKAGE)
        written.writestr("media.csv", b"\0" * (32 << 20))
    assert "zip-bomb" in refused("check", archive)
    assert "zip-bomb" in refused("estimate", archive)


def decided(node: Path) -> Path:
    """The chain of a node after one decision."""
    file = node.parent / "decisions.csv"
    columns = "party_a,catalogue_a,code_a,party_b,catalogue_b,code_b,taxon,verdict"
    file.write_text(f"{columns}\nnorth,main,K1,south,main,K2,Lynx lynx,same\n")
    assert run(["decide", str(node), str(file)]) == 0
    return next((node / "records").glob("*.jsonl"))


def test_a_flipped_byte_in_the_records_is_found_and_the_record_does_not_count(node: Path, refused: Run) -> None:
    chain = decided(node)
    content = chain.read_bytes()
    chain.write_bytes(content.replace(b'"same"', b'"tame"'))
    assert "record-" in refused("check", node)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * 100, b'party_a,"', b"party_a\0\n", b"", b"\n" * 1000])
def test_a_file_of_decisions_that_is_none_is_a_finding_and_signs_nothing(
    node: Path, refused: Run, content: bytes
) -> None:
    file = node.parent / "decisions.csv"
    file.write_bytes(content)
    refused("decide", node, file)
    assert not (node / "records").exists()
    assert not (node / "keys").exists()


def test_decisions_with_broken_rows_are_findings(node: Path, refused: Run) -> None:
    file = node.parent / "decisions.csv"
    columns = b"party_a,catalogue_a,code_a,party_b,catalogue_b,code_b,taxon,verdict\n"
    for row in (b'north,main,"K1', b"north,main,K1,south,main,K2,Lynx lynx,alike", b"north", b"," * 90):
        file.write_bytes(columns + row + b"\n")
        refused("decide", node, file)
    assert not (node / "records").exists()


@pytest.mark.parametrize("code", [b"a" * 200_000, b"\0"], ids=["endless", "nul"])
def test_a_code_that_nobody_can_write_is_refused(node: Path, refused: Run, code: bytes) -> None:
    file = node.parent / "decisions.csv"
    columns = b"party_a,catalogue_a,code_a,party_b,catalogue_b,code_b,taxon,verdict\n"
    file.write_bytes(columns + b"north,main," + code + b",south,main,K2,Lynx lynx,same\n")
    refused("decide", node, file)


def test_two_writers_do_not_meet(node: Path, refused: Run) -> None:
    lock = node / "work" / ".lock"
    lock.parent.mkdir()
    before = kept(node)
    with lock.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert "node-busy" in refused("assess", node)
    assert_nothing_half_written(node, before)


def full(*_given: object, **_more: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["fsync", "replace", "rename", "mkdir"])
def test_a_full_disk_is_a_finding_and_the_next_run_goes_on(
    node: Path, refused: Run, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    before = kept(node)
    with monkeypatch.context() as disk:
        disk.setattr(os, call, full)
        assert "system-refused" in refused("assess", node)
    after = kept(node)
    written = {name for name in after if name.startswith("assessment")}
    assert {name: after[name] for name in after.keys() - written} == before
    assert not written or "assessment/report.html" in written
    assert run(["assess", str(node), "--quiet"]) == 0


def test_a_full_disk_takes_no_report_away(node: Path, refused: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assess(node)
    before = kept(node)
    (node / "own" / "cams" / "captures.csv").write_text(CAPTURES + "1,K7,1,B\n")
    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        refused("assess", node)
    assert {name for name in kept(node) if name.startswith("assessment/")} == {
        name for name in before if name.startswith("assessment/")
    }
    assert kept(node)["assessment/report.html"] == before["assessment/report.html"]


@pytest.mark.parametrize("command", ["init", "simulate"])
def test_a_full_disk_leaves_no_half_of_a_node(
    tmp_path: Path, refused: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    options = {"init": ["--party", "north", "--title", "Ridge"], "simulate": ["--preset", "small"]}[command]
    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        refused(command, tmp_path / "new", *options)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_signs_nothing(node: Path, refused: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    file = node.parent / "decisions.csv"
    columns = "party_a,catalogue_a,code_a,party_b,catalogue_b,code_b,taxon,verdict"
    file.write_text(f"{columns}\nnorth,main,K1,south,main,K2,Lynx lynx,same\n")
    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        refused("decide", node, file)
    assert not list(node.glob("records/*.jsonl"))
    assert run(["decide", str(node), str(file)]) == 0


def damaged_answer(node: Path) -> None:
    next(node.glob("work/answers/*/answer.json")).write_text('{"estimates": [')


def lost_table(node: Path) -> None:
    next(node.glob("work/answers/*/*.parquet")).unlink()


def damaged_table(node: Path) -> None:
    next(node.glob("work/answers/*/*.parquet")).write_bytes(b"PAR1")


@pytest.mark.parametrize("ruin", [damaged_answer, lost_table, damaged_table], ids=lambda ruin: ruin.__name__)
def test_a_damaged_cache_is_computed_again(node: Path, ruin: Ruin) -> None:
    first = assess(node)
    ruin(node)
    (node / "work" / "assessed").unlink()
    again = assess(node)
    assert [r.answer.estimates for r in again.assessment.results] == [
        r.answer.estimates for r in first.assessment.results
    ]


@pytest.mark.parametrize("name", ["answers.parquet", "ledger.json"])
def test_a_damaged_assessment_cannot_be_traced_and_says_so(node: Path, refused: Run, name: str) -> None:
    number = assess(node).assessment.results[0].answer.estimates[0].id
    (node / "assessment" / name).write_bytes(b"PAR1")
    assert "not-assessed" in refused("trace", node, number)


def test_a_closed_pipe_ends_the_program_without_a_traceback(node: Path) -> None:
    line = f'"{sys.executable}" -m sharedrange.cli.main check "{node}" --json | true'
    ended = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert "Traceback" not in ended.stderr
