"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder that holds the runs.")]
RunName = Annotated[str, typer.Argument(help="A run folder, a run's name (or a part of it), or `latest`.")]
RUNS = Path("results/runs")
