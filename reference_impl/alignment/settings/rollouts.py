"""What every algorithm that learns from rollouts shares: how many, how they are scored, and when to give up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeVar, get_args

from reference_impl.alignment.settings.learning import LearningSettings, refuse_other_words
from reference_impl.alignment.settings.truncation import Truncation

ScoreScaling = Literal["none", "running"]
T = TypeVar("T")


@dataclass(frozen=True)
class RolloutSettings(LearningSettings):
    """A rollout is `prompts * samples` responses of the policy, learned from in `epochs * minibatches` steps."""

    rollouts: int = 100
    """Rollouts of the whole run. One that stopped early keeps its steps, which then change nothing."""
    prompts: int = 64
    """Prompts of a rollout, taken in a fresh order per pass over all prompts."""
    samples: int = 1
    """Responses to each prompt of a rollout: the group."""
    epochs: int = 1
    """Passes over a rollout, each in a fresh order."""
    minibatches: int = 1
    """Steps of a pass: a rollout is cut into so many equal parts."""
    temperature: float = 1.0
    """What responses are drawn at, and what logits are divided by in every log-probability, KL and entropy."""
    approx_kl_stop: float = math.inf
    """A rollout is learned from no longer once KL(old policy || policy), k3 per token, is above it in a minibatch."""
    score_scaling: ScoreScaling = "none"
    """running: scores are divided by the standard deviation of all scores so far; their mean stays."""
    score_clip: float = math.inf
    """Scores are clipped to plus and minus it."""
    truncation: Truncation | None = None
    """Where a response is cut before it is scored and learned from (`truncation.py`)."""
    missing_eos_penalty: float = 0.0
    """Subtracted from the score of a response without its EOS token. With `truncation` there is its score instead."""
    entropy_limit: float = 1e-5
    """A policy whose mean entropy falls below it (nats per token) has collapsed: the run stops."""
    kl_limit: float = 200.0
    """A policy that is further from the reference (nats per response) is lost: the run stops."""
    mismatch_limit: float = 0.5
    """Largest mean difference of the sampler's log-probabilities from the trainer's, nats per token: more means that
    responses are not drawn from what is trained (top-k, top-p, another temperature, stale weights)."""

    at_least_one: ClassVar[tuple[str, ...]] = (
        *LearningSettings.at_least_one, "rollouts", "prompts", "samples", "epochs", "minibatches"
    )  # fmt: skip
    at_least_zero: ClassVar[tuple[str, ...]] = (*LearningSettings.at_least_zero, "missing_eos_penalty", "entropy_limit")
    above_zero: ClassVar[tuple[str, ...]] = (
        *LearningSettings.above_zero, "temperature", "approx_kl_stop", "score_clip", "kl_limit", "mismatch_limit"
    )  # fmt: skip

    def __post_init__(self) -> None:
        """Refuse what can't be rolled out by."""
        super().__post_init__()
        refuse_other_words(self, "score_scaling", get_args(ScoreScaling))
        if self.truncation is not None and self.missing_eos_penalty:
            raise ValueError(
                "truncation gives responses without its token a score of its own: leave missing_eos_penalty at 0."
            )
        if self.responses % self.minibatches:
            raise ValueError(
                f"{self.responses} responses of a rollout can't be cut into {self.minibatches} equal minibatches."
            )
        if self.responses // self.minibatches % self.micro_batches:
            raise ValueError(
                f"{self.responses // self.minibatches} responses of a minibatch can't be cut into "
                f"{self.micro_batches} equal micro-batches."
            )

    @property
    def responses(self) -> int:
        """Of a rollout."""
        return self.prompts * self.samples

    def pieces(self, items: Sequence[T], processes: int = 1) -> list[Sequence[T]]:
        """A rollout's items as they are scored: as many at a time as a micro-batch has, at least one for a process."""
        size = min(len(items) // (self.minibatches * self.micro_batches), math.ceil(len(items) / processes))
        return [items[start : start + size] for start in range(0, len(items), size)]

    @property
    def steps_per_rollout(self) -> int:
        """Optimizer steps that learn from one rollout."""
        return self.epochs * self.minibatches
