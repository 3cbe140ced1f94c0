"""Is the number growing? Log-linear models of counts at sites over the years (TRIM), on plain tables."""

from sharedrange.population.trend.engine import ENGINE
from sharedrange.population.trend.fitting import TrendFit, fit
from sharedrange.population.trend.model import TrendModel
from sharedrange.population.trend.series import Series, Slope, Trend, index_series, overall_slope
from sharedrange.population.trend.settings import TrendInputs, TrendSettings
from sharedrange.population.trend.yearly import yearly_counts

__all__ = [
    "ENGINE",
    "Series",
    "Slope",
    "Trend",
    "TrendFit",
    "TrendInputs",
    "TrendModel",
    "TrendSettings",
    "fit",
    "index_series",
    "overall_slope",
    "yearly_counts",
]
