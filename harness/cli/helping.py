"""What `--help` looks like: an example at its end, commands by their use, each with its first sentence whole."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from typer.core import TyperGroup

from harness.cli.wrong_argument import in_options
from harness.errors import WrongArgument

WIDEST = 160
"""Columns that help takes at most; in a narrower terminal, those that it has."""


PLAIN = {"str": "text", "int": "whole number", "float": "number", "path": "path"}
"""What types of values are called, by Python's words for them."""


class Listing(TyperGroup):
    """A group that lists its commands with their first sentence, folded where it is long and not cut off."""

    SECTIONS: ClassVar[dict[str, tuple[str, ...]]] = {}
    """The commands by what they are for; the others stand below "Commands"."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for command in self.commands.values():
            for param in command.params:
                _in_plain_words(param)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for; what is wrong with its arguments is said of its options."""
        try:
            return super().invoke(ctx)
        except WrongArgument as error:
            raise in_options(error, self.commands[ctx.invoked_subcommand]) from None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the sections of commands."""
        shown = [name for name in self.list_commands(ctx) if not self.commands[name].hidden]
        told = {name for names in self.SECTIONS.values() for name in names}
        wide = max(map(len, shown))
        for title, names in {**self.SECTIONS, "Commands": tuple(name for name in shown if name not in told)}.items():
            rows = [
                (name.ljust(wide), first_sentence(self.commands[name].help or "")) for name in names if name in shown
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _in_plain_words(param: Any) -> None:
    """`<text>` in place of `<list[str]>`: whoever reads help need not know Python."""
    of_typer = getattr(param, "display_type", None)
    if of_typer is None:  # a release of typer that says TEXT
        return

    def said(ctx: Any) -> str:
        word = re.sub(r"^<(?:list\[(.*)\]|(.*))>$", r"\1\2", of_typer(ctx)).removesuffix(" range")
        return f"<{PLAIN.get(word.lower(), word)}>"

    param.display_type = said


def example(*commands: str) -> str:
    """The end of a command's help: how it is called. The mark keeps lines as they are."""
    return "\b\n" + "\n".join(["Example:" if len(commands) == 1 else "Examples:", *(f"  {one}" for one in commands)])


def first_sentence(text: str) -> str:
    """`Print a run.` of a help text that goes on."""
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return re.split(r"(?<=\.) (?=[A-Z`])", paragraph, maxsplit=1)[0]
