"""`harness bench MODEL …`: speed and memory of models beside each other, and ratios with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import RUNS, Fresh, NoCache, Out, Resume, SaveSuite, TrustRemoteCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.benchmarking.ratios import Ratio
    from harness.report.table import Table


def bench(
    models: Annotated[
        list[str], typer.Argument(help="Folders, hub ids, asset:NAME, presets, or RUN:model.", metavar="MODEL")
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
) -> None:
    """Measure speed and memory; the first model or precision is what the others are compared with, turn by turn.

    Example: harness bench asset:smollm2-135m-instruct --precision fp32,int8 --prompt 128 --new 32

    Exit code 0: it was measured; 2: bad input, or something failed.
    """
    from harness.benchmarking.ratios import check_launches, how_many, ratios, variants
    from harness.cli.console import make_console, say
    from harness.cli.running import run_and_print, save_as_asked
    from harness.errors import ExitCode
    from harness.execution.allowed import Allowed
    from harness.report.tables import print_table
    from harness.results.exit_code import exit_code
    from harness.shorthand.benchmarking import UNTRAINED, bench_suite, untrained
    from harness.shorthand.model_name import named_models
    from harness.shorthand.pairs import nested
    from harness.shorthand.values import comma_separated, whole_numbers

    check_launches(launches)
    precisions, batches = comma_separated(precision, "--precision"), whole_numbers(batch, "--batch")
    entries = named_models(models, out, nested(settings or (), "--set"), UNTRAINED)
    sizes = {"prompt": prompt, "new": new}
    suite = bench_suite(
        entries, precision=precisions, batch=batches, threads=threads, device=device, memory=memory, **sizes
    )
    save_as_asked(suite, save_suite)
    for name in untrained(entries):
        say(f"note: {name} is untrained: of a preset alone speed and memory are measured, no quality", to_stderr=True)
    allowed = Allowed(trust_remote_code=trust_remote_code)
    run = run_and_print(suite, out=out, resume=resume, fresh=fresh, no_cache=no_cache, allowed=allowed)
    code = exit_code(run)
    compared = variants(entries, precisions)
    if compare and len(compared) > 1:
        many = how_many(len(compared), batches)
        say(
            f"comparing in lockstep: {many} comparison{'s' if many > 1 else ''} of {launches} launches each "
            "(--no-compare leaves them out)",
            to_stderr=True,
        )
        found = ratios(
            compared,
            batch=batches,
            run=run.folder,
            launches=launches,
            threads=threads,
            device=device,
            trust_remote_code=trust_remote_code,
            tell=lambda said: say(said, to_stderr=True),
            **sizes,
        )
        print_table(ratios_table(found), make_console())
        if any(one.why_not for one in found) and code is ExitCode.PASS:
            code = ExitCode.USAGE
    raise typer.Exit(code)


def ratios_table(found: Sequence[Ratio]) -> Table:
    """The ratios as they are printed."""
    from harness.number import with_interval
    from harness.report.table import Column, Row, Table

    rows = []
    for one in found:
        number = one.why_not
        if one.ratio is not None:
            number = with_interval(*one.ratio[:3])
        noise = "" if one.scatter is None else f"{100 * one.scatter:.2g} %"
        state = "failed" if one.why_not else ""
        rows.append(Row((str(one.head), str(one.base), one.metric, str(one.batch), number, noise), state=state))
    columns = ("what", "against", "time", "batch", "ratio of times", "identical code scatters by")
    caption = "measured turn by turn; below 1 is faster; 95 % intervals over launches"
    few = [one for one in found if one.ratio is not None and one.ratio.low is None]
    notes = ("too few launches for an interval: --launches 6 gives one",) if few else ()
    return Table("Side by side", tuple(Column(name) for name in columns), tuple(rows), caption, notes)
