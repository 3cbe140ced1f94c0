"""The joint words of the forms (forms.csv), and where each answer goes.

forms.csv has one row a form, field, choice or sentence, with its label in six languages and the languages in which a
native speaker has reviewed it. A field's `target` is the column that its answer fills, ``visits.start``; the column
``xy`` stands for `x` and `y` (and `uncertainty_m`, where the table has it) of one position.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from types import MappingProxyType

import polars as pl

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding
from sharedrange.exchange.opening import shown

LANGUAGES: Mapping[str, str] = MappingProxyType(
    # Our code -> the language as an XLSForm names it; pyxform knows the codes of the IANA registry without a script.
    {
        "en": "English (en)",
        "zh-Hans": "简体中文 (zh)",
        "ja": "日本語 (ja)",
        "ko": "한국어 (ko)",
        "mn": "Монгол (mn)",
        "ru": "Русский (ru)",
    }
)
FORMS = (
    "sharedrange-camera-visit",
    "sharedrange-sign-transect",
    "sharedrange-waterbird-count",
    "sharedrange-conflict-event",
    "sharedrange-expedition-log",
)
XY = "xy"  # the column of a target that is a whole position
FIELDS = pl.Schema(
    {
        # One row a question or calculation of a form, in the order of the form; also the bounds of repeats.
        "name": pl.String(),
        "type": pl.String(),  # as XLSForm calls it; select_one without its list
        "required": pl.Boolean(),
        "choices": pl.String(),  # list of choices; null where any answer is allowed
        "repeat": pl.String(),  # repeat that the field stands in; null at the top of the form
        "table": pl.String(),  # where the answer goes; null where no table has a column for it
        "column": pl.String(),
        "relevant": pl.String(),  # XPath: when the question is asked
        "constraint": pl.String(),  # XPath: which answers are allowed
        "value": pl.String(),  # what is calculated
        **dict.fromkeys(LANGUAGES, pl.String()),
    }
)
CHOICES = pl.Schema(
    {
        "choices": pl.String(),
        "name": pl.String(),  # as an answer says it
        "value": pl.String(),  # what the target's column holds; null: another field says it, or nobody knows
        **dict.fromkeys(LANGUAGES, pl.String()),
    }
)
_NOT_FIELDS = ("form", "choice", "sentence")


@lru_cache(maxsize=1)
def joint_words() -> pl.DataFrame:
    """forms.csv as text; empty cells are null."""
    content = (resources.files("sharedrange.exchange.forms") / "forms.csv").read_bytes()
    return pl.read_csv(io.BytesIO(content), infer_schema=False)


def form_table(form: str) -> pl.DataFrame:
    """The fields of a form, with the columns of `FIELDS`.

    Raises InputError if there is no such form.

    Examples
    --------
    >>> form_table("sharedrange-waterbird-count").filter(name="count").row(0)[:7]
    ('count', 'integer', True, None, 'bird', 'counts', 'count')
    """
    if form not in FORMS:
        raise InputError([Finding("unknown-form", {"form": shown(form), "known": ", ".join(FORMS)})])
    rows = joint_words().filter(pl.col("form") == form, ~pl.col("type").is_in(_NOT_FIELDS))
    table, _, column = (pl.col("target").str.split_exact(".", 1).struct.field(f"field_{n}") for n in (0, 0, 1))
    opened = (
        pl.when(pl.col("type") == "begin_repeat").then("name").when(pl.col("type") == "end_repeat").then(pl.lit(""))
    )
    within = opened.forward_fill()
    return rows.select(
        pl.col("name", "type"),
        (pl.col("required").fill_null("") == "yes").alias("required"),
        pl.col("choices"),
        pl.when(within != "", ~pl.col("type").is_in(["begin_repeat"])).then(within).alias("repeat"),
        table.alias("table"),
        column.alias("column"),
        pl.col("relevant", "constraint", "value", *LANGUAGES),
    )


def choice_table(form: str) -> pl.DataFrame:
    """The choices that a form offers, with the columns of `CHOICES`. Raises InputError if there is no such form."""
    lists = form_table(form)["choices"].drop_nulls().unique().to_list()
    rows = joint_words().filter(pl.col("type") == "choice", pl.col("choices").is_in(lists))
    return rows.select(CHOICES.names())


def targets(form: str) -> Mapping[str, tuple[str, str]]:
    """Field -> (table, column) that its answer fills, for the fields that fill one.

    Tables are those of `core.survey` and `core.contents` in lower case. Column `XY` is a position. Two fields may have
    one target: what is answered fills it, as `species_other` is asked only where `species` is ``other``. Fields of
    ``patrol_observations.attributes`` are keys of its JSON. Raises InputError if there is no such form.

    Examples
    --------
    >>> targets("sharedrange-sign-transect")["length_km"]
    ('visits', 'effort')
    """
    rows = form_table(form).filter(pl.col("table").is_not_null())
    return {name: (table, column) for name, table, column in rows.select("name", "table", "column").iter_rows()}


def values(form: str) -> Mapping[str, Mapping[str, str | None]]:
    """Field -> choice as answered -> what the target's column holds, for the fields with choices.

    None is no value: the choice ``other`` of a species leaves it to `species_other`. Raises InputError if there is no
    such form.

    Examples
    --------
    >>> values("sharedrange-waterbird-count")["species"]["grus_monacha"]
    'Grus monacha'
    """
    offered: dict[str, dict[str, str | None]] = {}
    for choices, name, value in choice_table(form).select("choices", "name", "value").iter_rows():
        offered.setdefault(choices, {})[name] = value
    fields = form_table(form).filter(pl.col("choices").is_not_null())
    return {name: offered[choices] for name, choices in fields.select("name", "choices").iter_rows()}


def title(form: str) -> Mapping[str, str]:
    """Language -> title of a form. Raises InputError if there is no such form."""
    form_table(form)
    return joint_words().filter(form=form, type="form").select(*LANGUAGES).row(0, named=True)


def reviewed(form: str) -> Mapping[str, bool]:
    """Language -> whether a native speaker has reviewed every word of the form. English is the language written in."""
    lists = form_table(form)["choices"].drop_nulls().unique().to_list()
    words = joint_words().filter((pl.col("form") == form) | pl.col("choices").is_in(lists) & pl.col("form").is_null())
    labelled = words.filter(pl.col("en").is_not_null())["reviewed"].fill_null("")
    return {code: code == "en" or all(code in done.split() for done in labelled) for code in LANGUAGES}


def sentence(name: str) -> Mapping[str, str]:
    """Language -> one of the sentences that forms share."""
    return joint_words().filter(name=name, type="sentence").select(*LANGUAGES).row(0, named=True)
