"""`harness list KIND`: the words that a suite may use, and the files that they are of.

Without a kind, how many there are of each."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from harness.cli.console import make_console, print_folded, say
from harness.cli.formats import FormatName, Where, choice_of, put
from harness.cli.options import TasksPath


class What(StrEnum):
    """What can be listed."""

    SUITES = "suites"
    MEASURES = "measures"
    MODELS = "models"
    CORPORA = "corpora"
    TASKS = "tasks"
    LAWS = "laws"
    ANALYSES = "analyses"
    PLUGINS = "plugins"
    ASSETS = "assets"
    DATA = "data"


def list_(
    what: Annotated[list[What] | None, typer.Argument(help="What to list; left out, how many there are.")] = None,
    search: Annotated[
        str | None, typer.Option("--search", "-s", help="Only what has this text in its name or its description.")
    ] = None,
    tasks_path: TasksPath = None,
    format_: FormatName = "table",
    where: Where = None,
) -> None:
    """Say how many suites, measures, models, corpora, tasks, laws, analyses, plugins, assets and tables of data there
    are, or list those of a kind."""
    import harness
    from harness.report.output.of_words import words_answer
    from harness.report.output.written import Format, format_of

    format = format_of(format_)
    if not what and search is None and not where:
        put(words_answer("What a suite may name", [harness.words_in_short(tasks_path=tasks_path or ())]), format)
        return
    found = harness.words(what or (), search=search, tasks_path=tasks_path or ())
    if search is not None and not found:
        nothing = harness.why_no_words(search, what or (), tasks_path=tasks_path or ())
        if format is Format.TABLE:
            print_folded(make_console(), nothing)
        else:
            say(nothing, to_stderr=True)
    put(words_answer("Words of a suite", found, choice_of(where=where)), format)
