"""What a training run tells: its loss curve, point by point, and the result at its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict

from reference_impl.training.settings import TrainingSettings


@dataclass(frozen=True)
class Progress:
    """Where a run stands: what a progress display shows, and one point of the loss curve."""

    __pydantic_config__: ClassVar = ConfigDict(ser_json_inf_nan="strings")  # a loss may be NaN, which is no JSON

    step: int
    """Steps done."""
    steps: int
    """Steps in all."""
    tokens: int
    """Tokens trained on so far."""
    loss: float
    """Mean training loss since the last report, nats per token; steps that were skipped are left out."""
    learning_rate: float
    """Of the last step."""
    tokens_per_second: float
    """Training speed since the start, validation not counted."""
    validation_loss: float | None = None
    """Nats per token, where the validation tokens were just passed over."""

    @property
    def seconds(self) -> float:
        """Training alone, without validation, since the start."""
        return self.tokens / self.tokens_per_second


@dataclass(frozen=True)
class TrainingResult:
    """What came of a run."""

    __pydantic_config__: ClassVar = ConfigDict(ser_json_inf_nan="strings")

    settings: TrainingSettings
    """As they were used: nothing in them is None or auto any more."""
    parameters: int
    """All parameters, tied ones once."""
    steps: int
    tokens: int
    """Trained on; repeated ones count again."""
    epochs: float
    """Passes over the training tokens."""
    seconds: float
    """Training alone, without validation."""
    validation_loss: float
    """After the last step: nats per token over the full pass."""
    best_validation_loss: float
    """Lowest of all validations."""
    bits_per_byte: float | None
    """The same as `validation_loss`, where the bytes of the validation text were given."""
    skipped_steps: int
    """Steps left out because their gradient wasn't finite."""
    curve: tuple[Progress, ...]
    """Every report."""

    @property
    def tokens_per_second(self) -> float:
        """Training speed, validation not counted."""
        return self.tokens / self.seconds


def seconds_to_loss(curve: Sequence[Progress], target: float) -> float | None:
    """Training seconds until a validation first gave at most `target` nats per token; None if none did.

    It is the time of that validation, never one read off between two: with few validations it is late, never early.
    """
    reached = (point for point in curve if point.validation_loss is not None and point.validation_loss <= target)
    first = next(reached, None)
    return None if first is None else first.seconds
