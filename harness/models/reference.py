"""Adapter: a checkpoint of the reference GPT as a `LanguageModel`, run by its `Engine`.

Imports all it needs at the top, and runs no operation then: workers are forked from a process that has imported it.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from harness.errors import UserError
from harness.models.audit import ends_in, settled_text
from harness.models.cache_behavior import CacheBehavior
from harness.models.contract import ModelIdentity, ModelSource, Precision, Tokenizer
from harness.models.quantized import SCHEMES, quantize
from harness.models.storage import settled
from harness.models.transformers_fit import refuse_overflow
from reference_impl.inference.engine import Engine
from reference_impl.inference.kv_cache import KVCache
from reference_impl.model.config import GPTConfig
from reference_impl.model.counting import count_parameters, kv_bytes_per_token
from reference_impl.model.forward_pass import Attention, Forward
from reference_impl.model.gpt import GPT
from reference_impl.quantization.quantize import Scheme, quantize_
from reference_impl.quantization.quantized_checkpoint import is_quantized, load_quantized
from reference_impl.text.any_tokenizer import load_tokenizer
from reference_impl.text.chat_template import ChatTemplate
from reference_impl.text.tokenizer import SMALLEST_VOCABULARY, ByteBPE
from reference_impl.training.checkpoint import load_checkpoint, read_chat_template, save_checkpoint
from reference_impl.training.checkpoint_folder import TOKENIZER

DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""The precisions that are plain casts. On a CPU bf16 is a format of the weights (`stored_as`)."""


class ReferenceModel:
    """A reference GPT with its tokenizer."""

    def __init__(
        self, engine: Engine, tokenizer: Tokenizer, identity: ModelIdentity, turns: ChatTemplate | None = None
    ) -> None:
        self._engine = engine
        self.tokenizer = tokenizer
        self.identity = identity
        self.turns = turns
        """How it was taught conversations (`chat.py`); None where it was taught none."""

    @property
    def gpt(self) -> GPT:
        """The module itself, for measures that look inside."""
        return self._engine.model

    @property
    def attention(self) -> Attention:
        """How it attends when it reads a prompt."""
        return self._engine.attention

    @property
    def config(self) -> GPTConfig:
        """See `Logits.config`."""
        return self._engine.config

    def new_cache(self, batch: int, length: int, *, sliding: bool = False) -> KVCache:
        """An empty cache, allocated whole. ValueError if it is longer than the context."""
        return self._engine.new_cache(batch, length)

    @property
    def forward(self) -> Forward:
        """See `Logits.forward`."""
        return self._engine.forward

    @property
    def head_is_apart(self) -> bool:
        """See `HeadApart.head_is_apart`."""
        return True

    @property
    def head(self) -> Tensor | None:
        """See `HeadApart.head`."""
        return self._engine.plain_head

    def logits_of(self, features: Tensor) -> Tensor:
        """See `HeadApart.logits_of`."""
        return self._engine.unembed(features)

    @property
    def features(self) -> Forward:
        """See `HeadApart.features`."""
        return self._engine.features


def open_source(source: ModelSource) -> ReferenceModel:
    """Load a checkpoint folder. Raises UserError where it is missing or damaged, or of another precision."""
    try:
        if is_quantized(source.path):
            loaded = load_quantized(source.path)
            if source.precision != loaded.scheme:
                raise UserError(
                    f"this checkpoint is {loaded.scheme} and can't be opened as {source.precision}: ask for "
                    f"`precision: {loaded.scheme}`, or give the checkpoint that it was made from",
                    place=source.path,
                )
            turns = read_chat_template(Path(source.path))
            return running(loaded.model, quantized_tokenizer(source), source, turns)
        checkpoint = load_checkpoint(source.path)
        model, tokenizer = checkpoint.model, checkpoint.tokenizer
    except (ValueError, OSError) as error:
        raise UserError(str(error)) from error
    return as_language_model(model, tokenizer, source, checkpoint.chat_template)


def quantized_tokenizer(source: ModelSource) -> Tokenizer:
    """The tokenizer beside quantized weights: ours, or that of the `transformers` folder that they came from."""
    if (Path(source.path) / "tokenizer_config.json").is_file():
        from harness.models.tokenizer_loading import open_tokenizer

        return open_tokenizer(source)
    return load_tokenizer(Path(source.path) / TOKENIZER)


def save_throwaway(folder: str) -> None:
    """Save a GPT of a few thousand parameters with its tokenizer, to be opened once and forgotten."""
    config = GPTConfig(vocabulary=SMALLEST_VOCABULARY, context=64, layers=1, heads=2, width=16)
    with torch.random.fork_rng(devices=[]):
        model = GPT(config)
    save_checkpoint(folder, model, ByteBPE.train(["throwaway"], SMALLEST_VOCABULARY))


def stored_as(precision: Precision, device: str) -> Scheme | torch.dtype:
    """How the weights are kept: a quantization scheme, or the type that everything is cast to.

    bf16 on a CPU is a scheme, because few CPUs compute in it; a GPU takes the plain cast.
    """
    if precision == "bf16" and device == "cpu":
        return "bf16"
    return DTYPES[precision] if precision in DTYPES else SCHEMES[precision]


def store(model: GPT, source: ModelSource, tokenizer: Tokenizer) -> GPT:
    """The model cast or quantized in place, from fp32: a rounding to bf16 before would be a second one."""
    stored = stored_as(source.precision, source.device)
    if isinstance(stored, torch.dtype):
        return model.to(stored)
    if stored == "bf16":
        quantize_(model, stored)
    else:
        quantize(model, source.precision, tokenizer, model.config.context)
    return model


def as_language_model(
    model: GPT, tokenizer: Tokenizer, source: ModelSource, turns: ChatTemplate | None = None
) -> ReferenceModel:
    """A GPT that is in memory already, in fp32; it is cast or quantized in place as `source` says."""
    return running(store(model, source, tokenizer), tokenizer, source, turns)


def running(model: GPT, tokenizer: Tokenizer, source: ModelSource, turns: ChatTemplate | None = None) -> ReferenceModel:
    """A GPT that is stored as `source` says, ready to run."""
    engine = Engine(model.to(source.device).eval())
    config, path = model.config, Path(source.path).expanduser()
    few = torch.arange(min(8, config.context), device=source.device).remainder(config.vocabulary)[None]
    refuse_overflow(engine.forward(few), source)
    counts = count_parameters(config)
    stored = settled(model, source.precision)
    text = settled_text(source.name, config.vocabulary, config.vocabulary, tokenizer, ends_in(path))
    identity = ModelIdentity(
        name=source.name,
        kind=source.kind,
        digest=source.digest,
        tokenizer_digest=tokenizer.digest,
        precision=source.precision,
        device=source.device,
        parameters=counts.total,
        parameters_non_embedding=counts.non_embedding,
        parameters_matmul=counts.matmul,
        parameters_active=counts.total,
        parameters_head=counts.head,
        vocabulary=config.vocabulary,
        embedding_rows=config.vocabulary,
        context=config.context,
        layers=config.layers,
        width=config.width,
        kv_bytes_per_token=kv_bytes_per_token(config, engine.cache_dtype.itemsize),
        skips_masked=True,
        widens_bf16=source.device == "cpu",
        cache=CacheBehavior(tree=True),
        **{**stored, **text, "notes": (*stored["notes"], *text["notes"])},
    )
    return ReferenceModel(engine, tokenizer, identity, turns)
