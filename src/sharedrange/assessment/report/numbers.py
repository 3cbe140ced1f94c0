"""How a number is written for a reader: digits that the data bear, interval, unit, thin spaces, true minus signs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from sharedrange.core.answer import Estimate
from sharedrange.core.finding import Fact
from sharedrange.core.words import Words

THIN = "\u202f"  # narrow no-break space: between thousands, and before the percent sign
EN_DASH = "\u2013"
MINUS = "\u2212"
INFINITE = "\u221e"
ABSENT = "\u2013"

# How many significant digits a unit is worth; `WHOLE` units are never cut below one.
FIXED = {"times_per_year": 3}  # decimals of a unit, whatever the size: a tenth of a percent a year
SIGNIFICANT = {"m": 3, "km": 3, "km2": 3, "ha": 3, "per_ha": 3, "share": 2}
WHOLE = frozenset({"animals", "animal_sessions", "codes", "events", "percent", "station_days", "station_occasions"})
_COMMA_LANGUAGES = frozenset({"ru"})
_MOST_DECIMALS = 6
_SMALLEST_FACT = 1e-4
_DENSE = 1000.0  # animals per 100 km2 from which on nobody thinks in square kilometres: birds, voles
_HA_PER_100KM2 = 10_000.0


@dataclass(frozen=True, slots=True)
class Shown:
    """An estimate as text: value, interval ("46–71", empty for a count) and level ("95 %", empty likewise)."""

    value: str
    interval: str
    level: str


def shown(estimate: Estimate, words: Words) -> Shown:
    r"""`estimate` with as many digits as its unit and interval bear.

    Value and bounds share their decimals, so that a column of them can be compared by eye.

    Examples
    --------
    >>> from sharedrange.core.words import load
    >>> shown(Estimate("N", 57.31, "animals", 46.2, 70.9), load("en"))
    Shown(value='57', interval='46–71', level='95\u202f%')
    """
    decimals = decimals_of(estimate)
    value = _with_sign(estimate.value, estimate.unit, decimals, words.language)
    if estimate.low is None or estimate.high is None:
        return Shown(value, "", "")
    bounds = [_bound(bound, estimate.unit, decimals, words.language) for bound in (estimate.low, estimate.high)]
    return Shown(value, EN_DASH.join(bounds) + _percent_sign(estimate.unit), percent(estimate.level, words))


def readable(estimates: Iterable[Estimate]) -> tuple[Estimate, ...]:
    """Estimates in the units that people think in: densities per hectare where one of them reaches 1000 per 100 km2.

    All densities given together keep one unit. Data files keep the unit of the engine.
    """
    given = tuple(estimates)
    if any(e.unit == "per_100km2" and e.value >= _DENSE for e in given):
        return tuple(_per_ha(e) if e.unit == "per_100km2" else e for e in given)
    return given


def _per_ha(estimate: Estimate) -> Estimate:
    def per_ha(per_100km2: float | None) -> float | None:
        return None if per_100km2 is None else per_100km2 / _HA_PER_100KM2

    return replace(
        estimate,
        unit="per_ha",
        value=estimate.value / _HA_PER_100KM2,
        low=per_ha(estimate.low),
        high=per_ha(estimate.high),
        se=per_ha(estimate.se),
    )


def decimals_of(estimate: Estimate) -> int:
    """Decimals to print; negative ones round to tens, hundreds."""
    if estimate.unit in WHOLE or estimate.is_count:
        return 0
    if estimate.unit in FIXED:
        return FIXED[estimate.unit]
    if estimate.quantity.startswith("index."):
        return 2  # all years of an index alike
    scale = 100.0 if estimate.unit == "share" else 1.0
    digits = SIGNIFICANT.get(estimate.unit, 2)
    decimals = _decimals_for((estimate.value or estimate.high or 0.0) * scale, digits)  # of zero, its limit has them
    if estimate.low:  # a small lower bound must not be printed as zero
        decimals = max(decimals, _decimals_for(estimate.low * scale, 1))
    return min(decimals, _MOST_DECIMALS)


def _decimals_for(value: float, digits: int) -> int:
    if value == 0 or not math.isfinite(value):
        return 0
    return digits - 1 - math.floor(math.log10(abs(value)))


def text(value: float, decimals: int, language: str) -> str:
    r"""`value` rounded to `decimals`, thousands parted by thin spaces from 10 000 on.

    Examples
    --------
    >>> text(-1234567.0, -3, "en"), text(0.5, 2, "ru"), text(float("nan"), 0, "en")
    ('−1\u202f235\u202f000', '0,50', '–')
    """
    if math.isnan(value):
        return ABSENT
    if math.isinf(value):
        return INFINITE if value > 0 else MINUS + INFINITE
    rounded = round(value, decimals)
    plain = f"{abs(rounded):{',' if abs(rounded) >= 10_000 else ''}.{max(decimals, 0)}f}"
    point = "," if language in _COMMA_LANGUAGES else "."
    minus = MINUS if rounded < 0 else ""
    return minus + plain.replace(".", "\0").replace(",", THIN).replace("\0", point)


def percent(share: float, words: Words) -> str:
    """A share as percent: 0.95 is 95 %."""
    return text(share * 100, 0, words.language) + _percent_sign("share")


def fact(value: Fact, words: Words) -> str:
    """A fact of a table as text: whole numbers whole, others to four significant digits, no idle zeros."""
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return words("report.yes" if value else "report.no")
    if isinstance(value, str):
        return value
    number = float(value)
    if not math.isfinite(number):
        return text(number, 0, words.language)
    if 0 < abs(number) < _SMALLEST_FACT:
        return f"<{THIN}{text(_SMALLEST_FACT, 4, words.language)}"
    most = min(max(0, _decimals_for(number, 4)), _MOST_DECIMALS)
    decimals = next(d for d in range(most + 1) if round(number, d) == round(number, most))
    return text(number, decimals, words.language)


def _with_sign(value: float, unit: str, decimals: int, language: str) -> str:
    plus = "+" if unit == "percent" and round(value) > 0 else ""
    return plus + _bound(value, unit, decimals, language) + _percent_sign(unit)


def _bound(value: float, unit: str, decimals: int, language: str) -> str:
    return text(value * 100 if unit == "share" else value, decimals, language)


def _percent_sign(unit: str) -> str:
    return f"{THIN}%" if unit in {"share", "percent"} else ""
