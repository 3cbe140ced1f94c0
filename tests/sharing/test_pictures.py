"""What a picture shows when it leaves, and what of it nobody can find again."""

from __future__ import annotations

import io
import math
import warnings
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.picture_cases import ALL, BOX, CANARY, HEIGHT, INSIDE, WIDTH, left, photo, pictured, rule

from sharedrange.core.canonical import canonical
from sharedrange.core.contents import Delivered
from sharedrange.core.errors import AgreementError, Cancelled
from sharedrange.core.individuals import LocalIndividual
from sharedrange.core.release import PICTURES, picture_file
from sharedrange.core.survey import BOXES, MEDIA
from sharedrange.sharing.agreement import frame_of, lint, terms_of
from sharedrange.sharing.pictures import LONGEST, Box, is_bare, pixels_of, released_picture
from sharedrange.sharing.pictures.jpeg import bare, segments, size_of
from sharedrange.sharing.pictures.masking import EDGE, GREY, LEAST_KEPT, SMALLEST, STRIP_SHARE, masked, part_of
from sharedrange.sharing.release import Released, names_needed, releasing

shares = st.floats(0, 1)


def cropped(content: bytes, box: tuple[float, ...] = BOX) -> bytes:
    """The animal as it leaves."""
    return released_picture(content, "crops", Box(*box))


# --- one picture ---


def test_a_crop_shows_the_animal_and_grey_corners() -> None:
    pixels = pixels_of(cropped(photo())).astype(int)
    original = pixels_of(photo()).astype(int)
    left, upper, right, lower = INSIDE
    assert pixels.shape == (lower - upper, right - left, 3)
    middle = np.s_[80:160, 120:200]
    assert np.abs(pixels[middle] - original[upper:lower, left:right][middle]).mean() < 6  # JPEG's own loss
    corners = [pixels[y, x] for y in (0, -1) for x in (0, -1)]
    assert np.abs(np.array(corners) - GREY).max() <= 4


@pytest.mark.parametrize("media", ["crops", "originals"])
def test_no_metadata_leaves_and_none_is_looked_at(media: Any) -> None:
    told, bare_one = (released_picture(photo(metadata=m), media, Box(*BOX)) for m in (True, False))
    assert told == bare_one
    assert is_bare(told, LONGEST[media])
    assert CANARY.encode() not in told
    with Image.open(io.BytesIO(told)) as image:
        image.load()
        assert not image.getexif()
        assert not {"exif", "icc_profile", "comment", "dpi", "xmp"} & image.info.keys()


printed = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)


@given(st.tuples(*[st.integers(0, 255)] * 3), printed)
@settings(max_examples=25, deadline=None)
def test_nothing_around_the_box_changes_a_byte(around: tuple[int, int, int], bar: str) -> None:
    assert cropped(photo(around=around, bar=bar)) == cropped(photo())


def test_the_animal_itself_does_change_it() -> None:
    assert cropped(photo(1)) != cropped(photo(2))


def test_of_an_original_only_the_strips_stay_behind() -> None:
    pixels = pixels_of(released_picture(photo(), "originals", Box(*BOX)))
    assert pixels.shape == (HEIGHT - 2 * math.ceil(STRIP_SHARE * HEIGHT), WIDTH, 3)
    white = released_picture(photo(bar="another place altogether"), "originals", Box(*BOX))
    assert white == released_picture(photo(), "originals", Box(*BOX))


@pytest.mark.parametrize("box", [(0.1, 0.9, 0.5, 0.1), (0.1, 0.0, 0.5, 0.1), (0.4, 0.4, 0.01, 0.5)])
def test_what_stands_in_a_strip_or_is_too_small_does_not_leave(box: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="too little"):
        cropped(photo(), box)


@given(st.tuples(st.integers(100, 5000), st.integers(100, 5000)), st.tuples(shares, shares, shares, shares))
@settings(deadline=None)
def test_a_part_lies_within_its_box_and_between_the_strips(
    size: tuple[int, int], box: tuple[float, float, float, float]
) -> None:
    (width, height), (x, y, w, h) = size, box
    part = part_of(width, height, Box(x, y, w, h))
    if part is None:
        return
    slack = 1e-3  # a box of whole pixels is one, whatever its shares were rounded to
    assert part.left >= x * width - slack
    assert part.upper >= max(y * height - slack, STRIP_SHARE * height)
    assert part.right <= min((x + w) * width + slack, width)
    assert part.lower <= min((y + h) * height + slack, (1 - STRIP_SHARE) * height)
    assert min(part.shape) >= SMALLEST
    assert part.shape[0] * part.shape[1] >= LEAST_KEPT * w * width * h * height


@pytest.mark.parametrize("box", [(-0.1, 0.2, 0.5, 0.5), (0.2, 0.2, 0.9, 0.5), (0.2, 0.2, 0.0, 0.5),
                                 (float("nan"), 0.2, 0.5, 0.5), (0.2, float("inf"), 0.5, 0.5)])  # fmt: skip
def test_a_box_that_is_no_part_of_the_picture_is_none(box: tuple[float, ...]) -> None:
    assert part_of(WIDTH, HEIGHT, Box(*box)) is None


def test_the_mask_keeps_the_middle_and_forgets_what_the_ellipse_does_not_reach() -> None:
    rng = np.random.default_rng(3)
    one, two = (rng.integers(0, 256, (60, 90, 3), dtype=np.uint8) for _ in range(2))
    down, across = (2 * (np.arange(n) + 0.5) / n - 1 for n in (60, 90))
    radius = np.hypot(down[:, None], across[None, :])
    mixed = np.where((radius < 1)[:, :, None], one, two).astype(np.uint8)
    assert (masked(mixed) == masked(one)).all()
    assert (masked(one)[radius >= 1] == GREY).all()
    assert (masked(one)[radius <= 1 - EDGE] == one[radius <= 1 - EDGE]).all()


@given(st.integers(1, 3000), st.integers(1, 3000))
@settings(max_examples=15, deadline=None)
def test_what_leaves_is_no_larger_than_it_may_be(width: int, height: int) -> None:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (10, 200, 30)).save(out, "JPEG")
    left_of_it = height * (1 - 2 * STRIP_SHARE)
    try:
        shape = size_of(released_picture(out.getvalue(), "crops", Box(0, 0, 1, 1)))
    except ValueError:
        assert min(width, left_of_it) < SMALLEST + 1
    else:
        assert max(shape) <= LONGEST["crops"]
        lost = 3 / min(shape)  # pixels that are only partly within are left out on each side
        assert abs(shape[0] / shape[1] / (width / left_of_it) - 1) < lost + 0.05


# --- the form of a file ---


def test_the_same_pixels_come_out_of_a_file_without_its_metadata() -> None:
    with Image.open(io.BytesIO(bare(photo()))) as one, Image.open(io.BytesIO(photo())) as two:
        assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize("options", [{"progressive": True}, {"optimize": True}, {"restart_marker_rows": 1}])
def test_jpegs_of_every_usual_kind_are_read(options: dict[str, Any]) -> None:
    image, out = Image.open(io.BytesIO(photo(kind="PNG"))), io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=92, **options)
    assert cropped(out.getvalue()) == cropped(photo())


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_pictures_and_colours_of_printers_are_read(mode: str) -> None:
    image, out = Image.open(io.BytesIO(photo(kind="PNG"))), io.BytesIO()
    image.convert(mode).save(out, "JPEG", quality=95)
    assert is_bare(cropped(out.getvalue()), LONGEST["crops"])


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8", b"\xff\xd8\xff\xd9", photo(kind="PNG"), b"GIF89a", photo()[:3000]]
)
def test_what_is_no_whole_jpeg_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        cropped(content)


@given(st.integers(2, 40_000), st.binary(min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_no_damage_raises_anything_but_a_refusal(at: int, junk: bytes) -> None:
    content = photo()
    damaged = content[:at] + junk + content[at + len(junk) :]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            made = cropped(damaged)
        except ValueError:
            return
    assert is_bare(made, LONGEST["crops"])


def hidden(marker: int, told: bytes) -> bytes:
    """A segment of an application or a remark."""
    return bytes([0xFF, marker]) + (len(told) + 2).to_bytes(2, "big") + told


@pytest.mark.parametrize("marker", [0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE])
def test_a_picture_with_anything_beside_its_pixels_is_not_bare(marker: int) -> None:
    good = cropped(photo())
    assert not is_bare(good[:2] + hidden(marker, CANARY.encode()) + good[2:], 512)
    assert is_bare(good, 512)
    assert not is_bare(good, 100)
    assert not is_bare(good + b"\0", 512)
    assert not is_bare(good[:-1], 512)
    assert segments(good)


# --- the pictures of a survey ---


def payload(one: Released) -> bytes:
    """All that would be sealed."""
    tables = b"".join(name.encode() + one.tables[name].write_csv().encode() for name in sorted(one.tables))
    return tables + canonical(one.manifest) + b"".join(name.encode() + one.files[name] for name in sorted(one.files))


def reasons(one: Released) -> dict[str, int]:
    """Why pictures stayed, and how many."""
    return {w.reason: w.n for w in one.withheld if w.reason.startswith("pictures")}


def test_pictures_leave_alone_without_place_or_time(kit: Any) -> None:
    one = left(kit, pictured(kit), rule(kit))
    assert set(one.tables) == {"pictures"}
    table = one.tables["pictures"]
    assert table.schema == PICTURES
    assert table.height == 3
    assert set(table["taxon"]) == {kit.LEOPARD}
    assert table["station"].null_count() == table["period"].null_count() == 3
    assert table["individual"].null_count() == 0
    assert set(table["flank"]) == {"left"}
    assert list(one.files) == [picture_file(name) for name in table["picture"]]
    assert "CANARY" not in payload(one).decode("latin-1")


def test_a_picture_leaves_under_one_name_as_long_as_the_agreement_lives(kit: Any) -> None:
    agreement = kit.agreement(kit.HEAD + rule(kit))
    names = names_needed(Delivered(survey=pictured(kit)), agreement)
    assert sorted({name[0] for name in names}) == ["dataset", "individual", "picture"]


def test_encounters_and_pictures_of_an_animal_go_by_the_same_name(kit: Any) -> None:
    both = kit.CATS.replace("[rules.tables]", 'media = "crops"\n[rules.tables]\npictures = ["individual"]', 1)
    one = left(kit, pictured(kit), both)
    animals = set(one.tables["encounters"].filter(pl.col("taxon") == kit.LEOPARD)["individual"])
    assert set(one.tables["pictures"]["individual"]) == animals


def test_an_animal_that_several_know_goes_by_its_joint_id(kit: Any) -> None:
    text = rule(kit).replace("media =", 'concordance = "joint-id"\nmedia =')
    joint = {LocalIndividual(kit.OWNER, "main", "F1"): "J-1"}
    table = left(kit, pictured(kit), text, joint_ids=joint).tables["pictures"]
    assert table.filter(pl.col("individual") == "J-1")["catalogue"].to_list() == ["joint", "joint"]


def test_station_and_period_leave_where_they_are_named_and_the_station_does(kit: Any) -> None:
    columns = (*ALL, "station", "period")
    alone = left(kit, pictured(kit), rule(kit, columns=columns)).tables["pictures"]
    assert alone["station"].null_count() == alone.height
    assert set(alone["period"].cast(pl.String)) == {"2026-02-01", "2026-03-01"}
    both = kit.CATS.replace("[rules.tables]", 'media = "crops"\n[rules.tables]\npictures = ["station"]', 1)
    one = left(kit, pictured(kit), both)
    assert set(one.tables["pictures"]["station"]) <= set(one.tables["stations"]["station"])
    assert one.tables["pictures"]["station"].null_count() == 0


@pytest.mark.parametrize("columns", [(), ("flank",)])
def test_columns_that_no_rule_names_are_empty(kit: Any, columns: tuple[str, ...]) -> None:
    table = left(kit, pictured(kit), rule(kit, columns=columns)).tables["pictures"]
    filled = {name for name in table.columns if table[name].null_count() < table.height}
    assert filled == {"picture", "taxon", "sha256", *columns}


@pytest.mark.parametrize(
    "extra",
    [
        {"type": "human"},
        {"type": "vehicle", "box_x": 0.1, "box_y": 0.1, "box_width": 0.2, "box_height": 0.2},
        {"type": "animal", "taxon": "Sus scrofa"},
        {"type": "animal", "taxon": "Panthera pardus orientalis"},
    ],
)
def test_a_picture_of_more_than_one_animal_stays(kit: Any, extra: dict[str, Any]) -> None:
    one = left(kit, pictured(kit, [{"media": "CANARY-media-0", **extra}]), rule(kit))
    assert one.tables["pictures"].height == 2
    assert reasons(one)["pictures-not-of-one-animal"] == 1


@pytest.mark.parametrize("called", [("human", None), ("animal", "Homo sapiens"), (None, "Homo sapiens")])
def test_a_picture_that_was_taken_while_people_passed_stays(kit: Any, called: tuple[str | None, str | None]) -> None:
    survey, (kind, taxon) = pictured(kit), called
    first = survey.observations.head(1)
    person = first.with_columns(
        pl.lit(kind, pl.String).alias("type"), pl.lit(taxon, pl.String).alias("taxon"),
        pl.lit("CANARY-other").alias("media"),
        start=pl.col("start") - timedelta(minutes=1), end=pl.col("start") + timedelta(minutes=1),
    )  # fmt: skip
    one = left(kit, survey.with_tables(observations=pl.concat([survey.observations, person])), rule(kit))
    assert one.tables["pictures"].height == 2
    assert reasons(one)["pictures-with-people"] == 1


def test_a_box_of_two_animals_or_none_is_no_picture_of_one(kit: Any) -> None:
    survey = pictured(kit)
    first = pl.col("media") == "CANARY-media-0"
    for change in (
        {"count": pl.when(first).then(pl.lit(2, pl.Int32)).otherwise("count")},
        {"box_width": pl.when(~first).then("box_width")},
    ):
        one = left(kit, survey.with_tables(boxes=survey.boxes.with_columns(**change)), rule(kit))
        assert one.tables["pictures"].height < left(kit, survey, rule(kit)).tables["pictures"].height


def test_an_animal_that_nobody_told_apart_leaves_only_where_no_names_are_asked_for(kit: Any) -> None:
    survey = pictured(kit)
    nobody = survey.with_tables(boxes=survey.boxes.with_columns(individual=pl.lit(None, pl.String)))
    with pytest.raises(AgreementError):
        left(kit, nobody, rule(kit))
    for text in (rule(kit, columns=("flank",)), rule(kit, identity="none")):
        table = left(kit, nobody, text).tables["pictures"]
        assert (table.height, table["individual"].null_count()) == (3, 3)


def test_a_picture_waits_as_long_as_its_period(kit: Any) -> None:
    late = left(kit, pictured(kit), rule(kit, delay=(kit.TODAY - date(2026, 3, 15)).days))
    assert reasons(late)["pictures-too-recent"] == 1
    assert late.tables["pictures"].height == 2


def test_pictures_wait_as_long_as_the_records_of_their_survey(kit: Any) -> None:
    agreement = kit.agreement(kit.HEAD + kit.cats(kit.TIGER) + rule(kit))
    frame = frame_of(agreement, "pictures")
    assert frame is not None
    assert frame.delay_days == 90
    survey = frame_of(agreement, "survey")
    assert survey is not None
    assert survey.delay_days == 90
    assert survey.rules == ("cats", "flanks")  # its taxa were caught at the same stations


def test_the_strictest_rule_about_pictures_wins(kit: Any) -> None:
    loose, strict = rule(kit, media="originals"), rule(kit).replace('"flanks"', '"strict"')
    terms = terms_of(kit.agreement(kit.HEAD + loose + strict), kit.LEOPARD)
    assert terms is not None
    assert terms.media == "crops"
    silent = strict.replace('media = "crops"', "")
    with pytest.raises(AgreementError):
        left(kit, pictured(kit), loose + silent)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('media = "crops"', 'media = "none"'), ["rule-without-media"]),
        (('media = "crops"', 'media = "originals"'), ["rule-originals"]),
        (("pictures = [", "counts = []\nvisits = []\n#"), ["rule-without-pictures", "rule-without-cell"]),
        (('identity = "pseudonym"', 'identity = "none"'), ["rule-without-identity"]),
        (("", ""), []),
    ],
)
def test_pictures_that_one_key_gives_and_another_keeps_are_told(
    kit: Any, change: tuple[str, str], said: list[str]
) -> None:
    agreement = kit.agreement(kit.HEAD + rule(kit).replace(*change))
    assert [finding.rule for finding in lint(agreement, kit.TODAY)] == said


def test_pictures_that_did_not_come_along_or_cannot_be_read_stay(kit: Any) -> None:
    def reader(path: str) -> bytes | None:
        return {"CANARY/0.JPG": None, "CANARY/1.JPG": b"no picture"}.get(path, photo())

    one = left(kit, pictured(kit), rule(kit), reader=reader)
    assert one.tables["pictures"].height == 1
    assert reasons(one) == {"pictures-no-rule": 1, "pictures-absent": 1, "pictures-unusable": 1}


def test_every_picture_leaves_or_is_accounted_for(kit: Any) -> None:
    survey = pictured(kit, [{"media": "CANARY-media-2", "type": "human"}])
    one = left(kit, survey, rule(kit))
    assert one.tables["pictures"].height + sum(reasons(one).values()) == survey.media.height


def test_without_a_rule_that_gives_them_no_picture_leaves_and_nothing_else_changes(kit: Any) -> None:
    bare_one = pictured(kit, media=pl.DataFrame(schema=MEDIA), boxes=pl.DataFrame(schema=BOXES))
    with_media, without = (left(kit, one, kit.CATS) for one in (pictured(kit), bare_one))
    assert not with_media.files
    assert payload(with_media) == payload(without)
    told = kit.CATS.replace("[rules.tables]", 'media = "crops"\n[rules.tables]', 1)
    assert set(left(kit, pictured(kit), told).tables) == {"stations", "effort", "encounters"}


def test_what_a_recipient_is_told_depends_on_the_agreement_alone(kit: Any) -> None:
    person = {"media": "CANARY-media-0", "type": "human"}
    one, two = (left(kit, survey, rule(kit)).manifest for survey in (pictured(kit), pictured(kit, [person])))
    assert one == two
    assert one["frames"] == {
        "pictures": {"delay_days": 0, "media": ["crops"], "resolution": "month", "rules": ["flanks"]}
    }


@given(
    prefix=st.text(st.characters(categories=["L"]), min_size=1, max_size=8),
    around=st.tuples(*[st.integers(0, 255)] * 3),
    metadata=st.booleans(),
    bar=st.sampled_from(["", "another ridge", CANARY]),
    moved=st.floats(0, 0.9),
)
@settings(max_examples=20, deadline=None)
def test_names_of_files_metadata_bars_and_surroundings_change_no_byte(  # noqa: PLR0917  (all that may change)
    kit: Any, prefix: str, around: tuple[int, int, int], metadata: bool, bar: str, moved: float
) -> None:
    survey = pictured(kit)
    other = survey.with_tables(
        media=survey.media.with_columns(
            pl.concat_str(pl.lit(prefix), "path").alias("path"), pl.lit(prefix).alias("taken_text")
        ),
        deployments=survey.deployments.with_columns(pl.col("uncertainty_m") + moved),
    )

    def reader(path: str) -> bytes:
        seed = int(path.rpartition("/")[2].partition(".")[0])
        return photo(seed, around=around, metadata=metadata, bar=bar)

    assert payload(left(kit, other, rule(kit), reader=reader)) == payload(left(kit, survey, rule(kit)))


def test_more_pictures_than_a_package_carries_are_refused(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releasing, "MOST_PICTURES", 2)
    with pytest.raises(AgreementError) as error:
        left(kit, pictured(kit), rule(kit))
    assert [finding.rule for finding in error.value.findings] == ["release-pictures-large"]


def test_progress_rises_to_one(kit: Any) -> None:
    told: list[float] = []
    left(kit, pictured(kit), rule(kit), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_whoever_stops_a_release_has_none(kit: Any) -> None:
    def stop(_: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        left(kit, pictured(kit), rule(kit), progress=stop)
