"""Everything that can leave this package as an exception.

SharedRangeError
├── InputError          data from outside are wrong; carries every Finding at once
├── ProgrammeError      programme.toml or node.toml is wrong; also carries findings
├── AgreementError      an agreement forbids, or does not cover, what was asked
├── NotEnoughData       the data cannot bear the question; carries a Refusal
├── DidNotConverge      an optimiser stopped short of a maximum; says what to try
└── Cancelled           the user stopped the work
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sharedrange.core.answer import Refusal
    from sharedrange.core.finding import Finding


class SharedRangeError(Exception):
    """Base of every error that this package raises on purpose."""


class _WithFindings(SharedRangeError):
    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(str(f) for f in self.findings))

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.findings,)


class InputError(_WithFindings):
    """Data from outside are wrong. `findings` holds all that was found, not the first."""


class ProgrammeError(_WithFindings):
    """The node or the programme is wrong. `findings` holds all that was found."""


class AgreementError(_WithFindings):
    """An agreement forbids or does not cover what was asked."""


class NotEnoughData(SharedRangeError):
    """The data cannot bear the question; `refusal` says what they can bear."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(str(refusal))

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.refusal,)


class DidNotConverge(SharedRangeError):
    """An optimiser stopped short of a maximum. `finding` says where and what to try."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(str(finding))

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.finding,)


class Cancelled(SharedRangeError):
    """The user stopped the work; nothing half-done is left behind."""
