"""What commands print, wherever it goes: a terminal, a pipe, an encoding that lacks characters; names with brackets."""

from __future__ import annotations

import ast
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.live import Live

import harness
from harness.cli.console import PLAINER, WIDTH, make_console, say
from harness.results.run import Run

HARNESS = [sys.executable, "-m", "harness"]


def printed(*command: str, **environment: str) -> str:
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "PYTHONIOENCODING")}
    done = subprocess.run([*HARNESS, *command], capture_output=True, env=env | environment, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode()


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_no_encoding_ends_a_command(finished_run: Run, environment: dict[str, str]) -> None:
    run = str(finished_run.folder)
    commands = [["show", run], ["list", "measures"], ["compare", run, run]]
    code = f"""import sys
from harness.cli import main
for words in {commands!r}:
    sys.argv = ["harness", *words]
    try:
        main()
    except SystemExit as ended:
        assert ended.code == 0, (words, ended.code)"""
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | environment
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=env, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert b"Error" not in done.stderr and b"perplexity" in done.stdout
    if "latin-1" not in environment.values():
        assert done.stdout.isascii()


def test_without_a_terminal_no_table_is_folded(finished_run: Run) -> None:
    text = printed("show", str(finished_run.folder))
    assert max(map(len, text.splitlines())) > 80
    frame = finished_run.records
    for value in frame.loc[frame["metric"] == "weight_bytes", "value"]:
        assert f"{value / 1024:.1f}" in text


def test_a_width_that_is_named_is_kept(finished_run: Run) -> None:
    for width in (60, 100):
        tables = printed("show", str(finished_run.folder), COLUMNS=str(width)).splitlines()
        assert all(len(line.rstrip()) <= width for line in tables if str(finished_run.folder) not in line)


def test_brackets_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed("list", "measures")
    assert "[per token, lower is better]" in text and "[bits/byte, lower is better]" in text
    make_console().print("[bold]x[/] :smile: [/nothing]")
    assert capsys.readouterr().out == "[bold]x[/] :smile: [/nothing]\n"


def test_the_console_is_wide_where_nobody_says_how_wide_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert make_console().width == WIDTH
    monkeypatch.setenv("COLUMNS", "72")
    assert make_console().width == 72


def test_every_plainer_character_is_ascii() -> None:
    assert all(plain.isascii() for plain in PLAINER.values())
    assert not any(character.isascii() for character in PLAINER)


def test_every_command_prints_to_that_console() -> None:
    """Nothing in the package makes a console of its own, which would read brackets as markup and fold numbers."""
    package = Path(harness.__file__).parent
    for path in package.rglob("*.py"):
        if path == package / "cli" / "console.py":
            continue
        calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
        made = [node for node in calls if isinstance(node.func, ast.Name) and node.func.id == "Console"]
        assert not made, f"{path}:{made[0].lineno}"


@pytest.mark.parametrize("columns", ["²", "9" * 5000, "-5", "x"])
def test_columns_that_are_no_number_are_no_width(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert make_console().width == WIDTH


def test_what_is_said_on_stderr_stands_above_a_live_display(capsys: pytest.CaptureFixture[str]) -> None:
    screen = io.StringIO()
    with Live("the bar", console=Console(file=screen, force_terminal=True, width=60), auto_refresh=False):
        say("note: a sentence", to_stderr=True)
    assert "note: a sentence\n" in screen.getvalue() and "note" not in capsys.readouterr().err
    say("note: another", to_stderr=True)
    assert capsys.readouterr().err == "note: another\n"
