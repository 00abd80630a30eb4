"""Stages that learn from rewards of responses that the policy writes: PPO, policy gradients, rejection sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.collecting import Reward, Sampler
from reference_impl.alignment.data import microworld
from reference_impl.alignment.data.encoding import Asked, encode_prompts
from reference_impl.alignment.data.rows import Prompt
from reference_impl.alignment.policy_gradient import policy_gradient
from reference_impl.alignment.ppo import Critic, ppo
from reference_impl.alignment.rejection_sampling import rejection_sampling
from reference_impl.alignment.rollout import draw
from reference_impl.alignment.settings.policy_gradient import PolicyGradientSettings
from reference_impl.alignment.settings.ppo import PPOSettings
from reference_impl.alignment.settings.rejection import RejectionSettings
from reference_impl.alignment.stages.data_settings import DataSettings
from reference_impl.alignment.stages.learner import Learner, open_reward_model
from reference_impl.alignment.stages.reading import Learned, learned
from reference_impl.alignment.stages.run import Done, Run
from reference_impl.alignment.value_head import ValueHead

RESPONSE = 64
"""Most tokens of a response, where nothing else is said."""
VERIFIER = "answers"
"""The reward that is 1 for a right answer and 0 for another, of prompts that say what is right."""


def run_ppo(learner: Learner, data: DataSettings, settings: PPOSettings, run: Run, reward: str) -> Done:
    """reward: the folder of a reward model, or `answers`."""
    read = _prompts(learner, data)
    reports = ppo(
        learner.policy,
        learner.reference(),
        Critic(
            ValueHead(learner.policy.head.weight.size(1)).to(learner.device),
            learner.copy() if settings.critic == "own" else None,
        ),
        [asked.ids for asked in read.train],
        _sampler(learner, data, settings.temperature, settings.seed),
        _reward(learner, read, reward),
        settings,
        on_report=run.on_report,
        saving=run.saving(learner, data),
        resume=run.goes_on,
    )
    return Done.of(read, reports, learner.write)


def run_policy_gradient(
    learner: Learner, data: DataSettings, settings: PolicyGradientSettings, run: Run, reward: str
) -> Done:
    """reward: the folder of a reward model, or `answers`."""
    read = _prompts(learner, data)
    reports = policy_gradient(
        learner.policy,
        learner.reference(),
        [asked.ids for asked in read.train],
        _sampler(learner, data, settings.temperature, settings.seed),
        _reward(learner, read, reward),
        settings,
        on_report=run.on_report,
        saving=run.saving(learner, data),
        resume=run.goes_on,
    )
    return Done.of(read, reports, learner.write)


def run_rejection(learner: Learner, data: DataSettings, settings: RejectionSettings, run: Run, reward: str) -> Done:
    """reward: the folder of a reward model, or `answers`."""
    read = _prompts(learner, data)
    reports = rejection_sampling(
        learner.policy,
        [asked.ids for asked in read.train],
        _sampler(learner, data, settings.temperature, settings.seed),
        _reward(learner, read, reward),
        settings,
        on_report=run.on_report,
        saving=run.saving(learner, data),
        resume=run.resumes and run.state is not None,
    )
    return Done.of(read, reports, learner.write)


def _prompts(learner: Learner, data: DataSettings) -> Learned[Asked]:
    room = replace(data, response=data.response or RESPONSE)
    return learned(Prompt, room, encode_prompts, learner.text, learner.context)


def _sampler(learner: Learner, data: DataSettings, temperature: float, seed: int) -> Sampler:
    """One response to each prompt, drawn by the policy as it is when it is asked."""

    def sample(prompts: Sequence[tuple[int, ...]], number: int) -> Sequence[object]:
        return draw(
            learner.policy,
            prompts,
            max_new=data.response or RESPONSE,
            eos=learner.eos,
            temperature=temperature,
            seed=seed,
            step=number,
        )

    return sample  # type: ignore[return-value]


def _reward(learner: Learner, read: Learned[Asked], name: str) -> Reward:
    """The function that scores responses. Raises ValueError for prompts that say no answer, and for a reward model that
    reads other tokens."""
    if name != VERIFIER:
        return open_reward_model(Path(name), learner.device).reward(learner.tokenizer)
    rows = {asked.ids: asked.prompt for asked in (*read.train, *read.held_out)}
    for row in rows.values():
        if row.answer is None:
            raise ValueError(f"{row.place or 'a prompt'} says no answer, so responses to it can't be judged by it.")

    def judged(answered: Sequence[Answered]) -> Tensor:
        said = ((rows[one.prompt], learner.text.said(rows[one.prompt].prompt, one.response)) for one in answered)
        return torch.tensor([microworld.reward(row, text) for row, text in said])

    return judged
