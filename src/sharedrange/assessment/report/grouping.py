"""Under which heading an estimate is printed, in which order, and what is said where the answer was refused."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sharedrange.assessment.programme import Programme
from sharedrange.assessment.report.numbers import readable
from sharedrange.assessment.results import Result
from sharedrange.core.answer import Answer, Estimate

# First part of a quantity -> the group it is printed in, in the order of printing.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "trend": ("trend", "index", "total"),
    "permeability": ("permeability", "power", "animals_needed"),
    "animals": ("N", "N_at_least", "N_without_ghosts", "N_expected"),
    "change": ("phi", "f", "lambda", "crossings", "sigma_move"),
    "occupancy": ("psi", "occupied", "theta0", "theta1", "p", "c_hat"),
    "use": ("N_use", "resident", "shared"),
    "density": ("D",),
    "area": ("area",),
    "rate": ("rate", "events", "effort"),
    "detection": ("lambda0", "g0", "sigma", "z", "psi_male", "pmix", "p_year"),
    "lists": ("n", "returned", "known", "minimum", "minimum_number", "naive_sum", "overcount", "distinct", "codes",
              "near", "crossed"),
    "finds": ("sites_found", "sites_visited", "naive"),
}  # fmt: skip
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Group:
    """Estimates printed under one heading, ``report.group.<name>``; `names_parties`: they are of several parties."""

    name: str
    estimates: tuple[Estimate, ...]
    names_parties: bool = True


def groups(estimates: Iterable[Estimate], programme: Programme) -> tuple[Group, ...]:
    """Estimates in readable units by group, in the order of GROUPS, what belongs to none last.

    In a group numbers of one kind stand together, those of parties in the programme's order.
    """
    by_group: dict[str, list[Estimate]] = {name: [] for name in (*GROUPS, OTHER)}
    for estimate in by_party(readable(estimates), programme):
        by_group[group_of(estimate)].append(estimate)
    named = {party_of(e, {p.id for p in programme.parties}) for found in by_group.values() for e in found} - {""}
    return tuple(Group(name, _by_kind(name, found), len(named) > 1) for name, found in by_group.items() if found)


def _by_kind(group: str, estimates: list[Estimate]) -> tuple[Estimate, ...]:
    heads = GROUPS.get(group, ())
    rank = {head: i for i, head in enumerate(heads)}
    return tuple(sorted(estimates, key=lambda e: rank.get(_head(e), len(heads))))


def group_of(estimate: Estimate) -> str:
    """The group in which an estimate is printed."""
    head = _head(estimate)
    if estimate.is_count and head == "shared":  # the same word for a list's count and for an estimate
        return "lists"
    return next((name for name, heads in GROUPS.items() if head in heads), OTHER)


def by_party(estimates: Iterable[Estimate], programme: Programme) -> tuple[Estimate, ...]:
    """Estimates in the programme's order of parties; those that name none come first, and none moves among its like."""
    rank = {party.id: i for i, party in enumerate(programme.parties)}
    return tuple(sorted(estimates, key=lambda e: rank.get(party_of(e, rank), -1)))


def party_of(estimate: Estimate, parties: Collection[str]) -> str:
    """The party that a number's quantity names; empty where it names none."""
    return next((part for part in estimate.quantity.split(".")[1:] if part in parties), "")


def _head(estimate: Estimate) -> str:
    return estimate.quantity.partition(".")[0]


def is_sessions(estimate: Estimate) -> bool:
    """Whether a count has an animal once in each session that it was known in."""
    return estimate.unit == "animal_sessions"


def instead(result: Result) -> tuple[Estimate, ...]:
    """What can be said where the main answer was refused: the minimum number if somebody is known, and rates."""
    if result.answer.refusal is None:
        return ()
    lists, rates = (result.answers.get(name, Answer()) for name in ("lists", "rates"))
    least = [lists["minimum_number"]] if "minimum_number" in lists else []
    return (*(e for e in least if e.value > 0), *rates.estimates)
