"""Adapter: a checkpoint of the reference GPT as a `LanguageModel`.

Imports all it needs at the top, and runs no operation then: workers are forked from a process that has imported it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from harness.errors import UserError
from harness.models.contract import ModelIdentity, ModelSource
from harness.models.counting import count_parameters, read_bytes, stored_bytes
from harness.models.quantised import SCHEMES, quantise
from reference_impl.inference.kv_cache import KVCache
from reference_impl.model.config import GPTConfig
from reference_impl.model.counting import kv_bytes_per_token
from reference_impl.model.gpt import GPT
from reference_impl.text.any_tokenizer import Tokenizer
from reference_impl.text.tokenizer import SMALLEST_VOCABULARY, ByteBPE
from reference_impl.training.checkpoint import load_checkpoint, save_checkpoint

DTYPES: dict[str, torch.dtype] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    **dict.fromkeys(SCHEMES, torch.bfloat16),
}
"""The type of activations and of the weights that are not quantised."""


class ReferenceModel:
    """A reference GPT with its tokenizer."""

    def __init__(self, model: GPT, tokenizer: Tokenizer, identity: ModelIdentity) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._identity = identity

    @property
    def identity(self) -> ModelIdentity:
        """What it is."""
        return self._identity

    @property
    def tokenizer(self) -> Tokenizer:
        """Its tokenizer."""
        return self._tokenizer

    @property
    def gpt(self) -> GPT:
        """The module itself, for measures that look inside."""
        return self._model

    def new_cache(self, batch: int, length: int) -> KVCache:
        """An empty cache, allocated whole. ValueError if it is longer than the context."""
        dtype = DTYPES[self._identity.precision]
        return KVCache(self._model.config, batch, length, dtype=dtype, device=self._identity.device)

    @torch.inference_mode()
    def forward(
        self,
        tokens: Tensor,
        cache: KVCache | None = None,
        positions: Tensor | None = None,
        attention_mask: Tensor | None = None,
        logits_at: Tensor | None = None,
    ) -> Tensor:
        """Logits of the next token: see `LanguageModel.forward`."""
        logits: Tensor = self._model(tokens, cache, positions, attention_mask, logits_at)
        return logits


def open_source(source: ModelSource) -> ReferenceModel:
    """Load a checkpoint folder. Raises UserError where it is missing or damaged."""
    try:
        checkpoint = load_checkpoint(source.path)
    except (ValueError, OSError) as error:
        raise UserError(str(error)) from error
    return as_language_model(checkpoint.model, checkpoint.tokenizer, source)


def save_throwaway(folder: str) -> None:
    """Save a GPT of a few thousand parameters with its tokenizer, to be opened once and forgotten."""
    config = GPTConfig(vocabulary=SMALLEST_VOCABULARY, context=64, layers=1, heads=2, width=16)
    with torch.random.fork_rng(devices=[]):
        model = GPT(config)
    save_checkpoint(folder, model, ByteBPE.train(["throwaway"], SMALLEST_VOCABULARY))


def as_language_model(model: GPT, tokenizer: Tokenizer, source: ModelSource) -> ReferenceModel:
    """A GPT that is in memory already; it is cast and quantised in place as `source` says."""
    config = model.config
    counts = count_parameters(model, model.head)
    dtype = DTYPES[source.precision]
    if source.precision in SCHEMES:
        quantise(
            model, source.precision, tokenizer, config.context
        )  # from fp32: a rounding to bf16 first would be a second one
    else:
        model.to(dtype)
    model.to(source.device).eval()
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
        parameters_head=counts.head,
        weight_bytes=stored_bytes(model),
        weight_bytes_read=read_bytes(model),
        vocabulary=config.vocabulary,
        context=config.context,
        layers=config.layers,
        width=config.width,
        kv_bytes_per_token=kv_bytes_per_token(config, dtype.itemsize),
    )
    return ReferenceModel(model, tokenizer, identity)
