"""Which numbers of a joint result may be told, to whom?"""

from sharedrange.sharing.outputs.judging import judge
from sharedrange.sharing.outputs.kinds import kind_of
from sharedrange.sharing.outputs.types import NUMBERS, Asked, Basis, Number, Told, Verdict, as_told

__all__ = ["NUMBERS", "Asked", "Basis", "Number", "Told", "Verdict", "as_told", "judge", "kind_of"]
