"""JSON schemas: of what a suite may say, of a row of results, and of what commands print."""

from __future__ import annotations

from typing import Any, Literal, get_args

from harness.errors import WrongArgument, shown
from harness.spelling import nearest

What = Literal[
    "suite",
    "record",
    "run",
    "eval",
    "perplexity",
    "bench",
    "show",
    "report",
    "compare",
    "diff",
    "explain",
    "plan",
    "list",
]
"""suite: what a suite file may say; record: one row of results as a run keeps it; else a command: what it prints with
`--format json`."""


def schema(what: str) -> dict[str, Any]:
    """A JSON schema: of `suite`, of `record`, or of what a command (`show`, `compare` ...) prints as JSON.

    Raises UserError for another word.
    """
    if what not in get_args(What):
        raise WrongArgument(
            f"there is no schema of '{shown(what)}'{nearest(what, get_args(What))}; there are: "
            f"{', '.join(get_args(What))}",
            place="what",
        )
    if what == "suite":
        from harness.suite.schema import Suite

        return Suite.model_json_schema()
    if what == "record":
        from harness.results.record import Record

        return Record.model_json_schema()
    from harness.report.output.json_schema import output_schema

    return output_schema(what)
