"""Pairs of a policy's own responses, judged by a reward function: what makes DPO on-policy, and iterated DPO."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, assert_never

from reference_impl.alignment.collecting import Prompt, Reward, Sampler, checked_scores
from reference_impl.alignment.pair import Pair

Labels = Literal["bradley_terry", "certain"]
"""bradley_terry: sigmoid of the difference of scores, by which DPO has an optimum. certain: the higher score wins."""


class DrawnPairs(NamedTuple):
    """Pairs, and how many were not made."""

    pairs: list[Pair]
    identical: int
    """Prompts to which both responses were the same."""


def drawn_pairs(
    prompts: Sequence[Prompt], sampler: Sampler, reward: Reward, labels: Labels = "bradley_terry", step: int = 0
) -> DrawnPairs:
    """Two responses to each prompt; the one with the higher score is the chosen one, the first of equal ones.

    `Pair.margin` is the difference of scores; of equal scores the label is 0.5 either way. Raises ValueError for scores
    that aren't finite, and where all responses are the same.
    """
    drawn = [item.answered for item in sampler([prompt for prompt in prompts for _ in range(2)], step)]
    scores = checked_scores(reward, drawn).view(-1, 2).tolist()
    pairs = []
    for place, (first, second) in enumerate(scores):
        one, other = drawn[2 * place : 2 * place + 2]
        if one.response == other.response:
            continue
        chosen, rejected = (one, other) if first >= second else (other, one)
        difference = abs(first - second)
        match labels:
            case "bradley_terry":
                label = 1 / (1 + math.exp(-difference))
            case "certain":
                label = 1.0 if difference else 0.5
            case _:
                assert_never(labels)
        pairs.append(Pair(chosen, rejected, difference, label))
    if not pairs:
        raise ValueError(f"both responses to each of {len(prompts)} prompts are the same: there is nothing to prefer.")
    return DrawnPairs(pairs, len(prompts) - len(pairs))
