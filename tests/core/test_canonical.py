"""Canonical JSON equals RFC 8785, byte for byte."""

from __future__ import annotations

import json
import struct
from enum import IntEnum, StrEnum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharedrange.core.canonical import Json, canonical, digest, read_canonical

# RFC 8785 appendix B: IEEE 754 bits and the text they must become.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}
CONTROLS = {chr(c): f"\\u{c:04x}" for c in range(32)} | {
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
}

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(("bits", "text"), NUMBERS.items())
def test_numbers_are_written_as_in_appendix_b(bits: str, text: str) -> None:
    value = struct.unpack(">d", bytes.fromhex(bits))[0]
    assert canonical(value) == text.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 2**53, -(2**53)])
def test_numbers_without_an_exact_double_are_rejected(value: float) -> None:
    with pytest.raises(ValueError, match="no canonical form"):
        canonical(value)


def test_the_example_of_section_3_2_4_gives_its_bytes() -> None:
    value: Json = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical(value) == expected.encode()


def test_keys_are_ordered_by_utf16_code_units() -> None:
    value = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    keys = list(json.loads(canonical(value)))
    assert keys == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


@pytest.mark.parametrize(("char", "escape"), CONTROLS.items())
def test_control_characters_have_the_shortest_escape(char: str, escape: str) -> None:
    assert canonical(char) == f'"{escape}"'.encode()


@pytest.mark.parametrize("char", ["\u2028", "\u2029", "\u007f", "\u0080", "/", "é", "虎", "\U0001f405", "\ufeff"])
def test_other_characters_stay_raw(char: str) -> None:
    assert canonical(char) == f'"{char}"'.encode()


def test_text_is_not_normalised() -> None:
    composed, decomposed = "\u00e9", "e\u0301"
    assert canonical(composed) != canonical(decomposed)
    assert canonical({composed: 1, decomposed: 2}) == f'{{"{decomposed}":2,"{composed}":1}}'.encode()


@pytest.mark.parametrize("value", ["\ud800", "a\udfff", {"\udead": 1}, [{"a": "\udc00\ud800"}]])
def test_half_a_surrogate_pair_is_rejected(value: Json) -> None:
    with pytest.raises(ValueError, match="surrogate"):
        canonical(value)


@pytest.mark.parametrize("value", [{1: "a"}, {None: 1}, b"ab", bytearray(b"a"), {1, 2}, object(), np.int64(1)])
def test_what_json_does_not_know_is_a_type_error(value: object) -> None:
    with pytest.raises(TypeError):
        canonical(value)  # type: ignore[arg-type]  # that is the point


def test_subclasses_are_written_as_what_they_are() -> None:
    class Colour(StrEnum):
        RED = "red"

    class Level(IntEnum):
        TWO = 2

    assert canonical([Colour.RED, Level.TWO, np.float64(0.1), (1, 2)]) == b'["red",2,0.1,[1,2]]'


def test_nesting_without_end_is_a_value_error() -> None:
    deep: list[Json] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="deep"):
        canonical(deep)
    with pytest.raises(ValueError, match="deep"):
        read_canonical(b"[" * 100_000 + b"]" * 100_000)


@pytest.mark.parametrize(
    "content",
    [
        b'{"a": 1}',
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b"1.0",
        b"1E2",
        b"-0",
        b'"\\u00e9"',
        b'"\\/"',
        b'"\\ud800"',
        b"NaN",
        b"1e999",
        b"9007199254740993",
        b"\xef\xbb\xbf1",
        b'"\xff"',
        b"1\n",
        b"",
        b"{",
        b"1" * 5000,
    ],
)
def test_only_canonical_bytes_are_read(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  json, codecs and ours: all are ValueError
        read_canonical(content)


@given(plain)
def test_what_is_written_is_read_back_and_written_alike(value: Json) -> None:
    content = canonical(value)
    assert read_canonical(content) == value
    assert canonical(read_canonical(content)) == content


@given(st.dictionaries(st.text(), plain, max_size=5))
def test_the_order_of_keys_given_does_not_matter(value: dict[str, Json]) -> None:
    assert digest(value) == digest(dict(reversed(value.items())))


def test_a_digest_is_the_sha256_of_the_bytes() -> None:
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
