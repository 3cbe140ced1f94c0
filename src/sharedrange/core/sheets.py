"""Tables as CSV that no spreadsheet program takes for formulas, and back."""

from __future__ import annotations

import io

import polars as pl

FORMULA = r"^[=+\-@\t\r']"  # what a spreadsheet may take for a formula (OWASP, CSV injection), and our own mark
_NEUTRAL = r"^'([=+\-@\t\r'])"


def neutral(column: pl.Expr) -> pl.Expr:
    """Text that a spreadsheet program takes for text: an apostrophe before what may start a formula."""
    return pl.when(column.str.contains(FORMULA)).then(pl.lit("'") + column).otherwise(column)


def as_written(column: pl.Expr) -> pl.Expr:
    """Text as it was before `neutral`."""
    return column.str.replace(_NEUTRAL, "$1")


def neutral_csv(table: pl.DataFrame) -> bytes:
    r"""A table of text and numbers as UTF-8 CSV; text that may start a formula is neutral, numbers are as they are.

    Examples
    --------
    >>> neutral_csv(pl.DataFrame({"who": ["=1+1", "M1"], "n": [-1, 2]})).decode()
    "who,n\n'=1+1,-1\nM1,2\n"
    """
    out = io.BytesIO()
    texts = [name for name, dtype in table.schema.items() if dtype == pl.String]
    table.with_columns(neutral(pl.col(name)).alias(name) for name in texts).write_csv(out)
    return out.getvalue()
