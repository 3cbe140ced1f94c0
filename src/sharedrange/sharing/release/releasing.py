"""The one way out: whatever leaves a node went through `release`.

Nothing leaves that no rule lets leave. What leaves is made anew from allow-listed columns: free text, file names,
picture metadata, names of stations and ids of the owner have no column to leave in. Alleles, tracks and
patrols have no table: they stay. Pictures leave as `pictures` makes them, where an agreement says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import polars as pl

from sharedrange.core.canonical import Json
from sharedrange.core.contents import Delivered
from sharedrange.core.errors import AgreementError
from sharedrange.core.finding import Fact, Finding, Where
from sharedrange.core.grids import GEOGRAPHIC
from sharedrange.core.individuals import LocalIndividual
from sharedrange.core.progress import Progress, silent
from sharedrange.core.release import FORMAT, MOST_PICTURES
from sharedrange.sharing.agreement import Agreement, Frame, frame_of, terms_of
from sharedrange.sharing.agreement.terms import Kind
from sharedrange.sharing.agreement.types import EVERY_TAXON, Media
from sharedrange.sharing.pictures import LONGEST
from sharedrange.sharing.pseudonyms import Name, Pseudonyms
from sharedrange.sharing.release.counts import names_of_counts, release_counts
from sharedrange.sharing.release.crossings import release_crossings
from sharedrange.sharing.release.pictures import ReadFile, names_of_pictures, release_pictures
from sharedrange.sharing.release.samples import names_of_samples, release_samples
from sharedrange.sharing.release.surveys import names_of_survey, release_survey, stations_told
from sharedrange.sharing.release.taxa import names_of_taxa, with_taxa_told
from sharedrange.sharing.release.types import Released, Request, Under, Withheld, made

_MOST_BYTES = 384 << 20  # of all pictures: with the tables they have to fit into a package
_FRAME = {GEOGRAPHIC: "EPSG:4326"}


@dataclass(frozen=True, slots=True)
class Standing:
    """How an agreement stands: the parties that signed exactly this text, and whether anybody revoked it."""

    signed_by: frozenset[str] = frozenset()
    revoked: bool = False


def names_needed(content: Delivered, agreement: Agreement) -> tuple[Name, ...]:
    """Everything in a delivery that `release` looks up a pseudonym for, in order."""
    names: set[Name] = set(names_of_taxa(content, agreement))
    survey_frame, counts_frame = frame_of(agreement, "survey"), frame_of(agreement, "counts")
    if content.survey is not None and survey_frame is not None:
        names |= {("dataset", content.survey.party, content.survey.dataset)}
        names |= set(names_of_survey(content.survey, agreement, survey_frame))
    if content.survey is not None and frame_of(agreement, "pictures") is not None:
        names |= {("dataset", content.survey.party, content.survey.dataset)}
        names |= set(names_of_pictures(content.survey, agreement))
    if content.genotypes is not None and frame_of(agreement, "samples") is not None:
        names |= {("dataset", content.genotypes.party, content.genotypes.dataset)}
        names |= set(names_of_samples(content.genotypes, agreement))
    if content.counts is not None and counts_frame is not None:
        names |= {("dataset", content.counts.party, content.counts.dataset)}
        names |= set(names_of_counts(content.counts))
    return tuple(sorted(names))


def release(
    content: Delivered,
    agreement: Agreement,
    request: Request,
    standing: Standing,
    pseudonyms: Pseudonyms,
    *,
    joint_ids: Mapping[LocalIndividual, str] | None = None,
    known_to: Mapping[LocalIndividual, frozenset[str]] | None = None,
    crossings_told: Sequence[pl.DataFrame] = (),
    simulated: bool = False,
    read_file: ReadFile = lambda _: None,
    progress: Progress = silent,
) -> Released:
    """What may leave of one delivery, for one recipient and purpose, on one day.

    `joint_ids` and `known_to`: what was decided about animals that other parties know too, `crossings_told`: what was
    told of them before (`Under`).
    `read_file`: path of a medium -> its bytes, None where the file did not come along; pictures are made of these.

    With equal pseudonyms, the result does not change when a position moves within its cell, a station is renamed
    (and its pseudonym with it) or something changes that no rule lets leave.

    Raises AgreementError with every reason why nothing may leave: not signed by all, revoked, not valid on the day,
    a stranger, another purpose, another owner, a frame that the grid does not cut, nothing that a rule lets leave.
    """
    found = [*_refusals(agreement, request, standing), *_about_content(content, agreement)]
    if found:
        raise AgreementError(found)
    under = Under(agreement, pseudonyms, request.on, joint_ids or {}, known_to or {}, crossings_told)
    parts = tuple(_parts(content, under, read_file, progress))
    tables = with_taxa_told({name: table for part in parts for name, table in part.tables.items()}, under)
    files = {name: file for part in parts for name, file in part.files.items()}
    if too_much := list(_too_much(agreement, files)):
        raise AgreementError(too_much)
    if not any(table.height for table in tables.values()):
        raise AgreementError([_about(agreement, "release-empty", day=str(request.on))])
    held = content.survey or content.counts or content.genotypes
    dataset = pseudonyms.names["dataset", held.party, held.dataset] if held is not None else ""
    frames = {part.kind: part.frame for part in parts}
    withheld = (*_never(content, frames), *(one for part in parts for one in part.withheld))
    return made(tables, _manifest(agreement, request, dataset, frames, simulated=simulated), withheld, files)


@dataclass(frozen=True, slots=True)
class _Part:
    """What leaves of one kind, and what of it stays."""

    kind: Kind
    frame: Frame
    tables: Mapping[str, pl.DataFrame]
    withheld: Sequence[Withheld] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)


def _parts(content: Delivered, under: Under, read_file: ReadFile, progress: Progress) -> Iterator[_Part]:
    """What leaves of each kind that the delivery holds and a rule gives."""
    survey, counts, genotypes, agreement = content.survey, content.counts, content.genotypes, under.agreement
    stations: Mapping[str, str] = {}
    if survey is not None and (frame := frame_of(agreement, "survey")) is not None:
        tables, stays = release_survey(survey, frame, under)
        here = set(tables["stations"]["station"])
        stations = {one: name for one, name in stations_told(survey, frame, under).items() if name in here}
        yield _Part("survey", frame, tables, stays)
    if survey is not None and (frame := frame_of(agreement, "crossings")) is not None:
        yield _Part(
            "crossings", frame, {"crossings": release_crossings(survey, frame, under, stations=set(stations.values()))}
        )
    if counts is not None and (frame := frame_of(agreement, "counts")) is not None:
        tables, stays = release_counts(counts, frame, under)
        yield _Part("counts", frame, tables, stays)
    if genotypes is not None and (frame := frame_of(agreement, "samples")) is not None:
        table, stays = release_samples(genotypes, frame, under)
        yield _Part("samples", frame, {"samples": table}, stays)
    if survey is not None and (frame := frame_of(agreement, "pictures")) is not None:
        pictures, stays = release_pictures(survey, frame, under, read_file, stations=stations, progress=progress)
        yield _Part("pictures", frame, {"pictures": pictures.table}, stays, pictures.files)


def _too_much(agreement: Agreement, files: Mapping[str, bytes]) -> Iterator[Finding]:
    """More pictures than a package can carry."""
    total = sum(map(len, files.values()))
    if len(files) > MOST_PICTURES or total > _MOST_BYTES:
        facts: dict[str, Fact] = {"n": len(files), "mib": total >> 20}
        yield _about(agreement, "release-pictures-large", most=MOST_PICTURES, most_mib=_MOST_BYTES >> 20, **facts)


def _refusals(agreement: Agreement, request: Request, standing: Standing) -> Iterator[Finding]:
    unsigned = [party for party in agreement.parties if party not in standing.signed_by]
    if standing.revoked:
        yield _about(agreement, "agreement-revoked")
    if unsigned:
        yield _about(agreement, "agreement-unsigned", parties=", ".join(unsigned))
    if not agreement.valid.start <= request.on <= agreement.valid.end:
        days = {"start": str(agreement.valid.start), "end": str(agreement.valid.end)}
        yield _about(agreement, "agreement-not-valid", day=str(request.on), **days)
    if request.recipient not in agreement.recipients:
        known = ", ".join(agreement.recipients)
        yield _about(agreement, "release-recipient", recipient=request.recipient, known=known)
    if request.purpose not in agreement.purposes:
        yield _about(agreement, "release-purpose", purpose=request.purpose, known=", ".join(agreement.purposes))


def _about_content(content: Delivered, agreement: Agreement) -> Iterator[Finding]:
    sampled = content.genotypes if frame_of(agreement, "samples") is not None else None
    held = [part for part in (content.survey, content.counts, sampled) if part is not None]
    if owners := sorted({part.party for part in held} - {agreement.owner}):
        yield _about(agreement, "release-owner", owner=agreement.owner, party=", ".join(owners))
    frame = _FRAME.get(agreement.grid.crs, agreement.grid.crs)
    if frames := sorted({part.frame for part in held} - {frame}):
        yield _about(agreement, "release-frame", grid=agreement.grid.crs, frame=", ".join(frames))
    if content.survey is not None and not content.survey.dated:
        yield _about(agreement, "release-undated", dataset=content.survey.dataset)
    kinds: Mapping[Kind, object] = {
        "survey": content.survey, "counts": content.counts, "pictures": content.survey, "samples": sampled
    }  # fmt: skip
    if not any(held is not None and frame_of(agreement, kind) is not None for kind, held in kinds.items()):
        yield _about(agreement, "release-nothing-agreed")


def _never(content: Delivered, frames: Collection[Kind]) -> Iterator[Withheld]:
    """What has no way out, or none under this agreement."""
    if content.survey is not None and "pictures" not in frames and content.survey.media.height:
        yield Withheld("media", content.survey.media.height)
    if content.genotypes is not None:
        yield Withheld("genotypes", content.genotypes.alleles.height)
    if content.tracks is not None:
        yield Withheld("tracks", content.tracks.fixes.height)
    if content.patrols is not None:
        yield Withheld("patrols", content.patrols.observations.height)
    if content.proposals is not None:
        yield Withheld("proposals", content.proposals.proposals.height)


def _manifest(
    agreement: Agreement, request: Request, dataset: str, frames: Mapping[Kind, Frame], *, simulated: bool
) -> dict[str, Json]:
    """What a recipient is told: it depends on the agreement and the request alone, never on the data."""
    return {
        "agreement": {"hash": agreement.hash, "id": agreement.id},
        "attribute": agreement.duties.attribute,
        "dataGeneralizations": [
            line for kind, frame in frames.items() for line in _generalised(agreement, kind, frame)
        ],
        "dataset": dataset,
        "format": FORMAT,
        "frames": {kind: _told(agreement, kind, frame) for kind, frame in frames.items()},
        "informationWithheld": list(_WITHHELD if "pictures" not in frames else _WITHHELD_OF_PICTURES),
        "owner": agreement.owner,
        "purpose": request.purpose,
        "recipient": request.recipient,
        "released_on": str(request.on),
        "simulated": simulated,
        **said_of(agreement),
    }


def said_of(agreement: Agreement) -> dict[str, Json]:
    """What a manifest repeats of its agreement, for readers that have the package alone."""
    return {
        "grid": {"crs": agreement.grid.crs, "id": agreement.grid.id, "sizes": list(agreement.grid.sizes)},
        "onward": agreement.onward,
        "onward_to": list(agreement.onward_to),
        "outputs": [asdict(output) for output in agreement.outputs],
        "timezone": agreement.timezone,
        "valid_until": str(agreement.valid.end),
    }


# Darwin Core asks for sentences in these two terms; they are in English in every language of a report.
_WITHHELD = (
    "exact positions and dates",
    "names of stations and original identifiers",
    "free text, file names and metadata of pictures",
    "pictures, records of people and vehicles, genotypes, tracks and patrols",
    "records of taxa and periods that the agreement does not name",
)


_WITHHELD_OF_PICTURES = (
    *_WITHHELD[:3],
    "what lies around an animal in its picture, pictures of several animals",
    "records of people and vehicles, genotypes, tracks and patrols",
    _WITHHELD[-1],
)
_MADE: Mapping[Media, str] = {
    "crops": f"pictures: cut to the animal, its surroundings beyond an ellipse made grey, at most {LONGEST['crops']} "
    "pixels wide or high, without metadata",
    "originals": "pictures: without the strips at the top and bottom of the frame, at most "
    f"{LONGEST['originals']} pixels wide or high, without metadata",
}

_FEW = {"withhold": "withheld", "join": "given in larger cells"}


def _generalised(agreement: Agreement, kind: Kind, frame: Frame) -> Iterator[str]:
    if kind == "pictures":
        yield from (_MADE[media] for media in _media(agreement))
        return
    if kind == "crossings":
        yield f"{kind}: numbers of animals that another party knows too, by the {frame.resolution}, without places"
        return
    unit = "degrees" if agreement.grid.crs == GEOGRAPHIC else "metres"
    if frame.cell is not None:
        yield (
            f"{kind}: position given as the centre of a cell of {frame.cell:g} {unit} of the grid {agreement.grid.id}; "
            f"places in cells that fewer than {frame.least_stations} share are {_FEW[frame.few_stations]}"
        )
    yield f"{kind}: time given as the {frame.resolution} in which it falls"


def _media(agreement: Agreement) -> list[Media]:
    """How pictures leave, by the rules that give any."""
    return sorted({rule.media for rule in agreement.rules if "pictures" in rule.tables} - {"none"})


def _told(agreement: Agreement, kind: Kind, frame: Frame) -> dict[str, Json]:
    if kind == "pictures":
        media: list[Json] = [*_media(agreement)]
        rules: list[Json] = [*frame.rules]
        return {"delay_days": frame.delay_days, "media": media, "resolution": frame.resolution, "rules": rules}
    if kind == "crossings":
        return {"delay_days": frame.delay_days, "resolution": frame.resolution, "rules": list(frame.rules)}
    return {
        **(_taxa(agreement) if kind == "survey" else {}),
        "cell": frame.cell,
        "delay_days": frame.delay_days,
        "few_stations": frame.few_stations,
        "least_stations": frame.least_stations,
        "resolution": frame.resolution,
        "rules": list(frame.rules),
    }


def _taxa(agreement: Agreement) -> dict[str, Json]:
    """What the records of a survey can be of: `taxa`, or all but `taxa_withheld`. That others lack says nothing."""
    named = sorted({taxon for rule in agreement.rules for taxon in rule.taxa} - {EVERY_TAXON})
    leaving: list[Json] = [taxon for taxon in named if _leaves(agreement, taxon)]
    if _leaves(agreement, EVERY_TAXON):
        return {"taxa_withheld": [taxon for taxon in named if taxon not in leaving]}
    return {"taxa": leaving}


def _leaves(agreement: Agreement, taxon: str) -> bool:
    terms = terms_of(agreement, taxon)
    return terms is not None and terms.encounters is not None


def _about(agreement: Agreement, rule: str, **facts: Fact) -> Finding:
    return Finding(rule, {"agreement": agreement.id, **facts}, Where(agreement.file or None))
