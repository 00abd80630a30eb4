"""Weights of `transformers`' LlamaForCausalLM as ours and back, exactly: the same GPT class with Llama's settings.

Their separate query, key and value projections become rows of our fused one, group by group: the queries that share a
key, that key, its value. Everything else is the same tensor under another name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT

if TYPE_CHECKING:
    from transformers import LlamaConfig, LlamaForCausalLM

IN_BLOCKS = (
    ("attention_norm.weight", "input_layernorm.weight"),
    ("attention.out.weight", "self_attn.o_proj.weight"),
    ("ffn_norm.weight", "post_attention_layernorm.weight"),
    ("ffn.gate.weight", "mlp.gate_proj.weight"),
    ("ffn.up.weight", "mlp.up_proj.weight"),
    ("ffn.down.weight", "mlp.down_proj.weight"),
)


def tensors_from_llama(read: Callable[[str], Tensor], config: GPTConfig) -> Iterator[tuple[str, Tensor]]:
    """Our names and tensors one by one; `read` gives the tensor of a name of `transformers`'."""
    yield "token_embedding.weight", read("model.embed_tokens.weight")
    for layer in range(config.layers):
        theirs = f"model.layers.{layer}"
        query, key, value = (
            read(f"{theirs}.self_attn.{which}_proj.weight").view(config.kv_heads, -1, config.width) for which in "qkv"
        )
        yield f"blocks.{layer}.attention.qkv.weight", torch.cat((query, key, value), dim=1).flatten(0, 1)
        for mine, name in IN_BLOCKS:
            yield f"blocks.{layer}.{mine}", read(f"{theirs}.{name}")
    yield "final_norm.weight", read("model.norm.weight")
    if not config.tie_head:
        yield "head.weight", read("lm_head.weight")


def tensors_to_llama(state: Mapping[str, Tensor], config: GPTConfig) -> Iterator[tuple[str, Tensor]]:
    """`transformers`' names and tensors one by one, from tensors (weights or gradients) by our names."""
    yield "model.embed_tokens.weight", state["token_embedding.weight"]
    sharing = config.heads // config.kv_heads
    for layer in range(config.layers):
        theirs = f"model.layers.{layer}"
        groups = state[f"blocks.{layer}.attention.qkv.weight"].view(
            config.kv_heads, -1, config.head_width, config.width
        )
        for which, part in zip("qkv", torch.split(groups, [sharing, 1, 1], dim=1), strict=True):
            yield f"{theirs}.self_attn.{which}_proj.weight", part.flatten(0, 2)
        for mine, name in IN_BLOCKS:
            yield f"{theirs}.{name}", state[f"blocks.{layer}.{mine}"]
    yield "model.norm.weight", state["final_norm.weight"]
    if not config.tie_head:
        yield "lm_head.weight", state["head.weight"]


def config_from_llama(config: LlamaConfig) -> GPTConfig:
    """Our config of a `transformers` Llama config.

    Raises ValueError where the config asks for something that this model doesn't compute.
    """
    rope = config.rope_parameters
    head_width = config.head_dim or config.hidden_size // config.num_attention_heads
    for wrong, sentence in (
        (config.hidden_act != "silu", f"hidden_act is {config.hidden_act!r}; this model has 'silu'."),
        (config.attention_bias or config.mlp_bias, "it has biases; this model's Llama has none."),
        (rope.get("rope_type", "default") != "default", f"rope_type is {rope.get('rope_type')!r}, not 'default'."),
        (
            head_width * config.num_attention_heads != config.hidden_size,
            f"{config.num_attention_heads} heads of {head_width} are not hidden_size {config.hidden_size} wide.",
        ),
    ):
        if wrong:
            raise ValueError(f"can't convert this transformers Llama: {sentence}")
    return GPTConfig(
        vocabulary=config.vocab_size,
        context=config.max_position_embeddings,
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        width=config.hidden_size,
        ffn_width=config.intermediate_size,
        positions="rotary",
        rotary_base=float(rope["rope_theta"]),
        norm="rms",
        ffn="swiglu",
        bias=False,
        norm_epsilon=config.rms_norm_eps,
        tie_head=config.tie_word_embeddings,
    )


def from_llama(model: LlamaForCausalLM) -> GPT:
    """Our model with a copy of a `transformers` Llama's weights, in its type, on its device, in its mode.

    Raises ValueError where its config asks for something that this model doesn't compute.
    """
    config = config_from_llama(model.config)
    gpt = GPT(config).to(device=model.device, dtype=model.dtype)
    gpt.load_state_dict(dict(tensors_from_llama(model.state_dict().__getitem__, config)), strict=not config.tie_head)
    return gpt.train(model.training)
