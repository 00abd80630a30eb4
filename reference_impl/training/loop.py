"""The training loop: a batch, its gradients, a guarded step of every optimizer, and now and then a report.

What is learned is the *objective*'s: a function that adds the gradients of one step and returns named numbers, `loss`
among them. What it learns from are the *batches*: a function of the step. It may draw from one of the state's
generators, let a model of the state write (a rollout), and keep what several steps need in `state.held`.
`pretraining.py` is the plainest use, `interpret/in_context_regression/training.py` another.

    state = TrainingState({"policy": policy}, {"policy": Stepping(optimizer, rate)}, {"rollouts": generator})
    loop(objective, batches, steps, state, report_after=range(10, steps + 1, 10))

Between two reports nothing asks the device for a number, so a GPU never waits for Python.
"""

import math
import time
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from reference_impl.training.optimizer import guarded_step
from reference_impl.training.state import Report, TrainingState
from reference_impl.training.state_file import Saving, save_state

B = TypeVar("B")
"""What a step learns from."""


class DivergenceError(ArithmeticError):
    """Training gave up because gradients stopped being finite or the loss blew up."""


@dataclass(frozen=True)
class Guard:
    """When training gives up."""

    skips_in_a_row: int = 10
    """So many steps without a finite gradient, one after the other."""
    blow_up: float = math.inf
    """The mean loss since the last report is more than so many times the first report's or `guessing`, the larger."""
    guessing: float = 1.0
    """What guessing costs, in the unit of the loss."""
    unit: str = ""
    """Of the loss, for the message: `nats per token`."""


def loop(
    objective: Callable[[B], Mapping[str, Tensor]],
    batches: Callable[[int], B],
    steps: int,
    state: TrainingState,
    *,
    report_after: Container[int],
    on_report: Callable[[Report], None] = lambda report: None,
    evaluate: Callable[[], Mapping[str, float]] = dict,
    evaluate_after: Container[int] = (),
    guard: Guard = Guard(),
    saving: Saving | None = None,
) -> None:
    """Go on from `state.step` to `steps`, changing `state` and what it names in place.

    objective: (batch) adds the gradients of this step's loss to the parameters' `.grad`; returns detached scalars on
        the state's device, of every step the same names, one of them `loss`.
    batches: (step, from 0) what that step learns from. The random state it draws from and the models it reads are
        the state's, so that a resumed run draws what a straight one draws.
    report_after, evaluate_after: numbers of done steps. A report's values are means over the steps since the last one
        that were not skipped, and what `evaluate` returns where it was due; the time of `evaluate` is not counted.
    on_report: hears each report, in this thread; they are kept in `state.curve`.
    saving: where and how often the state is kept, beside the last step; it stays there, whatever ends the run. To
        resume, `load_state` before the loop.
    Raises DivergenceError where `guard` says so.
    """
    started = time.perf_counter()
    while state.step < steps:
        batch = batches(state.step)
        rates = {name: stepping.rate(state.step) for name, stepping in state.optimizers.items()}
        _step(state, objective(batch), rates)
        evaluating = state.step in evaluate_after
        reporting = evaluating or state.step in report_after
        is_saved = saving is not None and state.step % saving.every == 0 and state.step < steps
        if not reporting and not is_saved:
            continue
        _stop_if_diverged(state, guard, steps, saving)
        state.seconds += time.perf_counter() - started
        if reporting and (state.curve or state.counted):
            values = _means(state)
            if evaluating:
                values |= evaluate()
            report = Report(state.step, steps, values, rates, state.seconds, dict(state.phases))
            state.curve.append(report)
            on_report(report)
        if saving is not None and is_saved:
            save_state(saving.path, state, saving.identity)
        started = time.perf_counter()


def _step(state: TrainingState, values: Mapping[str, Tensor], rates: Mapping[str, float]) -> None:
    """One step of each optimizer on the gradients that are there. Asks the device for nothing."""
    skips = [
        guarded_step(stepping.optimizer, rates[name], stepping.gradient_clip)
        for name, stepping in state.optimizers.items()
    ]
    skip = skips[0] if len(skips) == 1 else torch.stack(skips).amax()
    state.skipped += skip
    state.skipped_in_a_row = (state.skipped_in_a_row + 1) * skip
    for name, value in values.items():
        before = state.sums.get(name, 0.0)
        state.sums[name] = before + torch.where(skip.bool(), 0.0, value)
    state.counted += 1 - skip
    state.step += 1


def _means(state: TrainingState) -> dict[str, float]:
    """Means of the values since the last report; begins the next. Where every step was skipped the last ones stand."""
    counted = int(state.counted)
    if counted:
        found = {name: float(total) / counted for name, total in state.sums.items()}
    else:
        found = {name: state.curve[-1].values[name] for name in state.sums}
    state.sums.clear()
    state.counted.zero_()
    return found


def _stop_if_diverged(state: TrainingState, guard: Guard, steps: int, saving: Saving | None) -> None:
    """Raises DivergenceError, with the place of the last good state, where going on makes no sense.

    Called before every report and every save, so a state of a run that has diverged never replaces a good one.
    """
    counted = int(state.counted)
    loss = float(state.sums["loss"]) / counted if counted else 0.0
    limit = guard.blow_up * max(guard.guessing, state.curve[0].values["loss"] if state.curve else 0.0)
    if int(state.skipped_in_a_row) >= min(guard.skips_in_a_row, steps):
        what = f"the gradient was not finite in the last {int(state.skipped_in_a_row)} steps"
    elif state.curve and loss > limit:
        unit = f" {guard.unit}" if guard.unit else ""
        what = f"the loss blew up to {loss:.3g}{unit}, where {limit:.3g} is the limit,"
    else:
        return
    kept = ""
    if saving:
        kept = f" The last good state is in {saving.path}." if saving.path.exists() else " No state was saved yet."
    peaks = (max(map(stepping.rate, range(steps))) for stepping in state.optimizers.values())
    raise DivergenceError(
        f"{what} up to step {state.step} of {steps}: lower learning_rate "
        f"({', '.join(f'{peak:.2g}' for peak in peaks)} at its peak), "
        f"warm up for longer, or check the weights it started from.{kept}"
    )
