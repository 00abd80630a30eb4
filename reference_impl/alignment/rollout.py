"""Rollouts: responses that a policy draws with its present weights, by the cached, batched decoder.

Nothing is filtered (no top-k, no top-p): what the responses are drawn from must be the distribution that is trained,
or its KL divergence from anything can come out negative. The temperature is part of that distribution.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.linear_products import faster_linear
from reference_impl.alignment.policy import Policy
from reference_impl.decoding.causal_model import CausalModel
from reference_impl.decoding.generation import steps
from reference_impl.decoding.request import Continuation, Request, check_prompt
from reference_impl.decoding.sampling import Sampling
from reference_impl.training.checkpoint_weights import all_finite


class DrawingPolicy(Policy, Protocol):
    """A policy that can write."""

    @property
    def vocabulary(self) -> int:
        """Real token ids: those that its head has rows for."""

    @property
    def context(self) -> int | None:
        """Longest item, in tokens; None where no limit is known."""

    def decoder(self) -> CausalModel:
        """What continues prompts with the weights of this moment. Made anew for every rollout, so none is stale."""


@dataclass(frozen=True)
class Rolled:
    """One response as it was drawn."""

    answered: Answered
    """`ended` says whether it drew the EOS token or was cut off."""
    log_probs: tuple[float, ...]
    """Of each response token by the decoder, in nats, at the temperature: what it was really drawn with."""


def draw(
    policy: DrawingPolicy,
    prompts: Sequence[Sequence[int]],
    samples: int = 1,
    *,
    max_new: int,
    eos: int,
    temperature: float = 1.0,
    seed: int = 0,
    step: int = 0,
) -> list[Rolled]:
    """`samples` responses to each prompt, those of a prompt next to each other, in the order of the prompts.

    max_new: tokens at most, the EOS token included. eos: drawing it ends a response. Each response is determined by
    (seed, step, prompt, its number among the responses to equal prompts) and the weights, whatever is drawn beside it.
    Raises ValueError for settings that can't be, a prompt that is empty, has unknown ids, or leaves no room for
    `max_new` tokens in the context, and for weights that give no numbers.
    """
    if samples < 1 or max_new < 1:
        raise ValueError(f"a rollout draws 1 or more samples of 1 or more tokens, not {samples} of {max_new}.")
    if not temperature > 0.0:
        raise ValueError(f"the temperature must be above 0, not {temperature!r}: at 0 nothing is explored.")
    if not 0 <= eos < policy.vocabulary:
        raise ValueError(f"the EOS token {eos} is unknown; ids are 0 to {policy.vocabulary - 1}.")
    if not prompts:
        return []
    if text := [number for number, prompt in enumerate(prompts) if isinstance(prompt, str)]:
        raise ValueError(f"prompt {text[0]} is text: encode it with the model's tokenizer.")
    _refuse_broken_weights(policy)
    decoder = policy.decoder()
    asked = [tuple(map(int, prompt)) for prompt in prompts]
    for number, prompt in enumerate(asked):
        # One token more than decoding itself needs: the state after the last token is read when it is scored.
        if policy.context is not None and len(prompt) + max_new > policy.context:
            raise ValueError(
                f"prompt {number}: {len(prompt)} tokens and {max_new} new ones don't fit the model's context of "
                f"{policy.context}: leave the prompt out, cut it or draw fewer tokens."
            )
        check_prompt(f"prompt {number}", prompt, max_new, decoder.config)
    before: Counter[tuple[int, ...]] = Counter()
    requests = []
    for prompt in asked:
        for sample in range(before[prompt], before[prompt] + samples):
            sampling = Sampling(temperature, seed=seed, sample=sample, step=step)
            requests.append(Request(prompt, max_new, sampling, frozenset((eos,))))
        before[prompt] += samples
    growing = [Continuation(request, None) for request in requests]
    device = next(policy.module.parameters()).device
    with faster_linear(device):
        for drawn in steps(decoder, growing, policy.vocabulary, device):
            chosen = torch.tensor(drawn.tokens, device=drawn.probabilities.device)
            log_probs = drawn.probabilities.gather(-1, chosen[:, None])[:, 0].log().tolist()
            for number, token, log_prob in zip(drawn.numbers, drawn.tokens, log_probs, strict=True):
                growing[number].push(token, log_prob)
    return [
        Rolled(
            Answered(tuple(request.prompt), tuple(one.tokens), one.finish == "stop_id"),
            tuple(one.log_probs),
        )
        for request, one in zip(requests, growing, strict=True)
    ]


def _refuse_broken_weights(policy: DrawingPolicy) -> None:
    for name, parameter in policy.module.named_parameters():
        if not all_finite(parameter.detach()):
            raise ValueError(
                f"{name} of the policy holds values that aren't finite numbers: training diverged. Go on from the last "
                "good state with a lower learning rate."
            )
