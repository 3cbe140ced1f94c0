"""What a delivery must be asked, because its files cannot tell: keys of its `delivery.toml`, with likely answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sharedrange.core.finding import Finding, errors
from sharedrange.exchange.delivery import FILE_NAME

ASKED = {
    "missing-timezone": "timezone",
    "not-encoding": "encoding",
    "date-order-unknown": "date_order",
    "no-stations-table": "crs",  # of the coordinates that will be filled in
}
"""Rule -> the key of delivery.toml to ask for, where the finding is about another file."""
EXAMPLES: Mapping[str, str] = {
    "format": "camtrap-dp",
    "crs": "EPSG:4326",
    "timezone": "Asia/Vladivostok",
    "taxon": "Panthera tigris",
    "detector": "proximity",
    "encoding": "windows-1251",
    "date_format": "%d.%m.%Y",
    "date_order": "day-first",
    "video_clock": "local",
}
"""Keys that can be asked for -> an answer as it may look."""


def questions(findings: tuple[Finding, ...], answers: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys of delivery.toml that would settle errors, or that will be needed with what has to be filled in."""
    keys = [
        finding.where.field if finding.where.file == FILE_NAME else ASKED.get(finding.rule)
        for finding in errors(findings)
        if finding.rule != "no-stations-table" or ASKED[finding.rule] not in answers
    ]
    return tuple(dict.fromkeys(key for key in keys if key is not None and key in EXAMPLES))


def example(key: str, findings: Sequence[Finding]) -> str:
    """An answer as it may look: the likely one where a finding names one, else that of `EXAMPLES`."""
    likely = (f.facts.get("likely") for f in findings if ASKED.get(f.rule) == key)
    return next((str(value) for value in likely if value not in (None, "", "?")), EXAMPLES[key])
