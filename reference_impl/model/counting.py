"""Exact parameters, FLOPs and cache bytes of a GPT, from its config alone.

Nothing is built, so a 175B shape is counted as fast as a tiny one. One multiply-add is two FLOPs. Only
matrix products are counted, as everybody does: LayerNorm, GELU, softmax and look-ups are left out.
"""

from dataclasses import dataclass

from reference_impl.model.config import GPTConfig


@dataclass(frozen=True)
class ParameterCount:
    """How many parameters, by what they are good for."""

    total: int
    """All of them, a tied head's once."""
    non_embedding: int
    """Without token and position embeddings and without the head, tied or not (N of Kaplan et al. 2020)."""
    matmul: int
    """Those that are a factor in a matrix product for each token: the head even when tied, no look-ups."""
    head: int
    """Those of `matmul` that are the head, which works only where logits are asked for."""


def count_parameters(config: GPTConfig) -> ParameterCount:
    """Parameters of the model that `GPT(config)` would build."""
    width, ffn, qkv = config.width, config.ffn_width, config.width + 2 * config.kv_width
    ups = 2 if config.ffn == "swiglu" else 1  # gate and up
    block_weights = width * qkv + width * width + (ups + 1) * width * ffn  # qkv and out; up and down
    block_biases = qkv + width + ups * ffn + width if config.bias else 0
    norm = {"layer": 2 * width if config.bias else width, "rms": width, "none": 0}[config.norm]
    non_embedding = config.layers * (block_weights + block_biases + 2 * norm) + norm
    head = config.vocabulary * width
    embeddings = config.vocabulary * width + (config.context * width if config.positions == "learned" else 0)
    return ParameterCount(
        total=non_embedding + embeddings + (0 if config.tie_head else head),
        non_embedding=non_embedding,
        matmul=config.layers * block_weights + head,
        head=head,
    )


def forward_flops(config: GPTConfig, time: int, cached: int = 0, logits: int | None = None) -> int:
    """Useful FLOPs of reading `time` tokens of one sequence after `cached` others.

    Each token costs 2 N_matmul FLOPs (the head's share only at the `logits` positions whose logits are wanted;
    None means all). Attention adds, for each layer and each pair of a query and a key that it may look at,
    2 width FLOPs for QK^T and as many for the pattern times V; there are time cached + time (time + 1) / 2
    such pairs. This is Kaplan et al. 2020 (equation 2.2) without its rounding. Kernels that compute the masked
    half too spend more.
    """
    parameters = count_parameters(config)
    heads = time if logits is None else logits
    pairs = time * cached + time * (time + 1) // 2
    return (
        2 * (parameters.matmul - parameters.head) * time
        + 2 * parameters.head * heads
        + 4 * config.layers * config.width * pairs
    )


def forward_flops_per_token(config: GPTConfig, sequence: int) -> float:
    """Mean over a full sequence with logits everywhere: 2 N_matmul + 2 layers width (sequence + 1)."""
    return forward_flops(config, sequence) / sequence


def training_flops(config: GPTConfig, tokens: int, sequence: int) -> float:
    """Exact FLOPs of training on `tokens` tokens cut into sequences of `sequence`.

    The backward pass takes two matrix products for each one of the forward pass, so a step is three forwards
    (Kaplan et al. 2020, 2.1). Recomputed activations are not useful work and are not counted.
    """
    return 3.0 * forward_flops_per_token(config, sequence) * tokens


def six_nd(parameters: int, tokens: int) -> float:
    """C = 6 N D, the usual estimate of training FLOPs (Kaplan et al. 2020, section 2.1).

    It leaves attention out. Kaplan et al. take N without embeddings, Hoffmann et al. 2022 take all
    parameters: say which `parameters` you gave.
    """
    return 6.0 * parameters * tokens


def kv_bytes_per_token(config: GPTConfig, bytes_per_element: int) -> int:
    """Bytes of keys and values that one token of one sequence adds to the cache, over all layers."""
    return 2 * config.layers * config.kv_width * bytes_per_element
