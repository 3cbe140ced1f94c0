"""Which figure a question or a component has: a joint sheet, years, cells, a profile, a map; with its caption."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
from markupsafe import Markup

from sharedrange.assessment.programme import read_sides
from sharedrange.assessment.report import cells, figures, frames, maps, profiles, years
from sharedrange.assessment.report.answer_tables import lies_nowhere
from sharedrange.assessment.report.ground import lies_on_base
from sharedrange.assessment.report.naming import capital
from sharedrange.assessment.report.palette import Look
from sharedrange.assessment.report.printing import Printer
from sharedrange.assessment.results import Result


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawn figure with what stands above and below it."""

    drawing: Markup
    caption: Markup
    note: Markup = Markup("")


def sheet(result: Result, printer: Printer) -> Chart | None:
    """The joint sheet of a question; None where it has none, or an empty one."""
    if result.sheet is None or not (result.sheet.lists.estimates or result.sheet.sums):
        return None
    naming = printer.naming
    title = naming.words("report.sheet.title", species=naming.species(result.question.species))
    drawn = figures.joint_sheet(result.sheet, Look(naming, result.step), title)
    return Chart(drawn, printer.caption("report.sheet.caption"))


def question(result: Result, printer: Printer) -> Chart | None:
    """The figure of a question without a joint sheet: years, cells, or a profile; None where it has none."""
    return _years(result, printer) or _cells(result, printer) or _profile(result, printer)


def _years(result: Result, printer: Printer) -> Chart | None:
    look = Look(printer.naming, result.step)
    head, series = years.series_drawn(result.answer, result.question.engine, look)
    if not series:
        return None
    drawing = years.drawn(series, look, _title(f"report.years.{head}", result, printer))
    return Chart(drawing, printer.caption(f"report.years.{head}.caption"))


def _cells(result: Result, printer: Printer) -> Chart | None:
    is_nowhere = lies_nowhere(printer.naming.programme, result.question)
    shown = cells.cells_drawn(result.answer, is_nowhere=is_nowhere)
    if not shown:
        return None
    title = _title("report.cells.title", result, printer)
    drawing = cells.drawn(shown, Look(printer.naming, result.step), title)
    return Chart(drawing, printer.caption("report.cells.caption", km=printer.fact(shown[0].size_m / 1000)))


def _profile(result: Result, printer: Printer) -> Chart | None:
    title = _title("report.profile.title", result, printer)
    drawing = profiles.drawn(result.answer, Look(printer.naming, result.step), title)
    return Chart(drawing, printer.caption("report.profile.caption")) if drawing else None


def _title(message: str, result: Result, printer: Printer) -> str:
    naming = printer.naming
    return naming.words(message, species=naming.heading(result.question))


def component(shown: pl.DataFrame, component_id: str, printer: Printer) -> Chart:
    """The maps of a component; `shown` are its cells, with the columns of CELLS."""
    naming, look = printer.naming, Look(printer.naming)
    here = naming.component(component_id)
    named = [naming.species(key) for key in shown["species"].unique(maintain_order=True)]
    facts = {"species": capital(naming.join(named)), "component": here.title}
    sides = read_sides(here, naming.programme.folder)
    title = naming.words("report.map.title", **facts)
    drawing = maps.component_map(shown, sides, here.projection, look, title=title)
    is_local = frames.is_local(shown, here.projection)
    about = printer.caption("report.map.about", size=_cell_size(shown, printer, is_local=is_local), **facts)
    return Chart(drawing, about, _about_the_ground(shown, here.projection, printer))


def _cell_size(shown: pl.DataFrame, printer: Printer, *, is_local: bool) -> Markup:
    """How long the side of a cell is: in metres where the frame lies nowhere on Earth, else in kilometres."""
    cell_m = float(shown["cell_m"][0])
    unit, length = ("m", cell_m) if is_local else ("km", cell_m / 1000)
    return printer.say(f"report.map.scale.{unit}", length=printer.fact(length))


def _about_the_ground(shown: pl.DataFrame, projection: str, printer: Printer) -> Markup:
    """What lies under a map: nothing, the shipped base, or nothing because the base does not reach there."""
    is_local = frames.is_local(shown, projection)
    under = "local" if is_local else "source" if lies_on_base(shown) else "outside"
    notes = [printer.say(f"report.map.{under}")]
    if maps.has_overview(shown, projection, Look(printer.naming)):
        notes.insert(0, printer.say("report.map.overview.note"))
    return Markup(" ").join(notes)
