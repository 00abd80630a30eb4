"""Settings of policy gradients without a critic, and the algorithms that are some of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from reference_impl.alignment.settings.learning import refuse_other_words
from reference_impl.alignment.settings.ppo import Averaging
from reference_impl.alignment.settings.rollouts import RolloutSettings

Estimator = Literal["k2", "k3", "k3_corrected"]
"""Of a KL in the loss."""


Baseline = Literal["none", "batch", "leave_one_out", "group"]


Scale = Literal["none", "group", "batch"]


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
