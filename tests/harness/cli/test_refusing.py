"""What the option parser refuses: one sentence in our words, whichever option of whichever command it is."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from harness.cli import boundary
from harness.cli.app import app
from harness.cli.refusing import in_our_words
from harness.errors import UserError
from harness.spelling import nearest_word

ROOT: Any = typer.main.get_command(app)
NOT_OURS = re.compile(
    r"Traceback|[Vv]alue error|Invalid|Input should|parse|No such (option|command)|Missing|Got unexpected|\bTry\b"
    r"|Usage:|requires an argument|does not take|pydantic|typer|click|is not a valid|fault of the harness"
)
"""Words of libraries."""
WRONG = ("ten", "", "-1", "1e999", "nan", "\x1b[31m'x'", "é=,;", "0")


def leaves(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, (*words, name))
        else:
            yield (*words, name), command


LEAVES = dict(leaves(ROOT))
OWN = ("eval",)
"""Reads lm-eval's command lines first, in words of its own."""


def refused(words: list[str]) -> str | None:
    """What the parser says to it; None where it takes it. No command is run."""
    try:
        context, command = ROOT.make_context("harness", list(words)), ROOT
        with in_our_words(context):
            while hasattr(command, "commands"):
                rest = [*context._protected_args, *context.args]
                context.invoked_subcommand = rest[0] if rest else None
                name, command, rest = command.resolve_command(context, rest)
                context = command.make_context(name, rest, parent=context)
    except UserError as error:
        return str(error)
    except typer.Exit:  # --help, --version
        pass
    return None


def long_name(option: Any) -> str:
    return next((name for name in option.opts if name.startswith("--")), str(option.opts[0]))


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_wrong_value_of_every_option(words: tuple[str, ...]) -> None:
    command = LEAVES[words]
    place = f"(harness {words[0]}"
    needed = ["1" for one in command.params if one.param_type_name == "argument" and one.required]
    for option in (one for one in command.params if one.param_type_name == "option"):
        name = long_name(option)
        attempts = [[name], [f"{name}=x"], *([name, wrong] for wrong in WRONG), [f"{name[:-1]}~", "1"]]
        for attempt in attempts:
            said = refused([*words, *needed, *attempt])
            assert said is None or (not NOT_OURS.search(said) and said.count("\n") == 0), (attempt, said)
            assert said is None or place in said or words == OWN, (attempt, said)
        assert refused([*words, *needed, f"{name}~"]) is not None
        if not option.is_flag:
            assert refused([*words, *needed, name]) is not None
        elif words != OWN:
            assert f"{name}: takes no value" in str(refused([*words, *needed, f"{name}=x"]))
        if option.type_descriptor.annotation in (int, float) and words != OWN:
            assert f"{name}: should be a" in str(refused([*words, *needed, name, "ten"]))


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_arguments_that_are_missing_or_too_many(words: tuple[str, ...]) -> None:
    command = LEAVES[words]
    said = refused([*words])
    assert (said is not None) == any(one.required for one in command.params)
    assert said is None or re.search(r"^\S+: is missing(: .+)? \(harness [a-z ]+ --help\)$", said)
    if not any(one.nargs == -1 for one in command.params):
        too_many = str(refused([*words, *"123456789"]))
        assert not NOT_OURS.search(too_many)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("run q --freshh", "there is no option --freshh; did you mean --fresh? (harness run --help)"),
        ("run q --limt 3", "there is no option --limt (harness run --help)"),
        ("--vers", "there is no option --vers; did you mean --version? (harness --help)"),
        ("list -x", "there is no option -x (harness list --help)"),
        ("shw", "there is no command 'shw'; did you mean 'show'? (harness --help)"),
        ("baseline st x", "there is no command 'st'; did you mean 'set'? (harness baseline --help)"),
        (
            "perplexity x --documents ten",
            "--documents: should be a whole number, not 'ten' (harness perplexity --help)",
        ),
        ("perplexity x --documents 1k", "--documents: should be a whole number, not '1k': write 1000"),
        ("perplexity x --documents", "--documents: a value has to follow"),
        ("compare a b --tolerance 7", "--tolerance: should be at most 1 (it is '7')"),
        ("diff a", "head: is missing: the run that is compared"),
        ("show a b", "'b' is too much: quote what has spaces in it (harness show --help)"),
        ("show --wide=3", "--wide: takes no value (harness show --help)"),
    ],
)
def test_sentences(line: str, sentence: str) -> None:
    said = refused(line.split())
    assert said is not None and said.startswith(sentence)


def test_it_ends_as_every_mistake_does(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["harness", "show", "--wide=3"])
    with pytest.raises(SystemExit) as ended:
        boundary.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: --wide: takes no value (harness show --help)\n"


def test_the_words_of_others_are_found() -> None:
    assert NOT_OURS.search("Invalid value for 'kind': Value error, 'evil' is not one of 'eval'.")
    assert nearest_word("--limt", ["--log-to"]) == "--log-to"  # which nobody means: hence a stricter measure
