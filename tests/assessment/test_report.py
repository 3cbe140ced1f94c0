"""The report: every number has a way back, every word is in the catalogue, nothing is requested from anywhere."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from markupsafe import Markup

from sharedrange.assessment.programme import Component, Party, Programme, Question, Species
from sharedrange.assessment.report import render, report_name, write_products, write_report
from sharedrange.assessment.report.figures import joint_sheet
from sharedrange.assessment.report.html import environment
from sharedrange.assessment.report.naming import Naming
from sharedrange.assessment.report.palette import Look, colours
from sharedrange.assessment.report.printing import Printer
from sharedrange.assessment.report.products import answers_table, csv_bytes, report_data
from sharedrange.assessment.report.sheet_tables import list_table
from sharedrange.assessment.results import CELLS, HEALTH, AloneSum, Assessment, Convention, JointSheet, Result
from sharedrange.core.answer import LISTED, Answer, Estimate, Refusal, Scope
from sharedrange.core.finding import Finding, Severity, Where
from sharedrange.core.ledger import Ledger, Source, Step
from sharedrange.core.words import load

PERIOD = "2026-02-01/2026-05-01"
SCOPE = Scope("Panthera pardus", "adult", "", "fells", PERIOD, "spatial-capture-recapture")
LIST_SCOPE = replace(SCOPE, method="animals listed", kind=LISTED)

# ---- an assessment as `assess` makes one ----------------------------------------------------------------------


def _programme(*, simulated: bool = True, local: bool = False) -> Programme:
    wkt = "POLYGON(({0} {2}, {1} {2}, {1} {3}, {0} {3}, {0} {2}))"
    bounds = [(-300, 0, -200, 200), (0, 300, -200, 200)] if local else [(106.3, 107, 47.2, 48), (107, 107.7, 47.2, 48)]
    return Programme(
        id="two-parks",
        title="Two invented parks, one population",
        seed=7,
        parties=(Party("west", "Westfell Park (invented)", "XA"), Party("east", "Eastfell Park (invented)", "XB")),
        species=(Species("leopard", "Panthera pardus", {"en": "leopard"}), Species("tiger", "Panthera tigris")),
        components=(
            Component(
                "fells",
                "The fells",
                parties=("west", "east"),
                species=("leopard", "tiger"),
                areas=("Westfell", "Eastfell"),
                projection="local:nets" if local else "auto",
                sides={party: wkt.format(*b) for party, b in zip(("west", "east"), bounds, strict=True)},
            ),
        ),
        questions=(_question("leopards", "leopard"), _question("tigers", "tiger")),
        simulated=simulated,
    )


def _question(name: str, species: str) -> Question:
    return Question(name, "population.scr", "fells", species, start=date(2026, 2, 1), end=date(2026, 5, 1))


def _ledger() -> tuple[Ledger, str, str]:
    """The ledger, the step of the main answer, the step of the lists."""
    ledger = Ledger()
    taken = []
    for party in ("west", "east"):
        source = Source(party, "cameras-2026", f"own/{party}", party.ljust(64, "0"))
        ledger = ledger.with_source(source)
        taken.append(Step("exchange.take", 1, {"party": party}, (source.id,)))
        ledger = ledger.with_step(taken[-1])
    ids = tuple(step.id for step in taken)
    identity = Step("assessment.identity", 1, {"decisions": [["west/main/A1", "east/main/B7", "same"]] * 20}, ids)
    fit = Step("population.scr", 1, {"settings": {"detection": "HHN"}, "seed": 7}, (identity.id,))
    lists = Step("population.minimum", 1, {}, (identity.id,))
    overview = Step("assessment.overview", 1, {"records": ["r1"]}, tuple(sorted(ledger.sources)))
    for step in (identity, fit, lists, overview):
        ledger = ledger.with_step(step)
    return ledger, fit.id, lists.id


def _estimate(
    quantity: str, value: float, low: float, high: float, unit: str = "animals", *, place: str = ""
) -> Estimate:
    return Estimate(quantity, value, unit, low, high, (high - low) / 4, scope=replace(SCOPE, place=place))


def _fit() -> Answer:
    estimates = (
        _estimate("N", 57.31, 46.2, 70.9),
        _estimate("N.west", 31.4, 22.6, 43.7, place="west"),
        _estimate("N.east", 25.9, 17.9, 37.4, place="east"),
        _estimate("N_use.west", 30.6, 22.0, 42.6, place="west"),
        _estimate("N_use.east", 26.7, 18.6, 38.4, place="east"),
        _estimate("resident.west", 26.2, 18.9, 36.4),
        _estimate("resident.east", 21.3, 14.8, 30.9),
        _estimate("shared", 9.8, 6.9, 13.9),
        _estimate("D.west", 0.852, 0.611, 1.187, "per_100km2"),
        _estimate("D.east", 0.704, 0.487, 1.017, "per_100km2"),
        Estimate("area.surveyed", 7301.2, "km2", scope=SCOPE),
        Estimate("area.extrapolated", 1120.0, "km2", scope=SCOPE),
        _estimate("lambda0.west", 0.0251, 0.019, 0.033, "per_occasion"),
        _estimate("sigma.female", 4210.0, 3700.0, 4790.0, "m"),
        _estimate("psi_male", 0.42, 0.29, 0.56, "share"),
    )
    density = pl.DataFrame({"x_m": [1.0], "y_m": [2.0], "density": [0.8]})
    fit = pl.DataFrame({"density": ["side"], "aic": [812.4], "converged": [True]})
    tests = pl.DataFrame({"parameter": ["sigma", "lambda0"], "term": ["party", "sex"], "p_value": [0.31, 0.62]})
    animals = pl.DataFrame({"individual": ["west/main/A1"], "x_m": [3.0], "y_m": [4.0]})
    return Answer(estimates, tables={"density": density, "fit": fit, "tests": tests, "centres": animals})


def _lists() -> Answer:
    counts = {"known.west": 33, "known.east": 22, "shared": 12, "minimum_number": 41, "naive_sum": 53}
    counts |= {f"{quantity}.adult": n for quantity, n in counts.items()} | {"known.west.juvenile": 4}
    told = [Estimate(quantity, float(n), "animals", scope=LIST_SCOPE) for quantity, n in counts.items()]
    return Answer((*told, Estimate("overcount", 29.3, "percent", scope=LIST_SCOPE)))


def _sums() -> tuple[AloneSum, ...]:
    numbers = {
        Convention.CLIPPED: ((41.2, 29.0, 58.6), (30.1, 18.8, 48.1)),
        Convention.OWN: ((33.0, 22.8, 47.8), (27.5, 16.6, 45.5)),
        Convention.WHOLE: ((62.0, 42.9, 89.6), (56.1, 33.9, 92.8)),
    }
    sums = []
    for convention, values in numbers.items():
        parts = {p: _estimate(f"N.{p}", *v, place=p) for p, v in zip(("west", "east"), values, strict=True)}
        total = parts["west"] + parts["east"]
        sums.append(AloneSum(convention, parts, total, 100 * (total.value / 57.31 - 1)))
    return tuple(sums)


def _health(ledger: Ledger) -> pl.DataFrame:
    rows = [
        (source.party, source.dataset, "camtrap-dp", key, 40, 3391.4, 209.0, "snow 120, theft 89", 812, 33, PERIOD[:10],
         PERIOD[11:], 2)
        for key, source in ledger.sources.items()
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=HEALTH, orient="row")


def _cells(*, local: bool = False) -> pl.DataFrame:
    rows = []
    for i in range(8):
        for j in range(6):
            x, y = (-280 + 80 * i, -150 + 60 * j) if local else (106.55 + 0.133 * i, 47.35 + 0.09 * j)
            parties = ["west"] if i < 3 else ["west", "east"] if i == 3 else ["east"]
            for party in parties:
                seen = (i * 7 + j * 5 + len(party)) % 9
                rows.append(
                    ("fells", "leopard", party, x, y, 60.0 if local else 10_000.0, 40.0 + 9 * i + j, seen, seen)
                )
    return pl.DataFrame(rows, schema=CELLS, orient="row")


def case(*, simulated: bool = True, local: bool = False) -> Assessment:
    """Two parties, one species answered with its joint sheet, one declined."""
    ledger, fit, lists = _ledger()
    sheet_facts = {"excess_pct.own": 5.6, "interval_ratio.west": 1.3, "interval_ratio.east": 1.4}
    answers = {
        "answer": _fit().at(fit),
        "lists": _lists().at(lists),
        "alone.west.clipped": Answer((_estimate("N.west", 41.2, 29.0, 58.6),)).at(fit),
    }
    sheet = JointSheet(answers["lists"], _sums(), answers["answer"], "precision", sheet_facts)
    thin = Refusal("tigers", {"detections": 14, "individuals": 3}, {"detections": 20, "individuals": 5}, INSTEAD)
    programme = _programme(simulated=simulated, local=local)
    results = (
        Result(programme.questions[0], fit, answers, sheet),
        Result(programme.questions[1], lists, {"answer": Answer(refusal=thin)}),
    )
    findings = (
        Finding("unknown-key", {"key": "<b>specie</b>", "nearest": "species", "known": "species"}, NOWHERE, NOTE),
        *(Finding("missing-key", {"key": f"k{i}"}, NOWHERE, Severity.WARNING) for i in range(5)),
    )
    health, cells = _health(ledger), _cells(local=local)
    return Assessment("west", programme, results, ledger, health, cells, findings, {"sharedrange": "0.1.0"})


INSTEAD = ("population.minimum", "population.rates")
NOWHERE, NOTE = Where(file="programme.toml"), Severity.NOTE


class _Page(HTMLParser):
    """What a page says: text with its surroundings, ids, links, attributes that could fetch something."""

    VOID = frozenset({"meta", "br", "link", "img", "input", "hr"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.stack: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, bool, bool]] = []  # text, is a data fact, is linked to a step
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.fetched: list[str] = []
        self.estimates: list[bool] = []  # for each cell with digits: whether it links
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if "id" in given:
            self.ids.append(str(given["id"]))
        if tag == "a":
            self.targets.append(str(given.get("href")))
        elif tag in {"script", "link", "img", "iframe", "object"} or "src" in given:
            self.fetched.append(tag)
        if tag not in self.VOID:
            self.stack.append((tag, given))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.stack.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and not any(tag in {"style"} for tag, _ in self.stack):
            is_fact = any(given.get("translate") == "no" for _, given in self.stack)
            linked = any(tag == "a" and "n" in str(given.get("class")).split() for tag, given in self.stack)
            self.texts.append((data, is_fact, linked))
            if any(tag == "td" and "estimate" in str(given.get("class")) for tag, given in self.stack):
                self.estimates += [linked] if re.search(r"\d", data) else []


@pytest.fixture(scope="module")
def html() -> str:
    return render(case(), load("en"))


@pytest.fixture(scope="module")
def page(html: str) -> _Page:
    return _Page(html)


# ---- every number has a way back ------------------------------------------------------------------------------


def test_every_number_of_the_estimates_is_a_link_to_a_step_that_the_page_explains(page: _Page) -> None:
    assert len(page.estimates) > 40
    assert all(page.estimates)
    inner = {target[1:] for target in page.targets if target.startswith("#")}
    assert inner <= set(page.ids)


def test_every_link_stays_on_the_page_and_nothing_is_fetched(html: str, page: _Page) -> None:
    assert all(target.startswith("#") for target in page.targets)
    assert page.fetched == []
    assert "url(http" not in html
    assert "@import" not in html


def test_no_id_is_given_twice(page: _Page) -> None:
    mine = [i for i in page.ids if not i.startswith("panel-")]
    assert len(mine) == len(set(mine))


def test_a_template_cannot_print_a_bare_number_or_text() -> None:
    env = environment(Printer(Naming(_programme(), load("en")), frozenset()))
    for value in (57, 3.5, "text", Estimate("N", 57, "animals"), None):
        with pytest.raises(TypeError, match="past the printer"):
            env.from_string("{{ value }}").render(value=value)
    assert env.from_string("{{ value }}").render(value=Markup("fine")) == "fine"


def test_a_number_without_a_step_in_the_ledger_is_a_defect_not_a_dead_link() -> None:
    assessment = case()
    stray = replace(
        assessment.results[0], answers={"answer": Answer((_estimate("N", 5, 4, 6),)).at("nowhere")}, sheet=None
    )
    with pytest.raises(KeyError, match="not in the ledger"):
        render(replace(assessment, results=(stray,)), load("en"))


def test_numbers_in_the_figure_are_links_too(html: str) -> None:
    figure = html[html.index('<figure class="sheet">') : html.index("</figure>")]
    linked = re.sub(r'<a href="#step-[0-9a-f]{16}".*?</a>', "", figure, flags=re.S)
    texts = re.findall(r"<text[^>]*>(.*?)</text>", linked)
    assert [t for t in texts if re.search(r"\(\d", t)] == []


# ---- words ----------------------------------------------------------------------------------------------------


def test_no_sentence_is_written_outside_the_catalogue() -> None:
    register = {"events": pl.DataFrame({"date": ["2004"], "what": ["First meeting"], "source": ["slides"]})}
    page = _Page(render(case(), load("qps"), register))
    depth, stray = 0, []
    for text, is_fact, _ in page.texts:
        outside = ""
        for character in text:
            depth += {"⟦": 1, "⟧": -1}.get(character, 0)
            outside += "" if depth or character == "⟧" else character
        stray += [text] if re.search(r"[^\W\d_]", outside) and not is_fact else []
    assert stray == []
    assert len(page.texts) > 200


def test_names_and_facts_from_outside_are_escaped(html: str) -> None:
    assert "<b>specie</b>" not in html
    assert "&lt;b&gt;specie&lt;/b&gt;" in html


def test_the_page_says_who_stands_behind_it_and_what_its_boundaries_mean(html: str) -> None:
    assert load("en")("report.independence") in html
    assert html.count(load("en")("report.disclaimer")) == 2  # at the head, and under the map


# ---- simulated ------------------------------------------------------------------------------------------------


def test_simulated_stands_on_every_caption_figure_page_and_file_name(html: str, tmp_path: Path) -> None:
    captions = re.findall(r"<(?:caption|figcaption)>(.*?)</(?:caption|figcaption)>", html, flags=re.S)
    assert len(captions) >= 8
    assert all("SIMULATED" in caption for caption in captions)
    figures = re.findall(r"<svg.*?</svg>", html, flags=re.S)
    assert all("SIMULATED" in f for f in figures if 'class="strip"' not in f)
    assert re.search(r'@top-left \{ content: "SIMULATED', html)
    assert write_report(case(), load("en"), tmp_path).name == "report-SIMULATED.html"
    assert all("SIMULATED" in file.name for file in tmp_path.rglob("*") if file.is_file())


def test_real_data_are_not_called_simulated() -> None:
    assert "SIMULATED" not in render(case(simulated=False), load("en"))
    assert report_name(_programme(simulated=False)) == "report.html"


# ---- what it says ---------------------------------------------------------------------------------------------


def test_the_answer_comes_first_with_its_interval(page: _Page) -> None:
    words = re.sub(r"[ \n]+", " ", "".join(text for text, _, _ in page.texts))
    assert (
        "Leopard: about 57 adults (95\u202f% interval 46–71) have their activity centre in Westfell and Eastfell."
        in words
    )
    assert words.index("about 57") < words.index("Lists:")


def test_a_declined_question_says_what_there_is_what_is_needed_and_what_else_can_be_said(html: str) -> None:
    declined = html[html.index('id="question-tigers"') :]
    assert load("en")("report.refusal.title") in declined
    assert load("en")("report.instead.population.rates") in declined
    assert ">14</a>" in declined


def _refused(*, decided: bool = True) -> Result:
    """The tigers declined, with the lists and the rates that stand beside."""
    result, (_, _, lists) = case().results[1], _ledger()
    findings = () if decided else (Finding("nothing-shared", {"parties": "east, west"}, severity=Severity.WARNING),)
    told = replace(_lists().at(lists), findings=findings)
    rates = Answer((_rate("rate.east", 0.82, 0.4, 1.6), _rate("rate.west", 1.79, 1.2, 2.7)), findings=(UNLIKE,))
    return replace(result, answers={**result.answers, "lists": told, "rates": rates.at(lists)}, sheet=JointSheet(told))


def _rate(quantity: str, value: float, low: float, high: float) -> Estimate:
    return _estimate(quantity, value, low, high, "per_100_station_days")


UNLIKE = Finding("unlike-cameras", {"cameras": "east: paired; west: single"}, severity=Severity.WARNING)


def _text(html: str) -> str:
    return re.sub(r"[ \n]+", " ", "".join(text for text, _, _ in _Page(html).texts))


def test_where_a_number_is_refused_the_least_and_the_rates_are_said_at_once() -> None:
    text = _text(render(replace(case(), results=(_refused(),)), load("en")))
    found, section = text[text.index("What we found") :].split("Question tigers")
    for sentence in (
        "no number of animals is estimated",
        "Panthera tigris: at least 41 adults are known by their marks in Westfell and Eastfell, each counted once.",
        "Westfell Park (invented): 1.8 (95\u202f% interval 1.2–2.7) independent detections per 100 station-days.",
    ):
        assert sentence in found
    instead = section.split("At least needed")[1].split("Alone and together")[0]
    assert load("en")("report.instead") in instead
    assert "Detection rate: Westfell Park (invented)1.81.2–2.7" in instead
    assert "Known together, each counted once41" in instead


def test_rates_beside_a_number_that_was_given_are_data_and_not_text() -> None:
    assessment = case()
    given = assessment.results[0]
    answers = {**given.answers, "rates": _refused().answers["rates"]}
    beside = replace(assessment, results=(replace(given, answers=answers),))
    html = render(beside, load("en"))
    assert "per 100 station-days" not in html
    assert UNLIKE not in beside.all_findings
    assert set(answers_table(beside).filter(answer="rates")["quantity"]) == {"rate.east", "rate.west"}


def test_a_population_over_sessions_is_said_to_be_their_mean() -> None:
    assessment = case()
    result = assessment.results[0]
    question = replace(result.question, start=None, end=None, sessions=("2005", "2006"))
    text = _text(render(replace(assessment, results=(replace(result, question=question),)), load("en")))
    assert "about 57 adults (95\u202f% interval 46–71)" in text
    assert "as the mean of 2 sessions" in text


def test_before_a_decision_the_lists_are_not_said_to_share_nobody() -> None:
    assessment, undecided = case(), _refused(decided=False)
    sheet = assessment.results[0].sheet
    assert sheet is not None
    open_lists = replace(sheet, lists=undecided.answers["lists"])
    html = render(replace(assessment, results=(replace(assessment.results[0], sheet=open_lists),)), load("en"))
    assert "no decision between the catalogues has been recorded" in html


def test_a_question_about_rates_names_no_life_stage() -> None:
    naming, question = Naming(_programme(), load("en")), _question("boars", "leopard")
    assert naming.about(question).startswith("Leopard, adults, 2026-02-01")
    assert naming.about(replace(question, engine="population.rates")).startswith("Leopard, 2026-02-01")


def test_dense_animals_are_told_per_hectare_and_stay_as_they_are_in_the_data() -> None:
    assessment = case()
    dense = Answer((_estimate("D", 9421.1, 7331.0, 12107.0, "per_100km2"),)).at(assessment.results[0].step)
    birds = replace(assessment, results=(replace(assessment.results[0], answers={"answer": dense}, sheet=None),))
    assert ">0.942</a>" in render(birds, load("en"))
    assert "per hectare" in render(birds, load("en"))
    assert answers_table(birds)["unit"].to_list() == ["per_100km2"]


def test_each_party_has_its_own_part_of_the_lists_and_nobody_its_id() -> None:
    table = list_table(_lists(), _programme())
    assert [group.party for group in table.groups] == ["west", "east", ""]
    assert [row.whole.quantity for row in table.groups[2].rows][:2] == ["shared", "minimum_number"]
    html = render(replace(case(), findings=(UNLIKE,)), load("en"))
    assert "Eastfell Park (invented): paired; Westfell Park (invented): single" in html


def test_findings_alike_are_printed_a_few_times_and_counted(html: str) -> None:
    assert html.count(load("en")("finding.missing-key.fact", key="k0").split('"')[0].strip()) >= 1
    assert load("en")("report.findings.more", count=2) in html


def test_a_local_frame_is_drawn_on_a_grid_without_an_earth() -> None:
    html = render(case(local=True, simulated=False), load("en"))
    assert "° N" not in html
    assert re.search(r">\d+ m</text>", html)


def test_effort_is_drawn_once_where_all_species_share_it() -> None:
    both = pl.concat([_cells(), _cells().with_columns(species=pl.lit("tiger"), detections=pl.lit(1, pl.Int64))])
    drawn = render(replace(case(), cells=both), load("en"))
    assert drawn.count(">Effort (days") == 1
    assert drawn.count(">Detections: ") == 2
    unlike = both.with_columns(pl.when(species="tiger").then(pl.col("run_days") + 1).otherwise("run_days"))
    assert render(replace(case(), cells=unlike), load("en")).count(">Effort (days") == 2


def test_real_cells_are_shown_in_their_region_and_invented_ones_are_not() -> None:
    overview = load("en")("report.map.overview")
    assert overview in render(case(simulated=False), load("en"))
    assert overview not in render(case(), load("en"))
    assert overview not in render(case(simulated=False, local=True), load("en"))
    away = _cells().with_columns(pl.col("x") - 100)
    assert overview not in render(replace(case(simulated=False), cells=away), load("en"))


def test_maps_of_simulated_data_show_no_real_boundary_and_real_ones_do() -> None:
    dashed = 'stroke-dasharray="5 3"'
    on_a_border = _cells().with_columns(pl.col("x") + 11, pl.col("y") - 1)
    assert dashed not in render(replace(case(), cells=on_a_border), load("en"))
    assert dashed in render(replace(case(simulated=False), cells=on_a_border), load("en"))


def test_a_party_keeps_its_colour_and_no_two_with_a_side_share_one() -> None:
    programme = _programme()
    secretariat = replace(programme, parties=(Party("office", "Office"), *programme.parties))
    assert colours(programme)["west"] == colours(secretariat)["west"]
    assert len(set(colours(secretariat).values())) == 3


def test_a_programme_without_questions_is_printed_as_its_register() -> None:
    empty = replace(
        case(), results=(), health=pl.DataFrame(schema=HEALTH), cells=pl.DataFrame(schema=CELLS), ledger=Ledger()
    )
    register = {"events": pl.DataFrame({"date": ["2004"], "what": ["First meeting"], "source": ["slides"]})}
    html = render(empty, load("en"), register)
    assert "First meeting" in html
    assert load("en")("report.found") not in html


def test_a_sum_with_a_missing_side_is_left_empty() -> None:
    assessment = case()
    result = assessment.results[0]
    assert result.sheet is not None
    first = result.sheet.sums[0]
    one_sided = AloneSum(first.convention, {"west": first.parts["west"]}, None, None)
    sheet = replace(result.sheet, sums=(one_sided,), bought="answer")
    answers = {**result.answers, "alone.east.clipped": Answer(refusal=Refusal("leopards", {}, {}))}
    html = render(replace(assessment, results=(replace(result, sheet=sheet, answers=answers),)), load("en"))
    assert load("en")("report.sheet.refused", party="Eastfell Park (invented)") in html
    assert load("en")("report.bought.answer") in html


def test_lists_and_estimates_have_separate_axes() -> None:
    result = case().results[0]
    look = Look(Naming(_programme(), load("en")), result.step)
    assert result.sheet is not None
    drawn = joint_sheet(result.sheet, look, "sheet")
    without = joint_sheet(replace(result.sheet, sums=(), joint=None), look, "sheet")
    bars = re.findall(r'<rect [^>]*height="12"[^>]*>', drawn)
    assert bars == re.findall(r'<rect [^>]*height="12"[^>]*>', without)
    assert len(bars) == 6  # known, known, shared, minimum, and the sum in two parts


# ---- the same bytes -------------------------------------------------------------------------------------------


def test_the_same_assessment_gives_the_same_bytes(html: str, tmp_path: Path) -> None:
    assert render(case(), load("en")) == html
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_report(case(), load("en"), tmp_path / name)
        files = sorted(f for f in (tmp_path / name).rglob("*") if f.is_file())
        written.append({str(f.relative_to(tmp_path / name)): f.read_bytes() for f in files})
    assert written[0] == written[1]
    assert len(written[0]) == 12


def test_report_data_do_not_tell_whose_node_it_was() -> None:
    mine = case()
    ledger = replace(mine.ledger, sources={k: replace(s, path="received/x") for k, s in mine.ledger.sources.items()})
    theirs = replace(mine, node_party="east", ledger=ledger)
    assert report_data(mine) == report_data(theirs)
    data = json.loads(report_data(mine))
    assert data["results"][0]["answers"]["answer"]["estimates"][0]["value"] == 57.31


# ---- data products --------------------------------------------------------------------------------------------


def test_answers_hold_every_estimate_with_its_scope_and_id() -> None:
    table = answers_table(case())
    assert table.height == 15 + 12 + 1 + 7
    first = table.row(0, named=True)
    assert first["quantity"] == "N"
    assert first["kind"] == "estimated"
    assert first["id"] == f"{first['step']}/N"
    assert set(table["kind"]) == {"estimated", LISTED}


@pytest.mark.parametrize(
    ("assessment", "density"),
    [(case(), True), (case(simulated=False, local=True), True), (case(simulated=False), False)],
    ids=["simulated", "local frame", "real place"],
)
def test_no_position_leaves_that_tells_where_cameras_stand(
    assessment: Assessment, density: bool, tmp_path: Path
) -> None:
    write_products(assessment, tmp_path)
    names = {f.name.split("-SIMULATED")[0].removesuffix(".csv").removesuffix(".parquet") for f in _files(tmp_path)}
    assert names == {"leopards.answer.fit", "leopards.answer.tests"} | ({DENSITY} if density else set())
    tables = json.loads(report_data(assessment))["results"][0]["answers"]["answer"]["tables"]
    assert ("sha256" in tables["density"]) == density
    assert "sha256" not in tables["centres"]


DENSITY = "leopards.answer.density"


def _files(folder: Path) -> list[Path]:
    return list((folder / "tables").iterdir())


def test_a_cell_is_never_a_formula_and_a_number_stays_one() -> None:
    table = pl.DataFrame({"who": ["=1+1", "+x", "-x", "@x", "\tx", "\rx", "'x", "M1", None], "n": [-1.5] * 9})
    cells = pl.read_csv(csv_bytes(table))
    assert cells["who"].to_list()[:2] == ["'=1+1", "'+x"]
    assert all(str(who)[0] in "'M" for who in cells["who"].drop_nulls())
    assert cells["n"].to_list() == [-1.5] * 9


def test_lists_in_cells_are_joined() -> None:
    assert csv_bytes(pl.DataFrame({"parties": [["=a", "b"]]})) == b"parties\n'=a | b\n"


def test_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    write_products(case(), tmp_path)
    from_csv = pl.read_csv(tmp_path / "answers-SIMULATED.csv")
    from_parquet = pl.read_parquet(tmp_path / "answers-SIMULATED.parquet")
    assert from_csv["value"].to_list() == from_parquet["value"].to_list()
    assert set(from_parquet["simulated"]) == {"SIMULATED"}
