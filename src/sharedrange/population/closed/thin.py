"""Whether the data can bear a closed model at all; if not, what they can bear."""

from __future__ import annotations

from collections.abc import Mapping

from sharedrange.core.answer import Refusal
from sharedrange.core.finding import Fact
from sharedrange.population.closed.captures import Captures
from sharedrange.population.closed.settings import ClosedSettings

QUESTION = "population.closed"
INSTEAD = ("population.minimum", "population.rates")


def have(captures: Captures) -> Mapping[str, Fact]:
    """The counts that decide."""
    return {"individuals": captures.n, "recaptures": captures.n_recaptures, "occasions": captures.n_occasions}


def need(settings: ClosedSettings) -> Mapping[str, Fact]:
    """The least that is enough.

    Seven recaptures are where the bias of a two-sample estimate is held to be negligible (Robson and Regier 1964,
    Trans. Am. Fish. Soc. 93:215-226); three occasions are the fewest from which unlike animals can be noticed.
    """
    return {
        "individuals": settings.min_individuals,
        "recaptures": settings.min_recaptures,
        "occasions": settings.min_occasions,
    }


def refusal(captures: Captures, settings: ClosedSettings) -> Refusal | None:
    """Why the question is declined for one session, or None."""
    there, least = have(captures), need(settings)
    if all(float(there[k] or 0) >= float(least[k] or 0) for k in least):
        return None
    return Refusal(QUESTION, there, least, INSTEAD)
