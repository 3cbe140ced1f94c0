"""Camera models that an agreement names leave as it writes them; every other one leaves under a pseudonym."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from sharedrange.core.contents import Delivered
from sharedrange.core.release import is_pseudonym
from sharedrange.sharing.agreement import Agreement
from sharedrange.sharing.pseudonyms import Pseudonyms
from sharedrange.sharing.release import Request, Standing, names_needed, release

NAMED = '\n[cameras]\nnames = ["Reconyx HC500", "Bushnell"]\n'


def delivered(kit: Any, models: Sequence[str | None]) -> Delivered:
    """A survey with a station a model."""
    survey = kit.survey(kit.PLACES[: len(models)], kit.SEEN[:3])
    cameras = pl.Series("camera_type", models, dtype=pl.String)
    made: Delivered = kit.delivered(survey.with_tables(deployments=survey.deployments.with_columns(cameras)))
    return made


def told(kit: Any, content: Delivered, agreement: Agreement) -> tuple[pl.Series, Pseudonyms]:
    """The models of the stations that leave, in the order of their pseudonyms; and these."""
    numbers = iter(range(1, 1 << 30))
    names = names_needed(content, agreement)
    table = Pseudonyms(agreement.id).with_names(names, lambda n: next(numbers).to_bytes(n, "big"))
    request, standing = Request(kit.RECIPIENT, kit.PURPOSE, kit.TODAY), Standing(frozenset(agreement.parties))
    return release(content, agreement, request, standing, table).tables["stations"]["camera_type"], table


def test_models_leave_by_name_where_the_agreement_has_them(kit: Any) -> None:
    agreement = kit.agreement(kit.HEAD + NAMED + kit.CATS)
    content = delivered(kit, ["reconyx hc500", " Reconyx  HC500 ", "Ivan's old one"])
    models, table = told(kit, content, agreement)
    assert sorted(models, key=len) == [
        "Reconyx HC500",
        "Reconyx HC500",
        table.names["camera", kit.OWNER, "Ivan's old one"],
    ]
    assert [is_pseudonym(model) for model in sorted(models, key=len)] == [False, False, True]
    assert ("camera", kit.OWNER, "reconyx hc500") not in table.names


def test_without_the_names_every_model_leaves_under_a_pseudonym(kit: Any) -> None:
    models, _ = told(kit, delivered(kit, ["Reconyx HC500", "Bushnell", "Bushnell"]), kit.agreement())
    assert all(map(is_pseudonym, models))
    assert models.n_unique() == 2


def test_how_a_named_model_is_spelled_at_a_station_is_no_other_model(kit: Any) -> None:
    agreement = kit.agreement(kit.HEAD + NAMED + kit.CATS)
    content = delivered(kit, ["Bushnell", "Bushnell", "Bushnell"])
    survey = content.survey
    assert survey is not None
    again = survey.deployments.with_columns(pl.col("deployment") + "-again", camera_type=pl.lit("BUSHNELL"))
    twice = survey.with_tables(deployments=pl.concat([survey.deployments, again]))
    models, _ = told(kit, kit.delivered(twice), agreement)
    assert set(models) == {"Bushnell"}


def test_two_owners_who_name_a_model_are_alike_to_their_reader(kit: Any) -> None:
    models = [
        told(kit, delivered(kit, [written] * 3), kit.agreement(kit.HEAD + NAMED + kit.CATS))[0]
        for written in ("RECONYX HC500", "Reconyx HC500")
    ]
    assert models[0].equals(models[1])
