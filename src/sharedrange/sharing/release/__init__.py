"""What leaves of one dataset under one agreement, and what stays?"""

from sharedrange.sharing.release.releasing import Standing, names_needed, release, said_of
from sharedrange.sharing.release.types import Released, Request, Withheld

__all__ = ["Released", "Request", "Standing", "Withheld", "names_needed", "release", "said_of"]
