"""The one walk over a loaded model's tensors: what each is stored as, its bytes, whether a decode step reads it.

It holds for every precision, for checkpoints that came quantized, and for models that aren't ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from harness.models.contract import Precision
from harness.models.quantized import left_wide_by
from harness.results.stored_weights import FormatBytes, StoredWeights, WideWeights
from reference_impl.quantization.quantized_modules import QuantizedEmbedding
from reference_impl.quantization.stored_weight import StoredWeight

SHORT = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16", torch.float64: "fp64"}


@dataclass(frozen=True)
class StoredTensor:
    """A tensor, or a quantized weight with its scales."""

    name: str
    """Of tied ones the first name."""
    format: str
    bytes: int
    matrix: bool
    """Whether it has two dimensions or more."""
    read: bool
    """Whether a decode step reads it: not where it is only looked up."""


def stored_tensors(model: nn.Module) -> list[StoredTensor]:
    """Every tensor that a model stores, each once. Buffers that follow from the configuration, such as rotary tables,
    are not weights."""
    found: dict[object, StoredTensor] = {}
    inside: set[nn.Module] = set()
    for prefix, module, looks_up in _modules(model):
        if module in inside:
            continue
        if isinstance(module, StoredWeight):
            inside.update(each for each in module.modules() if each is not module)
            parts = [(prefix, module.label, sum(each.nbytes for each in module.buffers()), True, _memory(module))]
        else:
            parts = list(_own(prefix, module))
        for name, format, size, matrix, key in parts:
            known = found.setdefault(key, StoredTensor(name, format, size, matrix, not looks_up))
            if not looks_up and not known.read:
                found[key] = replace(known, read=True)
    return list(found.values())


def stored_weights(tensors: Iterable[StoredTensor], wide: Mapping[str, str]) -> StoredWeights:
    """The table. wide: name and reason of each matrix that a quantization left."""
    tensors = list(tensors)
    sizes: dict[str, list[int]] = {}
    for tensor in tensors:
        sizes.setdefault(tensor.format, []).append(tensor.bytes)
    formats = [FormatBytes(format=name, tensors=len(each), bytes=sum(each)) for name, each in sizes.items()]
    left: dict[tuple[str, str, str], list[int]] = {}
    for tensor in tensors:
        if (reason := wide.get(tensor.name)) is not None:
            left.setdefault((_pattern(tensor.name), tensor.format, reason), []).append(tensor.bytes)
    return StoredWeights(
        formats=tuple(sorted(formats, key=lambda each: -each.bytes)),
        wide=tuple(
            WideWeights(name=name, tensors=len(each), format=format, bytes=sum(each), reason=reason)
            for (name, format, reason), each in left.items()
        ),
    )


def settled(model: nn.Module, precision: Precision, quantized_by: str = "") -> dict[str, Any]:
    """What the storage of a loaded model says of it: the fields of `ModelIdentity`, notes last.

    quantized_by: how the weights came quantized, where they did: then the quantizer left what isn't packed.
    """
    tensors = stored_tensors(model)
    wide = left_wide_by(model, precision)
    packed = any(tensor.format not in SHORT.values() for tensor in tensors)
    if quantized_by and packed:
        wide = {t.name: "left by its quantizer" for t in tensors if t.matrix and t.format in SHORT.values()}
    stored = stored_weights(tensors, wide)
    return {
        "weight_bytes": stored.bytes,
        "weight_bytes_read": sum(tensor.bytes for tensor in tensors if tensor.read),
        "stored": stored,
        "quantized_by": quantized_by,
        "notes": (
            *_notes(stored, precision, tensors),
            *([f"{quantized_by}: widened to {precision} when it is loaded"] if quantized_by and not packed else []),
        ),
    }


def _notes(stored: StoredWeights, precision: Precision, tensors: list[StoredTensor]) -> Iterator[str]:
    """What a reader can't know from the precision: embeddings and biases stay wide in every model."""
    for each in stored.wide:
        if each.reason.startswith("a parameter of"):
            of = f"{each.tensors} tensors " if each.tensors > 1 else ""
            yield f"not quantized: {of}{each.name} ({each.format}, {each.bytes:,} bytes), {each.reason}"
    rounded = [tensor.name for tensor in tensors if tensor.format == "int4"]
    if precision == "int4-gptq" and rounded:
        yield f"{len(rounded)} weights were not calibrated but rounded to nearest, such as {rounded[0]}"


def format_of(dtype: torch.dtype) -> str:
    """fp32, bf16, int32, float8_e4m3fn …"""
    return SHORT.get(dtype, str(dtype).removeprefix("torch."))


def _modules(model: nn.Module, prefix: str = "", looks_up: bool = False) -> Iterator[tuple[str, nn.Module, bool]]:
    """All modules with their names, and whether they belong to an embedding."""
    looks_up = looks_up or isinstance(model, nn.Embedding | QuantizedEmbedding)
    yield prefix, model, looks_up
    for name, child in model.named_children():
        yield from _modules(child, f"{prefix}.{name}" if prefix else name, looks_up)


Part = tuple[str, str, int, bool, object]
"""Name, format, bytes, whether it is a matrix, and what tells it from others."""


def _own(prefix: str, module: nn.Module) -> Iterator[Part]:
    kept = {name: t for name, t in module._buffers.items() if name not in module._non_persistent_buffers_set}
    for name, tensor in (*module._parameters.items(), *kept.items()):
        if isinstance(tensor, Tensor):
            packed, format = _packed(tensor)
            matrix = packed > 0 or tensor.dim() > 1
            yield f"{prefix}.{name}" if prefix else name, format, tensor.nbytes + packed, matrix, _memory(tensor)


def _packed(tensor: Any) -> tuple[int, str]:
    """What bitsandbytes keeps beside the codes of a weight, in bytes, and its format; 0 and the type for others."""
    state = getattr(tensor, "quant_state", None)
    if state is not None:
        states = (state, getattr(state, "state2", None))  # the second: scales of the scales
        beside = [getattr(each, name, None) for each in states for name in ("absmax", "code")]
        beside.append(getattr(state, "offset", None))
        return sum(each.nbytes for each in beside if isinstance(each, Tensor)), state.quant_type
    scales = getattr(tensor, "SCB", None)
    if isinstance(scales, Tensor):
        return scales.nbytes, "int8"
    return 0, format_of(tensor.dtype)


def _memory(stored: Tensor | StoredWeight) -> object:
    """What tied tensors share."""
    tensors = [stored] if isinstance(stored, Tensor) else list(stored.buffers())
    first = tensors[0]
    if not first.numel() or first.is_meta or not first.data_ptr():
        return id(first)
    return first.device, first.data_ptr(), first.nbytes


def _pattern(name: str) -> str:
    return re.sub(r"(?<=\.)\d+(?=\.)", "*", name)
