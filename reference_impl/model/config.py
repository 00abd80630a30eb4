"""What determines the shape of a GPT: one frozen, validated dataclass.

The defaults are GPT-2's. `positions`, `norm`, `ffn`, `kv_heads` and `bias` turn it into a Llama, or leave out one idea
to see what it buys.

Everything that is counted or built starts from a `GPTConfig`, so that parameters, FLOPs and memory are
known before a single tensor exists (`counting.py`).
"""

from dataclasses import dataclass
from typing import Literal, get_args

Positions = Literal["learned", "rotary"]
Norm = Literal["layer", "rms", "none"]
FFN = Literal["gelu", "gelu_exact", "swiglu"]


@dataclass(frozen=True)
class GPTConfig:
    """Shape of a decoder-only transformer. Impossible shapes raise `ValueError` when the config is made."""

    vocabulary: int
    """Number of token ids: rows of the token embedding and of the head."""
    context: int
    """Longest sequence, in tokens: rows of a learned position embedding."""
    layers: int
    """Number of transformer blocks."""
    heads: int
    """Attention heads per block."""
    width: int
    """Width of the residual stream; a multiple of `heads`."""
    ffn_width: int = 0
    """Width of the feed-forward hidden layer; 0 stands for 4 times `width`."""
    kv_heads: int = 0
    """Heads of keys and values, each shared by heads / kv_heads neighboring query heads (grouped-query attention,
    Ainslie et al. 2023); 0 stands for `heads`."""
    positions: Positions = "learned"
    """learned: an embedding added to the tokens'. rotary: queries and keys are rotated (Su et al. 2021)."""
    rotary_base: float = 10_000.0
    """Base of the rotary wavelengths."""
    norm: Norm = "layer"
    """layer: LayerNorm (Ba et al. 2016). rms: RMSNorm (Zhang & Sennrich 2019). none: left out, to see what it buys."""
    ffn: FFN = "gelu"
    """gelu: two matrices with a GELU between, approximated by a tanh as in GPT-2; gelu_exact: with the error function,
    which takes half the time on a CPU. swiglu: three matrices, one of them a gate (Shazeer 2020)."""
    bias: bool = True
    """Whether linear layers and LayerNorms have biases. The head never has."""
    residual_scaling: bool = True
    """Whether projections into the residual stream start smaller by 1/sqrt(2 layers) (GPT-2)."""
    dropout: float = 0.0
    """Probability of dropping an element after the embeddings, in the attention pattern and before each
    residual addition, while training."""
    norm_epsilon: float = 1e-5
    """Added to the variance, or the mean square, in every norm."""
    tie_head: bool = True
    """Whether the head's weight is the token embedding's."""

    def __post_init__(self) -> None:
        """Settle what was left at 0, and refuse what no model can be built from."""
        for name, value in (("ffn_width", 4 * self.width), ("kv_heads", self.heads)):
            if getattr(self, name) == 0:
                object.__setattr__(self, name, value)
        for name in ("vocabulary", "context", "layers", "heads", "width", "ffn_width", "kv_heads"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}.")
        for name, words in (("positions", Positions), ("norm", Norm), ("ffn", FFN)):
            if getattr(self, name) not in get_args(words):
                raise ValueError(f"{name} must be one of {', '.join(get_args(words))}, not {getattr(self, name)!r}.")
        if self.width % self.heads:
            raise ValueError(
                f"width {self.width} can't be shared by {self.heads} heads: make width a multiple of heads."
            )
        if self.heads % self.kv_heads:
            raise ValueError(
                f"{self.heads} heads can't share {self.kv_heads} kv_heads evenly: take a divisor of heads."
            )
        if self.positions == "rotary" and self.head_width % 2:
            raise ValueError(f"rotary positions turn pairs, but a head is {self.head_width} wide: make it even.")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout must be at least 0 and below 1, not {self.dropout!r}.")
        for name in ("norm_epsilon", "rotary_base"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)!r}.")

    @property
    def head_width(self) -> int:
        """Width of one attention head's queries, keys and values."""
        return self.width // self.heads

    @property
    def kv_width(self) -> int:
        """Width of the keys, or the values, of all heads together."""
        return self.kv_heads * self.head_width
