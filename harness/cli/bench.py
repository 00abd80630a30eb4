"""`harness bench MODEL …`: speed and memory of models beside each other, and ratios with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import completing
from harness.cli.formats import FormatName
from harness.cli.options import RUNS, AddTo, Fresh, LogTo, NoCache, Out, Resume, SaveSuite, TrustRemoteCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.benchmarking.ratios import Ratio
    from harness.report.table import Table

OPTIONS = {
    "prompt": "--prompt",
    "generate": "--new",
    "batch": "--batch",
    "context": "--prompt, --new",
    "threads": "--threads",
    "precision": "--precision",
    "device": "--device",
}
"""What settings and axes of the suite are called here."""


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
    from harness.benchmarking.bench import side_by_side
    from harness.benchmarking.ratios import FILE, check_launches, how_many
    from harness.cli.console import make_console, say
    from harness.cli.running import run_and_print, typed
    from harness.errors import ExitCode
    from harness.report.output.written import Format, format_of
    from harness.report.tables import print_table
    from harness.shorthand.pairs import nested
    from harness.shorthand.values import comma_separated, whole_numbers

    format = format_of(format_)
    check_launches(launches)
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
            compare=False,
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
    )
    code, is_data = results.exit_code, format is not Format.TABLE
    if compare and (many := how_many(len(models) * len(precisions), batches)):
        say(
            f"comparing in lockstep: {many} comparison{'s' if many > 1 else ''} of {launches} launches each "
            "(--no-compare leaves them out)",
            to_stderr=True,
        )
        found = side_by_side(
            results, launches=launches, allowed=allowed, tell=lambda said: say(said, to_stderr=True)
        ).compared
        print_table(ratios_table(found), make_console(to_stderr=is_data))
        if (results.folder / FILE).is_file():
            say(f"  ratios  {results.folder / FILE}", to_stderr=is_data)
        if any(one.why_not for one in found) and code == ExitCode.PASS:
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
