"""Canonical JSON (RFC 8785) and the hashes made from it.

Two nodes that hold the same facts must write the same bytes, or signatures and step ids would differ.
Why these lines are our own: docs/decisions/0003-records.md.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

Json = Mapping[str, "Json"] | Sequence["Json"] | str | int | float | bool | None

_LARGEST_EXACT = 2**53 - 1  # RFC 8785 section 3.2.2.3: integers are IEEE 754 doubles
_LITERALS = {None: "null", True: "true", False: "false"}
_ESCAPED = json.JSONEncoder(ensure_ascii=False).encode


def canonical(value: Json) -> bytes:
    """`value` as canonical JSON bytes (RFC 8785).

    Raises ValueError for NaN, infinities, integers beyond 2**53 - 1, half a surrogate pair and nesting too
    deep to write; TypeError for other types, bytes, and keys that are not text.

    Examples
    --------
    >>> canonical({"b": 1.0, "a": [1e21, 0.000001, "é"]}).decode()
    '{"a":[1e+21,0.000001,"é"],"b":1}'
    """
    try:
        return _write(value).encode("utf-8")
    except RecursionError:
        raise ValueError("nested too deeply for canonical JSON") from None


def read_canonical(content: bytes) -> Any:
    """The value whose canonical form is `content`, byte for byte.

    Raises ValueError for anything else: other spacing, order of keys or form of a number, a key given twice,
    a byte order mark, text that is not UTF-8.

    Examples
    --------
    >>> read_canonical(b'{"a":1}')
    {'a': 1}
    >>> read_canonical(b'{"a": 1}')
    Traceback (most recent call last):
    ValueError: not canonical JSON
    """
    try:
        value = json.loads(content.decode("utf-8"), parse_int=_read_integer)
    except RecursionError:
        raise ValueError("nested too deeply for canonical JSON") from None
    if canonical(value) != content:
        raise ValueError("not canonical JSON")
    return value


def digest(value: Json) -> str:
    """SHA-256 of the canonical form, in hexadecimal."""
    return hashlib.sha256(canonical(value)).hexdigest()


def _write(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return _LITERALS[value]
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return _number(float(value))  # a subclass may print itself differently: numpy.float64 does
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_text(k)}:{_write(value[k])}" for k in sorted(value, key=_utf16)) + "}"
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return "[" + ",".join(_write(v) for v in value) + "]"
    raise TypeError(f"{type(value).__name__} has no canonical form")


def _text(value: str) -> str:
    """A string as RFC 8785 section 3.2.2.2 asks; Python's own escapes are the same when non-ASCII stays raw."""
    if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
        raise ValueError("half a surrogate pair has no canonical form")
    return _ESCAPED(value)


def _utf16(key: object) -> bytes:
    """Keys are ordered by their UTF-16 code units (RFC 8785 section 3.2.3)."""
    if not isinstance(key, str):
        raise TypeError(f"{key!r} is no key of canonical JSON; keys are text")
    return key.encode("utf-16-be", "surrogatepass")


def _integer(value: int) -> str:
    if abs(value) > _LARGEST_EXACT:
        raise ValueError("an integer beyond 2**53 - 1 has no canonical form; write it as text")
    return int.__repr__(value)


def _read_integer(text: str) -> int | float:
    """Digits of a double too large to be an exact integer stay a double, so that they are written again alike."""
    if len(text) < len(str(_LARGEST_EXACT)) or abs(int(text)) <= _LARGEST_EXACT:
        return int(text)
    return float(text)


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
