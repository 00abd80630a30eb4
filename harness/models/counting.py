"""What a torch model holds and does, counted from its modules: parameters, bytes, and who takes part in products.

Counted before quantisation: packed weights are no longer parameters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor, nn

from reference_impl.inference.weight_bytes import weight_bytes, weight_bytes_read


@dataclass(frozen=True)
class ParameterCounts:
    """Numbers of parameters, as `ModelIdentity` defines them. A tied weight counts once."""

    total: int
    non_embedding: int
    matmul: int
    head: int


def count_parameters(model: nn.Module, head: nn.Module | None, active_experts: float = 1.0) -> ParameterCounts:
    """Count a language model's parameters.

    head: the module that makes logits. Matrix products are all parameters of two dimensions or more but the
    embeddings, and the head's weight even where it is an embedding's too.
    active_experts: the share of the experts that each token visits; weights under a module named `experts` count in
    matrix products by it.
    """
    embedded = _distinct(p for m in model.modules() if isinstance(m, nn.Embedding) for p in m.parameters(recurse=False))
    headed = {} if head is None else _distinct(head.parameters())
    total = _distinct(model.parameters())
    outside = {key: p for key, p in total.items() if key not in embedded and key not in headed}
    experts = _distinct(
        p for name, p in model.named_parameters() if "experts" in name.split(".") and "shared_experts" not in name
    )
    matmul = 0.0
    for key, p in outside.items():
        if p.dim() >= 2:
            matmul += p.numel() * (active_experts if key in experts else 1.0)
    head_weights = sum(p.numel() for p in headed.values() if p.dim() >= 2)
    return ParameterCounts(
        total=_number(total),
        non_embedding=_number(outside),
        matmul=round(matmul) + head_weights,
        head=head_weights,
    )


def stored_bytes(model: nn.Module) -> int:
    """Bytes of all weights, quantised ones and their scales included, each once. Rotary tables and such are none."""
    return weight_bytes(model) - _unsaved_bytes(model)


def read_bytes(model: nn.Module) -> int:
    """Bytes of weights that one decode step reads: all but the embeddings that no head shares."""
    return weight_bytes_read(model) - _unsaved_bytes(model)


def _unsaved_bytes(model: nn.Module) -> int:
    """Bytes of the buffers that a state dict leaves out, because they follow from the configuration."""
    saved = _distinct(t for t in model.state_dict(keep_vars=True).values() if isinstance(t, Tensor))
    buffers = _distinct(model.buffers())
    return sum(buffer.nbytes for key, buffer in buffers.items() if key not in saved)


def _distinct(tensors: Iterable[Tensor]) -> dict[tuple[int, ...], Tensor]:
    """Tensors by the memory that they look at, so that tied ones are one."""
    return {(t.data_ptr(), t.numel(), t.element_size()) if t.numel() else (id(t),): t for t in tensors}


def _number(tensors: dict[tuple[int, ...], Tensor]) -> int:
    return sum(t.numel() for t in tensors.values())
