"""A gate's result as GitHub's Markdown: for the summary of a CI job, or for a comment.

Names and reasons may be of anybody: they are shown as they are, never as Markdown or HTML, and call nobody.
"""

from __future__ import annotations

import re

from harness.errors import inert
from harness.gate.judgment import GateResult
from harness.gate.written.tables import last_line, tables, told_below
from harness.report.markdown import table_markdown

_CALLS = re.compile(r"(?<![\w`])@(?=\w)")
"""The sign before a name that GitHub would tell of it; `pass@1` is none."""
_WIDTHLESS = "\u200b"


def markdown_of(result: GateResult) -> str:
    """All of it as GitHub's Markdown, the verdict first: a job's summary is read from the top."""
    word, _, reason = last_line(result).partition(": ")
    parts = [f"## Gate: {word}", _escaped(reason)]
    parts += ["\n".join(table_markdown(table).replace("## ", "### ", 1).splitlines()) for table in tables(result)]
    for title, lines in told_below(result):
        parts.append("\n".join([f"### {title}", "", *(f"* {_escaped(line)}" for line in lines)]))
    return _CALLS.sub(f"@{_WIDTHLESS}", "\n\n".join(parts)) + "\n"


def _escaped(text: str) -> str:
    """Text that Markdown leaves as it is, but for commands in backticks."""
    parts = " ".join(inert(text).replace("&", "&amp;").split()).split("`")
    if len(parts) % 2 == 0:  # one backtick is no command
        parts = ["`".join(parts)]
        special = "\\`*_~[]<>|"
    else:
        special = "\\*_~[]<>|"
    for character in special:
        written = "&lt;" if character == "<" else f"\\{character}"
        parts[::2] = [part.replace(character, written) for part in parts[::2]]
    return "`".join(parts)
