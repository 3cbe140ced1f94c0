"""Hide a source of a node, or show it again: what was written with its name before goes, and is made anew without.

What hiding does is told in `sharedrange.assessment.masking`.
"""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sharedrange.assessment.masking import Hidden, read_hidden, write_hidden
from sharedrange.assessment.node import OWN, told, writing
from sharedrange.assessment.programme import read_node
from sharedrange.core.canonical import canonical
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding, Severity, Where

PROGRAMME, PSEUDONYMS = "programme.toml", "pseudonyms"


@dataclass(frozen=True, slots=True)
class HiddenSource:
    """A source that is hidden: what it is called instead, and whether its folder lies in the node."""

    name: str
    is_here: bool


@dataclass(frozen=True, slots=True)
class Changed:
    """What hiding or showing did: the other name of the source, the folders that went, what is worth knowing."""

    name: str
    removed: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


def hide(folder: Path | str, dataset: str) -> Changed:
    """Hide one of the node's own deliveries, and take away what was written with its name.

    Caches and reports go: `assess` makes them anew. Raises ProgrammeError if the node is wrong, InputError if there is
    no such delivery, or programme.toml names it: that is everybody's text, and stands in the lineage.
    """
    node = read_node(Path(folder))
    dataset = _clean(dataset)
    with writing(node.folder), told(node.folder):
        hidden = read_hidden(node.folder)
        if not dataset or dataset.startswith(".") or not (node.folder / OWN / dataset).is_dir():
            raise InputError([Finding("hide-unknown", {})])
        after = hidden.with_one(dataset)
        name = after.name(dataset)
        if is_named_in(_programme(node.folder), dataset):
            write_hidden(node.folder, replace(hidden, salt=after.salt))  # so that the name told here is kept
            raise InputError([Finding("hide-in-programme", {"source": name}, Where(PROGRAMME))])
        removed = forget_written(node.folder)  # first: who is told that it is hidden, finds nothing of it
        write_hidden(node.folder, after)
        return Changed(name, removed, tuple(_about_names_kept(node.folder, node.party, dataset)))


def show(folder: Path | str, dataset: str) -> Changed:
    """Hide a source no longer, whether its folder is here or not. Raises InputError if it is not hidden.

    Its other name is no name any more: a warning tells where programme.toml has it.
    """
    node = read_node(Path(folder))
    dataset = _clean(dataset)
    with writing(node.folder), told(node.folder):
        hidden = read_hidden(node.folder)
        if not hidden.holds(dataset):
            raise InputError([Finding("hide-not-hidden", {})])
        write_hidden(node.folder, hidden.without(dataset))
        name = hidden.name(dataset)
        is_left = is_named_in(_programme(node.folder), name)
        left = Finding("hide-name-left", {"source": name}, Where(PROGRAMME), Severity.WARNING)
        return Changed(name, (), (left,) if is_left else ())


def hidden_sources(folder: Path | str) -> tuple[HiddenSource, ...]:
    """What is hidden in a node, under the other names. Raises ProgrammeError if the node is wrong."""
    node = read_node(Path(folder))
    hidden = read_hidden(node.folder)
    here = _names_here(node.folder, hidden)
    return tuple(HiddenSource(name, name in here) for name in hidden.names)


def _names_here(folder: Path, hidden: Hidden) -> set[str]:
    places = (folder / OWN).iterdir() if (folder / OWN).is_dir() else ()
    return {hidden.name(place.name) for place in places if place.is_dir() and hidden.holds(place.name)}


def _programme(folder: Path) -> str:
    return (folder / PROGRAMME).read_text(encoding="utf-8-sig")


def _clean(dataset: str) -> str:
    """The name of a delivery, given as such or as the folder that it is."""
    return dataset.rstrip("/").rpartition("/")[2]


def forget_written(folder: Path) -> tuple[str, ...]:
    """Take away what names sources and is made anew by `assess`: caches and reports.

    The names of the folders that are gone. The caller holds the node's lock, which lies in `work/` and stays.
    """
    reports = sorted(path for path in folder.glob("assessment*") if path.is_dir())
    caches = sorted(path for path in (folder / "work").glob("*") if path.name != ".lock")
    for path in (*reports, *caches):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return (*(path.name for path in reports), *(["work"] if caches else []))


def is_named_in(text: str, dataset: str) -> bool:
    """Whether a text names a dataset, as a word of its own.

    Examples
    --------
    >>> is_named_in('datasets = ["lee-2026"]', "lee-2026"), is_named_in("lee-2026-b", "lee-2026")
    (True, False)
    """
    name, said = (unicodedata.normalize("NFC", one) for one in (dataset, text))
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", said) is not None


def _about_names_kept(folder: Path, party: str, dataset: str) -> Iterator[Finding]:
    """A warning if something of the source left already: names at random stand beside its own, and are needed."""
    marks = tuple(
        canonical([kind, party, unicodedata.normalize(form, dataset)])[:-1]
        for kind in ("dataset", "station", "visit", "place", "picture")
        for form in ("NFC", "NFD")
    )
    for table in sorted((folder / PSEUDONYMS).glob("*.json")):
        content = table.read_bytes()
        if any(mark in content for mark in marks):
            file = f"{PSEUDONYMS}/{table.name}"
            yield Finding("hide-told", {"file": file}, Where(file), Severity.WARNING)
