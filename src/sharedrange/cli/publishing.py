"""The command of telling others: which numbers a reader may be told, and telling them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sharedrange.cli.face import shown
from sharedrange.cli.sharing import For, Node, On, Purpose, day_of, now, secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sharedrange.assessment.report.naming import Naming
    from sharedrange.assessment.sharing.publishing import Telling
    from sharedrange.cli.face import Face
    from sharedrange.sharing.outputs import Verdict


def publish(
    ctx: typer.Context,
    node: Node,
    *,
    reader: For,
    purpose: Purpose,
    by: Annotated[str, typer.Option("--by", metavar="ROLE")] = "",
    on: On = "",
    workers: Annotated[int, typer.Option("--workers", metavar="N", min=1)] = 1,
) -> int:
    """Tell a reader the numbers that agreements let be told; without ``--by`` only look."""
    from sharedrange.assessment.assessing import assess  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.assessment.sharing import publishing  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.cli.progress import progress  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.sharing.outputs import Asked  # noqa: PLC0415  (keeps start-up quick)

    face, asked = ctx.obj, Asked(reader, purpose, day_of(ctx, on))
    with progress(face, quiet=False) as tell:
        if not by:
            telling = publishing.what_would_be_told(node, asked, workers=workers, progress=tell)
        else:
            telling, made = publishing.publish(
                node, asked, by=by, recorded_at=now(), passphrase=secret(face), workers=workers, progress=tell
            )
            report = assess(node, workers=workers, language=face.words.language, reader=reader, progress=tell).report
    show_telling(face, telling)
    if not by:
        face.say("cli.publish.looked" if telling.may else "cli.publish.none")
        return 0 if telling.may else 1
    face.say("cli.publish.done", name=made.name, report=shown(report), style="bold")
    face.say("cli.publish.copies")
    return 0


def show_telling(face: Face, telling: Telling) -> None:
    """The numbers that may be told, question by question, and why the others may not."""
    from sharedrange.assessment.report.naming import Naming  # noqa: PLC0415  (keeps start-up quick)

    naming = Naming(telling.assessment.programme, face.words)
    told = naming.audience((), telling.asked.reader)
    face.say("cli.publish.head", reader=telling.asked.reader, purpose=telling.asked.purpose, style="bold")
    if told:
        face.show(told, indent=2)
    questions = {result.question.id: result.question for result in telling.assessment.results}
    for name, question in questions.items():
        mine = [verdict for verdict in telling.verdicts if verdict.number.question == name]
        if mine:
            face.gap()
            face.show(naming.about(question), style="bold")
            _show_question(face, naming, mine)
    if not telling.verdicts:
        face.say("cli.publish.nothing", indent=2)
    face.gap()


def _show_question(face: Face, naming: Naming, verdicts: Sequence[Verdict]) -> None:
    from sharedrange.cli.estimates import estimates_table  # noqa: PLC0415  (keeps start-up quick)

    may = [verdict.number.estimate for verdict in verdicts if verdict.may]
    if may:
        face.say("cli.publish.told", indent=2)
        face.print_indented(estimates_table(naming, may), 4)
    why: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for verdict in verdicts:
        if not verdict.may:
            name = naming.quantity(verdict.number.estimate)
            why.setdefault((verdict.reasons, verdict.agreements), []).append(name)
    for (reasons, agreements), names in why.items():
        face.say("cli.publish.stays", indent=2, quantities="; ".join(dict.fromkeys(names)))
        for reason in reasons:
            face.say(f"output.{reason}", indent=4, agreements=", ".join(agreements) or "-", style="dim")


ALL = (publish,)
