"""Pictures as cameras write them, invented: an animal on a hillside, a bar with the place, and metadata that tell all.

And surveys that hold them, rules that let them leave, and what then leaves.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import polars as pl
from PIL import Image, ImageDraw
from PIL.ExifTags import GPS, Base
from PIL.PngImagePlugin import PngInfo

from sharedrange.core.contents import Delivered
from sharedrange.core.release import may_name
from sharedrange.core.survey import BOXES, MEDIA, Survey, conform
from sharedrange.sharing.pseudonyms import Pseudonyms
from sharedrange.sharing.release import Released, Request, Standing, names_needed, release

WIDTH, HEIGHT = 640, 480
BOX = (0.25, 0.25, 0.5, 0.5)  # of the animal, as shares: x, y, width, height
INSIDE = (160, 120, 480, 360)  # the same in pixels
ALL = tuple(name for name in may_name("pictures") if name not in ("station", "period"))
CANARY = "CANARY-ridge-7 N46.1234 E118.1234"


def photo(
    seed: int = 1,
    *,
    around: tuple[int, int, int] = (90, 120, 60),
    bar: str = CANARY,
    metadata: bool = True,
    kind: str = "JPEG",
) -> bytes:
    """A picture whose animal depends on `seed` alone, and everything else on the rest."""
    image = Image.new("RGB", (WIDTH, HEIGHT), around)
    draw = ImageDraw.Draw(image)
    rng = np.random.default_rng(seed)
    left, upper, right, lower = INSIDE
    # JPEG mixes the pixels of blocks of 16 by 16: what is drawn around the animal keeps away from its blocks.
    draw.rectangle((left - 32, upper - 32, right + 31, lower + 31), fill=(120, 110, 90))
    flank = rng.integers(0, 255, ((lower - upper) // 16, (right - left) // 16, 3), dtype=np.uint8)
    image.paste(Image.fromarray(flank).resize((right - left, lower - upper), Image.Resampling.BICUBIC), (left, upper))
    draw.rectangle((0, HEIGHT - 30, WIDTH, HEIGHT), fill=(0, 0, 0))
    draw.text((10, HEIGHT - 24), bar, fill=(255, 255, 255))
    return _written(image, kind, metadata)


def _written(image: Image.Image, kind: str, metadata: bool) -> bytes:
    out = io.BytesIO()
    if kind == "PNG":
        told = PngInfo()
        told.add_text("Comment", CANARY)
        image.save(out, "PNG", pnginfo=told)
    elif metadata:
        image.save(out, "JPEG", quality=92, exif=_exif(), comment=CANARY, icc_profile=CANARY.encode(), dpi=(300, 300))
        return out.getvalue() + CANARY.encode()  # some cameras write after the end
    else:
        image.save(out, "JPEG", quality=92)
    return out.getvalue()


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[Base.ImageDescription] = CANARY
    exif[Base.Orientation] = 6
    exif[Base.GPSInfo] = {GPS.GPSLatitude: (46.0, 7.0, 24.0), GPS.GPSLatitudeRef: "N", GPS.GPSMapDatum: CANARY}
    return exif


RULE = """
[[rules]]
id = "flanks"
taxa = ["{taxon}"]
delay_days = {delay}
resolution = "month"
identity = "{identity}"
media = "{media}"

[rules.tables]
pictures = [{columns}]
"""


def rule(
    kit: Any, *, taxon: str = "", delay: int = 0, identity: str = "pseudonym", media: str = "crops",
    columns: tuple[str, ...] = ALL,
) -> str:  # fmt: skip
    """A rule that gives pictures and nothing else."""
    named = ", ".join(f'"{one}"' for one in columns)
    return RULE.format(taxon=taxon or kit.LEOPARD, delay=delay, identity=identity, media=media, columns=named)


def pictured(kit: Any, more: list[dict[str, Any]] | None = None, **changes: Any) -> Survey:
    """Three pictures of leopards and one of a boar, each of a record of its own; its file is named by its path."""
    survey: Survey = kit.survey(
        seen=((0, 3, kit.LEOPARD, "F1"), (0, 20, kit.LEOPARD, "F1"), (1, 31, kit.LEOPARD, "M2"), (3, 5, kit.BOAR, None))
    )
    seen = survey.observations
    media = [
        {"media": f"CANARY-media-{k}", "deployment": one["deployment"], "taken": one["start"],
         "path": f"CANARY/{k}.JPG"}
        for k, one in enumerate(seen.iter_rows(named=True))
    ]  # fmt: skip
    told = [
        {
            "media": f"CANARY-media-{k}", "box_x": BOX[0], "box_y": BOX[1], "box_width": BOX[2], "box_height": BOX[3],
            "type": "animal", "taxon": one["taxon"], "individual": one["individual"], "flank": "left", "sex": "female",
            "life_stage": "adult",
        }
        for k, one in enumerate(seen.iter_rows(named=True))
    ]  # fmt: skip
    tables = {
        "media": conform(pl.DataFrame(media), MEDIA),
        "boxes": conform(pl.DataFrame([*told, *(more or [])], infer_schema_length=None), BOXES),
    }
    return survey.with_tables(**{**tables, **changes})


def read_file(path: str) -> bytes | None:
    """The picture of a path: an animal of its own each."""
    return photo(int(path.rpartition("/")[2].partition(".")[0]))


def left(kit: Any, survey: Survey, text: str, *, reader: Any = read_file, **more: Any) -> Released:
    """What leaves of a survey under the rules in `text`; names are counted, so that two runs give the same."""
    agreement = kit.agreement(kit.HEAD + text)
    content = Delivered(survey=survey)
    numbers = iter(range(1, 10_000))
    names = Pseudonyms(agreement.id).with_names(
        names_needed(content, agreement), lambda n: next(numbers).to_bytes(n, "big")
    )
    request = Request(kit.RECIPIENT, kit.PURPOSE, kit.TODAY)
    standing = Standing(frozenset(agreement.parties))
    return release(content, agreement, request, standing, names, read_file=reader, **more)
