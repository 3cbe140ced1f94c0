"""Words for people: message ids in the code, sentences in a gettext catalogue a language.

Message ids are stable and English is one catalogue among others. A face (terminal, report, portal) holds a
`Words` and asks it for sentences; engines and doors never see one. The catalogues are ``locale/<language>/
LC_MESSAGES/sharedrange.po``; `make words` compiles them. A catalogue that no native speaker has reviewed
says so in its header (``X-Reviewed: no``).
"""

from __future__ import annotations

import gettext
from collections.abc import Callable
from functools import lru_cache
from importlib import resources
from string import Formatter
from typing import Any

from sharedrange.core.finding import Finding

DOMAIN = "sharedrange"
DEFAULT = "en"
PSEUDO = "qps"  # the code that Windows and others use for a pseudo-locale
_ACCENTS = str.maketrans("aceinosuyACEINOSUY", "áçéíñóšúýÁÇÉÍÑÓŠÚÝ")


class Words:
    """The sentences of one language.

    Examples
    --------
    >>> load("en")("unit.animals")
    'animals'
    """

    def __init__(self, language: str, find: Callable[[str], str | None]) -> None:
        self.language = language
        self._find = find

    def __contains__(self, message: str) -> bool:
        return self._find(message) is not None

    def __call__(self, message: str, **facts: object) -> str:
        """The sentence of `message` with `facts` in its places.

        Raises KeyError if the catalogue has no such message: a missing sentence is a defect, not a blank.
        """
        template = self._find(message)
        if template is None:
            raise KeyError(f"no sentence for {message!r} in {self.language}")
        return _fill(template, facts)

    def fact(self, finding: Finding) -> str:
        """What a finding says."""
        return self(f"finding.{finding.rule}.fact", **finding.facts)

    def remedy(self, finding: Finding) -> str:
        """What can be done about it."""
        return self(f"finding.{finding.rule}.remedy", **finding.facts)


def _fill(template: str, facts: dict[str, Any]) -> str:
    return Formatter().vformat(template, (), facts)


@lru_cache(maxsize=16)
def load(language: str = DEFAULT) -> Words:
    """The words of a language (`PSEUDO`: English, marked so that an untranslated text stands out).

    Raises KeyError if there is no such catalogue; `languages()` lists them.
    """
    if language == PSEUDO:
        english = load(DEFAULT)
        return Words(PSEUDO, lambda message: _mark(english._find(message)))
    root = resources.files("sharedrange.core") / "locale"
    try:
        with (root / language / "LC_MESSAGES" / f"{DOMAIN}.mo").open("rb") as stream:
            catalogue = gettext.GNUTranslations(stream)
    except FileNotFoundError:
        raise KeyError(f"no catalogue for {language!r}; there are {', '.join(languages())}") from None
    return Words(language, lambda message: _found(catalogue, message))


def languages() -> tuple[str, ...]:
    """Codes of the languages that have a catalogue."""
    root = resources.files("sharedrange.core") / "locale"
    return tuple(sorted(entry.name for entry in root.iterdir() if entry.is_dir()))


def _found(catalogue: gettext.GNUTranslations, message: str) -> str | None:
    text = catalogue.gettext(message)
    return None if text == message else text


def _mark(template: str | None) -> str | None:
    """English with accents and brackets around it; the places for facts are left alone."""
    if template is None:
        return None
    pieces = []
    for text, place, spec, conversion in Formatter().parse(template):
        pieces.append(text.replace("{", "{{").replace("}", "}}").translate(_ACCENTS))
        if place is not None:
            pieces.append("{" + place + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "") + "}")
    return f"⟦{''.join(pieces)}⟧"
