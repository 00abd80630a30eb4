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
from dataclasses import replace

import torch
from torch import Tensor

from reference_impl.alignment import processes
from reference_impl.alignment.collecting import Collected, Prompt, Reward, Sampler, collect
from reference_impl.alignment.group_advantages import dead_groups, group_advantages
from reference_impl.alignment.kl import k1, k3, loss_kl
from reference_impl.alignment.learning_settings import stepping
from reference_impl.alignment.on_policy import ORDER, Minibatch, OnRollout, Rollout, learn_from_rollouts, timed
from reference_impl.alignment.policy import Policy
from reference_impl.alignment.policy_loss import clipped_policy_loss, token_weights
from reference_impl.alignment.reward_normalization import no_moments, standard_deviation, with_scores
from reference_impl.alignment.settings.policy_gradient import PolicyGradientSettings
from reference_impl.alignment.token_log_probs import Scored, per_response, token_log_probs
from reference_impl.training.state import Report, TrainingState
from reference_impl.training.state_file import Saving


def policy_gradient(
    policy: Policy,
    reference: Policy,
    prompts: Sequence[Prompt],
    sampler: Sampler,
    reward: Reward,
    settings: PolicyGradientSettings,
    *,
    on_rollout: OnRollout = lambda number, values: None,
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
        draw, keep_graph = timed(sampler, state), _in_one_pass(settings)
        collected = collect(policy, reference, prompts, draw, reward, settings, number, keep_graph=keep_graph)
        return policy_gradient_rollout(collected, settings, carried)

    return learn_from_rollouts(
        collect_rollout,
        lambda minibatch: policy_gradients(policy, minibatch, settings),
        settings,
        state,
        algorithm="policy_gradient",
        prompts=prompts,
        on_rollout=on_rollout,
        on_report=on_report,
        saving=saving,
        resume=resume,
    )


def policy_gradients(policy: Policy, minibatch: Minibatch, settings: PolicyGradientSettings) -> dict[str, Tensor]:
    """Adds a minibatch's gradients, in `micro_batches` parts, and returns what is recorded of it.

    minibatch.tokens: log_probs of the rollout, reference, advantages, and live (0 where the response is left out);
    where the rollout's own pass was kept, what `Collected.graph` has.
    """
    tokens, count = minibatch.tokens, sum(minibatch.lengths)
    live = [bool(piece[0]) for piece in torch.split(tokens["live"], list(minibatch.lengths))]
    weights = torch.zeros_like(tokens["log_probs"])
    if any(live):
        kept = [length for length, alive in zip(minibatch.lengths, live, strict=True) if alive]
        weights[tokens["live"].bool()] = token_weights(kept, settings.averaging, settings.longest).to(weights)
    recorded: dict[str, Tensor] = {}
    for part in replace(minibatch, tokens=tokens | {"weight": weights}).parts(settings.micro_batches):
        scored = _scored(policy, part, settings.temperature)
        old, weight = part.tokens["log_probs"], part.tokens["weight"]
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
    return processes.add_up([policy.module], recorded)


def _in_one_pass(settings: PolicyGradientSettings) -> bool:
    """Whether the step learns from the very pass that the rollout was scored by: the weights are the same, and so are
    the responses, all of them at once. One forward pass of three is spared."""
    return settings.steps_per_rollout == settings.micro_batches == 1 and processes.count() == 1


def _scored(policy: Policy, part: Minibatch, temperature: float) -> Scored:
    if "scored" in part.tokens:
        return Scored(part.tokens["scored"], part.tokens["entropies"], part.lengths)
    return token_log_probs(policy, part.answered, temperature)


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
        collected.graph,
    )
