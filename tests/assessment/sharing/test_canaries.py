"""A word in every raw field of a delivery, and a search for it in every byte outside its owner's node."""

from __future__ import annotations

import base64
import io
import re
import shutil
import traceback
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyrage
import pytest
from PIL import Image

from sharedrange.assessment import sharing
from sharedrange.assessment.sharing import releasing
from sharedrange.cli.main import run
from sharedrange.records import Keys

if TYPE_CHECKING:
    from tests.assessment.sharing.conftest import Three

OWNER, RECIPIENT, NEIGHBOUR = "westfell", "secretariat", "eastfell"
CAMERAS, CRANES, CARDS = "CANARY7Q-cameras", "CANARY7Q-cranes", "CANARY7Q-cards"
STAYS = "CANARY7Q avis"  # a species that no rule names
LEOPARD, CRANE = "Panthera pardus orientalis", "Antigone vipio"
WORD = "CANARY7Q"
AGREEMENT = "urn:agreement:westfell--secretariat:2026-01"
COUNTS_RULE = f"""
[[rules]]
id = "cranes"
taxa = ["{CRANE}"]
cell = 0.2
least_stations = 2
delay_days = 90
resolution = "month"

[rules.tables]
visits = ["effort", "effort_unit", "observers", "complete", "cover_share"]
counts = ["count", "exactness", "sign", "life_stage", "sex"]

[[outputs]]
kind = "detection-rate"
audience = "public"
least_animals = 1
"""
# Columns of Camtrap DP that hold words of people: any text is right in them.
FREE = {
    "deployments": (
        "locationName", "setupBy", "cameraID", "cameraModel", "habitat", "deploymentGroups", "deploymentTags",
        "deploymentComments",
    ),
    "media": ("filePath", "fileName", "exifData", "mediaComments"),
    "observations": ("behavior", "classifiedBy", "observationComments"),
}  # fmt: skip
IDS = ("deploymentID", "locationID", "mediaID", "eventID", "observationID", "individualID")
ONE = {"deployments": {"cameraModel": pl.lit(f"{WORD} of Ivan")}}  # the same everywhere: no rare value keeps it back
VISITS = """visit,site,x,y,start,end,method,effort,effort_unit,observers,complete,CANARY7Q
CANARY7Q-v1,CANARY7Q-lake,117.64512,46.38761,2026-03-06 07:13,2026-03-06 09:29,nest-count,120,minutes,2,true,CANARY7Q
CANARY7Q-v2,CANARY7Q-pond,117.65523,46.39152,2026-03-07 06:41,2026-03-07 08:57,nest-count,90,minutes,1,true,CANARY7Q
"""
COUNTS = f"""visit,taxon,count,exactness,sign,life_stage,sex
CANARY7Q-v1,{CRANE},31,exact,,adult,
CANARY7Q-v1,{STAYS},3,exact,,,
CANARY7Q-v2,{CRANE},12,estimate,,,
"""
STATIONS = """folder,station,deployment,latitude,longitude,start,end,camera_type
CANARY7Q den,CANARY7Q den,CANARY7Q-d1,46.40123,117.70317,2026-02-01,2026-03-20,CANARY7Q of Ivan
CANARY7Q cabin,CANARY7Q cabin,CANARY7Q-d2,46.41234,117.71428,2026-02-01,2026-03-20,CANARY7Q of Ivan
"""


def mark_cameras(folder: Path) -> None:
    """The word in every free column and id of a Camtrap DP package, and in what it says of itself."""
    for name, free in FREE.items():
        (file,) = folder.glob(f"*-{name}.csv")
        table = pl.read_csv(file, infer_schema=False)
        numbered = [pl.format(f"{WORD} {column} 虎 {{}}", pl.int_range(pl.len())).alias(column) for column in free]
        ids = [pl.format(f"{WORD}-{{}}", column).alias(column) for column in IDS if column in table.columns]
        table.with_columns(*numbered, *ids).with_columns(**ONE.get(name, {})).write_csv(file)
    package = folder / "datapackage.json"
    package.write_text(package.read_text(encoding="utf-8").replace("Westfell Park", f"{WORD} Park"), encoding="utf-8")
    for file in folder.glob("SIMULATED-*"):
        renamed = file.with_name(file.name.replace("SIMULATED", f"SIMULATED-{WORD}"))
        package.write_text(package.read_text(encoding="utf-8").replace(file.name, renamed.name), encoding="utf-8")
        file.rename(renamed)
    with (folder / "delivery.toml").open("a", encoding="utf-8") as said:
        said.write(f'catalogue = "{WORD}-catalogue"\n# {WORD} {WORD}\n')
    (folder / "manifest.json").unlink()
    (folder / f"{WORD} notes.txt").write_text(f"{WORD} at the spring\n", encoding="utf-8")


def write_cranes(folder: Path) -> None:
    """Counts at two sites whose names, notes and places are nobody else's business."""
    folder.mkdir()
    said = 'party = "westfell"\nformat = "counts"\ncrs = "EPSG:4326"\ntimezone = "Asia/Shanghai"\n'
    (folder / "delivery.toml").write_text(said, encoding="utf-8")
    (folder / "visits.csv").write_text(VISITS, encoding="utf-8")
    (folder / "counts.csv").write_text(COUNTS, encoding="utf-8")


def write_cards(folder: Path) -> None:
    """Photos as they come from the field, with a place and names in their EXIF."""
    folder.mkdir()
    said = 'party = "westfell"\nformat = "camera-folders"\ncrs = "EPSG:4326"\ntimezone = "Asia/Shanghai"\n'
    (folder / "delivery.toml").write_text(said, encoding="utf-8")
    (folder / "stations.csv").write_text(STATIONS, encoding="utf-8")
    for station in ("den", "cabin"):
        place = folder / f"{WORD} {station}" / "DCIM"
        place.mkdir(parents=True)
        for day in range(1, 28, 2):
            (place / f"{WORD}_{day:04}.JPG").write_bytes(photo(f"2026:02:{day:02} 05:17:{day:02}", shade=day))


def photo(taken: str, shade: int) -> bytes:
    """A JPEG whose EXIF says too much: names, a comment, a serial number, a place."""
    exif = Image.Exif()
    exif.update({270: f"{WORD} image", 271: f"{WORD} make", 272: f"{WORD} model", 315: f"{WORD} artist"})
    exif.get_ifd(0x8769).update({36867: taken, 37510: f"{WORD} comment".encode(), 42033: f"{WORD}-serial"})
    exif.get_ifd(0x8825).update({1: "N", 2: (46.40123, 0.0, 0.0), 3: "E", 4: (117.70317, 0.0, 0.0)})
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 2 * shade, 80)).save(stream, "JPEG", exif=exif, comment=f"{WORD} jpeg")
    return stream.getvalue()


# --- the play ---


@pytest.fixture(scope="session")
def outside(strangers_once: Three, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Everything outside the owner's node after an exchange with all its failures: name -> bytes."""
    root = tmp_path_factory.mktemp("canaries")
    shutil.copytree(strangers_once.root, root / "nodes")
    three = type(strangers_once)(root / "nodes")
    shutil.rmtree(three.node(NEIGHBOUR) / "own")  # a neighbour's raw data are like ours, by chance even the same
    own = three.node(OWNER) / "own"
    (own / "SIMULATED-cameras-2026").rename(own / CAMERAS)
    mark_cameras(own / CAMERAS)
    write_cranes(own / CRANES)
    write_cards(own / CARDS)
    for party in (OWNER, RECIPIENT, NEIGHBOUR):
        ask_little(three.node(party) / "programme.toml")
    three.agree(three.text + COUNTS_RULE)
    temporary = root / "temporary"
    temporary.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(temporary))
        patch.setattr("tempfile.tempdir", str(temporary))
        printed = play(three, root / "printed", patch)
    kept = {**printed, **found_in(three.drop), **found_in(temporary)}
    for party in (RECIPIENT, NEIGHBOUR):
        kept |= found_in(three.node(party))
    kept |= opened_packages(three)
    return kept


def ask_little(programme: Path) -> None:
    """One question that is answered at once, instead of one that takes its time."""
    text = programme.read_text(encoding="utf-8")
    head, _, question = text.partition("[[questions]]")
    question = re.sub(r"\nmask = .*", "", question).replace("population.scr", "population.rates")
    crane = f'[[species]]\nkey = "crane"\ntaxon = "{CRANE}"\nnames = {{ en = "crane" }}\n\n'
    text = head.replace("[[components]]", crane + "[[components]]") + "[[questions]]" + question
    programme.write_text(text.replace('species = ["leopard"]', 'species = ["leopard", "crane"]'), encoding="utf-8")


def play(three: Three, folder: Path, patch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Both sides type what they type, rightly and wrongly; all that is printed."""
    owner, recipient, drop = (str(p) for p in (three.node(OWNER), three.node(RECIPIENT), three.drop))
    terms = ["--agreement", AGREEMENT, "--for", RECIPIENT, "--purpose", "treaty-report", "--on", "2026-11-22"]
    by = ["--by", "westfell/data-steward", "--out", drop]
    said: dict[str, bytes] = {}

    def typed(*line: str, code: int = 0) -> None:
        name = f"printed/{len(said):02} {' '.join(line[:1])}"
        said[name] = printed_by(folder, list(line), code)

    for dataset in (CAMERAS, CRANES, CARDS):
        typed("preview", owner, dataset, *terms)
        typed("seal", owner, dataset, *terms, *by)
    typed("audit", owner)
    typed("preview", owner, CAMERAS, *terms[:-1], "2028-01-01", code=1)
    typed("seal", owner, CAMERAS, *terms, "--by", "westfell/somebody", code=1)
    with patch.context() as broken:  # a defect in the middle of it
        broken.setattr(releasing, "seal", fail)
        typed("seal", owner, CAMERAS, *terms, *by, code=-1)
    for number, file in enumerate(sorted(three.drop.glob("*.age"))):
        typed("verify", recipient, str(file), "--on", "2026-11-22")
        typed("open", recipient, str(file), "--on", "2026-11-22")
        typed("open", recipient, str(file), "--on", "2026-11-22", code=1)
        if number == 0:
            typed("open", str(three.node(NEIGHBOUR)), str(file), "--on", "2026-11-22", code=1)
    typed("assess", recipient)
    typed("publish", recipient, *terms[2:3], "public", *terms[4:], "--by", "secretariat/head")
    typed("check", recipient)
    typed("audit", recipient)
    sharing.carry(three.node(OWNER), RECIPIENT, three.drop)
    return said


def fail(*_: object, **__: object) -> None:
    raise RuntimeError("this was to be expected")


def printed_by(folder: Path, line: list[str], code: int) -> bytes:
    """Everything that one line writes to the two streams, a traceback included; `code` -1: it has a defect."""
    folder.mkdir(exist_ok=True)
    file = folder / "printed"
    with file.open("w", encoding="utf-8") as stream, redirect_stdout(stream), redirect_stderr(stream):
        try:
            ended = run(line)
        except RuntimeError:
            ended = -1
            stream.write(traceback.format_exc())  # as Python does at the end
    content = file.read_bytes()
    assert ended == code, content.decode()
    for own in (CAMERAS, CRANES, CARDS, STAYS):  # folders as the owner typed them, and what stays, for the owner alone
        content = content.replace(own.encode(), b"<own>")
    return content


# --- the search ---


def found_in(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, with what is packed in it, and the names of all files."""
    found = {f"{folder.name}/names": "\n".join(str(p.relative_to(folder)) for p in folder.rglob("*")).encode()}
    for path in folder.rglob("*"):
        if path.is_file():
            name = f"{folder.name}/{path.relative_to(folder)}"
            found[name] = path.read_bytes()
            if path.suffix == ".parquet":
                found[f"{name} as text"] = pl.read_parquet(path).write_json().encode()
            for inner, content in unpacked(path):
                found[f"{name}:{inner}"] = content
    return found


def unpacked(path: Path) -> Iterator[tuple[str, bytes]]:
    """What lies in an archive."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield name, archive.read(name)


def opened_packages(three: Three) -> dict[str, bytes]:
    """What the recipient, or whoever steals its key, finds in the packages."""
    identity = pyrage.x25519.Identity.from_str(Keys(three.node(RECIPIENT) / "keys").identity("sharing").secret)
    return {
        f"opened {file.name}": bytes(pyrage.decrypt(file.read_bytes(), [identity])) for file in three.drop.glob("*.age")
    }


def disguises(word: str) -> Iterator[bytes]:
    """A word as it may hide in bytes, all in lower case but where case is what it hides in."""
    for written in {word, word.lower(), word.upper()}:
        plain = written.encode()
        yield plain.lower()
        yield plain[::-1].lower()
        yield plain.hex().encode()
        yield "".join(f"%{byte:02x}" for byte in plain).encode()
        yield written.encode("utf-16-le").lower()
        yield written.encode("utf-16-be").lower()


def in_base64(word: str) -> Iterator[bytes]:
    """What is sure to stand in the base64 of any text that holds the word, in each of the three ways it may fall."""
    for written in {word, word.lower(), word.upper()}:
        for shift in range(3):
            whole = base64.b64encode(bytes(shift) + written.encode()).rstrip(b"=")
            yield whole[(0, 2, 3)[shift] : len(whole) - ((shift + len(written)) % 3 > 0)]


def leaks(outside: Mapping[str, bytes], word: str) -> list[str]:
    """Where a word is found outside its owner's node, in whichever disguise."""
    folded, exact = set(disguises(word)), set(in_base64(word))
    return sorted(
        name
        for name, content in outside.items()
        if any(form in content for form in exact) or any(form in content.lower() for form in folded)
    )


def raw_places() -> list[str]:
    """Coordinates of the delivery as text with four decimals, cut and rounded."""
    return [coordinate for line in (*VISITS.splitlines(), *STATIONS.splitlines()) for coordinate in four(line)]


def four(text: str) -> Iterator[str]:
    """Each number with five or six decimals in a text, with four of them."""
    for number in re.findall(r"\d{2,3}\.\d{5,}", text):
        yield from {f"{float(number):.4f}", number[: number.index(".") + 5]}


def test_the_search_finds_what_is_hidden() -> None:
    """It would find the word: were that not so, finding none would mean nothing."""
    text = f"at the {WORD} spring"
    hidden = {
        "plain": text.encode(),
        "small": text.lower().encode(),
        "hex": text.encode().hex().encode(),
        "quoted": "".join(f"%{byte:02X}" for byte in text.encode()).encode(),
        "wide": text.encode("utf-16"),
        **{f"base64 {n}": base64.b64encode(b"x" * n + text.encode()) for n in range(3)},
        "backwards": text.encode()[::-1],
    }
    assert leaks(hidden, WORD) == sorted(hidden)
    assert leaks({"other": b"a canary in a mine"}, WORD) == []


def test_the_play_was_played(outside: Mapping[str, bytes]) -> None:
    """There are packages, an opened delivery, a store, a report, books and a traceback to search."""
    names = "\n".join(outside)
    for part in (
        "opened westfell-to-secretariat",
        "secretariat/received/westfell",
        "work/store",
        "report-SIMULATED.html",
        "assessment-for-public",
        "published/SIMULATED-publication-",
    ):
        assert part in names
    assert sum(name.startswith("opened ") for name in outside) == 3
    assert any(b"Traceback" in content for content in outside.values())
    assert any(LEOPARD.encode() in content for name, content in outside.items() if name.startswith("opened"))
    assert any(CRANE.encode() in content for name, content in outside.items() if name.startswith("opened"))


def test_no_word_of_a_raw_field_is_found_outside_its_node(outside: Mapping[str, bytes]) -> None:
    assert leaks(outside, WORD) == []


def test_no_place_of_a_station_is_found_outside_its_node(outside: Mapping[str, bytes], strangers_once: Three) -> None:
    delivery = strangers_once.node(OWNER) / "own" / "SIMULATED-cameras-2026"
    (deployments,) = delivery.glob("*-deployments.csv")
    places = {*raw_places(), *four(deployments.read_text(encoding="utf-8"))}
    assert len(places) > 50
    assert {place: found for place in places if (found := leaks(outside, place))} == {}


def test_no_time_of_a_record_is_found_outside_its_node(outside: Mapping[str, bytes], strangers_once: Three) -> None:
    delivery = strangers_once.node(OWNER) / "own" / "SIMULATED-cameras-2026"
    (observations,) = delivery.glob("*-observations.csv")
    text = observations.read_text(encoding="utf-8")
    times = set(re.findall(r"\d{4}-\d\d-\d\d[T ](\d\d:\d\d:(?!00)\d\d)", text))
    assert len(times) > 100
    found = {time: where for time in times if (where := plainly(outside, time))}
    assert found == {}


def plainly(outside: Mapping[str, bytes], word: str) -> list[str]:
    return [name for name, content in outside.items() if word.encode() in content]
