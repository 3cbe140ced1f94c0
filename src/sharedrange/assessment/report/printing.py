"""The only ways in which something gets onto the page: sentences, names, numbers with a way back, facts.

Templates print `Markup` and nothing else (see `html.environment`), and only the functions here and the figures
make any. A bare number in a template is therefore an error, not a number without a source.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from markupsafe import Markup, escape

from sharedrange.assessment.report.naming import Naming
from sharedrange.assessment.report.numbers import ABSENT, fact, shown
from sharedrange.core.answer import Estimate
from sharedrange.core.finding import Fact, Finding

_PLACE = "\ue000{}\ue001"  # private use: stands for markup while the sentence around it is escaped


@dataclass(frozen=True, slots=True)
class Printer:
    """Prints in the words of `naming`; `anchors` are the ids of steps and sources that the page explains."""

    naming: Naming
    anchors: Collection[str]

    def say(self, message: str, **facts: object) -> Markup:
        """The sentence of a message; facts that are markup stay markup, everything else is escaped."""
        marked = {key: value for key, value in facts.items() if isinstance(value, Markup)}
        places = {key: _PLACE.format(i) for i, key in enumerate(marked)}
        sentence = str(escape(self.naming.words(message, **{**facts, **places})))
        for key, place in places.items():
            sentence = sentence.replace(place, marked[key])
        return Markup(sentence)  # noqa: S704  (escaped above, but for facts that were markup)

    def caption(self, message: str, **facts: object) -> Markup:
        """The sentence above a table or figure; SIMULATED stands before it where the data are."""
        return self.simulated() + self.say(message, **facts)

    def simulated(self) -> Markup:
        """SIMULATED where the data are, else nothing."""
        if not self.naming.programme.simulated:
            return Markup("")
        return Markup('<span class="simulated">{}</span> ').format(self.say("report.simulated.badge"))

    def name(self, text: object) -> Markup:
        """A name, a code, a date: data that nobody translates."""
        return Markup('<span translate="no">{}</span>').format(text)

    def word(self, message: str, code: str) -> Markup:
        """The sentence of `message` where there is one, else the code."""
        return self.say(message) if message in self.naming.words else self.name(code)

    def number(self, estimate: Estimate) -> Markup:
        """Value and interval in a sentence: 57 (95 % interval 46–71)."""
        parts = shown(estimate, self.naming.words)
        told = Markup("<b>{}</b>").format(parts.value)
        if parts.interval:
            told += Markup(" ({})").format(self.say("report.interval", level=parts.level, interval=parts.interval))
        return self.way_back(estimate.step, told, estimate.id)

    def value(self, estimate: Estimate | None) -> Markup:
        """The value alone; a dash where there is none."""
        if estimate is None:
            return escape(ABSENT)
        return self.way_back(estimate.step, escape(shown(estimate, self.naming.words).value), estimate.id)

    def bold(self, estimate: Estimate) -> Markup:
        """The value alone, where a sentence rests on it."""
        told = Markup("<b>{}</b>").format(shown(estimate, self.naming.words).value)
        return self.way_back(estimate.step, told, estimate.id)

    def level_and_interval(self, estimate: Estimate) -> Markup:
        """The interval in a sentence: 95 % interval 46–71."""
        parts = shown(estimate, self.naming.words)
        told = self.say("report.interval", level=parts.level, interval=parts.interval)
        return self.way_back(estimate.step, told, estimate.id)

    def interval(self, estimate: Estimate) -> Markup:
        """The interval alone; a dash for a count."""
        interval = shown(estimate, self.naming.words).interval
        return self.way_back(estimate.step, escape(interval), estimate.id) if interval else escape(ABSENT)

    def compact(self, estimate: Estimate | None) -> Markup:
        """Value and interval in a cell: 57 (46–71)."""
        if estimate is None:
            return escape(ABSENT)
        parts = shown(estimate, self.naming.words)
        told = Markup("<b>{}</b>").format(parts.value)
        if parts.interval:
            told += Markup(' <span class="ci">({})</span>').format(parts.interval)
        return self.way_back(estimate.step, told, estimate.id)

    def fact(self, value: Fact, step: str = "") -> Markup:
        """A fact about deliveries or settings, linked to `step` where one stands behind it."""
        told = fact(value, self.naming.words)
        if isinstance(value, bool):
            return escape(told)
        if isinstance(value, str):
            return self.name(told)
        return self.way_back(step, escape(told), "") if step and value is not None else escape(told)

    def unit(self, code: str) -> Markup:
        """A unit in words."""
        return Markup("") if not self.naming.unit(code) else self.word(f"unit.{code}", code)

    def quantity(self, estimate: Estimate, names_party: bool = True) -> Markup:
        """What a number counts; without the party where a heading names it, or where there is only one."""
        naming = self.naming
        return escape(naming.quantity(estimate) if names_party else naming.quantity_of_party(estimate))

    def finding(self, finding: Finding, part: str) -> Markup:
        """What a finding says (`fact`) or what can be done (`remedy`)."""
        return self.say(f"finding.{finding.rule}.{part}", **self.naming.facts(finding.facts))

    def way_back(self, step: str, told: Markup, number: str) -> Markup:
        """`told` as a link to the step behind it. Raises KeyError if the page does not explain that step."""
        if step not in self.anchors:
            raise KeyError(f"{number or told}: step {step!r} is not in the ledger")
        kind = Markup(' data-number="{}"').format(number) if number else Markup("")
        return Markup('<a class="n" href="#step-{}"{}>{}</a>').format(step, kind, told)
