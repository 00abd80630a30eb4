"""Best-of-n: the highest-scored of n responses, the baseline that every algorithm with a reward has to beat."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impl.alignment import processes
from reference_impl.alignment.answered import Answered
from reference_impl.alignment.collecting import Drawn, Prompt, Reward, Sampler, checked_scores


@dataclass(frozen=True)
class Best:
    """The best response to one prompt."""

    drawn: Drawn
    score: float
    scores: tuple[float, ...]
    """Of all n, in the order in which they were drawn."""

    @property
    def answered(self) -> Answered:
        """Prompt and response."""
        return self.drawn.answered


def best_of_n(prompts: Sequence[Prompt], n: int, sampler: Sampler, reward: Reward, step: int = 0) -> list[Best]:
    """The best of n responses to each prompt, the first of equal ones. Prompts are shared by the processes, equal ones
    by none. Raises ValueError where a score isn't finite."""
    if n < 1:
        raise ValueError(f"best-of-n needs 1 or more responses, not {n}.")

    def of(places: Sequence[int]) -> list[tuple[int, Best]]:
        drawn = sampler([prompts[place] for place in places for _ in range(n)], step)
        scores = checked_scores(reward, [item.answered for item in drawn])
        found = []
        for index, (place, row) in enumerate(zip(places, scores.view(-1, n).tolist(), strict=True)):
            best = max(range(n), key=row.__getitem__)
            found.append((place, Best(drawn[index * n + best], row[best], tuple(row))))
        return found

    shared = processes.in_order(of, processes.places_by_value(prompts))
    of_place = dict(one for part in shared for one in part)
    return [of_place[place] for place in range(len(prompts))]


def best_of_n_probabilities(probabilities: Tensor, scores: Tensor, n: int) -> Tensor:
    """What best-of-n draws, exactly: of outcomes with these probabilities and scores, the first of equal ones wins.

    P(best score <= s)^n gives each level of scores its mass; within a level outcomes keep their shares. (outcomes,).
    """
    levels, of = torch.unique(scores, return_inverse=True)
    mass = torch.zeros(len(levels), dtype=probabilities.dtype).index_add(0, of, probabilities)
    up_to = mass.cumsum(0)
    won = up_to**n - (up_to - mass).clamp(min=0) ** n
    return probabilities * (won / mass)[of]


def kl_bound(n: int) -> float:
    """log n - (n - 1)/n: KL(best-of-n || policy) in nats for continuous scores, an upper bound for all others.

    Beirami et al. 2024, "Theoretical guarantees on the best-of-n alignment policy", theorem 1.
    """
    return math.log(n) - (n - 1) / n
