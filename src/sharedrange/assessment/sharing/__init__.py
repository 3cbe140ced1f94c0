"""How does a release leave this node, and how does another's come in?"""

from sharedrange.assessment.sharing.agreeing import Listed, agreements, answer_revocation, revoke, sign_agreement
from sharedrange.assessment.sharing.auditing import Audit, audit
from sharedrange.assessment.sharing.carrying import Carried, carry, take_carried
from sharedrange.assessment.sharing.distrusting import Distrusted, distrust
from sharedrange.assessment.sharing.ground import Ground, open_ground
from sharedrange.assessment.sharing.introducing import (
    Card,
    card,
    has_keys,
    make_keys,
    partners,
    protect_keys,
    read_card,
    rotate,
    trust,
    write_card,
)
from sharedrange.assessment.sharing.preview import Preview, attack_curve, look_at, preview
from sharedrange.assessment.sharing.receiving import Received, open_package, verify_package
from sharedrange.assessment.sharing.releasing import Asked, Leaving, seal_release, what_would_leave
from sharedrange.assessment.sharing.showing import show_received, show_released, write_tables

__all__ = [
    "Asked",
    "Audit",
    "Card",
    "Carried",
    "Distrusted",
    "Ground",
    "Leaving",
    "Listed",
    "Preview",
    "Received",
    "agreements",
    "answer_revocation",
    "attack_curve",
    "audit",
    "card",
    "carry",
    "distrust",
    "has_keys",
    "look_at",
    "make_keys",
    "open_ground",
    "open_package",
    "partners",
    "preview",
    "protect_keys",
    "read_card",
    "revoke",
    "rotate",
    "seal_release",
    "show_received",
    "show_released",
    "sign_agreement",
    "take_carried",
    "trust",
    "verify_package",
    "what_would_leave",
    "write_card",
    "write_tables",
]
