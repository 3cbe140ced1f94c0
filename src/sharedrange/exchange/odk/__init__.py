"""Door `odk`: submissions of XLSForms from ODK Central and KoboToolbox; the same submission twice counts once."""

from sharedrange.exchange.odk.reading import read
from sharedrange.exchange.submissions import History, Submission, current, merge_submissions

__all__ = ["History", "Submission", "current", "merge_submissions", "read"]
