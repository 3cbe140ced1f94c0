"""What has the programme promised, what became of it, and what does not fit together?"""

from sharedrange.assessment.register.linting import lint
from sharedrange.assessment.register.tables import COLUMNS, register_tables

__all__ = ["COLUMNS", "lint", "register_tables"]
