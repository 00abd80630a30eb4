"""Learning from a fixed set of examples: epochs on the training loop, in an order of the seed alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace

import torch
from torch import Tensor

from reference_impl.alignment import processes
from reference_impl.alignment.data.batches import Order
from reference_impl.alignment.settings.examples import ExampleSettings
from reference_impl.training.loop import loop
from reference_impl.training.state import Report, TrainingState
from reference_impl.training.state_file import RunIdentity, Saving, load_state


def learn_from_examples(
    objective: Callable[[Sequence[int]], Mapping[str, Tensor]],
    state: TrainingState,
    settings: ExampleSettings,
    *,
    algorithm: str,
    examples: int,
    digests: Mapping[str, str],
    evaluate: Callable[[], Mapping[str, float]] = dict,
    evaluations: int = 1,
    before_step: Callable[[int], None] = lambda step: None,
    on_report: Callable[[Report], None] = lambda report: None,
    saving: Saving | None = None,
    resume: bool = False,
) -> tuple[Report, ...]:
    """Runs all steps on `state` and returns the reports.

    objective: (indices of a step's examples) adds gradients, returns detached scalars. evaluate: is asked `evaluations`
    times, evenly spread, after the last step too. before_step: hears how many steps are done. digests: of what is
    learned from (`RunIdentity`).
    """
    if resume and saving is None:
        raise ValueError("resuming needs to know where the state is: give saving=Saving(path, every).")
    if saving is not None:
        identity = RunIdentity(
            {**saving.identity.settings, "algorithm": algorithm, **asdict(settings)},
            {**saving.identity.digests, **digests},
        )
        saving = replace(saving, identity=identity)
    steps, order = settings.steps(examples), Order(examples, settings.batch, settings.seed)

    def batches(step: int) -> Sequence[int]:
        before_step(step)
        return order.places(step)

    with torch.random.fork_rng(devices=[state.device] if state.device.type == "cuda" else []):
        if resume and saving is not None:
            load_state(saving.path, state, saving.identity)
        processes.wait()
        loop(
            objective,
            batches,
            steps,
            state,
            report_after={*range(0, steps + 1, settings.report_every), steps},
            on_report=on_report,
            evaluate=evaluate,
            evaluate_after={math.ceil(steps * index / evaluations) for index in range(1, evaluations + 1)},
            saving=saving if processes.number() == 0 else None,
        )
    return tuple(state.curve)
