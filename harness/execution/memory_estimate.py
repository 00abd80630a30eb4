"""What memory a cell would take: the library, the weights, and the largest buffers of its longest forward pass.

Arithmetic on the shape of the model and on the passes that a measure says it makes (`harness.measures.cost`). Of
perplexities over tiny models with large vocabularies and long contexts it was within a factor of `WITHIN` of the peak
that was measured (`tests/harness/execution/test_memory_estimate.py`).
"""

from __future__ import annotations

from harness.measures.cost import Passes
from harness.models.contract import Precision
from harness.models.shape import ModelShape

WITHIN = 1.5
BYTES_PER_WEIGHT: dict[Precision, float] = {
    **{"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "int8": 1.05, "int8-dynamic": 1.05},
    **{"int4": 0.65, "int4-gptq": 0.65, "nf4": 0.6, "fp4": 0.6},
}
LOADING = 1.25
"""Weights while they are loaded, over weights."""
LOGITS_AT_ONCE = {True: 7_500_000, False: 48_000_000}
"""Most logits that stand in memory together, by whether the head is a plain product, buffers of the softmax included:
as `harness.scoring.head_slices`."""
SOFTMAX = 4_000_000


def memory_of(passes: Passes, libraries: float, precision: Precision, weights: int, shape: ModelShape) -> float:
    """Bytes that a worker process holds at most. passes: what the measure runs. libraries: bytes of the process before
    it opens anything. weights: parameters of the model."""
    stored = weights * BYTES_PER_WEIGHT[precision]
    models = stored * LOADING
    if passes.beside is not None and passes.beside != precision:
        models += weights * BYTES_PER_WEIGHT[passes.beside]
    wide = 4.0 if precision in ("fp32", "int8", "int8-dynamic") else 3.0  # bf16 passes have some fp32 buffers
    return (
        libraries
        + models
        + activations(passes.tokens, passes.longest, shape, wide)
        + passes.cached * kv_bytes(shape, 4.0 if precision == "fp32" else 2.0)
        + logits(passes.tokens, shape)
    )


def logits(tokens: int, shape: ModelShape) -> float:
    """Bytes of logits and of their softmax: bounded, whatever is scored."""
    most = max(LOGITS_AT_ONCE[shape.plain_head], shape.vocabulary)
    return 4.0 * (min(tokens * shape.vocabulary, most) + min(tokens * shape.vocabulary, max(SOFTMAX, shape.vocabulary)))


def activations(tokens: int, longest: int, shape: ModelShape, size: float) -> float:
    """Bytes of the largest layer's buffers, over `tokens` tokens of `size` bytes an element, in sequences of up to
    `longest`."""
    layer = tokens * size * (8 * shape.width + 5 * shape.ffn_width)
    if shape.attention == "fused":
        return layer
    pairs = float(tokens) * longest
    if shape.attention == "masked":
        return layer + 5.0 * pairs  # one bool and one float per pair
    return layer + 2.5 * size * shape.heads * pairs


def kv_bytes(shape: ModelShape, size: float) -> float:
    """Bytes of keys and values of one token."""
    return 2.0 * shape.layers * shape.kv_heads * shape.head_width * size
