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
from safetensors import SafetensorError
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
)

from harness.errors import UserError
from harness.models.audit import audited, ends_of
from harness.models.contract import ModelIdentity, ModelSource, Precision
from harness.models.counting import count_parameters, read_bytes, stored_bytes
from harness.models.quantised import SCHEMES, quantise
from harness.models.transformers_tokenizer import TransformersTokenizer
from reference_impl.text.tokenizer import ByteBPE

DTYPES: dict[Precision, Any] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    **dict.fromkeys(SCHEMES, "auto"),
}
"""What the weights are loaded as. The quantised precisions take the file's own type and quantise it layer by layer, in
place: rounding to bf16 first would be a second rounding, widening to fp32 a second copy."""


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
    """Load the model and its tokenizer. Raises UserError where that fails, with the fix."""
    model = _load_model(source)
    tokenizer = open_tokenizer(source)
    head = model.get_output_embeddings()
    counts = count_parameters(model, head, _active_experts(model.config))
    if source.precision in SCHEMES:
        # its cache has the type of the activations, so bf16 also where fp32 would be faster
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
        parameters_head=counts.head,
        weight_bytes=stored_bytes(model),
        weight_bytes_read=read_bytes(model),
        vocabulary=config.vocab_size,
        context=_context(config),
        layers=config.num_hidden_layers,
        width=heads * (getattr(config, "head_dim", None) or config.hidden_size // heads),
        kv_bytes_per_token=0,
    )
    identity = audited(identity, tokenizer, ends_of(getattr(model, "generation_config", None), _written_config(source)))
    opened = TransformersModel(model, tokenizer, identity)
    bytes_per_token = _probe(opened, source)
    return TransformersModel(model, tokenizer, identity.model_copy(update={"kv_bytes_per_token": bytes_per_token}))


def _written_config(source: ModelSource) -> dict[str, Any]:
    """`config.json` as it is written, without the defaults of its class."""
    written: dict[str, Any]
    written, _ = PreTrainedConfig.get_config_dict(source.path, revision=source.revision or "main")
    return written


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


def _load_model(source: ModelSource) -> Any:
    _check_folder(source)
    placed = {} if source.device == "cpu" else {"device_map": {"": source.device}}
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            source.path,
            dtype=DTYPES[source.precision],
            revision=source.revision or "main",
            trust_remote_code=source.trust_remote_code,
            output_loading_info=True,
            **placed,
        )
    except (SafetensorError, EOFError) as error:
        raise UserError(
            f"the weights are damaged ({_first_line(error)}): fetch or write them again", place=source.path
        ) from error
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise UserError(_what_went_wrong(error), place=source.path) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise UserError(
            f"{len(missing)} weights are missing, such as {missing[0]}; transformers would make them up at random: "
            "is this the whole checkpoint, of a causal language model?",
            place=source.path,
        )
    return model


def open_tokenizer(source: ModelSource) -> TransformersTokenizer:
    """The tokenizer of a folder or of a hub id. Raises UserError where it can't be loaded."""
    try:
        return TransformersTokenizer(
            AutoTokenizer.from_pretrained(
                source.path, revision=source.revision or "main", trust_remote_code=source.trust_remote_code
            )
        )
    except Exception as error:  # the library raises whatever its parsers raise
        raise UserError(
            f"the tokenizer can't be loaded ({_first_line(error)}): put its files (tokenizer.json, "
            "tokenizer_config.json) beside the weights",
            place=source.path,
        ) from error


def _check_folder(source: ModelSource) -> None:
    """Say what is missing in a local folder before the library does, at length."""
    folder = Path(source.path).expanduser()
    if not folder.is_dir():
        if folder.is_absolute() or source.path.startswith((".", "~")) or source.path.count("/") > 1:
            raise UserError("no such model folder; give a folder, or a hub id such as owner/name", place=source.path)
        return
    if not (folder / "config.json").is_file():
        raise UserError("this folder has no config.json, so it holds no model of transformers", place=source.path)
    if not any(folder.glob("*.safetensors")) and not any(folder.glob("*.bin")):
        raise UserError("this folder has no weights (*.safetensors): copy the whole model", place=source.path)


def _what_went_wrong(error: Exception) -> str:
    text = str(error)
    if "Unrecognized configuration class" in text:
        return "this is not a causal language model: transformers has no such head for its architecture"
    if "trust_remote_code" in text:
        return "this model needs its own code: if you trust it, run again with --trust-remote-code"
    if "connect" in text.lower() or "offline" in text.lower():
        return "the hub can't be reached and this model is not in its cache: go online, or give a local folder"
    return f"transformers can't load this model ({_first_line(error)})"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _probe(model: TransformersModel, source: ModelSource) -> int:
    """Bytes of the KV cache per token, from a cache that is filled. Raises UserError if the model isn't causal."""
    time = min(4, model.identity.context)
    tokens = torch.arange(time, device=source.device).remainder(model.identity.vocabulary)[None]
    changed = tokens.clone()
    changed[0, -1] = (changed[0, -1] + 1) % model.identity.vocabulary
    cache = model.new_cache(1, time)
    before, after = model.forward(tokens, cache=cache), model.forward(changed)
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


def _active_experts(config: Any) -> float:
    """The share of a mixture's experts that one token visits; 1 for a dense model."""
    text = config.get_text_config()
    experts = next((getattr(text, n) for n in ("num_local_experts", "num_experts") if getattr(text, n, None)), None)
    visited = getattr(text, "num_experts_per_tok", None)
    return visited / experts if experts and visited else 1.0
