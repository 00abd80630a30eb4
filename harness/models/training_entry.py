"""How a model of a suite is trained, in one stage or several, and what it has other than its preset."""

from __future__ import annotations

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from harness.corpora.training import HELD_OUT
from harness.limits import (
    LARGEST,
    LARGEST_SEED,
    MOST_BATCH,
    MOST_DOCUMENTS,
    MOST_ITERATIONS,
    MOST_TOKENS,
    MOST_TOKENS_IN_ALL,
    check_at_once,
    check_in_all,
)
from harness.models.training import (
    FFN,
    Norm,
    OptimizerName,
    PositionsName,
    ScheduleName,
    TokenizerName,
    TrainingPrecision,
)
from harness.strict_entry import PathText, Strict

MOST_LAYERS, MOST_WIDTH, MOST_VOCABULARY = 10_000, 1_000_000, 10_000_000
"""More than any model has."""


class Train(Strict):
    """How a reference model is trained before it is measured. Trained once, then cached by what determines it."""

    corpus: PathText = Field(default="microworld", min_length=1)
    """A text with a train and a validation split (`microworld`, `asset:shakespeare`), or a file, a folder or
    `data:NAME` (of which the end is held out for validation)."""
    held_out: float = Field(default=HELD_OUT, gt=0, lt=1)
    """Part of a corpus without splits that is held out for validation."""
    tokenizer: TokenizerName = "bpe"
    """bpe: a byte-level BPE trained on the corpus; characters: one token per character."""
    vocabulary: int = Field(default=1024, ge=257, le=MOST_VOCABULARY)
    """Size of the byte-level BPE; a character tokenizer has as many tokens as the corpus has characters."""
    context: int = Field(default=256, ge=8, le=MOST_TOKENS)
    """Context length in tokens."""
    tokens: int | None = Field(default=None, gt=0, le=MOST_TOKENS_IN_ALL)
    """Training budget in tokens: give this, or `steps`, or the axis `compute`."""
    steps: int | None = Field(default=None, gt=0, le=MOST_DOCUMENTS)
    """Training budget in steps of the optimizer, `batch` times `sequence` tokens each."""
    batch: int | None = Field(default=None, gt=0, le=MOST_BATCH)
    """Sequences per step; left out, the trainer's default."""
    sequence: int | None = Field(default=None, ge=2, le=MOST_TOKENS)
    """Tokens per sequence; left out, the context."""
    learning_rate: float | None = Field(default=None, gt=0, le=LARGEST)
    """Peak learning rate; left out, the default for the size."""
    schedule: ScheduleName | None = None
    """What the learning rate does after its warm-up: constant, linear, cosine or wsd; left out, cosine."""
    warmup: float | None = Field(default=None, ge=0, le=1)
    """Part of the steps in which the learning rate rises to its peak; 0 leaves the warm-up out; left out, 0.05."""
    final: float | None = Field(default=None, ge=0, le=1)
    """Learning rate at the end as a part of the peak; left out, 0.1."""
    decay: float | None = Field(default=None, gt=0, le=1)
    """Part of the steps after the warm-up in which `wsd` falls; left out, 0.2."""
    precision: TrainingPrecision | None = None
    """Type of matrix products, fp32 or bf16 (weights stay fp32); left out, auto: bf16 where it pays."""
    optimizer: OptimizerName | None = None
    """adamw, or sgd: the same without adaptive rates; left out, adamw."""
    betas: tuple[float, float] | None = None
    """Adam's: a first one of 0 leaves momentum out (for sgd too); left out, [0.9, 0.95]."""
    weight_decay: float | None = Field(default=None, ge=0, le=LARGEST)
    """Decay of matrices and embeddings; left out, 0.1."""
    gradient_clip: float | None = Field(default=None, gt=0, le=LARGEST)
    """Largest norm of the gradient; left out, 1."""
    blow_up: float | None = Field(default=None, gt=1, le=LARGEST)
    """A loss so many times that of guessing ends the training as diverged; left out, 3. More lets an ablation go on."""
    dropout: float | None = Field(default=None, ge=0, lt=1)
    """Probability of dropping an activation while training; left out, 0."""
    validations: int | None = Field(default=None, gt=0, le=MOST_ITERATIONS)
    """Passes over the validation text, evenly spread, the last one at the end; left out, 2."""
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    """Seed of initialization and data order; the `seed` axis replaces it."""

    @model_validator(mode="after")
    def _one_budget(self) -> Train:
        if self.tokens is not None and self.steps is not None:
            raise PydanticCustomError("budget", "a training has `tokens` or `steps`, not both; keep one of them")
        check_at_once(batch=self.batch or 1, sequence=self.sequence or self.context)
        if self.steps is not None:
            check_in_all(steps=self.steps, batch=self.batch or 1, sequence=self.sequence or self.context)
        return self

    @property
    def has_budget(self) -> bool:
        """Whether it says itself how long it goes on."""
        return self.tokens is not None or self.steps is not None


RECIPE = (
    *("tokens", "steps", "batch", "sequence", "learning_rate", "schedule", "warmup", "final", "decay"),
    *("optimizer", "betas", "weight_decay", "gradient_clip", "blow_up", "validations", "precision"),
)
"""Keys of `Train` that are settings of the trainer."""

FIRST_STAGE = ("tokenizer", "vocabulary", "context")
"""Keys of `Train` that the first stage of a training settles."""


class ShapeChanges(Strict):
    """What a model has other than its preset: sizes, or an idea that is left out."""

    layers: int | None = Field(default=None, ge=1, le=MOST_LAYERS)
    """Transformer blocks."""
    heads: int | None = Field(default=None, ge=1, le=MOST_WIDTH)
    """Attention heads."""
    width: int | None = Field(default=None, ge=1, le=MOST_WIDTH)
    """Width of the residual stream; a multiple of `heads`."""
    ffn_width: int | None = Field(default=None, ge=1, le=MOST_WIDTH)
    """Width of the feed-forward hidden layer; left out, 4 times the width."""
    kv_heads: int | None = Field(default=None, ge=1, le=MOST_WIDTH)
    """Heads of keys and values; left out, as many as `heads`."""
    positions: PositionsName | None = None
    """learned or rotary."""
    norm: Norm | None = None
    """layer, rms, or none: without any."""
    ffn: FFN | None = None
    """gelu, gelu_exact or swiglu."""
    bias: bool | None = None
    """Whether linear layers and norms have biases."""
    residual_scaling: bool | None = None
    """Whether projections into the residual stream start smaller by 1/sqrt(2 layers)."""
    tie_head: bool | None = None
    """Whether the head's weight is the token embedding's."""
