"""What can an outsider find out from a release that it does not say? Attackers, run before anything leaves."""

from sharedrange.sharing.attack.linking import ENOUGH, link_individuals, link_stations, resolution_told
from sharedrange.sharing.attack.rare import k_anonymity, pick_out_rows, unique_share
from sharedrange.sharing.attack.stations import Belief, recover_stations
from sharedrange.sharing.attack.successive import Change, Late, changes_between, compare_successive, told_late
from sharedrange.sharing.attack.surfaces import Surface, recover_from_surface
from sharedrange.sharing.attack.truth import Stood, is_in, same_places, stood, true_positions
from sharedrange.sharing.attack.types import MARGIN, Attack, Positions

__all__ = [
    "ENOUGH",
    "MARGIN",
    "Attack",
    "Belief",
    "Change",
    "Late",
    "Positions",
    "Stood",
    "Surface",
    "changes_between",
    "compare_successive",
    "is_in",
    "k_anonymity",
    "link_individuals",
    "link_stations",
    "pick_out_rows",
    "recover_from_surface",
    "recover_stations",
    "resolution_told",
    "same_places",
    "stood",
    "told_late",
    "true_positions",
    "unique_share",
]
