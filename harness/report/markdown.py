"""A report as Markdown, for a pull request or a README: the same tables as in the terminal."""

from __future__ import annotations

import re
from pathlib import Path

from harness.errors import inert
from harness.report.report import Report
from harness.report.table import Table
from harness.whole_file import write_whole


def write_markdown(report: Report, path: Path) -> None:
    """Write a report as Markdown."""
    write_whole(path, markdown(report))


def markdown(report: Report) -> str:
    """A report as GitHub-flavoured Markdown."""
    parts = [f"# {_text(report.title)}", _text(report.about)]
    if report.summary:
        parts.append(_text(report.summary) + ".")
    parts += [f"> **Warning:** {_text(warning)}" for warning in report.warnings]
    parts += [table_markdown(table) for table in (*report.results, *report.findings)]
    if report.expectations is not None:
        parts.append(table_markdown(report.expectations))
    if report.command:
        parts.append(f"Made by `{inert(report.command)}`.")
    return "\n\n".join(part for part in parts if part) + "\n"


def table_markdown(table: Table) -> str:
    """One table with a heading, its caption and its notes."""
    lines = [f"## {_text(table.title[:1].upper() + table.title[1:])}", ""] if table.title else []
    if table.caption:
        lines += [_text(table.caption), ""]
    lines.append("| " + " | ".join(_text(column.header) for column in table.columns) + " |")
    lines.append("|" + "|".join("---:" if column.numeric else "---" for column in table.columns) + "|")
    lines += ["| " + " | ".join(_text(str(cell)) for cell in row.cells) + " |" for row in table.rows]
    if table.notes:
        lines += [""] + [f"* {_text(note)}" for note in table.notes]
    return "\n".join(lines)


_CALLS = re.compile(r"(?<!\w)@(?=\w)")
"""The sign before a name that GitHub would tell of it; `pass@1` is none."""


def _text(text: str) -> str:
    """Text that Markdown and HTML leave as it is, and a terminal too; it calls nobody."""
    text = inert(text).replace("&", "&amp;")
    for character in "\\`*_~[]<>|":
        text = text.replace(character, "&lt;" if character == "<" else f"\\{character}")
    return _CALLS.sub("@\u200b", " ".join(text.split()))
