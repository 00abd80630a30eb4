"""KL divergence at every prefix of a response, over the whole vocabulary: nothing about it is estimated from one token.

The sum over the prefixes of responses that the first policy drew is an unbiased estimate of the KL divergence between
the two distributions of whole responses, of less variance than any estimate from the drawn tokens' probabilities (it
is the chain rule with the last expectation taken exactly).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.policy import Policy
from reference_impl.alignment.token_log_probs import predicting_rows, scaled_logits, slices


class Compared(NamedTuple):
    """A policy beside a reference at every response token: (tokens,) each, flat, without gradients."""

    log_probs: Tensor
    """Of the policy, in nats: what `token_log_probs` gives."""
    entropies: Tensor
    """Of the policy's next-token distributions, in nats."""
    reference: Tensor
    """Log-probabilities under the reference, in nats."""
    kl: Tensor
    """KL(policy || reference) of the next-token distributions, in nats."""


@torch.no_grad()
def compared(policy: Policy, reference: Policy, answered: Sequence[Answered], temperature: float = 1.0) -> Compared:
    """All that a rollout records of two policies, from one forward pass of each and one product with each head.

    temperature: both policies' logits are divided by it. Raises ValueError unless it is above 0, and where the two
    don't have the same vocabulary.
    """
    if not temperature > 0.0:
        raise ValueError(f"the temperature must be above 0, not {temperature!r}.")
    head, other = policy.head, reference.head
    if len(head.weight) != len(other.weight):
        raise ValueError(
            f"the policy has {len(head.weight)} token ids and the reference {len(other.weight)}: "
            "a reference must be a model of the same tokenizer."
        )
    states, others = policy.states(answered), reference.states(answered)
    rows = predicting_rows(answered, states.device)
    states, others = states[rows].to(head.weight.dtype), others[rows].to(other.weight.dtype)
    targets = torch.tensor([token for item in answered for token in item.response], device=states.device)[:, None]
    found = []
    for part in slices(len(states), len(head.weight)):
        log_p, entropies = _normalized(scaled_logits(states[part], *head, temperature))
        own = log_p.gather(-1, targets[part])[:, 0]
        log_q, _ = _normalized(scaled_logits(others[part], *other, temperature))
        others_own = log_q.gather(-1, targets[part])[:, 0]
        kl = (log_p.exp() * log_q.neg_().add_(log_p)).sum(-1)
        found.append((own, entropies, others_own, kl))
    return Compared(*(torch.cat(column) for column in zip(*found, strict=True)))


def prefix_kl(policy: Policy, reference: Policy, answered: Sequence[Answered], temperature: float = 1.0) -> Tensor:
    """KL(policy || reference) of the next token before each response token, in nats: (tokens,), flat, no gradients.

    Errors: see `compared`.
    """
    return compared(policy, reference, answered, temperature).kl


def _normalized(logits: Tensor) -> tuple[Tensor, Tensor]:
    """log softmax, in place, and the entropy of each row. (rows, vocabulary) -> the same, (rows,)."""
    logits -= logits.amax(-1, keepdim=True)
    shares = logits.exp()
    total = shares.sum(-1)
    entropies = total.log() - shares.mul_(logits).sum(-1) / total
    return logits.sub_(total.log()[:, None]), entropies
