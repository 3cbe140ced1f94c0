"""How many animals, when it is not certain who is who: how much of the interval is doubt about identity?"""

from sharedrange.population.doubt.engine import ENGINE, DoubtInputs, DoubtSettings
from sharedrange.population.doubt.partitions import DoubtfulPair, Doubts
from sharedrange.population.doubt.sources import doubts_of

__all__ = ["ENGINE", "DoubtInputs", "DoubtSettings", "DoubtfulPair", "Doubts", "doubts_of"]
