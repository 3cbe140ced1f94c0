"""What things are called in the reader's language: quantities, parties, species, stages, units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sharedrange.assessment.programme import Component, Programme, Question, Species
from sharedrange.core.answer import Estimate
from sharedrange.core.survey import LIFE_STAGES
from sharedrange.core.words import DEFAULT, PSEUDO, Words


@dataclass(frozen=True, slots=True)
class Naming:
    """Names of a programme in the language of `words`. What has no sentence keeps its code."""

    programme: Programme
    words: Words

    @property
    def language(self) -> str:
        """The language whose names are looked up (the pseudo-locale reads English names)."""
        return DEFAULT if self.words.language == PSEUDO else self.words.language

    def party(self, party: str) -> str:
        """A party's name; the id itself where the programme does not know it."""
        return next((p.name for p in self.programme.parties if p.id == party), party)

    def parties(self, parties: Iterable[str]) -> str:
        """Names of several parties."""
        return self.join([self.party(party) for party in parties])

    def species(self, key: str) -> str:
        """A species' name in the reader's language, else in English, else its scientific name."""
        species = self.species_record(key)
        return species.names.get(self.language) or species.names.get(DEFAULT) or species.taxon

    def species_record(self, key: str) -> Species:
        """The programme's record of a species."""
        return next((s for s in self.programme.species if s.key == key), Species(key, key))

    def component(self, component: str) -> Component:
        """The programme's record of a component."""
        return next((c for c in self.programme.components if c.id == component), Component(component, component))

    def places(self, question: Question) -> str:
        """The areas of a question's component, or its parties' names where it lists no areas."""
        component = self.component(question.component)
        return self.join(list(component.areas)) if component.areas else self.parties(component.parties)

    def period(self, question: Question) -> str:
        """When the animals were looked for: two days, or the sessions."""
        if question.start and question.end:
            return self.words("report.period", start=question.start.isoformat(), end=question.end.isoformat())
        return self.join(list(question.sessions))

    def animals(self, question: Question) -> str:
        """The animals that a question counts, by life stage."""
        stages = question.life_stages
        if not stages or set(stages) == set(LIFE_STAGES):
            return self.words("report.animals.all")
        return self.join([self.known(f"report.animals.{stage}", stage) for stage in stages])

    def quantity(self, estimate: Estimate) -> str:
        """What a number counts, with the party, stage or sex that its quantity names."""
        head, *rest = estimate.quantity.split(".")
        listed = f"quantity.{head}.listed"  # a list's count may share its name with an estimate
        is_listed = estimate.is_count and listed in self.words
        name = self.words(listed) if is_listed else self.known(f"quantity.{head}", head)
        if not rest:
            return name
        return self.words("report.quantity.of", name=name, of=self.join_comma([self.qualifier(q) for q in rest]))

    def qualifier(self, code: str) -> str:
        """A part of a quantity after its dot: a party, a stage, a sex, or a code."""
        if any(party.id == code for party in self.programme.parties):
            return self.party(code)
        return self.known(f"report.of.{code}", code.replace("_", " "))

    def unit(self, code: str) -> str:
        """A unit, written out; empty where the number carries its own sign."""
        return "" if code in {"", "share", "percent"} else self.known(f"unit.{code}", code)

    def known(self, message: str, otherwise: str) -> str:
        """The sentence of `message` if there is one."""
        return self.words(message) if message in self.words else otherwise

    def join(self, names: list[str]) -> str:
        """A list as people write it: a, b and c."""
        if len(names) < 2:
            return "".join(names)
        return self.words("report.and", first=self.join_comma(names[:-1]), last=names[-1])

    def join_comma(self, names: list[str]) -> str:
        """A list with commas only."""
        return ", ".join(names)
