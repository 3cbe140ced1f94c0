"""What do we tell people? One page that can be forwarded, and data files for those who count on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from sharedrange.assessment.programme import Programme
from sharedrange.assessment.register import register_tables
from sharedrange.assessment.report.html import render
from sharedrange.assessment.report.products import file_name, write_products
from sharedrange.assessment.results import Assessment
from sharedrange.core.words import Words

__all__ = ["render", "report_name", "write_products", "write_report"]


def report_name(programme: Programme) -> str:
    """The report's file name: ``report.html``, or ``report-SIMULATED.html``."""
    return file_name("report", "html", programme)


def write_report(
    assessment: Assessment, words: Words, folder: Path, register: Mapping[str, pl.DataFrame] | None = None
) -> Path:
    """Write report and data products into `folder`, which must exist; the path of the report.

    `register`: tables of the programme's register; where None, the programme's own if it keeps one. The caller
    sees to it that the folder appears whole or not at all.
    """
    programme = assessment.programme
    keeps_one = programme.has_register or not programme.questions
    tables = register if register is not None else register_tables(programme) if keeps_one else {}
    path = folder / report_name(assessment.programme)
    path.write_text(render(assessment, words, tables), encoding="utf-8")
    write_products(assessment, folder, words)
    return path
