"""GPTQ: the int4 codes of a layer, chosen so that its outputs change least on a calibration text.

Round-to-nearest rounds each weight alone. GPTQ takes the columns (inputs) in order and, after rounding one, moves
the columns to its right so that they make up for its error as well as they can on the calibration inputs.
The format stays `int4.py`'s (groups of 32, asymmetric), so nothing changes for the kernels: only the codes differ.

Frantar, Ashkboos, Hoefler, Alistarh: GPTQ, ICLR 2023 (arXiv:2210.17323), algorithm 1.

    codes = gptq_codes(model, batches)     # {layer: codes, scale, zero}

Layers are calibrated in the order in which they run, as many at a time as their Hessians fit in `HESSIAN_BYTES`. All
layers of one pass see the inputs that the unquantized ones among them give; those of earlier passes are
quantized already. A model that fits (135M parameters do) is so calibrated all at once, on the inputs of the original
model; one layer a pass would be the paper's order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from reference_impl.quantization.int4 import GROUP, dequantize_int4, quantize_int4
from reference_impl.quantization.linear_layers import is_linear, weight_of
from reference_impl.training.checkpoint_weights import all_finite

DAMPING = 0.01
"""Part of the Hessian's mean diagonal that is added to its diagonal (the paper's 1 %, section 3.3)."""

LAZY_COLUMNS = 128
"""Columns between two updates of all that is to their right (the paper's B): a few large products, not many small."""

HESSIAN_BYTES = 1 << 30
"""Most bytes of Hessians that are held at once."""


@dataclass(frozen=True)
class Int4Codes:
    """A weight in the format of `quantize_int4`; the inputs are padded to a multiple of the group."""

    codes: Tensor
    """(out, padded in) uint8."""
    scale: Tensor
    """(out, padded in / 32) bf16."""
    zero: Tensor
    """(out, padded in / 32) bf16."""
    in_features: int

    def dense(self) -> Tensor:
        """What they stand for: (out, in) fp32."""
        return dequantize_int4(self.codes, self.scale, self.zero)[:, : self.in_features]


def gptq_codes(
    model: nn.Module,
    batches: Sequence[Tensor],
    *,
    forward: Callable[[Tensor], object] | None = None,
    hessian_bytes: int = HESSIAN_BYTES,
    damping: float = DAMPING,
) -> dict[nn.Module, Int4Codes]:
    """The codes of every linear layer that runs, calibrated on `batches`.

    model: in fp32, in evaluation mode; its weights are as before when this returns. batches: token ids, each
    (batch, time) int64, given to `forward` (left out, the model itself). Layers that no batch reaches are missing.
    Raises ValueError without batches, and where a weight or an activation is not finite.
    """
    if not batches:
        raise ValueError("GPTQ needs text to calibrate on: give at least one batch of token ids.")
    forward = forward or model
    names = {module: name for name, module in model.named_modules() if is_linear(module)}
    for module, name in names.items():
        if not all_finite(weight_of(module)):
            raise ValueError(f"the weights of {name} are not finite (NaN or infinite), so they can't be quantized.")
    found: dict[nn.Module, Int4Codes] = {}
    originals: list[tuple[nn.Module, Tensor]] = []
    with torch.no_grad():
        try:
            passes = list(_passes(_in_running_order(names, batches[0], forward), hessian_bytes))
            for number, sharing in enumerate(passes, start=1):
                hessians = _hessians(sharing, batches, forward)
                for layers, hessian in zip(sharing, hessians, strict=True):
                    if not all_finite(hessian):
                        raise ValueError(f"the inputs of {names[layers[0]]} are not finite on the calibration text.")
                    factor = error_feedback(_padded(hessian), damping)
                    for layer in layers:
                        found[layer] = quantize_columns(weight_of(layer), factor)
                for layer in (layer for layers in sharing for layer in layers if number < len(passes)):
                    originals.append((layer, weight_of(layer).clone()))
                    weight_of(layer).copy_(found[layer].dense())
        finally:
            for layer, weight in originals:
                weight_of(layer).copy_(weight)
    return found


def error_feedback(hessian: Tensor, damping: float = DAMPING) -> Tensor:
    """The upper Cholesky factor U of the inverse of the damped Hessian, U^T U = H^-1: (in, in) fp32.

    Row i of U, divided by U[i, i], says how the columns right of i make up for an error in column i. An input that
    is always zero gets a diagonal of its own and so no part in that. Factorised in float64.
    """
    hessian = hessian.double()
    diagonal = hessian.diagonal()
    silent = diagonal == 0
    typical = diagonal[~silent].mean() if not silent.all() else diagonal.new_ones(())
    hessian = hessian + torch.diag(torch.where(silent, typical, 0.0) + damping * typical)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian))
    factor: Tensor = torch.linalg.cholesky(inverse, upper=True)
    return factor.float()


def quantize_columns(weight: Tensor, factor: Tensor) -> Int4Codes:
    """GPTQ's inner loop on one weight.

    weight: (out, in) float. factor: (padded in, padded in) from `error_feedback`. Each group's scale and zero are
    taken from the weights as they are when its first column's turn comes. Errors reach the columns of the same block
    at once, and those to the right of it when the block is done.
    """
    in_features = weight.size(1)
    # Padded with copies of the last input, which leave its group's range as it is.
    current = F.pad(weight[None].float(), (0, -in_features % GROUP), mode="replicate")[0].clone()
    outputs, inputs = current.shape
    codes = torch.empty(outputs, inputs, dtype=torch.uint8, device=weight.device)
    scales, zeros = [], []
    for start in range(0, inputs, LAZY_COLUMNS):
        stop = min(start + LAZY_COLUMNS, inputs)
        block, within = current[:, start:stop], factor[start:stop, start:stop]
        errors = torch.empty_like(block)
        for i in range(stop - start):
            if i % GROUP == 0:
                _, scale, zero = quantize_int4(block[:, i : i + GROUP])
                scales.append(scale)
                zeros.append(zero)
                step, offset = scale[:, 0].float(), zero[:, 0].float()
            column = block[:, i]
            code = ((column - offset) / step + 8).round().clamp(0, 15)
            codes[:, start + i] = code.to(torch.uint8)
            errors[:, i] = (column - ((code - 8) * step + offset)) / within[i, i]
            block[:, i + 1 :].addr_(errors[:, i], within[i, i + 1 :], alpha=-1)
        current[:, stop:].addmm_(errors, factor[start:stop, stop:], alpha=-1)
    return Int4Codes(codes, torch.cat(scales, dim=1), torch.cat(zeros, dim=1), in_features)


def _in_running_order(
    names: Iterable[nn.Module], batch: Tensor, forward: Callable[[Tensor], object]
) -> list[list[nn.Module]]:
    """The layers in the order in which they first run; those that are given the same input stand together."""
    sharing: list[list[nn.Module]] = []
    seen: set[nn.Module] = set()
    last: Tensor | None = None

    def note(layer: nn.Module, given: Tensor) -> None:
        nonlocal last
        if layer not in seen:
            seen.add(layer)
            # the same object, which `last` keeps alive: queries, keys and values read one input
            if given is last:
                sharing[-1].append(layer)
            else:
                sharing.append([layer])
        last = given

    with _hooks(names, note):
        forward(batch)
    return sharing


def _passes(sharing: list[list[nn.Module]], hessian_bytes: int) -> Iterator[list[list[nn.Module]]]:
    """Runs of layers whose Hessians fit in memory together (at least one)."""
    chosen: list[list[nn.Module]] = []
    size = 0
    for layers in sharing:
        own = 4 * weight_of(layers[0]).size(1) ** 2
        if chosen and size + own > hessian_bytes:
            yield chosen
            chosen, size = [], 0
        chosen.append(layers)
        size += own
    if chosen:
        yield chosen


def _hessians(
    sharing: list[list[nn.Module]], batches: Sequence[Tensor], forward: Callable[[Tensor], object]
) -> list[Tensor]:
    """The sum of x x^T over all inputs x, for each set of layers that share their input: (in, in) fp32 each.

    It is the Hessian of a layer's squared output error up to a factor, which changes nothing.
    """
    sums: dict[nn.Module, Tensor] = {}
    for first, *_ in sharing:
        weight = weight_of(first)
        sums[first] = torch.zeros(weight.size(1), weight.size(1), device=weight.device)

    def add(layer: nn.Module, given: Tensor) -> None:
        x = given.reshape(-1, given.size(-1)).float()
        sums[layer].addmm_(x.t(), x)

    with _hooks(sums, add):
        for batch in batches:
            forward(batch)
    return list(sums.values())


@contextmanager
def _hooks(layers: Iterable[nn.Module], hear: Callable[[nn.Module, Tensor], None]) -> Iterator[None]:
    """Within this context `hear(layer, input)` is called before each layer runs."""

    def hook(layer: nn.Module, given: tuple[Any, ...]) -> None:
        hear(layer, given[0])

    handles = [layer.register_forward_pre_hook(hook) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _padded(hessian: Tensor) -> Tensor:
    """With silent inputs up to a multiple of the group."""
    more = -hessian.size(0) % GROUP
    return F.pad(hessian, (0, more, 0, more))
