"""What would two sides have photographed, if we knew every animal?

A simulated programme: animals with activity centres on both sides of a border, cameras that differ between
the sides, gaps, catalogues that were made without knowing of each other, and labels that are sometimes wrong.
The surveys are what the parties would deliver; the truth is kept apart from them.

Examples
--------
>>> from sharedrange.core.chance import stream
>>> simulation = simulate(small(), stream(20260101, "simulate"))
>>> [survey.party for survey in simulation.surveys]
['westfell', 'eastfell']
"""

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
from sharedrange.population.simulate.presets import small, two_parks
from sharedrange.population.simulate.run import Simulation, simulate
from sharedrange.population.simulate.truth import Truth, comparable

__all__ = [
    "Bycatch",
    "Camera",
    "CameraArray",
    "Design",
    "Gaps",
    "PartyDesign",
    "Rectangle",
    "Simulation",
    "SpeciesDesign",
    "Truth",
    "comparable",
    "simulate",
    "small",
    "two_parks",
]
