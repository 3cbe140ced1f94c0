"""How a figure speaks and which colours it uses: a party has one colour in every figure and map of a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from sharedrange.assessment.programme import Programme
from sharedrange.assessment.report import svg
from sharedrange.assessment.report.naming import Naming
from sharedrange.core.words import Words

SIMULATED = "#a3195b"  # the colour of the word wherever it stands


@dataclass(frozen=True, slots=True)
class Look:
    """Names and colours of a figure; `step` is the way back of numbers that name none themselves."""

    naming: Naming
    step: str = ""

    @property
    def words(self) -> Words:
        """The sentences of the figure's language."""
        return self.naming.words

    def colour(self, party: str) -> str:
        """A party's colour; grey for one that the programme does not know."""
        return colours(self.naming.programme).get(party, svg.SOFT)

    def badge(self) -> Markup:
        """SIMULATED inside a figure, so that a copied figure still says so; nothing for real data."""
        if not self.naming.programme.simulated:
            return Markup("")
        told = self.words("report.simulated.badge")
        return svg.label(0, 13, told, fill=SIMULATED, font_size=12, font_weight=700, letter_spacing=1)


def colours(programme: Programme) -> Mapping[str, str]:
    """Party id -> colour, by the order of the programme; those that have no side come last."""
    with_side = {party for component in programme.components for party in component.sides}
    order = sorted((party.id for party in programme.parties), key=lambda party: party not in with_side)
    return {party: svg.PARTY_COLOURS[i % len(svg.PARTY_COLOURS)] for i, party in enumerate(order)}
