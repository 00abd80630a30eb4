"""Log-probabilities of every response token under a policy, at the temperature that responses are drawn at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.policy import Head, Policy


@dataclass(frozen=True)
class Scored:
    """What a policy makes of responses: of every response token, flat, item after item."""

    log_probs: Tensor
    """(tokens,) nats, with gradients."""
    entropies: Tensor
    """(tokens,) nats of the distribution that the token was drawn from, detached."""
    lengths: tuple[int, ...]
    """Response tokens of each item."""


def token_log_probs(policy: Policy, answered: Sequence[Answered], temperature: float = 1.0) -> Scored:
    """log softmax(logits / temperature) of every response token, the EOS token included; prompts are only read."""
    log_probs, entropies = score_states(policy.states(answered), policy.head, answered, temperature)
    return Scored(log_probs, entropies.detach(), lengths_of(answered))


def score_states(
    states: Tensor, head: Head, answered: Sequence[Answered], temperature: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Log-probabilities and entropies of response tokens, (tokens,) each, both with gradients.

    states: what `Policy.states` gives of these items, for whoever needs them for a value head too.
    """
    logits = scaled_logits(states[predicting_rows(answered, states.device)], *head, temperature)
    log_p = logits.log_softmax(-1)
    tokens = torch.tensor([token for item in answered for token in item.response], device=states.device)
    return log_p.gather(-1, tokens[:, None])[:, 0], -(log_p.exp() * log_p).sum(-1)


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


def scaled_logits(states: Tensor, weight: Tensor, bias: Tensor | None, temperature: float) -> Tensor:
    """(rows, width) -> (rows, vocabulary), divided by the temperature, in fp32 at least."""
    logits = torch.nn.functional.linear(states, weight, bias)
    return logits.to(torch.promote_types(logits.dtype, torch.float32)) / temperature
