"""How many animals live here, each counted once, from who was caught where? (spatial capture-recapture)"""

from sharedrange.population.scr.engine import ENGINE
from sharedrange.population.scr.fitting import Fit, fit
from sharedrange.population.scr.model import Model
from sharedrange.population.scr.settings import ScrInputs, ScrSettings

__all__ = ["ENGINE", "Fit", "Model", "ScrInputs", "ScrSettings", "fit"]
