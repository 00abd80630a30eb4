"""Help: its width, an example in each that parses, and what `harness` alone prints."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from harness.cli.app import app
from harness.cli.helping import example, first_sentence
from harness.cli.starting import FIRST, START, start

ROOT: Any = typer.main.get_command(app)


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that call it, groups too."""
    for name, command in group.commands.items():
        yield (*words, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))


ALL = dict(commands(ROOT))


def examples(command: Any) -> list[str]:
    found = re.fullmatch(r"\x08\nExamples?:\n((?:  [^\n]+\n?)+)", command.epilog or "")
    return [line.strip() for line in found[1].splitlines()] if found else []


def parses(words: list[str]) -> Any:
    """The command that the words call, once it has parsed them; nothing is run."""
    context, command = ROOT.make_context("harness", list(words)), ROOT
    while hasattr(command, "commands"):
        rest = [*context._protected_args, *context.args]
        if not rest:
            return command
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)
    return command


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help_ends_in_an_example_that_parses(words: tuple[str, ...]) -> None:
    command = ALL[words]
    assert examples(command), f"give {' '.join(words)} an epilog=example(...)"
    for one in examples(command):
        program, *arguments = shlex.split(re.sub(r" > \S+$", "", one))
        assert program == "harness" and tuple(arguments[: len(words)]) == words
        called = parses(arguments)
        assert called is command or called in getattr(command, "commands", {}).values()


def test_an_example_that_does_not_parse_is_found() -> None:
    with pytest.raises(Exception, match="No such option"):
        parses(["run", "quickstart", "--resumee"])
    with pytest.raises(Exception, match="Missing parameter"):
        parses(["diff", "latest"])


def printed(*words: str, **environment: str) -> str:
    env = {name: text for name, text in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR")}
    done = subprocess.run(
        [sys.executable, "-m", "harness", *words], capture_output=True, text=True, env=env | environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_has_the_terminals_width() -> None:
    widths = {width: max(map(len, printed("run", "--help", COLUMNS=str(width)).splitlines())) for width in (60, 140)}
    assert widths[60] <= 60 and 100 < widths[140] <= 140


def test_no_commands_description_is_cut_off() -> None:
    text = printed("--help", COLUMNS="80")
    assert "..." not in text.partition("A number at once:")[2] and max(map(len, text.splitlines())) <= 80


def test_each_command_stands_in_one_section() -> None:
    told = [name for names in ROOT.SECTIONS.values() for name in names]
    assert sorted(told) == sorted(ROOT.commands)
    text = printed("--help", COLUMNS="100")
    assert "\nCommands:" not in text
    assert re.findall(r"^\S.*:$", text, re.M) == ["Options:", *(f"{title}:" for title in ROOT.SECTIONS)]


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help_has_no_words_of_python(words: tuple[str, ...]) -> None:
    context = ROOT.make_context("harness", [words[0]], resilient_parsing=True)
    text = ALL[words].get_help(type(context)(ALL[words], info_name=words[-1], parent=context))
    assert not re.search(r"<(?:list|str|int|float|bool)\b|PosixPath|None\b", text)


def test_harness_alone_shows_five_commands_that_there_are() -> None:
    lines = [line.strip() for line in printed().splitlines()]
    shown = [line for line in lines if line.startswith("harness ") and not line.startswith("harness --")]
    assert len(shown) == FIRST
    for line in shown:
        assert parses(shlex.split(line)[1:]) is ALL[(shlex.split(line)[1],)]


def test_the_first_five_of_a_larger_set_are_shown() -> None:
    text = start([*START, "other"])
    assert [name for name in START if f"  harness {name}" in text] == ["eval", "bench", "perplexity", "run", "init"]
    assert "eval" not in start(["run", "show"])


def test_pieces() -> None:
    assert first_sentence("Print it: all.\nExit 2. More\n\nLast") == "Print it: all."
    assert first_sentence("See docs/ci.md for\nmore") == "See docs/ci.md for more"
    assert example("harness a", "harness b").splitlines()[1:] == ["Examples:", "  harness a", "  harness b"]
