"""Taking a delivery in on the terminal: what was understood, what has to be answered, and how."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from sharedrange.assessment.asking import example
from sharedrange.assessment.taking import Taking, Understood
from sharedrange.assessment.understanding import UTC, Overview, overview
from sharedrange.cli.face import grid, hear_ctrl_c, shown
from sharedrange.cli.findings import show_findings
from sharedrange.core.finding import errors

if TYPE_CHECKING:
    import polars as pl

    from sharedrange.cli.face import Face

MOST_TAXA, MOST_STATIONS = 12, 20  # of longer lists the rest is counted


@dataclass(frozen=True, slots=True)
class Line:
    """The line that was typed, to be shown again with what it lacks."""

    files: tuple[Path, ...]
    node: Path
    dataset: str
    settings: tuple[str, ...]
    in_place: bool

    def with_more(self, files: tuple[Path, ...], settings: Mapping[str, str]) -> str:
        """The same line with more files, and with these settings in place of those of the same key."""
        parts = ["sharedrange", "take", *(shown(file) for file in (*self.files, *files))]
        parts += [] if self.node == Path() else ["--node", shown(self.node)]
        parts += ["--dataset", self.dataset] if self.dataset else []
        parts += ["--in-place"] if self.in_place else []
        kept = (setting for setting in self.settings if setting.partition("=")[0] not in settings)
        for setting in (*kept, *(f"{key}={value}" for key, value in settings.items())):
            parts += ["--set", setting]
        return " ".join(map(quote, parts))


def nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with a key like ``sexes.0`` as tables of delivery.toml.

    Examples
    --------
    >>> nested({"crs": "EPSG:4326", "sexes.0": "female"})
    {'crs': 'EPSG:4326', 'sexes': {'0': 'female'}}
    """
    tables: dict[str, Any] = {}
    for key, value in settings.items():
        table, dot, entry = key.partition(".")
        if dot:
            tables.setdefault(table, {})[entry] = value
        else:
            tables[key] = value
    return tables


def understand(face: Face, work: Taking, told: Mapping[str, Any], line: Line) -> bool:
    """Show what was understood and ask until all is clear; False, with what to do, if it cannot be made clear."""
    answers = dict(told)
    while True:
        seen = work.understand(answers)
        _show(face, seen)
        if seen.content is not None:
            return True
        if not (seen.questions and _somebody_is_there(face)):
            _show_remedies(face, work, seen, line)
            return False
        answers |= {key: _answer(face, key, example(key, seen.findings)) for key in seen.questions}


def _somebody_is_there(face: Face) -> bool:
    return face.out.is_terminal and sys.stdin.isatty()


def _answer(face: Face, key: str, like: str) -> str:
    """What a person answers about a key of delivery.toml; asked again while it is empty."""
    face.say(f"cli.take.ask.{key}")
    hear_ctrl_c()
    while not (given := face.out.input(Text(f"{key} ({like}): ")).strip()):
        face.say("cli.take.empty", style="yellow")
    return given


def _show(face: Face, seen: Understood) -> None:
    face.say("cli.take.format", dataset=seen.dataset, format=seen.format or "?")
    if seen.like:
        face.say("cli.take.reused", like=seen.like)
    if seen.continued is not None:
        face.say("cli.take.into", dataset=seen.dataset, known=seen.continued.known, new=seen.continued.new)
    if seen.content is not None:
        zone = seen.delivery.timezone if seen.delivery else ""
        _show_overview(face, overview(seen.content, zone or UTC))
    if seen.findings:
        face.gap()
        show_findings(face, seen.findings)


def _show_overview(face: Face, held: Overview) -> None:
    rows = grid("left", "right")
    for name, number in held.rows.items():
        rows.add_row(face.words(f"cli.take.table.{name}"), str(number))
    face.print_indented(rows, 2)
    if held.first:
        face.say("cli.take.dates", first=held.first, last=held.last, zone=held.zone)
    if held.taxa.height:
        face.gap()
        face.say("cli.take.taxa", n=held.taxa.height, style="bold")
        _show_table(face, held.taxa, MOST_TAXA)
    if held.stations:
        face.gap()
        face.say("cli.take.stations", n=held.stations, style="bold")
        _show_table(face, held.effort, MOST_STATIONS)
    if held.sketch:
        face.gap()
        face.say("cli.take.map", km=f"{held.cell_km:.0f}", style="bold")
        for text in held.sketch:
            face.show(text, indent=2)


def _show_table(face: Face, rows: pl.DataFrame, most: int) -> None:
    """The first rows, and how many there are beside."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name, dtype in rows.schema.items():
        heading = f"cli.take.column.{name}"
        table.add_column(face.words(heading), justify="right" if dtype.is_numeric() else "left")
    for row in rows.head(most).iter_rows():
        table.add_row(*(Text(_cell(value)) for value in row))
    face.print_indented(table, 2)
    if rows.height > most:
        face.say("cli.take.more", n=rows.height - most, indent=2, style="dim")


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.1f}" if isinstance(value, float) else str(value)


def _show_remedies(face: Face, work: Taking, seen: Understood, line: Line) -> None:
    """The lines to type next."""
    face.gap()
    face.say("cli.take.not-taken", n=len(errors(seen.findings)), style="bold")
    for key in seen.questions:
        face.say(f"cli.take.ask.{key}", indent=2)
    place = Path(f"{seen.dataset}-to-fill")
    names = work.sheets_to_fill(seen, place)
    if names:
        face.say("cli.take.fill", indent=2, files=", ".join(shown(place / name) for name in names))
    if names or seen.questions:
        face.say("cli.take.type", indent=2)
        settings = {key: example(key, seen.findings) for key in seen.questions}
        _show_line(face, line.with_more((place,) if names and place not in line.files else (), settings))


def _show_line(face: Face, line: str) -> None:
    """A line to type, never broken, so that it can be copied."""
    face.out.print(Text(f"    {line}", style="cyan"), soft_wrap=True)
