"""KL divergence at every prefix of a response, over the whole vocabulary: nothing about it is estimated from one token.

The sum over the prefixes of responses that the first policy drew is an unbiased estimate of the KL divergence between
the two distributions of whole responses, of less variance than any estimate from the drawn tokens' probabilities (it
is the chain rule with the last expectation taken exactly).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.policy import Policy
from reference_impl.alignment.token_log_probs import predicting_rows, scaled_logits, slices


@torch.no_grad()
def prefix_kl(policy: Policy, reference: Policy, answered: Sequence[Answered], temperature: float = 1.0) -> Tensor:
    """KL(policy || reference) of the next token before each response token, in nats: (tokens,), flat, no gradients.

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
    found = []
    for part in slices(len(states), 2 * len(head.weight)):
        log_p = scaled_logits(states[part], *head, temperature).log_softmax(-1)
        log_q = scaled_logits(others[part], *other, temperature).log_softmax(-1)
        found.append((log_p.exp() * (log_p - log_q)).sum(-1))
    return torch.cat(found)
