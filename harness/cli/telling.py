"""Options of `gate`, `ci` and `ab` that say where a verdict goes beside the terminal: files, and a webhook."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.wrong_argument import in_options
from harness.errors import WrongArgument

if TYPE_CHECKING:
    from harness import Telling

Json = Annotated[Path | None, typer.Option("--json", help="Write everything there as JSON, too.")]
Markdown = Annotated[
    Path | None, typer.Option("--markdown", help="Write it there as Markdown, too: a CI job's summary.")
]
Junit = Annotated[
    Path | None, typer.Option("--junit", help="Write it there as JUnit's XML, too: a test for each row that is judged.")
]
Sarif = Annotated[
    Path | None, typer.Option("--sarif", help="Write it there as SARIF 2.1.0, too: for code-scanning views.")
]
WebhookAddress = Annotated[
    str | None,
    typer.Option(
        "--webhook",
        envvar="HARNESS_WEBHOOK",
        help="Post the verdict to this https address; better said by the variable, as it is a secret.",
    ),
]
WebhookFormat = Annotated[
    str, typer.Option("--webhook-format", envvar="HARNESS_WEBHOOK_FORMAT", help="json, slack or teams.")
]


def telling(
    *,
    json: Path | None = None,
    markdown: Path | None = None,
    junit: Path | None = None,
    sarif: Path | None = None,
    webhook: str | None = None,
    webhook_format: str = "json",
) -> Telling:
    """What the options say, checked before anything is measured. Raises UserError."""
    import harness

    return harness.telling(
        json=json, markdown=markdown, junit=junit, sarif=sarif, webhook=webhook, webhook_format=webhook_format
    )


@contextmanager
def refusals(told: Telling, suite: str, command: Any) -> Iterator[None]:
    """In the block an error that ends the command is told as a verdict, too, in the words of its options."""
    with told.refusals(suite):
        try:
            yield
        except WrongArgument as error:
            raise in_options(error, command) from None
