"""Take a delivery in: guess what it is, show what was understood, ask what files cannot tell, keep it whole.

What was answered stands in the delivery's own `delivery.toml`, which is the memory: the next delivery of the same
format and the same columns is read with the same answers. Nothing is kept before everything is clear.
"""

from __future__ import annotations

import shutil
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sharedrange.assessment import raw_files
from sharedrange.assessment.asking import questions
from sharedrange.assessment.growing import Continued, add, can_grow, continues, together
from sharedrange.assessment.masking import Hidden, read_hidden
from sharedrange.assessment.node import OWN, told, writing
from sharedrange.assessment.programme import read_node
from sharedrange.assessment.remembering import carried, columns_of, declared, newest_first, said
from sharedrange.assessment.understanding import rows_of
from sharedrange.assessment.waiting import WAITING, bring, waiting
from sharedrange.core.contents import Delivered
from sharedrange.core.errors import InputError
from sharedrange.core.files import folder_hash, write_atomically
from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.core.ledger import Source, Step
from sharedrange.core.progress import Progress, part, silent
from sharedrange.exchange.delivery import FILE_NAME, FORMATS, Delivery, read_delivery, stated, write_delivery
from sharedrange.exchange.doors import DOORS, guess
from sharedrange.exchange.mapping import MAPPING_FILE
from sharedrange.exchange.opening import open_path, shown
from sharedrange.exchange.photos import understood as pictures_understood
from sharedrange.exchange.photos import write_templates
from sharedrange.exchange.proposing import holds_sheets, propose_mapping

COPIED, HASHED = 0.6, 0.9  # shares of the work


@dataclass(frozen=True, slots=True)
class Understood:
    """What a delivery is with the answers given so far.

    `like`: the dataset whose answers were used again, "" if none; `content`: None if something is wrong;
    `questions`: keys of delivery.toml that must be answered, `findings`: all that was found; `continued`: the dataset
    that the files will be added to, and `content` is all of it then.
    """

    dataset: str
    format: str
    delivery: Delivery | None
    like: str
    content: Delivered | None
    questions: tuple[str, ...]
    findings: tuple[Finding, ...]
    continued: Continued | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A delivery that is part of the node now: its folder and the step that took it in."""

    folder: Path
    step: Step


class Taking:
    """A delivery on its way in: raw files lie in a hidden folder until `keep`."""

    def __init__(
        self, node: Path, party: str, dataset: str, staged: Path, like: str, *, is_named: bool = False
    ) -> None:
        self._is_named = is_named
        self.node, self.party, self.dataset, self._staged, self._like = node, party, dataset, staged, like
        self._given, self._wrongly_given = declared(staged)
        self._answers: dict[str, Any] = {}
        self._continued: Continued | None = None
        self._hidden = read_hidden(node)
        self.is_kept = False

    def understand(self, answers: Mapping[str, Any]) -> Understood:
        """Read the files with what they say, what was answered, and what was answered for the last ones like them."""
        given, found = self._given, self._wrongly_given
        name = str(answers.get("format") or given.get("format") or self._looks_like())
        if found or name not in FORMATS:
            return self._unclear(name, [*found, *self._unknown(name)])
        like, remembered = self._remembered(name)
        self._answers = {**remembered, **given, **answers, "format": name, "party": self.party}
        opened, found = open_path(self._staged)
        delivery, wrong = (None, []) if opened is None else stated(opened, self._answers, self.party)
        if delivery is None:
            return self._unclear(name, [*found, *wrong], like)
        delivery = replace(delivery, dataset=self.dataset)
        if replace(read_delivery(self._staged, "")[0] or delivery, dataset=self.dataset) != delivery or not given:
            write_delivery(delivery, self._staged)  # what came with the files stays as it was where it says the same
        content, findings = DOORS[name].read(self._staged, delivery)
        if content is not None:
            self._continued = self._continues(delivery)
            if self._continued is not None:
                return self._whole(self._continued)
        findings = tuple(self._named(finding) for finding in findings)
        asked = questions(findings, self._answers) if content is None else ()
        if content is not None and not rows_of(content):
            findings = (*findings, Finding("take-nothing", {"dataset": self.dataset}, severity=Severity.WARNING))
        return Understood(self.dataset, name, delivery, like, content, asked, findings)

    def _looks_like(self) -> str:
        """The format by the files; tables that no door knows are sheets, for which a mapping is proposed."""
        return guess(self._staged) or ("spreadsheet" if holds_sheets(self._staged) else "")

    def _continues(self, delivery: Delivery) -> Continued | None:
        """The dataset that the files are to be added to.

        Raises InputError if the one that was named does not take them, or they repeat what another one holds.
        """
        own = self.node / OWN
        exists = (own / self.dataset).exists()
        found = continues(own, self._staged, delivery, self.dataset if exists else "", hidden=self._hidden)
        if exists and found is None:
            raise _exists(self.dataset)
        if found is not None and not exists and self._is_named:
            facts: dict[str, Fact] = {"dataset": self.dataset, "same": found.dataset, "n": found.known}
            raise InputError([Finding("take-overlaps", facts)])
        return found

    def _whole(self, continued: Continued) -> Understood:
        """The dataset as it will be with the files added."""
        folder = self.node / OWN / continued.dataset
        with together(folder, self._staged, WAITING) as place:
            content, findings = DOORS[continued.delivery.format].read(place, continued.delivery)
            told = tuple(self._named(finding, place.name, continued.dataset) for finding in findings)
        asked = questions(told, self._answers) if content is None else ()
        about = continued.delivery
        return Understood(continued.dataset, about.format, about, "", content, asked, told, continued)

    def keep(self, progress: Progress = silent) -> Kept:
        """Hash the files and make them part of the node: as a dataset, or added to the one that they continue."""
        lines = raw_files.sums(self._staged, progress)
        raw = "".join(line for line in lines.splitlines(keepends=True) if not line.endswith(f"  {FILE_NAME}\n"))
        if same := _same(self.node / OWN, raw, self._hidden):
            raise InputError([Finding("take-already", {"dataset": self.dataset, "same": same})])
        if self._continued is not None:
            return self._added(self._continued)
        write_atomically(self._staged / raw_files.SUMS, raw.encode())
        answers = {key: value for key, value in self._answers.items() if isinstance(value, str | int | Mapping)}
        source = Source(self.party, self.dataset, f"{OWN}/{self.dataset}", folder_hash(self._staged))
        self.is_kept = True
        return Kept(self.node / OWN / self.dataset, Step("take", 1, _as_json(answers), (source.id,)))

    def _added(self, continued: Continued) -> Kept:
        folder = self.node / OWN / continued.dataset
        add(folder, self._staged)
        source = Source(self.party, continued.dataset, f"{OWN}/{continued.dataset}", folder_hash(folder))
        return Kept(folder, Step("take", 1, _as_json(said(continued.delivery)), (source.id,)))

    def sheets_to_fill(self, understood: Understood, folder: Path) -> tuple[str, ...]:
        """Write the tables that a person has to fill in or correct into a new `folder`; their names.

        stations.csv of a tree of pictures that has none, mapping.toml for sheets that have none. They are given
        with the files next time.
        """
        texts = self._to_fill({finding.rule for finding in understood.findings})
        for name, content in texts.items():
            if not (folder / name).exists():
                write_atomically(folder / name, content)
        return tuple(texts)

    def _to_fill(self, rules: set[str]) -> dict[str, bytes]:
        if "no-mapping" in rules and (text := propose_mapping(self._staged)):
            return {MAPPING_FILE: text.encode()}
        if "no-stations-table" not in rules:
            return {}
        with tempfile.TemporaryDirectory() as place:
            names, _ = write_templates(Path(place), pictures_understood(self._staged))
            return {name: (Path(place) / name).read_bytes() for name in names if name != FILE_NAME}

    def _unclear(self, name: str, found: Sequence[Finding], like: str = "") -> Understood:
        findings = tuple(self._named(finding) for finding in found)
        return Understood(self.dataset, name, None, like, None, questions(findings, self._answers), findings)

    def _unknown(self, name: str) -> list[Finding]:
        facts = {"given": shown(name), "known": ", ".join(FORMATS)}
        return [] if name in FORMATS else [Finding("take-unknown-format", facts, Where(FILE_NAME, field="format"))]

    def _named(self, finding: Finding, hidden: str = "", dataset: str = "") -> Finding:
        """A finding that names the delivery, not the hidden folder in which it waits."""
        hidden, dataset = hidden or self._staged.name, dataset or self.dataset
        where = replace(finding.where, file=dataset) if finding.where.file == hidden else finding.where
        facts = {key: dataset if value == hidden else value for key, value in finding.facts.items()}
        return replace(finding, where=where, facts=facts)

    def _remembered(self, name: str) -> tuple[str, dict[str, Any]]:
        """The delivery whose answers hold here too, and those: that named, else the newest that looks the same."""
        if self._like:
            candidates = [self.node / OWN / self._like]
        else:
            columns = columns_of(self._staged)
            shown_ones = (f for f in newest_first(self.node / OWN) if not self._hidden.holds(f.name))
            candidates = [folder for folder in shown_ones if columns_of(folder) == columns]
        for folder in candidates:
            delivery, found = read_delivery(folder, self.party)
            if delivery is None and self._like:
                raise InputError(found)
            if delivery is not None and delivery.format == name:
                self._with_mapping(folder)
                return folder.name, carried(delivery)
        return "", {}

    def _with_mapping(self, folder: Path) -> None:
        if (folder / MAPPING_FILE).is_file() and not (self._staged / MAPPING_FILE).exists():
            shutil.copyfile(folder / MAPPING_FILE, self._staged / MAPPING_FILE)


@contextmanager
def taking(
    node: Path,
    files: Sequence[Path],
    *,
    dataset: str = "",
    like: str = "",
    in_place: bool = False,
    progress: Progress = silent,
) -> Iterator[Taking]:
    """A delivery of `files` (files, folders, zip archives) to the node's own party; gone after the block unless kept.

    `dataset`: its name, else that of the first file; `in_place`: leave the files of one folder where they are and
    keep links and hashes. The node's writer lock is held. Raises InputError with every finding about the files,
    ProgrammeError if the node is wrong.
    """
    node = Path(node)
    party = read_node(node).party
    name = _dataset(dataset or _name_of(files[0]))
    target = node / OWN / name
    with writing(node), told(node):
        if target.exists() and (in_place or not can_grow(target)):
            raise _exists(name)
        if like and not (node / OWN / like).is_dir():
            raise InputError([Finding("take-no-such-dataset", {"dataset": shown(like)})])
        with waiting(target) as (staged, arrive):
            found = bring(files, staged, part(progress, 0, COPIED), in_place=in_place)
            if found:
                raise InputError(found)
            remembered = like or (name if target.exists() else "")
            work = Taking(node, party, name, staged, remembered, is_named=bool(dataset))
            yield work
            if work.is_kept:
                arrive()


def _exists(dataset: str) -> InputError:
    return InputError([Finding("take-dataset-exists", {"dataset": dataset}, Where(file=f"{OWN}/{dataset}"))])


def _same(own: Path, raw: str, hidden: Hidden) -> str:
    """The delivery that holds all these files already, alone or with others, under whatever names."""
    new = Counter(line.partition("  ")[0] for line in raw.splitlines())
    names = (f.name for f in newest_first(own) if new and new <= Counter(raw_files.hashes(f)))
    return next((hidden.name(name) if hidden.holds(name) else name for name in names), "")


def _name_of(file: Path) -> str:
    return file.resolve().name if file.is_dir() else file.stem


def _dataset(name: str) -> str:
    """A name as a folder of `own` may have it. Raises InputError if it cannot be one."""
    clean = unicodedata.normalize("NFC", name).strip()
    if not clean or clean.startswith(".") or "/" in clean or "\\" in clean or not clean.isprintable():
        raise InputError([Finding("take-bad-name", {"dataset": shown(name)})])
    return clean


def _as_json(value: Any) -> Any:
    """Answers as JSON values."""
    return {str(k): _as_json(v) for k, v in value.items()} if isinstance(value, Mapping) else value
