"""One question on the terminal, as a statistics package prints it.

First whether the data bear the question at all; then model, data, numbers, coefficients, models beside each other and
tests; then what to know, and what to do next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING

import polars as pl
from rich.table import Table
from rich.text import Text

from sharedrange.assessment.estimating import AREA, Estimation
from sharedrange.assessment.modelling import PARAMETERS
from sharedrange.assessment.programme import Programme
from sharedrange.assessment.report.naming import Naming
from sharedrange.assessment.report.numbers import fact, percent, readable, shown
from sharedrange.cli.face import grid
from sharedrange.cli.findings import show_findings
from sharedrange.cli.refusals import show_refusal
from sharedrange.population.defensible import Counts, Fitness, Verdict

if TYPE_CHECKING:
    from sharedrange.cli.face import Face
    from sharedrange.core.answer import Answer, Estimate

NOBODY = Programme(id="", title="", seed=0, parties=(), species=(), components=(), questions=())
_WEIGHT: Mapping[Verdict, str] = {Verdict.YES: "green", Verdict.WITH_CARE: "yellow", Verdict.NO: "red"}
_LIKE = {"population.doubt": "population.scr"}  # engines that need what another one needs
_COUNTED = (
    "individuals", "detections", "recaptures", "spatial_recaptures", "detectors", "occasions", "sexes_known",
)  # fmt: skip
FOR_FILES = frozenset({"covariances"})  # what programs ask for and people do not read
LARGEST_TABLE = (16, 9)  # rows, columns: larger ones (a density surface) are for files, not for a terminal


def show_estimation(face: Face, made: Estimation, path: str) -> None:
    """Everything about one question; `path` is the delivery as it was typed."""
    if made.fitness is not None:
        _show_fitness(face, made.fitness, made.engine)
        _show_data(face, made.fitness.counts, len(made.histories))
    show_answer(face, made.answer, made.settings)
    if made.comparison.height:
        _show_table(face, "comparison", made.comparison)
    if made.answer.findings:
        show_findings(face, made.answer.findings)
    _show_next(face, made, path)


def show_answer(face: Face, answer: Answer, settings: object = None) -> None:
    """Model, estimates, coefficients and other small tables; or the refusal."""
    if answer.refusal is not None:
        show_refusal(face, answer.refusal)
        face.gap()
    tables = dict(answer.tables)
    if "fit" in tables:
        _show_upright(face, "fit", tables.pop("fit"))
    estimates = [estimate for estimate in answer.estimates if not _is_about_sides(estimate)]
    if estimates:
        face.out.print(_estimates(Naming(NOBODY, face.words), estimates))
        face.gap()
    if "coefficients" in tables:
        tables["coefficients"] = with_limits(tables["coefficients"], float(getattr(settings, "level", 0.95)))
    for name, table in tables.items():
        small = 0 < table.height <= LARGEST_TABLE[0] and table.width <= LARGEST_TABLE[1]
        if small and name not in FOR_FILES:
            _show_table(face, name, table)


def show_plots(face: Face, paths: Sequence[Path], folder: str) -> None:
    """Which plots were written."""
    face.gap()
    face.say("cli.estimate.plots.none" if not paths else "cli.estimate.plots.done", folder=folder)
    for path in paths:
        face.show(path.name, indent=2)


def with_limits(coefficients: pl.DataFrame, level: float) -> pl.DataFrame:
    """Coefficients on the link scale with their Wald limits; a table that has limits already stays as it is.

    Examples
    --------
    >>> import polars as pl
    >>> with_limits(pl.DataFrame({"parameter": ["D"], "estimate": [0.0], "se": [1.0]}), 0.95).row(0)[3:]
    (-1.9599639845400536, 1.9599639845400536)
    """
    if "low" in coefficients.columns or not {"estimate", "se"} <= set(coefficients.columns):
        return coefficients
    reach = NormalDist().inv_cdf(0.5 + level / 2) * pl.col("se")
    return coefficients.with_columns(low=pl.col("estimate") - reach, high=pl.col("estimate") + reach)


def _show_fitness(face: Face, fitness: Fitness, engine: str) -> None:
    """Each question with its verdict; of the one that is asked, why it is no plain yes."""
    face.say("cli.estimate.fitness", style="bold")
    for judgement in fitness.judgements:
        question = face.words(f"defensible.question.{judgement.question}")
        verdict = face.words(f"defensible.verdict.{judgement.verdict}")
        face.show(face.words("defensible.line", question=question, verdict=verdict), style=_WEIGHT[judgement.verdict])
        for reason in judgement.reasons if judgement.question == _LIKE.get(engine, engine) else ():
            if reason.outcome is not Verdict.YES:
                told = f"- {face.words.fact(reason.finding)}: {face.words.remedy(reason.finding)}"
                face.show(f"{told} [{reason.source}]", indent=2)
    face.gap()


def _show_data(face: Face, counts: Counts, sessions: int) -> None:
    """What there is, over all sessions; of places and occasions, the session with most."""
    face.say("cli.estimate.data", style="bold")
    told = {"sessions": sessions, **{name: getattr(counts, name) for name in _COUNTED}}
    table = grid("left", "right")
    for name, value in told.items():
        table.add_row(Text(face.words(f"cli.estimate.data.{name}")), Text(fact(value, face.words)))
    face.print_indented(table, 2)
    face.gap()


def _show_upright(face: Face, name: str, table: pl.DataFrame) -> None:
    """A table of one row, a line a column."""
    if table.height != 1:
        _show_table(face, name, table)
        return
    face.show(_titled(face, name), style="bold")
    shape = grid("left", "left")
    for column, value in table.row(0, named=True).items():
        shape.add_row(Text(_column(face, column)), Text(fact(value, face.words)))
    face.print_indented(shape, 2)
    face.gap()


def _show_table(face: Face, name: str, table: pl.DataFrame) -> None:
    face.show(_titled(face, name), style="bold")
    face.out.print(_small_table(face, table))
    face.gap()


def _titled(face: Face, name: str) -> str:
    return _known(face, f"cli.estimate.table.{name}", name)


def _column(face: Face, name: str) -> str:
    return _known(face, f"report.column.{name}", name)


def _known(face: Face, message: str, code: str) -> str:
    return face.words(message) if message in face.words else code


def _show_next(face: Face, made: Estimation, path: str) -> None:
    """What to do next: other questions that the data bear, models to compare, where it is explained."""
    face.gap()
    face.say("cli.estimate.next", style="bold")
    if made.answer.refusal is not None:
        bears = made.fitness.possible if made.fitness else made.answer.refusal.instead
        for engine in bears:
            face.show(f"sharedrange estimate {path} --engine {engine}", indent=2, style="cyan")
    elif made.engine in PARAMETERS and made.comparison.is_empty():
        first = PARAMETERS[made.engine][1]
        face.say("cli.estimate.next.models", indent=2)
        line = f'sharedrange estimate {path} --engine {made.engine} --models "{first}~1" --models "{first}~..."'
        face.show(line, indent=2, style="cyan")
    face.say("cli.estimate.next.docs", indent=2, page=f"docs/engines/{made.engine}.md")


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
        shape.add_column(_column(face, name), justify="right" if dtype.is_numeric() else "left")
    for row in table.iter_rows():
        shape.add_row(*(Text(fact(value, face.words)) for value in row))
    return shape
