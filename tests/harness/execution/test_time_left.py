"""What is left of a run: estimates, corrected by what ended."""

from __future__ import annotations

import pytest

from harness.execution.events import CellEnded, CellGoing, CellStarted, Planned, Preparing
from harness.execution.time_left import Left, TimeLeft
from harness.measures.memory import MemorySettings
from harness.measures.perplexity import PerplexitySettings
from harness.results.record import CellResult, Status
from harness.suite.cells import Cell


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def cell(model: str, measure: str = "perplexity") -> Cell:
    settings = PerplexitySettings(text="t") if measure == "perplexity" else MemorySettings()
    return Cell(model, measure, (("precision", "fp32"),), settings)


def ended(of: Cell, status: Status = Status.OK) -> CellEnded:
    return CellEnded(of, CellResult.model_construct(status=status, measure=of.measure, records=[], missing=[]))


A, B, C = cell("a"), cell("b"), cell("c", "memory")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def left(clock: Clock) -> TimeLeft:
    found = TimeLeft(clock)
    found(Planned("runs/x", 3, 0, 0, {A: 10.0, B: 20.0, C: 5.0}))
    return found


def test_before_anything_ended_it_is_the_sum_of_the_estimates(left: TimeLeft) -> None:
    assert left.left() == Left(35.0, 0)


def test_what_ended_corrects_the_rest(left: TimeLeft, clock: Clock) -> None:
    left(CellStarted(A, 1, 1))
    clock.now = 4.0
    assert left.left().seconds == 31.0
    clock.now = 30.0  # three times its estimate
    assert left.left().seconds == 25.0
    left(ended(A))
    assert left.left().seconds == pytest.approx(3 * 20 + 3 * 5)


def test_a_measure_corrects_itself_where_it_can(left: TimeLeft, clock: Clock) -> None:
    left(CellStarted(A, 1, 1))
    clock.now = 30.0
    left(ended(A))
    left(CellStarted(C, 1, 1))
    clock.now = 31.0
    left(ended(C))
    assert left.left().seconds == pytest.approx(3 * 20)


def test_one_that_failed_corrects_nothing(left: TimeLeft, clock: Clock) -> None:
    left(CellStarted(A, 1, 1))
    clock.now = 0.1
    left(ended(A, Status.FAILED))
    assert left.left() == Left(25.0, 0)


def test_one_from_the_cache_corrects_nothing(left: TimeLeft) -> None:
    left(ended(A))
    assert left.left() == Left(25.0, 0)


def test_what_says_how_far_it_is_needs_no_estimate(clock: Clock) -> None:
    left = TimeLeft(clock)
    left(Planned("runs/x", 1, 0, 0, {A: None}))
    assert left.left() == Left(0.0, 1)
    left(CellStarted(A, 1, 1))
    clock.now = 10.0
    assert left.left() == Left(0.0, 1)
    left(CellGoing(A, 0.25, "2 of 8 documents"))
    assert left.left() == Left(30.0, 0) and left.share(A) == 0.25


def test_launches_are_shares_of_a_cell(left: TimeLeft, clock: Clock) -> None:
    left(CellStarted(A, 1, 4))
    left(CellGoing(A, 0.5, ""))
    assert left.share(A) == 0.125
    left(CellStarted(A, 3, 4))
    assert left.share(A) == 0.5
    clock.now = 8.0
    assert left.left().seconds == pytest.approx(8 + 25)


def test_trainings_side_by_side_take_as_long_as_their_share_or_the_longest(clock: Clock) -> None:
    left = TimeLeft(clock)
    left(Planned("runs/x", 0, 0, 0, {"a: train": 40.0, "b: train": 40.0, "c: train": 100.0}))
    assert left.left().seconds == 180.0
    left(Preparing("a: train", 0.0))
    left(Preparing("b: train", 0.0))
    assert left.left().seconds == 100.0
    clock.now = 20.0
    left(Preparing("a: train", 0.5))
    left(Preparing("b: train", 1.0))
    assert left.left().seconds == pytest.approx(20 + 50)


def test_what_nobody_planned_is_unknown_until_it_says_how_far_it_is(left: TimeLeft, clock: Clock) -> None:
    left(Preparing("peaks", 0.0))
    assert left.left() == Left(35.0, 1)
    clock.now = 1.0
    left(Preparing("peaks", 1.0))
    assert left.left() == Left(35.0, 0)


def test_how_far_a_cell_is_never_goes_back(left: TimeLeft) -> None:
    """A cell of several collections begins each at its start."""
    left(CellStarted(A, 1, 1))
    left(CellGoing(A, 0.8, ""))
    left(CellGoing(A, 0.1, ""))
    assert left.share(A) == 0.8
