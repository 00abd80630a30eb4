"""Rejection-sampling fine-tuning: draw, keep the best responses, learn them as demonstrations, and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from reference_impl.alignment.best_of_n import best_of_n
from reference_impl.alignment.collecting import Prompt, Reward, Sampler
from reference_impl.alignment.policy import Policy
from reference_impl.alignment.sft import SFTSettings, sft
from reference_impl.training.state import Report


@dataclass(frozen=True)
class RejectionSettings:
    """How often it is drawn, what is kept, and how that is learned."""

    rounds: int = 1
    """Each draws from the policy that the last one left (Llama 2: Touvron et al. 2023, section 3.2.3)."""
    n: int = 8
    """Responses to each prompt, of which the best is kept ..."""
    at_least: float = float("-inf")
    """... if its score is at least this: a verifier's right answers."""
    learning: SFTSettings = field(default_factory=SFTSettings)

    def __post_init__(self) -> None:
        """Refuse what keeps nothing."""
        if self.rounds < 1 or self.n < 1:
            raise ValueError(f"rounds and n must be at least 1, not {self.rounds} and {self.n}.")


@dataclass(frozen=True)
class Round:
    """What one round did."""

    kept: int
    """Prompts with a response that was learned."""
    score: float
    """Mean of all responses."""
    best_score: float
    """Mean of the best ones."""
    reports: tuple[Report, ...]
    """Of the learning."""


def rejection_sampling(
    policy: Policy,
    prompts: Sequence[Prompt],
    sampler: Sampler,
    reward: Reward,
    settings: RejectionSettings,
    *,
    on_report: Callable[[Report], None] = lambda report: None,
) -> list[Round]:
    """Trains the policy in place. Raises ValueError where no response of a round reaches `at_least`.

    A round is one `sft`, seeded by the settings' seed and its number. To resume, begin again at a round: none of
    its draws is kept.
    """
    rounds = []
    for number in range(settings.rounds):
        found = best_of_n(prompts, settings.n, sampler, reward, number)
        kept = [best.answered for best in found if best.score >= settings.at_least]
        everything = [score for best in found for score in best.scores]
        mean = sum(everything) / len(everything)
        if not kept:
            raise ValueError(
                f"none of {len(everything)} responses of round {number} scores {settings.at_least:g} or more (the best "
                f"{max(everything):g}): lower at_least, or draw more per prompt."
            )
        learning = replace(settings.learning, seed=settings.learning.seed + number)
        reports = sft(policy, kept, learning, on_report=on_report)
        rounds.append(Round(len(kept), mean, sum(best.score for best in found) / len(found), reports))
    return rounds
