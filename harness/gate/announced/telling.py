"""Where a verdict goes: files for other programs, and a webhook."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.gate.announced.job_link import job_link
from harness.gate.announced.messages import message
from harness.gate.announced.webhook import VARIABLE, Webhook, post
from harness.gate.announced.webhook import webhook as webhook_of
from harness.gate.judgment import GateResult, refused
from harness.gate.written.files import Files
from harness.notice import notice
from harness.whole_file import check_target


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
        why = post(self.hook, message(result, self.hook.form, job_link()))
        if why is not None:
            notice(f"the webhook did not take the verdict, which stands: {why}")

    @contextmanager
    def refusals(self, suite: str = "") -> Iterator[None]:
        """In the block an error that ends it is told as a verdict, too: USAGE or BASELINE MISSING."""
        try:
            yield
        except UserError as error:
            self.tell(refused(error, suite))
            raise


def telling(
    *,
    json: str | Path | None = None,
    markdown: str | Path | None = None,
    junit: str | Path | None = None,
    sarif: str | Path | None = None,
    webhook: str | None = None,
    webhook_format: str = "json",
) -> Telling:
    """Where verdicts go, as `harness gate`, `ci` and `ab` write them: `harness.telling(junit=path).tell(result)`, with
    what `harness.judge` gives, or the `result` of what `ci` gives.

    webhook: an https address that takes a message; webhook_format: `json`, `slack` or `teams`. An address in the
    environment (HARNESS_WEBHOOK) is taken out of it: what is measured next is the project's code, and whatever it
    starts. Raises UserError for what can't be.
    """
    os.environ.pop(VARIABLE, None)
    given = {"json": json, "markdown": markdown, "junit": junit, "sarif": sarif}
    files = {name: None if path is None else Path(path) for name, path in given.items()}
    for name, path in files.items():
        check_target(path, name)
    hook = webhook_of(webhook, webhook_format) if webhook and webhook.strip() else None
    return Telling(Files(**files), hook)
