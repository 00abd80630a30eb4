"""How a GPT is trained: one frozen dataclass, a line of meaning per field, nothing that can't be pinned."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of one training run. What makes no sense raises ValueError when they are made."""

    tokens: int = 1_000_000
    """Budget: training stops at the first step that has used at least this many tokens."""
    batch: int = 4
    """Sequences per optimizer step, over all micro-batches. Small budgets want many small steps: with 0.4M tokens
    0.1M parameters reach 3.35 nats with 4 and 3.73 with 8. Bigger budgets and GPUs want more."""
    sequence: int | None = None
    """Tokens per sequence; None means the model's context."""
    accumulation: int = 1
    """Micro-batches that `batch` is cut into, to fit in memory; the result does not depend on it."""
    learning_rate: float | None = None
    """Peak of the schedule; None means `default_learning_rate` of the model's size."""
    warmup: float = 0.05
    """Part of all steps in which the learning rate rises to its peak."""
    final: float = 0.1
    """Learning rate at the last step, as a part of the peak."""
    weight_decay: float = 0.1
    """AdamW's decay of matrices and embeddings; biases and LayerNorms don't decay."""
    betas: tuple[float, float] = (0.9, 0.95)
    """AdamW's decay rates of the two moments."""
    epsilon: float = 1e-8
    """Added to AdamW's denominator."""
    gradient_clip: float = 1.0
    """Largest L2 norm of the gradient of all parameters together; longer ones are scaled to it."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Type of matrix products: weights stay fp32. auto means bf16 where it pays (`precision.py`)."""
    threads: int | None = None
    """CPU threads; None leaves torch's setting."""
    seed: int = 0
    """Determines the order of the data and dropout. The weights' start is the caller's."""
    validations: int = 4
    """Passes over the validation tokens, evenly spread; the last one is after the last step."""
    skips_in_a_row: int = 10
    """So many steps without a finite gradient, one after the other, and training gives up."""

    def __post_init__(self) -> None:
        """Refuse what can't be trained with."""
        for name in ("tokens", "batch", "accumulation", "validations", "skips_in_a_row"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        for name in ("sequence", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}.")
        if self.batch % self.accumulation:
            raise ValueError(f"a batch of {self.batch} can't be cut into {self.accumulation} equal micro-batches.")
        if self.learning_rate is not None and not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be above 0, not {self.learning_rate}.")
        if not self.gradient_clip > 0:
            raise ValueError(f"gradient_clip must be above 0, not {self.gradient_clip}.")
        for name in ("warmup", "final"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, not {getattr(self, name)}.")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas must be at least 0 and below 1, not {self.betas}.")
