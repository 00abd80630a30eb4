"""How many bytes a shape's weights would take in a format, exactly, without making them.

`weight_bytes.py` counts the tensors of a model that exists; this counts those that `quantize_` would make, so that a
70-billion-parameter shape can be sized on a laptop:

    stored_bytes(GPTConfig(...), "int4")
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from reference_impl.model.config import GPTConfig
from reference_impl.model.counting import count_parameters
from reference_impl.quantization.four_bit_float import BLOCK
from reference_impl.quantization.int4 import GROUP
from reference_impl.quantization.int8 import INPUTS_MULTIPLE

Stored = Literal["fp32", "bf16", "fp16", "int8", "int8-dynamic", "int4", "int4-gptq", "nf4", "fp4"]


def _int8(outputs: int, inputs: int) -> int:
    return outputs * _up(inputs, INPUTS_MULTIPLE) + 2 * outputs


def _int4(outputs: int, inputs: int) -> int:
    padded = _up(inputs, GROUP)
    return outputs * padded // 2 + 4 * outputs * padded // GROUP


def _four_bit_float(outputs: int, inputs: int) -> int:
    padded = _up(inputs, BLOCK)
    return outputs * padded // 2 + 4 * outputs * padded // BLOCK


MATRIX_BYTES: dict[str, Callable[[int, int], int]] = {
    "fp32": lambda outputs, inputs: 4 * outputs * inputs,
    "bf16": lambda outputs, inputs: 2 * outputs * inputs,
    "fp16": lambda outputs, inputs: 2 * outputs * inputs,
    "int8": _int8,
    "int8-dynamic": _int8,
    "int4": _int4,
    "int4-gptq": _int4,
    "nf4": _four_bit_float,
    "fp4": _four_bit_float,
}
"""Bytes of a weight (out, in) with its scales and padding, by format."""

OWN_EMBEDDING = ("int4", "int4-gptq", "nf4", "fp4")
"""Formats too coarse for look-ups: an embedding that is tied to the head gets an int8 copy of its own."""


def stored_bytes(config: GPTConfig, stored: Stored, activation_bytes: int = 4) -> int:
    """Bytes of all weights of `GPT(config)`, stored as `stored` says, norms and biases included.

    activation_bytes: of one element of a norm, which has the type of the activations (4: fp32, what a CPU without
    bf16 arithmetic takes; 2: bf16). Raises ValueError for an unknown format.
    """
    if stored not in get_args(Stored):
        raise ValueError(f"no weights are stored as {stored!r}: take one of {', '.join(get_args(Stored))}.")
    matrix = MATRIX_BYTES[stored]
    plain = {"fp32": 4, "fp16": 2}.get(stored)  # casts: every parameter in the one type
    if plain is not None:
        return plain * count_parameters(config).total
    table = 2 * config.vocabulary * config.width  # an embedding that is only looked up: bf16
    head = matrix(config.vocabulary, config.width)
    if not config.tie_head:
        embeddings = table + head
    elif stored in OWN_EMBEDDING:
        embeddings = _int8(config.vocabulary, config.width) + head
    else:
        embeddings = head
    if config.positions == "learned":
        embeddings += 2 * config.context * config.width
    matrices = _block_matrices(config)
    biases = 2 * sum(outputs for outputs, _ in matrices) if config.bias else 0
    norm = {"layer": 2 * config.width if config.bias else config.width, "rms": config.width, "none": 0}[config.norm]
    block = sum(matrix(*shape) for shape in matrices) + biases + 2 * norm * activation_bytes
    return embeddings + config.layers * block + norm * activation_bytes


def _block_matrices(config: GPTConfig) -> list[tuple[int, int]]:
    """(out, in) of every matrix of a block. Matrices that the model keeps as one count as one."""
    width, ffn = config.width, config.ffn_width
    ups = 2 if config.ffn == "swiglu" else 1
    return [(width + 2 * config.kv_width, width), (width, width), (ups * ffn, width), (width, ffn)]


def _up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple
