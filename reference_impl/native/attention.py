"""Attention by the compiled kernel, as `model/forward_pass.py` defines it: prefill on a CPU, twice as fast as torch.

Where the kernel can't do it (no compiler, another type or device, a mask that differs between sequences) it is
`fused_attention`. Only for inference: nothing can be differentiated through it.
"""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from reference_impl.model.gpt import fused_attention
from reference_impl.native.build import native_library


class _Attention(ctypes.Structure):
    """`struct Attention` of attention.cpp."""

    _fields_ = (
        *((n, ctypes.c_int32) for n in ("threads", "batch", "heads", "kv_heads", "head_width", "time", "total")),
        *((n, ctypes.c_void_p) for n in ("queries", "keys", "values")),
        *((f"{part}_{by}", ctypes.c_int64) for part in ("query", "key", "value") for by in ("batch", "head", "time")),
        ("visible", ctypes.c_void_p),
        ("to", ctypes.c_void_p),
    )


def native_attention(queries: Tensor, keys: Tensor, values: Tensor, visible: Tensor | None, dropout: float) -> Tensor:
    """softmax(Q K^T / sqrt(head width)) V: see `Attention` in `model/forward_pass.py`."""
    found = kernel_attention(queries, keys, values, visible) if dropout == 0.0 else None
    return fused_attention(queries, keys, values, visible, dropout) if found is None else found


def kernel_attention(queries: Tensor, keys: Tensor, values: Tensor, visible: Tensor | None) -> Tensor | None:
    """The kernel's result, or None where it can't do it.

    visible: (…, time, cached + time) bool with leading ones only, in which each token sees itself.
    """
    library = native_library().library
    if library is None or torch.is_grad_enabled() or not all(map(_readable, (queries, keys, values))):
        return None
    if visible is not None and (visible.dtype != torch.bool or visible.shape[:-2].numel() != 1):
        return None
    batch, heads, time, width = queries.shape
    mixed = torch.empty(batch, time, heads, width)
    mask = None if visible is None else visible.contiguous()
    told = _Attention(
        *(torch.get_num_threads(), batch, heads, keys.size(1), width, time, keys.size(2)),
        *(part.data_ptr() for part in (queries, keys, values)),
        *(step for part in (queries, keys, values) for step in part.stride()[:3]),
        None if mask is None else mask.data_ptr(),
        mixed.data_ptr(),
    )
    library.attend_rows(ctypes.byref(told))
    return mixed.transpose(1, 2)


def _readable(part: Tensor) -> bool:
    return part.device.type == "cpu" and part.dtype == torch.float32 and part.stride(-1) == 1 and part.numel() > 0
