"""Who may see a thing. A result may be seen by those who may see everything that it was made from.

Only a release widens an audience: a package is a new source, whose audience its agreement names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

EVERYBODY = "public"


@dataclass(frozen=True, slots=True)
class Audience:
    """The parties that may see something; `parties` is None where everybody may.

    Examples
    --------
    >>> mine, shared = Audience.of("westfell"), Audience.of("westfell", "secretariat")
    >>> str(mine & shared), str(shared & Audience()), shared.holds("secretariat"), mine.holds("public")
    ('westfell', 'secretariat, westfell', True, False)
    """

    parties: frozenset[str] | None = None

    @classmethod
    def of(cls, *parties: str) -> Audience:
        """These parties and nobody else."""
        return cls(frozenset(parties))

    def __and__(self, other: Audience) -> Audience:
        """Those who may see both."""
        if self.parties is None or other.parties is None:
            return other if self.parties is None else self
        return Audience(self.parties & other.parties)

    def holds(self, party: str) -> bool:
        """Whether a party may see it; ``public`` stands for everybody."""
        return self.parties is None or party in self.parties

    def __str__(self) -> str:
        return EVERYBODY if self.parties is None else ", ".join(sorted(self.parties))


def meet(audiences: Iterable[Audience]) -> Audience:
    """Those who may see all of it; everybody, if it is made of nothing."""
    together = Audience()
    for audience in audiences:
        together &= audience
    return together
