"""A camera's picture cut to its animal, and what is left of the background in the corners made grey.

The rule is plain geometry, so that everybody can know what it does: what the box of the animal does not hold is
absent; of what it holds, the ellipse that touches its sides stays and fades into grey at its edge; strips at the top
and bottom of the frame, where cameras print place, time and temperature, never leave. It recognises nothing: a person
within the box stays in it, and so does a rock that the ellipse holds.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sharedrange.sharing.agreement.types import Media
from sharedrange.sharing.pictures.jpeg import bare, size_of

if TYPE_CHECKING:
    from PIL.Image import Image

LONGEST: Mapping[Media, int] = {"crops": 512, "originals": 2048}  # the larger side of what leaves, in pixels
STRIP_SHARE = 0.08  # of the frame's height, at its top and its bottom; of a higher bar the rest would show
SMALLEST = 48  # pixels: no flank is recognised on less
LEAST_KEPT = 0.5  # of a box's area; of less, where strips take the rest, nobody can tell what it shows
EDGE = 0.15  # of the ellipse's radius, over which the animal fades into grey
GREY = 128
MAX_BYTES = 4 << 20  # of one picture that leaves
_QUALITY = 85
_MOST_PIXELS = 89_000_000  # beyond this Pillow warns of a bomb; no camera of this kind takes so many
_DRAFTS = (8, 4, 2)  # a decoder can make a picture smaller by these while it reads it


@dataclass(frozen=True, slots=True)
class Box:
    """Part of a picture, as shares of its width and height from the upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def is_within(self) -> bool:
        """Whether it is a part of a picture at all."""
        numbers = (self.x, self.y, self.width, self.height)
        inside = all(math.isfinite(n) and 0 <= n <= 1 for n in numbers) and self.width > 0 and self.height > 0
        return inside and self.x + self.width <= 1 + 1e-6 and self.y + self.height <= 1 + 1e-6  # boxes are rounded


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a picture in whole pixels; `right` and `lower` are not in it."""

    left: int
    upper: int
    right: int
    lower: int

    @property
    def shape(self) -> tuple[int, int]:
        """Width and height."""
        return self.right - self.left, self.lower - self.upper

    def in_parts(self, by: int) -> Part:
        """The part of a picture `by` times as small; no pixel that is only partly in it."""
        return Part(-(-self.left // by), -(-self.upper // by), self.right // by, self.lower // by)


def released_picture(content: bytes, media: Media, box: Box) -> bytes:
    """A camera's JPEG as it leaves: the animal in `box` (``crops``), or the frame (``originals``), anew from pixels.

    It depends on the pixels within the part that leaves, on their compression and on the size of the frame; no
    metadata is ever looked at, also not which way up the camera was.
    Raises ValueError if the content is no JPEG that can be read, or too little of it would leave.
    """
    pixels = bare(content)
    width, height = size_of(pixels)
    part = {"crops": part_of(width, height, box), "originals": _frame(width, height)}.get(media)
    if part is None or width * height > _MOST_PIXELS:
        raise ValueError("too little of it would leave")
    small = _smaller(_cut(pixels, part, LONGEST[media]), LONGEST[media])
    made = _encoded(masked(small) if media == "crops" else small)
    if len(made) > MAX_BYTES:
        raise ValueError("more than a picture that leaves may hold")
    return made


def part_of(width: int, height: int, box: Box) -> Part | None:
    """The pixels that leave of a box in a frame of this size; None where they are too few."""
    if not box.is_within:
        return None
    frame = _frame(width, height)
    part = Part(
        math.ceil(round(box.x * width, 3)),
        max(math.ceil(round(box.y * height, 3)), frame.upper),
        min(math.floor(round((box.x + box.width) * width, 3)), width),
        min(math.floor(round((box.y + box.height) * height, 3)), frame.lower),
    )
    if min(part.shape) < SMALLEST or math.prod(part.shape) < LEAST_KEPT * box.width * width * box.height * height:
        return None
    return part


def masked(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pixels (height, width, 3) within the ellipse that touches the sides; grey where it does not reach."""
    height, width, _ = pixels.shape
    down, across = (2 * (np.arange(n) + 0.5) / n - 1 for n in (height, width))
    radius = np.hypot(down[:, None], across[None, :])
    shown = np.clip((1 - radius) / EDGE, 0, 1)[:, :, None]
    return np.asarray(np.rint(GREY + shown * (pixels.astype(float) - GREY)), dtype=np.uint8)


def pixels_of(content: bytes) -> NDArray[np.uint8]:
    """All pixels (height, width, 3) of a JPEG. Raises ValueError if it cannot be read."""
    pixels = bare(content)
    width, height = size_of(pixels)
    return _cut(pixels, Part(0, 0, width, height), max(width, height))


def _frame(width: int, height: int) -> Part:
    strip = math.ceil(STRIP_SHARE * height)
    return Part(0, strip, width, height - strip)


def _cut(pixels: bytes, part: Part, longest: int) -> NDArray[np.uint8]:
    """Part of a picture, decoded no larger than needed."""
    from PIL import Image  # noqa: PLC0415  (start-up stays light)

    by = next((by for by in _DRAFTS if max(part.shape) >= by * longest), 1)
    try:
        with Image.open(io.BytesIO(pixels), formats=("JPEG",)) as image:
            width, _ = image.size
            image.draft("RGB", (image.width // by, image.height // by))
            return _array(image, part.in_parts(round(width / image.width)))
    except (OSError, SyntaxError, MemoryError) as error:
        raise ValueError("the picture cannot be read") from error


def _array(image: Image, part: Part) -> NDArray[np.uint8]:
    cut = image.crop((part.left, part.upper, part.right, part.lower)).convert("RGB")
    return np.asarray(cut, dtype=np.uint8)


def _smaller(pixels: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    from PIL import Image  # noqa: PLC0415  (start-up stays light)

    height, width, _ = pixels.shape
    if (scale := longest / max(width, height)) >= 1:
        return pixels
    shape = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(pixels).resize(shape, Image.Resampling.LANCZOS), dtype=np.uint8)


def _encoded(pixels: NDArray[np.uint8]) -> bytes:
    from PIL import Image  # noqa: PLC0415  (start-up stays light)

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=_QUALITY, subsampling=2, optimize=False)
    return bare(out.getvalue())
