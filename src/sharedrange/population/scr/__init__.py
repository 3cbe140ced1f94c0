"""How many animals live here, each counted once, from who was caught where? (spatial capture-recapture)

What asks further questions of a fit (model tables, profiles, bootstraps, goodness of fit, the bias that a mask leaves)
is loaded when it is first used, so that a plain estimate starts quickly.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sharedrange.population.scr.conditional import DerivedDensity, derived_density
from sharedrange.population.scr.engine import ENGINE
from sharedrange.population.scr.fitting import Fit, Problem, fit, fit_sessions, prepare_sessions, refit
from sharedrange.population.scr.model import Covariates, Model
from sharedrange.population.scr.settings import ScrInputs, ScrSettings
from sharedrange.population.scr.splits import split_model

if TYPE_CHECKING:
    from sharedrange.population.scr.areas import EncounterRate, encounter_rate, searched_areas
    from sharedrange.population.scr.bootstrapping import Bootstrap, bootstrap
    from sharedrange.population.scr.buffer import buffer_bias, suggested_buffer_m
    from sharedrange.population.scr.comparing import LikelihoodRatio, average, compare, likelihood_ratio, weights
    from sharedrange.population.scr.goodness import Fitness, fitness
    from sharedrange.population.scr.profile import Interval, profile_interval
    from sharedrange.population.scr.quantity import Quantity, coefficient, quantities
    from sharedrange.population.scr.simulate import simulate_histories

__all__ = [
    "ENGINE",
    "Bootstrap",
    "Covariates",
    "DerivedDensity",
    "EncounterRate",
    "Fit",
    "Fitness",
    "Interval",
    "LikelihoodRatio",
    "Model",
    "Problem",
    "Quantity",
    "ScrInputs",
    "ScrSettings",
    "average",
    "bootstrap",
    "buffer_bias",
    "coefficient",
    "compare",
    "derived_density",
    "encounter_rate",
    "fit",
    "fit_sessions",
    "fitness",
    "likelihood_ratio",
    "prepare_sessions",
    "profile_interval",
    "quantities",
    "refit",
    "searched_areas",
    "simulate_histories",
    "split_model",
    "suggested_buffer_m",
    "weights",
]

_HOMES = {
    "areas": ("EncounterRate", "encounter_rate", "searched_areas"),
    "bootstrapping": ("Bootstrap", "bootstrap"),
    "buffer": ("buffer_bias", "suggested_buffer_m"),
    "comparing": ("LikelihoodRatio", "average", "compare", "likelihood_ratio", "weights"),
    "goodness": ("Fitness", "fitness"),
    "profile": ("Interval", "profile_interval"),
    "quantity": ("Quantity", "coefficient", "quantities"),
    "simulate": ("simulate_histories",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
