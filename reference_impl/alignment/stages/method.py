"""The methods of alignment by name, and a stage of one of them from folder to folder. Imports no torch by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from reference_impl.alignment.settings.dpo import DPOSettings
from reference_impl.alignment.settings.learning import LearningSettings
from reference_impl.alignment.settings.policy_gradient import NAMED, PolicyGradientSettings
from reference_impl.alignment.settings.ppo import PPOSettings
from reference_impl.alignment.settings.rejection import RejectionSettings
from reference_impl.alignment.settings.reward import RewardSettings
from reference_impl.alignment.settings.sft import SFTSettings
from reference_impl.alignment.stages.data_settings import DataSettings

if TYPE_CHECKING:
    import torch

    from reference_impl.alignment.settings.lora import LoRA
    from reference_impl.alignment.stages.result import StageResult
    from reference_impl.alignment.stages.run import Run


@dataclass(frozen=True)
class Method:
    """A way of learning, with its settings."""

    about: str
    """What it does, in a sentence."""
    settings: type[LearningSettings] | type[RejectionSettings]
    run: str
    """What does it, as `module:function`: imported where it is used."""
    preset: Mapping[str, Any] = field(default_factory=dict)
    """Settings that make this method of that class."""
    rewarded: bool = False
    """Whether it needs something that scores responses."""

    def made(self, given: Mapping[str, Any]) -> Any:
        """The settings with what was given. Raises ValueError for what can't be."""
        return self.settings(**{**self.preset, **given})


_EXAMPLES = "reference_impl.alignment.stages.from_examples"
_REWARDS = "reference_impl.alignment.stages.from_rewards"


def _gradient(name: str, about: str) -> Method:
    return Method(about, PolicyGradientSettings, f"{_REWARDS}:run_policy_gradient", NAMED[name], rewarded=True)


METHODS: Mapping[str, Method] = {
    "sft": Method("Supervised fine-tuning on demonstrations.", SFTSettings, f"{_EXAMPLES}:run_sft"),
    "reward": Method("A reward model learns which response is preferred.", RewardSettings, f"{_EXAMPLES}:run_reward"),
    "dpo": Method(
        "Preferences are learned without a reward model (DPO, IPO, SimPO).", DPOSettings, f"{_EXAMPLES}:run_dpo"
    ),
    "ppo": Method("PPO with a critic and a KL penalty.", PPOSettings, f"{_REWARDS}:run_ppo", rewarded=True),
    "reinforce": _gradient("reinforce", "REINFORCE with the batch's mean as its baseline."),
    "rloo": _gradient("rloo", "REINFORCE; the other responses to a prompt are the baseline."),
    "grpo": _gradient("grpo", "GRPO: scores are compared within the group of responses to a prompt."),
    "dr_grpo": _gradient("dr_grpo", "GRPO without its two biases."),
    "dapo": _gradient("dapo", "GRPO by tokens, with a higher upper clip, without dead groups."),
    "rejection": Method(
        "The best of several responses are learned as demonstrations.",
        RejectionSettings,
        f"{_REWARDS}:run_rejection",
        rewarded=True,
    ),
}
"""By the name that a suite and the shell call it by."""


def run_stage(
    method: str,
    start: Path,
    out: Path,
    data: DataSettings,
    given: Mapping[str, Any],
    run: Run,
    *,
    reward: str | None = None,
    lora: LoRA | None = None,
    device: torch.device | str = "cpu",
) -> StageResult:
    """Does a stage: the model of `start` learns, and what comes of it is kept in `out`, whole or not at all.

    given: settings of the method that differ from its own. reward: of a method that needs one, the folder of a reward
    model, or `answers` (1 for the right answer that a prompt says, 0 for another). lora: only an adapter learns.
    Of several processes (`processes.py`), each with a device of its own, the first one keeps it.
    Raises KeyError for an unknown method, ValueError for settings and data that can't be, DivergenceError where the
    model is lost, UnderWay where another process does it, and OSError.
    """
    from contextlib import ExitStack

    from reference_impl.alignment import processes
    from reference_impl.alignment.stages.learner import open_learner
    from reference_impl.alignment.stages.result import StageResult, write_result
    from reference_impl.training.checkpoint_folder import check_place, write_folder
    from reference_impl.training.run_lock import alone

    known = METHODS[method]
    settings = known.made(given)
    if known.rewarded != (reward is not None):
        raise ValueError(
            f"{method} needs a reward: the folder of a reward model, or `answers`."
            if known.rewarded
            else f"{method} has no use for a reward: leave it out."
        )
    for read in (start, *([] if reward is None else [Path(reward)])):
        if read.resolve() == out.resolve():
            raise ValueError(f"{out} is what this stage reads, and it would be replaced: give another folder.")
    check_place(out)
    out.parent.mkdir(parents=True, exist_ok=True)  # it must not turn out at the end that there is no place
    with ExitStack() as held:

        def hold(number: int) -> None:
            if number == 0:
                held.enter_context(alone(run.state))

        processes.in_order(hold, range(processes.count()))
        learner = open_learner(start, lora, device)
        module, _, name = known.run.partition(":")
        function = getattr(import_module(module), name)
        done = function(learner, data, settings, run, *(() if reward is None else (reward,)))
        result = StageResult(
            method=method,
            settings=from_json(to_json(asdict(settings), inf_nan_mode="strings")),
            data=asdict(data),
            learned_from=done.learned_from,
            held_out=done.held_out,
            excluded=done.excluded,
            reports=done.reports,
            seconds=done.reports[-1].seconds if done.reports else 0.0,
        )

        def write(folder: Path) -> None:
            done.write(folder)
            write_result(folder, result)

        if processes.number():
            return result
        write_folder(out, write)
        if run.state is not None:
            for kept in run.state.parent.glob(f"{run.state.name}*"):
                kept.unlink()
        return result
