"""Sentences on a terminal's stderr, folded at words: a terminal folds where its line ends, in the middle of one.

In a file, a pipe or a log of CI lines stay whole, so that they can be searched.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TextIO

UNIT = re.compile(r"(?<=: )harness [^;()]*$|`[^`]*`\S*|[^\s`]\S*|\S")
"""What stays in one piece: a word, a path, a command that a person copies."""


def folded(text: str, width: int) -> str:
    """The same text with no line wider than so many columns, but for what stays in one piece; lines that begin with
    spaces go on below their first word."""
    return "\n".join(piece for line in text.split("\n") for piece in _fold(line, width))


def _fold(line: str, width: int) -> list[str]:
    from rich.cells import cell_len

    if len(line) * 2 <= width or cell_len(line) <= width:
        return [line]
    begins = line[: len(line) - len(line.lstrip(" "))]
    lines, now = [], begins
    for found in UNIT.finditer(line):
        gap = line[: found.start()][len(line[: found.start()].rstrip()) :] if now.strip() else ""
        if now.strip() and cell_len(now) + len(gap) + cell_len(found[0]) > width:
            lines.append(now)
            now = begins + found[0]
        else:
            now += gap + found[0]
    return [*lines, now]


def folding(stream: TextIO) -> Callable[[str], str]:
    """What makes of each text that is written to a stream one for the terminal that it is, as wide as that is then;
    texts that begin within a line stay as they are. (Where the stream is no terminal all do.)"""
    if not stream.isatty():
        return str
    at_start = True

    def written(text: str) -> str:
        nonlocal at_start
        width, begins = width_of(stream), at_start
        at_start = text.endswith("\n") if text else at_start
        return folded(text, width) if begins and width else text

    return written


def width_of(stream: TextIO) -> int:
    """Columns of the terminal: `COLUMNS`, or what the terminal says; 0 where nobody knows."""
    named = os.environ.get("COLUMNS", "")
    if re.fullmatch("[1-9][0-9]{0,5}", named):
        return int(named)
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return 0
