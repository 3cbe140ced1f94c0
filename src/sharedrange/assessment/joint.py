"""Alone against together: what each party would have said by itself, and what sharing bought.

Lists (animals that were photographed and named) and estimates (animals that live there) are kept apart: an
overcount of lists is not the bias of estimates.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from sharedrange.assessment.results import AloneSum, Convention, JointSheet, last_year
from sharedrange.core.answer import Answer, Estimate
from sharedrange.population.crossed import FROM_CROSSINGS

BIAS_PCT = 10.0  # a sum this far from the joint number changes a report's sentence
GAIN = 1.15  # intervals this much wider apart than together are worth an exchange
CLIPPED, CROSSING = "clipped", "crossing"  # the two masks that a party alone may fit on
_MASKS = {Convention.CLIPPED: CLIPPED, Convention.OWN: CROSSING}  # rates are the same whoever is counted


def alone_name(party: str, mask: str) -> str:
    """The name of the answer that a party alone gives on one of the two masks."""
    return f"alone.{party}.{mask}"


def joint_sheet(lists: Answer, joint: Answer, alone: Mapping[str, Answer], parties: tuple[str, ...]) -> JointSheet:
    """The sheet of one question; `alone` by the names of `alone_name`.

    Sums are made only where every party has a number; a party whose data were refused leaves the sum empty.
    Where no animal is known to both sides nothing is said of what sharing bought: most likely nobody has
    compared the catalogues yet. Nor where it was told how many are shared and not which: in the joint fit they are two.
    """
    number = _number((joint, *alone.values()))
    sums = tuple(_sum(convention, alone, parties, joint, number) for convention in Convention) if alone else ()
    facts = _facts(sums, joint, alone, parties, number)
    compared = alone and "shared" in lists and lists["shared"].value > 0 and not _from_crossings(lists)
    bought = _bought(facts, sums, joint, number) if compared else ""
    return JointSheet(lists, sums, joint, bought, facts, number, _survival(alone, parties))


def _from_crossings(lists: Answer) -> bool:
    return any(finding.rule == FROM_CROSSINGS for finding in lists.findings)


def _number(answers: Iterable[Answer]) -> str:
    """The quantity that is compared: ``N``, or where there is a number each year that of the last (``N.2025``)."""
    told = [answer for answer in answers if answer.estimates]
    if not told or "N" in told[0]:
        return "N"
    year = last_year(told[0])
    return f"N.{year}" if year else "N"


def _survival(alone: Mapping[str, Answer], parties: tuple[str, ...]) -> dict[Convention, dict[str, Estimate]]:
    """Annual survival as each party alone estimates it; on a map that ends at the border, crossing is death."""
    told = {}
    for convention, mask in _MASKS.items():
        answers = {party: alone.get(alone_name(party, mask), Answer()) for party in parties}
        told[convention] = {party: _placed(own["phi"], party) for party, own in answers.items() if "phi" in own}
    return {convention: own for convention, own in told.items() if own}


def _sum(
    convention: Convention, alone: Mapping[str, Answer], parties: tuple[str, ...], joint: Answer, number: str
) -> AloneSum:
    parts = {party: part for party in parties if (part := _part(convention, alone, party, number)) is not None}
    if set(parts) != set(parties):
        return AloneSum(convention, parts, None, None)
    total = parts[parties[0]]
    for party in parties[1:]:
        total = total + parts[party]
    excess = 100 * (total.value / joint[number].value - 1) if number in joint else None
    return AloneSum(convention, parts, total, excess)


def _part(convention: Convention, alone: Mapping[str, Answer], party: str, number: str) -> Estimate | None:
    """A party's own number under a convention, placed on its side so that two of them may be added."""
    answer = alone[alone_name(party, CLIPPED if convention is Convention.CLIPPED else CROSSING)]
    quantity = f"{number}.{party}" if convention is Convention.OWN else number
    if quantity not in answer:
        return None
    return _placed(answer[quantity], party)


def _placed(estimate: Estimate, party: str) -> Estimate:
    return replace(estimate, scope=replace(estimate.scope, place=party))


def _facts(
    sums: tuple[AloneSum, ...], joint: Answer, alone: Mapping[str, Answer], parties: tuple[str, ...], number: str
) -> dict[str, float]:
    facts = {f"excess_pct.{s.convention}": s.excess_pct for s in sums if s.excess_pct is not None}
    for party in parties:
        quantity = f"{number}.{party}"
        own = alone.get(alone_name(party, CROSSING), Answer())
        if quantity in own and quantity in joint:
            facts[f"interval_ratio.{party}"] = _log_width(own[quantity]) / _log_width(joint[quantity])
    return facts


def _log_width(estimate: Estimate) -> float:
    """Width of an interval on the log scale: how many times its upper limit is its lower one."""
    low, high = estimate.low, estimate.high
    if low is None or high is None or low <= 0:
        return math.inf
    return math.log(high / low)


def _bought(facts: Mapping[str, float], sums: tuple[AloneSum, ...], joint: Answer, number: str) -> str:
    """What sharing bought: an answer at all, less bias, more precision, both, or little; empty if unknown."""
    if number not in joint:
        return ""
    own = next(s for s in sums if s.convention is Convention.OWN)
    if own.total is None:
        return "answer"
    bias = abs(own.excess_pct or 0.0) >= BIAS_PCT
    ratios = [value for key, value in facts.items() if key.startswith("interval_ratio.")]
    precision = bool(ratios) and sum(ratios) / len(ratios) >= GAIN
    return {(True, True): "both", (True, False): "bias", (False, True): "precision"}.get((bias, precision), "little")
