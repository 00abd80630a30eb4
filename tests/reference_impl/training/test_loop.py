"""The loop by itself: what a report holds, what a step that is skipped leaves, and when training gives up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reference_impl.training.loop import DivergenceError, Guard, loop
from reference_impl.training.state import Report, Stepping, TrainingState

LOSSES = [4.0, 2.0, 3.0, 1.0, 5.0, 9.0]
RATE = 0.5


def a_state() -> tuple[nn.Parameter, TrainingState]:
    """One weight, of which SGD takes RATE / (step + 1) times the gradient."""
    module = nn.Linear(1, 1, bias=False)
    module.weight.data.zero_()
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0, fused=True)
    return module.weight, TrainingState({"m": module}, {"o": Stepping(optimizer, lambda step: RATE / (step + 1), 10.0)})


def run(losses: list[float], **given: Any) -> tuple[Tensor, TrainingState, list[Report]]:
    """The gradient of each step is 1, or none where the loss is none."""
    weight, state = a_state()
    reports: list[Report] = []

    def objective(loss: float) -> Mapping[str, Tensor]:
        weight.grad = torch.full_like(weight, 1.0 if math.isfinite(loss) else math.nan)
        return {"loss": torch.tensor(loss), "twice": torch.tensor(2 * loss)}

    loop(objective, losses.__getitem__, len(losses), state, on_report=reports.append, **given)
    return weight.detach(), state, reports


def test_a_report_holds_the_means_since_the_last_one_and_the_rate_of_its_step() -> None:
    weight, state, reports = run(LOSSES, report_after={2, 5})
    assert [(report.step, report.steps) for report in reports] == [(2, 6), (5, 6)]
    assert [report.values for report in reports] == [{"loss": 3.0, "twice": 6.0}, {"loss": 3.0, "twice": 6.0}]
    assert [report.rates["o"] for report in reports] == [RATE / 2, RATE / 5]
    assert state.step == 6 and state.curve == reports
    assert weight.item() == pytest.approx(-RATE * sum(1 / n for n in range(1, 7)))


def test_what_is_evaluated_stands_in_a_report_of_its_own() -> None:
    asked: list[int] = []

    def evaluate() -> dict[str, float]:
        asked.append(1)
        return {"validation_loss": 7.0}

    _, _, reports = run(LOSSES, report_after={2}, evaluate=evaluate, evaluate_after={3, 6})
    assert [report.step for report in reports] == [2, 3, 6] and len(asked) == 2
    assert "validation_loss" not in reports[0].values
    assert reports[1].values == {"loss": 3.0, "twice": 6.0, "validation_loss": 7.0}


def test_a_step_without_a_finite_gradient_changes_nothing_and_is_not_counted() -> None:
    weight, state, reports = run([4.0, math.nan, 2.0], report_after={3})
    assert weight.item() == pytest.approx(-RATE * (1 + 1 / 3)) and int(state.skipped) == 1
    assert reports[0].values["loss"] == 3.0


def test_a_state_that_has_steps_goes_on_from_there() -> None:
    _, state = a_state()
    state.step, seen = 4, []
    weight = next(iter(state.parameters().values()))

    def objective(step: int) -> Mapping[str, Tensor]:
        seen.append(step)
        weight.grad = torch.zeros_like(weight)
        return {"loss": torch.tensor(1.0)}

    loop(objective, lambda step: step, 6, state, report_after=())
    assert seen == [4, 5] and state.step == 6


def test_training_gives_up_where_the_guard_says_so() -> None:
    with pytest.raises(DivergenceError, match=r"not finite in the last 2 steps up to step 3 of 6: lower learning_rate"):
        run([1.0, math.nan, math.nan, 1.0, 1.0, 1.0], report_after=range(7), guard=Guard(skips_in_a_row=2))
    with pytest.raises(DivergenceError, match=r"blew up to 9 nats, where 8 is the limit, up to step 6 of 6"):
        run(LOSSES, report_after=range(7), guard=Guard(blow_up=2.0, unit="nats"))
    run(LOSSES, report_after=range(7), guard=Guard(blow_up=2.0, guessing=4.6))
