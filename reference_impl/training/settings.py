"""How a GPT is trained: one frozen dataclass, a line of meaning per field, nothing that can't be pinned."""

from dataclasses import dataclass
from typing import Literal, get_args

from reference_impl.training.schedule import ScheduleName

OptimizerName = Literal["adamw", "sgd"]
Precision = Literal["auto", "fp32", "bf16"]


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
    schedule: ScheduleName = "cosine"
    """What the learning rate does after its warm-up (`schedule.py`)."""
    warmup: float = 0.05
    """Part of all steps in which the learning rate rises to its peak; 0 leaves the warm-up out."""
    final: float = 0.1
    """Learning rate at the last step, as a part of the peak. A constant schedule doesn't look at it."""
    decay: float = 0.2
    """Part of the steps after the warm-up in which `wsd` falls. Other schedules don't look at it."""
    optimizer: OptimizerName = "adamw"
    """adamw, or sgd: the same without adaptive rates, which wants a rate of its own, some hundred times higher."""
    weight_decay: float = 0.1
    """Decay of matrices and embeddings; biases and norms don't decay."""
    betas: tuple[float, float] = (0.9, 0.95)
    """How much of the running means of the gradient (momentum) and of its square (adaptive rates) is kept at each
    step. A first one of 0 leaves momentum out; sgd doesn't look at the second."""
    epsilon: float = 1e-8
    """Added to AdamW's denominator."""
    gradient_clip: float = 1.0
    """Largest L2 norm of the gradient of all parameters together; longer ones are scaled to it."""
    precision: Precision = "auto"
    """Type of matrix products: weights stay fp32. auto means bf16 where it pays (`precision.py`)."""
    threads: int | None = None
    """CPU threads; None leaves torch's setting."""
    seed: int = 0
    """Determines the order of the data and dropout. The weights' start is the caller's."""
    validations: int = 4
    """Passes over the validation tokens, evenly spread; the last one is after the last step."""
    skips_in_a_row: int = 10
    """So many steps without a finite gradient, one after the other, and training gives up."""
    blow_up: float = 3.0
    """Training gives up when the mean loss since the last report is more than so many times what guessing costs
    (ln of the vocabulary) and what the first report said."""

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
        for name in ("gradient_clip", "epsilon"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}.")
        if not self.weight_decay >= 0:
            raise ValueError(f"weight_decay must be at least 0, not {self.weight_decay}.")
        if not self.blow_up > 1:
            raise ValueError(f"blow_up must be above 1, not {self.blow_up}.")
        for name, words in (("schedule", ScheduleName), ("optimizer", OptimizerName), ("precision", Precision)):
            if getattr(self, name) not in get_args(words):
                raise ValueError(f"{name} must be one of {', '.join(get_args(words))}, not {getattr(self, name)!r}.")
        if not 0 < self.decay <= 1:
            raise ValueError(f"decay must be above 0 and at most 1, not {self.decay}.")
        for name in ("warmup", "final"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, not {getattr(self, name)}.")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas must be at least 0 and below 1, not {self.betas}.")
