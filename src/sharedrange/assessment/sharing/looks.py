"""What an owner was shown before a package left: kept beside the copy of the package, its hash in a record.

The record travels, and what was shown does not: a salt keeps readers of the hash from guessing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from sharedrange.core.canonical import canonical, read_canonical
from sharedrange.core.finding import Finding, Severity, Where

FILE = "preview.jsonl"


@dataclass(frozen=True, slots=True)
class Look:
    """What was shown. `state`: ``kept`` as it was recorded, ``changed`` since, or ``gone``."""

    state: str
    findings: tuple[Finding, ...] = ()


def kept(seen: Sequence[Finding], salt: str) -> bytes:
    """What was found by looking, one line a finding after one of salt, as it is kept and hashed."""
    return b"".join(canonical(line) + b"\n" for line in [{"salt": salt}, *map(_told, seen)])


def look(file: Path, digest: str) -> Look:
    """What `kept` wrote into a file, if that is what a record with this digest is about."""
    try:
        content = file.read_bytes()
    except OSError:
        return Look("gone")
    if sha256(content).hexdigest() != digest:
        return Look("changed")
    _, *lines = content.splitlines()
    return Look("kept", tuple(_finding(read_canonical(line)) for line in lines))


def _told(finding: Finding) -> dict[str, Any]:
    facts, where = dict(finding.facts), asdict(finding.where)
    return {"facts": facts, "rule": finding.rule, "severity": str(finding.severity), "where": where}


def _finding(told: Mapping[str, Any]) -> Finding:
    return Finding(told["rule"], told["facts"], Where(**told["where"]), Severity(told["severity"]))
