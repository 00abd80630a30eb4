"""Several items in one pass without padding, none of which sees another; those with one prompt share it.

    prompt A | response A1 | response A2 | prompt B | response B1        one row of tokens, (1, total)

A response attends to its own prompt and itself, and its positions go on from its prompt's. There is no
(total, total) mask: attention is computed stretch by stretch. A prompt and the first response to it are one causal
stretch, which torch's fused kernels compute without any mask; only further responses to the prompt need one, of their
own length by what they see.

Packing beside padding: Krell et al. 2021, "Efficient Sequence Packing without Cross-contamination", section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own name for it)

from reference_impl.alignment.answered import Answered


@dataclass(frozen=True)
class Family:
    """A prompt and the responses to it, as places in the row of tokens."""

    start: int
    """Where the prompt begins."""
    prompt_end: int
    ends: tuple[int, ...]
    """Where each response ends; it begins where the one before it ends, the first at the prompt's end."""


@dataclass(frozen=True)
class Packed:
    """Items as one row of tokens."""

    tokens: Tensor
    """(1, total) int64."""
    positions: Tensor
    """(1, total) int64: of each token in its own item."""
    families: tuple[Family, ...]
    rows: Tensor
    """(sum of len(response) + 1,) int64: where the states of each item stand: see `Policy.states`."""

    def attend(
        self, queries: Tensor, keys: Tensor, values: Tensor, visible: Tensor | None = None, dropout: float = 0.0
    ) -> Tensor:
        """An `Attention` (see `model/forward_pass.py`) in which each response sees its prompt and itself alone."""
        if visible is not None or dropout != 0.0 or queries.size(0) != 1:
            raise ValueError("a packed pass is one row without a mask or dropout: put the model in evaluation mode.")
        return self.attend_scaled(queries, keys, values)

    def attend_scaled(self, queries: Tensor, keys: Tensor, values: Tensor, scale: float | None = None) -> Tensor:
        """The same with scores multiplied by `scale`; None: by 1/sqrt(head width).

        queries: (1, heads, total, head width); keys, values: (1, kv heads, total, head width). Like queries.
        """
        # Split at once, not slice by slice: the gradient of a slice is as large as what it was cut from.
        asking = iter(torch.split(queries, self._sizes(prompts_apart=False), dim=2))
        sizes = self._sizes(prompts_apart=True)
        told = iter(zip(torch.split(keys, sizes, dim=2), torch.split(values, sizes, dim=2), strict=True))
        found = []
        for family in self.families:
            prompt = next(told)
            for _ in family.ends:
                seen, given = (torch.cat(pair, dim=2) for pair in zip(prompt, next(told), strict=True))
                found.append(_causal(next(asking), seen, given, scale))
        return torch.cat(found, dim=2)

    def _sizes(self, prompts_apart: bool) -> list[int]:
        """Lengths of all prompts and responses in their order; of a prompt and its first response in one or apart."""
        bounds = [
            (family.start, *([family.prompt_end] if prompts_apart else []), *family.ends) for family in self.families
        ]
        return [end - start for of_family in bounds for start, end in pairwise(of_family)]


def _causal(queries: Tensor, keys: Tensor, values: Tensor, scale: float | None) -> Tensor:
    """Attention of queries that stand at the end of the keys."""
    time, total = queries.size(2), keys.size(2)
    mask = None
    if time < total:  # torch's is_causal would put the queries at the beginning of the keys
        mask = torch.ones(time, total, dtype=torch.bool, device=queries.device).tril(total - time)
    return F.scaled_dot_product_attention(
        queries,
        keys,
        values,
        attn_mask=mask,
        is_causal=mask is None,
        scale=scale,
        enable_gqa=queries.size(1) != keys.size(1),
    )


def pack(answered: Sequence[Answered], device: torch.device | str = "cpu") -> Packed:
    """One row of all items, those with equal prompts behind one copy of it, wherever they stand among the items.

    Raises ValueError where there are no items.
    """
    if not answered:
        raise ValueError("there are no items to read: give one at least.")
    alike: dict[tuple[int, ...], list[int]] = {}
    for number, item in enumerate(answered):
        alike.setdefault(tuple(item.prompt), []).append(number)
    tokens: list[int] = []
    positions: list[int] = []
    families: list[Family] = []
    rows: list[list[int]] = [[] for _ in answered]
    for prompt, numbers in alike.items():
        start = len(tokens)
        tokens.extend(prompt)
        positions.extend(range(len(prompt)))
        prompt_end = len(tokens)
        ends = []
        for number in numbers:
            response = answered[number].response
            rows[number] = [prompt_end - 1, *range(len(tokens), len(tokens) + len(response))]
            tokens.extend(response)
            positions.extend(range(len(prompt), len(prompt) + len(response)))
            ends.append(len(tokens))
        families.append(Family(start, prompt_end, tuple(ends)))
    return Packed(
        torch.tensor([tokens], device=device),
        torch.tensor([positions], device=device),
        tuple(families),
        torch.tensor([place for of_item in rows for place in of_item], device=device),
    )


def check_items(answered: Sequence[Answered], context: int | None, vocabulary: int) -> None:
    """ValueError that names the first item which a model can't read.

    context: in tokens; each item must fit by itself, however long all are together. None: no limit is known.
    """
    for number, item in enumerate(answered):
        length = len(item.prompt) + len(item.response)
        if context is not None and length > context:
            raise ValueError(
                f"item {number}: {len(item.prompt)} prompt tokens and {len(item.response)} response tokens don't fit "
                f"the model's context of {context}: leave the item out or cut it."
            )
        low, high = min(min(item.prompt), min(item.response)), max(max(item.prompt), max(item.response))
        if low < 0 or high >= vocabulary:
            raise ValueError(
                f"item {number}: token id {low if low < 0 else high} is outside of the policy's vocabulary of "
                f"{vocabulary}: encode it with the tokenizer that the model was made for."
            )
