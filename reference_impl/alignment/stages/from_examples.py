"""Stages that learn from what is there before: SFT, DPO and reward models."""

from __future__ import annotations

from typing import Any

from reference_impl.alignment.data.encoding import encode_demonstrations, encode_preferences
from reference_impl.alignment.data.rows import Demonstration, Preference
from reference_impl.alignment.dpo import dpo, reference_log_probs
from reference_impl.alignment.reward_model import RewardModel
from reference_impl.alignment.reward_training import train_reward_models
from reference_impl.alignment.settings.dpo import DPOSettings
from reference_impl.alignment.settings.reward import RewardSettings
from reference_impl.alignment.settings.sft import SFTSettings
from reference_impl.alignment.sft import sft
from reference_impl.alignment.stages.data_settings import DataSettings
from reference_impl.alignment.stages.learner import Learner, write_reward_head
from reference_impl.alignment.stages.reading import learned
from reference_impl.alignment.stages.run import Done, Run
from reference_impl.alignment.value_head import RewardHead


def run_sft(learner: Learner, data: DataSettings, settings: SFTSettings, run: Run) -> Done:
    """Demonstrations are imitated."""
    read = learned(Demonstration, data, encode_demonstrations, learner.text, learner.context)
    reports = sft(
        learner.policy,
        read.train,
        settings,
        validation=read.held_out,
        on_report=run.on_report,
        saving=run.saving(learner, data),
        resume=run.goes_on,
    )
    return Done.of(read, reports, learner.write)


def run_dpo(learner: Learner, data: DataSettings, settings: DPOSettings, run: Run) -> Done:
    """Preferences are learned without a reward model. What the policy was is the reference, read once."""
    read = learned(Preference, data, encode_preferences, learner.text, learner.context)
    known = settings.variant != "simpo"
    reference = reference_log_probs(learner.policy, read.train, settings.batch) if known else None
    held_out = reference_log_probs(learner.policy, read.held_out, settings.batch) if known and read.held_out else None
    reports = dpo(
        learner.policy,
        reference,
        read.train,
        settings,
        validation=read.held_out,
        validation_reference=held_out,
        on_report=run.on_report,
        saving=run.saving(learner, data),
        resume=run.goes_on,
    )
    return Done.of(read, reports, learner.write)


def run_reward(learner: Learner, data: DataSettings, settings: RewardSettings, run: Run) -> Done:
    """A reward model learns which response is preferred. Its scores have mean 0 and standard deviation 1 on the chosen
    responses of what it learned from."""
    read = learned(Preference, data, encode_preferences, learner.text, learner.context)
    head = RewardHead(learner.policy.head.weight.size(1), settings.seed).to(learner.device)
    model = RewardModel(learner.policy, head, learner.tokenizer)
    reports = train_reward_models(
        [model],
        read.train,
        settings,
        references=[pair.chosen for pair in read.train[:256]],
        validation=read.held_out,
        on_report=run.on_report,
        saving=run.saving(learner, data),
        resume=run.goes_on,
    )

    def write(folder: Any) -> None:
        learner.write(folder)
        write_reward_head(folder, head)

    return Done.of(read, reports, write)
