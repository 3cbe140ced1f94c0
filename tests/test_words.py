"""Words for people: every sentence that is asked for exists, and the terminal says nothing outside a catalogue."""

from __future__ import annotations

import ast
import importlib.util
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Formatter
from types import ModuleType

import pytest
from babel.messages.pofile import read_po
from rich.console import Console

from sharedrange.cli import main
from sharedrange.cli.face import Face
from sharedrange.cli.help import EXAMPLES
from sharedrange.core.words import PSEUDO, Words, languages, load

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "sharedrange"
LOCALE = SOURCE / "core" / "locale"
SPEAKERS = {"words", "say", "_ask"}  # functions whose first argument, or second after a face, is a message
MESSAGE = re.compile(r"[a-z][a-z0-9_-]*(\.[A-Za-z0-9_-]+)+")
IN_TEMPLATE = re.compile(r"""\bwords\(\s*["']([^"']+)["']""")


def catalogue(language: str) -> dict[str, str]:
    """Message id -> sentence of a .po file."""
    with (LOCALE / language / "LC_MESSAGES" / "sharedrange.po").open("rb") as stream:
        return {str(message.id): str(message.string) for message in read_po(stream, abort_invalid=True) if message.id}


@cache
def trees() -> dict[Path, ast.Module]:
    """The parsed code of the package."""
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(SOURCE.rglob("*.py"))}


@dataclass(frozen=True)
class Call:
    """A call in the code: who is called, the text that it names, its keyword arguments (None: not all are known)."""

    name: str
    message: str
    facts: frozenset[str] | None
    place: str


def calls() -> Iterator[Call]:
    """Every call that names a message or a rule by a literal text."""
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (message := _literal(node.args[:2])):
                yield Call(_name(node.func), message, _facts(node), f"{path.relative_to(ROOT)}:{node.lineno}")


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _literal(arguments: list[ast.expr]) -> str:
    texts = [a.value for a in arguments if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    return texts[0] if texts else ""


def _facts(node: ast.Call) -> frozenset[str] | None:
    keys = [k.arg for k in node.keywords]
    return None if None in keys else frozenset(key for key in keys if key)


def spoken() -> list[Call]:
    """Calls that ask for a sentence."""
    return [call for call in calls() if call.name in SPEAKERS and MESSAGE.fullmatch(call.message)]


def findings() -> Iterator[tuple[str, frozenset[str] | None, str]]:
    """Every finding made in the code with a literal rule: rule, keys of its facts (None: not a literal), place."""
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _name(node.func) == "Finding" and node.args:
                rule = _literal(node.args[:1])
                if rule:
                    yield rule, _keys(node), f"{path.relative_to(ROOT)}:{node.lineno}"


@cache
def all_rules() -> frozenset[str]:
    """The rules of all findings that the code makes."""
    return frozenset({rule for rule, _, _ in findings()} | {rule for rule, _ in rules_by_helpers()})


def rules_by_helpers() -> Iterator[tuple[str, str]]:
    """Rules given to a function of the same module that makes the finding from its parameter: rule, place."""
    for path, tree in trees().items():
        makers = dict(_makers(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _name(node.func) in makers:
                rule = _literal(node.args[makers[_name(node.func)] :][:1])
                if rule:
                    yield rule, f"{path.relative_to(ROOT)}:{node.lineno}"


def _makers(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Functions that pass one of their parameters on as a finding's rule: name, position of the parameter."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        names = [a.arg for a in function.args.args if a.arg not in {"self", "cls"}]
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and _name(node.func) == "Finding" and node.args:
                rule = node.args[0]
                if isinstance(rule, ast.Name) and rule.id in names:
                    yield function.name, names.index(rule.id)


def _keys(node: ast.Call) -> frozenset[str] | None:
    given = node.args[1] if len(node.args) > 1 else next((k.value for k in node.keywords if k.arg == "facts"), None)
    if given is None:
        return frozenset()
    if not isinstance(given, ast.Dict) or not all(isinstance(key, ast.Constant) for key in given.keys):
        return None
    return frozenset(str(key.value) for key in given.keys if isinstance(key, ast.Constant))


def places(sentence: str) -> frozenset[str]:
    """Names of the places for facts in a sentence."""
    return frozenset(name for _, name, _, _ in Formatter().parse(sentence) if name is not None)


def named_texts() -> tuple[set[str], set[str]]:
    """All literal texts of code and templates, and the fixed beginnings of texts that are put together."""
    whole, beginnings = set(), set()
    for tree in trees().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                whole.add(node.value)
            if isinstance(node, ast.JoinedStr) and node.values and isinstance(node.values[0], ast.Constant):
                beginnings.add(str(node.values[0].value))
    for template in SOURCE.rglob("templates/**/*"):
        if template.is_file() and template.suffix in {".html", ".j2", ".txt", ".xml", ".svg"}:
            text = template.read_text(encoding="utf-8")
            whole |= set(re.findall(r"""["']([a-z][\w.-]+)["']""", text))
            beginnings |= set(re.findall(r"""["']([a-z][\w.-]+\.)["']\s*[~+]""", text))
    return whole, {text for text in beginnings if "." in text}


def test_every_sentence_that_the_code_asks_for_exists() -> None:
    english = catalogue("en")
    assert not {f"{call.message} ({call.place})" for call in spoken() if call.message not in english}


def test_every_sentence_that_a_template_asks_for_exists() -> None:
    english = catalogue("en")
    templates = [path for path in SOURCE.rglob("templates/**/*.html") if path.is_file()]
    asked = {message for path in templates for message in IN_TEMPLATE.findall(path.read_text(encoding="utf-8"))}
    assert not {message for message in asked if not message.endswith(".")} - english.keys()


def test_every_rule_has_a_fact_and_a_remedy() -> None:
    english = catalogue("en")
    assert len(all_rules()) > 50
    assert not {f"finding.{rule}.{part}" for rule in all_rules() for part in ("fact", "remedy")} - english.keys()


def test_a_fact_never_comes_without_a_remedy() -> None:
    english = catalogue("en")
    rules = {message.rpartition(".")[0] for message in english if message.startswith("finding.")}
    assert not {f"{rule}.{part}" for rule in rules for part in ("fact", "remedy")} - english.keys()


def test_findings_bring_every_fact_that_their_sentences_name() -> None:
    english = catalogue("en")
    lacking = set()
    for rule, keys, place in findings():
        named = places(english.get(f"finding.{rule}.fact", "")) | places(english.get(f"finding.{rule}.remedy", ""))
        if keys is not None and named - keys:
            lacking.add(f"{rule} ({place}): {', '.join(sorted(named - keys))}")
    assert not lacking


def test_sentences_are_given_every_fact_that_they_name() -> None:
    english = catalogue("en")
    lacking = {
        f"{call.message} ({call.place}): {', '.join(sorted(places(english[call.message]) - call.facts))}"
        for call in spoken()
        if call.facts is not None and call.message in english and places(english[call.message]) - call.facts
    }
    assert not lacking


def asked_by_help(command: str) -> set[str]:
    """Messages that a command's help asks for; it finds them by the names of command and options."""
    asked: set[str] = set()

    def find(message: str) -> str:
        asked.add(message)
        return message

    console = Console(file=io.StringIO())
    main.attempt(Face(Words("en", find), console, console), [command, "--help"] if command else ["--help"])
    return asked


def test_no_sentence_is_left_that_nobody_says(capsys: pytest.CaptureFixture[str]) -> None:
    whole, beginnings = named_texts()
    whole |= set().union(*(asked_by_help(command) for command in ("", *EXAMPLES)))
    beginnings -= {"cli."}

    def said(message: str) -> bool:
        rule = message.split(".")[1] if message.startswith("finding.") else None
        return rule in whole or message in whole or any(message.startswith(beginning) for beginning in beginnings)

    assert not {message for message in catalogue("en") if not said(message)}


@pytest.mark.parametrize("language", languages())
def test_catalogues_have_each_message_once_and_none_empty(language: str) -> None:
    text = (LOCALE / language / "LC_MESSAGES" / "sharedrange.po").read_text(encoding="utf-8")
    ids = re.findall(r'^msgid "(.+)"$', text, flags=re.MULTILINE)
    assert sorted(ids) == sorted(set(ids))
    assert all(catalogue(language).values())


@pytest.mark.parametrize("language", languages())
def test_every_language_says_the_same_messages_with_the_same_facts(language: str) -> None:
    english, other = catalogue("en"), catalogue(language)
    assert other.keys() == english.keys()
    assert {m for m in english if places(english[m]) != places(other[m])} == set()


@pytest.mark.parametrize("language", languages())
def test_catalogues_say_whether_a_native_speaker_reviewed_them(language: str) -> None:
    text = (LOCALE / language / "LC_MESSAGES" / "sharedrange.po").read_text(encoding="utf-8")
    assert re.search(r'"X-Reviewed: (yes|no)\\n"', text)


@pytest.mark.parametrize("language", languages())
def test_the_compiled_catalogue_is_up_to_date(language: str) -> None:
    po = LOCALE / language / "LC_MESSAGES" / "sharedrange.po"
    assert po.with_suffix(".mo").read_bytes() == _tool().compiled(po)


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("words_tool", ROOT / "tools" / "words.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "line",
    [
        ["--help"],
        *([command, "--help"] for command in EXAMPLES),
        ["chek"],
        ["check", "--jsn"],
        ["check", "."],
        ["assess", "."],
        ["init", "x"],
    ],
    ids=" ".join,
)
def test_nothing_on_the_terminal_is_outside_the_catalogue(
    line: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "2000")  # no sentence is broken over two lines
    main.run(["--language", PSEUDO, *line])
    said = capsys.readouterr()
    assert "⟦" in said.out + said.err
    lines = (said.out + said.err).splitlines()
    assert not {word for text in lines for word in unmarked_words(text) if not _is_code(word)}


def unmarked_words(text: str) -> list[str]:
    """Words of a line outside the marks of the pseudo-locale; lines to be typed are code, not words."""
    outside, depth = [], 0
    for letter in text:
        depth += {"⟦": 1, "⟧": -1}.get(letter, 0)
        outside.append(letter if depth == 0 and letter not in "⟦⟧" else " ")
    line = "".join(outside).strip()
    return [] if line.startswith("sharedrange ") else line.split()


def _is_code(word: str) -> bool:
    """Whether a word is one that no language changes: an option, a metavariable, a command, a rule, a path."""
    return (
        word.startswith(("-", "["))
        or word.isupper()
        or word in EXAMPLES
        or word in all_rules()
        or word == "sharedrange"
        or not any(letter.isalpha() for letter in word)
        or "/" in word
        or word.endswith((".toml", ".csv"))
    )


def test_the_pseudo_locale_marks_everything_and_keeps_the_facts() -> None:
    sentence = load(PSEUDO)("finding.unknown-key.fact", key="specie")
    assert sentence.startswith("⟦")
    assert sentence.endswith("⟧")
    assert "specie" in sentence
