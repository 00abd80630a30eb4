"""What commands print, as DataFrames with the columns of docs/output.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.results.find import find_cells, run_folders
from harness.results.run import Run
from harness.workflow import RUNS

if TYPE_CHECKING:
    import pandas as pd


def list_runs(out: str | Path = RUNS) -> pd.DataFrame:
    """The runs below a folder, the newest last: name, suite, state, how many cells ended and failed."""
    from harness.report.output.choice import Choice
    from harness.report.output.of_run import runs_answer

    return runs_answer([Run(folder) for folder in run_folders(Path(out))], Choice(wide=True)).rows.frame


def wrong_answers(
    name: str | Path | Run,
    task: str | None = None,
    *,
    model: str | None = None,
    where: str | Sequence[str] = (),
    metric: str | None = None,
    limit: int | None = None,
    out: str | Path = RUNS,
) -> pd.DataFrame:
    """The documents of a task that a run's cells answered wrong: question, answer, what was right, the margin.

    task: may be left out where the run has one alone. where: cells with this alone, `shots=5`. metric: what says right
    or wrong; left out, `acc` or the first of its kind.
    limit: so many of each cell, in the order of the documents. Raises UserError where the run, the task, the cells or
    the metric don't exist.
    """
    from harness.report.wrong_answers import wrong_answers as found_in
    from harness.report.wrong_answers import wrong_answers_answer

    typed = [where] if isinstance(where, str) else where
    found = found_in(find_cells(name, Path(out)), task, model, typed, metric)
    most = max((len(one.answers) for one in found), default=0) if limit is None else limit
    return wrong_answers_answer(found, most, wide=True).rows.frame
