"""What the option parser refuses, in our words: `--limit: should be a number, not 'ten' (harness eval --help)`.

The classes of its errors are told by their names, as releases of typer have them in different packages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from harness.errors import UserError, shown
from harness.spelling import nearest, nearest_word

USAGE: type[Exception] = typer.BadParameter.__mro__[1]
"""Of which every error of the parser is one."""
OPTION = 0.7
"""Of the letters of two options, those that they have to share: each begins with two dashes."""
HELP = "NoArgsIsHelpError"
"""No error: a group without a command prints its help."""


@contextmanager
def in_our_words(ctx: Any = None) -> Iterator[None]:
    """In the block an error of the parser becomes a UserError. ctx: of the command around it."""
    try:
        yield
    except USAGE as error:
        if type(error).__name__ == HELP:
            raise
        raise refused(error, ctx) from error


def refused(error: Any, ctx: Any = None) -> UserError:
    """What is wrong, and where help is. error: one of the parser's, who doesn't say in each of which command it is."""
    place, said = _said(error)
    within = "harness" if ctx is None else f"harness {ctx.invoked_subcommand or ''}".rstrip()
    command = within if error.ctx is None else error.ctx.command_path
    return UserError(f"{said} ({command} --help)", place=place)


def _said(error: Any) -> tuple[str | None, str]:
    """(place, what is wrong)."""
    match type(error).__name__:
        case "NoSuchOption":
            return None, f"there is no option {shown(error.option_name)}{_near_option(error)}"
        case "BadOptionUsage":
            flag = "does not take" in error.message
            return error.option_name, "takes no value" if flag else "a value has to follow"
        case "MissingParameter":
            return option_name(error.param), f"is missing{_about(error.param)}"
        case "BadParameter":
            return option_name(error.param), _wrong_value(error)
    if command := re.fullmatch(r"No such command '(.*?)'\..*", error.message, re.DOTALL):
        known = [name for name, one in error.ctx.command.commands.items() if not one.hidden]
        return None, f"there is no command '{shown(command[1])}'{nearest(command[1], known)}"
    if extra := re.fullmatch(r"Got unexpected extra argument(?:s|\(s\))? \((.*)\)", error.message, re.DOTALL):
        return None, f"'{shown(extra[1])}' is too much: quote what has spaces in it"
    if error.message == "Missing command.":
        return None, "name a command"
    return None, _plain(error.message)


def option_name(param: Any) -> str | None:
    """An option as it is written, an argument as help calls it."""
    if param is None:
        return None
    long = [name for name in param.opts if name.startswith("--")] or param.opts
    return str(long[0]) if param.param_type_name == "option" else str(param.metavar or param.name)


def _about(param: Any) -> str:
    """`: A run folder, or …`, its help."""
    text = getattr(param, "help", None) or ""
    begins_a_sentence = text[1:2].islower() or text[1:2] == " "
    return f": {text[0].lower() if begins_a_sentence else text[0]}{text[1:].rstrip('.')}" if text else ""


def _near_option(error: Any) -> str:
    if error.ctx is None or not error.option_name.startswith("--"):
        return ""
    known = [name for param in error.ctx.command.params for name in param.opts]
    near = nearest_word(error.option_name, known, OPTION)
    return "" if near is None else f"; did you mean {near}?"


def _wrong_value(error: Any) -> str:
    """From what pydantic found where typer asked it, otherwise from the text."""
    details = getattr(error.__cause__, "errors", None)
    if details is not None:
        from harness.suite.wording import OF_PYDANTIC, what

        detail = details()[0]
        if detail["type"] in OF_PYDANTIC and detail["type"] != "value_error":
            return what(detail, ()).replace("the text '", "'")
    if choice := re.fullmatch(r"(?:Value error, )?'(.*)' is not one of (.*?)\.?", error.message, re.DOTALL):
        allowed = re.findall(r"'([^']*)'", choice[2])
        return f"'{shown(choice[1])}' is none of {', '.join(allowed)}{nearest(choice[1], allowed)}"
    return _plain(error.message)


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ").strip().rstrip(".")
