"""Arms as Python has them: a function, what is written on the command line, or a choice."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from harness.errors import UserError, shown
from harness.gate.arms.arm import ArmChoice, parse_arm

Arms = Callable[..., Any] | str | ArmChoice
"""What may be given as an arm."""


def choice_of(arm: Arms, place: str) -> ArmChoice:
    """The choice that an arm stands for. Raises UserError."""
    if isinstance(arm, ArmChoice):
        return arm
    if isinstance(arm, str):
        return parse_arm(arm, place)
    if callable(arm):
        return arm_of(arm)
    raise UserError(f"an arm is a function, a string or an ArmChoice, not {shown(repr(arm))}", place=place)


def arm_of(function: Callable[..., Any], **more: Any) -> ArmChoice:
    """An arm that calls a function of an importable module, or anything else there that can be called. more: other
    fields of `ArmChoice`. Raises UserError for what another process can't import."""
    module = getattr(function, "__module__", None) or type(function).__module__
    name = getattr(function, "__qualname__", None) or _name_in(module, function)
    if module == "__main__" or not name or _named(module, name) != function:
        raise UserError(
            f"{shown(name or repr(function))} can't be imported by another process: put it into a module, at its top "
            "level, and name it (a lambda and a function within a function have no place there)"
        )
    return replace(ArmChoice(call=f"{module}:{name}"), **more)


def _named(module: str, name: str) -> Any:
    """What a module has under a dotted name; None where it has none."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _name_in(module: str, wanted: object) -> str:
    """The name of an object, such as one of a class with `__call__`, in its module."""
    names = vars(sys.modules[module]) if module in sys.modules else {}
    return next((name for name, value in names.items() if value is wanted and not name.startswith("__")), "")
