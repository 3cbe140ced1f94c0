"""Where are they, among the places where we looked? Occupancy of sites, found there or not."""

from sharedrange.population.occupancy.comparison import compare
from sharedrange.population.occupancy.derived import occupancy, occupied_sites, site_map
from sharedrange.population.occupancy.engine import ENGINE, OccupancyInputs, OccupancySettings
from sharedrange.population.occupancy.fitness import goodness_of_fit
from sharedrange.population.occupancy.fitting import Fit, fit
from sharedrange.population.occupancy.gathering import Cells, visits_of_surveys, visits_of_transects
from sharedrange.population.occupancy.model import Model
from sharedrange.population.occupancy.visits import SiteVisits, site_visits

__all__ = [
    "ENGINE",
    "Cells",
    "Fit",
    "Model",
    "OccupancyInputs",
    "OccupancySettings",
    "SiteVisits",
    "compare",
    "fit",
    "goodness_of_fit",
    "occupancy",
    "occupied_sites",
    "site_map",
    "site_visits",
    "visits_of_surveys",
    "visits_of_transects",
]
