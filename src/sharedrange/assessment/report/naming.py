"""What things are called in the reader's language: quantities, parties, species, stages, units."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sharedrange.assessment.programme import Component, Programme, Question, Species
from sharedrange.core.answer import Estimate
from sharedrange.core.audience import EVERYBODY
from sharedrange.core.finding import Fact
from sharedrange.core.survey import LIFE_STAGES
from sharedrange.core.words import DEFAULT, PSEUDO, Words

# Columns of engines' tables whose cells are codes with words of their own, ``report.cell.<code>``.
SPOKEN = frozenset(
    {"detection_function", "density", "lambda0", "sigma", "parameter", "term", "test", "trend", "covariate", "identity"}
)
EVERY_AGE = frozenset({"population.rates", "population.occupancy", "population.trend"})  # ask for no life stage
_LEAST_SPAN = 3  # sessions that are told by the first and the last
_FACTS_WITH_PARTIES = frozenset({"party", "parties", "levels", "cameras"})


def capital(text: str) -> str:
    """The text with a capital where a line begins; scripts without capitals stay."""
    return text[:1].upper() + text[1:]


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

    def audience(self, parties: Iterable[str], reader: str) -> str:
        """Who may see a report, and for whom it was made where that is not the node's own party."""
        seen = list(parties)
        made = self.words("report.reader", reader=self._reader(reader)) if reader else ""
        may = self.words("report.audience", parties=self.join([self._reader(one) for one in seen])) if seen else ""
        return " ".join(part for part in (made, may) if part)

    def _reader(self, reader: str) -> str:
        return self.words("report.audience.everybody") if reader == EVERYBODY else self.party(reader)

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

    def places(self, question: Question, parties: tuple[str, ...]) -> str:
        """Where the animals of an answer are: the areas of the component, or the sides of those who gave data.

        Where a party of the component gave none, its areas are not named: nothing is said about them.
        """
        component = self.component(question.component)
        gave = parties or component.parties
        whole = set(component.parties) <= set(gave)
        return self.join(list(component.areas)) if component.areas and whole else self.parties(gave)

    def period(self, question: Question) -> str:
        """When the animals were looked for: two days, or the sessions."""
        if question.start and question.end:
            return self.words("report.period", start=question.start.isoformat(), end=question.end.isoformat())
        if question.periods:
            days = [[str(day) for day in period] for period in question.days]
            return self.join([self.words("report.period", start=first, end=last) for first, last in days])
        return _span(question.sessions) or self.join(list(question.sessions))

    def animals(self, question: Question) -> str:
        """The animals that a question counts, by life stage: adults and subadults."""
        stages = question.life_stages
        if not stages or set(stages) == set(LIFE_STAGES):
            return self.words("report.animals.all")
        return self.join([self.known(f"report.of.{stage}", stage) for stage in stages])

    def about(self, question: Question) -> str:
        """Species, animals and period of a question, as its heading. Some engines tell no life stages apart."""
        animals = "" if question.engine in EVERY_AGE else self.animals(question)
        rest = [part for part in (animals, self.period(question)) if part]
        species = self.heading(question)
        return self.words("report.question.heading", species=species, rest=self.join_comma(rest)) if rest else species

    def heading(self, question: Question) -> str:
        """A question's species where a line begins with it."""
        return capital(self.species(question.species))

    def quantity(self, estimate: Estimate) -> str:
        """What a number counts, with the party, stage or sex that its quantity names."""
        _, *rest = estimate.quantity.split(".")
        return self._of(estimate, rest)

    def kind(self, head: str) -> str:
        """What numbers count whose quantities begin alike: ``N`` of ``N.2025``."""
        return capital(self.known(f"quantity.{head}", head))

    def quantity_of_party(self, estimate: Estimate) -> str:
        """What a number counts, where the party that its quantity names stands beside or above it already."""
        _, *rest = estimate.quantity.split(".")
        return self._of(estimate, [part for part in rest if not self.is_party(part)])

    def _of(self, estimate: Estimate, parts: list[str]) -> str:
        head = estimate.quantity.partition(".")[0]
        listed = f"quantity.{head}.listed"  # a list's count may share its name with an estimate
        is_listed = estimate.is_count and listed in self.words
        name = self.words(listed) if is_listed else self.kind(head)
        if not parts:
            return name
        return self.words("report.quantity.of", name=name, of=self.join_comma([self.qualifier(p) for p in parts]))

    def is_party(self, code: str) -> bool:
        """Whether a code is a party of the programme."""
        return any(party.id == code for party in self.programme.parties)

    def qualifier(self, code: str) -> str:
        """A part of a quantity after its dot: a party, a stage, a sex, or a code."""
        if self.is_party(code):
            return self.party(code)
        return self.known(f"report.of.{code}", self.taxon(code.replace("_", " ")))

    def taxon(self, taxon: str) -> str:
        """The name of a taxon that is a species of the programme; others keep their scientific name."""
        return next((self.species(s.key) for s in self.programme.species if s.taxon == taxon), taxon)

    def cell(self, column: str, value: str) -> str:
        """A text in an engine's table: names of parties, words for what a model may differ by."""
        if column in {"party", "level"}:
            return self.party(value)
        if column not in SPOKEN:
            return value
        return self.join([self.known(f"report.cell.{part}", part) for part in value.split("+")])

    def facts(self, facts: Mapping[str, Fact]) -> dict[str, Fact]:
        """Facts of a finding with the names of parties and of parameters in place of their codes."""
        return {key: self._fact(key, value) if isinstance(value, str) else value for key, value in facts.items()}

    def _fact(self, key: str, value: str) -> str:
        if key in SPOKEN:
            return self.cell(key, value)
        if key not in _FACTS_WITH_PARTIES:
            return value
        for party in self.programme.parties:
            name = party.name.replace("\\", "")  # a replacement, not a pattern
            value = re.sub(rf"(?<![\w/-]){re.escape(party.id)}(?![\w/-])", name, value)
        return value

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


def _span(sessions: Sequence[str]) -> str:
    """Sessions that are called by years without a gap, from the first to the last: 2020-2025; else empty.

    Examples
    --------
    >>> _span(("2020", "2021", "2022")), _span(("2020", "2022", "2023")), _span(("spring", "autumn", "winter"))
    ('2020\u20132022', '', '')
    """
    if len(sessions) < _LEAST_SPAN or not all(session.isdecimal() for session in sessions):
        return ""
    years = [int(session) for session in sessions]
    return f"{years[0]}\u2013{years[-1]}" if years == list(range(years[0], years[-1] + 1)) else ""
