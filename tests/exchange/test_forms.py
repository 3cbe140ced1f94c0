"""The joint forms: whole in six languages, readable by others' tools, and pointing at columns that exist."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from pyxform.xls2xform import convert

from sharedrange.core.contents import COUNT_METHODS
from sharedrange.core.errors import InputError
from sharedrange.core.survey import GAP_REASONS, LIFE_STAGES
from sharedrange.exchange import forms
from sharedrange.exchange.forms.joint import CHOICES, FIELDS, XY, joint_words
from sharedrange.exchange.targets import EFFORT_UNITS, EXACTNESS, FLAGS, SIGNS, TARGETS
from sharedrange.exchange.threats import THREATS

SPECIES = {  # as the programme's list of names has them; the Russian name of one crane is the Chinese of another
    "panthera_uncia": {"mn": "цоохор ирвэс", "ru": "снежный барс"},
    "platalea_minor": {"ru": "малая колпица", "zh-Hans": "黑脸琵鹭"},
    "grus_monacha": {"ru": "чёрный журавль", "zh-Hans": "白头鹤"},
    "antigone_vipio": {"ru": "даурский журавль", "zh-Hans": "白枕鹤"},
}


@pytest.mark.parametrize("form", forms.FORMS)
def test_pyxform_makes_an_xform_of_it_without_a_warning(form: str, tmp_path: Path) -> None:
    path = tmp_path / f"{form}.xlsx"
    forms.write_xlsform(form, path)
    warnings: list[str] = []
    made = convert(str(path), warnings=warnings)
    assert (made.warnings, warnings) == ([], [])
    assert f'id="{form}"' in made.xform
    assert all(f'lang="{name}"' in made.xform for name in forms.LANGUAGES.values())


@pytest.mark.parametrize("form", forms.FORMS)
def test_every_question_and_choice_has_words_in_every_language(form: str) -> None:
    asked = forms.form_table(form).filter(~pl.col("type").is_in(["calculate", "end_repeat"]))
    for table in (asked, forms.choice_table(form)):
        assert table.height > 0
        assert table.select(pl.col(*forms.LANGUAGES).null_count()).row(0) == (0,) * len(forms.LANGUAGES)
    assert all(forms.title(form).values())


def test_the_forms_of_the_words_are_the_forms_there_are() -> None:
    assert tuple(joint_words().filter(type="form")["form"]) == forms.FORMS


@pytest.mark.parametrize("form", forms.FORMS)
def test_tables_of_a_form_have_the_columns_they_promise(form: str) -> None:
    assert forms.form_table(form).schema == FIELDS
    assert forms.choice_table(form).schema == CHOICES


@pytest.mark.parametrize("form", forms.FORMS)
def test_every_target_is_a_column_that_exists(form: str) -> None:
    for field, (table, column) in forms.targets(form).items():
        columns = {"x", "y"} if column == XY else {column}
        assert columns <= set(TARGETS[table].schema), field


@pytest.mark.parametrize("form", forms.FORMS)
def test_no_field_is_asked_twice(form: str) -> None:
    rows = forms.form_table(form).filter(pl.col("type") != "end_repeat")
    assert rows["name"].is_unique().all()


def test_fields_of_a_repeat_know_their_repeat() -> None:
    within = dict(forms.form_table("sharedrange-camera-visit").select("name", "repeat").iter_rows())
    assert (within["gap_start"], within["station"], within["photo"]) == ("gap", None, None)


@pytest.mark.parametrize("form", forms.FORMS)
def test_every_list_of_choices_exists(form: str) -> None:
    wanted = set(forms.form_table(form)["choices"].drop_nulls())
    assert wanted == set(forms.choice_table(form)["choices"])
    assert forms.choice_table(form).select(pl.struct("choices", "name").is_unique().all()).item()


def test_no_word_belongs_to_no_form() -> None:
    used = {name for form in forms.FORMS for name in forms.choice_table(form)["choices"]}
    assert set(joint_words().filter(type="choice")["choices"]) == used


WORDS = {
    "gap_reason": set(GAP_REASONS),
    "exactness": set(EXACTNESS),
    "life_stage": set(LIFE_STAGES),
    "sign": set(SIGNS),
}


@pytest.mark.parametrize("field", WORDS)
def test_choices_are_the_words_of_the_column_they_fill(field: str) -> None:
    for form in forms.FORMS:
        chosen = forms.values(form).get(field)
        if chosen is not None:
            assert set(chosen.values()) == WORDS[field]


def test_methods_units_and_flags_are_words_of_their_columns() -> None:
    transect = forms.values("sharedrange-sign-transect")
    assert set(transect["method"].values()) <= set(COUNT_METHODS)
    assert set(transect["complete"]) <= {"true", "false", *FLAGS}
    units = [
        row["value"].strip("'")
        for form in forms.FORMS
        for row in forms.form_table(form).filter(name="effort_unit").to_dicts()
    ]
    assert units
    assert set(units) <= set(EFFORT_UNITS)


def test_threats_are_kinds_of_threat() -> None:
    assert set(forms.values("sharedrange-expedition-log")["threat"].values()) <= set(THREATS)


def test_the_share_that_could_be_seen_is_a_share() -> None:
    shares = [float(share or "nan") for share in forms.values("sharedrange-waterbird-count")["cover"].values()]
    assert all(0 < share <= 1 for share in shares)


def test_species_go_by_their_scientific_names_and_other_leaves_it_to_be_written() -> None:
    chosen = forms.values("sharedrange-sign-transect")["species"]
    assert chosen["panthera_pardus_orientalis"] == "Panthera pardus orientalis"
    assert chosen["other"] is None
    assert forms.targets("sharedrange-sign-transect")["species_other"] == ("counts", "taxon")


def test_names_that_are_traps_are_the_right_ones() -> None:
    offered = {row["name"]: row for form in forms.FORMS for row in forms.choice_table(form).iter_rows(named=True)}
    for choice, names in SPECIES.items():
        scientific = offered[choice]["value"]
        assert all(offered[choice][code] == f"{name} ({scientific})" for code, name in names.items())


def test_no_form_asks_who_a_person_is() -> None:
    assert not {"name", "username", "phone", "deviceid", "phonenumber", "email"} & set(joint_words()["type"])
    english = " ".join(joint_words()["en"].drop_nulls()).lower()
    assert "phone number" not in english


# --- the workbook ---


def sheet(path: Path, name: str) -> list[tuple[Any, ...]]:
    return list(openpyxl.load_workbook(path)[name].iter_rows(values_only=True))


def test_a_form_says_which_languages_nobody_has_reviewed(tmp_path: Path) -> None:
    form = "sharedrange-conflict-event"
    forms.write_xlsform(form, tmp_path / "form.xlsx")
    header, first, *_ = sheet(tmp_path / "form.xlsx", "survey")
    about = dict(zip(header, first, strict=True))
    assert (about["type"], about["name"]) == ("note", "about")
    assert all("zh-Hans, ja, ko, mn, ru" in str(about[f"label::{name}"]) for name in forms.LANGUAGES.values())
    review = dict(sheet(tmp_path / "form.xlsx", "_review")[1:])
    assert review == {code: "yes" if done else "no" for code, done in forms.reviewed(form).items()}


def test_the_same_words_are_the_same_bytes(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in forms.write_forms(tmp_path)]
    assert [path.read_bytes() for path in forms.write_forms(tmp_path)] == first


def test_a_workbook_does_not_say_when_it_was_written(tmp_path: Path) -> None:
    for path in forms.write_forms(tmp_path):
        with zipfile.ZipFile(path) as archive:
            assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            core = archive.read("docProps/core.xml").decode()
        assert set(re.findall(r"\d{4}-\d{2}-\d{2}T[\d:]+Z", core)) == {"2000-01-01T00:00:00Z"}


def test_versions_of_different_forms_differ(tmp_path: Path) -> None:
    versions = {sheet(path, "settings")[1][2] for path in forms.write_forms(tmp_path)}
    assert len(versions) == len(forms.FORMS)


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    for path in forms.write_forms(tmp_path):
        cells = [cell for page in openpyxl.load_workbook(path) for row in page.iter_rows() for cell in row]
        assert {cell.data_type for cell in cells} <= {"s", "n"}
        assert not [cell for cell in cells if cell.data_type == "n" and cell.value is not None]


def test_an_unknown_form_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown-form") as refused:
        forms.write_xlsform("sharedrange-tea", tmp_path / "tea.xlsx")
    assert "sharedrange-camera-visit" in str(refused.value.findings[0].facts["known"])


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match="not-a-folder"):
        forms.write_forms(tmp_path / "taken")
