"""Options of `gate`, `ci` and `ab` that say where a verdict goes beside the terminal: files, and a webhook."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import check_target

if TYPE_CHECKING:
    from harness.gate.announced.webhook import Webhook
    from harness.gate.judgment import GateResult
    from harness.gate.written.files import Files

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


@dataclass(frozen=True)
class Telling:
    """Where a verdict goes."""

    files: Files
    hook: Webhook | None

    def tell(
        self,
        result: GateResult,
        *,
        seconds: float | None = None,
        interrupted: bool = False,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the files and send the message; one that can't be delivered is a warning. seconds, interrupted, about:
        see `Files.write`. Raises UserError."""
        self.files.write(result, seconds=seconds, interrupted=interrupted, about=about)
        if self.hook is None or interrupted:
            return
        from harness.gate.announced.job_link import job_link
        from harness.gate.announced.messages import message
        from harness.gate.announced.webhook import post
        from harness.notice import notice

        why = post(self.hook, message(result, self.hook.form, job_link()))
        if why is not None:
            notice(f"the webhook did not take the verdict, which stands: {why}")

    @contextmanager
    def refusals(self, suite: str) -> Iterator[None]:
        """In the block an error that ends the command is written as a verdict, too: USAGE or BASELINE MISSING."""
        from harness.errors import UserError
        from harness.gate.judgment import refused

        try:
            yield
        except UserError as error:
            self.tell(refused(error, suite))
            raise


def telling(
    *,
    json: Path | None = None,
    markdown: Path | None = None,
    junit: Path | None = None,
    sarif: Path | None = None,
    address: str | None = None,
    form: str = "json",
) -> Telling:
    """What the options say, checked before anything is measured. Raises UserError.

    The address is taken out of the environment: what is measured is the project's code, and whatever it starts.
    """
    from harness.gate.announced.webhook import VARIABLE, webhook
    from harness.gate.written.files import Files

    os.environ.pop(VARIABLE, None)
    for path, option in ((json, "--json"), (markdown, "--markdown"), (junit, "--junit"), (sarif, "--sarif")):
        check_target(path, option)
    hook = webhook(address, form) if address and address.strip() else None
    return Telling(Files(json, markdown, junit, sarif), hook)
