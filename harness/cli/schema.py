"""`harness schema suite|record`: JSON schemas, for editors and for other tools."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class What(StrEnum):
    """What has a schema."""

    SUITE = "suite"
    RECORD = "record"


def schema(
    what: Annotated[What, typer.Argument(help="suite: what a suite file may say; record: one row of results.")],
) -> None:
    """Print a JSON schema: `harness schema suite > suite.schema.json` teaches an editor the suite language."""
    from harness import strict_json

    if what is What.SUITE:
        from harness.suite.schema import Suite as Model
    else:
        from harness.results.record import Record as Model  # type: ignore[assignment]

    typer.echo(strict_json.dumps(Model.model_json_schema(), indent=2))
