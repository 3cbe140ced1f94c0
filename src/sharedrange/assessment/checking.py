"""Everything that is wrong with a node or a delivery, at once and without changing anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from sharedrange.assessment.copies import about_copies
from sharedrange.assessment.masking import masked_finding
from sharedrange.assessment.node import OpenNode, open_node
from sharedrange.assessment.plan import ANSWER, Planned, plan
from sharedrange.assessment.raw_files import SUMS, changed
from sharedrange.assessment.register import lint
from sharedrange.assessment.running import READING, Tell, quiet
from sharedrange.assessment.surveys import Surveys
from sharedrange.core.errors import InputError, ProgrammeError
from sharedrange.core.finding import Finding, Where, errors
from sharedrange.exchange.doors import check_path
from sharedrange.exchange.protocol import check_protocol, read_protocol

PROTOCOL_FILE = "protocol.toml"


def check(path: Path | str, progress: Tell = quiet) -> tuple[Finding, ...]:
    """All findings about a node (a folder with node.toml), or about a delivery: a folder, a file or a zip."""
    path = Path(path)
    if not path.exists():
        return (Finding("no-such-path", {"path": path.name}, Where(file=path.name)),)
    if not (path / "node.toml").is_file():
        progress(f"{path.name}/{READING}", 0.0)
        return check_path(path)[1]
    return _check_node(path, progress)


def _check_node(folder: Path, tell: Tell) -> tuple[Finding, ...]:
    """What is wrong with a node: its programme first, for the rest can be read only with that."""
    try:
        node = open_node(folder)
    except (ProgrammeError, InputError) as error:
        return error.findings
    surveys = Surveys(node, lambda path: tell(f"{path}/{READING}", 0.0))
    found = [*node.findings, *about_copies(node.deliveries), *lint(node.programme), *_changed_since_taken(node)]
    planned: tuple[Planned, ...] = ()
    try:
        planned, _ = plan(node, surveys)
    except ProgrammeError as error:
        found += error.findings
    try:
        for delivered in node.deliveries:
            found += surveys.findings(delivered)
        found += surveys.about_submissions
        found += _against_protocol(node, surveys)
    except InputError as error:
        found += error.findings
    if not errors(found):
        found += _unanswerable(planned)
    return tuple(dict.fromkeys(found))


def _changed_since_taken(node: OpenNode) -> Iterator[Finding]:
    """Raw files of `take`, copied or left in place, that are not as they were. Raw files are never edited."""
    for delivered in node.deliveries:
        if delivered.is_own and (delivered.path / SUMS).is_file():
            if delivered.is_hidden:
                yield from (masked_finding(finding, delivered.source.path) for finding in changed(delivered.path))
                continue
            for finding in changed(delivered.path):
                file = f"{delivered.source.path}/{finding.where.file}"
                yield replace(finding, where=replace(finding.where, file=file))


def _against_protocol(node: OpenNode, surveys: Surveys) -> Iterator[Finding]:
    """Where what the node's own party delivered departs from the node's protocol.toml, if it has one."""
    file = node.folder / PROTOCOL_FILE
    if not file.is_file():
        return
    protocol, about = read_protocol(file)
    yield from about
    if protocol is None:
        return
    for content in (surveys.content(d) for d in node.deliveries if d.is_own):
        for held in (content.survey, content.counts):
            if held is not None:
                yield from check_protocol(held, protocol)


def _unanswerable(planned: Iterable[Planned]) -> Iterator[Finding]:
    """What keeps a question from being asked at all; that data are too thin is an answer, and no finding here."""
    for question in planned:
        try:
            question.tasks[ANSWER].prepare()
        except (ProgrammeError, InputError) as error:
            yield from error.findings
