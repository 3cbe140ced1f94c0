"""Kinds of threat to wildlife, and the words of field tools that mean them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

THREATS = (
    *("snare", "trap", "poison", "weapon", "gunshot", "poaching-camp", "people", "vehicle", "logging", "gathering"),
    *("fishing", "fire", "clearing", "mining", "livestock", "pollution", "conflict", "fence", "other"),
)

# Keys of SMART's shipped data model (categories, items of `typeoftrap` and of `threat`), which its users rarely change.
SMART_KEYS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("wiresnare", "ropesnare", "othersnare", "snare", "snares"), "snare"),
        **dict.fromkeys(("trap", "trapping", "jawtrap", "pittrap"), "trap"),
        **dict.fromkeys(("poison", "poisoning"), "poison"),
        **dict.fromkeys(("weaponsequipment", "firearmsammunition", "firearms", "ammunition"), "weapon"),
        **dict.fromkeys(("spentcartridges", "traditionalweapons"), "weapon"),
        "gunshotheard": "gunshot",
        "shelterorcamp": "poaching-camp",
        **dict.fromkeys(("people", "humansign"), "people"),
        "transportation": "vehicle",
        **dict.fromkeys(("timber", "logging", "cuttingtools"), "logging"),
        "nontimberforestproducts": "gathering",
        **dict.fromkeys(("fishingtools", "fishingequipment", "fishing"), "fishing"),
        "fire": "fire",
        "landclearing": "clearing",
        **dict.fromkeys(("rocksminerals", "miningexploration", "miningquarrying"), "mining"),
        **dict.fromkeys(("domesticanimals", "livestockfarmingranching"), "livestock"),
        **dict.fromkeys(("pollution", "debris"), "pollution"),
        "humanwildlifeconflict": "conflict",
    }
)


def threat_of(words: Mapping[str, str], *paths: str) -> str | None:
    """The kind of threat of the first path that has a word for one; its deepest word counts.

    `words`: word or whole path -> kind of threat; what is not in it is no threat.

    Examples
    --------
    >>> threat_of(SMART_KEYS, "wiresnare", "humanactivity.weaponsequipment.trap")
    'snare'
    >>> threat_of(SMART_KEYS, "animals.liveanimals") is None
    True
    """
    for path in paths:
        if path in words:
            return words[path]
        for key in reversed(path.split(".")):
            if key in words:
                return words[key]
    return None
