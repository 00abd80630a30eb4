"""What a training run changes as it goes, each part under its name: what has to be kept for it to go on.

How fast to learn is a function of the step (`schedule.py`), and so is, in pretraining, which tokens come next
(`batches.py`): neither is here. `state_file.py` keeps it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from pydantic import ConfigDict
from torch import Tensor, nn


@dataclass(frozen=True)
class Report:
    """One point of a run's curve."""

    __pydantic_config__: ClassVar = ConfigDict(ser_json_inf_nan="strings")  # a loss may be NaN, which is no JSON

    step: int
    """Steps done."""
    steps: int
    """Steps in all."""
    values: dict[str, float]
    """By name: means since the last report, without the steps that were skipped, and what was evaluated."""
    rates: dict[str, float]
    """Learning rate of each optimizer in the last step."""
    seconds: float
    """Training alone, without evaluation, since the start."""
    phases: dict[str, float] = field(default_factory=dict)
    """Of these seconds, what parts of the work took that are timed apart (`rollout`, `scoring`), by name."""


@dataclass(frozen=True)
class Stepping:
    """An optimizer and how it steps."""

    optimizer: torch.optim.Optimizer
    """A fused one (`guarded_step`). Its parameters are of the state's modules."""
    rate: Callable[[int], float]
    """Learning rate of a step, from 0."""
    gradient_clip: float = 1.0
    """Largest L2 norm of the gradient of its parameters together."""


@dataclass
class TrainingState:
    """Everything that a run changes as it goes. Sums are scalars on the device, which is never waited for."""

    modules: Mapping[str, nn.Module]
    """By name, with all that learns. What stays as it is (a frozen reference) need not be among them; frozen weights of
    one that learns otherwise (under an adapter) are not kept, but must be the same when a run goes on."""
    optimizers: Mapping[str, Stepping]
    generators: Mapping[str, torch.Generator] = field(default_factory=dict)
    """Random state of its own, beside torch's: of rollouts, of what is drawn anew in each step."""
    held: dict[str, Tensor] = field(default_factory=dict)
    """What batches keep from one step to later ones: a rollout that several steps learn from."""
    sums: dict[str, Tensor] = field(default_factory=dict)
    """Of each value of the objective, over the steps since the last report that were not skipped."""
    counted: Tensor = field(init=False)
    """How many those are."""
    skipped: Tensor = field(init=False)
    """Steps left out so far because their gradient wasn't finite."""
    skipped_in_a_row: Tensor = field(init=False)
    """The last so many steps were left out."""
    step: int = 0
    """Steps done."""
    seconds: float = 0.0
    """Training alone, without evaluation."""
    phases: dict[str, float] = field(default_factory=dict)
    """Of `seconds`, by name: what whoever makes batches times apart (`timed`)."""
    curve: list[Report] = field(default_factory=list)

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Counts what is done within as this phase; a phase within another is its own alone."""
        started, before = time.perf_counter(), sum(self.phases.values())
        try:
            yield
        finally:
            within = sum(self.phases.values()) - before
            self.phases[phase] = self.phases.get(phase, 0.0) + time.perf_counter() - started - within

    def __post_init__(self) -> None:
        """Nothing was counted yet."""
        self.counted, self.skipped, self.skipped_in_a_row = torch.zeros(3, device=self.device).unbind()

    @property
    def device(self) -> torch.device:
        """That of the first parameter."""
        return next(parameter for module in self.modules.values() for parameter in module.parameters()).device

    def parameters(self) -> dict[str, nn.Parameter]:
        """All parameters as <module>.<parameter>; a shared one once."""
        return dict(nn.ModuleDict(dict(self.modules)).named_parameters())

    def learning(self) -> dict[str, nn.Parameter]:
        """Those parameters that change: they have gradients, or an optimizer has them."""
        steered = {
            id(parameter)
            for stepping in self.optimizers.values()
            for group in stepping.optimizer.param_groups
            for parameter in group["params"]
        }
        return {name: p for name, p in self.parameters().items() if p.requires_grad or id(p) in steered}

    def frozen(self) -> dict[str, nn.Parameter]:
        """The other parameters."""
        learning = self.learning()
        return {name: parameter for name, parameter in self.parameters().items() if name not in learning}

    def buffers(self) -> dict[str, Tensor]:
        """All buffers as <module>.<buffer>."""
        return dict(nn.ModuleDict(dict(self.modules)).named_buffers())


COUNTS = ("counted", "skipped", "skipped_in_a_row")
"""Scalars of a state beside its sums."""
