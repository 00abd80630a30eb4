"""`harness gate RUN [--baseline BASE]`: is the run worse than its baseline?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import make_console, say
from harness.cli.options import RUNS, AddTo, Out, RunName
from harness.cli.telling import Json, Junit, Markdown, Sarif, WebhookAddress, WebhookFormat, refusals, telling


def gate(
    ctx: typer.Context,
    run: RunName,
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", "-b", help="The run or baseline to compare with; left out, the suite's baseline."),
    ] = None,
    suite: Annotated[
        str | None, typer.Option("--suite", help="A suite whose `gate:` is used where the run's own suite has none.")
    ] = None,
    on_inconclusive: Annotated[
        str | None, typer.Option("--on-inconclusive", help="What an INCONCLUSIVE exits as: pass (0) or fail (1).")
    ] = None,
    accept: Annotated[
        str | None, typer.Option("--accept", help="Agree to what fails, with the reason: adds to the accept file.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", help="The last day of --accept, such as 2027-01-31 (else in 90 days).")
    ] = None,
    accept_file: Annotated[Path, typer.Option("--accept-file", help="The file of what was agreed to.")] = Path(
        "harness-accept.yaml"
    ),
    json: Json = None,
    markdown: Markdown = None,
    junit: Junit = None,
    sarif: Sarif = None,
    webhook: WebhookAddress = None,
    webhook_format: WebhookFormat = "json",
    out: Out = RUNS,
    history: AddTo = None,
) -> None:
    """Judge a run against a baseline: quality by document, counts, memory, and speed as far as stored runs can.

    Exit code 0: pass; 1: worse, or broken; 2: bad input, or a damaged run; 3: inconclusive; 4: not comparable; 5: no
    such baseline.
    """
    import harness
    from harness.cli.history import keep
    from harness.errors import ExitCode
    from harness.gate.written.terminal import print_gate

    harness.check_history(history)
    told = telling(
        json=json, markdown=markdown, junit=junit, sarif=sarif, webhook=webhook, webhook_format=webhook_format
    )
    with refusals(told, suite or "", ctx.command):
        head = harness.open_cells(run, out)
        base = harness.base_of(head, baseline, out)
        result = harness.judge(
            head,
            base,
            suite=suite,
            on_inconclusive=on_inconclusive,
            accept=accept,
            expires=expires,
            accept_file=accept_file,
        )
    print_gate(result, make_console())
    told.tell(result)
    if history is not None:
        keep(harness.entry_of_gate(result, head, base), history)
    if accept is not None:
        say(f"what was agreed to is in {accept_file}: commit it", to_stderr=True)
    if result.exit_code is not ExitCode.PASS:
        raise typer.Exit(result.exit_code)
