"""A weight that is stored in another format than it is used in, and that stands where a tensor stood.

Architectures read their weights in ways of their own: `F.linear(x, self.weight)`, `x @ self.weight.T`,
`self.embed.weight.device`, `experts.down_proj[3]`. A stored weight takes all of them: products and look-ups run on the
stored format, anything else on a dense copy that is made for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

_OF_A_COPY = (
    *("abs", "amax", "chunk", "clone", "contiguous", "data", "detach", "expand", "expand_as", "flatten"),
    *(
        "is_floating_point",
        "is_meta",
        "mean",
        "ndim",
        "norm",
        "permute",
        "reshape",
        "size",
        "split",
        "squeeze",
        "stride",
    ),
    *("sum", "transpose", "unbind", "unflatten", "unsqueeze", "view"),
)
"""What forward passes ask of their weights, answered by a dense copy. No other name is: formats have names of their own
that tensors have too, such as `values`."""

_PRODUCTS = (torch.matmul, Tensor.matmul, Tensor.__matmul__, torch.mm, Tensor.mm)


class ReadAsTensor(nn.Module):
    """What `StoredWeight` and `StoredExperts` have in common: everything that a tensor has, by way of a dense copy."""

    dtype: torch.dtype = torch.bfloat16
    """The type that it is read as: that of the activations around it."""

    @property
    def shape(self) -> torch.Size:
        """The shape of the tensor in whose place it stands."""
        raise NotImplementedError

    def whole(self) -> Tensor:
        """All of it, dense, in `dtype`."""
        raise NotImplementedError

    @property
    def device(self) -> torch.device:
        """Where it lies."""
        return next(self.buffers()).device

    @property
    def requires_grad(self) -> bool:
        """Never: it is for inference."""
        return False

    def numel(self) -> int:
        """How many weights it stands for."""
        return self.shape.numel()

    def dim(self) -> int:
        """How many dimensions it has."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, index: Any) -> Any:
        return self.whole()[index]

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name not in _OF_A_COPY:
                raise
            return getattr(self.whole(), name)

    # What a module and a tensor both have, in the tensor's sense wherever a type is asked for.
    def to(self, *args: Any, **given: Any) -> Any:
        """A dense copy where a type (or a tensor, for its type) is given; else the module, moved."""
        if any(isinstance(each, torch.dtype | Tensor) for each in (*args, *given.values())):
            return self.whole().to(*args, **given)
        return super().to(*args, **given)

    def type(self, dst_type: Any) -> Any:
        """A dense copy in that type."""
        return self.whole().type(dst_type)

    def float(self) -> Any:
        """A dense copy in fp32."""
        return self.whole().float()

    def double(self) -> Any:
        """A dense copy in fp64."""
        return self.whole().double()

    def half(self) -> Any:
        """A dense copy in fp16."""
        return self.whole().half()

    def bfloat16(self) -> Any:
        """A dense copy in bf16."""
        return self.whole().bfloat16()

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Sequence[Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = dict(kwargs or {})
        stored = next((a for a in (*args, *given.values()) if isinstance(a, ReadAsTensor)), None)
        if stored is not None and (found := stored._computed(func, args, given)) is not None:
            return found
        args = [_densely(each) for each in args]
        return func(*args, **{name: _densely(each) for name, each in given.items()})

    def _computed(self, func: Callable[..., Any], args: Sequence[Any], given: Mapping[str, Any]) -> Tensor | None:
        """The result on the stored format; None where only a dense copy gives it."""
        return None


def _densely(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(_densely(each) for each in value)
    return value.whole() if isinstance(value, ReadAsTensor) else value


class StoredWeight(ReadAsTensor):
    """A weight (out, in) in a format of fewer bits. Formats are subclasses."""

    out_features: int
    in_features: int
    label: str = ""
    """What the format is called: `int8`, `int4-gptq`."""

    def matmul(self, x: Tensor) -> Tensor:
        """x times the weight's transpose. x: (rows, in) -> (rows, out), in the type of x."""
        raise NotImplementedError

    def dense(self, start: int, stop: int) -> Tensor:
        """Rows start to stop of the weight, as they stand for: (stop - start, in) fp32."""
        raise NotImplementedError

    def rows(self, indices: Tensor) -> Tensor:
        """Rows, as an embedding looks them up. indices: (...) -> (..., in) bf16."""
        raise NotImplementedError

    @property
    def shape(self) -> torch.Size:
        """(out, in)."""
        return torch.Size((self.out_features, self.in_features))

    def whole(self) -> Tensor:
        """(out, in), dense."""
        return self.dense(0, self.out_features).to(self.dtype).contiguous()

    @property
    def mT(self) -> Transposed:  # noqa: N802
        """(in, out)."""
        return Transposed(self)

    T = mT

    def t(self) -> Transposed:
        """(in, out)."""
        return Transposed(self)

    def times(self, x: Tensor) -> Tensor:
        """x times the transpose. x: (..., in) -> (..., out), in the type of x."""
        return self.matmul(x.reshape(-1, x.size(-1))).reshape(*x.shape[:-1], self.out_features)

    def _computed(self, func: Callable[..., Any], args: Sequence[Any], given: Mapping[str, Any]) -> Tensor | None:
        if func is F.linear:
            x, weight, bias = _named(("input", "weight", "bias"), args, given)
            if weight is self and isinstance(x, Tensor):
                y: Tensor = self.times(x)
                return y if bias is None else y.add_(bias.to(y.dtype))
        if func is F.embedding:
            indices, weight = _named(("input", "weight"), args[:2], given)
            if weight is self:
                found: Tensor = self.rows(indices).to(self.dtype)
                return found
        return None


class Transposed(ReadAsTensor):
    """A stored weight (out, in) that is read as (in, out)."""

    def __init__(self, weight: StoredWeight) -> None:
        super().__init__()
        self.weight = weight
        self.dtype = weight.dtype

    @property
    def shape(self) -> torch.Size:
        """(in, out)."""
        return torch.Size((self.weight.in_features, self.weight.out_features))

    def whole(self) -> Tensor:
        """(in, out), dense."""
        return self.weight.whole().t()

    def _computed(self, func: Callable[..., Any], args: Sequence[Any], given: Mapping[str, Any]) -> Tensor | None:
        x = args[0] if args else None
        if func in _PRODUCTS and len(args) == 2 and args[1] is self and isinstance(x, Tensor):
            found: Tensor = self.weight.times(x)
            return found
        return None


class StoredExperts(ReadAsTensor):
    """The weights of a mixture's experts, each stored as a matrix of its own.

    It stands for (experts, out, in), or for (experts, in, out) where `transposed`.
    """

    def __init__(self, experts: Sequence[StoredWeight], transposed: bool) -> None:
        super().__init__()
        self.experts = nn.ModuleList(experts)
        self.transposed = transposed

    @property
    def shape(self) -> torch.Size:
        """As of the tensor in whose place it stands."""
        return torch.Size((len(self.experts), *self[0].shape))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, Tensor) and index.numel() == 1 and index.dim() == 0:
            index = int(index)
        if not isinstance(index, int):
            return super().__getitem__(index)
        expert = self.experts[index]
        assert isinstance(expert, StoredWeight)
        return Transposed(expert) if self.transposed else expert

    def whole(self) -> Tensor:
        """All experts, dense. As large as the mixture was: products with one expert at a time don't come here."""
        return torch.stack([self[i].whole() for i in range(len(self.experts))])

    def _computed(self, func: Callable[..., Any], args: Sequence[Any], given: Mapping[str, Any]) -> Tensor | None:
        batched = func in (torch.bmm, Tensor.bmm) or func in _PRODUCTS
        if batched and self.transposed and len(args) == 2 and args[1] is self and args[0].dim() == 3:
            found: Tensor = torch.stack([x @ self[i] for i, x in enumerate(args[0])])
            return found
        return None


class Stored(Protocol):
    """What makes a `StoredWeight` of a matrix (out, in)."""

    def __call__(self, weight: Tensor, /) -> StoredWeight:
        """The weight, stored."""


def store_experts(weight: Tensor, transposed: bool, store: Stored) -> StoredExperts:
    """weight: (experts, out, in), or (experts, in, out) where `transposed`."""
    return StoredExperts([store(one.t() if transposed else one) for one in weight], transposed)


def _named(names: Sequence[str], args: Sequence[Any], given: Mapping[str, Any]) -> list[Any]:
    """Arguments by position or by name; None where one is not given."""
    return [args[i] if i < len(args) else given.get(name) for i, name in enumerate(names)]
