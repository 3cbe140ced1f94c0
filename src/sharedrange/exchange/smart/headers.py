"""What the columns of a query are whose headers are in a language that we do not know: by SMART's order and the cells.

SMART heads its own columns in the language of its interface but always writes them in one order: patrol, its days, its
transport, then waypoint, date, time, X, Y, and the levels of the category before all attributes. The levels are
known by their cells, which are words of the data model in any of its languages; from there the others are counted, and
kept only if their cells are what they must be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from sharedrange.exchange.smart.model import Model
from sharedrange.exchange.tables import Sheet

POINT = ("transport", "waypoint", "date", "time", "x", "y")  # SMART's order, without a gap
_CLOCK = r"^\s*\d{1,2}[:.]\d{2}([:.]\d{2})?"
MAX_LEVELS = 10
MAX_BETWEEN = 3  # columns between Y and the categories: the comment, and what a version may add


def day(text: pl.Expr, date_format: str) -> pl.Expr:
    """A day as ISO text where it is written as declared or year first; else as it is."""
    patterns = [date_format, "%Y-%m-%d"] if date_format else ["%Y-%m-%d"]
    days = [text.str.to_date(pattern, strict=False, exact=True).dt.strftime("%Y-%m-%d") for pattern in patterns]
    return pl.coalesce(*days, text)


def by_place(sheet: Sheet, names: Sequence[str], known: Mapping[str, str], model: Model, order: str) -> dict[str, str]:
    """Column -> what it is (a role, or ``category 0``), for those that `known` does not name; empty where unsure.

    `known`: column -> what its header says it is; `order`: the pattern of days that the delivery declares.
    """
    levels = _levels(sheet, names, model)
    if not levels or not _needs(known, levels):
        return {}
    found = {name: f"category {n}" for n, name in enumerate(levels)}
    found |= _point(sheet, names[: names.index(levels[0])], order)
    free = set(known.values())
    return {name: role for name, role in found.items() if name not in known and role not in free}


def _needs(known: Mapping[str, str], levels: Sequence[str]) -> bool:
    """Whether anything is missing that headers should have told."""
    return bool({"patrol", *POINT[1:]} - set(known.values())) or any(level not in known for level in levels)


def _levels(sheet: Sheet, names: Sequence[str], model: Model) -> list[str]:
    """The columns of the category, from the root down: neighbours whose cells are paths of the model."""
    root = next((name for name in names if _are_paths(sheet, [name], model)), None)
    if root is None:
        return []
    levels = [root]
    for name in names[names.index(root) + 1 :][: MAX_LEVELS - 1]:
        if not _are_paths(sheet, [*levels, name], model):
            break
        levels.append(name)
    return levels


def _are_paths(sheet: Sheet, columns: Sequence[str], model: Model) -> bool:
    """Whether every row's labels are a category of the model, and the last column has any."""
    if sheet.rows[columns[-1]].is_null().all():
        return False
    rows = sheet.rows.select(columns).unique().iter_rows()
    given = ([label for label in row if label] for row in rows)
    return all(model.category(labels) for labels in given if labels)


def _point(sheet: Sheet, before: Sequence[str], order: str) -> dict[str, str]:
    """The columns of patrol and waypoint among those before the categories; empty where the cells contradict."""
    for end in range(len(before), max(len(before) - MAX_BETWEEN, len(POINT)), -1):
        block = dict(zip(POINT, before[end - len(POINT) : end], strict=True))
        if _is_point(sheet, block, order):
            days = [name for name in before[1 : end - len(POINT)] if _is(sheet, _is_day(name, order))]
            return {
                **{name: role for role, name in block.items()},
                before[0]: "patrol",
                **dict(zip(days, ("start", "end"), strict=False)),
            }
    return {}


def _is_point(sheet: Sheet, block: Mapping[str, str], order: str) -> bool:
    number = pl.col(block["x"], block["y"]).str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    return (
        _is(sheet, pl.all_horizontal(number.is_not_null()))
        and _is(sheet, pl.col(block["time"]).str.contains(_CLOCK))
        and _is(sheet, _is_day(block["date"], order))
        and _is(sheet, pl.col(block["waypoint"]).is_not_null())
    )


def _is_day(column: str, order: str) -> pl.Expr:
    return day(pl.col(column), order).str.contains(r"^\d{4}-\d{2}-\d{2}$")


def _is(sheet: Sheet, expected: pl.Expr) -> bool:
    """Whether every row is as expected, and there is one."""
    answers = sheet.rows.select(expected.fill_null(value=False).alias("as expected"))["as expected"]
    return bool(len(answers)) and bool(answers.all())
