"""One command: read the programme, take in what the node may see, answer the questions, write `assessment/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from sharedrange.assessment import joint, landscape
from sharedrange.assessment.cache import Cache, package_hash, versions
from sharedrange.assessment.copies import about_copies
from sharedrange.assessment.inputs import ALONE, LISTS, PREPARING
from sharedrange.assessment.material import Material
from sharedrange.assessment.node import OpenNode, open_node, writing
from sharedrange.assessment.plan import ANSWER, Planned, plan
from sharedrange.assessment.programme import without_register
from sharedrange.assessment.published import Publication, asked_of, publications, with_published
from sharedrange.assessment.register import lint
from sharedrange.assessment.report import report_name, write_report
from sharedrange.assessment.results import Assessment, Result
from sharedrange.assessment.running import READING, Tell, quiet, run
from sharedrange.assessment.sharing import has_keys
from sharedrange.assessment.sharing.auditing import about_revoked
from sharedrange.assessment.sharing.ground import open_ground
from sharedrange.assessment.sharing.telling import in_force
from sharedrange.assessment.surveys import Surveys
from sharedrange.core.answer import Answer
from sharedrange.core.audience import EVERYBODY, meet
from sharedrange.core.canonical import digest
from sharedrange.core.errors import InputError, ProgrammeError
from sharedrange.core.files import folder_in_place, write_atomically
from sharedrange.core.finding import Finding, Where, errors
from sharedrange.core.ledger import Ledger, Step
from sharedrange.core.words import load


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `assess` found, where its report lies, and whether nothing had changed since the last run."""

    assessment: Assessment
    report: Path
    reused: bool


def assess(
    folder: Path | str, *, workers: int = 1, language: str = "en", reader: str = "", progress: Tell = quiet
) -> Outcome:
    """Assess the node in `folder` and write its report and data products to ``assessment/``.

    The same inputs and settings give the same report data, whatever the day, the language or `workers`. For another
    `reader` (a party, or ``public``) the report is made from nothing but what they may see, and lies in
    ``assessment-for-<reader>/``.

    Raises ProgrammeError and InputError with all findings (nothing is written then), KeyError for a language
    without a catalogue, and Cancelled on Ctrl-C (a later run resumes).
    """
    words = load(language)
    node = open_node(folder)
    check_reader(node, reader)
    node = node.for_reader(reader) if reader else node
    if errors(node.findings):  # a damaged chain of decisions would change numbers in silence
        raise InputError(errors(node.findings))
    with writing(node.folder):
        assessment, fingerprint = _assessment(node, workers, progress)
        mark = node.work / f"{node.assessment.name.replace('assessment', 'assessed')}"
        fingerprint = digest([fingerprint, language])
        report = node.assessment / report_name(node.programme)
        if report.is_file() and mark.is_file() and mark.read_text() == fingerprint:
            return Outcome(assessment, report, reused=True)
        progress("report", 0.0)
        with folder_in_place(node.assessment) as place:
            write_report(assessment, words, place)
        write_atomically(mark, fingerprint.encode())
        progress("report", 1.0)
        return Outcome(assessment, report, reused=False)


def check_reader(node: OpenNode, reader: str) -> None:
    """Raises ProgrammeError if the programme knows no such party, and the reader is not everybody."""
    known = [party.id for party in node.programme.parties]
    if reader and reader not in (*known, EVERYBODY):
        facts = {"reader": reader, "known": ", ".join([*known, EVERYBODY])}
        raise ProgrammeError([Finding("reader-unknown", facts, Where("programme.toml"))])


def assessed(node: OpenNode, workers: int = 1, tell: Tell = quiet) -> Assessment:
    """What a node's data say, without a report. The caller holds the node's lock, since answers are kept for later.

    Raises as `assess`.
    """
    if errors(node.findings):  # a damaged chain of decisions would change numbers in silence
        raise InputError(errors(node.findings))
    return _assessment(node, workers, tell)[0]


def _assessment(node: OpenNode, workers: int, tell: Tell) -> tuple[Assessment, str]:
    """The assessment, and the hash of everything that it depends on."""
    surveys, cache = Surveys(node, lambda path: tell(f"{path}/{READING}", 0.0)), Cache(node.work / "answers")
    planned, ledger = plan(node, surveys)
    tasks = [task for p in planned for task in p.tasks.values()]
    overview_step = _overview_step(node, ledger)
    overview = _overview(node, planned, surveys, cache, overview_step)
    answers = run(tasks, cache, node.work / "checkpoints", workers=workers, tell=tell)
    results = tuple(_result(p, answers, _audiences(node, ledger)) for p in planned)
    told = _told_to(node)
    results, ledger = with_published(results, ledger, told, node.party)
    ledger = ledger.with_step(overview_step)
    if node.reader:
        results, ledger = _only_theirs(results, ledger, overview_step.id)
    programme = without_register(node.programme) if node.reader == EVERYBODY else node.programme
    assessment = Assessment(
        node_party=node.party,
        programme=programme,
        results=results,
        ledger=ledger,
        health=overview.tables["health"],
        cells=overview.tables["cells"],
        findings=(*node.findings, *_about_revoked(node), *overview.findings, *lint(programme)),
        versions=versions(),
        audience=_may_see(node),
        reader=node.reader,
    )
    depends = [[task.step.id for task in tasks], overview_step.id, [one.id for one in told]]
    return assessment, digest([*depends, package_hash(), versions()])


def _only_theirs(results: Sequence[Result], ledger: Ledger, overview: str) -> tuple[tuple[Result, ...], Ledger]:
    """Results and ledger without what stands behind questions that a reader may see nothing of.

    Their settings, sides and lines are the parties' own business; that they were asked is told.
    """
    kept = []
    for result in results:
        refusal = result.answer.refusal
        if refusal is None or not refusal.is_without_data:
            kept.append(result)
            continue
        step = Step("assessment.nothing", 1, {"question": result.question.id})
        ledger = ledger.with_step(step)
        kept.append(Result(asked_of(result.question), step.id, {ANSWER: result.answer}))
    steps = {e.step for result in kept for answer in result.answers.values() for e in answer.estimates}
    return tuple(kept), ledger.behind(overview, *(result.step for result in kept), *sorted(steps))


def _about_revoked(node: OpenNode) -> tuple[Finding, ...]:
    """Warnings of released data whose agreement was revoked; without keys of its own a node believes no revocation."""
    if not any(delivered.source.released_under for delivered in node.deliveries) or not has_keys(node.folder):
        return ()
    return tuple(about_revoked(open_ground(node.folder), node.deliveries))


def _told_to(node: OpenNode) -> tuple[Publication, ...]:
    """What was told to the node's reader and may be told still; nothing for the node's own party, who sees it all."""
    if not node.reader:
        return ()
    return in_force(open_ground(node.folder), publications(node.folder), node.reader)


def _overview_step(node: OpenNode, ledger: Ledger) -> Step:
    """The step of everything that is told beside the answers: it depends on all that was delivered or decided.

    Only hashes stand in it: the ledger goes to readers, and a programme's remarks and the number of decisions do not.
    A reader who may see no delivery is told nothing that a record could change.
    """
    told = {
        "programme": sha256((node.folder / "programme.toml").read_bytes()).hexdigest(),
        "records": digest(sorted(record.id for record in node.records)),
    }
    if not node.deliveries:
        told = dict.fromkeys(told, "")
    return Step("assessment.overview", 1, told, tuple(sorted(ledger.sources)))


def _overview(node: OpenNode, planned: tuple[Planned, ...], surveys: Surveys, cache: Cache, step: Step) -> Answer:
    """Health of the deliveries, map cells and what is worth knowing about them."""
    known = cache.get(step.id)
    if known is not None:
        return known
    materials = [Material(node, p.question, surveys) for p in planned if p.parties]
    about = [finding for delivered in node.deliveries for finding in surveys.findings(delivered)]
    findings = (*about_copies(node.deliveries), *about, *surveys.about_submissions)
    tables = {"health": landscape.health(node, surveys), "cells": landscape.cells(materials)}
    answer = Answer(tables=tables, findings=findings)
    cache.put(step.id, answer)
    return answer


def _audiences(node: OpenNode, ledger: Ledger) -> Callable[[str], str]:
    """Who may see what comes out of a step: those who may see everything that went into it."""
    of_source = {delivered.source.id: delivered.audience for delivered in node.deliveries}
    return lambda step: str(meet(of_source[key] for _, key, _ in ledger.back(step) if key in of_source))


def _may_see(node: OpenNode) -> tuple[str, ...]:
    """The parties that may see everything here, where some of it is other parties'; nobody is named else."""
    if all(delivered.is_own for delivered in node.deliveries):
        return ()
    told = meet(delivered.audience for delivered in node.deliveries)
    return (EVERYBODY,) if told.parties is None else tuple(sorted(told.parties))


def _result(planned: Planned, answers: Mapping[str, Answer], audience: Callable[[str], str]) -> Result:
    """The answers of one question by name, with the joint sheet where there are lists and a fit."""
    mine = {name: answers[task.name].seen_by(audience(task.step.id)) for name, task in planned.tasks.items()}
    sheet = None
    if ALONE in PREPARING[planned.question.engine].beside and LISTS in mine:
        alone = {name: answer for name, answer in mine.items() if name.startswith("alone.")}
        sheet = joint.joint_sheet(mine[LISTS], mine[ANSWER], alone, planned.parties)
    return Result(planned.question, planned.tasks[ANSWER].step.id, mine, sheet, planned.parties)
