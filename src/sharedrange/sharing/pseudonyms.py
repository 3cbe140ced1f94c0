"""Pseudonyms: names at random, minted once, kept in a table that never leaves its owner.

They say nothing of what they stand for, not even in which order it was named. A table belongs to one agreement: the
same station has another name in another agreement. That keeps nobody who has both packages from finding it again
(`sharing.attack.linking`); it keeps who has one from knowing what the other calls it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sharedrange.core.canonical import canonical, read_canonical
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding, Where

RandomBytes = Callable[[int], bytes]
Name = tuple[str, ...]  # the kind of thing, and what its owner calls it: ("station", dataset, station, ...)

_BYTES = 8
_FORMAT = "sharedrange-pseudonyms-1"


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """The pseudonyms of one agreement: what its owner calls a thing -> what the recipients call it."""

    agreement: str
    names: Mapping[Name, str] = field(default_factory=lambda: MappingProxyType({}))

    def with_names(self, needed: Iterable[Name], random_bytes: RandomBytes = secrets.token_bytes) -> Pseudonyms:
        """The table with a name for everything in `needed`; what has one keeps it."""
        names = dict(self.names)
        taken = set(names.values())
        for name in sorted(set(needed) - names.keys()):
            pseudonym = _mint(name[0], random_bytes)
            while pseudonym in taken:
                pseudonym = _mint(name[0], random_bytes)
            names[name] = pseudonym
            taken.add(pseudonym)
        return Pseudonyms(self.agreement, MappingProxyType(names))

    def to_bytes(self) -> bytes:
        """The table as its owner's file holds it."""
        rows = [[*name, pseudonym] for name, pseudonym in sorted(self.names.items())]
        return canonical({"agreement": self.agreement, "format": _FORMAT, "names": rows}) + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes, where: Where = Where()) -> Pseudonyms:
        """The table read back. Raises InputError if it is none: names that were told must not be minted anew."""
        damaged = InputError([Finding("pseudonyms-damaged", {}, where)])
        try:
            value = read_canonical(content.rstrip(b"\n"))
            names = {tuple(row[:-1]): row[-1] for row in value["names"]}
            agreement, known = value["agreement"], value["format"] == _FORMAT
        except (ValueError, KeyError, TypeError, IndexError):
            raise damaged from None
        if not known or len(set(names.values())) != len(value["names"]):
            raise damaged
        return cls(agreement, MappingProxyType(names))


def _mint(kind: str, random_bytes: RandomBytes) -> str:
    return f"{kind[0].upper()}-{random_bytes(_BYTES).hex()}"
