"""`harness ab`: two arms in lockstep, and which is slower."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import say
from harness.cli.interrupting import as_ctrl_c
from harness.cli.options import AddTo
from harness.cli.telling import Junit, Sarif, WebhookAddress, WebhookFormat, refusals, telling

if TYPE_CHECKING:
    from harness import Comparison, Observation


def ab(
    ctx: typer.Context,
    a: Annotated[
        str, typer.Option("--a", help="The base: module:function, `here`, or word=value with commas (docs/ab.md).")
    ] = "here",
    b: Annotated[str, typer.Option("--b", help="What is compared with it, written in the same way.")] = "here",
    call: Annotated[str, typer.Option("--call", help="module:function that an arm runs that names none.")] = "",
    command: Annotated[str, typer.Option("--command", help="The same for a program with its words.")] = "",
    setup: Annotated[str, typer.Option("--setup", help="module:function whose value the call is given.")] = "",
    arguments: Annotated[
        str | None, typer.Option("--arguments", help="JSON for --setup, or for the call: [1024] or {'n': 1024}.")
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model", help="The model of both arms: reference=FOLDER, transformers=asset:NAME, or a name of --suite."
        ),
    ] = "",
    suite: Annotated[str, typer.Option("--suite", help="A suite whose models are named.")] = "",
    time: Annotated[
        str, typer.Option("--time", help="What is timed of a model: decode, prefill, generation or training.")
    ] = "decode",
    prompt: Annotated[int, typer.Option("--prompt", help="Tokens of a model's prompt.")] = 128,
    generate: Annotated[int, typer.Option("--generate", help="Tokens that a model writes after it.")] = 32,
    batch: Annotated[int, typer.Option("--batch", help="Prompts at once.")] = 1,
    steps: Annotated[int, typer.Option("--steps", help="Steps of the optimizer, where training is timed.")] = 4,
    quality_margin: Annotated[
        float,
        typer.Option(
            "--quality-margin", help="How much more loss of a model is a fault: 0.01 is 1 % more bits per byte."
        ),
    ] = 0.01,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run Python code that comes with a hub model. Read it first.")
    ] = False,
    margin: Annotated[float, typer.Option("--margin", help="The smallest slowdown of interest: 0.05 is 5 %.")] = 0.05,
    minutes: Annotated[float, typer.Option("--minutes", help="How long to measure at most.")] = 10.0,
    launches: Annotated[int, typer.Option("--launches", help="How many launches of b against a at most.")] = 48,
    clock: Annotated[
        str,
        typer.Option("--clock", help="What is judged: wall, cpu, or auto: cpu where both only compute, on one thread."),
    ] = "auto",
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds after which an arm that hangs is ended.")
    ] = 300.0,
    threads: Annotated[int | None, typer.Option("--threads", help="Threads of each arm.")] = None,
    tolerance: Annotated[
        float | None,
        typer.Option("--tolerance", help="By what share of its size a returned number may differ: 1e-5."),
    ] = None,
    aa: Annotated[bool, typer.Option("--aa", help="Compare a with itself: it should pass.")] = False,
    json: Annotated[Path | None, typer.Option("--json", help="Write the verdict there as JSON.")] = None,
    junit: Junit = None,
    sarif: Sarif = None,
    webhook: WebhookAddress = None,
    webhook_format: WebhookFormat = "json",
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for what is measured.")] = Path("results/ab"),
    seed: Annotated[int | None, typer.Option("--seed", help="Of the order that is drawn.")] = None,
    history: AddTo = None,
) -> None:
    """Compare two arms in lockstep: a process for each, turn by turn, until it is decided.

    Exit code 0: b is not slower by the margin, or for certain by less; 1: it is slower, returns other values, or its
    model is worse; 2: bad input, or an arm failed; 3: undecided; 4: both arms run the same code.
    """
    import harness
    from harness import strict_json
    from harness.cli.console import make_console
    from harness.cli.history import keep
    from harness.errors import ExitCode
    from harness.gate.lockstep.in_words import launch_line, lines
    from harness.whole_file import check_target, write_whole

    as_ctrl_c()
    check_target(json, "json")
    harness.check_history(history)
    told = telling(junit=junit, sarif=sarif, webhook=webhook, webhook_format=webhook_format)
    console = make_console()

    def show(comparison: Comparison) -> None:
        for line in lines(comparison):
            console.print(line)
        if json is not None:
            write_whole(json, strict_json.dumps(comparison.as_json(), indent=2) + "\n")
        told.tell(harness.as_gate_result(comparison, suite), seconds=comparison.seconds)

    def tell(said: str | Observation | Comparison) -> None:
        if isinstance(said, str):
            say(said, to_stderr=True)
        elif isinstance(said, harness.Comparison):
            show(said)
        else:
            say(launch_line(said), to_stderr=True)

    with refusals(told, suite, ctx.command):
        found = harness.ab(
            a,
            b,
            call=call,
            command=command,
            setup=setup,
            arguments=arguments,
            model=model,
            suite=suite,
            time=time,
            prompt=prompt,
            generate=generate,
            batch=batch,
            steps=steps,
            quality_margin=quality_margin,
            trust_remote_code=trust_remote_code,
            margin=margin,
            minutes=minutes,
            launches=launches,
            clock=clock,
            timeout=timeout,
            threads=threads,
            tolerance=tolerance,
            aa=aa,
            out=out,
            seed=seed,
            tell=tell,
        )
    show(found)
    if history is not None:
        keep(found.folder, history)
    if found.outcome.verdict.exit_code is not ExitCode.PASS:
        raise typer.Exit(found.outcome.verdict.exit_code)
