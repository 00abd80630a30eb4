"""PPO as in "Fine-Tuning Language Models from Human Preferences" (Ziegler et al. 2019), on the one training loop.

    rollout:  responses of the policy -> scores (reward function, penalties, scaling)
              reward of a token = -beta k1, and the score on top at the last token
              values -> GAE -> whitened advantages, returns
    steps:    epochs x minibatches of  clipped policy loss + coefficient * clipped value loss,  means over all tokens

The details are those of lm-human-preferences, as written down by Huang et al. 2023 ("The N Implementation Details of
RLHF with PPO"); docs/alignment.md says for each where it is met. At the fixed point of the KL-regularized objective the
policy is reference * exp(score / beta) / Z (the Gibbs policy), by which the tests judge it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from reference_impl.alignment import processes
from reference_impl.alignment.advantages import explained_variance, generalized_advantages, token_rewards, whiten
from reference_impl.alignment.answered import Answered
from reference_impl.alignment.collecting import Collected, Prompt, Reward, Sampler, collect
from reference_impl.alignment.kl import k1, k3
from reference_impl.alignment.kl_controller import adapted
from reference_impl.alignment.learning_settings import set_tensorflow_epsilon, stepping
from reference_impl.alignment.on_policy import ORDER, Minibatch, OnRollout, Rollout, learn_from_rollouts, timed
from reference_impl.alignment.policy import Policy
from reference_impl.alignment.policy_loss import clipped_policy_loss, clipped_value_loss, token_weights
from reference_impl.alignment.reward_normalization import no_moments, standard_deviation, with_scores
from reference_impl.alignment.settings.ppo import PPOSettings
from reference_impl.alignment.token_log_probs import Scored, lengths_of, per_response, predicting_rows, score_states
from reference_impl.alignment.value_head import ValueHead
from reference_impl.training.state import Report, TrainingState
from reference_impl.training.state_file import Saving


@dataclass(frozen=True)
class Critic:
    """Values: a head on states, of the policy's own trunk (shared: one forward pass, one gradient) or of another."""

    head: ValueHead
    trunk: Policy | None = None
    """None shares the policy's trunk."""


def ppo(
    policy: Policy,
    reference: Policy,
    critic: Critic,
    prompts: Sequence[Prompt],
    sampler: Sampler,
    reward: Reward,
    settings: PPOSettings,
    *,
    on_rollout: OnRollout = lambda number, values: None,
    on_report: Callable[[Report], None] = lambda report: None,
    saving: Saving | None = None,
    resume: bool = False,
) -> tuple[Report, ...]:
    """Trains policy and critic in place, in evaluation mode (no dropout), and returns the run's reports.

    reference: the policy as it was, frozen. sampler, reward: see `collecting.py`. saving, resume: as in
    `learn_from_rollouts`; the identity should say which models, data and reward it is of.
    Raises ValueError and DivergenceError as `collect` does.
    """
    modules: dict[str, nn.Module] = {"policy": policy.module, "value_head": critic.head}
    if critic.trunk is not None:
        modules["value_trunk"] = critic.trunk.module
    for module in (*modules.values(), reference.module):
        module.eval()
    steps = settings.rollouts * settings.steps_per_rollout
    learning = stepping(modules.values(), settings, steps)
    state = TrainingState(modules, {"policy": learning}, {ORDER: torch.Generator().manual_seed(settings.seed)})

    def before_step() -> None:
        if settings.tensorflow_adam:
            set_tensorflow_epsilon(learning.optimizer, settings.epsilon)

    def collect_rollout(number: int, carried: Mapping[str, Tensor]) -> Rollout:
        collected = collect(policy, reference, prompts, timed(sampler, state), reward, settings, number)
        return ppo_rollout(collected, policy, critic, settings, carried)

    return learn_from_rollouts(
        collect_rollout,
        lambda minibatch: ppo_gradients(policy, critic, minibatch, settings),
        settings,
        state,
        algorithm="ppo",
        prompts=prompts,
        before_step=before_step,
        on_rollout=on_rollout,
        on_report=on_report,
        saving=saving,
        resume=resume,
    )


def evaluated(policy: Policy, critic: Critic, minibatch: Minibatch, temperature: float) -> tuple[Scored, Tensor]:
    """Log-probabilities and values of all response tokens, both with gradients. Values: (tokens,) fp32."""
    answered = minibatch.answered
    states = policy.states(answered)
    log_probs, entropies = score_states(states, policy.head, answered, temperature)
    scored = Scored(log_probs, entropies.detach(), lengths_of(answered))
    seen = states if critic.trunk is None else critic.trunk.states(answered)
    return scored, critic.head(seen[predicting_rows(answered, seen.device)])


def _values(policy: Policy, critic: Critic, answered: Sequence[Answered]) -> Tensor:
    """The values of `evaluated` alone, for which no logits are made. (tokens,) fp32."""
    seen = (critic.trunk or policy).states(answered)
    values: Tensor = critic.head(seen[predicting_rows(answered, seen.device)])
    return values


def ppo_gradients(policy: Policy, critic: Critic, minibatch: Minibatch, settings: PPOSettings) -> dict[str, Tensor]:
    """Adds a minibatch's gradients, in `micro_batches` parts, and returns what is recorded of it.

    minibatch.tokens: log_probs and values of the rollout, advantages, returns.
    """
    weights = token_weights(minibatch.lengths, settings.averaging).to(minibatch.tokens["log_probs"])
    count = sum(minibatch.lengths)
    recorded: dict[str, Tensor] = {}
    for part in replace(minibatch, tokens=minibatch.tokens | {"weight": weights}).parts(settings.micro_batches):
        scored, values = evaluated(policy, critic, part, settings.temperature)
        old, weight = part.tokens["log_probs"], part.tokens["weight"]
        step = clipped_policy_loss(scored.log_probs, old, part.tokens["advantages"], settings.clip)
        fit = clipped_value_loss(values, part.tokens["values"], part.tokens["returns"], settings.value_clip)
        policy_loss, value_loss = (weight * step.loss).sum(), (weight * fit.loss).sum()
        loss = policy_loss + settings.value_coefficient * value_loss
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            found = {
                "loss": loss,
                "policy_loss": policy_loss,
                "value_loss": value_loss,
                "clip_fraction": step.clipped.float().sum() / count,
                "value_clip_fraction": fit.clipped.float().sum() / count,
                "approx_kl": k3(old, scored.log_probs).sum() / count,
                "ratio": (scored.log_probs - old).exp().sum() / count,
                "policy_entropy": scored.entropies.sum() / count,
            }
            recorded = {name: value.detach() + recorded.get(name, 0.0) for name, value in found.items()}
    learning = [policy.module, critic.head, *([] if critic.trunk is None else [critic.trunk.module])]
    return processes.add_up(learning, recorded)


@torch.no_grad()
def ppo_rollout(
    collected: Collected, policy: Policy, critic: Critic, settings: PPOSettings, carried: Mapping[str, Tensor]
) -> Rollout:
    """Rewards, values, advantages and returns of a rollout; the KL coefficient and moments that it is made with."""
    lengths = collected.lengths
    coefficient = _coefficient(settings, carried)
    moments, scores = carried.get("moments", no_moments()), collected.scores
    if settings.score_scaling == "running":
        moments = with_scores(moments, scores)
        spread = standard_deviation(moments).to(scores)
        scores = scores / spread if spread > 1e-8 else scores
    kl = k1(collected.log_probs, collected.reference)
    rewards = token_rewards(scores, kl, coefficient, lengths)
    pieces = settings.pieces(collected.answered, processes.count())
    values = torch.cat(processes.in_order(lambda piece: _values(policy, critic, piece), pieces))
    shaped = whiten(rewards, shift_mean=False) if settings.whiten_rewards else rewards
    advantages, returns = generalized_advantages(shaped, values, lengths, settings.gamma, settings.lam)
    recorded = collected.values | {
        "reward": float(per_response(rewards, lengths).mean()),
        "kl_penalty": float(-coefficient * per_response(kl, lengths).mean()),
        "score_scaled": float(scores.mean()),
        "kl_coefficient": coefficient,
        "value": float(values.mean()),
        "return": float(returns.mean()),
        "advantage": float(advantages.mean()),
        "advantage_std": float(advantages.std(unbiased=False)),
        "explained_variance": float(explained_variance(values, returns).nan_to_num(0.0, 0.0, 0.0)),
    }
    if settings.whiten_advantages:
        advantages = whiten(advantages, shift_mean=True)
    return Rollout(
        collected.answered,
        {"log_probs": collected.log_probs, "values": values, "advantages": advantages, "returns": returns},
        recorded,
        {
            "kl_coefficient": torch.tensor(coefficient, dtype=torch.float64),
            "kl": per_response(kl, lengths).mean().double(),
            "moments": moments,
        },
    )


def _coefficient(settings: PPOSettings, carried: Mapping[str, Tensor]) -> float:
    """Of this rollout: the first one's is the setting, each later one's follows from the last rollout's KL."""
    if settings.kl_target is None or "kl_coefficient" not in carried:
        return settings.kl_coefficient
    last, kl = float(carried["kl_coefficient"]), float(carried["kl"])
    return adapted(last, kl, settings.kl_target, settings.kl_horizon, settings.responses)
