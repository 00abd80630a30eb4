"""Adapter: any causal language model that Hugging Face `transformers` loads, from a folder or from the hub.

The weights are read straight into the type that is asked for, so that there is never a second copy. Right after
loading the model is probed with a few tokens: an encoder that can be loaded as a language model, but looks at later
tokens, is refused, and the bytes of its KV cache are counted instead of assumed.

Imports all it needs at the top, and runs no operation then: workers are forked from a process that has imported it.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    DynamicCache,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from harness.errors import UserError
from harness.models.audit import audited, ends_of
from harness.models.contract import ModelIdentity, ModelSource
from harness.models.quantised import SCHEMES, quantise, type_buffers_like
from harness.models.storage import settled
from harness.models.transformers_fit import refuse_overflow
from harness.models.transformers_loading import load_model, open_tokenizer
from harness.models.transformers_tokenizer import TransformersTokenizer
from reference_impl.text.tokenizer import ByteBPE


class TransformersModel:
    """A loaded `transformers` model as a `LanguageModel`."""

    def __init__(self, model: Any, tokenizer: TransformersTokenizer, identity: ModelIdentity) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._identity = identity
        self._selects_logits = "logits_to_keep" in inspect.signature(model.forward).parameters

    @property
    def identity(self) -> ModelIdentity:
        """What it is."""
        return self._identity

    @property
    def tokenizer(self) -> TransformersTokenizer:
        """Its tokenizer."""
        return self._tokenizer

    def new_cache(self, batch: int, length: int) -> DynamicCache:
        """An empty cache; it grows as it is filled, so `batch` and `length` are not needed."""
        return DynamicCache(config=self._model.config)

    @torch.inference_mode()
    def forward(
        self,
        tokens: Tensor,
        cache: DynamicCache | None = None,
        positions: Tensor | None = None,
        attention_mask: Tensor | None = None,
        logits_at: Tensor | None = None,
    ) -> Tensor:
        """Logits of the next token: see `LanguageModel.forward`."""
        given: dict[str, Any] = {}
        if attention_mask is not None and attention_mask.dim() == 3:
            attention_mask = _added(attention_mask, self._model.dtype)
        elif positions is None and attention_mask is not None:
            # transformers would number the padding too, and shift a left-padded row's real tokens
            positions = (attention_mask.long().cumsum(dim=-1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
        if positions is not None:
            given["position_ids"] = positions
        if logits_at is not None and self._selects_logits:
            given["logits_to_keep"] = logits_at
        logits: Tensor = self._model(
            input_ids=tokens,
            attention_mask=attention_mask,
            past_key_values=cache,
            use_cache=cache is not None,
            **given,
        ).logits
        return logits if logits_at is None or self._selects_logits else logits[:, logits_at]


def open_source(source: ModelSource) -> TransformersModel:
    """Load the model and its tokenizer. Raises UserError where that fails, with the mend."""
    loaded = load_model(source)
    model, counts = loaded.model, loaded.counts
    rows = model.get_input_embeddings().weight.shape[0]
    tokenizer = open_tokenizer(source)
    if source.precision in SCHEMES:
        # its cache has the type of the activations, so bf16 also where fp32 would be faster
        type_buffers_like(model, loaded.skeleton)
        quantise(model, source.precision, tokenizer, _context(model.config.get_text_config()), torch.bfloat16)
    model.eval()
    config = model.config.get_text_config()
    heads = config.num_attention_heads
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
        parameters_active=counts.active,
        parameters_head=counts.head,
        vocabulary=config.vocab_size,
        embedding_rows=rows,
        context=_context(config),
        layers=config.num_hidden_layers,
        width=heads * (getattr(config, "head_dim", None) or config.hidden_size // heads),
        kv_bytes_per_token=0,
        **settled(model, source.precision, loaded.quantized.label if loaded.quantized is not None else ""),
    )
    identity = identity.model_copy(update={"notes": (*loaded.notes, *identity.notes)})
    identity = audited(identity, tokenizer, ends_of(getattr(model, "generation_config", None), loaded.written))
    opened = TransformersModel(model, tokenizer, identity)
    bytes_per_token = _probe(opened, source)
    return TransformersModel(model, tokenizer, identity.model_copy(update={"kv_bytes_per_token": bytes_per_token}))


def save_throwaway(folder: str) -> None:
    """Save a Llama of a few thousand parameters with its tokenizer, to be opened once and forgotten."""
    config = LlamaConfig(
        vocab_size=257,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
    )
    with torch.random.fork_rng(devices=[]):
        LlamaForCausalLM(config).save_pretrained(folder)
    definition = Path(folder, "definition.json")
    ByteBPE.train(["throwaway"], 257).save(definition)
    PreTrainedTokenizerFast(tokenizer_file=str(definition)).save_pretrained(folder)


def _probe(model: TransformersModel, source: ModelSource) -> int:
    """Bytes of the KV cache per token, from a cache that is filled. Raises UserError if the model isn't causal."""
    time = min(4, model.identity.context)
    tokens = torch.arange(time, device=source.device).remainder(model.identity.vocabulary)[None]
    changed = tokens.clone()
    changed[0, -1] = (changed[0, -1] + 1) % model.identity.vocabulary
    cache = model.new_cache(1, time)
    before, after = model.forward(tokens, cache=cache), model.forward(changed)
    refuse_overflow(before, source)
    moved = (before - after)[:, :-1].float().abs().amax() if time > 1 else torch.zeros(())
    if moved > 0.02 * before.float().std():
        raise UserError(
            "the logits of a token change with the tokens after it: this is not a causal language model "
            "(an encoder such as BERT?)",
            place=source.path,
        )
    held = [t for layer in cache.layers for t in (layer.keys, layer.values) if isinstance(t, Tensor)]
    return sum(t.nbytes for t in held) // time


def _added(visible: Tensor, dtype: torch.dtype) -> Tensor:
    """What transformers adds to the scores of (1, time, keys): 0 where a token may look. (1, 1, time, keys)."""
    hidden = torch.zeros(visible.shape, dtype=dtype, device=visible.device)
    return hidden.masked_fill_(~visible, torch.finfo(dtype).min)[:, None]


def _context(config: Any) -> int:
    """The longest sequence: the config's, under any of its names; 2048 where none tells, as lm-eval assumes."""
    for name in ("max_position_embeddings", "n_positions", "n_ctx"):
        found = getattr(config, name, None)
        if isinstance(found, int):
            return found
    return 2048
