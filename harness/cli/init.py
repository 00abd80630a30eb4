"""`harness init [KIND]`: a commented suite to begin with."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import say


class Kind(StrEnum):
    """What the suite is for."""

    EVAL = "eval"
    BENCH = "bench"
    CI = "ci"
    SCALING = "scaling"
    TRAIN = "train"


def init(
    kind: Annotated[
        str,
        typer.Argument(
            autocompletion=lambda: [str(one) for one in Kind],
            help="eval: models on tasks and texts; bench: speed and memory; ci: what a pull request is asked; scaling: "
            "a ladder of sizes and its law; train: a model of your own.",
        ),
    ] = "eval",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file; left out, KIND.yaml in this folder.")
    ] = None,
) -> None:
    """Write a commented suite that runs as it is, to be edited. A file that is there is never overwritten.

    Exit code 2 where the file is there already or can't be written.
    """
    import harness

    path = shlex.quote(str(harness.init(kind, output)))
    say(f"written to {path}; next:")
    say(f"  harness plan {path}  # what runs, and for how long")
    say(f"  harness ci {path} --base origin/main" if kind == Kind.CI else f"  harness run {path}")
