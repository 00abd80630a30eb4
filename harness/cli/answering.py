"""An answer on stdout as it comes: its pieces, and in a terminal, dim above them, what the model thinks first."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from harness.errors import inert

if TYPE_CHECKING:
    from harness import Writer

DIM, PLAIN = "\x1b[2m", "\x1b[22m"


def put(text: str) -> None:
    """Print a piece of a text at once; nothing in it acts on a terminal."""
    sys.stdout.write(inert(text))
    sys.stdout.flush()


def put_answer(writer: Writer) -> None:
    """Print an answer while it is written, up to where it ends or is interrupted; the line is not ended."""
    thought = _Thought() if sys.stdout.isatty() else None
    if thought is not None:
        writer.on_thought = thought.put
    try:
        for piece in writer:
            if thought is not None:
                thought.end()
            put(piece)
    finally:
        if thought is not None:
            thought.end()


class _Thought:
    """A thought on its way, set off from the answer: dim, or where there is no color between two lines that say so."""

    def __init__(self) -> None:
        from harness.cli.console import make_console

        console = make_console()
        self._colored = console.color_system is not None and not console.no_color
        self._open = False

    def put(self, text: str) -> None:
        """One more piece."""
        if not self._open:
            self._open = True
            sys.stdout.write(DIM if self._colored else "(thinking)\n")
        put(text)

    def end(self) -> None:
        """The answer begins, or nothing comes any more."""
        if self._open:
            self._open = False
            sys.stdout.write(f"{PLAIN}\n\n" if self._colored else "\n(thought)\n\n")
            sys.stdout.flush()
