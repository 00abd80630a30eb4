"""`harness schema suite|record|show|compare|…`: JSON schemas, for editors and for other tools."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class What(StrEnum):
    """What has a schema."""

    SUITE = "suite"
    RECORD = "record"
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
    from harness import strict_json

    if what not in (What.SUITE, What.RECORD):
        from harness.report.output.json_schema import output_schema

        typer.echo(strict_json.dumps(output_schema(what), indent=2))
        return
    if what is What.SUITE:
        from harness.suite.schema import Suite as Model
    else:
        from harness.results.record import Record as Model  # type: ignore[assignment]

    typer.echo(strict_json.dumps(Model.model_json_schema(), indent=2))
