"""How does a picture leave so that there is an animal in it, and nothing else?"""

from sharedrange.sharing.pictures.jpeg import is_bare
from sharedrange.sharing.pictures.masking import LONGEST, MAX_BYTES, Box, pixels_of, released_picture

__all__ = ["LONGEST", "MAX_BYTES", "Box", "is_bare", "pixels_of", "released_picture"]
