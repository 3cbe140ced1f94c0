"""What can an outsider find out from a release that it does not say? Attackers, run before anything leaves."""

from sharedrange.sharing.attack.linking import link_individuals, link_stations
from sharedrange.sharing.attack.rare import k_anonymity, pick_out_rows, unique_share
from sharedrange.sharing.attack.stations import Belief, recover_stations
from sharedrange.sharing.attack.successive import Change, compare_successive
from sharedrange.sharing.attack.surfaces import Surface, recover_from_surface
from sharedrange.sharing.attack.truth import true_positions
from sharedrange.sharing.attack.types import MARGIN, Attack, Positions

__all__ = [
    "MARGIN",
    "Attack",
    "Belief",
    "Change",
    "Positions",
    "Surface",
    "compare_successive",
    "k_anonymity",
    "link_individuals",
    "link_stations",
    "pick_out_rows",
    "recover_from_surface",
    "recover_stations",
    "true_positions",
    "unique_share",
]
