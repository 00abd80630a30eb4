"""What a function says of its arguments, in the words of who typed options."""

from __future__ import annotations

import re
from typing import Any

from harness.errors import UserError, WrongArgument


def in_options(error: WrongArgument, command: Any) -> UserError:
    """The same error with the options of a command in place of the arguments that are called as its parameters are."""
    typed = {str(param.name).rstrip("_"): _typed(param) for param in command.params}
    place = ", ".join(typed.get(name, name) for name in (error.place or "").split(", "))
    beside = {name: option for name, option in typed.items() if name in error.beside}
    message = re.sub(r"`(\w+)`", lambda word: f"`{beside.get(word[1], word[1])}`", error.message)
    found = UserError(message, place=place or None)
    found.exit_code = error.exit_code
    return found


def _typed(param: Any) -> str:
    """`--top-p`, and an argument as help calls it."""
    if param.param_type_name != "option":
        return str(param.metavar or param.name).upper()
    long = [name for name in param.opts if name.startswith("--")] or param.opts
    return str(long[0])
