"""`harness report RUN`: analyze and write the reports again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import make_console, say
from harness.cli.formats import FormatName, Metrics, Where, Wide, choice_of, put, put_text
from harness.cli.options import RUNS, Out, RunName


def report(
    run: RunName = "latest",
    format_: FormatName = "table",
    wide: Wide = False,
    metrics: Metrics = None,
    where: Where = None,
    out: Out = RUNS,
    lm_eval: Annotated[
        Path | None,
        typer.Option("--lm-eval", help="A folder for lm-eval's own files: results_*.json and samples_*.jsonl."),
    ] = None,
) -> None:
    """Analyze a run again from its cells and write summary.md and report.html; says where they lie, or with a
    --format prints it: md and html as in those files, csv and json its records.

    Exit code 2 where an analysis or a report fails, or something in the run is damaged.
    """
    import harness
    from harness.notice import notice
    from harness.report.html import html
    from harness.report.lm_eval_files import write_lm_eval
    from harness.report.making import of_run
    from harness.report.markdown import markdown
    from harness.report.output.of_run import run_answer
    from harness.report.output.written import Format, format_of
    from harness.report.terminal import print_places

    format, choice = format_of(format_), choice_of(metrics, where, wide)
    made = harness.make_report(run, out)
    for sentence in made.damage:
        notice(sentence)
    console = make_console()
    for problem in (*made.manifest.problems, *(finding.note for finding in made.findings if finding.failed)):
        if format is Format.TABLE:
            console.print(f"warning: {problem}", style="yellow")
        else:
            notice(problem)
    if format in (pages := {Format.MD: markdown, Format.HTML: html}) and not choice.chooses and not wide:
        put_text(pages[format](of_run(made)))
    elif format is not Format.TABLE or choice.chooses or wide:
        put(run_answer(made, choice), format)
    if format is Format.TABLE:
        print_places(made.folder, console)
    for path in write_lm_eval(made, lm_eval) if lm_eval is not None else ():
        say(f" lm-eval  {path}", to_stderr=format is not Format.TABLE)
    raise typer.Exit(made.report_exit_code)
