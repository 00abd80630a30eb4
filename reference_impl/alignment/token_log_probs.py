"""Log-probability of every response token, with gradients, without ever holding the logits of all of them.

The logits of 4 responses of 512 tokens over 50,000 ids are 400 MB, and backpropagation as it is usually written holds
them three times. Here the head is applied to a slice of the states at a time; what is kept for the way back is one
number per token, and the slice's logits are computed again there.

With logits z / T, p their softmax, l its log-probability of the token t, and H its entropy:

    dl / dz_j = (1[j = t] - p_j) / T
    dH / dz_j = -p_j (log p_j + H) / T
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.linear_products import linear
from reference_impl.alignment.policy import Head, Policy

ELEMENTS = 1 << 22
"""Logits that exist at a time, at most (a single row may have more): 16 MiB in fp32."""


@dataclass(frozen=True)
class Scored:
    """Every response token of some items, one after the other."""

    log_probs: Tensor
    """(tokens,), in nats, at the temperature, with gradients. fp32, or fp64 of an fp64 model."""
    entropies: Tensor
    """(tokens,): of the distribution that each token is drawn from, in nats, detached."""
    lengths: tuple[int, ...]
    """Response tokens of each item."""


def token_log_probs(policy: Policy, answered: Sequence[Answered], temperature: float = 1.0) -> Scored:
    """Score each response token given all before it.

    temperature: logits are divided by it, as in the rollout that drew the responses (a policy that is sampled at a
    temperature is the policy at that temperature). Raises ValueError unless it is above 0, and where the policy can't
    read an item.
    """
    log_probs, entropies = score_states(policy.states(answered), policy.head, answered, temperature)
    return Scored(log_probs, entropies.detach(), lengths_of(answered))


def score_states(
    states: Tensor, head: Head, answered: Sequence[Answered], temperature: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Log-probabilities and entropies of response tokens, (tokens,) each, both with gradients.

    states: what `Policy.states` gives of these items, for whoever needs them for a value head too.
    """
    if not temperature > 0.0:
        raise ValueError(f"the temperature must be above 0, not {temperature!r}: at 0 no probability has a gradient.")
    targets = torch.tensor([token for item in answered for token in item.response], device=states.device)
    predicting = states[predicting_rows(answered, states.device)].to(head.weight.dtype)
    return _Scores.apply(predicting, head.weight, head.bias, targets, temperature)  # type: ignore[no-any-return, no-untyped-call]


def with_gradients(
    log_probs: Tensor, normalizers: Tensor, states: Tensor, head: Head, targets: Tensor, temperature: float
) -> Tensor:
    """Log-probabilities that are known already, with the gradients of `score_states`.

    normalizers: log of the sum of exp(logits / temperature). log_probs, normalizers, targets: (tokens,); states:
    (tokens, width), those that predict. Returns (tokens,).
    """
    return _Known.apply(states, *head, targets, temperature, log_probs, normalizers)  # type: ignore[no-any-return, no-untyped-call]


def per_response(values: Tensor, lengths: Sequence[int]) -> Tensor:
    """The sum of each item's values. values: (tokens,), flat. Returns (items,)."""
    items = torch.repeat_interleave(torch.tensor(lengths, device=values.device))
    return values.new_zeros(len(lengths)).index_add(0, items, values)


def lengths_of(answered: Sequence[Answered]) -> tuple[int, ...]:
    """Response tokens of each item."""
    return tuple(len(item.response) for item in answered)


def predicting_rows(answered: Sequence[Answered], device: torch.device) -> Tensor:
    """Which rows of `Policy.states` predict a response token: all but the last of each item. (tokens,) int64."""
    places, start = [], 0
    for length in lengths_of(answered):
        places.append(torch.arange(start, start + length, device=device))
        start += length + 1
    return torch.cat(places)


def slices(rows: int, vocabulary: int) -> Iterator[slice]:
    """Cut rows so that no slice has more than `ELEMENTS` logits."""
    size = max(1, ELEMENTS // vocabulary)
    return (slice(start, min(start + size, rows)) for start in range(0, rows, size))


def scaled_logits(states: Tensor, weight: Tensor, bias: Tensor | None, temperature: float) -> Tensor:
    """(rows, width) -> (rows, vocabulary), divided by the temperature, in fp32 at least."""
    with torch.autocast(
        states.device.type, enabled=False
    ):  # it would be on in the forward pass and off in the backward
        logits = linear(states, weight, bias)
    return logits.to(wide(logits.dtype)).div_(temperature)


def wide(dtype: torch.dtype) -> torch.dtype:
    """fp32 for what is narrower."""
    return torch.promote_types(dtype, torch.float32)


class _Scores(torch.autograd.Function):
    """Log-probabilities and entropies; keeps two numbers per row for the way back, and no logits."""

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, temperature: float
    ) -> tuple[Tensor, Tensor]:
        """states: (rows, width); weight: (vocabulary, width). Returns (rows,) twice."""
        kind = wide(states.dtype)
        log_probs, entropies, normalizers = (torch.empty(len(states), dtype=kind, device=states.device) for _ in "123")
        for part in slices(len(states), len(weight)):
            logits = scaled_logits(states[part], weight, bias, temperature)
            highest = logits.amax(-1, keepdim=True)
            shares = logits.sub_(highest).exp()
            total = shares.sum(-1)
            log_probs[part] = logits.gather(-1, targets[part, None])[:, 0] - total.log()
            entropies[part] = total.log() - shares.mul_(logits).sum(-1) / total
            normalizers[part] = highest[:, 0] + total.log()
        ctx.save_for_backward(states, weight, bias, targets, normalizers, entropies)
        ctx.temperature = temperature
        ctx.set_materialize_grads(False)
        return log_probs, entropies

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """Of states, weight and bias."""
        of_log_probs, of_entropies = gradients
        states, weight, bias, targets, normalizers, entropies = ctx.saved_tensors
        wants_states, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        to_states = torch.empty_like(states) if wants_states else None
        to_weight = torch.zeros_like(weight, dtype=wide(weight.dtype)) if wants_weight else None
        to_bias = torch.zeros_like(bias, dtype=wide(bias.dtype)) if wants_bias else None
        for part in slices(len(states), len(weight)):
            log_p = scaled_logits(states[part], weight, bias, ctx.temperature).sub_(normalizers[part, None])
            along = torch.zeros_like(normalizers[part]) if of_log_probs is None else of_log_probs[part]
            if of_entropies is None:
                to_logits = log_p.exp_().mul_(-along[:, None])
            else:
                to_logits = log_p.exp()
                slope = log_p.add_(entropies[part, None]).mul_(of_entropies[part, None]).add_(along[:, None])
                to_logits.mul_(slope.neg_())
            to_logits.scatter_add_(-1, targets[part, None], along[:, None])
            to_logits = to_logits.div_(ctx.temperature).to(states.dtype)
            if to_states is not None:
                to_states[part] = linear(to_logits, weight.T)
            if to_weight is not None and to_weight.dtype == weight.dtype:
                to_weight.addmm_(to_logits.T, states[part])
            elif to_weight is not None:  # sums of many slices would lose the small ones in bf16
                to_weight += to_logits.T @ states[part]
            if to_bias is not None:
                to_bias += to_logits.sum(0)
        return (
            to_states,
            None if to_weight is None else to_weight.to(weight.dtype),
            None if to_bias is None else to_bias.to(bias.dtype),
            None,
            None,
        )


class _Known(torch.autograd.Function):
    """The way back of `_Scores` for log-probabilities that something else computed."""

    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        temperature: float,
        log_probs: Tensor,
        normalizers: Tensor,
    ) -> Tensor:
        """Gives the log-probabilities back."""
        ctx.save_for_backward(states, weight, bias, targets, normalizers, None)
        ctx.temperature = temperature
        return log_probs.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Of states, weight and bias."""
        return (*_Scores.backward(ctx, gradient, None), None, None)
