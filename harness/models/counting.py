"""How many parameters a model has, counted from its modules: in all, without embeddings, and for one token.

Counted before quantization, for packed weights are no longer parameters; of a checkpoint that came quantized, from the
shape that its configuration describes (a model on the meta device).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

VISITED = (
    *("num_experts_per_tok", "num_experts_per_token", "moe_topk", "moe_top_k", "top_k_experts", "moe_k"),
    *("num_selected_experts", "experts_top_k"),
)
"""What configurations call the number of experts that a token visits."""


@dataclass(frozen=True)
class ParameterCounts:
    """Numbers of parameters, as `ModelIdentity` defines them. A tied weight counts once."""

    total: int
    non_embedding: int
    active: int
    matmul: int
    head: int


def count_parameters(model: nn.Module, head: nn.Module | None, visited: int | None = None) -> ParameterCounts:
    """Count a language model's parameters.

    head: the module that makes logits. Matrix products are all parameters of two dimensions or more but the
    embeddings and the biases of experts, and the head's weight even where it is an embedding's too.
    visited: how many experts of a mixture each token visits; weights of experts count by it.
    """
    embedded = _distinct(p for m in model.modules() if isinstance(m, nn.Embedding) for p in m.parameters(recurse=False))
    headed = {} if head is None else _distinct(head.parameters())
    total = _distinct(model.parameters())
    outside = {key: p for key, p in total.items() if key not in embedded and key not in headed}
    shares = _shares_of_experts(model, visited)
    biases = _distinct(p for name, p in model.named_parameters() if "bias" in name.rpartition(".")[2])
    matmul = sum(p.numel() * shares.get(key, 1.0) for key, p in outside.items() if p.dim() >= 2 and key not in biases)
    head_weights = sum(p.numel() for p in headed.values() if p.dim() >= 2)
    return ParameterCounts(
        total=_number(total),
        non_embedding=_number(outside),
        active=round(sum(p.numel() * shares.get(key, 1.0) for key, p in total.items())),
        matmul=round(matmul) + head_weights,
        head=head_weights,
    )


def visited_experts(config: Any) -> int | None:
    """How many experts of a mixture a token visits, by its configuration; None where it says nothing of that."""
    text = config.get_text_config()
    for part in (text, getattr(text, "ffn_config", None)):
        for name in VISITED:
            found = part.get(name) if isinstance(part, dict) else getattr(part, name, None)
            if isinstance(found, int) and found > 0:
                return found
    return None


def _shares_of_experts(model: nn.Module, visited: int | None) -> dict[object, float]:
    """For each parameter that belongs to experts, the share of them that one token visits.

    A parameter holds all experts along its first dimension, or one of a list of experts.
    """
    shares: dict[object, float] = {}
    if visited is None:
        return shares
    for prefix, module in model.named_modules():
        path = prefix.split(".")
        among = "experts" in path and "shared_experts" not in path
        declared = getattr(module, "num_experts", None)
        for parameter in module.parameters(recurse=False):
            experts = None
            if parameter.dim() == 3 and (among or declared == parameter.size(0)):
                experts = parameter.size(0)
            elif among:
                holder = model.get_submodule(".".join(path[: path.index("experts") + 1]))
                experts = len(holder) if isinstance(holder, nn.ModuleList) else _declared_experts(holder)
            if experts:
                shares[_key(parameter)] = min(1.0, visited / experts)
    return shares


def _declared_experts(holder: nn.Module) -> int | None:
    names = ("num_experts", "n_routed_experts", "moe_num_experts")
    return next((found for name in names if isinstance(found := getattr(holder, name, None), int)), None)


def _distinct(tensors: Iterable[Tensor]) -> dict[object, Tensor]:
    """Tensors by the memory that they look at, so that tied ones are one."""
    return {_key(t): t for t in tensors}


def _key(tensor: Tensor) -> object:
    """On the meta device, where there is no memory, tied ones are one object."""
    if tensor.is_meta or not tensor.numel():
        return id(tensor)
    return tensor.data_ptr(), tensor.numel(), tensor.element_size()


def _number(tensors: dict[object, Tensor]) -> int:
    return sum(t.numel() for t in tensors.values())
