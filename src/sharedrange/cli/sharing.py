"""The commands of exchange: keys, agreements, preview, seal, open, verify, revoke, audit."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sharedrange.cli.face import Face, hear_ctrl_c, shown
from sharedrange.cli.findings import show_findings
from sharedrange.cli.help import Misused
from sharedrange.core.finding import errors

if TYPE_CHECKING:
    from sharedrange.assessment.sharing import Asked, Leaving
    from sharedrange.core.finding import Finding

PASSPHRASE_VARIABLE = "SHAREDRANGE_PASSPHRASE"  # noqa: S105  (the name of a variable)
Node = Annotated[Path, typer.Argument(metavar="NODE")]
Package = Annotated[Path, typer.Argument(metavar="PACKAGE")]
Dataset = Annotated[str, typer.Argument(metavar="DATASET")]
Under = Annotated[str, typer.Option("--agreement", metavar="ID")]
For = Annotated[str, typer.Option("--for", metavar="PARTY")]
Purpose = Annotated[str, typer.Option("--purpose", metavar="PURPOSE")]
Role = Annotated[str, typer.Option("--by", metavar="ROLE")]
On = Annotated[str, typer.Option("--on", metavar="DAY")]
Pictures = Annotated[Path | None, typer.Option("--pictures", metavar="FILE")]


def keys(
    ctx: typer.Context,
    node: Node,
    *,
    card: Annotated[Path | None, typer.Option("--card", metavar="FOLDER")] = None,
    trust: Annotated[Path | None, typer.Option("--trust", metavar="CARD")] = None,
    fingerprint: Annotated[str, typer.Option("--fingerprint", metavar="DIGITS")] = "",
    rotate: Annotated[bool, typer.Option("--rotate")] = False,
    passphrase: Annotated[bool, typer.Option("--passphrase")] = False,
    distrust: Annotated[str, typer.Option("--distrust", metavar="DIGITS")] = "",
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT")] = "",
    by: Role = "",
) -> None:
    """The node's keys and its partners'."""
    from sharedrange.assessment import sharing  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.cli.exchanges import show_card, show_distrusted, show_keys  # noqa: PLC0415  (keeps start-up quick)

    face: Face = ctx.obj
    if trust is not None:
        given = sharing.read_card(trust)
        compared = fingerprint or _asked(face, "cli.keys.compare", party=given.party)
        sharing.trust(node, given, compared=compared, recorded_at=now(), passphrase=secret(face))
        face.say("cli.keys.trusted", party=given.party)
        return
    if distrust:
        if not reason:
            raise Misused("cli.misuse.reason", ctx)
        lost = sharing.distrust(
            node, distrust, reason=reason, by=_role(node, by), recorded_at=now(), passphrase=secret(face)
        )
        show_distrusted(face, distrust, lost)
        return
    if rotate:
        own = sharing.rotate(node, recorded_at=now(), passphrase=secret(face), new_passphrase=_new(face))
    elif passphrase and sharing.has_keys(node):
        word = _new(face)
        own = sharing.protect_keys(node, secret(face), word)
        face.say("cli.keys.protected" if word else "cli.keys.bare")
    else:
        is_new = not sharing.has_keys(node)
        own = sharing.make_keys(node, passphrase=_new(face) if passphrase else None)
        if is_new:
            face.say("cli.keys.made")
    show_card(face, own)
    if card is not None:
        face.say("cli.keys.written", file=shown(sharing.write_card(own, card)))
    show_keys(face, sharing.partners(node))


def agreements(
    ctx: typer.Context,
    node: Node,
    *,
    sign: Annotated[str, typer.Option("--sign", metavar="FILE")] = "",
    by: Role = "",
    carry: Annotated[str, typer.Option("--carry", metavar="PARTY")] = "",
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER")] = Path(),
    take: Annotated[Path | None, typer.Option("--take", metavar="FOLDER")] = None,
    answer: Annotated[str, typer.Option("--answer", metavar="ID")] = "",
    what: Annotated[str, typer.Option("--what", metavar="TEXT")] = "",
) -> int:
    """The agreements of a node and how they stand; sign one, carry signatures to a partner, take theirs in."""
    from sharedrange.assessment import sharing  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.cli.exchanges import show_agreements  # noqa: PLC0415  (keeps start-up quick)

    face: Face = ctx.obj
    if take is not None:
        brought = sharing.take_carried(node, take)
        face.say("cli.agreements.taken", party=brought.party, n=brought.records, new=len(brought.agreements))
    role = _role(node, by) if sign or answer else ""
    if answer:
        n = sharing.answer_revocation(node, answer, what=what, by=role, recorded_at=now(), passphrase=secret(face))
        face.say("cli.agreements.answered", n=n, agreement=answer)
    if sign:
        signed = sharing.sign_agreement(node, sign, by=role, recorded_at=now(), today=_today(), passphrase=secret(face))
        face.say("cli.agreements.signed", agreement=signed.agreement.id, hash=signed.agreement.hash)
    if carry:
        face.say("cli.agreements.carried", folder=shown(sharing.carry(node, carry, out)), party=carry)
    listed = sharing.agreements(node, _today())
    show_agreements(face, listed)
    return 1 if any(errors(one.findings) for one in listed) else 0


def preview(
    ctx: typer.Context,
    node: Node,
    dataset: Dataset,
    *,
    agreement: Under,
    recipient: For,
    purpose: Purpose,
    on: On = "",
    curve: Annotated[bool, typer.Option("--curve")] = False,
    question: Annotated[str, typer.Option("--question", metavar="ID")] = "",
    replicates: Annotated[int, typer.Option("--replicates", metavar="N", min=2)] = 20,
    plot: Annotated[Path | None, typer.Option("--plot", metavar="FILE")] = None,
    pictures: Pictures = None,
    tables: Annotated[Path | None, typer.Option("--tables", metavar="FOLDER")] = None,
) -> int:
    """What would leave, what stays, what outsiders could make of it; nothing is written."""
    from sharedrange.assessment import sharing  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.assessment.sharing.costing import cost_curve  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.assessment.sharing.drawing import draw_curve  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.cli.exchanges import show_curve, show_preview, unit_of  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.cli.progress import progress  # noqa: PLC0415  (keeps start-up quick)

    face, asked = ctx.obj, _asking(ctx, dataset, agreement, recipient, purpose, on)
    with progress(face, quiet=False) as tell:
        leaving = sharing.what_would_leave(node, asked, progress=lambda share: tell("pictures", share))
    seen = sharing.look_at(leaving)
    show_preview(face, seen)
    if tables is not None:
        sharing.write_tables(leaving.released, tables)
        face.say("cli.preview.written", folder=shown(tables))
    if pictures is not None:
        face.say("cli.pictures.shown", n=sharing.show_released(leaving.released, pictures, face.words), file=pictures)
    if curve or plot is not None:
        with progress(face, quiet=False) as tell:
            costs = cost_curve(
                leaving.ground,
                leaving.agreement,
                question=question,
                replicates=replicates,
                progress=lambda share: tell("curve", share),
            )
        steps = sharing.attack_curve(leaving, asked)
        show_curve(face, steps, costs, seen.agreement)
        if plot is not None and draw_curve(
            steps,
            costs,
            plot,
            unit=unit_of(seen.agreement),
            programme=leaving.ground.node.programme,
            words=face.words,
        ):
            face.say("cli.preview.plotted", file=shown(plot))
    show_findings(face, seen.findings)
    return 1 if errors(seen.findings) else 0


def seal(
    ctx: typer.Context,
    node: Node,
    dataset: Dataset,
    *,
    agreement: Under,
    recipient: For,
    purpose: Purpose,
    by: Role,
    on: On = "",
    out: Annotated[Path | None, typer.Option("--out", metavar="FOLDER")] = None,
) -> None:
    """Release a dataset, seal it for its recipient, and record it."""
    from sharedrange.assessment import sharing  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.cli.exchanges import show_rows  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.cli.progress import progress  # noqa: PLC0415  (keeps start-up quick)

    face: Face = ctx.obj
    seen: list[Finding] = []

    def look(leaving: Leaving) -> list[Finding]:
        seen.extend(sharing.look_at(leaving).findings)
        return seen

    with progress(face, quiet=False, bar=False) as tell:
        made = sharing.seal_release(
            node,
            _asking(ctx, dataset, agreement, recipient, purpose, on),
            approved_by=by,
            recorded_at=now(),
            check=look,
            out=out,
            passphrase=secret(face),
            progress=lambda share: tell("pictures", share),
        )
    face.say("cli.seal.done", file=shown(made.file), party=recipient)
    show_rows(face, made.rows)
    if seen:
        show_findings(face, seen)


def open(  # noqa: A001  (as it is typed)
    ctx: typer.Context, node: Node, package: Package, *, on: On = "", pictures: Pictures = None
) -> None:
    """Take a package in, once everything in it is verified."""
    from sharedrange.assessment import sharing  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.cli.exchanges import show_package  # noqa: PLC0415  (keeps start-up quick)

    face: Face = ctx.obj
    taken = sharing.open_package(node, package, on=day_of(ctx, on), recorded_at=now(), passphrase=secret(face))
    show_package(face, taken.package)
    face.say("cli.open.done", folder=shown(taken.folder or ""))
    if pictures is not None:
        face.say("cli.pictures.shown", n=sharing.show_received(taken.package, pictures, face.words), file=pictures)


def verify(ctx: typer.Context, node: Node, package: Package, *, on: On = "") -> None:
    """Check a package without taking it in."""
    from sharedrange.assessment import sharing  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.cli.exchanges import show_package  # noqa: PLC0415  (keeps start-up quick)

    face: Face = ctx.obj
    looked = sharing.verify_package(node, package, on=day_of(ctx, on), passphrase=secret(face))
    show_package(face, looked.package)
    face.say("cli.verify.done")


def revoke(
    ctx: typer.Context,
    node: Node,
    agreement: Annotated[str, typer.Argument(metavar="AGREEMENT")],
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT")],
    by: Role,
) -> None:
    """End an agreement now. Copies that were given cannot be taken back."""
    from sharedrange.assessment import sharing  # noqa: PLC0415  (keeps start-up quick)

    face: Face = ctx.obj
    ended = sharing.revoke(node, agreement, reason=reason, by=by, recorded_at=now(), passphrase=secret(face))
    face.say("cli.revoke.done", agreement=ended.id)
    face.say("cli.revoke.copies")


def audit(ctx: typer.Context, node: Node) -> int:
    """What left this node and what arrived, and what is due."""
    from sharedrange.assessment import sharing  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.cli.exchanges import show_audit  # noqa: PLC0415  (keeps start-up quick)

    face: Face = ctx.obj
    books = sharing.audit(node, _today())
    show_audit(face, books)
    show_findings(face, books.findings)
    return 1 if errors(books.findings) else 0


def secret(face: Face) -> Callable[[], str]:
    """How a passphrase is asked for, where a key needs one: from the environment, else typed unseen."""

    def ask() -> str:
        hear_ctrl_c()
        return os.environ.get(PASSPHRASE_VARIABLE) or str(
            typer.prompt(face.words("cli.keys.passphrase-asked"), hide_input=True, err=True)
        )

    return ask


def _new(face: Face) -> str | None:
    """A passphrase for a new key; typed twice where somebody types."""
    given = os.environ.get(PASSPHRASE_VARIABLE)
    if given is not None:
        return given or None
    text = face.words("cli.keys.passphrase-new")
    hear_ctrl_c()
    return (
        str(typer.prompt(text, hide_input=True, confirmation_prompt=True, default="", show_default=False, err=True))
        or None
    )


def _role(node: Path, given: str) -> str:
    """The role that was typed; without one the party's focal point."""
    from sharedrange.assessment import sharing  # noqa: PLC0415  (keeps start-up quick)

    return given or f"{sharing.open_ground(node).node.party}/focal-point"


def _asked(face: Face, message: str, **facts: object) -> str:
    hear_ctrl_c()
    return str(typer.prompt(face.words(message, **facts), err=True))


def _asking(  # noqa: PLR0917  (what a release asks for)
    ctx: typer.Context, dataset: str, agreement: str, recipient: str, purpose: str, on: str
) -> Asked:
    from sharedrange.assessment.sharing import Asked  # noqa: PLC0415  (keeps start-up quick)

    return Asked(dataset, agreement, recipient, purpose, day_of(ctx, on))


def day_of(ctx: typer.Context, given: str) -> date:
    """The day that was typed; today without one."""
    try:
        return date.fromisoformat(given) if given else _today()
    except ValueError:
        raise Misused("cli.misuse.day", ctx, given=given) from None


def _today() -> date:
    return datetime.now(UTC).date()


def now() -> str:
    """The time of a record, in UTC."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


ALL = (keys, agreements, preview, seal, open, verify, revoke, audit)
