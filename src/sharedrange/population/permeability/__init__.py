"""How many of the animals' ways lead across this border, fence or river? Permeability, measured from captures."""

from sharedrange.population.permeability.barriers import Barrier, way_m
from sharedrange.population.permeability.change import Animals, Change, Power, change, power, simulate_survey
from sharedrange.population.permeability.crossing import CrossingDistance, crossing_distance
from sharedrange.population.permeability.engine import ENGINE
from sharedrange.population.permeability.fit import (
    Permeability,
    estimates,
    fit_permeability,
    is_held,
    permeabilities,
    permeability,
    shared_animals,
)
from sharedrange.population.permeability.settings import PermeabilityInputs, PermeabilitySettings

__all__ = [
    "ENGINE",
    "Animals",
    "Barrier",
    "Change",
    "CrossingDistance",
    "Permeability",
    "PermeabilityInputs",
    "PermeabilitySettings",
    "Power",
    "change",
    "crossing_distance",
    "estimates",
    "fit_permeability",
    "is_held",
    "permeabilities",
    "permeability",
    "power",
    "shared_animals",
    "simulate_survey",
    "way_m",
]
