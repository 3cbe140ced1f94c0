"""Findings on the terminal: one table a file, what is wrong beside what to do; or JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import compress, groupby
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from sharedrange.core.finding import Finding, Severity

if TYPE_CHECKING:
    from sharedrange.cli.face import Face
    from sharedrange.core.words import Words

SAME_RULE_ROWS = 10  # of one rule in one file: the eleventh teaches nothing; `--json` has all
STYLES = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}
HEADINGS = ("cli.finding.severity", "cli.finding.row", "cli.finding.field", "cli.finding.fact", "cli.finding.remedy")
SENTENCES = (False, False, False, True, True)  # which columns share the width that the others leave


def show_findings(face: Face, findings: Sequence[Finding]) -> None:
    """Every finding, worst first within its file, then a line that counts them."""
    show_by_file(face, findings, SAME_RULE_ROWS, "cli.finding.more")
    if not findings:
        face.say("cli.finding.none", style="green")
        return
    number = Counter(finding.severity for finding in findings)
    errors, warnings, notes = (number[severity] for severity in Severity)
    face.say("cli.finding.count", errors=errors, warnings=warnings, notes=notes)


def show_by_file(face: Face, findings: Sequence[Finding], most: int, more: str) -> None:
    """Findings under their file; of one rule in one file `most`, the rest counted in the sentence of `more`."""
    for place, group in groupby(sorted(findings, key=_order), key=_place):
        face.show(place or face.words("cli.finding.nowhere"), style="bold")
        _show_group(face, list(group), most, more)
        face.gap()


def as_json(findings: Iterable[Finding], words: Words) -> str:
    """The findings as a JSON list, with the sentences beside the facts."""
    return json.dumps([_object(finding, words) for finding in findings], ensure_ascii=False, indent=2)


def _object(finding: Finding, words: Words) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": str(finding.severity),
        **asdict(finding.where),
        "fact": words.fact(finding),
        "remedy": words.remedy(finding),
        "facts": dict(finding.facts),
    }


def _order(finding: Finding) -> tuple[str, int, str, int, str]:
    weight = list(Severity).index(finding.severity)
    return _place(finding), weight, finding.rule, finding.where.row or 0, finding.where.field or ""


def _place(finding: Finding) -> str:
    """The file, and the table in it where that says more."""
    file, table = finding.where.file or "", finding.where.table or ""
    return f"{file} ({table})" if file and table and table not in file else file or table


def _show_group(face: Face, findings: list[Finding], most: int, more: str) -> None:
    seen: Counter[str] = Counter()
    rows = []
    for finding in findings:
        seen[finding.rule] += 1
        if seen[finding.rule] <= most:
            rows.append(_cells(face, finding))
    face.out.print(_table(face, rows))
    for rule, number in seen.items():
        if number > most:
            face.say(more, style="dim", number=number - most, rule=rule)


def _table(face: Face, rows: list[tuple[Text, ...]]) -> Table:
    """Rows below their headings; a column that no row fills (row, field) is left out."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    filled = [any(cells) for cells in zip(*rows, strict=True)]
    for heading, is_sentence, is_filled in zip(HEADINGS, SENTENCES, filled, strict=True):
        if is_filled:
            table.add_column(
                face.words(heading), ratio=1 if is_sentence else None, overflow="fold", no_wrap=heading == HEADINGS[0]
            )
    for row in rows:
        table.add_row(*compress(row, filled))
    return table


def _cells(face: Face, finding: Finding) -> tuple[Text, ...]:
    words, where = face.words, finding.where
    return (
        Text(words(f"report.severity.{finding.severity}"), style=STYLES[finding.severity]),
        Text("" if where.row is None else str(where.row)),
        Text(where.field or ""),
        Text.assemble(words.fact(finding), (f"\n{finding.rule}", "dim")),
        Text(words.remedy(finding)),
    )
