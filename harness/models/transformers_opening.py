"""Opening a model of `transformers`: loaded, tried, and its identity put together.

The weights are read straight into the type that is asked for, so that there is never a second copy. Right after
loading the model is tried: one that looks at later tokens is refused, how its cache behaves is found by comparing it
with whole passes, and the bytes of its cache are counted instead of assumed.

Imports all it needs at the top, and runs no operation then: workers are forked from a process that has imported it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from harness.errors import UserError, told
from harness.models.audit import ends_of, settled_text
from harness.models.context import longest_text
from harness.models.contract import ModelIdentity, ModelSource
from harness.models.dynamic_positions import forget_lengths
from harness.models.known_behavior import behavior_of, with_bytes
from harness.models.quantized import SCHEMES, quantize, type_buffers_like
from harness.models.storage import settled
from harness.models.tokenizer_loading import open_tokenizer
from harness.models.transformers import TransformersModel, TransformersPasses
from harness.models.transformers_fit import refuse_overflow
from harness.models.transformers_loading import LoadedModel, load_model
from harness.models.transformers_tokenizer import TransformersTokenizer
from reference_impl.text.tokenizer import ByteBPE


def open_source(source: ModelSource) -> TransformersModel:
    """Load the model and its tokenizer. Raises UserError where that fails, with the fix."""
    loaded = load_model(source)
    return identified(loaded, open_tokenizer(source), source)


def identified(loaded: LoadedModel, tokenizer: TransformersTokenizer, source: ModelSource) -> TransformersModel:
    """A model that is loaded, tried, stored as `source` says and counted. Raises UserError where it can't be run."""
    model, counts = loaded.model, loaded.counts
    model.eval()
    forget_lengths(model)
    config = model.config.get_text_config()
    vocabulary, context = config.vocab_size, longest_text(config, model, tokenizer.longest)
    embedding_rows = model.get_input_embeddings().weight.shape[0]
    ends = ends_of(getattr(model, "generation_config", None), loaded.written)
    text = settled_text(source.name, vocabulary, embedding_rows, tokenizer, ends)
    label = loaded.quantized.label if loaded.quantized is not None else ""
    stored = settled(model, source.precision, label)  # before a pass: bitsandbytes then rewrites weights for this CPU
    of_it = (source.name, vocabulary, context, source.device)
    behavior = behavior_of(TransformersPasses(model, *of_it), source.path, source.digest, counts.matmul)
    if source.precision in SCHEMES:
        # its cache has the type of the activations, so bf16 also where fp32 would be faster
        type_buffers_like(model, loaded.skeleton)
        quantize(model, source.precision, tokenizer, context, torch.bfloat16)
        model.eval()
        stored = settled(model, source.precision, label)
    passes = TransformersPasses(model, *of_it, divisible=behavior.divisible)  # of the modules as they are now
    few = torch.arange(min(4, context), device=source.device).remainder(vocabulary)[None]
    refuse_overflow(_first_logits(passes, few, source), source)
    per_token, behavior = with_bytes(passes, behavior)
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
        vocabulary=vocabulary,
        embedding_rows=embedding_rows,
        context=context,
        layers=config.num_hidden_layers,
        width=_attention_width(config),
        kv_bytes_per_token=per_token,
        cache=behavior,
        **{**stored, **text, "notes": (*loaded.notes, *stored["notes"], *text["notes"])},
    )
    return TransformersModel(model, tokenizer, identity)


def _first_logits(opened: TransformersPasses, tokens: Tensor, source: ModelSource) -> Tensor:
    try:
        return opened.forward(tokens)
    except Exception as error:  # a class says in its own way that it can't be run so
        raise UserError(
            f"the model's code can't be run in {source.precision} ({told(error)}): measure it in bf16 or fp32",
            place=source.path,
        ) from error


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


def _attention_width(config: Any) -> int:
    """Width of the queries over all heads; 0 for a model without attention."""
    heads = getattr(config, "num_attention_heads", None)
    return heads * (getattr(config, "head_dim", None) or config.hidden_size // heads) if heads else 0
