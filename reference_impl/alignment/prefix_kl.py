"""KL divergence at every prefix of a response, over the whole vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.policy import Policy
from reference_impl.alignment.token_log_probs import predicting_rows, scaled_logits


@torch.no_grad()
def prefix_kl(policy: Policy, reference: Policy, answered: Sequence[Answered], temperature: float = 1.0) -> Tensor:
    """KL(policy || reference) of the next token before each response token, in nats: (tokens,), flat, no gradients."""
    states, others = policy.states(answered), reference.states(answered)
    rows = predicting_rows(answered, states.device)
    log_p = scaled_logits(states[rows], *policy.head, temperature).log_softmax(-1)
    log_q = scaled_logits(others[rows], *reference.head, temperature).log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)
