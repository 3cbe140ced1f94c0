"""The designs of `designs.py`, what an analyst meets in one simulated population, and the ways to answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import polars as pl
from benchmarks.together import histories_of, mask_of
from scipy.optimize import linear_sum_assignment

from sharedrange.core.answer import Answer
from sharedrange.core.chance import stream
from sharedrange.core.history import CaptureHistory
from sharedrange.core.individuals import Partition
from sharedrange.core.progress import silent
from sharedrange.population import doubt
from sharedrange.population.doubt.merging import merged
from sharedrange.population.encounters import known_flanks, local_individuals
from sharedrange.population.histories import OneFlank
from sharedrange.population.scr import ENGINE, ScrInputs, ScrSettings
from sharedrange.population.simulate import Design, Gaps, Simulation, simulate, small

DRAWS = 20


class Seen:
    """One simulated population as the analyst meets it: surveys, names, and what may be asked of them."""

    def __init__(self, design: Design, number: int) -> None:
        self.design = design
        self.number = number
        self.simulation: Simulation = simulate(design, stream(number, f"benchmarks.designs.{design.id}"))
        self.taxa = frozenset({design.species[0].taxon})

    @cached_property
    def names(self) -> Partition:
        """Who is who, as careful people of both sides decide: what can be compared is compared rightly.

        Ghosts and swapped labels stay as they are, for nobody knows of them.
        """
        concordance = self.simulation.truth.concordance()
        return concordance.partition(local_individuals(self.simulation.surveys, self.taxa))

    @cached_property
    def inputs(self) -> ScrInputs:
        """What the engine is given under `names`; of one-flank animals those of the flank that has more."""
        return self._inputs_of(self.names)

    @cached_property
    def inputs_all(self) -> ScrInputs:
        """The same with every one-flank animal as one of its own."""
        return self._inputs_of(self.names, "all")

    def true_inputs(self) -> ScrInputs:
        """The same under the true names, with every animal that was photographed, whatever its flanks."""
        return self._inputs_of(self.simulation.truth.partition(), "all")

    def _inputs_of(self, names: Partition, one_flank: OneFlank = "larger") -> ScrInputs:
        histories = histories_of(self.design, self.simulation.surveys, names, one_flank)
        return ScrInputs(histories, (mask_of(self.design, histories),), tuple(p.id for p in self.design.parties))

    @cached_property
    def flanks(self) -> pl.DataFrame:
        """Which flanks of each animal are known: columns party, individual, left, right.

        One row an animal, under one party: both sides' catalogues were held side by side, so all that share a flank
        have been compared.
        """
        known = known_flanks(self.simulation.surveys, self.names, self.taxa)
        of_both = known.group_by("individual").agg(pl.col("left").any(), pl.col("right").any())
        return of_both.select(pl.lit("both sides").alias("party"), "individual", "left", "right").sort("individual")

    def doubts(self) -> doubt.Doubts:
        """Every animal known from the left only against every one known from the right only."""
        return doubt.doubts_of(self.simulation.truth.concordance(), self.names, self.flanks)

    def truth(self) -> dict[str, float]:
        """True value of every number that is recorded."""
        truth, taxon = self.simulation.truth, self.design.species[0].taxon
        of: dict[str, float] = {"N": truth.number(taxon), "N_expected": truth.expected(taxon)}
        for party in self.design.parties:
            of |= {f"N.{party.id}": truth.number(taxon, party.id)}
            of |= {f"N_expected.{party.id}": truth.expected(taxon, party.id)}
        return of


# -- ways to answer ---------------------------------------------------------------------------------------------

Way = Callable[[Seen], Answer]


def spatial(inputs: ScrInputs, settings: ScrSettings = ScrSettings()) -> Answer:
    """What `population.scr` answers."""
    return ENGINE.answer(inputs, settings, rng=stream(0, "unused"), progress=silent)


def as_it_comes(seen: Seen) -> Answer:
    return spatial(seen.inputs)


def true_names(seen: Seen) -> Answer:
    return spatial(seen.true_inputs())


def one_of_everything(seen: Seen) -> Answer:
    return spatial(seen.inputs, ScrSettings(density="pooled", lambda0=(), sigma=()))


def cameras_alike(seen: Seen) -> Answer:
    return spatial(seen.inputs, ScrSettings(lambda0=("sex",)))


def gaps_ignored(seen: Seen) -> Answer:
    inputs = seen.inputs
    always = tuple(replace(h, effort=np.ones_like(h.effort)) for h in inputs.histories)
    return spatial(replace(inputs, histories=always))


def all_different(seen: Seen) -> Answer:
    return spatial(seen.inputs_all)


def all_same(seen: Seen) -> Answer:
    """Every left flank joined to a right flank as long as there are any, the least distance in sum."""
    inputs = seen.inputs_all
    one = frozenset(nearest_pairs(inputs.histories[0], seen.flanks))
    return spatial(replace(inputs, histories=tuple(merged(history, one) for history in inputs.histories)))


def nearest_pairs(history: CaptureHistory, flanks: pl.DataFrame) -> Iterator[frozenset[str]]:
    """A right flank for each left one, or the other way round, by the distance between their mean places."""
    caught = history.captures.join(history.detectors, on="detector").group_by("individual")
    place = caught.agg(pl.col("x_m").mean(), pl.col("y_m").mean()).join(flanks, on="individual").sort("individual")
    left, right = place.filter(pl.col("left") & ~pl.col("right")), place.filter(pl.col("right") & ~pl.col("left"))
    ax, ay, bx, by = (table[axis].to_numpy() for table in (left, right) for axis in ("x_m", "y_m"))
    rows, columns = linear_sum_assignment(np.hypot(ax[:, None] - bx, ay[:, None] - by))
    for a, b in zip(left["individual"].gather(rows), right["individual"].gather(columns), strict=True):
        yield frozenset((a, b))


def drawn_flanks(seen: Seen) -> Answer:
    return drawn(seen, doubt.DoubtInputs(seen.inputs_all, seen.doubts()), 0.0)


def drawn_labels(seen: Seen) -> Answer:
    return drawn(seen, doubt.DoubtInputs(seen.inputs, doubt.Doubts(())), seen.design.wrong_labels)


def drawn(seen: Seen, inputs: doubt.DoubtInputs, mislabelled: float) -> Answer:
    """What `population.doubt` answers."""
    settings = doubt.DoubtSettings(draws=DRAWS, burn_in=5, mislabelled=mislabelled)
    return doubt.ENGINE.answer(inputs, settings, rng=stream(seen.number, "benchmarks.designs"), progress=silent)


# -- the designs ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """A design, what it is called, and the ways to answer it.

    `ways` are asked of every population, `beside` and `drawn` of the first ones only: for comparison, or slow.
    """

    title: str
    design: Design
    ways: Mapping[str, Way]
    beside: Mapping[str, Way] = field(default_factory=dict)
    drawn: Mapping[str, Way] = field(default_factory=dict)

    @property
    def all_ways(self) -> dict[str, Way]:
        """Every way, in the order of the page."""
        return {**self.ways, **self.drawn, **self.beside}

    @property
    def mark(self) -> str:
        """Changes when the design or an engine does: older results are then no longer this case's."""
        text = f"{self.design!r} {ENGINE.version} {doubt.ENGINE.version} {DRAWS}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def expecting(animals: float, key: str) -> Design:
    """The preset `small` with this number of adults expected, as dense on both sides."""
    design = small()
    species = design.species[0]
    area_km2 = sum(design.ground(party).area_km2 for party in design.parties)
    density = {party.id: 100 * animals / area_km2 for party in design.parties}
    return replace(design, id=key, species=(replace(species, density_per_100km2=density),))


def unlike_cameras() -> Design:
    """The preset `small`, where the eastern cameras see a quarter of what the western ones see."""
    west, east = small().parties
    return replace(small(), id="unlike", parties=(west, replace(east, camera=replace(east.camera, sensitivity=0.25))))


def uneven_effort() -> Design:
    """The preset `small` with half as many stations in the east, and with storms, theft, bears and empty batteries."""
    west, east = small().parties
    stopped = (Gaps("snow", 0.5, mean_days=14, together=True), Gaps("bear", 0.2, mean_days=12))
    array = replace(east.array, columns=4, rows=3, spacing_m=8_000)
    gone = Gaps("theft", 0.15, lasting=True), Gaps("battery", 0.4, lasting=True)
    parties = (replace(west, gaps=stopped), replace(east, gaps=gone, array=array))
    return replace(small(), id="uneven", parties=parties)


def one_flank() -> Design:
    """The preset `small` in a first year with single cameras: 3 of 10 passages show both flanks."""
    parties = (replace(p, newcomers=1.0, camera=replace(p.camera, both_flanks=0.3)) for p in small().parties)
    return replace(small(), id="one-flank", parties=tuple(parties))


def mislabelled(share: float) -> Design:
    """The preset `small`, where this share of recaptures has a wrong code, half of them a code of their own."""
    return replace(small(), id=f"mislabelled-{100 * share:g}", wrong_labels=share)


DEFAULTS: Mapping[str, Way] = {"as it comes": as_it_comes}
FLANKS: Mapping[str, Way] = {
    "as it comes: the flank with more animals": as_it_comes,
    "left and right always two animals": all_different,
    "left and right always one, nearest joined": all_same,
}
LABELS: Mapping[str, Way] = {"as it comes: names as given": as_it_comes}
TRUE_NAMES: Mapping[str, Way] = {"true names, which nobody has": true_names}
CASES = (
    Case("few animals", expecting(12, "few"), DEFAULTS, {"nothing split": one_of_everything}),
    Case("many animals", expecting(120, "many"), DEFAULTS),
    Case("unlike cameras", unlike_cameras(), DEFAULTS, {"cameras taken as alike": cameras_alike}),
    Case("uneven effort", uneven_effort(), DEFAULTS, {"gaps ignored": gaps_ignored}),
    Case("one flank", one_flank(), FLANKS, TRUE_NAMES, {"identities drawn": drawn_flanks}),
    Case("5 % mislabelled", mislabelled(0.05), LABELS, TRUE_NAMES, {"identities drawn": drawn_labels}),
    Case("12.5 % mislabelled", mislabelled(0.125), LABELS, TRUE_NAMES, {"identities drawn": drawn_labels}),
)
