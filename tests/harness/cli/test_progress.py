"""What a person sees of things that are prepared side by side."""

from __future__ import annotations

import io

from rich.console import Console

from harness.cli.progress import RunProgress
from harness.execution.events import Planned, Preparing


def heard(progress: RunProgress) -> str:
    return str(progress._cells.tasks[0].fields["now"])


def test_each_of_several_has_a_line_until_it_is_ready() -> None:
    out = io.StringIO()
    progress = RunProgress(Console(file=out, width=200))
    progress(Planned("runs/x", cells=2, done=0, cached=0))
    progress(Preparing("a: train", 0.1, "loss 5.1"))
    progress(Preparing("b: train", 0.2, "loss 4.2"))
    progress(Preparing("a: train", 0.3, "loss 3.3"))
    assert heard(progress).split("\n") == ["a: train  30%  loss 3.3", "b: train  20%  loss 4.2"]
    progress(Preparing("a: train", 1.0, "validation 3.0"))
    assert heard(progress) == "b: train  20%  loss 4.2"
    assert "ready: a: train  validation 3.0" in out.getvalue()


def test_many_are_counted() -> None:
    progress = RunProgress(Console(file=io.StringIO(), width=200))
    progress(Planned("runs/x", cells=9, done=0, cached=0))
    for number in range(7):
        progress(Preparing(f"m{number}: train", 0.1, ""))
    lines = heard(progress).split("\n")
    assert len(lines) == 5 and lines[-1] == "and 3 more"
