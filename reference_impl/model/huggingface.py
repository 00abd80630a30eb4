"""The same weights in `transformers`' GPT2LMHeadModel layout, both ways, exactly.

Two layouts differ in two things: `transformers` keeps a linear layer's weight as (in, out), and orders the
rows of the fused query-key-value projection as (3, heads, head width) where ours are (heads, 3, head width).
The mapping is linear, so it carries gradients as well as weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from reference_impl.model.config import FFN, GPTConfig
from reference_impl.model.gpt import GPT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from transformers import GPT2Config, GPT2LMHeadModel

# (ours, theirs) of everything that is the same tensor in both.
OUTSIDE_BLOCKS = (
    ("token_embedding.weight", "transformer.wte.weight"),
    ("position_embedding.weight", "transformer.wpe.weight"),
    ("final_norm.weight", "transformer.ln_f.weight"),
    ("final_norm.bias", "transformer.ln_f.bias"),
    ("head.weight", "lm_head.weight"),
)
NORMS = (("attention_norm", "ln_1"), ("ffn_norm", "ln_2"))
LINEARS = (
    ("attention.qkv", "attn.c_attn"),
    ("attention.out", "attn.c_proj"),
    ("ffn.up", "mlp.c_fc"),
    ("ffn.down", "mlp.c_proj"),
)


GELUS: dict[str, FFN] = {"gelu_new": "gelu", "gelu_pytorch_tanh": "gelu", "gelu": "gelu_exact"}
"""`transformers`' names of what lies between the feed-forward matrices, and ours."""


def state_from_huggingface(state: Mapping[str, Tensor], config: GPTConfig) -> dict[str, Tensor]:
    """Tensors by our names, from tensors (weights or gradients) by `transformers`' names."""
    ours = dict(tensors_from_huggingface(state.__getitem__, config))
    if config.tie_head and "lm_head.weight" in state:
        ours["head.weight"] = state["lm_head.weight"]
    return ours


def tensors_from_huggingface(read: Callable[[str], Tensor], config: GPTConfig) -> Iterator[tuple[str, Tensor]]:
    """The same one by one; `read` gives the tensor of a name of `transformers`', so nothing need be held at once."""
    for mine, theirs in OUTSIDE_BLOCKS:
        if mine != "head.weight" or not config.tie_head:
            yield mine, read(theirs)
    for layer in range(config.layers):
        for mine, theirs in NORMS:
            for part in ("weight", "bias"):
                yield f"blocks.{layer}.{mine}.{part}", read(f"transformer.h.{layer}.{theirs}.{part}")
        for mine, theirs in LINEARS:
            weight = read(f"transformer.h.{layer}.{theirs}.weight").t()
            bias = read(f"transformer.h.{layer}.{theirs}.bias")
            if mine == "attention.qkv":
                weight, bias = (_swap_outer_rows(x, 3, config.heads) for x in (weight, bias))
            yield f"blocks.{layer}.{mine}.weight", weight
            yield f"blocks.{layer}.{mine}.bias", bias


def state_to_huggingface(state: Mapping[str, Tensor], config: GPTConfig) -> dict[str, Tensor]:
    """Tensors by `transformers`' names, from tensors (weights or gradients) by our names."""
    theirs_state = {theirs: state[mine] for mine, theirs in OUTSIDE_BLOCKS if mine in state}
    for layer in range(config.layers):
        for mine, theirs in NORMS:
            for part in ("weight", "bias"):
                theirs_state[f"transformer.h.{layer}.{theirs}.{part}"] = state[f"blocks.{layer}.{mine}.{part}"]
        for mine, theirs in LINEARS:
            weight, bias = (state[f"blocks.{layer}.{mine}.{part}"] for part in ("weight", "bias"))
            if mine == "attention.qkv":
                weight, bias = (_swap_outer_rows(x, config.heads, 3) for x in (weight, bias))
            theirs_state[f"transformer.h.{layer}.{theirs}.weight"] = weight.t()
            theirs_state[f"transformer.h.{layer}.{theirs}.bias"] = bias
    return theirs_state


def _swap_outer_rows(x: Tensor, first: int, second: int) -> Tensor:
    """Rows ordered (first, second, rest) become (second, first, rest). x: (rows, ...)."""
    return x.reshape(first, second, -1, *x.shape[1:]).transpose(0, 1).reshape(x.shape)


def config_from_huggingface(config: GPT2Config) -> GPTConfig:
    """Our config of a `transformers` GPT-2 config.

    Raises ValueError where the config asks for something that this model doesn't compute.
    """
    width = config.n_embd
    ffn = config.n_inner or 4 * width
    dropouts = {config.resid_pdrop, config.embd_pdrop, config.attn_pdrop}
    for wrong, sentence in (
        (
            config.activation_function not in GELUS,
            f"activation_function is {config.activation_function!r}; this model has {', '.join(GELUS)}.",
        ),
        (len(dropouts) > 1, "resid_pdrop, embd_pdrop and attn_pdrop differ; this model has one dropout."),
        (not config.scale_attn_weights, "scale_attn_weights is off; this model always scales attention."),
        (
            config.scale_attn_by_inverse_layer_idx,
            "scale_attn_by_inverse_layer_idx is on; this model doesn't scale attention by layer.",
        ),
        (config.add_cross_attention, "add_cross_attention is on; this model is a decoder only."),
    ):
        if wrong:
            raise ValueError(f"can't convert this transformers GPT-2: {sentence}")
    return GPTConfig(
        vocabulary=config.vocab_size,
        context=config.n_positions,
        layers=config.n_layer,
        heads=config.n_head,
        width=width,
        ffn_width=ffn,
        ffn=GELUS[config.activation_function],
        dropout=config.resid_pdrop,
        norm_epsilon=config.layer_norm_epsilon,
        tie_head=config.tie_word_embeddings,
    )


def config_to_huggingface(config: GPTConfig) -> GPT2Config:
    """The `transformers` config of our config. It has no special tokens: our ids have no fixed meaning.

    Raises ValueError for a shape that isn't GPT-2's.
    """
    gelus = {ours: theirs for theirs, ours in reversed(GELUS.items())}
    if (config.positions, config.norm, config.ffn in gelus, config.bias, config.kv_heads) != (
        *("learned", "layer", True, True),
        config.heads,
    ):
        raise ValueError(
            "only a GPT-2 shape (learned positions, LayerNorm, GELU, biases, as many kv_heads as heads) "
            f"can become a transformers GPT-2, not {config}."
        )
    from transformers import GPT2Config

    return GPT2Config(
        vocab_size=config.vocabulary,
        n_positions=config.context,
        n_layer=config.layers,
        n_head=config.heads,
        n_embd=config.width,
        n_inner=config.ffn_width,
        activation_function=gelus[config.ffn],
        resid_pdrop=config.dropout,
        embd_pdrop=config.dropout,
        attn_pdrop=config.dropout,
        layer_norm_epsilon=config.norm_epsilon,
        tie_word_embeddings=config.tie_head,
        bos_token_id=None,
        eos_token_id=None,
    )


def from_huggingface(model: GPT2LMHeadModel) -> GPT:
    """Our model with a copy of a `transformers` GPT-2's weights, in its type, on its device, in its mode.

    Raises ValueError where its config asks for something that this model doesn't compute.
    """
    config = config_from_huggingface(model.config)
    gpt = GPT(config).to(device=model.device, dtype=model.dtype)
    gpt.load_state_dict(state_from_huggingface(model.state_dict(), config))
    return gpt.train(model.training)


def to_huggingface(gpt: GPT) -> GPT2LMHeadModel:
    """A `transformers` GPT-2 with a copy of our model's weights, in its type, on its device, in its mode."""
    from transformers import GPT2LMHeadModel

    weight = gpt.token_embedding.weight
    model = GPT2LMHeadModel(config_to_huggingface(gpt.config)).to(device=weight.device, dtype=weight.dtype)
    model.load_state_dict(state_to_huggingface(gpt.state_dict(), gpt.config))
    return model.train(gpt.training)
