"""What the templates of a report may ask for: every number, name and drawing that stands on the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

import polars as pl
from markupsafe import Markup, escape

from sharedrange.assessment.programme import Programme
from sharedrange.assessment.report import (
    answer_tables,
    by_year,
    drawings,
    facts,
    grouping,
    lineage,
    methods,
    sentences,
    sheet_tables,
)
from sharedrange.assessment.report.drawings import Chart
from sharedrange.assessment.report.figures import effort_strip
from sharedrange.assessment.report.naming import Naming
from sharedrange.assessment.report.numbers import ABSENT
from sharedrange.assessment.report.palette import Look
from sharedrange.assessment.report.printing import Printer
from sharedrange.assessment.results import Assessment, Result
from sharedrange.core.answer import Answer, Estimate, Refusal
from sharedrange.core.finding import Fact, Finding
from sharedrange.core.words import DEFAULT, PSEUDO


def anchor(value: str) -> Markup:
    """An id or a target of a link."""
    return Markup("{}").format(value)


@dataclass(frozen=True, slots=True)
class Page:
    """What templates may ask for."""

    assessment: Assessment
    results: tuple[Result, ...]
    printer: Printer
    register: Mapping[str, pl.DataFrame]

    @property
    def programme(self) -> Programme:
        """The words shared by all parties."""
        return self.assessment.programme

    @property
    def naming(self) -> Naming:
        """Names of the programme in the page's language."""
        return self.printer.naming

    @property
    def language(self) -> Markup:
        """The page's language, for the browser."""
        language = self.naming.words.language
        return anchor(DEFAULT if language == PSEUDO else language)

    @property
    def style(self) -> Markup:
        """The style sheet."""
        css = (resources.files(__package__) / "templates" / "report.css").read_text("utf-8")
        return Markup(css)  # noqa: S704  (a file of this package)

    @property
    def audience(self) -> Markup:
        """Who may see this page, and for whom it was made."""
        told = self.naming.audience(self.assessment.audience, self.assessment.reader)
        return Markup("{}").format(told)

    @property
    def running_head(self) -> Markup:
        """The head of every printed page, as a CSS string."""
        words = self.naming.words
        told = words("report.running", title=self.programme.title)
        if self.programme.simulated:
            told = f"{words('report.simulated.badge')} · {told}"
        return Markup('"{}"').format(told.replace("\\", "").replace('"', "'"))

    @property
    def facts_step(self) -> str:
        """The step behind facts about deliveries."""
        return facts.overview_step(self.assessment.ledger, self.results)

    def found(self, result: Result) -> tuple[Markup, ...]:
        """What a question found, in sentences."""
        return sentences.found(result, self.printer)

    def bought(self, result: Result) -> Markup:
        """What sharing bought, in a sentence."""
        return sentences.bought(result.sheet, result.step, self.printer) if result.sheet else Markup("")

    def survival_alone(self, result: Result) -> tuple[Markup, ...]:
        """What each party alone would say of survival."""
        return sentences.survival_alone(result.sheet, self.printer) if result.sheet else ()

    @property
    def party_ids(self) -> tuple[str, ...]:
        """Parties in the programme's order."""
        return tuple(party.id for party in self.programme.parties)

    def caption(self, message: str, **facts: object) -> Markup:
        """A caption; SIMULATED stands before it where the data are."""
        return self.printer.caption(message, **facts)

    @property
    def simulated(self) -> Markup:
        """SIMULATED where the data are, else nothing."""
        return self.printer.simulated()

    # -- questions ---------------------------------------------------------------------------------------------

    def about(self, result: Result) -> Markup:
        """Species, animals and period of a question, as its heading."""
        heading, species = self.naming.about(result.question), self.naming.heading(result.question)
        return self.printer.name(species) if heading == species else escape(heading)

    def method(self, result: Result) -> Markup:
        """Which method a question's numbers are from, with a link to what the page says of it."""
        engine = result.question.engine
        name = self.printer.word(f"report.engine.{engine}", engine)
        linked = Markup('<a href="#method-{}">{}</a>').format(engine, name)
        return self.printer.say("report.question.method", method=linked)

    def year_tables(self, result: Result) -> tuple[by_year.YearTable, ...]:
        """The numbers that an answer has for every year."""
        return by_year.year_tables(result.answer.estimates, result.question.engine, self.programme)

    def year_column(self, table: by_year.YearTable, column: by_year.Column) -> Markup:
        """The head of a column: whose number it is, or where there are no parties which number."""
        if not table.is_of_parties:
            return escape(self.naming.kind(column.kind))
        return (
            self.printer.name(self.naming.party(column.party)) if column.party else self.printer.say("report.years.all")
        )

    def year_caption(self, table: by_year.YearTable) -> Markup:
        """What a table of years holds."""
        kind, unit = (self.naming.kind(table.columns[0].kind), self.naming.unit(table.columns[0].unit))
        if table.is_of_parties:
            return self.caption("report.years.table.of", quantity=kind, unit=unit)
        return self.caption("report.years.table")

    def groups(self, result: Result) -> tuple[grouping.Group, ...]:
        """The numbers that stand in no table of years, by heading."""
        estimates, engine = result.answer.estimates, result.question.engine
        rest = by_year.beside_years(estimates, self.year_tables(result), engine, self.programme)
        return grouping.groups(rest, self.programme)

    def numbers_caption(self, result: Result) -> str:
        """What stands above the numbers of an engine."""
        own = f"report.numbers.caption.{result.question.engine.rpartition('.')[2]}"
        return own if own in self.naming.words else "report.numbers.caption"

    def instead(self, result: Result) -> tuple[grouping.Group, ...]:
        """Numbers that can be given although the answer was refused, animals before rates."""
        groups = grouping.groups(grouping.instead(result), self.programme)
        return tuple(sorted(groups, key=lambda group: group.name != "lists"))

    def only_named(self, result: Result, refusal: Refusal) -> tuple[str, ...]:
        """Engines that could answer from the same data, and were not asked."""
        return () if grouping.instead(result) else refusal.instead

    def sheet_figure(self, result: Result) -> Chart | None:
        """The joint sheet of a question."""
        return drawings.sheet(result, self.printer)

    def question_figure(self, result: Result) -> Chart | None:
        """The figure of a question without a joint sheet."""
        return drawings.question(result, self.printer)

    def list_table(self, result: Result) -> sheet_tables.ListTable:
        """The lists that a question asked for, or those beside its estimates."""
        if self.is_list(result):
            return sheet_tables.list_table(result.answer, self.programme)
        return sheet_tables.list_table(result.sheet.lists if result.sheet else Answer(), self.programme)

    def is_list(self, result: Result) -> bool:
        """Whether the question asked for lists and nothing more."""
        return result.question.engine == "population.minimum"

    def gaps(self, refusal: Refusal) -> tuple[tuple[str, Fact, Fact], ...]:
        """(what, there is, needed) of a refusal; what there is beside the needs comes last."""
        keys = dict.fromkeys([*refusal.need, *refusal.have])
        return tuple((key, refusal.have.get(key), refusal.need.get(key)) for key in keys)

    def alone_parties(self, result: Result) -> tuple[str, ...]:
        """Parties that have a number of their own."""
        return sheet_tables.sheet_parties(result.sheet) if result.sheet else ()

    def alone_table(self, result: Result) -> tuple[sheet_tables.AloneRow, ...]:
        """What each party says alone, a row a convention."""
        if result.sheet is None:
            return ()
        return sheet_tables.alone_rows(result.sheet, self.alone_parties(result), result.step)

    def joint_side(self, result: Result, party: str) -> Estimate | None:
        """The joint fit's number on a party's side."""
        return result.sheet.of_side(party) if result.sheet else None

    def refused_alone(self, result: Result) -> tuple[str, ...]:
        """Parties that could not have answered by themselves."""
        named = [name.split(".") for name, a in result.answers.items() if name.startswith("alone.") and a.refusal]
        return tuple(dict.fromkeys(name[1] for name in named))

    def printed_tables(self, result: Result) -> tuple[tuple[str, pl.DataFrame], ...]:
        """Tables of an answer that readers ask for, each with the end of its caption's message."""
        told = [
            (k, answer_tables.as_printed(k, t))
            for k, t in result.answer.tables.items()
            if answer_tables.printable(k, t)
        ]
        own = {k: f"{result.question.engine.rpartition('.')[2]}.{k}" for k, _ in told}
        return tuple((own[k] if f"report.table.{own[k]}" in self.naming.words else k, t) for k, t in told)

    @property
    def register_entries(self) -> tuple[tuple[str, tuple[facts.Entry, ...]], ...]:
        """Tables of the register that hold something, as entries."""
        return tuple((name, facts.entries(table)) for name, table in self.register.items() if table.height)

    def register_cell(self, column: str, value: str) -> Markup:
        """A cell of the register: parties and species by their names, everything else as it stands."""
        name = {"parties": self.naming.party, "species": self.naming.species}.get(column)
        return self.printer.name(value if name is None else "; ".join(name(code) for code in value.split("; ")))

    # -- places, data, findings --------------------------------------------------------------------------------

    def maps(self) -> tuple[Chart, ...]:
        """The maps of each component that has cells."""
        cells = self.assessment.cells
        components = cells["component"].unique(maintain_order=True).to_list()
        return tuple(drawings.component(cells.filter(component=one), one, self.printer) for one in components)

    @property
    def health(self) -> list[dict[str, object]]:
        """What is known of each delivery, in the order of the parties."""
        rank = {party: i for i, party in enumerate(self.party_ids)}
        return sorted(self.assessment.health.to_dicts(), key=lambda row: rank.get(row["party"], len(rank)))

    def gap_reasons(self, told: str | None) -> tuple[tuple[str, float], ...]:
        """Days lost by reason."""
        return facts.gap_reasons(told or "")

    def effort_strip(self, row: Mapping[str, object]) -> Markup:
        """Days watched and lost of one delivery, as a strip."""
        return effort_strip(row, Look(self.naming), self.naming.words("report.health.strip"))

    @property
    def findings(self) -> tuple[facts.Told, ...]:
        """What is worth knowing, by rule."""
        return facts.told(self.assessment.all_findings)

    def where(self, finding: Finding) -> str:
        """The place that a finding is about."""
        return str(finding.where)

    def whole(self, days: float | None) -> float | None:
        """Days to the whole day."""
        return None if days is None else float(round(days))

    def cell(self, column: str, value: object) -> float | str | None:
        """A cell of an engine's table as a fact."""
        if value is None or isinstance(value, bool | int | float):
            return value
        return self.naming.cell(column, str(value))

    def is_upright(self, table: pl.DataFrame) -> bool:
        """Whether a table is better read turned."""
        return answer_tables.stands_upright(table)

    @property
    def nothing(self) -> Markup:
        """What stands where there is no number."""
        return escape(ABSENT)

    # -- methods and lineage -----------------------------------------------------------------------------------

    @property
    def engines(self) -> tuple[str, ...]:
        """Engines that answered something, in the order of the questions; lists come with every count."""
        asked = [r.question.engine for r in self.results]
        counted = ["population.minimum"] if any("lists" in r.told for r in self.results) else []
        rated = ["population.rates"] if any("rates" in r.told for r in self.results) else []
        return tuple(dict.fromkeys([*asked, *counted, *rated]))

    def citations(self, engine: str) -> tuple[str, ...]:
        """Where an engine's method comes from."""
        return methods.CITATIONS.get(engine, ())

    @property
    def has_sheet(self) -> bool:
        """Whether a question was answered together and alone."""
        return any(r.sheet for r in self.results)

    @property
    def steps(self) -> tuple[lineage.StepShown, ...]:
        """The steps behind the numbers."""
        return lineage.steps_shown(self.assessment)

    @property
    def sources(self) -> tuple[tuple[str, object], ...]:
        """The deliveries behind the steps."""
        return lineage.sources_shown(self.assessment)

    def is_source(self, key: str) -> bool:
        """Whether an input of a step is a delivery."""
        return key in self.assessment.ledger.sources

    @property
    def versions(self) -> list[tuple[str, str]]:
        """Versions of this program and of the libraries that compute."""
        return sorted(self.assessment.versions.items())
