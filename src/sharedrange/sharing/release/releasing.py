"""The one way out: whatever leaves a node went through `release`.

Nothing leaves that no rule lets leave. What leaves is made anew from allow-listed columns: free text, file names,
picture metadata, names of stations and ids of the owner have no column to leave in. Genotypes, tracks, patrols and
pictures have no table: they stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import polars as pl

from sharedrange.core.canonical import Json
from sharedrange.core.contents import Delivered
from sharedrange.core.errors import AgreementError
from sharedrange.core.finding import Fact, Finding, Where
from sharedrange.core.grids import GEOGRAPHIC
from sharedrange.core.individuals import LocalIndividual
from sharedrange.core.release import FORMAT
from sharedrange.sharing.agreement import Agreement, Frame, frame_of
from sharedrange.sharing.agreement.terms import Kind
from sharedrange.sharing.pseudonyms import Name, Pseudonyms
from sharedrange.sharing.release.counts import names_of_counts, release_counts
from sharedrange.sharing.release.surveys import names_of_survey, release_survey
from sharedrange.sharing.release.types import Released, Request, Under, Withheld, made

_FRAME = {GEOGRAPHIC: "EPSG:4326"}


@dataclass(frozen=True, slots=True)
class Standing:
    """How an agreement stands: the parties that signed exactly this text, and whether anybody revoked it."""

    signed_by: frozenset[str] = frozenset()
    revoked: bool = False


def names_needed(content: Delivered, agreement: Agreement) -> tuple[Name, ...]:
    """Everything in a delivery that `release` looks up a pseudonym for, in order."""
    names: set[Name] = set()
    survey_frame, counts_frame = frame_of(agreement, "survey"), frame_of(agreement, "counts")
    if content.survey is not None and survey_frame is not None:
        names |= {("dataset", content.survey.party, content.survey.dataset)}
        names |= set(names_of_survey(content.survey, agreement, survey_frame))
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
    simulated: bool = False,
) -> Released:
    """What may leave of one delivery, for one recipient and purpose, on one day.

    With equal pseudonyms, the result does not change when a position moves within its cell, a station is renamed
    (and its pseudonym with it) or something changes that no rule lets leave.

    Raises AgreementError with every reason why nothing may leave: not signed by all, revoked, not valid on the day,
    a stranger, another purpose, another owner, a frame that the grid does not cut, nothing that a rule lets leave.
    """
    found = [*_refusals(agreement, request, standing), *_about_content(content, agreement)]
    if found:
        raise AgreementError(found)
    under = Under(agreement, pseudonyms, request.on, joint_ids or {})
    tables: dict[str, pl.DataFrame] = {}
    frames: dict[Kind, Frame] = {}
    withheld: list[Withheld] = list(_never(content))
    if content.survey is not None and (frame := frame_of(agreement, "survey")) is not None:
        own, stays = release_survey(content.survey, frame, under)
        tables |= own
        frames["survey"] = frame
        withheld += stays
    if content.counts is not None and (frame := frame_of(agreement, "counts")) is not None:
        own, stays = release_counts(content.counts, frame, under)
        tables |= own
        frames["counts"] = frame
        withheld += stays
    if not any(table.height for table in tables.values()):
        raise AgreementError([_about(agreement, "release-empty", day=str(request.on))])
    held = content.survey or content.counts
    dataset = pseudonyms.names["dataset", held.party, held.dataset] if held is not None else ""
    return made(tables, _manifest(agreement, request, dataset, frames, simulated=simulated), tuple(withheld))


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
    held = [part for part in (content.survey, content.counts) if part is not None]
    if owners := sorted({part.party for part in held} - {agreement.owner}):
        yield _about(agreement, "release-owner", owner=agreement.owner, party=", ".join(owners))
    frame = _FRAME.get(agreement.grid.crs, agreement.grid.crs)
    if frames := sorted({part.frame for part in held} - {frame}):
        yield _about(agreement, "release-frame", grid=agreement.grid.crs, frame=", ".join(frames))
    if content.survey is not None and not content.survey.dated:
        yield _about(agreement, "release-undated", dataset=content.survey.dataset)
    kinds: tuple[Kind, ...] = ("survey", "counts")
    if not any(getattr(content, kind) is not None and frame_of(agreement, kind) is not None for kind in kinds):
        yield _about(agreement, "release-nothing-agreed")


def _never(content: Delivered) -> Iterator[Withheld]:
    """What has no way out."""
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
        "frames": {kind: _told(frame) for kind, frame in frames.items()},
        "grid": {"crs": agreement.grid.crs, "id": agreement.grid.id, "sizes": list(agreement.grid.sizes)},
        "informationWithheld": list(_WITHHELD),
        "onward": agreement.onward,
        "onward_to": list(agreement.onward_to),
        "outputs": [asdict(output) for output in agreement.outputs],
        "owner": agreement.owner,
        "purpose": request.purpose,
        "recipient": request.recipient,
        "released_on": str(request.on),
        "simulated": simulated,
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


_FEW = {"withhold": "withheld", "join": "given in larger cells"}


def _generalised(agreement: Agreement, kind: str, frame: Frame) -> Iterator[str]:
    unit = "degrees" if agreement.grid.crs == GEOGRAPHIC else "metres"
    if frame.cell is not None:
        yield (
            f"{kind}: position given as the centre of a cell of {frame.cell:g} {unit} of the grid {agreement.grid.id}; "
            f"places in cells that fewer than {frame.least_stations} share are {_FEW[frame.few_stations]}"
        )
    yield f"{kind}: time given as the {frame.resolution} in which it falls"


def _told(frame: Frame) -> dict[str, Json]:
    return {
        "cell": frame.cell,
        "delay_days": frame.delay_days,
        "few_stations": frame.few_stations,
        "least_stations": frame.least_stations,
        "resolution": frame.resolution,
        "rules": list(frame.rules),
    }


def _about(agreement: Agreement, rule: str, **facts: Fact) -> Finding:
    return Finding(rule, {"agreement": agreement.id, **facts}, Where(agreement.file or None))
