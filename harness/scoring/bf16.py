"""bf16 matrix products at fp32 speed, on CPUs that have no bf16 arithmetic. For quality measures only.

A CPU with AVX2 alone runs a bf16 product of many rows about seven times slower than the fp32 one. What that product
computes is an fp32 sum, rounded to bf16 once; upcasting the operands (exact), multiplying in fp32 and rounding the
result is the same up to the order of the sum. Scoring uses this; the inference and memory measures never do: they
must time what the user would really get.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

FEW_ROWS = 8
"""Below this many rows a product is bound by reading the weights, which bf16 halves: it is left alone."""


def has_native_bf16() -> bool:
    """Whether this CPU multiplies bf16 matrices in hardware, or fast enough through AVX-512."""
    import torch

    return torch.backends.cpu.get_cpu_capability() not in ("DEFAULT", "NO AVX", "AVX2")


@contextmanager
def bf16_through_fp32(active: bool | None = None) -> Iterator[None]:
    """Within this context, CPU bf16 `linear` and `addmm` of many rows run in fp32 and round their result to bf16.

    active: None decides by the CPU. It is inactive by nature for every other type and for other devices.
    """
    if active is None:
        active = not has_native_bf16()
    if not active:
        yield
        return
    import torch
    from torch.overrides import TorchFunctionMode

    class Upcast(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
        ) -> Any:
            kwargs = kwargs or {}
            if func is torch.nn.functional.linear and _is_slow(args[0], *args[1:3]):
                return _linear(*args, **kwargs)
            if func is torch.addmm and _is_slow(args[1], args[2], args[0]):
                return _addmm(*args, **kwargs)
            return func(*args, **kwargs)

    with Upcast():
        yield


def _is_slow(rows: Tensor, *others: Tensor | None) -> bool:
    """Whether all operands are plain bf16 CPU tensors, and `rows` (…, k) has many rows."""
    import torch

    plain = all(
        type(a) in (torch.Tensor, torch.nn.Parameter) and a.dtype == torch.bfloat16 and a.device.type == "cpu"
        for a in (rows, *others)
        if a is not None
    )
    return plain and rows.numel() >= FEW_ROWS * rows.shape[-1]


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    import torch

    product = torch.nn.functional.linear(input.float(), weight.float(), None if bias is None else bias.float())
    return product.to(torch.bfloat16)


def _addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    import torch

    return torch.addmm(input.float(), mat1.float(), mat2.float(), beta=beta, alpha=alpha).to(torch.bfloat16)
