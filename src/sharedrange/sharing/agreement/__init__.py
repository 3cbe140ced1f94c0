"""Who may see what of whose data, how coarse, how late, for what, until when?"""

from sharedrange.sharing.agreement.comparing import lint_beside
from sharedrange.sharing.agreement.linting import lint
from sharedrange.sharing.agreement.reading import agreement_hash, read_agreement
from sharedrange.sharing.agreement.terms import Frame, Kind, Terms, frame_of, is_people, terms_of
from sharedrange.sharing.agreement.types import (
    CONCORDANCES,
    EVERY_TAXON,
    IDENTITIES,
    MEDIA,
    OUTPUTS,
    Agreement,
    Cameras,
    Duties,
    GridSpec,
    Output,
    Rule,
    Valid,
)

__all__ = [
    "CONCORDANCES",
    "EVERY_TAXON",
    "IDENTITIES",
    "MEDIA",
    "OUTPUTS",
    "Agreement",
    "Cameras",
    "Duties",
    "Frame",
    "GridSpec",
    "Kind",
    "Output",
    "Rule",
    "Terms",
    "Valid",
    "agreement_hash",
    "frame_of",
    "is_people",
    "lint",
    "lint_beside",
    "read_agreement",
    "terms_of",
]
