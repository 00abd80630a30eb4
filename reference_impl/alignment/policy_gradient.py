"""Policy gradients without a critic, as settings of one function: REINFORCE, RLOO, GRPO, Dr. GRPO and DAPO.

    name       baseline       scale  averaging  KL                 clip
    reinforce  batch          -      sums       k1 in the reward   never acts: one step per rollout
    rloo       leave_one_out  -      sums       k1 in the reward   never acts: one step per rollout
    grpo       group          group  responses  k3 in the loss     0.2
    dr_grpo    group          -      longest    none               0.2
    dapo       group          group  tokens     none               0.2 below, 0.28 above; dead groups left out

Where the KL stands decides what is learned. In the reward the fixed point is reference * exp(score / beta) / Z. k3
in the loss pulls by KL(reference || policy), and the fixed point is another (docs/alignment.md derives it).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor

from reference_impl.alignment.collecting import Collected, Prompt, Reward, Sampler, collect
from reference_impl.alignment.group_advantages import Baseline, Scale, dead_groups, group_advantages
from reference_impl.alignment.kl import Estimator, k1, k3, loss_kl
from reference_impl.alignment.learning_settings import refuse_other_words, stepping
from reference_impl.alignment.on_policy import ORDER, Minibatch, Rollout, learn_from_rollouts
from reference_impl.alignment.policy import Policy
from reference_impl.alignment.policy_loss import Averaging, clipped_policy_loss, token_weights
from reference_impl.alignment.reward_normalization import no_moments, standard_deviation, with_scores
from reference_impl.alignment.rollout_settings import RolloutSettings
from reference_impl.alignment.token_log_probs import per_response, token_log_probs
from reference_impl.training.state import Report, TrainingState
from reference_impl.training.state_file import Saving

KLPlace = Literal["reward", "loss"]
DeadGroups = Literal["kept", "left_out"]


@dataclass(frozen=True)
class PolicyGradientSettings(RolloutSettings):
    """Settings beyond those of every algorithm with rollouts. Defaults are GRPO's; `NAMED` has the others."""

    samples: int = 8
    baseline: Baseline = "group"
    """What a score is compared with (`group_advantages.py`)."""
    scale: Scale = "group"
    """By which standard deviation the difference is divided."""
    averaging: Averaging = "responses"
    """How tokens make a loss (`policy_loss.token_weights`)."""
    longest: int | None = None
    """The longest response that the sampler gives, in tokens: what `longest` averages by."""
    kl_place: KLPlace = "loss"
    """reward: the score of a response less beta times its k1. loss: beta times the estimator, at every token."""
    kl_estimator: Estimator = "k3"
    """Of a KL in the loss. k2 and k3_corrected (TRL's default) pull by KL(policy || reference), k3 by KL(reference ||
    policy) (`kl.py`); k1 would not pull at all."""
    kl_coefficient: float = 0.04
    """beta."""
    clip: float = 0.2
    """The ratio's gradient ends at 1 minus it ..."""
    clip_high: float | None = None
    """... and at 1 plus this, or plus `clip`."""
    dead_groups: DeadGroups = "kept"
    """left_out: groups of equal scores aren't counted in the average (DAPO would draw others in their place)."""
    overlong_from: int | None = None
    """Scores fall from this length on, by 1 in all at `longest` (DAPO, section 3.4)."""

    at_least_zero: ClassVar[tuple[str, ...]] = (*RolloutSettings.at_least_zero, "kl_coefficient")
    above_zero: ClassVar[tuple[str, ...]] = (*RolloutSettings.above_zero, "clip")

    def __post_init__(self) -> None:
        """Refuse what would teach nothing, or something else than it says."""
        super().__post_init__()
        for name, words in (
            ("baseline", Baseline), ("scale", Scale), ("averaging", Averaging), ("kl_place", KLPlace),
            ("kl_estimator", Estimator), ("dead_groups", DeadGroups),
        ):  # fmt: skip
            refuse_other_words(self, name, get_args(words))
        if self.samples < 2 and (self.baseline in ("group", "leave_one_out") or self.scale == "group"):
            raise ValueError(f"{self.baseline} compares the responses to one prompt: draw 2 or more samples.")
        if self.longest is None and (self.averaging == "longest" or self.overlong_from is not None):
            raise ValueError("averaging longest and overlong_from need the longest response in tokens: give longest.")
        if self.longest is not None and not 0 <= (self.overlong_from or 0) < self.longest:
            raise ValueError(f"overlong_from must be below longest ({self.longest}), not {self.overlong_from}.")


NAMED: Mapping[str, Mapping[str, Any]] = {
    "reinforce": {"baseline": "batch", "scale": "none", "averaging": "sums", "kl_place": "reward", "samples": 1},
    "rloo": {"baseline": "leave_one_out", "scale": "none", "averaging": "sums", "kl_place": "reward", "samples": 4},
    "grpo": {},
    "dr_grpo": {"scale": "none", "averaging": "longest", "kl_coefficient": 0.0},
    "dapo": {"averaging": "tokens", "kl_coefficient": 0.0, "clip_high": 0.28, "dead_groups": "left_out"},
}
"""What each algorithm sets; all else is free."""


def named(name: str, **settings: Any) -> PolicyGradientSettings:
    """The settings of an algorithm of `NAMED`, with changes. Raises ValueError for another name."""
    if name not in NAMED:
        raise ValueError(f"unknown algorithm {name!r}: one of {', '.join(NAMED)}.")
    return PolicyGradientSettings(**{**NAMED[name], **settings})


def policy_gradient(
    policy: Policy,
    reference: Policy,
    prompts: Sequence[Prompt],
    sampler: Sampler,
    reward: Reward,
    settings: PolicyGradientSettings,
    *,
    on_report: Callable[[Report], None] = lambda report: None,
    saving: Saving | None = None,
    resume: bool = False,
) -> tuple[Report, ...]:
    """Trains the policy in place, in evaluation mode (no dropout), and returns the run's reports.

    Arguments and errors as for `ppo`.
    """
    for module in (policy.module, reference.module):
        module.eval()
    learning = stepping([policy.module], settings, settings.rollouts * settings.steps_per_rollout)
    state = TrainingState(
        {"policy": policy.module}, {"policy": learning}, {ORDER: torch.Generator().manual_seed(settings.seed)}
    )

    def collect_rollout(number: int, carried: Mapping[str, Tensor]) -> Rollout:
        return policy_gradient_rollout(
            collect(policy, reference, prompts, sampler, reward, settings, number), settings, carried
        )

    return learn_from_rollouts(
        collect_rollout,
        lambda minibatch: policy_gradients(policy, minibatch, settings),
        settings,
        state,
        algorithm="policy_gradient",
        prompts=prompts,
        on_report=on_report,
        saving=saving,
        resume=resume,
    )


def policy_gradients(policy: Policy, minibatch: Minibatch, settings: PolicyGradientSettings) -> dict[str, Tensor]:
    """Adds a minibatch's gradients, in `micro_batches` parts, and returns what is recorded of it.

    minibatch.tokens: log_probs of the rollout, reference, advantages, and live (0 where the response is left out).
    """
    tokens, count = minibatch.tokens, sum(minibatch.lengths)
    live = [bool(piece[0]) for piece in torch.split(tokens["live"], list(minibatch.lengths))]
    weights = torch.zeros_like(tokens["log_probs"])
    if any(live):
        kept = [length for length, alive in zip(minibatch.lengths, live, strict=True) if alive]
        weights[tokens["live"].bool()] = token_weights(kept, settings.averaging, settings.longest).to(weights)
    recorded: dict[str, Tensor] = {}
    start = 0
    for part in minibatch.parts(settings.micro_batches):
        scored = token_log_probs(policy, part.answered, settings.temperature)
        old, size = part.tokens["log_probs"], sum(part.lengths)
        weight, start = weights[start : start + size], start + size
        step = clipped_policy_loss(scored.log_probs, old, part.tokens["advantages"], settings.clip, settings.clip_high)
        policy_loss = loss = (weight * step.loss).sum()
        if settings.kl_place == "loss" and settings.kl_coefficient:
            kl = loss_kl(settings.kl_estimator, scored.log_probs, part.tokens["reference"], old)
            loss = policy_loss + settings.kl_coefficient * (weight * kl).sum()
        if any(live):  # without, no gradient at all: AdamW would still move by its momentum on zeros
            loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            found = {
                "loss": loss,
                "policy_loss": policy_loss,
                "clip_fraction": step.clipped.float().sum() / count,
                "approx_kl": k3(old, scored.log_probs).sum() / count,
                "ratio": (scored.log_probs - old).exp().sum() / count,
                "policy_entropy": scored.entropies.sum() / count,
            }
            recorded = {name: value.detach() + recorded.get(name, 0.0) for name, value in found.items()}
    return recorded


@torch.no_grad()
def policy_gradient_rollout(
    collected: Collected, settings: PolicyGradientSettings, carried: Mapping[str, Tensor]
) -> Rollout:
    """Advantages of a rollout. Raises ValueError for a response that is longer than `longest`."""
    if settings.longest is not None and max(collected.lengths) > settings.longest:
        raise ValueError(f"a response has {max(collected.lengths)} tokens, and longest says {settings.longest}.")
    lengths = torch.tensor(collected.lengths, device=collected.scores.device)
    moments, scores = carried.get("moments", no_moments()), collected.scores
    if settings.score_scaling == "running":
        moments = with_scores(moments, scores)
        spread = standard_deviation(moments).to(scores)
        scores = scores / spread if spread > 1e-8 else scores
    if settings.overlong_from is not None and settings.longest is not None:
        over = (lengths - settings.overlong_from) / (settings.longest - settings.overlong_from)
        scores = scores - over.clamp(0, 1)
    dead = dead_groups(scores, settings.samples)
    kl = per_response(k1(collected.log_probs, collected.reference), collected.lengths)
    rewards = scores - settings.kl_coefficient * kl if settings.kl_place == "reward" else scores
    each = group_advantages(rewards, settings.samples, settings.baseline, settings.scale)
    left_out = dead if settings.dead_groups == "left_out" else torch.zeros_like(dead)
    live = (~left_out).repeat_interleave(settings.samples).to(each)
    better = each > 0
    recorded = collected.values | {
        "reward": float(rewards.mean()),
        "kl_penalty": float(rewards.mean() - scores.mean()),
        "dead_groups": float(dead.float().mean()),
        "advantage_std": float(each.std(unbiased=False)),
        # Length bias: what averaging by each response's own length rewards shows here first.
        "length_of_better": float(lengths[better].float().mean()) if bool(better.any()) else 0.0,
        "length_of_worse": float(lengths[~better].float().mean()) if bool((~better).any()) else 0.0,
    }
    return Rollout(
        collected.answered,
        {
            "log_probs": collected.log_probs,
            "reference": collected.reference,
            "advantages": each.repeat_interleave(lengths),
            "live": live.repeat_interleave(lengths),
        },
        recorded,
        {"moments": moments},
    )
