"""The report as one self-contained HTML page: no request, no script, no clock."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sharedrange.assessment.report.naming import Naming
from sharedrange.assessment.report.page import Page, anchor
from sharedrange.assessment.report.printing import Printer
from sharedrange.assessment.report.ways_back import with_steps
from sharedrange.assessment.results import Assessment
from sharedrange.core.words import Words


def render(assessment: Assessment, words: Words, register: Mapping[str, pl.DataFrame] | None = None) -> str:
    """The report of `assessment` in `words`; `register` (tables by name) is printed where given.

    Raises KeyError for a message without a sentence, and for a number whose step the ledger does not hold.
    """
    naming = Naming(assessment.programme, words)
    printer = Printer(naming, frozenset(assessment.ledger.steps))
    results = tuple(with_steps(result) for result in assessment.results)
    page = Page(assessment, results, printer, dict(register or {}))
    return environment(printer).get_template("report.html.j2").render(page=page)


def environment(printer: Printer) -> Environment:
    """Templates that can print markup and nothing else: a bare number or text raises TypeError."""
    env = Environment(
        loader=PackageLoader("sharedrange.assessment.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_only_markup,
    )
    env.globals["say"] = printer.say
    for kind in ("number", "value", "interval", "compact", "fact", "name", "unit", "quantity", "word", "finding"):
        env.filters[kind] = getattr(printer, kind)
    env.filters["anchor"] = anchor
    return env


def _only_markup(value: object) -> object:
    if not isinstance(value, Markup):
        raise TypeError(f"a template printed {value!r} past the printer")
    return value
