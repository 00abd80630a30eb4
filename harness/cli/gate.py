"""`harness gate RUN [--baseline BASE]`: is the run worse than its baseline?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import make_console, say
from harness.cli.options import RUNS, AddTo, Out, RunName, check_target


def gate(
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
    json: Annotated[Path | None, typer.Option("--json", help="Write everything there as JSON.")] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Write it there as Markdown: a CI job's summary.")
    ] = None,
    out: Out = RUNS,
    history: AddTo = None,
) -> None:
    """Judge a run against a baseline: quality by document, counts, memory, and speed as far as stored runs can.

    Exit code 0: pass; 1: worse, or broken; 2: bad input, or a damaged run; 3: inconclusive; 4: not comparable; 5: no
    such baseline.
    """
    from harness import strict_json
    from harness.cli.history import check_history, keep
    from harness.errors import ExitCode
    from harness.gate.gate_report import as_json, markdown_of, print_gate
    from harness.gate.stored.judging import expiry, judge
    from harness.whole_file import write_whole

    check_target(json, "--json")
    check_history(history)
    check_target(markdown, "--markdown")
    result = judge(
        run,
        baseline,
        suite=suite,
        on_inconclusive=on_inconclusive,
        accept=accept,
        expires=expiry(expires),
        accept_file=accept_file,
        out=out,
    )
    print_gate(result, make_console())
    if json is not None:
        write_whole(json, strict_json.dumps(as_json(result), indent=2) + "\n")
    if markdown is not None:
        write_whole(markdown, markdown_of(result))
    if history is not None:
        from harness.history.entry import entry_of_gate
        from harness.results.find import find_cells

        keep(entry_of_gate(result, find_cells(run, out), find_cells(baseline, out)), history)
    if accept is not None:
        say(f"what was agreed to is in {accept_file}: commit it", to_stderr=True)
    if result.exit_code is not ExitCode.PASS:
        raise typer.Exit(result.exit_code)
