"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli import completing

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
