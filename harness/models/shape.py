"""What of a model's shape its memory depends on, read from `config.json` without opening it. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.models.bounded_files import settings_or_nothing

if TYPE_CHECKING:
    from reference_impl.model.config import GPTConfig

Attention = Literal["fused", "masked", "eager"]
"""fused: scores of queries with keys are never stored. masked: neither, but a mask of their size is. eager: they are,
for every head."""

AttentionOf = Callable[[str, Mapping[str, Any]], Attention]
"""(model type, config) -> how such a model attends."""

CONTEXT = ("n_positions", "max_position_embeddings", "n_ctx", "max_seq_len")
"""Names of a configuration's longest sequence, in the order in which they are looked for (`models/context.py`)."""
MOST = 1 << 32
"""No size that memory depends on is larger."""


@dataclass(frozen=True)
class ModelShape:
    """The sizes that buffers of a forward pass have."""

    vocabulary: int
    context: int
    layers: int
    width: int
    ffn_width: int
    heads: int
    kv_heads: int
    head_width: int
    attention: Attention
    plain_head: bool
    """Whether logits are one product, whose buffer is small."""
    is_bounded: bool = False
    """Whether `context` is known to be the longest text, and no guess."""


def gpt_shape(config: GPTConfig) -> ModelShape:
    """The shape of a reference GPT."""
    return ModelShape(
        vocabulary=config.vocabulary,
        context=config.context,
        layers=config.layers,
        width=config.width,
        ffn_width=config.ffn_width,
        heads=config.heads,
        kv_heads=config.kv_heads,
        head_width=config.head_width,
        attention="fused",
        plain_head=True,
        is_bounded=True,
    )


def _fused(model_type: str, config: Mapping[str, Any]) -> Attention:
    return "fused"


def folder_shape(folder: str, attention_of: AttentionOf = _fused) -> ModelShape | None:
    """The shape of a `transformers` folder by its `config.json`; None where it doesn't tell.

    attention_of: how what runs it attends; left out, as the reference does.
    """
    try:
        written = settings_or_nothing(Path(folder).expanduser() / "config.json")
        config = written.get("text_config", written)
        return _shape(config, attention_of(str(written.get("model_type")), config))
    except (ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError):
        return None  # opening the model says what is wrong with it


def _shape(config: Mapping[str, Any], attention: Attention) -> ModelShape:
    def number(*names: str, default: int | None = None) -> int:
        found = next((config[name] for name in names if isinstance(config.get(name), int)), default)
        if found is None:
            raise KeyError(names[0])
        if not 0 < found < MOST:
            raise ValueError(names[0])
        return int(found)

    width = number("hidden_size", "n_embd", "d_model")
    heads = number("num_attention_heads", "n_head", "n_heads", "num_heads", "attention_heads")
    return ModelShape(
        vocabulary=number("vocab_size"),
        context=number(*CONTEXT, default=2048),
        layers=number("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
        width=width,
        ffn_width=number("intermediate_size", "n_inner", "ffn_dim", "dff", default=4 * width),
        heads=heads,
        kv_heads=number("num_key_value_heads", default=heads),
        head_width=number("head_dim", default=width // heads),
        attention=attention,
        plain_head=config.get("final_logit_softcapping") is None,
        is_bounded=any(isinstance(config.get(name), int) for name in CONTEXT) and not _stretches(config),
    )


def _stretches(config: Mapping[str, Any]) -> bool:
    """Whether rotary positions reach beyond the configuration's length."""
    ropes = [config.get("rope_scaling"), config.get("rope_parameters")]
    return any("dynamic" in str(rope) or "longrope" in str(rope) for rope in ropes)
