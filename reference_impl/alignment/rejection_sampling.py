"""Rejection-sampling fine-tuning: draw, keep the best responses, learn them as demonstrations, and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

from reference_impl.alignment.best_of_n import best_of_n
from reference_impl.alignment.collecting import Prompt, Reward, Sampler
from reference_impl.alignment.policy import Policy
from reference_impl.alignment.settings.rejection import RejectionSettings
from reference_impl.alignment.settings.sft import SFTSettings
from reference_impl.alignment.sft import sft
from reference_impl.training.state import Report


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
        learning = SFTSettings(**{one.name: getattr(settings, one.name) for one in fields(SFTSettings)})
        learning = replace(learning, seed=settings.seed + number)
        reports = sft(policy, kept, learning, on_report=on_report)
        rounds.append(Round(len(kept), mean, sum(best.score for best in found) / len(found), reports))
    return rounds
