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
from reference_impl.alignment.token_log_probs import predicting_rows, scaled_logits, slices, with_gradients


class Compared(NamedTuple):
    """A policy beside a reference at every response token: (tokens,) each, flat; the first alone has gradients."""

    log_probs: Tensor
    """Of the policy, in nats: what `token_log_probs` gives, with gradients unless they are switched off."""
    entropies: Tensor
    """Of the policy's next-token distributions, in nats."""
    reference: Tensor
    """Log-probabilities under the reference, in nats."""
    kl: Tensor
    """KL(policy || reference) of the next-token distributions, in nats."""


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
    with torch.no_grad():
        others = reference.states(answered)
    states = policy.states(answered)
    rows = predicting_rows(answered, states.device)
    states, others = states[rows].to(head.weight.dtype), others[rows].to(other.weight.dtype)
    targets = torch.tensor([token for item in answered for token in item.response], device=states.device)
    found = []
    with torch.no_grad():
        for part in slices(len(states), len(head.weight)):
            log_p, entropies, normalizers = _normalized(scaled_logits(states[part], *head, temperature))
            own = log_p.gather(-1, targets[part, None])[:, 0]
            log_q, _, _ = _normalized(scaled_logits(others[part], *other, temperature))
            others_own = log_q.gather(-1, targets[part, None])[:, 0]
            kl = (log_p.exp() * log_q.neg_().add_(log_p)).sum(-1)
            found.append((own, entropies, others_own, kl, normalizers))
    own, entropies, others_own, kl, normalizers = (torch.cat(column) for column in zip(*found, strict=True))
    return Compared(with_gradients(own, normalizers, states, head, targets, temperature), entropies, others_own, kl)


def prefix_kl(policy: Policy, reference: Policy, answered: Sequence[Answered], temperature: float = 1.0) -> Tensor:
    """KL(policy || reference) of the next token before each response token, in nats: (tokens,), flat, no gradients.

    Errors: see `compared`.
    """
    with torch.no_grad():
        return compared(policy, reference, answered, temperature).kl


def _normalized(logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """log softmax, in place, each row's entropy, and what was taken off it. (rows, vocabulary) -> the same, (rows,)."""
    highest = logits.amax(-1, keepdim=True)
    logits -= highest
    shares = logits.exp()
    total = shares.sum(-1)
    entropies = total.log() - shares.mul_(logits).sum(-1) / total
    return logits.sub_(total.log()[:, None]), entropies, highest[:, 0] + total.log()
