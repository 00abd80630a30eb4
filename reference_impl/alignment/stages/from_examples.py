"""Stages that learn from what is there before: SFT, DPO and reward models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from reference_impl.alignment.data.encoding import encode_demonstrations, encode_preferences
from reference_impl.alignment.data.rows import Demonstration, Preference
from reference_impl.alignment.dpo import dpo, reference_log_probs
from reference_impl.alignment.pair import Pair
from reference_impl.alignment.reward_model import RewardModel
from reference_impl.alignment.reward_training import train_reward_models
from reference_impl.alignment.settings.dpo import DPOSettings
from reference_impl.alignment.settings.drawn import DrawnPairSettings
from reference_impl.alignment.settings.reward import RewardSettings
from reference_impl.alignment.settings.sft import SFTSettings
from reference_impl.alignment.sft import sft
from reference_impl.alignment.stages.checkpoints import CheckpointKeeper
from reference_impl.alignment.stages.data_settings import RESPONSE, DataSettings
from reference_impl.alignment.stages.drawing import drawn_data, measured_kl, sampler_of
from reference_impl.alignment.stages.learner import Learner
from reference_impl.alignment.stages.reading import Learned, learned
from reference_impl.alignment.stages.reward_folder import write_reward_models
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


def run_dpo(
    learner: Learner,
    data: DataSettings,
    settings: DPOSettings,
    run: Run,
    drawn: DrawnPairSettings | None = None,
    keeper: CheckpointKeeper | None = None,
) -> Done:
    """Preferences are learned without a reward model. What the policy was is the reference, read once.

    drawn: the pairs are drawn, and the data give the prompts alone.
    """
    own = None if drawn is None else drawn_data(learner, data, drawn)
    read = _pairs(learner, data) if own is None else own.read
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
        before_step=_nobody if keeper is None else _offering(learner, data, read.train, settings.seed, keeper),
        on_report=run.on_report,
        saving=run.saving(learner, data),
        resume=run.goes_on,
    )
    return Done.of(read, reports, learner.write, own)


def run_reward(
    learner: Learner, data: DataSettings, settings: RewardSettings, run: Run, drawn: DrawnPairSettings | None = None
) -> Done:
    """A reward model learns which response is preferred. Its scores have mean 0 and standard deviation 1 on the chosen
    responses of what it learned from.

    drawn: the pairs are drawn, and the data give the prompts alone.
    """
    own = None if drawn is None else drawn_data(learner, data, drawn)
    read = _pairs(learner, data) if own is None else own.read
    width = learner.policy.head.weight.size(1)
    trunks = [learner.policy, *(learner.copy() for _ in range(settings.seeds - 1))]
    models = [
        RewardModel(trunk, RewardHead(width, settings.seed + number).to(learner.device), learner.tokenizer)
        for number, trunk in enumerate(trunks)
    ]
    reports = train_reward_models(
        models,
        read.train,
        settings,
        references=[pair.chosen for pair in read.train[:256]],
        validation=read.held_out,
        on_report=run.on_report,
        saving=run.saving(learner, data),
        resume=run.goes_on,
    )

    def write(folder: Path) -> None:
        write_reward_models(folder, learner, models, settings.combine)

    return Done.of(read, reports, write, own)


def _pairs(learner: Learner, data: DataSettings) -> Learned[Pair]:
    return learned(Preference, data, encode_preferences, learner.text, learner.context)


def _nobody(step: int) -> None:
    """Hears of steps where no checkpoint is kept."""


def _offering(
    learner: Learner, data: DataSettings, pairs: Sequence[Pair], seed: int, keeper: CheckpointKeeper
) -> Callable[[int], None]:
    """Measures KL where it is due, by answers to prompts of the pairs, and offers the weights."""
    settings, reference = keeper.settings, learner.reference()
    room = learner.context - (data.response or RESPONSE)
    fitting = [prompt for prompt in dict.fromkeys(pair.chosen.prompt for pair in pairs) if len(prompt) <= room]
    if not fitting:
        raise ValueError(
            f"no prompt of the pairs leaves room for {data.response or RESPONSE} tokens, by which KL is measured: "
            "lower `response`."
        )
    prompts = fitting[: settings.prompts]
    sampler = sampler_of(learner, data, 1.0, seed)

    def before_step(step: int) -> None:
        if step in settings.after or (settings.kl and step and step % settings.every == 0 and not keeper.is_done):
            keeper.offer(step, {"kl": measured_kl(learner.policy, reference, prompts, sampler, step)})

    return before_step
