"""What do people in the field write down? The same words in six languages, so that answers need no mapping."""

from sharedrange.exchange.forms.joint import (
    FORMS,
    LANGUAGES,
    choice_table,
    form_table,
    reviewed,
    targets,
    title,
    values,
)
from sharedrange.exchange.forms.xlsform import write_forms, write_xlsform

__all__ = [
    "FORMS",
    "LANGUAGES",
    "choice_table",
    "form_table",
    "reviewed",
    "targets",
    "title",
    "values",
    "write_forms",
    "write_xlsform",
]
