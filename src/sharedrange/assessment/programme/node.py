"""Whose node a folder is (node.toml), and how a new one begins."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

from sharedrange.assessment.programme.read import PROGRAMME_FILE, read_programme
from sharedrange.assessment.programme.types import Programme
from sharedrange.core.document import Place, read_document, read_entry
from sharedrange.core.errors import ProgrammeError
from sharedrange.core.files import folder_in_place, write_atomically
from sharedrange.core.finding import Finding, Where

NODE_FILE = "node.toml"
FOLDERS = ("own", "received", "agreements", "records")


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """node.toml as written: whose node it is, and the folder of its keys (relative to the node, or absolute)."""

    party: str
    keys: str = "keys"


@dataclass(frozen=True, slots=True)
class Node:
    """One party's node. `keys` may lie outside the folder: whoever copies the folder then copies no key."""

    folder: Path
    party: str
    keys: Path
    programme: Programme


def read_node(folder: Path) -> Node:
    """Whose node `folder` is, with its programme.

    Raises ProgrammeError with everything that is wrong with node.toml and programme.toml.
    """
    found: list[Finding] = []
    spec = programme = None
    try:
        spec, place = _read_spec(folder, found)
    except ProgrammeError as error:
        found += error.findings
    try:
        programme = read_programme(folder)
    except ProgrammeError as error:
        found += error.findings
    if spec and programme and spec.party not in (known := [p.id for p in programme.parties]):
        facts = {"party": spec.party, "known": ", ".join(known)}
        found.append(Finding("node-party-unknown", facts, place("party")))
    if found or not spec or not programme:
        raise ProgrammeError(found)
    return Node(folder, spec.party, folder / spec.keys, programme)


def _read_spec(folder: Path, found: list[Finding]) -> tuple[NodeSpec | None, Place]:
    document = read_document(folder / NODE_FILE)
    place = Place(document)
    return read_entry(NodeSpec, document.values, place, found), place


def write_new_node(
    folder: Path,
    *,
    party: str,
    party_name: str,
    title: str,
    state: str = "",
    programme: str = "programme",
    seed: int = 1,
) -> Node:
    """Begin a node of `party` in `folder`: node.toml, a commented programme.toml and the empty folders of a node.

    The folder is there whole or not at all. Raises ProgrammeError if it is not empty or cannot be written, or if
    a value cannot stand in programme.toml.
    """
    folder = Path(folder).absolute()
    facts = {"party": party, "party_name": party_name, "title": title, "state": state, "programme": programme}
    texts = {key: _toml(value) for key, value in facts.items()} | {"seed": str(seed)}
    try:
        _write(folder, texts)
    except OSError as error:
        facts = {"folder": folder.name, "problem": error.strerror or ""}
        raise ProgrammeError([Finding("node-folder-unwritable", facts, Where(file=folder.name))]) from None
    return read_node(folder)


def _write(folder: Path, texts: dict[str, str]) -> None:
    if not folder.exists():
        with folder_in_place(folder) as temporary:
            _fill(temporary, texts)
    elif not folder.is_dir() or any(folder.iterdir()):
        raise ProgrammeError([Finding("node-folder-not-empty", {"folder": folder.name}, Where(file=folder.name))])
    else:
        _fill_in_place(folder, texts)


def _fill(folder: Path, texts: dict[str, str]) -> None:
    for name in FOLDERS:
        (folder / name).mkdir()
    for name in (PROGRAMME_FILE, NODE_FILE):
        template = resources.files(__package__) / "templates" / name
        text = Template(template.read_text(encoding="utf-8")).substitute(texts)
        write_atomically(folder / name, text.encode("utf-8"))
    read_node(folder)  # what is written can be read, or nothing is written


def _fill_in_place(folder: Path, texts: dict[str, str]) -> None:
    """Fill an empty folder that exists: it is not replaced, for somebody may stand in it. node.toml comes last."""
    temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    try:
        _fill(temporary, texts)
        for name in (*FOLDERS, PROGRAMME_FILE, NODE_FILE):
            (temporary / name).rename(folder / name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _toml(text: str) -> str:
    """`text` as a TOML basic string, whose escapes are JSON's and one more."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007f")
