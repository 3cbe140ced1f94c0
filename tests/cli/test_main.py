"""The program as a whole: help, language, exit codes, errors as sentences."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest
import typer

from sharedrange import __version__
from sharedrange.cli import commands, main, publishing, sharing
from sharedrange.cli.face import shown
from sharedrange.cli.help import EXAMPLES
from sharedrange.core.answer import Refusal
from sharedrange.core.errors import (
    AgreementError,
    Cancelled,
    DidNotConverge,
    InputError,
    NotEnoughData,
    ProgrammeError,
)
from sharedrange.core.finding import Finding, Where

Line = Callable[..., Any]
ALL = (*commands.ALL, *publishing.ALL, *sharing.ALL)
HEAVY = ("numpy", "polars", "scipy", "matplotlib", "pyproj", "shapely", "nacl", "jinja2")
UNKNOWN = Finding("unknown-key", {"key": "specie", "nearest": "species", "known": "species"}, Where("programme.toml"))


def raising(error: BaseException) -> Callable[..., None]:
    def raise_(*_args: object, **_settings: object) -> None:
        raise error

    return raise_


@pytest.mark.parametrize("command", ["", *EXAMPLES])
def test_help_needs_no_numerics(command: str) -> None:
    line = [part for part in (command, "--help") if part]
    code = (
        "import sys; from sharedrange.cli.main import run; "
        f"code = run({line!r}); print(code, *sorted(set(sys.modules) & set({HEAVY!r})), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.split() == ["0"]


def test_every_command_has_help_with_its_examples(type_line: Line) -> None:
    assert set(EXAMPLES) == {command.__name__ for command in ALL}
    for command, examples in EXAMPLES.items():
        page = type_line(command, "--help")
        assert page.code == 0
        assert all(line in page.out for line in examples)
        assert all(line.startswith(f"sharedrange {command} ") for line in examples)


def test_help_lists_every_command(type_line: Line) -> None:
    page = type_line("--help").out
    assert all(f"  {command.__name__} " in page for command in ALL)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_help_stays_inside_the_window(type_line: Line, width: int) -> None:
    for command in EXAMPLES:
        prose = [
            line for line in type_line(command, "--help", width=width).out.splitlines() if "sharedrange" not in line
        ]
        assert max(map(len, prose)) <= width


def test_without_arguments_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([]) == 0
    assert "sharedrange COMMAND" in capsys.readouterr().out


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--version"]) == 0
    assert capsys.readouterr().out == f"sharedrange {__version__}\n"


def test_the_language_may_stand_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHAREDRANGE_LANGUAGE", "qps")
    assert main.choose_language(["check", "node"]) == ("qps", ["check", "node"])
    assert main.choose_language(["check", "node", "--language", "en"]) == ("en", ["check", "node"])
    assert main.choose_language(["--language=en", "check"]) == ("en", ["check"])


def test_a_language_without_words_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--language", "tlh", "check", "x"]) == 2
    said = capsys.readouterr()
    assert "tlh" in said.err
    assert not said.out


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (["chek", "x"], '"check"'),
        (["check", "x", "--jsn"], '"--json"'),
        (["check"], "PATH is missing"),
        (["init", "x"], "--party ID is missing"),
        (["check", "a", "b"], "uses: b"),
        (["assess", "x", "--workers", "many"], "--workers"),
        (["assess", "x", "--workers", "0"], "--workers"),
        (["assess", "x", "--workers"], "--workers"),
        (["simulate", "x", "--preset", "three-parks"], "two-parks"),
        (["--jsn"], '"--version"'),
    ],
)
def test_a_mistyped_line_is_explained(type_line: Line, line: list[str], expected: str) -> None:
    typed = type_line(*line, width=400)
    assert (typed.code, typed.out) == (2, "")
    assert expected in typed.err
    assert typed.err.rstrip().endswith("--help") or line[-1] == "--workers"


@pytest.mark.parametrize("error", [InputError([UNKNOWN]), ProgrammeError([UNKNOWN]), AgreementError([UNKNOWN])])
def test_all_findings_of_an_error_are_shown(
    type_line: Line, monkeypatch: pytest.MonkeyPatch, error: InputError
) -> None:
    monkeypatch.setattr("sharedrange.assessment.assessing.assess", raising(error))
    typed = type_line("assess", "node", "--quiet")
    assert (typed.code, typed.out) == (1, "")
    assert all(text in typed.err for text in ("programme.toml", "specie", "species", "unknown-key", "Errors: 1."))


def test_a_refusal_says_what_is_needed_and_what_can_be_said(type_line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = Refusal("q", {"recaptures": 2}, {"recaptures": 5}, ("population.minimum",))
    monkeypatch.setattr("sharedrange.assessment.estimating.estimation", raising(NotEnoughData(refusal)))
    typed = type_line("estimate", "tables")
    assert typed.code == 1
    assert "2" in typed.err
    assert "5" in typed.err
    assert "population.minimum" in typed.err


def test_a_fit_that_did_not_converge_is_a_finding(type_line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharedrange.assessment.estimating.estimation", raising(DidNotConverge(UNKNOWN)))
    typed = type_line("estimate", "tables")
    assert typed.code == 1
    assert "unknown-key" in typed.err


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Cancelled(), typer.Abort()])
def test_a_stop_says_that_nothing_is_half_written(
    type_line: Line, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    monkeypatch.setattr("sharedrange.assessment.assessing.assess", raising(stop))
    typed = type_line("assess", "node")
    assert typed.code == 130
    assert "half-written" in typed.err


def test_a_fault_of_the_program_keeps_its_traceback(type_line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharedrange.assessment.checking.check", raising(ZeroDivisionError("defect")))
    with pytest.raises(ZeroDivisionError):
        type_line("check", "node")


def test_paths_are_shown_as_the_user_types_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "node" / "report.html") == "node/report.html"
    assert shown(tmp_path.parent) == str(tmp_path.parent)


WAITING = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
import polars
from sharedrange.cli.face import hear_ctrl_c
hear_ctrl_c()
print("waiting", flush=True)
sys.stdin.readline()
"""


def test_ctrl_c_ends_a_wait_for_the_keyboard() -> None:
    with Popen([sys.executable, "-c", WAITING], stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True) as waiting:
        assert waiting.stdout is not None
        assert waiting.stderr is not None
        assert waiting.stdout.readline() == "waiting\n"
        time.sleep(0.2)  # until it reads
        waiting.send_signal(signal.SIGINT)
        try:
            waiting.wait(timeout=20)
        finally:
            waiting.kill()
        assert "KeyboardInterrupt" in waiting.stderr.read()
