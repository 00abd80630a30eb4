"""What can be measured: the `LanguageModel` contract, the only thing that measures and scoring know.

Adapters (`reference.py`, `transformers.py`) implement it. Importing this file imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, runtime_checkable

from harness.models.cache_behavior import CacheBehavior
from harness.results.stored_weights import StoredWeights
from harness.strict_models import Kept

if TYPE_CHECKING:
    from torch import Tensor

Precision = Literal["fp32", "bf16", "fp16", "int8", "int8-dynamic", "int4", "int4-gptq", "nf4", "fp4"]
"""fp32, bf16, fp16: weights and activations in that type. The others are formats of the weights. int8: per output
channel, symmetric; int8-dynamic: the same, with activations rounded to int8 too but for the loud ones (LLM.int8).
int4: in groups of 32, asymmetric, rounded to nearest; int4-gptq: the same format, its codes chosen by GPTQ on a fixed
calibration text. nf4, fp4: 4-bit floats in blocks of 64 (bitsandbytes)."""

TYPES: tuple[Precision, ...] = ("fp32", "bf16", "fp16")
"""The precisions that are a type of weights and activations alike; the others are formats of the weights."""

PRECISIONS: tuple[Precision, ...] = get_args(Precision)


@dataclass(frozen=True)
class ModelSource:
    """Where a model comes from and how to open it: everything a worker process needs."""

    name: str
    """The model's name in the suite."""
    kind: str
    """How it is opened: `Opening.kind`, of an adapter. converted: a `transformers` folder, by the reference GPT."""
    path: str
    """A checkpoint folder, or what its adapter makes of it: a hub id for transformers."""
    digest: str
    """Hash of what determines the weights."""
    precision: Precision = "fp32"
    device: str = "cpu"
    revision: str | None = None
    trust_remote_code: bool = False
    files: str | None = None
    """`harness.models.digest.folder_digest` of the folder when the plan was made, compared when it is opened; None
    where its files were not there yet, or prove themselves (`checkpoint.json`)."""


class ModelIdentity(Kept):
    """What a loaded model is, counted once and kept with its records."""

    name: str
    kind: str
    digest: str
    tokenizer_digest: str
    precision: str
    device: str
    parameters: int
    """All parameters, tied ones once, embeddings included."""
    parameters_non_embedding: int
    """Without token and position embeddings (and without the head where it is tied or not)."""
    parameters_matmul: int
    """Parameters that take part in a matrix product for every token: the head counts even when it is
    tied, the embedding look-up does not."""
    parameters_active: int = 0
    """Those that take part for one token: of a mixture's experts as many as it visits, of all others all."""
    parameters_head: int
    """Those of `parameters_matmul` that are the head: they work only at the positions whose logits are asked for."""
    weight_bytes: int
    """Bytes of all stored weights, quantisation scales included: the sum of `stored`."""
    weight_bytes_read: int
    """Bytes of weights that one decode step reads: `weight_bytes` less embeddings that are only looked up."""
    vocabulary: int
    """How many token ids it gives logits to."""
    embedding_rows: int = 0
    """How many token ids it can read."""
    context: int
    layers: int
    width: int
    """Width of the attention's queries over all heads (for attention FLOPs)."""
    kv_bytes_per_token: int
    """Bytes of keys and values that one token of one sequence adds to the cache, over all layers; 0 where no cache is
    used. See `kv_bytes` for a text."""
    skips_masked: bool = False
    """Whether it skips what a mask hides: what stands side by side in a pass then costs only what it reads itself."""
    widens_bf16: bool = False
    """Whether weights in bf16 are widened to be multiplied, in whatever type the device is fastest in."""
    cache: CacheBehavior = CacheBehavior()
    """How its cache behaves: what it may be used for."""
    end_ids: tuple[int, ...] = ()
    """Tokens that end an answer, sorted: all that the tokenizer, its chat template, `generation_config.json` and
    `config.json` declare and the model can draw."""
    end_strings: tuple[str, ...] = ()
    """How those are spelled that are written as a text of their own, such as `<|im_end|>`: a model may spell them
    out."""
    generate_end_ids: tuple[int, ...] = ()
    """Those of `end_ids` at which `generate` of transformers ends: what `generation_config.json` says."""
    prefix: tuple[int, ...] = ()
    """What the tokenizer puts before the first token of a text: mostly BOS or nothing, but it may be several tokens."""
    start: tuple[int, ...] = ()
    """What stands for nothing before a text: `prefix`, else BOS, else EOS; empty where the tokenizer has none."""
    thinking: tuple[tuple[str, str], ...] = ()
    """Tags between which the model thinks before it answers, as its tokenizer or its chat template declare them:
    (`<think>`, `</think>`)."""
    stored: StoredWeights | None = None
    """What its weights are stored as."""
    quantized_by: str = ""
    """How its weights came quantised, such as `nf4 by bitsandbytes`; empty where they didn't."""
    notes: tuple[str, ...] = ()
    """What its files say that can't be, and what a reader of its numbers must know: a sentence each."""

    @property
    def parameters_embedding(self) -> int:
        """Those of embeddings of tokens and positions, and of the head."""
        return self.parameters - self.parameters_non_embedding

    def kv_bytes(self, tokens: float) -> float:
        """Bytes of keys and values of one sequence of so many tokens: layers with a window hold no more than that."""
        windows = self.cache.windows
        whole = self.kv_bytes_per_token - sum(each for _, each in windows)
        return whole * tokens + sum(min(tokens, held) * each for held, each in windows)


class Tokenizer(Protocol):
    """Text to token ids and back, and what its definition declares.

    What a model's answers end with and its texts begin with is settled once, by `audit`: read `ModelIdentity` for that.
    """

    @property
    def size(self) -> int:
        """Number of token ids."""

    @property
    def digest(self) -> str:
        """Hash of the tokenizer's definition."""

    @property
    def bos_id(self) -> int | None:
        """The token that is declared as BOS, whether or not texts begin with it (`prefix`)."""

    @property
    def eos_id(self) -> int | None:
        """The token that is declared as EOS. Models may end answers otherwise too: see `ModelIdentity.end_ids`."""

    @property
    def prefix(self) -> tuple[int, ...]:
        """The tokens that it puts before a text by itself."""

    @property
    def suffix(self) -> tuple[int, ...]:
        """The tokens that it puts after a text by itself. Only lm-eval leaves them in a prompt."""

    @property
    def added(self) -> Mapping[str, int]:
        """Tokens that are declared beside the vocabulary, special ones among them, by their text."""

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, without any special token added."""

    def decode(self, ids: list[int]) -> str:
        """The text of `ids`."""

    def token_bytes(self, ids: list[int]) -> list[int]:
        """How many bytes of UTF-8 text each token stands for (special tokens: 0)."""


class LanguageModel(Protocol):
    """A causal language model that gives logits."""

    @property
    def identity(self) -> ModelIdentity:
        """What it is."""

    @property
    def tokenizer(self) -> Tokenizer:
        """Its tokenizer."""

    def new_cache(self, batch: int, length: int) -> Any:
        """An empty KV cache for `batch` sequences of up to `length` tokens; opaque to the caller."""

    def forward(
        self,
        tokens: Tensor,
        cache: Any = None,
        positions: Tensor | None = None,
        attention_mask: Tensor | None = None,
        logits_at: Tensor | None = None,
    ) -> Tensor:
        """Logits of the next token.

        tokens: (batch, time) int64. cache: from `new_cache`, extended in place; the tokens follow what it
        holds. positions: (batch, time); by default they follow the cache, or count the real tokens of the mask, so
        that left padding shifts nothing. attention_mask: (batch, cached + time), 1 where a token is real; or
        (1, time, cached + time) bool for a single row, True where a token may look, which is at itself and never at
        one after it: then positions must be given.
        logits_at: (k,) indexes into time; None means every position.
        Returns logits: (batch, k or time, vocabulary) in the model's compute type.
        """


@runtime_checkable
class HeadApart(Protocol):
    """A `LanguageModel` whose last steps can be run apart, at a few positions at a time. Not every model is one."""

    @property
    def head_is_apart(self) -> bool:
        """Whether that can be done with this model: the other members are for those with which it can."""

    @property
    def head(self) -> Tensor | None:
        """The matrix (vocabulary, width) fp32 by which features become logits; None where it takes more than that."""

    def features(
        self,
        tokens: Tensor,
        cache: Any = None,
        positions: Tensor | None = None,
        attention_mask: Tensor | None = None,
        at: Tensor | None = None,
    ) -> Tensor:
        """What the last steps start from: `forward`, before them. Returns (batch, k or time, width)."""

    def logits_of(self, features: Tensor) -> Tensor:
        """The last steps, each position by itself: (batch, k, width) -> (batch, k, vocabulary)."""
