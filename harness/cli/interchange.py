"""`harness import FILE…` and `harness export RUN --to FORMAT`: files of other tools, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import make_console, say
from harness.cli.options import RUNS, Out, RunName


def import_(
    files: Annotated[list[str], typer.Argument(help="Files of one tool: docs/importing.md says which.")],
    format: Annotated[
        str | None, typer.Option("--as", help="Whose files they are, where their content does not tell.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Of the suite that the run counts as; left out, the tool's name.")
    ] = None,
    out: Out = RUNS,
) -> None:
    """Make a run of files of pytest-benchmark, google/benchmark, llama-bench, asv, pyperf, hyperfine, lm-eval, inspect
    or optimum-benchmark: `show`, `compare`, `diff`, `gate` and `report` work on it.

    Exit code 2 for what can't be read; then nothing is written.
    """
    import harness
    from harness.report.terminal import print_run

    run = harness.import_results(*files, format=format, name=name, out=out)
    print_run(run, make_console())
    say(f"imported into {run.folder}", to_stderr=True)


def export(
    run: RunName,
    to: Annotated[
        str,
        typer.Option(
            "--to", help="pytest-benchmark, or a tracker: wandb[:PROJECT], mlflow[:FOLDER], tensorboard[:FOLDER]."
        ),
    ],
    output: Annotated[Path | None, typer.Option("--output", help="The file; left out, standard output.")] = None,
    out: Out = RUNS,
) -> None:
    """Write a run's times as a file of another tool, such as `pytest-benchmark compare` reads; or tell a tracker of the
    run: numbers, settings, curves of training, reports."""
    import harness
    from harness.errors import UserError
    from harness.whole_file import check_target, write_whole

    check_target(output, "output")
    if harness.is_tracker(to):
        if output is not None:
            raise UserError(f"a tracker takes no file; say where after a colon, such as {to}:PLACE", place="--output")
        say(f"logged to {to.partition(':')[0]}: {harness.log_run(run, to=to, out=out)}", to_stderr=True)
        return
    text = harness.export_results(run, to=to, out=out)
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_whole(output, text)
        say(f"written to {output}", to_stderr=True)
