"""The report as one self-contained HTML page: no request, no script, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from sharedrange.assessment.programme import Programme, read_sides
from sharedrange.assessment.report import (
    by_year,
    cells,
    figures,
    lineage,
    maps,
    methods,
    profiles,
    sentences,
    tables,
    years,
)
from sharedrange.assessment.report.naming import Naming, capital
from sharedrange.assessment.report.numbers import ABSENT
from sharedrange.assessment.report.palette import Look
from sharedrange.assessment.report.printing import Printer
from sharedrange.assessment.results import Assessment, Result
from sharedrange.core.answer import Answer, Estimate, Refusal
from sharedrange.core.finding import Fact, Finding
from sharedrange.core.words import DEFAULT, PSEUDO, Words


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawn figure with what stands above and below it."""

    drawing: Markup
    caption: Markup
    note: Markup = Markup("")


def render(assessment: Assessment, words: Words, register: Mapping[str, pl.DataFrame] | None = None) -> str:
    """The report of `assessment` in `words`; `register` (tables by name) is printed where given.

    Raises KeyError for a message without a sentence, and for a number whose step the ledger does not hold.
    """
    naming = Naming(assessment.programme, words)
    printer = Printer(naming, frozenset(assessment.ledger.steps))
    results = tuple(tables.with_steps(result) for result in assessment.results)
    page = _Page(assessment, results, printer, dict(register or {}))
    return environment(printer).get_template("report.html.j2").render(page=page)


def environment(printer: Printer) -> Environment:
    """Templates that can print markup and nothing else: a bare number or text raises TypeError."""
    env = Environment(
        loader=PackageLoader("sharedrange.assessment.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_only_markup,
    )
    env.globals["say"] = printer.say
    for kind in ("number", "value", "interval", "compact", "fact", "name", "unit", "quantity", "word", "finding"):
        env.filters[kind] = getattr(printer, kind)
    env.filters["anchor"] = _anchor
    return env


def _only_markup(value: object) -> object:
    if not isinstance(value, Markup):
        raise TypeError(f"a template printed {value!r} past the printer")
    return value


def _anchor(value: str) -> Markup:
    """An id or a target of a link."""
    return Markup("{}").format(value)


@dataclass(frozen=True, slots=True)
class _Page:
    """What templates may ask for."""

    assessment: Assessment
    results: tuple[Result, ...]
    printer: Printer
    register: Mapping[str, pl.DataFrame]

    @property
    def programme(self) -> Programme:
        return self.assessment.programme

    @property
    def naming(self) -> Naming:
        return self.printer.naming

    @property
    def language(self) -> Markup:
        language = self.naming.words.language
        return _anchor(DEFAULT if language == PSEUDO else language)

    @property
    def style(self) -> Markup:
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
        return tables.overview_step(self.assessment.ledger, self.results)

    def found(self, result: Result) -> tuple[Markup, ...]:
        return sentences.found(result, self.printer)

    def bought(self, result: Result) -> Markup:
        return sentences.bought(result.sheet, result.step, self.printer) if result.sheet else Markup("")

    def survival_alone(self, result: Result) -> tuple[Markup, ...]:
        """What each party alone would say of survival."""
        return sentences.survival_alone(result.sheet, self.printer) if result.sheet else ()

    @property
    def party_ids(self) -> tuple[str, ...]:
        return tuple(party.id for party in self.programme.parties)

    def caption(self, message: str, **facts: object) -> Markup:
        """A caption; SIMULATED stands before it where the data are."""
        return self.simulated + self.printer.say(message, **facts)

    @property
    def simulated(self) -> Markup:
        if not self.programme.simulated:
            return Markup("")
        return Markup('<span class="simulated">{}</span> ').format(self.printer.say("report.simulated.badge"))

    # -- questions ---------------------------------------------------------------------------------------------

    def about(self, result: Result) -> Markup:
        """Species, animals and period of a question, as its heading."""
        heading, species = self.naming.about(result.question), self.naming.heading(result.question)
        return self.printer.name(species) if heading == species else escape(heading)

    def year_tables(self, result: Result) -> tuple[by_year.YearTable, ...]:
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

    def groups(self, result: Result) -> tuple[tables.Group, ...]:
        estimates, engine = result.answer.estimates, result.question.engine
        rest = by_year.beside_years(estimates, self.year_tables(result), engine, self.programme)
        return tables.groups(rest, self.programme)

    def numbers_caption(self, result: Result) -> str:
        own = f"report.numbers.caption.{result.question.engine.rpartition('.')[2]}"
        return own if own in self.naming.words else "report.numbers.caption"

    def instead(self, result: Result) -> tuple[tables.Group, ...]:
        """Numbers that can be given although the answer was refused, animals before rates."""
        groups = tables.groups(tables.instead(result), self.programme)
        return tuple(sorted(groups, key=lambda group: group.name != "lists"))

    def only_named(self, result: Result, refusal: Refusal) -> tuple[str, ...]:
        """Engines that could answer from the same data, and were not asked."""
        return () if tables.instead(result) else refusal.instead

    def sheet_figure(self, result: Result) -> Chart | None:
        if result.sheet is None or not (result.sheet.lists.estimates or result.sheet.sums):
            return None
        title = self.naming.words("report.sheet.title", species=self.naming.species(result.question.species))
        drawn = figures.joint_sheet(result.sheet, Look(self.naming, result.step), title)
        return Chart(drawn, self.caption("report.sheet.caption"))

    def question_figure(self, result: Result) -> Chart | None:
        """The figure of a question without a joint sheet: years, cells, or a profile; None where it has none."""
        return self._years(result) or self._cells(result) or self._profile(result)

    def _years(self, result: Result) -> Chart | None:
        head = years.DRAWN.get(result.question.engine)
        look = Look(self.naming, result.step)
        series = years.series_of(result.answer, head, look) if head else ()
        if not series:
            return None
        title = self.naming.words(f"report.years.{head}", species=self.naming.heading(result.question))
        return Chart(years.drawn(series, look, title), self.caption(f"report.years.{head}.caption"))

    def _cells(self, result: Result) -> Chart | None:
        table = result.answer.tables.get("map")
        local = self.naming.component(result.question.component).projection.startswith("local:")
        if table is None or not (cells.are_coarse(table) or self.programme.simulated or local):
            return None
        shown = cells.cells_of(table)
        if not shown:
            return None
        title = self.naming.words("report.cells.title", species=self.naming.heading(result.question))
        length = self.printer.fact(shown[0].size_m / 1000)
        return Chart(
            cells.drawn(shown, Look(self.naming, result.step), title), self.caption("report.cells.caption", km=length)
        )

    def _profile(self, result: Result) -> Chart | None:
        title = self.naming.words("report.profile.title", species=self.naming.heading(result.question))
        drawing = profiles.drawn(result.answer, Look(self.naming, result.step), title)
        return Chart(drawing, self.caption("report.profile.caption")) if drawing else None

    def list_table(self, result: Result) -> tables.ListTable:
        if self.is_list(result):
            return tables.list_table(result.answer, self.programme)
        return tables.list_table(result.sheet.lists if result.sheet else Answer(), self.programme)

    def is_list(self, result: Result) -> bool:
        """Whether the question asked for lists and nothing more."""
        return result.question.engine == "population.minimum"

    def gaps(self, refusal: Refusal) -> tuple[tuple[str, Fact, Fact], ...]:
        """(what, there is, needed) of a refusal; what there is beside the needs comes last."""
        keys = dict.fromkeys([*refusal.need, *refusal.have])
        return tuple((key, refusal.have.get(key), refusal.need.get(key)) for key in keys)

    def alone_parties(self, result: Result) -> tuple[str, ...]:
        return tables.sheet_parties(result.sheet) if result.sheet else ()

    def alone_table(self, result: Result) -> tuple[tables.AloneRow, ...]:
        if result.sheet is None:
            return ()
        return tables.alone_rows(result.sheet, self.alone_parties(result), result.step)

    def joint_side(self, result: Result, party: str) -> Estimate | None:
        """The joint fit's number on a party's side."""
        return result.sheet.of_side(party) if result.sheet else None

    def refused_alone(self, result: Result) -> tuple[str, ...]:
        """Parties that could not have answered by themselves."""
        named = [name.split(".") for name, a in result.answers.items() if name.startswith("alone.") and a.refusal]
        return tuple(dict.fromkeys(name[1] for name in named))

    def printed_tables(self, result: Result) -> tuple[tuple[str, pl.DataFrame], ...]:
        told = [(k, tables.as_printed(k, t)) for k, t in result.answer.tables.items() if tables.printable(k, t)]
        own = {k: f"{result.question.engine.rpartition('.')[2]}.{k}" for k, _ in told}
        return tuple((own[k] if f"report.table.{own[k]}" in self.naming.words else k, t) for k, t in told)

    @property
    def register_entries(self) -> tuple[tuple[str, tuple[tables.Entry, ...]], ...]:
        """Tables of the register that hold something, as entries."""
        return tuple((name, tables.entries(table)) for name, table in self.register.items() if table.height)

    def register_cell(self, column: str, value: str) -> Markup:
        """A cell of the register: parties and species by their names, everything else as it stands."""
        name = {"parties": self.naming.party, "species": self.naming.species}.get(column)
        return self.printer.name(value if name is None else "; ".join(name(code) for code in value.split("; ")))

    # -- places, data, findings --------------------------------------------------------------------------------

    def maps(self) -> tuple[Chart, ...]:
        """The maps of each component that has cells."""
        cells = self.assessment.cells
        components = cells["component"].unique(maintain_order=True).to_list()
        return tuple(self._map(cells.filter(component=component), component) for component in components)

    def _map(self, cells: pl.DataFrame, component_id: str) -> Chart:
        component = self.naming.component(component_id)
        named = [self.naming.species(key) for key in cells["species"].unique(maintain_order=True)]
        facts = {"species": capital(self.naming.join(named)), "component": component.title}
        look = Look(self.naming)
        drawn = maps.component_map(
            cells,
            read_sides(component, self.programme.folder),
            component.projection,
            look,
            title=self.naming.words("report.map.title", **facts),
        )
        cell_m = float(cells["cell_m"][0])
        unit, size = ("m", cell_m) if maps.is_local(cells, component.projection) else ("km", cell_m / 1000)
        told = self.printer.say(f"report.map.scale.{unit}", length=self.printer.fact(size))
        ground = "local" if unit == "m" else "source" if maps.lies_on_base(cells) else "outside"
        notes = [self.printer.say(f"report.map.{ground}")]
        if maps.has_overview(cells, component.projection, look):
            notes.insert(0, self.printer.say("report.map.overview.note"))
        return Chart(drawn, self.caption("report.map.about", size=told, **facts), Markup(" ").join(notes))

    @property
    def health(self) -> list[dict[str, object]]:
        rank = {party: i for i, party in enumerate(self.party_ids)}
        return sorted(self.assessment.health.to_dicts(), key=lambda row: rank.get(row["party"], len(rank)))

    def gap_reasons(self, told: str | None) -> tuple[tuple[str, float], ...]:
        return tables.gap_reasons(told or "")

    def effort_strip(self, row: Mapping[str, object]) -> Markup:
        return figures.effort_strip(row, Look(self.naming), self.naming.words("report.health.strip"))

    @property
    def findings(self) -> tuple[tables.Told, ...]:
        return tables.told(self.assessment.all_findings)

    def where(self, finding: Finding) -> str:
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
        return tables.stands_upright(table)

    @property
    def nothing(self) -> Markup:
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
        return methods.CITATIONS.get(engine, ())

    @property
    def has_sheet(self) -> bool:
        return any(r.sheet for r in self.results)

    @property
    def steps(self) -> tuple[lineage.StepShown, ...]:
        return lineage.steps_shown(self.assessment)

    @property
    def sources(self) -> tuple[tuple[str, object], ...]:
        return lineage.sources_shown(self.assessment)

    def is_source(self, key: str) -> bool:
        return key in self.assessment.ledger.sources

    @property
    def versions(self) -> list[tuple[str, str]]:
        return sorted(self.assessment.versions.items())
