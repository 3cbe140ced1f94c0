"""When something is planned, in the words that plans are written in: "Early 2021", "Dec 2020", "End 2020 ~".

English phrases and ISO dates are read; anything else is left alone (a register keeps the text beside the
dates). Conventions, on the wide side so that two dates contradict each other only when they surely do:

=====================  =========================================
phrase                 days
=====================  =========================================
early, beginning       January to March (the first quarter)
mid                    April to September
late, end              October to December (the last quarter)
first, second half     January to June, July to December
Q1 .. Q4, H1, H2       quarters and halves of the calendar year
spring .. winter       from March, June, September, December: three months, winter into the next year
from, since, "~"       open at the end
by, until, before      open at the start
=====================  =========================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
_PARTS = {
    # first month and number of months
    "early": (1, 3), "beginning": (1, 3), "start": (1, 3), "mid": (4, 6), "late": (10, 3), "end": (10, 3),
    "first half": (1, 6), "1st half": (1, 6), "second half": (7, 6), "2nd half": (7, 6), "h1": (1, 6), "h2": (7, 6),
    "first quarter": (1, 3), "second quarter": (4, 3), "third quarter": (7, 3), "fourth quarter": (10, 3),
    "q1": (1, 3), "q2": (4, 3), "q3": (7, 3), "q4": (10, 3),
}  # fmt: skip


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """Days from `first` to `last`, both within. ``date.min`` and ``date.max`` stand for an open end."""

    first: date
    last: date

    def overlaps(self, other: Interval) -> bool:
        """Whether the two have a day in common."""
        return self.first <= other.last and other.first <= self.last

    def __str__(self) -> str:
        """The shortest ISO 8601 form: ``2021``, ``2021-05``, ``2021-05-15``, ``2021-01/2022-12``, ``2020-10/..``."""
        if (whole := _whole(self)) is not None:
            return whole
        start = ".." if self.first == date.min else _shortest(self.first, 1)
        end = ".." if self.last == date.max else _shortest(self.last, -1)
        return f"{start}/{end}"


def read_period(text: str) -> tuple[date, date]:
    """First and last day of a period as ISO 8601 writes an interval. Raises ValueError for anything else.

    Examples
    --------
    >>> [str(day) for day in read_period("2024-12-01/2025-02-28")]
    ['2024-12-01', '2025-02-28']
    """
    first, _, last = text.partition("/")
    days = date.fromisoformat(first.strip()), date.fromisoformat(last.strip())
    if days[1] < days[0]:
        raise ValueError(f"{text}: ends before it begins")
    return days


@dataclass(frozen=True, slots=True)
class Phrase:
    """A date as written, and the days it stands for."""

    text: str
    interval: Interval


def year(number: int) -> Interval:
    """A calendar year."""
    return Interval(date(number, 1, 1), date(number, 12, 31))


def months(number: int, month: int, count: int = 1) -> Interval:
    """`count` months from the given month of a year.

    Examples
    --------
    >>> str(months(2020, 12, 3))
    '2020-12/2021-02'
    """
    first = date(number, month, 1)
    after = add_months(first, count)
    return Interval(first, after if after == date.max else after - timedelta(days=1))


def add_months(day: date, count: int) -> date:
    """The same day `count` months later, or the last day of that month; ``date.max`` beyond the calendar.

    Examples
    --------
    >>> add_months(date(2019, 12, 31), 33)
    datetime.date(2022, 9, 30)
    """
    years, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    if years > date.max.year:
        return date.max
    for last in range(day.day, 27, -1):
        try:
            return date(years, month + 1, last)
        except ValueError:
            continue  # 31 June: try the 30th
    return date(years, month + 1, day.day)


def read_date(value: object) -> Interval:
    """A date of a settings file: a TOML date, a year, or text ``2020``, ``2020-12``, ``2020-12-31``.

    Raises ValueError for anything else.

    Examples
    --------
    >>> str(read_date("2020-12"))
    '2020-12'
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        return Interval(value, value)
    text = str(value) if isinstance(value, str | int) else ""
    match = re.fullmatch(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", text, re.ASCII)
    if match is None:
        raise ValueError(f"{value!r} is no date")
    number, month, day = match.groups()
    if day is not None:
        return Interval(date(int(number), int(month), int(day)), date(int(number), int(month), int(day)))
    return year(int(number)) if month is None else months(int(number), int(month))


def find_dates(text: str) -> tuple[Phrase, ...]:
    """All dates that `text` speaks of, in order; a range is one of them.

    Examples
    --------
    >>> [str(p.interval) for p in find_dates("Jan 2021 – Dec 2022 (tbc), workshop in first half 2020")]
    ['2021-01/2022-12', '2020-01/2020-06']
    """
    atoms = sorted(_atoms(text), key=lambda found: found[0])
    phrases: list[Phrase] = []
    while atoms:
        start, end, interval = atoms.pop(0)
        if atoms and _RANGE.fullmatch(text[end : atoms[0][0]]) and interval.first <= atoms[0][2].last:
            _, end, upper = atoms.pop(0)
            interval = Interval(interval.first, upper.last)
        else:
            interval = _open(interval, text[:start], text[end:])
        phrases.append(Phrase(text[start:end], interval))
    return tuple(phrases)


def span(text: str) -> Interval | None:
    """From the first to the last day that `text` speaks of; None if it speaks of none.

    Examples
    --------
    >>> str(span("End 2020 ~"))
    '2020-10/..'
    """
    found = [phrase.interval for phrase in find_dates(text)]
    return Interval(min(i.first for i in found), max(i.last for i in found)) if found else None


_YEAR = r"(?<![\d.,])(?P<year>(?:19|20)\d\d)(?!\d|[.,]\d)"
_MONTH = r"(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DAY = r"(?P<day>\d{1,2})(?:\s*[-–]\s*(?P<to>\d{1,2}))?"
_PART = "|".join(sorted((re.escape(p).replace(r"\ ", r"\s+") for p in _PARTS), key=len, reverse=True))
_RANGE = re.compile(r"\s*(?:-|–|—|to|until|till)\s*", re.IGNORECASE)
_AFTER = re.compile(r"\s*(?:~|onwards?\b|or later\b|and later\b|-\s*$|–\s*$)", re.IGNORECASE)
_FROM = re.compile(r"\b(?:from|since|after)\s*$", re.IGNORECASE)
_BY = re.compile(r"\b(?:by|until|till|before|up to|not later than)\s*$", re.IGNORECASE)


def _open(interval: Interval, before: str, after: str) -> Interval:
    """The interval, open where the words around it say so."""
    if _BY.search(before):
        return Interval(date.min, interval.last)
    if _AFTER.match(after) or _FROM.search(before):
        return Interval(interval.first, date.max)
    return interval


def _days(match: re.Match[str]) -> Interval:
    number, month = int(match["year"]), _month(match)
    first = int(match["day"])
    return Interval(date(number, month, first), date(number, month, int(match["to"] or first)))


def _month(match: re.Match[str]) -> int:
    text = match["month"].lower()
    return int(text) if text.isdigit() else _MONTHS.index(text[:3]) + 1


def _several_months(match: re.Match[str]) -> Interval:
    number, last = int(match["year"]), _month(match)
    first = _MONTHS.index(match["first"].lower()) + 1
    return months(number - (first > last), first, (last - first) % 12 + 1)


def _part(match: re.Match[str]) -> Interval:
    return months(int(match["year"]), *_PARTS[re.sub(r"\s+", " ", match["part"].lower())])


def _season(match: re.Match[str]) -> Interval:
    return months(int(match["year"]), _SEASONS[match["season"].lower()], 3)


def _one_day(match: re.Match[str]) -> Interval:
    return read_date(match[0])


# In order: a place in the text that an earlier form has read is not read again.
_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Interval]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.ASCII), build)
    for pattern, build in (
        (r"(?<![\d-])(?:19|20)\d\d-\d\d-\d\d(?!\d)", _one_day),
        (rf"(?<![\w-]){_DAY}\s+{_MONTH},?\s+{_YEAR}", _days),
        (rf"\b{_MONTH}\s+{_DAY},?\s+{_YEAR}", _days),
        (r"(?<![\d-])(?:19|20)\d\d-\d\d(?![\d-])", _one_day),
        (
            rf"\b(?P<first>{'|'.join(_MONTHS)})[a-z]*\.?\s*(?:-|–|—|/|to|and)\s*{_MONTH},?\s+{_YEAR}",
            _several_months,
        ),
        (rf"\b{_MONTH},?\s+{_YEAR}", lambda m: months(int(m["year"]), _month(m))),
        (rf"\b(?P<part>{_PART})(?:\s+of)?(?:\s+the\s+year)?[\s-]+{_YEAR}", _part),
        (rf"{_YEAR}[\s-]*(?P<part>[qh]\d)\b", _part),
        (rf"\b(?P<season>{'|'.join(_SEASONS)})(?:\s+of)?\s+{_YEAR}", _season),
        (rf"{_YEAR}\s+(?P<season>{'|'.join(_SEASONS)})\b", _season),
        (_YEAR, lambda m: year(int(m["year"]))),
    )
)


def _atoms(text: str) -> Iterator[tuple[int, int, Interval]]:
    """Dates without ranges: start and end in the text, and the days."""
    free = [True] * len(text)
    for pattern, build in _FORMS:
        for match in pattern.finditer(text):
            start, end = match.span()
            if all(free[start:end]) and (interval := _built(build, match)) is not None:
                free[start:end] = [False] * (end - start)
                yield start, end, interval


def _built(build: Callable[[re.Match[str]], Interval], match: re.Match[str]) -> Interval | None:
    try:
        interval = build(match)
    except (ValueError, KeyError):  # 31 February, month 13, Q7
        return None
    return interval if interval.first <= interval.last else None


def _whole(interval: Interval) -> str | None:
    """The interval as one ISO date, if it is exactly a year, a month or a day."""
    first = interval.first
    if interval == Interval(first, first):
        return first.isoformat()
    if interval == months(first.year, first.month):
        return f"{first:%Y-%m}"
    return str(first.year) if interval == year(first.year) else None


def _shortest(day: date, step: int) -> str:
    """Year and month of a month's first day (`step` 1) or last day (`step` -1); else the full date."""
    edge = day.day == 1 if step > 0 else (day + timedelta(days=1)).day == 1
    return f"{day:%Y-%m}" if edge else day.isoformat()
