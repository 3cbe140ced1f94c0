"""What do the parties agree on: who, which species, where, when, and what do they ask?"""

from sharedrange.assessment.programme.node import Node, read_node, write_new_node
from sharedrange.assessment.programme.read import question_of, read_programme
from sharedrange.assessment.programme.sides import read_geometry, read_line, read_sides
from sharedrange.assessment.programme.types import (
    Area,
    Component,
    CountsSpec,
    Event,
    MaskSpec,
    Milestone,
    OpenQuestion,
    Party,
    Programme,
    Project,
    Question,
    Schedule,
    Species,
    VisitsSpec,
    without_register,
)
from sharedrange.core.periods import Interval

__all__ = [
    "Area",
    "Component",
    "CountsSpec",
    "Event",
    "Interval",
    "MaskSpec",
    "Milestone",
    "Node",
    "OpenQuestion",
    "Party",
    "Programme",
    "Project",
    "Question",
    "Schedule",
    "Species",
    "VisitsSpec",
    "question_of",
    "read_geometry",
    "read_line",
    "read_node",
    "read_programme",
    "read_sides",
    "without_register",
    "write_new_node",
]
