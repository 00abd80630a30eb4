"""Pairs of a policy's own responses, judged by a reward function: what makes DPO on-policy, and iterated DPO."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, assert_never

import torch

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.collecting import Prompt, Reward, Sampler, checked_scores
from reference_impl.alignment.pair import Pair
from reference_impl.alignment.settings.drawn import DrawnLabels


class DrawnTwice(NamedTuple):
    """Two responses to one prompt, in the order in which they were drawn, and their scores."""

    first: Answered
    second: Answered
    scores: tuple[float, float]

    @property
    def identical(self) -> bool:
        """Whether they are the same."""
        return self.first.response == self.second.response


class DrawnPairs(NamedTuple):
    """Pairs, and how many were not made."""

    pairs: list[Pair]
    identical: int
    """Prompts to which both responses were the same."""


def drawn_twice(prompts: Sequence[Prompt], sampler: Sampler, reward: Reward, step: int = 0) -> list[DrawnTwice]:
    """Two responses to each prompt, scored. Raises ValueError for scores that aren't finite."""
    drawn = [item.answered for item in sampler([prompt for prompt in prompts for _ in range(2)], step)]
    scores = checked_scores(reward, drawn).view(-1, 2).tolist()
    return [DrawnTwice(drawn[2 * at], drawn[2 * at + 1], (one, two)) for at, (one, two) in enumerate(scores)]


def as_pair(drawn: DrawnTwice, labels: DrawnLabels, uniform: float = 0.0) -> Pair:
    """The one with the higher score is the chosen one, the first of equal ones; by `bernoulli` the other one where
    `uniform` (0 to 1) is not below sigmoid(difference of scores).

    `Pair.margin` is the score of the chosen one less that of the rejected one.
    """
    first, second, (one, two) = drawn
    chosen, rejected = (first, second) if one >= two else (second, first)
    difference = abs(one - two)
    probability = 1 / (1 + math.exp(-difference))
    match labels:
        case "bradley_terry":
            return Pair(chosen, rejected, difference, probability)
        case "certain":
            return Pair(chosen, rejected, difference, 1.0 if difference else 0.5)
        case "bernoulli":
            pair = Pair(chosen, rejected, difference)
            return pair if uniform < probability else exchanged(pair)
        case _:
            assert_never(labels)


def exchanged(pair: Pair) -> Pair:
    """The pair with its winner as the loser."""
    return Pair(pair.rejected, pair.chosen, None if pair.margin is None else -pair.margin, pair.label)


def with_flips(pairs: Sequence[Pair], share: float, seed: int) -> tuple[list[Pair], int]:
    """The pairs, this share of them (rounded to whole pairs) exchanged: which ones, the seed says; and how many."""
    count = round(share * len(pairs))
    generator = torch.Generator().manual_seed(seed)
    places = set(torch.randperm(len(pairs), generator=generator)[:count].tolist())
    return [exchanged(pair) if place in places else pair for place, pair in enumerate(pairs)], count


def without_margins(pairs: Sequence[Pair]) -> list[Pair]:
    """Pairs whose labels alone are known: the loss of a reward model takes a margin for what it is told."""
    return [replace(pair, margin=None) for pair in pairs]


def drawn_pairs(
    prompts: Sequence[Prompt],
    sampler: Sampler,
    reward: Reward,
    labels: DrawnLabels = "bradley_terry",
    step: int = 0,
    seed: int = 0,
) -> DrawnPairs:
    """Two responses to each prompt; the one with the higher score is the chosen one, the first of equal ones.

    labels: `as_pair`; by `bradley_terry` DPO has an optimum; `Pair.margin` is the difference of scores, and of equal
    scores the label is 0.5 either way. seed: of labels that are drawn. Raises ValueError for scores that aren't finite,
    and where all responses are the same.
    """
    drawn = [one for one in drawn_twice(prompts, sampler, reward, step) if not one.identical]
    if not drawn:
        raise ValueError(f"both responses to each of {len(prompts)} prompts are the same: there is nothing to prefer.")
    uniform = torch.rand(len(drawn), generator=torch.Generator().manual_seed(seed), dtype=torch.float64).tolist()
    pairs = [as_pair(one, labels, at) for one, at in zip(drawn, uniform, strict=True)]
    return DrawnPairs(pairs, len(prompts) - len(pairs))
