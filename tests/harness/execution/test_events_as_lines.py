"""`on_event=print`: each event is one line."""

from __future__ import annotations

from harness.execution.events import Planned, Preparing


def test_each_event_is_a_line() -> None:
    assert str(Planned("runs/a", 1, 0, 1)) == "1 cell, 1 known -> runs/a"
    assert str(Planned("runs/a", 3, 0, 0)) == "3 cells -> runs/a"
    assert str(Preparing("train nano", 0.5, "loss 2")) == "train nano: 50%  loss 2"
