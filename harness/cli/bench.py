"""`harness bench MODEL …`: speed and memory of models beside each other, and ratios with intervals."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli import completing
from harness.cli.formats import FormatName
from harness.cli.options import RUNS, AddTo, Fresh, LogTo, NoCache, Out, Resume, SaveSuite, TrustRemoteCode
from harness.shorthand.options import BENCH as OPTIONS


def bench(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Folders, hub ids, asset:NAME, presets, or RUN:model.",
            metavar="MODEL",
            autocompletion=completing.models,
        ),
    ],
    precision: Annotated[
        str, typer.Option("--precision", help="fp32, bf16, int8, int4 …, several with commas.")
    ] = "fp32",
    batch: Annotated[str, typer.Option("--batch", help="Prompts at once, several with commas: 1,8.")] = "1",
    prompt: Annotated[int, typer.Option("--prompt", help="Tokens of each prompt.")] = 512,
    new: Annotated[int, typer.Option("--new", help="Tokens that are written after it.")] = 128,
    threads: Annotated[int | None, typer.Option("--threads", help="Threads of each process.")] = None,
    launches: Annotated[
        int, typer.Option("--launches", help="Launches of each comparison in lockstep; 6 give an interval.")
    ] = 6,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "auto",
    memory: Annotated[bool, typer.Option(help="Whether to measure memory.")] = True,
    compare: Annotated[bool, typer.Option(help="Whether to compare in lockstep, which takes minutes.")] = True,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the models' entries: key=value.")
    ] = None,
    save_suite: SaveSuite = None,
    out: Out = RUNS,
    fresh: Fresh = False,
    no_cache: NoCache = False,
    resume: Resume = False,
    trust_remote_code: TrustRemoteCode = False,
    history: AddTo = None,
    log_to: LogTo = None,
    format_: FormatName = "table",
) -> None:
    """Measure speed and memory; the first model or precision is what the others are compared with, turn by turn.

    Example: harness bench asset:smollm2-135m-instruct --precision fp32,int8 --prompt 128 --new 32

    Exit code 0: it was measured; 2: bad input, or something failed.
    """
    import harness
    from harness.cli.console import say
    from harness.cli.running import run_and_print, typed
    from harness.report.output.written import format_of
    from harness.shorthand.pairs import nested
    from harness.shorthand.values import comma_separated, whole_numbers

    format = format_of(format_)
    precisions, batches = comma_separated(precision, "--precision"), whole_numbers(batch, "--batch")
    allowed = harness.Allowed(trust_remote_code=trust_remote_code)
    results = run_and_print(
        lambda on_event: harness.bench(
            models,
            precision=precisions,
            batch=batches,
            prompt=prompt,
            new=new,
            threads=threads,
            device=device,
            memory=memory,
            launches=launches,
            compare=compare,
            settings=nested(settings or (), "--set"),
            out=out,
            save_suite=save_suite,
            command=typed(),
            resume=resume,
            fresh=fresh,
            cached=not no_cache,
            allowed=allowed,
            on_event=on_event,
            tell=lambda said: say(f"note: {said}", to_stderr=True),
        ),
        history=history,
        log_to=log_to or (),
        format=format,
        save_suite=save_suite,
        options=OPTIONS,
        goes_on=f"{typed().removesuffix(' --resume')} --resume",
    )
    raise typer.Exit(results.exit_code)
