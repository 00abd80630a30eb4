"""Options that several commands share."""

import os
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import completing
from harness.errors import UserError

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder that holds the runs.")]
RunName = Annotated[
    str,
    typer.Argument(
        help="A run folder, a run's name (or a part of it), `latest`, or `baseline:NAME`.",
        autocompletion=completing.runs,
    ),
]
RUNS = Path("results/runs")
AddTo = Annotated[
    Path | None, typer.Option("--history", help="Add what is measured to the history in this folder (docs/history.md).")
]
LogTo = Annotated[
    list[str] | None,
    typer.Option(
        "--log-to",
        help="Tell a tracker of the run, too: wandb[:PROJECT], mlflow[:FOLDER] or tensorboard[:FOLDER]; several.",
    ),
]
BASELINES = Path("results/baselines")
TasksPath = Annotated[
    list[str] | None,
    typer.Option("--tasks-path", help="A folder of task files; its tasks win over ours of the same names."),
]
AllowTaskCode = Annotated[
    bool, typer.Option("--allow-task-code", help="Run functions of task files that score or fetch. Read them first.")
]
AllowCodeExecution = Annotated[
    bool,
    typer.Option("--allow-code-execution", help="Run programs that a model writes (pass@k), in a limited subprocess."),
]

Resume = Annotated[bool, typer.Option("--resume", help="Go on with the last unfinished run of this suite.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Measure again what is known from earlier runs.")]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Neither take results of cells from the cache nor keep them there.")
]
TrustRemoteCode = Annotated[
    bool, typer.Option("--trust-remote-code", help="Run Python code that comes with a hub model. Read it first.")
]
SaveSuite = Annotated[
    Path | None, typer.Option("--save-suite", help="Write the suite that this command stands for to this file, too.")
]


def check_target(path: Path | None, option: str) -> None:
    """A file that a command writes at its end: where it can't be, that is said before anything is measured. Raises
    UserError."""
    if path is None:
        return
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file", place=option)
    if not path.parent.is_dir():
        raise UserError(f"there is no folder {path.parent}; make it, or name another file", place=option)
    if not os.access(path.parent, os.W_OK):
        raise UserError(f"the folder {path.parent} can't be written to; name another file", place=option)
