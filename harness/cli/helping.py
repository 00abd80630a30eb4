"""What `--help` looks like: an example at its end, and commands with their first sentence whole."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperGroup

WIDEST = 160
"""Columns that help takes at most; in a narrower terminal, those that it has."""


class Listing(TyperGroup):
    """A group that lists its commands with their first sentence, folded where it is long and not cut off."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the section of commands."""
        names = [name for name in self.list_commands(ctx) if not self.commands[name].hidden]
        with formatter.section("Commands"):
            formatter.write_dl([(name, first_sentence(self.commands[name].help or "")) for name in names])


def example(*commands: str) -> str:
    """The end of a command's help: how it is called. The mark keeps lines as they are."""
    return "\b\n" + "\n".join(["Example:" if len(commands) == 1 else "Examples:", *(f"  {one}" for one in commands)])


def first_sentence(text: str) -> str:
    """`Print a run.` of a help text that goes on."""
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return re.split(r"(?<=\.) (?=[A-Z`])", paragraph, maxsplit=1)[0]
