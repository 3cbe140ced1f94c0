"""What an assessment found, on the terminal: each question with its answer first, then what stands behind it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sharedrange.assessment.report.figures import estimates_title, lists_title
from sharedrange.assessment.report.grouping import by_party, instead
from sharedrange.assessment.report.naming import Naming
from sharedrange.assessment.report.numbers import ABSENT
from sharedrange.assessment.report.numbers import shown as digits
from sharedrange.assessment.report.openings import openings
from sharedrange.assessment.report.sentences import opening_message, opens
from sharedrange.assessment.report.sheet_tables import list_table
from sharedrange.assessment.report.ways_back import excess, interval_ratio
from sharedrange.assessment.results import Convention
from sharedrange.cli.estimates import Line, estimates_table, headline, lines_table
from sharedrange.cli.face import shown
from sharedrange.cli.findings import show_by_file
from sharedrange.cli.refusals import show_refusal
from sharedrange.core.finding import Finding, Severity

if TYPE_CHECKING:
    from sharedrange.assessment.assessing import Outcome
    from sharedrange.assessment.results import AloneSum, Assessment, JointSheet, Result
    from sharedrange.cli.face import Face
    from sharedrange.core.answer import Estimate

INDENT = 2
LISTED = ("known", "shared", "minimum_number", "naive_sum", "overcount")


def show_outcome(face: Face, outcome: Outcome, folder: Path) -> None:
    """Questions and answers, what is worth knowing, and where the report is."""
    assessment = outcome.assessment
    naming = Naming(assessment.programme, face.words)
    _show_title(face, naming, assessment)
    for number, result in enumerate(assessment.results, start=1):
        _show_result(face, naming, number, result)
    if not assessment.results:
        _show_what_is_there(face, naming, assessment)
    _show_warnings(face, assessment.all_findings)
    _show_places(face, outcome, folder)


def _show_title(face: Face, naming: Naming, assessment: Assessment) -> None:
    face.show(assessment.programme.title, style="bold")
    face.say("cli.outcome.whose", party=naming.party(assessment.node_party))
    if told := naming.audience(assessment.audience, assessment.reader):
        face.show(told)
    if assessment.programme.simulated:
        face.say("cli.outcome.simulated", style="yellow")
    face.gap()


def _show_result(face: Face, naming: Naming, number: int, result: Result) -> None:
    face.show(f"{number}. {naming.about(result.question)}", style="bold")
    answer, told = result.answer, openings(result)
    first = told[0].estimate if told else headline(answer)
    if answer.refusal is not None:
        said = [sentence(naming, result, e) for e in by_party(instead(result), naming.programme) if opens(e)]
        show_refusal(face, answer.refusal, indent=INDENT, instead=said)
    elif first is None:
        face.say("cli.outcome.no-answer", indent=INDENT, style="yellow")
    else:
        face.show(sentence(naming, result, first, told[0].message if told else ""), style="bold green", indent=INDENT)
        face.say("cli.outcome.number", indent=INDENT, style="dim", id=first.id)
        for more in told[1:]:
            face.show(sentence(naming, result, more.estimate, more.message), indent=INDENT)
    if result.sheet is not None:
        _show_sheet(face, naming, result.sheet)
    else:
        in_sentences = {first, *(opening.estimate for opening in told)}
        beyond = "cli.outcome.others" if result.question.engine == "population.rates" else "cli.outcome.further"
        _show_others(face, naming, [e for e in answer.estimates if e not in in_sentences], beyond)
    face.gap()


def _show_what_is_there(face: Face, naming: Naming, assessment: Assessment) -> None:
    """Where nothing is asked: what there is to ask about, and how a question is added."""
    face.say("cli.outcome.no-questions", style="yellow")
    for row in assessment.health.iter_rows(named=True):
        told = {**row, "party": naming.party(row["party"]), "run_days": round(row["run_days"])}
        face.say("cli.outcome.there-is", indent=INDENT, **told)
    if assessment.health.is_empty():
        face.say("cli.outcome.nothing-there", indent=INDENT)
    face.say("cli.outcome.add-question", file=shown(Path("programme.toml")), page="docs/programme.md")
    face.gap()


def _show_others(face: Face, naming: Naming, others: list[Estimate], beyond: str) -> None:
    """What stands beside the answer; numbers of other species, or of sides and years, are only counted."""
    told = [e for e in by_party(others, naming.programme) if e.quantity.count(".") <= 1]
    if told:
        face.print_indented(estimates_table(naming, told), 2 * INDENT)
    if len(told) < len(others):
        face.say(beyond, indent=2 * INDENT, style="dim", number=len(others) - len(told))


def sentence(naming: Naming, result: Result, first: Estimate, message: str = "") -> str:
    """A number in the report's sentence: that of `message`, or the one that fits the number."""
    question, line, parts = result.question, Line.of(naming, first), digits(first, naming.words)
    return naming.words(
        message or opening_message(result, first),
        species=naming.heading(question),
        animals=naming.animals(question),
        place=naming.places(question, result.parties),
        party=naming.qualifier(first.quantity.partition(".")[2].partition(".")[0]),
        of=naming.qualifier(first.quantity.rpartition(".")[2]),
        sessions=len(question.sessions) + len(question.periods),
        quantity=line.name,
        unit=line.unit,
        value=parts.value,
        interval=line.interval,
        number=line.bare,
    )


def _show_sheet(face: Face, naming: Naming, sheet: JointSheet) -> None:
    """Lists and estimates under headings of their own: they are never compared with each other."""
    groups = list_table(sheet.lists, naming.programme).groups
    if listed := [row.whole for group in groups for row in group.rows if _is_headline_of_list(naming, row.whole)]:
        face.gap()
        face.say(lists_title(sheet.lists), indent=INDENT, style="bold")
        face.print_indented(estimates_table(naming, listed), 2 * INDENT)
    if sheet.sums:
        face.gap()
        face.say(estimates_title(sheet), indent=INDENT, style="bold", year=sheet.year)
        face.print_indented(
            lines_table([*(_sum_line(naming, s) for s in sheet.sums), *_joint(naming, sheet)]), 2 * INDENT
        )
    if sheet.bought:
        face.gap()
        face.show(bought_text(naming, sheet), indent=INDENT)
    for sentence in survival_texts(naming, sheet):
        face.show(sentence, indent=INDENT)


def _is_headline_of_list(naming: Naming, estimate: Estimate) -> bool:
    """Whether a list's number is about all animals counted: those of one stage stand in the report."""
    name, *rest = estimate.quantity.split(".")
    return name in LISTED and all(part in {p.id for p in naming.programme.parties} for part in rest)


def _joint(naming: Naming, sheet: JointSheet) -> list[Line]:
    """The line of both together; none where the joint fit has no number."""
    joint = sheet.number
    return [] if joint is None else [replace(Line.of(naming, joint), name=naming.words("report.sheet.joint"))]


def _sum_line(naming: Naming, alone: AloneSum) -> Line:
    """One convention's sum of what the parties find alone, beside how far it lies from the joint number."""
    words = naming.words
    name = words(f"report.convention.{alone.convention}")
    if alone.total is None:
        return Line(name, ABSENT, "", words("cli.outcome.no-sum"))
    total = Line.of(naming, alone.total)
    return Line(name, total.value, total.unit, _value(naming, excess(alone.convention, alone.excess_pct, "")))


def bought_text(naming: Naming, sheet: JointSheet) -> str:
    """What sharing bought, in the report's sentence with the numbers behind it."""
    own_excess = excess(Convention.OWN, sheet.facts.get(f"excess_pct.{Convention.OWN}"), "")
    return naming.words(
        f"report.bought.{sheet.bought}",
        excess=_value(naming, own_excess),
        times=_value(naming, interval_ratio(sheet, "")),
    )


def survival_texts(naming: Naming, sheet: JointSheet) -> tuple[str, ...]:
    """What each party alone would say of survival, in the report's sentences."""
    if sheet.joint is None or "phi" not in sheet.joint:
        return ()
    joint = Line.of(naming, sheet.joint["phi"])
    return tuple(
        naming.words(
            f"report.alone.survival.{convention}",
            alone="; ".join(
                naming.words("report.found.side", number=_compact(naming, e), party=naming.party(p))
                for p, e in own.items()
            ),
            joint=joint.bare,
        )
        for convention, own in sheet.survival.items()
    )


def _compact(naming: Naming, estimate: Estimate) -> str:
    """Value and interval: 0.71 (0.60-0.80)."""
    parts = digits(estimate, naming.words)
    return f"{parts.value} ({parts.interval})" if parts.interval else parts.value


def _value(naming: Naming, estimate: Estimate | None) -> str:
    """The value alone; nothing where there is no estimate."""
    return "" if estimate is None else digits(estimate, naming.words).value


def _show_warnings(face: Face, findings: tuple[Finding, ...]) -> None:
    """One warning of each rule; notes are only counted. The report has them all."""
    number = Counter(finding.severity for finding in findings)
    grave = [f for f in findings if f.severity is not Severity.NOTE]
    if grave:
        face.say("cli.outcome.warnings", style="bold")
        show_by_file(face, grave, 1, "cli.outcome.more")
    if number[Severity.NOTE]:
        face.say("cli.outcome.notes", number=number[Severity.NOTE], style="dim")


def _show_places(face: Face, outcome: Outcome, folder: Path) -> None:
    if outcome.reused:
        face.say("cli.outcome.reused")
    face.say("cli.outcome.report", path=shown(outcome.report), style="bold")
    face.say("cli.outcome.trace", line=f"sharedrange trace {shown(folder)} STEP/QUANTITY", style="dim")
