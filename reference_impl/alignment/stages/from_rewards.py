"""Stages that learn from rewards of responses that the policy writes: PPO, policy gradients, rejection sampling."""

from __future__ import annotations

from collections.abc import Mapping

from reference_impl.alignment.policy_gradient import policy_gradient
from reference_impl.alignment.ppo import Critic, ppo
from reference_impl.alignment.rejection_sampling import rejection_sampling
from reference_impl.alignment.settings.policy_gradient import PolicyGradientSettings
from reference_impl.alignment.settings.ppo import PPOSettings
from reference_impl.alignment.settings.rejection import RejectionSettings
from reference_impl.alignment.stages.checkpoints import CheckpointKeeper
from reference_impl.alignment.stages.data_settings import DataSettings
from reference_impl.alignment.stages.drawing import asked_prompts, sampler_of
from reference_impl.alignment.stages.learner import Learner
from reference_impl.alignment.stages.rewards import reward_of
from reference_impl.alignment.stages.run import Done, Run
from reference_impl.alignment.value_head import ValueHead


def run_ppo(
    learner: Learner,
    data: DataSettings,
    settings: PPOSettings,
    run: Run,
    reward: str,
    keeper: CheckpointKeeper | None = None,
) -> Done:
    """reward: the folder of a reward model, or a name of `SCORERS`."""
    read = asked_prompts(learner, data)
    reports = ppo(
        learner.policy,
        learner.reference(),
        Critic(
            ValueHead(learner.policy.head.weight.size(1)).to(learner.device),
            learner.copy() if settings.critic == "own" else None,
        ),
        [asked.ids for asked in read.train],
        sampler_of(learner, data, settings.temperature, settings.seed),
        reward_of(learner, (*read.train, *read.held_out), reward),
        settings,
        on_rollout=_nobody if keeper is None else keeper.offer,
        on_report=run.on_report,
        saving=run.saving(learner, data),
        resume=run.goes_on,
    )
    return Done.of(read, reports, learner.write)


def run_policy_gradient(
    learner: Learner,
    data: DataSettings,
    settings: PolicyGradientSettings,
    run: Run,
    reward: str,
    keeper: CheckpointKeeper | None = None,
) -> Done:
    """reward: the folder of a reward model, or a name of `SCORERS`."""
    read = asked_prompts(learner, data)
    reports = policy_gradient(
        learner.policy,
        learner.reference(),
        [asked.ids for asked in read.train],
        sampler_of(learner, data, settings.temperature, settings.seed),
        reward_of(learner, (*read.train, *read.held_out), reward),
        settings,
        on_rollout=_nobody if keeper is None else keeper.offer,
        on_report=run.on_report,
        saving=run.saving(learner, data),
        resume=run.goes_on,
    )
    return Done.of(read, reports, learner.write)


def run_rejection(learner: Learner, data: DataSettings, settings: RejectionSettings, run: Run, reward: str) -> Done:
    """reward: the folder of a reward model, or a name of `SCORERS`."""
    read = asked_prompts(learner, data)
    reports = rejection_sampling(
        learner.policy,
        [asked.ids for asked in read.train],
        sampler_of(learner, data, settings.temperature, settings.seed),
        reward_of(learner, (*read.train, *read.held_out), reward),
        settings,
        on_report=run.on_report,
        saving=run.saving(learner, data),
        resume=run.resumes and run.state is not None,
    )
    return Done.of(read, reports, learner.write)


def _nobody(number: int, values: Mapping[str, float]) -> None:
    """Hears of rollouts where no checkpoint is kept."""
