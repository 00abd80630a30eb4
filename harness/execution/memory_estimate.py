"""What memory a cell would take: the library, the weights, and the largest buffers of its longest forward pass.

Arithmetic on the shape of the model and the settings of the cell. Of perplexities over tiny models with large
vocabularies and long contexts it was within a factor of `WITHIN` of the peak that was measured
(`tests/harness/execution/test_memory_estimate.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.models.contract import Kind, Precision
from harness.models.shape import ModelShape
from harness.results.record import Scalar

WITHIN = 1.5
LIBRARIES: dict[Kind, float] = {"reference": 260e6, "converted": 400e6, "transformers": 400e6}
"""Bytes of a process that has imported what opens such a model, and done nothing."""
BYTES_PER_WEIGHT: dict[Precision, float] = {
    **{"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "int8": 1.05, "int8-dynamic": 1.05},
    **{"int4": 0.65, "int4-gptq": 0.65, "nf4": 0.6, "fp4": 0.6},
}
LOADING = 1.25
"""Weights while they are loaded, over weights."""
TOKENS_AT_ONCE = 2048
"""Tokens that windows are put together for, as scoring does: one window may be longer."""
LOGITS_AT_ONCE = {True: 7_500_000, False: 48_000_000}
"""Most logits that stand in memory together, by whether the head is a plain product, buffers of the softmax included:
as `harness.scoring.head_slices`."""
SOFTMAX = 4_000_000
ROWS = 16
"""Answers that are written at once."""


def memory_of(
    measure: str, settings: Mapping[str, Scalar], kind: Kind, precision: Precision, weights: int, shape: ModelShape
) -> float:
    """Bytes that a worker process holds at most. weights: parameters of the model."""
    stored = weights * BYTES_PER_WEIGHT[precision]
    models = stored * LOADING
    if measure == "fidelity" and precision != "fp32":
        models += 4.0 * weights
    tokens, longest, cached = _tokens(measure, settings, shape)
    wide = 4.0 if precision in ("fp32", "int8", "int8-dynamic") else 3.0  # bf16 passes have some fp32 buffers
    return (
        LIBRARIES[kind]
        + models
        + activations(tokens, longest, shape, wide)
        + cached * kv_bytes(shape, 4.0 if precision == "fp32" else 2.0)
        + logits(tokens, shape)
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


def _tokens(measure: str, settings: Mapping[str, Scalar], shape: ModelShape) -> tuple[int, int, int]:
    """Tokens of the largest forward pass, of its longest sequence, and tokens that caches hold."""

    def number(name: str, default: int) -> int:
        value = settings.get(name)
        return int(value) if isinstance(value, int) else default

    batch, context = number("batch", 1), shape.context
    if measure in ("perplexity", "fidelity", "in_context"):
        window = number("tokens" if measure == "in_context" else "window", context)
        return max(window, TOKENS_AT_ONCE // window * window), window, 0
    if measure == "inference":
        prompt = number("prompt", 128)
        return batch * prompt, prompt, batch * (prompt + number("generate", 32))
    if measure == "memory":
        held = number("context", 512)
        return batch * held, held, batch * held
    if measure == "kv_cache":
        held = number("generate", 1000)
        return held, held, held
    if measure == "diversity":
        prompt = number("prompt", 16)
        return min(ROWS * prompt, max(prompt, TOKENS_AT_ONCE)), prompt, ROWS * (prompt + number("generate", 64))
    longest = min(context, TOKENS_AT_ONCE)
    return longest, longest, 2 * longest if measure == "task" else 0
