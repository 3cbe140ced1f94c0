"""Is the number growing: how many survive, arrive and move from year to year? (open spatial capture-recapture)"""

from sharedrange.population.open.engine import ENGINE
from sharedrange.population.open.fitting import OpenFit, fit, profile_interval
from sharedrange.population.open.settings import OpenInputs, OpenSettings
from sharedrange.population.open.simulate import YearsDesign, YearsTruth, of_party, simulate_years

__all__ = [
    "ENGINE",
    "OpenFit",
    "OpenInputs",
    "OpenSettings",
    "YearsDesign",
    "YearsTruth",
    "fit",
    "of_party",
    "profile_interval",
    "simulate_years",
]
