"""Weights as the kernel sees them: addresses of tensors, in the layout of `weights.hpp`."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from reference_impl.native.build import native_library

FORMATS = {"fp32": 0, "bf16": 1, "int8": 2, "int4": 3}
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "int8": torch.int8, "int4": torch.uint8}
"""Of the values that each format is kept in."""
GROUP = 32


class Matrix(ctypes.Structure):
    """`struct Matrix` of weights.hpp. It holds addresses: whoever makes one keeps the tensors alive."""

    _fields_ = (
        ("format", ctypes.c_int32),
        ("outputs", ctypes.c_int32),
        ("inputs", ctypes.c_int32),
        ("groups", ctypes.c_int32),
        ("values", ctypes.c_void_p),
        ("scale", ctypes.c_void_p),
        ("zero", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
    )


def matrix(
    kind: str,
    outputs: int,
    inputs: int,
    values: Tensor,
    scale: Tensor | None = None,
    zero: Tensor | None = None,
    bias: Tensor | None = None,
) -> Matrix:
    """A matrix of one of `FORMATS`. The tensors are contiguous and on the CPU; a bias is fp32.

    Raises ValueError for tensors of another type, whose bytes the kernel would read as something else.
    """
    for part, expected in ((values, TYPES[kind]), (scale, torch.bfloat16), (zero, torch.bfloat16)):
        if part is not None and part.dtype != expected:
            raise ValueError(
                f"a weight stored as {kind} was cast, so that a part of it is {part.dtype} and not {expected}: "
                "cast the model before it is quantized, afterwards only move it to another device."
            )
    return Matrix(
        FORMATS[kind],
        outputs,
        inputs,
        -(-inputs // GROUP),
        values.data_ptr(),
        None if scale is None else scale.data_ptr(),
        None if zero is None else zero.data_ptr(),
        None if bias is None else bias.data_ptr(),
    )


def native_product(weight: Matrix, x: Tensor) -> Tensor | None:
    """x times the matrix' transpose, plus its bias; None where there is no kernel or x is not on the CPU.

    x: (rows, inputs) in any floating type. Returns (rows, outputs) in the type of x.
    """
    library = native_library().library
    if library is None or x.device.type != "cpu":
        return None
    wide = x.to(torch.float32).contiguous()
    y = torch.empty(x.size(0), weight.outputs)
    library.multiply_rows(ctypes.byref(weight), torch.get_num_threads(), x.size(0), wide.data_ptr(), y.data_ptr())
    return y.to(x.dtype)


def native_widen(weight: Matrix, start: int, stop: int, to: Tensor) -> bool:
    """Write outputs [start, stop) of the matrix into `to`: (stop - start, inputs) fp32. False without a kernel."""
    library = native_library().library
    if library is None:
        return False
    library.widen(ctypes.byref(weight), torch.get_num_threads(), start, stop, to.data_ptr())
    return True
