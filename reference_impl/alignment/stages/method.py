"""The methods of alignment by name, and a stage of one of them from folder to folder. Imports no torch by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
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
from reference_impl.alignment.settings.scorers import scorers_in_words
from reference_impl.alignment.settings.sft import SFTSettings
from reference_impl.alignment.stages.data_settings import DataSettings

if TYPE_CHECKING:
    import torch

    from reference_impl.alignment.settings.checkpoints import CheckpointSettings
    from reference_impl.alignment.settings.drawn import DrawnPairSettings
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
    drawable: bool = False
    """Whether it learns from pairs, which may be drawn."""
    keeps_checkpoints: bool = False
    """Whether it moves a policy away from a reference, and keeps it on the way where that is asked for."""

    def made(self, given: Mapping[str, Any]) -> Any:
        """The settings with what was given. Raises ValueError for what can't be."""
        return self.settings(**{**self.preset, **given})


_EXAMPLES = "reference_impl.alignment.stages.from_examples"
_REWARDS = "reference_impl.alignment.stages.from_rewards"


def _gradient(name: str, about: str) -> Method:
    return Method(
        about,
        PolicyGradientSettings,
        f"{_REWARDS}:run_policy_gradient",
        NAMED[name],
        rewarded=True,
        keeps_checkpoints=True,
    )


METHODS: Mapping[str, Method] = {
    "sft": Method("Supervised fine-tuning on demonstrations.", SFTSettings, f"{_EXAMPLES}:run_sft"),
    "reward": Method(
        "A reward model learns which response is preferred.", RewardSettings, f"{_EXAMPLES}:run_reward", drawable=True
    ),
    "dpo": Method(
        "Preferences are learned without a reward model (DPO, IPO, SimPO).",
        DPOSettings,
        f"{_EXAMPLES}:run_dpo",
        drawable=True,
        keeps_checkpoints=True,
    ),
    "ppo": Method(
        "PPO with a critic and a KL penalty.",
        PPOSettings,
        f"{_REWARDS}:run_ppo",
        rewarded=True,
        keeps_checkpoints=True,
    ),
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
    drawn: DrawnPairSettings | None = None,
    checkpoints: CheckpointSettings | None = None,
    lora: LoRA | None = None,
    device: torch.device | str = "cpu",
) -> StageResult:
    """Does a stage: the model of `start` learns, and what comes of it is kept in `out`, whole or not at all.

    given: settings of the method that differ from its own. reward: of a method that needs one, the folder of a reward
    model, or a name of `SCORERS`. drawn: of a method that learns from pairs, how they are drawn, its models as folders.
    checkpoints: at which moments its weights are kept beside the last ones. lora: only an adapter learns.
    Of several processes (`processes.py`), each with a device of its own, the first one keeps it.
    Raises KeyError for an unknown method, ValueError for settings and data that can't be, DivergenceError where the
    model is lost, UnderWay where another process does it, and OSError.
    """
    from contextlib import ExitStack

    from reference_impl.alignment import processes
    from reference_impl.alignment.stages.checkpoints import CheckpointKeeper
    from reference_impl.alignment.stages.learner import open_learner
    from reference_impl.alignment.stages.result import StageResult, write_result
    from reference_impl.alignment.stages.run import forget
    from reference_impl.training.checkpoint_folder import check_place, write_folder
    from reference_impl.training.run_lock import alone

    known = METHODS[method]
    settings = known.made(given)
    if known.rewarded != (reward is not None):
        raise ValueError(
            f"{method} needs a reward: the folder of a reward model, or {scorers_in_words()}."
            if known.rewarded
            else f"{method} has no use for a reward: leave it out."
        )
    if drawn is not None and not known.drawable:
        raise ValueError(f"{method} doesn't learn from pairs, so none can be drawn for it: leave `drawn` out.")
    if checkpoints is not None:
        check_moments(method, settings, checkpoints)
        run = replace(run, checkpoints=checkpoints)
    asked = (reward, None if drawn is None else drawn.reward, None if drawn is None else drawn.model)
    for read in (start, *(Path(name) for name in asked if name is not None)):
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
        if drawn is not None:
            run = replace(run, drawn=drawn)
        more: dict[str, Any] = {"reward": reward} if known.rewarded else {}
        more |= {"drawn": drawn} if known.drawable else {}
        keeper = None
        if checkpoints is not None:
            beside = out.with_name(f".{out.name}") if run.state is None else run.state
            each = getattr(settings, "steps_per_rollout", 1)
            folder = beside.with_name(f"{beside.name}.checkpoints")
            keeper = CheckpointKeeper(checkpoints, folder, learner.write, each, goes_on=run.goes_on)
            more |= {"keeper": keeper}
        done = function(learner, data, settings, run, **more)
        result = StageResult(
            method=method,
            settings=from_json(to_json(asdict(settings), inf_nan_mode="strings")),
            data=asdict(data),
            learned_from=done.learned_from,
            held_out=done.held_out,
            excluded=done.excluded,
            reports=done.reports,
            seconds=done.reports[-1].seconds if done.reports else 0.0,
            merged_adapter="" if learner.merged_adapter is None else str(learner.merged_adapter),
            drawn=done.drawn,
            checkpoints=() if keeper is None else keeper.kept,
        )

        def write(folder: Path) -> None:
            done.write(folder)
            write_result(folder, result)
            if keeper is not None:
                keeper.keep_in(folder, result)

        if processes.number():
            return result
        write_folder(out, write)
        if keeper is not None:
            keeper.remove()
        if run.state is not None:
            forget(run.state)
        return result


def check_moments(method: str, settings: LearningSettings, checkpoints: CheckpointSettings) -> None:
    """Raises ValueError where a method keeps no checkpoints, and for a moment that is after its end."""
    if not METHODS[method].keeps_checkpoints:
        raise ValueError(f"{method} keeps no checkpoints: leave `checkpoints` out.")
    rollouts = getattr(settings, "rollouts", None)
    if rollouts is not None and (late := [one for one in checkpoints.after if one >= rollouts]):
        raise ValueError(
            f"a checkpoint after {late[0]} rollouts is none before the end, and there are {rollouts} in all: what "
            "comes of the stage is a model itself."
        )
