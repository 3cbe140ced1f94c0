"""What people decided and did: one signed hash chain per key, merged by union, folded into a state."""

from sharedrange.records.folds import about, concordance, decisions_value, focal_points, in_force
from sharedrange.records.keys import Identity, Key, Keys, fingerprint, key_from_seed
from sharedrange.records.kinds import KINDS, Body, Decision, FocalPoint, JointId, mint, record_kind
from sharedrange.records.protection import Passphrase
from sharedrange.records.record import Record
from sharedrange.records.recordset import RecordSet, chain_file, from_files, lines, merge
from sharedrange.records.store import Store, import_records, open_store

__all__ = [
    "KINDS",
    "Body",
    "Decision",
    "FocalPoint",
    "Identity",
    "JointId",
    "Key",
    "Keys",
    "Passphrase",
    "Record",
    "RecordSet",
    "Store",
    "about",
    "chain_file",
    "concordance",
    "decisions_value",
    "fingerprint",
    "focal_points",
    "from_files",
    "import_records",
    "in_force",
    "key_from_seed",
    "lines",
    "merge",
    "mint",
    "open_store",
    "record_kind",
]
