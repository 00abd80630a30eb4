"""Products of linear layers in fp32 by oneDNN, on processors that MKL leaves half idle.

On x86 torch multiplies fp32 matrices by MKL, which uses vectors of 256 bits on processors of AMD even where they have
512. oneDNN, which torch has as well (its compiler calls it for linear layers), uses what is there: 2.2 times as many
products a second on a Zen 5. Both compute in fp32; they add in another order.

Which one is used depends on the processor and the shape, never on a clock, so that a run and its repetition on one
machine are the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F  # noqa: N812 (torch's own name for it)
from torch.overrides import TorchFunctionMode

WORTH = 1 << 23
"""Multiplications, at least, of a product that oneDNN is asked for: it prepares every new shape for 0.3 ms."""


class LinearByOneDNN(TorchFunctionMode):
    """Inside, `torch.nn.functional.linear` (so `nn.Linear`) goes through `linear` below, gradients too."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """What torch calls instead of `func`."""
        if func is F.linear:
            return linear(*args, **kwargs or {})
        return func(*args, **kwargs or {})


def faster_linear(device: torch.device) -> AbstractContextManager[object]:
    """`LinearByOneDNN` where it can gain something; elsewhere nothing, since it costs a microsecond per operation."""
    return LinearByOneDNN() if device.type == "cpu" and is_faster() else nullcontext()


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input @ weight.T + bias: what `torch.nn.functional.linear` gives but for rounding, of any tensors.

    input: (..., inputs); weight: (outputs, inputs); bias: (outputs,). Returns (..., outputs).
    """
    if not (_plain(input) and _plain(weight) and weight.dim() == 2 and _worth(input, len(weight))):
        return F.linear(input, weight, bias)
    multiply: Callable[[Tensor, Tensor], Tensor] = _Linear.apply if torch.is_grad_enabled() else product
    found = multiply(input, weight)
    return found if bias is None else found + bias


@cache
def is_faster() -> bool:
    """Whether oneDNN is the faster one here: an AMD processor with vectors of 512 bits, and a torch that has it."""
    try:
        processors = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return half_idle(processors) and is_there()


def half_idle(processors: str) -> bool:
    """Whether MKL uses half of what the processor's vectors hold. processors: as /proc/cpuinfo describes them."""
    told = {name.strip(): value.split() for name, _, value in (line.partition(":") for line in processors.splitlines())}
    return "AuthenticAMD" in told.get("vendor_id", []) and "avx512f" in told.get("flags", [])


@cache
def is_there() -> bool:
    """Whether this torch has the operation and it computes the product: its name is not one that torch promises."""
    x, w = torch.arange(12.0).view(3, 4), torch.arange(20.0).view(5, 4)
    try:
        return torch.equal(product(x, w), x @ w.T)  # whole numbers, which no order of adding rounds
    except (AttributeError, RuntimeError, TypeError):
        return False


def product(a: Tensor, b: Tensor) -> Tensor:
    """a @ b.T by oneDNN, without gradients. a: (..., inputs); b: (outputs, inputs); fp32, in any layout."""
    found: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
    return found


class _Linear(torch.autograd.Function):
    """y = x w', its gradients to x: g w, to w: g' x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        """x: (..., inputs); weight: (outputs, inputs)."""
        ctx.save_for_backward(x, weight)
        return product(x, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Of x and weight."""
        x, weight = ctx.saved_tensors
        wants_x, wants_weight = ctx.needs_input_grad
        rows = gradient.reshape(-1, gradient.size(-1))
        return (
            product(gradient, weight.T) if wants_x else None,
            product(rows.T, x.reshape(-1, x.size(-1)).T) if wants_weight else None,
        )


def _plain(tensor: Tensor) -> bool:
    """Not a quantized weight or the like, which is a class of its own, nor narrower by autocast."""
    return (
        type(tensor) in (Tensor, torch.nn.Parameter)
        and tensor.dtype == torch.float32
        and tensor.device.type == "cpu"
        and not torch.is_autocast_enabled("cpu")
    )


def _worth(x: Tensor, outputs: int) -> bool:
    return x.numel() * outputs >= WORTH and is_faster()
