"""Numbers over the years as a figure: a line through the values, a band between the limits, every dot a link."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from sharedrange.assessment.report import svg
from sharedrange.assessment.report.charts import axis_end
from sharedrange.assessment.report.numbers import shown, text
from sharedrange.assessment.report.palette import Look
from sharedrange.core.answer import Answer, Estimate

WIDTH, HEIGHT = 720.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 560.0, 40.0, 262.0
LABEL_X = 574.0
_LEAST = 2  # years that make a line
_MOST_LABELS = 12  # years that are named below the axis without touching
DRAWN = {"population.trend": "index", "population.open": "N"}  # engine -> the numbers that it has one of a year


@dataclass(frozen=True, slots=True)
class Series:
    """One line: numbers in order of their years, whose they are (empty: everybody's), and its colour."""

    name: str
    colour: str
    numbers: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True)
class _Frame:
    """From years (their order) and values to figure units."""

    years: tuple[str, ...]
    high: float

    def x(self, year: str) -> float:
        return LEFT + 14 + (RIGHT - LEFT - 28) * self.years.index(year) / max(len(self.years) - 1, 1)

    def y(self, value: float) -> float:
        """Where a value stands; values above the frame stop at its edge."""
        return BOTTOM - (BOTTOM - TOP) * min(value, self.high) / self.high


def series_of(answer: Answer, head: str, look: Look) -> tuple[Series, ...]:
    """The lines of an answer: its numbers ``<head>.<year>``, and below them those of each party."""
    whole, by_party = list[Estimate](), dict[str, list[Estimate]]()
    for estimate in answer.estimates:
        parts = estimate.quantity.split(".")
        if parts[0] == head and len(parts) == 2:
            whole.append(estimate)
        elif parts[0] == head and len(parts) == 3 and look.naming.is_party(parts[2]):
            by_party.setdefault(parts[2], []).append(estimate)
    sides = [Series(look.naming.party(p), look.colour(p), _in_order(own)) for p, own in by_party.items()]
    everybody = Series(look.words("report.years.all") if sides else "", svg.INK, _in_order(whole))
    return tuple(one for one in (everybody, *sides) if len(one.numbers) >= _LEAST)


def series_drawn(answer: Answer, engine: str, look: Look) -> tuple[str, tuple[Series, ...]]:
    """The lines that an engine's answer is drawn with, and what they are of (DRAWN); none where it has no years."""
    head = DRAWN.get(engine, "")
    return head, series_of(answer, head, look) if head else ()


def drawn(series: Sequence[Series], look: Look, title: str) -> Markup:
    """The lines in one frame that begins at zero."""
    years = tuple(dict.fromkeys(_year(e) for one in series for e in one.numbers))
    frame = _Frame(years, 1.06 * axis_end(e for one in series for e in one.numbers) or 1.0)
    badge = look.badge()
    lines = [_line(one, frame, look) for one in series]
    bands = [_band(one, frame) for one in series]
    return svg.figure(
        WIDTH, HEIGHT, title, badge, _grid(frame, look), *bands, *lines, *_names(series, frame), _axis(frame)
    )


def _in_order(numbers: Iterable[Estimate]) -> tuple[Estimate, ...]:
    return tuple(sorted(numbers, key=_year))


def _year(estimate: Estimate) -> str:
    return estimate.quantity.split(".")[1]


def _grid(frame: _Frame, look: Look) -> Markup:
    marks = svg.ticks(0, frame.high)
    decimals = max(len(f"{mark:g}".partition(".")[2]) for mark in marks)
    rows = [
        svg.rule(LEFT, frame.y(mark), RIGHT, frame.y(mark))
        + svg.label(
            LEFT - 8, frame.y(mark) + 4, text(mark, decimals, look.words.language), text_anchor="end", fill=svg.SOFT
        )
        for mark in marks
    ]
    return Markup("").join(rows)


def _axis(frame: _Frame) -> Markup:
    every = -(-len(frame.years) // _MOST_LABELS)
    named = frame.years[::every]
    return Markup("").join(
        svg.label(frame.x(year), BOTTOM + 20, year, text_anchor="middle", fill=svg.SOFT, translate="no")
        for year in named
    )


def _band(one: Series, frame: _Frame) -> Markup:
    """From the lower to the upper limits; a year without an interval (the base of an index) pinches it."""
    upper = [(frame.x(_year(e)), frame.y(e.value if e.high is None else e.high)) for e in one.numbers]
    lower = [(frame.x(_year(e)), frame.y(e.value if e.low is None else e.low)) for e in one.numbers]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*upper, *reversed(lower)])
    return svg.element("polygon", points=points, fill=one.colour, fill_opacity="0.13")


def _line(one: Series, frame: _Frame, look: Look) -> Markup:
    path = " ".join(f"{frame.x(_year(e)):.1f},{frame.y(e.value):.1f}" for e in one.numbers)
    line = svg.element("polyline", points=path, fill="none", stroke=one.colour, stroke_width=2)
    return line + Markup("").join(_dot(e, one.colour, frame, look) for e in one.numbers)


def _dot(estimate: Estimate, colour: str, frame: _Frame, look: Look) -> Markup:
    """The value, with the number in words for those who point at it or cannot see it."""
    parts = shown(estimate, look.words)
    said = (
        f"{_year(estimate)}: {parts.value} ({parts.interval})"
        if parts.interval
        else f"{_year(estimate)}: {parts.value}"
    )
    dot = svg.element(
        "circle",
        svg.element("title", said),
        cx=frame.x(_year(estimate)),
        cy=frame.y(estimate.value),
        r=4.0,
        fill=colour,
        stroke=svg.PAPER,
        stroke_width=1,
    )
    return svg.link(estimate.step or look.step, dot, number=estimate.id)


def _names(series: Sequence[Series], frame: _Frame) -> list[Markup]:
    """Names at the ends of their lines, pushed apart where they would touch."""
    wanted = sorted((frame.y(one.numbers[-1].value) + 4, one.name, one.colour) for one in series)
    names, last = [], 0.0
    for y, name, colour in wanted:
        last = max(y, last + 15)
        names.append(svg.label(LABEL_X, last, name, fill=colour, font_weight=600))
    return names
