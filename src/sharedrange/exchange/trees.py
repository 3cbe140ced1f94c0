"""JSON and XML from outside: parsed within limits, or refused with a finding.

JSON: no deeper than `MAX_DEPTH`, no key twice in one object, no NaN. XML: no DOCTYPE and so no entities, which
could grow without end or read other files; no deeper than `MAX_DEPTH`.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any, cast

from sharedrange.core.finding import Finding, Where
from sharedrange.exchange.opening import MIB, Opened, decode, shown

MAX_JSON_BYTES = 256 * MIB  # parsed it takes about ten times as much
MAX_XML_BYTES = 64 * MIB
MAX_DEPTH = 64  # exports of field tools stay under 12
_TEXT_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)  # possessive: linear on any input
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_CHUNK = 1 << 20
_DECLARES = re.compile(r"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)


def read_json(opened: Opened, name: str) -> tuple[Any, list[Finding]]:
    """The JSON value of a file of a delivery (UTF-8, as JSON always is); None with a finding if it is refused."""
    text, found = opened.text(name, "utf-8", MAX_JSON_BYTES)
    return (None, found) if text is None else parse_json(shown(name), text)


def parse_json(file: str, text: str) -> tuple[Any, list[Finding]]:
    """The value of a JSON text; None with a finding if it is none, too deep, or says a key twice."""
    if _json_depth(text) > MAX_DEPTH:
        return None, [Finding("too-deep", {"limit": MAX_DEPTH}, Where(file=file))]
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_refused)
        if _HALF.search(text):
            json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no character: UnicodeEncodeError
    except (ValueError, RecursionError) as error:
        where = Where(file=file, row=getattr(error, "lineno", None))
        return None, [Finding("bad-json", {"problem": shown(str(error))}, where)]
    return value, []


def _json_depth(text: str) -> int:
    """The most brackets that are open at once outside of texts; counted before parsing, so depth costs no memory."""
    depth = deepest = 0
    for bracket in _brackets(text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _brackets(text: str) -> Iterator[str]:
    return (match[0] for match in _TEXT_OR_BRACKET.finditer(text) if match[0][0] != '"')


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are all different: of two values for one key json would keep the last, in silence."""
    given = dict(pairs)
    if len(given) < len(pairs):
        twice = next(key for key, _ in pairs if sum(key == other for other, _ in pairs) > 1)
        raise ValueError(f"the key {shown(twice)!r} is there twice")
    return given


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def read_xml(opened: Opened, name: str) -> tuple[ET.Element | None, list[Finding]]:
    """The root of an XML file of a delivery; None with a finding if it is refused."""
    content, found = opened.read(name, MAX_XML_BYTES)
    return (None, found) if content is None else parse_xml(shown(name), content)


def parse_xml(file: str, content: bytes) -> tuple[ET.Element | None, list[Finding]]:
    """The root of an XML document in UTF-8; None with a finding if it has a DOCTYPE, is too deep, or is broken."""
    text, found = decode(file, content, "utf-8")
    if text is None:
        return None, found
    if declared := _DECLARES.search(text):
        row = text.count("\n", 0, declared.start()) + 1
        return None, [Finding("xml-with-entities", {}, Where(file=file, row=row))]
    try:
        root = _shallow(text)
    except ET.ParseError as error:
        return None, [Finding("bad-xml", {"problem": shown(str(error))}, Where(file=file, row=error.position[0]))]
    return root, [Finding("too-deep", {"limit": MAX_DEPTH}, Where(file=file))] if root is None else []


def _shallow(text: str) -> ET.Element | None:
    """The root of a document without a DOCTYPE; None if it is too deep. Raises ParseError."""
    parser: ET.XMLPullParser[ET.Element] = ET.XMLPullParser(("start", "end"))
    depth, root = 0, None
    for start in range(0, len(text) or 1, _CHUNK):
        parser.feed(text[start : start + _CHUNK])
        for event, element in cast("Iterator[tuple[str, ET.Element]]", parser.read_events()):
            root = element if root is None else root
            depth += 1 if event == "start" else -1
            if depth > MAX_DEPTH:
                return None
    parser.close()
    return root


def local(element: ET.Element) -> str:
    """The name of an element without its namespace, which differs between versions of a format."""
    return str(element.tag).rpartition("}")[2]
