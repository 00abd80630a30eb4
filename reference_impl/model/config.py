"""What determines the shape of a GPT: one frozen, validated dataclass.

Everything that is counted or built starts from a `GPTConfig`, so that parameters, FLOPs and memory are
known before a single tensor exists (`counting.py`).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class GPTConfig:
    """Shape of a GPT-2-like decoder. Impossible shapes raise `ValueError` when the config is made."""

    vocabulary: int
    """Number of token ids: rows of the token embedding and of the head."""
    context: int
    """Longest sequence, in tokens: rows of the learned position embedding."""
    layers: int
    """Number of transformer blocks."""
    heads: int
    """Attention heads per block."""
    width: int
    """Width of the residual stream; a multiple of `heads`."""
    ffn_multiple: int = 4
    """Width of the feed-forward hidden layer, in units of `width`."""
    dropout: float = 0.0
    """Probability of dropping an element after the embeddings, in the attention pattern and before each
    residual addition, while training."""
    layer_norm_epsilon: float = 1e-5
    """Added to the variance in every LayerNorm."""
    tie_head: bool = True
    """Whether the head's weight is the token embedding's."""

    def __post_init__(self) -> None:
        """Refuse what no model can be built from."""
        for name in ("vocabulary", "context", "layers", "heads", "width", "ffn_multiple"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}.")
        if self.width % self.heads:
            raise ValueError(
                f"width {self.width} can't be shared by {self.heads} heads: make width a multiple of heads."
            )
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout must be at least 0 and below 1, not {self.dropout!r}.")
        if not self.layer_norm_epsilon > 0.0:
            raise ValueError(f"layer_norm_epsilon must be above 0, not {self.layer_norm_epsilon!r}.")

    @property
    def head_width(self) -> int:
        """Width of one attention head's queries, keys and values."""
        return self.width // self.heads

    @property
    def ffn_width(self) -> int:
        """Width of the feed-forward hidden layer."""
        return self.width * self.ffn_multiple
