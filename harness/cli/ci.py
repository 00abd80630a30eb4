"""`harness ci --base origin/main`: one verdict on what a change did to a project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import completing
from harness.cli.console import make_console, say
from harness.cli.interrupting import as_ctrl_c
from harness.cli.options import AddTo
from harness.cli.telling import Json, Junit, Markdown, Sarif, WebhookAddress, WebhookFormat, refusals, telling

if TYPE_CHECKING:
    from harness import Change


def ci(
    ctx: typer.Context,
    suite: Annotated[
        str,
        typer.Argument(
            help="A suite: the project's suites/ci.yaml where it has one, else the one that ships.",
            autocompletion=completing.suites,
        ),
    ] = "suites/ci.yaml",
    base: Annotated[str, typer.Option("--base", help="The revision to compare with.")] = "origin/main",
    minutes: Annotated[float, typer.Option("--minutes", help="How long to measure at most.")] = 10.0,
    threads: Annotated[
        int | None, typer.Option("--threads", help="Of what the suite gives none (all cores if left out).")
    ] = None,
    on_inconclusive: Annotated[
        str | None, typer.Option("--on-inconclusive", help="What an INCONCLUSIVE exits as: pass (0) or fail (1).")
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
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for what is measured.")] = Path("results/ci"),
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run Python code that comes with a hub model. Read it first.")
    ] = False,
    allow_task_code: Annotated[
        bool, typer.Option("--allow-task-code", help="Run functions of task files that judge answers.")
    ] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds after which an arm that hangs is ended.")
    ] = 300.0,
    seed: Annotated[int | None, typer.Option("--seed", help="Of the orders that are drawn.")] = None,
    history: AddTo = None,
) -> None:
    """Judge the working folder against a revision of the project: quality on both, then speed in lockstep.

    Exit code 0: pass; 1: worse, or broken; 2: bad input; 3: inconclusive; 4: not comparable; 5: no such revision.
    """
    import harness
    from harness.cli.history import keep
    from harness.errors import ExitCode
    from harness.gate.written.terminal import print_gate

    as_ctrl_c()
    harness.check_history(history)
    told = telling(
        json=json, markdown=markdown, junit=junit, sarif=sarif, webhook=webhook, webhook_format=webhook_format
    )
    console = make_console()

    def show(change: Change) -> None:
        print_gate(change.result, console)
        console.print(f"  record  {change.folder}", soft_wrap=True, highlight=False)
        told.tell(change.result, seconds=change.seconds, interrupted=change.interrupted, about=change.about)

    def tell(said: str | Change) -> None:
        if isinstance(said, str):
            say(said, to_stderr=True)
        else:
            show(said)

    with refusals(told, suite, ctx.command):
        change = harness.ci(
            base,
            suite,
            minutes=minutes,
            threads=threads,
            on_inconclusive=on_inconclusive,
            accept_file=accept_file,
            trust_remote_code=trust_remote_code,
            allow_task_code=allow_task_code,
            timeout=timeout,
            out=out,
            seed=seed,
            tell=tell,
        )
    show(change)
    if history is not None:
        keep(change.folder, history)
    if change.result.exit_code is not ExitCode.PASS:
        raise typer.Exit(change.result.exit_code)
