"""The commands. Each reads the line, calls `assessment`, and prints; what is heavy is imported when it is needed."""

from __future__ import annotations

import tomllib
from contextlib import ExitStack
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from sharedrange.cli.face import Face, shown
from sharedrange.cli.findings import as_json, show_findings
from sharedrange.cli.help import Misused
from sharedrange.core.finding import errors

Node = Annotated[Path, typer.Argument(metavar="NODE")]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER")]


class Preset(StrEnum):
    """Simulated programmes that `simulate` can write."""

    TWO_PARKS = "two-parks"
    SMALL = "small"


def check(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH")],
    as_list: Annotated[bool, typer.Option("--json")] = False,
) -> int:
    """Every finding about a delivery or a node; exit code 1 if one of them is an error."""
    from sharedrange.assessment.checking import check as find  # noqa: PLC0415  (kept out of start-up, as all below)
    from sharedrange.cli.progress import progress  # noqa: PLC0415  (keeps start-up quick)

    face: Face = ctx.obj
    with progress(face, quiet=as_list) as tell:
        findings = find(path, tell)
    if as_list:
        face.out.file.write(as_json(findings, face.words) + "\n")
    else:
        show_findings(face, findings)
    return 1 if errors(findings) else 0


def assess(
    ctx: typer.Context,
    node: Node,
    workers: Annotated[int, typer.Option("--workers", metavar="N", min=1)] = 1,
    quiet: Annotated[bool, typer.Option("--quiet")] = False,
    reader: Annotated[str, typer.Option("--for", metavar="PARTY")] = "",
) -> int:
    """Answer the programme's questions and write the report; exit code 1 if a question has no answer at all.

    To decline a question is an answer: it says what the data bear.
    """
    from sharedrange.assessment.assessing import assess as answer  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.cli.outcome import show_outcome  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.cli.progress import progress  # noqa: PLC0415  (keeps start-up quick)

    face: Face = ctx.obj
    with progress(face, quiet=quiet) as tell:
        outcome = answer(node, workers=workers, language=face.words.language, reader=reader, progress=tell)
    show_outcome(face, outcome, node)
    return 1 if outcome.assessment.unanswered else 0


def trace(
    ctx: typer.Context,
    node: Annotated[str, typer.Argument(metavar="[NODE]")],
    number: Annotated[str, typer.Argument(metavar="STEP/QUANTITY")] = "",
) -> None:
    """The way back of a number; with one word, in the node of the current folder."""
    from sharedrange.assessment.tracing import trace as find  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.cli.lineage import show_trace  # noqa: PLC0415  (keeps start-up quick)

    folder, wanted = (Path(node), number) if number else (Path(), node)
    show_trace(ctx.obj, find(folder, wanted), folder)


def init(
    ctx: typer.Context,
    folder: Folder,
    *,
    party: Annotated[str, typer.Option("--party", metavar="ID")],
    title: Annotated[str, typer.Option("--title", metavar="TEXT")],
    name: Annotated[str, typer.Option("--name", metavar="TEXT")] = "",
    state: Annotated[str, typer.Option("--state", metavar="CODE")] = "",
) -> None:
    """A new node with a programme to fill in."""
    from sharedrange.assessment.programme import write_new_node  # noqa: PLC0415  (keeps start-up quick)

    write_new_node(folder, party=party, party_name=name or party, title=title, state=state)
    face: Face = ctx.obj
    face.say("cli.init.done", folder=shown(folder))
    face.say("cli.init.next", folder=shown(folder))
    face.show(f"sharedrange check {shown(folder)}", indent=2, style="cyan")


def simulate(
    ctx: typer.Context,
    folder: Folder,
    preset: Annotated[Preset, typer.Option("--preset", metavar="NAME")] = Preset.TWO_PARKS,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0)] = 1,
) -> None:
    """A node with simulated animals, and their truth kept apart."""
    from sharedrange.assessment.writing import simulate_node  # noqa: PLC0415  (keeps start-up quick)

    simulate_node(folder, preset=preset.value, seed=seed)
    face: Face = ctx.obj
    face.say("cli.simulate.done", folder=shown(folder))
    face.show(f"sharedrange decide {shown(folder)} {shown(folder / 'decisions.csv')}", indent=2, style="cyan")
    face.show(f"sharedrange assess {shown(folder)}", indent=2, style="cyan")


def decide(
    ctx: typer.Context,
    node: Node,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE.csv]")] = None,
) -> int:
    """Sign decisions about who is who, from a file or asked for in the terminal."""
    from sharedrange.assessment.deciding import decide as sign  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.assessment.deciding import read_decisions  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.cli.asking import ask_decisions  # noqa: PLC0415  (keeps start-up quick)

    face: Face = ctx.obj
    decisions = read_decisions(file) if file else ask_decisions(face, node)
    report = sign(node, decisions, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
    face.say("cli.decide.done", new=report.new, repeated=report.repeated, conflicts=len(report.conflicts))
    if report.made is not None:
        face.say("cli.decide.key-made", file=shown(report.made.file), fingerprint=report.made.fingerprint)
    if report.conflicts:
        face.gap()
        show_findings(face, report.conflicts)
    return 1 if errors(report.conflicts) else 0


def estimate(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH")],
    *,
    engine: Annotated[str, typer.Option("--engine", metavar="NAME")] = "population.scr",
    taxon: Annotated[str, typer.Option("--taxon", metavar="NAME")] = "",
    buffer_m: Annotated[float | None, typer.Option("--buffer-m", metavar="METRES", min=0)] = None,
    spacing_m: Annotated[float | None, typer.Option("--spacing-m", metavar="METRES", min=0)] = None,
    crs: Annotated[str, typer.Option("--crs", metavar="CODE")] = "",
    timezone: Annotated[str, typer.Option("--timezone", metavar="ZONE")] = "",
    detector: Annotated[str, typer.Option("--detector", metavar="KIND")] = "",
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE")] = None,
    asked: Annotated[list[str] | None, typer.Option("--ask", metavar="KEY=VALUE")] = None,
    models: Annotated[list[str] | None, typer.Option("--models", metavar="FORMULAS")] = None,
    plots: Annotated[Path | None, typer.Option("--plots", metavar="FOLDER")] = None,
    quiet: Annotated[bool, typer.Option("--quiet")] = False,
) -> int:
    """One estimate from plain tables, without a node."""
    from sharedrange.assessment.estimating import estimation  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.assessment.report.plots import write_plots  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.cli.progress import progress  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.cli.summary import show_estimation, show_plots  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.cli.taking import nested  # noqa: PLC0415  (keeps start-up quick)

    face: Face = ctx.obj
    told = {"crs": crs, "timezone": timezone, "detector": detector}
    with progress(face, quiet=quiet) as tell:
        made = estimation(
            path,
            engine=engine,
            taxon=taxon,
            buffer_m=buffer_m,
            spacing_m=spacing_m,
            settings=read_assignments(ctx, settings or []),
            question=nested(read_assignments(ctx, asked or [])),
            models=models or [],
            delivery={key: value for key, value in told.items() if value},
            progress=lambda share: tell("fit", share),
        )
    show_estimation(face, made, shown(path))
    if plots is not None:
        show_plots(face, write_plots(made, plots, face.words), shown(plots))
    return 0 if made.answer.refusal is None else 1


def take(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...")],
    *,
    node: Annotated[Path | None, typer.Option("--node", metavar="NODE")] = None,
    dataset: Annotated[str, typer.Option("--dataset", metavar="NAME")] = "",
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE")] = None,
    like: Annotated[str, typer.Option("--like", metavar="DATASET")] = "",
    in_place: Annotated[bool, typer.Option("--in-place")] = False,
    quiet: Annotated[bool, typer.Option("--quiet")] = False,
) -> int:
    """Take a delivery into the node, asking what the files do not tell."""
    from sharedrange.assessment.taking import taking  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.cli.progress import progress  # noqa: PLC0415  (keeps start-up quick)
    from sharedrange.cli.taking import Line, nested, understand  # noqa: PLC0415  (keeps start-up quick)

    face: Face = ctx.obj
    told = nested(read_assignments(ctx, settings or []))
    place = node or Path()
    line = Line(tuple(files), place, dataset, tuple(settings or ()), in_place=in_place)
    with ExitStack() as stack:
        with progress(face, quiet=quiet) as tell:
            arriving = taking(
                place, files, dataset=dataset, like=like, in_place=in_place, progress=lambda share: tell("copy", share)
            )
            work = stack.enter_context(arriving)
        if not understand(face, work, told, line):
            return 1
        with progress(face, quiet=quiet) as tell:
            kept = work.keep(lambda share: tell("hash", share))
    face.say("cli.take.done", folder=shown(kept.folder), step=kept.step.id)
    face.show(f"sharedrange check {shown(place)}", indent=2, style="cyan")
    return 0


def hide(
    ctx: typer.Context,
    node: Node,
    dataset: Annotated[str, typer.Argument(metavar="[DATASET]")] = "",
    show: Annotated[bool, typer.Option("--show")] = False,
) -> None:
    """Hide a source of the node from whoever searches this machine, or show it again; without a name, list them."""
    from sharedrange.assessment import hiding  # noqa: PLC0415  (keeps start-up quick)

    face: Face = ctx.obj
    if not dataset:
        sources = hiding.hidden_sources(node)
        face.say("cli.hide.listed", n=len(sources))
        for source in sources:
            face.say("cli.hide.here" if source.is_here else "cli.hide.away", source=source.name, indent=2)
        return
    changed = hiding.show(node, dataset) if show else hiding.hide(node, dataset)
    face.say("cli.hide.shown" if show else "cli.hide.done", source=changed.name)
    if changed.removed:
        face.say("cli.hide.removed", folders=", ".join(changed.removed))
    if changed.findings:
        show_findings(face, changed.findings)
    face.show(f"sharedrange assess {shown(node)}", indent=2, style="cyan")


def forms(ctx: typer.Context, folder: Folder) -> None:
    """The joint field forms, as workbooks for phones."""
    from sharedrange.exchange.forms import write_forms  # noqa: PLC0415  (keeps start-up quick)

    face: Face = ctx.obj
    paths = write_forms(folder)
    face.say("cli.forms.done", folder=shown(folder))
    for path in paths:
        face.show(path.name, indent=2)
    face.say("cli.forms.next")


def read_assignments(ctx: typer.Context | None, given: list[str]) -> dict[str, Any]:
    """``name=value`` texts as settings; a value that is not TOML is a text, so that nobody needs quotes for a word.

    Examples
    --------
    >>> read_assignments(None, ["detection_function=HN", "level=0.9", "sigma=[]"])
    {'detection_function': 'HN', 'level': 0.9, 'sigma': []}
    """
    values: dict[str, Any] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not (name and sign):
            raise Misused("cli.misuse.setting", ctx, given=text)
        try:
            values[name] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            values[name] = value
    return values


ALL = (check, take, assess, trace, hide, init, simulate, decide, estimate, forms)
