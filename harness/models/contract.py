"""What can be measured: what models are to measures and scoring, by what can be asked of them.

A `LanguageModel` has tokens and `Logits`, and by `harness.scoring` all the rest. Of a model that is no more than texts
in and texts out (a server of completions, a program) `Scores` and `Generates` are enough for the measure `task`:
lm-eval's three text methods. What a kind of model has its adapter declares (`Adapter.capabilities`), so that a plan can
tell what can't be measured. Importing this file imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, runtime_checkable

from harness.models.cache_behavior import CacheBehavior
from harness.results.stored_weights import StoredWeights
from harness.strict_models import Kept

if TYPE_CHECKING:
    from torch import Tensor

    from reference_impl.decoding.causal_model import Shape
    from reference_impl.model.forward_pass import Forward

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
    settings: str = ""
    """What else its adapter must know to open it, as JSON. The digest is of this too."""


class ModelIdentity(Kept):
    """What a loaded model is, counted once and kept with its records. A number that a model doesn't tell is 0."""

    name: str
    kind: str
    digest: str
    tokenizer_digest: str = ""
    """Empty where it has no tokens."""
    precision: str
    device: str
    parameters: int = 0
    """All parameters, tied ones once, embeddings included."""
    parameters_non_embedding: int = 0
    """Without token and position embeddings (and without the head where it is tied or not)."""
    parameters_matmul: int = 0
    """Parameters that take part in a matrix product for every token: the head counts even when it is
    tied, the embedding look-up does not."""
    parameters_active: int = 0
    """Those that take part for one token: of a mixture's experts as many as it visits, of all others all."""
    parameters_head: int = 0
    """Those of `parameters_matmul` that are the head: they work only at the positions whose logits are asked for."""
    weight_bytes: int = 0
    """Bytes of all stored weights, quantization scales included: the sum of `stored`."""
    weight_bytes_read: int = 0
    """Bytes of weights that one decode step reads: `weight_bytes` less embeddings that are only looked up."""
    vocabulary: int = 0
    """How many token ids it gives logits to."""
    embedding_rows: int = 0
    """How many token ids it can read."""
    context: int
    """Tokens that it can see at once; of a model without tokens, whatever it counts."""
    layers: int = 0
    width: int = 0
    """Width of the attention's queries over all heads (for attention FLOPs)."""
    kv_bytes_per_token: int = 0
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
    """How its weights came quantized, such as `nf4 by bitsandbytes`; empty where they didn't."""
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


class Described(Protocol):
    """A model of any kind."""

    @property
    def identity(self) -> ModelIdentity:
        """What it is."""


@runtime_checkable
class Logits(Protocol):
    """Gives logits of the next token."""

    @property
    def config(self) -> Shape:
        """Its vocabulary and context: what decoding checks its input against."""

    def new_cache(self, batch: int, length: int, *, sliding: bool = False) -> Any:
        """An empty KV cache (`reference_impl.decoding.causal_model.Cache`) for `batch` sequences of up to `length`
        tokens, where `ModelIdentity.cache` says that one serves them: ask `served` for what reads them without.

        sliding: layers with a sliding window may drop what it has passed, which takes less memory; then sequences can't
        be cut back or put together.
        """

    @property
    def forward(self) -> Forward:
        """Reads tokens and gives the logits of what follows them; also behind a mask of (1, time, cached + time), where
        `ModelIdentity.cache.tree` says so."""


class LanguageModel(Described, Logits, Protocol):
    """A causal language model with its tokens and logits."""

    @property
    def tokenizer(self) -> Tokenizer:
        """Its tokenizer."""


@dataclass(frozen=True)
class TextScore:
    """How likely a text is after another."""

    log_prob: float
    """Of the whole text, in nats."""
    greedy: bool = False
    """Whether greedy decoding would write it."""


@runtime_checkable
class Scores(Protocol):
    """Says how likely texts are."""

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> Sequence[TextScore]:
        """Of each (context, continuation) how likely the continuation is after the context."""

    def loglikelihood_rolling(self, texts: Sequence[str]) -> Sequence[float]:
        """The log-likelihood of each whole text, in nats, however long it is."""


@dataclass(frozen=True)
class Prompt:
    """A text and how to go on from it."""

    text: str
    until: tuple[str, ...]
    """The answer ends before the first of these; whoever asks cuts it there too."""
    max_new: int
    """Tokens of the longest answer; of a model without tokens, what it counts."""
    temperature: float = 0.0
    """0 is greedy."""
    top_p: float = 1.0
    top_k: int | None = None
    seed: int = 0
    """Of the draws."""


@dataclass(frozen=True)
class GeneratedText:
    """A text that a model wrote."""

    text: str
    finish: Literal["stop_string", "end", "length"]
    """What ended it: one of `Prompt.until`, the model itself, or `Prompt.max_new`."""


@runtime_checkable
class Generates(Protocol):
    """Writes texts."""

    def generate_until(self, prompts: Sequence[Prompt]) -> Sequence[GeneratedText]:
        """What the model writes after each prompt."""


@runtime_checkable
class Serves(Protocol):
    """Answers requests as they arrive, several at once: what a server does, and what its users wait for."""

    def stream(self, prompt: Prompt) -> Iterator[str]:
        """What the model writes after a prompt, in pieces, each as soon as it is written; joined they are the text of
        `Generates`. May be called from several threads at once."""


def tokenizer_of(model: Described) -> Tokenizer | None:
    """The model's tokenizer; None of a model without tokens."""
    tokenizer: Tokenizer | None = getattr(model, "tokenizer", None)
    return tokenizer


@runtime_checkable
class HeadApart(Protocol):
    """A `LanguageModel` whose last steps can be run apart, at a few positions at a time. Not every model is one."""

    @property
    def head_is_apart(self) -> bool:
        """Whether that can be done with this model: the other members are for those with which it can."""

    @property
    def head(self) -> Tensor | None:
        """The matrix (vocabulary, width) fp32 by which features become logits; None where it takes more than that."""

    @property
    def features(self) -> Forward:
        """What the last steps start from: `forward`, before them. Gives (batch, k or time, width)."""

    def logits_of(self, features: Tensor) -> Tensor:
        """The last steps, each position by itself: (batch, k, width) -> (batch, k, vocabulary)."""
