"""An agreement: who gives what to whom, how coarse, how late, for which purpose and until when.

The levels of sensitivity behind the choices follow Chapman (2020, Current best practices for generalizing sensitive
species occurrence data, GBIF Secretariat): what is generalised or withheld is named, and nothing is made false.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from sharedrange.core.grids import Grid

FORMAT = 1  # what a field means when it is not written belongs to the format: the hash that parties sign holds it
EVERY_TAXON = "*"  # a rule for this taxon holds for all

Identity = Literal["none", "pseudonym", "code"]
Media = Literal["none", "crops", "originals"]
Concordance = Literal["none", "crossings", "joint-id"]
Onward = Literal["none", "listed", "public"]
Few = Literal["withhold", "join"]
Resolution = Literal["day", "week", "month", "quarter", "year"]

# Strictest first: of several rules that match, the value that comes first wins.
IDENTITIES: tuple[Identity, ...] = ("none", "pseudonym", "code")
MEDIA: tuple[Media, ...] = ("none", "crops", "originals")
FEWS: tuple[Few, ...] = ("withhold", "join")
CONCORDANCES: tuple[Concordance, ...] = ("none", "crossings", "joint-id")
OUTPUTS = ("total-abundance", "abundance-by-side", "density", "trend", "detection-rate", "occupancy")


@dataclass(frozen=True, slots=True)
class Valid:
    """The days on which an agreement holds, both included."""

    start: date
    end: date


@dataclass(frozen=True, slots=True)
class GridSpec:
    """The named grid whose cells positions leave in: its coordinate system and its ladder of sizes, from 0, 0.

    `sizes`, finest first, in degrees (``geographic``) or metres; each divides the next. `crs` is ``geographic`` or
    ``local:<name>``, metres of a frame without a place on Earth.
    """

    id: str = "geographic"
    crs: str = "geographic"
    sizes: tuple[float, ...] = (0.01, 0.05, 0.1, 0.2, 1.0)


@dataclass(frozen=True, slots=True)
class Rule:
    """What may leave of some taxa. A field that is not written has its strictest value.

    `tables`: table of a release -> columns beyond its keys (`core.release`); a table that is not named does not leave.
    `cell`: side of the cells in which positions leave, of the grid's sizes; `least_stations` in each, and what becomes
    of a cell with fewer (`few_stations`): its stations stay, or all of the next larger cell leave in that one.
    `delay_days` until a record may leave, `resolution` of its time. `suppress_below`: smaller counts are withheld,
    never changed. `concordance`: what is told of animals that several parties know: how many there are by season
    (``crossings``), or which, by their joint id. `least_area_km2`: what an outsider must be left with when everything
    that is known about where the stations can be has been used. `category` of sensitivity after Chapman (2020), 1 to
    4, for people to read.
    """

    id: str
    taxa: tuple[str, ...]
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cell: float | None = None
    least_stations: int = 3
    few_stations: Few = "withhold"
    delay_days: int = 365
    resolution: Resolution = "year"
    identity: Identity = "none"
    media: Media = "none"
    concordance: Concordance = "none"
    suppress_below: int = 0
    least_area_km2: float = 0.0
    category: int | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """A kind of numbers that recipients may tell to others: of which taxa, to whom, about how many animals at least.

    `taxa`: empty for all that a rule lets leave. `audience`: the parties of the agreement (``recipients``), those in
    `to` beside them, or everybody (``public``). `least_animals`: what a number must rest on, and how far one that is
    told anew must have moved; `wait_days` until it is told anew.
    """

    kind: str
    taxa: tuple[str, ...] = ()
    audience: Literal["recipients", "public"] = "recipients"
    to: tuple[str, ...] = ()
    least_animals: int = 5
    wait_days: int = 365


@dataclass(frozen=True, slots=True)
class Duties:
    """What recipients owe."""

    attribute: bool = True
    delete_on_expiry: bool = True
    acknowledge_revocation: bool = True
    report_breach_within_days: int = 3


@dataclass(frozen=True, slots=True)
class Cameras:
    """Camera models that leave by name; every other one leaves under a pseudonym.

    People write models as they like: what counts is the name without its case and its spaces at the ends or doubled,
    and what leaves is the name as written here.
    """

    names: tuple[str, ...] = ()

    def named(self, written: str) -> str | None:
        """The name here of a model as somebody wrote it; None where there is none.

        Examples
        --------
        >>> Cameras(("Reconyx HC500",)).named(" reconyx  hc500 ")
        'Reconyx HC500'
        """
        return {as_compared(name): name for name in self.names}.get(as_compared(written))


def as_compared(model: str) -> str:
    """A camera model without what people write differently: case, spaces at the ends or doubled."""
    return " ".join(model.split()).casefold()


@dataclass(frozen=True, slots=True)
class Agreement:
    """One agreement as written. Whoever owns the data stays their owner, whatever leaves.

    `owner` gives, `recipients` receive; `purposes` for which they may use it; `onward`: whether they may hand it on,
    and `onward_to` whom. Everything that no rule permits is withheld. `approved_by`: the role that approves a
    release. `timezone`: where days begin, for the periods in which records leave. `hash` is the SHA-256 of the
    canonical JSON of all of it: what both sides sign.
    """

    id: str
    title: str
    owner: str
    recipients: tuple[str, ...]
    purposes: tuple[str, ...]
    valid: Valid
    approved_by: str
    rules: tuple[Rule, ...] = ()
    outputs: tuple[Output, ...] = ()
    grid: GridSpec = GridSpec()
    duties: Duties = Duties()
    cameras: Cameras = Cameras()
    onward: Onward = "none"
    onward_to: tuple[str, ...] = ()
    timezone: str = "UTC"
    language_of_reference: str = "en"
    file: str = ""
    hash: str = ""

    @property
    def named_grid(self) -> Grid:
        """The grid that cells are cut by."""
        return Grid(self.grid.id, self.grid.crs, self.grid.sizes)

    @property
    def parties(self) -> tuple[str, ...]:
        """Who has to sign: the owner and every recipient."""
        return (self.owner, *self.recipients)

    def rules_for(self, taxon: str) -> tuple[Rule, ...]:
        """The rules that match a taxon: those that name it, and those for all."""
        return tuple(rule for rule in self.rules if taxon in rule.taxa or EVERY_TAXON in rule.taxa)
