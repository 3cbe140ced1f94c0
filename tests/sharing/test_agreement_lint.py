"""What is doubtful in an agreement is told before it is signed: by itself, and beside the others of a node."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding, Severity
from sharedrange.sharing.agreement import Agreement, Cameras, lint, lint_beside

TODAY = date(2026, 6, 1)
CODES = ('identity = "pseudonym"', 'identity = "code"')


def cats(kit: Any, *changes: tuple[str, str], more: str = "") -> Agreement:
    text = kit.HEAD + more + kit.CATS
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    made: Agreement = kit.agreement(text)
    return made


def told(found: tuple[Finding, ...]) -> list[str]:
    assert all(finding.severity is Severity.WARNING for finding in found)
    return [finding.rule for finding in found]


def gives(concordance: str, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return ('identity = "pseudonym"', f'identity = "pseudonym"\nconcordance = "{concordance}"'), *more


WITHOUT_ANIMALS = ('encounters = ["individual", "catalogue", "sex", "life_stage", "flank", "encounters"]\n', "")
SUPPRESSED = ("delay_days", "suppress_below = 3\ndelay_days")


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ([], []),
        ([CODES], []),
        ([CODES, ('"catalogue", ', "")], ["rule-code-without-catalogue"]),
        (gives("joint-id"), []),
        (gives("joint-id", ('"individual", ', "")), ["rule-concordance-idle"]),
        (gives("crossings", SUPPRESSED), []),
        (gives("crossings", SUPPRESSED, ('"individual", ', "")), []),
        (gives("crossings"), ["rule-crossings-of-one"]),
        (gives("crossings", SUPPRESSED, WITHOUT_ANIMALS), ["rule-concordance-idle"]),
        ([("cell = 0.1", "cell = 0.1\nleast_area_km2 = 120.0")], []),
        ([("cell = 0.1", "cell = 0.1\nleast_area_km2 = 130.0")], ["agreement-area-larger-than-cell"]),
        ([('"month"', '"week"'), ("= 90", "= 7")], []),
        ([('"month"', '"week"'), ("= 90", "= 6")], ["rule-nearly-live"]),
        ([('"month"', '"month"'), ("= 90", "= 0")], []),
    ],
)
def test_a_rule_that_can_hardly_be_meant_is_told(kit: Any, changes: Any, rules: list[str]) -> None:
    assert told(lint(cats(kit, *changes), TODAY)) == rules


def test_the_strictest_cell_and_area_are_compared_and_not_those_of_one_rule(kit: Any) -> None:
    other = f'\n[[rules]]\nid = "silent"\ntaxa = ["{kit.BOAR}"]\ncell = 0.2\nleast_area_km2 = 400.0\n'
    assert told(lint(kit.agreement(kit.HEAD + kit.CATS + other), TODAY)) == []


def test_an_output_of_taxa_that_stay_is_told(kit: Any) -> None:
    def output(*taxa: str) -> list[str]:
        text = f'\n[[outputs]]\nkind = "density"\ntaxa = [{", ".join(map(repr, taxa))}]\n'
        return told(lint(kit.agreement(kit.HEAD + kit.CATS + text), TODAY))

    assert output(kit.LEOPARD) == output("*") == output() == []
    assert output(kit.LEOPARD, kit.BOAR) == ["output-without-data"]


def test_camera_models_named_and_never_given_are_told(kit: Any) -> None:
    named = '\n[cameras]\nnames = ["Reconyx HC500"]\n'
    assert told(lint(cats(kit, more=named), TODAY)) == []
    assert told(lint(cats(kit, ('"camera_type", ', ""), more=named), TODAY)) == ["cameras-idle"]


# --- beside others ---

EAST = (
    ("urn:agreement:westfell--", "urn:agreement:eastfell--"), ('owner = "westfell"', 'owner = "eastfell"'),
    ('"westfell/data-steward"', '"eastfell/data-steward"'),
)  # fmt: skip
SECOND = ("2026-01", "2026-02")
MODELS = '\n[cameras]\nnames = ["Reconyx HC500"]\n'


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        (EAST, []),
        ((*EAST, ("Asia/Shanghai", "Asia/Vladivostok")), ["agreements-timezones"]),
        ((*EAST, ("cell = 0.1", "cell = 0.05")), []),
        ((*EAST, ("Reconyx", "RECONYX")), ["agreements-cameras"]),
        ((*EAST, ("Reconyx HC500", "Bushnell")), []),
        ((*EAST, ('["secretariat"]', '["north"]'), ("Asia/Shanghai", "Asia/Vladivostok")), []),
        ((*EAST, ("start = 2026-01-01", "start = 2028-01-01"), ("end = 2027", "end = 2029"), ("Asia", "Asia")), []),
        ((SECOND,), []),
        ((SECOND, ("cell = 0.1", "cell = 0.05")), ["agreements-differ"]),
        ((SECOND, ('"pseudonym"', '"none"')), ["agreements-differ"]),
        ((SECOND, ("Panthera pardus orientalis", "Uncia uncia"), ("Panthera tigris altaica", "Lynx lynx")), []),
    ],
)
def test_agreements_that_feed_one_recipient_are_compared(kit: Any, changes: Any, rules: list[str]) -> None:
    one, other = cats(kit, more=MODELS), cats(kit, *changes, more=MODELS)
    assert told(lint_beside(one, [one, other])) == rules
    assert told(lint_beside(other, [one, other])) == rules


def test_unlike_grids_are_told_whatever_they_are_called(kit: Any) -> None:
    one = cats(kit)
    for grid, rules in (('id = "ours"', []), ("sizes = [0.1, 0.3]", ["agreements-grids"])):
        other = cats(kit, *EAST, more=f"\n[grid]\n{grid}\n")
        assert told(lint_beside(one, [other])) == rules


# --- camera models ---


@pytest.mark.parametrize("names", ['[""]', '["  "]', '["a", " A "]', '["C-0123456789abcdef"]', f'["{"m" * 81}"]'])
def test_names_of_camera_models_that_are_none_are_refused(kit: Any, names: str) -> None:
    with pytest.raises(InputError) as raised:
        cats(kit, more=f"\n[cameras]\nnames = {names}\n")
    assert {finding.rule for finding in raised.value.findings} == {"cameras-name"}


def test_an_agreement_that_names_no_cameras_keeps_the_hash_that_was_signed_before_it_could(kit: Any) -> None:
    plain = cats(kit)
    assert plain.hash == cats(kit, more="\n[cameras]\nnames = []\n").hash
    assert plain.hash != cats(kit, more=MODELS).hash
    assert plain.cameras == Cameras()


def test_case_and_spaces_of_a_model_do_not_count() -> None:
    cameras = Cameras(("Reconyx HC500", "ЛОВУШКА 3"))
    assert cameras.named("  reconyx\thc500 ") == "Reconyx HC500"
    assert cameras.named("Ловушка  3") == "ЛОВУШКА 3"
    assert cameras.named("Reconyx HC500 of Ivan") is None
