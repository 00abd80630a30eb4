"""`harness schema suite|record|show|compare|…`: JSON schemas, for editors and for other tools."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class What(StrEnum):
    """What has a schema."""

    SUITE = "suite"
    RECORD = "record"
    RUN = "run"
    EVAL = "eval"
    PERPLEXITY = "perplexity"
    BENCH = "bench"
    SHOW = "show"
    REPORT = "report"
    COMPARE = "compare"
    DIFF = "diff"
    EXPLAIN = "explain"
    PLAN = "plan"
    LIST = "list"


def schema(
    what: Annotated[
        What,
        typer.Argument(
            help="suite: what a suite file may say; record: one row of results as a run keeps it; else "
            "a command: what it prints with --format json."
        ),
    ],
) -> None:
    """Print a JSON schema: `harness schema suite > suite.schema.json` teaches an editor the suite language."""
    import harness
    from harness import strict_json

    typer.echo(strict_json.dumps(harness.schema(what), indent=2))
