"""Help in the reader's language: every text is found by the name of its command and option.

Typer brings its own English panels; here a command prints itself from the catalogue instead. The sentence of
an option is ``cli.<command>.<option>``; a command has ``cli.<command>.summary`` and ``cli.<command>.help``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from sharedrange.core.words import Words

COLUMN = 30  # help texts start here at the latest, as in most manuals
INDENT = (0, 0, 0, 2)
EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "check": ("sharedrange check examples/two-parks", "sharedrange check own/cameras-2024 --json > findings.json"),
    "take": (
        "sharedrange take season/captures.csv season/traps.csv --node my-node --dataset nets-2024",
        "sharedrange take /media/card/photos --node my-node --in-place --set timezone=Asia/Vladivostok",
    ),
    "assess": ("sharedrange assess examples/two-parks", "sharedrange assess my-node --workers 4"),
    "trace": ("sharedrange trace examples/two-parks 3f9ac01b22d4e871/N", "sharedrange trace 3f9ac01b22d4e871/N"),
    "hide": (
        "sharedrange hide my-node informants-2026",
        "sharedrange hide my-node informants-2026 --show",
        "sharedrange hide my-node",
    ),
    "init": ('sharedrange init my-node --party north-park --title "Big cats of the border"',),
    "simulate": ("sharedrange simulate practice", "sharedrange simulate practice --preset small --seed 7"),
    "decide": ("sharedrange decide my-node decisions.csv", "sharedrange decide my-node"),
    "estimate": (
        "sharedrange estimate own/cameras-2024 --buffer-m 20000",
        "sharedrange estimate examples/two-halves/own/nets --set detection_function=HN",
        'sharedrange estimate own/cameras-2024 --models "D~1" --models "lambda0~sex"',
        "sharedrange estimate own/counts --engine population.trend --plots plots",
    ),
    "forms": ("sharedrange forms field-forms",),
    "keys": (
        "sharedrange keys my-node --card .",
        "sharedrange keys my-node --trust partner.card --fingerprint 779607322257869921325913268955",
        "sharedrange keys my-node --distrust 779607322257869921325913268955 --reason stolen",
    ),
    "agreements": (
        "sharedrange agreements my-node --sign cats.toml --by our-park/director",
        "sharedrange agreements my-node --carry secretariat --out STICK",
    ),
    "preview": ("sharedrange preview my-node cats-2026 --agreement cats --for hub --purpose report --curve",),
    "seal": ("sharedrange seal my-node cats-2026 --agreement cats --for hub --purpose report --by park/head",),
    "open": ("sharedrange open my-node STICK/our-park-to-secretariat-0123456789ab.age",),
    "verify": ("sharedrange verify my-node STICK/our-park-to-secretariat-0123456789ab.age",),
    "publish": (
        "sharedrange publish my-node --for public --purpose treaty-report",
        "sharedrange publish my-node --for public --purpose treaty-report --by secretariat/head",
    ),
    "revoke": ('sharedrange revoke my-node cats --reason "places were passed on" --by our-park/head',),
    "audit": ("sharedrange audit my-node",),
}


class Misused(typer.TyperException):
    """The line that was typed cannot be run; `message` is a message id and `facts` fill its places."""

    def __init__(self, message: str, ctx: Any, **facts: object) -> None:
        super().__init__(message)
        self.ctx, self.facts = ctx, facts


def nearest(given: str, known: Iterable[str]) -> str:
    """The known name that is most like `given`."""
    return difflib.get_close_matches(given, list(known), n=1, cutoff=0.0)[0]


class TranslatedCommand(TyperCommand):
    """A command whose help comes from the catalogue."""

    allow_extra_args = True  # so that parse_args below can name them

    def get_help(self, ctx: Any) -> str:
        """The whole help page."""
        words, name = ctx.obj.words, self.name
        top = [usage(self, ctx), Text(), Text(words(f"cli.{name}.summary")), Text(), Text(words(f"cli.{name}.help"))]
        return _page(ctx, [*top, *_parameters(self, ctx), *_examples(words, name or "")])

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the line; a word too many is said in the reader's language."""
        rest = super().parse_args(ctx, args)
        if rest:
            raise Misused("cli.misuse.extra", ctx, given=" ".join(rest))
        return rest


class TranslatedGroup(TyperGroup):
    """The program itself: what it is for, its commands, its options."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that was asked for; an unknown one is said in the reader's language."""
        if args[0] not in self.commands:
            raise Misused("cli.misuse.command", ctx, given=args[0], near=nearest(args[0], self.commands))
        return super().resolve_command(ctx, args)

    def get_help(self, ctx: Any) -> str:
        """The whole help page."""
        words = ctx.obj.words
        parts: list[RenderableType] = [usage(self, ctx), Text(), Text(words("cli.help"))]
        parts += _section(words("cli.commands"), [(c, words(f"cli.{c}.summary")) for c in self.commands])
        return _page(ctx, [*parts, *_parameters(self, ctx), Text(), Text(words("cli.more"))])


def usage(command: Any, ctx: Any) -> Text:
    """How a command is typed: its required things, then what may follow."""
    options = [p for p in command.params if p.param_type_name == "option" and not p.required]
    pieces = [p.metavar for p in command.params if p.param_type_name == "argument"]
    pieces += [option_name(p) for p in command.params if p.param_type_name == "option" and p.required]
    pieces += [ctx.obj.words("cli.usage.command")] if isinstance(command, TyperGroup) else []
    pieces += [ctx.obj.words("cli.usage.options")] if options else []
    return Text.assemble((ctx.obj.words("cli.usage"), "bold"), " ", ctx.command_path, " ", " ".join(pieces))


def option_name(parameter: Any) -> str:
    """A parameter as it is typed: ``PATH``, ``--workers N``, ``--json``."""
    if parameter.param_type_name == "argument":
        return str(parameter.metavar)
    return " ".join([", ".join(parameter.opts), *([parameter.metavar] if parameter.metavar else [])])


def option_help(words: Words, command: Any, parameter: Any) -> str:
    """What a parameter does, with its default where it has one that is worth saying."""
    if parameter.name == "help":
        return words("cli.option.help")
    text = words(f"cli.{command.name}.{parameter.name}" if command.name else f"cli.{parameter.name}")
    default = parameter.default
    if default in (None, "", False, Path()) or callable(default):
        return text
    return f"{text} {words('cli.option.default', value=getattr(default, 'value', default))}"


def _parameters(command: Any, ctx: Any) -> list[RenderableType]:
    words, parts = ctx.obj.words, []
    for kind, title in (("argument", "cli.arguments"), ("option", "cli.options")):
        chosen = [p for p in command.get_params(ctx) if p.param_type_name == kind]
        rows = [(option_name(p), option_help(words, command, p)) for p in chosen]
        parts += _section(words(title), rows)
    return parts


def _section(title: str, rows: list[tuple[str, str]]) -> list[RenderableType]:
    """A heading and two columns below it; nothing if there are no rows."""
    if not rows:
        return []
    table = Table.grid(padding=(0, 3, 0, 0))
    table.add_column(no_wrap=True, min_width=min(COLUMN, max(len(name) for name, _ in rows)))
    table.add_column()
    for name, text in rows:
        table.add_row(Text(name, style="cyan"), Text(text))
    return [Text(), Text(title, style="bold"), Padding(table, INDENT)]


def _examples(words: Words, command: str) -> list[RenderableType]:
    """A heading, then for each example a sentence and the line to type."""
    parts: list[RenderableType] = [Text(), Text(words("cli.examples"), style="bold")]
    for number, line in enumerate(EXAMPLES[command], start=1):
        parts.append(Padding(Text(words(f"cli.{command}.example.{number}")), INDENT))
        parts.append(Padding(Text(line, style="cyan"), (0, 0, 0, 4)))
    return parts


def _page(ctx: Any, parts: list[RenderableType]) -> str:
    console: Console = ctx.obj.out
    with console.capture() as captured:
        console.print(Group(*parts), end="")
    return "\n".join(line.rstrip() for line in captured.get().rstrip().splitlines())
