"""One fit on the terminal, as a statistics package prints it: the estimates, their intervals, what to know."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from sharedrange.assessment.estimating import AREA
from sharedrange.assessment.programme import Programme
from sharedrange.assessment.report.naming import Naming
from sharedrange.assessment.report.numbers import fact, percent, readable, shown
from sharedrange.cli.findings import show_findings
from sharedrange.cli.refusals import show_refusal

if TYPE_CHECKING:
    import polars as pl

    from sharedrange.cli.face import Face
    from sharedrange.core.answer import Answer, Estimate

NOBODY = Programme(id="", title="", seed=0, parties=(), species=(), components=(), questions=())
LARGEST_TABLE = (12, 8)  # rows, columns: larger ones (a density surface) are for files, not for a terminal


def show_answer(face: Face, answer: Answer) -> None:
    """Estimates, small tables and findings; or the refusal."""
    if answer.refusal is not None:
        show_refusal(face, answer.refusal)
    estimates = [estimate for estimate in answer.estimates if not _is_about_sides(estimate)]
    if estimates:
        face.out.print(_estimates(Naming(NOBODY, face.words), estimates))
        face.gap()
    for name, table in answer.tables.items():
        if 0 < table.height <= LARGEST_TABLE[0] and table.width <= LARGEST_TABLE[1]:
            face.show(name, style="bold")
            face.out.print(_small_table(face, table))
            face.gap()
    if answer.findings:
        show_findings(face, answer.findings)


def _is_about_sides(estimate: Estimate) -> bool:
    """Whether a number tells sides apart: without a border all ground is one side, and it repeats another number."""
    head, *rest = estimate.quantity.split(".")
    return AREA in rest or (head == "shared" and not rest)


def _estimates(naming: Naming, estimates: list[Estimate]) -> Table:
    words = naming.words
    level = next((percent(e.level, words) for e in estimates if e.low is not None), "")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("quantity", "value", "unit", "se", "interval"):
        right = heading in {"value", "se"}
        table.add_column(words(f"cli.summary.{heading}", level=level), justify="right" if right else "left")
    for estimate in readable(estimates):
        text = shown(estimate, words)
        cells = (
            naming.quantity(estimate),
            text.value,
            naming.unit(estimate.unit),
            _se(naming, estimate),
            text.interval,
        )
        table.add_row(*map(Text, cells))
    return table


def _se(naming: Naming, estimate: Estimate) -> str:
    """The standard error, in the digits and the sign of the estimate's own unit."""
    if estimate.se is None:
        return ""
    return shown(replace(estimate, value=estimate.se, low=None, high=None), naming.words).value


def _small_table(face: Face, table: pl.DataFrame) -> Table:
    shape = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name, dtype in table.schema.items():
        shape.add_column(name, justify="right" if dtype.is_numeric() else "left")
    for row in table.iter_rows():
        shape.add_row(*(Text(fact(value, face.words)) for value in row))
    return shape
