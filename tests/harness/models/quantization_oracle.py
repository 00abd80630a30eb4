"""Is a `transformers` model that was opened at a precision what that precision says? Recomputed in numpy, from the
checkpoint's own numbers, by nothing of ours.

    check_precision(folder, "int4", tokens)

checks that

* every weight of two or three dimensions is stored in the precision's format, each row as numpy rounds it, or stands in
  `identity.stored.wide`;
* biases, norms and what is only looked up are the checkpoint's, rounded to bf16; nothing is missing;
* tied weights are tied, or the second copy is counted;
* bytes are those that the formats' definitions give;
* logits are those of the fp32 model with the rounded weights, within what rounding activations to bf16 moves them. That
  is measured on the fp32 model itself: every module's output is moved by relative noise of bf16's unit roundoff.

Raises AssertionError that says which.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

from harness.models.contract import ModelSource, Precision
from harness.models.open import open_model
from harness.results.stored_weights import StoredWeights

Array = NDArray[np.float32]

NF4 = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635),
    *(-0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725),
    *(0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)
FP4 = (0, 0.0625 / 12, 2 / 12, 3 / 12, 4 / 12, 6 / 12, 8 / 12, 1)
ROUNDOFF = 2.0**-8
"""bf16 keeps 8 bits: a rounding moves a number by at most 2^-9 of itself. A module rounds its input and its output."""
REALIZATIONS = 6
WITHIN = 3.0
"""How many times the largest realization of that noise the logits may be away."""


def bf16(x: Any) -> Array:
    """Rounded to bf16, ties to even."""
    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32).astype(np.uint64)
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16 << 16
    return bits.astype(np.uint32).view(np.float32)


def _int8(w: Array) -> tuple[Array, int]:
    scale = bf16(np.maximum(np.abs(w).max(1) / np.float32(127), np.finfo(np.float32).tiny))[:, None]
    codes = np.clip(np.rint(w / scale), -127, 127)
    return codes * scale, len(w) * (_up(w.shape[1], 32) + 2)


def _int4(w: Array) -> tuple[Array, int]:
    inputs = w.shape[1]
    padded = np.pad(w, ((0, 0), (0, _up(inputs, 32) - inputs)), mode="edge")
    groups = padded.reshape(len(w), -1, 32)
    low, high = groups.min(-1, keepdims=True), groups.max(-1, keepdims=True)
    scale = bf16(np.maximum((high - low) / np.float32(15), np.finfo(np.float32).tiny))
    zero = bf16(low + np.float32(8) * scale)
    codes = np.clip(np.rint((groups - zero) / scale + 8), 0, 15)
    dense = ((codes - 8) * scale + zero).reshape(len(w), -1)[:, :inputs]
    return dense.astype(np.float32), padded.size // 2 + padded.size // 32 * 4


def _float4(values: tuple[float, ...]) -> Callable[[Array], tuple[Array, int]]:
    table = np.array(sorted({*values, *(-v for v in values)} if min(values) >= 0 else values), np.float32)

    def rounded(w: Array) -> tuple[Array, int]:
        inputs = w.shape[1]
        padded = np.pad(w, ((0, 0), (0, _up(inputs, 64) - inputs)))
        blocks = padded.reshape(len(w), -1, 64)
        scale = np.abs(blocks).max(-1, keepdims=True)
        parts = blocks / np.maximum(scale, np.finfo(np.float32).tiny)
        nearest = table[np.abs(parts[..., None] - table).argmin(-1)] * scale
        return nearest.reshape(len(w), -1)[:, :inputs], padded.size // 2 + padded.size // 64 * 4

    return rounded


FOUR_BITS = ("int4", "int4-gptq", "nf4", "fp4")

FORMATS: dict[str, Callable[[Array], tuple[Array, int]]] = {
    "bf16": lambda w: (bf16(w), 2 * w.size),
    "fp16": lambda w: (w.astype(np.float16).astype(np.float32), 2 * w.size),
    "int8": _int8,
    "int8-dynamic": _int8,
    "int4": _int4,
    "int4-gptq": _int4,
    "nf4": _float4(NF4),
    "fp4": _float4(FP4),
}
"""What a matrix (out, in) becomes, and its bytes."""


def check_precision(folder: Path, precision: Precision, tokens: Tensor) -> StoredWeights:
    """AssertionError where the folder's model at `precision` isn't what that says. Returns what it stores.

    tokens: (1, time) int64, some that the model has.
    """
    exact = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    opened = open_model(ModelSource("m", "transformers", str(folder), "d", precision=precision))
    return check_opened(exact, opened, precision, tokens)


@torch.no_grad()
def check_opened(exact: Any, opened: Any, precision: Precision, tokens: Tensor) -> StoredWeights:
    """The same for a model that is open. exact: what transformers loads in fp32; its weights are replaced."""
    model, stored = opened.module, opened.identity.stored
    weights = {name: p.detach().clone() for name, p in exact.named_parameters(remove_duplicate=False)}
    tied = [
        (a, b)
        for a, p in exact.named_parameters(remove_duplicate=False)
        for b, q in exact.named_parameters(remove_duplicate=False)
        if a < b and p is q
    ]
    conv = {f"{name}.weight" for name, module in exact.named_modules() if type(module).__name__ == "Conv1D"}
    held = {name: _held(model, name) for name in weights}
    dense, sizes = {}, {}
    for name, weight in weights.items():
        dense[name], size = _rounded(name, weight, held[name], precision, stored, name in conv)
        sizes[_identity(held[name])] = size
    for buffer in _kept_buffers(exact):
        sizes[buffer] = _kept_buffers(model)[buffer]
    for a, b in tied:
        shared = _identity(held[a]) == _identity(held[b])
        assert shared or precision in FOUR_BITS, f"{a} and {b} were tied and are not"
    announced = opened.identity.weight_bytes
    assert announced == stored.bytes == sum(sizes.values()), (
        f"{announced} bytes are announced, {sum(sizes.values())} held"
    )
    _set(exact, dense)
    got = opened.forward(tokens)[0].float()
    _check_logits(exact, got, tokens, precision)
    return stored


def _held(model: nn.Module, name: str) -> Any:
    path, _, leaf = name.rpartition(".")
    found = getattr(model.get_submodule(path), leaf, None)
    assert found is not None, f"{name} is left out"
    return found


def _identity(held: Any) -> object:
    tensors = [held] if isinstance(held, Tensor) else list(held.buffers())
    return tuple(t.data_ptr() for t in tensors)


def _rounded(
    name: str, weight: Tensor, held: Any, precision: Precision, stored: StoredWeights, transposed: bool
) -> tuple[Tensor, int]:
    """What the model holds in place of a weight, checked against numpy: as fp32, and its bytes."""
    original = weight.numpy()
    if isinstance(held, Tensor):
        kept = {torch.float32: original, torch.bfloat16: bf16(original)}
        kept[torch.float16] = original.astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(held.float().numpy(), kept[held.dtype], err_msg=name)
        is_wide = held.dim() > 1 and precision not in ("bf16", "fp16", "fp32")
        assert not is_wide or _listed(name, stored), f"{name} stayed {held.dtype} and is not listed"
        return held.float(), held.nbytes
    experts = getattr(held, "experts", None)
    if experts is None:
        matrices, parts = [original.T if transposed else original], [held]
    else:
        matrices, parts = [one.T if held.transposed else one for one in original], list(experts)
    found, size = [], 0
    for matrix, part in zip(matrices, parts, strict=True):
        assert part.label in FORMATS, f"{name} is stored as {part.label!r}"
        looked_up = part.label != precision
        assert not looked_up or _may_differ(name, part.label, precision, stored), f"{name} is stored as {part.label}"
        expected, bytes_ = FORMATS[part.label](np.ascontiguousarray(matrix))
        got = part.dense(0, part.out_features).numpy()
        if part.label == "int4-gptq":  # codes were chosen on a text: within the range of each group
            assert np.abs(got - matrix).max() <= np.ptp(matrix), name
        else:
            # as numpy rounds it; a weight halfway between two values may go to either
            step = np.abs(expected - matrix).max(1, keepdims=True)
            off = np.abs(got - expected) > 1e-6 * np.abs(matrix).max()
            assert (np.abs(got - matrix) <= step * 1.0001 + 1e-7).all() and off.mean() < 1e-3, (
                f"{name} is rounded wrong"
            )
        held_bytes = sum(buffer.nbytes for buffer in part.buffers())
        assert held_bytes == bytes_, f"{name}: {held_bytes} bytes, by the format {bytes_}"
        found.append(torch.from_numpy(got))
        size += bytes_
    if experts is None:
        dense = found[0].t() if transposed else found[0]
    else:
        dense = torch.stack([one.t() if held.transposed else one for one in found])
    return dense, size


def _may_differ(name: str, label: str, precision: Precision, stored: StoredWeights) -> bool:
    """A 4-bit precision keeps in int8 what a head is tied to, GPTQ rounds what its text doesn't reach, and embeddings
    that are only looked up are bf16 and listed."""
    tied_copy = label == "int8" and precision in FOUR_BITS
    return tied_copy or (precision, label) == ("int4-gptq", "int4") or _listed(name, stored)


def _listed(name: str, stored: StoredWeights) -> bool:
    return any(re.sub(r"(?<=\.)\d+(?=\.)", "*", name) == each.name for each in stored.wide)


def _kept_buffers(model: nn.Module) -> dict[str, int]:
    """Buffers that a checkpoint holds, less those that stand for parameters."""
    own = {
        f"{prefix}.{name}" if prefix else name: buffer.nbytes
        for prefix, module in model.named_modules()
        for name, buffer in module._buffers.items()
        if buffer is not None and name not in module._non_persistent_buffers_set
    }
    return own


def _set(model: nn.Module, dense: dict[str, Tensor]) -> None:
    """Replace each weight by one of its own, tied ones too."""
    for name, weight in dense.items():
        path, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(path), leaf, nn.Parameter(weight.contiguous(), requires_grad=False))


def _check_logits(exact: nn.Module, got: Tensor, tokens: Tensor, precision: Precision) -> None:
    generator = torch.Generator().manual_seed(0)
    with _rounding_inputs(exact) if precision == "int8-dynamic" else _as_it_is():
        expected = exact(tokens, use_cache=False).logits[0]
        noise = []
        for _ in range(REALIZATIONS):
            with _noisy(exact, generator):
                noise.append(_away(exact(tokens, use_cache=False).logits[0], expected))
    bound, away = WITHIN * max(noise), _away(got, expected)
    assert away <= bound, f"logits are {away:.3g} away from those of the rounded weights; rounding explains {bound:.3g}"


def _away(a: Tensor, b: Tensor) -> float:
    """The median over positions of the largest difference: a router's near-tie may send a few elsewhere."""
    return float((a - b).abs().amax(-1).median())


@contextmanager
def _noisy(model: nn.Module, generator: torch.Generator) -> Iterator[None]:
    def hook(module: nn.Module, given: Any, result: Any) -> Any:
        if isinstance(result, Tensor) and result.is_floating_point():
            return result * (1 + ROUNDOFF * (2 * torch.rand(result.shape, generator=generator) - 1))
        return result

    handles = [module.register_forward_hook(hook) for module in model.modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _rounding_inputs(model: nn.Module) -> Iterator[None]:
    """Inputs of linear layers rounded to int8 per row, outlier features left alone (LLM.int8)."""

    def hook(module: nn.Module, given: tuple[Any, ...]) -> Any:
        x = given[0]
        loud = x.abs() >= 6.0
        quiet = x.masked_fill(loud, 0)
        step = (quiet.abs().amax(-1, keepdim=True) / 127).clamp(min=1e-30)
        return (torch.where(loud, x, (quiet / step).round() * step), *given[1:])

    linear = [m for m in model.modules() if isinstance(m, nn.Linear) or type(m).__name__ == "Conv1D"]
    handles = [module.register_forward_pre_hook(hook) for module in linear]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield


def _up(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple
