"""A run as Markdown, for a pull request or a README: the same tables as in the terminal."""

from __future__ import annotations

import shlex
from pathlib import Path

from harness.errors import inert
from harness.report.environment import summary, warnings
from harness.report.findings import finding_tables
from harness.report.outcomes import expectation_table
from harness.report.results import result_tables
from harness.report.table import Table
from harness.results.run import Run
from harness.results.run_folder import MARKDOWN
from harness.whole_file import write_whole


def write_markdown(run: Run) -> Path:
    """Write `summary.md` into the run folder."""
    path = run.folder / MARKDOWN
    write_whole(path, markdown(run))
    return path


def markdown(run: Run) -> str:
    """The run as GitHub-flavoured Markdown."""
    manifest = run.manifest
    parts = [f"# {_text(manifest.suite)}", _text(manifest.about), _text(summary(run)) + "."]
    parts += [f"> **Warning:** {_text(warning)}" for warning in warnings(run)]
    parts += [table_markdown(table) for table in result_tables(run)]
    parts += [table_markdown(table) for table in finding_tables(run.findings)]
    if run.expectations:
        parts.append(table_markdown(expectation_table(run.expectations)))
    if manifest.command:
        parts.append(f"Made by `{inert(shlex.join(manifest.command))}`.")
    return "\n\n".join(part for part in parts if part) + "\n"


def table_markdown(table: Table) -> str:
    """One table with a heading, its caption and its notes."""
    lines = [f"## {_text(table.title[:1].upper() + table.title[1:])}", ""]
    if table.caption:
        lines += [_text(table.caption), ""]
    lines.append("| " + " | ".join(_text(column.header) for column in table.columns) + " |")
    lines.append("|" + "|".join("---:" if column.numeric else "---" for column in table.columns) + "|")
    lines += ["| " + " | ".join(_text(str(cell)) for cell in row.cells) + " |" for row in table.rows]
    if table.notes:
        lines += [""] + [f"* {_text(note)}" for note in table.notes]
    return "\n".join(lines)


def _text(text: str) -> str:
    """Text that Markdown and HTML leave as it is, and a terminal too."""
    text = inert(text)
    for character in "\\`*_[]<>|":
        text = text.replace(character, "&lt;" if character == "<" else f"\\{character}")
    return " ".join(text.split())
