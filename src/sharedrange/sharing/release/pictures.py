"""Pictures as they leave: of one animal each, cut to it, under a name that says nothing; place and time stay.

A picture leaves to be compared with others: is this the leopard that we know? So a picture of several animals, of
people or vehicles, or of an animal that nobody gave a box stays, and what leaves is made anew from pixels
(`sharing.pictures`). What happens to a picture depends on what people told of it, on the size of its frame and on
the pixels that leave; on no file name, metadata or other pixel.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import polars as pl

from sharedrange.core.individuals import CATALOGUE, LocalIndividual
from sharedrange.core.progress import Progress, silent
from sharedrange.core.release import KEYS, PICTURES, picture_file
from sharedrange.core.survey import Survey, conform
from sharedrange.sharing.agreement import Agreement, Frame, Terms, is_people, terms_of
from sharedrange.sharing.agreement.types import Media
from sharedrange.sharing.pictures import Box, released_picture
from sharedrange.sharing.pseudonyms import Name
from sharedrange.sharing.release.surveys import name_told
from sharedrange.sharing.release.types import TRUNCATED, Under, Withheld, is_ready

ReadFile = Callable[[str], bytes | None]  # path of a medium as delivered -> its bytes; None: it did not come along
_PEOPLE = ("human", "vehicle")
_OF_FILE = ("picture", "path", "taxon")
_MOST_THREADS = 8  # each holds a picture of tens of megabytes
_BOX = ("box_x", "box_y", "box_width", "box_height")


@dataclass(frozen=True, slots=True)
class Pictures:
    """What leaves: the table, and the files that it names."""

    table: pl.DataFrame
    files: Mapping[str, bytes]


def names_of_pictures(survey: Survey, agreement: Agreement) -> Iterator[Name]:
    """Everything about pictures that a release gives a pseudonym."""
    candidates, _ = _candidates(survey, agreement)
    for media, taxon, catalogue, code in candidates.select("media", "taxon", "catalogue", "individual").iter_rows():
        yield _picture_name(survey, media)
        if code is not None and _terms(agreement, taxon).identity == "pseudonym":
            yield ("individual", survey.party, catalogue, code)


def release_pictures(
    survey: Survey,
    frame: Frame,
    under: Under,
    read_file: ReadFile,
    *,
    stations: Mapping[str, str],
    progress: Progress = silent,
) -> tuple[Pictures, list[Withheld]]:
    """The pictures that may leave, and what stays.

    `stations`: deployment -> the pseudonym of its station, of those that leave in the same package.
    """
    candidates, withheld = _candidates(survey, under.agreement)
    taken = pl.col("taken").dt.convert_time_zone(under.agreement.timezone).dt.date()
    dated = candidates.with_columns(period=taken.dt.truncate(TRUNCATED[frame.resolution]))
    ready = dated.filter(is_ready(frame, under.on))
    told = _told(survey, ready, stations, under).sort("picture")
    files, why = _made(told, under.agreement, read_file, progress)
    rows = told.filter(pl.col("picture").is_in(list(files)))
    hashes = {picture: hashlib.sha256(content).hexdigest() for picture, content in files.items()}
    rows = rows.with_columns(sha256=pl.col("picture").replace_strict(hashes, return_dtype=pl.String))
    table = _as_agreed(rows, under.agreement)
    counted = [*withheld, Withheld("pictures-too-recent", dated.height - ready.height), *why]
    named = {picture_file(picture): content for picture, content in files.items()}
    return Pictures(table, named), [one for one in counted if one.n]


def _picture_name(survey: Survey, media: str) -> Name:
    return ("picture", survey.party, survey.dataset, media)


def _terms(agreement: Agreement, taxon: str) -> Terms:
    terms = terms_of(agreement, taxon)
    assert terms is not None  # noqa: S101  (only taxa that a rule names are candidates)
    return terms


def _giving(survey: Survey, agreement: Agreement) -> dict[str, Terms]:
    """The taxa of which pictures may leave."""
    terms = {taxon: terms_of(agreement, taxon) for taxon in survey.boxes["taxon"].drop_nulls().unique().sort()}
    return {taxon: one for taxon, one in terms.items() if one is not None and _gives_pictures(one)}


def _gives_pictures(terms: Terms) -> bool:
    return terms.pictures is not None and terms.media != "none"


# --- which pictures ---


def _candidates(survey: Survey, agreement: Agreement) -> tuple[pl.DataFrame, list[Withheld]]:
    """The pictures that may leave one day, one row each: what is told of the one animal in it, and its file.

    Where a rule lets animals leave by name, a picture of one that nobody told apart stays.
    """
    giving = _giving(survey, agreement)
    told = survey.boxes.filter(pl.len().over("media") == 1).filter(_is_one_animal())
    media = survey.media.filter(pl.col("taken").is_not_null() & pl.col("path").is_not_null())
    one_each = media.unique("media", keep="none").select("media", "deployment", "taken", "path")
    alone = one_each.join(told, on="media")
    allowed = alone.filter(pl.col("taxon").is_in(list(giving)))
    unseen = _without_people(allowed, survey)
    needed = [taxon for taxon, terms in giving.items() if terms.identity != "none" and _names(terms)]
    named = unseen.filter(pl.col("individual").is_not_null() | ~pl.col("taxon").is_in(needed))
    withheld = [
        Withheld("pictures-not-of-one-animal", survey.media.height - alone.height),
        Withheld("pictures-no-rule", alone.height - allowed.height),
        Withheld("pictures-with-people", allowed.height - unseen.height),
        Withheld("pictures-not-told-apart", unseen.height - named.height),
    ]
    return named.with_columns(pl.col("catalogue").fill_null(CATALOGUE)), withheld


def _is_one_animal() -> pl.Expr:
    """Whether a row is about one animal, and says where in the picture."""
    boxed = pl.all_horizontal(pl.col(name).is_not_null() for name in _BOX)
    return boxed & (pl.col("type").fill_null("animal") == "animal") & (pl.col("count").fill_null(1) == 1)


def _names(terms: Terms) -> bool:
    return "individual" in (terms.pictures or ())


def _without_people(pictures: pl.DataFrame, survey: Survey) -> pl.DataFrame:
    """Pictures that were not taken while people or vehicles passed the same camera."""
    of_people = [taxon for taxon in survey.observations["taxon"].drop_nulls().unique() if is_people(taxon)]
    people = survey.observations.filter(pl.col("type").is_in(_PEOPLE) | pl.col("taxon").is_in(of_people))
    spans = people.select("deployment", since="start", until=pl.coalesce("end", "start")).drop_nulls()
    met = pictures.select("media", "deployment", "taken").join(spans.unique(), on="deployment")
    met = met.filter(pl.col("taken").is_between("since", "until"))
    seen = pl.concat([met["media"], people["media"].drop_nulls()]).unique()
    return pictures.filter(~pl.col("media").is_in(seen.to_list()))


# --- what is told of them ---


def _told(survey: Survey, pictures: pl.DataFrame, stations: Mapping[str, str], under: Under) -> pl.DataFrame:
    """Pictures with the names of the pictures themselves, of animals and of stations as they leave."""
    names = under.pseudonyms.names
    who = pictures.select("taxon", "catalogue", "individual").iter_rows()
    told = [_who(survey.party, taxon, catalogue, code, under) for taxon, catalogue, code in who]
    return pictures.with_columns(
        picture=pl.Series([names[_picture_name(survey, media)] for media in pictures["media"]], dtype=pl.String),
        catalogue=pl.Series([catalogue for catalogue, _ in told], dtype=pl.String),
        individual=pl.Series([name for _, name in told], dtype=pl.String),
        station=pl.Series([stations.get(one) for one in pictures["deployment"]], dtype=pl.String),
    )


def _who(party: str, taxon: str, catalogue: str, code: str | None, under: Under) -> tuple[str | None, str | None]:
    """Catalogue and name under which the animal of a picture leaves."""
    if code is None:
        return None, None
    terms = _terms(under.agreement, taxon)
    return name_told(LocalIndividual(party, catalogue, code), terms, terms.pictures, under)


def _as_agreed(rows: pl.DataFrame, agreement: Agreement) -> pl.DataFrame:
    """Each taxon's rows with the columns that its terms give."""
    parts = [pl.DataFrame(schema=PICTURES)]
    for taxon in rows["taxon"].unique().sort():
        keys = {*KEYS["pictures"], *(_terms(agreement, taxon).pictures or ())}
        of_taxon = rows.filter(pl.col("taxon") == taxon)
        parts.append(conform(of_taxon.select(name for name in PICTURES if name in keys), PICTURES))
    return pl.concat(parts).sort("picture")


# --- the files ---


def _made(
    told: pl.DataFrame, agreement: Agreement, read_file: ReadFile, progress: Progress
) -> tuple[dict[str, bytes], list[Withheld]]:
    """Pseudonym -> the picture as it leaves, of those that can be read.

    Several at once, as decoding is most of the work and lets other threads run; in the same order on any machine.
    """

    def make(row: tuple[Any, ...]) -> tuple[str, bytes | None, bool]:
        picture, path, taxon, *box = row
        content = read_file(path)
        made = None if content is None else _picture(content, _terms(agreement, taxon).media, Box(*box))
        return picture, made, content is None

    files: dict[str, bytes] = {}
    absent = 0
    pool = ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1))
    try:
        rows = told.select(*_OF_FILE, *_BOX).rows()
        for done, (picture, made, is_absent) in enumerate(pool.map(make, rows), start=1):
            absent += is_absent
            if made is not None:
                files[picture] = made
            progress(done / told.height)
    finally:
        pool.shutdown(cancel_futures=True)  # whoever stops waits for the pictures at hand, not for all
    unusable = told.height - absent - len(files)
    return files, [Withheld("pictures-absent", absent), Withheld("pictures-unusable", unusable)]


def _picture(content: bytes, media: Media, box: Box) -> bytes | None:
    """A picture as it leaves; None if it cannot be read or too little of it would leave."""
    try:
        return released_picture(content, media, box)
    except ValueError:
        return None
