"""What can these data bear? A verdict for each question before anything is fitted: yes, with care, or no.

Each verdict stands on counts, each count on a rule, each rule on a source. The least that an engine accepts is that
engine's own setting; nothing here declines what an engine would answer, or the other way round.
"""

from sharedrange.population.defensible.counts import Counts, SurveyFacts, count
from sharedrange.population.defensible.judging import QUESTIONS, Thresholds, judge
from sharedrange.population.defensible.verdicts import JUDGED, Fitness, Judgement, Reason, Verdict

__all__ = [
    "JUDGED",
    "QUESTIONS",
    "Counts",
    "Fitness",
    "Judgement",
    "Reason",
    "SurveyFacts",
    "Thresholds",
    "Verdict",
    "count",
    "judge",
]
