"""Learning from a fixed set of examples: epochs on the training loop, in an order of the seed alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from reference_impl.alignment.example_order import examples_at
from reference_impl.alignment.learning_settings import LearningSettings
from reference_impl.training.loop import loop
from reference_impl.training.state import Report, TrainingState
from reference_impl.training.state_file import RunIdentity, Saving, load_state


@dataclass(frozen=True)
class ExampleSettings(LearningSettings):
    """How often and in what batches examples are learned from."""

    epochs: float = 1.0
    """Passes over the examples; a part of one is one."""
    batch: int = 16
    """Examples of a step."""

    at_least_one: ClassVar[tuple[str, ...]] = (*LearningSettings.at_least_one, "batch")
    above_zero: ClassVar[tuple[str, ...]] = (*LearningSettings.above_zero, "epochs")

    def __post_init__(self) -> None:
        """Refuse what can't be learned with."""
        super().__post_init__()
        if self.batch % self.micro_batches:
            raise ValueError(f"a batch of {self.batch} can't be cut into {self.micro_batches} equal micro-batches.")

    def steps(self, examples: int) -> int:
        """Of the whole run: as many as see each example `epochs` times at least."""
        return math.ceil(examples * self.epochs / self.batch)

    def parts(self, indices: Sequence[int]) -> list[Sequence[int]]:
        """A batch's micro-batches."""
        size = self.batch // self.micro_batches
        return [indices[start : start + size] for start in range(0, self.batch, size)]


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
    on_report: Callable[[Report], None] = lambda report: None,
    saving: Saving | None = None,
    resume: bool = False,
) -> tuple[Report, ...]:
    """Runs all steps on `state` and returns the reports.

    objective: (indices of a step's examples) adds gradients, returns detached scalars. evaluate: is asked `evaluations`
    times, evenly spread, after the last step too. digests: of what is learned from (`RunIdentity`).
    """
    if resume and saving is None:
        raise ValueError("resuming needs to know where the state is: give saving=Saving(path, every).")
    if saving is not None:
        identity = RunIdentity(
            {**saving.identity.settings, "algorithm": algorithm, **asdict(settings)},
            {**saving.identity.digests, **digests},
        )
        saving = replace(saving, identity=identity)
    steps = settings.steps(examples)
    with torch.random.fork_rng(devices=[state.device] if state.device.type == "cuda" else []):
        if resume and saving is not None:
            load_state(saving.path, state, saving.identity)
        loop(
            objective,
            lambda step: examples_at(step, batch=settings.batch, count=examples, seed=settings.seed),
            steps,
            state,
            report_after={*range(0, steps + 1, settings.report_every), steps},
            on_report=on_report,
            evaluate=evaluate,
            evaluate_after={math.ceil(steps * index / evaluations) for index in range(1, evaluations + 1)},
            saving=saving,
        )
    return tuple(state.curve)
