"""How many animals were there, from who was caught when, without places? Closed capture-recapture and its ghosts."""

from sharedrange.population.closed.captures import Captures, from_frequencies, from_history, from_matrix
from sharedrange.population.closed.checks import Test, behaviour, closure, goodness_of_fit
from sharedrange.population.closed.comparing import Average, average, bound, coherent, compare, weights
from sharedrange.population.closed.engine import ENGINE
from sharedrange.population.closed.ghosts import Splitting, WithoutGhosts, inflation, singletons_test, without_ghosts
from sharedrange.population.closed.intervals import Interval, exact, lognormal, profile
from sharedrange.population.closed.models import MODELS, Fit, Model, fit
from sharedrange.population.closed.settings import ClosedInputs, ClosedSettings

__all__ = [
    "ENGINE",
    "MODELS",
    "Average",
    "Captures",
    "ClosedInputs",
    "ClosedSettings",
    "Fit",
    "Interval",
    "Model",
    "Splitting",
    "Test",
    "WithoutGhosts",
    "average",
    "behaviour",
    "bound",
    "closure",
    "coherent",
    "compare",
    "exact",
    "fit",
    "from_frequencies",
    "from_history",
    "from_matrix",
    "goodness_of_fit",
    "inflation",
    "lognormal",
    "profile",
    "singletons_test",
    "weights",
    "without_ghosts",
]
