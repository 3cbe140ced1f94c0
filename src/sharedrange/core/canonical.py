"""Canonical JSON (RFC 8785) and the hashes made from it.

Two nodes that hold the same facts must write the same bytes, or signatures and step ids would differ.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

Json = Mapping[str, "Json"] | Sequence["Json"] | str | int | float | bool | None

_LARGEST_EXACT = 2**53 - 1  # RFC 8785 section 3.2.2.3: integers are IEEE 754 doubles


def _number(value: float) -> str:
    """ECMAScript Number::toString, as RFC 8785 section 3.2.2.3 asks."""
    if not math.isfinite(value):
        raise ValueError(f"{value} has no canonical form")
    if value == 0:
        return "0"
    digits, point = _shortest(value)
    sign = "-" if value < 0 else ""
    if 0 < point <= 21:
        whole = digits[:point].ljust(point, "0")
        rest = digits[point:]
        return f"{sign}{whole}.{rest}" if rest else f"{sign}{whole}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    power = point - 1
    head = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{sign}{head}e{'+' if power > 0 else '-'}{abs(power)}"


def _shortest(value: float) -> tuple[str, int]:
    """Shortest digits that read back as `value`, and where the decimal point falls among them."""
    text = repr(abs(value))
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)
    digits = (whole + fraction).rstrip("0")
    stripped = digits.lstrip("0")
    return stripped, point - (len(digits) - len(stripped))


def _write(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        if abs(value) > _LARGEST_EXACT:
            raise ValueError(f"{value} is too large for canonical JSON; write it as text")
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        pairs = sorted(value.items(), key=lambda kv: kv[0].encode("utf-16-be"))
        return "{" + ",".join(f"{_write(str(k))}:{_write(v)}" for k, v in pairs) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(_write(v) for v in value) + "]"
    raise TypeError(f"{type(value).__name__} has no canonical form")


def canonical(value: Json) -> bytes:
    """`value` as canonical JSON bytes (RFC 8785).

    Raises ValueError for NaN, infinities and integers beyond 2**53 - 1; TypeError for other types.

    Examples
    --------
    >>> canonical({"b": 1.0, "a": [1e21, 0.000001, "é"]}).decode()
    '{"a":[1e+21,0.000001,"é"],"b":1}'
    """
    return _write(value).encode("utf-8")


def digest(value: Json) -> str:
    """SHA-256 of the canonical form, in hexadecimal."""
    return hashlib.sha256(canonical(value)).hexdigest()
