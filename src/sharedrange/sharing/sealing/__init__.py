"""How does a release travel on a stick, so that only its recipient reads it and nobody changes it?"""

from sharedrange.sharing.sealing.checks import Expected, refusals
from sharedrange.sharing.sealing.container import CHAIN, Packed, chain_of, csv_of, pack, package_name, seal
from sharedrange.sharing.sealing.unsealing import Package, unseal

__all__ = [
    "CHAIN",
    "Expected",
    "Package",
    "Packed",
    "chain_of",
    "csv_of",
    "pack",
    "package_name",
    "refusals",
    "seal",
    "unseal",
]
