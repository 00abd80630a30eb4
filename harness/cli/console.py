"""Where commands print: one console for all of them, and streams that take every character.

Text is printed as it is: a name or a reason may hold brackets or colons, which rich would read as markup or emoji.
"""

from __future__ import annotations

import codecs
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO, cast

from harness.cli.folding import folded, folding
from harness.cli.output import Output, wrap
from harness.errors import inert, printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

WIDTH = 160
"""Columns where the width is not given: in a file, a pipe or a log of CI."""
ERRORS = "harness.plainer"
"""Name of the rule for characters that a stream's encoding lacks."""
PLAINER = {
    **dict(zip("–—−‑×·µμ≈→←•", "----x*uu~><*", strict=True)),
    **dict(zip("“”„«»‘’\N{NO-BREAK SPACE}", '"""""\'\' ', strict=True)),
    **dict(zip("─━═│┃┼╇╪┏┓└┘├┤┬┴", "--=||+++++++++++", strict=True)),
    **dict(zip("●○┊", "*o:", strict=True)),
    **{"±": "+-", "∞": "inf", "≥": ">=", "≤": "<=", "≠": "!=", "²": "^2", "³": "^3", "√": "sqrt", "…": "..."},
    **{"α": "alpha", "β": "beta", "γ": "gamma", "Δ": "Delta", "δ": "delta", "ε": "epsilon", "σ": "sigma", "Σ": "sum"},
}
"""What stands for a character where the encoding (ASCII, say) lacks it; any other becomes a question mark."""


def make_console(*, to_stderr: bool = False) -> Console:
    """The console of a command: as wide as the terminal (or `COLUMNS`), and wide where there is none.

    to_stderr: where stdout is for data alone.
    """
    from rich.console import Console
    from rich.segment import Segment

    class ShowingConsole(Console):
        """Writes what it draws; of the texts in it nothing acts on the terminal."""

        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
            for segment in super().render(renderable, options):
                yield segment if segment.control else Segment(inert(segment.text), segment.style)

    # rich takes what is no number, as `²`, for one
    sizes = ("COLUMNS", "LINES")
    known = {name: text for name, text in os.environ.items() if name not in sizes or re.fullmatch("[0-9]{1,6}", text)}
    # and 80 columns where there is no terminal
    stream = sys.stderr if to_stderr else sys.stdout
    width = None if "COLUMNS" in known or stream.isatty() else WIDTH
    if stream.isatty() and os.environ.get("TERM", "").lower() in ("dumb", "unknown"):
        # and in every dumb terminal, unless both sizes are told
        with suppress(OSError, ValueError):  # a stream of no file
            size = os.get_terminal_size(stream.fileno())
            known = {"COLUMNS": str(size.columns or 80), "LINES": str(size.lines or 25)} | known
    # lines of a file are not wrapped: it is searched, or shown by something that knows its own width
    drawn = sys.stderr.of_drawn() if to_stderr and isinstance(sys.stderr, Output) else None
    return ShowingConsole(
        stderr=to_stderr,
        file=cast("TextIO | None", drawn),
        width=width,
        soft_wrap=width is not None,
        markup=False,
        emoji=False,
        highlight=False,
        _environ=known,
    )


def print_folded(console: Console, text: str, style: str | None = None) -> None:
    """Print sentences: in a terminal folded at words, with a path or a command in one piece, to be copied; whole in a
    file."""
    console.print(text if console.soft_wrap else folded(text, console.width), style=style, soft_wrap=True)


def can_go_back(console: Console) -> bool:
    """Whether a live display can be shown: a dumb terminal can't go back to a line, and a log that is colored by force
    is no terminal."""
    return console.is_terminal and console.file.isatty() and not console.is_dumb_terminal


def say(text: str, *, to_stderr: bool = False) -> None:
    """Print one line past the console; nothing in it acts on the terminal. On stderr it stands above a live display,
    which takes what Python's own `print` writes there, and not what `typer.echo` does."""
    import typer

    if to_stderr and sys.stderr is not None:
        print(inert(text), file=sys.stderr, flush=True)
    else:
        typer.echo(inert(text), err=to_stderr)


def take_every_character() -> None:
    """Make stdout and stderr write what their encoding lacks in plainer characters, in place of an error.

    What goes to stderr comes from us, from libraries and from Python itself: nothing in it acts on the terminal.
    """
    codecs.register_error(ERRORS, _plainer)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None and _is_strict(stream):
            reconfigure(errors=ERRORS)
    wrap("stdout")
    fold = folding(sys.stderr)
    wrap("stderr", lambda text: fold(inert(text)))


def _is_strict(stream: TextIO) -> bool:
    """Whether nothing says what to do with such characters, as `PYTHONIOENCODING=ascii:ignore` does."""
    return stream.errors in ("strict", "surrogateescape", "backslashreplace")


def _plainer(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(PLAINER.get(character) or _escaped(character) for character in text), error.end


def _escaped(character: str) -> str:
    """A half character as its escape, any other as a question mark."""
    return printable(character) if "\ud800" <= character <= "\udfff" else "?"
