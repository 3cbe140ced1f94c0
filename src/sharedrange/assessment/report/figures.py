"""The joint sheet as a figure: lists above, estimates below, never on one axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from sharedrange.assessment.report import svg
from sharedrange.assessment.report.charts import axis_end
from sharedrange.assessment.report.grouping import is_sessions
from sharedrange.assessment.report.numbers import shown, text
from sharedrange.assessment.report.palette import Look, colours
from sharedrange.assessment.report.ways_back import excess
from sharedrange.assessment.results import AloneSum, JointSheet
from sharedrange.core.answer import Answer, Estimate

WIDTH = 720.0
LEFT = 224.0  # where the axis starts: room for labels
RIGHT = 590.0  # where it ends: room for the number in words beside it
NUMBER_X = 604.0
ROW = 24.0
LEADING = 14.0
LABEL_EM = 17.0  # width of row labels: LEFT at 12 units an em, with a margin


@dataclass(frozen=True, slots=True)
class Axis:
    """From animals to figure units."""

    high: float

    def x(self, value: float) -> float:
        """Where `value` stands; values beyond the end stop at the end."""
        return LEFT + (RIGHT - LEFT) * max(0.0, min(value, self.high)) / self.high


def joint_sheet(sheet: JointSheet, look: Look, title: str) -> Markup:
    """Lists and estimates of one question; every number a link to its step."""
    badge = look.badge()
    top = 24.0 if badge else 0.0
    lists, lists_end = _lists_panel(sheet.lists, look)
    estimates, end = _estimates_panel(sheet, look, lists_end + 26)
    panels = svg.element("g", lists, estimates, transform=f"translate(0 {top:.0f})")
    return svg.figure(WIDTH, top + (end if estimates else lists_end) + 4, title, badge, panels)


# ---- lists -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Bar:
    name: str
    estimate: Estimate
    start: float
    end: float
    fill: str
    solid_end: float  # what lies beyond is counted twice

    @property
    def rows(self) -> list[str]:
        return svg.wrap(self.name, LABEL_EM)

    @property
    def height(self) -> float:
        return max(ROW, LEADING * len(self.rows) + 8)


def _lists_panel(lists: Answer, look: Look) -> tuple[Markup, float]:
    bars = _bars(lists, look)
    if not bars:
        return Markup(""), 0.0
    axis = Axis(max(bar.end for bar in bars) * 1.02 or 1.0)
    y, rows = 34.0, []
    for bar in bars:
        rows.append(_bar_row(bar, axis, y + bar.height / 2, look))
        y += bar.height
    frame = svg.element("rect", x=-10, y=-4, width=WIDTH + 10, height=y + 12, fill=svg.TINT, rx=3)
    over = _beside(lists["overcount"], y - bars[-1].height / 2, look) if "overcount" in lists else Markup("")
    return Markup("").join([frame, _panel_title(look.words(lists_title(lists)), 16), *rows, over]), y + 12


def lists_title(lists: Answer) -> str:
    """The heading of the lists: with sessions, an animal counts once in each."""
    return "report.sheet.lists.sessions" if _counts_sessions(lists) else "report.sheet.lists"


def estimates_title(sheet: JointSheet) -> str:
    """The heading of a sheet's estimates: of {year}, or with sessions means over them."""
    if sheet.year:
        return "report.sheet.estimates.year"
    return "report.sheet.estimates.sessions" if _counts_sessions(sheet.lists) else "report.sheet.estimates"


def _counts_sessions(lists: Answer) -> bool:
    return any(is_sessions(estimate) for estimate in lists.estimates)


def _bars(lists: Answer, look: Look) -> list[_Bar]:
    """Known animals of each party, those of two parties laid so that they overlap where they know the same ones."""
    parties = list(colours(look.naming.programme))
    known = [lists[f"known.{party}"] for party in parties if f"known.{party}" in lists]
    shared = lists["shared"].value if "shared" in lists and len(known) == 2 else 0.0
    starts = [0.0, known[0].value - shared] if len(known) == 2 else [0.0] * len(known)
    bars = [
        _bar(e, look, start, look.colour(e.quantity.partition(".")[2])) for e, start in zip(known, starts, strict=True)
    ]
    if shared:
        bars.append(_bar(lists["shared"], look, starts[1], svg.SOFT))
    if "minimum_number" in lists:
        bars.append(_bar(lists["minimum_number"], look, 0.0, svg.INK))
    if "naive_sum" in lists:
        solid_end = lists["minimum_number"].value if "minimum_number" in lists else None
        bars.append(_bar(lists["naive_sum"], look, 0.0, svg.INK, solid_end))
    return bars


def _bar(estimate: Estimate, look: Look, start: float, fill: str, solid_end: float | None = None) -> _Bar:
    end = start + estimate.value
    return _Bar(look.naming.quantity(estimate), estimate, start, end, fill, end if solid_end is None else solid_end)


def _bar_row(bar: _Bar, axis: Axis, middle: float, look: Look) -> Markup:
    pieces = [
        _row_label(bar.rows, middle),
        _box(axis, bar.start, bar.solid_end, middle, fill=bar.fill),
        _number(bar.estimate, middle, look),
    ]
    if bar.end > bar.solid_end:
        twice = {"fill": svg.PAPER, "stroke": bar.fill, "stroke_dasharray": "3 2"}
        pieces.append(_box(axis, bar.solid_end, bar.end, middle, **twice))
    return Markup("").join(pieces)


def _box(axis: Axis, start: float, end: float, middle: float, **attributes: object) -> Markup:
    x = axis.x(start)
    return svg.element("rect", x=x, y=middle - 6, width=axis.x(end) - x, height=12, rx=1, **attributes)


# ---- estimates ---------------------------------------------------------------------------------------------


def _estimates_panel(sheet: JointSheet, look: Look, top: float) -> tuple[Markup, float]:
    joint = sheet.number
    sums = [s for s in sheet.sums if s.parts]
    drawn = [e for s in sums for e in (*s.parts.values(), s.total) if e] + ([joint] if joint else [])
    if not drawn:
        return Markup(""), top
    axis = Axis(1.04 * axis_end(drawn) or 1.0)
    y, rows = top + 34, []
    for alone in sums:
        row, y = _convention(alone, axis, y, look)
        rows.append(row)
    if joint:
        rows.append(_joint_row(joint, axis, y, look))
        y += 32
    band = _band(joint, axis, top + 22, y + 2) if joint else Markup("")
    title = _panel_title(look.words(estimates_title(sheet), year=sheet.year), top + 12)
    return Markup("").join([title, band, *rows, _scale(axis, y + 4, look)]), y + 42


@dataclass(frozen=True, slots=True)
class _Row:
    """A dot with its interval, or a diamond for a sum. `is_name`: the label is a name, not a sentence."""

    label: str
    estimate: Estimate
    colour: str
    is_name: bool = False

    @property
    def rows(self) -> list[str]:
        return svg.wrap(self.label, LABEL_EM)

    @property
    def height(self) -> float:
        return max(ROW - 3, LEADING * len(self.rows) + 6)


def _convention(alone: AloneSum, axis: Axis, y: float, look: Look) -> tuple[Markup, float]:
    heading = svg.wrap(look.words(f"report.convention.{alone.convention}"), 54)
    pieces = [svg.lines(0, y + 10, heading, LEADING, fill=svg.SOFT, font_style="italic")]
    y += LEADING * len(heading) + 4
    rows = [_Row(look.naming.party(p), e, look.colour(p), is_name=True) for p, e in alone.parts.items()]
    if alone.total:
        rows.append(_Row(look.words("report.sheet.sum"), alone.total, svg.INK))
    for row in rows:
        pieces.append(_interval_row(row, axis, y + row.height / 2, look))
        y += row.height
    above = excess(alone.convention, alone.excess_pct, look.step)
    if above:
        pieces.append(_beside(above, y - rows[-1].height / 2, look))
    return Markup("").join(pieces), y + 10


def _interval_row(row: _Row, axis: Axis, middle: float, look: Look) -> Markup:
    mark = _diamond if row.estimate.low is None else _dot
    pieces = [
        _row_label(row.rows, middle, translate="no" if row.is_name else None),
        _whisker(row.estimate, axis, middle, row.colour),
        mark(axis.x(row.estimate.value), middle, row.colour),
        _number(row.estimate, middle, look),
    ]
    return Markup("").join(pieces)


def _joint_row(joint: Estimate, axis: Axis, y: float, look: Look) -> Markup:
    middle = y + 18
    pieces = [
        svg.rule(0, y, WIDTH, y),
        svg.label(0, middle + 4, look.words("report.sheet.joint"), font_weight=700),
        _whisker(joint, axis, middle, svg.INK, thick=4.0),
        _dot(axis.x(joint.value), middle, svg.INK, radius=6.0),
        _number(joint, middle, look),
    ]
    return Markup("").join(pieces)


def _band(joint: Estimate, axis: Axis, top: float, bottom: float) -> Markup:
    """The joint interval behind all rows, so that the eye compares."""
    if joint.low is None or joint.high is None:
        return Markup("")
    x = axis.x(joint.low)
    return svg.element("rect", x=x, y=top, width=axis.x(joint.high) - x, height=bottom - top, fill="#e9ecef")


def _scale(axis: Axis, y: float, look: Look) -> Markup:
    marks = [
        svg.rule(axis.x(t), y, axis.x(t), y + 4)
        + svg.label(axis.x(t), y + 17, text(t, 0, look.words.language), text_anchor="middle", fill=svg.SOFT)
        for t in svg.ticks(0, axis.high)
    ]
    unit = svg.label(NUMBER_X, y + 17, look.naming.unit("animals"), fill=svg.SOFT)
    return Markup("").join([svg.rule(LEFT, y, RIGHT, y), *marks, unit])


def _whisker(estimate: Estimate, axis: Axis, middle: float, colour: str, thick: float = 2.5) -> Markup:
    """The interval; an arrow head where it runs past the axis."""
    if estimate.low is None or estimate.high is None:
        return Markup("")
    end = axis.x(estimate.high)
    line = svg.rule(axis.x(estimate.low), middle, end, middle, stroke=colour, stroke_width=thick, opacity=0.75)
    if estimate.high <= axis.high:
        return line
    arrow = f"M{end - 6:.1f} {middle - 5:.1f}L{end:.1f} {middle:.1f}L{end - 6:.1f} {middle + 5:.1f}"
    return line + svg.element("path", d=arrow, fill="none", stroke=colour, stroke_width=2)


def _dot(x: float, y: float, colour: str, radius: float = 4.5) -> Markup:
    return svg.element("circle", cx=x, cy=y, r=radius, fill=colour, stroke=svg.PAPER, stroke_width=1)


def _diamond(x: float, y: float, colour: str) -> Markup:
    """A sum: no interval is claimed for it."""
    points = f"{x:.1f},{y - 6:.1f} {x + 6:.1f},{y:.1f} {x:.1f},{y + 6:.1f} {x - 6:.1f},{y:.1f}"
    return svg.element("polygon", points=points, fill=svg.PAPER, stroke=colour, stroke_width=2)


# ---- shared pieces -----------------------------------------------------------------------------------------


def _panel_title(words: str, y: float) -> Markup:
    return svg.label(0, y, words, font_size=13, font_weight=700)


def _row_label(rows: list[str], middle: float, **attributes: object) -> Markup:
    return svg.lines(0, middle + 4 - LEADING * (len(rows) - 1) / 2, rows, LEADING, **attributes)


def _number(estimate: Estimate, middle: float, look: Look) -> Markup:
    """Value and interval at the right, linked to the step behind them."""
    number = shown(estimate, look.words)
    value = svg.element("tspan", number.value, font_weight=600)
    interval = svg.element("tspan", f" ({number.interval})" if number.interval else "", fill=svg.SOFT)
    told = svg.element("text", value, interval, x=NUMBER_X, y=middle + 4)
    return svg.link(estimate.step or look.step, told, number=estimate.id)


def _beside(estimate: Estimate, middle: float, look: Look) -> Markup:
    """A difference in percent, right of a row's number."""
    told = svg.label(NUMBER_X + 40, middle + 4, shown(estimate, look.words).value, font_weight=600)
    return svg.link(estimate.step or look.step, told, number=estimate.id)


# ---- effort --------------------------------------------------------------------------------------------------


def effort_strip(row: Mapping[str, object], look: Look, title: str) -> Markup:
    """Days watched (full) and lost (hollow) of one delivery, as a strip."""
    run, gap = float(str(row["run_days"] or 0)), float(str(row["gap_days"] or 0))
    if run + gap <= 0:
        return Markup("")
    colour = look.colour(str(row["party"]))
    watched = 100 * run / (run + gap)
    full = svg.element("rect", x=0.5, y=0.5, width=watched - 0.5, height=7, fill=colour)
    whole = svg.element("rect", x=0.5, y=0.5, width=99.0, height=7, fill="none", stroke=colour, stroke_width=0.8)
    return svg.element("svg", svg.element("title", title), full, whole, viewBox="0 0 100 8", class_="strip", role="img")
