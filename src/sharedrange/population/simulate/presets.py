"""Ready designs. Parks, codes and cats of these steppes are invented; scales are from published work.

Numbers with an id (R005, ...) stand in the project's list of published reference numbers, quoted in
docs/simulate.md with their sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from sharedrange.population.simulate.design import (
    Bycatch,
    Camera,
    CameraArray,
    Design,
    Gaps,
    PartyDesign,
    Rectangle,
    SpeciesDesign,
)

WEST, EAST = "westfell", "eastfell"
_LETTER_NUMBER = "{letter}{number}"

_PAIRED = Camera("paired", sensitivity=1.0, both_flanks=0.9)
_SINGLE = Camera("single", sensitivity=0.65, both_flanks=0.6)  # cats linger and turn; a burst shows both
_GAPS = (
    Gaps("snow", 0.25, mean_days=6, together=True),
    Gaps("theft", 0.06, lasting=True),  # 14 of 116 cameras were stolen in one season (R025)
    Gaps("bear", 0.08, mean_days=9),
    Gaps("battery", 0.08, lasting=True),
)

# LLNP and Jilin: 0.98 and 0.62 per 100 km2 (R005, R009); 1.2 females per male (R006); 57 adults (R004), so
# about 31 adult females, of which 9 led 16 cubs (R008). No published sigma of the leopard is in the list:
# 3.4 and 4.8 km lie between the snow leopard's 2.6 and 3.3 (R077) and the tiger's 4.6 and 6.4 (R058, R059).
# The rates give about 7 events a photographed adult (published: 324 events of 29 leopards, R026, R027) and a
# sixth of the photographed adults on both sides (published: 15 of 89, R012, R013).
_LEOPARD = SpeciesDesign(
    key="leopard",
    taxon="Panthera pardus orientalis",
    name="leopard",
    density_per_100km2={WEST: 0.62, EAST: 0.98},
    sigma_m={"female": 3400.0, "male": 4800.0},
    lambda0_per_day={"female": 0.060, "male": 0.055},
    female_share=1.2 / 2.2,
    subadults_per_adult=0.15,
    breeding_share=9 / 31,
    litter=(0.35, 0.5, 0.15),  # mean 1.8; published 16 / 9
    sex_seen=0.8,
)
# 0.30 and 0.24 per 100 km2 across this kind of border (R032, R033); home ranges of 401 and 778 km2 are
# sigma 4.6 and 6.4 km (R058, R059).
_TIGER = SpeciesDesign(
    key="tiger",
    taxon="Panthera tigris altaica",
    name="tiger",
    density_per_100km2={WEST: 0.30, EAST: 0.30},
    sigma_m={"female": 4600.0, "male": 6400.0},
    lambda0_per_day={"female": 0.025, "male": 0.025},
    female_share=0.55,
    subadults_per_adult=0.1,
    breeding_share=0.25,
    litter=(0.4, 0.45, 0.15),
    sex_seen=0.8,
)


def two_parks() -> Design:
    """Leopards and tigers over two invented parks on a meridian of the steppe, where neither cat lives.

    39 + 39 stations 7 km apart along 91 km of border, 7,616 km2 of habitat, 90 days: about 60 adult leopards,
    two thirds of them photographed. West has paired cameras, East single ones that miss a third of what
    those see; the two sides write times in different zones, start in different weeks and name leopards in
    schemes that collide.
    """
    codes = {  # leopards are named alike, so that equal codes mean different animals; tigers are not
        WEST: {"leopard": _LETTER_NUMBER, "tiger": "T{letter}{number:02d}"},
        EAST: {"leopard": _LETTER_NUMBER, "tiger": "Tarn-{number:03d}"},
    }
    west, east = _parks(50_000, 70_000, CameraArray(3, 13, 7000, x_m=10_500), codes)
    return Design(
        id="two-parks",
        title="SIMULATED: two invented parks, one population",
        parties=(replace(west, gaps=_GAPS, lead_days=10), replace(east, gaps=_GAPS, newcomers=0.1)),
        species=(_LEOPARD, _TIGER),
        habitat=Rectangle(-34_000, -56_000, 34_000, 56_000),
        first_day=date(2026, 2, 1),
        days=90,
        occasion_timezone="Asia/Shanghai",
        wrong_labels=0.02,
        bycatch=(Bycatch("wild-boar", "Sus scrofa", "wild boar", passages_per_day=0.03, extra=1.5),),
    )


def small() -> Design:
    """A small case for coverage tables: one species without young, every label right, 25 + 25 stations.

    About 54 adults on 3,840 km2: denser than the leopards of `two_parks` and within what is published for
    snow leopards (0.93 and 3.31 per 100 km2: R066, R081), so that each side alone can be fitted too.
    Every passage shows both flanks, so that no rule about flanks is tested along with the estimator.
    """
    leopard = SpeciesDesign(
        key="leopard",
        taxon=_LEOPARD.taxon,
        name=_LEOPARD.name,
        density_per_100km2={WEST: 1.2, EAST: 1.6},
        sigma_m=_LEOPARD.sigma_m,
        lambda0_per_day={"female": 0.06, "male": 0.05},
        female_share=_LEOPARD.female_share,
    )
    codes = {"leopard": _LETTER_NUMBER}
    west, east = _parks(50_000, 35_000, CameraArray(5, 5, 6000, x_m=15_000), {WEST: codes, EAST: codes})
    return Design(
        id="small",
        title="SIMULATED: a small case",
        parties=(
            replace(west, camera=replace(_PAIRED, both_flanks=1.0)),
            replace(east, camera=replace(_SINGLE, both_flanks=1.0)),
        ),
        species=(leopard,),
        habitat=Rectangle(-40_000, -24_000, 40_000, 24_000),
        first_day=date(2026, 2, 1),
        days=60,
        occasion_timezone="Asia/Shanghai",
    )


def _parks(
    width_m: float, half_height_m: float, array: CameraArray, codes: Mapping[str, Mapping[str, str]]
) -> tuple[PartyDesign, PartyDesign]:
    """Westfell and Eastfell, `width_m` wide each; `array` is the eastern one, the western its mirror."""
    west = PartyDesign(
        id=WEST,
        name="Westfell Park",
        state="XA",  # ISO 3166-1 keeps XA to XZ free for users
        timezone="Asia/Shanghai",
        side=Rectangle(-width_m, -half_height_m, 0, half_height_m),
        array=replace(array, x_m=-array.x_m),
        camera=_PAIRED,
        codes=codes[WEST],
        station_pattern="W{number:02d}",
    )
    east = PartyDesign(
        id=EAST,
        name="Eastfell Park",
        state="XB",
        timezone="Asia/Vladivostok",
        side=Rectangle(0, -half_height_m, width_m, half_height_m),
        array=array,
        camera=_SINGLE,
        codes=codes[EAST],
        station_pattern="E{number:02d}",
    )
    return west, east
