"""How many animals live here, each counted once, from who was caught where? (spatial capture-recapture)"""

from sharedrange.population.scr.conditional import DerivedDensity, derived_density
from sharedrange.population.scr.engine import ENGINE
from sharedrange.population.scr.fitting import Fit, Problem, fit, fit_sessions, prepare_sessions, refit
from sharedrange.population.scr.model import Covariates, Model
from sharedrange.population.scr.settings import ScrInputs, ScrSettings
from sharedrange.population.scr.splits import split_model

__all__ = [
    "ENGINE",
    "Covariates",
    "DerivedDensity",
    "Fit",
    "Model",
    "Problem",
    "ScrInputs",
    "ScrSettings",
    "derived_density",
    "fit",
    "fit_sessions",
    "prepare_sessions",
    "refit",
    "split_model",
]
