"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder that holds the runs.")]
RunName = Annotated[str, typer.Argument(help="A run folder, a run's name (or a part of it), or `latest`.")]
RUNS = Path("results/runs")
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
