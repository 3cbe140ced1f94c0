"""Pictures in a package: exactly those that were signed, and of the form in which pictures leave."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image
from tests.picture_cases import CANARY, left, photo, pictured, rule

from sharedrange.core.canonical import read_canonical
from sharedrange.core.release import MANIFEST, picture_file
from sharedrange.sharing.sealing.container import contained, in_order

TABLE = "pictures.csv"


@pytest.fixture(scope="module")
def content(kit: Any, tools: Any) -> bytes:
    """One sealed package of pictures alone."""
    return bytes(tools.sealed_of(left(kit, pictured(kit), rule(kit)), kit).content)


def pictures(files: dict[str, bytes]) -> list[str]:
    """The names of the pictures in a package."""
    return [name for name in files if name.startswith("pictures/")]


def repacked(tools: Any, files: dict[str, bytes]) -> bytes:
    """The files in the order in which they should stand."""
    return bytes(tools.closed(contained({name: files[name] for name in in_order(files)})))


def swapped(tools: Any, content: bytes, picture: bytes) -> bytes:
    """The package with another first picture, the table made to fit and all of it signed again by its owner."""
    files = tools.files_of(content)
    name = pictures(files)[0]
    rows = pl.read_csv(files[TABLE], infer_schema=False)
    of_it = pl.col("picture") == Path(name).stem
    new = pl.when(of_it).then(pl.lit(hashlib.sha256(picture).hexdigest())).otherwise("sha256")
    table = rows.with_columns(sha256=new).write_csv().encode()
    return bytes(tools.with_table(repacked(tools, {**files, name: picture}), TABLE, table, tools.OWNER))


def test_pictures_arrive_as_they_left_and_the_manifest_stands_for_all(kit: Any, tools: Any, content: bytes) -> None:
    package = tools.opened(content)
    one = left(kit, pictured(kit), rule(kit))
    assert {name: package.files[name] for name in one.files} == dict(one.files)
    assert package.rows == {"pictures": 3}
    table = pl.read_csv(package.files[TABLE])
    hashes = [hashlib.sha256(package.files[picture_file(name)]).hexdigest() for name in table["picture"]]
    assert table["sha256"].to_list() == hashes
    assert hashlib.sha256(package.files[TABLE]).hexdigest() == package.manifest["tables"]["pictures"]["sha256"]
    assert CANARY.encode() not in tools.plain_of(content)


def test_a_changed_picture_is_refused(tools: Any, content: bytes) -> None:
    files = tools.files_of(content)
    name = pictures(files)[0]
    assert tools.refused(repacked(tools, {**files, name: files[name][:-3] + b"\0\xff\xd9"})) == [
        "package-picture-changed"
    ]


def test_a_picture_too_few_or_too_many_is_refused(tools: Any, content: bytes) -> None:
    files = tools.files_of(content)
    name = pictures(files)[0]
    more = {**files, picture_file("P-" + "0" * 16): files[name]}
    assert tools.refused(repacked(tools, more)) == ["package-pictures"]
    del files[name]
    assert tools.refused(repacked(tools, files)) == ["package-pictures"]


def test_pictures_that_no_table_names_are_refused(kit: Any, tools: Any) -> None:
    files = tools.files_of(tools.sealed(kit).content)
    assert tools.refused(repacked(tools, {**files, picture_file("P-" + "0" * 16): photo()})) == ["package-pictures"]


@pytest.mark.parametrize(
    "name",
    ["pictures/../../evil.jpg", "pictures/P-0123456789abcdef.png", "pictures/IMG_0001.JPG", "P-0123456789abcdef.jpg",
     "pictures/P-0123456789ABCDEF.jpg", "/pictures/P-0123456789abcdef.jpg", "pictures\\P-0123456789abcdef.jpg"],
)  # fmt: skip
def test_a_picture_of_another_name_makes_no_package(tools: Any, content: bytes, name: str) -> None:
    files = tools.files_of(content)
    picture = files[pictures(files)[0]]
    assert tools.refused_inside(contained({**files, name: picture})) == ["package-container"]


def test_pictures_in_another_order_or_twice_make_no_package(tools: Any, content: bytes) -> None:
    files = tools.files_of(content)
    names = pictures(files)
    others = {name: part for name, part in files.items() if name not in names}
    assert tools.refused_inside(contained({**others, **{name: files[name] for name in names[::-1]}})) == [
        "package-container"
    ]
    first = {names[0]: files[names[0]], **others, **{name: files[name] for name in names[1:]}}
    assert tools.refused_inside(contained(first)) == ["package-container"]


def with_remark() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (100, 100)).save(out, "JPEG", comment=CANARY)
    return out.getvalue()


def huge() -> bytes:
    """A bomb: a megabyte that would be 3 GB of pixels."""
    out = io.BytesIO()
    Image.new("L", (30_000, 30_000)).save(out, "JPEG")
    return out.getvalue()


@pytest.mark.parametrize(
    "picture", [photo(), with_remark(), huge(), b"<svg/>", b"", photo(kind="PNG")],
    ids=["original", "remark", "bomb", "svg", "empty", "png"],
)  # fmt: skip
def test_what_has_not_the_form_of_a_picture_that_leaves_is_refused_whoever_signed_it(
    tools: Any, content: bytes, picture: bytes
) -> None:
    assert tools.refused(swapped(tools, content, picture)) == ["package-picture-form"]


def test_a_picture_of_the_right_form_is_taken_from_whoever_signed_it(tools: Any, content: bytes) -> None:
    files = tools.files_of(content)
    names = pictures(files)
    assert tools.opened(swapped(tools, content, files[names[1]]))


def test_the_manifest_stays_small_however_many_pictures_there_are(tools: Any, content: bytes) -> None:
    manifest = tools.files_of(content)[MANIFEST]
    assert not any("P-" in text for text in map(str, read_canonical(manifest)["tables"].values()))
