"""A form as an XLSForm workbook (https://xlsform.org), for ODK, KoboToolbox and others that read it."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from sharedrange.core.errors import InputError
from sharedrange.core.files import write_atomically
from sharedrange.core.finding import Finding, Where
from sharedrange.exchange.forms.joint import FORMS, LANGUAGES, choice_table, form_table, reviewed, sentence, title
from sharedrange.exchange.opening import shown

Row = Sequence[str | None]

_LABELS = tuple(f"label::{name}" for name in LANGUAGES.values())
_SURVEY = ("type", "name", *_LABELS, "required", "relevant", "constraint", "calculation", "parameters")
_CHOICES = ("list_name", "name", *_LABELS)
_SETTINGS = ("form_title", "form_id", "version", "default_language")
_REVIEW = ("language", "reviewed by a native speaker")
_PHOTO = "max-pixels=1600"  # enough to tell a sign by; small enough for a telephone network
_WHEN = datetime(2000, 1, 1)  # noqa: DTZ001  (a workbook holds times without zone; this one says nothing)
_ZIPPED = (1980, 1, 1, 0, 0, 0)  # the earliest that an archive can say
_VERSION_LENGTH = 12


def write_forms(folder: Path) -> tuple[Path, ...]:
    """Write every form into `folder` as ``<form>.xlsx``; their paths. Raises InputError if `folder` is a file."""
    if folder.exists() and not folder.is_dir():
        raise InputError([Finding("not-a-folder", {"path": shown(folder.name)}, Where(file=shown(folder.name)))])
    paths = tuple(folder / f"{form}.xlsx" for form in FORMS)
    for form, path in zip(FORMS, paths, strict=True):
        write_xlsform(form, path)
    return paths


def write_xlsform(form: str, path: Path) -> None:
    """Write a form as an XLSForm workbook, the same bytes each time from the same words.

    The form's version is the hash of its content. A note at its beginning names the languages that no native speaker
    has reviewed; so does the sheet ``_review``, which readers of XLSForms pass over. Raises InputError if there is no
    such form.
    """
    sheets = {"survey": _survey(form), "choices": _choices(form)}
    sheets["settings"] = [_SETTINGS, (title(form)["en"], form, _version(sheets), LANGUAGES["en"])]
    sheets["_review"] = [_REVIEW, *((code, "yes" if done else "no") for code, done in reviewed(form).items())]
    write_atomically(path, _workbook(sheets))


def _survey(form: str) -> list[Row]:
    return [_SURVEY, _about(form), *(_question(field) for field in form_table(form).iter_rows(named=True))]


def _question(field: Mapping[str, Any]) -> Row:
    return (
        f"{field['type']} {field['choices']}" if field["choices"] else field["type"],
        field["name"],
        *(field[code] for code in LANGUAGES),
        "yes" if field["required"] else None,
        field["relevant"],
        field["constraint"],
        field["value"],
        _PHOTO if field["type"] == "image" else None,
    )


def _about(form: str) -> Row:
    """The note that a form begins with: its title, and in which languages nobody has reviewed its words."""
    unreviewed = ", ".join(code for code, done in reviewed(form).items() if not done)
    said = sentence("unreviewed")
    labels = (
        f"{name}. {said[code].format(languages=unreviewed)}" if unreviewed else name
        for code, name in title(form).items()
    )
    return ("note", "about", *labels, None, None, None, None, None)


def _choices(form: str) -> list[Row]:
    offered = choice_table(form).select("choices", "name", *LANGUAGES)
    return [_CHOICES, *offered.iter_rows()]


def _version(sheets: Mapping[str, list[Row]]) -> str:
    """A version that changes when a word of the form does, and never else."""
    return hashlib.sha256(repr(sheets).encode()).hexdigest()[:_VERSION_LENGTH]


def _workbook(sheets: Mapping[str, list[Row]]) -> bytes:
    book = Workbook()
    book.remove(book.worksheets[0])
    book.properties.creator = "sharedrange"
    book.properties.created = _WHEN
    for name, rows in sheets.items():
        _fill(book.create_sheet(name), rows)
    out = io.BytesIO()
    book.save(out)
    return _timeless(out.getvalue())


def _fill(sheet: Worksheet, rows: Iterable[Row]) -> None:
    """Write rows as text: a word that begins with ``=`` must not become a formula."""
    for number, row in enumerate(rows, start=1):
        for column, text in enumerate(row, start=1):
            if text is not None:
                sheet.cell(number, column, text).data_type = "s"
    sheet.freeze_panes = "C2" if sheet.max_column > len(_SETTINGS) else "A2"


def _timeless(content: bytes) -> bytes:
    """The same workbook without the time of writing, which openpyxl puts into the archive and its core properties."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as made, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as kept:
        for name in made.namelist():
            data = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>2000-01-01T00:00:00Z", made.read(name))
            kept.writestr(zipfile.ZipInfo(name, _ZIPPED), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()
