"""Which field tool a delivery without delivery.toml comes from, by the first bytes of its tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from sharedrange.exchange.mapping import MAPPING_FILE
from sharedrange.exchange.opening import Opened

PEEKED_BYTES = 8192
MAX_PEEKED_FILES = 50
_LAYERS = (".gpkg", ".geojson")
_SIGNS: Mapping[str, tuple[tuple[str, re.Pattern[bytes]], ...]] = MappingProxyType(
    {
        ".json": (
            ("cybertracker", re.compile(rb'"createTime"\s*:')),
            ("odk", re.compile(rb'"(__system|@odata\.context|_xform_id_string|meta/instanceID|_submission_time)"')),
        ),
        ".csv": (
            ("smart", re.compile(rb"(?i)(^|[,;\t\"])(\xef\xbb\xbf)?\"?patrol id\"?\s*[,;\t]")),
            ("odk", re.compile(rb"SubmissionDate|PARENT_KEY|meta/instanceID|_submission_time")),
        ),
        ".xml": (("smart", re.compile(rb"smartconservationsoftware\.org/xml")),),
    }
)


def field_tool(opened: Opened) -> str | None:
    """The door for what a field tool exported, or None. SMART needs no mapping: what has one is a team's own sheet."""
    names = sorted(opened.sizes)
    for suffix, signs in _SIGNS.items():
        for name in [n for n in names if n.lower().endswith(suffix)][:MAX_PEEKED_FILES]:
            head = opened.head(name, PEEKED_BYTES)
            for door, sign in signs:
                if sign.search(head) and not (door == "smart" and MAPPING_FILE in names):
                    return door
    return "nextgis" if any(name.lower().endswith(_LAYERS) for name in names) else None
