"""How many animals several lists hold at least, where it was told how many are on two of them, and not which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

from sharedrange.core.finding import Fact, Finding, Severity

Pair = frozenset[str]
FROM_CROSSINGS = "lists-from-crossings"  # the rule that says that lists were put together by numbers alone


@dataclass(frozen=True, slots=True)
class Crossing:
    """What a party told of the animals that it met: how many its partner knows too, wherever and whenever it met them.

    None: fewer than may be told, or all but so few.
    """

    party: str
    partner: str
    known_to_both: int | None

    @property
    def pair(self) -> Pair:
        """The two parties, in no order."""
        return frozenset((self.party, self.partner))


def told_of(crossings: Sequence[Crossing]) -> dict[Pair, tuple[int | None, ...]]:
    """Two parties -> what each told of the animals that both know, one number or two."""
    told: dict[Pair, tuple[int | None, ...]] = {}
    for one in sorted(crossings, key=lambda crossing: (crossing.party, crossing.partner)):
        told[one.pair] = (*told.get(one.pair, ()), one.known_to_both)
    return told


def agreed(numbers: Sequence[int | None]) -> int | None:
    """The one number that all told; None where they differ, or one was not told."""
    first = numbers[0]
    return first if all(number == first for number in numbers) else None


def about_crossings(crossings: Sequence[Crossing], parties: Sequence[str]) -> Iterator[Finding]:
    """That it was told how many animals are on two lists and not which, and where the two parties differ."""
    yield Finding(FROM_CROSSINGS, {"parties": ", ".join(sorted(parties))}, severity=Severity.WARNING)
    for pair, numbers in told_of(crossings).items():
        a, b = sorted(pair)
        told: dict[str, Fact] = {"a": a, "b": b}
        if None in numbers:
            yield Finding("crossings-untold", told, severity=Severity.NOTE)
        elif agreed(numbers) is None:
            differ: dict[str, Fact] = {"told_a": numbers[0], "told_b": numbers[1]}
            yield Finding("crossings-differ", told | differ, severity=Severity.WARNING)


def together(
    own: Mapping[str, int], listed: Mapping[Pair, int], crossings: Sequence[Crossing]
) -> tuple[int | None, int]:
    """How many animals two lists share, and the fewest that all lists hold together.

    `own`: party -> the fewest animals of its list; `listed`: two parties -> how many animals both list, as far as it
    was told who is who. Of more than two lists, and where parties differ, nobody knows how many are shared: None.
    """
    told = told_of(crossings)
    smaller = {pair: min(own[party] for party in pair) for pair in listed}
    in_both = {pair: max(n, most_in_both(told.get(pair, (0,)), smaller[pair])) for pair, n in listed.items()}
    shared = agreed(next(iter(told.values()))) if len(own) == 2 else None
    return (None if shared is None else min(shared, *own.values())), fewest(own, in_both)


def most_in_both(numbers: Sequence[int | None], smaller: int) -> int:
    """How many animals can be on two lists: the larger number told, and no more than the `smaller` list holds.

    Each party counts those of its animals that the other knows at all, also where it met them at another time: no
    fewer than are on both lists. Where the two differ, one may know of a decision that the other does not. The larger
    number is right in either case.

    Examples
    --------
    >>> most_in_both((3, 4), smaller=9), most_in_both((None, 4), smaller=9)
    (4, 9)
    """
    return min(smaller, max(smaller if number is None else number for number in numbers))


def fewest(listed: Mapping[str, int], in_both: Mapping[Pair, int]) -> int:
    """The fewest animals that lists can hold together, if no more than `in_both` are on any two of them.

    Of two lists: both added, less what both hold. Of more, Bonferroni's bound (1936, Teoria statistica delle classi,
    Pubblicazioni del R. Istituto Superiore di Scienze Economiche e Commerciali di Firenze 8): all added, less what any
    two hold. The largest that any of the lists give so: more lists never hold fewer animals.

    Examples
    --------
    >>> fewest({"east": 8, "west": 10}, {frozenset(("east", "west")): 3})
    15
    """
    return max(sum(listed[p] for p in some) - sum(in_both.get(frozenset(pair), 0) for pair in combinations(some, 2))
               for some in _subsets(sorted(listed)))  # fmt: skip


def _subsets(parties: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return chain.from_iterable(combinations(parties, n) for n in range(len(parties) + 1))
