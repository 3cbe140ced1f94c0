"""What the commands of exchange print: cards, agreements, previews, packages, the books."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sharedrange.cli.face import Face, grid
from sharedrange.cli.findings import show_findings
from sharedrange.core.grids import GEOGRAPHIC
from sharedrange.core.release import TABLES

if TYPE_CHECKING:
    from rich.table import Table

    from sharedrange.assessment.sharing import Audit, Card, Distrusted, Listed, Preview
    from sharedrange.assessment.sharing.costing import Cost
    from sharedrange.assessment.sharing.preview import Step
    from sharedrange.sharing.agreement import Agreement
    from sharedrange.sharing.attack import Attack
    from sharedrange.sharing.sealing import Package

_SHORT = 12
_USELESS = 10.0


def show_card(face: Face, own: Card) -> None:
    """A node's own card: what its partners compare."""
    face.say("cli.keys.own", party=own.party, style="bold")
    face.show(own.fingerprint, indent=2, style="cyan")
    face.say("cli.keys.aloud", indent=2)


def show_keys(face: Face, partners: Sequence[Card]) -> None:
    """The partners whose keys a node trusts, with the digits of their cards."""
    if not partners:
        face.say("cli.keys.nobody")
        return
    face.say("cli.keys.partners")
    table = grid("left", "left")
    for card in partners:
        table.add_row(card.party, card.fingerprint)
    face.print_indented(table, 2)


def show_distrusted(face: Face, digits: str, lost: Distrusted) -> None:
    """A key that is trusted no longer, by the digits that were typed, and which agreements wait for new signatures."""
    face.say("cli.keys.distrusted", fingerprint=digits, parties=", ".join(lost.parties) or "-")
    for agreement in lost.agreements:
        face.say("cli.keys.unsigned", agreement=agreement, indent=2)


def show_agreements(face: Face, listed: Sequence[Listed]) -> None:
    """Each agreement: who gives whom, until when, who signed, what is doubtful."""
    if not listed:
        face.say("cli.agreements.none")
    for one in listed:
        agreement, state = one.agreement, "holds" if one.holds else "revoked" if one.standing.revoked else "open"
        face.show(agreement.id, style="bold")
        face.show(agreement.title, indent=2)
        face.say(
            "cli.agreements.between",
            owner=agreement.owner,
            recipients=", ".join(agreement.recipients),
            end=agreement.valid.end,
            indent=2,
        )
        unsigned = [party for party in agreement.parties if party not in one.standing.signed_by]
        face.say(f"cli.agreements.{state}", parties=", ".join(unsigned) or "-", indent=2)
        if one.findings:
            show_findings(face, one.findings)


def show_preview(face: Face, seen: Preview) -> None:
    """What would leave, what stays, what attackers achieve."""
    manifest = seen.manifest
    face.say(
        "cli.preview.head",
        owner=manifest["owner"],
        recipient=manifest["recipient"],
        purpose=manifest["purpose"],
        agreement=seen.agreement.id,
        style="bold",
    )
    face.gap()
    face.say("cli.preview.leaves")
    show_rows(face, {name: table.height for name, table in seen.tables.items()})
    for name, table in seen.tables.items():
        filled = [column for column in table.columns if table[column].null_count() < table.height]
        face.show(f"{name}: {', '.join(filled)}", indent=2, style="dim")
    if seen.period is not None:
        face.say("cli.preview.period", first=seen.period[0], last=seen.period[1], indent=2)
    for line in manifest["dataGeneralizations"]:  # type: ignore[attr-defined]  # a list of texts
        face.show(line, indent=2)
    face.say("cli.preview.coordinates", indent=2, style="bold")
    face.gap()
    _show_withheld(face, seen)
    face.gap()
    face.say("cli.preview.attacks")
    show_attacks(face, seen.attacks)
    for one in (beside for beside in seen.beside if beside.attacks):
        face.say("cli.preview.beside", agreement=one.agreement, recipient=one.recipient, on=one.on)
        show_attacks(face, one.attacks)
    if seen.areas.height:
        areas = seen.areas["area_km2"]
        face.say("cli.preview.areas", smallest=_digits(float(areas.min())), median=_digits(float(areas.median())))  # type: ignore[arg-type]  # floats


def _show_withheld(face: Face, seen: Preview) -> None:
    face.say("cli.preview.stays")
    table = grid("right", "left")
    for one in seen.withheld:
        table.add_row(str(one.n), face.words(f"withheld.{one.reason}", what=one.what))
    face.print_indented(table, 2)
    face.say("cli.preview.never", indent=2)


def show_attacks(face: Face, attacks: Sequence[Attack]) -> None:
    """What each attacker finds, beside guessing."""
    table = grid("left", "right", "right", "right", "left")
    table.add_row(
        *(face.words(f"cli.preview.attack.{name}") for name in ("what", "found", "guessing", "interval", "verdict"))
    )
    for attack in attacks:
        verdict = face.words("cli.preview.certified" if attack.certified else "cli.preview.attacked")
        interval = f"{_percent(attack.low)} – {_percent(attack.high)}"
        table.add_row(
            face.words(f"attack.{attack.name}", n=attack.n),
            _percent(attack.success),
            _percent(attack.chance),
            interval,
            verdict,
        )
    face.print_indented(table, 2)


def show_curve(face: Face, steps: Sequence[Step], costs: Sequence[Cost], agreement: Agreement) -> None:
    """For each size of cells: how many stations leave, how many an attacker finds, what it costs the joint number.

    Then the smallest that meet every demand.
    """
    from sharedrange.assessment.sharing.recommending import judged, recommended  # noqa: PLC0415  (keeps start-up quick)

    judgements = judged(steps, costs)
    face.gap()
    face.say("cli.preview.curve.title", n=max((cost.replicates for cost in costs), default=0))
    table = grid("right", "right", "right", "left", "right", "right", "left")
    heads = ("cell", "stations", "found", "verdict", "width", "shift", "fails")
    table.add_row(*(face.words(f"cli.preview.curve.{name}") for name in heads))
    unit = unit_of(agreement)
    for step, cost, judgement in zip(steps, costs, judgements, strict=True):
        found = "–" if step.attack is None else _percent(step.attack.success)
        width = "–" if cost.width_ratio is None else f"× {cost.width_ratio:.2f}"
        shift = "–" if cost.shift is None else _shift(cost.shift)
        verdict = face.words(_verdict(step))
        fails = ", ".join(face.words(f"cli.preview.curve.fails.{demand}") for demand in judgement.fails)
        table.add_row(f"{step.cell:g}{unit}", str(step.stations), found, verdict, width, shift, fails or "–")
    face.print_indented(table, 2)
    best = recommended(judgements)
    if best is None:
        face.say("cli.preview.curve.no-cell", style="bold")
    else:
        face.say("cli.preview.curve.recommended", cell=f"{best:g}{unit}", style="bold")


def unit_of(agreement: Agreement) -> str:
    """The unit of an agreement's cells."""
    return "°" if agreement.grid.crs == GEOGRAPHIC else " m"


def _shift(share: float) -> str:
    """A shift of a density; beyond ten times it is no number any more."""
    return f"> {100 * _USELESS:+,.0f} %" if share > _USELESS else f"{100 * share:+.0f} %"


def _verdict(step: Step) -> str:
    if step.attack is None:
        return "cli.preview.alone"
    return "cli.preview.certified" if step.attack.certified else "cli.preview.attacked"


def show_rows(face: Face, rows: Mapping[str, int]) -> None:
    """Rows of each table."""
    table = grid("right", "left")
    for name in sorted(rows, key=list(TABLES).index):
        table.add_row(f"{rows[name]:,}", name)
    face.print_indented(table, 2)


def show_package(face: Face, package: Package) -> None:
    """Whose package, under what, what is in it."""
    told = package.manifest
    face.say(
        "cli.open.package.head",
        owner=told["owner"],
        agreement=told["agreement"]["id"],
        purpose=told["purpose"],
        on=told["released_on"],
        package=package.package[:_SHORT],
        style="bold",
    )
    show_rows(face, package.rows)


def show_audit(face: Face, books: Audit) -> None:
    """What left, what arrived, what was revoked and who answered."""
    face.say("cli.audit.left" if books.left else "cli.audit.nothing-left", style="bold")
    table = grid("left", "left", "left", "left", "right", "left", "left")
    if books.left:
        _add_heads(face, table, "day", "package", "recipient", "purpose", "rows", "approved", "known")
    for row in books.left:
        state = face.words("cli.audit.opened" if row.opened else "cli.audit.not-known")
        table.add_row(row.on, row.package[:_SHORT], row.recipient, row.purpose, f"{row.rows:,}", row.approved_by, state)
    face.print_indented(table, 2)
    _show_looks(face, books)
    face.say("cli.audit.arrived" if books.arrived else "cli.audit.nothing-arrived", style="bold")
    table = grid("left", "left", "left", "left")
    if books.arrived:
        _add_heads(face, table, "day", "package", "owner", "place")
    for arrived in books.arrived:
        state = face.words("cli.audit.here" if arrived.is_here else "cli.audit.gone")
        table.add_row(arrived.on, arrived.package[:_SHORT], arrived.owner, state)
    face.print_indented(table, 2)
    _show_told(face, books)
    for revoked in books.revoked:
        face.say("cli.audit.revoked", agreement=revoked.agreement, by=revoked.by, reason=revoked.reason, style="bold")
        for role, what in revoked.answers:
            face.say("cli.audit.answered", role=role, what=what, indent=2)
        if not revoked.answers:
            face.say("cli.audit.unanswered", indent=2)


def _show_looks(face: Face, books: Audit) -> None:
    """What was found doubtful in each package before it left, as it was recorded."""
    for row in books.left:
        if row.look.findings:
            face.say("cli.audit.looked", package=row.package[:_SHORT], indent=2)
            for finding in row.look.findings:
                face.show(face.words.fact(finding), indent=4)


def _show_told(face: Face, books: Audit) -> None:
    """What was told to whom of numbers made from exchanged data; nothing is said where nothing was."""
    if not books.told:
        return
    face.say("cli.audit.told", style="bold")
    table = grid("left", "left", "left", "left", "left", "left")
    _add_heads(face, table, "day", "publication", "reader", "purpose", "by", "agreements")
    for row in books.told:
        table.add_row(
            row.on,
            row.publication[:_SHORT],
            row.reader,
            row.purpose,
            row.by,
            "\n".join(map(_short_name, row.agreements)),
        )
    face.print_indented(table, 2)


def _short_name(agreement: str) -> str:
    """An agreement's id as it fits a column."""
    return agreement.removeprefix("urn:agreement:")


def _add_heads(face: Face, table: Table, *heads: str) -> None:
    table.add_row(*(face.words(f"cli.audit.column.{head}") for head in heads), style="dim")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _digits(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
